//! `kubectl wait`, as scripts and pipelines use it: it ends when its condition holds, and not before.

use std::process::Command;
use std::time::Duration;

use atlas_simulator::Deviation;
use kube::api::DeleteParams;
use serde_json::json;
use test_support::{Fixture, SECRET, VPC_ENDPOINT};

/// Longer than any wait here.
const LONG: Duration = Duration::from_mins(1);
const SHORT: Duration = Duration::from_secs(1);

/// Returns the result of `kubectl wait` for an object: `Ok` if the condition held, `Err` on its timeout.
pub(crate) async fn wait(
    fixture: &Fixture,
    object: &str,
    what: &str,
    timeout: Duration,
) -> Result<String, String> {
    let programs = testbed::control_plane_binaries().await.unwrap();
    let mut kubectl = Command::new(programs.join("kubectl"));
    kubectl
        .env("KUBECONFIG", fixture.control_plane.kubeconfig_file())
        .args(["wait", object, "--namespace", &fixture.namespace, "--for", what])
        .arg(format!("--timeout={}s", timeout.as_secs()));
    let output = tokio::task::spawn_blocking(move || kubectl.output()).await.unwrap().unwrap();
    let text =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    if output.status.success() { Ok(text) } else { Err(text) }
}

#[track_caller]
fn assert_timed_out(outcome: Result<String, String>) {
    let text = outcome.unwrap_err();
    assert!(text.contains("timed out waiting for the condition"), "{text}");
}

#[tokio::test]
async fn waiting_for_ready_ends_at_the_current_generation() {
    let fixture = Fixture::new().await;
    fixture.create("orders", json!({})).await;
    assert_timed_out(wait(&fixture, "spe/orders", "condition=Ready", SHORT).await);
    let operator = fixture.operator();
    wait(&fixture, "spe/orders", "condition=Ready", LONG).await.unwrap();
    let reserved = fixture.get("orders").await.status.unwrap();
    assert_eq!(reserved.status.as_deref(), Some("RESERVED"));
    assert_timed_out(wait(&fixture, "spe/orders", "condition=EndpointConnected", SHORT).await);
    // Being Ready for an earlier manifest does not count.
    drop(operator);
    fixture.edit("orders", json!({"cloudProviderEndpointId": VPC_ENDPOINT})).await;
    assert_timed_out(wait(&fixture, "spe/orders", "condition=Ready", SHORT).await);
    let _operator = fixture.operator();
    wait(&fixture, "spe/orders", "condition=Ready", LONG).await.unwrap();
    let available = fixture.get("orders").await.status.unwrap();
    assert_eq!(available.status.as_deref(), Some("AVAILABLE"));
}

#[tokio::test]
async fn waiting_for_the_connection_ends_at_available() {
    let fixture = Fixture::new().await;
    fixture.create("orders", json!({"cloudProviderEndpointId": VPC_ENDPOINT, "readyWhen": "Reserved"})).await;
    let _operator = fixture.operator();
    wait(&fixture, "spe/orders", "condition=EndpointServiceAvailable", LONG).await.unwrap();
    wait(&fixture, "spe/orders", "condition=EndpointConnected", LONG).await.unwrap();
    assert_eq!(fixture.get("orders").await.status.unwrap().status.as_deref(), Some("AVAILABLE"));
}

#[tokio::test]
async fn a_failed_endpoint_ends_a_wait_for_stalled_and_no_other() {
    let fixture = Fixture::new().await;
    let _operator = fixture.operator();
    fixture.create("orders", json!({})).await;
    let id = fixture.until_reason("orders", "Reserved").await.status.unwrap().id.unwrap();
    let deviation = Deviation::ConnectionFails { message: "no dns entries found".to_owned() };
    assert!(fixture.atlas.add_deviation(&id, deviation));
    fixture.edit("orders", json!({"cloudProviderEndpointId": VPC_ENDPOINT})).await;
    wait(&fixture, "spe/orders", "condition=Stalled", LONG).await.unwrap();
    assert_timed_out(wait(&fixture, "spe/orders", "condition=Ready", SHORT).await);
    assert_timed_out(wait(&fixture, "spe/orders", "condition=EndpointConnected", SHORT).await);
}

#[tokio::test]
async fn work_that_takes_too_long_ends_a_wait_for_stalled() {
    let fixture = Fixture::new().await;
    fixture.secrets.delete(SECRET, &DeleteParams::default()).await.unwrap();
    let _operator = fixture.operator();
    fixture.create("orders", json!({"progressDeadline": "1s"})).await;
    wait(&fixture, "spe/orders", "condition=Stalled", LONG).await.unwrap();
    assert_timed_out(wait(&fixture, "spe/orders", "condition=Ready", SHORT).await);
}

#[tokio::test]
async fn waiting_for_the_deletion_ends_with_the_endpoint() {
    let fixture = Fixture::new().await;
    let operator = fixture.operator();
    fixture.create("orders", json!({})).await;
    fixture.until_reason("orders", "Reserved").await;
    drop(operator);
    fixture.delete("orders").await;
    assert_timed_out(wait(&fixture, "spe/orders", "delete", SHORT).await);
    assert_eq!(fixture.endpoints().len(), 1);
    let _operator = fixture.operator();
    wait(&fixture, "spe/orders", "delete", LONG).await.unwrap();
    assert!(fixture.endpoints().is_empty());
}
