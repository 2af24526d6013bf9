//! Runs a scenario, act by act.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::measure::{Figures, Meter, lateness, queued};
use crate::scenarios::{Act, Scenario};
use crate::stage::{Planned, Stage, VPC_ENDPOINT, World, patience, plan};

/// How long an operator without objects is measured.
const IDLE: Duration = Duration::from_secs(10);

/// The interval at which the number of its reconciles is polled.
const GLANCE: Duration = Duration::from_millis(100);

/// The result of a scenario.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Outcome {
    pub(crate) name: String,
    pub(crate) objects: usize,
    pub(crate) instances: usize,
    /// Load of the machine over the last minute before it began, which this measurement did not cause.
    pub(crate) load_before: f64,
    pub(crate) acts: Vec<Figures>,
}

/// Runs one scenario. Any failure ends it: figures of a run that lost or duplicated something are worth nothing.
pub(crate) async fn run(world: &World, scenario: &Scenario) -> Result<Outcome> {
    let planned = plan(scenario.objects, scenario.instances);
    let name = scenario.name();
    let load_before = load()?;
    let speed = (scenario.speed.pace(), scenario.speed.latency());
    let mut stage = Stage::build(world, &name, speed, &planned, &[]).await?;
    let mut acts = Vec::new();
    for act in &scenario.acts {
        let figures;
        (stage, figures) = perform(stage, *act, scenario, &planned).await?;
        println!("  {name} {}: {}", act.name(), crate::table::in_short(&figures));
        acts.push(figures);
    }
    let lives = stage.atlas.timelines();
    ensure!(lives.len() == planned.len(), "{name}: {} endpoints for {} objects", lives.len(), planned.len());
    if scenario.acts.contains(&Act::Delete) {
        let left = lives.iter().filter(|life| life.now().is_some()).count();
        ensure!(left == 0, "{name}: {left} endpoints are left");
    }
    stage.operator.stop().await?;
    Ok(Outcome { name, objects: scenario.objects, instances: scenario.instances, load_before, acts })
}

async fn perform<'a>(
    mut stage: Stage<'a>,
    act: Act,
    scenario: &Scenario,
    planned: &[Planned],
) -> Result<(Stage<'a>, Figures)> {
    let (count, patience) = (planned.len(), patience(planned.len()) + act.transition(scenario.speed) * 2);
    let transition = act.transition(scenario.speed);
    let meter = Meter::begin(&mut stage)?;
    let mut fields = json!({});
    if let Some(interval) = scenario.interval() {
        fields["interval"] = json!(format!("{}s", interval.as_secs()));
    }
    let figures = match act {
        Act::Idle => {
            sleep(IDLE).await;
            meter.end(&mut stage, act.name(), transition).await?
        }
        Act::Create => {
            let asked = stage.create(planned, &fields).await?;
            stage.seen.until("RESERVED", count, patience).await?;
            let figures = meter.end(&mut stage, act.name(), transition).await?;
            let (queue, lateness) = (queued(&stage, &asked), lateness(&stage, Some("RESERVED")));
            Figures { queue, lateness, ..figures }
        }
        Act::Attach => {
            stage.edit(planned, &vpc_endpoint()).await?;
            stage.seen.until("AVAILABLE", count, patience).await?;
            let figures = meter.end(&mut stage, act.name(), transition).await?;
            Figures { lateness: lateness(&stage, Some("AVAILABLE")), ..figures }
        }
        Act::Whole => {
            fields["cloudProviderEndpointId"] = json!(VPC_ENDPOINT);
            let asked = stage.create(planned, &fields).await?;
            stage.seen.until("AVAILABLE", count, patience).await?;
            let figures = meter.end(&mut stage, act.name(), transition).await?;
            let (queue, lateness) = (queued(&stage, &asked), lateness(&stage, Some("AVAILABLE")));
            Figures { queue, lateness, ..figures }
        }
        Act::Steady { lasts, .. } => {
            sleep(lasts).await;
            meter.end(&mut stage, act.name(), transition).await?
        }
        Act::Restart => {
            let begun: Instant;
            (stage, begun) = stage.restart().await?;
            let waiting = Instant::now();
            while stage.operator.looked_at().await.unwrap_or_default() < count {
                ensure!(waiting.elapsed() < patience, "not every object was looked at after a restart");
                sleep(GLANCE).await;
            }
            Meter::of_a_new_process(begun).end(&mut stage, act.name(), transition).await?
        }
        Act::Delete => {
            stage.delete(planned).await?;
            stage.seen.until("gone", count, patience).await?;
            let figures = meter.end(&mut stage, act.name(), transition).await?;
            Figures { lateness: lateness(&stage, None), ..figures }
        }
    };
    Ok((stage, figures))
}

fn vpc_endpoint() -> Value {
    json!({"cloudProviderEndpointId": VPC_ENDPOINT})
}

/// Returns the machine's load over the last minute.
pub(crate) fn load() -> Result<f64> {
    let text = std::fs::read_to_string("/proc/loadavg")?;
    Ok(text.split_whitespace().next().unwrap_or_default().parse()?)
}
