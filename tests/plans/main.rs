//! Nothing is lost or doubled, on real parts: the operator as it ships, a real API server, a simulated Atlas, and one thing
//! that goes wrong, at every place where it can.
//!
//! `make test` runs a part of it, `make proof` all (then `SPE_PROOF` is set). `SPE_PLAN` names one plan, or the beginning of
//! the names of several.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "test helpers fail the test that calls them"
)]

#[allow(dead_code, reason = "each of the tests that share it uses a part")]
#[path = "../operator/bench.rs"]
mod bench;
mod clock;
mod faults;
mod history;
mod judge;
mod judge_can_fail;
mod mutation;
mod operator;
mod plan;
mod requests;
mod run;
mod schema;
mod stage;
mod summary;
mod writes;
