//! The laws of `domain/tests/laws`, over whatever can be seen. Its modules are those tests' own.
#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../../domain/tests/laws/changing.rs"]
mod changing;
#[path = "../../domain/tests/laws/creating.rs"]
mod creating;
#[path = "../../domain/tests/anything/decide.rs"]
mod decide;
#[path = "../../domain/tests/laws/decisions.rs"]
mod decisions;
#[path = "../../domain/tests/laws/leaving.rs"]
mod leaving;
#[path = "../../domain/tests/laws/narrowing.rs"]
mod narrowing;
#[path = "../../domain/tests/laws/pausing.rs"]
mod pausing;
#[path = "../../domain/tests/laws/reports.rs"]
mod reports;
#[path = "../../domain/tests/support/mod.rs"]
mod support;
#[path = "../../domain/tests/laws/view.rs"]
mod view;

/// What a law says of one decision.
type Verdict = Option<bool>;

fuzz_target!(|bytes: &[u8]| decide::check(bytes));
