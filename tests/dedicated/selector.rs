//! An operator with `--watch-selector`: objects that leave its watch may only have lost their label, but one that is gone is no rival,
//! no heir and no user any more.

use std::time::Duration;

use atlas_simulator::Operation;
use serde_json::{Value, json};
use test_support::dedicated::{DedicatedFixture, is_condition, message_of};
use testbed::Process;

use super::VPC;

/// Starts the operator for the objects that have the label of the fixture's namespace.
fn operator(fixture: &DedicatedFixture) -> Process {
    fixture.base.operator_of_label(&format!("test={}", fixture.base.namespace), &[])
}

/// The label that the operator selects by.
fn selected(fixture: &DedicatedFixture) -> Value {
    json!({ "test": fixture.base.namespace })
}

async fn apply_selected_service(fixture: &DedicatedFixture, name: &str, fields: Value) {
    fixture.apply_service(name, fields).await;
    fixture.services.label(name, selected(fixture)).await;
}

fn is_in_use(object: &Value) -> bool {
    is_condition(object, "Ready", "False", "InUse")
}

#[tokio::test]
async fn a_deleted_rival_inherits_nothing() {
    let fixture = DedicatedFixture::new().await;
    let _operator = operator(&fixture);
    apply_selected_service(&fixture, "main", json!({})).await;
    fixture.services.until_ready("main", "True", "Available").await;
    tokio::time::sleep(Duration::from_millis(1100)).await;
    apply_selected_service(&fixture, "rival", json!({})).await;
    fixture.services.until_ready("rival", "False", "Conflict").await;
    fixture.services.delete_and_wait("rival").await;
    // Its deletion is noticed by a read, which has to come before the next decision.
    tokio::time::sleep(Duration::from_secs(1)).await;
    fixture.services.delete_and_wait("main").await;
    fixture.until_atlas("the service's end", |fixture| fixture.atlas_services().is_empty()).await;
    assert_eq!(fixture.executed(Operation::DeleteService), 1);
}

#[tokio::test]
async fn a_deleted_older_object_leaves_its_service_to_the_younger_one() {
    let fixture = DedicatedFixture::new().await;
    let _operator = operator(&fixture);
    apply_selected_service(&fixture, "main", json!({"adopt": "Only"})).await;
    fixture.services.until_ready("main", "False", "ServiceNotFound").await;
    tokio::time::sleep(Duration::from_millis(1100)).await;
    apply_selected_service(&fixture, "rival", json!({})).await;
    fixture.services.until_ready("rival", "False", "Conflict").await;
    fixture.services.delete_and_wait("main").await;
    fixture.services.until_ready("rival", "True", "Available").await;
}

#[tokio::test]
async fn an_object_that_loses_its_label_rules_until_it_is_gone() {
    let fixture = DedicatedFixture::new().await;
    let _operator = operator(&fixture);
    apply_selected_service(&fixture, "main", json!({"adopt": "Only"})).await;
    fixture.services.until_ready("main", "False", "ServiceNotFound").await;
    tokio::time::sleep(Duration::from_millis(1100)).await;
    apply_selected_service(&fixture, "rival", json!({})).await;
    fixture.services.until_ready("rival", "False", "Conflict").await;
    fixture.services.label("main", json!({"test": null})).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    fixture.services.reconcile_until_ready("rival", "False", "Conflict").await;
    fixture.services.delete_and_wait("main").await;
    fixture.services.until_ready("rival", "True", "Available").await;
}

#[tokio::test]
async fn a_deleted_endpoint_object_uses_no_service_whether_or_not_it_was_selected() {
    let fixture = DedicatedFixture::new().await;
    let _operator = operator(&fixture);
    apply_selected_service(&fixture, "main", json!({})).await;
    fixture.services.until_ready("main", "True", "Available").await;
    fixture.apply_endpoint("selected", "main", VPC, json!({"suspend": true})).await;
    fixture.endpoints.label("selected", selected(&fixture)).await;
    fixture.endpoints.until_ready("selected", "False", "Suspended").await;
    fixture.apply_endpoint("other", "main", VPC, json!({})).await;
    fixture.services.delete("main").await;
    fixture.services.until("main", "in use", is_in_use).await;
    fixture.endpoints.delete_and_wait("selected").await;
    let used = |object: &Value| is_in_use(object) && message_of(object, "Ready").contains("other");
    fixture.services.until("main", "used by the other one", used).await;
    fixture.endpoints.delete_and_wait("other").await;
    fixture.services.until_gone("main").await;
    fixture.until_atlas("the service's end", |fixture| fixture.atlas_services().is_empty()).await;
}
