//! The decision: every rule of the domain, and nothing else.
//!
//! [`decide`] is total and synchronous. It never reads a clock, draws a number, fails or acts, so that the
//! very function that runs in production is the one that is tested over its whole input space and model-checked.
//! The protocol is explained in `docs/concepts/ownership.md`, and `tests/scenarios/known_races.rs` has the race that each rule
//! prevents.

mod create;
mod delete;
mod keep;

use std::time::Duration;

use crate::access::CredentialsInUse;
use crate::fault::{Fault, FaultKind};
use crate::requeue::Requeue;
use crate::serverless::decision::{
    ConfirmedAbsence, Creating, Decision, Origin, Recorded, Rival, State, Step,
};
use crate::serverless::endpoint::{Endpoint, EndpointId};
use crate::serverless::observed::{Attempt, AttemptOutcome, Listing, Observed, Owner, Spec, WriteOutcome};
use crate::serverless::ownership::{ClaimReading, Nonce, mark_of};
use crate::status::Message;

/// Returns what to do about what was observed.
#[must_use]
pub fn decide(o: &Observed) -> Decision {
    if o.object.deleting { delete::decide(o) } else { decide_live(o) }
}

fn decide_live(o: &Observed) -> Decision {
    if let Some(record) = record_created(o) {
        return record;
    }
    let spec = match &o.spec {
        Ok(spec) => spec,
        Err(why) => return rest(State::Invalid(why.clone()), Requeue::OnChange),
    };
    if let Some(recorded) = o.recorded()
        && !spec.observe
        && !is_held(o)
    {
        return act(restore_claim(o, Some(recorded)), current_state(o));
    }
    if spec.suspend && open_attempts(o).next().is_none() {
        return rest(State::Suspended, Requeue::OnChange);
    }
    match &o.listing {
        Listing::NotFetched => list(o),
        Listing::Failed(fault) => match unconfirmed(o, fault) {
            Some(remaining) => rest(State::Unconfirmed(fault.clone()), Requeue::After(remaining)),
            None => rest(State::ListingFailed(fault.clone()), Requeue::after_fault(fault)),
        },
        Listing::Fetched(listing) => match &o.object.recorded {
            Some(recorded) => keep::decide(o, spec, listing, recorded),
            None => create::decide(o, spec, listing, None),
        },
    }
}

fn rest(state: State, requeue: Requeue) -> Decision {
    Decision { step: Step::Rest, state, requeue, absent: None }
}

/// A step to take. `state` is what to report if the step has no effect.
fn act(step: Step, state: State) -> Decision {
    Decision { step, state, requeue: Requeue::Poll, absent: None }
}

fn list(o: &Observed) -> Decision {
    act(Step::List, current_state(o))
}

/// Returns the state of the object before a listing.
fn current_state(o: &Observed) -> State {
    match &o.object.recorded {
        Some(recorded) => State::Recorded(recorded_state(o, recorded)),
        None => State::Creating(Creating::Pending),
    }
}

/// Returns the state of the endpoint as it was last shown, without any trouble.
fn recorded_state(o: &Observed, endpoint: &Endpoint) -> Recorded {
    Recorded {
        endpoint: endpoint.clone(),
        contradicted: false,
        unconfirmed: o.memory.adopted.is_some_and(|since| since < o.times.confirm_gap),
        refused: None,
        duplicates: Vec::new(),
    }
}

/// Returns how long it takes until another response may confirm that the instance, or this API, is gone. `None` if Atlas does
/// not say so, or has said it twice, at least G apart, with no other response in between.
fn unconfirmed(o: &Observed, fault: &Fault) -> Option<Duration> {
    let first = o.memory.gone.iter().find(|(kind, _)| *kind == fault.kind);
    let age = first.map_or(Duration::ZERO, |(_, age)| *age);
    // However short G is, one response is one.
    let gap =
        if age.is_zero() { o.times.confirm_gap.max(Duration::from_millis(1)) } else { o.times.confirm_gap };
    let remaining = gap.saturating_sub(age);
    (fault.kind.reports_gone() && !remaining.is_zero()).then_some(remaining)
}

/// Records an endpoint that our POST created and that no status carries yet, before anything else, under the claim of that
/// POST. Under another claim it is found by its mark instead: it may have been deleted long ago.
fn record_created(o: &Observed) -> Option<Decision> {
    let claimed = o.object.claim.open_nonce(o.recorded())?;
    let attempt = o.memory.attempts.iter().find(|attempt| attempt.nonce == *claimed)?;
    let AttemptOutcome::Created(endpoint) = &attempt.outcome else {
        return None;
    };
    let state = State::Recorded(recorded_state(o, endpoint));
    Some(act(Step::Record { endpoint: endpoint.clone(), origin: Origin::Created }, state))
}

/// Returns the attempts that may still land, or whose landing no listing has disproved yet. The claim on the object is one of
/// them while it is open, known to this process or not.
fn open_attempts(o: &Observed) -> impl Iterator<Item = Attempt> + '_ {
    let claimed = o.object.claim.open_nonce(o.recorded());
    let unseen = claimed.filter(|nonce| o.memory.attempts.iter().all(|attempt| attempt.nonce != **nonce));
    o.memory.attempts.iter().filter(|attempt| attempt.outcome.is_open()).cloned().chain(
        unseen.map(|nonce| Attempt {
            nonce: nonce.clone(),
            age: Duration::ZERO,
            outcome: AttemptOutcome::Unknown,
        }),
    )
}

/// Returns how long an attempt may still land; `None` if none can.
fn remaining_uncertainty(o: &Observed) -> Option<Duration> {
    open_attempts(o)
        .map(|attempt| o.times.uncertainty.saturating_sub(attempt.age))
        .max()
        .filter(|remaining| !remaining.is_zero())
}

/// Returns how long a listing may still omit an endpoint that was recorded and no longer is; `None` if it would show it.
fn remaining_lag(o: &Observed) -> Option<Duration> {
    let age = o.memory.forgotten.filter(|_| o.object.recorded.is_none())?;
    Some(o.times.visibility.saturating_sub(age)).filter(|remaining| !remaining.is_zero())
}

/// Returns `true` if this listing and one at least G before it both show `absence`.
fn absent_twice(o: &Observed, absence: ConfirmedAbsence) -> bool {
    o.memory.absent.is_some_and(|(what, span)| what == absence && span >= o.times.confirm_gap)
}

/// Remembers this listing as the first confirmation and waits for the second.
fn confirm_absence(o: &Observed, absence: ConfirmedAbsence, state: State) -> Decision {
    confirmed(absence, rest(state, Requeue::After(o.times.confirm_gap)))
}

/// Marks a decision that follows a confirming listing, so that the run of confirmations is not broken.
fn confirmed(absence: ConfirmedAbsence, decision: Decision) -> Decision {
    Decision { absent: Some(absence), ..decision }
}

/// Returns `true` if finalizer and claim are as a living object carries them. A claim of another cluster is not replaced once an
/// endpoint is recorded, because a Git repository that keeps restoring it would fight the operator without end.
fn is_held(o: &Observed) -> bool {
    let claimed = match o.object.claim {
        ClaimReading::Ours { .. } => true,
        ClaimReading::Foreign(_) => o.object.recorded.is_some(),
        _ => false,
    };
    claimed && o.object.finalizer
}

/// Restores a finalizer or claim that was removed. An attempt that may still land is announced again under its own nonce,
/// as open as it was.
fn restore_claim(o: &Observed, recorded: Option<&EndpointId>) -> Step {
    let nonce = youngest_unsettled(o);
    Step::Claim {
        replaced: nonce.as_ref().and(recorded).cloned(),
        nonce,
        stale_vpc_endpoint: o.object.stale_vpc_endpoint.as_ref().map(ToString::to_string),
    }
}

/// Returns the attempt that may land for the longest time.
fn youngest_unsettled(o: &Observed) -> Option<Nonce> {
    let youngest = open_attempts(o).min_by_key(|attempt| attempt.age)?;
    (youngest.age < o.times.uncertainty).then_some(youngest.nonce)
}

/// Returns our endpoints that Atlas is not removing, the most advanced first, and equals in the order of the listing.
fn ours<'a>(o: &Observed, listing: &'a [Endpoint]) -> Vec<&'a Endpoint> {
    let mut ours: Vec<_> = listing.iter().filter(|e| o.is_ours(e) && !e.status.facts().is_deleting).collect();
    ours.sort_by_key(|e| std::cmp::Reverse(e.status.facts().rank));
    ours
}

/// Returns the other owner whose mark the endpoint carries, unless the user named both the endpoint and that owner to take it
/// over. With the default credentials that is not enough: a token is no secret, so any namespace that they serve could write
/// it. There an endpoint is taken over only if it is known that no living object of another namespace owns it, and one without a
/// mark only if no such object has recorded or named it first.
fn rival(o: &Observed, spec: &Spec, endpoint: &Endpoint) -> Option<Rival> {
    if is_protected(o, endpoint) {
        return Some(Rival::Protected);
    }
    let token = mark_of(&endpoint.comment).filter(|owner| *owner != o.object.token)?;
    let named = spec.endpoint_id.as_ref() == Some(&endpoint.id);
    let allowed = named && o.object.take_over.as_ref() == Some(&token);
    match o.owners.get(&token) {
        Some(Owner::Elsewhere) | None if o.credentials == CredentialsInUse::Default => Some(Rival::Protected),
        _ if allowed => None,
        Some(Owner::Neighbor(name)) => Some(Rival::Neighbor { name: name.clone(), token }),
        _ => Some(Rival::Unknown(token)),
    }
}

/// Returns `true` if the default credentials leave the endpoint to an object of another namespace that has recorded or named it
/// first.
fn is_protected(o: &Observed, endpoint: &Endpoint) -> bool {
    o.credentials == CredentialsInUse::Default && !o.is_ours(endpoint) && o.elsewhere.contains(&endpoint.id)
}

/// Returns `true` if this reconcile has written nothing yet and its credentials allow more than a DELETE.
fn may_write(o: &Observed) -> bool {
    o.memory.last_write == WriteOutcome::Nothing && !matches!(o.credentials, CredentialsInUse::Remembered(_))
}

/// Returns why this reconcile's write failed. A response that the instance, or this API, is gone is an ordinary refusal here:
/// the listing before it showed the opposite.
fn refused(o: &Observed) -> Option<Fault> {
    let WriteOutcome::Refused(fault) = &o.memory.last_write else { return None };
    if !fault.kind.reports_gone() {
        return Some(fault.clone());
    }
    let next = if fault.next.is_empty() { Message::default() } else { fault.next.clone().then("; ") };
    let next = next.then("Atlas has just listed the endpoints of this instance, so the operator retries");
    Some(Fault { kind: FaultKind::Refused, next, ..fault.clone() })
}
