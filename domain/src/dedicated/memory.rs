//! What one process remembers of one object, updated as it observes.
//!
//! Instants are durations since boot on a clock that counts suspend; they are arguments and never read here. Safety never depends on this
//! memory after a restart: whatever is missing only makes the rules wait longer. The claims of others, and of earlier objects, are in
//! [`names`](super::names).

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::claim::Nonce;
use crate::confirmation::Run;
use crate::deadline::{Stage, WorkTime};
use crate::instant::{SinceBoot, Stamp};
use crate::reconcile::{WriteFailure, WriteOutcome};
use crate::times::Times;

use super::claim::ClaimTarget;
use super::decision::{Decision, Doubt};
use super::life::Life;
use super::names::SeenAttempt;
use super::observed::{Attempt, AttemptOutcome, MemorySnapshot, Object, SentRegions};
use super::region::Region;

/// How many outcomes are kept of attempts that are not the current one. One is enough for the rules; others may be claimed beside it.
const MAX_OUTCOMES: usize = 8;

/// How long changes of the remote regions by others count.
const CONTEST: Duration = Duration::from_hours(24);

/// The memory of one object.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Memory {
    /// What became of the attempts of this process, and when each was claimed.
    outcomes: BTreeMap<Nonce, (ClaimTarget, Stamp, AttemptOutcome)>,
    /// The first entry and the settled claim beside it, and since when.
    recorded: Option<(Life, Option<Nonce>, SinceBoot)>,
    doubt: Option<(Doubt, Run)>,
    /// The life whose DELETE Atlas has responded to, the attempt, and when.
    deleted: Option<(Life, Nonce, SinceBoot)>,
    /// The remote regions that were set last, and when.
    regions: Option<(SentRegions, SinceBoot)>,
    working: WorkTime,
}

impl Memory {
    /// Records what a read shows of the object.
    pub fn observe(&mut self, object: &Object, now: SinceBoot) {
        let first = object.entries.first().map(|entry| &entry.life);
        let (nonce, settled) = (object.claim.nonce(), object.settled.as_ref());
        // An endpoint that is registered again has the life that is recorded already: a settled claim begins the time anew, unless this
        // process knows that it registered nothing.
        let outcome = settled.and_then(|nonce| self.outcomes.get(nonce)).map(|(.., outcome)| outcome);
        let is_known = |(life, known, _): &(Life, Option<Nonce>, SinceBoot)| {
            Some(life) == first && (known.as_ref() == settled || outcome == Some(&AttemptOutcome::Settled))
        };
        if !self.recorded.as_ref().is_some_and(is_known) {
            self.recorded = first.map(|life| (life.clone(), settled.cloned(), now));
        }
        // What was created may have an entry of an earlier life already: only the settled claim shows that it is recorded.
        // What is settled and claimed no more is over.
        self.outcomes.retain(|nonce, (.., outcome)| {
            let is_over =
                matches!(outcome, AttemptOutcome::Created(_)) || object.claim.nonce() != Some(nonce);
            !is_over || object.settled.as_ref() != Some(nonce)
        });
        // Under another claim, the life may be there again.
        self.deleted.take_if(|(_, attempt, _)| Some(&*attempt) != nonce);
    }

    /// Begins an attempt that this process is about to claim.
    pub fn begin_claim(&mut self, nonce: Nonce, target: ClaimTarget, now: Stamp) {
        self.outcomes.insert(nonce, (target, now, AttemptOutcome::NotSent));
        while self.outcomes.len() > MAX_OUTCOMES {
            let oldest = self.outcomes.iter().min_by_key(|(_, (_, claimed, _))| claimed.boot);
            let Some(oldest) = oldest.map(|(nonce, _)| nonce.clone()) else { return };
            self.outcomes.remove(&oldest);
        }
    }

    /// Records how the claim ended, if it `failed`. One that may have been applied nevertheless is not sent.
    pub fn claimed(&mut self, nonce: &Nonce, failed: Option<WriteFailure>) {
        if failed.is_some() {
            self.settle(nonce);
        }
    }

    /// Begins to send the request of a claimed attempt. Returns when it was claimed; `None` if it was sent before: a nonce is sent
    /// once.
    pub fn begin_send(&mut self, nonce: &Nonce) -> Option<Stamp> {
        let (_, claimed, outcome) = self.outcomes.get_mut(nonce)?;
        if *outcome != AttemptOutcome::NotSent {
            return None;
        }
        *outcome = AttemptOutcome::Unknown;
        self.doubt = None;
        Some(*claimed)
    }

    /// Marks an attempt that has no further effect.
    pub fn settle(&mut self, nonce: &Nonce) {
        if let Some((.., outcome)) = self.outcomes.get_mut(nonce) {
            *outcome = AttemptOutcome::Settled;
        }
    }

    /// Gives up what was claimed and not sent: it never will be.
    pub fn give_up(&mut self) {
        for (.., outcome) in self.outcomes.values_mut() {
            if *outcome == AttemptOutcome::NotSent {
                *outcome = AttemptOutcome::Settled;
            }
        }
    }

    /// Records that the attempt created this, which is not recorded yet.
    pub fn created(&mut self, nonce: &Nonce, life: Life) {
        if let Some((.., outcome)) = self.outcomes.get_mut(nonce) {
            *outcome = AttemptOutcome::Created(life);
        }
    }

    /// Records the response to a DELETE: Atlas accepted it, or knows no such thing.
    pub fn deleted(&mut self, nonce: &Nonce, life: Life, now: SinceBoot) {
        self.deleted = Some((life, nonce.clone(), now));
        self.settle(nonce);
    }

    /// Records that the declared remote regions were set, or may have been. `were_in_force`: others had changed them before.
    pub fn updated(&mut self, declared: &BTreeSet<Region>, were_in_force: bool, now: SinceBoot) {
        let is_same = |(sent, since): &(SentRegions, SinceBoot)| {
            sent.declared == *declared && now.saturating_sub(*since) < CONTEST
        };
        let before = self.regions.take().filter(is_same).map(|(sent, _)| sent);
        let before =
            before.unwrap_or(SentRegions { declared: declared.clone(), foreign_changes: 0, sent: 0 });
        let sent = if were_in_force {
            SentRegions { foreign_changes: before.foreign_changes.saturating_add(1), sent: 1, ..before }
        } else {
            SentRegions { sent: before.sent.saturating_add(1), ..before }
        };
        self.regions = Some((sent, now));
    }

    /// Continues or begins the run of listings that contradict the status, with the listing sent at `seen`.
    pub fn confirmed(&mut self, decision: &Decision, seen: SinceBoot, times: &Times) {
        let before = self.doubt.take();
        self.doubt = decision.doubt.clone().map(|doubt| {
            let before = before.filter(|(known, _)| *known == doubt).map(|(_, run)| run);
            (doubt, Run::continued(before, seen, times))
        });
    }

    /// Records the stage of work that was reported.
    pub fn working(&mut self, stage: Option<Stage>, overdue: Option<Duration>, now: SinceBoot) {
        self.working.reported(stage, overdue, now);
    }

    /// Returns the same memory with every instant replaced, for checks that let time pass without a clock.
    #[must_use]
    pub fn map_instants(mut self, replace: impl Fn(SinceBoot) -> SinceBoot) -> Self {
        for (_, claimed, _) in self.outcomes.values_mut() {
            let boot = replace(claimed.boot);
            *claimed = Stamp { boot, day: boot };
        }
        let recorded = self.recorded.as_mut().map(|(.., since)| since);
        let doubt = self.doubt.as_mut().map(|(_, run)| &mut run.since);
        let deleted = self.deleted.as_mut().map(|(.., since)| since);
        let regions = self.regions.as_mut().map(|(_, since)| since);
        let working = self.working.since_mut();
        for since in [recorded, doubt, deleted, regions, working].into_iter().flatten() {
            *since = replace(*since);
        }
        self
    }

    /// Returns what is remembered, with ages as of `at`: when the listing was sent, if there is one. The age of an attempt that is
    /// claimed and not sent is measured at `now`, because its deadline goes on.
    #[must_use]
    pub fn snapshot(
        &self,
        object: &Object,
        seen: Vec<SeenAttempt>,
        (at, now): (SinceBoot, SinceBoot),
        last_write: WriteOutcome,
    ) -> MemorySnapshot {
        let age = |since: SinceBoot| at.saturating_sub(since);
        let mut attempts: BTreeMap<_, _> = seen
            .into_iter()
            .map(|SeenAttempt { nonce, target, since, is_own }| {
                let attempt = Attempt {
                    nonce: nonce.clone(),
                    target,
                    age: age(since),
                    is_own,
                    outcome: AttemptOutcome::Unknown,
                };
                (nonce, attempt)
            })
            .collect();
        if let Some(nonce) = object.claim.nonce() {
            // What the watch has not shown yet.
            attempts.entry(nonce.clone()).or_insert_with(|| Attempt {
                nonce: nonce.clone(),
                target: object.claim.target().cloned(),
                age: Duration::ZERO,
                is_own: true,
                outcome: AttemptOutcome::Unknown,
            });
        }
        for (nonce, (target, claimed, outcome)) in &self.outcomes {
            let at = if *outcome == AttemptOutcome::NotSent { now } else { at };
            let attempt = Attempt {
                nonce: nonce.clone(),
                target: Some(target.clone()),
                age: at.saturating_sub(claimed.boot),
                is_own: attempts.get(nonce).is_some_and(|seen| seen.is_own),
                outcome: outcome.clone(),
            };
            attempts.insert(nonce.clone(), attempt);
        }
        MemorySnapshot {
            attempts: attempts.into_values().collect(),
            recorded: self.recorded.as_ref().map_or(Duration::ZERO, |(.., since)| age(*since)),
            doubt: self.doubt.clone().map(|(doubt, run)| (doubt, age(run.since))),
            deleted: self.deleted.as_ref().map(|(life, _, since)| (life.clone(), age(*since))),
            working: self.working.lasted(now),
            regions: self
                .regions
                .as_ref()
                .map(|(sent, since)| (sent.clone(), age(*since)))
                .filter(|(_, ago)| *ago < CONTEST),
            last_write,
        }
    }
}
