//! Controls one kind: watches its objects in every scope, records the object of each watch event, and reconciles them.
//!
//! An object that cannot be decoded never stops the watch of the others. What a kind does with its objects are functions of its own.

use std::sync::Arc;
use std::time::Duration;

use domain::token::Token;
use futures::StreamExt;
use futures::future::join_all;
use kube::Api;
use kube::runtime::reflector::{self, ObjectRef};
use kube::runtime::watcher::{self, Event};
use tracing::warn;

use crate::clock::Boottime;

use super::cached::Cached;
use super::controller::{self, OnLeft};
use super::identity::Identity;
use super::kind::Kind;
use super::objects::Objects;
use super::unwatched;
use super::watch::{Pages, bounded, events};

/// What a kind does with its objects.
#[derive(Clone)]
pub(crate) struct Hooks<Watched, Left, Reconcile> {
    /// Records what is the kind's own of a readable object from the watch. `true`: the watch did not show it before.
    pub(crate) watched: Watched,
    /// Removes the state of an object that has left the watch, and its entry in the directory. `true`: it may still exist, because only
    /// its labels may have changed.
    pub(crate) left: Left,
    /// Reconciles an object that was requested at that time. Returns the requeue delay, or `None` if only an event triggers the next
    /// reconcile.
    pub(crate) reconcile: Reconcile,
}

/// Watches and reconciles the objects of a kind until the work ends, and until each reconcile has ended.
pub(crate) async fn run<K: Kind, Done>(
    objects: &Arc<Objects<K>>,
    hooks: Hooks<
        impl Fn(&K, &Identity, bool) + Clone + Send + 'static,
        impl Fn(&str, &Token, bool) + Clone,
        impl Fn(Box<K>, Boottime) -> Done + Clone,
    >,
) where
    Done: Future<Output = Option<Duration>>,
{
    let scopes = objects.shared.scopes().into_iter();
    let controllers: Vec<_> =
        scopes.map(|namespace| control(namespace, Arc::clone(objects), hooks.clone())).collect();
    let following = tokio::spawn(unwatched::follow(Arc::clone(objects)));
    futures::join!(join_all(controllers), objects.admission.run());
    following.abort();
}

/// Watches the objects of `namespace` (`None`: of all namespaces) and reconciles them, until the work ends.
async fn control<K: Kind, Done>(
    namespace: Option<String>,
    objects: Arc<Objects<K>>,
    Hooks { watched, left, reconcile }: Hooks<
        impl Fn(&K, &Identity, bool) + Send + 'static,
        impl Fn(&str, &Token, bool) + Clone,
        impl Fn(Box<K>, Boottime) -> Done + Clone,
    >,
) where
    Done: Future<Output = Option<Duration>>,
{
    let shared = &objects.shared;
    let reporter = shared.health.reporter(&K::plural(&()), namespace.clone());
    let requested = objects.admission.requests_for(namespace.clone());
    let client = bounded(&shared.client, reporter.clone(), Pages::Own);
    let api = match namespace {
        None => Api::all(client),
        Some(namespace) => Api::namespaced(client, &namespace),
    };
    let mut config = watcher::Config::default();
    if let Some(selector) = &shared.options.selector {
        config = config.labels(selector);
    }
    let (store, writer) = reflector::store();
    let (observer, answering) = (Arc::clone(&objects), Arc::clone(&objects));
    let (mut listed, mut answered) = (false, false);
    let events = events(api, config)
        .inspect(move |event| {
            let is_answer = match event {
                Ok(event) => matches!(event, Event::InitDone),
                Err(error) => is_refused(error),
            };
            if is_answer && !std::mem::replace(&mut answered, true) {
                answering.directory.answered();
            }
        })
        .inspect(move |event| match event {
            Ok(Event::InitDone) => {
                if !std::mem::replace(&mut listed, true) && observer.directory.listed() {
                    tokio::spawn(unwatched::survey(Arc::clone(&observer)));
                }
                reporter.listed();
            }
            Ok(Event::Apply(object) | Event::InitApply(object)) => record(&observer, object, &watched),
            Ok(Event::Init | Event::Delete(_)) => {}
            Err(error) => warn!(%error, "the watch was interrupted"),
        })
        .filter_map(|event| std::future::ready(event.ok()));
    // Without a selector, an object that leaves the watch has been deleted.
    let may_exist = shared.options.selector.is_some();
    let remove = |object: &ObjectRef<Cached<K>>| {
        let namespace = object.namespace.as_deref().unwrap_or_default();
        left(namespace, &Token::of(&shared.cluster_id, namespace, &object.name), may_exist);
    };
    let report = |object: &ObjectRef<Cached<K>>| {
        if let Some(selector) = shared.options.selector.clone() {
            let objects = Arc::clone(&objects);
            tokio::spawn(unwatched::report_left(objects, store.clone(), selector, object.clone()));
        }
    };
    let admission = Arc::clone(&objects.admission);
    let on_left = OnLeft { report, remove };
    controller::run(events, requested, writer, admission, reconcile, on_left, &shared.work).await;
}

/// Returns `true` if the first listing was refused: the namespace has no such kind, or the operator no right to list it there. Whoever
/// waits for the objects of all namespaces waits no longer for this one.
fn is_refused(error: &watcher::Error) -> bool {
    let watcher::Error::InitialListFailed(kube::Error::Api(status)) = error else { return false };
    matches!(status.code, 403 | 404)
}

/// Records the object of a watch event.
fn record<K: Kind>(objects: &Arc<Objects<K>>, cached: &Cached<K>, watched: impl FnOnce(&K, &Identity, bool)) {
    if let Cached::Unreadable(unreadable) = cached {
        objects.record_unreadable(unreadable);
    }
    if let Some(object) = cached.object() {
        objects.record_watched(&object, |identity, is_new| watched(&object, identity, is_new));
    }
}
