//! The claim annotation of the dedicated kinds: the property of
//! `domain/invariants/src/properties/dedicated/claim.rs`.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| invariants::properties::dedicated::claim::check(bytes));
