//! The objects that specs refer to: their last content, and the referrers to reconcile when it changes.
//!
//! A reconcile never waits for a referenced object: it gets the known content, and the object is reconciled again when there is
//! more. An object without referrers is not read. A task for each [`Scope`] reads the referenced objects and stores their content
//! here: kinds of other operators are watched, so that a new id triggers a reconcile at once, without one read per referrer
//! (`watched`); ConfigMaps are read (`polled`), those of a namespace one after another, so that a namespace makes no more requests
//! than one reader does, however many it has.

pub(crate) mod endpoint;
mod polled;
mod source;
mod watched;

use std::collections::HashMap;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use domain::reference::{EndpointSource, Found};
use domain::token::Token;
use futures::StreamExt;
use kube::runtime::reflector::ObjectRef;
use kube::runtime::watcher::{self, Event};
use kube::{Api, Client};
use tokio::sync::Notify;
use tokio::task::AbortHandle;
use tracing::{info, warn};

use crate::clock::Boottime;

use super::admission::Admission;
use super::api_server::{ApiError, ApiServer};
use super::cached::Cached;
use super::identity::Identity;
use super::kind::Kind;
use super::watch::{Pages, bounded, events};
use super::watch_health::WatchReporter;
use polled::{NextRead, PolledMaps};
pub(crate) use source::ReferenceTarget;
use source::{Scope, resource};
use watched::{Affected, ForeignObject, WatchedKind, failure};

/// The shortest time between two starts of a watch that ended with its last referrer.
const MIN_START_INTERVAL: Duration = Duration::from_secs(5);

/// The delay between two reads of ConfigMaps in one namespace.
const READ_INTERVAL: Duration = Duration::from_millis(40);

/// An object whose spec refers to another object.
struct Referrer<K: Kind> {
    object: ObjectRef<Cached<K>>,
    /// The entry of a `ConfigMap`; otherwise empty.
    key: String,
    /// The last reconcile request of a user.
    reconcile_request: Option<String>,
    /// The content last returned to it; `None`: it waits for the first read.
    last_found: Option<Found>,
}

/// The reader of a scope, which runs while the scope has referrers.
struct Reader {
    referrers: usize,
    task: AbortHandle,
    state: ReaderState,
}

enum ReaderState {
    Watched(WatchedKind),
    Polled(PolledMaps),
}

impl ReaderState {
    fn find(&mut self, target: &ReferenceTarget, key: &str, reread: bool, now: Boottime) -> Option<Found> {
        match self {
            Self::Watched(kind) => kind.find(target, now),
            Self::Polled(maps) => maps.find(&target.name, key, reread, now),
        }
    }
}

struct ReferenceIndex<K: Kind> {
    targets: HashMap<Token, ReferenceTarget>,
    referrers: HashMap<ReferenceTarget, HashMap<Token, Referrer<K>>>,
    readers: HashMap<Scope, Reader>,
    /// When each watch last started: this bounds the lists that an alternating reference can cause.
    started_at: HashMap<Scope, Boottime>,
    admission: Arc<Admission<K>>,
}

/// Called with each referrer for which the content has changed, before its reconcile is requested.
type Changed = dyn Fn(&Token, Boottime) + Send + Sync;

/// The known content of all referenced objects.
pub(crate) struct ReferencedObjects<K: Kind> {
    client: Client,
    api_server: ApiServer,
    changed: Box<Changed>,
    index: Mutex<ReferenceIndex<K>>,
}

impl<K: Kind> ReferencedObjects<K> {
    pub(crate) fn new(
        client: Client,
        api_server: ApiServer,
        admission: Arc<Admission<K>>,
        changed: impl Fn(&Token, Boottime) + Send + Sync + 'static,
    ) -> Self {
        let index = ReferenceIndex {
            targets: HashMap::new(),
            referrers: HashMap::new(),
            readers: HashMap::new(),
            started_at: HashMap::new(),
            admission,
        };
        Self { client, api_server, changed: Box::new(changed), index: Mutex::new(index) }
    }

    /// Returns the content of `target`, in its entry `key` if it is a `ConfigMap`.
    ///
    /// `None` if it is not known yet: the object is reconciled again once it is. Each new `reconcile_request`
    /// reads a `ConfigMap` again.
    pub(crate) fn find(
        self: &Arc<Self>,
        object: &Identity,
        target: &ReferenceTarget,
        key: &str,
        reconcile_request: Option<&str>,
    ) -> Option<Found> {
        let now = Boottime::now();
        let mut index = self.index();
        if index.targets.get(&object.token) != Some(target) {
            index.remove(&object.token);
            index.refer(self, object, target, now);
        }
        let scope = index.scope(target);
        let ReferenceIndex { referrers, readers, .. } = &mut *index;
        let referrer = referrers.get_mut(target)?.get_mut(&object.token)?;
        let reread =
            reconcile_request.is_some() && referrer.reconcile_request.as_deref() != reconcile_request;
        key.clone_into(&mut referrer.key);
        referrer.reconcile_request = reconcile_request.map(str::to_owned);
        referrer.last_found = readers.get_mut(&scope)?.state.find(target, key, reread, now);
        referrer.last_found.clone()
    }

    /// Stops all readers.
    pub(crate) fn end(&self) {
        for (_, reader) in self.index().readers.drain() {
            reader.task.abort();
        }
    }

    /// Removes the referrer `token`: its object is deleted, or has no reference any more.
    pub(crate) fn remove(&self, token: &Token) {
        self.index().remove(token);
    }

    /// Applies an event of a watched kind. Returns `true` if the kind had failed before.
    fn on_event(&self, scope: &Scope, event: Event<ForeignObject>) -> bool {
        let mut index = self.index();
        let Some(ReaderState::Watched(kind)) = index.reader_state(scope) else { return false };
        let (concerned, had_failed) = kind.on_event(event);
        match concerned {
            Affected::None => {}
            Affected::One(namespace, name) => {
                self.notify(&mut index, scope, &ReferenceTarget { source: scope.source, namespace, name });
            }
            Affected::All => self.notify_all(&mut index, scope),
        }
        had_failed
    }

    /// Records why a watched kind cannot be read. Returns `true` if the reason is new.
    fn failed(&self, scope: &Scope, why: Found) -> bool {
        let mut index = self.index();
        let Some(ReaderState::Watched(kind)) = index.reader_state(scope) else { return false };
        let is_new = kind.failed(why, Boottime::now());
        self.notify_all(&mut index, scope);
        is_new
    }

    /// Returns which ConfigMap of a namespace to read next.
    fn next_map(&self, scope: &Scope) -> Option<NextRead> {
        match self.index().reader_state(scope)? {
            ReaderState::Polled(maps) => Some(maps.next(Boottime::now())),
            ReaderState::Watched(_) => None,
        }
    }

    /// Stores the content of the entries of a `ConfigMap`, as of a read sent at that time.
    fn polled(&self, scope: &Scope, name: &str, sent: Boottime, content: impl Fn(&str) -> Found) {
        let target = ReferenceTarget {
            source: scope.source,
            namespace: scope.namespace.clone().unwrap_or_default(),
            name: name.to_owned(),
        };
        let mut index = self.index();
        let ReferenceIndex { referrers, readers, .. } = &mut *index;
        let keys = referrers.get(&target).into_iter().flat_map(HashMap::values);
        if let Some(ReaderState::Polled(maps)) = readers.get_mut(scope).map(|reader| &mut reader.state) {
            maps.read(name, keys.map(|referrer| referrer.key.as_str()), content, sent);
        }
        self.notify(&mut index, scope, &target);
    }

    fn notify_all(&self, index: &mut ReferenceIndex<K>, scope: &Scope) {
        let within = |target: &&ReferenceTarget| {
            target.source == scope.source
                && scope.namespace.as_ref().is_none_or(|namespace| *namespace == target.namespace)
        };
        for target in index.referrers.keys().filter(within).cloned().collect::<Vec<_>>() {
            self.notify(index, scope, &target);
        }
    }

    /// Triggers the referrers for which the content of this object has changed.
    fn notify(&self, index: &mut ReferenceIndex<K>, scope: &Scope, target: &ReferenceTarget) {
        let now = Boottime::now();
        let ReferenceIndex { referrers, readers, admission, .. } = index;
        let Some(reader) = readers.get_mut(scope) else { return };
        for (token, referrer) in referrers.get_mut(target).into_iter().flatten() {
            let found = reader.state.find(target, &referrer.key, false, now);
            if found.is_none() || found == referrer.last_found {
                continue;
            }
            referrer.last_found = found;
            (self.changed)(token, now);
            admission.request(&referrer.object);
        }
    }

    fn index(&self) -> MutexGuard<'_, ReferenceIndex<K>> {
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Kind> ReferenceIndex<K> {
    fn reader_state(&mut self, scope: &Scope) -> Option<&mut ReaderState> {
        self.readers.get_mut(scope).map(|reader| &mut reader.state)
    }

    /// Returns the scope that reads the target: ConfigMaps by namespace, other kinds in the same scope as the objects
    /// that refer to them.
    fn scope(&self, target: &ReferenceTarget) -> Scope {
        let everywhere = target.source != EndpointSource::ConfigMap && self.admission.serves_all_namespaces();
        let namespace = (!everywhere).then(|| target.namespace.clone());
        Scope { source: target.source, namespace }
    }

    fn refer(
        &mut self,
        references: &Arc<ReferencedObjects<K>>,
        object: &Identity,
        target: &ReferenceTarget,
        now: Boottime,
    ) {
        let referrer = Referrer {
            object: ObjectRef::new(&object.name).within(&object.namespace),
            key: String::new(),
            reconcile_request: None,
            last_found: None,
        };
        self.referrers.entry(target.clone()).or_default().insert(object.token.clone(), referrer);
        self.targets.insert(object.token.clone(), target.clone());
        let scope = self.scope(target);
        let reader = self.readers.entry(scope.clone()).or_insert_with(|| {
            let references = Arc::clone(references);
            let (task, state) = if scope.source == EndpointSource::ConfigMap {
                let maps = PolledMaps::default();
                (tokio::spawn(poll(references, scope, maps.earlier_due())), ReaderState::Polled(maps))
            } else {
                let delay = self
                    .started_at
                    .get(&scope)
                    .map_or(Duration::ZERO, |started_at| start_delay(*started_at, now));
                self.started_at.insert(scope.clone(), now + delay);
                (tokio::spawn(watch(references, scope, delay)), ReaderState::Watched(WatchedKind::default()))
            };
            Reader { referrers: 0, task: task.abort_handle(), state }
        });
        reader.referrers += 1;
    }

    fn remove(&mut self, token: &Token) {
        let Some(target) = self.targets.remove(token) else { return };
        let scope = self.scope(&target);
        if let Some(referrers) = self.referrers.get_mut(&target) {
            referrers.remove(token);
            if referrers.is_empty() {
                self.referrers.remove(&target);
                if let Some(ReaderState::Polled(maps)) = self.reader_state(&scope) {
                    maps.remove(&target.name);
                }
            }
        }
        if let Some(reader) = self.readers.get_mut(&scope) {
            reader.referrers -= 1;
            if reader.referrers == 0 {
                reader.task.abort();
                self.readers.remove(&scope);
            }
        }
    }
}

/// Watches the kind, after `delay`, until the task is aborted.
async fn watch<K: Kind>(references: Arc<ReferencedObjects<K>>, scope: Scope, delay: Duration) {
    tokio::time::sleep(delay).await;
    let kind = resource(scope.source);
    // Not part of watch health: reconciles report missing objects.
    let client = bounded(&references.client, WatchReporter::default(), Pages::Referenced);
    let api: Api<ForeignObject> = match &scope.namespace {
        None => Api::all_with(client, &kind),
        Some(namespace) => Api::namespaced_with(client, namespace, &kind),
    };
    let mut events = pin!(events(api, watcher::Config::default()));
    let namespace = scope.namespace.as_deref().unwrap_or("all");
    while let Some(event) = events.next().await {
        match event {
            Ok(event) => {
                if references.on_event(&scope, event) {
                    info!(
                        kind = kind.kind,
                        group = kind.group,
                        namespace,
                        "watching referenced objects again"
                    );
                }
            }
            Err(error) => {
                if let Some(why) = failure(&error)
                    && references.failed(&scope, why)
                {
                    let (kind, group) = (&kind.kind, &kind.group);
                    warn!(kind, group, namespace, %error, "failed to watch referenced objects; retrying");
                }
            }
        }
    }
}

/// Reads the due ConfigMaps of the namespace, until the task is aborted.
async fn poll<K: Kind>(references: Arc<ReferencedObjects<K>>, scope: Scope, earlier_due: Arc<Notify>) {
    let namespace = scope.namespace.clone().unwrap_or_default();
    while let Some(next) = references.next_map(&scope) {
        match next {
            NextRead::Wait(delay) => {
                // A timeout and a notification have the same effect: the loop determines which read is due.
                let _ = tokio::time::timeout(delay, earlier_due.notified()).await;
            }
            NextRead::Read(name) => {
                let sent = Boottime::now();
                let read = references.api_server.config_map(&namespace, &name).await;
                references.polled(&scope, &name, sent, |key| match &read {
                    Ok(map) => map.data.get(key).map_or(Found::Nothing, |text| Found::parse(text, None)),
                    Err(ApiError::NotFound) => Found::NoObject,
                    Err(ApiError::Forbidden(_)) => Found::Forbidden,
                    Err(_) => Found::Unreadable,
                });
                tokio::time::sleep(READ_INTERVAL).await;
            }
        }
    }
}

/// Returns how long a watch that was last started at `started_at` has to wait.
fn start_delay(started_at: Boottime, now: Boottime) -> Duration {
    MIN_START_INTERVAL.saturating_sub(now.since(started_at))
}

#[cfg(test)]
mod tests;
