//! The minimum that the protocol allows, and the budgets. Figures are parameters; nothing is measured here.

use crate::audit;
use crate::isolation::Isolated;
use crate::measure::Figures;
use crate::runs::RunResult;
use crate::table::thousands;

/// Returns the minimum number of requests to Atlas with which the protocol can do this, challenge included.
///
/// One challenge. A listing per instance before the POSTs, one that shows RESERVED, one that shows AVAILABLE; a later
/// attachment needs a listing of its own; a deletion one before the DELETEs and two after them that no longer show the
/// endpoint.
pub(crate) fn least_requests(workload: &str, objects: usize, instances: usize) -> Option<u64> {
    let (o, i) = (objects as u64, instances as u64);
    match workload {
        "create" => Some(1 + 2 * i + o),
        "attach" => Some(2 * i + o),
        "whole" => Some(1 + 3 * i + 2 * o),
        "delete" => Some(3 * i + o),
        "restart" => Some(1 + i),
        _ => None,
    }
}

/// Returns the minimum number of writes to an object: a claim, one for each visible change of its status, a release.
pub(crate) fn least_writes(workload: &str) -> Option<u64> {
    match workload {
        // Claim, RESERVATION_REQUESTED, RESERVED.
        "create" => Some(3),
        // INITIATING, AVAILABLE; DELETING, release.
        "attach" | "delete" => Some(2),
        // Claim, RESERVATION_REQUESTED, INITIATING, AVAILABLE.
        "whole" => Some(4),
        "idle" | "steady" | "restart" => Some(0),
        _ => None,
    }
}

/// Returns the number of all requests to Atlas.
pub(crate) fn requests(figures: &Figures) -> u64 {
    figures.atlas.values().sum()
}

/// One line of the table of budgets.
pub(crate) struct BudgetVerdict {
    pub(crate) what: String,
    pub(crate) budget: String,
    pub(crate) measured: String,
    pub(crate) held: bool,
}

fn verdict(what: &str, budget: &str, measured: String, held: bool) -> BudgetVerdict {
    BudgetVerdict { what: what.to_owned(), budget: budget.to_owned(), measured, held }
}

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

fn workload<'a>(
    outcomes: &'a [RunResult],
    name: &str,
    workload: &str,
) -> Option<(&'a RunResult, &'a Figures)> {
    let outcome = outcomes.iter().find(|outcome| outcome.name == name)?;
    Some((outcome, outcome.workloads.iter().find(|figures| figures.workload == workload)?))
}

fn whole(outcomes: &[RunResult]) -> Vec<BudgetVerdict> {
    let mut all = Vec::new();
    for name in ["fast-1x1", "fast-100x10", "fast-100x100"] {
        let Some((outcome, figures)) = workload(outcomes, name, "whole") else { continue };
        let least = least_requests("whole", outcome.objects, outcome.instances).unwrap_or_default();
        let spent = requests(figures);
        let what = format!("requests, nothing to AVAILABLE, {} on {}", outcome.objects, outcome.instances);
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
            let what = format!(
                "{} on {} at the recorded speed, longer than 1 on 1 by",
                outcome.objects, outcome.instances
            );
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
        let of = outcomes.iter().filter(|outcome| outcome.objects == objects);
        let peak = of.flat_map(|outcome| &outcome.workloads).map(|figures| figures.peak_mib).reduce(f64::max);
        if let Some(peak) = peak {
            let what = format!("memory, {} objects, the peak of all workloads", thousands(objects as u64));
            all.push(verdict(&what, &format!("≤ {budget} MiB"), format!("{peak:.1} MiB"), peak <= budget));
        }
    }
    all
}

fn times(outcomes: &[RunResult]) -> Vec<BudgetVerdict> {
    let mut all = Vec::new();
    let create = outcomes.iter().filter(|outcome| outcome.objects == 1_000);
    let create = create.flat_map(|outcome| &outcome.workloads).filter(|figures| figures.workload == "create");
    if let Some(longest) = create.map(|figures| figures.seconds).reduce(f64::max) {
        all.push(verdict("1,000 objects to RESERVED", "≤ 60 s", format!("{longest:.1} s"), longest <= 60.0));
    }
    let restarts = outcomes.iter().filter(|outcome| outcome.objects == 10_000);
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
        let Some(least) = least_writes(&figures.workload) else { continue };
        let written = audit::writes(&figures.cluster);
        if least == 0 {
            idle += written;
        } else {
            let ratio = written as f64 / (least * outcome.objects as u64) as f64;
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
