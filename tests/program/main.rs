//! The program's output and exit codes.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "clippy takes only the test functions themselves for tests"
)]

mod startup;

use std::process::{Command, Output};

fn program(arguments: &[&str], environment: &[(&str, &str)]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_spe-operator"));
    command.args(arguments).env_remove("KUBECONFIG").env("HOME", "/nonexistent");
    command.envs(environment.iter().copied()).output().unwrap()
}

/// Fails unless the program ended at once with exit code 2 and an error that contains these words. Returns the error.
#[track_caller]
fn assert_usage(arguments: &[&str], environment: &[(&str, &str)], words: &[&str]) -> String {
    let output = program(arguments, environment);
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{text}");
    for word in words {
        assert!(text.contains(word), "{word:?} is not in {text:?}");
    }
    text
}

/// The same for the operator's own checks, which report it in one line.
#[track_caller]
fn assert_refused(arguments: &[&str], words: &[&str]) {
    let line = assert_usage(arguments, &[], words);
    assert_eq!(line.trim_end().lines().count(), 1, "{line}");
}

#[test]
fn a_wrong_flag_or_value_ends_it_with_an_error_that_names_it() {
    assert_usage(&[], &[], &["run"]);
    assert_usage(&["fly"], &[], &["fly"]);
    assert_usage(&["run", "--fly"], &[], &["--fly"]);
    assert_usage(&["run", "--poll-min", "soon"], &[], &["--poll-min", "soon"]);
    assert_usage(&["run", "--cluster-id", "a/b"], &[], &["--cluster-id", "a/b"]);
    assert_usage(&["run", "--atlas-api", "v3"], &[], &["--atlas-api", "v3"]);
    assert_usage(&["run", "--log-level", "louder!"], &[], &["--log-level"]);
    assert_refused(&["run", "--atlas-ca-file", "/nonexistent/ca.pem"], &["/nonexistent/ca.pem"]);
    assert_refused(&["run", "--atlas-base-url", "http://atlas.example"], &["--atlas-base-url", "https"]);
}

#[test]
fn a_wrong_variable_is_named_by_its_flag_and_value() {
    assert_usage(&["run"], &[("SPE_POLL_MAX", "later")], &["--poll-max", "later"]);
}

#[test]
fn a_wait_that_could_create_twice_is_rejected() {
    let words = ["--create-uncertainty", "200s", "twice"];
    assert_refused(&["run", "--create-uncertainty", "199s"], &words);
    assert_refused(&["run", "--atlas-timeout", "60s"], &["--create-uncertainty", "260s"]);
}

#[test]
fn an_admin_address_in_use_is_an_invalid_value() {
    let somebody = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = somebody.local_addr().unwrap().to_string();
    assert_refused(&["run", "--admin-address", &address], &["--admin-address", &address, "in use"]);
    assert_refused(&["run", "--admin-address", "192.0.2.1:8080"], &["--admin-address", "192.0.2.1:8080"]);
}

#[test]
fn without_a_cluster_it_ends_with_one_line() {
    let output = program(&["run", "--admin-address", "127.0.0.1:0"], &[]);
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.lines().last().unwrap().contains("found no cluster"), "{text}");
}

#[test]
fn crd_prints_the_definitions_that_are_committed() {
    let output = program(&["crd"], &[]);
    assert!(output.status.success());
    let committed = [
        include_str!("../../crds/serverlessprivateendpoints.yaml"),
        include_str!("../../crds/privateendpointservices.yaml"),
        include_str!("../../crds/privateendpoints.yaml"),
    ];
    assert_eq!(String::from_utf8(output.stdout).unwrap(), committed.join("---\n"));
}

#[test]
fn help_is_no_error() {
    for arguments in [&["--help"][..], &["run", "--help"], &["--version"]] {
        let output = program(arguments, &[]);
        assert!(output.status.success() && output.stderr.is_empty(), "{arguments:?}");
    }
}
