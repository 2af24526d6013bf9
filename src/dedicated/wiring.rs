//! Runs both kinds: creates what their reconciles share, and has their objects watched and reconciled. It decides nothing.

use std::sync::Arc;

use domain::dedicated::life::Sort;
use domain::reconcile::ReconcileSettings;
use domain::token::Token;
use futures::FutureExt;

use crate::clock::Boottime;
use crate::runtime::api_server::ApiError;
use crate::runtime::identity::Identity;
use crate::runtime::kind_controller::{self, Hooks};
use crate::runtime::shared::SharedParts;

use super::context::{Common, Context, Links};
use super::kind::DedicatedKind;
use super::reconcile::reconcile;

/// Runs until the work ends, then until each request that was sent has ended and is recorded. Once it runs, no fault stops it.
pub(crate) async fn run<Service: DedicatedKind, Endpoint: DedicatedKind>(
    shared: Arc<SharedParts>,
    settings: ReconcileSettings,
) {
    let common = Arc::new(Common::new(&settings));
    let services = Context::<Service>::new(&shared, &common, settings);
    let endpoints = Context::<Endpoint>::new(&shared, &common, settings);
    common.link(links(&services, &endpoints));
    futures::join!(control(services), control(endpoints));
}

fn links<Service: DedicatedKind, Endpoint: DedicatedKind>(
    services: &Arc<Context<Service>>,
    endpoints: &Arc<Context<Endpoint>>,
) -> Links {
    let of_both = || (Arc::clone(services), Arc::clone(endpoints));
    let (requested, listed, known, awaited) = (of_both(), of_both(), of_both(), of_both());
    Links {
        request: Box::new(move |sort, object, listed_at| match sort {
            Sort::Service => requested.0.request(object, listed_at),
            Sort::Endpoint => requested.1.request(object, listed_at),
        }),
        are_known: Box::new(move |sort| match sort {
            Sort::Service => known.0.objects.directory.index().is_answered(),
            Sort::Endpoint => known.1.objects.directory.index().is_answered(),
        }),
        until_known: Box::new(move || {
            let (services, endpoints) = awaited.clone();
            async move {
                futures::join!(
                    services.objects.directory.until_answered(),
                    endpoints.objects.directory.until_answered()
                );
            }
            .boxed()
        }),
        list: Box::new(move |sort| {
            let (services, endpoints) = listed.clone();
            Arc::new(move |scope| match sort {
                Sort::Service => record_all(Arc::clone(&services), scope).boxed(),
                Sort::Endpoint => record_all(Arc::clone(&endpoints), scope).boxed(),
            })
        }),
    }
}

/// Lists the objects of a namespace (`None`: of all), and records what they name.
async fn record_all<K: DedicatedKind>(ctx: Arc<Context<K>>, scope: Option<String>) -> Result<(), ApiError> {
    let record = |object: &K| ctx.record_listed(object, &Identity::new(object, &ctx.shared.cluster_id));
    ctx.shared.api_server.each::<K>(scope.as_deref(), record).await
}

/// Watches and reconciles the objects of one kind.
async fn control<K: DedicatedKind>(ctx: Arc<Context<K>>) {
    let (recording, removing) = (Arc::clone(&ctx), Arc::clone(&ctx));
    let hooks = Hooks {
        watched: move |object: &K, identity: &Identity, _is_new| recording.record_watched(object, identity),
        left: |namespace: &str, token: &Token, may_exist| removing.remove(namespace, token, may_exist),
        reconcile: |object, requested_at: Boottime| reconcile(object, requested_at, Arc::clone(&ctx)),
    };
    kind_controller::run(&ctx.objects, hooks).await;
    ctx.references.end();
}
