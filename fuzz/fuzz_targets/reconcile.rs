//! The machine of a reconcile, over any inputs: the property of `domain/invariants/src/properties/reconcile.rs`.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| invariants::properties::reconcile::check(bytes));
