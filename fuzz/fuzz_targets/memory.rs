//! What a process remembers, over any sequence of events: the property of `domain/tests/properties/memory.rs`.
#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../../domain/tests/properties/memory.rs"]
mod memory;
#[path = "../../domain/tests/support/mod.rs"]
mod support;

fuzz_target!(|bytes: &[u8]| memory::check(bytes));
