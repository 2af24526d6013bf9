//! The state that this process keeps of each object between two reconciles, and when each object is due.
//!
//! No lock is held across an await. What a kind keeps of an object, and the rules about it, are its own. Of deleted objects little is
//! kept, with a bound per namespace: a tenant that creates and deletes objects without end fills nothing.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use domain::bounded_map::BoundedMap;
use domain::instant::SinceBoot;
use domain::schedule::Schedule;
use domain::token::Token;

use crate::clock::Boottime;

use super::object_metrics::ObjectMetrics;

/// What the rules of a kind keep of an object between two reconciles.
pub(crate) trait Kept: Default + Send + 'static {
    /// What of it the next object of its name needs once this one is deleted; `()`: nothing.
    type Remains: Inheritance;

    /// Returns when the object is due.
    fn schedule(&mut self) -> &mut Schedule;

    /// Returns what the next object of its name needs, if it needs anything.
    fn remains(self, _times: &TimesOf<Self>, _now: SinceBoot) -> Option<Self::Remains> {
        None
    }

    /// Takes over what deleted objects have left.
    fn inherit(&mut self, _remains: Self::Remains) {}
}

/// What deleted objects leave to those that follow.
pub(crate) trait Inheritance: Clone + Send + 'static {
    /// The times that say how long it matters.
    type Times: Send + Sync;

    /// Returns `true` if nothing of it matters any more.
    fn is_over(&self, times: &Self::Times, now: SinceBoot) -> bool;

    /// Returns the same without the names of what it concerns, and merged with `others` that may concern the same object.
    fn unnamed(&self, others: Option<&Self>) -> Self;
}

/// The times that say how long the remains of an object matter.
pub(crate) type TimesOf<S> = <<S as Kept>::Remains as Inheritance>::Times;

impl Inheritance for () {
    type Times = ();

    fn is_over(&self, (): &(), _now: SinceBoot) -> bool {
        true
    }

    fn unnamed(&self, _others: Option<&()>) {}
}

/// The state kept of one token between two reconciles.
#[derive(Debug, Default)]
pub(crate) struct ObjectEntry<S> {
    /// What the rules keep.
    pub(crate) kept: S,
    /// The contribution of the object to the metrics.
    pub(crate) counted: ObjectMetrics,
    /// An object of this name exists.
    pub(crate) exists: bool,
    /// The watch has shown that the object is being deleted, or can no longer show whether it is.
    in_deletion: bool,
    /// Why the object cannot be decoded.
    unreadable: Option<String>,
    /// An event about that is published, or is being published.
    unreadable_reported: bool,
}

/// How often expired remains are removed.
const SWEEP: Duration = Duration::from_mins(1);

/// The states of all objects of a kind.
pub(crate) struct ObjectStates<S: Kept>(Mutex<StateMap<S>>);

/// An entry with a lock of its own: the machines of reconciles run under it, and do not delay each other. `None` once the entry is
/// removed: whatever still refers to it has to find the present one.
type SharedEntry<S> = Mutex<Option<ObjectEntry<S>>>;

struct StateMap<S: Kept> {
    all: HashMap<Token, Arc<SharedEntry<S>>>,
    /// The remains of deleted objects that are still needed, by token.
    remains_of: BoundedMap<Token, S::Remains>,
    /// The remains beyond the bound, merged by namespace: they apply to every name that is new in it.
    unnamed: HashMap<Box<str>, S::Remains>,
    swept: SinceBoot,
}

impl<S: Kept> Default for ObjectStates<S> {
    fn default() -> Self {
        let (all, remains_of, unnamed) = (HashMap::new(), BoundedMap::default(), HashMap::new());
        Self(Mutex::new(StateMap { all, remains_of, unnamed, swept: SinceBoot::default() }))
    }
}

impl<S: Kept> ObjectStates<S> {
    /// Reads or changes the state of `token`. `act` must not use these states.
    pub(crate) fn with<T>(&self, token: &Token, act: impl FnOnce(&mut ObjectEntry<S>) -> T) -> T {
        loop {
            let entry = self.lock().entry(token).0;
            if let Some(entry) = &mut *lock(&entry) {
                return act(entry);
            }
        }
    }

    /// Reads the state of every object.
    pub(crate) fn each(&self, mut read: impl FnMut(&ObjectEntry<S>)) {
        self.lock().all.values().for_each(|entry| lock(entry).iter().for_each(&mut read));
    }

    /// Records that a watch event shows an object of `namespace`, which is polled at this interval.
    pub(crate) fn record_watched(&self, namespace: &str, token: &Token, deleting: bool, interval: Duration) {
        self.lock().existing(namespace, token, |entry| {
            (entry.exists, entry.in_deletion, entry.unreadable) = (true, deleting, None);
            entry.counted.appeared(interval);
        });
    }

    /// Changes what is kept of an object of `namespace` that a watch event shows.
    pub(crate) fn observe(&self, namespace: &str, token: &Token, act: impl FnOnce(&mut S, SinceBoot)) {
        self.lock().existing(namespace, token, |entry| act(&mut entry.kept, Boottime::now().since_boot()));
    }

    /// Records that a watch event shows an object that cannot be decoded.
    ///
    /// The object may be in deletion, and its state is kept. Returns `true` if the reason is new.
    pub(crate) fn record_unreadable(&self, namespace: &str, token: &Token, why: &str) -> bool {
        let mut states = self.lock();
        states.existing(namespace, token, |entry| {
            (entry.exists, entry.in_deletion) = (true, true);
            let is_known = entry.unreadable.as_deref() == Some(why);
            entry.unreadable = Some(why.to_owned());
            entry.unreadable_reported &= is_known;
            !is_known
        })
    }

    /// Records whether an event about an object that cannot be decoded is published or being published. Returns whether one was.
    pub(crate) fn set_unreadable_reported(&self, token: &Token, reported: bool) -> bool {
        let entry = self.lock().all.get(token).cloned();
        let report = |entry: &mut ObjectEntry<S>| std::mem::replace(&mut entry.unreadable_reported, reported);
        entry.is_some_and(|entry| lock(&entry).as_mut().is_some_and(report))
    }

    /// Returns `true` once the watch has shown that the object is being deleted or gone, or can no longer show it.
    pub(crate) fn deletion_seen(&self, token: &Token) -> bool {
        let entry = self.lock().all.get(token).cloned();
        let is_seen = |entry: &ObjectEntry<S>| entry.in_deletion || !entry.exists;
        entry.is_none_or(|entry| lock(&entry).as_ref().is_none_or(is_seen))
    }

    /// Removes a deleted object.
    ///
    /// Keeps the remains that the next object of its name needs; beyond a bound they are merged and apply to all
    /// new names of its namespace.
    pub(crate) fn remove(&self, namespace: &str, token: &Token, times: &TimesOf<S>) {
        let now = Boottime::now().since_boot();
        let mut states = self.lock();
        let StateMap { all, remains_of, unnamed, swept } = &mut *states;
        if now.saturating_sub(*swept) >= SWEEP {
            *swept = now;
            remains_of.retain(|remains| !remains.is_over(times, now));
            unnamed.retain(|_, remains| !remains.is_over(times, now));
        }
        let removed = all.remove(token).and_then(|entry| lock(&entry).take());
        let Some(remains) = removed.and_then(|entry| entry.kept.remains(times, now)) else { return };
        if let Some(oldest) = remains_of.insert(namespace, token.clone(), remains) {
            let others = oldest.unnamed(unnamed.get(namespace));
            unnamed.insert(namespace.into(), others);
        }
    }

    fn lock(&self) -> MutexGuard<'_, StateMap<S>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn lock<S>(entry: &SharedEntry<S>) -> MutexGuard<'_, Option<ObjectEntry<S>>> {
    // A panic while the lock was held left at worst this entry half updated; the rules survive a loss of memory.
    entry.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<S: Kept> StateMap<S> {
    /// Returns the state of `token`, and whether any was kept.
    fn entry(&mut self, token: &Token) -> (Arc<SharedEntry<S>>, bool) {
        if let Some(entry) = self.all.get(token) {
            return (Arc::clone(entry), true);
        }
        let mut entry = ObjectEntry::<S>::default();
        let remains = self.remains_of.remove(token);
        let is_known = remains.is_some();
        if let Some(remains) = remains {
            entry.kept.inherit(remains);
        }
        let entry = Arc::new(Mutex::new(Some(entry)));
        self.all.insert(token.clone(), Arc::clone(&entry));
        (entry, is_known)
    }

    /// Changes the state of an existing object. One with a new name may succeed an object whose remains were merged.
    fn existing<T>(
        &mut self,
        namespace: &str,
        token: &Token,
        act: impl FnOnce(&mut ObjectEntry<S>) -> T,
    ) -> T {
        let (entry, is_known) = self.entry(token);
        let mut entry = lock(&entry);
        // An entry in the map is not removed.
        let entry = entry.get_or_insert_default();
        if let Some(remains) = self.unnamed.get(namespace).filter(|_| !is_known) {
            entry.kept.inherit(remains.clone());
        }
        act(entry)
    }
}

#[cfg(test)]
#[path = "states_tests.rs"]
mod tests;
