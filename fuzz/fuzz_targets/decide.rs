//! Every invariant, over any observation: the property of `domain/invariants/src/properties/decide.rs`.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| invariants::properties::decide::check(bytes));
