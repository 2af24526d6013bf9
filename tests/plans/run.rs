//! All plans: derived from runs without faults, run in parallel, each in a namespace of its own.

use std::sync::Arc;

use futures::StreamExt;
use futures::future::join_all;
use futures::stream;

use crate::faults::FAULTS;
use crate::fixture::Path;
use crate::plan::{Clean, FaultPlan, Operators, PlanVerdict, clean, run};
use crate::summary::{ProofTable, is_proof};

/// How many plans run in parallel: most of their time they wait. `SPE_PLANS_MAX_CONCURRENT` sets another number.
const MAX_CONCURRENT: usize = 12;

/// Of so many plans one is run in `make test`, beside all kills.
const SHORT: u64 = 12;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_fault_at_every_request_leads_to_the_same_end() {
    let wanted = std::env::var("SPE_PLAN").ok();
    let paths = Path::ALL.into_iter().filter(|path| {
        wanted
            .as_ref()
            .is_none_or(|wanted| wanted.starts_with(path.name()) || path.name().starts_with(wanted))
    });
    let cleans: Vec<_> = join_all(paths.map(clean)).await.into_iter().map(Arc::new).collect();
    let all: Vec<_> = cleans.iter().flat_map(plans).collect();
    let chosen: Vec<_> = all
        .iter()
        .filter(|(plan, _)| match &wanted {
            Some(wanted) => plan.to_string().starts_with(wanted.as_str()),
            None => is_proof() || is_short(plan),
        })
        .cloned()
        .collect();
    println!("{} plans, {} of them run", all.len(), chosen.len());
    for clean in &cleans {
        for request in &clean.requests {
            let plans = chosen.iter().filter(|(plan, _)| {
                (plan.path, &plan.request.proxy, plan.request.number)
                    == (clean.path, &request.proxy, request.number)
            });
            println!(
                "  {}/{}-{}: {:?} {}, {} plans",
                clean.path.name(),
                request.proxy,
                request.number,
                request.kind,
                request.question,
                plans.count()
            );
        }
    }
    assert!(!chosen.is_empty(), "no plan is called {wanted:?}");
    let max_concurrent = std::env::var("SPE_PLANS_MAX_CONCURRENT")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(MAX_CONCURRENT);
    let verdicts: Vec<_> = stream::iter(chosen).map(judged).buffer_unordered(max_concurrent).collect().await;
    let mut table = ProofTable::default();
    let mut failed = Vec::new();
    for (plan, verdict) in &verdicts {
        let passed = verdict.wrong.is_empty();
        let part = format!("plans, {}, {}", plan.path.name(), plan.operators.name());
        table.count(&part, plan.fault.name, passed);
        if !passed {
            failed.push(plan.to_string());
        }
    }
    table.report("plans");
    failed.sort();
    assert!(
        failed.is_empty(),
        "{} plans failed; `make proof PLAN=…` runs one again:\n{}",
        failed.len(),
        failed.join("\n")
    );
}

/// Every request of a path, every fault that applies to it, with one and with two operators.
fn plans(clean: &Arc<Clean>) -> Vec<(FaultPlan, Arc<Clean>)> {
    let mut plans = Vec::new();
    for request in &clean.requests {
        for fault in FAULTS.iter().filter(|fault| fault.fits(request)) {
            for operators in Operators::BOTH {
                let plan = FaultPlan { path: clean.path, request: request.clone(), fault, operators };
                plans.push((plan, Arc::clone(clean)));
            }
        }
    }
    plans
}

/// In a task of its own, so that a panic fails only this plan.
async fn judged((plan, clean): (FaultPlan, Arc<Clean>)) -> (FaultPlan, PlanVerdict) {
    let running = plan.clone();
    let verdict = tokio::spawn(async move { run(&running, &clean).await }).await.unwrap_or_else(|panic| {
        let panic = panic.into_panic();
        let words = panic.downcast_ref::<String>().cloned();
        let words = words.or_else(|| panic.downcast_ref::<&str>().map(|words| (*words).to_owned()));
        PlanVerdict {
            wrong: vec![words.unwrap_or_default()],
            trace: String::new(),
            took: std::time::Duration::ZERO,
        }
    });
    let seconds = verdict.took.as_secs_f32();
    if verdict.wrong.is_empty() {
        let is_shown = std::env::var("SPE_PLAN").is_ok_and(|wanted| wanted == plan.to_string());
        println!("{plan}: ok after {seconds:.1} s{}", if is_shown { &verdict.trace } else { "" });
    } else {
        println!("{plan}: FAILED after {seconds:.1} s\n{}{}", verdict.wrong.join("\n"), verdict.trace);
    }
    (plan, verdict)
}

/// A stable selection: all kills, and of the rest those that the name's checksum selects.
fn is_short(plan: &FaultPlan) -> bool {
    let checksum =
        plan.to_string().bytes().fold(0_u64, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte.into()));
    plan.fault.name == "kill" || checksum % SHORT == 0
}
