//! What one process remembers of one token, updated as it observes.
//!
//! Instants are durations since boot on a clock that counts suspend; they are arguments and never read here. Safety never
//! depends on this memory after a restart: whatever is missing only makes the rules wait longer.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::confirmation::Run;
use crate::deadline::WorkTime;
use crate::fault::FaultKind;
use crate::instant::SinceBoot;
use crate::reconcile::WriteFailure;
use crate::serverless::decision::{ConfirmedAbsence, Decision, Origin};
use crate::serverless::endpoint::{Endpoint, EndpointId};
use crate::serverless::observed::{
    Attempt, AttemptOutcome, Deleted, MemorySnapshot, Object, Stage, Times, WriteOutcome,
};
use crate::serverless::ownership::{ClaimReading, Nonce};

/// How many attempts are kept by nonce, each of those that may land and of those that may not. Any user who may edit the object
/// can put another claim on it every second, and an object whose create is refused claims again and again.
const MAX_ATTEMPTS: usize = 8;

/// How many responses to a DELETE are kept.
const MAX_DELETE_RESPONSES: usize = 8;

/// The memory of one token. It outlives the object; the next object of that name inherits it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Memory {
    attempts: BTreeMap<Nonce, (SinceBoot, AttemptOutcome)>,
    recorded: Option<(EndpointId, SinceBoot)>,
    forgotten: Option<SinceBoot>,
    adopted: Option<SinceBoot>,
    /// What the last listings show to be gone. Once confirmed, it holds until a listing shows otherwise.
    absent: Option<(ConfirmedAbsence, Run)>,
    /// The ways in which Atlas reports that the instance is gone. They are confirmed again after each pause.
    gone: BTreeMap<FaultKind, Run>,
    deleted: BTreeMap<EndpointId, (SinceBoot, bool)>,
    excess_deleted: Option<SinceBoot>,
    unrecorded: bool,
    working: WorkTime,
}

impl Memory {
    /// Records what a read or a watch event shows of the object. An open attempt is remembered from the first time it is seen.
    /// An attempt whose claim is closed is dropped, not marked settled: if the status is wiped, the claim reopens and the
    /// outcome is unknown again. An attempt whose endpoint is recorded is dropped too, whatever the claim names by then.
    /// Listings from before an attempt or an endpoint was known confirm nothing about it.
    pub fn observe(&mut self, claim: &ClaimReading, recorded: Option<&EndpointId>, now: SinceBoot) {
        self.attempts.retain(
            |_, (_, outcome)| !matches!(outcome, AttemptOutcome::Created(endpoint) if Some(&endpoint.id) == recorded),
        );
        if let Some(nonce) = claim.open_nonce(recorded) {
            if !self.attempts.contains_key(nonce) {
                self.attempts.insert(nonce.clone(), (now, AttemptOutcome::Unknown));
                self.absent = None;
                self.limit_attempts();
            }
        } else if let Some(nonce) = claim.nonce().filter(|nonce| **nonce != Nonce::of_others()) {
            self.attempts.remove(nonce);
        }
        if self.attempts.is_empty() {
            // An emptied map keeps a node of 2 KiB, for each object in the cluster.
            self.attempts = BTreeMap::new();
        }
        match (recorded, &self.recorded) {
            (Some(id), Some((known, _))) if id == known => {}
            (Some(id), _) => {
                self.recorded = Some((id.clone(), now));
                self.forgotten = None;
                self.adopted = None;
                self.absent = None;
            }
            (None, _) => self.forget(),
        }
    }

    /// Records what a reconcile reads of the object, and returns what is remembered of it ([`Memory::snapshot`]).
    pub fn recall(
        &mut self,
        object: &Object,
        at: SinceBoot,
        now: SinceBoot,
        last_write: WriteOutcome,
    ) -> MemorySnapshot {
        let recorded = object.recorded.as_ref().map(|recorded| &recorded.id);
        self.observe(&object.claim, recorded, now);
        self.snapshot(at, now, last_write)
    }

    /// Drops attempts beyond [`MAX_ATTEMPTS`]. Of those that cannot land, the oldest are forgotten: an attempt that is seen again
    /// counts as unknown. The oldest of those that may land are merged into one, as young as the youngest of them, so that the
    /// rules wait for it as long as for each.
    fn limit_attempts(&mut self) {
        while let Some(nonce) = self.beyond(|outcome| !outcome.is_open()) {
            self.attempts.remove(&nonce);
        }
        while let Some((since, _)) =
            self.beyond(AttemptOutcome::is_open).and_then(|nonce| self.attempts.remove(&nonce))
        {
            let others = self.attempts.entry(Nonce::of_others()).or_insert((since, AttemptOutcome::Unknown));
            *others = (others.0.max(since), AttemptOutcome::Unknown);
        }
    }

    /// Returns the oldest attempt of a class that has too many. Those that are known to have created an endpoint go last.
    fn beyond(&self, class: impl Fn(&AttemptOutcome) -> bool) -> Option<Nonce> {
        let others = Nonce::of_others();
        let all = || self.attempts.iter().filter(|(nonce, (_, outcome))| **nonce != others && class(outcome));
        let oldest =
            all().min_by_key(|(_, (since, outcome))| (matches!(outcome, AttemptOutcome::Created(_)), *since));
        oldest.filter(|_| all().count() > MAX_ATTEMPTS).map(|(nonce, _)| nonce.clone())
    }

    /// Nothing is recorded any more, but the endpoint that was recorded may still exist.
    fn forget(&mut self) {
        if let Some((_, since)) = self.recorded.take() {
            self.forgotten = Some(since);
        }
    }

    /// Begins an attempt that this process is about to claim. A known attempt keeps its outcome: no nonce is posted twice.
    pub fn begin_claim(&mut self, nonce: Nonce, now: SinceBoot) {
        self.attempts.entry(nonce).or_insert((now, AttemptOutcome::NotSent));
        self.limit_attempts();
    }

    /// Drops an attempt whose claim was refused, for it never was on the object.
    pub fn withdraw_claim(&mut self, nonce: &Nonce) {
        if self.attempts.get(nonce).is_some_and(|(_, outcome)| *outcome == AttemptOutcome::NotSent) {
            self.attempts.remove(nonce);
        }
    }

    /// Records how the claim of a fresh attempt ended, if it `failed`. One that may have been applied nevertheless is not sent: by the
    /// time that this is known the object may be in deletion.
    pub fn claimed(&mut self, nonce: &Nonce, failed: Option<WriteFailure>) {
        match failed {
            None => {}
            Some(WriteFailure::NotApplied) => self.withdraw_claim(nonce),
            Some(WriteFailure::Unknown) => self.settle(nonce),
        }
    }

    /// Begins to send the POST of a claimed attempt. Returns `false` if it was sent before: a nonce is posted once.
    pub fn begin_send(&mut self, nonce: &Nonce) -> bool {
        match self.attempts.get_mut(nonce) {
            Some((_, outcome @ AttemptOutcome::NotSent)) => {
                *outcome = AttemptOutcome::Unknown;
                self.absent = None;
                self.limit_attempts();
                true
            }
            _ => false,
        }
    }

    /// Returns when this process claimed the attempt, or first saw it.
    #[must_use]
    pub fn since(&self, nonce: &Nonce) -> Option<SinceBoot> {
        self.attempts.get(nonce).map(|(since, _)| *since)
    }

    /// Returns the attempt that this process claimed last and has not sent, and when it began to claim it.
    #[must_use]
    pub fn unsent(&self) -> Option<(&Nonce, SinceBoot)> {
        let unsent = self.attempts.iter().filter(|(_, (_, outcome))| *outcome == AttemptOutcome::NotSent);
        unsent.map(|(nonce, (since, _))| (nonce, *since)).max_by_key(|(_, since)| *since)
    }

    /// Marks an attempt that cannot land any more: Atlas refused it, or it will not be sent because it is unknown whether its
    /// claim was accepted.
    pub fn settle(&mut self, nonce: &Nonce) {
        if let Some((_, outcome)) = self.attempts.get_mut(nonce) {
            *outcome = AttemptOutcome::Settled;
        }
    }

    /// Records that the attempt created `endpoint`. Until the endpoint is recorded in the status, the attempt stays open: it is
    /// recorded under its own claim or, if another claim has replaced that one, found by its mark like any other.
    pub fn created(&mut self, nonce: &Nonce, endpoint: Endpoint) {
        if let Some((_, outcome)) = self.attempts.get_mut(nonce) {
            *outcome = AttemptOutcome::Created(endpoint);
        }
    }

    /// Forgets the recorded endpoint of an object that was released because nothing of it is left in Atlas.
    pub fn clear_recorded(&mut self) {
        (self.recorded, self.forgotten) = (None, None);
    }

    /// Remembers that `endpoint` was recorded, based on a listing that was sent at `seen`.
    pub fn recorded(&mut self, endpoint: &EndpointId, origin: Origin, seen: SinceBoot) {
        self.forgotten = None;
        self.recorded = Some((endpoint.clone(), seen));
        self.adopted = (origin == Origin::Adopted).then_some(seen);
        self.deleted.clear();
        self.unrecorded = false;
    }

    /// Remembers that the DELETE of an excess endpoint is about to be sent. It counts from now on, whatever its outcome: a lost
    /// response must not let the next DELETE be sent sooner.
    pub fn deleting_excess(&mut self, now: SinceBoot) {
        self.excess_deleted = Some(now);
    }

    /// Remembers that the API server rejected the record of an endpoint, and may do so for ever: an object can have reached its
    /// size limit.
    pub fn not_recorded(&mut self) {
        self.unrecorded = true;
    }

    /// Remembers the response to a DELETE. Only that for the recorded endpoint matters for long.
    pub fn deleted(&mut self, endpoint: EndpointId, not_found: bool, now: SinceBoot) {
        self.deleted.insert(endpoint, (now, not_found));
        let recorded = self.recorded.as_ref().map(|(id, _)| id);
        let others = self.deleted.iter().filter(|(id, _)| Some(*id) != recorded);
        let oldest = others.min_by_key(|(_, (since, _))| *since).map(|(id, _)| id.clone());
        if let Some(oldest) = oldest.filter(|_| self.deleted.len() > MAX_DELETE_RESPONSES) {
            self.deleted.remove(&oldest);
        }
    }

    /// Continues or begins the run of confirmations that `decision` requests, with the listing sent at `seen`.
    pub fn confirmed(&mut self, decision: &Decision, seen: SinceBoot, times: &Times) {
        let before = self.absent;
        self.absent = decision.absent.map(|what| {
            let run = before.filter(|(known, _)| *known == what);
            (what, run.map_or(Run::begin(seen), |(_, run)| run.until_disproved(seen, times)))
        });
    }

    /// Records the response to a request about the instance that was sent at `sent`: how it failed, or `None` if it succeeded.
    /// A success ends every run of reports that the instance is gone, and so does any other failure. No failed request confirms
    /// an absence. One response that serves several reconciles was sent once, so it does not confirm itself.
    pub fn responded(&mut self, failed: Option<FaultKind>, sent: SinceBoot, times: &Times) {
        self.absent =
            self.absent.filter(|(_, run)| run.lasting || (failed.is_none() && run.goes_on(sent, times)));
        match failed.filter(|kind| kind.reports_gone()) {
            Some(kind) => {
                self.gone.retain(|_, run| run.goes_on(sent, times));
                self.gone.entry(kind).or_insert(Run::begin(sent));
            }
            None => self.gone = BTreeMap::new(),
        }
    }

    /// Records the stage of work that was reported ([`WorkTime::reported`]).
    pub fn working(&mut self, stage: Option<Stage>, overdue: Option<Duration>, now: SinceBoot) {
        self.working.reported(stage, overdue, now);
    }

    /// Returns what is remembered, with ages as of `at`: when the listing was sent, if there is one. The age of an attempt that
    /// is claimed and not sent is measured at `now`, because its deadline goes on while the claim is written.
    #[must_use]
    pub fn snapshot(&self, at: SinceBoot, now: SinceBoot, last_write: WriteOutcome) -> MemorySnapshot {
        let age = |since: SinceBoot| at.saturating_sub(since);
        MemorySnapshot {
            attempts: self
                .attempts
                .iter()
                .map(|(nonce, (since, outcome))| Attempt {
                    nonce: nonce.clone(),
                    age: if *outcome == AttemptOutcome::NotSent {
                        now.saturating_sub(*since)
                    } else {
                        age(*since)
                    },
                    outcome: outcome.clone(),
                })
                .collect(),
            recorded: self.recorded.as_ref().map_or(Duration::ZERO, |(_, since)| age(*since)),
            forgotten: self.forgotten.map(age),
            adopted: self.adopted.map(age),
            absent: self.absent.map(|(what, run)| (what, age(run.since))),
            gone: self.gone.iter().map(|(kind, run)| (*kind, age(run.since))).collect(),
            deleted: self
                .deleted
                .iter()
                .map(|(id, (since, not_found))| Deleted {
                    id: id.clone(),
                    ago: age(*since),
                    not_found: *not_found,
                })
                .collect(),
            excess_deleted: self.excess_deleted.map(age),
            unrecorded: self.unrecorded,
            working: self.working.lasted(now),
            last_write,
        }
    }

    /// Returns the same memory with every instant replaced, for checks that let time pass without a clock.
    #[must_use]
    pub fn map_instants(mut self, replace: impl Fn(SinceBoot) -> SinceBoot) -> Self {
        let attempts = self.attempts.values_mut().map(|(since, _)| since);
        let deleted = self.deleted.values_mut().map(|(since, _)| since);
        let gone = self.gone.values_mut().map(|run| &mut run.since);
        let recorded = self.recorded.as_mut().map(|(_, since)| since);
        let absent = self.absent.as_mut().map(|(_, run)| &mut run.since);
        let working = self.working.since_mut();
        let single = [
            recorded,
            self.forgotten.as_mut(),
            self.adopted.as_mut(),
            absent,
            self.excess_deleted.as_mut(),
            working,
        ];
        for since in attempts.chain(deleted).chain(gone).chain(single.into_iter().flatten()) {
            *since = replace(*since);
        }
        self
    }

    /// Returns what of the memory matters to the next object of that name once this one is gone, if anything does.
    #[must_use]
    pub fn remains(mut self, times: &Times, now: SinceBoot) -> Option<Remains> {
        let is_over = self.prune(times, now);
        (!is_over).then(|| Remains {
            attempts: self.attempts.into_iter().map(|(nonce, (since, _))| (nonce, since)).collect(),
            forgotten: self.forgotten,
        })
    }

    /// Takes over what deleted objects have left.
    pub fn inherit(&mut self, remains: Remains) {
        for (nonce, since) in remains.attempts {
            self.attempts.entry(nonce).or_insert((since, AttemptOutcome::Unknown));
        }
        self.limit_attempts();
        self.forgotten = self.forgotten.max(remains.forgotten);
    }

    /// Drops what cannot matter any more after the object is gone. An attempt that was claimed for it is never sent: a watch that
    /// lags may show that object once more. An attempt that may have landed matters until a listing would show its endpoint.
    /// Returns `true` if nothing is left, so that the memory of a token without an object can be removed.
    pub fn prune(&mut self, times: &Times, now: SinceBoot) -> bool {
        self.attempts.retain(|_, (since, outcome)| {
            outcome.is_open() && now.saturating_sub(*since) < times.uncertainty + times.visibility
        });
        (self.gone, self.unrecorded) = (BTreeMap::new(), false);
        self.forget();
        self.forgotten = self.forgotten.filter(|since| now.saturating_sub(*since) < times.visibility);
        self.attempts.is_empty() && self.forgotten.is_none()
    }
}

/// What may still land, or may be there and not be listed yet, of objects that are gone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remains {
    attempts: Box<[(Nonce, SinceBoot)]>,
    forgotten: Option<SinceBoot>,
}

impl Remains {
    /// Returns one in place of both, for an object that either may concern: it waits as long as for each.
    #[must_use]
    pub fn or(&self, other: &Self) -> Self {
        let since = self.attempts.iter().chain(&other.attempts).map(|(_, since)| *since).max();
        Self {
            attempts: since.map(|since| (Nonce::of_others(), since)).into_iter().collect(),
            forgotten: self.forgotten.max(other.forgotten),
        }
    }

    /// The same without the names of what it concerns.
    #[must_use]
    pub fn unnamed(&self) -> Self {
        self.or(self)
    }

    /// Nothing of it matters any more.
    #[must_use]
    pub fn is_over(&self, times: &Times, now: SinceBoot) -> bool {
        let mut memory = Memory::default();
        memory.inherit(self.clone());
        memory.prune(times, now)
    }
}
