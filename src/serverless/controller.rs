//! The watch: what is noted of each event, and how all parts are tied together.
//!
//! One object that cannot be decoded never stops the others.

use std::sync::Arc;
use std::time::Duration;

use atlas::Transport;
use domain::ownership::{ClusterId, Token};
use futures::StreamExt;
use futures::future::join_all;
use kube::runtime::WatchStreamExt;
use kube::runtime::events::Recorder;
use kube::runtime::reflector::{self, ObjectRef};
use kube::runtime::watcher::{self, Event};
use kube::{Api, Client};
use thiserror::Error;
use tokio::sync::Semaphore;
use tracing::warn;

use super::admission::{self, Admission};
use super::api_server::{ApiError, ApiServer};
use super::cached::Cached;
use super::context::{Context, DefaultCredentials, Options, TELLING, reporter};
use super::convert::{self, Identity};
use super::credentials::CredentialStore;
use super::directory::{self, Directory};
use super::engine;
use super::listings::Listings;
use super::private_addresses::Addresses;
use super::reconcile::reconcile;
use super::referenced::ReferencedObjects;
use super::state::ObjectStates;
use super::unwatched;
use super::warnings::Warnings;
use crate::runtime::concurrency::Concurrency;
use crate::runtime::watch::{Pages, bounded, events};
use crate::runtime::watch_health::{WatchHealth, WatchReporter};
use crate::runtime::work::Work;

/// Between two attempts to learn what names this cluster.
const PAUSE: Duration = Duration::from_secs(1);

/// Why the controller could not start.
#[derive(Debug, Error)]
pub enum RunError {
    /// Nothing names this cluster.
    #[error(
        "failed to read the uid of namespace kube-system, which names this cluster ({0}); grant it, or set --cluster-id"
    )]
    ClusterId(String),
}

/// Runs until `work` ends, then until each claimed create has ended and is recorded.
///
/// # Errors
/// If the controller cannot start. Once it runs it goes on through every fault.
pub async fn run(
    client: Client,
    transport: Transport,
    options: Options,
    heard: &WatchHealth,
    work: Work,
) -> Result<(), RunError> {
    let cluster = ApiServer::new(client.clone());
    let named = async {
        match &options.cluster_id {
            Some(id) => Ok(id.clone()),
            None => cluster_uid(&cluster).await,
        }
    };
    let cluster_id = tokio::select! {
        id = named => id?,
        () = work.ended() => return Ok(()),
    };
    let namespaces = options.namespaces.clone();
    options.metrics.max_reconciles(admission::most(options.concurrency));
    let states = Arc::new(ObjectStates::default());
    let admission = Arc::new(Admission::new(options.concurrency, options.metrics.clone(), work.clone()));
    let ctx = Arc::new(Context {
        keys: CredentialStore::new(
            cluster.clone(),
            transport,
            options.default_credentials.as_ref().map(DefaultCredentials::secret),
        ),
        cluster_id,
        limits: Concurrency::new(options.concurrency),
        listings: Listings::new(options.poll_min),
        addresses: Addresses::new(),
        targets: Arc::new(ReferencedObjects::new(
            client.clone(),
            cluster.clone(),
            Arc::clone(&states),
            Arc::clone(&admission),
        )),
        admission,
        cluster,
        states,
        directory: Directory::new(namespaces.len().max(1)),
        warnings: Warnings::new(Recorder::new(client.clone(), reporter())),
        client: client.clone(),
        telling: Arc::new(Semaphore::new(TELLING)),
        options,
        work,
    });
    // One watch a namespace: two in one store would lose the objects of one of them.
    let scopes: Vec<_> =
        if namespaces.is_empty() { vec![None] } else { namespaces.into_iter().map(Some).collect() };
    let controllers: Vec<_> = scopes
        .into_iter()
        .map(|namespace| control(heard.line(namespace.clone()), namespace, Arc::clone(&ctx)))
        .collect();
    let following = tokio::spawn(unwatched::follow(Arc::clone(&ctx)));
    futures::join!(join_all(controllers), ctx.admission.run());
    following.abort();
    ctx.targets.end();
    Ok(())
}

/// Asks until there is a response that says something: whoever has just become the leader may have done so in an outage.
async fn cluster_uid(cluster: &ApiServer) -> Result<ClusterId, RunError> {
    let mut told = false;
    loop {
        match cluster.kube_system_uid().await {
            Ok(uid) => {
                let parsed = uid.parse();
                return parsed
                    .map_err(|error: domain::endpoint::ParseError| RunError::ClusterId(error.to_string()));
            }
            Err(error @ (ApiError::TimedOut | ApiError::Other(_))) if !told => {
                warn!(%error, "cannot read the uid of namespace kube-system; trying again");
                told = true;
            }
            Err(ApiError::TimedOut | ApiError::Other(_)) => {}
            Err(error) => return Err(RunError::ClusterId(error.to_string())),
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Watches the objects of `namespace` (none: of all) and reconciles them, until the work ends.
async fn control(line: WatchReporter, namespace: Option<String>, ctx: Arc<Context>) {
    let requested = ctx.admission.requests.of(namespace.clone());
    let client = bounded(&ctx.client, line.clone(), Pages::Own);
    let api = match namespace {
        None => Api::all(client),
        Some(namespace) => Api::namespaced(client, &namespace),
    };
    let mut config = watcher::Config::default();
    if let Some(selector) = &ctx.options.selector {
        config = config.labels(selector);
    }
    let (store, writer) = reflector::store();
    let (noted, mut listed) = (Arc::clone(&ctx), false);
    let events = events(api, config)
        .inspect(move |event| match event {
            Ok(Event::InitDone) => {
                if !std::mem::replace(&mut listed, true) && noted.directory.listed() {
                    tokio::spawn(unwatched::survey(Arc::clone(&noted)));
                }
                line.listed();
            }
            Ok(event) => note(&noted, event),
            Err(error) => warn!(%error, "the watch was interrupted"),
        })
        .reflect(writer)
        .filter_map(|event| std::future::ready(event.ok()));
    let shared = Arc::clone(&ctx);
    let gone = move |object: &ObjectRef<Cached>| {
        let namespace = object.namespace.as_deref().unwrap_or_default();
        shared.unshown(namespace, &Token::of(&shared.cluster_id, namespace, &object.name));
    };
    let unshown = |object: &ObjectRef<Cached>| {
        // Without a selector, what is shown no more is gone.
        if let Some(selector) = ctx.options.selector.clone() {
            tokio::spawn(unwatched::left(Arc::clone(&ctx), store.clone(), selector, object.clone()));
        }
    };
    let reconcile = |object, requested_at| reconcile(object, requested_at, Arc::clone(&ctx));
    let admission = Arc::clone(&ctx.admission);
    engine::run(events, requested, store.clone(), admission, reconcile, (unshown, gone), &ctx.work).await;
}

/// Attempts are remembered from watch events too: one that is taken off the object again may still land.
fn note(ctx: &Arc<Context>, event: &Event<Cached>) {
    match event {
        Event::Apply(Cached::Read(object)) | Event::InitApply(Cached::Read(object)) => {
            let identity = Identity::of(object, &ctx.cluster_id);
            if ctx.directory.appeared(&identity.token, &identity.namespace, &identity.name) {
                ctx.declares(&identity.token, directory::declared(object).as_ref());
            }
            if ctx.options.default_credentials.is_some() {
                ctx.directory.uses(&identity.token, object);
            }
            let seen = convert::object(object, &identity, &ctx.cluster_id);
            ctx.states.watched(&identity.namespace, &identity.token, &seen);
            ctx.states.with(&identity.token, |entry| {
                entry.counted.appeared(&ctx.options.metrics, object);
            });
        }
        Event::Apply(Cached::Unreadable(unreadable)) | Event::InitApply(Cached::Unreadable(unreadable)) => {
            ctx.cannot_read(unreadable);
        }
        Event::Delete(_) | Event::Init | Event::InitDone => {}
    }
}
