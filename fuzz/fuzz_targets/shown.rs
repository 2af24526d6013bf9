//! A server's text beside secrets: the property of `src/atlas/properties.rs`.
#![no_main]
#![allow(dead_code, unused_imports, reason = "the client's other parts")]

use libfuzzer_sys::fuzz_target;

#[path = "../../src/atlas/mod.rs"]
mod atlas;

fuzz_target!(|bytes: &[u8]| atlas::properties::shown(bytes));
