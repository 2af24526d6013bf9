//! How a real API server applies the definition: what it accepts, what it rejects and with which message, what it
//! defaults. Never anything about the operator: none is running here.

#![allow(clippy::unwrap_used, clippy::panic, reason = "so that a test fails where it goes wrong")]

mod create;
mod endpoint;
mod endpoint_service;
mod fixture;
mod references;
mod samples;
mod status;
mod update;
