//! The invariants of `report`.

use domain::conditions::{Condition, ConditionType, Reason, Report, report};
use domain::decide::decide;
use domain::decision::{ConfirmedAbsence, Decision, Origin, Requeue, State, Step};
use domain::endpoint::EndpointStatus;
use domain::observed::{Listing, Observed, Sunset, VpcEndpoint};

use crate::Verdict;
use crate::view::{claim, final_word, is_contradicted, is_missing, lags, says_gone};

pub type ReportInvariant = fn(&Observed, &Decision, &Report) -> Verdict;

/// Calls a macro with the names of all of them.
#[macro_export]
macro_rules! for_each_invariant_of_reports {
    ($call:ident) => {
        $call! {
            four_conditions_are_always_reported_and_each_type_once
            every_condition_says_something
            the_conditions_that_are_only_there_while_true_are_true
            nothing_is_both_reconciling_and_stalled
            a_ready_object_is_neither_reconciling_nor_stalled
            an_object_that_is_not_ready_is_reconciling_or_stalled_unless_it_is_suspended
            available_is_reported_ready_only_with_the_declared_vpc_endpoint
            ready_is_turned_true_only_by_a_listing_that_shows_the_endpoint_far_enough
            connected_is_reported_exactly_when_atlas_says_available
            conditions_that_stand_side_by_side_do_not_contradict_each_other
            a_ready_object_whose_look_failed_keeps_ready_for_the_same_generation
            one_answer_that_all_is_gone_takes_nothing_back
            what_one_listing_takes_back_stays_until_a_second_says_the_same
            one_listing_without_the_endpoint_changes_no_condition
            suspended_is_reported_exactly_while_the_living_object_asks_for_it
            a_deadline_stalls_only_what_is_being_worked_on
            an_object_that_is_stalled_by_a_deadline_keeps_its_clock
            what_cannot_go_on_by_itself_is_stalled
            a_lost_endpoint_offers_no_service
            an_endpoint_is_reported_lost_before_another_is_claimed_in_its_place
            an_announced_end_of_the_api_is_one_condition_more_and_changes_nothing_else
        }
    };
}

macro_rules! list {
    ($($name:ident)+) => {
        pub static ALL: &[(&str, ReportInvariant)] = &[$((stringify!($name), invariants::$name)),+];
    };
}

for_each_invariant_of_reports!(list);

/// Returns the same observation when the reported work, if any, has reached its deadline.
pub fn late(o: &Observed, decision: &Decision) -> Option<Observed> {
    let stage = report(o, decision).working?;
    let mut late = o.clone();
    late.memory.working = Some((stage, o.spec.as_ref().ok()?.progress_deadline));
    Some(late)
}

/// Returns the same observation after `r` was published.
fn after(o: &Observed, r: &Report) -> Observed {
    let mut after = o.clone();
    after.object.reported.current = true;
    after.object.reported.conditions = r
        .conditions
        .iter()
        .map(|c| (c.kind.to_string(), c.status, c.reason.to_string(), c.message.to_string()))
        .collect();
    after
}

#[allow(clippy::wildcard_imports, reason = "the module only tells the invariants from their helpers")]
mod invariants {
    use super::*;

    pub(super) fn four_conditions_are_always_reported_and_each_type_once(
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

    pub(super) fn every_condition_says_something(_: &Observed, _: &Decision, r: &Report) -> Verdict {
        Some(r.conditions.iter().all(|condition| !condition.message.trim().is_empty()))
    }

    pub(super) fn the_conditions_that_are_only_there_while_true_are_true(
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

    pub(super) fn nothing_is_both_reconciling_and_stalled(_: &Observed, _: &Decision, r: &Report) -> Verdict {
        Some(!(has(r, ConditionType::Reconciling) && has(r, ConditionType::Stalled)))
    }

    pub(super) fn a_ready_object_is_neither_reconciling_nor_stalled(
        _: &Observed,
        _: &Decision,
        r: &Report,
    ) -> Verdict {
        ready(r).status.then(|| !has(r, ConditionType::Reconciling) && !has(r, ConditionType::Stalled))
    }

    pub(super) fn an_object_that_is_not_ready_is_reconciling_or_stalled_unless_it_is_suspended(
        _: &Observed,
        d: &Decision,
        r: &Report,
    ) -> Verdict {
        (!ready(r).status && d.state != State::Suspended)
            .then(|| has(r, ConditionType::Reconciling) || has(r, ConditionType::Stalled))
    }

    pub(super) fn available_is_reported_ready_only_with_the_declared_vpc_endpoint(
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

    pub(super) fn ready_is_turned_true_only_by_a_listing_that_shows_the_endpoint_far_enough(
        o: &Observed,
        d: &Decision,
        r: &Report,
    ) -> Verdict {
        let Listing::Fetched(listing) = &o.listing else { return None };
        // A mark or claim that somebody removed is restored first, and the endpoint of our POST is recorded, whatever
        // is listed.
        if matches!(d.step, Step::Claim { .. } | Step::Record { origin: Origin::Created, .. }) || r.unchanged
        {
            return None;
        }
        (ready(r).status && d.state != State::Suspended).then(|| {
            let shown = listing.iter().find(|e| Some(&e.id) == r.endpoint.as_ref().map(|e| &e.id));
            let far_enough = shown.is_some_and(|e| match e.status {
                EndpointStatus::Available => true,
                EndpointStatus::Reserved | EndpointStatus::Initiating => e.service_name.is_some(),
                _ => false,
            });
            // An endpoint that the user names needs no second listing, whatever an earlier adoption left in the memory.
            let named = matches!(d.step, Step::Record { origin: Origin::Named, .. });
            let confirmed = named || o.memory.adopted.is_none_or(|since| since >= o.times.confirm_gap);
            far_enough && confirmed && !o.object.deleting
        })
    }

    pub(super) fn connected_is_reported_exactly_when_atlas_says_available(
        _: &Observed,
        _: &Decision,
        r: &Report,
    ) -> Verdict {
        let available = r.endpoint.as_ref().is_some_and(|e| e.status == EndpointStatus::Available);
        Some(r.get(ConditionType::EndpointConnected)?.status == (available && !r.lost))
    }

    /// Applies to a fresh listing, and to a repeated status alike.
    pub(super) fn conditions_that_stand_side_by_side_do_not_contradict_each_other(
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
            let asked = !message(ConditionType::Synced).contains("no request");
            ready_says && endpoint_says && asked && (!lost || !connected.0)
        })
    }

    pub(super) fn a_ready_object_whose_look_failed_keeps_ready_for_the_same_generation(
        o: &Observed,
        d: &Decision,
        r: &Report,
    ) -> Verdict {
        let State::ListingFailed(fault) = &d.state else { return None };
        let was_ready = o.object.reported.get("Ready").is_some_and(|(status, ..)| status);
        let (terminal, access) = classes(Reason::of(fault.kind));
        let late = overdue(o, r);
        let kept = was_ready && o.object.reported.current && !terminal && !(late && access);
        let synced = r.get(ConditionType::Synced)?;
        let named = late || synced.reason == Reason::of(fault.kind);
        Some(ready(r).status == kept && !synced.status && named)
    }

    pub(super) fn one_answer_that_all_is_gone_takes_nothing_back(
        o: &Observed,
        d: &Decision,
        r: &Report,
    ) -> Verdict {
        // Restored annotations come first, and their report is not published; the same holds for the endpoint of our
        // POST.
        if matches!(d.step, Step::Claim { .. } | Step::Record { origin: Origin::Created, .. }) {
            return None;
        }
        let gone = says_gone(o).filter(|_| !final_word(o));
        if gone.is_none() {
            return (r.unchanged && !is_missing(o) && !is_contradicted(o)).then_some(false);
        }
        let told = !o.object.reported.conditions.is_empty();
        let waits = r.unchanged || !told || o.object.deleting || has(r, ConditionType::Suspended);
        let spec = o.spec.is_err() || ready(r).reason == Reason::InvalidSpec;
        let ended = classes(ready(r).reason).0 && !has(r, ConditionType::Suspended);
        // The record stays as it is, and no message tells a user to delete anything.
        Some((waits || spec || !ready(r).status || r.get(ConditionType::Synced)?.status) && !r.lost && !ended)
    }

    pub(super) fn what_one_listing_takes_back_stays_until_a_second_says_the_same(
        o: &Observed,
        d: &Decision,
        r: &Report,
    ) -> Verdict {
        let waits = matches!(&d.state, State::Recorded(state) if state.contradicted);
        if !is_contradicted(o) {
            return (waits && !is_missing(o)).then_some(false);
        }
        let first = matches!(d.step, Step::Claim { .. } | Step::Record { .. });
        if first || o.object.deleting || matches!(d.state, State::Suspended | State::Invalid(_)) {
            return None;
        }
        let told = !o.object.reported.conditions.is_empty();
        let same = r.endpoint == o.object.recorded && !r.lost && (r.unchanged || !told);
        let again = d.step == Step::Rest && d.requeue == Requeue::After(o.times.confirm_gap);
        Some(waits && same && again && (told || !ready(r).status))
    }

    pub(super) fn one_listing_without_the_endpoint_changes_no_condition(
        o: &Observed,
        d: &Decision,
        r: &Report,
    ) -> Verdict {
        let known = !o.object.reported.conditions.is_empty();
        let waits = d.step == Step::Rest && o.memory.absent.is_none() && !o.object.deleting;
        let decided = matches!(d.state, State::Recorded(_));
        let same = r.unchanged || (lags(o) && r.endpoint == o.object.recorded && !ready(r).status);
        (is_missing(o) && known && waits && decided).then_some(same && !r.lost)
    }

    pub(super) fn suspended_is_reported_exactly_while_the_living_object_asks_for_it(
        o: &Observed,
        _: &Decision,
        r: &Report,
    ) -> Verdict {
        let asked = o.spec.as_ref().is_ok_and(|spec| spec.suspend) && !o.object.deleting;
        Some(has(r, ConditionType::Suspended) == asked)
    }

    pub(super) fn a_deadline_stalls_only_what_is_being_worked_on(
        o: &Observed,
        _: &Decision,
        r: &Report,
    ) -> Verdict {
        let stalled = r.get(ConditionType::Stalled);
        stalled.filter(|condition| condition.reason == Reason::ProgressDeadlineExceeded)?;
        Some(overdue(o, r) && !ready(r).status && !o.object.deleting)
    }

    pub(super) fn an_object_that_is_stalled_by_a_deadline_keeps_its_clock(
        o: &Observed,
        d: &Decision,
        r: &Report,
    ) -> Verdict {
        // Observed once more, by the same process and by a restarted one.
        let late = r.get(ConditionType::Stalled)?.reason == Reason::ProgressDeadlineExceeded;
        late.then(|| {
            let same = after(o, r);
            let mut started = same.clone();
            started.memory.working = None;
            started.object.recorded.clone_from(&r.endpoint);
            [same, started].iter().all(|o| {
                let again = report(o, d);
                again.working == r.working && again.conditions == r.conditions
            })
        })
    }

    pub(super) fn what_cannot_go_on_by_itself_is_stalled(_: &Observed, _: &Decision, r: &Report) -> Verdict {
        let terminal = classes(ready(r).reason).0
            || matches!(
                ready(r).reason,
                Reason::AtlasFailed
                    | Reason::InvalidSpec
                    | Reason::AdoptionRequired
                    | Reason::OwnershipConflict
            );
        (terminal && !has(r, ConditionType::Suspended)).then(|| has(r, ConditionType::Stalled))
    }

    pub(super) fn a_lost_endpoint_offers_no_service(_: &Observed, d: &Decision, r: &Report) -> Verdict {
        let lost = r.lost || (matches!(d.state, State::Lost(_)) && r.endpoint.is_some());
        lost.then(|| !r.get(ConditionType::EndpointServiceAvailable).unwrap().status)
    }

    pub(super) fn an_endpoint_is_reported_lost_before_another_is_claimed_in_its_place(
        o: &Observed,
        d: &Decision,
        r: &Report,
    ) -> Verdict {
        let lost = matches!(d.absent, Some(ConfirmedAbsence::Recorded | ConfirmedAbsence::Everything));
        let replaced = claim(d).filter(|_| lost && o.recorded().is_some());
        replaced.map(|_| r.lost && r.endpoint == o.object.recorded)
    }

    pub(super) fn an_announced_end_of_the_api_is_one_condition_more_and_changes_nothing_else(
        o: &Observed,
        d: &Decision,
        r: &Report,
    ) -> Verdict {
        if has(r, ConditionType::ApiSunset) {
            return None;
        }
        let mut told = o.clone();
        told.sunset = Some(Sunset { day: Some("2026-01-15".to_owned()), is_over: false, is_confirmed: true });
        let mut announced = report(&told, d);
        let more = announced.conditions.pop()?;
        let condition =
            more.kind == ConditionType::ApiSunset && more.status && more.message.contains("2026-01-15");
        Some(condition && announced == *r && decide(&told) == *d)
    }
}

/// The reported work has reached its deadline: for this process, or by the time in the status.
fn overdue(o: &Observed, r: &Report) -> bool {
    let Some(stage) = &r.working else { return false };
    if let Some((known, since)) = &o.memory.working {
        return known == stage && o.spec.as_ref().is_ok_and(|spec| *since >= spec.progress_deadline);
    }
    let stalled = o.object.reported.get("Stalled");
    o.object.reported.current && stalled.is_some_and(|(_, why, _)| why == "ProgressDeadlineExceeded")
}

fn ready(r: &Report) -> &Condition {
    r.get(ConditionType::Ready).unwrap()
}

fn has(r: &Report, kind: ConditionType) -> bool {
    r.get(kind).is_some()
}

/// Returns whether a reason reports a final response of Atlas, and whether missing access.
fn classes(reason: Reason) -> (bool, bool) {
    let terminal = matches!(reason, Reason::ApiRetired | Reason::InstanceMigrated | Reason::InstanceNotFound);
    let access = matches!(
        reason,
        Reason::CredentialsNotFound | Reason::Unauthorized | Reason::Forbidden | Reason::ProjectNotFound
    );
    (terminal, access)
}
