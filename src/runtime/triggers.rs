//! Triggers: the objects that a watch event causes to be reconciled, and those that it removes.
//!
//! It applies each event to the store, and compares the object with the one that the store held before: a change that no
//! reconcile reads, such as its own write to the status, triggers nothing. Never waits, and keeps nothing else of an object.

use kube::runtime::reflector::store::Writer;
use kube::runtime::reflector::{ObjectRef, Store};
use kube::runtime::watcher::Event;
use kube::{Resource, ResourceExt};

use super::cached::Cached;
use super::kind::Kind;

/// The objects as the watch has shown them so far.
pub(crate) struct Triggers<K: Kind> {
    writer: Writer<Cached<K>>,
    store: Store<Cached<K>>,
    /// The changes in a listing in progress: the store shows them once it has ended.
    listed: Vec<ObjectRef<Cached<K>>>,
}

/// The consequences of an event.
pub(crate) struct Triggered<K: Kind> {
    /// The objects to reconcile.
    pub(crate) reconcile: Vec<ObjectRef<Cached<K>>>,
    /// The objects that are deleted, or no longer shown.
    pub(crate) deleted: Vec<ObjectRef<Cached<K>>>,
}

impl<K: Kind> Triggers<K> {
    /// Creates triggers for the objects of an empty store.
    pub(crate) fn new(writer: Writer<Cached<K>>) -> Self {
        let store = writer.as_reader();
        Self { writer, store, listed: Vec::new() }
    }

    /// Applies `event` to the store and returns its consequences.
    pub(crate) fn on_event(&mut self, event: &Event<Cached<K>>) -> Triggered<K> {
        let mut triggered = Triggered { reconcile: Vec::new(), deleted: Vec::new() };
        match event {
            // The next listing shows the changes of an interrupted one again.
            Event::Init => self.listed.clear(),
            Event::Apply(object) => triggered.reconcile.extend(self.changed(object)),
            Event::InitApply(object) => self.listed.extend(self.changed(object)),
            Event::InitDone => triggered.reconcile = std::mem::take(&mut self.listed),
            Event::Delete(object) => triggered.deleted.push(name(object)),
        }
        let before = if matches!(event, Event::InitDone) { self.store.state() } else { Vec::new() };
        self.writer.apply_watcher_event(event);
        let unshown = before.iter().map(|object| name(object)).filter(|name| self.store.get(name).is_none());
        triggered.deleted.extend(unshown);
        triggered
    }

    /// Returns the name of the object, if its triggering content differs from that in the store.
    fn changed(&self, object: &Cached<K>) -> Option<ObjectRef<Cached<K>>> {
        let name = name(object);
        let known = self.store.get(&name);
        known.is_none_or(|known| known.trigger() != object.trigger()).then_some(name)
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
