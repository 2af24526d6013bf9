//! Properties that hold for random input: the invariants over any observation, and properties of mark, claim and
//! memory. The seeds of the fuzzer are run, too; its targets call the same functions (`fuzz/fuzz_targets`).

#![allow(clippy::unwrap_used, clippy::panic, reason = "these are tests, their helpers included")]
#![allow(clippy::unnecessary_wraps, reason = "every law answers alike: nothing, yes or no")]

#[path = "../invariants/changing.rs"]
mod changing;
#[path = "../invariants/creating.rs"]
mod creating;
#[path = "../invariants/decisions.rs"]
mod decisions;
#[path = "../support/holds.rs"]
mod holds;
#[path = "../invariants/leaving.rs"]
mod leaving;
#[path = "../invariants/narrowing.rs"]
mod narrowing;
#[path = "../invariants/pausing.rs"]
mod pausing;
#[path = "../invariants/reports.rs"]
mod reports;
#[path = "../support/mod.rs"]
mod support;
#[path = "../invariants/view.rs"]
mod view;

mod claim;
mod decide;
mod mark;
mod memory;
mod rate_limits;
mod schedule;

use holds::holds;

/// The verdict of an invariant on one decision.
type Verdict = Option<bool>;

#[test]
fn the_laws_hold_whatever_is_seen() {
    holds("decide", 8_000, 200, decide::check);
}

#[test]
fn a_mark_is_found_again_whatever_the_comment_is() {
    holds("mark", 4_000, 160, mark::check);
}

#[test]
fn an_annotation_is_read_as_one_thing_whatever_it_is() {
    holds("claim", 4_000, 160, claim::check);
}

#[test]
fn memory_forgets_no_reason_to_wait_whatever_happens() {
    holds("memory", 4_000, 400, memory::check);
}

#[test]
fn no_trigger_is_lost_and_no_listing_is_too_old_whatever_happens() {
    holds("schedule", 4_000, 400, schedule::check);
}

#[test]
fn pauses_concern_whom_atlas_refused_and_end_whatever_is_answered() {
    holds("rate_limits", 1_000, 200, rate_limits::check);
}
