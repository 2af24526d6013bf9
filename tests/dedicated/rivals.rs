//! Several objects for one thing in Atlas: the oldest rules, the others say so, and the next one takes over.

use std::time::Duration;

use atlas_simulator::{EndpointPhase, Operation, ServicePhase};
use serde_json::json;
use test_support::dedicated::{DedicatedFixture, assert_condition_of, message_of};

use super::VPC;

/// Waits until a new object is younger by its creationTimestamp, which has whole seconds.
pub(crate) async fn a_second_later() {
    tokio::time::sleep(Duration::from_millis(1100)).await;
}

#[tokio::test]
async fn of_two_service_objects_of_a_region_the_older_rules_and_the_other_names_it() {
    let fixture = DedicatedFixture::new().await;
    let (services, _) = fixture.another_namespace().await;
    let _operator = fixture.operator_of(&services);
    fixture.apply_service("main", json!({})).await;
    fixture.services.until_ready("main", "True", "Available").await;
    a_second_later().await;
    // The other spelling is the same key.
    services.apply_service("rival", json!({"region": "us-east-1"})).await;
    let refused = services.until_ready("rival", "False", "Conflict").await;
    assert_condition_of(&refused, "Stalled", "True", "Conflict");
    let older = format!("{}/main", fixture.services.namespace());
    assert!(message_of(&refused, "Ready").contains(&older), "{refused:#}");
    assert!(refused["metadata"]["finalizers"].as_array().is_none_or(Vec::is_empty));
    assert_condition_of(&fixture.services.get("main").await, "Ready", "True", "Available");
    let id = fixture.atlas_service().id;
    fixture.services.delete_and_wait("main").await;
    let heir = services.until_ready("rival", "True", "Available").await;
    assert_eq!(
        (&heir["status"]["serviceId"], &heir["status"]["provenance"]),
        (&json!(id), &json!("Adopted"))
    );
    assert!(fixture.requests(Operation::DeleteService).is_empty());
    assert_eq!(fixture.requests(Operation::CreateService).len(), 1);
}

#[tokio::test]
async fn an_endpoint_that_another_object_names_outlives_its_object() {
    let fixture = DedicatedFixture::new().await;
    let _operator = fixture.operator();
    fixture.apply_both("main", "orders", VPC).await;
    a_second_later().await;
    fixture.apply_endpoint("heir", "main", VPC, json!({})).await;
    let refused = fixture.endpoints.until_ready("heir", "False", "Conflict").await;
    assert!(message_of(&refused, "Ready").contains("orders"), "{refused:#}");
    fixture.endpoints.delete_and_wait("orders").await;
    fixture.endpoints.until_ready("heir", "True", "Available").await;
    assert_eq!(fixture.atlas_endpoints()[0].status, EndpointPhase::Available);
    assert!(fixture.requests(Operation::DeleteEndpoint).is_empty());
    assert_eq!(fixture.requests(Operation::CreateEndpoint).len(), 1);
}

#[tokio::test]
async fn the_younger_of_two_deleted_first_leaves_the_endpoint_alone() {
    let fixture = DedicatedFixture::new().await;
    let _operator = fixture.operator();
    fixture.apply_both("main", "orders", VPC).await;
    a_second_later().await;
    fixture.apply_endpoint("rival", "main", VPC, json!({"deletionPolicy": "Delete"})).await;
    fixture.endpoints.until_ready("rival", "False", "Conflict").await;
    fixture.endpoints.delete_and_wait("rival").await;
    assert!(fixture.requests(Operation::DeleteEndpoint).is_empty());
    assert_condition_of(&fixture.endpoints.reconcile("orders", "after").await, "Ready", "True", "Available");
}

#[tokio::test]
async fn an_object_moves_to_another_namespace_without_a_gap() {
    let fixture = DedicatedFixture::new().await;
    let (services, endpoints) = fixture.another_namespace().await;
    let _operator = fixture.operator_of(&services);
    fixture.apply_both("main", "orders", VPC).await;
    a_second_later().await;
    services.apply_service("main", json!({})).await;
    endpoints.apply_endpoint("orders", json!({"name": "main"}), VPC, json!({})).await;
    services.until_ready("main", "False", "Conflict").await;
    fixture.endpoints.delete_and_wait("orders").await;
    fixture.services.delete_and_wait("main").await;
    services.until_ready("main", "True", "Available").await;
    endpoints.until_ready("orders", "True", "Available").await;
    assert_eq!((fixture.atlas_service().status, fixture.atlas_writes()), (ServicePhase::Available, 2));
}
