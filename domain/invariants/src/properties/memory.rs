//! Properties of the memory over any sequence of events: no nonce is sent twice, and no reason to wait is forgotten
//! before its time. A small model of its own says what has to be remembered.

#![allow(clippy::unchecked_time_subtraction, reason = "time only goes on here")]

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use domain::fault::FaultKind;
use domain::requeue::Requeue;
use domain::serverless::decision::{ConfirmedAbsence, Creating, Decision, Origin, State, Step};
use domain::serverless::endpoint::EndpointId;
use domain::serverless::memory::{Memory, Remains};
use domain::serverless::observed::{Times, WriteOutcome};
use domain::serverless::ownership::{ClaimReading, Nonce};

use crate::fixtures::{Draw, FAULTS, Mark, STATUSES, endpoint, foreign_claim, id, nonce, secs};

/// A sequence of events, as many as there are bytes for.
pub fn check(bytes: &[u8]) {
    let mut draw = Draw::from(bytes);
    let mut history = MemoryHistory::default();
    while !draw.is_empty() {
        history.proceed(&mut draw);
        history.judge();
        history.leave();
    }
}

#[derive(Default)]
struct MemoryHistory {
    memory: Memory,
    now: Duration,
    /// The number of fresh nonces so far.
    fresh: u8,
    sent: BTreeSet<Nonce>,
    /// The attempts that may still land as far as this process can know, and when each was first seen.
    in_flight: BTreeMap<Nonce, Duration>,
    /// The attempts that were claimed here and not sent, and when.
    claimed: BTreeMap<Nonce, Duration>,
    /// What, since when, and whether a second listing has confirmed it.
    absent: Option<(ConfirmedAbsence, Duration, bool)>,
    /// The runs of responses that the instance is no more, and when each began.
    gone: BTreeMap<FaultKind, Duration>,
    recorded: Option<(EndpointId, Duration)>,
    /// When the endpoint was recorded that is no longer recorded.
    forgotten: Option<Duration>,
    excess_sent: Option<Duration>,
    /// The endpoints of attempts in flight, as reported to this process.
    created: BTreeMap<Nonce, EndpointId>,
}

impl MemoryHistory {
    fn proceed(&mut self, draw: &mut Draw<'_>) {
        let now = self.now;
        let what = draw.byte();
        match what % 11 {
            _ if what == u8::MAX => {
                self.memory.clear_recorded();
                (self.recorded, self.forgotten) = (None, None);
            }
            _ if what == u8::MAX - 1 => self.respond(draw),
            0 => self.now += secs(draw.one_of(&[0, 1, 9, 10, 119, 200, 3600])),
            1 => self.observe(draw),
            2 => self.claim(draw),
            3 => {
                let nonce = any_nonce(draw);
                self.memory.withdraw_claim(&nonce);
                self.claimed.remove(&nonce);
            }
            4 => self.send(&any_nonce(draw)),
            5 => {
                let nonce = any_nonce(draw);
                self.memory.settle(&nonce);
                self.in_flight.remove(&nonce);
                self.claimed.remove(&nonce);
            }
            6 => {
                let nonce = any_nonce(draw);
                if self.sent.contains(&nonce) && self.in_flight.contains_key(&nonce) {
                    let made = endpoint(u64::from(draw.byte() % 4), Mark::Ours, draw.one_of(&STATUSES));
                    self.created.insert(nonce.clone(), made.id.clone());
                    self.memory.created(&nonce, made);
                }
            }
            7 => {
                let id = any_id(draw);
                let origin = draw.one_of(&[Origin::Created, Origin::Adopted, Origin::Named]);
                self.memory.recorded(&id, origin, now);
                self.recorded = Some((id, now));
                self.forgotten = None;
            }
            8 => {
                let id = any_id(draw);
                if draw.bool() {
                    self.memory.deleting_excess(now);
                    self.excess_sent = Some(now);
                }
                self.memory.deleted(id, draw.bool(), now);
            }
            9 => self.confirm(draw),
            _ => self.prune(),
        }
        self.created.retain(|nonce, _| self.in_flight.contains_key(nonce));
    }

    fn observe(&mut self, draw: &mut Draw<'_>) {
        let (claim, recorded) = (any_claim(draw), draw.maybe(any_id));
        let made = &self.created;
        let is_recorded = |nonce: &Nonce| recorded.is_some() && made.get(nonce) == recorded.as_ref();
        self.in_flight.retain(|nonce, _| !is_recorded(nonce));
        let known = claim.nonce().is_some_and(|nonce| self.knows(nonce) && !is_recorded(nonce));
        self.created.retain(|_, id| Some(&*id) != recorded.as_ref());
        self.memory.observe(&claim, recorded.as_ref(), self.now);
        match (claim.open_nonce(recorded.as_ref()), claim.nonce()) {
            (Some(open), _) => {
                if !known {
                    // Also one that was claimed here so long ago that it is forgotten: whether it was sent is unknown.
                    self.claimed.remove(open);
                    self.in_flight.insert(open.clone(), self.now);
                    self.absent = None;
                }
            }
            (None, Some(closed)) => {
                self.in_flight.remove(closed);
                self.claimed.remove(closed);
            }
            (None, None) => {}
        }
        if recorded.as_ref() != self.recorded.as_ref().map(|(known, _)| known) {
            let before = self.recorded.take().map(|(_, since)| since);
            if recorded.is_some() {
                (self.absent, self.forgotten) = (None, None);
            } else {
                self.forgotten = before;
            }
            self.recorded = recorded.map(|id| (id, self.now));
        }
    }

    /// A fresh nonce, or one that is announced again because it may still land.
    fn claim(&mut self, draw: &mut Draw<'_>) {
        let again: Vec<_> = self.in_flight.keys().cloned().collect();
        let announced = if again.is_empty() || draw.bool() {
            let Some(fresh) = self.fresh.checked_add(1) else { return };
            self.fresh = fresh;
            nonce(fresh)
        } else {
            draw.one_of(&again)
        };
        // An attempt that is announced again is not claimed again.
        if self.in_flight.contains_key(&announced) && !self.knows(&announced) {
            return;
        }
        if !self.knows(&announced) {
            self.claimed.insert(announced.clone(), self.now);
        }
        self.memory.begin_claim(announced, self.now);
    }

    fn send(&mut self, nonce: &Nonce) {
        let may = self.memory.begin_send(nonce);
        let claimed = self.claimed.contains_key(nonce);
        assert!(claimed || !may, "only what was claimed here and not sent is sent");
        assert!(may || !claimed || !self.knows(nonce), "what was claimed here, and not long since, is sent");
        if may {
            assert!(self.sent.insert(nonce.clone()), "{nonce:?} is sent twice");
            self.in_flight.insert(nonce.clone(), self.claimed.remove(nonce).unwrap());
            self.absent = None;
        }
    }

    fn confirm(&mut self, draw: &mut Draw<'_>) {
        let absent =
            draw.maybe(|draw| draw.one_of(&[ConfirmedAbsence::Everything, ConfirmedAbsence::Recorded]));
        let (step, state) = (Step::Rest, State::Creating(Creating::Pending));
        let decision = Decision { step, state, requeue: Requeue::Poll, absent };
        self.memory.confirmed(&decision, self.now, &Times::default());
        self.absent = match (absent, self.absent) {
            (Some(absent), Some((run, since, confirmed))) if absent == run => {
                Some((run, since, confirmed || self.now - since >= Duration::from_secs(10)))
            }
            (absent, _) => absent.map(|absent| (absent, self.now, false)),
        };
    }

    fn respond(&mut self, draw: &mut Draw<'_>) {
        let failed = draw.maybe(|draw| draw.one_of(&FAULTS));
        self.memory.responded(failed, self.now, &Times::default());
        self.absent = self.absent.filter(|(_, since, confirmed)| {
            *confirmed || (failed.is_none() && self.now - *since <= Duration::from_mins(5))
        });
        match failed {
            Some(FaultKind::InstanceNotFound | FaultKind::NotServerless | FaultKind::Retired) => {
                self.gone.retain(|_, since| self.now - *since <= Duration::from_mins(5));
                self.gone.entry(failed.unwrap()).or_insert(self.now);
            }
            None | Some(_) => self.gone.clear(),
        }
    }

    /// The attempts left when the object is deleted are those that the next object of its name waits for, also mixed
    /// with another's.
    fn leave(&self) {
        let times = Times::default();
        let waits = |memory: &Memory| {
            let seen = memory.snapshot(self.now, self.now, WriteOutcome::Nothing);
            let open = seen.attempts.iter().filter(|attempt| attempt.outcome.is_open());
            let open = open.map(|attempt| times.uncertainty.saturating_sub(attempt.age)).max();
            let listed = seen.forgotten.map(|age| times.visibility.saturating_sub(age));
            (open, listed)
        };
        let mut pruned = self.memory.clone();
        let is_over = pruned.prune(&times, self.now);
        let remains = self.memory.clone().remains(&times, self.now);
        assert_eq!(remains.is_none(), is_over);
        let Some(remains) = remains else { return };
        let successor = |remains: Remains| {
            let mut successor = Memory::default();
            successor.inherit(remains);
            successor
        };
        assert_eq!(waits(&successor(remains.clone())), waits(&pruned));
        let mixed = successor(remains.or(&remains));
        assert_eq!(waits(&mixed), waits(&pruned), "one in place of many waits as long");
        assert_eq!(waits(&successor(remains.unnamed())), waits(&pruned));
        assert!(!remains.is_over(&times, self.now));
        let later = self.now + times.uncertainty + times.visibility;
        assert!(remains.is_over(&times, later), "it ends");
    }

    fn prune(&mut self) {
        self.gone.clear();
        let times = Times::default();
        self.memory.prune(&times, self.now);
        self.claimed.clear();
        self.in_flight.retain(|_, since| self.now - *since < times.uncertainty + times.visibility);
        self.forgotten = self.recorded.take().map(|(_, since)| since).or(self.forgotten);
        self.forgotten = self.forgotten.filter(|since| self.now - *since < times.visibility);
    }

    /// A settled attempt stays known: it must not be mistaken for a new one.
    fn knows(&self, nonce: &Nonce) -> bool {
        self.memory.since(nonce).is_some()
    }

    fn judge(&self) {
        let recall = self.memory.snapshot(self.now, self.now, WriteOutcome::Nothing);
        let find = |nonce: &Nonce| recall.attempts.iter().find(|attempt| attempt.nonce == *nonce);
        let others = find(&Nonce::of_others());
        for (nonce, since) in &self.in_flight {
            // By its name or among others, and then for no shorter time.
            let named = find(nonce).filter(|known| known.age == self.now - *since);
            let known = named.or(others.filter(|others| others.age <= self.now - *since));
            let known = known.unwrap_or_else(|| panic!("{nonce:?} may land and is forgotten: {recall:?}"));
            assert!(known.outcome.is_open(), "{nonce:?} may land and is {:?}", known.outcome);
        }
        let open = recall.attempts.iter().filter(|attempt| attempt.outcome.is_open());
        let open = open.filter(|attempt| attempt.nonce != Nonce::of_others());
        assert!(
            open.clone().all(|attempt| self.in_flight.contains_key(&attempt.nonce)),
            "nothing that cannot land is waited for: {recall:?}"
        );
        // However many are shown, few are kept.
        assert!(open.count() <= 8 && recall.attempts.len() <= 17 && recall.deleted.len() <= 8, "{recall:?}");
        let gone: Vec<_> = self.gone.iter().map(|(kind, since)| (*kind, self.now - *since)).collect();
        assert_eq!(recall.gone, gone);
        assert_eq!(recall.absent, self.absent.map(|(absence, since, _)| (absence, self.now - since)));
        let known_for = self.recorded.as_ref().map_or(Duration::ZERO, |(_, since)| self.now - *since);
        assert_eq!(recall.recorded, known_for);
        assert_eq!(recall.forgotten, self.forgotten.map(|since| self.now - since));
        assert_eq!(recall.excess_deleted, self.excess_sent.map(|sent| self.now - sent));
        assert_eq!(self.memory.clone().map_instants(|moment| moment), self.memory);
        // A listing that was sent earlier never makes anything appear older.
        let earlier =
            self.memory.snapshot(self.now.saturating_sub(secs(10)), self.now, WriteOutcome::Nothing);
        assert!(earlier.attempts.iter().zip(&recall.attempts).all(|(then, now)| then.age <= now.age));
    }
}

fn any_nonce(draw: &mut Draw<'_>) -> Nonce {
    nonce(draw.byte() % 24)
}

fn any_id(draw: &mut Draw<'_>) -> EndpointId {
    id(u64::from(draw.byte() % 4))
}

fn any_claim(draw: &mut Draw<'_>) -> ClaimReading {
    let (nonce, replaced) = (any_nonce(draw), draw.maybe(any_id));
    match draw.byte() % 6 {
        0 => ClaimReading::Ours { nonce, replaced },
        1 => ClaimReading::EarlierLife { nonce, replaced },
        2 => ClaimReading::Unreadable(nonce),
        3 => ClaimReading::Copied,
        4 => foreign_claim(),
        _ => ClaimReading::Absent,
    }
}
