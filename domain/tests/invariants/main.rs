//! What `decide` and `report` never do and always do, whatever they see: each law is checked over the whole of a
//! finite, representative input space (`space.rs`), and over anything that random bytes draw in `tests/properties`.
//!
//! The laws are written from the design, not from the code: nothing here calls a helper of the rules.

#![allow(clippy::unwrap_used, reason = "clippy takes only the test functions themselves for tests")]
#![allow(clippy::unnecessary_wraps, reason = "every law answers alike: nothing, yes or no")]

#[path = "../support/mod.rs"]
mod support;

mod changing;
mod creating;
mod decisions;
mod leaving;
mod narrowing;
mod pausing;
mod reports;
mod space;
mod sweeps;
mod view;

/// What a law says of one decision: nothing, that it is right, or that it is wrong.
type Verdict = Option<bool>;
