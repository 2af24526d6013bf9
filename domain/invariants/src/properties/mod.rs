//! Properties of the rules for any bytes: each panics where it is violated. The tests run them on random bytes and on the
//! seeds of the fuzzer, and the fuzzer searches.

pub mod claim;
pub mod decide;
pub mod dedicated;
pub mod mark;
pub mod memory;
mod permits;
pub mod rate_limits;
pub mod reconcile;
pub mod schedule;
