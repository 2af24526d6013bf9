//! Invariants of one report: which conditions it has, and which may stand side by side.

use domain::reference::VpcEndpoint;
use domain::serverless::decide::decide;
use domain::serverless::decision::{Decision, Origin, State, Step};
use domain::serverless::endpoint::EndpointStatus;
use domain::serverless::observed::{Listing, Observed};
use domain::serverless::status::{Report, report};
use domain::status::{ConditionType, Reason};
use domain::sunset::Sunset;

use crate::Verdict;
use crate::view::{classes, has, ready};

pub(crate) fn four_conditions_are_always_reported_and_each_type_once(
    _: &Observed,
    _: &Decision,
    r: &Report,
) -> Verdict {
    let count = |kind| r.conditions.iter().filter(|condition| condition.kind == kind).count();
    let always = [
        ConditionType::Ready,
        ConditionType::Synced,
        ConditionType::EndpointServiceAvailable,
        ConditionType::EndpointConnected,
    ];
    let unique = ConditionType::ALL.iter().all(|kind| count(*kind) <= 1);
    Some(
        always.into_iter().all(|kind| count(kind) == 1)
            && unique
            && r.conditions[0].kind == ConditionType::Ready,
    )
}

pub(crate) fn every_condition_has_a_message(_: &Observed, _: &Decision, r: &Report) -> Verdict {
    Some(r.conditions.iter().all(|condition| !condition.message.trim().is_empty()))
}

pub(crate) fn the_conditions_that_are_only_there_while_true_are_true(
    _: &Observed,
    _: &Decision,
    r: &Report,
) -> Verdict {
    let passing = [
        ConditionType::Reconciling,
        ConditionType::Stalled,
        ConditionType::Suspended,
        ConditionType::ApiSunset,
    ];
    Some(passing.into_iter().filter_map(|kind| r.get(kind)).all(|condition| condition.status))
}

pub(crate) fn nothing_is_both_reconciling_and_stalled(_: &Observed, _: &Decision, r: &Report) -> Verdict {
    Some(!(has(r, ConditionType::Reconciling) && has(r, ConditionType::Stalled)))
}

pub(crate) fn a_ready_object_is_neither_reconciling_nor_stalled(
    _: &Observed,
    _: &Decision,
    r: &Report,
) -> Verdict {
    ready(r).status.then(|| !has(r, ConditionType::Reconciling) && !has(r, ConditionType::Stalled))
}

pub(crate) fn an_object_that_is_not_ready_is_reconciling_or_stalled_unless_it_is_suspended(
    _: &Observed,
    d: &Decision,
    r: &Report,
) -> Verdict {
    (!ready(r).status && d.state != State::Suspended)
        .then(|| has(r, ConditionType::Reconciling) || has(r, ConditionType::Stalled))
}

pub(crate) fn available_is_reported_ready_only_with_the_declared_vpc_endpoint(
    o: &Observed,
    d: &Decision,
    r: &Report,
) -> Verdict {
    let State::Recorded(bound) = &d.state else { return None };
    let applies = ready(r).status && ready(r).reason == Reason::Available && !r.unchanged;
    applies.then(|| match &o.spec.as_ref().unwrap().vpc_endpoint {
        VpcEndpoint::Declared(id) => bound.endpoint.vpc_endpoint_id.as_deref() == Some(id.as_str()),
        _ => true,
    })
}

pub(crate) fn ready_is_turned_true_only_by_a_listing_that_shows_the_endpoint_far_enough(
    o: &Observed,
    d: &Decision,
    r: &Report,
) -> Verdict {
    let Listing::Fetched(listing) = &o.listing else { return None };
    // A mark or claim that somebody removed is restored first, and the endpoint of our POST is recorded, whatever
    // is listed.
    if matches!(d.step, Step::Claim { .. } | Step::Record { origin: Origin::Created, .. }) || r.unchanged {
        return None;
    }
    (ready(r).status && d.state != State::Suspended).then(|| {
        let shown = listing.iter().find(|e| Some(&e.id) == r.endpoint.as_ref().map(|e| &e.id));
        let far_enough = shown.is_some_and(|e| match e.status {
            EndpointStatus::Available => true,
            EndpointStatus::Reserved | EndpointStatus::Initiating => e.service_name.is_some(),
            EndpointStatus::ReservationRequested
            | EndpointStatus::Failed
            | EndpointStatus::Deleting
            | EndpointStatus::Other(_) => false,
        });
        // An endpoint that the user names needs no second listing, whatever an earlier adoption left in the memory.
        let named = matches!(d.step, Step::Record { origin: Origin::Named, .. });
        let confirmed = named || o.memory.adopted.is_none_or(|since| since >= o.times.confirm_gap);
        far_enough && confirmed && !o.object.deleting
    })
}

pub(crate) fn connected_is_reported_exactly_when_atlas_says_available(
    _: &Observed,
    _: &Decision,
    r: &Report,
) -> Verdict {
    let available = r.endpoint.as_ref().is_some_and(|e| e.status == EndpointStatus::Available);
    Some(r.get(ConditionType::EndpointConnected)?.status == (available && !r.lost))
}

/// Applies to a fresh listing, and to a repeated status alike.
pub(crate) fn conditions_that_stand_side_by_side_do_not_contradict_each_other(
    o: &Observed,
    d: &Decision,
    r: &Report,
) -> Verdict {
    let listed = matches!(o.listing, Listing::Fetched(_)) && d.state != State::Suspended && !r.unchanged;
    let word = |kind| r.get(kind).map_or((false, Reason::Suspended), |c| (c.status, c.reason));
    let service = word(ConditionType::EndpointServiceAvailable);
    let connected = word(ConditionType::EndpointConnected);
    let message = |kind| r.get(kind).map_or("", |c| c.message.as_str());
    let at_rest = [Reason::NoEndpoint, Reason::Deleting, Reason::EndpointLost];
    listed.then(|| {
        let ready = word(ConditionType::Ready);
        let ready_says = match ready {
            (true, Reason::Available) => connected.0,
            (true, Reason::Reserved) => service.0,
            (false, Reason::EndpointLost) => !connected.0 && !service.0,
            (false, Reason::AtlasFailed) => !connected.0,
            _ => true,
        };
        let lost = [service.1, connected.1].contains(&Reason::EndpointLost);
        let endpoint_says = match &r.endpoint {
            // An endpoint that was never created cannot be reported by Atlas.
            None => at_rest.contains(&service.1) && at_rest.contains(&connected.1),
            Some(_) => service.1 != Reason::NoEndpoint && connected.1 != Reason::NoEndpoint,
        };
        let declared = !message(ConditionType::Synced).contains("no request");
        ready_says && endpoint_says && declared && (!lost || !connected.0)
    })
}

pub(crate) fn suspended_is_reported_exactly_while_the_living_object_declares_it(
    o: &Observed,
    _: &Decision,
    r: &Report,
) -> Verdict {
    let declared = o.spec.as_ref().is_ok_and(|spec| spec.suspend) && !o.object.deleting;
    Some(has(r, ConditionType::Suspended) == declared)
}

pub(crate) fn what_cannot_go_on_by_itself_is_stalled(_: &Observed, _: &Decision, r: &Report) -> Verdict {
    let terminal = classes(ready(r).reason).0
        || matches!(
            ready(r).reason,
            Reason::AtlasFailed | Reason::InvalidSpec | Reason::AdoptionRequired | Reason::OwnershipConflict
        );
    (terminal && !has(r, ConditionType::Suspended)).then(|| has(r, ConditionType::Stalled))
}

pub(crate) fn a_lost_endpoint_offers_no_service(_: &Observed, d: &Decision, r: &Report) -> Verdict {
    let lost = r.lost || (matches!(d.state, State::Lost(_)) && r.endpoint.is_some());
    lost.then(|| !r.get(ConditionType::EndpointServiceAvailable).unwrap().status)
}

pub(crate) fn an_announced_end_of_the_api_is_one_condition_more_and_changes_nothing_else(
    o: &Observed,
    d: &Decision,
    r: &Report,
) -> Verdict {
    if has(r, ConditionType::ApiSunset) {
        return None;
    }
    let mut reported = o.clone();
    reported.sunset = Some(Sunset { day: Some("2026-01-15".to_owned()), is_over: false, is_confirmed: true });
    let mut announced = report(&reported, d);
    let more = announced.conditions.pop()?;
    let condition =
        more.kind == ConditionType::ApiSunset && more.status && more.message.contains("2026-01-15");
    Some(condition && announced == *r && decide(&reported) == *d)
}
