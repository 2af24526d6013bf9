//! The claim annotation: the property of `domain/invariants/src/properties/claim.rs`.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| invariants::properties::claim::check(bytes));
