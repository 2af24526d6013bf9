//! The short subset of the full run (`make proof`): every scenario to a small depth, and every ablation until its
//! violation is found.

#![allow(clippy::unwrap_used, reason = "clippy takes only the test functions themselves for tests")]

use proof::{Invariant, Mutation, ablations, check, scenarios};

/// Steps between states in each scenario.
const STEPS: usize = 80_000;

/// Several times as many as any ablation takes until it is found.
const MAX_STEPS: usize = 3_000_000;

#[test]
fn the_protocol_that_ships_keeps_every_promise_and_comes_right_from_every_state() {
    for scenario in scenarios::scenarios() {
        let outcome = check(scenario.config, Mutation::None, scenarios::effort(Some(STEPS), &[]));
        assert!(outcome.broken.is_empty(), "{}: {:#?}", scenario.name, outcome.broken);
        assert!(outcome.states > 1000, "{} is no scenario: {} states", scenario.name, outcome.states);
    }
}

#[test]
fn every_rule_that_is_taken_away_is_missed_and_every_promise_is_broken_by_one() {
    let mut broken = Vec::new();
    for ablation in ablations::ablations().iter().filter(|ablation| !ablation.breaks.is_empty()) {
        let outcome = check(ablation.config, ablation.mutation, ablation.effort(Some(MAX_STEPS)));
        assert!(ablation.is_as_expected(&outcome), "{}: {:#?}", ablation.name, outcome.broken);
        let found = outcome.broken.iter().map(|(invariant, _)| *invariant);
        broken.extend(found.filter(|invariant| ablation.breaks.contains(invariant)));
    }
    for invariant in Invariant::ALL {
        assert!(broken.contains(&invariant), "no ablation breaks {invariant:?}");
    }
}

#[test]
fn the_world_is_large_enough_for_everything_that_is_to_happen_in_it() {
    let mut seen = 0;
    for scenario in scenarios::scenarios() {
        seen |= check(scenario.config, Mutation::None, scenarios::effort(Some(STEPS), &[])).events;
    }
    let all = proof::Event::ALL.iter().fold(0, |all, event| all | event.bit());
    assert_eq!(seen, all, "an event of {:?} never happened", proof::Event::ALL);
}
