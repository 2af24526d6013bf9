//! What this process remembers of each token, and when each object is due.
//!
//! A map behind a lock that is never held across an await. Rules about what is remembered stand in `domain::memory`. Of objects
//! that are gone little is kept, and little for each namespace: whoever makes and deletes objects without end fills nothing.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use domain::event::Announced;
use domain::memory::{Memory, Remains, SinceBoot};
use domain::observed::{Object, Times};
use domain::ownership::{Nonce, Token};

use crate::clock::{Boottime, Stamp};

use super::object_metrics::ObjectMetrics;
use crate::runtime::bounded_map::BoundedMap;

/// Everything that is kept of one token between two reconciles.
#[derive(Debug, Default)]
pub(super) struct KeptState {
    /// What the rules remember.
    pub(super) memory: Memory,
    /// The attempt that this process claimed last and has not sent, and when it began to.
    pub(super) claimed: Option<(Nonce, Stamp)>,
    /// When what the object refers to changed, if no listing was fetched for it yet.
    pub(super) woken: Option<Boottime>,
    /// When something changed that is said of the object because of others, if no look has begun since. What Atlas says has not.
    pub(super) republish: Option<Boottime>,
    /// When the listing was sent that the last reconcile rested on.
    pub(super) listing: Option<Boottime>,
    /// What the object was like for which the last listing was fetched, and whether it was being deleted.
    pub(super) listed: Option<(u64, bool)>,
    /// An edit for which no listing was fetched yet, as what it made of the object, and when it was heard of.
    pub(super) edit: Option<(u64, Boottime)>,
    /// When the object is due without any event.
    pub(super) due: Option<Boottime>,
    /// A listing sent before this is too old for the next look.
    pub(super) fresh_after: Option<Boottime>,
    /// When a write to Atlas was answered last.
    pub(super) answered: Option<Boottime>,
    /// Somebody's word that Atlas was not asked for yet, as its hash, and when it was heard of.
    pub(super) word: Option<(u64, Boottime)>,
    /// What the object was like that the last reconcile left behind.
    pub(super) handled: Option<u64>,
    /// The resourceVersion of this process's last write.
    pub(super) written: Option<String>,
    /// Polls in a row without a change of what Atlas says.
    pub(super) polls: u32,
    /// The last look wrote to Atlas.
    pub(super) wrote: bool,
    /// What the last poll saw.
    pub(super) seen: Option<String>,
    /// Failures in a row.
    pub(super) failures: u32,
    /// A VPC endpoint, and the private SRV address behind it as Atlas told it to this process.
    pub(super) private_address: Option<(String, String)>,
    /// What this process has told of the object.
    pub(super) told: Option<Announced>,
    /// What the log was warned of last, while it lasts.
    pub(super) warned: Option<Box<str>>,
    /// What was counted of the object.
    pub(super) counted: ObjectMetrics,
    /// There is an object of this name.
    pub(super) exists: bool,
    /// The watch has shown that it is being deleted, or no longer shows whether it is.
    leaving: bool,
    /// Why it cannot be read.
    unreadable: Option<String>,
}

/// How often it is looked through what is over.
const SWEEP: Duration = Duration::from_mins(1);

/// The memory of this process.
#[derive(Default)]
pub(super) struct ObjectStates(Mutex<Entries>);

#[derive(Default)]
struct Entries {
    /// In boxes, because half of a map is room to grow.
    all: HashMap<Token, Box<KeptState>>,
    /// What matters of tokens whose object is gone.
    left: BoundedMap<Token, Remains>,
    /// What would be too much of that, by namespace: each name that is new there may be the one that it concerns.
    unnamed: HashMap<Box<str>, Remains>,
    swept: SinceBoot,
}

impl KeptState {
    /// Notes what the object shows, in a watch event or in a reconcile.
    pub(super) fn observe(&mut self, seen: &Object, now: SinceBoot) {
        self.exists = true;
        let recorded = seen.recorded.as_ref().map(|recorded| &recorded.id);
        self.memory.observe(&seen.claim, recorded, now);
    }
}

impl ObjectStates {
    /// Reads or changes what is kept of `token`.
    pub(super) fn with<T>(&self, token: &Token, act: impl FnOnce(&mut KeptState) -> T) -> T {
        act(self.lock().entry(token).0)
    }

    /// Notes what a watch event shows of an object of `namespace`.
    pub(super) fn watched(&self, namespace: &str, token: &Token, seen: &Object) {
        let mut entries = self.lock();
        let entry = entries.appeared(namespace, token);
        (entry.leaving, entry.unreadable) = (seen.deleting, None);
        entry.observe(seen, Boottime::now().since_boot());
    }

    /// Notes that a watch event shows an object, and not what it says: it may be about to go, and what is remembered of it
    /// stays. `true` if that is news.
    pub(super) fn hidden(&self, namespace: &str, token: &Token, why: &str) -> bool {
        let mut entries = self.lock();
        let entry = entries.appeared(namespace, token);
        (entry.exists, entry.leaving) = (true, true);
        let is_known = entry.unreadable.as_deref() == Some(why);
        entry.unreadable = Some(why.to_owned());
        !is_known
    }

    /// `true` once the watch has shown that the object is being deleted, or gone, or shows it no longer.
    pub(super) fn deletion_seen(&self, token: &Token) -> bool {
        self.lock().all.get(token).is_none_or(|entry| entry.leaving || !entry.exists)
    }

    /// The object is gone. What of its memory matters to the next one of its name stays, beyond a bound in the name of all that are
    /// new in its namespace.
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
    /// What is kept of `token`, and whether anything was.
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

    /// What is kept of an object that is there. One of a new name may be the next of one that was forgotten.
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
