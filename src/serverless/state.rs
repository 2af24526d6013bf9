//! The state that this process keeps of each object between two reconciles, and when each object is due.
//!
//! No lock is held across an await. The rules about it are in `domain::serverless`. Of deleted objects it keeps little, with a
//! bound per namespace: a tenant that creates and deletes objects without end fills nothing.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use domain::bounded_map::BoundedMap;
use domain::instant::SinceBoot;
use domain::serverless::kept::KeptState;
use domain::serverless::memory::Remains;
use domain::serverless::observed::{Object, Times};
use domain::token::Token;

use crate::clock::Boottime;

use super::object_metrics::ObjectMetrics;

/// The state kept of one token between two reconciles.
#[derive(Debug, Default)]
pub(super) struct ObjectEntry {
    /// What the rules keep.
    pub(super) kept: KeptState,
    /// The contribution of the object to the metrics.
    pub(super) counted: ObjectMetrics,
    /// An object of this name exists.
    pub(super) exists: bool,
    /// The watch has shown that the object is being deleted, or can no longer show whether it is.
    in_deletion: bool,
    /// Why the object cannot be decoded.
    unreadable: Option<String>,
    /// An event about that is published, or is being published.
    unreadable_reported: bool,
}

/// How often expired remains are removed.
const SWEEP: Duration = Duration::from_mins(1);

/// The states of all objects.
#[derive(Default)]
pub(super) struct ObjectStates(Mutex<StateMap>);

/// An entry with a lock of its own: the machines of reconciles run under it, and do not delay each other. `None` once the entry is
/// removed: whatever still refers to it has to find the present one.
type SharedEntry = Mutex<Option<ObjectEntry>>;

#[derive(Default)]
struct StateMap {
    all: HashMap<Token, Arc<SharedEntry>>,
    /// The remains of deleted objects that are still needed, by token.
    remains_of: BoundedMap<Token, Remains>,
    /// The remains beyond the bound, merged by namespace: they apply to every name that is new in it.
    unnamed: HashMap<Box<str>, Remains>,
    swept: SinceBoot,
}

impl ObjectEntry {
    /// Records the object as a watch event shows it.
    fn observe(&mut self, observed: &Object, now: SinceBoot) {
        self.exists = true;
        let recorded = observed.recorded.as_ref().map(|recorded| &recorded.id);
        self.kept.memory.observe(&observed.claim, recorded, now);
    }
}

impl ObjectStates {
    /// Reads or changes the state of `token`. `act` must not use these states.
    pub(super) fn with<T>(&self, token: &Token, act: impl FnOnce(&mut ObjectEntry) -> T) -> T {
        loop {
            let entry = self.lock().entry(token).0;
            if let Some(entry) = &mut *lock(&entry) {
                return act(entry);
            }
        }
    }

    /// Reads the state of every object.
    pub(super) fn each(&self, mut read: impl FnMut(&ObjectEntry)) {
        self.lock().all.values().for_each(|entry| lock(entry).iter().for_each(&mut read));
    }

    /// Records an object of `namespace` as a watch event shows it.
    pub(super) fn record_watched(&self, namespace: &str, token: &Token, observed: &Object) {
        let mut states = self.lock();
        states.existing(namespace, token, |entry| {
            (entry.in_deletion, entry.unreadable) = (observed.deleting, None);
            entry.observe(observed, Boottime::now().since_boot());
        });
    }

    /// Records that a watch event shows an object that cannot be decoded.
    ///
    /// The object may be in deletion, and its state is kept. Returns `true` if the reason is new.
    pub(super) fn record_unreadable(&self, namespace: &str, token: &Token, why: &str) -> bool {
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
    pub(super) fn set_unreadable_reported(&self, token: &Token, reported: bool) -> bool {
        let entry = self.lock().all.get(token).cloned();
        let report = |entry: &mut ObjectEntry| std::mem::replace(&mut entry.unreadable_reported, reported);
        entry.is_some_and(|entry| lock(&entry).as_mut().is_some_and(report))
    }

    /// Returns `true` once the watch has shown that the object is being deleted or gone, or can no longer show it.
    pub(super) fn deletion_seen(&self, token: &Token) -> bool {
        let entry = self.lock().all.get(token).cloned();
        let is_seen = |entry: &ObjectEntry| entry.in_deletion || !entry.exists;
        entry.is_none_or(|entry| lock(&entry).as_ref().is_none_or(is_seen))
    }

    /// Removes a deleted object.
    ///
    /// Keeps the remains that the next object of its name needs; beyond a bound they are merged and apply to all
    /// new names of its namespace.
    pub(super) fn remove(&self, namespace: &str, token: &Token, times: &Times) {
        let now = Boottime::now().since_boot();
        let mut states = self.lock();
        let StateMap { all, remains_of, unnamed, swept } = &mut *states;
        if now.saturating_sub(*swept) >= SWEEP {
            *swept = now;
            remains_of.retain(|remains| !remains.is_over(times, now));
            unnamed.retain(|_, remains| !remains.is_over(times, now));
        }
        let removed = all.remove(token).and_then(|entry| lock(&entry).take());
        let Some(remains) = removed.and_then(|entry| entry.kept.memory.remains(times, now)) else { return };
        if let Some(oldest) = remains_of.insert(namespace, token.clone(), remains) {
            let others = unnamed.get(namespace).map_or_else(|| oldest.unnamed(), |others| others.or(&oldest));
            unnamed.insert(namespace.into(), others);
        }
    }

    fn lock(&self) -> MutexGuard<'_, StateMap> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn lock(entry: &SharedEntry) -> MutexGuard<'_, Option<ObjectEntry>> {
    // A panic while the lock was held left at worst this entry half updated; the rules survive a loss of memory.
    entry.lock().unwrap_or_else(PoisonError::into_inner)
}

impl StateMap {
    /// Returns the state of `token`, and whether any was kept.
    fn entry(&mut self, token: &Token) -> (Arc<SharedEntry>, bool) {
        if let Some(entry) = self.all.get(token) {
            return (Arc::clone(entry), true);
        }
        let mut entry = ObjectEntry::default();
        let remains = self.remains_of.remove(token);
        let is_known = remains.is_some();
        if let Some(remains) = remains {
            entry.kept.memory.inherit(remains);
        }
        let entry = Arc::new(Mutex::new(Some(entry)));
        self.all.insert(token.clone(), Arc::clone(&entry));
        (entry, is_known)
    }

    /// Changes the state of an existing object. One with a new name may succeed an object whose remains were merged.
    fn existing<T>(&mut self, namespace: &str, token: &Token, act: impl FnOnce(&mut ObjectEntry) -> T) -> T {
        let (entry, is_known) = self.entry(token);
        let mut entry = lock(&entry);
        // An entry in the map is not removed.
        let entry = entry.get_or_insert_default();
        if let Some(remains) = self.unnamed.get(namespace).filter(|_| !is_known) {
            entry.kept.memory.inherit(remains.clone());
        }
        act(entry)
    }
}

#[cfg(test)]
#[path = "state_tests.rs"]
mod tests;
