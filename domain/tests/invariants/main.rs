//! What `decide` and `report` never do and always do, for any input: each invariant is checked over the whole of a
//! finite, representative input space (`space.rs`), and over random observations in `tests/properties`.
//!
//! The invariants are written from the design, not from the code: nothing here calls a helper of the rules.

#![allow(clippy::unwrap_used, reason = "clippy takes only the test functions themselves for tests")]
#![allow(clippy::unnecessary_wraps, reason = "every law answers alike: nothing, yes or no")]

#[path = "../support/mod.rs"]
mod support;

mod access;
mod changing;
mod creating;
mod decisions;
mod leaving;
mod narrowing;
mod output;
mod pausing;
mod rate_limits;
mod reports;
mod schedule;
mod space;
mod sweeps;
mod view;

/// The verdict of an invariant on one decision: not applicable, kept, or violated.
type Verdict = Option<bool>;
