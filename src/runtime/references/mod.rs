//! The objects that specs refer to: their last content, and the referrers to reconcile when it changes.
//!
//! A reconcile never waits for a referenced object: it gets the known content, and the object is reconciled again when there is
//! more. An object without referrers is not read. A task for each [`Scope`] reads what is referred to and stores it here: kinds of
//! other operators are watched, so that a new id triggers a reconcile at once, without one read per referrer (`watched`);
//! ConfigMaps are read (`polled`), those of a namespace one after another, so that a namespace makes no more requests than one
//! reader does, however many it has. `source` says what can be referred to.

mod polled;
mod source;
mod watched;

use std::collections::HashMap;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use domain::ownership::Token;
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
use polled::{Maps, Next};
use source::Scope;
pub use source::VpcEndpointSource;
pub(crate) use source::{Found, Target};
use watched::{Concerned, Other, WatchedKind, failure};

/// The shortest time between two starts of a watch that ended with its last referrer.
const AGAIN: Duration = Duration::from_secs(5);

/// The pause between two reads of ConfigMaps in one namespace.
const PACE: Duration = Duration::from_millis(40);

/// An object whose spec refers to another.
struct Referrer<K: Kind> {
    object: ObjectRef<Cached<K>>,
    /// The entry of a `ConfigMap`; otherwise empty.
    key: String,
    /// The last reconcile request of a user.
    word: Option<String>,
    /// The content last returned to it; `None`: it waits for the first read.
    last_found: Option<Found>,
}

/// The reader of a scope, which runs while the scope has referrers.
struct Reader {
    referrers: usize,
    task: AbortHandle,
    known: Known,
}

enum Known {
    Watched(WatchedKind),
    Polled(Maps),
}

impl Known {
    fn find(&mut self, target: &Target, key: &str, reread: bool, now: Boottime) -> Option<Found> {
        match self {
            Self::Watched(kind) => kind.find(target, now),
            Self::Polled(maps) => maps.find(&target.name, key, reread, now),
        }
    }
}

struct Index<K: Kind> {
    targets: HashMap<Token, Target>,
    referrers: HashMap<Target, HashMap<Token, Referrer<K>>>,
    readers: HashMap<Scope, Reader>,
    /// When each watch last started: this bounds the lists that an alternating reference can cause.
    began: HashMap<Scope, Boottime>,
    admission: Arc<Admission<K>>,
}

/// Called with each referrer for which the content has changed, before its reconcile is requested.
type Changed = dyn Fn(&Token, Boottime) + Send + Sync;

/// The known content of all referenced objects.
pub(crate) struct ReferencedObjects<K: Kind> {
    client: Client,
    cluster: ApiServer,
    changed: Box<Changed>,
    index: Mutex<Index<K>>,
}

impl<K: Kind> ReferencedObjects<K> {
    pub(crate) fn new(
        client: Client,
        cluster: ApiServer,
        admission: Arc<Admission<K>>,
        changed: impl Fn(&Token, Boottime) + Send + Sync + 'static,
    ) -> Self {
        let index = Index {
            targets: HashMap::new(),
            referrers: HashMap::new(),
            readers: HashMap::new(),
            began: HashMap::new(),
            admission,
        };
        Self { client, cluster, changed: Box::new(changed), index: Mutex::new(index) }
    }

    /// Returns the content of `target`, in its entry `key` if it is a `ConfigMap`.
    ///
    /// `None` if it is not known yet: the object is reconciled again once it is. Each new reconcile request `word`
    /// reads a `ConfigMap` again.
    pub(crate) fn find(
        self: &Arc<Self>,
        object: &Identity,
        target: &Target,
        key: &str,
        word: Option<&str>,
    ) -> Option<Found> {
        let now = Boottime::now();
        let mut index = self.index();
        if index.targets.get(&object.token) != Some(target) {
            index.forget(&object.token);
            index.refer(self, object, target, now);
        }
        let scope = index.scope(target);
        let Index { referrers, readers, .. } = &mut *index;
        let referrer = referrers.get_mut(target)?.get_mut(&object.token)?;
        let reread = word.is_some() && referrer.word.as_deref() != word;
        key.clone_into(&mut referrer.key);
        referrer.word = word.map(str::to_owned);
        referrer.last_found = readers.get_mut(&scope)?.known.find(target, key, reread, now);
        referrer.last_found.clone()
    }

    /// Stops all readers.
    pub(crate) fn end(&self) {
        for (_, reader) in self.index().readers.drain() {
            reader.task.abort();
        }
    }

    /// Removes the referrer `token`: its object is gone, or refers to nothing any more.
    pub(crate) fn forget(&self, token: &Token) {
        self.index().forget(token);
    }

    /// Applies an event of a watched kind. Returns `true` if the kind had failed before.
    fn saw(&self, scope: &Scope, event: Event<Other>) -> bool {
        let mut index = self.index();
        let Some(Known::Watched(kind)) = index.known(scope) else { return false };
        let (concerned, had_failed) = kind.saw(event, scope.source);
        match concerned {
            Concerned::Nobody => {}
            Concerned::Of(namespace, name) => {
                self.notify(&mut index, scope, &Target { source: scope.source, namespace, name });
            }
            Concerned::Everybody => self.notify_all(&mut index, scope),
        }
        had_failed
    }

    /// Records why a watched kind cannot be read. Returns `true` if the reason is new.
    fn failed(&self, scope: &Scope, why: Found) -> bool {
        let mut index = self.index();
        let Some(Known::Watched(kind)) = index.known(scope) else { return false };
        let is_news = kind.failed(why, Boottime::now());
        self.notify_all(&mut index, scope);
        is_news
    }

    /// Returns which ConfigMap of a namespace to read next.
    fn next_map(&self, scope: &Scope) -> Option<Next> {
        match self.index().known(scope)? {
            Known::Polled(maps) => Some(maps.next(Boottime::now())),
            Known::Watched(_) => None,
        }
    }

    /// Stores the content of the entries of a `ConfigMap`, as of a read sent at that time.
    fn polled(&self, scope: &Scope, name: &str, sent: Boottime, content: impl Fn(&str) -> Found) {
        let target = Target {
            source: scope.source,
            namespace: scope.namespace.clone().unwrap_or_default(),
            name: name.to_owned(),
        };
        let mut index = self.index();
        let Index { referrers, readers, .. } = &mut *index;
        let keys = referrers.get(&target).into_iter().flat_map(HashMap::values);
        if let Some(Known::Polled(maps)) = readers.get_mut(scope).map(|reader| &mut reader.known) {
            maps.read(name, keys.map(|referrer| referrer.key.as_str()), content, sent);
        }
        self.notify(&mut index, scope, &target);
    }

    fn notify_all(&self, index: &mut Index<K>, scope: &Scope) {
        let within = |target: &&Target| {
            target.source == scope.source
                && scope.namespace.as_ref().is_none_or(|namespace| *namespace == target.namespace)
        };
        for target in index.referrers.keys().filter(within).cloned().collect::<Vec<_>>() {
            self.notify(index, scope, &target);
        }
    }

    /// Triggers the referrers for which the content of this object has changed.
    fn notify(&self, index: &mut Index<K>, scope: &Scope, target: &Target) {
        let now = Boottime::now();
        let Index { referrers, readers, admission, .. } = index;
        let Some(reader) = readers.get_mut(scope) else { return };
        for (token, referrer) in referrers.get_mut(target).into_iter().flatten() {
            let found = reader.known.find(target, &referrer.key, false, now);
            if found.is_none() || found == referrer.last_found {
                continue;
            }
            referrer.last_found = found;
            (self.changed)(token, now);
            admission.request(&referrer.object);
        }
    }

    fn index(&self) -> MutexGuard<'_, Index<K>> {
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Kind> Index<K> {
    fn known(&mut self, scope: &Scope) -> Option<&mut Known> {
        self.readers.get_mut(scope).map(|reader| &mut reader.known)
    }

    /// Returns the scope that reads the target: ConfigMaps by namespace, other kinds in the same scope as the objects
    /// that refer to them.
    fn scope(&self, target: &Target) -> Scope {
        let everywhere =
            target.source != VpcEndpointSource::ConfigMap && self.admission.serves_all_namespaces();
        let namespace = (!everywhere).then(|| target.namespace.clone());
        Scope { source: target.source, namespace }
    }

    fn refer(
        &mut self,
        targets: &Arc<ReferencedObjects<K>>,
        object: &Identity,
        target: &Target,
        now: Boottime,
    ) {
        let referrer = Referrer {
            object: ObjectRef::new(&object.name).within(&object.namespace),
            key: String::new(),
            word: None,
            last_found: None,
        };
        self.referrers.entry(target.clone()).or_default().insert(object.token.clone(), referrer);
        self.targets.insert(object.token.clone(), target.clone());
        let scope = self.scope(target);
        let reader = self.readers.entry(scope.clone()).or_insert_with(|| {
            let targets = Arc::clone(targets);
            let (task, known) = if scope.source == VpcEndpointSource::ConfigMap {
                let maps = Maps::default();
                (tokio::spawn(poll(targets, scope, maps.sooner())), Known::Polled(maps))
            } else {
                let pause = self.began.get(&scope).map_or(Duration::ZERO, |began| pause(*began, now));
                self.began.insert(scope.clone(), now + pause);
                (tokio::spawn(watch(targets, scope, pause)), Known::Watched(WatchedKind::default()))
            };
            Reader { referrers: 0, task: task.abort_handle(), known }
        });
        reader.referrers += 1;
    }

    fn forget(&mut self, token: &Token) {
        let Some(target) = self.targets.remove(token) else { return };
        let scope = self.scope(&target);
        if let Some(referrers) = self.referrers.get_mut(&target) {
            referrers.remove(token);
            if referrers.is_empty() {
                self.referrers.remove(&target);
                if let Some(Known::Polled(maps)) = self.known(&scope) {
                    maps.forget(&target.name);
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

/// Watches the kind, after `pause`, until the task is aborted.
async fn watch<K: Kind>(targets: Arc<ReferencedObjects<K>>, scope: Scope, pause: Duration) {
    tokio::time::sleep(pause).await;
    let kind = scope.source.resource();
    // Not part of watch health: reconciles report what it does not show.
    let client = bounded(&targets.client, WatchReporter::default(), Pages::Referenced);
    let api: Api<Other> = match &scope.namespace {
        None => Api::all_with(client, &kind),
        Some(namespace) => Api::namespaced_with(client, namespace, &kind),
    };
    let mut events = pin!(events(api, watcher::Config::default()));
    let namespace = scope.namespace.as_deref().unwrap_or("all");
    while let Some(event) = events.next().await {
        match event {
            Ok(event) => {
                if targets.saw(&scope, event) {
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
                    && targets.failed(&scope, why)
                {
                    let (kind, group) = (&kind.kind, &kind.group);
                    warn!(kind, group, namespace, %error, "cannot watch referenced objects; trying again");
                }
            }
        }
    }
}

/// Reads the due ConfigMaps of the namespace, until the task is aborted.
async fn poll<K: Kind>(targets: Arc<ReferencedObjects<K>>, scope: Scope, sooner: Arc<Notify>) {
    let namespace = scope.namespace.clone().unwrap_or_default();
    while let Some(next) = targets.next_map(&scope) {
        match next {
            Next::Wait(pause) => {
                // A timeout and a notification have the same effect: the loop determines what is due.
                let _ = tokio::time::timeout(pause, sooner.notified()).await;
            }
            Next::Read(name) => {
                let sent = Boottime::now();
                let read = targets.cluster.config_map(&namespace, &name).await;
                targets.polled(&scope, &name, sent, |key| match &read {
                    Ok(map) => map.data.get(key).map_or(Found::Nothing, |text| Found::of(text)),
                    Err(ApiError::NotFound) => Found::NoObject,
                    Err(ApiError::Forbidden(_)) => Found::Forbidden,
                    Err(_) => Found::Unreadable,
                });
                tokio::time::sleep(PACE).await;
            }
        }
    }
}

/// Returns how long a watch that last started at `began` has to wait.
fn pause(began: Boottime, now: Boottime) -> Duration {
    AGAIN.saturating_sub(now.since(began))
}

#[cfg(test)]
mod tests;
