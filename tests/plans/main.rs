//! Nothing is lost or duplicated, on real parts: the operator as it ships, a real API server, a simulated Atlas, and
//! one fault, at every place where it can occur.
//!
//! `make test` runs a part of it, `make proof` all (then `SPE_PROOF` is set). `SPE_PLAN` selects one plan, or several
//! by the beginning of their names.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "test helpers fail the test that calls them"
)]

mod clock;
mod dedicated;
mod faults;
mod fixture;
mod history;
mod mutation;
mod operator;
mod path;
mod plan;
mod record;
mod requests;
mod run;
mod schema;
mod serverless;
mod summary;
