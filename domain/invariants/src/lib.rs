//! What `decide` and `report` must and must never do, for any input. The tests of `domain` check each invariant over a
//! whole input space and over random observations, and the fuzzer's targets check the same.
//!
//! The invariants are written from the design, not from the code: except for `narrowing`, nothing here calls a helper
//! of the rules. No program contains this crate.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::panic,
    clippy::missing_panics_doc,
    clippy::must_use_candidate,
    clippy::unnecessary_wraps,
    reason = "the name of an invariant is its sentence, all have one type, and a property fails by a panic"
)]

mod changing;
mod consistency;
mod continuity;
mod creating;
pub mod decisions;
pub mod dedicated;
mod draw;
pub mod fixtures;
mod leaving;
mod narrowing;
mod pausing;
pub mod properties;
pub mod reports;
pub mod view;

/// The verdict of an invariant on one decision: not applicable, kept, or violated.
pub type Verdict = Option<bool>;
