//! When an object is due, over any sequence of events: the property of `domain/tests/properties/schedule.rs`.
#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../../domain/tests/properties/schedule.rs"]
mod schedule;
#[path = "../../domain/tests/support/mod.rs"]
mod support;

fuzz_target!(|bytes: &[u8]| schedule::check(bytes));
