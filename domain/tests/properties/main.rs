//! Properties that hold for random input: the invariants over any observation, and properties of mark, claim and
//! memory. The seeds of the fuzzer are run, too; its targets call the same functions (`fuzz/fuzz_targets`).

#![allow(clippy::unwrap_used, reason = "clippy takes only the test functions themselves for tests")]

mod holds;

use holds::holds;
use invariants::properties::{claim, decide, dedicated, mark, memory, rate_limits, reconcile, schedule};

#[test]
fn the_invariants_hold_whatever_is_observed() {
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
fn a_reconcile_ends_and_passes_no_guard_whatever_the_inputs_are() {
    holds("reconcile", 8_000, 600, reconcile::check);
}

#[test]
fn pauses_concern_whom_atlas_refused_and_end_whatever_it_responds() {
    holds("rate_limits", 1_000, 200, rate_limits::check);
}

#[test]
fn decide_of_the_dedicated_kinds_breaks_no_law_whatever_is_observed() {
    holds("dedicated_decide", 40_000, 260, dedicated::decide::check);
}

#[test]
fn a_claim_of_the_dedicated_kinds_is_read_as_one_thing_whatever_it_is() {
    holds("dedicated_claim", 4_000, 200, dedicated::claim::check);
}

#[test]
fn no_claim_of_the_dedicated_kinds_ends_its_wait_early_whatever_happens() {
    holds("dedicated_memory", 4_000, 400, dedicated::memory::check);
}

#[test]
fn a_reconcile_of_the_dedicated_kinds_ends_and_passes_no_guard() {
    holds("dedicated_reconcile", 8_000, 900, dedicated::reconcile::check);
}

#[test]
fn two_spellings_of_a_region_are_equal_and_nothing_else_is() {
    holds("region", 4_000, 100, dedicated::region::check);
}
