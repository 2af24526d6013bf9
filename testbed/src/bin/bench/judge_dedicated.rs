//! The budgets of the kinds of dedicated clusters, and what the peer was measured to take. Figures are parameters; nothing is measured here.

use crate::audit;
use crate::judge::{BudgetVerdict, least_requests, least_writes, peak_of, requests, verdict, workload};
use crate::measure::Figures;
use crate::runs::RunResult;
use crate::scenarios::{Population, Speed};
use crate::table::thousands;

/// The requests from manifests to Ready at 2 s a phase: projects, regions and endpoints, the budget, and the peer.
const REQUESTS: [((usize, usize, usize), u64, u64); 4] =
    [((1, 1, 1), 8, 22), ((1, 10, 1), 43, 220), ((1, 1, 10), 32, 58), ((10, 10, 1), 420, 2_200)];

/// The seconds beyond Atlas' own, 2 s a phase: the budget, and the peer.
const SECONDS: [(Speed, f64, &str); 2] = [(Speed::Instant, 5.0, "16–19"), (Speed::Latent, 10.0, "20–67")];

/// The memory: objects, and the budget in MiB.
const MEMORY: [(usize, f64); 2] = [(100, 14.0), (11_000, 96.0)];

/// The maximum number of requests an hour for each project: nothing changes, and while everything waits for the user.
const REQUESTS_AN_HOUR: [(&str, &str, f64); 2] = [
    ("nothing changes, 1 service and 1 endpoint", "steady", 12.0),
    ("waiting for VPC endpoints", "waiting", 60.0),
];

/// Returns what the peer was measured to take, as requests and as seconds beyond Atlas' own.
pub(crate) fn peer(objects: Population, speed: Speed) -> (Option<u64>, Option<&'static str>) {
    let found = REQUESTS.iter().find(|(numbers, ..)| of(*numbers) == objects);
    let seconds = SECONDS.iter().find(|(of, ..)| *of == speed);
    (found.map(|(.., peer)| *peer).filter(|_| seconds.is_some()), seconds.map(|(.., peer)| *peer))
}

/// Returns the requests of a steady workload for each project in an hour.
pub(crate) fn hourly(outcome: &RunResult, figures: &Figures) -> f64 {
    requests(figures) as f64 / outcome.objects.listed() as f64 * 3_600.0 / figures.transition
}

/// Compares all figures that have a budget.
pub(crate) fn verdicts(outcomes: &[RunResult]) -> Vec<BudgetVerdict> {
    let mut all = Vec::new();
    all.extend(small_runs(outcomes));
    for (objects, budget) in MEMORY {
        if let Some(peak) = peak_of(outcomes, objects) {
            let what = format!("memory, {} objects, the peak of all workloads", thousands(objects as u64));
            all.push(verdict(&what, &format!("≤ {budget} MiB"), format!("{peak:.1} MiB"), peak <= budget));
        }
    }
    all.extend(restarts(outcomes));
    all.extend(hours(outcomes));
    all.extend(writes(outcomes));
    all
}

fn of((projects, regions, endpoints): (usize, usize, usize)) -> Population {
    Population::Dedicated { projects, regions, endpoints }
}

fn small_runs(outcomes: &[RunResult]) -> Vec<BudgetVerdict> {
    let mut all = Vec::new();
    for (numbers, budget, peer) in REQUESTS {
        let (objects, name) = (of(numbers), of(numbers).name());
        let named = |speed: Speed| format!("dedicated-{}-{name}", speed.name());
        let least = least_requests("whole", objects).unwrap_or_default();
        for (speed, ..) in SECONDS {
            let Some((_, figures)) = workload(outcomes, &named(speed), "whole") else { continue };
            let spent = requests(figures);
            let what = format!("requests, manifests to Ready, {}, {}", numbered(&name), speed.described());
            let measured = format!("{spent}, least {least}, the peer {}", thousands(peer));
            all.push(verdict(&what, &format!("≤ {budget}"), measured, spent <= budget));
        }
    }
    for (speed, budget, peer) in SECONDS {
        let of_speed = outcomes.iter().filter(|outcome| outcome.speed == speed);
        let whole =
            of_speed.flat_map(|outcome| &outcome.workloads).filter(|figures| figures.workload == "whole");
        let longest = whole.map(|figures| figures.seconds - figures.transition).reduce(f64::max);
        if let Some(longest) = longest {
            let what =
                format!("Ready beyond Atlas' own time, the longest of these runs, {}", speed.described());
            let measured = format!("{longest:.1} s, the peer {peer} s");
            all.push(verdict(&what, &format!("≤ {budget} s"), measured, longest <= budget));
        }
    }
    all
}

/// Returns the numbers of a run as the tables show them.
pub(crate) fn numbered(name: &str) -> String {
    name.replace('x', " × ")
}

fn restarts(outcomes: &[RunResult]) -> Vec<BudgetVerdict> {
    let mut all = Vec::new();
    for outcome in outcomes {
        for figures in outcome.workloads.iter().filter(|figures| figures.workload == "restart") {
            let Population::Dedicated { projects, .. } = outcome.objects else { continue };
            let count = |operation: &str| figures.atlas.get(operation).copied().unwrap_or_default();
            let (lists, reads) = (count("listservices"), count("getendpoint"));
            let endpoints =
                least_requests("restart", outcome.objects).unwrap_or_default() - 1 - projects as u64;
            let written = audit::writes(&figures.cluster);
            let held = lists <= projects as u64 && reads <= endpoints && written == 0;
            let measured = format!("{} LISTs, {} GETs, {written} writes", thousands(lists), thousands(reads));
            let budget = format!("{projects} LISTs, {} GETs, 0 writes", thousands(endpoints));
            all.push(verdict(
                &format!("restart, {}", numbered(&outcome.objects.name())),
                &budget,
                measured,
                held,
            ));
        }
    }
    all
}

fn hours(outcomes: &[RunResult]) -> Vec<BudgetVerdict> {
    let mut all = Vec::new();
    for (what, name, budget) in REQUESTS_AN_HOUR {
        let run = format!("dedicated-{name}-10x1x1");
        let Some((outcome, figures)) = workload(outcomes, &run, name) else { continue };
        let (hourly, written) = (hourly(outcome, figures), audit::writes(&figures.cluster));
        all.push(verdict(
            &format!("requests for each project in an hour, {what}"),
            &format!("≤ {budget}, 0 writes"),
            format!("{hourly:.1}, {written} writes"),
            hourly <= budget && written == 0,
        ));
    }
    if let Some((_, figures)) = workload(outcomes, "dedicated-waiting-10x1x1", "lose")
        && let (Some(noticed), Some(shown)) = (figures.queue, figures.lateness)
    {
        all.push(verdict(
            "a service that is lost while endpoints wait: listed without it",
            "≤ 60 s",
            format!("{:.1} s, shown and confirmed {:.1} s", noticed.max, shown.max),
            noticed.max <= 60.0,
        ));
    }
    all
}

fn writes(outcomes: &[RunResult]) -> Vec<BudgetVerdict> {
    let all =
        outcomes.iter().flat_map(|outcome| outcome.workloads.iter().map(move |figures| (outcome, figures)));
    let idle = all.filter(|(outcome, figures)| least_writes(&figures.workload, outcome.objects) == Some(0));
    let written: u64 = idle.map(|(_, figures)| audit::writes(&figures.cluster)).sum();
    vec![verdict("writes when stable, waiting, idle or restarted", "0", written.to_string(), written == 0)]
}
