//! The object is being deleted: remove the endpoint, make sure that it is gone, then release the object.
//!
//! This file never releases an object while a create request may still land or while Atlas may still hold its
//! endpoint, unless the user declared to retain it or it belongs to another owner.

use std::time::Duration;

use crate::access::CredentialsInUse;
use crate::fault::Fault;
use crate::requeue::Requeue;
use crate::serverless::decision::{ConfirmedAbsence, Decision, Deleting, Origin, ReleaseReason, State, Step};
use crate::serverless::endpoint::{Endpoint, EndpointId};
use crate::serverless::observed::{Deleted, Listing, Observed, Spec, WriteOutcome};
use crate::serverless::ownership::{ClaimReading, mark_of, marked_comment};

use super::{
    absent_twice, act, confirm_absence, is_protected, open_attempts, ours, record_created, refused,
    remaining_lag, remaining_uncertainty, rest, unconfirmed,
};

pub(super) fn decide(o: &Observed) -> Decision {
    if !o.object.finalizer {
        return rest(State::Deleting(Deleting::InProgress), Requeue::OnChange);
    }
    if let Some(record) = record_created(o).filter(|_| !o.memory.unrecorded) {
        return record;
    }
    let foreign = matches!(o.object.claim, ClaimReading::Foreign(_)) && o.object.recorded.is_none();
    match &o.spec {
        _ if foreign => release_retained(o),
        Ok(spec) if spec.retain || spec.observe => release_retained(o),
        Ok(spec) => remove(o, spec),
        // Our finalizer shows that the spec once was valid, so there may be an endpoint.
        Err(why) => rest(State::Invalid(why.clone()), Requeue::OnChange),
    }
}

/// Releases the object and leaves its endpoint in Atlas, once every attempt is settled: a POST that lands later would be lost.
fn release_retained(o: &Observed) -> Decision {
    let Some(remaining) = remaining_uncertainty(o) else {
        return release(ReleaseReason::Retained);
    };
    let waiting = rest(State::Deleting(Deleting::AwaitingOutcome(remaining)), Requeue::After(remaining));
    match &o.listing {
        Listing::NotFetched if o.spec.is_ok() => act(Step::List, waiting.state),
        Listing::Fetched(listing) => record_landed(o, listing).unwrap_or(waiting),
        // The clock suffices: a release never depends on credentials.
        Listing::NotFetched | Listing::Failed(_) => waiting,
    }
}

fn remove(o: &Observed, spec: &Spec) -> Decision {
    match (&o.listing, refused(o)) {
        (Listing::NotFetched, _) => act(Step::List, State::Deleting(Deleting::InProgress)),
        (Listing::Failed(fault), _) if fault.kind.reports_gone() => gone(o, fault),
        (Listing::Failed(fault), _) => blocked(fault.clone(), Requeue::after_fault(fault)),
        (_, Some(fault)) => {
            let requeue = Requeue::after_refusal(&fault);
            blocked(fault, requeue)
        }
        // A listing proves nothing about a write whose response came after it was sent.
        (Listing::Fetched(_), None) if o.memory.last_write != WriteOutcome::Nothing => {
            rest(State::Deleting(Deleting::InProgress), Requeue::Poll)
        }
        (Listing::Fetched(listing), None) => listed(o, spec, listing),
    }
}

/// Takes the endpoint for gone because Atlas has twice responded that the instance, or the API, is gone. No other fault means
/// that.
fn gone(o: &Observed, fault: &Fault) -> Decision {
    match (remaining_uncertainty(o), unconfirmed(o, fault)) {
        (None, None) => release(ReleaseReason::Deleted),
        (Some(remaining), doubt) => rest(
            State::Deleting(Deleting::AwaitingOutcome(remaining)),
            Requeue::After(doubt.unwrap_or(remaining)),
        ),
        (None, Some(doubt)) => rest(State::Deleting(Deleting::InProgress), Requeue::After(doubt)),
    }
}

fn blocked(fault: Fault, requeue: Requeue) -> Decision {
    rest(State::Deleting(Deleting::Blocked(fault)), requeue)
}

fn listed(o: &Observed, spec: &Spec, listing: &[Endpoint]) -> Decision {
    if let Some(record) = record_landed(o, listing) {
        return record;
    }
    let removing = State::Deleting(Deleting::InProgress);
    let recorded = o.recorded().and_then(|id| listing.iter().find(|e| e.id == *id));
    let unmarked = recorded
        .filter(|e| mark_of(&e.comment).is_none() && !e.status.facts().is_deleting && !is_protected(o, e));
    if let Some(endpoint) = unmarked {
        return restore_mark(o, spec, &endpoint.id);
    }
    // The recorded one first; a DELETE that the listing does not show yet is not sent again at once.
    let mut targets = ours(o, listing);
    targets.sort_by_key(|e| Some(&e.id) != o.recorded());
    let due =
        |e: &&&Endpoint| delete_response(o, &e.id).is_none_or(|response| response.ago >= o.times.confirm_gap);
    if let Some(endpoint) = targets.iter().find(due) {
        return act(Step::Delete { id: endpoint.id.clone(), excess: false }, removing);
    }
    let foreign = recorded.or(o.object.recorded.as_ref()).is_some_and(|known| belongs_to_another(o, known));
    let awaited = recorded.is_some_and(|e| !foreign || e.status.facts().is_deleting);
    if awaited || listing.iter().any(|e| o.is_ours(e)) {
        return rest(removing, Requeue::Poll);
    }
    nothing_left(o, foreign)
}

/// Restores our mark, because only an endpoint that carries it is deleted. Remembered credentials cannot do that.
fn restore_mark(o: &Observed, spec: &Spec, id: &EndpointId) -> Decision {
    if let CredentialsInUse::Remembered(fault) = &o.credentials {
        return rest(
            State::Deleting(Deleting::MarkMissing(id.clone(), fault.clone())),
            Requeue::after_fault(fault),
        );
    }
    let comment = marked_comment(spec.comment.as_deref(), &o.object.token);
    let step = Step::Update { id: id.clone(), comment: Some(comment), vpc_endpoint: None };
    act(step, State::Deleting(Deleting::InProgress))
}

/// Ends the deletion when no listing shows anything of ours. An endpoint that another owner took over stays.
fn nothing_left(o: &Observed, foreign: bool) -> Decision {
    let removing = State::Deleting(Deleting::InProgress);
    if let Some(id) = o.recorded().filter(|_| !foreign) {
        match delete_response(o, id) {
            None => return act(Step::Delete { id: id.clone(), excess: false }, removing),
            Some(response) if response.ago.is_zero() => return rest(removing, Requeue::Poll),
            Some(response) if is_too_early(o, response) => return retry_delete(o, id),
            Some(_) => {}
        }
    }
    if let Some(remaining) = remaining_uncertainty(o) {
        return rest(State::Deleting(Deleting::AwaitingOutcome(remaining)), Requeue::Poll);
    }
    if remaining_lag(o).is_some() {
        return rest(removing, Requeue::Poll);
    }
    if !absent_twice(o, ConfirmedAbsence::Everything) {
        return confirm_absence(o, ConfirmedAbsence::Everything, removing);
    }
    release(if foreign { ReleaseReason::Retained } else { ReleaseReason::Deleted })
}

fn belongs_to_another(o: &Observed, endpoint: &Endpoint) -> bool {
    mark_of(&endpoint.comment).is_some_and(|owner| owner != o.object.token) || is_protected(o, endpoint)
}

fn delete_response<'a>(o: &'a Observed, id: &EndpointId) -> Option<&'a Deleted> {
    o.memory.deleted.iter().find(|response| response.id == *id)
}

/// Returns `true` for a 404 on an id that is younger than V, which may be lag.
fn is_too_early(o: &Observed, response: &Deleted) -> bool {
    response.not_found && o.memory.recorded.saturating_sub(response.ago) < o.times.visibility
}

fn retry_delete(o: &Observed, id: &EndpointId) -> Decision {
    let removing = State::Deleting(Deleting::InProgress);
    match o.times.visibility.saturating_sub(o.memory.recorded) {
        Duration::ZERO => act(Step::Delete { id: id.clone(), excess: false }, removing),
        remaining => rest(removing, Requeue::After(remaining.max(Duration::from_secs(1)))),
    }
}

/// Records the endpoint of an open attempt that has landed, which closes the claim and names what to delete. A recorded endpoint
/// that still exists is never replaced by it. If the API server rejects the record, the endpoint is deleted by its mark, and the
/// deletion waits for the claim, as open as it was.
fn record_landed(o: &Observed, listing: &[Endpoint]) -> Option<Decision> {
    if o.memory.unrecorded {
        return None;
    }
    o.object.claim.open_nonce(o.recorded())?;
    open_attempts(o).next()?;
    if listing.iter().any(|e| Some(&e.id) == o.recorded()) {
        return None;
    }
    let endpoint = *ours(o, listing).first()?;
    let step = Step::Record { endpoint: endpoint.clone(), origin: Origin::Adopted };
    Some(act(step, State::Deleting(Deleting::InProgress)))
}

fn release(reason: ReleaseReason) -> Decision {
    act(Step::Release(reason), State::Deleting(Deleting::InProgress))
}
