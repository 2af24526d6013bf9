//! The laws of `report`.

use std::sync::LazyLock;

use domain::conditions::{Condition, ConditionType, Reason, Report, report};
use domain::decide::decide;
use domain::decision::{Decision, State};
use domain::endpoint::EndpointStatus;
use domain::observed::{Atlas, Observed, Sunset, VpcEndpoint};

use crate::support::MINUTE;
use crate::{Finding, Verdict, space, sweep};

type Law = fn(&Observed, &Decision, &Report) -> Verdict;

/// Makes one test of each law. The space is swept once, for all of them.
macro_rules! laws {
    ($($name:ident)+) => {
        static LAWS: &[Law] = &[$(laws::$name),+];

        static FINDINGS: LazyLock<Vec<(&str, Finding)>> = LazyLock::new(|| {
            let names = [$(stringify!($name)),+];
            let found = sweep(&space::reporting(), LAWS.len(), |o, findings| {
                let decision = decide(o);
                let in_time = report(o, &decision);
                judge(o, &decision, &in_time, findings);
                if in_time.working.is_some() {
                    let late = late(o, &in_time);
                    judge(&late, &decision, &report(&late, &decision), findings);
                }
            });
            names.into_iter().zip(found).collect()
        });

        $(
            #[test]
            fn $name() {
                let (_, finding) = FINDINGS.iter().find(|(name, _)| *name == stringify!($name)).unwrap();
                finding.assert_holds();
            }
        )+
    };
}

fn judge(o: &Observed, decision: &Decision, report: &Report, findings: &mut [Finding]) {
    for (law, finding) in LAWS.iter().zip(findings) {
        finding
            .note(law(o, decision, report), || format!("{report:#?}\nof {decision:#?}\nin view of {o:#?}"));
    }
}

/// The same look when the work that `r` reports has taken as long as it may.
fn late(o: &Observed, r: &Report) -> Observed {
    let mut late = o.clone();
    late.memory.working = r.working.clone().map(|stage| (stage, 15 * MINUTE));
    late
}

/// The same look once `r` has been published.
fn after(o: &Observed, r: &Report) -> Observed {
    let mut after = o.clone();
    after.object.reported.current = true;
    after.object.reported.conditions = r
        .conditions
        .iter()
        .map(|c| (c.kind.to_string(), c.status, c.reason.to_string(), c.message.clone()))
        .collect();
    after
}

laws! {
    four_conditions_are_always_reported_and_each_type_once
    every_condition_says_something
    the_conditions_that_are_only_there_while_true_are_true
    nothing_is_both_reconciling_and_stalled
    a_ready_object_is_neither_reconciling_nor_stalled
    an_object_that_is_not_ready_is_reconciling_or_stalled_unless_it_is_suspended
    available_is_reported_ready_only_with_the_declared_vpc_endpoint
    ready_is_turned_true_only_by_a_listing_that_shows_the_endpoint_far_enough
    connected_is_reported_exactly_when_atlas_says_available
    a_ready_object_whose_look_failed_keeps_ready_for_the_same_generation
    suspended_is_reported_exactly_while_the_living_object_asks_for_it
    a_deadline_stalls_only_what_is_being_worked_on
    an_object_that_is_stalled_by_a_deadline_keeps_its_clock
    what_cannot_go_on_by_itself_is_stalled
    a_lost_endpoint_offers_no_service
    an_announced_end_of_the_api_is_one_condition_more_and_changes_nothing_else
}

mod laws {
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
        let State::Bound(bound) = &d.state else { return None };
        let applies = ready(r).status && ready(r).reason == Reason::Available;
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
        let Atlas::Listed(listing) = &o.atlas else { return None };
        (ready(r).status && d.state != State::Suspended).then(|| {
            let shown = listing.iter().find(|e| Some(&e.id) == o.recorded());
            let far_enough = shown.is_some_and(|e| {
                matches!(
                    e.status,
                    EndpointStatus::Reserved | EndpointStatus::Initiating | EndpointStatus::Available
                )
            });
            far_enough && o.memory.adopted.is_none() && !o.object.deleting
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

    pub(super) fn a_ready_object_whose_look_failed_keeps_ready_for_the_same_generation(
        o: &Observed,
        d: &Decision,
        r: &Report,
    ) -> Verdict {
        let State::Unread(fault) = &d.state else { return None };
        let was_ready = o.object.reported.get("Ready").is_some_and(|(status, ..)| status);
        let (terminal, access) = classes(Reason::of(fault.kind));
        let late = o.memory.working.is_some();
        let kept = was_ready && o.object.reported.current && !terminal && !(late && access);
        let synced = r.get(ConditionType::Synced)?;
        let named = late || synced.reason == Reason::of(fault.kind);
        Some(ready(r).status == kept && !synced.status && named)
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
        Some(o.memory.working.is_some() && r.working.is_some() && !ready(r).status && !o.object.deleting)
    }

    pub(super) fn an_object_that_is_stalled_by_a_deadline_keeps_its_clock(
        o: &Observed,
        d: &Decision,
        r: &Report,
    ) -> Verdict {
        // Seen again, by the same process and by one that has just been started.
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

    pub(super) fn an_announced_end_of_the_api_is_one_condition_more_and_changes_nothing_else(
        o: &Observed,
        d: &Decision,
        r: &Report,
    ) -> Verdict {
        let mut told = o.clone();
        told.sunset = Some(Sunset { day: Some("2026-01-15".to_owned()) });
        let mut announced = report(&told, d);
        let more = announced.conditions.pop()?;
        let condition =
            more.kind == ConditionType::ApiSunset && more.status && more.message.contains("2026-01-15");
        Some(condition && announced == *r && decide(&told) == *d)
    }
}

fn ready(r: &Report) -> &Condition {
    r.get(ConditionType::Ready).unwrap()
}

fn has(r: &Report, kind: ConditionType) -> bool {
    r.get(kind).is_some()
}

/// Whether a reason speaks of a final answer of Atlas, and whether of missing access.
fn classes(reason: Reason) -> (bool, bool) {
    let terminal = matches!(reason, Reason::ApiRetired | Reason::InstanceMigrated | Reason::InstanceNotFound);
    let access = matches!(
        reason,
        Reason::CredentialsNotFound | Reason::Unauthorized | Reason::Forbidden | Reason::ProjectNotFound
    );
    (terminal, access)
}
