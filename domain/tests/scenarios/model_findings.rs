//! Findings of the search in `proof/` and of reviews, each as the shortest scenario that showed it.

use domain::serverless::decision::{ConfirmedAbsence, Creating, Origin, ReleaseReason, State, Step};
use domain::serverless::memory::Memory;
use domain::serverless::ownership::ClaimReading;
use domain::serverless::status::report;
use domain::status::ConditionType;

use crate::harness::{Harness, START, is_settling};
use invariants::fixtures::{MINUTE, Mark, endpoint, id, nonce, ours, secs};

#[test]
fn a_listing_from_before_an_attempt_was_known_does_not_count_against_it() {
    // This process listed, another claimed and posted; long after, a replica that lags confirmed what the first listing
    // had shown.
    let mut harness = Harness::new();
    assert!(matches!(harness.list(&[]).step, Step::Claim { .. }));
    harness.o.object.claim = ours(None);
    harness.o.object.finalizer = true;
    harness.observe();
    harness.wait(secs(200));
    let decision = harness.list(&[]);
    assert_eq!(decision.step, Step::Rest);
    assert_eq!(decision.absent, Some(ConfirmedAbsence::Everything));
    harness.wait(secs(10));
    assert!(matches!(harness.list(&[]).step, Step::Claim { nonce: None, .. }));
}

#[test]
fn a_listing_from_before_an_attempt_was_known_does_not_release_the_object() {
    let mut harness = Harness::new();
    harness.list(&[]);
    harness.o.object.claim = ours(None);
    harness.o.object.finalizer = true;
    harness.o.object.deleting = true;
    harness.observe();
    harness.wait(secs(200));
    assert_eq!(harness.list(&[]).step, Step::Rest);
    harness.wait(secs(10));
    assert_eq!(harness.list(&[]).step, Step::Release(ReleaseReason::Deleted));
}

#[test]
fn an_attempt_whose_claim_is_in_doubt_is_never_sent() {
    let mut harness = Harness::new();
    harness.memory.begin_claim(nonce(1), harness.now);
    harness.memory.settle(&nonce(1));
    harness.o.object.claim = ours(None);
    harness.o.object.finalizer = true;
    let step = harness.list(&[]).step;
    assert!(matches!(step, Step::Claim { nonce: None, .. }), "another attempt needs another claim: {step:?}");
}

#[test]
fn an_attempt_of_an_object_that_is_gone_is_never_sent_when_a_lagging_watch_shows_the_object_once_more() {
    let mut harness = Harness::new();
    harness.memory.begin_claim(nonce(1), harness.now);
    assert!(harness.memory.prune(&harness.o.times, harness.now), "nothing is left to remember");
    harness.o.object.claim = ours(None);
    harness.o.object.finalizer = true;
    assert!(is_settling(&harness.list(&[])));
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
    let mut harness = Harness::new();
    harness.memory.begin_claim(nonce(1), harness.now);
    harness.o.object.claim = ours(None);
    harness.o.object.finalizer = true;
    assert!(harness.memory.begin_send(&nonce(1)));
    harness.memory.created(&nonce(1), endpoint(1, Mark::Ours, "RESERVATION_REQUESTED"));
    harness.o.object.recorded = Some(endpoint(1, Mark::Ours, "RESERVED"));
    harness.observe();
    harness.wait(60 * MINUTE);
    harness.o.object.claim = ClaimReading::Ours { nonce: nonce(2), replaced: Some(id(1)) };
    harness.observe();
    for _ in 0..2 {
        let step = harness.list(&[]).step;
        assert!(!matches!(step, Step::Record { .. }), "a dead endpoint is recorded: {step:?}");
        harness.wait(secs(200));
    }
}

#[test]
fn what_is_recorded_is_not_recorded_again_when_the_claim_is_wiped() {
    // This process posted; its claim became unreadable, and the endpoint was found by its mark and recorded under that one.
    let mut harness = Harness::new();
    harness.memory.begin_claim(nonce(1), harness.now);
    assert!(harness.memory.begin_send(&nonce(1)));
    let made = endpoint(1, Mark::Ours, "RESERVED");
    harness.memory.created(&nonce(1), made.clone());
    harness.o.object.finalizer = true;
    harness.o.object.claim = ClaimReading::Ours { nonce: nonce(101), replaced: None };
    harness.o.object.recorded = Some(made.clone());
    harness.observe();
    harness.o.object.claim = ClaimReading::Absent;
    let step = harness.list(std::slice::from_ref(&made)).step;
    assert!(matches!(step, Step::Claim { nonce: None, .. }), "nothing is in flight any more: {step:?}");
    // Another process, which cannot know the attempt's endpoint, announces it again in its own words.
    harness.o.object.claim = ClaimReading::Ours { nonce: nonce(1), replaced: Some(id(1)) };
    assert_eq!(harness.list(std::slice::from_ref(&made)).step, Step::Rest);
}

#[test]
fn an_endpoint_whose_claim_was_wiped_is_recorded_once_its_claim_is_back() {
    let mut harness = Harness::new();
    harness.memory.begin_claim(nonce(1), harness.now);
    assert!(harness.memory.begin_send(&nonce(1)));
    let made = endpoint(1, Mark::Ours, "RESERVATION_REQUESTED");
    harness.memory.created(&nonce(1), made.clone());
    let step = harness.list(&[]).step;
    assert!(matches!(&step, Step::Claim { nonce: Some(own), .. } if *own == nonce(1)), "{step:?}");
    harness.o.object.claim = ours(None);
    harness.o.object.finalizer = true;
    assert_eq!(harness.list(&[]).step, Step::Record { endpoint: made, origin: Origin::Created });
}

/// An endpoint was recorded just now; its object was deleted and retained it, and another of its name is created.
fn retained_and_created_again() -> Harness {
    let mut harness = Harness::claimed();
    harness.o.object.recorded = Some(endpoint(1, Mark::Ours, "RESERVED"));
    harness.observe();
    harness.wait(secs(20));
    assert!(!harness.memory.prune(&harness.o.times, harness.now), "it may be there, and not be listed yet");
    harness.o = Harness::new().o;
    harness
}

#[test]
fn what_was_recorded_just_now_is_waited_for_when_the_name_comes_back_and_listings_lag() {
    let mut harness = retained_and_created_again();
    let decision = harness.list(&[]);
    assert_eq!(decision.step, Step::Rest);
    assert_eq!(decision.state, State::Creating(Creating::AwaitingVisibility(secs(100))));
    harness.wait(secs(99));
    assert_eq!(harness.list(&[]).step, Step::Rest);
    harness.wait(secs(1));
    assert!(matches!(harness.list(&[]).step, Step::Claim { nonce: None, .. }), "somebody has removed it");
}

#[test]
fn what_was_recorded_just_now_is_adopted_as_soon_as_a_listing_shows_it() {
    let mut harness = retained_and_created_again();
    let left = endpoint(1, Mark::Ours, "RESERVED");
    assert!(matches!(harness.list(std::slice::from_ref(&left)).step, Step::Claim { .. }));
    harness.o.object.claim = ours(None);
    harness.o.object.finalizer = true;
    let decision = harness.list(std::slice::from_ref(&left));
    assert_eq!(decision.step, Step::Record { endpoint: left, origin: Origin::Adopted });
}

#[test]
fn a_claim_that_was_written_before_the_status_was_wiped_is_not_posted_while_a_listing_may_lag() {
    let mut harness = Harness::claimed();
    harness.o.object.recorded = Some(endpoint(1, Mark::Ours, "RESERVED"));
    harness.observe();
    harness.memory.begin_claim(nonce(2), harness.now);
    harness.o.object.claim = ClaimReading::Ours { nonce: nonce(2), replaced: None };
    harness.o.object.recorded = None;
    let decision = harness.list(&[]);
    assert!(!matches!(decision.step, Step::Create { .. }), "{decision:?}");
}

#[test]
fn a_deletion_waits_for_what_was_recorded_just_now_although_the_status_was_wiped() {
    let mut harness = Harness::claimed();
    harness.o.object.recorded = Some(endpoint(1, Mark::Ours, "RESERVED"));
    harness.observe();
    harness.o.object.recorded = None;
    harness.o.object.claim = ClaimReading::Absent;
    harness.o.object.deleting = true;
    harness.list(&[]);
    harness.wait(secs(119));
    assert_eq!(harness.list(&[]).step, Step::Rest);
    harness.wait(secs(1));
    harness.list(&[]);
    harness.wait(secs(10));
    assert_eq!(harness.list(&[]).step, Step::Release(ReleaseReason::Deleted));
}

#[test]
fn of_an_object_whose_endpoint_is_gone_nothing_is_waited_for() {
    let mut harness = retained_and_created_again();
    harness.memory.clear_recorded();
    assert!(harness.memory.prune(&harness.o.times, harness.now));
    assert!(matches!(harness.list(&[]).step, Step::Claim { nonce: None, .. }));
}

#[test]
fn an_attempt_is_remembered_without_its_object_until_a_listing_would_show_what_it_made() {
    let mut harness = Harness::claimed();
    harness.wait(secs(319));
    assert!(!harness.memory.prune(&harness.o.times, harness.now));
    let mut next = Harness { o: Harness::new().o, memory: harness.memory.clone(), now: harness.now };
    assert_eq!(next.list(&[]).absent, Some(ConfirmedAbsence::Everything), "one listing is not enough");
    harness.wait(secs(1));
    assert!(harness.memory.prune(&harness.o.times, harness.now));
}

#[test]
fn a_lost_endpoint_is_reported_before_one_that_carries_the_mark_is_adopted_in_its_place() {
    let other = endpoint(2, Mark::Ours, "RESERVED");
    let mut harness = Harness::recorded();
    harness.list(std::slice::from_ref(&other));
    harness.wait(secs(10));
    let claims = harness.list(std::slice::from_ref(&other));
    assert!(matches!(&claims.step, Step::Claim { replaced: Some(lost), .. } if *lost == id(1)));
    let reported = report(&harness.o, &claims);
    assert!(reported.lost);
    assert_eq!(reported.endpoint, harness.o.object.recorded);
    assert!(!reported.get(ConditionType::EndpointServiceAvailable).unwrap().status);
}
