//! The proxy records every exchange, changes nothing by itself, and does exactly what is planned.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a failed test is a panic")]

mod actions;
mod calls;
mod fixture;
mod kubernetes;
mod recording;
