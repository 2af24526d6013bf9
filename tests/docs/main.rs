//! The manual: what it says is true. Its links lead somewhere, its reference is what the code says, and each of its
//! manifests and commands is run; and no word that only we know.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "test helpers fail the test that calls them"
)]

mod book;
mod ci;
mod demo;
mod fixture;
mod idioms;
mod links;
mod manifests;
mod metrics;
mod names;
mod pages;
mod reference;
mod referenced;
mod release;
mod samples;
mod templates;
