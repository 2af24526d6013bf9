//! The manual is true: its links have targets, its reference matches the code, and each of its manifests and commands
//! is run. Never anything about its style.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "test helpers fail the test that calls them"
)]

mod book;
mod ci;
mod dashboard;
mod links;
mod manifests;
mod metrics;
mod names;
mod pages;
mod reference;
mod samples;
mod stage;
mod templates;
mod tour;
