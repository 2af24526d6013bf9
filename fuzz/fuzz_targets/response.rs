//! A status and a body of Atlas, or of who stands in between: the property of `atlas/src/properties.rs`.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| atlas::properties::response(bytes));
