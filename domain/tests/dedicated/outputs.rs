//! The output ConfigMaps over lives of both kinds: when they are written, kept and removed, whatever is lost or stopped meanwhile.

use std::time::Duration;

use domain::dedicated::life::Life;
use domain::dedicated::observed::Deletion;
use domain::reconcile::output::{Content, RETRY};
use domain::status::{ConditionType, Reason};

use crate::atlas::UpdateFate;
use crate::objects::{DeclaredSpec, KindAndName};
use crate::world::*;

const AVAILABLE: Option<(bool, Reason)> = Some((true, Reason::Available));

/// A service and its endpoint with outputs, at rest.
fn pair() -> (DedicatedWorld, KindAndName, KindAndName) {
    let mut world = DedicatedWorld::new();
    world.api.create(&pes("s"), DeclaredSpec { output: Some("network"), ..service_spec() });
    world.api.edit(&pes("s"), |object| object.spec.rules.deletion = Some(Deletion::Delete));
    world.api.create(&pe("e"), with_strings(endpoint_spec(1), "strings"));
    world.come_to_rest(A);
    assert_eq!(world.object(&pes("s")).ready(), AVAILABLE);
    assert_eq!(world.object(&pe("e")).ready(), AVAILABLE);
    (world, pes("s"), pe("e"))
}

/// An endpoint with an output at a service that somebody created, at rest.
fn endpoint_alone() -> (DedicatedWorld, KindAndName) {
    let mut world = DedicatedWorld::new();
    world.atlas.create_by_hand(&service_key());
    world.api.create(&pe("e"), with_strings(direct_spec(1), "strings"));
    world.come_to_rest(A);
    assert_eq!(world.object(&pe("e")).ready(), AVAILABLE);
    (world, pe("e"))
}

fn held<'a>(world: &'a DedicatedWorld, key: &KindAndName, name: &str) -> Option<&'a Content> {
    world.api.map_of(key, name)
}

fn endpoint_id<'a>(world: &'a DedicatedWorld, key: &KindAndName) -> Option<&'a str> {
    held(world, key, "strings")?.get("endpointId").map(String::as_str)
}

fn synced(world: &DedicatedWorld, key: &KindAndName) -> Option<Reason> {
    let mut conditions = world.object(key).status.conditions.iter();
    conditions.find(|condition| condition.kind == ConditionType::Synced)?.reason
}

/// Reconciles an object whenever it is due, every second.
fn seconds(world: &mut DedicatedWorld, number: u32) {
    world.live(A, number, 1);
}

#[test]
fn a_renamed_or_removed_output_is_deleted() {
    let (mut world, service, endpoint) = pair();
    for (key, old) in [(&service, "network"), (&endpoint, "strings")] {
        let before = held(&world, key, old).unwrap().clone();
        world.api.edit(key, |object| object.spec.output = Some("renamed"));
        world.reconcile(A, key);
        assert_eq!((held(&world, key, old), held(&world, key, "renamed")), (None, Some(&before)));
        // Without a response of Atlas, too.
        world.is_down = true;
        world.api.edit(key, |object| object.spec.output = None);
        world.reconcile(A, key);
        world.is_down = false;
        assert!(world.object(key).output.is_none());
    }
    assert!(world.api.maps.is_empty(), "{:?}", world.api.maps);
}

#[test]
fn a_foreign_config_map_is_reported_and_written_once_it_is_gone() {
    let (mut world, service, endpoint) = pair();
    for key in [&service, &endpoint] {
        world.api.create_foreign_map("taken");
        let foreign = world.api.maps["taken"].clone();
        world.api.edit(key, |object| object.spec.output = Some("taken"));
        let running = world.begin(A, key);
        let done = world.finish(running);
        assert!(done.requeue.unwrap() <= RETRY);
        assert_eq!(synced(&world, key), Some(Reason::OutputNotWritten));
        assert_eq!(world.object(key).ready(), AVAILABLE);
        assert_eq!(world.api.maps["taken"], foreign);
        world.api.maps.remove("taken");
        seconds(&mut world, 62);
        assert!(held(&world, key, "taken").is_some(), "it is tried again within a minute");
        assert_eq!(synced(&world, key), Some(Reason::ReconcileSucceeded));
        world.api.edit(key, |object| object.spec.output = None);
        world.reconcile(A, key);
    }
}

#[test]
fn an_outage_takes_nothing_out() {
    let (mut world, service, endpoint) = pair();
    let before = world.api.maps.clone();
    world.is_down = true;
    world.live(A, 20, 13 * 60);
    assert_eq!(world.api.maps, before);
    world.api.delete_by_force(&service);
    world.rounds(A, &[&endpoint], 5, 20);
    assert_eq!(endpoint_id(&world, &endpoint), Some("vpce-1"), "it serves on");
}

#[test]
fn one_listing_that_lacks_it_takes_nothing_out_and_two_do() {
    let (mut world, endpoint) = endpoint_alone();
    let life = world.endpoint_life(1);
    let listing = world.atlas.list();
    for change in ["endpoint", "strings"] {
        let before = world.api.maps.clone();
        let broken = |world: &mut DedicatedWorld| match change {
            "endpoint" => world.atlas.hidden = Some(life.clone()),
            _ => drop(world.atlas.without_strings.insert(cluster("orders"))),
        };
        let healed = |world: &mut DedicatedWorld| {
            world.atlas.hidden = None;
            world.atlas.without_strings.clear();
        };
        // Ready or not, of this version of the spec or of an earlier one.
        for edit in [false, true] {
            world.api.edit(&endpoint, |object| object.spec.rules.suspend = edit);
            world.api.edit(&endpoint, |object| object.spec.rules.suspend = false);
            broken(&mut world);
            world.reconcile(A, &endpoint);
            healed(&mut world);
            assert_eq!(world.api.maps, before, "{change} {edit}");
            world.rounds(A, &[&endpoint], 2, 20);
            assert_eq!(world.api.maps, before, "{change} {edit}");
        }
        broken(&mut world);
        world.rounds(A, &[&endpoint], 3, 11);
        let content = held(&world, &endpoint, "strings");
        assert!(content.is_none_or(|content| !content.contains_key("srv_orders")), "{change}: {content:?}");
        healed(&mut world);
        world.come_to_rest(A);
        assert_eq!(world.object(&endpoint).ready(), AVAILABLE);
    }
    assert_eq!(world.atlas.list().len(), listing.len());
}

#[test]
fn strings_that_vanish_once_stay_while_those_of_another_cluster_are_awaited() {
    let (mut world, endpoint) = endpoint_alone();
    world.atlas.without_strings.insert(cluster("other"));
    world.api.edit(&endpoint, |object| object.spec.rules.clusters.push(cluster("other")));
    world.rounds(A, &[&endpoint], 3, 11);
    assert_eq!(world.object(&endpoint).ready(), Some((false, Reason::AwaitingConnectionString)));
    let (status, maps) = (world.object(&endpoint).status.strings.clone(), world.api.maps.clone());
    assert!(status.contains_key(&cluster("orders")));
    // Long enough for what was found to be read again.
    world.sleep(11 * 60);
    world.atlas.without_strings.insert(cluster("orders"));
    world.reconcile(A, &endpoint);
    assert_eq!((&world.object(&endpoint).status.strings, &world.api.maps), (&status, &maps));
    world.atlas.without_strings.remove(&cluster("orders"));
    world.rounds(A, &[&endpoint], 2, 20);
    assert_eq!((&world.object(&endpoint).status.strings, &world.api.maps), (&status, &maps));
}

#[test]
fn strings_that_stay_away_are_withdrawn_while_those_of_another_cluster_are_awaited() {
    let (mut world, endpoint) = endpoint_alone();
    world.atlas.without_strings.insert(cluster("other"));
    world.api.edit(&endpoint, |object| object.spec.rules.clusters.push(cluster("other")));
    world.rounds(A, &[&endpoint], 3, 11);
    assert!(held(&world, &endpoint, "strings").unwrap().contains_key("srv_orders"));
    world.atlas.deleted_clusters.insert(cluster("orders"));
    // The interval, and what it takes to confirm it.
    world.live(A, 13, 60);
    assert!(world.object(&endpoint).status.strings.is_empty());
    assert!(!held(&world, &endpoint, "strings").unwrap().contains_key("srv_orders"));
}

#[test]
fn a_cluster_that_is_deleted_leaves_the_output_and_the_status_says_so() {
    let (mut world, endpoint) = endpoint_alone();
    world.atlas.deleted_clusters.insert(cluster("orders"));
    world.reconcile(A, &endpoint);
    assert!(held(&world, &endpoint, "strings").unwrap().contains_key("srv_orders"), "not at once");
    world.rounds(A, &[&endpoint], 2, 11);
    assert_eq!(world.object(&endpoint).ready(), Some((false, Reason::AwaitingConnectionString)));
    assert!(world.object(&endpoint).status.strings.is_empty());
    assert_eq!(held(&world, &endpoint, "strings").unwrap().len(), 2);
}

#[test]
fn each_cluster_is_read_until_it_is_found_and_then_at_the_interval() {
    let (mut world, endpoint) = endpoint_alone();
    let names: Vec<_> = (0..50).map(|number| cluster(&format!("cluster-{number}"))).collect();
    world.atlas.without_strings.insert(names[49].clone());
    world.api.edit(&endpoint, |object| object.spec.rules.clusters.clone_from(&names));
    world.reconcile(A, &endpoint);
    let before = world.atlas.cluster_reads;
    world.rounds(A, &[&endpoint], 20, 10);
    assert_eq!(world.atlas.cluster_reads - before, 20, "only the one without strings");
    assert_eq!(held(&world, &endpoint, "strings").unwrap().len(), 2 + 2 * 49);
    world.atlas.without_strings.clear();
    world.rounds(A, &[&endpoint], 1, 10);
    assert_eq!(world.object(&endpoint).ready(), AVAILABLE);
    let before = world.atlas.cluster_reads;
    world.rounds(A, &[&endpoint], 1, 600);
    assert_eq!(world.atlas.cluster_reads - before, 50);
}

#[test]
fn a_lost_service_leaves_the_output_before_it_is_created_again() {
    let (mut world, service, endpoint) = pair();
    let lost = world.service_life();
    world.atlas.remove_by_hand(&lost);
    world.api.keeps_maps = true;
    world.restart(A);
    world.live(A, 20, 20);
    assert_eq!(held(&world, &service, "network").unwrap()["serviceId"], lost.service.as_str());
    assert_eq!(synced(&world, &service), Some(Reason::OutputNotWritten));
    assert_eq!(world.atlas.services.len(), 0, "nothing is created while the output names what is lost");
    assert_eq!(synced(&world, &endpoint), Some(Reason::OutputNotWritten));
    world.api.keeps_maps = false;
    world.come_to_rest(A);
    assert_eq!(world.object(&service).ready(), AVAILABLE);
    assert_ne!(held(&world, &service, "network").unwrap()["serviceId"], lost.service.as_str());
    assert_eq!(world.object(&endpoint).ready(), Some((false, Reason::VpcEndpointStale)));
    assert_eq!(held(&world, &endpoint, "strings"), None, "a stale endpoint has no strings");
}

#[test]
fn a_lost_endpoint_leaves_the_output_before_it_is_registered_again() {
    let (mut world, _, endpoint) = pair();
    let lost = world.endpoint_life(1);
    world.atlas.remove_by_hand(&lost);
    world.api.keeps_maps = true;
    world.restart(A);
    world.live(A, 20, 20);
    assert_eq!(synced(&world, &endpoint), Some(Reason::OutputNotWritten));
    world.assert_no_endpoint();
    world.api.keeps_maps = false;
    world.come_to_rest(A);
    assert_eq!(world.object(&endpoint).ready(), AVAILABLE);
}

#[test]
fn a_former_endpoint_stays_in_the_output_until_another_takes_its_place() {
    let (mut world, endpoint) = endpoint_alone();
    world.atlas.rejects = true;
    world.declare(&endpoint, 2);
    world.rounds(A, &[&endpoint], 5, 20);
    assert_eq!(endpoint_id(&world, &endpoint), Some("vpce-1"));
    world.atlas.rejects = false;
    world.declare(&endpoint, 3);
    // It waits for the string, too.
    world.atlas.without_strings.insert(cluster("orders"));
    world.rounds(A, &[&endpoint], 5, 20);
    assert_eq!(endpoint_id(&world, &endpoint), Some("vpce-1"));
    assert!(world.atlas.has(&world.endpoint_life(1)), "it is not removed, either");
    world.atlas.without_strings.clear();
    let mut running = world.begin_to(A, &endpoint, "claim");
    assert_eq!(
        endpoint_id(&world, &endpoint),
        Some("vpce-3"),
        "it is written before the former one is removed"
    );
    world.run_to(&mut running, "done");
    world.come_to_rest(A);
    assert_eq!(world.atlas.endpoint_ids(), ["vpce-3"]);
}

#[test]
fn a_former_endpoint_is_not_removed_while_the_output_still_names_it() {
    let (mut world, endpoint) = endpoint_alone();
    world.api.edit(&endpoint, |object| object.spec.output = Some("other"));
    world.api.keeps_maps = true;
    world.declare(&endpoint, 2);
    world.live(A, 20, 20);
    assert!(world.atlas.has(&world.endpoint_life(1)));
    assert_eq!(synced(&world, &endpoint), Some(Reason::OutputNotWritten));
    world.api.keeps_maps = false;
    world.come_to_rest(A);
    assert_eq!(world.atlas.endpoint_ids(), ["vpce-2"]);
}

#[test]
fn a_former_endpoint_is_not_removed_before_what_takes_its_place_is_confirmed() {
    let (mut world, endpoint) = endpoint_alone();
    // A cluster that has strings behind the former endpoint is gone when the next one is connected.
    world.api.edit(&endpoint, |object| object.spec.rules.clusters.push(cluster("other")));
    world.come_to_rest(A);
    world.atlas.deleted_clusters.insert(cluster("other"));
    world.declare(&endpoint, 2);
    for _ in 0..60 {
        world.live(A, 1, 1);
        let is_held = endpoint_id(&world, &endpoint) == Some("vpce-1");
        assert!(
            !is_held || world.atlas.has(&world.endpoint_life(1)),
            "it is removed while the output holds it"
        );
    }
    assert_eq!(world.atlas.endpoint_ids(), ["vpce-2"]);
    assert_eq!(endpoint_id(&world, &endpoint), Some("vpce-2"));
}

#[test]
fn another_cluster_is_in_the_output_when_the_object_is_ready() {
    let (mut world, endpoint) = endpoint_alone();
    world.api.edit(&endpoint, |object| object.spec.rules.clusters = vec![cluster("other")]);
    world.reconcile(A, &endpoint);
    assert_eq!(world.object(&endpoint).ready(), AVAILABLE);
    let content = held(&world, &endpoint, "strings").unwrap();
    assert!(content.contains_key("srv_other") && !content.contains_key("srv_orders"), "{content:?}");
}

#[test]
fn a_foreign_config_map_holds_up_no_replacement() {
    let (mut world, endpoint) = endpoint_alone();
    world.api.create_foreign_map("taken");
    world.api.edit(&endpoint, |object| object.spec.output = Some("taken"));
    world.declare(&endpoint, 2);
    world.come_to_rest(A);
    assert_eq!(world.atlas.endpoint_ids(), ["vpce-2"]);
    assert_eq!(synced(&world, &endpoint), Some(Reason::OutputNotWritten));
}

#[test]
fn an_endpoint_that_is_broken_before_the_next_is_made_leaves_the_output_first() {
    let (mut world, endpoint) = endpoint_alone();
    world.api.edit(&endpoint, |object| object.spec.rules.break_before_make = true);
    world.declare(&endpoint, 2);
    for _ in 0..40 {
        world.live(A, 1, 1);
        let registered: Vec<_> = world.atlas.endpoint_ids();
        let held = endpoint_id(&world, &endpoint).map(str::to_owned);
        let is_made = registered.contains(&"vpce-2".to_owned());
        assert!(!is_made || held.as_deref() != Some("vpce-1"), "{registered:?} {held:?}");
    }
    assert_eq!(endpoint_id(&world, &endpoint), Some("vpce-2"));
}

#[test]
fn a_service_that_others_remove_leaves_the_output() {
    let (mut world, service) = DedicatedWorld::with_service();
    world.api.edit(&service, |object| object.spec.output = Some("network"));
    world.come_to_rest(A);
    assert!(held(&world, &service, "network").is_some());
    let id = world.service_life().service;
    world.atlas.service_mut(&id).unwrap().status = domain::dedicated::service::ServiceStatus::Deleting;
    // It takes Atlas some time.
    for _ in 0..3 {
        world.sleep(11);
        world.reconcile(A, &service);
    }
    assert_eq!(held(&world, &service, "network"), None);
    assert_eq!(world.object(&service).ready(), Some((false, Reason::BeingRemoved)));
}

#[test]
fn an_output_is_deleted_with_its_object_and_not_before() {
    let (mut world, service, endpoint) = pair();
    world.api.delete(&service);
    world.live(A, 10, 20);
    assert!(held(&world, &service, "network").is_some(), "the object waits for its endpoint");
    world.api.delete(&endpoint);
    world.come_to_rest(A);
    assert!(world.api.objects.is_empty() && world.api.maps.is_empty(), "{:?}", world.api.maps);
}

#[test]
fn a_restart_with_outputs_writes_nothing() {
    let (mut world, service, endpoint) = pair();
    let (writes, maps) = (world.api.writes.len(), world.api.maps.clone());
    world.restart(A);
    world.live(A, 60, 5);
    assert_eq!((&world.api.writes[writes..], &world.api.maps), (&[][..], &maps));
    for key in [&service, &endpoint] {
        world.reconcile(A, key);
    }
    assert_eq!((&world.api.writes[writes..], &world.api.maps), (&[][..], &maps));
}

/// Plays a loss and a replacement, in which one reconcile is stopped before each of its effects in turn, with what happens then.
fn sweep(change: impl Fn(&mut DedicatedWorld), then: impl Fn(&mut DedicatedWorld, ReconcileUnderWay)) {
    for effect in 0.. {
        let (mut world, _, endpoint) = pair();
        change(&mut world);
        world.restart(A);
        world.stop_in = Some(effect);
        world.live(A, 40, 5);
        let is_over = world.stop_in.take().is_some();
        if let Some(stopped) = world.stopped.take() {
            then(&mut world, stopped);
        }
        world.come_to_rest_for(A, 2);
        let (is_ready, reason) = world.object(&endpoint).ready().unwrap();
        assert!(is_ready || reason == Reason::VpcEndpointStale, "{reason:?} after {effect} effects");
        assert_eq!(held(&world, &endpoint, "strings").is_some(), is_ready, "after {effect} effects");
        if is_over {
            assert!(effect > 40, "it ends after {effect} effects");
            return;
        }
    }
}

#[test]
fn a_stop_at_any_effect_of_a_loss_or_a_replacement_is_overcome() {
    let lose_service = |world: &mut DedicatedWorld| {
        let life = world.service_life();
        world.atlas.remove_by_hand(&life);
    };
    let lose_endpoint = |world: &mut DedicatedWorld| {
        let life: Life = world.endpoint_life(1);
        world.atlas.remove_by_hand(&life);
    };
    let replace = |world: &mut DedicatedWorld| world.declare(&pe("e"), 2);
    let changes: [&dyn Fn(&mut DedicatedWorld); 3] = [&lose_service, &lose_endpoint, &replace];
    for change in changes {
        let drop_it = |world: &mut DedicatedWorld, stopped| {
            drop(stopped);
            world.restart(A);
        };
        let go_on_late = |world: &mut DedicatedWorld, stopped| {
            world.live(B, 20, 5);
            world.finish_late(stopped);
        };
        sweep(change, drop_it);
        sweep(change, go_on_late);
    }
}

#[test]
fn a_poll_for_a_string_comes_at_the_pace_of_polls() {
    let (mut world, endpoint) = endpoint_alone();
    world.atlas.without_strings.insert(cluster("other"));
    world.api.edit(&endpoint, |object| object.spec.rules.clusters.push(cluster("other")));
    let running = world.begin(A, &endpoint);
    let done = world.finish(running);
    assert!(done.requeue.unwrap() <= Duration::from_mins(1), "{:?}", done.requeue);
}

#[test]
fn a_service_whose_regions_are_set_keeps_its_output() {
    let (mut world, service, _) = pair();
    let before = held(&world, &service, "network").unwrap().clone();
    world.api.edit(&service, |object| {
        object.spec.rules.remote_regions = Some(["US_EAST_1".parse().unwrap()].into());
    });
    world.atlas.update_fate = UpdateFate::TakesLong;
    for _ in 0..12 {
        seconds(&mut world, 10);
        assert_eq!(held(&world, &service, "network"), Some(&before), "its endpoints stay connected");
    }
    assert_eq!(world.object(&service).ready(), Some((false, Reason::Initiating)));
    world.atlas.update_fate = UpdateFate::Done;
    seconds(&mut world, 120);
    assert_eq!(world.object(&service).ready(), AVAILABLE);
    assert_eq!(held(&world, &service, "network"), Some(&before));
}

#[test]
fn what_is_found_available_is_not_ready_before_its_output_is_written() {
    let mut world = DedicatedWorld::new();
    world.atlas.create_by_hand(&service_key());
    world.atlas.register_by_hand(&world.endpoint_life(1));
    world.api.create(&pe("e"), with_strings(direct_spec(1), "strings"));
    let mut running = world.begin_to(A, &pe("e"), "record");
    world.step(&mut running);
    assert_ne!(world.object(&pe("e")).ready(), AVAILABLE);
    world.finish(running);
    assert_eq!(world.object(&pe("e")).ready(), AVAILABLE);
    assert!(held(&world, &pe("e"), "strings").is_some());
}
