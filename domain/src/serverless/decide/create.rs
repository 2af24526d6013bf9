//! No endpoint is recorded, or the recorded one is lost: find ours, or create it once.
//!
//! This file never touches an endpoint that does not carry our mark, but for the one that `endpointId` names.

use crate::reference::VpcEndpoint;
use crate::requeue::Requeue;
use crate::serverless::decision::{ConfirmedAbsence, Creating, Decision, Origin, Recorded, State, Step};
use crate::serverless::endpoint::{Endpoint, EndpointId};
use crate::serverless::observed::{AttemptOutcome, Observed, Spec};
use crate::serverless::ownership::{ClaimReading, marked_comment};

use super::{
    absent_twice, act, confirm_absence, confirmed, is_held, may_write, open_attempts, ours, recorded_state,
    refused, remaining_lag, remaining_uncertainty, rest, restore_claim, rival, youngest_unsettled,
};

/// `lost` is the recorded endpoint that two listings have shown to be gone.
pub(super) fn decide(o: &Observed, spec: &Spec, listing: &[Endpoint], lost: Option<&Endpoint>) -> Decision {
    if let Some(required) = adoption_required(o, spec) {
        return required;
    }
    // An object that only observes is bound to the endpoint that it names, whatever else carries our mark.
    if spec.observe && open_attempts(o).next().is_none() {
        let absence = if ours(o, listing).is_empty() {
            ConfirmedAbsence::Everything
        } else {
            ConfirmedAbsence::Recorded
        };
        return confirmed(absence, start(o, spec, listing, lost));
    }
    if let Some(endpoint) = best(o, spec, listing) {
        return adopt(o, spec, endpoint, lost);
    }
    if let Some(predecessor) = listing.iter().find(|e| o.is_ours(e)) {
        return rest(State::Creating(Creating::AwaitingPredecessor(predecessor.id.clone())), Requeue::Poll);
    }
    if let Some(fault) = refused(o) {
        let requeue = Requeue::after_refusal(&fault);
        return rest(State::Creating(Creating::Refused(fault)), requeue);
    }
    if let Some(create) = send_claimed(o, spec) {
        return create;
    }
    if let Some(remaining) = remaining_uncertainty(o) {
        let settling = State::Creating(Creating::AwaitingOutcome(remaining));
        return if is_held(o) {
            rest(settling, Requeue::Poll)
        } else {
            act(restore_claim(o, lost.map(|endpoint| &endpoint.id)), settling)
        };
    }
    if !disproved(o) {
        let settling = State::Creating(Creating::AwaitingOutcome(o.times.confirm_gap));
        return confirm_absence(o, ConfirmedAbsence::Everything, settling);
    }
    confirmed(ConfirmedAbsence::Everything, start(o, spec, listing, lost))
}

/// No attempt is in flight and nothing of ours exists.
fn start(o: &Observed, spec: &Spec, listing: &[Endpoint], lost: Option<&Endpoint>) -> Decision {
    if spec.suspend {
        return rest(State::Suspended, Requeue::OnChange);
    }
    if let Some(id) = &spec.endpoint_id {
        return decide_named(o, spec, listing, id);
    }
    if spec.observe {
        let why = "`endpointId` must be set when `managementPolicy` is 'Observe'";
        return rest(State::Invalid(why.to_owned()), Requeue::OnChange);
    }
    if let Some(remaining) = remaining_lag(o) {
        return rest(State::Creating(Creating::AwaitingVisibility(remaining)), Requeue::Poll);
    }
    if !may_write(o) {
        return rest(State::Creating(Creating::Pending), Requeue::Poll);
    }
    act(claim(o, spec, lost), State::Creating(Creating::Pending))
}

/// Returns `true` if two listings show nothing of each attempt of unknown outcome.
fn disproved(o: &Observed) -> bool {
    open_attempts(o).next().is_none() || absent_twice(o, ConfirmedAbsence::Everything)
}

/// Claims an attempt, to create or to adopt. An attempt that may still land is announced again.
fn claim(o: &Observed, spec: &Spec, lost: Option<&Endpoint>) -> Step {
    Step::Claim {
        nonce: youngest_unsettled(o),
        replaced: lost.map(|endpoint| endpoint.id.clone()),
        stale_vpc_endpoint: lost
            .and_then(|endpoint| outdated(spec, endpoint))
            .or_else(|| o.object.stale_vpc_endpoint.as_ref().map(ToString::to_string)),
    }
}

/// Returns the VPC endpoint id that is lost with the endpoint's service: the declared one, because it cannot have been created
/// for a service that does not exist yet, else the one that was connected.
fn outdated(spec: &Spec, lost: &Endpoint) -> Option<String> {
    match &spec.vpc_endpoint {
        VpcEndpoint::Declared(id) => Some(id.to_string()),
        _ => lost.vpc_endpoint_id.clone(),
    }
}

/// Sends the attempt that this process has claimed, now or never.
fn send_claimed(o: &Observed, spec: &Spec) -> Option<Decision> {
    let ClaimReading::Ours { nonce, .. } = &o.object.claim else {
        return None;
    };
    let attempt = o.memory.attempts.iter().find(|attempt| attempt.nonce == *nonce)?;
    let in_time = attempt.outcome == AttemptOutcome::NotSent && attempt.age < o.times.create_deadline;
    let open = o.object.claim.open_nonce(o.recorded()).is_some();
    let wanted = o.object.finalizer && !spec.suspend && !spec.observe && spec.endpoint_id.is_none();
    let alone = remaining_uncertainty(o).is_none() && remaining_lag(o).is_none() && disproved(o);
    (in_time && open && wanted && alone && may_write(o)).then(|| {
        let comment = marked_comment(spec.comment.as_deref(), &o.object.token);
        act(Step::Create { nonce: nonce.clone(), comment }, State::Creating(Creating::Pending))
    })
}

/// Returns the endpoint with our mark to keep: the one that `endpointId` names, else the most advanced.
fn best<'a>(o: &Observed, spec: &Spec, listing: &'a [Endpoint]) -> Option<&'a Endpoint> {
    let ours = ours(o, listing);
    let named = ours.iter().find(|e| spec.endpoint_id.as_ref() == Some(&e.id));
    named.or(ours.first()).copied()
}

/// Adopts an endpoint with our mark that a listing shows: claims first, then records it. So too in place of a lost one, so that
/// the claim names the id that it replaces.
fn adopt(o: &Observed, spec: &Spec, endpoint: &Endpoint, lost: Option<&Endpoint>) -> Decision {
    let named = spec.endpoint_id.as_ref() == Some(&endpoint.id);
    let origin = if named { Origin::Named } else { Origin::Adopted };
    let state = State::Recorded(Recorded { unconfirmed: !named, ..recorded_state(o, endpoint) });
    if is_held(o) && (lost.is_none() || o.object.claim.open_nonce(o.recorded()).is_some()) {
        act(Step::Record { endpoint: endpoint.clone(), origin }, state)
    } else {
        act(claim(o, spec, lost), state)
    }
}

/// Handles an `endpointId` that names an endpoint without our mark, or one that is only observed.
fn decide_named(o: &Observed, spec: &Spec, listing: &[Endpoint], id: &EndpointId) -> Decision {
    let found = listing.iter().find(|e| e.id == *id && !e.status.facts().is_deleting);
    let Some(endpoint) = found else {
        // One listing may be wrong, or lag behind the creation of the endpoint.
        let gap = o.times.confirm_gap;
        let is_confirmed = o.memory.absent.is_some_and(|(_, span)| span >= gap);
        return if is_confirmed {
            rest(State::Lost(id.clone()), Requeue::Interval)
        } else if o.object.recorded.is_some() {
            rest(State::Lost(id.clone()), Requeue::After(gap))
        } else {
            rest(State::Creating(Creating::AwaitingNamed(id.clone())), Requeue::After(gap))
        };
    };
    let state = State::Recorded(recorded_state(o, endpoint));
    if spec.observe {
        return act(Step::Record { endpoint: endpoint.clone(), origin: Origin::Named }, state);
    }
    if let Some(owner) = rival(o, spec, endpoint) {
        return rest(State::OwnershipConflict { id: id.clone(), owner }, Requeue::Interval);
    }
    if !is_held(o) {
        return act(claim(o, spec, None), state);
    }
    if !may_write(o) {
        return rest(state, Requeue::Poll);
    }
    let comment = marked_comment(spec.comment.as_deref(), &o.object.token);
    act(Step::Update { id: id.clone(), comment: Some(comment), vpc_endpoint: None }, state)
}

/// Respects another cluster's claim while nothing is recorded, until the user declares who owns the endpoint.
fn adoption_required(o: &Observed, spec: &Spec) -> Option<Decision> {
    let ClaimReading::Foreign(claim) = &o.object.claim else {
        return None;
    };
    let allowed = spec.endpoint_id.is_some() && o.object.take_over.as_ref() == Some(&claim.token);
    (o.object.recorded.is_none() && !allowed).then(|| {
        let state =
            State::AdoptionRequired { cluster: claim.cluster.to_string(), token: claim.token.clone() };
        rest(state, Requeue::OnChange)
    })
}
