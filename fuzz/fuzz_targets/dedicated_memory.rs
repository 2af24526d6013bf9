//! What a process knows of the claims of one key, over any sequence of events: the property of
//! `domain/invariants/src/properties/dedicated/memory.rs`.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| invariants::properties::dedicated::memory::check(bytes));
