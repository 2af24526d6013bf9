//! Findings of the search in `proof/` and of reviews, each as the shortest scenario that showed it.

use domain::conditions::{ConditionType, report};
use domain::decision::{ConfirmedAbsence, Creating, Origin, ReleaseReason, State, Step};
use domain::memory::Memory;
use domain::ownership::ClaimReading;

use crate::harness::{Harness, START, is_settling};
use invariants::fixtures::{MINUTE, Mark, endpoint, id, nonce, ours, secs};

#[test]
fn a_listing_from_before_an_attempt_was_known_does_not_count_against_it() {
    // This process listed, another claimed and posted; long after, a replica that lags confirmed what the first listing
    // had shown.
    let mut story = Harness::new();
    assert!(matches!(story.list(&[]).step, Step::Claim { .. }));
    story.o.object.claim = ours(None);
    story.o.object.finalizer = true;
    story.observe();
    story.wait(secs(200));
    let decision = story.list(&[]);
    assert_eq!(decision.step, Step::Rest);
    assert_eq!(decision.absent, Some(ConfirmedAbsence::Everything));
    story.wait(secs(10));
    assert!(matches!(story.list(&[]).step, Step::Claim { nonce: None, .. }));
}

#[test]
fn a_listing_from_before_an_attempt_was_known_does_not_release_the_object() {
    let mut story = Harness::new();
    story.list(&[]);
    story.o.object.claim = ours(None);
    story.o.object.finalizer = true;
    story.o.object.deleting = true;
    story.observe();
    story.wait(secs(200));
    assert_eq!(story.list(&[]).step, Step::Rest);
    story.wait(secs(10));
    assert_eq!(story.list(&[]).step, Step::Release(ReleaseReason::Deleted));
}

#[test]
fn an_attempt_whose_claim_is_in_doubt_is_never_sent() {
    let mut story = Harness::new();
    story.memory.begin_claim(nonce(1), story.now);
    story.memory.settle(&nonce(1));
    story.o.object.claim = ours(None);
    story.o.object.finalizer = true;
    let step = story.list(&[]).step;
    assert!(matches!(step, Step::Claim { nonce: None, .. }), "another attempt needs another claim: {step:?}");
}

#[test]
fn an_attempt_of_an_object_that_is_gone_is_never_sent_when_a_lagging_watch_shows_the_object_once_more() {
    let mut story = Harness::new();
    story.memory.begin_claim(nonce(1), story.now);
    assert!(story.memory.prune(&story.o.times, story.now), "nothing is left to remember");
    story.o.object.claim = ours(None);
    story.o.object.finalizer = true;
    assert!(is_settling(&story.list(&[])));
}

#[test]
fn a_refused_claim_is_forgotten_and_one_that_was_sent_is_not() {
    let mut memory = Memory::default();
    memory.begin_claim(nonce(1), START);
    memory.withdraw_claim(&nonce(1));
    assert_eq!(memory.since(&nonce(1)), None);
    memory.begin_claim(nonce(2), START);
    assert!(memory.begin_send(&nonce(2)));
    memory.withdraw_claim(&nonce(2));
    assert_eq!(memory.since(&nonce(2)), Some(START));
}

#[test]
fn what_an_attempt_made_is_recorded_under_no_claim_but_its_own() {
    // This process posted, another one recorded the endpoint first. It is lost long after, and replaced.
    let mut story = Harness::new();
    story.memory.begin_claim(nonce(1), story.now);
    story.o.object.claim = ours(None);
    story.o.object.finalizer = true;
    assert!(story.memory.begin_send(&nonce(1)));
    story.memory.created(&nonce(1), endpoint(1, Mark::Ours, "RESERVATION_REQUESTED"));
    story.o.object.recorded = Some(endpoint(1, Mark::Ours, "RESERVED"));
    story.observe();
    story.wait(60 * MINUTE);
    story.o.object.claim = ClaimReading::Ours { nonce: nonce(2), replaced: Some(id(1)) };
    story.observe();
    for _ in 0..2 {
        let step = story.list(&[]).step;
        assert!(!matches!(step, Step::Record { .. }), "a dead endpoint is recorded: {step:?}");
        story.wait(secs(200));
    }
}

#[test]
fn what_is_recorded_is_not_recorded_again_when_the_claim_is_wiped() {
    // This process posted; its claim became unreadable, and the endpoint was found by its mark and recorded under that one.
    let mut story = Harness::new();
    story.memory.begin_claim(nonce(1), story.now);
    assert!(story.memory.begin_send(&nonce(1)));
    let made = endpoint(1, Mark::Ours, "RESERVED");
    story.memory.created(&nonce(1), made.clone());
    story.o.object.finalizer = true;
    story.o.object.claim = ClaimReading::Ours { nonce: nonce(101), replaced: None };
    story.o.object.recorded = Some(made.clone());
    story.observe();
    story.o.object.claim = ClaimReading::Absent;
    let step = story.list(std::slice::from_ref(&made)).step;
    assert!(matches!(step, Step::Claim { nonce: None, .. }), "nothing is on its way any more: {step:?}");
    // Another process, which cannot know the attempt's endpoint, announces it again in its own words.
    story.o.object.claim = ClaimReading::Ours { nonce: nonce(1), replaced: Some(id(1)) };
    assert_eq!(story.list(std::slice::from_ref(&made)).step, Step::Rest);
}

#[test]
fn an_endpoint_whose_claim_was_wiped_is_recorded_once_its_claim_is_back() {
    let mut story = Harness::new();
    story.memory.begin_claim(nonce(1), story.now);
    assert!(story.memory.begin_send(&nonce(1)));
    let made = endpoint(1, Mark::Ours, "RESERVATION_REQUESTED");
    story.memory.created(&nonce(1), made.clone());
    let step = story.list(&[]).step;
    assert!(matches!(&step, Step::Claim { nonce: Some(own), .. } if *own == nonce(1)), "{step:?}");
    story.o.object.claim = ours(None);
    story.o.object.finalizer = true;
    assert_eq!(story.list(&[]).step, Step::Record { endpoint: made, origin: Origin::Created });
}

/// An endpoint was recorded just now; its object was deleted and retained it, and another of its name is created.
fn retained_and_created_again() -> Harness {
    let mut story = Harness::claimed();
    story.o.object.recorded = Some(endpoint(1, Mark::Ours, "RESERVED"));
    story.observe();
    story.wait(secs(20));
    assert!(!story.memory.prune(&story.o.times, story.now), "it may be there, and not be listed yet");
    story.o = Harness::new().o;
    story
}

#[test]
fn what_was_recorded_just_now_is_waited_for_when_the_name_comes_back_and_listings_lag() {
    let mut story = retained_and_created_again();
    let decision = story.list(&[]);
    assert_eq!(decision.step, Step::Rest);
    assert_eq!(decision.state, State::Creating(Creating::AwaitingVisibility(secs(100))));
    story.wait(secs(99));
    assert_eq!(story.list(&[]).step, Step::Rest);
    story.wait(secs(1));
    assert!(matches!(story.list(&[]).step, Step::Claim { nonce: None, .. }), "somebody has removed it");
}

#[test]
fn what_was_recorded_just_now_is_adopted_as_soon_as_a_listing_shows_it() {
    let mut story = retained_and_created_again();
    let left = endpoint(1, Mark::Ours, "RESERVED");
    assert!(matches!(story.list(std::slice::from_ref(&left)).step, Step::Claim { .. }));
    story.o.object.claim = ours(None);
    story.o.object.finalizer = true;
    let decision = story.list(std::slice::from_ref(&left));
    assert_eq!(decision.step, Step::Record { endpoint: left, origin: Origin::Adopted });
}

#[test]
fn a_claim_that_was_written_before_the_status_was_wiped_is_not_posted_while_a_listing_may_lag() {
    let mut story = Harness::claimed();
    story.o.object.recorded = Some(endpoint(1, Mark::Ours, "RESERVED"));
    story.observe();
    story.memory.begin_claim(nonce(2), story.now);
    story.o.object.claim = ClaimReading::Ours { nonce: nonce(2), replaced: None };
    story.o.object.recorded = None;
    let decision = story.list(&[]);
    assert!(!matches!(decision.step, Step::Create { .. }), "{decision:?}");
}

#[test]
fn a_deletion_waits_for_what_was_recorded_just_now_although_the_status_was_wiped() {
    let mut story = Harness::claimed();
    story.o.object.recorded = Some(endpoint(1, Mark::Ours, "RESERVED"));
    story.observe();
    story.o.object.recorded = None;
    story.o.object.claim = ClaimReading::Absent;
    story.o.object.deleting = true;
    story.list(&[]);
    story.wait(secs(119));
    assert_eq!(story.list(&[]).step, Step::Rest);
    story.wait(secs(1));
    story.list(&[]);
    story.wait(secs(10));
    assert_eq!(story.list(&[]).step, Step::Release(ReleaseReason::Deleted));
}

#[test]
fn of_an_object_whose_endpoint_is_gone_nothing_is_waited_for() {
    let mut story = retained_and_created_again();
    story.memory.clear_recorded();
    assert!(story.memory.prune(&story.o.times, story.now));
    assert!(matches!(story.list(&[]).step, Step::Claim { nonce: None, .. }));
}

#[test]
fn an_attempt_is_remembered_without_its_object_until_a_listing_would_show_what_it_made() {
    let mut story = Harness::claimed();
    story.wait(secs(319));
    assert!(!story.memory.prune(&story.o.times, story.now));
    let mut next = Harness { o: Harness::new().o, memory: story.memory.clone(), now: story.now };
    assert_eq!(next.list(&[]).absent, Some(ConfirmedAbsence::Everything), "one listing is not enough");
    story.wait(secs(1));
    assert!(story.memory.prune(&story.o.times, story.now));
}

#[test]
fn a_lost_endpoint_is_reported_before_one_that_carries_the_mark_is_adopted_in_its_place() {
    let other = endpoint(2, Mark::Ours, "RESERVED");
    let mut story = Harness::recorded();
    story.list(std::slice::from_ref(&other));
    story.wait(secs(10));
    let claims = story.list(std::slice::from_ref(&other));
    assert!(matches!(&claims.step, Step::Claim { replaced: Some(lost), .. } if *lost == id(1)));
    let said = report(&story.o, &claims);
    assert!(said.lost);
    assert_eq!(said.endpoint, story.o.object.recorded);
    assert!(!said.get(ConditionType::EndpointServiceAvailable).unwrap().status);
}
