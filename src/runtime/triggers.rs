//! Triggers: the objects that a watch event causes to be reconciled, and those that are gone with it.
//!
//! A change that no reconcile reads, such as its own write to the status, triggers nothing. Never waits; holds the
//! name of each object and a hash.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use kube::runtime::reflector::{ObjectRef, Store};
use kube::runtime::watcher::Event;
use kube::{Resource, ResourceExt};

use super::cached::Cached;
use super::kind::Kind;

/// The objects as the watch has shown them so far.
pub(crate) struct Triggers<K: Kind> {
    store: Store<Cached<K>>,
    /// For each object, a hash of the content that triggers a reconcile when it changes.
    known: HashMap<ObjectRef<Cached<K>>, u64>,
    /// The changes in a listing in progress: the store shows them once it has ended.
    listed: Vec<ObjectRef<Cached<K>>>,
}

/// The consequences of an event.
pub(crate) struct Triggered<K: Kind> {
    /// The objects to reconcile.
    pub(crate) reconcile: Vec<ObjectRef<Cached<K>>>,
    /// The objects that are deleted, or no longer shown.
    pub(crate) gone: Vec<ObjectRef<Cached<K>>>,
}

impl<K: Kind> Triggers<K> {
    /// Creates triggers for the objects in `store`, to which the events have been applied.
    pub(crate) fn new(store: Store<Cached<K>>) -> Self {
        Self { store, known: HashMap::new(), listed: Vec::new() }
    }

    /// Returns the consequences of `event`.
    pub(crate) fn on_event(&mut self, event: Event<Cached<K>>) -> Triggered<K> {
        let mut triggered = Triggered { reconcile: Vec::new(), gone: Vec::new() };
        match event {
            // The changes of an interrupted listing are reconciled after the next one.
            Event::Init => {}
            Event::Apply(object) => triggered.reconcile.extend(self.changed(&object)),
            Event::InitApply(object) => {
                let changed = self.changed(&object);
                self.listed.extend(changed);
            }
            Event::InitDone => {
                triggered.reconcile = std::mem::take(&mut self.listed);
                let Self { store, known, .. } = self;
                triggered.gone =
                    known.extract_if(|name, _| store.get(name).is_none()).map(|(name, _)| name).collect();
            }
            Event::Delete(object) => {
                let name = name(&object);
                self.known.remove(&name);
                triggered.gone.push(name);
            }
        }
        triggered
    }

    /// Returns the name of the object, if its triggering content has changed.
    fn changed(&mut self, object: &Cached<K>) -> Option<ObjectRef<Cached<K>>> {
        let (name, trigger) = (name(object), trigger(object));
        let before = self.known.insert(name.clone(), trigger);
        (before != Some(trigger)).then_some(name)
    }
}

/// Returns the name of an object, without its version.
pub(crate) fn name<K: Kind>(object: &Cached<K>) -> ObjectRef<Cached<K>> {
    let name = ObjectRef::new(&object.name_any());
    match object.meta().namespace.as_deref() {
        Some(namespace) => name.within(namespace),
        None => name,
    }
}

fn trigger<K: Kind>(object: &Cached<K>) -> u64 {
    match object {
        Cached::Read(object) => object.trigger(),
        Cached::Unreadable(unreadable) => {
            let mut hasher = DefaultHasher::new();
            (&unreadable.metadata.uid, &unreadable.why).hash(&mut hasher);
            hasher.finish()
        }
    }
}
