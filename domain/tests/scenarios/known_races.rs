//! The known races of weaker creation protocols, each as the scenario that leads into it.
//!
//! The races have numbers, which the ablations of `proof/` use, too. Each test is named after what it prevents. The
//! guards of the API server and of writes to it (races 1, 2 and 4 have such a half) are tested on real parts elsewhere,
//! and by the ablations of `proof/`.

use domain::fault::FaultKind;
use domain::reference::VpcEndpoint;
use domain::serverless::decision::{Deleting, Origin, ReleaseReason, State, Step};
use domain::serverless::memory::Memory;
use domain::serverless::observed::Listing;
use domain::serverless::ownership::{COMMENT_BYTES, ClaimReading, mark_of};

use crate::harness::{Harness, is_settling};
use invariants::fixtures::{
    MINUTE, Mark, endpoint, fault, foreign_claim, id, nonce, ours, secs, stranger, token, vpce,
};

#[test]
fn hole_1_a_vpc_endpoint_that_belonged_to_the_lost_service_is_not_sent_to_the_next_one() {
    let mut harness = Harness::recorded();
    harness.o.object.recorded = Some(endpoint(2, Mark::Ours, "RESERVED"));
    harness.o.object.stale_vpc_endpoint = Some(vpce(1));
    harness.spec(|spec| spec.vpc_endpoint = VpcEndpoint::Declared(vpce(1)));
    let decision = harness.list(&[endpoint(2, Mark::Ours, "RESERVED")]);
    assert_eq!(decision.step, Step::Rest);
}

#[test]
fn hole_2_an_attempt_to_replace_a_lost_endpoint_is_open_while_the_dead_id_is_still_recorded() {
    let mut harness = Harness::recorded();
    harness.o.object.claim = ours(Some(id(1)));
    // A restart: nothing is remembered.
    harness.memory = Memory::default();
    harness.list(&[]);
    for _ in 0..19 {
        harness.wait(secs(10));
        let decision = harness.list(&[]);
        assert_eq!(decision.step, Step::Rest, "at {:?}", harness.now);
    }
    // It finally lands.
    let late = endpoint(2, Mark::Ours, "RESERVED");
    assert_eq!(harness.list(std::slice::from_ref(&late)).step, Step::Rest, "the loss is to be confirmed");
    harness.wait(secs(10));
    let decision = harness.list(std::slice::from_ref(&late));
    assert_eq!(decision.step, Step::Record { endpoint: late, origin: Origin::Adopted });
}

#[test]
fn hole_3_a_comment_too_long_for_its_mark_never_pushes_the_mark_out() {
    let mut harness = Harness::recorded();
    harness.spec(|spec| spec.comment = Some("ä".repeat(79)));
    let Step::Update { comment: Some(sent), .. } = harness.list(&[endpoint(1, Mark::Ours, "AVAILABLE")]).step
    else {
        panic!("the comment differs and is not sent");
    };
    assert!(sent.len() <= COMMENT_BYTES);
    assert_eq!(mark_of(&sent), Some(token()));
}

#[test]
fn hole_4_nothing_is_excess_before_the_endpoint_that_stays_is_recorded() {
    let mut harness = Harness::claimed();
    let twins = [endpoint(1, Mark::Ours, "RESERVED"), endpoint(2, Mark::Ours, "AVAILABLE")];
    let decision = harness.list(&twins);
    assert_eq!(decision.step, Step::Record { endpoint: twins[1].clone(), origin: Origin::Adopted });
}

#[test]
fn hole_4_the_recorded_one_of_two_twins_is_never_the_excess_one() {
    let mut harness = Harness::recorded();
    let twins = [endpoint(1, Mark::Ours, "AVAILABLE"), endpoint(2, Mark::Ours, "RESERVED")];
    assert_eq!(harness.list(&twins).step, Step::Delete { id: id(2), excess: true });
}

#[test]
fn hole_5_a_claim_that_was_acknowledged_late_is_not_posted() {
    let mut harness = Harness::new();
    harness.memory.begin_claim(nonce(1), harness.now);
    harness.wait(secs(10));
    harness.o.object.claim = ours(None);
    harness.o.object.finalizer = true;
    let decision = harness.list(&[]);
    assert!(!matches!(decision.step, Step::Create { .. }), "{:?}", decision.step);
}

#[test]
fn hole_5_a_claim_that_was_acknowledged_in_time_is_posted() {
    let mut harness = Harness::new();
    harness.memory.begin_claim(nonce(1), harness.now);
    harness.wait(secs(9));
    harness.o.object.claim = ours(None);
    harness.o.object.finalizer = true;
    assert!(matches!(harness.list(&[]).step, Step::Create { .. }));
}

#[test]
fn hole_6_a_new_endpoint_that_no_listing_shows_is_deleted_by_its_id() {
    let mut harness = Harness::claimed();
    harness.o.object.recorded = Some(endpoint(1, Mark::Ours, "RESERVATION_REQUESTED"));
    harness.o.object.deleting = true;
    assert_eq!(harness.list(&[]).step, Step::Delete { id: id(1), excess: false });
}

#[test]
fn hole_6_a_404_on_a_new_id_does_not_release_the_object() {
    let mut harness = Harness::claimed();
    harness.o.object.recorded = Some(endpoint(1, Mark::Ours, "RESERVATION_REQUESTED"));
    harness.o.object.deleting = true;
    harness.list(&[]);
    harness.memory.deleted(id(1), true, harness.now);
    for _ in 0..11 {
        harness.wait(secs(10));
        assert_eq!(harness.list(&[]).step, Step::Rest);
    }
    harness.wait(secs(10));
    assert_eq!(harness.list(&[]).step, Step::Delete { id: id(1), excess: false });
}

#[test]
fn hole_6_one_listing_without_the_endpoint_does_not_release_the_object() {
    let mut harness = Harness::recorded();
    harness.o.object.deleting = true;
    harness.list(&[]);
    harness.memory.deleted(id(1), false, harness.now);
    harness.wait(secs(1));
    assert_eq!(harness.list(&[]).step, Step::Rest);
    harness.wait(secs(9));
    assert_eq!(harness.list(&[]).step, Step::Rest);
    harness.wait(secs(1));
    assert_eq!(harness.list(&[]).step, Step::Release(ReleaseReason::Deleted));
}

#[test]
fn hole_7_retain_does_not_release_an_object_whose_post_may_still_land() {
    let mut harness = Harness::claimed();
    harness.o.object.deleting = true;
    harness.spec(|spec| spec.retain = true);
    harness.wait(secs(199));
    assert!(is_settling(&harness.reconcile(Listing::Failed(fault(FaultKind::CredentialsNotFound)))));
    harness.wait(secs(1));
    let decision = harness.reconcile(Listing::Failed(fault(FaultKind::CredentialsNotFound)));
    assert_eq!(decision.step, Step::Release(ReleaseReason::Retained), "the clock suffices");
}

#[test]
fn hole_7_suspend_does_not_stop_the_search_for_a_post_that_may_still_land() {
    let mut harness = Harness::claimed();
    harness.spec(|spec| spec.suspend = true);
    assert_eq!(harness.reconcile(Listing::NotFetched).step, Step::List);
    let landed = endpoint(1, Mark::Ours, "RESERVED");
    let decision = harness.list(std::slice::from_ref(&landed));
    assert_eq!(decision.step, Step::Record { endpoint: landed, origin: Origin::Adopted });
}

#[test]
fn hole_8_a_404_that_another_organisations_key_would_get_never_releases_an_object() {
    for kind in [FaultKind::NoAccess, FaultKind::Unauthorized, FaultKind::Forbidden, FaultKind::Unavailable] {
        let mut harness = Harness::recorded();
        harness.o.object.deleting = true;
        let decision = harness.reconcile(Listing::Failed(fault(kind)));
        assert_eq!(decision.step, Step::Rest, "{kind:?}");
        assert!(matches!(decision.state, State::Deleting(Deleting::Blocked(_))), "{kind:?}");
    }
    let mut harness = Harness::recorded();
    harness.o.object.deleting = true;
    assert_eq!(
        harness.reconcile_twice(FaultKind::InstanceNotFound).step,
        Step::Release(ReleaseReason::Deleted)
    );
}

#[test]
fn hole_9_two_clusters_with_one_id_destroy_at_most_one_endpoint_an_hour() {
    let mut harness = Harness::recorded();
    let both = [endpoint(1, Mark::Ours, "AVAILABLE"), endpoint(2, Mark::Ours, "RESERVED")];
    assert_eq!(harness.list(&both).step, Step::Delete { id: id(2), excess: true });
    // Sent, and the response lost: it counts all the same.
    harness.memory.deleting_excess(harness.now);
    let again = [endpoint(1, Mark::Ours, "AVAILABLE"), endpoint(3, Mark::Ours, "RESERVED")];
    harness.wait(59 * MINUTE);
    assert_eq!(harness.list(&again).step, Step::Rest);
    harness.wait(MINUTE);
    assert_eq!(harness.list(&again).step, Step::Delete { id: id(3), excess: true });
}

#[test]
fn hole_9_an_excess_endpoint_that_may_be_in_use_is_left_alone() {
    let mut harness = Harness::recorded();
    let both = [endpoint(1, Mark::Ours, "AVAILABLE"), endpoint(2, Mark::Ours, "INITIATING")];
    assert_eq!(harness.list(&both).step, Step::Rest);
}

#[test]
fn hole_10_a_claim_that_is_wiped_while_its_post_travels_is_still_waited_for() {
    let mut harness = Harness::claimed();
    harness.o.object.claim = ClaimReading::Absent;
    let Step::Claim { nonce: announced, .. } = harness.list(&[]).step else {
        panic!("a missing claim is written again at once");
    };
    assert_eq!(announced, Some(nonce(1)), "as open as it was");
}

#[test]
fn hole_10_an_object_created_again_waits_for_the_post_of_its_earlier_life() {
    let mut harness = Harness::claimed();
    assert!(!harness.memory.prune(&harness.o.times, harness.now), "the memory outlives the object");
    harness.o.object.claim = ClaimReading::Absent;
    harness.o.object.finalizer = false;
    harness.wait(secs(199));
    let step = harness.list(&[]).step;
    assert!(matches!(&step, Step::Claim { nonce: Some(old), .. } if *old == nonce(1)), "{step:?}");
    // Deleted before that was written, it is not released either.
    harness.o.object.deleting = true;
    harness.o.object.finalizer = true;
    assert!(is_settling(&harness.list(&[])));
}

#[test]
fn hole_11_a_strangers_endpoint_that_endpoint_id_names_is_never_deleted() {
    let mut harness = Harness::claimed();
    harness.memory.settle(&nonce(1));
    harness.o.object.deleting = true;
    harness.spec(|spec| spec.endpoint_id = Some(id(1)));
    for mark in [Mark::None, Mark::Strangers] {
        let step = harness.list(&[endpoint(1, mark, "RESERVED")]).step;
        assert!(!matches!(step, Step::Delete { .. } | Step::Update { .. }), "{step:?}");
    }
}

#[test]
fn hole_12_an_endpoint_adopted_from_one_listing_is_not_ready() {
    let mut harness = Harness::claimed();
    let found = endpoint(1, Mark::Ours, "AVAILABLE");
    harness.list(std::slice::from_ref(&found));
    harness.memory.recorded(&found.id, Origin::Adopted, harness.now);
    harness.o.object.recorded = Some(found.clone());
    let ready = |harness: &mut Harness| {
        let decision = harness.list(std::slice::from_ref(&found));
        domain::serverless::status::report(&harness.o, &decision).conditions[0].status
    };
    assert!(!ready(&mut harness));
    harness.wait(secs(10));
    assert!(ready(&mut harness));
}

#[test]
fn hole_13_observe_and_another_endpoint_id_wait_for_a_post_that_may_still_land() {
    let mut harness = Harness::claimed();
    harness.spec(|spec| {
        spec.observe = true;
        spec.endpoint_id = Some(id(7));
    });
    let other = endpoint(7, Mark::None, "RESERVED");
    assert_eq!(harness.list(std::slice::from_ref(&other)).step, Step::Rest);
    let landed = endpoint(1, Mark::Ours, "RESERVED");
    let decision = harness.list(&[other, landed.clone()]);
    assert_eq!(decision.step, Step::Record { endpoint: landed, origin: Origin::Adopted });
}

#[test]
fn hole_14_nothing_is_created_in_place_of_a_lost_endpoint_that_endpoint_id_names() {
    let mut harness = Harness::recorded();
    harness.spec(|spec| spec.endpoint_id = Some(id(1)));
    harness.list(&[]);
    harness.wait(secs(10));
    let decision = harness.list(&[]);
    assert_eq!((decision.step, decision.state), (Step::Rest, State::Lost(id(1))));
}

#[test]
fn hole_15_another_clusters_claim_forbids_a_post_while_nothing_is_recorded() {
    let mut harness = Harness::new();
    harness.o.object.claim = foreign_claim();
    let decision = harness.list(&[]);
    assert_eq!(decision.step, Step::Rest);
    assert!(matches!(decision.state, State::AdoptionRequired { token, .. } if token == stranger()));
}

#[test]
fn hole_15_another_clusters_claim_that_git_puts_back_changes_nothing_once_an_endpoint_is_recorded() {
    let mut harness = Harness::recorded();
    harness.o.object.claim = foreign_claim();
    let decision = harness.list(&[endpoint(1, Mark::Ours, "AVAILABLE")]);
    assert_eq!(decision.step, Step::Rest, "nor is it fought over");
    assert!(matches!(decision.state, State::Recorded(_)));
}

#[test]
fn hole_16_a_claim_that_cannot_be_read_is_waited_for_like_any_other() {
    let mut harness = Harness::new();
    harness.o.object.finalizer = true;
    harness.o.object.claim = ClaimReading::Unreadable(nonce(9));
    harness.list(&[]);
    harness.wait(secs(199));
    let decision = harness.list(&[]);
    // It is announced again under its own nonce, in a readable claim.
    assert!(
        matches!(&decision.step, Step::Claim { nonce: Some(announced), .. } if *announced == nonce(9)),
        "{decision:?}"
    );
}
