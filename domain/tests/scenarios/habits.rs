//! Smaller habits of the rules, each of which a broken version of them once got past all other tests.

use std::time::Duration;

use domain::conditions::{ConditionType, EventReason, report};
use domain::decision::{Step, Wake};
use domain::fault::FaultKind;
use domain::memory::Memory;
use domain::notice::of_change;
use domain::observed::{Atlas, Key, Sunset, Tried};
use domain::ownership::{ClaimReading, marked_comment};

use crate::story::Story;
use crate::support::{Mark, endpoint, fault, id, secs, token};

#[test]
fn observing_takes_no_hold_of_an_object() {
    let mut story = Story::recorded();
    story.o.object.claim = ClaimReading::Absent;
    story.o.object.finalizer = false;
    story.spec(|spec| {
        spec.observe = true;
        spec.endpoint_id = Some(id(1));
    });
    let decision = story.list(&[endpoint(1, Mark::None, "AVAILABLE")]);
    assert_eq!(decision.step, Step::Rest);
}

#[test]
fn each_fault_is_looked_at_again_when_it_may_be_over() {
    for (kind, wake) in [
        (FaultKind::Retired, Wake::Interval),
        (FaultKind::NotServerless, Wake::Interval),
        (FaultKind::InstanceNotFound, Wake::Interval),
        // As often as Secrets are read.
        (FaultKind::CredentialsNotFound, Wake::After(secs(15))),
        (FaultKind::Unauthorized, Wake::After(secs(15))),
        (FaultKind::Forbidden, Wake::After(secs(15))),
        (FaultKind::NoAccess, Wake::After(secs(15))),
        (FaultKind::Unavailable, Wake::Retry(Duration::ZERO)),
    ] {
        assert_eq!(Story::recorded().look(Atlas::Failed(fault(kind))).wake, wake, "{kind:?}");
    }
}

#[test]
fn a_suspended_object_goes_on_saying_what_was_amiss() {
    let mut story = Story::recorded();
    story.spec(|spec| spec.suspend = true);
    let said = |kind: &str, yes, why: &str| (kind.to_owned(), yes, why.to_owned(), "as it was".to_owned());
    story.o.object.reported.conditions =
        vec![said("Ready", true, "Available"), said("Synced", false, "AtlasUnavailable")];
    let decision = story.look(Atlas::Unread);
    let report = report(&story.o, &decision);
    let synced = report.get(ConditionType::Synced).unwrap();
    assert_eq!((synced.status, synced.message.as_str()), (false, "as it was"));
    assert!(report.conditions[0].status);
}

#[test]
fn a_comment_in_atlas_is_the_users_text_and_the_mark() {
    assert_eq!(marked_comment(Some(" orders "), &token()), format!("orders [k8s:{}]", token()));
}

#[test]
fn an_endpoint_without_its_mark_waits_for_a_key_that_may_give_it_back() {
    let mut story = Story::recorded();
    story.o.object.deleting = true;
    story.o.key = Key::Remembered(fault(FaultKind::CredentialsNotFound));
    let unmarked = endpoint(1, Mark::None, "AVAILABLE");
    let decision = story.list(std::slice::from_ref(&unmarked));
    assert_eq!(decision.step, Step::Rest);
    let message = &report(&story.o, &decision).conditions[0].message;
    for word in [id(1).as_str(), "CredentialsNotFound", "Retain"] {
        assert!(message.contains(word), "{word} is not in {message}");
    }
    story.o.key = Key::Held;
    assert!(matches!(story.list(&[unmarked]).step, Step::Update { comment: Some(_), .. }));
    // With its mark, the key that is only remembered suffices.
    story.o.key = Key::Remembered(fault(FaultKind::CredentialsNotFound));
    let marked = endpoint(1, Mark::Ours, "AVAILABLE");
    assert_eq!(story.list(&[marked]).step, Step::Delete { id: id(1), excess: false });
}

#[test]
fn an_announced_end_of_the_api_is_told_once_and_stays_until_a_listing_says_otherwise() {
    let mut story = Story::recorded();
    let shown = [endpoint(1, Mark::Ours, "AVAILABLE")];
    let tells = |story: &mut Story, atlas: Atlas, sunset: Option<Sunset>| {
        story.o.sunset = sunset;
        let decision = story.look(atlas);
        let report = report(&story.o, &decision);
        let notices = of_change(&story.o.object.reported, &report);
        story.o.object.reported.conditions = report
            .conditions
            .iter()
            .map(|c| (c.kind.to_string(), c.status, c.reason.to_string(), c.message.clone()))
            .collect();
        let told = notices.iter().filter(|notice| notice.reason == EventReason::AtlasApiSunset).count();
        (report.get(ConditionType::ApiSunset).is_some(), told)
    };
    let sunset = || Some(Sunset { day: Some("2026-01-15".to_owned()) });
    assert_eq!(tells(&mut story, Atlas::Listed(shown.to_vec()), None), (false, 0));
    assert_eq!(tells(&mut story, Atlas::Listed(shown.to_vec()), sunset()), (true, 1));
    assert_eq!(tells(&mut story, Atlas::Listed(shown.to_vec()), sunset()), (true, 0));
    // A restart in an outage: nobody here has heard of it.
    assert_eq!(tells(&mut story, Atlas::Failed(fault(FaultKind::Unavailable)), None), (true, 0));
    assert_eq!(tells(&mut story, Atlas::Listed(shown.to_vec()), sunset()), (true, 0));
    assert_eq!(tells(&mut story, Atlas::Listed(shown.to_vec()), None), (false, 0));
}

#[test]
fn an_end_for_good_names_what_the_user_goes_on_paying_for() {
    for kind in [FaultKind::Retired, FaultKind::NotServerless, FaultKind::InstanceNotFound] {
        let mut story = Story::recorded();
        let decision = story.look(Atlas::Failed(fault(kind)));
        let report = report(&story.o, &decision);
        let told = of_change(&story.o.object.reported, &report);
        assert!(
            told.iter().any(|notice| notice.warning && notice.message.contains("billed")),
            "{kind:?}: {told:?}"
        );
        assert!(report.get(ConditionType::Stalled).is_some(), "{kind:?}");
    }
}

#[test]
fn the_status_of_a_dying_object_names_the_endpoint_that_is_being_recorded() {
    let mut story = Story::claimed();
    story.o.object.deleting = true;
    let landed = endpoint(1, Mark::Ours, "RESERVED");
    let decision = story.list(std::slice::from_ref(&landed));
    assert!(matches!(decision.step, Step::Record { .. }), "{decision:?}");
    assert_eq!(report(&story.o, &decision).endpoint, Some(landed));
}

#[test]
fn only_the_first_look_of_a_process_believes_the_status_that_work_is_late() {
    let mut memory = Memory::default();
    let late = Some(secs(900));
    let since = |memory: &Memory, now| memory.recall(now, now, Tried::Nothing).working.unwrap().1;
    memory.working(Some("one".to_owned()), late, secs(1000));
    assert_eq!(since(&memory, secs(1000)), secs(900));
    memory.working(Some("two".to_owned()), late, secs(1000));
    assert_eq!(since(&memory, secs(1000)), secs(0));
}
