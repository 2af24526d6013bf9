//! What Atlas could not do: FAILED services, REJECTED endpoints, their messages, and healing.

use std::collections::BTreeSet;

use atlas_simulator::{
    DedicatedPace, Deviation, EndpointPhase, InjectedFault, Operation, Rule, ServicePhase, Termination,
};
use serde_json::json;
use test_support::dedicated::{DedicatedFixture, assert_condition_of, condition_of, message_of};

use super::{NEXT_VPC, VPC};

#[tokio::test]
async fn a_failed_service_is_stalled_with_its_message_and_not_repeated() {
    let fixture = DedicatedFixture::new().await;
    let why = "the region has no address left";
    let fails = InjectedFault::Deviation(Deviation::ReservationFails { message: why.to_owned() });
    fixture.base.atlas.inject(Rule::next_of(Operation::CreateService, fails));
    let _operator = fixture.operator();
    fixture.apply_service("main", json!({})).await;
    let failed = fixture.services.until_ready("main", "False", "AtlasFailed").await;
    assert_condition_of(&failed, "Stalled", "True", "AtlasFailed");
    assert!(message_of(&failed, "Ready").contains(why), "{failed:#}");
    assert_eq!(
        (&failed["status"]["status"], &failed["status"]["errorMessage"]),
        (&json!("FAILED"), &json!(why))
    );
    fixture.services.reconcile("main", "again").await;
    assert_eq!(fixture.requests(Operation::CreateService).len(), 1);
    assert_eq!(fixture.atlas_service().status, ServicePhase::Failed);
    fixture.services.delete_and_wait("main").await;
}

#[tokio::test]
async fn an_unknown_vpc_endpoint_is_rejected_with_its_message_and_heals_unaided() {
    let fixture = DedicatedFixture::new().await;
    let _operator = fixture.operator();
    fixture.apply_service("main", json!({})).await;
    fixture.services.until_ready("main", "True", "Available").await;
    fixture.apply_endpoint("orders", "main", VPC, json!({})).await;
    let rejected = fixture.endpoints.until_ready("orders", "False", "Rejected").await;
    assert_eq!(condition_of(&rejected, "Reconciling")["status"], "True", "it may heal: {rejected:#}");
    let why = rejected["status"]["errorMessage"].as_str().unwrap();
    let said = message_of(&rejected, "Ready").contains(why.trim_end_matches('.'));
    assert!(why.contains(VPC) && said, "{rejected:#}");
    fixture.make_vpc_endpoint("main", VPC).await;
    let healed = fixture.endpoints.until_ready("orders", "True", "Available").await;
    assert!(
        condition_of(&healed, "Stalled").is_null() && healed["status"]["errorMessage"].is_null(),
        "{healed:#}"
    );
    assert_eq!(fixture.requests(Operation::CreateEndpoint).len(), 1);
    assert!(fixture.requests(Operation::DeleteEndpoint).is_empty());
}

#[tokio::test]
async fn an_endpoint_rejected_beyond_its_deadline_is_stalled_and_stays() {
    let fixture = DedicatedFixture::new().await;
    let _operator = fixture.operator();
    fixture.apply_service("main", json!({})).await;
    fixture.services.until_ready("main", "True", "Available").await;
    fixture.apply_endpoint("orders", "main", VPC, json!({"progressDeadline": "1s"})).await;
    let stalled =
        fixture.endpoints.until_condition("orders", "Stalled", "True", "ProgressDeadlineExceeded").await;
    assert_condition_of(&stalled, "Ready", "False", "Rejected");
    assert_eq!(fixture.atlas_endpoints()[0].status, EndpointPhase::Rejected);
    assert!(fixture.requests(Operation::DeleteEndpoint).is_empty());
}

#[tokio::test]
async fn an_available_endpoint_whose_vpc_endpoint_vanishes_says_so_and_heals() {
    let fixture = DedicatedFixture::new().await;
    let _operator = fixture.operator();
    fixture.apply_both("main", "orders", VPC).await;
    assert!(fixture.base.atlas.delete_vpc_endpoint(VPC));
    fixture.endpoints.reconcile_until_ready("orders", "False", "Rejected").await;
    assert!(fixture.requests(Operation::DeleteEndpoint).is_empty());
    let name = fixture.atlas_service().service_name().unwrap();
    fixture.base.atlas.make_vpc_endpoint(VPC, &name);
    fixture.endpoints.until_ready("orders", "True", "Available").await;
}

#[tokio::test]
async fn a_rejected_endpoint_does_not_hinder_a_good_one() {
    let fixture = DedicatedFixture::new().await;
    let _operator = fixture.operator();
    fixture.apply_service("main", json!({})).await;
    fixture.make_vpc_endpoint("main", VPC).await;
    fixture.apply_endpoint("bad", "main", NEXT_VPC, json!({})).await;
    fixture.endpoints.until_ready("bad", "False", "Rejected").await;
    fixture.apply_endpoint("good", "main", VPC, json!({})).await;
    fixture.endpoints.until_ready("good", "True", "Available").await;
    fixture.endpoints.delete_and_wait("bad").await;
    let left: Vec<_> = fixture.atlas_endpoints().into_iter().map(|endpoint| endpoint.id).collect();
    assert_eq!(left, [VPC]);
    assert_condition_of(&fixture.endpoints.reconcile("good", "after").await, "Ready", "True", "Available");
}

#[tokio::test]
async fn a_rejected_endpoint_is_replaced_by_another_id_and_deleted() {
    let fixture = DedicatedFixture::new().await;
    let _operator = fixture.operator();
    fixture.apply_service("main", json!({})).await;
    fixture.services.until_ready("main", "True", "Available").await;
    fixture.apply_endpoint("orders", "main", VPC, json!({})).await;
    fixture.endpoints.until_ready("orders", "False", "Rejected").await;
    fixture.make_vpc_endpoint("main", NEXT_VPC).await;
    fixture.endpoints.edit("orders", json!({"aws": {"id": NEXT_VPC}})).await;
    let replaced = fixture.endpoints.until_ready("orders", "True", "Available").await;
    assert_eq!(replaced["status"]["endpointId"], NEXT_VPC);
    fixture.until_atlas("the old one's end", |fixture| fixture.atlas_endpoints().len() == 1).await;
    assert_eq!(fixture.atlas_endpoints()[0].id, NEXT_VPC);
    let deletions = fixture.requests(Operation::DeleteEndpoint);
    assert!(
        deletions.iter().all(|entry| entry.path.ends_with(VPC)) && deletions.len() == 1,
        "{deletions:#?}"
    );
    let none_left =
        |object: &serde_json::Value| object["status"]["superseded"].as_array().is_none_or(Vec::is_empty);
    fixture.endpoints.until("orders", "without superseded entries", none_left).await;
}

#[tokio::test]
async fn a_good_endpoint_is_replaced_without_a_gap() {
    let fixture = DedicatedFixture::new().await;
    let _operator = fixture.operator();
    fixture.apply_both("main", "orders", VPC).await;
    fixture.make_vpc_endpoint("main", NEXT_VPC).await;
    let id = fixture.atlas_service().id;
    fixture.endpoints.edit("orders", json!({"aws": {"id": NEXT_VPC}})).await;
    fixture.until_atlas("the old one's end", |fixture| fixture.atlas_endpoints().len() == 1).await;
    fixture.endpoints.until_ready("orders", "True", "Available").await;
    let life = fixture.base.atlas.service_course(&id).unwrap();
    let of = |vpc: &str| life.endpoints.iter().find(|one| one.id == vpc).unwrap().endpoint.points.clone();
    let since = |vpc: &str, wanted: EndpointPhase| {
        let of_status = |state: &atlas_simulator::AtlasEndpoint| state.status == wanted;
        of(vpc).iter().find(|point| point.state.as_ref().is_some_and(of_status)).unwrap().at
    };
    assert!(since(NEXT_VPC, EndpointPhase::Available) <= since(VPC, EndpointPhase::Deleting), "{life:#?}");
    assert_eq!(fixture.atlas_service().id, id, "the service was never without an endpoint");
}

#[tokio::test]
async fn an_unknown_status_is_shown_as_it_is_and_polled() {
    let fixture = DedicatedFixture::new().await;
    let _operator = fixture.operator();
    fixture.apply_both("main", "orders", VPC).await;
    let id = fixture.atlas_service().id;
    let odd = |word: &str| word.to_owned();
    assert!(
        fixture.base.atlas.edit_service(&id, |service| service.status = ServicePhase::Other(odd("PAUSED")))
    );
    let service = fixture.services.reconcile_until_ready("main", "False", "UnknownStatus").await;
    assert_eq!(service["status"]["status"], "PAUSED");
    assert_condition_of(&fixture.endpoints.get("orders").await, "Ready", "True", "Available");
    assert!(fixture.base.atlas.edit_service(&id, |service| service.status = ServicePhase::WaitingForUser));
    fixture.services.until_ready("main", "True", "Available").await;
    assert!(fixture.base.atlas.edit_registered_endpoint(&id, VPC, |endpoint| {
        endpoint.status = EndpointPhase::Other(odd("VERIFYING"));
    }));
    fixture.endpoints.reconcile_until_ready("orders", "False", "UnknownStatus").await;
}

#[tokio::test]
async fn no_capacity_is_retried_until_both_services_exist() {
    let fixture = DedicatedFixture::at_pace(DedicatedPace::of(std::time::Duration::from_millis(300))).await;
    fixture.base.atlas.configure(|settings| {
        settings.dedicated.variants.no_capacity_within = std::time::Duration::from_secs(1);
    });
    let _operator = fixture.operator();
    fixture.apply_service("main", json!({})).await;
    fixture.apply_service("other", json!({"region": "EU_WEST_1"})).await;
    fixture.services.until_ready("main", "True", "Available").await;
    fixture.services.until_ready("other", "True", "Available").await;
    assert_eq!(fixture.executed(Operation::CreateService), 2);
}

#[tokio::test]
async fn of_fifty_clusters_that_hang_one_is_waited_for() {
    let fixture = DedicatedFixture::new().await;
    let hangs = InjectedFault::NotExecuted(Termination::Hang);
    fixture.base.atlas.inject(Rule::always(hangs).of([Operation::GetCluster]));
    let _operator = fixture.operator();
    fixture.apply_service("main", json!({})).await;
    fixture.services.until_ready("main", "True", "Available").await;
    fixture.make_vpc_endpoint("main", VPC).await;
    let clusters: Vec<_> = (0..50).map(|number| format!("cluster-{number}")).collect();
    fixture.apply_endpoint("orders", "main", VPC, json!({ "clusters": clusters })).await;
    fixture.endpoints.until_ready("orders", "False", "AtlasUnavailable").await;
    fixture.endpoints.delete_and_wait("orders").await;
    let requested: BTreeSet<_> =
        fixture.requests(Operation::GetCluster).into_iter().map(|entry| entry.path).collect();
    assert_eq!(requested.len(), 1, "{requested:?}");
}
