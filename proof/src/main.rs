//! The full run: searches every world and every ablation, prints a table and the traces, and fails if anything
//! is other than expected.
//!
//! `proof [states] [part of a name]`: how many steps to take in each world at most (0: all of them), and which to search.

use std::process::ExitCode;

use proof::{Outcome, Promise, Weakness, ablations, check, worlds};

/// Steps between states that are followed in each world, unless the command line says otherwise.
const STEPS: usize = 3_000_000;

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let steps = arguments.next().and_then(|text| text.parse().ok()).unwrap_or(STEPS);
    let steps = (steps > 0).then_some(steps);
    let wanted = arguments.next().unwrap_or_default();
    let mut run = Run::default();
    println!(
        "{:<50} {:>10} {:>6} {:>8} {:>7}  verdict",
        "the protocol that ships", "states", "depth", "searched", "seconds"
    );
    for world in worlds::worlds().iter().filter(|world| world.name.contains(&wanted)) {
        let outcome = check(world.scope, Weakness::None, worlds::effort(steps, &[]));
        let expected = outcome.broken.is_empty();
        run.row(world.name, &outcome, expected, if expected { "holds" } else { "VIOLATED" });
        if !expected {
            tell(&outcome, &Promise::ALL);
        }
    }
    println!(
        "\n{:<50} {:>10} {:>6} {:>8} {:>7}  verdict",
        "one rule taken away", "states", "depth", "searched", "seconds"
    );
    for ablation in ablations::ablations().iter().filter(|ablation| ablation.name.contains(&wanted)) {
        let outcome = check(ablation.scope, ablation.weakness, ablation.effort(steps));
        let expected = ablation.is_as_expected(&outcome);
        let verdict = match (ablation.breaks.is_empty(), expected) {
            (false, true) => "violated, as it must be",
            (true, true) => "not needed here, see docs/reliability.md",
            (_, false) => "UNEXPECTED",
        };
        run.row(ablation.name, &outcome, expected, verdict);
        tell(&outcome, if expected { ablation.breaks } else { &Promise::ALL });
    }
    run.end()
}

/// The run so far.
#[derive(Default)]
struct Run {
    states: usize,
    most_rounds: u8,
    unexpected: usize,
}

impl Run {
    fn row(&mut self, name: &str, outcome: &Outcome, expected: bool, verdict: &str) {
        self.states += outcome.states;
        self.most_rounds = self.most_rounds.max(outcome.rounds);
        self.unexpected += usize::from(!expected);
        let searched = if outcome.complete { "all" } else { "to depth" };
        let seconds = outcome.took.as_secs_f32();
        println!(
            "{name:<50} {:>10} {:>6} {searched:>8} {seconds:>7.1}  {verdict}",
            outcome.states, outcome.depth
        );
    }

    fn end(&self) -> ExitCode {
        println!(
            "\n{} states, {} promises in each; from each state of the protocol that ships, all comes right within {} ticks.",
            self.states,
            Promise::ALL.len(),
            self.most_rounds
        );
        if self.unexpected == 0 {
            return ExitCode::SUCCESS;
        }
        println!("{} results are not as expected.", self.unexpected);
        ExitCode::FAILURE
    }
}

/// The shortest way to each broken promise among `sought`.
fn tell(outcome: &Outcome, sought: &[Promise]) {
    for (promise, steps) in outcome.broken.iter().filter(|(promise, _)| sought.contains(promise)) {
        println!("    broken: {}", promise.words());
        for step in steps {
            println!("        {step}");
        }
    }
}
