//! Alerts and dashboard against metrics and log of a working operator: every name in them is served, with those labels.
//! Tests that need promtool, which takes minutes to build, run with `make release-check`.

mod exposition;
mod expressions;
mod promtool;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use domain::status::{ConditionType, Reason};
use serde_json::{Value, json};
use spe_operator::metrics::WaitingFor;
use testbed::Process;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::OnceCell;

use crate::helm::{chart, of_kind, operator_arguments, render};
use crate::release::{Mode, PATIENCE, Release};
use crate::rights::{User, install_definitions};
use exposition::{Sample, labels_by_name, samples};
use expressions::{Expression, alerts, dashboard, names};

/// The labels that Prometheus adds to every series when it scrapes a pod.
const OF_THE_SCRAPE: [&str; 4] = ["instance", "job", "namespace", "pod"];

/// Served only before the operator leads, as `tests/program` shows.
const EARLY: &str = "atlas_spe_not_ready{waits_for=\"crd\"} 1";

/// Served by kube-state-metrics, as its own documentation has them.
const OF_KUBE_STATE_METRICS: &str = "\
kube_pod_container_status_last_terminated_reason{namespace=\"a\",pod=\"p\",container=\"main\",reason=\"OOMKilled\"} 1
kube_pod_container_status_restarts_total{namespace=\"a\",pod=\"p\",container=\"main\"} 1
";

/// An endpoint that Atlas does not have.
const NOWHERE: &str = "5f7cac1adf5d6c6306f4b2ff";

/// The metrics and the log of an operator that did most of what it can do.
struct OperatorOutput {
    metrics: String,
    log: Vec<String>,
}

async fn observed() -> &'static OperatorOutput {
    static OBSERVED: OnceCell<OperatorOutput> = OnceCell::const_new();
    OBSERVED.get_or_init(|| async { work().await.unwrap() }).await
}

async fn served() -> &'static str {
    &observed().await.metrics
}

async fn work() -> Result<OperatorOutput> {
    install_definitions().await;
    // Only version 2 of the API reports what is left of a rate limit.
    let mut release = Release::with(Mode::Cluster, &["atlas.api=v2", "logging.format=json"]).await?;
    release.grant(None).await?;
    let operator = release.operator().await?;
    let user = User::on(&release);
    user.secret(&release.work, "atlas-api").await?;
    user.secret_with(&release.work, "wrong", "nobody").await?;
    let key = json!({"name": "atlas-api"});
    for name in ["connected", "reserved", "deleted"] {
        user.declare(name, json!({"credentialsRef": key})).await?;
    }
    user.declare("refused", json!({"credentialsRef": {"name": "wrong"}})).await?;
    user.declare("lost", json!({"credentialsRef": key, "endpointId": NOWHERE})).await?;
    for name in ["connected", "reserved", "deleted"] {
        user.until_ready_says(name, "Reserved").await?;
    }
    user.edit("connected", json!({"cloudProviderEndpointId": "vpce-0a1b2c3d4e5f60701"})).await?;
    user.until_ready_says("connected", "Available").await?;
    user.until_ready_says("refused", "Unauthorized").await?;
    user.until_ready_says("lost", "EndpointNotFound").await?;
    user.delete("deleted").await?;
    // It hears of that a moment after everybody else.
    let scraped = async {
        loop {
            let text = metrics(&operator, "application/openmetrics-text").await?;
            if text.contains("atlas_spe_transition_seconds_count{to=\"deleted\"} 1\n") {
                return Ok::<_, anyhow::Error>(text);
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let text = tokio::time::timeout(PATIENCE, scraped).await??;
    ensure!(text.ends_with("# EOF\n"), "cut off: {text}");
    Ok(OperatorOutput { metrics: text, log: operator.output() })
}

/// Returns a response of the operator's admin server.
async fn metrics(operator: &Process, accept: &str) -> Result<String> {
    let line = operator.wait_for_line("serving /livez", PATIENCE).await?;
    let line: Value = serde_json::from_str(&line)?;
    let mut stream = TcpStream::connect(line["address"].as_str().context("no address")?).await?;
    let request = format!("GET /metrics HTTP/1.1\r\nHost: operator\r\nAccept: {accept}\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut text = String::new();
    stream.read_to_string(&mut text).await?;
    let (_, body) = text.split_once("\r\n\r\n").context("no body")?;
    Ok(body.to_owned())
}

/// Returns whether the label ever has this value: for those that depend on events, each that the code may set.
fn may_be(label: &str, value: &str) -> bool {
    match label {
        "type" => ConditionType::ALL.iter().any(|kind| kind.as_str() == value),
        "reason" => value == "OOMKilled" || Reason::ALL.iter().any(|reason| reason.as_str() == value),
        "waits_for" => WaitingFor::ALL.iter().any(|awaited| awaited.as_str() == value),
        "status" => ["True", "False"].contains(&value),
        "ready" => ["true", "false"].contains(&value),
        "controller" | "name" => value == "serverlessprivateendpoint",
        "code" => value.parse::<u16>().is_ok_and(|code| (200..600).contains(&code)),
        // The dashboard's own choice.
        "job" => value == "$job",
        other => panic!("nobody knows the values of {other}"),
    }
}

/// Fails unless every name in the expression is served.
fn assert_served(expression: &Expression, known: &BTreeMap<&str, BTreeSet<&str>>) {
    let Expression { place, shown, .. } = expression;
    let names = names(expression);
    let mut labels: BTreeSet<&str> = OF_THE_SCRAPE.into();
    for (metric, selected) in &names.metrics {
        let own = known.get(metric.as_str()).unwrap_or_else(|| panic!("{place}: nobody serves {metric}"));
        for (label, values) in selected {
            let is_known = own.contains(label.as_str()) || OF_THE_SCRAPE.contains(&label.as_str());
            assert!(is_known, "{place}: {metric} has no label {label}");
            for value in values {
                assert!(may_be(label, value), "{place}: {label} of {metric} is never {value}");
            }
        }
        labels.extend(own);
    }
    for label in &names.grouped {
        assert!(labels.contains(label.as_str()), "{place}: there is no label {label} to group by");
    }
    for label in shown {
        assert!(names.grouped.contains(label), "{place}: it shows {label} and does not group by it");
    }
}

#[tokio::test]
async fn every_metric_of_alerts_and_dashboard_is_served() {
    let text = format!("{EARLY}\n{OF_KUBE_STATE_METRICS}{}", served().await);
    let samples = samples(&text);
    let known = labels_by_name(&samples);
    let (alerts, panels) = (alerts(), dashboard());
    assert!(alerts.len() > 10 && panels.len() > 20);
    for expression in alerts.iter().chain(&panels) {
        assert_served(expression, &known);
    }
}

#[tokio::test]
async fn every_label_has_a_bounded_set_of_values() {
    let samples = samples(served().await);
    let values = |label: &str| -> BTreeSet<&str> {
        samples.iter().filter_map(|sample| sample.labels.get(label)).map(String::as_str).collect()
    };
    let labels: BTreeSet<&str> =
        samples.iter().flat_map(|sample| sample.labels.keys()).map(String::as_str).collect();
    assert_eq!(
        labels.into_iter().collect::<Vec<_>>(),
        [
            "code",
            "controller",
            "credential",
            "host",
            "le",
            "method",
            "name",
            "operation",
            "outcome",
            "ready",
            "reason",
            "result",
            "revision",
            "state",
            "status",
            "to",
            "type",
            "version",
            "waits_for"
        ]
    );
    // Neither objects nor projects nor endpoints.
    assert_eq!(values("name").len(), 2, "{:?}", values("name"));
    assert_eq!(values("host").len(), 1);
    assert_eq!(values("credential").len(), 1);
    // Five objects, and three hundred would make no more.
    assert!(samples.len() < 300, "{} series", samples.len());
}

/// Returns the value of the one series of this metric whose labels include these.
#[track_caller]
fn value(samples: &[Sample], name: &str, labels: &[(&str, &str)]) -> f64 {
    let matches = |sample: &&Sample| {
        let has =
            |(label, value): &(&str, &str)| sample.labels.get(*label).map(String::as_str) == Some(*value);
        sample.name == name && labels.iter().all(has)
    };
    let found: Vec<_> = samples.iter().filter(matches).collect();
    assert_eq!(found.len(), 1, "{name} {labels:?}: {found:?}");
    found[0].value
}

#[tokio::test]
async fn the_served_metrics_match_the_executed_requests() {
    let samples = samples(served().await);
    let is = |name: &str, labels: &[(&str, &str)], expected: f64| {
        let found = value(&samples, name, labels);
        assert!((found - expected).abs() < 0.5, "{name} {labels:?} is {found}, not {expected}");
    };
    is("atlas_spe_objects", &[("state", "AVAILABLE"), ("ready", "true")], 1.0);
    is("atlas_spe_objects", &[("state", "RESERVED"), ("ready", "true")], 1.0);
    is("atlas_spe_objects", &[("state", "NONE"), ("ready", "false")], 2.0);
    is("atlas_spe_conditions", &[("type", "Ready"), ("reason", "Unauthorized")], 1.0);
    is("atlas_spe_conditions", &[("type", "Synced"), ("reason", "Unauthorized")], 1.0);
    is("atlas_spe_conditions", &[("type", "Stalled"), ("reason", "EndpointNotFound")], 1.0);
    is("atlas_spe_waiting_objects", &[("waits_for", "vpc_endpoint")], 1.0);
    is("atlas_spe_waiting_objects", &[("waits_for", "progress")], 1.0);
    is("atlas_spe_waiting_objects", &[("waits_for", "correction")], 1.0);
    is("atlas_spe_waiting_objects", &[("waits_for", "deletion")], 0.0);
    is("atlas_spe_posts_total", &[("outcome", "created")], 3.0);
    is("atlas_spe_transition_seconds_count", &[("to", "reserved")], 3.0);
    is("atlas_spe_transition_seconds_count", &[("to", "available")], 1.0);
    is("atlas_spe_transition_seconds_count", &[("to", "deleted")], 1.0);
    assert!(value(&samples, "atlas_spe_conditions", &[("type", "ApiSunset")]) > 1.0);
    is("atlas_spe_overdue_objects", &[], 0.0);
    is("atlas_spe_open_claims", &[], 0.0);
    is("leader_election_master_status", &[], 1.0);
    assert!(value(&samples, "atlas_spe_atlas_rate_limit_remaining", &[]) > 3000.0);
    let oldest =
        value(&samples, "atlas_spe_waiting_since_timestamp_seconds", &[("waits_for", "vpc_endpoint")]);
    let age = f64::from(u32::try_from(jiff::Timestamp::now().as_second()).unwrap()) - oldest;
    assert!((0.0..600.0).contains(&age), "it waits for {age} s");
    let refused =
        value(&samples, "atlas_spe_atlas_requests_total", &[("operation", "list"), ("code", "401")]);
    assert!(refused >= 1.0);
}

#[tokio::test]
async fn each_log_line_is_json_and_names_its_object() {
    let lines: Vec<Value> = observed()
        .await
        .log
        .iter()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("no JSON: {line}")))
        .collect();
    let about = |name: &str, message: &str| -> Vec<&Value> {
        let is_about = |line: &&Value| {
            let object = line["span"]["object"].as_str().unwrap_or_default();
            object.ends_with(&format!("/{name}")) && line["message"] == message
        };
        lines.iter().filter(is_about).collect()
    };
    let created = about("connected", "created the endpoint");
    assert_eq!(created.len(), 1, "{created:?}");
    for field in ["timestamp", "level", "target", "endpoint.id"] {
        assert!(created[0][field].is_string(), "{field} is missing in {}", created[0]);
    }
    assert!(created[0]["span"]["uid"].as_str().is_some_and(|uid| uid.len() == 36), "{}", created[0]);
    assert!(created[0]["span"]["name"] == "reconcile" && created[0]["spans"].is_null());
    // The steps of each reconcile that wrote, at the level that is on by default.
    let steps = |name: &str| -> Vec<String> {
        let written = about(name, "reconciled").into_iter().filter(|line| line["level"] == "INFO");
        written.map(|line| line["steps"].as_str().unwrap().to_owned()).collect()
    };
    assert!(
        steps("connected").iter().any(|steps| steps.contains("list,claim,create,record")),
        "{:?}",
        steps("connected")
    );
    assert!(steps("deleted").iter().any(|steps| steps.contains("delete")), "{:?}", steps("deleted"));
    assert_eq!(steps("refused"), [""; 0]);
}

#[test]
fn every_alert_has_a_runbook_and_positive_and_negative_cases() {
    let read = |path: std::path::PathBuf| -> Value {
        serde_saphyr::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
    };
    let rules = read(chart().join("files/alerts.yaml"));
    let cases = read(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/chart/alerts.test.yaml").into());
    let cases: Vec<&Value> = cases["tests"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|test| test["alert_rule_test"].as_array().unwrap())
        .collect();
    for rule in rules["groups"][0]["rules"].as_array().unwrap() {
        let name = rule["alert"].as_str().unwrap();
        // That the heading is there is checked with the links of the manual.
        let runbook = rule["annotations"]["runbook_url"].as_str().unwrap();
        assert!(runbook.starts_with("docs/troubleshooting.md#"), "{name}: {runbook}");
        assert!(["info", "warning", "critical"].contains(&rule["labels"]["severity"].as_str().unwrap()));
        let own = cases.iter().filter(|case| case["alertname"] == name);
        let (fires, still): (Vec<&Value>, Vec<&Value>) = own.partition(|case| case["exp_alerts"].is_array());
        assert!(!fires.is_empty() && !still.is_empty(), "{name} has {fires:?} and {still:?}");
    }
}

/// One setting for the messages of the program and for the alerts.
#[tokio::test]
async fn messages_and_alerts_link_to_one_url() {
    for (url, base) in [
        ("", ""),
        ("https://git.example/v1", "https://git.example/v1/"),
        ("https://git.example/v1/", "https://git.example/v1/"),
    ] {
        let value = format!("docsBaseUrl={url}");
        let rendered = render("atlas", &["prometheusRule.enabled=true", &value]).await;
        let rules = of_kind(&rendered, "PrometheusRule")[0]["spec"]["groups"][0]["rules"].as_array().unwrap();
        for rule in rules {
            let runbook = rule["annotations"]["runbook_url"].as_str().unwrap();
            assert!(runbook.starts_with(&format!("{base}docs/troubleshooting.md#")), "{runbook}");
        }
        let flags = operator_arguments(&rendered);
        let flag = flags.iter().find_map(|flag| flag.strip_prefix("--docs-base-url="));
        assert_eq!(flag.unwrap_or_default(), url);
    }
}
