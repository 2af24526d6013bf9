//! The demo of the README ends, and leaves nothing behind.

#![allow(clippy::unwrap_used, reason = "a failed test is a panic")]
use std::process::Command;

/// It runs the operator that was built beside it, as `cargo test --workspace` builds it.
#[test]
fn the_demo_connects_a_cluster_and_an_instance_and_deletes_all() {
    let output = Command::new(env!("CARGO_BIN_EXE_demo")).arg("--exit").output().unwrap();
    let printed = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{printed}\n{errors}");
    let lines = [
        "The private endpoint is connected. Clients of the cluster \"orders\" use:",
        "    mongodb+srv://orders-pl-0.",
        "The endpoint is AVAILABLE",
        "InUse",
        "/orders; it is deleted once they are gone",
        "Atlas holds no endpoint service any more",
        "Atlas holds no endpoint any more",
    ];
    for line in lines {
        assert!(printed.contains(line), "the demo did not print {line:?}:\n{printed}");
    }
}

#[test]
fn the_demo_rejects_unknown_arguments() {
    let output = Command::new(env!("CARGO_BIN_EXE_demo")).arg("--quick").output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("--quick"));
}
