//! Transient wrong responses: Atlas reports that the instance, or its API, is no more, although it exists.

use domain::fault::FaultKind;
use domain::reference::VpcEndpoint;
use domain::requeue::Requeue;
use domain::serverless::decision::{Creating, Decision, Deleting, ReleaseReason, State, Step};
use domain::serverless::event::{Announced, of_change};
use domain::serverless::memory::Memory;
use domain::serverless::observed::{Listing, WriteOutcome};
use domain::serverless::status::report;
use domain::status::ConditionType;

use crate::conditions::ready_before;
use crate::harness::{Harness, is_settling};
use invariants::fixtures::{MINUTE, Mark, endpoint, fault, id, secs, vpce};

const GONE: [FaultKind; 3] = [FaultKind::InstanceNotFound, FaultKind::NotServerless, FaultKind::Retired];

pub(crate) fn failed(kind: FaultKind) -> Listing {
    Listing::Failed(fault(kind))
}

pub(crate) fn deleted() -> Harness {
    let mut harness = Harness::recorded();
    harness.o.object.deleting = true;
    harness
}

fn is_released(decision: &Decision) -> bool {
    decision.step == Step::Release(ReleaseReason::Deleted)
}

#[test]
fn a_deletion_waits_for_a_second_response_that_all_is_gone() {
    for kind in GONE {
        let mut harness = deleted();
        let first = harness.reconcile(failed(kind));
        assert_eq!((&first.step, first.requeue), (&Step::Rest, Requeue::After(secs(10))), "{kind:?}");
        assert_eq!(first.state, State::Deleting(Deleting::InProgress), "{kind:?}");
        harness.wait(secs(9));
        let soon = harness.reconcile(failed(kind));
        assert_eq!((&soon.step, soon.requeue), (&Step::Rest, Requeue::After(secs(1))), "{kind:?}");
        harness.wait(secs(1));
        assert!(is_released(&harness.reconcile(failed(kind))), "{kind:?}");
    }
}

#[test]
fn the_endpoint_is_deleted_when_the_second_response_shows_it() {
    for kind in GONE {
        let mut harness = deleted();
        harness.reconcile(failed(kind));
        harness.wait(secs(10));
        let decision = harness.list(&[endpoint(1, Mark::Ours, "RESERVED")]);
        assert_eq!(decision.step, Step::Delete { id: id(1), excess: false }, "{kind:?}");
    }
}

#[test]
fn one_response_that_serves_two_reconciles_is_one_response() {
    let mut harness = deleted();
    harness.reconcile(failed(FaultKind::InstanceNotFound));
    // Ages are measured from when it was sent, however late the next reconcile is.
    assert!(!is_released(&harness.reconcile(failed(FaultKind::InstanceNotFound))));
}

#[test]
fn a_success_in_between_ends_the_run() {
    for succeeds in [
        (|harness: &mut Harness| {
            harness.list(&[endpoint(1, Mark::Ours, "DELETING")]);
        }) as fn(&mut Harness),
        |harness| harness.memory.responded(None, harness.now, &harness.o.times),
    ] {
        let mut harness = deleted();
        harness.reconcile(failed(FaultKind::InstanceNotFound));
        harness.wait(secs(5));
        succeeds(&mut harness);
        harness.wait(secs(5));
        assert!(!is_released(&harness.reconcile(failed(FaultKind::InstanceNotFound))));
        harness.wait(secs(10));
        assert!(is_released(&harness.reconcile(failed(FaultKind::InstanceNotFound))));
    }
}

#[test]
fn another_failure_in_between_ends_the_run() {
    for between in
        [FaultKind::Unavailable, FaultKind::RateLimited, FaultKind::Unauthorized, FaultKind::NoAccess]
    {
        let mut harness = deleted();
        harness.reconcile(failed(FaultKind::InstanceNotFound));
        harness.wait(secs(10));
        assert!(!is_released(&harness.reconcile(failed(between))), "{between:?} confirms nothing");
        harness.wait(secs(1));
        let again = harness.reconcile(failed(FaultKind::InstanceNotFound));
        assert_eq!((&again.step, again.requeue), (&Step::Rest, Requeue::After(secs(10))), "{between:?}");
        harness.wait(secs(10));
        assert!(is_released(&harness.reconcile(failed(FaultKind::InstanceNotFound))), "{between:?}");
    }
}

#[test]
fn an_endpoint_survives_an_outage_between_two_transient_404s() {
    let mut living = Harness::recorded();
    ready_before(&mut living.o);
    for mut harness in [deleted(), living] {
        harness.reconcile(failed(FaultKind::InstanceNotFound));
        for _ in 0..60 {
            harness.wait(MINUTE);
            harness.reconcile(failed(FaultKind::Unavailable));
        }
        harness.wait(MINUTE);
        let decision = harness.reconcile(failed(FaultKind::InstanceNotFound));
        assert_eq!((&decision.step, decision.requeue), (&Step::Rest, Requeue::After(secs(10))));
        assert!(!report(&harness.o, &decision).lost);
    }
}

#[test]
fn two_404s_that_alternate_with_an_outage_for_ever_are_never_final() {
    let mut harness = deleted();
    for _ in 0..100 {
        assert!(!is_released(&harness.reconcile(failed(FaultKind::InstanceNotFound))));
        harness.wait(secs(11));
        harness.reconcile(failed(FaultKind::Unavailable));
        harness.wait(secs(11));
    }
}

#[test]
fn a_response_is_confirmed_within_minutes_or_not_at_all() {
    for kind in GONE {
        let mut harness = deleted();
        harness.reconcile(failed(kind));
        harness.wait(5 * MINUTE + secs(1));
        let late = harness.reconcile(failed(kind));
        assert_eq!((&late.step, late.requeue), (&Step::Rest, Requeue::After(secs(10))), "{kind:?}");
        harness.wait(5 * MINUTE);
        assert!(is_released(&harness.reconcile(failed(kind))), "{kind:?}");
    }
}

#[test]
fn responses_from_long_before_the_deletion_release_nothing() {
    let mut harness = Harness::recorded();
    harness.reconcile_twice(FaultKind::InstanceNotFound);
    // No request was sent to Atlas for hours.
    harness.wait(60 * MINUTE);
    harness.o.object.deleting = true;
    assert!(!is_released(&harness.reconcile(failed(FaultKind::InstanceNotFound))));
    harness.wait(secs(10));
    assert!(is_released(&harness.reconcile(failed(FaultKind::InstanceNotFound))));
}

#[test]
fn an_instance_that_stays_gone_is_final_after_two_responses_however_late_the_second() {
    for late in [0, 1, 60, 290] {
        let mut harness = deleted();
        let first = harness.reconcile(failed(FaultKind::InstanceNotFound));
        let Requeue::After(pause) = first.requeue else { panic!("{first:?}") };
        harness.wait(pause + secs(late));
        assert!(is_released(&harness.reconcile(failed(FaultKind::InstanceNotFound))), "{late}");
    }
}

#[test]
fn two_codes_do_not_confirm_each_other_and_each_can_be_confirmed() {
    let mut harness = deleted();
    harness.reconcile(failed(FaultKind::InstanceNotFound));
    harness.wait(secs(10));
    assert!(!is_released(&harness.reconcile(failed(FaultKind::Retired))));
    harness.wait(secs(10));
    assert!(is_released(&harness.reconcile(failed(FaultKind::InstanceNotFound))));
}

#[test]
fn a_restart_between_the_two_responses_only_waits_longer() {
    let mut harness = deleted();
    harness.reconcile(failed(FaultKind::Retired));
    harness.wait(secs(10));
    harness.memory = Memory::default();
    assert!(!is_released(&harness.reconcile(failed(FaultKind::Retired))));
    harness.wait(secs(10));
    assert!(is_released(&harness.reconcile(failed(FaultKind::Retired))));
}

#[test]
fn the_next_object_of_the_name_inherits_no_response() {
    let mut harness = deleted();
    harness.reconcile(failed(FaultKind::InstanceNotFound));
    harness.memory.prune(&harness.o.times, harness.now);
    harness.wait(secs(10));
    assert!(
        !is_released(&harness.reconcile(failed(FaultKind::InstanceNotFound))),
        "it may name another instance"
    );
}

#[test]
fn an_open_attempt_is_settled_before_two_responses_release_the_object() {
    let mut harness = Harness::claimed();
    harness.o.object.deleting = true;
    let first = harness.reconcile(failed(FaultKind::InstanceNotFound));
    assert!(is_settling(&first));
    assert_eq!(first.requeue, Requeue::After(secs(10)), "it may be there, and what was made be listed");
    harness.wait(secs(10));
    let second = harness.reconcile(failed(FaultKind::InstanceNotFound));
    assert!(is_settling(&second));
    assert_eq!(second.requeue, Requeue::After(secs(190)));
    harness.wait(secs(190));
    assert!(is_released(&harness.reconcile(failed(FaultKind::InstanceNotFound))));
}

#[test]
fn a_ready_object_keeps_its_conditions_until_a_second_response() {
    for kind in GONE {
        let mut harness = Harness::recorded();
        ready_before(&mut harness.o);
        let first = harness.reconcile(failed(kind));
        assert_eq!((&first.step, first.requeue), (&Step::Rest, Requeue::After(secs(10))), "{kind:?}");
        let reported = report(&harness.o, &first);
        assert!(reported.unchanged && !reported.lost, "{kind:?}");
        assert!(reported.get(ConditionType::Ready).unwrap().status, "{kind:?}");
        assert_eq!(of_change(Announced::default(), &harness.o, &Step::Rest, &reported), [], "{kind:?}");
        harness.wait(secs(10));
        let second = harness.reconcile(failed(kind));
        let reported = report(&harness.o, &second);
        assert!(!reported.unchanged && reported.get(ConditionType::Stalled).is_some(), "{kind:?}");
        assert_eq!(reported.lost, kind != FaultKind::Retired, "{kind:?}");
    }
}

#[test]
fn an_object_without_conditions_reports_what_has_to_be_confirmed() {
    let mut harness = Harness::new();
    let first = harness.reconcile(failed(FaultKind::InstanceNotFound));
    let reported = report(&harness.o, &first);
    let message = &reported.get(ConditionType::Ready).unwrap().message;
    assert!(
        !reported.unchanged && message.contains("InstanceNotFound") && message.contains("confirm"),
        "{message}"
    );
    assert!(reported.get(ConditionType::Stalled).is_none());
    harness.wait(secs(10));
    let second = harness.reconcile(failed(FaultKind::InstanceNotFound));
    assert!(report(&harness.o, &second).get(ConditionType::Stalled).is_some());
}

#[test]
fn a_write_refused_as_if_all_were_gone_is_only_refused() {
    for kind in GONE {
        let shown = [endpoint(1, Mark::Ours, "AVAILABLE")];
        let refused = |mut harness: Harness, shown: &[_]| {
            harness.list(shown);
            harness.o.memory.last_write = WriteOutcome::Refused(fault(kind));
            let decision = domain::serverless::decide::decide(&harness.o);
            let report = report(&harness.o, &decision);
            assert!(report.get(ConditionType::Stalled).is_none(), "{kind:?}: {report:?}");
            let message = &report.get(ConditionType::Synced).unwrap().message;
            assert!(!message.contains("billed"), "{kind:?}: {message}");
            decision
        };
        let decision = refused(deleted(), &shown);
        assert!(matches!(decision.state, State::Deleting(Deleting::Blocked(_))), "{kind:?}: {decision:?}");
        assert!(matches!(decision.requeue, Requeue::Retry(_)), "{kind:?}");
        let mut harness = Harness::recorded();
        harness.spec(|spec| spec.vpc_endpoint = VpcEndpoint::Declared(vpce(2)));
        let decision = refused(harness, &shown);
        assert!(matches!(decision.state, State::Recorded(_)), "{kind:?}: {decision:?}");
        assert!(matches!(decision.requeue, Requeue::Retry(_)), "{kind:?}");
        let mut harness = Harness::claimed();
        harness.memory.settle(&invariants::fixtures::nonce(1));
        let decision = refused(harness, &[]);
        assert!(matches!(decision.state, State::Creating(Creating::Refused(_))), "{kind:?}: {decision:?}");
        assert!(matches!(decision.requeue, Requeue::Retry(_)), "{kind:?}");
    }
}

#[test]
fn a_ready_object_stays_ready_when_a_repair_is_refused_as_if_all_were_gone() {
    let mut harness = Harness::recorded();
    ready_before(&mut harness.o);
    harness.spec(|spec| spec.comment = Some("mine".to_owned()));
    harness.list(&[endpoint(1, Mark::Ours, "AVAILABLE")]);
    harness.o.memory.last_write = WriteOutcome::Refused(fault(FaultKind::InstanceNotFound));
    let decision = domain::serverless::decide::decide(&harness.o);
    let reported = report(&harness.o, &decision);
    assert!(reported.get(ConditionType::Ready).unwrap().status);
    assert!(!reported.get(ConditionType::Synced).unwrap().status);
}
