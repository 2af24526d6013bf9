//! The commands of users: `kubectl wait`, with the real kubectl.

use std::process::Command;

use serde_json::json;
use test_support::{Fixture, PATIENCE, VPC_ENDPOINT};
use testbed::Process;

/// Runs `kubectl wait` for a condition of the object; it succeeds as soon as that is True for the manifest as it is.
async fn wait(fixture: &Fixture, condition: &str) -> Process {
    let kubectl = testbed::control_plane_binaries().await.unwrap().join("kubectl");
    let mut command = Command::new(kubectl);
    command
        .env("KUBECONFIG", fixture.control_plane.kubeconfig_file())
        .args(["wait", "spe/orders", "--timeout=50s", "--namespace", &fixture.namespace])
        .arg(format!("--for=condition={condition}"));
    Process::spawn("kubectl", &command).unwrap()
}

#[tokio::test]
async fn kubectl_wait_ignores_conditions_of_an_older_generation() {
    let fixture = Fixture::new().await;
    fixture.create("orders", json!({})).await;
    // Before the first reconcile, and kubectl is not misled by that.
    let ready = wait(&fixture, "Ready").await;
    let available = wait(&fixture, "EndpointServiceAvailable").await;
    let connected = wait(&fixture, "EndpointConnected").await;
    let _operator = fixture.operator();
    for waiting in [&ready, &available] {
        assert!(waiting.wait(PATIENCE).await.unwrap().success(), "{:?}", waiting.output());
    }
    let object = fixture.get("orders").await;
    assert_eq!(object.status.unwrap().status.as_deref(), Some("RESERVED"));
    // Ready was True for the manifest without it; it has to become True for the one with it.
    fixture.edit("orders", json!({"cloudProviderEndpointId": VPC_ENDPOINT})).await;
    let ready = wait(&fixture, "Ready").await;
    for waiting in [&ready, &connected] {
        assert!(waiting.wait(PATIENCE).await.unwrap().success(), "{:?}", waiting.output());
        let object = fixture.get("orders").await;
        assert_eq!(object.status.unwrap().status.as_deref(), Some("AVAILABLE"));
    }
}
