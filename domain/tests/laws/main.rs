//! What `decide` and `report` never do and always do, whatever they see: each law is checked over the whole of a
//! finite, representative input space (`space.rs`).
//!
//! The laws are written from the design, not from the code: nothing here calls a helper of the rules.

#![allow(clippy::unwrap_used, reason = "clippy takes only the test functions themselves for tests")]
#![allow(clippy::unnecessary_wraps, reason = "every law answers alike: nothing, yes or no")]

#[path = "../support/mod.rs"]
mod support;

mod changing;
mod creating;
mod decisions;
mod leaving;
mod pausing;
mod reports;
mod space;
mod view;

use domain::observed::Observed;

/// What a law says of one decision: nothing, that it is right, or that it is wrong.
type Verdict = Option<bool>;

/// How a law fared: how often it had something to say, how often it was broken, and the first time.
#[derive(Debug, Default, Clone)]
struct Finding {
    applied: u64,
    broken: u64,
    first: String,
}

impl Finding {
    fn note(&mut self, verdict: Verdict, what: impl FnOnce() -> String) {
        self.applied += u64::from(verdict.is_some());
        if verdict == Some(false) {
            if self.broken == 0 {
                self.first = what();
            }
            self.broken += 1;
        }
    }

    fn add(&mut self, other: Self) {
        if self.broken == 0 {
            self.first = other.first;
        }
        self.applied += other.applied;
        self.broken += other.broken;
    }

    /// A law that never had anything to say has not been tested.
    fn assert_holds(&self) {
        assert_eq!(
            self.broken, 0,
            "broken {} of {} times, first by {}",
            self.broken, self.applied, self.first
        );
        assert!(self.applied > 0, "no decision came under this law");
    }
}

/// Judges everything in the space of `axes` by `laws` laws.
fn sweep(
    axes: &[space::Axis],
    laws: usize,
    judge: impl Fn(&Observed, &mut [Finding]) + Sync,
) -> Vec<Finding> {
    const THREADS: usize = 4;
    let (first, rest) = axes.split_first().unwrap();
    let mut findings = vec![Finding::default(); laws];
    std::thread::scope(|scope| {
        let judge = &judge;
        let threads: Vec<_> = (0..THREADS)
            .map(|nth| {
                scope.spawn(move || {
                    let mut findings = vec![Finding::default(); laws];
                    let mut o = support::observed();
                    for set in first.iter().skip(nth).step_by(THREADS) {
                        set(&mut o);
                        space::sweep(rest, &mut o, &mut |o| judge(o, &mut findings));
                    }
                    findings
                })
            })
            .collect();
        for thread in threads {
            for (all, part) in findings.iter_mut().zip(thread.join().unwrap()) {
                all.add(part);
            }
        }
    });
    findings
}
