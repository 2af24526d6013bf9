//! Health as tools see it: kstatus, Flux' rules for conditions, Argo CD's scripts and `kubectl wait`, all of them real,
//! on statuses that the production code wrote.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "test helpers fail the test that calls them"
)]

mod actions;
mod dedicated;
mod dedicated_endpoint;
mod dedicated_service;
mod kubectl;
mod life;
mod live;
mod page;
mod states;
mod table;
mod tools;
