//! Runs both kinds: creates what their reconciles share, and has their objects watched and reconciled. It decides nothing.

use std::collections::HashSet;
use std::sync::Arc;

use domain::dedicated::life::Sort;
use domain::dedicated::names::ObjectName;
use domain::reconcile::ReconcileSettings;
use domain::token::Token;
use futures::FutureExt;
use futures::future::OptionFuture;

use crate::clock::Boottime;
use crate::runtime::api_server::ApiError;
use crate::runtime::identity::Identity;
use crate::runtime::kind_controller::{self, Hooks};
use crate::runtime::shared::SharedParts;

use super::context::{Common, Context, Links};
use super::kind::DedicatedKind;
use super::reconcile::reconcile;
use super::unwatched;

/// Runs until the work ends, then until each request that was sent has ended and is recorded. Once it runs, no fault stops it.
///
/// Without `watches_services`, the objects of services are neither watched nor listed: then there are none.
pub(crate) async fn run<Service: DedicatedKind, Endpoint: DedicatedKind>(
    shared: Arc<SharedParts>,
    settings: ReconcileSettings,
    watches_services: bool,
) {
    let common = Arc::new(Common::new(&settings));
    let services = Context::<Service>::new(&shared, &common, settings);
    let endpoints = Context::<Endpoint>::new(&shared, &common, settings);
    common.link(links(watches_services, &services, &endpoints));
    let of_services = watches_services.then(|| control(services));
    futures::join!(OptionFuture::from(of_services), control(endpoints));
}

fn links<Service: DedicatedKind, Endpoint: DedicatedKind>(
    watches_services: bool,
    services: &Arc<Context<Service>>,
    endpoints: &Arc<Context<Endpoint>>,
) -> Links {
    let of_both = || (Arc::clone(services), Arc::clone(endpoints));
    let (requested, listed, known, awaited) = (of_both(), of_both(), of_both(), of_both());
    Links {
        watches_services,
        request: Box::new(move |sort, object, listed_at| match sort {
            Sort::Service => requested.0.request(object, listed_at),
            Sort::Endpoint => requested.1.request(object, listed_at),
        }),
        are_known: Box::new(move |sort| match sort {
            Sort::Service => !watches_services || known.0.objects.directory.index().is_answered(),
            Sort::Endpoint => known.1.objects.directory.index().is_answered(),
        }),
        until_known: Box::new(move || {
            let (services, endpoints) = awaited.clone();
            async move {
                let of_services = watches_services.then(|| services.objects.directory.until_answered());
                futures::join!(OptionFuture::from(of_services), endpoints.objects.directory.until_answered());
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

/// Lists the objects of a namespace (`None`: of all), and records what they name. Those that an earlier list has shown, and this one does
/// not, are read: no watch shows that they are gone.
async fn record_all<K: DedicatedKind>(ctx: Arc<Context<K>>, scope: Option<String>) -> Result<(), ApiError> {
    let mut unseen: HashSet<_> = ctx.common.names().unwatched(K::SORT).into_iter().collect();
    unseen.retain(|object| scope.as_ref().is_none_or(|scope| *scope == object.namespace));
    let record = |object: &K| {
        let identity = Identity::new(object, &ctx.shared.cluster_id);
        ctx.record_listed(object, &identity);
        unseen.remove(&ObjectName { namespace: identity.namespace, name: identity.name });
    };
    ctx.shared.api_server.each::<K>(scope.as_deref(), record).await?;
    if !unseen.is_empty() {
        tokio::spawn(unwatched::read_all(ctx, unseen.into_iter().collect()));
    }
    Ok(())
}

/// Watches and reconciles the objects of one kind.
async fn control<K: DedicatedKind>(ctx: Arc<Context<K>>) {
    let (recording, removing) = (Arc::clone(&ctx), Arc::clone(&ctx));
    let hooks = Hooks {
        watched: move |object: &K, identity: &Identity, _is_new| recording.record_watched(object, identity),
        left: |namespace: &str, token: &Token, may_exist| {
            let object = removing.common.names().get(K::SORT, token).map(|names| names.object.clone());
            removing.remove(namespace, token, may_exist);
            if let Some(object) = object.filter(|_| may_exist) {
                tokio::spawn(unwatched::read_all(Arc::clone(&removing), vec![object]));
            }
        },
        reconcile: |object, requested_at: Boottime| reconcile(object, requested_at, Arc::clone(&ctx)),
    };
    let following = tokio::spawn(unwatched::follow(Arc::clone(&ctx)));
    kind_controller::run(&ctx.objects, hooks).await;
    following.abort();
    ctx.references.end();
}
