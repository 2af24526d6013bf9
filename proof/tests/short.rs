//! The short subset of the full run (`make proof`): every scenario to a small depth, and every ablation until its
//! violation is found.

#![allow(clippy::unwrap_used, reason = "clippy takes only the test functions themselves for tests")]

use proof::parts;

/// Several times as many steps as any ablation takes until it is found, but for the few that are left to the full run.
const MAX_STEPS: usize = 3_000_000;

#[test]
fn the_protocols_that_ship_keep_every_promise_and_come_right_from_every_state() {
    for part in parts() {
        let mut seen = 0;
        for scenario in &part.scenarios {
            let outcome = scenario.search(Some(part.short_steps));
            assert!(outcome.broken.is_empty(), "{}: {:#?}", scenario.name, outcome.broken);
            assert!(outcome.states > 1000, "{} is no scenario: {} states", scenario.name, outcome.states);
            seen |= outcome.events;
        }
        assert_eq!(seen, part.events, "an event never happened in {}", part.name);
    }
}

#[test]
fn every_rule_that_is_taken_away_is_missed_and_every_promise_is_broken_by_one() {
    for part in parts() {
        let mut broken = Vec::new();
        for ablation in
            part.ablations.iter().filter(|ablation| !ablation.breaks.is_empty() && !ablation.is_deep)
        {
            let outcome = ablation.search(Some(MAX_STEPS));
            assert!(ablation.is_as_expected(&outcome), "{}: {:#?}", ablation.name, outcome.broken);
            let found = outcome.broken.iter().map(|(invariant, _)| *invariant);
            broken.extend(found.filter(|invariant| ablation.breaks.contains(invariant)));
        }
        for invariant in part.invariants {
            assert!(broken.contains(&invariant), "no ablation of {} breaks {invariant:?}", part.name);
        }
    }
}
