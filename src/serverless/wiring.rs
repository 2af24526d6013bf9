//! The controller: wires all parts together, watches the objects and records the object of each watch event.
//!
//! An object that cannot be decoded never stops the watch of the others.

use std::sync::Arc;
use std::time::Duration;

use atlas::Transport;
use domain::token::{ClusterId, Token};
use futures::StreamExt;
use futures::future::join_all;
use kube::runtime::reflector::{self, ObjectRef};
use kube::runtime::watcher::{self, Event};
use kube::{Api, Client};
use thiserror::Error;
use tracing::warn;

use super::context::{Context, Options, PendingEvents};
use super::convert;
use super::directory::{self, Directory};
use super::kind::CachedEndpoint;
use super::private_addresses::Addresses;
use super::reconcile::reconcile;
use super::state::ObjectStates;
use super::unwatched;
use crate::runtime::admission::{self, Admission};
use crate::runtime::api_server::{ApiError, ApiServer};
use crate::runtime::atlas_access::{AtlasAccess, DefaultCredentials};
use crate::runtime::controller::{self, OnLeft};
use crate::runtime::credentials::CredentialStore;
use crate::runtime::events::Events;
use crate::runtime::identity::Identity;
use crate::runtime::listings::Listings;
use crate::runtime::references::ReferencedObjects;
use crate::runtime::watch::{Pages, bounded, events};
use crate::runtime::watch_health::{WatchHealth, WatchReporter};
use crate::runtime::work::Work;

/// Delay between two attempts to read the cluster's id.
const RETRY_PERIOD: Duration = Duration::from_secs(1);

/// Why the controller could not start.
#[derive(Debug, Error)]
pub enum RunError {
    /// The cluster has no id.
    #[error(
        "failed to read the uid of namespace kube-system, which names this cluster ({0}); grant it, or set --cluster-id"
    )]
    ClusterId(String),
}

/// Runs until `work` ends, then until each claimed create has ended and is recorded.
///
/// # Errors
/// If the controller cannot start. Once it runs, no fault stops it.
pub async fn run(
    client: Client,
    transport: Transport,
    options: Options,
    health: &WatchHealth,
    work: Work,
) -> Result<(), RunError> {
    let api_server = ApiServer::new(client.clone());
    let named = async {
        match &options.cluster_id {
            Some(id) => Ok(id.clone()),
            None => cluster_uid(&api_server).await,
        }
    };
    let cluster_id = tokio::select! {
        id = named => id?,
        () = work.ended() => return Ok(()),
    };
    let namespaces = options.namespaces.clone();
    options.metrics.max_reconciles(admission::max_reconciles(options.concurrency));
    let states = Arc::new(ObjectStates::default());
    let states_for_metrics = Arc::clone(&states);
    options.metrics.set_object_counts(move |counts| {
        states_for_metrics.each(|entry| entry.counted.add_to(counts));
    });
    let states_for_references = Arc::clone(&states);
    let admission = Arc::new(Admission::new(options.concurrency, options.metrics.clone(), work.clone()));
    let default_secret = options.default_credentials.as_ref().map(DefaultCredentials::secret);
    let keys = CredentialStore::new(api_server.clone(), transport, default_secret);
    let ctx = Arc::new(Context {
        atlas: AtlasAccess::new(keys, options.default_credentials.clone(), options.concurrency),
        cluster_id: Arc::new(cluster_id),
        listings: Listings::new(options.poll_min, options.times.confirm_gap),
        addresses: Addresses::new(),
        references: Arc::new(ReferencedObjects::new(
            client.clone(),
            api_server.clone(),
            Arc::clone(&admission),
            move |token, at| {
                states_for_references
                    .with(token, |entry| entry.kept.schedule.reference_changed(at.since_boot()));
            },
        )),
        admission,
        api_server,
        states,
        directory: Directory::new(namespaces.len().max(1)),
        events: Events::new(client.clone()),
        client: client.clone(),
        pending_events: PendingEvents::default(),
        options,
        work,
    });
    // One watch and one store per namespace: the listing of one watch would drop the objects of another from a shared store.
    let scopes: Vec<_> =
        if namespaces.is_empty() { vec![None] } else { namespaces.into_iter().map(Some).collect() };
    let controllers: Vec<_> = scopes
        .into_iter()
        .map(|namespace| control(health.reporter(namespace.clone()), namespace, Arc::clone(&ctx)))
        .collect();
    let following = tokio::spawn(unwatched::follow(Arc::clone(&ctx)));
    futures::join!(join_all(controllers), ctx.admission.run());
    following.abort();
    ctx.references.end();
    Ok(())
}

/// Reads the uid of namespace kube-system; retries while the API server is unavailable, because a process may become the leader
/// during an outage.
async fn cluster_uid(api_server: &ApiServer) -> Result<ClusterId, RunError> {
    let mut warned = false;
    loop {
        match api_server.kube_system_uid().await {
            Ok(uid) => {
                let parsed = uid.parse();
                return parsed
                    .map_err(|error: domain::ids::ParseError| RunError::ClusterId(error.to_string()));
            }
            Err(error @ (ApiError::TimedOut | ApiError::Other(_))) if !warned => {
                warn!(%error, "failed to read the uid of namespace kube-system; retrying");
                warned = true;
            }
            Err(ApiError::TimedOut | ApiError::Other(_)) => {}
            Err(error) => return Err(RunError::ClusterId(error.to_string())),
        }
        tokio::time::sleep(RETRY_PERIOD).await;
    }
}

/// Watches the objects of `namespace` (`None`: of all namespaces) and reconciles them, until the work ends.
async fn control(reporter: WatchReporter, namespace: Option<String>, ctx: Arc<Context>) {
    let requested = ctx.admission.requests_for(namespace.clone());
    let client = bounded(&ctx.client, reporter.clone(), Pages::Own);
    let api = match namespace {
        None => Api::all(client),
        Some(namespace) => Api::namespaced(client, &namespace),
    };
    let mut config = watcher::Config::default();
    if let Some(selector) = &ctx.options.selector {
        config = config.labels(selector);
    }
    let (store, writer) = reflector::store();
    let (observer, mut listed) = (Arc::clone(&ctx), false);
    let events = events(api, config)
        .inspect(move |event| match event {
            Ok(Event::InitDone) => {
                if !std::mem::replace(&mut listed, true) && observer.directory.listed() {
                    tokio::spawn(unwatched::survey(Arc::clone(&observer)));
                }
                reporter.listed();
            }
            Ok(event) => record(&observer, event),
            Err(error) => warn!(%error, "the watch was interrupted"),
        })
        .filter_map(|event| std::future::ready(event.ok()));
    let shared = Arc::clone(&ctx);
    let remove = move |object: &ObjectRef<CachedEndpoint>| {
        let namespace = object.namespace.as_deref().unwrap_or_default();
        shared.on_left_watch(namespace, &Token::of(&shared.cluster_id, namespace, &object.name));
    };
    let report = |object: &ObjectRef<CachedEndpoint>| {
        // Without a selector, an object that leaves the watch has been deleted.
        if let Some(selector) = ctx.options.selector.clone() {
            tokio::spawn(unwatched::report_left(Arc::clone(&ctx), store.clone(), selector, object.clone()));
        }
    };
    let reconcile = |object, requested_at| reconcile(object, requested_at, Arc::clone(&ctx));
    let admission = Arc::clone(&ctx.admission);
    controller::run(events, requested, writer, admission, reconcile, OnLeft { report, remove }, &ctx.work)
        .await;
}

/// Records the object of a watch event. Create attempts are recorded here too: an attempt whose claim is removed from the object
/// may still take effect in Atlas.
fn record(ctx: &Arc<Context>, event: &Event<CachedEndpoint>) {
    let (Event::Apply(cached) | Event::InitApply(cached)) = event else { return };
    if let CachedEndpoint::Unreadable(unreadable) = cached {
        ctx.on_unreadable(unreadable);
    }
    let Some(object) = cached.object() else { return };
    let identity = Identity::new(&*object, &ctx.cluster_id);
    if ctx.directory.record_watched(&identity.token, &identity.namespace, &identity.name) {
        ctx.record_declaration(&identity.token, directory::declared(&object).as_ref());
    }
    if ctx.options.default_credentials.is_some() {
        ctx.directory.record_endpoints(&identity.token, &object);
    }
    let observed = convert::object(&object, &identity, &ctx.cluster_id);
    ctx.states.record_watched(&identity.namespace, &identity.token, &observed);
    ctx.states.with(&identity.token, |entry| entry.counted.appeared(&object));
}
