//! An endpoint is recorded: keep it as declared, notice its loss, remove unused duplicates.
//!
//! This file never writes to an endpoint that carries another owner's mark.

use std::time::Duration;

use crate::ids::VpcEndpointId;
use crate::reference::VpcEndpoint;
use crate::requeue::Requeue;
use crate::serverless::decision::{ConfirmedAbsence, Creating, Decision, Recorded, State, Step, Withdrawn};
use crate::serverless::endpoint::{Endpoint, EndpointId, EndpointStatus, UsableService};
use crate::serverless::observed::{Observed, ReadyWhen, Spec};
use crate::serverless::ownership::{mark_of, marked_comment, same_comment};
use crate::text::is_service_name;
use crate::token::Token;

use super::{
    absent_twice, act, confirm_absence, confirmed, create, may_write, ours, recorded_state, refused,
    remaining_uncertainty, rest, rival,
};

/// An excess endpoint is deleted at most this often, so that two owners that share one cluster id cannot destroy each other's
/// endpoints in a loop.
const EXCESS_INTERVAL: Duration = Duration::from_hours(1);

pub(super) fn decide(o: &Observed, spec: &Spec, listing: &[Endpoint], recorded: &Endpoint) -> Decision {
    if let Some(id) = spec.endpoint_id.as_ref().filter(|id| **id != recorded.id) {
        let why = format!(
            "`endpointId` is {id}, but this object is bound to endpoint {}; remove it, or create another object for {id}",
            recorded.id
        );
        return rest(State::Invalid(why), Requeue::OnChange);
    }
    match listing.iter().find(|e| e.id == recorded.id) {
        Some(_) if spec.suspend => suspended(o),
        Some(endpoint) => match withdrawn(o, spec, recorded, endpoint) {
            None => present(o, spec, listing, endpoint),
            Some(absence) if absent_twice(o, absence) => {
                confirmed(absence, present(o, spec, listing, endpoint))
            }
            Some(absence) => {
                let known = Recorded { contradicted: true, ..recorded_state(o, recorded) };
                confirm_absence(o, absence, State::Recorded(known))
            }
        },
        None => absent(o, spec, listing, recorded),
    }
}

/// Keeps a suspended object until an attempt that is open beside its endpoint is settled.
fn suspended(o: &Observed) -> Decision {
    rest(State::Suspended, remaining_uncertainty(o).map_or(Requeue::OnChange, Requeue::After))
}

fn absent(o: &Observed, spec: &Spec, listing: &[Endpoint], recorded: &Endpoint) -> Decision {
    let state = missing(o, recorded);
    if o.memory.recorded < o.times.visibility {
        return rest(state, Requeue::Poll);
    }
    let absence =
        if ours(o, listing).is_empty() { ConfirmedAbsence::Everything } else { ConfirmedAbsence::Recorded };
    if remaining_uncertainty(o).is_some() && absence == ConfirmedAbsence::Everything {
        return rest(state, Requeue::Poll);
    }
    if !absent_twice(o, absence) {
        return confirm_absence(o, absence, state);
    }
    let lost = if spec.endpoint_id.is_some() || spec.observe {
        // What else carries our mark may have been created by an open attempt.
        match remaining_uncertainty(o) {
            Some(_) => rest(state, Requeue::Poll),
            None => rest(State::Lost(recorded.id.clone()), Requeue::Interval),
        }
    } else {
        create::decide(o, spec, listing, Some(recorded))
    };
    confirmed(absence, lost)
}

/// Returns the state while the listing does not show the recorded endpoint. A claim that replaces it proves its loss.
fn missing(o: &Observed, recorded: &Endpoint) -> State {
    if o.object.claim.open_nonce(Some(&recorded.id)).is_some() {
        return State::Creating(Creating::AwaitingOutcome(
            remaining_uncertainty(o).unwrap_or(o.times.confirm_gap),
        ));
    }
    // A listing may lag behind the creation.
    let is_new = recorded.status.facts().is_reserving && o.memory.recorded < o.times.visibility;
    State::Recorded(Recorded { contradicted: !is_new, ..recorded_state(o, recorded) })
}

/// Returns what the listing contradicts of the recorded endpoint. One response may be wrong for a moment, so nothing that depends on it
/// (conditions, the output ConfigMap, a PATCH) changes before a second one agrees.
fn withdrawn(o: &Observed, spec: &Spec, known: &Endpoint, shown: &Endpoint) -> Option<ConfirmedAbsence> {
    let named = |e: &Endpoint| e.service_name.as_deref().is_some_and(is_service_name);
    let deleting = shown.status.facts().is_deleting;
    // Another VPC endpoint begins to be connected again, and only the declared one is expected.
    let connects = shown.vpc_endpoint_id != known.vpc_endpoint_id && is_declared(spec, shown);
    let withdrawn = Withdrawn {
        service_name: !deleting && named(known) && known.service_name != shown.service_name,
        vpc_endpoint_id: known.status == shown.status
            && known.vpc_endpoint_id.is_some()
            && known.vpc_endpoint_id != shown.vpc_endpoint_id
            && !connects,
        status: !connects && steps_back(&known.status, &shown.status),
        deleting: deleting && !known.status.facts().is_deleting,
        mark: !spec.observe
            && mark_of(&known.comment) != mark_of(&shown.comment)
            && rival(o, spec, shown).is_some(),
    };
    (withdrawn != Withdrawn::default()).then_some(ConfirmedAbsence::Known(withdrawn))
}

fn is_declared(spec: &Spec, endpoint: &Endpoint) -> bool {
    matches!(&spec.vpc_endpoint, VpcEndpoint::Declared(id) if endpoint.vpc_endpoint_id.as_deref() == Some(id.as_str()))
}

/// Returns `true` if `shown` is no status that follows `known` while all goes well.
fn steps_back(known: &EndpointStatus, shown: &EndpointStatus) -> bool {
    let (before, now) = (known.facts(), shown.facts());
    match (before.is_on_course, now.is_on_course) {
        (true, true) => now.rank < before.rank,
        // The end of an endpoint is a withdrawal of its own.
        (true, false) => !now.is_deleting,
        (false, false) => !known.as_str().is_empty() && shown.as_str().is_empty(),
        (false, true) => false,
    }
}

fn present(o: &Observed, spec: &Spec, listing: &[Endpoint], endpoint: &Endpoint) -> Decision {
    let mut state = recorded_state(o, endpoint);
    if spec.observe {
        return settle(o, spec, state);
    }
    if let Some(owner) = rival(o, spec, endpoint) {
        return rest(State::OwnershipConflict { id: endpoint.id.clone(), owner }, Requeue::Interval);
    }
    state.refused = refused(o);
    if endpoint.status.facts().is_deleting {
        return settle(o, spec, state);
    }
    let excess: Vec<_> = ours(o, listing).into_iter().filter(|e| e.id != endpoint.id).collect();
    state.duplicates = excess.iter().map(|e| e.id.clone()).collect();
    if !may_write(o) {
        return settle(o, spec, state);
    }
    if let Some(id) = removable(o, &excess) {
        return act(Step::Delete { id, excess: true }, State::Recorded(state));
    }
    let comment = comment_change(spec, endpoint, &o.object.token);
    let vpc_endpoint = vpc_endpoint_change(o, spec, endpoint);
    if comment.is_some() || vpc_endpoint.is_some() {
        return act(Step::Update { id: endpoint.id.clone(), comment, vpc_endpoint }, State::Recorded(state));
    }
    settle(o, spec, state)
}

/// Returns the excess endpoint to remove now: only one that cannot be in use yet.
fn removable(o: &Observed, excess: &[&Endpoint]) -> Option<EndpointId> {
    let due = o.memory.excess_deleted.is_none_or(|ago| ago >= EXCESS_INTERVAL);
    excess.iter().find(|e| e.status.facts().is_unused).filter(|_| due).map(|e| e.id.clone())
}

/// Returns the comment to send if Atlas shows another one, but not while the reservation runs.
fn comment_change(spec: &Spec, endpoint: &Endpoint, token: &Token) -> Option<String> {
    if endpoint.status.facts().is_reserving {
        return None;
    }
    let declared = marked_comment(spec.comment.as_deref(), token);
    (!same_comment(&declared, &endpoint.comment)).then_some(declared)
}

/// Returns the VPC endpoint id to send: the declared one, if Atlas shows another. Before RESERVED there is no service that it
/// could belong to, and one that belonged to a lost service is not sent again.
fn vpc_endpoint_change(o: &Observed, spec: &Spec, endpoint: &Endpoint) -> Option<VpcEndpointId> {
    let VpcEndpoint::Declared(id) = &spec.vpc_endpoint else {
        return None;
    };
    let accepts = match endpoint.status.facts().service {
        UsableService::Yes => true,
        UsableService::IfNamed => endpoint.service_name.is_some(),
        UsableService::No => false,
    };
    let differs = endpoint.vpc_endpoint_id.as_deref() != Some(id.as_str());
    let stale = o.object.stale_vpc_endpoint.as_ref() == Some(id);
    (accepts && differs && !stale).then(|| id.clone())
}

/// Rests, and requeues when something may have changed.
fn settle(o: &Observed, spec: &Spec, state: Recorded) -> Decision {
    let awaited = match &spec.vpc_endpoint {
        VpcEndpoint::Declared(id) => !spec.observe && o.object.stale_vpc_endpoint.as_ref() != Some(id),
        _ => false,
    };
    let requeue = match (&state.refused, &state.endpoint.status) {
        (Some(fault), _) => Requeue::after_refusal(fault),
        // What was just written has yet to show.
        _ if state.unconfirmed || !may_write(o) => Requeue::Poll,
        (_, EndpointStatus::Available) if state.endpoint.service_name.is_none() => Requeue::Poll,
        (_, EndpointStatus::Available | EndpointStatus::Failed) => Requeue::Interval,
        (_, EndpointStatus::Reserved) if awaited || state.endpoint.service_name.is_none() => Requeue::Poll,
        (_, EndpointStatus::Reserved) if spec.ready_when() == ReadyWhen::Reserved => Requeue::Interval,
        (_, EndpointStatus::Reserved) => Requeue::Await,
        (
            _,
            EndpointStatus::ReservationRequested
            | EndpointStatus::Initiating
            | EndpointStatus::Deleting
            | EndpointStatus::Other(_),
        ) => Requeue::Poll,
    };
    rest(State::Recorded(state), requeue)
}
