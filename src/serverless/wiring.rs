//! Runs the kind: creates what its reconciles share, and has its objects watched and reconciled. It decides nothing.

use std::sync::Arc;

use domain::reconcile::ReconcileSettings;
use domain::token::Token;

use crate::clock::Boottime;
use crate::runtime::identity::Identity;
use crate::runtime::kind_controller::{self, Hooks};
use crate::runtime::shared::SharedParts;
use crate::serverless::crd::ServerlessPrivateEndpoint;

use super::context::Context;
use super::reconcile::reconcile;

/// Runs until the work ends, then until each claimed create has ended and is recorded. Once it runs, no fault stops it.
pub(crate) async fn run(shared: Arc<SharedParts>, settings: ReconcileSettings) {
    let ctx = Arc::new(Context::new(shared, settings));
    let (recording, removing) = (Arc::clone(&ctx), Arc::clone(&ctx));
    let hooks = Hooks {
        watched: move |object: &ServerlessPrivateEndpoint, identity: &Identity, is_new| {
            recording.record_watched(object, identity, is_new);
        },
        left: |namespace: &str, token: &Token, may_exist| removing.remove(namespace, token, may_exist),
        reconcile: |object, requested_at: Boottime| reconcile(object, requested_at, Arc::clone(&ctx)),
    };
    kind_controller::run(&ctx.objects, hooks).await;
    ctx.references.end();
}
