//! Transient wrong listings: one contradicts what the status shows, or does not show the endpoint at all.

use domain::fault::FaultKind;
use domain::reference::VpcEndpoint;
use domain::requeue::Requeue;
use domain::serverless::decision::{State, Step};
use domain::serverless::endpoint::{Endpoint, EndpointStatus};
use domain::serverless::event::{Announced, of_change};
use domain::serverless::status::report;

use crate::conditions::ready_before;
use crate::gone_responses::{deleted, failed};
use crate::harness::Harness;
use invariants::fixtures::{MINUTE, Mark, endpoint, id, secs, vpce};

#[test]
fn an_endpoint_that_turns_failed_is_listed_again_before_that_is_final() {
    let mut harness = Harness::recorded();
    let failed = endpoint(1, Mark::Ours, "FAILED");
    assert_eq!(harness.list(std::slice::from_ref(&failed)).requeue, Requeue::After(secs(10)));
    harness.o.object.recorded = Some(failed.clone());
    harness.wait(secs(10));
    assert_eq!(harness.list(&[failed]).requeue, Requeue::Interval);
}

/// What one listing may withdraw from a ready endpoint, and what it then shows.
fn withdrawals() -> Vec<(&'static str, Endpoint)> {
    let available = || endpoint(1, Mark::Ours, "AVAILABLE");
    vec![
        ("service name", Endpoint { service_name: None, ..available() }),
        ("a service name of AWS", Endpoint { service_name: Some("$(x)".to_owned()), ..available() }),
        (
            "another service name",
            Endpoint { service_name: endpoint(2, Mark::Ours, "AVAILABLE").service_name, ..available() },
        ),
        ("VPC endpoint id", Endpoint { vpc_endpoint_id: None, ..available() }),
        ("another VPC endpoint id", Endpoint { vpc_endpoint_id: Some(vpce(7).to_string()), ..available() }),
        ("status", Endpoint { status: EndpointStatus::Other(String::new()), ..available() }),
        (
            "status, not known",
            Endpoint { status: EndpointStatus::Other("MAINTENANCE".to_owned()), ..available() },
        ),
        ("status, failed", endpoint(1, Mark::Ours, "FAILED")),
        ("status, earlier", Endpoint { vpc_endpoint_id: None, ..endpoint(1, Mark::Ours, "RESERVED") }),
        ("status, connecting", endpoint(1, Mark::Ours, "INITIATING")),
        ("life", endpoint(1, Mark::Ours, "DELETING")),
        ("mark", endpoint(1, Mark::Strangers, "AVAILABLE")),
    ]
}

#[test]
fn what_one_listing_withdraws_changes_nothing() {
    for (what, shown) in withdrawals() {
        let mut harness = Harness::recorded();
        ready_before(&mut harness.o);
        let once = harness.list(std::slice::from_ref(&shown));
        assert_eq!((&once.step, once.requeue), (&Step::Rest, Requeue::After(secs(10))), "{what}");
        let reported = report(&harness.o, &once);
        assert!(reported.unchanged && !reported.lost, "{what}");
        assert_eq!(reported.endpoint, harness.o.object.recorded, "{what}");
        assert_eq!(of_change(Announced::default(), &harness.o, &Step::Rest, &reported), [], "{what}");
        harness.wait(secs(10));
        let back = harness.list(&[endpoint(1, Mark::Ours, "AVAILABLE")]);
        assert_eq!(back.requeue, Requeue::Interval, "{what}");
    }
}

#[test]
fn what_two_listings_withdraw_is_gone() {
    for (what, shown) in withdrawals() {
        let mut harness = Harness::recorded();
        ready_before(&mut harness.o);
        harness.list(std::slice::from_ref(&shown));
        harness.wait(secs(9));
        let soon = harness.list(std::slice::from_ref(&shown));
        assert!(report(&harness.o, &soon).unchanged, "{what}");
        harness.wait(secs(1));
        let twice = harness.list(std::slice::from_ref(&shown));
        let reported = report(&harness.o, &twice);
        assert!(!reported.unchanged, "{what}");
        assert_eq!(reported.endpoint, Some(shown), "{what}");
    }
}

#[test]
fn two_listings_that_withdraw_different_things_do_not_confirm_each_other() {
    for (what, shown) in withdrawals() {
        for (other, before) in withdrawals()
            .into_iter()
            .filter(|(other, _)| {
                !["service", "VPC", "status"].iter().any(|it| other.contains(it) && what.contains(it))
            })
            .filter(|(other, _)| *other != what)
        {
            let mut harness = Harness::recorded();
            ready_before(&mut harness.o);
            harness.list(&[before]);
            harness.wait(secs(10));
            let second = harness.list(std::slice::from_ref(&shown));
            assert!(report(&harness.o, &second).unchanged, "{other}, then {what}");
        }
    }
}

#[test]
fn a_listing_that_shows_all_again_ends_the_run() {
    let shown = Endpoint { service_name: None, ..endpoint(1, Mark::Ours, "AVAILABLE") };
    let mut harness = Harness::recorded();
    ready_before(&mut harness.o);
    for _ in 0..10 {
        let once = harness.list(std::slice::from_ref(&shown));
        assert!(report(&harness.o, &once).unchanged);
        harness.wait(secs(10));
        harness.list(&[endpoint(1, Mark::Ours, "AVAILABLE")]);
        harness.wait(secs(10));
    }
}

#[test]
fn another_vpc_endpoint_that_is_declared_is_no_contradiction() {
    let mut harness = Harness::recorded();
    ready_before(&mut harness.o);
    harness.spec(|spec| spec.vpc_endpoint = VpcEndpoint::Declared(vpce(7)));
    let connecting =
        Endpoint { vpc_endpoint_id: Some(vpce(7).to_string()), ..endpoint(1, Mark::Ours, "INITIATING") };
    let decision = harness.list(std::slice::from_ref(&connecting));
    let report = report(&harness.o, &decision);
    assert!(!report.unchanged);
    assert_eq!(report.endpoint, Some(connecting));
}

#[test]
fn one_listing_without_the_endpoint_changes_nothing() {
    let mut harness = Harness::recorded();
    ready_before(&mut harness.o);
    let once = harness.list(&[]);
    assert_eq!((&once.step, once.requeue), (&Step::Rest, Requeue::After(secs(10))));
    let reported = report(&harness.o, &once);
    assert!(reported.unchanged && !reported.lost);
    assert_eq!(of_change(Announced::default(), &harness.o, &Step::Rest, &reported), []);
    harness.wait(secs(10));
    let twice = harness.list(&[]);
    assert!(matches!(twice.step, Step::Claim { .. }), "{twice:?}");
    assert!(report(&harness.o, &twice).lost);
}

/// What comes between two empty listings.
type Between = fn(&mut Harness);

#[test]
fn an_outage_between_two_transient_empty_listings_loses_nothing() {
    let outage: Between = |harness| {
        for _ in 0..60 {
            harness.wait(MINUTE);
            harness.reconcile(failed(FaultKind::Unavailable));
        }
    };
    let once: [Between; 4] = [
        |harness| {
            harness.reconcile(failed(FaultKind::RateLimited));
        },
        |harness| {
            harness.reconcile(failed(FaultKind::NoAccess));
        },
        |harness| {
            harness.reconcile(failed(FaultKind::InstanceNotFound));
        },
        |harness| harness.wait(600 * MINUTE),
    ];
    for between in once.into_iter().chain([outage]) {
        let mut living = Harness::recorded();
        ready_before(&mut living.o);
        let mut deleted = deleted();
        deleted.memory.deleted(id(1), true, deleted.now);
        for mut harness in [living, deleted, Harness::claimed()] {
            harness.wait(10 * MINUTE);
            harness.list(&[]);
            harness.wait(secs(11));
            between(&mut harness);
            let decision = harness.list(&[]);
            let ends = matches!(decision.step, Step::Release(_) | Step::Claim { .. } | Step::Create { .. });
            assert!(!ends, "{decision:?}");
            assert!(!report(&harness.o, &decision).lost);
            harness.wait(secs(10));
            let confirmed = harness.list(&[]);
            let ends = matches!(confirmed.step, Step::Release(_) | Step::Claim { .. });
            assert!(ends, "{confirmed:?}");
        }
    }
}

#[test]
fn what_two_listings_have_confirmed_is_not_doubted_after_an_outage() {
    let mut harness = Harness::recorded();
    ready_before(&mut harness.o);
    harness.spec(|spec| spec.endpoint_id = Some(id(1)));
    harness.list(&[]);
    harness.wait(secs(10));
    assert_eq!(harness.list(&[]).state, State::Lost(id(1)));
    harness.wait(10 * MINUTE);
    harness.reconcile(failed(FaultKind::Unavailable));
    assert_eq!(harness.list(&[]).state, State::Lost(id(1)));
    harness.wait(10 * MINUTE);
    assert_eq!(harness.list(&[]).state, State::Lost(id(1)));
}
