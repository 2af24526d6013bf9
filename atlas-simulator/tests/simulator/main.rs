//! The simulator as its clients meet it: over HTTP, judged by a client with independent code.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::enum_glob_use,
    reason = "test helpers fail the test that calls them, and tables read best in bare words"
)]

mod access;
mod calls;
mod catalogue;
mod control;
mod dedicated;
mod deviations;
mod digest;
mod faults;
mod support;
mod tls;
