//! The claim annotation: the property of `domain/tests/properties/claim.rs`.
#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../../domain/tests/properties/claim.rs"]
mod claim;
#[path = "../../domain/tests/support/mod.rs"]
mod support;

fuzz_target!(|bytes: &[u8]| claim::check(bytes));
