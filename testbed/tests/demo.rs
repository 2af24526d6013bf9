//! The demo of the README ends, and leaves nothing behind.

#![allow(clippy::unwrap_used, reason = "a failed test is a panic")]
use std::process::Command;

/// It runs the operator that was built beside it, as `cargo test --workspace` builds it.
#[test]
fn the_demo_makes_an_endpoint_and_deletes_it_again() {
    let output = Command::new(env!("CARGO_BIN_EXE_demo")).arg("--exit").output().unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    let complaints = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}\n{complaints}");
    for said in ["The endpoint is AVAILABLE", "Atlas holds no endpoint any more"] {
        assert!(told.contains(said), "it did not say {said:?}:\n{told}");
    }
}

#[test]
fn the_demo_refuses_what_it_does_not_know() {
    let output = Command::new(env!("CARGO_BIN_EXE_demo")).arg("--quick").output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("--quick"));
}
