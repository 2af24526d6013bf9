//! Figures as text: a line for the terminal, tables for the page.

use std::fmt::Write as _;

use crate::audit::{self, Tally};
use crate::isolation::Isolated;
use crate::judge::{BudgetVerdict, least_requests, requests};
use crate::judge_dedicated::{hourly, numbered, peer};
use crate::measure::{Figures, Spread};
use crate::runs::RunResult;
use crate::scenarios::{Population, RunPart};
use crate::soak::SoakResult;

/// Returns one workload, printed while the next one runs.
pub(crate) fn in_short(figures: &Figures) -> String {
    let lateness = figures.lateness.map_or_else(String::new, |late| format!(", late {}", spread(late)));
    let queue = figures.queue.map_or_else(String::new, |queue| format!(", queued {}", spread(queue)));
    format!(
        "{:.1} s ({:.1} s Atlas' own), {} requests {:?}, cluster {:?}, CPU {:.2} s, peak {:.1} MiB, then {:.1} MiB{queue}{lateness}",
        figures.seconds,
        figures.transition,
        requests(figures),
        figures.atlas,
        figures.cluster,
        figures.cpu_seconds,
        figures.peak_mib,
        figures.final_mib,
    )
}

/// Formats median, 99th percentile, and maximum.
fn spread(spread: Spread) -> String {
    format!("{:.2} / {:.2} / {:.2}", spread.median, spread.p99, spread.max)
}

/// Returns budgets and measured values.
pub(crate) fn budgets(verdicts: &[BudgetVerdict]) -> String {
    let rows = verdicts.iter().map(|verdict| {
        let BudgetVerdict { what, budget, measured, held } = verdict;
        vec![what.clone(), budget.clone(), measured.clone(), if *held { "yes" } else { "**no**" }.to_owned()]
    });
    table(&["what", "budget", "measured", "held"], rows)
}

/// One workload, for every number of objects.
pub(crate) fn workload(outcomes: &[RunResult], name: &str) -> String {
    let mut rows = Vec::new();
    let mut second = "instances";
    for outcome in outcomes.iter().filter(|outcome| outcome.part == RunPart::Growth) {
        if outcome.objects.is_dedicated() {
            second = "P × R × E";
        }
        for figures in outcome.workloads.iter().filter(|figures| figures.workload == name) {
            rows.push(row(outcome, figures));
        }
    }
    table(
        &[
            "objects",
            second,
            "requests",
            "least",
            "×",
            "401s",
            "writes an object",
            "events an object",
            "reads an object",
            "s beyond Atlas",
            "late, s",
            "CPU ms an object",
            "peak MiB",
            "then MiB",
        ],
        rows.into_iter(),
    )
}

fn row(outcome: &RunResult, figures: &Figures) -> Vec<String> {
    let (objects, spent) = (outcome.objects.count() as u64, requests(figures));
    let least = least_requests(&figures.workload, outcome.objects);
    let each = |count: u64| format!("{:.2}", ratio(count, objects));
    vec![
        thousands(objects),
        numbers(outcome.objects),
        thousands(spent),
        least.map_or_else(String::new, thousands),
        least.map_or_else(String::new, |least| format!("{:.2}", ratio(spent, least))),
        challenges(figures),
        each(audit::writes(&figures.cluster)),
        each(audit::events(&figures.cluster)),
        each(audit::reads(&figures.cluster)),
        format!("{:.1}", figures.seconds - figures.transition),
        figures.lateness.map_or_else(String::new, spread),
        format!("{:.2}", figures.cpu_seconds * 1e3 / float(objects)),
        format!("{:.1}", figures.peak_mib),
        format!("{:.1}", figures.final_mib),
    ]
}

/// Returns the number of instances, or those of projects, regions and endpoints.
fn numbers(objects: Population) -> String {
    match objects {
        Population::Serverless { instances, .. } => thousands(instances as u64),
        Population::Dedicated { .. } => numbered(&objects.name()),
    }
}

fn challenges(figures: &Figures) -> String {
    thousands(figures.atlas.get("401").copied().unwrap_or_default())
}

/// From no object to AVAILABLE, at each speed. With the peer's figures for dedicated clusters.
pub(crate) fn speeds(outcomes: &[RunResult]) -> String {
    let all =
        outcomes.iter().flat_map(|outcome| outcome.workloads.iter().map(move |figures| (outcome, figures)));
    let whole =
        all.filter(|(outcome, figures)| outcome.part == RunPart::Speed && figures.workload == "whole");
    let is_dedicated = outcomes.iter().any(|outcome| outcome.objects.is_dedicated());
    let rows = whole.map(|(outcome, figures)| {
        let (objects, spent) = (outcome.objects, requests(figures));
        let least = least_requests("whole", objects).unwrap_or_default();
        let writes = audit::writes(&figures.cluster);
        let named = match objects {
            Population::Serverless { objects, instances } => format!("{objects} on {instances}"),
            Population::Dedicated { .. } => numbers(objects),
        };
        let mut row = vec![
            outcome.speed.described().to_owned(),
            named,
            thousands(spent),
            thousands(least),
            format!("{:.2}", ratio(spent, least)),
            challenges(figures),
            format!("{:.2}", ratio(writes, objects.count() as u64)),
            format!("{:.1}", figures.seconds - figures.transition),
            figures.queue.map_or_else(String::new, spread),
            figures.lateness.map_or_else(String::new, spread),
        ];
        if is_dedicated {
            let (requests, seconds) = peer(objects, outcome.speed);
            row.extend([
                requests.map_or_else(String::new, thousands),
                seconds.unwrap_or_default().to_owned(),
            ]);
        }
        row
    });
    let mut head = vec![
        "Atlas",
        if is_dedicated { "P × R × E" } else { "objects" },
        "requests",
        "least",
        "×",
        "401s",
        "writes an object",
        "s beyond Atlas",
        "queued, s",
        "late, s",
    ];
    if is_dedicated {
        head.extend(["the peer: requests", "s beyond Atlas"]);
    }
    table(&head, rows)
}

/// Requests of one run by kind, each also for one object.
pub(crate) fn kinds(outcome: &RunResult) -> String {
    let kinds: &[(&str, &str)] = if outcome.objects.is_dedicated() {
        &[
            ("401", "401"),
            ("listservices", "LIST of services"),
            ("createservice", "POST of a service"),
            ("createendpoint", "POST of an endpoint"),
            ("getendpoint", "GET of an endpoint"),
            ("deleteendpoint", "DELETE of an endpoint"),
            ("deleteservice", "DELETE of a service"),
        ]
    } else {
        &[("401", "401"), ("list", "list"), ("create", "create"), ("update", "update"), ("delete", "delete")]
    };
    let rows = outcome.workloads.iter().filter(|figures| figures.workload != "idle").map(|figures| {
        let mut row = vec![figures.workload.clone()];
        row.extend(kinds.iter().map(|(kind, _)| {
            let count = figures.atlas.get(*kind).copied().unwrap_or_default();
            format!("{} ({:.2})", thousands(count), ratio(count, outcome.objects.count() as u64))
        }));
        row
    });
    let mut head = vec!["workload"];
    head.extend(kinds.iter().map(|(_, shown)| *shown));
    table(&head, rows)
}

/// Hours in which nothing changes, or everything waits for the user, of dedicated clusters.
pub(crate) fn hours(outcomes: &[RunResult]) -> String {
    let all =
        outcomes.iter().flat_map(|outcome| outcome.workloads.iter().map(move |figures| (outcome, figures)));
    // At a shorter interval than the default one, objects are polled more often than an hour shows.
    let hours = all.filter(|(outcome, figures)| {
        figures.workload == "waiting"
            || figures.workload == "steady"
                && (figures.transition >= 600.0 || outcome.part == RunPart::Steady)
    });
    let rows = hours.map(|(outcome, figures)| {
        let hour = 3_600.0 / figures.transition;
        let each = |operation: &str| {
            let count = figures.atlas.get(operation).copied().unwrap_or_default();
            format!("{:.1}", float(count) * hour / outcome.objects.listed() as f64)
        };
        let Population::Dedicated { regions, endpoints, .. } = outcome.objects else { return Vec::new() };
        let is_waiting = figures.workload == "waiting";
        let least = if is_waiting { 60 } else { 6 * (1 + regions * endpoints) };
        vec![
            if is_waiting { "waiting for VPC endpoints" } else { "nothing changes" }.to_owned(),
            numbers(outcome.objects),
            format!("{:.1}", hourly(outcome, figures)),
            least.to_string(),
            each("listservices"),
            each("getendpoint"),
            audit::writes(&figures.cluster).to_string(),
            format!("{:.2}", figures.cpu_seconds * hour * 1e3 / float(outcome.objects.count() as u64)),
        ]
    });
    let head = [
        "",
        "P × R × E",
        "requests a project",
        "least",
        "LISTs a project",
        "GETs a project",
        "writes, all measured",
        "CPU ms an object",
    ];
    table(&head, rows)
}

/// Returns how much later the others were.
pub(crate) fn isolation(isolated: &[Isolated]) -> String {
    let rows = isolated.iter().map(|one| {
        vec![one.fault.clone(), one.others.to_string(), spread(one.to_reserved), spread(one.to_available)]
    });
    table(&["the project", "others", "later to RESERVED, s", "later to AVAILABLE, s"], rows)
}

/// The week.
pub(crate) fn week(week: &SoakResult) -> String {
    let figures = &week.figures;
    let memory: Vec<_> = week.memory_mib.iter().map(|mib| format!("{mib:.1}")).collect();
    let rows = [
        ("objects there ever were", week.objects.to_string()),
        ("requests to Atlas", counts(&figures.atlas)),
        ("requests to the cluster", counts(&figures.cluster)),
        ("CPU", format!("{:.1} s", figures.cpu_seconds)),
        ("memory at the end of each day, MiB", memory.join(", ")),
        ("all well after the last day", format!("{:.1} s", week.recovery_seconds)),
    ];
    table(&["what", "measured"], rows.into_iter().map(|(what, value)| vec![what.to_owned(), value]))
}

fn counts(tally: &Tally) -> String {
    tally.iter().map(|(what, count)| format!("{what} {}", thousands(*count))).collect::<Vec<_>>().join(", ")
}

fn table(head: &[&str], rows: impl Iterator<Item = Vec<String>>) -> String {
    let mut text = format!("| {} |\n|{}\n", head.join(" | "), "---|".repeat(head.len()));
    for row in rows {
        // Writing into a string does not fail.
        let _ = writeln!(text, "| {} |", row.join(" | "));
    }
    text
}

fn ratio(count: u64, of: u64) -> f64 {
    float(count) / float(of.max(1))
}

/// Counts here are far below 2^52.
fn float(count: u64) -> f64 {
    count as f64
}

/// 12345 as 12,345.
pub(crate) fn thousands(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
