//! The decision: every rule of services and endpoints, and nothing else.
//!
//! [`decide`] is total and synchronous. It never reads a clock, draws a number, fails or acts. Both kinds share it; they differ in what
//! is deleted by default ([`Sort`]), in what another life looks like, and in that an endpoint's replacement is made before the former
//! one is removed. Creating is idempotent by the natural keys of Atlas, so nothing can be doubled; what can be lost is what others use.
//! So a claim precedes each POST and each DELETE, and nothing is deleted that the object never named.

mod living;
mod remote_regions;
mod terminating;

pub(super) use living::is_usable;
pub(super) use remote_regions::{declared_otherwise, were_in_force};

use std::time::Duration;

use crate::access::CredentialsInUse;
use crate::fault::Fault;
use crate::reconcile::WriteOutcome;
use crate::requeue::Requeue;

use super::claim::ClaimTarget;
use super::decision::{Decision, Deleting, Doubt, ForgetReason, RetainReason, State, Step};
use super::life::{Entry, Life, Provenance, Sort};
use super::observed::{Attempt, AttemptOutcome, Deletion, Listing, Observed, Shown};

/// Returns what to do about what was observed.
#[must_use]
pub fn decide(o: &Observed) -> Decision {
    if o.object.is_deleting { terminating::decide(o) } else { living::decide(o) }
}

fn rest(state: State, requeue: Requeue) -> Decision {
    Decision { step: Step::Rest, state, requeue, doubt: None }
}

/// A step to take. `state` is what to report if the step has no effect.
fn act(step: Step, state: State) -> Decision {
    Decision { step, state, requeue: Requeue::Poll, doubt: None }
}

/// Remembers this listing as the first that contradicts the status, and waits for the second.
fn doubted(o: &Observed, doubt: Doubt) -> Decision {
    Decision { doubt: Some(doubt), ..rest(State::Doubted, Requeue::After(o.times.confirm_gap)) }
}

/// Marks a decision that follows a confirming listing, so that the run of confirmations is not broken.
fn confirmed(doubt: Doubt, decision: Decision) -> Decision {
    Decision { doubt: Some(doubt), ..decision }
}

/// Returns `true` if this listing and one at least G before it both contradict the status in this.
fn is_confirmed(o: &Observed, doubt: &Doubt) -> bool {
    o.memory.doubt.as_ref().is_some_and(|(known, span)| known == doubt && *span >= o.times.confirm_gap)
}

/// Records what our POST created and no status carries yet, before anything else, under the claim of that POST. Under another claim
/// it is found by a listing instead.
fn record_created(o: &Observed) -> Option<Decision> {
    let attempt = o.claimed()?;
    let AttemptOutcome::Created(life) = &attempt.outcome else { return None };
    let entry = o.new_entry(life.clone(), Provenance::Created);
    Some(act(Step::Record(entry, Some(attempt.nonce.clone())), State::Doubted))
}

/// Returns the attempts that may still take effect.
fn open_attempts(o: &Observed) -> impl Iterator<Item = &Attempt> {
    o.memory.attempts.iter().filter(|attempt| {
        let is_unsettled = o.object.settled.as_ref() != Some(&attempt.nonce);
        let is_open = match &attempt.outcome {
            AttemptOutcome::Unknown | AttemptOutcome::Created(_) => true,
            AttemptOutcome::NotSent => false,
            // As long as a listing may omit it, too.
            AttemptOutcome::Settled => is_target_lost(o, attempt),
        };
        is_unsettled && is_open && attempt.age < o.times.uncertainty
    })
}

/// Returns how long an attempt may still take effect; `None` if none can.
fn remaining(o: &Observed) -> Option<Duration> {
    open_attempts(o).map(|attempt| o.times.uncertainty.saturating_sub(attempt.age)).max()
}

/// Returns the claimed attempt that this process may send now, if it is for this target.
fn sendable(o: &Observed, target: &ClaimTarget) -> Option<Step> {
    let attempt = o.claimed()?;
    let is_ready =
        attempt.outcome == AttemptOutcome::NotSent && attempt.age < o.times.create_deadline && may_write(o);
    (is_ready && o.object.claim.target() == Some(target))
        .then(|| Step::Send(attempt.nonce.clone(), target.clone()))
}

/// Returns `true` if, since the claim, the object is as it was when it was claimed.
fn is_as_claimed(o: &Observed) -> bool {
    o.others.is_current
        && o.others.claim.as_ref() == o.object.claim.nonce()
        && o.others.is_deleting == o.object.is_deleting
}

/// Returns `true` if this reconcile has written nothing to Atlas yet.
fn may_write(o: &Observed) -> bool {
    let is_remembered = matches!(o.credentials, CredentialsInUse::Remembered(_));
    o.memory.last_write == WriteOutcome::Nothing && (o.object.is_deleting || !is_remembered)
}

/// Returns why this reconcile's write failed.
fn refused(o: &Observed) -> Option<&Fault> {
    match &o.memory.last_write {
        WriteOutcome::Refused(fault) => Some(fault),
        WriteOutcome::Nothing | WriteOutcome::Done => None,
    }
}

/// Returns how the object comes to a life that a listing shows: it may be its own while a claim for it has no response.
fn provenance(o: &Observed, life: &Life) -> Provenance {
    let is_create_of = |target: Option<&ClaimTarget>| match target {
        Some(ClaimTarget::Create(claimed)) => claimed.as_ref().is_none_or(|claimed| claimed == life),
        Some(ClaimTarget::Delete(_)) | None => false,
    };
    let is_answered = o.object.settled.as_ref() == o.object.claim.nonce()
        || o.claimed().is_some_and(|attempt| attempt.outcome == AttemptOutcome::Settled);
    let may_be_own = is_create_of(o.object.claim.target()) && !is_answered
        || unanswered(o).any(|attempt| is_create_of(attempt.target.as_ref()));
    if may_be_own { Provenance::Unproven } else { Provenance::Adopted }
}

/// Returns the attempts of this object that no response has settled. Time settles them, too, but what they aimed at may be there: what
/// the object still claims is looked for always, and what was claimed before, as long as a listing may omit what has landed last.
fn unanswered(o: &Observed) -> impl Iterator<Item = &Attempt> {
    o.memory.attempts.iter().filter(|attempt| {
        let is_claimed = o.object.claim.nonce() == Some(&attempt.nonce);
        let may_have_landed = match &attempt.outcome {
            AttemptOutcome::Unknown | AttemptOutcome::Created(_) => true,
            AttemptOutcome::NotSent => false,
            AttemptOutcome::Settled => is_target_lost(o, attempt),
        };
        let is_recent = attempt.age < o.times.uncertainty + o.times.visibility;
        may_have_landed
            && (is_claimed || attempt.is_own && is_recent)
            && o.object.settled.as_ref() != Some(&attempt.nonce)
    })
}

/// Returns `true` if the claim is a DELETE that was refused, or never sent, of what the status has lost since: it is there still.
pub(super) fn is_target_lost(o: &Observed, attempt: &Attempt) -> bool {
    let Some(ClaimTarget::Delete(life)) = &attempt.target else { return false };
    let is_claimed = o.object.claim.nonce() == Some(&attempt.nonce);
    is_claimed && answered(o, life).is_none() && o.entry(life).is_none()
}

/// Returns what an unanswered claim aimed at, if the listing shows it and the status does not record it.
fn landed(o: &Observed, shown: &Shown, with_deletes: bool) -> Option<Entry> {
    unanswered(o).find_map(|attempt| {
        let life = match attempt.target.as_ref()? {
            ClaimTarget::Create(Some(life)) => life.clone(),
            ClaimTarget::Create(None) => match &o.subject {
                super::observed::Subject::Service(key) => {
                    Life { service: shown.service_of(key)?.id.clone(), endpoint: None }
                }
                _ => return None,
            },
            ClaimTarget::Delete(life) if with_deletes => life.clone(),
            ClaimTarget::Delete(_) => return None,
        };
        let life = shown.as_listed(&life)?;
        let is_new = !is_being_removed(shown, &life) && o.entry(&life).is_none();
        is_new.then(|| o.new_entry(life, Provenance::Unproven))
    })
}

/// Returns what an unanswered claim aimed at, if the listing shows it, and it is neither recorded nor to be deleted: it stays.
pub(super) fn left_behind(o: &Observed) -> Option<Entry> {
    let Listing::Fetched(shown) = &o.listing else { return None };
    landed(o, shown, true).filter(|entry| !o.may_delete(entry))
}

/// Returns `true` if Atlas is removing what it shows.
fn is_being_removed(shown: &Shown, life: &Life) -> bool {
    use super::endpoint::ConnectionStatus;
    use super::service::ServiceStatus;
    match &life.endpoint {
        None => shown.service(&life.service).is_some_and(|service| service.status == ServiceStatus::Deleting),
        Some(_) => match shown.endpoints.get(life) {
            Some(Ok(Some(endpoint))) => {
                endpoint.is_delete_requested || endpoint.status == ConnectionStatus::Deleting
            }
            _ => false,
        },
    }
}

/// Returns the time since Atlas responded to the claimed DELETE of a life, if it did.
fn answered(o: &Observed, life: &Life) -> Option<Duration> {
    o.memory.deleted.as_ref().filter(|(deleted, _)| deleted == life).map(|(_, ago)| *ago)
}

/// Returns `true` if a recorded life is over: its DELETE was answered and a later listing does not show it, or a DELETE of unknown
/// outcome can no longer take effect and the listing does not show it. A listing alone ends nothing.
fn is_gone(o: &Observed, shown: &Shown, life: &Life) -> bool {
    let answered = answered(o, life);
    // Only of the claim on the object: an earlier DELETE may have been that of an earlier life under the same URL.
    let is_settled = || {
        o.claimed().is_some_and(|attempt| {
            attempt.target.as_ref() == Some(&ClaimTarget::Delete(life.clone()))
                && attempt.outcome == AttemptOutcome::Unknown
                && attempt.age >= o.times.uncertainty
        })
    };
    if shown.is_listed(life) {
        // An endpoint that is there and not being removed is another life under the same URL.
        let is_another =
            matches!(shown.endpoints.get(life), Some(Ok(Some(_)))) && !is_being_removed(shown, life);
        return is_another && answered.is_some_and(|ago| !ago.is_zero());
    }
    answered.is_some_and(|ago| !ago.is_zero()) || is_settled()
}

/// Returns why an entry stays in Atlas, if it does: this is rule 6, and the heir.
pub(super) fn retained(o: &Observed, entry: &Entry) -> Option<RetainReason> {
    if let Some(heir) = o.rivalry(&entry.life).heir {
        return Some(RetainReason::Heir(heir));
    }
    if let Err(why) = &o.spec {
        return Some(RetainReason::Invalid(why.clone()));
    }
    let is_declared =
        o.spec.as_ref().is_ok_and(|spec| spec.observe || spec.deletion == Some(Deletion::Retain));
    match (o.may_delete(entry), is_declared) {
        (true, _) => None,
        (false, true) => Some(RetainReason::Declared),
        (false, false) => Some(RetainReason::NotOurs(entry.clone())),
    }
}

/// Deletes a recorded life: claims, sends, and waits until it is gone. `state` is what is reported meanwhile.
fn delete(o: &Observed, shown: &Shown, life: &Life, state: impl Fn(Deleting) -> State) -> Decision {
    let target = ClaimTarget::Delete(shown.as_listed(life).unwrap_or_else(|| life.clone()));
    if is_gone(o, shown, life) {
        return act(Step::Forget(life.clone(), ForgetReason::Gone), state(Deleting::InProgress));
    }
    if let Some(fault) = refused(o) {
        return rest(state(Deleting::Failed(fault.clone())), Requeue::after_refusal(fault));
    }
    let rivalry = o.rivalry(life);
    let rival = rivalry.older.map(|(older, _)| Some(older)).or(rivalry.busy.map(|_| None));
    if let Some(rival) = rival {
        let requeue = rivalry.busy.map_or(Requeue::Await, Requeue::After);
        return rest(state(Deleting::Rival(rival)), requeue);
    }
    // What is still there long after Atlas accepted its DELETE, and is not being removed, is deleted again.
    let is_answered = answered(o, life).is_some_and(|ago| ago < o.times.visibility);
    if is_answered || is_being_removed(shown, life) || o.memory.last_write != WriteOutcome::Nothing {
        return rest(state(Deleting::InProgress), Requeue::Poll);
    }
    if let Some(send) = sendable(o, &target) {
        return if is_as_claimed(o) {
            act(send, state(Deleting::InProgress))
        } else {
            rest(state(Deleting::InProgress), Requeue::Poll)
        };
    }
    if let Some(remaining) = remaining(o) {
        return rest(state(Deleting::AwaitingOutcome(remaining)), Requeue::Poll);
    }
    if o.claimed().is_some_and(|attempt| attempt.outcome == AttemptOutcome::NotSent) {
        // It is too late to send what was claimed.
        return rest(state(Deleting::InProgress), Requeue::Poll);
    }
    if is_settled_elsewhere(o, &target) {
        return rest(state(Deleting::InProgress), Requeue::Poll);
    }
    act(Step::Claim(target), state(Deleting::InProgress))
}

/// Returns `true` if another process has just settled the claimed DELETE: it knows the outcome, which this one does not, and looks for
/// what has become of the life. Another claim would make it forget that, and two processes could go on so for ever.
fn is_settled_elsewhere(o: &Observed, target: &ClaimTarget) -> bool {
    let is_same = o.claimed().is_some_and(|attempt| {
        attempt.outcome == AttemptOutcome::Unknown && attempt.target.as_ref() == Some(target)
    });
    is_same && o.object.settled.as_ref() == o.object.claim.nonce() && o.memory.recorded < o.times.confirm_gap
}

/// Returns what is shown, once it was read; before that and after a failure, what to do instead.
fn listed(o: &Observed, failed: impl Fn(&Fault) -> State, state: State) -> Result<&Shown, Box<Decision>> {
    match &o.listing {
        Listing::NotFetched => Err(Box::new(act(Step::List, state))),
        Listing::Failed(fault) => Err(Box::new(rest(failed(fault), Requeue::after_fault(fault)))),
        Listing::Fetched(shown) => Ok(shown),
    }
}

/// Returns `true` if the rules are those of an endpoint.
fn is_endpoint(o: &Observed) -> bool {
    o.sort() == Sort::Endpoint
}
