//! The mark in a comment: the property of `domain/tests/properties/mark.rs`.
#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../../domain/tests/properties/mark.rs"]
mod mark;
#[path = "../../domain/tests/support/mod.rs"]
mod support;

fuzz_target!(|bytes: &[u8]| mark::check(bytes));
