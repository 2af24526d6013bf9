//! Transient wrong responses: Atlas reports that the instance, or its API, is no more, although it exists.

use domain::conditions::{ConditionType, report};
use domain::decision::{Creating, Decision, Deleting, ReleaseReason, Requeue, State, Step};
use domain::endpoint::{Endpoint, EndpointStatus};
use domain::event::{Announced, of_change};
use domain::fault::FaultKind;
use domain::memory::Memory;
use domain::observed::{Listing, VpcEndpoint, WriteOutcome};

use crate::conditions::ready_before;
use crate::harness::{Harness, is_settling};
use invariants::fixtures::{MINUTE, Mark, endpoint, fault, id, secs, vpce};

const GONE: [FaultKind; 3] = [FaultKind::InstanceNotFound, FaultKind::NotServerless, FaultKind::Retired];

fn failed(kind: FaultKind) -> Listing {
    Listing::Failed(fault(kind))
}

fn dying() -> Harness {
    let mut story = Harness::recorded();
    story.o.object.deleting = true;
    story
}

fn is_released(decision: &Decision) -> bool {
    decision.step == Step::Release(ReleaseReason::Deleted)
}

#[test]
fn a_deletion_waits_for_a_second_answer_that_all_is_gone() {
    for kind in GONE {
        let mut story = dying();
        let first = story.look(failed(kind));
        assert_eq!((&first.step, first.requeue), (&Step::Rest, Requeue::After(secs(10))), "{kind:?}");
        assert_eq!(first.state, State::Deleting(Deleting::InProgress), "{kind:?}");
        story.wait(secs(9));
        let soon = story.look(failed(kind));
        assert_eq!((&soon.step, soon.requeue), (&Step::Rest, Requeue::After(secs(1))), "{kind:?}");
        story.wait(secs(1));
        assert!(is_released(&story.look(failed(kind))), "{kind:?}");
    }
}

#[test]
fn the_endpoint_is_deleted_when_the_second_answer_shows_it() {
    for kind in GONE {
        let mut story = dying();
        story.look(failed(kind));
        story.wait(secs(10));
        let decision = story.list(&[endpoint(1, Mark::Ours, "RESERVED")]);
        assert_eq!(decision.step, Step::Delete { id: id(1), excess: false }, "{kind:?}");
    }
}

#[test]
fn one_answer_that_serves_two_looks_is_one_answer() {
    let mut story = dying();
    story.look(failed(FaultKind::InstanceNotFound));
    // Ages are measured from when it was sent, however late the next reconcile is.
    assert!(!is_released(&story.look(failed(FaultKind::InstanceNotFound))));
}

#[test]
fn a_listing_or_a_write_that_succeeds_in_between_begins_anew() {
    for succeeds in [
        (|story: &mut Harness| {
            story.list(&[endpoint(1, Mark::Ours, "DELETING")]);
        }) as fn(&mut Harness),
        |story| story.memory.responded(None, story.now, &story.o.times),
    ] {
        let mut story = dying();
        story.look(failed(FaultKind::InstanceNotFound));
        story.wait(secs(5));
        succeeds(&mut story);
        story.wait(secs(5));
        assert!(!is_released(&story.look(failed(FaultKind::InstanceNotFound))));
        story.wait(secs(10));
        assert!(is_released(&story.look(failed(FaultKind::InstanceNotFound))));
    }
}

#[test]
fn another_failure_in_between_ends_the_run() {
    for between in
        [FaultKind::Unavailable, FaultKind::RateLimited, FaultKind::Unauthorized, FaultKind::NoAccess]
    {
        let mut story = dying();
        story.look(failed(FaultKind::InstanceNotFound));
        story.wait(secs(10));
        assert!(!is_released(&story.look(failed(between))), "{between:?} confirms nothing");
        story.wait(secs(1));
        let again = story.look(failed(FaultKind::InstanceNotFound));
        assert_eq!((&again.step, again.requeue), (&Step::Rest, Requeue::After(secs(10))), "{between:?}");
        story.wait(secs(10));
        assert!(is_released(&story.look(failed(FaultKind::InstanceNotFound))), "{between:?}");
    }
}

#[test]
fn an_endpoint_survives_an_outage_between_two_passing_404s() {
    let mut living = Harness::recorded();
    ready_before(&mut living.o);
    for mut story in [dying(), living] {
        story.look(failed(FaultKind::InstanceNotFound));
        for _ in 0..60 {
            story.wait(MINUTE);
            story.look(failed(FaultKind::Unavailable));
        }
        story.wait(MINUTE);
        let decision = story.look(failed(FaultKind::InstanceNotFound));
        assert_eq!((&decision.step, decision.requeue), (&Step::Rest, Requeue::After(secs(10))));
        assert!(!report(&story.o, &decision).lost);
    }
}

#[test]
fn two_404s_that_alternate_with_an_outage_for_ever_are_never_final() {
    let mut story = dying();
    for _ in 0..100 {
        assert!(!is_released(&story.look(failed(FaultKind::InstanceNotFound))));
        story.wait(secs(11));
        story.look(failed(FaultKind::Unavailable));
        story.wait(secs(11));
    }
}

#[test]
fn a_response_is_confirmed_within_minutes_or_not_at_all() {
    for kind in GONE {
        let mut story = dying();
        story.look(failed(kind));
        story.wait(5 * MINUTE + secs(1));
        let late = story.look(failed(kind));
        assert_eq!((&late.step, late.requeue), (&Step::Rest, Requeue::After(secs(10))), "{kind:?}");
        story.wait(5 * MINUTE);
        assert!(is_released(&story.look(failed(kind))), "{kind:?}");
    }
}

#[test]
fn responses_from_long_before_the_deletion_release_nothing() {
    let mut story = Harness::recorded();
    story.look_twice(FaultKind::InstanceNotFound);
    // No request was sent to Atlas for hours.
    story.wait(60 * MINUTE);
    story.o.object.deleting = true;
    assert!(!is_released(&story.look(failed(FaultKind::InstanceNotFound))));
    story.wait(secs(10));
    assert!(is_released(&story.look(failed(FaultKind::InstanceNotFound))));
}

#[test]
fn an_instance_that_stays_gone_is_final_after_two_responses_however_late_the_second() {
    for late in [0, 1, 60, 290] {
        let mut story = dying();
        let first = story.look(failed(FaultKind::InstanceNotFound));
        let Requeue::After(pause) = first.requeue else { panic!("{first:?}") };
        story.wait(pause + secs(late));
        assert!(is_released(&story.look(failed(FaultKind::InstanceNotFound))), "{late}");
    }
}

#[test]
fn two_ways_to_say_it_do_not_confirm_each_other_and_each_can_be_confirmed() {
    let mut story = dying();
    story.look(failed(FaultKind::InstanceNotFound));
    story.wait(secs(10));
    assert!(!is_released(&story.look(failed(FaultKind::Retired))));
    story.wait(secs(10));
    assert!(is_released(&story.look(failed(FaultKind::InstanceNotFound))));
}

#[test]
fn a_restart_between_the_two_answers_only_waits_longer() {
    let mut story = dying();
    story.look(failed(FaultKind::Retired));
    story.wait(secs(10));
    story.memory = Memory::default();
    assert!(!is_released(&story.look(failed(FaultKind::Retired))));
    story.wait(secs(10));
    assert!(is_released(&story.look(failed(FaultKind::Retired))));
}

#[test]
fn the_next_object_of_the_name_inherits_no_answer() {
    let mut story = dying();
    story.look(failed(FaultKind::InstanceNotFound));
    story.memory.prune(&story.o.times, story.now);
    story.wait(secs(10));
    assert!(!is_released(&story.look(failed(FaultKind::InstanceNotFound))), "it may name another instance");
}

#[test]
fn an_open_attempt_is_settled_before_two_answers_release_the_object() {
    let mut story = Harness::claimed();
    story.o.object.deleting = true;
    let first = story.look(failed(FaultKind::InstanceNotFound));
    assert!(is_settling(&first));
    assert_eq!(first.requeue, Requeue::After(secs(10)), "it may be there, and what was made be listed");
    story.wait(secs(10));
    let second = story.look(failed(FaultKind::InstanceNotFound));
    assert!(is_settling(&second));
    assert_eq!(second.requeue, Requeue::After(secs(190)));
    story.wait(secs(190));
    assert!(is_released(&story.look(failed(FaultKind::InstanceNotFound))));
}

#[test]
fn a_ready_object_says_the_same_until_a_second_answer() {
    for kind in GONE {
        let mut story = Harness::recorded();
        ready_before(&mut story.o);
        let first = story.look(failed(kind));
        assert_eq!((&first.step, first.requeue), (&Step::Rest, Requeue::After(secs(10))), "{kind:?}");
        let said = report(&story.o, &first);
        assert!(said.unchanged && !said.lost, "{kind:?}");
        assert!(said.get(ConditionType::Ready).unwrap().status, "{kind:?}");
        assert_eq!(of_change(Announced::default(), &story.o, &Step::Rest, &said), [], "{kind:?}");
        story.wait(secs(10));
        let second = story.look(failed(kind));
        let said = report(&story.o, &second);
        assert!(!said.unchanged && said.get(ConditionType::Stalled).is_some(), "{kind:?}");
        assert_eq!(said.lost, kind != FaultKind::Retired, "{kind:?}");
    }
}

#[test]
fn who_was_told_nothing_yet_is_told_what_is_waited_for() {
    let mut story = Harness::new();
    let first = story.look(failed(FaultKind::InstanceNotFound));
    let said = report(&story.o, &first);
    let message = &said.get(ConditionType::Ready).unwrap().message;
    assert!(
        !said.unchanged && message.contains("InstanceNotFound") && message.contains("confirm"),
        "{message}"
    );
    assert!(said.get(ConditionType::Stalled).is_none());
    story.wait(secs(10));
    let second = story.look(failed(FaultKind::InstanceNotFound));
    assert!(report(&story.o, &second).get(ConditionType::Stalled).is_some());
}

#[test]
fn a_write_answered_as_if_all_were_gone_was_refused_and_no_more() {
    for kind in GONE {
        let shown = [endpoint(1, Mark::Ours, "AVAILABLE")];
        let refused = |mut story: Harness, shown: &[_]| {
            story.list(shown);
            story.o.memory.last_write = WriteOutcome::Refused(fault(kind));
            let decision = domain::decide::decide(&story.o);
            let report = report(&story.o, &decision);
            assert!(report.get(ConditionType::Stalled).is_none(), "{kind:?}: {report:?}");
            let message = &report.get(ConditionType::Synced).unwrap().message;
            assert!(!message.contains("billed"), "{kind:?}: {message}");
            decision
        };
        let decision = refused(dying(), &shown);
        assert!(matches!(decision.state, State::Deleting(Deleting::Blocked(_))), "{kind:?}: {decision:?}");
        assert!(matches!(decision.requeue, Requeue::Retry(_)), "{kind:?}");
        let mut story = Harness::recorded();
        story.spec(|spec| spec.vpc_endpoint = VpcEndpoint::Declared(vpce(2)));
        let decision = refused(story, &shown);
        assert!(matches!(decision.state, State::Recorded(_)), "{kind:?}: {decision:?}");
        assert!(matches!(decision.requeue, Requeue::Retry(_)), "{kind:?}");
        let mut story = Harness::claimed();
        story.memory.settle(&invariants::fixtures::nonce(1));
        let decision = refused(story, &[]);
        assert!(matches!(decision.state, State::Creating(Creating::Refused(_))), "{kind:?}: {decision:?}");
        assert!(matches!(decision.requeue, Requeue::Retry(_)), "{kind:?}");
    }
}

#[test]
fn a_ready_object_stays_so_when_a_repair_is_answered_as_if_all_were_gone() {
    let mut story = Harness::recorded();
    ready_before(&mut story.o);
    story.spec(|spec| spec.comment = Some("mine".to_owned()));
    story.list(&[endpoint(1, Mark::Ours, "AVAILABLE")]);
    story.o.memory.last_write = WriteOutcome::Refused(fault(FaultKind::InstanceNotFound));
    let decision = domain::decide::decide(&story.o);
    let said = report(&story.o, &decision);
    assert!(said.get(ConditionType::Ready).unwrap().status);
    assert!(!said.get(ConditionType::Synced).unwrap().status);
}

#[test]
fn an_endpoint_that_turns_failed_is_looked_at_once_more_before_that_is_final() {
    let mut story = Harness::recorded();
    let failed = endpoint(1, Mark::Ours, "FAILED");
    assert_eq!(story.list(std::slice::from_ref(&failed)).requeue, Requeue::After(secs(10)));
    story.o.object.recorded = Some(failed.clone());
    story.wait(secs(10));
    assert_eq!(story.list(&[failed]).requeue, Requeue::Interval);
}

/// What one listing may withdraw from a ready endpoint, and what it then shows.
fn taken_back() -> Vec<(&'static str, Endpoint)> {
    let available = || endpoint(1, Mark::Ours, "AVAILABLE");
    vec![
        ("service name", Endpoint { service_name: None, ..available() }),
        ("a service name of AWS", Endpoint { service_name: Some("$(x)".to_owned()), ..available() }),
        (
            "another service name",
            Endpoint { service_name: endpoint(2, Mark::Ours, "AVAILABLE").service_name, ..available() },
        ),
        ("VPC endpoint id", Endpoint { vpc_endpoint_id: None, ..available() }),
        ("another VPC endpoint id", Endpoint { vpc_endpoint_id: Some(vpce(7).to_string()), ..available() }),
        ("status", Endpoint { status: EndpointStatus::Other(String::new()), ..available() }),
        (
            "status, not known",
            Endpoint { status: EndpointStatus::Other("MAINTENANCE".to_owned()), ..available() },
        ),
        ("status, failed", endpoint(1, Mark::Ours, "FAILED")),
        ("status, earlier", Endpoint { vpc_endpoint_id: None, ..endpoint(1, Mark::Ours, "RESERVED") }),
        ("status, connecting", endpoint(1, Mark::Ours, "INITIATING")),
        ("life", endpoint(1, Mark::Ours, "DELETING")),
        ("mark", endpoint(1, Mark::Strangers, "AVAILABLE")),
    ]
}

#[test]
fn what_one_listing_takes_back_changes_nothing() {
    for (what, shown) in taken_back() {
        let mut story = Harness::recorded();
        ready_before(&mut story.o);
        let once = story.list(std::slice::from_ref(&shown));
        assert_eq!((&once.step, once.requeue), (&Step::Rest, Requeue::After(secs(10))), "{what}");
        let said = report(&story.o, &once);
        assert!(said.unchanged && !said.lost, "{what}");
        assert_eq!(said.endpoint, story.o.object.recorded, "{what}");
        assert_eq!(of_change(Announced::default(), &story.o, &Step::Rest, &said), [], "{what}");
        story.wait(secs(10));
        let back = story.list(&[endpoint(1, Mark::Ours, "AVAILABLE")]);
        assert_eq!(back.requeue, Requeue::Interval, "{what}");
    }
}

#[test]
fn what_two_listings_take_back_is_gone() {
    for (what, shown) in taken_back() {
        let mut story = Harness::recorded();
        ready_before(&mut story.o);
        story.list(std::slice::from_ref(&shown));
        story.wait(secs(9));
        let soon = story.list(std::slice::from_ref(&shown));
        assert!(report(&story.o, &soon).unchanged, "{what}");
        story.wait(secs(1));
        let twice = story.list(std::slice::from_ref(&shown));
        let said = report(&story.o, &twice);
        assert!(!said.unchanged, "{what}");
        assert_eq!(said.endpoint, Some(shown), "{what}");
    }
}

#[test]
fn two_listings_that_take_back_different_things_do_not_confirm_each_other() {
    for (what, shown) in taken_back() {
        for (other, before) in taken_back()
            .into_iter()
            .filter(|(other, _)| {
                !["service", "VPC", "status"].iter().any(|it| other.contains(it) && what.contains(it))
            })
            .filter(|(other, _)| *other != what)
        {
            let mut story = Harness::recorded();
            ready_before(&mut story.o);
            story.list(&[before]);
            story.wait(secs(10));
            let second = story.list(std::slice::from_ref(&shown));
            assert!(report(&story.o, &second).unchanged, "{other}, then {what}");
        }
    }
}

#[test]
fn a_listing_that_shows_all_again_begins_anew() {
    let shown = Endpoint { service_name: None, ..endpoint(1, Mark::Ours, "AVAILABLE") };
    let mut story = Harness::recorded();
    ready_before(&mut story.o);
    for _ in 0..10 {
        let once = story.list(std::slice::from_ref(&shown));
        assert!(report(&story.o, &once).unchanged);
        story.wait(secs(10));
        story.list(&[endpoint(1, Mark::Ours, "AVAILABLE")]);
        story.wait(secs(10));
    }
}

#[test]
fn another_vpc_endpoint_that_is_declared_is_no_contradiction() {
    let mut story = Harness::recorded();
    ready_before(&mut story.o);
    story.spec(|spec| spec.vpc_endpoint = VpcEndpoint::Declared(vpce(7)));
    let connecting =
        Endpoint { vpc_endpoint_id: Some(vpce(7).to_string()), ..endpoint(1, Mark::Ours, "INITIATING") };
    let decision = story.list(std::slice::from_ref(&connecting));
    let report = report(&story.o, &decision);
    assert!(!report.unchanged);
    assert_eq!(report.endpoint, Some(connecting));
}

#[test]
fn one_listing_without_the_endpoint_changes_nothing() {
    let mut story = Harness::recorded();
    ready_before(&mut story.o);
    let once = story.list(&[]);
    assert_eq!((&once.step, once.requeue), (&Step::Rest, Requeue::After(secs(10))));
    let said = report(&story.o, &once);
    assert!(said.unchanged && !said.lost);
    assert_eq!(of_change(Announced::default(), &story.o, &Step::Rest, &said), []);
    story.wait(secs(10));
    let twice = story.list(&[]);
    assert!(matches!(twice.step, Step::Claim { .. }), "{twice:?}");
    assert!(report(&story.o, &twice).lost);
}

/// What happens between two empty listings.
type Between = fn(&mut Harness);

#[test]
fn an_outage_between_two_passing_empty_listings_loses_nothing() {
    let outage: Between = |story| {
        for _ in 0..60 {
            story.wait(MINUTE);
            story.look(failed(FaultKind::Unavailable));
        }
    };
    let once: [Between; 4] = [
        |story| {
            story.look(failed(FaultKind::RateLimited));
        },
        |story| {
            story.look(failed(FaultKind::NoAccess));
        },
        |story| {
            story.look(failed(FaultKind::InstanceNotFound));
        },
        |story| story.wait(600 * MINUTE),
    ];
    for between in once.into_iter().chain([outage]) {
        let mut living = Harness::recorded();
        ready_before(&mut living.o);
        let mut deleted = dying();
        deleted.memory.deleted(id(1), true, deleted.now);
        for mut story in [living, deleted, Harness::claimed()] {
            story.wait(10 * MINUTE);
            story.list(&[]);
            story.wait(secs(11));
            between(&mut story);
            let decision = story.list(&[]);
            let ends = matches!(decision.step, Step::Release(_) | Step::Claim { .. } | Step::Create { .. });
            assert!(!ends, "{decision:?}");
            assert!(!report(&story.o, &decision).lost);
            story.wait(secs(10));
            let confirmed = story.list(&[]);
            let ends = matches!(confirmed.step, Step::Release(_) | Step::Claim { .. });
            assert!(ends, "{confirmed:?}");
        }
    }
}

#[test]
fn what_two_listings_have_confirmed_is_not_doubted_after_an_outage() {
    let mut story = Harness::recorded();
    ready_before(&mut story.o);
    story.spec(|spec| spec.endpoint_id = Some(id(1)));
    story.list(&[]);
    story.wait(secs(10));
    assert_eq!(story.list(&[]).state, State::Lost(id(1)));
    story.wait(10 * MINUTE);
    story.look(failed(FaultKind::Unavailable));
    assert_eq!(story.list(&[]).state, State::Lost(id(1)));
    story.wait(10 * MINUTE);
    assert_eq!(story.list(&[]).state, State::Lost(id(1)));
}
