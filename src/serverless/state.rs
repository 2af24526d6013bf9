//! What this process keeps in memory of each token, and when each object is due.
//!
//! A map behind a lock that is never held across an await. The rules about it are in `domain::memory` and
//! `domain::schedule`. Of deleted objects it keeps little, with a bound per namespace: a tenant that creates and deletes
//! objects without end fills nothing.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use domain::bounded_map::BoundedMap;
use domain::event::Announced;
use domain::memory::{Memory, Remains, SinceBoot};
use domain::observed::{Object, Times};
use domain::ownership::{Nonce, Token};
use domain::schedule::Schedule;

use crate::clock::{Boottime, Stamp};

use super::object_metrics::ObjectMetrics;

/// The state kept of one token between two reconciles.
#[derive(Debug, Default)]
pub(super) struct KeptState {
    /// The memory of the rules.
    pub(super) memory: Memory,
    /// The attempt that this process claimed last and has not sent, and when it started to claim.
    pub(super) claimed: Option<(Nonce, Stamp)>,
    /// When the object is due.
    pub(super) schedule: Schedule,
    /// A VPC endpoint, and the private SRV address behind it as Atlas returned it to this process.
    pub(super) private_address: Option<(String, String)>,
    /// The state for which this process has published events.
    pub(super) told: Option<Announced>,
    /// The last logged warning, while its cause lasts.
    pub(super) warned: Option<Box<str>>,
    /// What the metrics count for the object.
    pub(super) counted: ObjectMetrics,
    /// An object of this name exists.
    pub(super) exists: bool,
    /// The watch has shown that the object is being deleted, or can no longer show whether it is.
    leaving: bool,
    /// Why the object cannot be decoded.
    unreadable: Option<String>,
    /// An event about that is published, or is being published.
    unreadable_told: bool,
}

/// How often expired remains are removed.
const SWEEP: Duration = Duration::from_mins(1);

/// The states of all objects.
#[derive(Default)]
pub(super) struct ObjectStates(Mutex<Entries>);

#[derive(Default)]
struct Entries {
    /// Boxed, because half of a map's capacity is room to grow.
    all: HashMap<Token, Box<KeptState>>,
    /// What is still needed of tokens whose object is gone.
    left: BoundedMap<Token, Remains>,
    /// The remains beyond the bound, merged by namespace: they apply to every name that is new in it.
    unnamed: HashMap<Box<str>, Remains>,
    swept: SinceBoot,
}

impl KeptState {
    /// Records what a watch event or a reconcile shows of the object.
    pub(super) fn observe(&mut self, seen: &Object, now: SinceBoot) {
        self.exists = true;
        let recorded = seen.recorded.as_ref().map(|recorded| &recorded.id);
        self.memory.observe(&seen.claim, recorded, now);
    }
}

impl ObjectStates {
    /// Reads or changes the state of `token`.
    pub(super) fn with<T>(&self, token: &Token, act: impl FnOnce(&mut KeptState) -> T) -> T {
        act(self.lock().entry(token).0)
    }

    /// Reads the state of every object.
    pub(super) fn each(&self, read: impl FnMut(&KeptState)) {
        self.lock().all.values().map(|entry| &**entry).for_each(read);
    }

    /// Records what a watch event shows of an object of `namespace`.
    pub(super) fn watched(&self, namespace: &str, token: &Token, seen: &Object) {
        let mut entries = self.lock();
        let entry = entries.appeared(namespace, token);
        (entry.leaving, entry.unreadable) = (seen.deleting, None);
        entry.observe(seen, Boottime::now().since_boot());
    }

    /// Records that a watch event shows an object that cannot be decoded.
    ///
    /// The object may be in deletion, and its state is kept. Returns `true` if the reason is new.
    pub(super) fn hidden(&self, namespace: &str, token: &Token, why: &str) -> bool {
        let mut entries = self.lock();
        let entry = entries.appeared(namespace, token);
        (entry.exists, entry.leaving) = (true, true);
        let is_known = entry.unreadable.as_deref() == Some(why);
        entry.unreadable = Some(why.to_owned());
        entry.unreadable_told &= is_known;
        !is_known
    }

    /// Records whether an event about an object that cannot be decoded is published or under way. Returns whether one was.
    pub(super) fn unreadable_told(&self, token: &Token, told: bool) -> bool {
        let mut entries = self.lock();
        entries.all.get_mut(token).is_some_and(|entry| std::mem::replace(&mut entry.unreadable_told, told))
    }

    /// Returns `true` once the watch has shown that the object is being deleted or gone, or can no longer show it.
    pub(super) fn deletion_seen(&self, token: &Token) -> bool {
        self.lock().all.get(token).is_none_or(|entry| entry.leaving || !entry.exists)
    }

    /// Removes a deleted object.
    ///
    /// What of its state the next object of its name needs is kept; beyond a bound it is merged and applies to all
    /// new names of its namespace.
    pub(super) fn gone(&self, namespace: &str, token: &Token, times: &Times) {
        let now = Boottime::now().since_boot();
        let mut entries = self.lock();
        let Entries { all, left, unnamed, swept } = &mut *entries;
        if now.saturating_sub(*swept) >= SWEEP {
            *swept = now;
            left.retain(|remains| !remains.is_over(times, now));
            unnamed.retain(|_, remains| !remains.is_over(times, now));
        }
        let Some(remains) = all.remove(token).and_then(|entry| entry.memory.remains(times, now)) else {
            return;
        };
        if let Some(oldest) = left.insert(namespace, token.clone(), remains) {
            let others = unnamed.get(namespace).map_or_else(|| oldest.unnamed(), |others| others.or(&oldest));
            unnamed.insert(namespace.into(), others);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Entries> {
        // A panic while the lock was held left at worst one entry half updated; the rules survive a loss of memory.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entries {
    /// Returns the state of `token`, and whether any was kept.
    fn entry(&mut self, token: &Token) -> (&mut KeptState, bool) {
        let mut is_known = true;
        let entry = self.all.entry(token.clone()).or_insert_with(|| {
            let mut entry = Box::<KeptState>::default();
            let left = self.left.remove(token);
            is_known = left.is_some();
            if let Some(remains) = left {
                entry.memory.inherit(remains);
            }
            entry
        });
        (entry, is_known)
    }

    /// Returns the state of an existing object. One with a new name may succeed an object whose remains were merged.
    fn appeared(&mut self, namespace: &str, token: &Token) -> &mut KeptState {
        let unnamed = self.unnamed.get(namespace).cloned();
        let (entry, is_known) = self.entry(token);
        if let Some(remains) = unnamed.filter(|_| !is_known) {
            entry.memory.inherit(remains);
        }
        entry
    }
}

#[cfg(test)]
#[path = "state_tests.rs"]
mod tests;
