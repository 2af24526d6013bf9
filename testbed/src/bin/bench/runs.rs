//! Runs a scenario, workload by workload.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::fixture::{BenchFixture, Environment, PlannedObject, VPC_ENDPOINT, patience, plan};
use crate::measure::{Figures, Meter, lateness, queued};
use crate::scenarios::{BenchScenario, Workload};

/// How long an operator without objects is measured.
const IDLE: Duration = Duration::from_secs(10);

/// The interval at which the number of its reconciles is polled.
const GLANCE: Duration = Duration::from_millis(100);

/// The result of a scenario.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct RunResult {
    pub(crate) name: String,
    pub(crate) objects: usize,
    pub(crate) instances: usize,
    /// Load of the machine over the last minute before it began, which this measurement did not cause.
    pub(crate) load_before: f64,
    pub(crate) workloads: Vec<Figures>,
}

/// Runs one scenario. Any failure ends it: figures of a run that lost or duplicated something are worth nothing.
pub(crate) async fn run(environment: &Environment, scenario: &BenchScenario) -> Result<RunResult> {
    let planned = plan(scenario.objects, scenario.instances);
    let name = scenario.name();
    let load_before = load()?;
    let speed = (scenario.speed.pace(), scenario.speed.latency());
    let mut fixture = BenchFixture::build(environment, &name, speed, &planned, &[]).await?;
    let mut workloads = Vec::new();
    for workload in &scenario.workloads {
        let figures;
        (fixture, figures) = perform(fixture, *workload, scenario, &planned).await?;
        println!("  {name} {}: {}", workload.name(), crate::table::in_short(&figures));
        workloads.push(figures);
    }
    let timelines = fixture.atlas.timelines();
    ensure!(
        timelines.len() == planned.len(),
        "{name}: {} endpoints for {} objects",
        timelines.len(),
        planned.len()
    );
    if scenario.workloads.contains(&Workload::Delete) {
        let left = timelines.iter().filter(|timeline| timeline.now().is_some()).count();
        ensure!(left == 0, "{name}: {left} endpoints are left");
    }
    fixture.operator.stop().await?;
    Ok(RunResult { name, objects: scenario.objects, instances: scenario.instances, load_before, workloads })
}

async fn perform<'a>(
    mut fixture: BenchFixture<'a>,
    workload: Workload,
    scenario: &BenchScenario,
    planned: &[PlannedObject],
) -> Result<(BenchFixture<'a>, Figures)> {
    let (count, patience) =
        (planned.len(), patience(planned.len()) + workload.transition(scenario.speed) * 2);
    let transition = workload.transition(scenario.speed);
    let meter = Meter::begin(&mut fixture)?;
    let mut fields = json!({});
    if let Some(interval) = scenario.interval() {
        fields["interval"] = json!(format!("{}s", interval.as_secs()));
    }
    let figures = match workload {
        Workload::Idle => {
            sleep(IDLE).await;
            meter.end(&mut fixture, workload.name(), transition).await?
        }
        Workload::Create => {
            let requested = fixture.create(planned, &fields).await?;
            fixture.seen.until("RESERVED", count, patience).await?;
            let figures = meter.end(&mut fixture, workload.name(), transition).await?;
            let (queue, lateness) = (queued(&fixture, &requested), lateness(&fixture, Some("RESERVED")));
            Figures { queue, lateness, ..figures }
        }
        Workload::Attach => {
            fixture.edit(planned, &vpc_endpoint()).await?;
            fixture.seen.until("AVAILABLE", count, patience).await?;
            let figures = meter.end(&mut fixture, workload.name(), transition).await?;
            Figures { lateness: lateness(&fixture, Some("AVAILABLE")), ..figures }
        }
        Workload::Whole => {
            fields["cloudProviderEndpointId"] = json!(VPC_ENDPOINT);
            let requested = fixture.create(planned, &fields).await?;
            fixture.seen.until("AVAILABLE", count, patience).await?;
            let figures = meter.end(&mut fixture, workload.name(), transition).await?;
            let (queue, lateness) = (queued(&fixture, &requested), lateness(&fixture, Some("AVAILABLE")));
            Figures { queue, lateness, ..figures }
        }
        Workload::Steady { lasts, .. } => {
            sleep(lasts).await;
            meter.end(&mut fixture, workload.name(), transition).await?
        }
        Workload::Restart => {
            let begun: Instant;
            (fixture, begun) = fixture.restart().await?;
            let waiting = Instant::now();
            while fixture.operator.reconciled().await.unwrap_or_default() < count {
                ensure!(waiting.elapsed() < patience, "not every object was reconciled after a restart");
                sleep(GLANCE).await;
            }
            Meter::of_a_new_process(begun).end(&mut fixture, workload.name(), transition).await?
        }
        Workload::Delete => {
            fixture.delete(planned).await?;
            fixture.seen.until("gone", count, patience).await?;
            let figures = meter.end(&mut fixture, workload.name(), transition).await?;
            Figures { lateness: lateness(&fixture, None), ..figures }
        }
    };
    Ok((fixture, figures))
}

fn vpc_endpoint() -> Value {
    json!({"cloudProviderEndpointId": VPC_ENDPOINT})
}

/// Returns the machine's load over the last minute.
pub(crate) fn load() -> Result<f64> {
    let text = std::fs::read_to_string("/proc/loadavg")?;
    Ok(text.split_whitespace().next().unwrap_or_default().parse()?)
}
