//! The remote regions of a service: set when they are declared, corrected when others change them, and left alone in a contest.

use std::collections::BTreeSet;

use domain::dedicated::region::Region;
use domain::status::{ConditionType, Reason};

use crate::atlas::UpdateFate;
use crate::objects::KindAndName;
use crate::world::*;

const AVAILABLE: Option<(bool, Reason)> = Some((true, Reason::Available));

fn regions(names: &[&str]) -> BTreeSet<Region> {
    names.iter().map(|name| name.parse().unwrap()).collect()
}

fn declare(world: &mut DedicatedWorld, key: &KindAndName, names: Option<&[&str]>) {
    world.api.edit(key, |object| object.spec.rules.remote_regions = names.map(regions));
}

fn in_atlas(world: &DedicatedWorld) -> BTreeSet<Region> {
    world.atlas.service(&service_key()).unwrap().remote_regions.clone()
}

fn change_by_hand(world: &mut DedicatedWorld, names: &[&str]) {
    world.atlas.set_regions_by_hand(&service_key(), &regions(names));
}

/// A service that was created with these regions, and is ready.
fn ready_with(names: &[&str]) -> (DedicatedWorld, KindAndName) {
    let (mut world, service) = DedicatedWorld::with_service();
    declare(&mut world, &service, Some(names));
    world.rounds(A, &[&service], 6, 10);
    assert_eq!(world.object(&service).ready(), AVAILABLE);
    assert_eq!(in_atlas(&world), regions(names));
    world.atlas.updates = 0;
    (world, service)
}

#[test]
fn declared_regions_are_set_once() {
    let (mut world, service) = ready_with(&["US_EAST_1"]);
    declare(&mut world, &service, Some(&["us-east-1", "EU_WEST_2"]));
    world.reconcile(A, &service);
    assert_eq!(world.object(&service).ready(), Some((false, Reason::Initiating)), "its status dips");
    world.rounds(A, &[&service], 10, 10);
    assert_eq!(world.object(&service).ready(), AVAILABLE);
    assert_eq!(in_atlas(&world), regions(&["EU_WEST_2", "US_EAST_1"]));
    assert_eq!(world.atlas.updates, 1);
    world.come_to_rest(A);
}

#[test]
fn an_empty_list_clears_the_regions_and_no_list_leaves_them() {
    let (mut world, service) = ready_with(&["US_EAST_1"]);
    declare(&mut world, &service, None);
    change_by_hand(&mut world, &["EU_WEST_3"]);
    world.rounds(A, &[&service], 10, 10);
    assert_eq!((world.atlas.updates, in_atlas(&world)), (0, regions(&["EU_WEST_3"])));
    assert_eq!(world.object(&service).ready(), AVAILABLE);
    declare(&mut world, &service, Some(&[]));
    world.rounds(A, &[&service], 10, 10);
    assert_eq!((world.atlas.updates, in_atlas(&world)), (1, regions(&[])));
    assert_eq!(world.object(&service).ready(), AVAILABLE);
}

#[test]
fn one_listing_with_other_regions_changes_nothing() {
    let (mut world, service) = ready_with(&["US_EAST_1"]);
    change_by_hand(&mut world, &["EU_WEST_3"]);
    world.rounds(A, &[&service], 1, 10);
    change_by_hand(&mut world, &["US_EAST_1"]);
    world.rounds(A, &[&service], 10, 10);
    assert_eq!(world.atlas.updates, 0);
    assert_eq!(world.object(&service).ready(), AVAILABLE);
}

#[test]
fn the_third_change_by_others_stays() {
    let (mut world, service) = ready_with(&["US_EAST_1"]);
    for change in 1..=2 {
        change_by_hand(&mut world, &["EU_WEST_3"]);
        world.rounds(A, &[&service], 6, 10);
        assert_eq!(in_atlas(&world), regions(&["US_EAST_1"]), "change {change} is corrected");
        assert_eq!(world.object(&service).ready(), AVAILABLE);
    }
    change_by_hand(&mut world, &["EU_WEST_3"]);
    world.rounds(A, &[&service], 6, 10);
    assert_eq!(world.object(&service).ready(), Some((false, Reason::Contested)));
    let all = &world.object(&service).status.conditions;
    let available = all.iter().find(|condition| condition.kind == ConditionType::ServiceAvailable).unwrap();
    assert!(available.status, "the service can be used all the same");
    world.restart(A);
    world.rounds(A, &[&service], 30, 60);
    assert_eq!((world.atlas.updates, in_atlas(&world)), (2, regions(&["EU_WEST_3"])));
    world.come_to_rest(A);
}

#[test]
fn an_edit_ends_a_contest() {
    let (mut world, service) = ready_with(&["US_EAST_1"]);
    for _ in 0..3 {
        change_by_hand(&mut world, &["EU_WEST_3"]);
        world.rounds(A, &[&service], 6, 10);
    }
    assert_eq!(world.object(&service).ready(), Some((false, Reason::Contested)));
    declare(&mut world, &service, Some(&["US_EAST_2"]));
    world.rounds(A, &[&service], 6, 10);
    assert_eq!(in_atlas(&world), regions(&["US_EAST_2"]));
    assert_eq!(world.object(&service).ready(), AVAILABLE);
}

#[test]
fn what_others_change_once_in_days_is_no_contest() {
    let (mut world, service) = ready_with(&["US_EAST_1"]);
    for _ in 0..5 {
        world.sleep(25 * 60 * 60);
        change_by_hand(&mut world, &["EU_WEST_3"]);
        world.rounds(A, &[&service], 6, 10);
        assert_eq!(in_atlas(&world), regions(&["US_EAST_1"]));
    }
}

#[test]
fn regions_that_atlas_refuses_are_reported_and_the_service_stays_available() {
    let (mut world, service) = ready_with(&[]);
    world.atlas.update_fate = UpdateFate::Refused;
    declare(&mut world, &service, Some(&["EU_WEST_1"]));
    world.live(A, 30, 10);
    assert_eq!(world.object(&service).ready(), Some((false, Reason::AtlasRefused)));
    assert!((2..12).contains(&world.atlas.updates), "{} in five minutes", world.atlas.updates);
    declare(&mut world, &service, Some(&[]));
    world.live(A, 6, 10);
    assert_eq!(world.object(&service).ready(), AVAILABLE);
}

#[test]
fn regions_that_atlas_never_shows_are_set_ever_more_rarely() {
    let (mut world, service) = ready_with(&[]);
    world.atlas.update_fate = UpdateFate::Ignored;
    declare(&mut world, &service, Some(&["US_EAST_1"]));
    world.live(A, 6 * 60, 60);
    assert!((4..12).contains(&world.atlas.updates), "{} in six hours", world.atlas.updates);
    assert_eq!(
        world.object(&service).ready(),
        Some((false, Reason::ProgressDeadlineExceeded)),
        "it says that it takes too long"
    );
}

#[test]
fn what_was_decided_on_an_older_version_of_the_object_is_not_set() {
    let (mut world, service) = ready_with(&[]);
    declare(&mut world, &service, Some(&["US_EAST_1"]));
    let mut running = world.begin_to(A, &service, "read");
    declare(&mut world, &service, Some(&["US_EAST_2"]));
    world.run_to(&mut running, "call");
    world.step(&mut running);
    assert_eq!(in_atlas(&world), regions(&["US_EAST_2"]));
    assert_eq!(world.atlas.updates, 1);
}

#[test]
fn an_object_that_only_observes_sets_no_regions() {
    let (mut world, service) = DedicatedWorld::with_service();
    world.atlas.create_by_hand(&service_key());
    world.api.edit(&service, |object| object.spec.rules.observe = true);
    declare(&mut world, &service, Some(&["US_EAST_1"]));
    world.rounds(A, &[&service], 6, 10);
    assert_eq!(world.object(&service).ready(), AVAILABLE);
    let all = &world.object(&service).status.conditions;
    let ready = all.iter().find(|condition| condition.kind == ConditionType::Ready).unwrap();
    assert!(ready.message.contains("[US_EAST_1]"), "{}", ready.message);
    assert_eq!(world.atlas.updates, 0);
}

#[test]
fn an_endpoint_stays_ready_while_its_service_is_changed() {
    let (mut world, service) = ready_with(&[]);
    let endpoint = pe("e");
    world.api.create(&endpoint, endpoint_spec(1));
    world.rounds(A, &[&service, &endpoint], 8, 10);
    assert_eq!(world.object(&endpoint).ready(), AVAILABLE);
    declare(&mut world, &service, Some(&["US_EAST_1"]));
    world.reconcile(A, &service);
    for _ in 0..4 {
        world.sleep(10);
        world.reconcile(A, &endpoint);
        assert_eq!(world.object(&endpoint).ready(), AVAILABLE);
    }
}
