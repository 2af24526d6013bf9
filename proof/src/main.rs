//! The full run: searches every scenario and every ablation of both models, prints a table and the traces, and fails if any result is
//! unexpected.
//!
//! `proof [steps] [part of a name]`: the maximum number of steps in each scenario (0: all of them; anything else: the default), and
//! which to search, by a part of its name: `dedicated: …` for a scenario, `dedicated without: …` for an ablation. Where `SPE_PROOF` names a folder, rows for the table of `make proof` are written
//! there.

mod parallel;

use std::path::Path;
use std::process::ExitCode;

use proof::{Ablation, Part, Scenario, SearchResult, parts};

use parallel::in_parallel;

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let steps: Option<usize> = arguments.next().and_then(|text| text.parse().ok());
    let wanted = arguments.next().unwrap_or_default();
    let mut rows = String::new();
    let mut unexpected = 0;
    for Part { name: part, mut scenarios, mut ablations, invariants, steps: default, .. } in parts() {
        scenarios.retain(|scenario| format!("{part}: {}", scenario.name).contains(&wanted));
        ablations.retain(|ablation| format!("{part} without: {}", ablation.name).contains(&wanted));
        let steps = steps.unwrap_or(default);
        let steps = (steps > 0).then_some(steps);
        if scenarios.is_empty() && ablations.is_empty() {
            continue;
        }
        println!("\n=== {part}");
        let failed = search_scenarios(&scenarios, steps, &invariants);
        rows += &row(&format!("{part}: scenarios of the protocol that ships"), scenarios.len(), failed);
        unexpected += failed;
        let failed = search_ablations(&ablations, steps, &invariants);
        rows += &row(&format!("{part}: scenarios with one rule removed"), ablations.len(), failed);
        unexpected += failed;
    }
    if let Err(error) = write(&rows) {
        println!("\nthe rows for the table could not be written: {error}");
        return ExitCode::FAILURE;
    }
    if unexpected > 0 {
        println!("\n{unexpected} results are not as expected.");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

/// Returns the row for so many searches, of which some had an unexpected result.
fn row(what: &str, run: usize, failed: usize) -> String {
    format!("model\t{what}\t{run}\t{}\t{failed}\n", run - failed)
}

fn write(rows: &str) -> std::io::Result<()> {
    let Some(directory) = std::env::var_os("SPE_PROOF") else { return Ok(()) };
    std::fs::write(Path::new(&directory).join("model"), rows)
}

/// Searches the scenarios with the protocol that ships; returns how many results are unexpected.
fn search_scenarios(scenarios: &[Scenario], steps: Option<usize>, invariants: &[&str]) -> usize {
    println!(
        "{:<60} {:>8} {:>8} {:>8} {:>7}  verdict",
        "the protocol that ships", "states", "searched", "to depth", "seconds"
    );
    let (mut states, mut ticks, mut unexpected) = (0, 0, 0);
    let search = |scenario: &Scenario| scenario.search(steps);
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
        print_violations(&outcome, invariants);
    });
    println!(
        "{states} states, {} invariants in each; from each of them everything converges within {ticks} ticks.",
        invariants.len()
    );
    unexpected
}

/// Searches with one rule removed, and as far with all rules; returns how many results are unexpected.
fn search_ablations(ablations: &[Ablation], steps: Option<usize>, invariants: &[&str]) -> usize {
    println!(
        "\n{:<60} {:>8} {:>5} | {:>8} {:>8} {:>8}  verdict",
        "one rule removed", "states", "moves", "with it", "searched", "to depth"
    );
    let mut unexpected = 0;
    let search = |ablation: &Ablation| {
        let outcome = ablation.search(steps);
        let control = ablation.control(steps, &outcome);
        (outcome, control)
    };
    in_parallel(ablations, search, |ablation, (outcome, control)| {
        let missed = ablation.is_as_expected(&outcome);
        let expected = missed && ablation.is_the_rule(&outcome, &control);
        unexpected += usize::from(!expected);
        let moves = outcome.moves_to(&ablation.breaks).map_or("-".to_owned(), |moves| moves.to_string());
        println!(
            "{:<60} {:>8} {moves:>5} | {:>8} {:>8} {:>8}  {}",
            ablation.name,
            outcome.states,
            control.states,
            searched(&control),
            control.depth,
            match (expected, missed) {
                (true, _) if ablation.breaks.is_empty() => "not needed here, see docs",
                (true, _) => "violated, as it must be; with it, every invariant holds",
                (false, true) => "UNEXPECTED: not shown to hold with it",
                (false, false) => "UNEXPECTED",
            }
        );
        print_violations(&outcome, if missed { &ablation.breaks } else { invariants });
        if !expected {
            print_violations(&control, invariants);
        }
    });
    unexpected
}

fn searched(outcome: &SearchResult) -> &'static str {
    if outcome.complete { "all" } else { "in part" }
}

/// Prints the path to each violated invariant among `sought`.
fn print_violations(outcome: &SearchResult, sought: &[&str]) {
    for (invariant, steps) in outcome.broken.iter().filter(|(invariant, _)| sought.contains(invariant)) {
        println!("    broken: {invariant}");
        for step in &outcome.prefix {
            println!("        ({step})");
        }
        for step in steps {
            println!("        {step}");
        }
    }
}
