//! What the model in `proof/` found in the rules: each is a state from which something broke, or nothing came right.

use domain::dedicated::decide::decide;
use domain::dedicated::decision::{Doubt, State};
use domain::dedicated::life::Provenance;
use domain::dedicated::observed::{Adopt, Deletion};
use domain::dedicated::service::ServiceStatus;

use crate::fixtures::{LONG, of_service, record, service, show_service};
use crate::objects::KindAndName;
use crate::world::*;

/// Both replicas reconcile in turn, and Atlas removes at once.
fn in_turn(world: &mut DedicatedWorld, key: &KindAndName, rounds: u32) {
    for _ in 0..rounds {
        for replica in [A, B] {
            world.reconcile(replica, key);
            world.atlas.tick();
        }
        world.sleep(4);
    }
}

#[test]
fn two_replicas_that_delete_the_same_thing_come_to_an_end() {
    for is_endpoint in [true, false] {
        let (mut world, key) =
            if is_endpoint { DedicatedWorld::with_endpoint() } else { DedicatedWorld::with_service() };
        world.api.edit(&key, |object| object.spec.rules.deletion = Some(Deletion::Delete));
        world.rounds(A, &[&key], 4, 10);
        world.api.delete(&key);
        in_turn(&mut world, &key, 10);
        assert!(!world.api.objects.contains_key(&key), "{:?}", world.api.writes);
        let deletes = world.atlas.executed.len();
        assert!(deletes <= 3, "{:?}", world.atlas.executed);
    }
}

#[test]
fn a_delete_whose_response_only_another_process_knew_is_repeated() {
    let (mut world, key) = DedicatedWorld::with_endpoint();
    world.rounds(A, &[&key], 4, 10);
    world.api.delete(&key);
    world.reconcile(A, &key);
    world.restart(A);
    world.rounds(B, &[&key], 6, 4);
    assert!(!world.api.objects.contains_key(&key), "{:?}", world.api.writes);
}

#[test]
fn what_a_delete_that_was_not_sent_aimed_at_is_found_after_a_wipe() {
    let (mut world, key) = DedicatedWorld::with_endpoint();
    world.rounds(A, &[&key], 4, 10);
    world.api.delete(&key);
    let claimed = world.begin_to(A, &key, "catch up");
    world.wipe_status(&key);
    world.finish(claimed);
    assert!(world.atlas.has(&world.endpoint_life(1)), "it is sent although the object has changed");
    world.rounds(A, &[&key], 40, 10);
    assert!(!world.api.objects.contains_key(&key), "{:?}", world.api.writes);
    world.assert_no_endpoint();
}

#[test]
fn a_loss_stays_confirmed_while_another_service_may_not_be_adopted() {
    let mut o = service();
    show_service(&mut o, ServiceStatus::Available);
    record(&mut o, of_service(2), Provenance::Created);
    if let Ok(spec) = &mut o.spec {
        spec.adopt = Adopt::Never;
    }
    let doubt = Doubt::Absent(of_service(2));
    o.memory.doubt = Some((doubt.clone(), LONG));
    let decision = decide(&o);
    assert_eq!(decision.state, State::Exists(of_service(1)));
    assert_eq!(decision.doubt, Some(doubt));
}
