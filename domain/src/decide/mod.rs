//! The decision: every rule of the domain, and nothing else.
//!
//! [`decide`] is total and synchronous. It never reads a clock, draws a number, fails or acts, so that the
//! very function that runs in production is the one that is tested over its whole input space and model-checked.
//! The protocol is explained in docs/concepts/ownership.md, and the hole that each rule closes in tests/scenarios/holes.rs.

mod create;
mod delete;
mod keep;

use std::time::Duration;

use crate::decision::{ConfirmedAbsence, Creating, Decision, Origin, Requeue, Rival, State, Step};
use crate::endpoint::{Endpoint, EndpointId, EndpointStatus};
use crate::fault::{Fault, FaultKind};
use crate::message::Message;
use crate::observed::{
    Attempt, AttemptOutcome, CredentialsInUse, Listing, Observed, Owner, Spec, WriteOutcome,
};
use crate::ownership::{ClaimReading, Nonce, mark_of};

/// How often a Secret is read that holds a key that Atlas does not accept, and when one is read again that was missing once.
/// Secrets are not watched.
const SECRET_RECHECK: Duration = Duration::from_secs(15);

/// What to do about what was seen.
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
            None => rest(State::ListingFailed(fault.clone()), retry(fault)),
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

/// A step; the state says what is true if the step comes to nothing.
fn act(step: Step, state: State) -> Decision {
    Decision { step, state, requeue: Requeue::Poll, absent: None }
}

fn list(o: &Observed) -> Decision {
    act(Step::List, current_state(o))
}

/// What is true of the object before Atlas was asked.
fn current_state(o: &Observed) -> State {
    match &o.object.recorded {
        Some(recorded) => State::Recorded(keep::recorded_state(o, recorded)),
        None => State::Creating(Creating::Pending),
    }
}

/// How long it takes until another response may confirm that the instance, or this API, is no more; `None` if Atlas does not
/// say so, or has said it twice, at least G apart, and did nothing for the instance in between.
fn unconfirmed(o: &Observed, fault: &Fault) -> Option<Duration> {
    let first = o.memory.gone.iter().find(|(kind, _)| *kind == fault.kind);
    let age = first.map_or(Duration::ZERO, |(_, age)| *age);
    // However short G is, one response is one.
    let gap =
        if age.is_zero() { o.times.confirm_gap.max(Duration::from_millis(1)) } else { o.times.confirm_gap };
    let remaining = gap.saturating_sub(age);
    (fault.kind.says_gone() && !remaining.is_zero()).then_some(remaining)
}

/// How long to leave Atlas alone after `fault`. Final answers are looked at again at the object's own interval; what a
/// corrected Secret would cure, as often as Secrets are read.
fn retry(fault: &Fault) -> Requeue {
    match fault.kind {
        FaultKind::InstanceNotFound | FaultKind::NotServerless | FaultKind::Retired => Requeue::Interval,
        // Whoever reads Secrets knows when this one is read next: ever more rarely while it stays missing.
        FaultKind::CredentialsNotFound => {
            Requeue::After(fault.retry_after.filter(|pause| !pause.is_zero()).unwrap_or(SECRET_RECHECK))
        }
        FaultKind::Unauthorized | FaultKind::Forbidden | FaultKind::NoAccess => {
            Requeue::After(SECRET_RECHECK)
        }
        _ => Requeue::Retry(fault.retry_after.unwrap_or(Duration::ZERO)),
    }
}

/// The same after a write that Atlas refused to credentials which it lets read: it waits for somebody to give them the role, as
/// long as for whatever else a user has to do.
fn retry_write(fault: &Fault) -> Requeue {
    match fault.kind {
        FaultKind::Unauthorized | FaultKind::Forbidden | FaultKind::NoAccess => Requeue::Await,
        _ => retry(fault),
    }
}

/// An endpoint that our POST made and that no status carries yet is recorded before anything else, under the claim that
/// it was made for. Under another claim it is looked for by its mark: it may have gone long since.
fn record_created(o: &Observed) -> Option<Decision> {
    let claimed = o.object.claim.open_nonce(o.recorded())?;
    let attempt = o.memory.attempts.iter().find(|attempt| attempt.nonce == *claimed)?;
    let AttemptOutcome::Created(endpoint) = &attempt.fate else {
        return None;
    };
    let state = State::Recorded(keep::recorded_state(o, endpoint));
    Some(act(Step::Record { endpoint: endpoint.clone(), origin: Origin::Created }, state))
}

/// The attempts that may still land, or whose landing no listing has disproved yet. The claim on the object is
/// one of them while it is open, known to this process or not.
fn open_attempts(o: &Observed) -> impl Iterator<Item = Attempt> + '_ {
    let claimed = o.object.claim.open_nonce(o.recorded());
    let unseen = claimed.filter(|nonce| o.memory.attempts.iter().all(|attempt| attempt.nonce != **nonce));
    o.memory.attempts.iter().filter(|attempt| attempt.fate.is_open()).cloned().chain(
        unseen.map(|nonce| Attempt {
            nonce: nonce.clone(),
            age: Duration::ZERO,
            fate: AttemptOutcome::Unknown,
        }),
    )
}

/// How long it takes until no attempt can land any more; `None` if none can.
fn remaining_uncertainty(o: &Observed) -> Option<Duration> {
    open_attempts(o)
        .map(|attempt| o.times.uncertainty.saturating_sub(attempt.age))
        .max()
        .filter(|remaining| !remaining.is_zero())
}

/// How long it takes until a listing would show what was recorded and is recorded no more; `None` if it does.
fn remaining_lag(o: &Observed) -> Option<Duration> {
    let age = o.memory.forgotten.filter(|_| o.object.recorded.is_none())?;
    Some(o.times.visibility.saturating_sub(age)).filter(|remaining| !remaining.is_zero())
}

/// This listing and one at least G before it have both confirmed `absence`.
fn absent_twice(o: &Observed, absence: ConfirmedAbsence) -> bool {
    o.memory.absent.is_some_and(|(what, span)| what == absence && span >= o.times.confirm_gap)
}

/// Remembers this listing as a confirmation and waits for the second.
fn confirm_absence(o: &Observed, absence: ConfirmedAbsence, state: State) -> Decision {
    confirmed(absence, rest(state, Requeue::After(o.times.confirm_gap)))
}

/// Marks a decision that follows a confirming listing, so that the run of confirmations is not broken.
fn confirmed(absence: ConfirmedAbsence, decision: Decision) -> Decision {
    Decision { absent: Some(absence), ..decision }
}

/// Finalizer and claim as a living object carries them. A claim of another cluster is left alone once an endpoint
/// is recorded: whoever keeps putting it back (a Git repository) would otherwise fight us for ever.
fn is_held(o: &Observed) -> bool {
    let claimed = match o.object.claim {
        ClaimReading::Ours { .. } => true,
        ClaimReading::Foreign(_) => o.object.recorded.is_some(),
        _ => false,
    };
    claimed && o.object.finalizer
}

/// Puts back what somebody took off the object. An attempt that may still land is announced again under its own
/// nonce, as open as it was.
fn restore_claim(o: &Observed, recorded: Option<&EndpointId>) -> Step {
    let nonce = youngest_unsettled(o);
    Step::Claim {
        replaced: nonce.as_ref().and(recorded).cloned(),
        nonce,
        stale_vpc_endpoint: o.object.stale_vpc_endpoint.as_ref().map(ToString::to_string),
    }
}

/// The attempt that may land for the longest time.
fn youngest_unsettled(o: &Observed) -> Option<Nonce> {
    let youngest = open_attempts(o).min_by_key(|attempt| attempt.age)?;
    (youngest.age < o.times.uncertainty).then_some(youngest.nonce)
}

/// Our endpoints that Atlas is not removing, the most advanced first; of equals the one listed first.
fn ours<'a>(o: &Observed, listing: &'a [Endpoint]) -> Vec<&'a Endpoint> {
    let mut ours: Vec<_> =
        listing.iter().filter(|e| o.is_ours(e) && e.status != EndpointStatus::Deleting).collect();
    ours.sort_by_key(|e| std::cmp::Reverse(e.status.progress()));
    ours
}

/// Who else's mark the endpoint carries, unless the user named both the endpoint and that owner to take it over from. With the
/// default credentials the word is not enough: a token is no secret, so any namespace that they serve could write it. There
/// nothing is taken over unless it is known that no living object of another namespace owns it.
fn rival(o: &Observed, spec: &Spec, endpoint: &Endpoint) -> Option<Rival> {
    let token = mark_of(&endpoint.comment).filter(|owner| *owner != o.object.token)?;
    let named = spec.endpoint_id.as_ref() == Some(&endpoint.id);
    let word = named && o.object.take_over.as_ref() == Some(&token);
    match o.owners.get(&token) {
        Some(Owner::Elsewhere) | None if o.credentials == CredentialsInUse::Default => Some(Rival::Protected),
        _ if word => None,
        Some(Owner::Neighbor(name)) => Some(Rival::Neighbor { name: name.clone(), token }),
        _ => Some(Rival::Stranger(token)),
    }
}

/// Nothing was written yet in this reconcile, and the key may write what is not a DELETE.
fn may_write(o: &Observed) -> bool {
    o.memory.last_write == WriteOutcome::Nothing && !matches!(o.credentials, CredentialsInUse::Remembered(_))
}

/// Why the write of this reconcile was not done. That the instance, or this API, is no more is a refusal like any other
/// there: the listing before it showed the opposite.
fn refused(o: &Observed) -> Option<Fault> {
    let WriteOutcome::Refused(fault) = &o.memory.last_write else { return None };
    if !fault.kind.says_gone() {
        return Some(fault.clone());
    }
    let next = if fault.next.is_empty() { Message::default() } else { fault.next.clone().then("; ") };
    let next = next.then("yet Atlas has just listed what the instance has, so it is tried again");
    Some(Fault { kind: FaultKind::Refused, next, ..fault.clone() })
}
