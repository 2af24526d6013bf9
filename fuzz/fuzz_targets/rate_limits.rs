//! Whose calls are withheld, over any sequence of responses: the property of
//! `domain/invariants/src/properties/rate_limits.rs`.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| invariants::properties::rate_limits::check(bytes));
