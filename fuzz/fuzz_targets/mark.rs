//! The mark in a comment: the property of `domain/invariants/src/properties/mark.rs`.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| invariants::properties::mark::check(bytes));
