//! Runs each life with each fault at each effect, and compares the end with that of the run without faults.
//!
//! `LIVES=create/12` runs only the plans whose name begins so, and shows what they do.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

use crate::effects::EffectClass;
use crate::faults::{DELETION, EffectFault, FAULTS, STOPS};
use crate::life_run::{LifePlan, LifeRun, Shows, Snapshot};
use crate::table::{LIVES, ObjectLife};

/// The environment variable that selects plans.
const SELECT: &str = "LIVES";

/// How many failures are shown.
const SHOWN: usize = 3;

/// A plan, and what it is about.
struct NamedPlan {
    life: &'static ObjectLife,
    name: String,
    plan: LifePlan,
}

/// Returns the plans of a life, from the effects that a run without faults has.
fn plans(life: &'static ObjectLife, reference: &LifeRun<'_>, faults: &[EffectFault]) -> Vec<NamedPlan> {
    let mut plans = Vec::new();
    for (index, effect) in reference.counted.iter().enumerate() {
        let at = index + 1;
        let applicable = faults
            .iter()
            .filter(|fault| fault.applies(effect.subject, effect.interruption, effect.is_recorded));
        for (fault, then) in
            applicable.flat_map(|fault| fault.continuations().iter().map(move |then| (fault, then)))
        {
            let name = format!("{}/{at} {}/{}/{then:?}", life.name, effect.name, fault.name);
            plans.push(NamedPlan { life, name, plan: LifePlan { at, fault: *fault, then: *then } });
        }
    }
    plans
}

/// Returns what is wrong with the run.
fn problems(run: &LifeRun<'_>, expected: &[Snapshot]) -> Vec<String> {
    let mut problems = run.problems.clone();
    for (found, expected) in run.snapshots.iter().zip(expected) {
        if found != expected {
            problems.push(format!("it ends otherwise:\n{found:#?}\ninstead of\n{expected:#?}"));
        }
    }
    if run.snapshots.len() != expected.len() {
        problems.push("it does not end".to_owned());
    }
    problems
}

/// Runs all plans, on all processors.
fn check(plans: &[NamedPlan], judge: impl Fn(&NamedPlan, &LifeRun<'_>) -> Vec<String> + Sync) {
    let selected = std::env::var(SELECT).ok();
    let is_selected = |plan: &&NamedPlan| selected.as_ref().is_none_or(|name| plan.name.starts_with(name));
    let plans: Vec<_> = plans.iter().filter(is_selected).collect();
    let (next, failures) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let work = || {
        while let Some(plan) = plans.get(next.fetch_add(1, Ordering::Relaxed)) {
            let run = LifeRun::of(plan.life, Some(plan.plan), Shows::Nothing);
            let problems = judge(plan, &run);
            if !problems.is_empty() {
                failures.lock().unwrap_or_else(PoisonError::into_inner).push((&plan.name, plan, problems));
            }
        }
    };
    let threads = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(work);
        }
    });
    let mut failures = failures.into_inner().unwrap_or_else(PoisonError::into_inner);
    failures.sort_by_key(|(name, ..)| *name);
    for (name, plan, problems) in failures.iter().take(SHOWN) {
        let run = LifeRun::of(plan.life, Some(plan.plan), Shows::Effects);
        println!("=== {name}\n{}\n{}\n", run.trace.unwrap_or_default(), problems.join("\n"));
    }
    for (name, _, problems) in &failures {
        let first = problems.first().and_then(|problem| problem.lines().next()).unwrap_or_default();
        println!("{name}: {first}");
    }
    if selected.is_some() {
        for plan in plans.iter().take(SHOWN) {
            let run = LifeRun::of(plan.life, Some(plan.plan), Shows::Effects);
            println!("=== {}\n{}", plan.name, run.trace.unwrap_or_default());
        }
    }
    println!("{} plans", plans.len());
    assert!(failures.is_empty(), "{} of {} plans failed", failures.len(), plans.len());
}

#[test]
fn each_life_ends_as_the_table_says() {
    for life in LIVES {
        let run = LifeRun::of(life, None, Shows::Effects);
        let (end, here) = (run.snapshots.last().unwrap(), life.name);
        assert!(run.problems.is_empty(), "{here}: {:?}\n{}", run.problems, run.trace.unwrap());
        assert_eq!((end.ready().as_deref(), end.ours()), (life.ready, life.ours.to_vec()), "{here}");
        println!("{here}: {} effects", run.counted.len());
    }
}

/// Checks that all lives with these faults end as they do without.
fn check_ends(faults: &[EffectFault]) {
    let references: Vec<_> = LIVES.iter().map(|life| LifeRun::of(life, None, Shows::Nothing)).collect();
    let lives = LIVES.iter().zip(&references);
    let plans: Vec<_> = lives.flat_map(|(life, reference)| plans(life, reference, faults)).collect();
    check(&plans, |plan, run| {
        let reference = references.iter().find(|reference| reference.life.name == plan.life.name);
        problems(run, &reference.unwrap().snapshots)
    });
}

#[test]
fn every_fault_at_every_effect_changes_nothing_about_the_end() {
    check_ends(FAULTS);
}

#[test]
fn a_stop_at_any_effect_sends_what_is_claimed_and_records_what_is_created() {
    check_ends(&STOPS);
}

#[test]
fn a_deletion_before_any_effect_leaves_nothing() {
    let references: Vec<_> = LIVES.iter().map(|life| LifeRun::of(life, None, Shows::Nothing)).collect();
    let lives = LIVES.iter().zip(&references);
    let plans: Vec<_> = lives.flat_map(|(life, reference)| plans(life, reference, &[DELETION])).collect();
    check(&plans, |_, run| {
        let mut problems = run.problems.clone();
        let end = run.snapshots.last().unwrap();
        if end.object.is_some() {
            problems.push("the object is not released".to_owned());
        }
        let keeps = run.life.actions.iter().chain(run.life.before).any(crate::table::LifeAction::retains);
        // Without a finalizer, an object that is deleted is gone at once.
        if !keeps && run.was_held && !end.ours().is_empty() {
            problems.push(format!("endpoints are left: {:?}", end.ours()));
        }
        problems
    });
}

#[test]
fn every_class_of_effects_occurs() {
    let all: Vec<_> = LIVES.iter().flat_map(|life| LifeRun::of(life, None, Shows::Nothing).counted).collect();
    for subject in EffectClass::ALL {
        assert!(all.iter().any(|effect| effect.subject == *subject), "{subject:?}");
    }
}
