//! An object that waits for us and that the watch shows no more, because it stopped matching the selector: said once, on the
//! object and in the log, for nobody may be looking at it.
//!
//! Reads the object and publishes an event; never writes the object, which may be another operator's by now.

use std::sync::Arc;
use std::time::Duration;

use domain::event;
use domain::ownership::Token;
use kube::ResourceExt;
use kube::runtime::reflector::{ObjectRef, Store};
use tracing::{debug, warn};

use crate::api;

use super::cached::Cached;
use super::cluster::ClusterError;
use super::context::Context;
use super::object::Identity;

/// Between two attempts to read the object, and how many there are.
const PAUSE: Duration = Duration::from_secs(5);
const ATTEMPTS: usize = 5;

/// Tells of `object` if it is there, has our finalizer, and is not back among those that are `watched`.
pub(super) async fn tell(
    ctx: Arc<Context>,
    watched: Store<Cached>,
    selector: String,
    object: ObjectRef<Cached>,
) {
    let (namespace, name) = (object.namespace.clone().unwrap_or_default(), object.name.clone());
    let token = Token::of(&ctx.cluster_id, &namespace, &name);
    let identity = Identity { namespace, name, uid: String::new(), token };
    for _ in 0..ATTEMPTS {
        let turn = ctx.cluster.turn(&identity.namespace).await;
        match ctx.cluster.get(&turn, &identity).await {
            Ok(found) => {
                let waits = found.finalizers().iter().any(|finalizer| finalizer == api::FINALIZER);
                if waits && watched.get(&object).is_none() {
                    let Identity { namespace, name, .. } = &identity;
                    warn!(
                        namespace,
                        name, selector, "no longer watching the object: it does not match the selector"
                    );
                    ctx.options.metrics.unwatched();
                    ctx.publish(&turn, &found, &event::not_watched(&selector)).await;
                }
                return;
            }
            Err(ClusterError::NotFound | ClusterError::NoKind) => return,
            Err(error) => debug!(%error, "could not read an object that the watch shows no more"),
        }
        drop(turn);
        tokio::time::sleep(PAUSE).await;
    }
}
