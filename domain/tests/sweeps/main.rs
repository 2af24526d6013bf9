//! Each invariant over the whole of a finite, representative input space (`space.rs`): one test per invariant. A space is
//! swept once, for all of its invariants; a third of it in `make test`, all of it in `make proof`. What has its own small input space has a file of its own.

#![allow(clippy::unwrap_used, reason = "clippy takes only the test functions themselves for tests")]

mod access;
mod output;
mod rate_limits;
mod schedule;
mod space;

use std::sync::LazyLock;

use domain::serverless::decide::decide;
use domain::serverless::observed::Observed;
use domain::serverless::status::report;
use invariants::view::second;
use invariants::{Verdict, decisions, fixtures, reports};

type Findings = LazyLock<Vec<(&'static str, InvariantTally)>>;

static OF_DECISIONS: Findings = LazyLock::new(|| {
    let mut all = vec![InvariantTally::default(); decisions::ALL.len()];
    for axes in [space::creating(), space::keeping(), space::losing(), space::deleting()] {
        let found = sweep(&axes, decisions::ALL.len(), |o, findings| {
            for o in second(o, &decide(o)).iter().chain([o]) {
                let decision = decide(o);
                for ((_, invariant), finding) in decisions::ALL.iter().zip(&mut *findings) {
                    finding.note(invariant(o, &decision), || format!("{decision:#?}\nin view of {o:#?}"));
                }
            }
        });
        all.iter_mut().zip(found).for_each(|(all, part)| all.add(part));
    }
    decisions::ALL.iter().map(|(name, _)| *name).zip(all).collect()
});

static OF_REPORTS: Findings = LazyLock::new(|| {
    let found = sweep(&space::reporting(), reports::ALL.len(), |o, findings| {
        for o in second(o, &decide(o)).iter().chain([o]) {
            let decision = decide(o);
            for o in reports::late(o, &decision).iter().chain([o]) {
                let report = report(o, &decision);
                for ((_, invariant), finding) in reports::ALL.iter().zip(&mut *findings) {
                    let what = || format!("{report:#?}\nof {decision:#?}\nin view of {o:#?}");
                    finding.note(invariant(o, &decision, &report), what);
                }
            }
        }
    });
    reports::ALL.iter().map(|(name, _)| *name).zip(found).collect()
});

macro_rules! of_decisions {
    ($($group:ident { $($name:ident)+ })+) => {
        $($(
            #[test]
            fn $name() {
                holds(&OF_DECISIONS, stringify!($name));
            }
        )+)+
    };
}

macro_rules! of_reports {
    ($($group:ident { $($name:ident)+ })+) => {
        $($(
            #[test]
            fn $name() {
                holds(&OF_REPORTS, stringify!($name));
            }
        )+)+
    };
}

invariants::for_each_invariant_of_decisions!(of_decisions);
invariants::for_each_invariant_of_reports!(of_reports);

fn holds(findings: &Findings, invariant: &str) {
    findings.iter().find(|(name, _)| *name == invariant).unwrap().1.assert_holds();
}

/// The tally of an invariant: how often it applied, how often it was violated, and the first violation.
#[derive(Debug, Default, Clone)]
struct InvariantTally {
    applied: u64,
    broken: u64,
    first: String,
}

impl InvariantTally {
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

    /// An invariant that never applied has not been tested.
    fn assert_holds(&self) {
        assert_eq!(
            self.broken, 0,
            "broken {} of {} times, first by {}",
            self.broken, self.applied, self.first
        );
        assert!(self.applied > 0, "no decision came under this invariant");
    }
}

/// Checks the combinations of `axes` against `count` invariants.
fn sweep(
    axes: &[space::Axis],
    count: usize,
    judge: impl Fn(&Observed, &mut [InvariantTally]) + Sync,
) -> Vec<InvariantTally> {
    const THREADS: usize = 4;
    let (first, rest) = axes.split_first().unwrap();
    let mut findings = vec![InvariantTally::default(); count];
    std::thread::scope(|scope| {
        let judge = &judge;
        let threads: Vec<_> = (0..THREADS)
            .map(|nth| {
                scope.spawn(move || {
                    let mut findings = vec![InvariantTally::default(); count];
                    let mut o = fixtures::observed();
                    let mut sample = space::SweepSample::of_this_run();
                    for set in first.iter().skip(nth).step_by(THREADS) {
                        set(&mut o);
                        space::sweep(rest, &mut o, &mut sample, &mut |o| judge(o, &mut findings));
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
