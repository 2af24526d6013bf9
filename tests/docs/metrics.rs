//! `docs/reference/metrics.md`, generated from the program's own registry: each metric is counted once, and the
//! exposition is the page.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::time::Duration;

use atlas::{CallRecord, Operation, Outcome};
use domain::status::{ConditionType, Reason};
use spe_operator::app::readiness::Readiness;
use spe_operator::metrics::{
    Metrics, Milestone, ObjectSnapshot, ObjectState, PerObject, PostOutcome, ReconcileResult, WaitingFor,
};

use crate::reference::{compare, opening};

/// Counts every metric once.
fn exercised() -> Metrics {
    let readiness = Readiness::default();
    readiness.wait_for("crd", "it is not installed");
    let metrics = Metrics::new(Some(Box::new(readiness)), true);
    metrics.reconcile_finished(ReconcileResult::Success, Duration::ZERO);
    metrics.max_reconciles(64);
    drop(metrics.queued());
    metrics.cluster_request("GET", "10.0.0.1:443", Some(200));
    metrics.set_leader("spe-operator", true);
    metrics.atlas_call(&CallRecord {
        operation: Operation::List,
        outcome: Outcome::Status(200),
        duration: Duration::ZERO,
        requests: 1,
        credential: "0a1b2c3d".to_owned(),
        remaining: Some(1),
    });
    metrics.post(PostOutcome::Created);
    let snapshot = ObjectSnapshot {
        state: ObjectState::new("RESERVED", false),
        conditions: [
            Some((ConditionType::Ready, false, Reason::AwaitingVpcEndpoint)),
            None,
            None,
            None,
            None,
        ],
        waits_for: Some((WaitingFor::VpcEndpoint, 0)),
    };
    let series = PerObject {
        kind: "PrivateEndpoint".into(),
        namespace: "a".to_owned(),
        name: "orders".to_owned(),
        ready: true,
        stalled: false,
        synced: Some(0),
    };
    metrics.count_objects(move |counts| {
        counts.add(&snapshot);
        counts.add_series(series.clone());
    });
    metrics.transition(Milestone::Reserved, Duration::ZERO);
    metrics
}

/// One family of series, as it is served.
#[derive(Debug, Default)]
struct Family {
    kind: String,
    help: String,
    labels: BTreeSet<String>,
}

fn families(text: &str) -> Vec<(String, Family)> {
    let mut families: Vec<(String, Family)> = Vec::new();
    for line in text.lines() {
        if let Some((name, help)) = line.strip_prefix("# HELP ").and_then(|rest| rest.split_once(' ')) {
            let help = help.trim_end_matches('.').to_owned();
            families.push((name.to_owned(), Family { help, ..Family::default() }));
        } else if let Some((_, kind)) = line.strip_prefix("# TYPE ").and_then(|rest| rest.split_once(' ')) {
            kind.clone_into(&mut families.last_mut().unwrap().1.kind);
        } else if !line.starts_with('#') {
            let labels = line.split_once('{').map_or("", |(_, rest)| rest.split_once('}').unwrap().0);
            let names = labels.split("\",").filter_map(|pair| Some(pair.split_once('=')?.0.to_owned()));
            // Which bucket it is, is Prometheus' own business.
            families.last_mut().unwrap().1.labels.extend(names.filter(|name| name != "le"));
        }
    }
    families
}

/// Returns the name that expressions use.
fn name(family: &str, kind: &str) -> String {
    match kind {
        "counter" => format!("{family}_total"),
        "info" => format!("{family}_info"),
        _ => family.to_owned(),
    }
}

#[test]
fn the_reference_of_the_metrics_is_what_the_program_serves() {
    let text = exercised().encode().unwrap();
    let about = "At `/metrics`, as OpenMetrics. `controller_runtime_…`, `workqueue_…`, `rest_client_…` and `leader_election_…` have the \
                 names of controller-runtime and client-go, so that dashboards made for them work. Every label has a bounded \
                 set of values: no project, no endpoint and no text of an error is ever one, and an object's name only with \
                 `--metrics-per-object`. The chart brings [alerts](../troubleshooting.md#alerts) \
                 (`prometheusRule.enabled`) and a dashboard (`grafanaDashboard.enabled`) made of them.";
    let mut page = opening("Metrics", "`src/metrics`", about);
    page.push_str("| metric | kind | labels | meaning |\n|---|---|---|---|\n");
    let families = families(&text);
    let apart = ["atlas_spe_ready", "atlas_spe_stalled", "atlas_spe_last_sync_timestamp_seconds"];
    for (family, Family { kind, help, labels }) in &families {
        assert!(!help.is_empty() && !kind.is_empty(), "{family} says nothing of itself");
        let labels: Vec<String> = labels.iter().map(|label| format!("`{label}`")).collect();
        let only = if apart.contains(&family.as_str()) { " (with `--metrics-per-object`)" } else { "" };
        let _ = writeln!(page, "| `{}` | {kind} | {} | {help}{only} |", name(family, kind), labels.join(" "));
    }
    page.push_str("\n## Values of labels\n| label | values |\n|---|---|\n");
    for (label, values) in values() {
        let _ = writeln!(page, "| `{label}` | {values} |");
    }
    compare("metrics.md", &page);
    let plain = Metrics::default().encode().unwrap();
    for family in apart {
        assert!(families.iter().any(|(known, _)| known == family), "there is no {family}");
        assert!(!plain.contains(&format!(" {family} ")), "{family} is there without being asked for");
    }
}

fn values() -> BTreeMap<&'static str, String> {
    BTreeMap::from([
        ("code", "for Atlas the HTTP status, or one word where there was none; a status that Atlas is not known to give counts as its class, `4xx`".to_owned()),
        ("credential", "eight characters that stand for a key, made from its public half".to_owned()),
        ("outcome", "`created`, `refused`, `uncertain`: what is known of a create request".to_owned()),
        ("reason", "a [reason](conditions.md#reasons)".to_owned()),
        ("result", "`success`, `error`, `requeue`, `requeue_after`".to_owned()),
        ("state", "a status of Atlas; `NONE` without an endpoint, `OTHER` for a word that this version does not know".to_owned()),
        ("to", "`reserved` (from the claim), `available` (from the VPC endpoint's id), `deleted` (from the deletion)".to_owned()),
        ("type", "`Ready`, `Synced`, and while they are True `Stalled`, `Suspended` and `ApiSunset`".to_owned()),
        ("waits_for", "of an object: `vpc_endpoint`, `progress` (Atlas or the operator), `correction` (yours), `deletion`; of the program: what `/readyz` names".to_owned()),
    ])
}
