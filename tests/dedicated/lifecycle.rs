//! The main path: from two manifests to private connection strings, suspension, and deletion in either order.

use std::time::Duration;

use atlas_simulator::{DedicatedPace, EndpointPhase, Operation, ServicePhase};
use serde_json::json;
use test_support::dedicated::{
    CLUSTER, DedicatedFixture, assert_condition_of, condition_of, is_condition, message_of,
};

use super::VPC;

#[tokio::test]
async fn both_objects_become_ready_with_a_service_name_and_private_strings() {
    let fixture = DedicatedFixture::new().await;
    let _operator = fixture.operator();
    let (service, endpoint) = fixture.apply_both("main", "orders", VPC).await;
    let atlas = fixture.atlas_service();
    assert_eq!(service["status"]["serviceId"], atlas.id);
    assert_eq!(service["status"]["endpointServiceName"], atlas.service_name().unwrap());
    assert_eq!(service["status"]["regionName"], "US_EAST_1");
    assert_condition_of(&service, "ServiceAvailable", "True", "Available");
    assert_eq!(
        (&endpoint["status"]["serviceId"], &endpoint["status"]["endpointId"]),
        (&json!(atlas.id), &json!(VPC))
    );
    for kind in ["ServiceReady", "EndpointConnected", "ConnectionStringsReady", "Synced"] {
        assert_eq!(condition_of(&endpoint, kind)["status"], "True", "{kind}: {endpoint:#}");
    }
    let strings = &endpoint["status"]["connectionStrings"];
    assert_eq!((&strings[0]["cluster"], strings.as_array().unwrap().len()), (&json!(CLUSTER), 1));
    assert!(strings[0]["srv"].as_str().unwrap().starts_with("mongodb+srv://orders-pl-0."), "{strings}");
    for object in [&service, &endpoint] {
        assert_eq!(object["status"]["provenance"], "Created");
        assert!(condition_of(object, "Reconciling").is_null() && condition_of(object, "Stalled").is_null());
    }
    assert_eq!(
        (fixture.executed(Operation::CreateService), fixture.executed(Operation::CreateEndpoint)),
        (1, 1)
    );
}

#[tokio::test]
async fn an_endpoint_waits_for_its_service_and_for_its_connection_string() {
    let pace =
        DedicatedPace { updating: Duration::from_secs(2), ..DedicatedPace::of(Duration::from_millis(300)) };
    let fixture = DedicatedFixture::at_pace(pace).await;
    fixture.base.atlas.set_dedicated_pace(DedicatedPace::of(Duration::from_hours(1)));
    let _operator = fixture.operator();
    fixture.apply_endpoint("orders", "main", VPC, json!({"clusters": [CLUSTER]})).await;
    fixture.endpoints.until_ready("orders", "False", "ServiceNotFound").await;
    fixture.apply_service("main", json!({})).await;
    fixture.services.until_ready("main", "False", "Initiating").await;
    let waiting = fixture.endpoints.until_ready("orders", "False", "ServiceNotReady").await;
    assert_condition_of(&waiting, "Reconciling", "True", "Progressing");
    assert!(fixture.requests(Operation::CreateEndpoint).is_empty());
    fixture.base.atlas.set_dedicated_pace(pace);
    fixture.make_vpc_endpoint("main", VPC).await;
    let connected = fixture.endpoints.until_ready("orders", "False", "AwaitingConnectionString").await;
    assert_eq!(condition_of(&connected, "EndpointConnected")["status"], "True");
    fixture.endpoints.until_ready("orders", "True", "Available").await;
}

#[tokio::test]
async fn a_deleted_service_object_waits_for_its_endpoint_object() {
    let fixture = DedicatedFixture::new().await;
    let _operator = fixture.operator();
    fixture.apply_both("main", "orders", VPC).await;
    fixture.services.delete("main").await;
    let holds = |object: &serde_json::Value| is_condition(object, "Ready", "False", "InUse");
    let waiting = fixture.services.until("main", "in use", holds).await;
    assert!(message_of(&waiting, "Ready").contains("orders"), "{waiting:#}");
    assert_eq!(fixture.atlas_service().status, ServicePhase::Available);
    assert_eq!(fixture.atlas_endpoints()[0].status, EndpointPhase::Available);
    assert!(is_condition(&fixture.endpoints.get("orders").await, "Ready", "True", "Available"));
    fixture.endpoints.delete_and_wait("orders").await;
    fixture.services.until_gone("main").await;
    fixture.until_atlas("the service's end", |fixture| fixture.atlas_services().is_empty()).await;
    assert_eq!(fixture.executed(Operation::DeleteEndpoint), 1);
}

#[tokio::test]
async fn a_deleted_endpoint_object_is_gone_before_its_service() {
    let fixture = DedicatedFixture::new().await;
    let _operator = fixture.operator();
    fixture.apply_both("main", "orders", VPC).await;
    fixture.endpoints.delete_and_wait("orders").await;
    fixture.endpoints.until_event("orders", "EndpointRemoved").await;
    fixture.services.delete_and_wait("main").await;
    fixture.services.until_event("main", "ServiceDeleted").await;
    fixture.until_atlas("the service's end", |fixture| fixture.atlas_services().is_empty()).await;
    assert_eq!(fixture.executed(Operation::DeleteEndpoint), 1);
}

#[tokio::test]
async fn both_objects_deleted_at_once_leave_nothing() {
    let fixture = DedicatedFixture::new().await;
    let _operator = fixture.operator();
    fixture.apply_both("main", "orders", VPC).await;
    tokio::join!(fixture.services.delete("main"), fixture.endpoints.delete("orders"));
    tokio::join!(fixture.services.until_gone("main"), fixture.endpoints.until_gone("orders"));
    fixture.until_atlas("the service's end", |fixture| fixture.atlas_services().is_empty()).await;
}

#[tokio::test]
async fn retained_objects_leave_everything() {
    let fixture = DedicatedFixture::new().await;
    let _operator = fixture.operator();
    fixture.apply_both("main", "orders", VPC).await;
    fixture.endpoints.edit("orders", json!({"deletionPolicy": "Retain"})).await;
    fixture.services.edit("main", json!({"deletionPolicy": "Retain"})).await;
    fixture.endpoints.delete_and_wait("orders").await;
    fixture.services.delete_and_wait("main").await;
    assert!(fixture.endpoints.until_event("orders", "EndpointRetained").await.contains("Retain"));
    assert!(fixture.services.until_event("main", "ServiceRetained").await.contains("Retain"));
    assert_eq!(fixture.atlas_endpoints()[0].status, EndpointPhase::Available);
    assert!(fixture.requests(Operation::DeleteEndpoint).is_empty());
}

#[tokio::test]
async fn suspended_objects_send_nothing_until_they_are_resumed() {
    let fixture = DedicatedFixture::new().await;
    let _operator = fixture.operator();
    fixture.apply_service("main", json!({"suspend": true})).await;
    fixture.apply_endpoint("orders", "main", VPC, json!({"suspend": true})).await;
    let service = fixture.services.until_ready("main", "False", "Suspended").await;
    let endpoint = fixture.endpoints.until_ready("orders", "False", "Suspended").await;
    for object in [&service, &endpoint] {
        assert_eq!(condition_of(object, "Suspended")["status"], "True");
    }
    assert!(fixture.base.atlas.journal().is_empty());
    fixture.services.edit("main", json!({"suspend": false})).await;
    fixture.make_vpc_endpoint("main", VPC).await;
    assert!(fixture.requests(Operation::CreateEndpoint).is_empty());
    fixture.endpoints.edit("orders", json!({"suspend": false})).await;
    fixture.endpoints.until_ready("orders", "True", "Available").await;
    fixture.endpoints.edit("orders", json!({"suspend": true})).await;
    let held = fixture.endpoints.until_condition("orders", "Suspended", "True", "SuspendRequested").await;
    assert_condition_of(&held, "Ready", "True", "Available");
    fixture.endpoints.delete_and_wait("orders").await;
    assert_eq!(fixture.executed(Operation::DeleteEndpoint), 1);
}
