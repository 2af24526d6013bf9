//! The Atlas client over real sockets.
//!
//! Most tests use a scripted server, byte by byte: the responses that a faithful Atlas never sends matter most.

#![allow(clippy::unwrap_used, clippy::panic, reason = "these are tests, their helpers included")]

mod challenges;
mod creation;
mod dedicated;
mod guard;
mod limits;
mod rejections;
mod responses;
mod script;
mod secrets;
mod simulated;
mod simulated_dedicated;
mod simulated_faults;
mod tls;
mod tokens;
