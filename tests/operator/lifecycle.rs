//! The main path: from a manifest to an AVAILABLE endpoint, its changes, and its deletion.

use atlas_simulator::{Fate, Operation};
use serde_json::json;

use crate::bench::{Bench, VPC_ENDPOINT, assert_condition, assert_no_condition, condition};

#[tokio::test]
async fn a_manifest_becomes_a_reserved_endpoint_and_with_a_vpc_endpoint_an_available_one() {
    let bench = Bench::new().await;
    let _operator = bench.operator();
    bench.create("orders", json!({"comment": "orders, prod"})).await;
    let reserved = bench.until_reason("orders", "Reserved").await;
    assert_condition(&reserved, "Ready", "True", "Reserved");
    assert_condition(&reserved, "Synced", "True", "ReconcileSucceeded");
    assert_condition(&reserved, "EndpointServiceAvailable", "True", "ServiceReserved");
    assert_condition(&reserved, "EndpointConnected", "False", "AwaitingVpcEndpoint");
    assert_no_condition(&reserved, "Reconciling");
    assert_no_condition(&reserved, "Stalled");
    let status = reserved.status.as_ref().unwrap();
    let [endpoint] = bench.endpoints().try_into().unwrap();
    assert_eq!(status.id.as_deref(), Some(endpoint.id.as_str()));
    assert_eq!(status.endpoint_service_name, endpoint.service_name);
    let comment = endpoint.comment.unwrap();
    assert!(comment.starts_with("orders, prod [k8s:") && comment.ends_with(']'), "{comment}");
    let message = &condition(&reserved, "Ready").unwrap().message;
    let service = endpoint.service_name.unwrap();
    assert!(message.contains("aws ec2 create-vpc-endpoint") && message.contains(&service), "{message}");

    bench.edit("orders", json!({"cloudProviderEndpointId": VPC_ENDPOINT})).await;
    let available = bench.until_reason("orders", "Available").await;
    assert_condition(&available, "Ready", "True", "Available");
    assert_condition(&available, "EndpointConnected", "True", "Available");
    assert_no_condition(&available, "Reconciling");
    let status = available.status.unwrap();
    assert_eq!(status.status.as_deref(), Some("AVAILABLE"));
    assert_eq!(status.cloud_provider_endpoint_id.as_deref(), Some(VPC_ENDPOINT));
    assert_eq!(bench.atlas.executed(Operation::Create), 1);
    assert_eq!(bench.atlas.executed(Operation::Update), 1);
}

#[tokio::test]
async fn deleting_the_object_deletes_the_endpoint_and_waits_until_atlas_says_so() {
    let bench = Bench::new().await;
    let _operator = bench.operator();
    bench.create("orders", json!({})).await;
    bench.until_reason("orders", "Reserved").await;
    bench.delete("orders").await;
    let deleting = bench.until_reason("orders", "Deleting").await;
    assert_condition(&deleting, "Ready", "False", "Deleting");
    bench.until_gone("orders").await;
    assert!(bench.endpoints().is_empty());
    assert_eq!(bench.atlas.executed(Operation::Create), 1);
}

#[tokio::test]
async fn a_retained_endpoint_stays_and_the_same_name_finds_it_again() {
    let bench = Bench::new().await;
    let _operator = bench.operator();
    bench.create("orders", json!({"deletionPolicy": "Retain"})).await;
    let first = bench.until_reason("orders", "Reserved").await.status.unwrap().id;
    bench.delete("orders").await;
    bench.until_gone("orders").await;
    assert_eq!(bench.endpoints().len(), 1);
    bench.create("orders", json!({})).await;
    let second = bench.until_reason("orders", "Reserved").await.status.unwrap().id;
    assert_eq!(first, second);
    assert_eq!(bench.atlas.executed(Operation::Create), 1);
    assert_eq!(bench.atlas.executed(Operation::Delete), 0);
}

#[tokio::test]
async fn a_failed_endpoint_is_reported_with_what_atlas_says_and_never_recreated() {
    let bench = Bench::new().await;
    let _operator = bench.operator();
    bench.create("orders", json!({"cloudProviderEndpointId": VPC_ENDPOINT})).await;
    let known =
        bench.until("orders", "known", |object| object.status.as_ref().is_some_and(|s| s.id.is_some())).await;
    let why =
        "No dns entries found for endpoint vpce-1, your endpoint must be provisioned in at least one subnet";
    let fate = Fate::ConnectionFails { message: why.to_owned() };
    assert!(bench.atlas.set_fate(&known.status.unwrap().id.unwrap(), fate));
    let failed = bench.until_reason("orders", "AtlasFailed").await;
    assert_condition(&failed, "Stalled", "True", "AtlasFailed");
    assert_no_condition(&failed, "Reconciling");
    assert!(condition(&failed, "Ready").unwrap().message.contains(why));
    assert_eq!(failed.status.unwrap().error_message.as_deref(), Some(why));
    assert_eq!(bench.atlas.executed(Operation::Create), 1);
}

#[tokio::test]
async fn a_reservation_that_atlas_could_not_make_is_stalled_and_no_other_is_made() {
    let bench = Bench::at_pace(atlas_simulator::Pace::of(std::time::Duration::from_secs(2))).await;
    let _operator = bench.operator();
    bench.create("orders", json!({"cloudProviderEndpointId": VPC_ENDPOINT})).await;
    let known =
        bench.until("orders", "known", |object| object.status.as_ref().is_some_and(|s| s.id.is_some())).await;
    let fate = Fate::ReservationFails { message: "no capacity".to_owned() };
    assert!(bench.atlas.set_fate(&known.status.unwrap().id.unwrap(), fate));
    let failed = bench.until_reason("orders", "AtlasFailed").await;
    assert_condition(&failed, "Stalled", "True", "AtlasFailed");
    bench.look("orders", "1").await;
    bench.until_looked("orders", "1").await;
    assert_eq!((bench.atlas.executed(Operation::Create), bench.atlas.executed(Operation::Update)), (1, 0));
    bench.delete("orders").await;
    bench.until_gone("orders").await;
}

#[tokio::test]
async fn a_changed_comment_reaches_atlas_and_keeps_the_mark() {
    let bench = Bench::new().await;
    let _operator = bench.operator();
    bench.create("orders", json!({"comment": "first"})).await;
    let object = bench.until_reason("orders", "Reserved").await;
    let id = object.status.unwrap().id.unwrap();
    let mark = bench.atlas.endpoint(&id).unwrap().comment.unwrap().split_once(' ').unwrap().1.to_owned();
    bench.edit("orders", json!({"comment": "second"})).await;
    let wanted = format!("second {mark}");
    bench
        .until("orders", "changed", |object| {
            object.status.as_ref().is_some_and(|s| s.comment.as_deref() == Some(&wanted))
        })
        .await;
    assert_eq!(bench.atlas.endpoint(&id).unwrap().comment.as_deref(), Some(wanted.as_str()));
    assert_eq!(bench.atlas.executed(Operation::Create), 1);
}

#[tokio::test]
async fn a_suspended_object_is_neither_created_nor_changed_nor_polled_but_can_be_deleted() {
    let bench = Bench::new().await;
    let _operator = bench.operator();
    bench.create("orders", json!({"suspend": true})).await;
    let suspended = bench.until_reason("orders", "Suspended").await;
    assert_condition(&suspended, "Suspended", "True", "SuspendRequested");
    assert_eq!(bench.atlas.journal().len(), 0);
    bench.edit("orders", json!({"suspend": false})).await;
    let running = bench.until_reason("orders", "Reserved").await;
    assert_no_condition(&running, "Suspended");
    bench.edit("orders", json!({"suspend": true, "comment": "later"})).await;
    let held = bench.until("orders", "suspended", |object| condition(object, "Suspended").is_some()).await;
    assert_condition(&held, "Ready", "True", "Reserved");
    assert_eq!(bench.atlas.executed(Operation::Update), 0);
    bench.delete("orders").await;
    bench.until_gone("orders").await;
    assert!(bench.endpoints().is_empty());
}

#[tokio::test]
async fn an_unknown_status_is_shown_as_it_is_and_waited_for() {
    let bench = Bench::new().await;
    let _operator = bench.operator();
    bench.create("orders", json!({})).await;
    let id = bench.until_reason("orders", "Reserved").await.status.unwrap().id.unwrap();
    assert!(bench.atlas.edit_endpoint(&id, |endpoint| {
        endpoint.status = atlas_simulator::Status::Other("PENDING_ACCEPTANCE".into());
    }));
    bench.look("orders", "now").await;
    let odd = bench.until_reason("orders", "UnknownStatus").await;
    assert_condition(&odd, "Reconciling", "True", "Progressing");
    let status = odd.status.unwrap();
    assert_eq!(status.status.as_deref(), Some("PENDING_ACCEPTANCE"));
    assert_eq!(status.last_handled_reconcile_at.as_deref(), Some("now"));
}
