//! Whole lives on a real API server with the real program: the tools judge every version of the object that a watch
//! could see.

use std::collections::BTreeSet;

use atlas_simulator::{Deviation, InjectedFault, Rule, Termination};
use futures::StreamExt;
use kube::Api;
use kube::api::{ApiResource, DynamicObject, ListParams, WatchEvent, WatchParams};
use serde_json::{Value, json};
use spe_operator::serverless::crd::ServerlessPrivateEndpoint;
use test_support::{Fixture, PATIENCE, VPC_ENDPOINT, condition};
use tokio::task::JoinHandle;

use crate::tools::{ToolVerdicts, judge, judge_one};

/// Every version of the namespace's only object, from its creation to its deletion, as the API server returns them.
pub(crate) struct WholeHistory(JoinHandle<Vec<Value>>);

/// The objects of the fixture, with all fields that the API server returns.
async fn raw(fixture: &Fixture) -> Api<DynamicObject> {
    let resource = ApiResource::erase::<ServerlessPrivateEndpoint>(&());
    Api::namespaced_with(fixture.control_plane.client().await.unwrap(), &fixture.namespace, &resource)
}

async fn read(fixture: &Fixture, name: &str) -> Value {
    serde_json::to_value(raw(fixture).await.get(name).await.unwrap()).unwrap()
}

impl WholeHistory {
    /// Starts while there is no object yet.
    async fn of(fixture: &Fixture) -> Self {
        Self::of_objects(raw(fixture).await).await
    }

    /// The same of another kind.
    pub(crate) async fn of_objects(objects: Api<DynamicObject>) -> Self {
        let start = objects.list(&ListParams::default()).await.unwrap();
        assert!(start.items.is_empty());
        let start = start.metadata.resource_version.unwrap();
        Self(tokio::spawn(async move {
            let mut versions = Vec::new();
            let parameters = WatchParams::default().timeout(290);
            let mut events = objects.watch(&parameters, &start).await.unwrap().boxed();
            while let Some(event) = events.next().await {
                match event.unwrap() {
                    WatchEvent::Added(object) | WatchEvent::Modified(object) => {
                        versions.push(serde_json::to_value(object).unwrap());
                    }
                    WatchEvent::Deleted(object) => {
                        versions.push(serde_json::to_value(object).unwrap());
                        break;
                    }
                    WatchEvent::Bookmark(_) | WatchEvent::Error(_) => {}
                }
            }
            versions
        }))
    }

    async fn until_the_end(self) -> Vec<Value> {
        tokio::time::timeout(PATIENCE, self.0).await.unwrap().unwrap()
    }
}

/// Returns the tools' verdict on a version, by its content alone. Fails if Flux' rules are violated.
pub(crate) fn assert_consistent(object: &Value, verdict: &ToolVerdicts) -> &'static str {
    verdict.flux_rules(object);
    let status = &object["status"];
    let conditions = status["conditions"].as_array().cloned().unwrap_or_default();
    let is_true = |kind: &str| conditions.iter().any(|c| c["type"] == kind && c["status"] == "True");
    let (stage, kstatus, argo) = if object["metadata"]["deletionTimestamp"].is_string() {
        ("deleting", "Terminating", "Progressing")
    } else if status["observedGeneration"] != object["metadata"]["generation"] {
        ("not reconciled", "InProgress", "Progressing")
    } else if is_true("Ready") {
        ("ready", "Current", "Healthy")
    } else if is_true("Stalled") {
        ("stalled", "Failed", "Degraded")
    } else if is_true("Suspended") {
        ("suspended", "InProgress", "Suspended")
    } else {
        assert!(is_true("Reconciling"), "{object:#}");
        ("reconciling", "InProgress", "Progressing")
    };
    let found = (verdict.kstatus.status.as_str(), verdict.argo.status.as_str());
    assert_eq!(found, (kstatus, argo), "{object:#}");
    stage
}

/// Judges a whole history and returns the stages that it passed.
pub(crate) async fn stages(history: WholeHistory) -> BTreeSet<&'static str> {
    let versions = history.until_the_end().await;
    let verdicts = judge(&versions).await;
    versions.iter().zip(&verdicts).map(|(object, verdict)| assert_consistent(object, verdict)).collect()
}

/// Reads the object and runs the tools.
async fn health_of(fixture: &Fixture, name: &str) -> (String, String) {
    let object = read(fixture, name).await;
    let verdict = judge_one(&object).await;
    assert_consistent(&object, &verdict);
    (verdict.kstatus.status, verdict.argo.status)
}

pub(crate) fn pair(kstatus: &str, argo: &str) -> (String, String) {
    (kstatus.to_owned(), argo.to_owned())
}

#[tokio::test]
async fn every_version_of_a_good_life_is_understood() {
    let fixture = Fixture::new().await;
    let history = WholeHistory::of(&fixture).await;
    fixture.create("orders", json!({})).await;
    assert_eq!(health_of(&fixture, "orders").await, pair("InProgress", "Progressing"));
    let operator = fixture.operator();
    fixture.until_reason("orders", "Reserved").await;
    assert_eq!(health_of(&fixture, "orders").await, pair("Current", "Healthy"));
    drop(operator);
    fixture.edit("orders", json!({"cloudProviderEndpointId": VPC_ENDPOINT})).await;
    // Still Ready, but for an outdated manifest.
    assert_eq!(health_of(&fixture, "orders").await, pair("InProgress", "Progressing"));
    let _operator = fixture.operator();
    fixture.until_reason("orders", "Available").await;
    assert_eq!(health_of(&fixture, "orders").await, pair("Current", "Healthy"));
    fixture.edit("orders", json!({"suspend": true})).await;
    fixture.until("orders", "suspended", |o| condition(o, "Suspended").is_some()).await;
    assert_eq!(health_of(&fixture, "orders").await, pair("Current", "Healthy"));
    fixture.delete("orders").await;
    fixture.until_gone("orders").await;
    let stages = stages(history).await;
    assert_eq!(stages, BTreeSet::from(["not reconciled", "reconciling", "ready", "deleting"]));
}

#[tokio::test]
async fn every_version_of_a_bad_life_is_understood() {
    let fixture = Fixture::new().await;
    let history = WholeHistory::of(&fixture).await;
    let _operator = fixture.operator();
    fixture.create("orders", json!({"suspend": true})).await;
    fixture.until_reason("orders", "Suspended").await;
    assert_eq!(health_of(&fixture, "orders").await, pair("InProgress", "Suspended"));
    fixture.edit("orders", json!({"suspend": false})).await;
    let id = fixture.until_reason("orders", "Reserved").await.status.unwrap().id.unwrap();
    let deviation = Deviation::ConnectionFails { message: "no dns entries found".to_owned() };
    assert!(fixture.atlas.add_deviation(&id, deviation));
    fixture.edit("orders", json!({"cloudProviderEndpointId": VPC_ENDPOINT})).await;
    fixture.until_reason("orders", "AtlasFailed").await;
    assert_eq!(health_of(&fixture, "orders").await, pair("Failed", "Degraded"));
    fixture.atlas.inject(Rule::always(InjectedFault::NotExecuted(Termination::HtmlUnavailable)));
    fixture.delete("orders").await;
    fixture.until_reason("orders", "AtlasUnavailable").await;
    assert_eq!(health_of(&fixture, "orders").await, pair("Terminating", "Progressing"));
    fixture.atlas.clear_rules();
    fixture.until_gone("orders").await;
    let stages = stages(history).await;
    let expected =
        BTreeSet::from(["not reconciled", "suspended", "reconciling", "ready", "stalled", "deleting"]);
    assert_eq!(stages, expected);
}
