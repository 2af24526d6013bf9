//! The program around the controller.

mod access;
pub mod admin;
mod authorities;
pub mod check;
pub mod lease;
pub mod metrics;
pub mod program;
pub mod readiness;
pub mod settings;
pub mod shutdown;
pub mod telemetry;
