//! A status and a body of Atlas, or of who stands in between: the property of `atlas/src/properties.rs`.
#![no_main]
#![allow(dead_code, unused_imports, reason = "the client's other parts")]

use libfuzzer_sys::fuzz_target;

#[path = "../../atlas/src/lib.rs"]
mod atlas;

fuzz_target!(|bytes: &[u8]| atlas::properties::reply(bytes));
