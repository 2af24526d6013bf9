//! The object is being deleted: remove the endpoint, make sure that it is gone, then let the object go.
//!
//! This file never releases an object while a create call may still land or while Atlas may still hold its
//! endpoint, unless the user asked to retain it or it belongs to somebody else.

use std::time::Duration;

use crate::decision::{Absence, Decision, Deleting, Farewell, Origin, State, Step, Wake};
use crate::endpoint::{Endpoint, EndpointStatus};
use crate::fault::{Fault, FaultKind};
use crate::observed::{Atlas, Observed, Spec};
use crate::ownership::{ClaimReading, mark_of, marked_comment};

use super::{
    absent_twice, act, confirm_absence, may_write, open_attempts, ours, record_created, refused, rest, retry,
    settling,
};

pub(super) fn decide(o: &Observed) -> Decision {
    let gone = rest(State::Deleting(Deleting::Removing), Wake::OnChange);
    if !o.object.finalizer {
        return gone;
    }
    if let Some(record) = record_created(o) {
        return record;
    }
    let foreign = matches!(o.object.claim, ClaimReading::Foreign(_)) && o.object.recorded.is_none();
    match &o.spec {
        Ok(spec) if spec.retain || spec.observe || foreign => let_go(o),
        Ok(spec) => remove(o, spec),
        // A spec that cannot be understood never led to a call, so there is nothing in Atlas.
        Err(_) => let_go(o),
    }
}

/// Leaves what is in Atlas, but not before every attempt is settled: a POST that lands later would be lost.
fn let_go(o: &Observed) -> Decision {
    let Some(remaining) = settling(o) else {
        return release(Farewell::Retained);
    };
    let waiting = rest(
        State::Deleting(Deleting::Settling(remaining)),
        Wake::After(remaining),
    );
    match &o.atlas {
        Atlas::Unread if o.spec.is_ok() => act(Step::List, waiting.state),
        Atlas::Listed(listing) => record_landed(o, listing).unwrap_or(waiting),
        // The clock suffices: a release never depends on credentials.
        Atlas::Unread | Atlas::Failed(_) => waiting,
    }
}

fn remove(o: &Observed, spec: &Spec) -> Decision {
    match &o.atlas {
        Atlas::Unread => act(Step::List, State::Deleting(Deleting::Removing)),
        Atlas::Failed(fault) => unreadable(o, fault),
        Atlas::Listed(listing) => listed(o, spec, listing),
    }
}

/// Atlas' own word that the instance, or the API, is no more means that the endpoint is gone too. Nothing else does.
fn unreadable(o: &Observed, fault: &Fault) -> Decision {
    let final_word = matches!(
        fault.kind,
        FaultKind::InstanceNotFound | FaultKind::NotServerless | FaultKind::Retired
    );
    match settling(o) {
        Some(remaining) if final_word => rest(
            State::Deleting(Deleting::Settling(remaining)),
            Wake::After(remaining),
        ),
        None if final_word => release(Farewell::Deleted),
        _ => rest(State::Deleting(Deleting::Blocked(fault.clone())), retry(fault)),
    }
}

fn listed(o: &Observed, spec: &Spec, listing: &[Endpoint]) -> Decision {
    if let Some(fault) = refused(o) {
        return rest(State::Deleting(Deleting::Blocked(fault.clone())), retry(fault));
    }
    if let Some(record) = record_landed(o, listing) {
        return record;
    }
    let removing = State::Deleting(Deleting::Removing);
    let recorded = o.recorded().and_then(|id| listing.iter().find(|e| e.id == *id));
    if let Some(endpoint) = recorded.filter(|e| !o.is_ours(e) && e.status != EndpointStatus::Deleting) {
        if mark_of(&endpoint.comment).is_some() {
            return let_go(o);
        }
        let comment = marked_comment(spec.comment.as_deref(), &o.object.token);
        let step = Step::Update {
            id: endpoint.id.clone(),
            comment: Some(comment),
            vpc_endpoint: None,
        };
        return if may_write(o) {
            act(step, removing)
        } else {
            rest(removing, Wake::Poll)
        };
    }
    // The recorded one first; a DELETE that the listing does not show yet is not sent again at once.
    let mut doomed = ours(o, listing);
    doomed.sort_by_key(|e| Some(&e.id) != o.recorded());
    let recently = |e: &&&Endpoint| {
        o.memory
            .deleted
            .iter()
            .all(|deleted| deleted.id != e.id || deleted.ago >= o.times.confirm_gap)
    };
    if let Some(endpoint) = doomed.iter().find(recently).filter(|_| may_write(o)) {
        return act(
            Step::Delete {
                id: endpoint.id.clone(),
                excess: false,
            },
            removing,
        );
    }
    if recorded.is_some() || listing.iter().any(|e| o.is_ours(e)) {
        return rest(removing, Wake::Poll);
    }
    nothing_left(o)
}

/// No listing shows anything of ours.
fn nothing_left(o: &Observed) -> Decision {
    let removing = State::Deleting(Deleting::Removing);
    if let Some(id) = o.recorded() {
        match o.memory.deleted.iter().find(|deleted| deleted.id == *id) {
            None if may_write(o) => {
                return act(
                    Step::Delete {
                        id: id.clone(),
                        excess: false,
                    },
                    removing,
                );
            }
            None => return rest(removing, Wake::Poll),
            Some(answer) if answer.not_found => {
                let known_for = o.memory.recorded.saturating_sub(answer.ago);
                if known_for < o.times.visibility {
                    return not_found_too_early(o, id.clone());
                }
            }
            Some(_) => {}
        }
    }
    if let Some(remaining) = settling(o) {
        return rest(State::Deleting(Deleting::Settling(remaining)), Wake::Poll);
    }
    if absent_twice(o, Absence::Everything) {
        release(Farewell::Deleted)
    } else {
        confirm_absence(o, Absence::Everything, removing)
    }
}

/// A 404 on an id that is younger than V may be lag: ask again once V is over.
fn not_found_too_early(o: &Observed, id: crate::endpoint::EndpointId) -> Decision {
    let removing = State::Deleting(Deleting::Removing);
    match o
        .times
        .visibility
        .checked_sub(o.memory.recorded)
        .filter(|remaining| !remaining.is_zero())
    {
        Some(remaining) => rest(removing, Wake::After(remaining.max(Duration::from_secs(1)))),
        None if may_write(o) => act(Step::Delete { id, excess: false }, removing),
        None => rest(removing, Wake::Poll),
    }
}

/// An open attempt has landed: recording its endpoint closes the claim and names what is to be deleted.
fn record_landed(o: &Observed, listing: &[Endpoint]) -> Option<Decision> {
    o.object.claim.open_nonce(o.recorded())?;
    open_attempts(o).next()?;
    let ours = ours(o, listing);
    let endpoint = ours.first().filter(|e| Some(&e.id) != o.recorded())?;
    let step = Step::Record {
        endpoint: (*endpoint).clone(),
        origin: Origin::Adopted,
    };
    Some(act(step, State::Deleting(Deleting::Removing)))
}

fn release(farewell: Farewell) -> Decision {
    act(Step::Release(farewell), State::Deleting(Deleting::Removing))
}
