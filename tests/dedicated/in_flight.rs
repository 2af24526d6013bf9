//! Requests in flight while the object changes: nothing leaks, and no DELETE hits a later life.

use std::time::Duration;

use atlas_simulator::{
    ChangeCause, EndpointPhase, InjectedFault, Operation, OthersAction, Rule, Termination,
};
use serde_json::json;
use test_support::dedicated::{DedicatedFixture, FOREIGN_VPC_ENDPOINT};

use super::VPC;

/// What delays a request: its response, or its execution after the client gave up. The timeout of tests is 2 s, after which
/// Atlas may execute a request for 1 s: in proportion to 0.8, 5 and 20 s of 30, and one beyond it.
fn delays() -> Vec<(&'static str, InjectedFault)> {
    let response = |millis| InjectedFault::delayed(Duration::from_millis(millis));
    let late = InjectedFault::ExecutedLate { after: Duration::from_millis(2700), ending: Termination::Cut };
    vec![
        ("a fast response", response(60)),
        ("a slow response", response(350)),
        ("a very slow response", response(1400)),
        ("no response", late),
    ]
}

#[tokio::test]
async fn a_service_object_deleted_while_its_post_is_in_flight_leaks_nothing() {
    for (what, delay) in delays() {
        let fixture = DedicatedFixture::new().await;
        fixture.base.atlas.inject(Rule::next_of(Operation::CreateService, delay));
        let _operator = fixture.operator();
        fixture.apply_service("main", json!({"deletionPolicy": "Delete"})).await;
        fixture
            .until_atlas("the POST", |fixture| !fixture.requests(Operation::CreateService).is_empty())
            .await;
        fixture.services.delete_and_wait("main").await;
        assert_eq!(fixture.executed(Operation::CreateService), 1, "{what}: it landed before the release");
        fixture.until_atlas(what, |fixture| fixture.atlas_services().is_empty()).await;
        assert_eq!(fixture.requests(Operation::CreateService).len(), 1, "{what}");
    }
}

#[tokio::test]
async fn a_service_object_whose_post_got_no_response_names_the_service_that_it_leaves() {
    let late = InjectedFault::ExecutedLate { after: Duration::from_millis(2700), ending: Termination::Cut };
    for fault in [InjectedFault::Executed(Termination::Cut), late] {
        let fixture = DedicatedFixture::new().await;
        fixture.base.atlas.inject(Rule::next_of(Operation::CreateService, fault));
        let _operator = fixture.operator();
        fixture.apply_service("main", json!({})).await;
        fixture
            .until_atlas("the POST", |fixture| !fixture.requests(Operation::CreateService).is_empty())
            .await;
        fixture.services.delete_and_wait("main").await;
        // Nothing says whose it is, so that it stays, and the user has to learn of it.
        let note = fixture.services.until_event("main", "ServiceRetained").await;
        assert!(note.contains(&fixture.atlas_service().id), "{note}");
        assert!(fixture.requests(Operation::DeleteService).is_empty());
    }
}

#[tokio::test]
async fn an_endpoint_object_deleted_while_its_post_is_in_flight_leaks_nothing() {
    for (what, delay) in delays() {
        let fixture = DedicatedFixture::new().await;
        let _operator = fixture.operator();
        fixture.apply_service("main", json!({})).await;
        fixture.make_vpc_endpoint("main", VPC).await;
        // It keeps the service, whatever happens to ours.
        fixture.others(OthersAction::RegisterEndpoint(FOREIGN_VPC_ENDPOINT.to_owned()));
        fixture.base.atlas.inject(Rule::next_of(Operation::CreateEndpoint, delay));
        fixture.apply_endpoint("orders", "main", VPC, json!({})).await;
        fixture
            .until_atlas("the POST", |fixture| !fixture.requests(Operation::CreateEndpoint).is_empty())
            .await;
        fixture.endpoints.delete_and_wait("orders").await;
        assert_eq!(fixture.executed(Operation::CreateEndpoint), 1, "{what}: it landed before the release");
        fixture
            .until_atlas(what, |fixture| {
                fixture.atlas_endpoints().iter().all(|endpoint| endpoint.id == FOREIGN_VPC_ENDPOINT)
            })
            .await;
    }
}

#[tokio::test]
async fn a_delete_in_flight_never_hits_the_next_life_of_its_endpoint() {
    let ending = || Termination::GatewayTimeout;
    for after in [Duration::from_millis(300), Duration::from_millis(1500), Duration::from_millis(2700)] {
        let fixture = DedicatedFixture::new().await;
        let _operator = fixture.operator();
        fixture.apply_both("main", "orders", VPC).await;
        fixture.others(OthersAction::RegisterEndpoint(FOREIGN_VPC_ENDPOINT.to_owned()));
        let late = InjectedFault::ExecutedLate { after, ending: ending() };
        fixture.base.atlas.inject(Rule::next_of(Operation::DeleteEndpoint, late));
        fixture.endpoints.delete("orders").await;
        fixture
            .until_atlas("the DELETE", |fixture| !fixture.requests(Operation::DeleteEndpoint).is_empty())
            .await;
        // The user takes it back under another name, and under the old one as soon as that is free.
        fixture.apply_endpoint("again", "main", VPC, json!({})).await;
        fixture.endpoints.until_gone("orders").await;
        // An object that was created in the same second as the former one may be the older one, and be Ready before the DELETE lands.
        let lives = |fixture: &DedicatedFixture| {
            let course = fixture.base.atlas.service_course(&fixture.atlas_service().id).unwrap();
            course.endpoints.into_iter().filter(|one| one.id == VPC).collect::<Vec<_>>()
        };
        fixture.until_atlas("the next life", |fixture| lives(fixture).len() == 2).await;
        fixture.endpoints.reconcile_until_ready("again", "True", "Available").await;
        let is_available = |fixture: &DedicatedFixture| {
            let last = lives(fixture).pop().and_then(|life| life.endpoint.now().cloned());
            last.is_some_and(|last| last.status == EndpointPhase::Available)
        };
        fixture.until_atlas("its connection", is_available).await;
        let lives = lives(&fixture);
        let last = &lives.last().unwrap().endpoint;
        assert!(
            last.points.iter().all(|point| point.cause != ChangeCause::Deleted),
            "after {after:?}: {lives:#?}"
        );
        let deletions = fixture.requests(Operation::DeleteEndpoint);
        let ended = |at: Duration| at <= last.created_at();
        assert!(
            deletions.iter().all(|entry| entry.executed_at.is_some_and(ended)),
            "after {after:?}: {deletions:#?}"
        );
    }
}

#[tokio::test]
async fn a_delete_forced_out_of_sight_does_not_hit_a_new_object_of_its_key() {
    let fixture = DedicatedFixture::new().await;
    let _operator = fixture.operator();
    fixture.apply_both("main", "orders", VPC).await;
    fixture.others(OthersAction::RegisterEndpoint(FOREIGN_VPC_ENDPOINT.to_owned()));
    let late = InjectedFault::ExecutedLate {
        after: Duration::from_millis(2700),
        ending: Termination::GatewayTimeout,
    };
    fixture.base.atlas.inject(Rule::next_of(Operation::DeleteEndpoint, late));
    fixture.endpoints.delete("orders").await;
    fixture
        .until_atlas("the DELETE", |fixture| !fixture.requests(Operation::DeleteEndpoint).is_empty())
        .await;
    fixture.endpoints.force_finalizers_off("orders").await;
    fixture.endpoints.until_gone("orders").await;
    fixture.apply_endpoint("again", "main", VPC, json!({})).await;
    fixture.until_atlas("the late DELETE", |fixture| fixture.executed(Operation::DeleteEndpoint) >= 1).await;
    fixture.endpoints.reconcile("again", "after").await;
    fixture.endpoints.until_ready("again", "True", "Available").await;
    let ours = fixture.atlas_endpoints().into_iter().find(|endpoint| endpoint.id == VPC).unwrap();
    assert_eq!(ours.status, EndpointPhase::Available);
    assert_eq!(fixture.executed(Operation::DeleteEndpoint), 1);
}

#[tokio::test]
async fn a_post_whose_response_is_lost_makes_one_endpoint_that_the_object_deletes() {
    let fixture = DedicatedFixture::new().await;
    let _operator = fixture.operator();
    fixture.apply_service("main", json!({})).await;
    fixture.make_vpc_endpoint("main", VPC).await;
    fixture
        .base
        .atlas
        .inject(Rule::next_of(Operation::CreateEndpoint, InjectedFault::Executed(Termination::Cut)));
    fixture.apply_endpoint("orders", "main", VPC, json!({})).await;
    let found = fixture.endpoints.until_ready("orders", "True", "Available").await;
    assert_eq!(found["status"]["provenance"], "Unproven");
    assert_eq!(fixture.atlas_endpoints().len(), 1);
    fixture.endpoints.delete_and_wait("orders").await;
    assert_eq!(fixture.executed(Operation::DeleteEndpoint), 1);
}
