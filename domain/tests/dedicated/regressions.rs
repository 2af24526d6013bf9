//! Defects that the rules once had, each in the shortest life that showed it.

use std::time::Duration;

use domain::dedicated::claim::ClaimTarget;
use domain::dedicated::cluster::ClusterName;
use domain::dedicated::decide::decide;
use domain::dedicated::decision::{Deleting, Doubt, State, Step};
use domain::dedicated::endpoint::ConnectionStatus;
use domain::dedicated::event;
use domain::dedicated::life::{Life, Provenance, Sort};
use domain::dedicated::names::{Names, Rivalry};
use domain::dedicated::observed::{
    AttemptOutcome, ConnectionStrings, Deletion, Listing, Observed, ServiceRef, Shown, Subject,
};
use domain::dedicated::service::{Provider, ServiceStatus};
use domain::dedicated::status::report;
use domain::status::{ConditionType, Reason, ReportedCondition};
use domain::times::Times;

use crate::fixtures::*;
use crate::objects::KindAndName;
use crate::world::*;

const AVAILABLE: Option<(bool, Reason)> = Some((true, Reason::Available));

fn registered() -> (DedicatedWorld, KindAndName) {
    let (mut world, endpoint) = DedicatedWorld::with_endpoint();
    world.rounds(A, &[&endpoint], 4, 10);
    assert_eq!(world.object(&endpoint).ready(), AVAILABLE);
    (world, endpoint)
}

fn finish_deletion(world: &mut DedicatedWorld, key: &KindAndName) {
    world.api.delete(key);
    world.rounds(A, &[key], 5, 10);
    world.atlas.thaw();
    world.rounds(A, &[key], 60, 10);
    assert!(!world.api.objects.contains_key(key));
}

#[test]
fn an_adopted_endpoint_that_is_registered_again_is_created() {
    let (mut world, endpoint) = DedicatedWorld::with_endpoint();
    let life = world.endpoint_life(1);
    world.atlas.register_by_hand(&life);
    world.rounds(A, &[&endpoint], 20, 10);
    assert_eq!(world.object(&endpoint).provenances(), ["Adopted"]);
    world.atlas.remove_by_hand(&life);
    world.rounds(A, &[&endpoint], 6, 10);
    assert_eq!(world.object(&endpoint).ready(), AVAILABLE);
    assert_eq!(world.object(&endpoint).provenances(), ["Created"]);
    // Its claim is settled, so nothing has to be waited for.
    world.api.delete(&endpoint);
    world.rounds(A, &[&endpoint], 4, 10);
    assert!(world.api.objects.is_empty());
    world.assert_no_endpoint();
}

#[test]
fn a_response_to_an_earlier_delete_does_not_end_the_next_life() {
    let (mut world, endpoint) = registered();
    world.declare(&endpoint, 2);
    world.rounds(A, &[&endpoint], 2, 10);
    assert_eq!(world.object(&endpoint).status.entries.len(), 2, "it waits until the first is gone");
    world.declare(&endpoint, 1);
    world.rounds(A, &[&endpoint], 1, 10);
    world.atlas.freeze();
    world.rounds(A, &[&endpoint], 20, 10);
    assert!(world.atlas.has(&world.endpoint_life(1)));
    finish_deletion(&mut world, &endpoint);
    world.assert_no_endpoint();
}

#[test]
fn an_earlier_delete_of_unknown_outcome_does_not_end_the_next_life() {
    let (mut world, endpoint) = registered();
    world.declare(&endpoint, 2);
    world.reconcile(A, &endpoint);
    world.atlas.tick();
    world.fate = RequestFate::ResponseLost;
    world.reconcile(A, &endpoint);
    world.fate = RequestFate::Arrives;
    world.rounds(A, &[&endpoint], 30, 10);
    assert_eq!(world.object(&endpoint).status.entries.len(), 1, "the first is forgotten");
    world.atlas.freeze();
    world.declare(&endpoint, 1);
    world.reconcile(A, &endpoint);
    assert!(world.atlas.has(&world.endpoint_life(1)));
    finish_deletion(&mut world, &endpoint);
    world.assert_no_endpoint();
}

#[test]
fn an_endpoint_that_is_registered_again_has_time_to_be_listed_again() {
    let (mut world, endpoint) = registered();
    world.rounds(A, &[&endpoint], 20, 10);
    let life = world.endpoint_life(1);
    world.atlas.remove_by_hand(&life);
    world.atlas.freeze();
    world.rounds(A, &[&endpoint], 4, 10);
    assert!(world.atlas.has(&life));
    world.rounds(A, &[&endpoint], 6, 10);
    assert_eq!(world.atlas.requests, 2, "one POST each");
}

#[test]
fn a_former_endpoint_is_not_dropped_and_found_by_turns() {
    let (mut world, endpoint) = DedicatedWorld::with_endpoint();
    let second = Life { endpoint: Some(cloud_id(2)), ..world.service_life() };
    world.atlas.register_by_hand(&second);
    world.api.edit(&endpoint, |object| object.spec.rules.deletion = Some(Deletion::Retain));
    world.fate = RequestFate::ResponseLost;
    world.reconcile(A, &endpoint);
    world.fate = RequestFate::Arrives;
    world.declare(&endpoint, 2);
    world.rounds(A, &[&endpoint], 40, 10);
    let records = world.api.writes.iter().filter(|(word, _)| *word == "record").count();
    // Both are found, and the former one is dropped once the claim is settled.
    assert_eq!(records, 3);
    assert_eq!(world.object(&endpoint).status.entries.len(), 1);
    assert_eq!(world.object(&endpoint).ready(), AVAILABLE);
}

#[test]
fn what_is_still_there_long_after_its_delete_is_deleted_again() {
    let (mut world, service) = DedicatedWorld::with_service();
    world.rounds(A, &[&service], 4, 10);
    world.atlas.misses = 1;
    world.api.delete(&service);
    world.rounds(A, &[&service], 30, 10);
    assert!(world.api.objects.is_empty());
    world.assert_no_service();
}

#[test]
fn what_a_dropped_reconcile_claimed_is_not_sent_by_the_next() {
    let (mut world, service) = DedicatedWorld::with_service();
    let mut dropped = world.begin_to(A, &service, "catch up");
    world.step(&mut dropped);
    drop(dropped);
    world.reconcile(A, &service);
    let claims = world.api.writes.iter().filter(|(word, _)| *word == "claim").count();
    assert_eq!((claims, world.atlas.requests), (2, 1));
}

#[test]
fn what_a_lost_post_registered_is_found_after_the_object_of_its_service_is_gone() {
    let (mut world, service) = DedicatedWorld::with_service();
    let endpoint = pe("e");
    world.api.create(&endpoint, endpoint_spec(1));
    world.rounds(A, &[&service], 3, 10);
    world.fate = RequestFate::ResponseLost;
    world.reconcile(A, &endpoint);
    world.fate = RequestFate::Arrives;
    world.api.delete_by_force(&service);
    world.rounds(A, &[&endpoint], 30, 10);
    assert_eq!(world.object(&endpoint).provenances(), ["Unproven"]);
    finish_deletion(&mut world, &endpoint);
    world.assert_no_endpoint();
}

#[test]
fn an_entry_of_an_earlier_life_does_not_settle_the_next_post() {
    let (mut world, service) = DedicatedWorld::with_service();
    world.api.edit(&service, |object| object.spec.rules.deletion = Some(Deletion::Delete));
    world.rounds(A, &[&service], 20, 10);
    let life = world.service_life();
    world.atlas.remove_by_hand(&life);
    world.fate = RequestFate::Travels;
    world.rounds(A, &[&service], 4, 10);
    world.fate = RequestFate::Arrives;
    world.land();
    world.api.delete(&service);
    // Atlas is down until the request can no longer take effect.
    world.is_down = true;
    world.rounds(A, &[&service], 30, 10);
    world.is_down = false;
    world.rounds(A, &[&service], 10, 10);
    assert!(world.api.objects.is_empty());
    world.assert_no_service();
}

#[test]
fn what_landed_while_nobody_looked_is_found_before_the_release() {
    let (mut world, endpoint) = DedicatedWorld::with_endpoint();
    world.fate = RequestFate::Travels;
    world.reconcile(A, &endpoint);
    world.fate = RequestFate::Arrives;
    world.land();
    world.api.delete(&endpoint);
    world.sleep(300);
    world.rounds(A, &[&endpoint], 10, 10);
    assert!(world.api.objects.is_empty());
    world.assert_no_endpoint();
}

fn events_of(o: &Observed, step: &Step) -> Vec<String> {
    event::of_step(step, o).into_iter().map(|event| event.message).collect()
}

#[test]
fn a_deleted_object_whose_spec_is_invalid_is_released_and_says_what_stays() {
    for subject in [None, Some(Subject::Nothing(Sort::Endpoint))] {
        let mut o = endpoint();
        record(&mut o, of_endpoint(1), Provenance::Created);
        (o.object.is_deleting, o.spec) = (true, Err("`region`: wrong".to_owned()));
        o.subject = subject.unwrap_or(o.subject);
        let decision = decide(&o);
        assert_eq!(decision.step, Step::Release);
        let events = events_of(&o, &decision.step);
        assert!(matches!(&events[..], [one] if one.contains("vpce-1") && one.contains("`region`: wrong")));
        // Not while a request may still take effect.
        claim(&mut o, &ClaimTarget::Delete(of_endpoint(1)), Duration::ZERO, AttemptOutcome::Unknown);
        let decision = decide(&o);
        assert_eq!(decision.step, Step::Rest);
        assert!(matches!(decision.state, State::Deleting(Deleting::AwaitingOutcome(_))));
    }
}

fn shown(o: &mut Observed) -> &mut Shown {
    let Listing::Fetched(shown) = &mut o.listing else { panic!("it is listed") };
    shown
}

#[test]
fn a_recorded_service_is_there_whatever_region_atlas_names() {
    for region in [None, Some("US_EAST_1".parse().unwrap())] {
        let mut o = service();
        record(&mut o, of_service(1), Provenance::Created);
        show_service(&mut o, ServiceStatus::Available);
        shown(&mut o).services[0].region = region;
        let decision = decide(&o);
        assert_eq!(decision.step, Step::Rest);
        assert!(matches!(decision.state, State::Service(_)), "{decision:?}");
    }
}

#[test]
fn what_is_found_of_a_former_endpoint_does_not_make_the_declared_one_ready() {
    let mut o = endpoint();
    o.subject = match o.subject {
        Subject::Endpoint { service, .. } => Subject::Endpoint { service, endpoint: declared(2) },
        other => other,
    };
    claim(&mut o, &ClaimTarget::Create(Some(of_endpoint(1))), LONG, AttemptOutcome::Unknown);
    show(&mut o, &[(1, ConnectionStatus::Available)]);
    let decision = decide(&o);
    assert_eq!(decision.step, Step::Record(entry(of_endpoint(1), Provenance::Unproven), None));
    let report = report(&o, &decision);
    let ready = report.get(ConditionType::Ready).unwrap();
    assert_eq!((ready.status, ready.reason), (false, Reason::Creating));
}

fn ready_message(o: &Observed) -> String {
    report(o, &decide(o)).get(ConditionType::Ready).unwrap().message.to_string()
}

#[test]
fn a_service_that_a_lost_post_created_does_not_stay_without_a_word() {
    for deletion in [None, Some(Deletion::Retain)] {
        let mut o = service();
        o.spec.as_mut().unwrap().deletion = deletion;
        o.object.is_deleting = true;
        claim(&mut o, &ClaimTarget::Create(None), LONG, AttemptOutcome::Unknown);
        o.listing = Listing::NotFetched;
        assert_eq!(decide(&o).step, Step::List);
        show_service(&mut o, ServiceStatus::Available);
        let decision = decide(&o);
        assert_eq!(decision.step, Step::Release);
        let events = events_of(&o, &decision.step);
        assert!(matches!(&events[..], [one] if one.contains(service_id(1).as_str())), "{events:?}");
        // It is named while the request may still take effect.
        o.memory.attempts[0].age = Duration::ZERO;
        assert_eq!(decide(&o).step, Step::Rest);
        assert!(ready_message(&o).contains(service_id(1).as_str()));
    }
}

#[test]
fn what_a_lost_post_registered_is_found_although_its_claim_was_removed() {
    for is_deleted in [false, true] {
        let (mut world, endpoint) = DedicatedWorld::with_endpoint();
        world.fate = RequestFate::ResponseLost;
        world.reconcile(A, &endpoint);
        world.fate = RequestFate::Arrives;
        world.api.edit(&endpoint, |object| object.claim = None);
        if is_deleted {
            world.api.delete(&endpoint);
        } else {
            world.rounds(A, &[&endpoint], 1, 10);
            assert_eq!(world.object(&endpoint).provenances(), ["Unproven"]);
            world.declare(&endpoint, 2);
            world.rounds(A, &[&endpoint], 60, 10);
            assert_eq!(world.object(&endpoint).ready(), AVAILABLE);
            assert_eq!(world.atlas.endpoint_ids().len(), 1);
            world.api.delete(&endpoint);
        }
        world.rounds(A, &[&endpoint], 60, 10);
        assert!(world.api.objects.is_empty());
        world.assert_no_endpoint();
    }
}

#[test]
fn one_response_of_a_cluster_withdraws_nothing() {
    for read in [None, Some(Vec::new())] {
        let mut o = endpoint();
        record(&mut o, of_endpoint(1), Provenance::Created);
        show(&mut o, &[(1, ConnectionStatus::Available)]);
        let orders: ClusterName = "orders".parse().unwrap();
        o.spec.as_mut().unwrap().clusters = vec![orders.clone()];
        shown(&mut o).clusters.insert(orders, Ok(read));
        let (kind, reason) = (ConditionType::Ready, Some(Reason::Available));
        o.object.reported.current = true;
        o.object.reported.conditions =
            vec![ReportedCondition { kind, status: true, reason, message: "it is connected".to_owned() }];
        let decision = decide(&o);
        assert_eq!(decision.doubt, Some(Doubt::NotReady));
        assert!(report(&o, &decision).unchanged);
        o.memory.doubt = Some((Doubt::NotReady, o.times.confirm_gap));
        let ready = report(&o, &decide(&o)).get(ConditionType::Ready).cloned().unwrap();
        assert_eq!((ready.status, ready.reason), (false, Reason::AwaitingConnectionString));
    }
}

#[test]
fn a_former_endpoint_that_is_declared_again_comes_first_in_the_status() {
    let mut o = endpoint();
    record(&mut o, of_endpoint(2), Provenance::Created);
    record(&mut o, of_endpoint(1), Provenance::Created);
    show(&mut o, &[(2, ConnectionStatus::Available), (1, ConnectionStatus::Rejected)]);
    let shown = report(&o, &decide(&o));
    assert_eq!(shown.entries[0].life, of_endpoint(1));
    // Once it is written, nothing more is.
    o.object.entries.clone_from(&shown.entries);
    assert_eq!(report(&o, &decide(&o)).entries, shown.entries);
}

#[test]
fn an_edit_between_a_claimed_delete_and_its_request_is_heeded() {
    // A deleted object is to retain its endpoint.
    let (mut world, endpoint) = registered();
    world.api.delete(&endpoint);
    let mut running = world.begin_to(A, &endpoint, "catch up");
    world.api.edit(&endpoint, |object| object.spec.rules.deletion = Some(Deletion::Retain));
    while world.step_late(&mut running) {}
    world.rounds(A, &[&endpoint], 5, 10);
    assert!(world.api.objects.is_empty());
    assert!(world.atlas.has(&world.endpoint_life(1)));
    // A living object declares again what it is about to remove.
    let (mut world, endpoint) = registered();
    world.declare(&endpoint, 2);
    world.reconcile(A, &endpoint);
    world.atlas.tick();
    let mut running = world.begin_to(A, &endpoint, "catch up");
    world.declare(&endpoint, 1);
    let requests = world.atlas.requests;
    while world.step_late(&mut running) {}
    assert_eq!(world.atlas.requests, requests);
    world.rounds(A, &[&endpoint], 10, 10);
    assert_eq!(world.object(&endpoint).ready(), AVAILABLE);
}

#[test]
fn too_many_former_endpoints_have_a_way_out() {
    let mut o = endpoint();
    for number in 2..11 {
        record(&mut o, of_endpoint(number), Provenance::Created);
    }
    show(&mut o, &(2..11).map(|number| (number, ConnectionStatus::Rejected)).collect::<Vec<_>>());
    let message = ready_message(&o);
    assert!(message.contains("BreakBeforeMake") && message.contains("delete this object"), "{message}");
    // And it leads out.
    o.spec.as_mut().unwrap().break_before_make = true;
    assert!(matches!(decide(&o).step, Step::Claim(ClaimTarget::Delete(_))));
}

#[test]
fn a_deletion_that_may_not_use_its_service_any_more_says_so() {
    let mut o = endpoint();
    record(&mut o, of_endpoint(1), Provenance::Created);
    o.object.is_deleting = true;
    if let Subject::Endpoint { service, .. } = &mut o.subject {
        *service = ServiceRef::NotAllowed("PrivateEndpointService team-b/s".to_owned());
    }
    let ready = report(&o, &decide(&o)).get(ConditionType::Ready).cloned().unwrap();
    assert_eq!(ready.reason, Reason::ServiceRefNotAllowed);
}

#[test]
fn a_deletion_that_waits_for_a_rival_names_retain() {
    let mut o = endpoint();
    record(&mut o, of_endpoint(1), Provenance::Created);
    show(&mut o, &[(1, ConnectionStatus::Available)]);
    o.object.is_deleting = true;
    let older = Some(("PrivateEndpoint team-a/older".to_owned(), true));
    rival(&mut o, of_endpoint(1), Rivalry { older, ..Rivalry::default() });
    assert!(ready_message(&o).contains("'Retain'"));
}

#[test]
fn a_failed_service_is_deleted_where_that_is_possible() {
    let cases =
        [(Provenance::Created, "delete this object"), (Provenance::Adopted, "delete the service in Atlas")];
    for (provenance, way) in cases {
        let mut o = service();
        record(&mut o, of_service(1), provenance);
        show_service(&mut o, ServiceStatus::Failed);
        assert!(ready_message(&o).contains(way));
    }
}

#[test]
fn a_status_that_is_not_known_has_a_next_step() {
    let mut o = service();
    record(&mut o, of_service(1), Provenance::Created);
    show_service(&mut o, ServiceStatus::from("PAUSED"));
    assert!(ready_message(&o).contains("newer version"));
    let mut o = endpoint();
    record(&mut o, of_endpoint(1), Provenance::Created);
    show(&mut o, &[(1, ConnectionStatus::from("PAUSED"))]);
    assert!(ready_message(&o).contains("newer version"));
}

#[test]
fn connection_strings_in_another_order_are_no_change() {
    let mut o = endpoint();
    record(&mut o, of_endpoint(1), Provenance::Created);
    show(&mut o, &[(1, ConnectionStatus::Available)]);
    let orders: ClusterName = "orders".parse().unwrap();
    o.spec.as_mut().unwrap().clusters = vec![orders.clone()];
    let of_kind = |kind: &str| ConnectionStrings {
        kind: kind.to_owned(),
        standard: None,
        srv: Some("mongodb+srv://orders".to_owned()),
        srv_shard_optimized: None,
    };
    let mut strings = vec![of_kind("MONGOD"), of_kind("MONGOS")];
    shown(&mut o).clusters.insert(orders.clone(), Ok(Some(strings.clone())));
    let before = report(&o, &decide(&o)).fields;
    strings.reverse();
    shown(&mut o).clusters.insert(orders, Ok(Some(strings)));
    assert_eq!(report(&o, &decide(&o)).fields, before);
}

#[test]
fn what_is_gone_is_not_reported_ready_for_longer_than_the_interval() {
    let (mut world, endpoint) = registered();
    world.rounds(A, &[&endpoint], 2, 10);
    world.atlas.remove_by_hand(&world.endpoint_life(1));
    let since = world.now;
    while world.object(&endpoint).ready() == AVAILABLE {
        world.live(A, 1, 1);
        assert!(world.now < since + Duration::from_secs(605));
    }
}

#[test]
fn a_claim_with_the_nonce_of_another_object_changes_nothing_for_that() {
    let (mut world, victim) = DedicatedWorld::with_endpoint();
    let copy = KindAndName::new(Sort::Endpoint, "team-b", "copy");
    world.api.create(&copy, direct_spec(2));
    world.fate = RequestFate::ResponseLost;
    world.reconcile(A, &victim);
    let claim = world.object(&victim).claim.clone().unwrap();
    // Another process sees the copy first.
    let (token, own) = (copy.token().to_string(), victim.token().to_string());
    world.api.edit(&copy, |object| object.claim = Some(claim.replace(&own, &token)));
    let mut names = Names::default();
    for key in [&copy, &victim] {
        names.record(Sort::Endpoint, &key.token(), world.object(key).as_named(), world.now);
    }
    let at = (&Times::default(), world.now);
    let others = names.others(Sort::Endpoint, &victim.token(), &world.object(&victim).uid, &[], at);
    assert_eq!(others.attempts.len(), 1, "its own claim is seen");
    assert!(others.attempts[0].is_own);
}

#[test]
fn a_replacement_that_the_regions_forbid_is_refused_before_anything_is_removed() {
    let (mut world, endpoint) = registered();
    world.atlas.restricts_regions = true;
    world.declare(&endpoint, 2);
    world.rounds(A, &[&endpoint], 6, 60);
    let object = world.object(&endpoint);
    assert_eq!(object.ready(), Some((false, Reason::AtlasRefused)));
    let ready = &object.status.conditions[0].message;
    for part in ["vpce-1 stays registered", "'BreakBeforeMake'"] {
        assert!(ready.contains(part), "{ready}");
    }
    assert!(object.status.conditions.iter().any(|condition| condition.kind == ConditionType::Stalled));
    assert!(world.atlas.has(&world.endpoint_life(1)));
    let requests = world.atlas.requests;
    world.live(A, 60, 10);
    assert!(world.atlas.requests - requests < 12, "it is tried about once a minute");
    // The user's word.
    world.atlas.restricts_regions = false;
    world.api.edit(&endpoint, |object| object.spec.rules.break_before_make = true);
    world.rounds(A, &[&endpoint], 8, 10);
    assert_eq!(world.object(&endpoint).ready(), AVAILABLE);
    assert!(!world.atlas.has(&world.endpoint_life(1)));
}

#[test]
fn an_object_whose_spec_does_not_fit_its_service_any_more_deletes_what_it_created() {
    let (mut world, endpoint) = registered();
    world.api.edit(&endpoint, |object| object.spec.rules.provider = Some(Provider::Azure));
    world.rounds(A, &[&endpoint], 2, 10);
    assert_eq!(world.object(&endpoint).ready(), Some((false, Reason::InvalidSpec)));
    assert!(world.atlas.has(&world.endpoint_life(1)), "a living object keeps it");
    world.api.delete(&endpoint);
    world.rounds(A, &[&endpoint], 6, 10);
    assert!(world.api.objects.is_empty());
    world.assert_no_endpoint();
}

#[test]
fn a_former_endpoint_that_was_adopted_stays_and_no_policy_is_named_as_the_reason() {
    for deletion in [None, Some(Deletion::Delete), Some(Deletion::Retain)] {
        let mut o = endpoint();
        record(&mut o, of_endpoint(1), Provenance::Created);
        record(&mut o, of_endpoint(2), Provenance::Adopted);
        o.spec.as_mut().unwrap().deletion = deletion;
        show(&mut o, &[(1, ConnectionStatus::Available), (2, ConnectionStatus::Available)]);
        let events = events_of(&o, &decide(&o).step);
        assert!(
            matches!(&events[..], [one] if one.contains("vpce-2") && one.contains("did not register it"))
        );
        assert!(!events[0].contains("is not 'Delete'"), "{events:?}");
    }
}
