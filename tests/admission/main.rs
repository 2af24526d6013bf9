//! What a real API server makes of the definition: what it accepts, what it refuses and with which words, what it
//! fills in. Never anything about the operator: none is running here.

#![allow(clippy::unwrap_used, clippy::panic, reason = "so that a test fails where it goes wrong")]

mod bench;
mod create;
mod references;
mod samples;
mod status;
mod update;
