//! Whose calls are withheld, over any sequence of responses: the property of `domain/tests/properties/rate_limits.rs`.
#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../../domain/tests/properties/rate_limits.rs"]
mod rate_limits;
#[path = "../../domain/tests/support/mod.rs"]
mod support;

fuzz_target!(|bytes: &[u8]| rate_limits::check(bytes));
