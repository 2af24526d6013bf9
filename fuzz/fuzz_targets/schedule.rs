//! When an object is due, over any sequence of events: the property of
//! `domain/invariants/src/properties/schedule.rs`.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| invariants::properties::schedule::check(bytes));
