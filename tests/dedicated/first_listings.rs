//! What the operator does not know yet, or may never know: objects of a kind that has not been listed since the start, and of namespaces
//! that it may not list.

use std::time::Duration;

use atlas_simulator::Operation;
use serde_json::json;
use test_support::dedicated::DedicatedFixture;
use testbed::{Action, Exchange};

use super::VPC;

/// How long the first listing of the endpoint objects takes.
const HELD: Duration = Duration::from_secs(3);

fn lists_endpoints(exchange: &Exchange) -> bool {
    exchange.method == "GET"
        && exchange.path.split('?').next().is_some_and(|path| path.ends_with("/privateendpoints"))
}

#[tokio::test]
async fn a_retained_service_object_waits_for_endpoint_objects_that_are_not_listed_yet() {
    let fixture = DedicatedFixture::new().await;
    let proxies = fixture.base.proxies().await;
    let operator = fixture.base.operator_behind(&proxies);
    fixture.apply_both("main", "orders", VPC).await;
    fixture.services.edit("main", json!({"deletionPolicy": "Retain"})).await;
    fixture.services.delete("main").await;
    fixture.services.until_ready("main", "False", "InUse").await;
    drop(operator);
    proxies.recording.always(lists_endpoints, || Action::DelayResponse(HELD));
    let listed = proxies.recording.count(|exchange| lists_endpoints(exchange) && exchange.status.is_some());
    let _operator = fixture.base.operator_behind(&proxies);
    let is_listed = |exchange: &Exchange| lists_endpoints(exchange) && exchange.status.is_some();
    proxies.recording.wait_for(listed + 2, is_listed, test_support::PATIENCE).await.unwrap();
    proxies.recording.forget_plan();
    fixture.services.reconcile("main", "after the restart").await;
    fixture.services.until_ready("main", "False", "InUse").await;
    fixture.endpoints.delete_and_wait("orders").await;
    fixture.services.until_gone("main").await;
    assert_eq!(fixture.executed(Operation::DeleteEndpoint), 1);
}

#[tokio::test]
async fn a_namespace_that_may_not_be_listed_hinders_nothing_in_another_one() {
    let fixture = DedicatedFixture::new().await;
    let (refused, _) = fixture.another_namespace().await;
    let proxies = fixture.base.proxies().await;
    let path = format!("/namespaces/{}/privateendpoint", refused.namespace());
    let is_there = move |exchange: &Exchange| exchange.path.contains(&path);
    let watched = format!("--watch-namespaces={}", refused.namespace());
    let _operator = fixture.base.operator_behind_with(&proxies, &[&watched]);
    fixture.apply_service("first", json!({"region": "EU_WEST_3"})).await;
    fixture.services.until_ready("first", "True", "Available").await;
    proxies.recording.always(is_there, || Action::kubernetes(403, "Forbidden"));
    fixture.apply_endpoint("lonely", "nowhere", VPC, json!({})).await;
    fixture.endpoints.until_ready("lonely", "False", "ServiceNotFound").await;
    fixture.endpoints.delete_and_wait("lonely").await;
    fixture.apply_both("main", "orders", VPC).await;
    fixture.services.delete("main").await;
    fixture.services.until_ready("main", "False", "InUse").await;
    fixture.endpoints.delete_and_wait("orders").await;
    fixture.services.until_gone("main").await;
    fixture.services.delete_and_wait("first").await;
}
