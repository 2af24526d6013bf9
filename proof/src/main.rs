//! The full run: searches every scenario and every ablation, prints a table and the traces, and fails if any result is
//! unexpected.
//!
//! `proof [steps] [part of a name]`: the maximum number of steps in each scenario (0: all of them), and which to
//! search. Where `SPE_PROOF` names a folder, rows for the table of `make proof` are written there.

mod parallel;

use std::path::Path;
use std::process::ExitCode;

use proof::ablations::{Ablation, ablations};
use proof::scenarios::{Scenario, effort, scenarios};
use proof::{Config, Invariant, Mutation, SearchResult, check, shortest};

use parallel::in_parallel;

/// The maximum number of steps between states in each scenario, unless the command line sets another.
const STEPS: usize = 6_000_000;

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let steps = arguments.next().and_then(|text| text.parse().ok()).unwrap_or(STEPS);
    let steps = (steps > 0).then_some(steps);
    let wanted = arguments.next().unwrap_or_default();
    let mut scenarios = scenarios();
    scenarios.retain(|scenario| scenario.name.contains(&wanted));
    let mut ablations = ablations();
    ablations.retain(|ablation| ablation.name.contains(&wanted));
    let intact = Count { run: scenarios.len(), failed: search_scenarios(&scenarios, steps) };
    let ablated = Count { run: ablations.len(), failed: search_ablations(&ablations, steps) };
    if let Err(error) = write_rows(intact, ablated) {
        println!("\nthe rows for the table could not be written: {error}");
        return ExitCode::FAILURE;
    }
    let unexpected = intact.failed + ablated.failed;
    if unexpected > 0 {
        println!("\n{unexpected} results are not as expected.");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

/// How many searches there were, and how many had an unexpected result.
#[derive(Clone, Copy)]
struct Count {
    run: usize,
    failed: usize,
}

fn write_rows(intact: Count, ablated: Count) -> std::io::Result<()> {
    let Some(directory) = std::env::var_os("SPE_PROOF") else { return Ok(()) };
    let row = |what, Count { run, failed }| format!("model\t{what}\t{run}\t{}\t{failed}\n", run - failed);
    let rows = row("scenarios of the protocol that ships", intact)
        + &row("scenarios with one rule removed", ablated);
    std::fs::write(Path::new(&directory).join("model"), rows)
}

/// Searches the scenarios with the protocol that ships; returns how many results are unexpected.
fn search_scenarios(scenarios: &[Scenario], steps: Option<usize>) -> usize {
    println!(
        "{:<60} {:>8} {:>8} {:>8} {:>7}  verdict",
        "the protocol that ships", "states", "searched", "to depth", "seconds"
    );
    let (mut states, mut ticks, mut unexpected) = (0, 0, 0);
    let search = |scenario: &Scenario| check(scenario.config, Mutation::None, effort(steps, &[]));
    in_parallel(scenarios, search, |scenario, outcome| {
        states += outcome.states;
        ticks = ticks.max(outcome.rounds);
        unexpected += usize::from(!outcome.broken.is_empty());
        println!(
            "{:<60} {:>8} {:>8} {:>8} {:>7.1}  {}",
            scenario.name,
            outcome.states,
            searched(&outcome),
            outcome.depth,
            outcome.took.as_secs_f32(),
            if outcome.broken.is_empty() { "holds" } else { "VIOLATED" }
        );
        print_violations(&outcome, &Invariant::ALL);
    });
    println!(
        "{states} states, {} invariants in each; from each of them everything converges within {ticks} ticks.",
        Invariant::ALL.len()
    );
    unexpected
}

/// Searches with one rule removed, and the same scenarios with all rules; returns how many results are unexpected.
fn search_ablations(ablations: &[Ablation], steps: Option<usize>) -> usize {
    let mut scopes: Vec<Config> = Vec::new();
    for config in ablations.iter().map(Ablation::control) {
        if !scopes.contains(&config) {
            scopes.push(config);
        }
    }
    let mut controls = Vec::new();
    let control = |config: &Config| check(*config, Mutation::None, effort(steps, &[]));
    in_parallel(&scopes, control, |_, outcome| controls.push(outcome));
    println!(
        "\n{:<50} {:>8} {:>5} | {:>8} {:>8} {:>8}  verdict",
        "one rule removed", "states", "moves", "with it", "searched", "to depth"
    );
    let mut unexpected = 0;
    let search = |ablation: &Ablation| shortest(ablation.config, ablation.mutation, ablation.effort(steps));
    in_parallel(ablations, search, |ablation, outcome| {
        let control = scopes.iter().zip(&controls).find(|(config, _)| **config == ablation.control());
        let Some((_, control)) = control else { return };
        let missed = ablation.is_as_expected(&outcome);
        let expected = missed && ablation.is_the_rule(&outcome, control);
        unexpected += usize::from(!expected);
        let moves = outcome.moves_to(ablation.breaks).map_or("-".to_owned(), |moves| moves.to_string());
        println!(
            "{:<50} {:>8} {moves:>5} | {:>8} {:>8} {:>8}  {}",
            ablation.name,
            outcome.states,
            control.states,
            searched(control),
            control.depth,
            match (expected, missed) {
                (true, _) if ablation.breaks.is_empty() => "not needed here, see docs/reliability.md",
                (true, _) => "violated, as it must be; with it, every invariant holds",
                (false, true) => "UNEXPECTED: not shown to hold with it",
                (false, false) => "UNEXPECTED",
            }
        );
        print_violations(&outcome, if missed { ablation.breaks } else { &Invariant::ALL });
        if !expected {
            print_violations(control, &Invariant::ALL);
        }
    });
    unexpected
}

fn searched(outcome: &SearchResult) -> &'static str {
    if outcome.complete { "all" } else { "in part" }
}

/// Prints the path to each violated invariant among `sought`.
fn print_violations(outcome: &SearchResult, sought: &[Invariant]) {
    for (invariant, steps) in outcome.broken.iter().filter(|(invariant, _)| sought.contains(invariant)) {
        println!("    broken: {}", invariant.description());
        for step in steps {
            println!("        {step}");
        }
    }
}
