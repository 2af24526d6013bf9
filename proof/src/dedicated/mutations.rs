//! Ablations: the protocol with one rule removed, in the model around the rules, or in their inputs and outputs. Each
//! must be found to violate an invariant, or the search would find nothing.
//!
//! Nothing here ships, and the code that ships has no switch for it.

use std::time::Duration;

use domain::dedicated::claim::{ClaimReading, ClaimTarget};
use domain::dedicated::decision::{Creating, Decision, Deleting, ForgetReason, RetainReason, State, Step};
use domain::dedicated::life::{Entry, Life, Provenance, Sort};
use domain::dedicated::observed::{Attempt, AttemptOutcome, Deletion, Listing, Observed};
use domain::times::Times;

use super::bit;
use super::convert::{from_life, nonce_number, to_life};
use super::object::{ModelLife, ModelTarget};
use super::state::ModelState;
use super::times::{TICK, times};

/// The rule that is missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Mutation {
    /// None: the protocol that ships.
    #[default]
    None,
    /// A POST is not claimed: only the finalizer is written.
    PostUnclaimed,
    /// A DELETE is not claimed.
    DeleteUnclaimed,
    /// The API server accepts a claim whatever its resourceVersion.
    NoResourceVersion,
    /// A claimed request may be sent at any later time.
    NoDeadline,
    /// While an attempt may take effect, the next one is claimed.
    ClaimAgain,
    /// A release does not wait for attempts of unknown outcome.
    NoSettling,
    /// An attempt is over once something is recorded.
    ClosedByBinding,
    /// A claim is over if the status has settled any.
    ClosedByAnyNonce,
    /// What is found under an open claim counts as created.
    FoundIsCreated,
    /// The same, if Atlas created it since the claim.
    BornIsCreated,
    /// The provenance of an entry of another object counts.
    AnyoneRecorded,
    /// A record does not test claim and entries.
    RecordIgnoresClaim,
    /// What watches show after the claim is not looked at.
    NoLookAgain,
    /// A living object that names what is to be deleted does not count.
    NoHeir,
    /// The object itself is not looked at after the claim.
    OwnNotSeen,
    /// A claim does not say what it aims at.
    NoTarget,
    /// A claim is forgotten as soon as no object carries it.
    ClaimsForgotten,
    /// The claims of other objects, which are gone, do not count.
    ClaimsByName,
    /// The former endpoint is removed before the declared one is there.
    BreakBeforeMake,
    /// What no listing shows is not deleted.
    DeleteOnlyListed,
    /// A DELETE that was claimed and never sent counts as an attempt.
    UnsentIsAttempt,
    /// A process takes a claim whose response it has recorded for settled for ever.
    LandedIsSettled,
    /// What a DELETE aimed at is not looked for.
    DeleteNotLookedFor,
    /// V is nothing.
    NoVisibility,
    /// The endpoints are not listed after the claim of a service's DELETE.
    UsersNotListed,
    /// A VPC endpoint of a service that is gone is registered at the next one.
    StaleRegistered,
    /// A terminating object records, and forgets, what it may not delete.
    RecordsWhatStays,
    /// An entry is known by its service only.
    EntryByService,
    /// Unproven endpoints stay by default.
    UnprovenStays,
    /// Whatever is registered at the service counts as recorded.
    ListedIsRecorded,
    /// Q is as long as requests travel, and listings lag longer than that.
    ShortUncertainty,
    /// Of two objects, the younger one also writes.
    NoOldest,
}

impl Mutation {
    /// Returns the times of the protocol, or others.
    pub(crate) fn times(self) -> Times {
        match self {
            Self::NoDeadline => Times { create_deadline: Duration::MAX, ..times() },
            Self::NoVisibility => Times { visibility: Duration::ZERO, ..times() },
            Self::ShortUncertainty => Times { uncertainty: TICK, ..times() },
            _ => times(),
        }
    }

    /// Returns `true` if no claim is written for this request.
    pub(crate) fn is_unclaimed(self, target: ModelTarget) -> bool {
        match target {
            ModelTarget::Delete(_) => self == Self::DeleteUnclaimed,
            _ => self == Self::PostUnclaimed,
        }
    }

    /// Changes the input of the rules.
    pub(crate) fn before(self, o: &mut Observed, s: &ModelState, i: usize) {
        match self {
            Self::PostUnclaimed | Self::DeleteUnclaimed => {
                let target = o.object.claim.target();
                let is_unwritten = target.is_some_and(|target| {
                    matches!(target, ClaimTarget::Delete(_)) == (self == Self::DeleteUnclaimed)
                });
                if is_unwritten {
                    believe_current(o);
                }
            }
            Self::NoLookAgain | Self::OwnNotSeen => believe_current(o),
            Self::ClosedByBinding if !o.object.entries.is_empty() => {
                settle(o, |attempt| matches!(attempt.target, Some(ClaimTarget::Create(_))));
            }
            Self::ClosedByAnyNonce if o.object.settled.is_some() => {
                o.object.settled = o.object.claim.nonce().cloned();
                settle(o, |_| true);
            }
            Self::NoHeir => o.others.recorded.iter_mut().for_each(|(_, rivalry)| rivalry.heir = None),
            Self::NoOldest => {
                o.others.declared.older = None;
                o.others.recorded.iter_mut().for_each(|(_, rivalry)| rivalry.older = None);
            }
            Self::NoTarget => {
                for attempt in o.memory.attempts.iter_mut().filter(|a| a.outcome == AttemptOutcome::Unknown) {
                    attempt.target = None;
                }
            }
            Self::ClaimsForgotten => {
                let shown = o.object.claim.nonce().cloned();
                o.memory.attempts.retain(|attempt| Some(&attempt.nonce) == shown.as_ref());
            }
            Self::ClaimsByName => {
                o.others.declared.busy = None;
                o.others.recorded.iter_mut().for_each(|(_, rivalry)| rivalry.busy = None);
            }
            Self::BreakBeforeMake => {
                if let Ok(spec) = &mut o.spec {
                    spec.break_before_make = true;
                }
            }
            Self::UnsentIsAttempt => {
                let uncertainty = o.times.uncertainty;
                let unsent = |attempt: &&mut Attempt| {
                    attempt.outcome == AttemptOutcome::Settled
                        && matches!(attempt.target, Some(ClaimTarget::Delete(_)))
                };
                for attempt in o.memory.attempts.iter_mut().filter(unsent) {
                    attempt.outcome = AttemptOutcome::Unknown;
                    attempt.age = uncertainty;
                }
            }
            Self::LandedIsSettled => {
                let answered = s.controllers[i].answered;
                settle(o, |attempt| answered & bit(nonce_number(&attempt.nonce)) != 0);
            }
            Self::DeleteNotLookedFor => {
                for attempt in &mut o.memory.attempts {
                    let is_unknown = attempt.outcome == AttemptOutcome::Unknown;
                    attempt.target.take_if(|target| is_unknown && matches!(target, ClaimTarget::Delete(_)));
                }
            }
            Self::StaleRegistered => {
                let Listing::Fetched(shown) = &o.listing else { return };
                let services: Vec<_> = shown.services.iter().map(|service| service.id.clone()).collect();
                if !o.object.is_deleting && !services.is_empty() {
                    o.object.entries.retain(|entry| services.contains(&entry.life.service));
                }
            }
            Self::EntryByService => {
                let declared = o.subject.endpoint_id();
                for entry in o.object.entries.iter_mut().filter(|entry| entry.life.endpoint.is_some()) {
                    entry.life.endpoint.clone_from(&declared);
                }
            }
            Self::UnprovenStays if o.sort() == Sort::Endpoint => {
                for entry in o.object.entries.iter_mut().filter(|e| e.provenance == Provenance::Unproven) {
                    entry.provenance = Provenance::Adopted;
                }
            }
            Self::ListedIsRecorded if o.sort() == Sort::Endpoint && o.object.is_deleting => {
                record_all(o, s);
            }
            _ => {}
        }
    }

    /// Changes the output of the rules.
    pub(crate) fn after(self, decision: &mut Decision, o: &Observed, s: &ModelState) {
        match (self, &mut decision.step) {
            (Self::ClaimAgain, Step::Rest) => {
                let waits = matches!(decision.state, State::Creating(Creating::AwaitingOutcome(_)));
                let is_first = o.memory.last_write == domain::reconcile::WriteOutcome::Nothing;
                let target = o.object.claim.target().filter(|_| waits && is_first).cloned();
                if let Some(target @ ClaimTarget::Create(_)) = target {
                    decision.step = Step::Claim(target);
                }
            }
            (Self::NoSettling, Step::Rest | Step::List) => {
                let waits = matches!(decision.state, State::Deleting(Deleting::AwaitingOutcome(_)));
                if waits && o.object.entries.is_empty() {
                    decision.step = Step::Release;
                }
            }
            (Self::FoundIsCreated, Step::Record(entry, _)) if entry.provenance == Provenance::Unproven => {
                entry.provenance = Provenance::Created;
            }
            (Self::BornIsCreated, Step::Record(entry, _)) if entry.provenance == Provenance::Unproven => {
                let life = from_life(&entry.life);
                let age = o.claimed().map(|attempt| attempt.age);
                let is_since =
                    s.get(life).zip(age).is_some_and(|(thing, age)| TICK * u32::from(thing.born) <= age);
                if is_since {
                    entry.provenance = Provenance::Created;
                }
            }
            (Self::DeleteOnlyListed, Step::Claim(ClaimTarget::Delete(life))) => {
                let is_listed = matches!(&o.listing, Listing::Fetched(shown) if shown.is_listed(life));
                if !is_listed && o.object.is_deleting {
                    decision.step = Step::Forget(life.clone(), ForgetReason::Gone);
                }
            }
            (Self::RecordsWhatStays, _) if o.object.is_deleting => record_what_stays(decision, o, s),
            _ => {}
        }
    }
}

/// Makes the object look as it was claimed.
fn believe_current(o: &mut Observed) {
    o.others.is_current = true;
    o.others.claim = o.object.claim.nonce().cloned();
    o.others.is_deleting = o.object.is_deleting;
}

/// Makes attempts count as settled.
fn settle(o: &mut Observed, which: impl Fn(&Attempt) -> bool) {
    let open = |attempt: &&mut Attempt| attempt.outcome == AttemptOutcome::Unknown && which(attempt);
    for attempt in o.memory.attempts.iter_mut().filter(open) {
        attempt.outcome = AttemptOutcome::Settled;
    }
}

/// Makes all that is registered at the service count as recorded.
fn record_all(o: &mut Observed, s: &ModelState) {
    let Some(service) = s.service() else { return };
    for thing in s.endpoints_of(service.life.service) {
        let life = to_life(thing.life);
        if o.entry(&life).is_none() {
            let entry = o.new_entry(life, Provenance::Created);
            o.object.entries.push(entry);
        }
    }
}

/// Records what a claim aimed at and what may not be deleted; forgets what is recorded so.
fn record_what_stays(decision: &mut Decision, o: &Observed, s: &ModelState) {
    if decision.step != Step::Release {
        return;
    }
    let is_retained = o.spec.as_ref().is_ok_and(|spec| spec.deletion == Some(Deletion::Retain));
    if let Some(entry) = o.object.entries.first() {
        if entry.provenance == Provenance::Unproven {
            let reason = ForgetReason::Retained(RetainReason::Declared);
            decision.step = Step::Forget(entry.life.clone(), reason);
        }
        return;
    }
    let ClaimReading::Ours { target: ClaimTarget::Create(aimed), .. } = &o.object.claim else { return };
    let life: Option<Life> = match aimed {
        Some(life) => Some(life.clone()),
        None => s.service().map(|service| to_life(ModelLife { endpoint: 0, ..service.life })),
    };
    let Some(life) = life.filter(|life| s.get(from_life(life)).is_some()) else { return };
    if !is_retained {
        let entry: Entry = o.new_entry(life, Provenance::Unproven);
        decision.step = Step::Record(entry, None);
    }
}
