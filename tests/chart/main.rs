//! The Helm chart: its manifests, in every mode, are what a real API server accepts and what the program needs, no
//! more.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "test helpers fail the test that calls them"
)]

mod accepted;
mod deploy;
mod helm;
mod image;
mod kube_state_metrics;
mod monitoring;
mod names;
mod notes;
mod pod;
mod policy;
mod readme;
mod release;
mod rights;
mod values;
