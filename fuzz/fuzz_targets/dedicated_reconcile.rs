//! The machine of a reconcile of the dedicated kinds, over any inputs: the property of
//! `domain/invariants/src/properties/dedicated/reconcile.rs`.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| invariants::properties::dedicated::reconcile::check(bytes));
