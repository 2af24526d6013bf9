//! The objects that specs refer to: their last content, and the referrers to reconcile when it changes.
//!
//! A reconcile never waits for a referenced object: it gets the known content, and the object is reconciled again
//! when there is more. An object without referrers is not read. `referenced_watch` and `referenced_poll` read the
//! objects, `vpc_endpoint_ref` describes them in messages.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use domain::endpoint::VpcEndpointId;
use domain::ownership::Token;
use kube::Client;
use kube::runtime::reflector::ObjectRef;
use kube::runtime::watcher::Event;
use tokio::task::AbortHandle;

use crate::clock::Boottime;
use crate::serverless::crd::{ServerlessPrivateEndpoint, VpcEndpointSource};

use super::kind::Cached;
use super::referenced_poll::{self, Maps};
use super::referenced_watch::{self, Concerned, Kind, Other};
use super::state::ObjectStates;
use crate::runtime::admission::Admission;
use crate::runtime::api_server::ApiServer;
use crate::runtime::identity::Identity;

/// A referenced object.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Target {
    pub(super) source: VpcEndpointSource,
    pub(super) namespace: String,
    pub(super) name: String,
}

/// The content that a reference leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Found {
    /// A VPC endpoint id.
    Id(VpcEndpointId),
    /// A text of this many characters that is not an id. Never the text itself: a reader of the message may not be
    /// allowed to read the object that contains it.
    Other(usize),
    /// The object exists but has no id, or no such entry.
    Nothing,
    /// The object does not exist.
    NoObject,
    /// The kind is not installed.
    NoKind,
    /// The operator may not read it.
    Forbidden,
    /// The API server returns no usable response.
    Unreadable,
}

impl Found {
    pub(super) fn of(text: &str) -> Self {
        let text = text.trim();
        text.parse().map_or_else(|_| Self::Other(text.chars().count()), Self::Id)
    }
}

/// The objects that one reader reads: one kind, in one namespace or in all of them.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Scope {
    pub(super) source: VpcEndpointSource,
    pub(super) namespace: Option<String>,
}

/// An object whose spec refers to another.
struct Referrer {
    object: ObjectRef<Cached>,
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
    Watched(Kind),
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

struct Index {
    targets: HashMap<Token, Target>,
    referrers: HashMap<Target, HashMap<Token, Referrer>>,
    readers: HashMap<Scope, Reader>,
    /// When each watch last started: this bounds the lists that an alternating reference can cause.
    began: HashMap<Scope, Boottime>,
    admission: Arc<Admission<ServerlessPrivateEndpoint>>,
}

/// The known content of all referenced objects.
pub(super) struct ReferencedObjects {
    pub(super) client: Client,
    pub(super) cluster: ApiServer,
    states: Arc<ObjectStates>,
    index: Mutex<Index>,
}

impl ReferencedObjects {
    pub(super) fn new(
        client: Client,
        cluster: ApiServer,
        states: Arc<ObjectStates>,
        admission: Arc<Admission<ServerlessPrivateEndpoint>>,
    ) -> Self {
        let index = Index {
            targets: HashMap::new(),
            referrers: HashMap::new(),
            readers: HashMap::new(),
            began: HashMap::new(),
            admission,
        };
        Self { client, cluster, states, index: Mutex::new(index) }
    }

    /// Returns the content of `target`, in its entry `key` if it is a `ConfigMap`.
    ///
    /// `None` if it is not known yet: the object is reconciled again once it is. Each new reconcile request `word`
    /// reads a `ConfigMap` again.
    pub(super) fn find(
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
    pub(super) fn end(&self) {
        for (_, reader) in self.index().readers.drain() {
            reader.task.abort();
        }
    }

    /// Removes the referrer `token`: its object is gone, or refers to nothing any more.
    pub(super) fn forget(&self, token: &Token) {
        self.index().forget(token);
    }

    /// Applies an event of a watched kind. Returns `true` if the kind had failed before.
    pub(super) fn saw(&self, scope: &Scope, event: Event<Other>) -> bool {
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
    pub(super) fn failed(&self, scope: &Scope, why: Found) -> bool {
        let mut index = self.index();
        let Some(Known::Watched(kind)) = index.known(scope) else { return false };
        let is_news = kind.failed(why, Boottime::now());
        self.notify_all(&mut index, scope);
        is_news
    }

    /// Returns which ConfigMap of a namespace to read next.
    pub(super) fn next_map(&self, scope: &Scope) -> Option<referenced_poll::Next> {
        match self.index().known(scope)? {
            Known::Polled(maps) => Some(maps.next(Boottime::now())),
            Known::Watched(_) => None,
        }
    }

    /// Stores the content of the entries of a `ConfigMap`, as of a read sent at that time.
    pub(super) fn polled(&self, scope: &Scope, name: &str, sent: Boottime, content: impl Fn(&str) -> Found) {
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

    fn notify_all(&self, index: &mut Index, scope: &Scope) {
        let within = |target: &&Target| {
            target.source == scope.source
                && scope.namespace.as_ref().is_none_or(|namespace| *namespace == target.namespace)
        };
        for target in index.referrers.keys().filter(within).cloned().collect::<Vec<_>>() {
            self.notify(index, scope, &target);
        }
    }

    /// Triggers the referrers for which the content of this object has changed.
    fn notify(&self, index: &mut Index, scope: &Scope, target: &Target) {
        let now = Boottime::now();
        let Index { referrers, readers, admission, .. } = index;
        let Some(reader) = readers.get_mut(scope) else { return };
        for (token, referrer) in referrers.get_mut(target).into_iter().flatten() {
            let found = reader.known.find(target, &referrer.key, false, now);
            if found.is_none() || found == referrer.last_found {
                continue;
            }
            referrer.last_found = found;
            self.states.with(token, |entry| entry.schedule.reference_changed(now.since_boot()));
            admission.request(&referrer.object);
        }
    }

    /// Has the status of an object published again, because it depends on what another object has just declared.
    pub(super) fn wake(&self, token: &Token, object: &ObjectRef<Cached>) {
        self.states.with(token, |entry| entry.schedule.status_outdated());
        self.index().admission.request(object);
    }

    fn index(&self) -> MutexGuard<'_, Index> {
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Index {
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

    fn refer(&mut self, targets: &Arc<ReferencedObjects>, object: &Identity, target: &Target, now: Boottime) {
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
                (tokio::spawn(referenced_poll::poll(targets, scope, maps.sooner())), Known::Polled(maps))
            } else {
                let pause = self
                    .began
                    .get(&scope)
                    .map_or(Duration::ZERO, |began| referenced_watch::pause(*began, now));
                self.began.insert(scope.clone(), now + pause);
                (
                    tokio::spawn(referenced_watch::watch(targets, scope, pause)),
                    Known::Watched(Kind::default()),
                )
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

#[cfg(test)]
#[path = "referenced_tests.rs"]
mod tests;
