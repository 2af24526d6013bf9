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
mod crash;
mod credentials;
mod drift;
mod election;
mod faults;
mod input;
mod isolation;
mod kills;
mod kubectl;
mod lifecycle;
mod output;
mod ownership;
mod rate_limits;
mod reasons;
mod references;
mod rejections;
mod reports;
mod retirement;
mod scope;
mod secrets;
mod shutdown;
mod steady_state;
mod unreadable;
mod watch_health;
mod wrong_responses;
