//! Reads the objects in the index of names that no watch shows: those that left a watch, and those that only a list has shown. Nothing
//! else shows that one of them is gone, and what is gone is no rival, no heir and no user any more.
//!
//! It never writes an object.

use std::sync::Arc;
use std::time::Duration;

use domain::dedicated::names::ObjectName;
use tracing::debug;

use crate::runtime::api_server::ApiError;
use crate::runtime::identity::Identity;

use super::context::Context;
use super::kind::DedicatedKind;

/// How often they are read, as far as the decisions about others may depend on them.
const FOLLOW_PERIOD: Duration = Duration::from_secs(30);

/// Reads them periodically.
pub(super) async fn follow<K: DedicatedKind>(ctx: Arc<Context<K>>) {
    loop {
        tokio::time::sleep(FOLLOW_PERIOD).await;
        let followed = ctx.common.names().followed(K::SORT);
        read_all(Arc::clone(&ctx), followed).await;
    }
}

/// Reads these objects: each is recorded as it is now, or removed if it is gone. One that cannot be read stays as it was.
pub(super) async fn read_all<K: DedicatedKind>(ctx: Arc<Context<K>>, objects: Vec<ObjectName>) {
    let shared = &ctx.shared;
    for ObjectName { namespace, name } in objects {
        let identity = Identity::of_name::<K>(&shared.cluster_id, namespace, name);
        // One that is created meanwhile is another.
        let Some(uid) = ctx.common.names().get(K::SORT, &identity.token).map(|names| names.uid.clone())
        else {
            continue;
        };
        let permit = shared.api_server.permit(&identity.namespace).await;
        match shared.api_server.get::<K>(&permit, &identity).await {
            Ok(found) => ctx.record_listed(&found, &Identity::new(&found, &shared.cluster_id)),
            Err(ApiError::NotFound) => ctx.common.remove_unwatched(K::SORT, &identity.token, &uid),
            Err(error) => debug!(%error, "failed to read an object that no watch shows"),
        }
    }
}
