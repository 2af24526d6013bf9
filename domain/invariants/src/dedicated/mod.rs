//! The two dedicated kinds: fixtures, and what their `decide` and `report` must and must never do.

pub mod fixtures;
pub mod laws;
