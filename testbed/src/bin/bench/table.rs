//! Figures as text: a line for the terminal, tables for the page.

use std::fmt::Write as _;

use crate::audit::{self, Tally};
use crate::isolation::Isolated;
use crate::judge::{BudgetVerdict, least_requests, requests};
use crate::measure::{Figures, Spread};
use crate::runs::RunResult;
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
    for outcome in outcomes {
        for figures in outcome.workloads.iter().filter(|figures| figures.workload == name) {
            rows.push(row(outcome, figures));
        }
    }
    table(
        &[
            "objects",
            "instances",
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
    let (objects, spent) = (outcome.objects, requests(figures));
    let least = least_requests(&figures.workload, objects, outcome.instances);
    let each = |count: u64| format!("{:.2}", ratio(count, objects as u64));
    vec![
        thousands(objects as u64),
        thousands(outcome.instances as u64),
        thousands(spent),
        least.map_or_else(String::new, thousands),
        least.map_or_else(String::new, |least| format!("{:.2}", ratio(spent, least))),
        thousands(figures.atlas.get("401").copied().unwrap_or_default()),
        each(audit::writes(&figures.cluster)),
        each(audit::events(&figures.cluster)),
        each(audit::reads(&figures.cluster)),
        format!("{:.1}", figures.seconds - figures.transition),
        figures.lateness.map_or_else(String::new, spread),
        format!("{:.2}", figures.cpu_seconds * 1e3 / float(objects as u64)),
        format!("{:.1}", figures.peak_mib),
        format!("{:.1}", figures.final_mib),
    ]
}

/// From no object to AVAILABLE, at both speeds, beside the peer.
pub(crate) fn speeds(outcomes: &[RunResult]) -> String {
    let all =
        outcomes.iter().flat_map(|outcome| outcome.workloads.iter().map(move |figures| (outcome, figures)));
    let rows = all.filter(|(_, figures)| figures.workload == "whole").map(|(outcome, figures)| {
        let least = least_requests("whole", outcome.objects, outcome.instances).unwrap_or_default();
        let writes = audit::writes(&figures.cluster);
        vec![
            if outcome.name.starts_with("fast") { "10 ms, 2 s" } else { "recorded" }.to_owned(),
            format!("{} on {}", outcome.objects, outcome.instances),
            thousands(requests(figures)),
            thousands(least),
            format!("{:.2}", ratio(requests(figures), least)),
            thousands(figures.atlas.get("401").copied().unwrap_or_default()),
            format!("{:.2}", ratio(writes, outcome.objects as u64)),
            format!("{:.1}", figures.seconds - figures.transition),
            figures.queue.map_or_else(String::new, spread),
            figures.lateness.map_or_else(String::new, spread),
        ]
    });
    let head = [
        "Atlas",
        "objects",
        "requests",
        "least",
        "×",
        "401s",
        "writes an object",
        "s beyond Atlas",
        "queued, s",
        "late, s",
    ];
    table(&head, rows)
}

/// Requests of one run by kind, each also for one object.
pub(crate) fn kinds(outcome: &RunResult) -> String {
    let kinds = ["401", "list", "create", "update", "delete"];
    let rows = outcome.workloads.iter().filter(|figures| figures.workload != "idle").map(|figures| {
        let mut row = vec![figures.workload.clone()];
        row.extend(kinds.iter().map(|kind| {
            let count = figures.atlas.get(*kind).copied().unwrap_or_default();
            format!("{} ({:.2})", thousands(count), ratio(count, outcome.objects as u64))
        }));
        row
    });
    let mut head = vec!["workload"];
    head.extend(kinds);
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
