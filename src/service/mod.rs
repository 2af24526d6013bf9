//! The program around the controller.

pub mod admin;
pub mod metrics;
pub mod program;
pub mod readiness;
pub mod settings;
pub mod shutdown;
pub mod telemetry;
