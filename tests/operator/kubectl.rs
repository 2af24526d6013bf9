//! The commands of users: `kubectl wait`, with the real kubectl.

use std::process::Command;

use serde_json::json;
use testbed::Process;

use crate::bench::{Bench, PATIENCE, VPC_ENDPOINT};

/// Runs `kubectl wait` for a condition of the object; it succeeds as soon as that is True for the manifest as it is.
async fn wait(bench: &Bench, condition: &str) -> Process {
    let kubectl = testbed::control_plane_binaries().await.unwrap().join("kubectl");
    let mut command = Command::new(kubectl);
    command
        .env("KUBECONFIG", bench.control_plane.kubeconfig_file())
        .args(["wait", "spe/orders", "--timeout=50s", "--namespace", &bench.namespace])
        .arg(format!("--for=condition={condition}"));
    Process::spawn("kubectl", &command).unwrap()
}

#[tokio::test]
async fn kubectl_waits_for_ready_and_for_connected_and_not_for_what_was_true_of_an_older_manifest() {
    let bench = Bench::new().await;
    bench.create("orders", json!({})).await;
    // Before the first reconcile, and kubectl is not misled by that.
    let ready = wait(&bench, "Ready").await;
    let available = wait(&bench, "EndpointServiceAvailable").await;
    let connected = wait(&bench, "EndpointConnected").await;
    let _operator = bench.operator();
    for waiting in [&ready, &available] {
        assert!(waiting.wait(PATIENCE).await.unwrap().success(), "{:?}", waiting.output());
    }
    let object = bench.get("orders").await;
    assert_eq!(object.status.unwrap().status.as_deref(), Some("RESERVED"));
    // Ready was True for the manifest without it; it has to become True for the one with it.
    bench.edit("orders", json!({"cloudProviderEndpointId": VPC_ENDPOINT})).await;
    let ready = wait(&bench, "Ready").await;
    for waiting in [&ready, &connected] {
        assert!(waiting.wait(PATIENCE).await.unwrap().success(), "{:?}", waiting.output());
        let object = bench.get("orders").await;
        assert_eq!(object.status.unwrap().status.as_deref(), Some("AVAILABLE"));
    }
}
