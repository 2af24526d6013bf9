//! The main path: from a manifest to an AVAILABLE endpoint, its changes, and its deletion.

use atlas_simulator::{Deviation, Operation};
use serde_json::json;
use test_support::{Fixture, VPC_ENDPOINT, assert_condition, assert_no_condition, condition};

#[tokio::test]
async fn a_manifest_leads_to_a_reserved_and_then_available_endpoint() {
    let fixture = Fixture::new().await;
    let _operator = fixture.operator();
    fixture.create("orders", json!({"comment": "orders, prod"})).await;
    let reserved = fixture.until_reason("orders", "Reserved").await;
    assert_condition(&reserved, "Ready", "True", "Reserved");
    assert_condition(&reserved, "Synced", "True", "ReconcileSucceeded");
    assert_condition(&reserved, "EndpointServiceAvailable", "True", "ServiceReserved");
    assert_condition(&reserved, "EndpointConnected", "False", "AwaitingVpcEndpoint");
    assert_no_condition(&reserved, "Reconciling");
    assert_no_condition(&reserved, "Stalled");
    let status = reserved.status.as_ref().unwrap();
    let [endpoint] = fixture.endpoints().try_into().unwrap();
    assert_eq!(status.id.as_deref(), Some(endpoint.id.as_str()));
    assert_eq!(status.endpoint_service_name, endpoint.service_name);
    let comment = endpoint.comment.unwrap();
    assert!(comment.starts_with("orders, prod [k8s:") && comment.ends_with(']'), "{comment}");
    let message = &condition(&reserved, "Ready").unwrap().message;
    let service = endpoint.service_name.unwrap();
    assert!(message.contains("aws ec2 create-vpc-endpoint") && message.contains(&service), "{message}");

    fixture.edit("orders", json!({"cloudProviderEndpointId": VPC_ENDPOINT})).await;
    let available = fixture.until_reason("orders", "Available").await;
    assert_condition(&available, "Ready", "True", "Available");
    assert_condition(&available, "EndpointConnected", "True", "Available");
    assert_no_condition(&available, "Reconciling");
    let status = available.status.unwrap();
    assert_eq!(status.status.as_deref(), Some("AVAILABLE"));
    assert_eq!(status.cloud_provider_endpoint_id.as_deref(), Some(VPC_ENDPOINT));
    assert_eq!(fixture.atlas.executed(Operation::Create), 1);
    assert_eq!(fixture.atlas.executed(Operation::Update), 1);
}

#[tokio::test]
async fn a_deletion_waits_until_atlas_no_longer_lists_the_endpoint() {
    let fixture = Fixture::new().await;
    let _operator = fixture.operator();
    fixture.create("orders", json!({})).await;
    fixture.until_reason("orders", "Reserved").await;
    fixture.delete("orders").await;
    let deleting = fixture.until_reason("orders", "Deleting").await;
    assert_condition(&deleting, "Ready", "False", "Deleting");
    fixture.until_gone("orders").await;
    assert!(fixture.endpoints().is_empty());
    assert_eq!(fixture.atlas.executed(Operation::Create), 1);
}

#[tokio::test]
async fn a_retained_endpoint_is_adopted_by_the_next_object_of_its_name() {
    let fixture = Fixture::new().await;
    let _operator = fixture.operator();
    fixture.create("orders", json!({"deletionPolicy": "Retain"})).await;
    let first = fixture.until_reason("orders", "Reserved").await.status.unwrap().id;
    fixture.delete("orders").await;
    fixture.until_gone("orders").await;
    assert_eq!(fixture.endpoints().len(), 1);
    fixture.create("orders", json!({})).await;
    let second = fixture.until_reason("orders", "Reserved").await.status.unwrap().id;
    assert_eq!(first, second);
    assert_eq!(fixture.atlas.executed(Operation::Create), 1);
    assert_eq!(fixture.atlas.executed(Operation::Delete), 0);
}

#[tokio::test]
async fn a_failed_endpoint_is_reported_and_never_recreated() {
    let fixture = Fixture::new().await;
    let _operator = fixture.operator();
    fixture.create("orders", json!({"cloudProviderEndpointId": VPC_ENDPOINT})).await;
    let known = fixture
        .until("orders", "known", |object| object.status.as_ref().is_some_and(|s| s.id.is_some()))
        .await;
    let why =
        "No dns entries found for endpoint vpce-1, your endpoint must be provisioned in at least one subnet";
    let deviation = Deviation::ConnectionFails { message: why.to_owned() };
    assert!(fixture.atlas.add_deviation(&known.status.unwrap().id.unwrap(), deviation));
    let failed = fixture.until_reason("orders", "AtlasFailed").await;
    assert_condition(&failed, "Stalled", "True", "AtlasFailed");
    assert_no_condition(&failed, "Reconciling");
    assert!(condition(&failed, "Ready").unwrap().message.contains(why));
    assert_eq!(failed.status.unwrap().error_message.as_deref(), Some(why));
    assert_eq!(fixture.atlas.executed(Operation::Create), 1);
}

#[tokio::test]
async fn a_failed_reservation_is_stalled_and_not_repeated() {
    let fixture = Fixture::at_pace(atlas_simulator::Pace::of(std::time::Duration::from_secs(2))).await;
    let _operator = fixture.operator();
    fixture.create("orders", json!({"cloudProviderEndpointId": VPC_ENDPOINT})).await;
    let known = fixture
        .until("orders", "known", |object| object.status.as_ref().is_some_and(|s| s.id.is_some()))
        .await;
    let deviation = Deviation::ReservationFails { message: "no capacity".to_owned() };
    assert!(fixture.atlas.add_deviation(&known.status.unwrap().id.unwrap(), deviation));
    let failed = fixture.until_reason("orders", "AtlasFailed").await;
    assert_condition(&failed, "Stalled", "True", "AtlasFailed");
    fixture.request_reconcile("orders", "1").await;
    fixture.until_reconciled("orders", "1").await;
    assert_eq!(
        (fixture.atlas.executed(Operation::Create), fixture.atlas.executed(Operation::Update)),
        (1, 0)
    );
    fixture.delete("orders").await;
    fixture.until_gone("orders").await;
}

#[tokio::test]
async fn a_changed_comment_reaches_atlas_and_keeps_the_mark() {
    let fixture = Fixture::new().await;
    let _operator = fixture.operator();
    fixture.create("orders", json!({"comment": "first"})).await;
    let object = fixture.until_reason("orders", "Reserved").await;
    let id = object.status.unwrap().id.unwrap();
    let mark = fixture.atlas.endpoint(&id).unwrap().comment.unwrap().split_once(' ').unwrap().1.to_owned();
    fixture.edit("orders", json!({"comment": "second"})).await;
    let wanted = format!("second {mark}");
    fixture
        .until("orders", "changed", |object| {
            object.status.as_ref().is_some_and(|s| s.comment.as_deref() == Some(&wanted))
        })
        .await;
    assert_eq!(fixture.atlas.endpoint(&id).unwrap().comment.as_deref(), Some(wanted.as_str()));
    assert_eq!(fixture.atlas.executed(Operation::Create), 1);
}

#[tokio::test]
async fn a_suspended_object_is_only_deleted() {
    let fixture = Fixture::new().await;
    let _operator = fixture.operator();
    fixture.create("orders", json!({"suspend": true})).await;
    let suspended = fixture.until_reason("orders", "Suspended").await;
    assert_condition(&suspended, "Suspended", "True", "SuspendRequested");
    assert_eq!(fixture.atlas.journal().len(), 0);
    fixture.edit("orders", json!({"suspend": false})).await;
    let running = fixture.until_reason("orders", "Reserved").await;
    assert_no_condition(&running, "Suspended");
    fixture.edit("orders", json!({"suspend": true, "comment": "later"})).await;
    let held = fixture.until("orders", "suspended", |object| condition(object, "Suspended").is_some()).await;
    assert_condition(&held, "Ready", "True", "Reserved");
    assert_eq!(fixture.atlas.executed(Operation::Update), 0);
    fixture.delete("orders").await;
    fixture.until_gone("orders").await;
    assert!(fixture.endpoints().is_empty());
}

#[tokio::test]
async fn an_unknown_status_is_shown_as_it_is_and_waited_for() {
    let fixture = Fixture::new().await;
    let _operator = fixture.operator();
    fixture.create("orders", json!({})).await;
    let id = fixture.until_reason("orders", "Reserved").await.status.unwrap().id.unwrap();
    assert!(fixture.atlas.edit_endpoint(&id, |endpoint| {
        endpoint.status = atlas_simulator::Status::Other("PENDING_ACCEPTANCE".into());
    }));
    fixture.request_reconcile("orders", "now").await;
    let odd = fixture.until_reason("orders", "UnknownStatus").await;
    assert_condition(&odd, "Reconciling", "True", "Progressing");
    let status = odd.status.unwrap();
    assert_eq!(status.status.as_deref(), Some("PENDING_ACCEPTANCE"));
    assert_eq!(status.last_handled_reconcile_at.as_deref(), Some("now"));
}
