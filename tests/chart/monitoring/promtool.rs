//! Prometheus' own checks: of the format, of the alerts and their cases, and of each expression of the dashboard on the
//! metrics of a real run. Building promtool takes seven minutes of one processor.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::exposition::{Sample, samples};
use super::expressions::dashboard;
use super::served;
use crate::helm::chart;

async fn promtool() -> Command {
    let package = "github.com/prometheus/prometheus/cmd/promtool";
    Command::new(testbed::go_tool("prometheus", package, "promtool").await.unwrap())
}

/// Runs it to its end; returns its output if it found no error.
fn run(command: &mut Command) -> Result<String, String> {
    let output = command.output().unwrap();
    let text =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    if output.status.success() { Ok(text) } else { Err(text) }
}

fn scratch(name: &str, text: &str) -> PathBuf {
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::write(&file, text).unwrap();
    file
}

#[tokio::test]
#[ignore = "builds promtool: make release-check"]
async fn promtool_parses_the_served_openmetrics() {
    // Into a database, which wants to know when it was.
    let dated =
        |line: &str| if line.starts_with('#') { line.to_owned() } else { format!("{line} 1700000000") };
    let text: Vec<String> = served().await.lines().map(dated).collect();
    let file = scratch("openmetrics.txt", &(text.join("\n") + "\n"));
    let blocks = file.with_extension("blocks");
    let _ = std::fs::remove_dir_all(&blocks);
    run(promtool().await.args(["tsdb", "create-blocks-from", "openmetrics"]).arg(&file).arg(&blocks))
        .unwrap();
    assert!(std::fs::read_dir(&blocks).unwrap().next().is_some(), "it made nothing of it");
    // Without its end it is no such text.
    let cut = text[..text.len() - 1].join("\n") + "\n";
    std::fs::write(&file, cut).unwrap();
    assert!(
        run(promtool().await.args(["tsdb", "create-blocks-from", "openmetrics"]).arg(&file).arg(&blocks))
            .is_err()
    );
}

#[tokio::test]
#[ignore = "builds promtool: make release-check"]
async fn promtool_accepts_the_alerts_and_their_cases() {
    let rules = chart().join("files/alerts.yaml");
    run(promtool().await.args(["check", "rules", "--lint-fatal"]).arg(rules)).unwrap();
    let cases = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/chart/alerts.test.yaml");
    run(promtool().await.args(["test", "rules", cases])).unwrap();
}

#[tokio::test]
#[ignore = "builds promtool: make release-check"]
async fn every_expression_of_the_dashboard_has_data_of_a_real_run() {
    let samples = samples(served().await);
    let mut cases = "evaluation_interval: 1m\ntests:\n- input_series:\n".to_owned();
    for sample in samples {
        let _ = writeln!(cases, "  - {{series: '{}', values: '{}'}}", series(&sample), course(&sample));
    }
    cases.push_str("  promql_expr_test:\n");
    let expressions = dashboard();
    for expression in &expressions {
        let text = expression.text.replace("$__rate_interval", "5m").replace("$job", "spe");
        // One if there is anything to be seen, and nothing if not.
        let _ = writeln!(cases, "  - expr: '(count({text}) > bool 0)'");
        cases.push_str("    eval_time: 7h\n    exp_samples: [{labels: '{}', value: 1}]\n");
    }
    let file = scratch("dashboard.test.yaml", &cases);
    run(promtool().await.args(["test", "rules"]).arg(&file)).unwrap();
    // The same with an expression that matches no series.
    let blind = cases.replace("atlas_spe_open_claims{job=~", "atlas_spe_open_claims{job!~");
    assert_ne!(blind, cases);
    let file = scratch("blind.test.yaml", &blind);
    assert!(run(promtool().await.args(["test", "rules"]).arg(&file)).is_err());
}

/// Returns the series as Prometheus stores them after a scrape.
fn series(sample: &Sample) -> String {
    let mut series = format!("{}{{job=\"spe\", instance=\"1\"", sample.name);
    for (label, value) in &sample.labels {
        let _ = write!(series, ", {label}=\"{value}\"");
    }
    series + "}"
}

/// Counters go on rising; gauges stay.
fn course(sample: &Sample) -> String {
    let counts = ["_total", "_bucket", "_count", "_sum"].iter().any(|suffix| sample.name.ends_with(suffix));
    if counts { format!("0+{}x480", sample.value) } else { format!("{}x480", sample.value) }
}
