//! Whatever happened, everything comes to rest with the right condition, and at rest nothing is written.

use domain::dedicated::observed::{Adopt, Deletion};
use domain::status::Reason;

use crate::objects::KindAndName;
use crate::world::*;

const AVAILABLE: Option<(bool, Reason)> = Some((true, Reason::Available));

/// A service and its endpoint, just created.
fn pair() -> (DedicatedWorld, [KindAndName; 2]) {
    let (mut world, service) = DedicatedWorld::with_service();
    world.api.edit(&service, |object| {
        (object.spec.rules.deletion, object.spec.output) = (Some(Deletion::Delete), Some("network"));
    });
    world.api.create(&pe("e"), with_strings(endpoint_spec(1), "strings"));
    (world, [service, pe("e")])
}

/// A service and its endpoint, at rest.
fn pair_at_rest() -> (DedicatedWorld, [KindAndName; 2]) {
    let (mut world, keys) = pair();
    world.come_to_rest(A);
    assert_available(&world, &keys);
    (world, keys)
}

fn assert_available(world: &DedicatedWorld, keys: &[KindAndName]) {
    for key in keys {
        assert_eq!(world.object(key).ready(), AVAILABLE, "{key:?}");
    }
}

fn delete_all(world: &mut DedicatedWorld, keys: &[KindAndName]) {
    for key in keys {
        if world.api.objects.contains_key(key) {
            world.api.delete(key);
        }
    }
}

fn assert_gone(world: &DedicatedWorld) {
    assert!(world.api.objects.is_empty(), "{:?}", world.api.objects);
    assert!(world.api.maps.is_empty(), "{:?}", world.api.maps);
    world.assert_no_endpoint();
    world.assert_no_service();
}

#[test]
fn a_fresh_service_and_its_endpoint_come_to_rest() {
    let (world, keys) = pair_at_rest();
    for key in &keys {
        assert_eq!(world.object(key).provenances(), ["Created"]);
    }
}

#[test]
fn both_kinds_are_deleted_in_either_order() {
    for order in [[0, 1], [1, 0]] {
        for pause in [0, 300] {
            let (mut world, keys) = pair_at_rest();
            world.api.delete(&keys[order[0]]);
            world.live(A, pause / 20, 20);
            delete_all(&mut world, &keys[order[1]..=order[1]]);
            world.come_to_rest(A);
            assert_gone(&world);
        }
    }
}

/// Plays a life in which one reconcile is stopped before each of its effects in turn, with what happens then.
fn sweep(then: impl Fn(&mut DedicatedWorld, ReconcileUnderWay)) {
    for effect in 0.. {
        let (mut world, keys) = pair();
        world.stop_in = Some(effect);
        world.live(A, 12, 5);
        if let Some(stopped) = world.stopped.take() {
            then(&mut world, stopped);
        }
        world.come_to_rest_for(A, 2);
        if let Some(stopped) = world.stopped.take() {
            then(&mut world, stopped);
            world.come_to_rest_for(A, 2);
        }
        assert_available(&world, &keys);
        delete_all(&mut world, &keys);
        world.live(A, 12, 5);
        if let Some(stopped) = world.stopped.take() {
            then(&mut world, stopped);
        }
        let is_over = world.stop_in.take().is_some();
        world.come_to_rest_for(A, 2);
        assert_gone(&world);
        if is_over {
            assert!(effect > 100, "it ends after {effect} effects");
            return;
        }
    }
}

#[test]
fn a_crash_before_any_effect_is_overcome() {
    sweep(|world, stopped| {
        drop(stopped);
        world.restart(A);
    });
}

#[test]
fn a_dropped_reconcile_is_overcome() {
    sweep(|_, stopped| drop(stopped));
}

#[test]
fn a_replica_that_sleeps_before_any_effect_is_overcome() {
    for pause in [1, 70] {
        sweep(|world, stopped| {
            world.replicas[A].is_asleep = true;
            world.live(B, pause, 5);
            world.finish_late(stopped);
            world.replicas[A].is_asleep = false;
        });
    }
}

#[test]
fn a_replica_that_goes_on_beside_another_is_overcome() {
    sweep(|world, stopped| {
        world.live(B, 3, 2);
        world.finish_late(stopped);
    });
}

#[test]
fn a_lost_or_late_request_is_overcome() {
    for fate in [RequestFate::ResponseLost, RequestFate::Travels] {
        for call in 0..4 {
            for restarts in [false, true] {
                let (mut world, keys) = pair();
                world.fate_in = Some((call, fate));
                for phase in 0..2 {
                    world.live(A, 12, 5);
                    if restarts {
                        world.restart(A);
                    }
                    while !world.travelling.is_empty() {
                        world.land();
                    }
                    world.come_to_rest(A);
                    match phase {
                        0 => {
                            assert_available(&world, &keys);
                            delete_all(&mut world, &keys);
                        }
                        _ => assert_gone(&world),
                    }
                }
                assert_eq!(world.fate_in, None);
            }
        }
    }
}

#[test]
fn a_wiped_status_is_found_again() {
    for wiped in [&[0][..], &[1], &[0, 1]] {
        let (mut world, keys) = pair_at_rest();
        for index in wiped {
            world.wipe_status(&keys[*index]);
        }
        world.come_to_rest(A);
        assert_available(&world, &keys);
        delete_all(&mut world, &keys);
        world.come_to_rest(A);
        assert_gone(&world);
    }
}

#[test]
fn an_endpoint_stays_ready_while_the_status_of_its_service_is_wiped() {
    let (mut world, [service, endpoint]) = pair_at_rest();
    world.wipe_status(&service);
    world.rounds(A, &[&endpoint], 5, 20);
    assert_eq!(world.object(&endpoint).ready(), AVAILABLE);
}

#[test]
fn an_unreadable_claim_is_waited_for_and_replaced() {
    for claim in ["", "v2/whatever", "v1/a/b/c/d/+"] {
        let (mut world, keys) = pair();
        for key in &keys {
            world.api.edit(key, |object| object.claim = Some(claim.to_owned()));
        }
        world.come_to_rest(A);
        assert_available(&world, &keys);
        for key in &keys {
            world.api.edit(key, |object| object.claim = Some(claim.to_owned()));
        }
        world.come_to_rest(A);
        assert_available(&world, &keys);
        delete_all(&mut world, &keys);
        world.come_to_rest(A);
        assert_gone(&world);
    }
}

#[test]
fn a_finalizer_that_was_removed_by_force_is_written_again() {
    let (mut world, keys) = pair_at_rest();
    for key in &keys {
        world.api.edit(key, |object| object.finalizer = false);
    }
    world.come_to_rest(A);
    for key in &keys {
        assert!(world.object(key).finalizer);
    }
    assert_available(&world, &keys);
}

#[test]
fn an_object_that_was_deleted_by_force_is_adopted_under_its_name() {
    let (mut world, keys) = pair_at_rest();
    world.api.delete_by_force(&keys[0]);
    world.live(A, 10, 20);
    assert_eq!(world.object(&keys[1]).ready(), Some((false, Reason::ServiceNotFound)));
    world.api.create(&keys[0], service_spec());
    world.come_to_rest(A);
    assert_available(&world, &keys);
    world.api.delete_by_force(&keys[1]);
    world.sleep(1);
    world.api.create(&keys[1], endpoint_spec(1));
    world.come_to_rest(A);
    assert_available(&world, &keys);
    assert_eq!(world.object(&keys[1]).provenances(), ["Adopted"]);
}

#[test]
fn the_declared_endpoint_changes_there_and_back() {
    for pause in [0, 1, 3, 20] {
        let (mut world, keys) = pair_at_rest();
        world.declare(&keys[1], 2);
        world.live(A, pause, 5);
        world.declare(&keys[1], 1);
        world.come_to_rest(A);
        assert_available(&world, &keys);
        assert_eq!(world.atlas.endpoint_ids(), ["vpce-1"], "after {pause} rounds");
        assert_eq!(world.object(&keys[1]).status.entries.len(), 1);
    }
}

#[test]
fn a_rejected_endpoint_is_replaced_by_the_next_id() {
    let (mut world, keys) = pair();
    world.atlas.rejects = true;
    world.come_to_rest(A);
    let (is_ready, _) = world.object(&keys[1]).ready().unwrap();
    assert!(!is_ready);
    world.atlas.rejects = false;
    world.declare(&keys[1], 2);
    world.come_to_rest(A);
    assert_available(&world, &keys);
    assert_eq!(world.atlas.endpoint_ids(), ["vpce-2"]);
}

#[test]
fn a_rejected_endpoint_goes_with_its_object() {
    let (mut world, keys) = pair();
    world.atlas.rejects = true;
    world.come_to_rest(A);
    delete_all(&mut world, &keys);
    world.come_to_rest(A);
    assert_gone(&world);
}

#[test]
fn a_lost_service_is_created_again() {
    let (mut world, [service, endpoint]) = pair_at_rest();
    let lost = world.service_life();
    world.atlas.remove_by_hand(&lost);
    world.come_to_rest(A);
    assert_eq!(world.object(&service).ready(), AVAILABLE);
    assert_eq!(world.object(&endpoint).ready(), Some((false, Reason::VpcEndpointStale)));
    delete_all(&mut world, &[service, endpoint]);
    world.come_to_rest(A);
    assert_gone(&world);
}

#[test]
fn a_lost_endpoint_is_registered_again() {
    let (mut world, keys) = pair_at_rest();
    let lost = world.endpoint_life(1);
    world.atlas.remove_by_hand(&lost);
    world.come_to_rest(A);
    assert_available(&world, &keys);
    assert_eq!(world.object(&keys[1]).provenances(), ["Created"]);
    delete_all(&mut world, &keys);
    world.come_to_rest(A);
    assert_gone(&world);
}

#[test]
fn what_may_not_be_created_or_used_says_so_at_rest() {
    for (adopt, exists, expected) in [
        (Adopt::Only, false, Some((false, Reason::ServiceNotFound))),
        (Adopt::Only, true, AVAILABLE),
        (Adopt::Never, true, Some((false, Reason::ServiceExists))),
        (Adopt::Never, false, AVAILABLE),
    ] {
        let (mut world, service) = DedicatedWorld::with_service();
        if exists {
            world.atlas.create_by_hand(&service_key());
        }
        world.api.edit(&service, |object| object.spec.rules.adopt = adopt);
        world.come_to_rest(A);
        assert_eq!(world.object(&service).ready(), expected, "{adopt:?} {exists}");
        world.api.delete(&service);
        world.come_to_rest(A);
        assert!(world.api.objects.is_empty());
        assert_eq!(world.atlas.services.len(), usize::from(exists));
    }
}

#[test]
fn two_objects_of_one_key_come_to_rest_and_the_younger_takes_over() {
    let (mut world, first) = DedicatedWorld::with_service();
    world.api.create(&pes("younger"), service_spec());
    world.come_to_rest(A);
    assert_eq!(world.object(&first).ready(), AVAILABLE);
    assert_eq!(world.object(&pes("younger")).ready(), Some((false, Reason::Conflict)));
    world.api.delete(&first);
    world.come_to_rest(A);
    assert_eq!(world.object(&pes("younger")).ready(), AVAILABLE);
    assert_eq!(world.atlas.requests, 1, "only the POST");
}

#[test]
fn an_outage_while_a_post_travels_is_overcome() {
    let (mut world, keys) = DedicatedWorld::with_endpoint();
    world.fate = RequestFate::ResponseLost;
    world.reconcile(A, &keys);
    world.fate = RequestFate::Arrives;
    world.is_down = true;
    world.live(A, 30, 20);
    world.is_down = false;
    world.come_to_rest(A);
    assert_eq!(world.object(&keys).ready(), AVAILABLE);
    assert_eq!(world.object(&keys).provenances(), ["Unproven"]);
    world.api.delete(&keys);
    world.come_to_rest(A);
    world.assert_no_endpoint();
}

#[test]
fn a_response_to_one_replica_holds_up_no_other() {
    let (mut world, service) = DedicatedWorld::with_service();
    world.atlas.refusals = 1;
    world.reconcile(A, &service);
    assert_eq!(world.object(&service).ready(), Some((false, Reason::AtlasRefused)));
    world.rounds(B, &[&service], 3, 10);
    assert_eq!(world.object(&service).ready(), AVAILABLE);
    world.api.delete(&service);
    world.reconcile(A, &service);
    world.rounds(B, &[&service], 3, 10);
    assert!(world.api.objects.is_empty());
}

#[test]
fn what_the_delete_of_another_object_may_still_remove_is_not_ready_for_long() {
    let (mut world, first) = DedicatedWorld::with_endpoint();
    world.rounds(A, &[&first], 4, 10);
    world.api.delete(&first);
    world.fate = RequestFate::Travels;
    world.reconcile(A, &first);
    world.fate = RequestFate::Arrives;
    // Of two objects that were created in one second, either may be the older one.
    let other = pe("other");
    world.api.create(&other, direct_spec(1));
    world.api.edit(&other, |object| object.created = 0);
    // The former one has reported that it waits: no change of it triggers a reconcile of the other one.
    world.rounds(A, &[&first], 2, 1);
    world.reconcile(A, &other);
    assert_eq!(world.object(&other).ready(), AVAILABLE);
    world.land();
    world.live(A, 9, 10);
    assert_ne!(world.object(&other).ready(), AVAILABLE);
    world.come_to_rest(A);
    assert_eq!(world.object(&other).ready(), AVAILABLE);
}
