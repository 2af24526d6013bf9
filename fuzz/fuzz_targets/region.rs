//! The normal form of a region: the property of `domain/invariants/src/properties/dedicated/region.rs`.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| invariants::properties::dedicated::region::check(bytes));
