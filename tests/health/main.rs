//! Health as tools see it: kstatus, Flux' rules for conditions, Argo CD's scripts and `kubectl wait`, all of them real,
//! on statuses that the production code wrote.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "test helpers fail the test that calls them"
)]

mod actions;
#[allow(dead_code, reason = "the tests of the operator use the rest of it")]
#[path = "../operator/bench.rs"]
mod bench;
mod kubectl;
mod life;
mod live;
mod table;
mod tools;
