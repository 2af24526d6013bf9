//! Regressions: small behaviours of the rules, each of which a broken version once got past all other tests.

use std::time::Duration;

use domain::access::CredentialsInUse;
use domain::fault::FaultKind;
use domain::reference::VpcEndpoint;
use domain::requeue::Requeue;
use domain::serverless::decision::{Origin, Step};
use domain::serverless::event::{Announced, of_change};
use domain::serverless::memory::Memory;
use domain::serverless::observed::{Listing, Spec, WriteOutcome};
use domain::serverless::ownership::{ClaimReading, marked_comment};
use domain::serverless::status::report;
use domain::status::{ConditionType, EventReason, Reason};
use domain::sunset::Sunset;

use crate::harness::{Harness, START};
use invariants::fixtures::{
    Mark, endpoint, fault, id, nonce, secs, shown_condition, shown_conditions, token, vpce,
};

#[test]
fn observing_takes_no_hold_of_an_object() {
    let mut harness = Harness::recorded();
    harness.o.object.claim = ClaimReading::Absent;
    harness.o.object.finalizer = false;
    harness.spec(|spec| {
        spec.observe = true;
        spec.endpoint_id = Some(id(1));
    });
    let decision = harness.list(&[endpoint(1, Mark::None, "AVAILABLE")]);
    assert_eq!(decision.step, Step::Rest);
}

#[test]
fn each_fault_is_retried_when_it_may_be_over() {
    for (kind, requeue) in [
        (FaultKind::Retired, Requeue::Interval),
        (FaultKind::NotServerless, Requeue::Interval),
        (FaultKind::InstanceNotFound, Requeue::Interval),
        // As often as Secrets are read.
        (FaultKind::CredentialsNotFound, Requeue::After(secs(15))),
        (FaultKind::Unauthorized, Requeue::After(secs(15))),
        (FaultKind::Forbidden, Requeue::After(secs(15))),
        (FaultKind::NoAccess, Requeue::After(secs(15))),
        (FaultKind::Unavailable, Requeue::Retry(Duration::ZERO)),
    ] {
        assert_eq!(Harness::recorded().reconcile_twice(kind).requeue, requeue, "{kind:?}");
    }
}

#[test]
fn a_suspended_object_keeps_its_conditions() {
    let mut harness = Harness::recorded();
    harness.spec(|spec| spec.suspend = true);
    harness.o.object.reported.conditions = vec![
        shown_condition(ConditionType::Ready, true, Reason::Available),
        shown_condition(ConditionType::Synced, false, Reason::AtlasUnavailable),
    ];
    let decision = harness.reconcile(Listing::NotFetched);
    let report = report(&harness.o, &decision);
    let synced = report.get(ConditionType::Synced).unwrap();
    assert_eq!((synced.status, synced.message.as_str()), (false, "as it was"));
    assert!(report.conditions[0].status);
}

#[test]
fn a_comment_in_atlas_is_the_users_text_and_the_mark() {
    assert_eq!(marked_comment(Some(" orders "), &token()), format!("orders [k8s:{}]", token()));
}

#[test]
fn an_endpoint_without_its_mark_waits_for_a_key_that_may_restore_it() {
    let mut harness = Harness::recorded();
    harness.o.object.deleting = true;
    harness.o.credentials = CredentialsInUse::Remembered(fault(FaultKind::CredentialsNotFound));
    let unmarked = endpoint(1, Mark::None, "AVAILABLE");
    let decision = harness.list(std::slice::from_ref(&unmarked));
    assert_eq!(decision.step, Step::Rest);
    let message = &report(&harness.o, &decision).conditions[0].message;
    for word in [id(1).as_str(), "CredentialsNotFound", "Retain"] {
        assert!(message.contains(word), "{word} is not in {message}");
    }
    harness.o.credentials = CredentialsInUse::Own;
    assert!(matches!(harness.list(&[unmarked]).step, Step::Update { comment: Some(_), .. }));
    // With its mark, remembered credentials suffice.
    harness.o.credentials = CredentialsInUse::Remembered(fault(FaultKind::CredentialsNotFound));
    let marked = endpoint(1, Mark::Ours, "AVAILABLE");
    assert_eq!(harness.list(&[marked]).step, Step::Delete { id: id(1), excess: false });
}

#[test]
fn an_announced_end_of_the_api_stays_until_a_listing_shows_otherwise() {
    let mut harness = Harness::recorded();
    let shown = [endpoint(1, Mark::Ours, "AVAILABLE")];
    let announces = |harness: &mut Harness, listing: Listing, sunset: Option<Sunset>| {
        harness.o.sunset = sunset;
        let decision = harness.reconcile(listing);
        let report = report(&harness.o, &decision);
        let notices =
            of_change(Announced::by_status(&harness.o.object.reported), &harness.o, &decision.step, &report);
        harness.o.object.reported.conditions = shown_conditions(&report);
        let events = notices.iter().filter(|notice| notice.reason == EventReason::AtlasApiSunset).count();
        (report.get(ConditionType::ApiSunset).is_some(), events)
    };
    let sunset = || Some(Sunset { day: Some("2026-01-15".to_owned()), is_over: false, is_confirmed: true });
    assert_eq!(announces(&mut harness, Listing::Fetched(shown.to_vec()), None), (false, 0));
    assert_eq!(announces(&mut harness, Listing::Fetched(shown.to_vec()), sunset()), (true, 1));
    assert_eq!(announces(&mut harness, Listing::Fetched(shown.to_vec()), sunset()), (true, 0));
    // A restart in an outage: this process has not seen it.
    assert_eq!(announces(&mut harness, Listing::Failed(fault(FaultKind::Unavailable)), None), (true, 0));
    assert_eq!(announces(&mut harness, Listing::Fetched(shown.to_vec()), sunset()), (true, 0));
    assert_eq!(announces(&mut harness, Listing::Fetched(shown.to_vec()), None), (false, 0));
}

#[test]
fn an_end_for_good_names_what_the_user_goes_on_paying_for() {
    for kind in [FaultKind::Retired, FaultKind::NotServerless, FaultKind::InstanceNotFound] {
        let mut harness = Harness::recorded();
        let decision = harness.reconcile_twice(kind);
        let report = report(&harness.o, &decision);
        let events =
            of_change(Announced::by_status(&harness.o.object.reported), &harness.o, &decision.step, &report);
        assert!(
            events.iter().any(|notice| notice.warning && notice.message.contains("billed")),
            "{kind:?}: {events:?}"
        );
        assert!(report.get(ConditionType::Stalled).is_some(), "{kind:?}");
        // Without an endpoint there are no costs; an object that will never have one can be released.
        let mut harness = Harness::claimed();
        let decision = harness.reconcile_twice(kind);
        let message = &domain::serverless::status::report(&harness.o, &decision).conditions[0].message;
        let for_good = kind != FaultKind::InstanceNotFound;
        assert_eq!(message.contains("; delete this object"), for_good, "{message}");
        assert!(!message.contains("billed"), "{message}");
    }
}

#[test]
fn the_status_of_a_deleted_object_names_the_endpoint_that_is_being_recorded() {
    let mut harness = Harness::claimed();
    harness.o.object.deleting = true;
    let landed = endpoint(1, Mark::Ours, "RESERVED");
    let decision = harness.list(std::slice::from_ref(&landed));
    assert!(matches!(decision.step, Step::Record { .. }), "{decision:?}");
    assert_eq!(report(&harness.o, &decision).endpoint, Some(landed));
}

#[test]
fn an_attempt_is_announced_again_only_while_it_may_land() {
    for (age, announced) in [(secs(199), Some(nonce(1))), (secs(200), None)] {
        let mut harness = Harness::claimed();
        harness.o.object.claim = ClaimReading::Absent;
        harness.wait(age);
        let step = harness.list(&[endpoint(1, Mark::Ours, "RESERVED")]).step;
        assert_eq!(step, Step::Claim { nonce: announced, replaced: None, stale_vpc_endpoint: None });
    }
}

#[test]
fn what_was_claimed_is_posted_only_while_it_is_wanted_and_nothing_else_is_in_doubt() {
    let posts = |listed_before: bool, change: fn(&mut Spec)| {
        // An earlier attempt can no longer land, and a listing was checked for it.
        let mut harness = Harness::claimed();
        harness.wait(secs(200));
        if listed_before {
            harness.list(&[]);
        }
        harness.wait(secs(10));
        harness.memory.begin_claim(nonce(2), harness.now);
        harness.o.object.claim = ClaimReading::Ours { nonce: nonce(2), replaced: None };
        harness.spec(change);
        matches!(harness.list(&[]).step, Step::Create { .. })
    };
    assert!(posts(true, |_| ()));
    assert!(!posts(false, |_| ()));
    assert!(!posts(true, |spec| spec.suspend = true));
    assert!(!posts(true, |spec| spec.observe = true));
    assert!(!posts(true, |spec| spec.endpoint_id = Some(id(1))));
}

#[test]
fn a_claim_in_place_of_a_lost_endpoint_notes_the_vpc_endpoint_that_goes_with_it() {
    for (declared, noted) in [(VpcEndpoint::Undeclared, vpce(1)), (VpcEndpoint::Declared(vpce(2)), vpce(2))] {
        let mut harness = Harness::recorded();
        harness.spec(|spec| spec.vpc_endpoint = declared);
        harness.list(&[]);
        harness.wait(secs(10));
        let stale_vpc_endpoint = Some(noted.to_string());
        assert_eq!(
            harness.list(&[]).step,
            Step::Claim { nonce: None, replaced: Some(id(1)), stale_vpc_endpoint }
        );
    }
}

#[test]
fn of_two_marked_endpoints_the_named_is_kept_and_the_recorded_deleted_first() {
    let twins = [endpoint(2, Mark::Ours, "AVAILABLE"), endpoint(1, Mark::Ours, "RESERVED")];
    let mut harness = Harness::claimed();
    harness.spec(|spec| spec.endpoint_id = Some(id(1)));
    assert_eq!(harness.list(&twins).step, Step::Record { endpoint: twins[1].clone(), origin: Origin::Named });
    let mut harness = Harness::recorded();
    harness.o.object.deleting = true;
    assert_eq!(harness.list(&twins).step, Step::Delete { id: id(1), excess: false });
}

#[test]
fn an_object_is_concerned_by_what_it_records_names_or_has_marked_and_by_nothing_else() {
    let mut harness = Harness::recorded();
    harness.spec(|spec| spec.endpoint_id = Some(id(2)));
    for (n, mark, concerned) in [
        (1, Mark::None, true),
        (2, Mark::None, true),
        (3, Mark::Ours, true),
        (3, Mark::None, false),
        (3, Mark::Strangers, false),
    ] {
        assert_eq!(harness.o.concerns(&endpoint(n, mark, "AVAILABLE")), concerned, "{n} {mark:?}");
    }
}

#[test]
fn the_deadline_of_a_claim_does_not_stop_while_a_listing_travels() {
    let mut memory = Memory::default();
    memory.begin_claim(nonce(1), START);
    let age =
        |memory: &Memory| memory.snapshot(START, START + secs(9), WriteOutcome::Nothing).attempts[0].age;
    assert_eq!(age(&memory), secs(9));
    // A POST in flight may land all the same: the listing shows nothing that happened since it was sent.
    assert!(memory.begin_send(&nonce(1)));
    assert_eq!(age(&memory), secs(0));
}
