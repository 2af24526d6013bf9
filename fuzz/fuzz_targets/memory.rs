//! What a process remembers, over any sequence of events: the property of `domain/invariants/src/properties/memory.rs`.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| invariants::properties::memory::check(bytes));
