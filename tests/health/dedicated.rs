//! The two kinds of dedicated clusters: the tools judge every version of a whole life, and the states that need somebody.

use std::collections::BTreeSet;

use kube::Api;
use kube::api::DynamicObject;
use serde_json::{Value, json};
use test_support::VPC_ENDPOINT;
use test_support::dedicated::DedicatedFixture;
use testbed::kinds;

use crate::live::{WholeHistory, assert_consistent, pair, stages};
use crate::tools::judge_one;

async fn history(fixture: &DedicatedFixture, kind: &str, plural: &str) -> WholeHistory {
    let client = fixture.base.control_plane.client().await.unwrap();
    let resource = kinds::kind("atlas.spe-operator.io/v1alpha1", kind, plural);
    let objects: Api<DynamicObject> = Api::namespaced_with(client, &fixture.base.namespace, &resource);
    WholeHistory::of_objects(objects).await
}

/// Fails unless the tools show the object so.
async fn assert_health(object: &Value, kstatus: &str, argo: &str) {
    let verdict = judge_one(object).await;
    assert_consistent(object, &verdict);
    assert_eq!((verdict.kstatus.status, verdict.argo.status), pair(kstatus, argo), "{object:#}");
}

#[tokio::test]
async fn every_version_of_a_service_and_its_endpoint_is_understood() {
    let fixture = DedicatedFixture::new().await;
    let services = history(&fixture, "PrivateEndpointService", "privateendpointservices").await;
    let endpoints = history(&fixture, "PrivateEndpoint", "privateendpoints").await;
    let _operator = fixture.operator();
    let (service, endpoint) = fixture.apply_both("main", "orders", VPC_ENDPOINT).await;
    for object in [&service, &endpoint] {
        assert_health(object, "Current", "Healthy").await;
    }
    fixture.services.delete("main").await;
    fixture.endpoints.delete_and_wait("orders").await;
    fixture.services.until_gone("main").await;
    let expected = BTreeSet::from(["not reconciled", "reconciling", "ready", "deleting"]);
    assert_eq!(stages(services).await, expected);
    assert_eq!(stages(endpoints).await, expected);
}

#[tokio::test]
async fn a_state_that_needs_somebody_is_shown_as_such() {
    let fixture = DedicatedFixture::new().await;
    let _operator = fixture.operator();
    fixture.apply_endpoint("orders", "main", VPC_ENDPOINT, json!({})).await;
    let lonely = fixture.endpoints.until_ready("orders", "False", "ServiceNotFound").await;
    assert_health(&lonely, "Failed", "Degraded").await;
    fixture.apply_service("main", json!({"suspend": true})).await;
    let suspended = fixture.services.until_ready("main", "False", "Suspended").await;
    assert_health(&suspended, "InProgress", "Suspended").await;
    let waiting = fixture.endpoints.until_ready("orders", "False", "ServiceNotReady").await;
    assert_health(&waiting, "InProgress", "Progressing").await;
    fixture.services.edit("main", json!({"suspend": false})).await;
    // Nobody made the VPC endpoint.
    let rejected = fixture.endpoints.until_ready("orders", "False", "Rejected").await;
    assert_health(&rejected, "InProgress", "Progressing").await;
    fixture.services.delete("main").await;
    let used = fixture.services.until_ready("main", "False", "InUse").await;
    assert_health(&used, "Terminating", "Progressing").await;
}
