//! The two kinds of dedicated clusters: the tools judge every version of a whole life, and Argo CD's actions work on them.

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
async fn the_actions_of_argo_cd_work_on_both_kinds() {
    let fixture = DedicatedFixture::new().await;
    let _operator = fixture.operator();
    fixture.apply_service("main", json!({"suspend": true})).await;
    fixture.apply_endpoint("orders", "main", VPC_ENDPOINT, json!({"suspend": true})).await;
    for (objects, name) in [(&fixture.services, "main"), (&fixture.endpoints, "orders")] {
        let suspended = objects.until_ready(name, "False", "Suspended").await;
        let actions = judge_one(&suspended).await.actions;
        let offered = ["reconcile", "suspend", "resume"].map(|action| !actions[action].disabled);
        assert_eq!(offered, [false, false, true]);
        objects.edit(name, json!({"suspend": actions["resume"].result["spec"]["suspend"]})).await;
        if name == "main" {
            fixture.make_vpc_endpoint("main", VPC_ENDPOINT).await;
        }
        let ready = objects.until_ready(name, "True", "Available").await;
        let actions = judge_one(&ready).await.actions;
        let offered = ["reconcile", "suspend", "resume"].map(|action| !actions[action].disabled);
        assert_eq!(offered, [true, true, false]);
        let annotations = &actions["reconcile"].result["metadata"]["annotations"];
        let requested = annotations["reconcile.fluxcd.io/requestedAt"].as_str().unwrap();
        objects.reconcile(name, requested).await;
        objects.edit(name, json!({"suspend": actions["suspend"].result["spec"]["suspend"]})).await;
        objects.until_condition(name, "Suspended", "True", "SuspendRequested").await;
    }
}
