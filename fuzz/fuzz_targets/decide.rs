//! The laws of `domain/tests/invariants`, over whatever can be seen. Its modules are those tests' own.
#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../../domain/tests/invariants/changing.rs"]
mod changing;
#[path = "../../domain/tests/invariants/creating.rs"]
mod creating;
#[path = "../../domain/tests/properties/decide.rs"]
mod decide;
#[path = "../../domain/tests/invariants/decisions.rs"]
mod decisions;
#[path = "../../domain/tests/invariants/leaving.rs"]
mod leaving;
#[path = "../../domain/tests/invariants/narrowing.rs"]
mod narrowing;
#[path = "../../domain/tests/invariants/pausing.rs"]
mod pausing;
#[path = "../../domain/tests/invariants/reports.rs"]
mod reports;
#[path = "../../domain/tests/support/mod.rs"]
mod support;
#[path = "../../domain/tests/invariants/view.rs"]
mod view;

/// What a law says of one decision.
type Verdict = Option<bool>;

fuzz_target!(|bytes: &[u8]| decide::check(bytes));
