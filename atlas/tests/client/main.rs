//! The Atlas client over real sockets.
//!
//! Most themes speak to a scripted server, byte by byte: what a faithful Atlas never sends is what matters most.

#![allow(clippy::unwrap_used, clippy::panic, reason = "these are tests, their helpers included")]

mod answers;
mod challenges;
mod creation;
mod guard;
mod limits;
mod rejections;
mod script;
mod secrets;
mod simulated;
mod simulated_faults;
mod tls;
mod tokens;
