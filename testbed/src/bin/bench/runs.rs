//! Runs a scenario, workload by workload.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use atlas_simulator::Operation;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::fixture::{BenchFixture, Environment, patience};
use crate::lives::lives;
use crate::measure::{Figures, Meter, Spread, lateness, queued};
use crate::observations::AVAILABLE;
use crate::plan::{PlannedObject, VPC_ENDPOINT, plan};
use crate::scenarios::{BenchScenario, Population, RunPart, Speed, Workload};

/// How long an operator without objects is measured.
const IDLE: Duration = Duration::from_secs(10);

/// The interval at which the number of its reconciles is polled.
const GLANCE: Duration = Duration::from_millis(100);

/// The result of a scenario.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct RunResult {
    pub(crate) name: String,
    pub(crate) part: RunPart,
    pub(crate) objects: Population,
    pub(crate) speed: Speed,
    /// Load of the machine over the last minute before it began, which this measurement did not cause.
    pub(crate) load_before: f64,
    pub(crate) workloads: Vec<Figures>,
}

/// Runs one scenario. Any failure ends it: figures of a run that lost or duplicated something are worth nothing.
pub(crate) async fn run(environment: &Environment, scenario: &BenchScenario) -> Result<RunResult> {
    let planned = plan(scenario.objects, scenario.part == RunPart::Waiting);
    let name = scenario.name();
    let load_before = load()?;
    let mut fixture = BenchFixture::build(environment, &name, scenario.speed, &planned, &[]).await?;
    let mut workloads = Vec::new();
    for workload in &scenario.workloads {
        let figures;
        (fixture, figures) = perform(fixture, *workload, scenario, &planned).await?;
        println!("  {name} {}: {}", workload.name(), crate::table::in_short(&figures));
        workloads.push(figures);
    }
    let lives = lives(&fixture.atlas);
    // What is lost is made again, and what waits has no life yet.
    if scenario.part != RunPart::Waiting {
        ensure!(lives.len() == planned.len(), "{name}: {} lives for {} objects", lives.len(), planned.len());
    }
    if scenario.workloads.contains(&Workload::Delete) {
        let left = lives.iter().filter(|life| life.exists()).count();
        ensure!(left == 0, "{name}: {left} of them are left");
    }
    fixture.operator.stop().await?;
    let BenchScenario { part, objects, speed, .. } = *scenario;
    Ok(RunResult { name, part, objects, speed, load_before, workloads })
}

async fn perform<'a>(
    mut fixture: BenchFixture<'a>,
    workload: Workload,
    scenario: &BenchScenario,
    planned: &[PlannedObject],
) -> Result<(BenchFixture<'a>, Figures)> {
    let transition = workload.transition(scenario);
    let (count, patience) = (planned.len(), patience(planned.len()) + transition * 2);
    let mut meter = Meter::begin(&mut fixture)?;
    let (mut requested, mut lost) = (BTreeMap::new(), None);
    match workload {
        Workload::Idle => sleep(IDLE).await,
        Workload::Create | Workload::Whole | Workload::Await => {
            requested = fixture.create(planned, &fields(scenario, workload)).await?;
        }
        Workload::Attach => drop(fixture.edit(planned, &vpc_endpoint()).await?),
        Workload::Steady { lasts, .. } | Workload::Waiting { lasts } => sleep(lasts).await,
        Workload::Lose => lost = Some(lose(&fixture, patience).await?),
        Workload::Restart => {
            let begun: Instant;
            (fixture, begun) = fixture.restart().await?;
            let waiting = Instant::now();
            while fixture.operator.reconciled().await.unwrap_or_default() < count {
                ensure!(waiting.elapsed() < patience, "not every object was reconciled after a restart");
                sleep(GLANCE).await;
            }
            meter = Meter::of_a_new_process(begun);
        }
        Workload::Delete => drop(fixture.delete(planned).await?),
    }
    for (shown, count) in workload.shows(scenario.objects) {
        fixture.seen.until(shown, count, patience).await?;
    }
    let mut figures = meter.end(&mut fixture, workload.name(), transition).await?;
    figures.queue = queued(&fixture, &requested);
    figures.lateness = match workload {
        Workload::Create => lateness(&fixture, Some("RESERVED")),
        Workload::Attach | Workload::Whole => lateness(&fixture, Some(AVAILABLE)),
        Workload::Delete => lateness(&fixture, None),
        _ => None,
    };
    if let Some((noticed, shown)) = lost {
        (figures.queue, figures.lateness) = (noticed, shown);
    }
    Ok((fixture, figures))
}

/// Returns the fields that objects are created with, beside the required ones.
fn fields(scenario: &BenchScenario, workload: Workload) -> Value {
    let mut fields = json!({});
    if let Some(interval) = scenario.interval() {
        fields["interval"] = json!(format!("{}s", interval.as_secs()));
    }
    if workload == Workload::Whole && !scenario.objects.is_dedicated() {
        fields["cloudProviderEndpointId"] = json!(VPC_ENDPOINT);
    }
    fields
}

fn vpc_endpoint() -> Value {
    json!({"cloudProviderEndpointId": VPC_ENDPOINT})
}

/// Removes all services from Atlas, and waits until each object shows it. Returns how long it took until a listing showed it, by
/// project, and until the objects did.
async fn lose(fixture: &BenchFixture<'_>, patience: Duration) -> Result<(Option<Spread>, Option<Spread>)> {
    let begun = Instant::now();
    let services = fixture.atlas.service_courses();
    for service in &services {
        ensure!(fixture.atlas.remove_service(&service.id), "the service {} is not there", service.id);
    }
    let removed = begun.saturating_duration_since(fixture.epoch);
    let services: BTreeSet<String> = services.into_iter().map(|service| service.id).collect();
    let shown = fixture.seen.until_not_available(&services, begun, patience).await?;
    let mut listings: BTreeMap<String, Duration> = BTreeMap::new();
    for entry in fixture.atlas.journal() {
        if entry.is(Operation::ListServices) && entry.executed_at.is_some_and(|at| at >= removed) {
            listings.entry(entry.project.unwrap_or_default()).or_insert(entry.at.saturating_sub(removed));
        }
    }
    let noticed = Spread::of(listings.into_values().map(|time| time.as_secs_f64()));
    Ok((noticed, Spread::of(shown.into_iter().map(|time| time.as_secs_f64()))))
}

/// Returns the machine's load over the last minute.
pub(crate) fn load() -> Result<f64> {
    let text = std::fs::read_to_string("/proc/loadavg")?;
    Ok(text.split_whitespace().next().unwrap_or_default().parse()?)
}
