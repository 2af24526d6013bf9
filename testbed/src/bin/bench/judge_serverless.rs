//! The budgets of the serverless kind. Figures are parameters; nothing is measured here.

use crate::audit;
use crate::isolation::Isolated;
use crate::judge::{BudgetVerdict, least_requests, least_writes, peak_of, requests, verdict, workload};
use crate::runs::RunResult;
use crate::table::thousands;

/// Compares all figures that have a budget.
pub(crate) fn verdicts(
    outcomes: &[RunResult],
    isolated: &[Isolated],
    binary_bytes: u64,
) -> Vec<BudgetVerdict> {
    let mut all = Vec::new();
    all.extend(whole(outcomes));
    all.extend(memory(outcomes));
    all.extend(times(outcomes));
    all.extend(writes(outcomes));
    let latenesses = |name: &str| -> Vec<f64> {
        isolated
            .iter()
            .map(|one| if name == "reserved" { one.to_reserved.max } else { one.to_available.max })
            .collect()
    };
    let latest = latenesses("reserved").into_iter().chain(latenesses("available")).reduce(f64::max);
    if let Some(latest) = latest {
        let measured = format!("{latest:.2} s");
        all.push(verdict(
            "one project of 100 hanging, 429 or 401: others later by",
            "≤ 1 s",
            measured,
            latest <= 1.0,
        ));
    }
    let megabytes = binary_bytes as f64 / 1e6;
    all.push(verdict("the program", "≤ 12 MB", format!("{megabytes:.2} MB"), binary_bytes <= 12_000_000));
    all
}

fn whole(outcomes: &[RunResult]) -> Vec<BudgetVerdict> {
    let mut all = Vec::new();
    for name in ["fast-1x1", "fast-100x10", "fast-100x100"] {
        let Some((outcome, figures)) = workload(outcomes, name, "whole") else { continue };
        let least = least_requests("whole", outcome.objects).unwrap_or_default();
        let spent = requests(figures);
        let (objects, instances) = (outcome.objects.count(), outcome.objects.listed());
        let what = format!("requests, nothing to AVAILABLE, {objects} on {instances}");
        all.push(verdict(
            &what,
            &format!("≤ {}", least * 13 / 10),
            format!("{spent}, least {least}"),
            spent * 10 <= least * 13,
        ));
        if name == "fast-1x1" {
            let beyond = figures.seconds - figures.transition;
            all.push(verdict(
                "AVAILABLE beyond Atlas' own time, 2 s a phase",
                "≤ 7 s",
                format!("{beyond:.1} s"),
                beyond <= 7.0,
            ));
        }
    }
    let one = workload(outcomes, "recorded-1x1", "whole").map(|(_, figures)| figures);
    if let Some(one) = one {
        let beyond = one.seconds - one.transition;
        let spent = requests(one);
        let measured = format!("{beyond:.1} s, {spent} requests");
        all.push(verdict(
            "the same at the recorded speed",
            "≤ 30 s, ≤ 20 requests",
            measured,
            beyond <= 30.0 && spent <= 20,
        ));
        for name in ["recorded-100x10", "recorded-100x100"] {
            let Some((outcome, figures)) = workload(outcomes, name, "whole") else { continue };
            let more = figures.seconds - one.seconds;
            let (objects, instances) = (outcome.objects.count(), outcome.objects.listed());
            let what = format!("{objects} on {instances} at the recorded speed, longer than 1 on 1 by");
            all.push(verdict(&what, "≤ 15 s", format!("{more:.1} s"), more <= 15.0));
        }
    }
    all
}

fn memory(outcomes: &[RunResult]) -> Vec<BudgetVerdict> {
    let mut all = Vec::new();
    let idle =
        outcomes.iter().flat_map(|outcome| &outcome.workloads).filter(|figures| figures.workload == "idle");
    if let Some(most) = idle.map(|figures| figures.peak_mib).reduce(f64::max) {
        all.push(verdict("memory, idle", "≤ 12 MiB", format!("{most:.1} MiB"), most <= 12.0));
    }
    for (objects, budget) in [(1_000, 24.0), (10_000, 80.0)] {
        if let Some(peak) = peak_of(outcomes, objects) {
            let what = format!("memory, {} objects, the peak of all workloads", thousands(objects as u64));
            all.push(verdict(&what, &format!("≤ {budget} MiB"), format!("{peak:.1} MiB"), peak <= budget));
        }
    }
    all
}

fn times(outcomes: &[RunResult]) -> Vec<BudgetVerdict> {
    let mut all = Vec::new();
    let create = outcomes.iter().filter(|outcome| outcome.objects.count() == 1_000);
    let create = create.flat_map(|outcome| &outcome.workloads).filter(|figures| figures.workload == "create");
    if let Some(longest) = create.map(|figures| figures.seconds).reduce(f64::max) {
        all.push(verdict("1,000 objects to RESERVED", "≤ 60 s", format!("{longest:.1} s"), longest <= 60.0));
    }
    let restarts = outcomes.iter().filter(|outcome| outcome.objects.count() == 10_000);
    for figures in
        restarts.flat_map(|outcome| &outcome.workloads).filter(|figures| figures.workload == "restart")
    {
        let written = audit::writes(&figures.cluster);
        let measured = format!("{:.1} s, {written} writes", figures.seconds);
        all.push(verdict(
            "restart, 10,000 objects reconciled",
            "≤ 60 s, 0 writes",
            measured,
            figures.seconds <= 60.0 && written == 0,
        ));
    }
    all
}

fn writes(outcomes: &[RunResult]) -> Vec<BudgetVerdict> {
    let mut worst: Option<f64> = None;
    let mut idle = 0;
    for (outcome, figures) in
        outcomes.iter().flat_map(|outcome| outcome.workloads.iter().map(move |workload| (outcome, workload)))
    {
        let Some(least) = least_writes(&figures.workload, outcome.objects) else { continue };
        let written = audit::writes(&figures.cluster);
        if least == 0 {
            idle += written;
        } else {
            let ratio = written as f64 / (least * outcome.objects.count() as u64) as f64;
            worst = Some(worst.map_or(ratio, |worst| worst.max(ratio)));
        }
    }
    let mut all = Vec::new();
    if let Some(worst) = worst {
        let measured = format!("{worst:.2} × that at most");
        all.push(verdict("writes", "1 claim + 1 per visible change", measured, worst <= 1.005));
    }
    all.push(verdict("writes when stable, idle or restarted", "0", idle.to_string(), idle == 0));
    all
}
