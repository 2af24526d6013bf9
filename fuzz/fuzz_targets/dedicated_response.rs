//! A status and a body about a service, an endpoint or a cluster: the property of `atlas/src/properties/dedicated.rs`.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| atlas::properties::dedicated::response(bytes));
