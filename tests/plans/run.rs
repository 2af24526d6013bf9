//! All plans: derived from runs without faults, run in parallel, each in a namespace of its own.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures::{StreamExt, stream};

use crate::faults::FAULTS;
use crate::path::Path;
use crate::plan::{Clean, FaultPlan, Operators, PlanVerdict, clean, run};
use crate::requests::RequestKind;
use crate::summary::{ProofTable, is_proof};

/// How many plans run in parallel: most of their time they wait. `SPE_PLANS_MAX_CONCURRENT` sets another number.
const MAX_CONCURRENT: usize = 12;

/// Of so many plans one may not meet its request: the steps of two objects, and of two operators, are not in the same order in every run.
const MISSES: usize = 20;

/// The name of a path's run without a fault, in place of a request and its fault.
const NO_FAULT: &str = "no-fault";

/// A plan, and the run without faults that it is derived from.
type DerivedPlan = (FaultPlan, Arc<Clean>);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_fault_at_every_request_leads_to_the_same_end() {
    let wanted = std::env::var("SPE_PLAN").ok();
    let is_of = |path: &Path| match wanted.as_deref().map(|wanted| wanted.split_once('/')) {
        None => true,
        Some(Some((name, _))) => path.name() == name,
        Some(None) => wanted.as_deref().is_some_and(|wanted| path.name().starts_with(wanted)),
    };
    let mut failed = Vec::new();
    let mut cleans = Vec::new();
    let paths = stream::iter(Path::ALL.into_iter().filter(is_of));
    for derived in paths.map(derived).buffered(MAX_CONCURRENT / 2).collect::<Vec<_>>().await {
        match derived {
            Ok(clean) => cleans.push(clean),
            Err(name) => failed.push(name),
        }
    }
    without_common_start(&mut cleans);
    let all: Vec<_> = cleans.into_iter().map(|clean| plans(&Arc::new(clean))).collect();
    let chosen: Vec<DerivedPlan> = match &wanted {
        Some(wanted) => {
            let is_wanted = |(plan, _): &&DerivedPlan| plan.to_string().starts_with(wanted.as_str());
            all.iter().flatten().filter(is_wanted).cloned().collect()
        }
        None if is_proof() => all.iter().flatten().cloned().collect(),
        None => in_rotation(&all),
    };
    describe(&all, &chosen);
    let is_empty = chosen.is_empty() && !wanted.as_ref().is_some_and(|wanted| wanted.ends_with(NO_FAULT));
    assert!(!is_empty, "no plan is called {wanted:?}");
    let max_concurrent = std::env::var("SPE_PLANS_MAX_CONCURRENT").ok().and_then(|text| text.parse().ok());
    let verdicts = stream::iter(chosen).map(judged);
    let verdicts = verdicts.buffer_unordered(max_concurrent.unwrap_or(MAX_CONCURRENT));
    let mut table = ProofTable::default();
    let (mut count, mut missed) = (0, Vec::new());
    for (plan, verdict) in verdicts.collect::<Vec<_>>().await {
        let passed = verdict.wrong.is_empty();
        count += 1;
        missed.extend((!verdict.is_met).then(|| plan.to_string()));
        let part = format!("plans, {}, {}", plan.path.name(), plan.operators.name());
        table.count(&part, plan.fault.name, passed);
        if !passed {
            failed.push(plan.to_string());
        }
    }
    table.report("plans");
    println!("{} plans did not meet their request:\n{}", missed.len(), missed.join("\n"));
    assert!(
        missed.len() <= 1 + count / MISSES,
        "{} of {count} plans did not meet their request",
        missed.len()
    );
    failed.sort();
    assert!(
        failed.is_empty(),
        "{} plans failed; `make proof PLAN=…` runs one again:\n{}",
        failed.len(),
        failed.join("\n")
    );
}

/// Prints how many plans there are of each request.
fn describe(all: &[Vec<DerivedPlan>], chosen: &[DerivedPlan]) {
    let count = all.iter().map(Vec::len).sum::<usize>();
    println!("{count} plans, {} of them run", chosen.len());
    for plans in all.iter().filter(|plans| !plans.is_empty()) {
        let path = plans[0].0.path;
        println!("  {}: {} requests, {} plans", path.name(), plans[0].1.requests.len(), plans.len());
        for request in &plans[0].1.requests {
            let is_at = |(plan, _): &&DerivedPlan| plan.path == path && plan.request.is(request);
            println!(
                "    {}-{}: {:?} {} {}, {} plans",
                request.proxy,
                request.number,
                request.kind,
                request.question,
                request.nth,
                chosen.iter().filter(is_at).count()
            );
        }
    }
}

/// Runs a path twice without faults, and returns the requests that both runs have: how often an operator polls is not always the same. If
/// a run fails, its name is the error.
async fn derived(path: Path) -> Result<Clean, String> {
    let name = format!("{}/{NO_FAULT}", path.name());
    let name = name.as_str();
    let run = async |round| {
        let run = tokio::spawn(clean(path, round)).await;
        let (clean, verdict) = match run {
            Ok((clean, verdict)) => (Some(clean), verdict),
            Err(panic) => (None, PlanVerdict::of_panic(panic)),
        };
        shown(name, &verdict).then_some(clean).flatten()
    };
    let (Some(mut clean), Some(again)) = futures::join!(run(0), run(1)) else {
        return Err(name.to_owned());
    };
    clean.requests.retain(|request| again.requests.iter().any(|other| other.is(request)));
    Ok(clean)
}

/// Removes the requests from a restart that every start has, whatever exists: `restart` has their plans. A repeated listing is another one.
fn without_common_start(cleans: &mut [Clean]) {
    let common = cleans.iter().find(|clean| clean.path == Path::Restart).map(|clean| clean.requests.clone());
    let (Some(common), Some(both)) =
        (common, cleans.iter_mut().find(|clean| clean.path == Path::RestartBoth))
    else {
        return;
    };
    both.requests.retain(|request| {
        request.kind == RequestKind::Relist || !common.iter().any(|other| other.is(request))
    });
}

/// Every request of a path, every fault that applies to it: with one and with two operators where both may write the same, and in turn
/// elsewhere.
fn plans(clean: &Arc<Clean>) -> Vec<DerivedPlan> {
    let mut plans = Vec::new();
    for (n, request) in clean.requests.iter().enumerate() {
        for (k, fault) in FAULTS.iter().filter(|fault| fault.fits(clean.path, request)).enumerate() {
            let in_turn = [Operators::BOTH[(n + k) % 2]];
            let operators = if request.is_contested() { &Operators::BOTH[..] } else { &in_turn };
            for &operators in operators {
                let plan = FaultPlan { path: clean.path, request: request.clone(), fault, operators };
                plans.push((plan, Arc::clone(clean)));
            }
        }
    }
    plans
}

/// Returns the plans of `make test`, always the same: of each request one, with the fault that was chosen least often before, with one and
/// with two operators in turn. So each request has a fault, and each fault has a request.
fn in_rotation(all: &[Vec<DerivedPlan>]) -> Vec<DerivedPlan> {
    let mut used: HashMap<&str, usize> = HashMap::new();
    let mut chosen: Vec<DerivedPlan> = Vec::new();
    for plans in all {
        let Some((_, clean)) = plans.first() else { continue };
        for request in &clean.requests {
            let count = |name: &str| used.get(name).copied().unwrap_or_default();
            let of_request = plans.iter().filter(|(plan, _)| plan.request.is(request));
            let rarest =
                of_request.min_by_key(|(plan, _)| (count(plan.fault.name), count(plan.operators.name())));
            let Some(rarest) = rarest else { continue };
            for name in [rarest.0.fault.name, rarest.0.operators.name()] {
                *used.entry(name).or_default() += 1;
            }
            chosen.push(rarest.clone());
        }
    }
    chosen
}

/// In a task of its own, so that a panic fails only this plan.
async fn judged((plan, clean): DerivedPlan) -> (FaultPlan, PlanVerdict) {
    let running = plan.clone();
    let verdict = tokio::spawn(async move { run(&running, &clean).await }).await;
    let verdict = verdict.unwrap_or_else(PlanVerdict::of_panic);
    shown(&plan.to_string(), &verdict);
    (plan, verdict)
}

/// Prints the verdict of a run, with its requests if it failed or is the only one. Returns whether it passed.
fn shown(name: &str, verdict: &PlanVerdict) -> bool {
    let seconds = verdict.took.as_secs_f32();
    let passed = verdict.wrong.is_empty();
    if passed {
        let is_shown = std::env::var("SPE_PLAN").is_ok_and(|wanted| wanted == name);
        println!("{name}: ok after {seconds:.1} s{}", if is_shown { &verdict.trace } else { "" });
    } else {
        println!("{name}: FAILED after {seconds:.1} s\n{}{}", verdict.wrong.join("\n"), verdict.trace);
    }
    passed
}

impl PlanVerdict {
    fn of_panic(panic: tokio::task::JoinError) -> Self {
        let panic = panic.into_panic();
        let words = panic.downcast_ref::<String>().cloned();
        let words = words.or_else(|| panic.downcast_ref::<&str>().map(|words| (*words).to_owned()));
        Self {
            wrong: vec![words.unwrap_or_default()],
            is_met: true,
            trace: String::new(),
            took: Duration::ZERO,
        }
    }
}
