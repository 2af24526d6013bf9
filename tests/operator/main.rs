//! The operator as users meet it: the real program, a real API server, real HTTP to a simulated Atlas.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::enum_glob_use,
    reason = "test helpers fail the test that calls them, and tables read best in bare words"
)]

mod budget;
mod conflicts;
mod courtesy;
mod crash;
mod deaf;
mod drift;
mod election;
mod ending;
mod faults;
mod input;
mod isolation;
mod keys;
mod kills;
mod kubectl;
mod lifecycle;
mod output;
mod ownership;
mod passing;
mod quiet;
mod reasons;
mod references;
mod refusal;
mod scope;
mod secrecy;
mod shutdown;
mod told;
mod unreadable;
