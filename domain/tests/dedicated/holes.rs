//! The holes that the search of the protocol found: what happens if one of its rules is missing. Each ends in the right result, and the
//! world panics at whatever breaks a property on the way.

use domain::dedicated::decision::Step;
use domain::dedicated::observed::Deletion;
use domain::status::Reason;

use crate::objects::KindAndName;
use crate::world::*;

const AVAILABLE: Option<(bool, Reason)> = Some((true, Reason::Available));

/// The service, created and available.
fn created_service() -> (DedicatedWorld, KindAndName) {
    let (mut world, service) = DedicatedWorld::with_service();
    world.rounds(A, &[&service], 4, 10);
    assert_eq!(world.object(&service).ready(), AVAILABLE);
    assert_eq!(world.object(&service).provenances(), ["Created"]);
    (world, service)
}

/// Endpoint 1, registered and available.
fn created_endpoint() -> (DedicatedWorld, KindAndName) {
    let (mut world, endpoint) = DedicatedWorld::with_endpoint();
    world.rounds(A, &[&endpoint], 4, 10);
    assert_eq!(world.object(&endpoint).ready(), AVAILABLE);
    assert_eq!(world.object(&endpoint).provenances(), ["Created"]);
    (world, endpoint)
}

fn delete_always(world: &mut DedicatedWorld, key: &KindAndName) {
    world.api.edit(key, |object| object.spec.rules.deletion = Some(Deletion::Delete));
}

fn assert_released(world: &DedicatedWorld, key: &KindAndName) {
    assert!(!world.api.objects.contains_key(key), "{:?}", world.api.objects.get(key));
}

/// All that may still take effect does, and the object goes at last.
fn finish_deletion(world: &mut DedicatedWorld, replica: usize, key: &KindAndName) {
    world.rounds(replica, &[key], 60, 10);
    assert_released(world, key);
}

// Hole 1.
#[test]
fn an_object_whose_post_travels_is_not_released_by_another_replica() {
    let (mut world, service) = DedicatedWorld::with_service();
    delete_always(&mut world, &service);
    let posting = world.begin_to(A, &service, "call");
    world.launch(&posting);
    world.api.delete(&service);
    world.rounds(B, &[&service], 5, 10);
    world.land();
    drop(posting);
    finish_deletion(&mut world, B, &service);
    world.assert_no_service();
}

// Hole 2.
#[test]
fn of_two_replicas_that_claim_a_delete_one_sends_it() {
    let (mut world, endpoint) = created_endpoint();
    world.api.delete(&endpoint);
    let mut slow = world.begin_to(A, &endpoint, "claim");
    slow.fate = RequestFate::Travels;
    let mut quick = world.begin_to(B, &endpoint, "claim");
    world.run_to(&mut quick, "call");
    world.finish(slow);
    world.finish(quick);
    world.rounds(B, &[&endpoint], 4, 10);
    assert_released(&world, &endpoint);
    world.api.create(&endpoint, direct_spec(1));
    world.rounds(B, &[&endpoint], 4, 10);
    while !world.travelling.is_empty() {
        world.land();
    }
    world.rounds(B, &[&endpoint], 4, 10);
    assert_eq!(world.object(&endpoint).ready(), AVAILABLE);
}

// Hole 3.
#[test]
fn a_replica_that_slept_since_its_claim_sends_nothing() {
    let (mut world, service) = DedicatedWorld::with_service();
    let mut sleeping = world.begin_to(A, &service, "catch up");
    world.step(&mut sleeping);
    world.replicas[A].is_asleep = true;
    world.api.delete(&service);
    world.rounds(B, &[&service], 30, 10);
    assert_released(&world, &service);
    world.finish(sleeping);
    assert_eq!(world.atlas.requests, 0);
}

// Hole 4.
#[test]
fn nothing_is_claimed_while_an_earlier_post_may_land() {
    let (mut world, service) = DedicatedWorld::with_service();
    delete_always(&mut world, &service);
    world.fate = RequestFate::Travels;
    world.reconcile(A, &service);
    world.fate = RequestFate::Arrives;
    world.rounds(A, &[&service], 3, 10);
    world.restart(A);
    world.api.delete(&service);
    world.rounds(A, &[&service], 6, 10);
    world.land();
    finish_deletion(&mut world, A, &service);
    world.assert_no_service();
}

// Hole 5.
#[test]
fn an_object_whose_post_timed_out_is_released_only_once_it_cannot_land() {
    let (mut world, service) = DedicatedWorld::with_service();
    delete_always(&mut world, &service);
    world.fate = RequestFate::Travels;
    world.reconcile(A, &service);
    world.fate = RequestFate::Arrives;
    world.api.delete(&service);
    world.rounds(A, &[&service], 8, 10);
    world.land();
    finish_deletion(&mut world, A, &service);
    world.assert_no_service();
}

// Hole 6.
#[test]
fn what_somebody_else_created_does_not_settle_a_post_that_travels() {
    let (mut world, service) = DedicatedWorld::with_service();
    delete_always(&mut world, &service);
    world.fate = RequestFate::Travels;
    world.reconcile(A, &service);
    world.fate = RequestFate::Arrives;
    world.atlas.create_by_hand(&service_key());
    world.rounds(A, &[&service], 2, 10);
    assert_eq!(world.object(&service).provenances(), ["Unproven"]);
    world.api.delete(&service);
    world.rounds(A, &[&service], 6, 10);
    world.land();
    finish_deletion(&mut world, A, &service);
    world.assert_no_service();
}

// Hole 7.
#[test]
fn a_claim_is_settled_by_its_own_nonce_only() {
    let (mut world, service) = created_service();
    delete_always(&mut world, &service);
    let life = world.service_life();
    world.atlas.remove_by_hand(&life);
    world.fate = RequestFate::Travels;
    world.rounds(A, &[&service], 20, 10);
    world.fate = RequestFate::Arrives;
    assert_eq!(world.travelling.len(), 1, "it is created again");
    world.api.delete(&service);
    // The process that sent it is gone, and the status has the nonce of the first POST.
    world.restart(A);
    world.rounds(A, &[&service], 6, 10);
    world.land();
    finish_deletion(&mut world, A, &service);
    world.assert_no_service();
}

// Hole 8.
#[test]
fn what_is_found_after_a_crash_before_the_post_is_not_ours() {
    let (mut world, service) = DedicatedWorld::with_service();
    drop(world.begin_to(A, &service, "catch up"));
    world.restart(A);
    world.atlas.create_by_hand(&service_key());
    world.rounds(A, &[&service], 3, 10);
    assert_eq!(world.object(&service).provenances(), ["Unproven"]);
    world.api.delete(&service);
    finish_deletion(&mut world, A, &service);
    assert!(world.atlas.has(&world.service_life()));
}

// Hole 9.
#[test]
fn what_somebody_else_created_before_our_post_is_not_ours() {
    let (mut world, service) = DedicatedWorld::with_service();
    world.fate = RequestFate::Travels;
    world.reconcile(A, &service);
    world.fate = RequestFate::Arrives;
    world.atlas.create_by_hand(&service_key());
    world.land();
    world.rounds(A, &[&service], 3, 10);
    assert_eq!(world.object(&service).provenances(), ["Unproven"]);
    world.api.delete(&service);
    finish_deletion(&mut world, A, &service);
    assert!(world.atlas.has(&world.service_life()));
}

// Hole 10.
#[test]
fn a_copied_status_proves_nothing_for_the_copy() {
    let (mut world, service) = created_service();
    let original = world.object(&service).clone();
    world.api.edit(&service, |object| object.spec.rules.deletion = Some(Deletion::Retain));
    world.api.delete(&service);
    finish_deletion(&mut world, A, &service);
    world.api.create(&service, service_spec());
    world.api.edit(&service, |copy| (copy.status, copy.finalizer) = (original.status, true));
    world.api.delete(&service);
    finish_deletion(&mut world, A, &service);
    assert!(world.atlas.has(&world.service_life()));
}

// Hole 11.
#[test]
fn a_response_that_is_recorded_late_replaces_no_later_life() {
    let (mut world, service) = DedicatedWorld::with_service();
    let mut late = world.begin_to(A, &service, "record");
    let first = world.service_life();
    world.atlas.remove_by_hand(&first);
    world.rounds(B, &[&service], 30, 10);
    let second = world.service_life();
    assert_ne!(first, second);
    world.run_to(&mut late, "record");
    world.finish(late);
    world.rounds(B, &[&service], 1, 10);
    assert_eq!(world.object(&service).status.entries[0].life, second);
    world.api.delete(&service);
    finish_deletion(&mut world, B, &service);
    world.assert_no_service();
}

// Hole 12.
#[test]
fn a_delete_of_unknown_outcome_is_not_sent_again_at_once() {
    let (mut world, endpoint) = created_endpoint();
    world.api.delete(&endpoint);
    world.fate = RequestFate::Travels;
    world.reconcile(A, &endpoint);
    world.fate = RequestFate::Arrives;
    world.rounds(A, &[&endpoint], 3, 10);
    world.restart(A);
    world.rounds(A, &[&endpoint], 3, 10);
    if !world.api.objects.contains_key(&endpoint) {
        world.api.create(&endpoint, direct_spec(1));
        world.rounds(A, &[&endpoint], 3, 10);
    }
    world.land();
    finish_deletion(&mut world, A, &endpoint);
    world.assert_no_endpoint();
}

// Hole 13.
#[test]
fn retain_does_not_release_an_object_whose_delete_travels() {
    let (mut world, service) = created_service();
    world.api.delete(&service);
    world.fate = RequestFate::Travels;
    world.reconcile(A, &service);
    world.fate = RequestFate::Arrives;
    world.api.edit(&service, |object| object.spec.rules.deletion = Some(Deletion::Retain));
    world.rounds(B, &[&service], 6, 10);
    world.land();
    finish_deletion(&mut world, B, &service);
}

// Hole 14.
#[test]
fn an_heir_that_came_after_the_claim_keeps_the_endpoint() {
    let (mut world, endpoint) = created_endpoint();
    world.api.delete(&endpoint);
    let claimed = world.begin_to(A, &endpoint, "catch up");
    world.replicas[A].is_asleep = true;
    world.api.create(&pe("heir"), direct_spec(1));
    world.finish(claimed);
    world.replicas[A].is_asleep = false;
    world.rounds(A, &[&endpoint, &pe("heir")], 30, 10);
    assert_released(&world, &endpoint);
    assert_eq!(world.object(&pe("heir")).ready(), AVAILABLE);
    assert!(world.atlas.has(&world.endpoint_life(1)));
}

// Hole 15.
#[test]
fn what_another_object_names_outlives_the_object_that_created_it() {
    for endpoint in [true, false] {
        let (mut world, first) = if endpoint { created_endpoint() } else { created_service() };
        let (heir, spec) =
            if endpoint { (pe("heir"), direct_spec(1)) } else { (pes("heir"), service_spec()) };
        world.api.create(&heir, spec);
        world.api.delete(&first);
        world.rounds(A, &[&first, &heir], 30, 10);
        assert_released(&world, &first);
        assert_eq!(world.object(&heir).ready(), AVAILABLE);
        assert_eq!(world.object(&heir).provenances(), ["Adopted"]);
        let life = if endpoint { world.endpoint_life(1) } else { world.service_life() };
        assert!(world.atlas.has(&life));
    }
}

// Hole 16.
#[test]
fn an_object_that_was_created_again_after_the_claim_keeps_the_endpoint() {
    let (mut world, endpoint) = created_endpoint();
    world.api.delete(&endpoint);
    let claimed = world.begin_to(A, &endpoint, "catch up");
    world.api.delete_by_force(&endpoint);
    world.api.create(&endpoint, direct_spec(1));
    world.finish(claimed);
    world.rounds(A, &[&endpoint], 30, 10);
    assert_eq!(world.object(&endpoint).ready(), AVAILABLE);
    assert!(world.atlas.has(&world.endpoint_life(1)));
}

// Hole 17.
#[test]
fn what_a_lost_post_registered_is_found_after_the_spec_has_changed() {
    let (mut world, endpoint) = DedicatedWorld::with_endpoint();
    world.fate = RequestFate::ResponseLost;
    world.reconcile(A, &endpoint);
    world.fate = RequestFate::Arrives;
    world.declare(&endpoint, 2);
    world.restart(A);
    world.rounds(A, &[&endpoint], 60, 10);
    assert_eq!(world.object(&endpoint).ready(), AVAILABLE);
    assert_eq!(world.atlas.endpoint_ids(), ["vpce-2"]);
}

// Hole 18.
#[test]
fn a_delete_of_an_earlier_object_of_the_name_is_awaited() {
    let (mut world, endpoint) = created_endpoint();
    world.api.delete(&endpoint);
    world.fate = RequestFate::Travels;
    world.reconcile(A, &endpoint);
    world.fate = RequestFate::Arrives;
    let life = world.endpoint_life(1);
    world.atlas.remove_by_hand(&life);
    world.api.delete_by_force(&endpoint);
    world.sleep(1);
    world.api.create(&endpoint, direct_spec(1));
    world.rounds(B, &[&endpoint], 6, 10);
    world.land();
    world.rounds(B, &[&endpoint], 30, 10);
    assert_eq!(world.object(&endpoint).ready(), AVAILABLE);
}

// Hole 19.
#[test]
fn a_delete_of_an_earlier_object_of_the_key_is_awaited() {
    let (mut world, endpoint) = created_endpoint();
    world.api.delete(&endpoint);
    world.fate = RequestFate::Travels;
    world.reconcile(A, &endpoint);
    world.fate = RequestFate::Arrives;
    let life = world.endpoint_life(1);
    world.atlas.remove_by_hand(&life);
    world.api.delete_by_force(&endpoint);
    world.sleep(1);
    world.api.create(&pe("other"), direct_spec(1));
    world.rounds(B, &[&pe("other")], 6, 10);
    let claims = |world: &DedicatedWorld| world.api.writes.contains(&("claim", pe("other")));
    assert!(!claims(&world), "it claims what it may not send");
    world.land();
    world.rounds(B, &[&pe("other")], 30, 10);
    assert_eq!(world.object(&pe("other")).ready(), AVAILABLE);
}

// Hole 20.
#[test]
fn the_former_endpoint_stays_until_the_declared_one_is_available() {
    let (mut world, endpoint) = created_endpoint();
    world.declare(&endpoint, 2);
    for _ in 0..4 {
        world.sleep(10);
        world.reconcile(A, &endpoint);
    }
    assert_eq!(world.object(&endpoint).ready(), Some((false, Reason::Replacing)));
    assert_eq!(world.atlas.endpoint_ids(), ["vpce-1", "vpce-2"]);
    world.rounds(A, &[&endpoint], 4, 10);
    assert_eq!(world.object(&endpoint).ready(), AVAILABLE);
    assert_eq!(world.object(&endpoint).status.entries.len(), 1);
    assert_eq!(world.atlas.endpoint_ids(), ["vpce-2"]);
}

// Hole 21.
#[test]
fn what_a_lagging_listing_omits_is_deleted_nevertheless() {
    let (mut world, endpoint) = DedicatedWorld::with_endpoint();
    world.atlas.freeze();
    world.reconcile(A, &endpoint);
    assert_eq!(world.object(&endpoint).provenances(), ["Created"]);
    world.api.delete(&endpoint);
    world.rounds(A, &[&endpoint], 5, 10);
    world.atlas.thaw();
    finish_deletion(&mut world, A, &endpoint);
    world.assert_no_endpoint();
}

// Hole 22.
#[test]
fn a_delete_that_was_never_sent_ends_nothing() {
    let (mut world, endpoint) = DedicatedWorld::with_endpoint();
    let second = domain::dedicated::life::Life { endpoint: Some(cloud_id(2)), ..world.service_life() };
    world.atlas.register_by_hand(&second);
    world.atlas.freeze();
    world.reconcile(A, &endpoint);
    world.declare(&endpoint, 2);
    let unsent = world.begin_to(A, &endpoint, "catch up");
    world.api.delete(&endpoint);
    world.finish(unsent);
    assert_eq!(world.atlas.requests, 1, "only the POST");
    world.rounds(A, &[&endpoint], 5, 10);
    world.atlas.thaw();
    finish_deletion(&mut world, A, &endpoint);
    assert_eq!(world.atlas.endpoint_ids(), ["vpce-2"]);
}

// Hole 23.
#[test]
fn a_wiped_status_does_not_lose_what_this_process_registered() {
    let (mut world, endpoint) = created_endpoint();
    world.api.delete(&endpoint);
    world.wipe_status(&endpoint);
    finish_deletion(&mut world, A, &endpoint);
    world.assert_no_endpoint();
}

// Hole 24.
#[test]
fn a_wiped_status_does_not_lose_what_a_claimed_delete_aims_at() {
    let (mut world, endpoint) = created_endpoint();
    world.api.delete(&endpoint);
    drop(world.begin_to(A, &endpoint, "catch up"));
    world.wipe_status(&endpoint);
    world.restart(A);
    finish_deletion(&mut world, A, &endpoint);
    world.assert_no_endpoint();
}

// Hole 25.
#[test]
fn a_new_endpoint_that_the_listing_omits_is_not_registered_again() {
    let (mut world, endpoint) = DedicatedWorld::with_endpoint();
    world.atlas.freeze();
    world.reconcile(A, &endpoint);
    world.rounds(A, &[&endpoint], 8, 10);
    world.api.delete(&endpoint);
    world.wipe_status(&endpoint);
    world.rounds(A, &[&endpoint], 1, 1);
    world.atlas.thaw();
    finish_deletion(&mut world, A, &endpoint);
    world.assert_no_endpoint();
}

// Hole 26.
#[test]
fn an_endpoint_that_came_after_the_claim_keeps_the_service() {
    let (mut world, service) = created_service();
    world.api.delete(&service);
    let claimed = world.begin_to(A, &service, "catch up");
    world.replicas[A].is_asleep = true;
    world.api.create(&pe("e"), endpoint_spec(1));
    world.finish(claimed);
    world.replicas[A].is_asleep = false;
    world.rounds(A, &[&service, &pe("e")], 10, 10);
    assert_eq!(world.object(&service).ready(), Some((false, Reason::InUse)));
    assert_eq!(world.object(&pe("e")).ready(), AVAILABLE);
    assert!(world.atlas.has(&world.service_life()));
}

// Hole 27.
#[test]
fn an_endpoint_of_a_lost_service_is_not_registered_at_the_next_one() {
    let (mut world, service) = DedicatedWorld::with_service();
    let endpoint = pe("e");
    world.api.create(&endpoint, endpoint_spec(1));
    world.rounds(A, &[&service, &endpoint], 6, 10);
    assert_eq!(world.object(&endpoint).ready(), AVAILABLE);
    let lost = world.service_life();
    world.atlas.remove_by_hand(&lost);
    world.rounds(A, &[&service, &endpoint], 30, 10);
    assert_eq!(world.object(&service).ready(), AVAILABLE);
    assert_ne!(world.service_life(), lost);
    assert_eq!(world.object(&endpoint).ready(), Some((false, Reason::VpcEndpointStale)));
    world.assert_no_endpoint();
    world.declare(&endpoint, 2);
    world.rounds(A, &[&service, &endpoint], 6, 10);
    assert_eq!(world.object(&endpoint).ready(), AVAILABLE);
    assert_eq!(world.object(&endpoint).status.entries.len(), 1);
    assert_eq!(world.atlas.endpoint_ids(), ["vpce-2"]);
}

// Hole 28.
#[test]
fn an_object_that_is_deleted_records_nothing_that_it_may_not_delete() {
    let (mut world, service) = DedicatedWorld::with_service();
    world.fate = RequestFate::ResponseLost;
    world.reconcile(A, &service);
    world.fate = RequestFate::Arrives;
    world.api.delete(&service);
    finish_deletion(&mut world, A, &service);
    assert!(world.api.writes.iter().all(|(word, _)| *word != "record"), "{:?}", world.api.writes);
    assert!(world.atlas.has(&world.service_life()));
}

// Hole 29.
#[test]
fn a_response_that_is_recorded_after_an_edit_makes_the_new_id_no_stale_one() {
    let (mut world, endpoint) = DedicatedWorld::with_endpoint();
    let late = world.begin_to(A, &endpoint, "record");
    world.declare(&endpoint, 2);
    let done = world.finish(late);
    assert!(done.plan.is_some_and(|plan| plan.decision.step == Step::Rest));
    world.rounds(A, &[&endpoint], 6, 10);
    assert_eq!(world.object(&endpoint).ready(), AVAILABLE);
    assert_eq!(world.atlas.endpoint_ids(), ["vpce-2"]);
}

// Hole 30.
#[test]
fn an_endpoint_that_a_lost_post_registered_goes_with_its_object() {
    let (mut world, endpoint) = DedicatedWorld::with_endpoint();
    world.fate = RequestFate::ResponseLost;
    world.reconcile(A, &endpoint);
    world.fate = RequestFate::Arrives;
    world.api.delete(&endpoint);
    finish_deletion(&mut world, A, &endpoint);
    world.assert_no_endpoint();
}
