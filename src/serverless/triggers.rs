//! Triggers: which objects a watch event has reconciled, and which are gone with it.
//!
//! A change that no reconcile reads, such as a write of its own to the status, triggers nothing. Never waits; holds the name of each
//! object and a hash.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use kube::runtime::reflector::{ObjectRef, Store};
use kube::runtime::watcher::Event;
use kube::{Resource, ResourceExt};

use super::cached::Cached;
use super::convert;

/// What the watch has shown so far.
pub(super) struct Triggers {
    store: Store<Cached>,
    /// Of each object, a hash of what triggers a reconcile when it changes.
    known: HashMap<ObjectRef<Cached>, u64>,
    /// What has changed in a listing that has not ended: the store shows it when it has.
    listed: Vec<ObjectRef<Cached>>,
}

/// What follows from an event.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Triggered {
    /// To be reconciled.
    pub(super) reconcile: Vec<ObjectRef<Cached>>,
    /// Not there any more, or not shown.
    pub(super) gone: Vec<ObjectRef<Cached>>,
}

impl Triggers {
    /// Of the objects in `store`, through which the events have passed.
    pub(super) fn new(store: Store<Cached>) -> Self {
        Self { store, known: HashMap::new(), listed: Vec::new() }
    }

    /// What follows from `event`.
    pub(super) fn on_event(&mut self, event: Event<Cached>) -> Triggered {
        let mut triggered = Triggered::default();
        match event {
            // What a listing showed that broke off is reconciled after the next.
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

    /// The name of the object, if what triggers a reconcile has changed.
    fn changed(&mut self, object: &Cached) -> Option<ObjectRef<Cached>> {
        let (name, trigger) = (name(object), trigger(object));
        let before = self.known.insert(name.clone(), trigger);
        (before != Some(trigger)).then_some(name)
    }
}

/// The name of an object, without its version.
pub(super) fn name(object: &Cached) -> ObjectRef<Cached> {
    let name = ObjectRef::new(&object.name_any());
    match object.meta().namespace.as_deref() {
        Some(namespace) => name.within(namespace),
        None => name,
    }
}

fn trigger(object: &Cached) -> u64 {
    match object {
        Cached::Read(object) => convert::trigger(object),
        Cached::Unreadable(unreadable) => {
            let mut hasher = DefaultHasher::new();
            (&unreadable.metadata.uid, &unreadable.why).hash(&mut hasher);
            hasher.finish()
        }
    }
}
