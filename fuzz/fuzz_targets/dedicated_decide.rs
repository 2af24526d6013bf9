//! Every law of the dedicated kinds, over any observation: the property of
//! `domain/invariants/src/properties/dedicated/decide.rs`.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| invariants::properties::dedicated::decide::check(bytes));
