//! Invariants of absence: what is deleted, what is settled, and when an object may be released.

use domain::requeue::Requeue;
use domain::serverless::decision::{ConfirmedAbsence, Decision, ReleaseReason, State, Step};
use domain::serverless::endpoint::{Endpoint, EndpointStatus};
use domain::serverless::observed::{Observed, WriteOutcome};
use domain::serverless::ownership::ClaimReading;

use crate::Verdict;
use crate::view::{
    confirmed, is_confirmed_gone, is_ours, is_used_elsewhere, listed, listing, may_land, owner, update,
    withdrawn,
};

pub(crate) fn an_object_is_released_as_deleted_only_when_nothing_of_ours_is_left_or_can_appear(
    o: &Observed,
    d: &Decision,
) -> Verdict {
    let Step::Release(ReleaseReason::Deleted) = d.step else { return None };
    if is_confirmed_gone(o) {
        return Some(true);
    }
    let nothing_listed = listing(o)?.iter().all(|e| !is_ours(o, e) && o.recorded() != Some(&e.id));
    let responded = o.recorded().is_none_or(|id| {
        o.memory.deleted.iter().any(|response| {
            let known_for = o.memory.recorded.saturating_sub(response.ago);
            let believed = !response.not_found || known_for >= o.times.visibility;
            response.id == *id && !response.ago.is_zero() && believed
        })
    });
    let unanswered_write = o.memory.last_write != WriteOutcome::Nothing;
    Some(nothing_listed && responded && confirmed(o, ConfirmedAbsence::Everything) && !unanswered_write)
}

pub(crate) fn an_object_is_released_as_retained_only_as_declared_or_if_the_endpoint_is_not_ours(
    o: &Observed,
    d: &Decision,
) -> Verdict {
    let Step::Release(ReleaseReason::Retained) = d.step else { return None };
    let word = o.spec.as_ref().is_ok_and(|spec| spec.retain || spec.observe);
    let foreign_claim = matches!(o.object.claim, ClaimReading::Foreign(_)) && o.recorded().is_none();
    let strangers = o.object.recorded.as_ref().is_some_and(|known| {
        let endpoint = listed(o, &known.id).unwrap_or(known);
        owner(endpoint).is_some_and(|owner| owner != o.object.token) || is_used_elsewhere(o, endpoint)
    });
    let nothing_else = || listing(o).is_some_and(|listing| !listing.iter().any(|e| is_ours(o, e)));
    Some(word || foreign_claim || (strangers && nothing_else() && confirmed(o, ConfirmedAbsence::Everything)))
}

pub(crate) fn no_object_is_released_while_an_attempt_may_land(o: &Observed, d: &Decision) -> Verdict {
    let Step::Release(_) = d.step else { return None };
    Some(o.object.deleting && o.object.finalizer && !may_land(o))
}

pub(crate) fn a_deletion_goes_on_without_a_record_that_was_not_taken(o: &Observed, d: &Decision) -> Verdict {
    (o.object.deleting && o.memory.unrecorded).then_some(!matches!(d.step, Step::Record { .. }))
}

pub(crate) fn an_absence_is_confirmed_only_by_a_listing_that_shows_it(o: &Observed, d: &Decision) -> Verdict {
    let absence = d.absent?;
    if let ConfirmedAbsence::Known(known) = absence {
        return Some(withdrawn(o) == Some(known));
    }
    let listing = listing(o)?;
    let ours = |e: &&Endpoint| is_ours(o, e) && e.status != EndpointStatus::Deleting;
    let others = listing.iter().any(|e| ours(&e));
    let recorded_gone = o.object.recorded.as_ref().is_none_or(|known| {
        let left_to_another =
            |e: &Endpoint| owner(e).is_some_and(|by| by != o.object.token) || is_used_elsewhere(o, e);
        listed(o, &known.id).is_none_or(left_to_another)
    });
    let settled = absence != ConfirmedAbsence::Everything || !may_land(o);
    Some(recorded_gone && settled && others == (absence == ConfirmedAbsence::Recorded))
}

pub(crate) fn an_open_attempt_is_settled_before_the_object_is_suspended_named_or_lost(
    o: &Observed,
    d: &Decision,
) -> Verdict {
    let takes_effect = match &d.state {
        State::Suspended => d.requeue == Requeue::OnChange,
        State::Lost(_) => true,
        _ => matches!(update(d), Some((id, ..)) if o.recorded() != Some(id)),
    };
    takes_effect.then(|| !may_land(o))
}
