//! The demo of the README ends, and leaves nothing behind.

#![allow(clippy::unwrap_used, reason = "a failed test is a panic")]
use std::process::Command;

/// It runs the operator that was built beside it, as `cargo test --workspace` builds it.
#[test]
fn the_demo_creates_an_endpoint_and_deletes_it() {
    let output = Command::new(env!("CARGO_BIN_EXE_demo")).arg("--exit").output().unwrap();
    let printed = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{printed}\n{errors}");
    for line in ["The endpoint is AVAILABLE", "Atlas holds no endpoint any more"] {
        assert!(printed.contains(line), "the demo did not print {line:?}:\n{printed}");
    }
}

#[test]
fn the_demo_rejects_unknown_arguments() {
    let output = Command::new(env!("CARGO_BIN_EXE_demo")).arg("--quick").output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("--quick"));
}
