//! The state that this process keeps of each object between two reconciles, and when each object is due.
//!
//! A map behind a lock that is never held across an await. The rules about it are in `domain::serverless::memory` and
//! `domain::schedule`. Of deleted objects it keeps little, with a bound per namespace: a tenant that creates and deletes
//! objects without end fills nothing.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use domain::bounded_map::BoundedMap;
use domain::instant::SinceBoot;
use domain::schedule::Schedule;
use domain::serverless::event::Announced;
use domain::serverless::memory::{Memory, Remains};
use domain::serverless::observed::{Object, Times};
use domain::serverless::ownership::Nonce;
use domain::serverless::status::Report;
use domain::status::Message;
use domain::token::Token;

use crate::clock::{Boottime, Stamp};

use super::object_metrics::ObjectMetrics;

/// The state kept of one token between two reconciles.
#[derive(Debug, Default)]
pub(super) struct KeptState {
    /// The memory of the rules.
    pub(super) memory: Memory,
    /// The attempt that this process claimed last and has not sent, and when it started to claim.
    claimed: Option<(Nonce, Stamp)>,
    /// When the object is due.
    pub(super) schedule: Schedule,
    /// A VPC endpoint, and the private SRV address behind it as Atlas returned it to this process.
    private_address: Option<(String, String)>,
    /// The state for which this process has published events.
    announced: Option<Announced>,
    /// The last logged warning, while its cause lasts.
    warned: Option<Box<str>>,
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

#[derive(Default)]
struct StateMap {
    /// Boxed, because half of a map's capacity is room to grow.
    all: HashMap<Token, Box<KeptState>>,
    /// The remains of deleted objects that are still needed, by token.
    remains_of: BoundedMap<Token, Remains>,
    /// The remains beyond the bound, merged by namespace: they apply to every name that is new in it.
    unnamed: HashMap<Box<str>, Remains>,
    swept: SinceBoot,
}

impl KeptState {
    /// Begins a fresh attempt, which this process is about to claim.
    pub(super) fn begin_claim(&mut self, nonce: &Nonce, now: Stamp) {
        self.counted.claimed(now.boot());
        self.memory.begin_claim(nonce.clone(), now.boot().since_boot());
        self.claimed = Some((nonce.clone(), now));
    }

    /// Begins to send the POST of the attempt. Returns when it was claimed; `None` if this process has not claimed it, or has sent
    /// it.
    pub(super) fn begin_send(&mut self, nonce: &Nonce) -> Option<Stamp> {
        let (_, at) = self.claimed.take().filter(|(claimed, _)| claimed == nonce)?;
        self.memory.begin_send(nonce).then_some(at)
    }

    /// Returns the private SRV address behind this VPC endpoint, if it is known.
    pub(super) fn private_address(&self, vpc_endpoint: &str) -> Option<String> {
        let (_, address) = self.private_address.as_ref().filter(|(id, _)| id == vpc_endpoint)?;
        Some(address.clone())
    }

    /// Stores the private SRV address behind this VPC endpoint.
    pub(super) fn set_private_address(&mut self, vpc_endpoint: &str, address: &str) {
        self.private_address = Some((vpc_endpoint.to_owned(), address.to_owned()));
    }

    /// Records that `report` is announced. Returns what this process announced before; `None` if nothing.
    pub(super) fn announce(&mut self, report: &Report) -> Option<Announced> {
        self.announced.replace(Announced::by(report))
    }

    /// Returns `true` if the failure has to be logged: it is there, and was not there the last time.
    pub(super) fn warns(&mut self, failure: Option<&Message>) -> bool {
        let Some(message) = failure else {
            self.warned = None;
            return false;
        };
        let is_new = self.warned.as_ref().is_none_or(|warned| !message.is_shown_by(warned));
        if is_new {
            self.warned = Some(message.as_str().into());
        }
        is_new
    }

    /// Records the object as a watch event or a reconcile shows it.
    pub(super) fn observe(&mut self, observed: &Object, now: SinceBoot) {
        self.exists = true;
        let recorded = observed.recorded.as_ref().map(|recorded| &recorded.id);
        self.memory.observe(&observed.claim, recorded, now);
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

    /// Records an object of `namespace` as a watch event shows it.
    pub(super) fn record_watched(&self, namespace: &str, token: &Token, observed: &Object) {
        let mut states = self.lock();
        let entry = states.existing(namespace, token);
        (entry.in_deletion, entry.unreadable) = (observed.deleting, None);
        entry.observe(observed, Boottime::now().since_boot());
    }

    /// Records that a watch event shows an object that cannot be decoded.
    ///
    /// The object may be in deletion, and its state is kept. Returns `true` if the reason is new.
    pub(super) fn record_unreadable(&self, namespace: &str, token: &Token, why: &str) -> bool {
        let mut states = self.lock();
        let entry = states.existing(namespace, token);
        (entry.exists, entry.in_deletion) = (true, true);
        let is_known = entry.unreadable.as_deref() == Some(why);
        entry.unreadable = Some(why.to_owned());
        entry.unreadable_reported &= is_known;
        !is_known
    }

    /// Records whether an event about an object that cannot be decoded is published or being published. Returns whether one was.
    pub(super) fn set_unreadable_reported(&self, token: &Token, reported: bool) -> bool {
        let mut states = self.lock();
        states
            .all
            .get_mut(token)
            .is_some_and(|entry| std::mem::replace(&mut entry.unreadable_reported, reported))
    }

    /// Returns `true` once the watch has shown that the object is being deleted or gone, or can no longer show it.
    pub(super) fn deletion_seen(&self, token: &Token) -> bool {
        self.lock().all.get(token).is_none_or(|entry| entry.in_deletion || !entry.exists)
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
        let Some(remains) = all.remove(token).and_then(|entry| entry.memory.remains(times, now)) else {
            return;
        };
        if let Some(oldest) = remains_of.insert(namespace, token.clone(), remains) {
            let others = unnamed.get(namespace).map_or_else(|| oldest.unnamed(), |others| others.or(&oldest));
            unnamed.insert(namespace.into(), others);
        }
    }

    fn lock(&self) -> MutexGuard<'_, StateMap> {
        // A panic while the lock was held left at worst one entry half updated; the rules survive a loss of memory.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl StateMap {
    /// Returns the state of `token`, and whether any was kept.
    fn entry(&mut self, token: &Token) -> (&mut KeptState, bool) {
        let mut is_known = true;
        let entry = self.all.entry(token.clone()).or_insert_with(|| {
            let mut entry = Box::<KeptState>::default();
            let remains_of = self.remains_of.remove(token);
            is_known = remains_of.is_some();
            if let Some(remains) = remains_of {
                entry.memory.inherit(remains);
            }
            entry
        });
        (entry, is_known)
    }

    /// Returns the state of an existing object. One with a new name may succeed an object whose remains were merged.
    fn existing(&mut self, namespace: &str, token: &Token) -> &mut KeptState {
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
