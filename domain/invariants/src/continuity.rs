//! Invariants of a report beside the status before it: what one wrong response cannot change, and how long work has lasted.

use domain::requeue::Requeue;
use domain::serverless::decision::{ConfirmedAbsence, Decision, Origin, State, Step};
use domain::serverless::observed::Observed;
use domain::serverless::status::{Report, report};
use domain::status::{ConditionType, Reason, Reported};

use crate::Verdict;
use crate::fixtures::shown_conditions;
use crate::view::{
    claim, classes, has, is_confirmed_gone, is_contradicted, is_missing, lags, ready, reports_gone,
};

pub(crate) fn a_ready_object_whose_listing_failed_keeps_ready_for_the_same_generation(
    o: &Observed,
    d: &Decision,
    r: &Report,
) -> Verdict {
    let State::ListingFailed(fault) = &d.state else { return None };
    let was_ready = o.object.reported.get(ConditionType::Ready).is_some_and(|ready| ready.status);
    let (terminal, access) = classes(Reason::of(fault.kind));
    let late = overdue(o, r);
    let kept = was_ready && o.object.reported.current && !terminal && !(late && access);
    let synced = r.get(ConditionType::Synced)?;
    let named = late || synced.reason == Reason::of(fault.kind);
    Some(ready(r).status == kept && !synced.status && named)
}

pub(crate) fn one_response_that_all_is_gone_withdraws_nothing(
    o: &Observed,
    d: &Decision,
    r: &Report,
) -> Verdict {
    // Restored annotations come first, and their report is not published; the same holds for the endpoint of our
    // POST.
    if matches!(d.step, Step::Claim { .. } | Step::Record { origin: Origin::Created, .. }) {
        return None;
    }
    let gone = reports_gone(o).filter(|_| !is_confirmed_gone(o));
    if gone.is_none() {
        return (r.unchanged && !is_missing(o) && !is_contradicted(o)).then_some(false);
    }
    let reported = !o.object.reported.conditions.is_empty();
    let waits = r.unchanged || !reported || o.object.deleting || has(r, ConditionType::Suspended);
    let spec = o.spec.is_err() || ready(r).reason == Reason::InvalidSpec;
    let ended = classes(ready(r).reason).0 && !has(r, ConditionType::Suspended);
    // The record stays as it is, and no message tells a user to delete anything.
    Some((waits || spec || !ready(r).status || r.get(ConditionType::Synced)?.status) && !r.lost && !ended)
}

pub(crate) fn what_one_listing_withdraws_stays_until_a_second_agrees(
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
    let reported = !o.object.reported.conditions.is_empty();
    let same = r.endpoint == o.object.recorded && !r.lost && (r.unchanged || !reported);
    let again = d.step == Step::Rest && d.requeue == Requeue::After(o.times.confirm_gap);
    Some(waits && same && again && (reported || !ready(r).status))
}

pub(crate) fn one_listing_without_the_endpoint_changes_no_condition(
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

pub(crate) fn a_deadline_stalls_only_what_is_being_worked_on(
    o: &Observed,
    _: &Decision,
    r: &Report,
) -> Verdict {
    let stalled = r.get(ConditionType::Stalled);
    stalled.filter(|condition| condition.reason == Reason::ProgressDeadlineExceeded)?;
    Some(overdue(o, r) && !ready(r).status && !o.object.deleting)
}

pub(crate) fn an_object_that_is_stalled_by_a_deadline_keeps_its_clock(
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

pub(crate) fn an_endpoint_is_reported_lost_before_another_is_claimed_in_its_place(
    o: &Observed,
    d: &Decision,
    r: &Report,
) -> Verdict {
    let lost = matches!(d.absent, Some(ConfirmedAbsence::Recorded | ConfirmedAbsence::Everything));
    let replaced = claim(d).filter(|_| lost && o.recorded().is_some());
    replaced.map(|_| r.lost && r.endpoint == o.object.recorded)
}

/// Returns the same observation after `r` was published.
fn after(o: &Observed, r: &Report) -> Observed {
    let mut after = o.clone();
    after.object.reported = Reported { conditions: shown_conditions(r), current: true };
    after
}

/// The reported work has reached its deadline: for this process, or by the time in the status.
fn overdue(o: &Observed, r: &Report) -> bool {
    let Some(stage) = r.working else { return false };
    if let Some((known, since)) = &o.memory.working {
        return *known == stage && o.spec.as_ref().is_ok_and(|spec| *since >= spec.progress_deadline);
    }
    let stalled = o.object.reported.get(ConditionType::Stalled);
    let late = stalled.is_some_and(|stalled| stalled.reason == Some(Reason::ProgressDeadlineExceeded));
    o.object.reported.current && late
}
