//! A week in miniature: a day is ten seconds. Objects are created and deleted, one in a hundred endpoints fails, the
//! credentials are rotated, Atlas is down for a day. In the end each object has its one endpoint, and nothing else is
//! left.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Result, ensure};
use atlas_simulator::{Fault, Rule, Status, Termination, most_alive};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep_until};

use crate::measure::{Figures, Meter};
use crate::scenarios::Speed;
use crate::stage::{Planned, SECRET, Stage, VPC_ENDPOINT, World, patience, plan};

const DAY: Duration = Duration::from_secs(10);
const OBJECTS: usize = 300;
const INSTANCES: usize = 30;
/// Objects that are deleted each day, and as many that are created.
const CHURN: usize = 15;
/// Endpoints that fail each day; a day later their objects are replaced.
const FAILING: usize = 3;
/// The day on which the credentials are rotated: the new key exists at its beginning, the old one is rejected at its
/// end.
const ROTATION: usize = 2;
/// The day on which Atlas returns nothing but 503.
const OUTAGE: usize = 4;

/// The times of the protocol, scaled together, so that a week fits.
const FLAGS: [&str; 8] = [
    "--create-deadline=1s",
    "--atlas-timeout=2s",
    "--travel-allowance=1s",
    "--create-uncertainty=8s",
    "--confirm-gap=1s",
    "--visibility-window=2s",
    "--poll-min=1s",
    "--poll-max=5s",
];

/// The result of the week.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Week {
    /// The number of all objects that ever existed.
    pub(crate) objects: usize,
    pub(crate) instances: usize,
    /// From the end of the last day until all objects had converged.
    pub(crate) recovery_seconds: f64,
    /// Memory at the end of each day.
    pub(crate) memory_mib: Vec<f64>,
    pub(crate) figures: Figures,
}

/// Runs the week.
pub(crate) async fn run(world: &World) -> Result<Week> {
    let mut next = OBJECTS;
    let names = plan(OBJECTS * 4, INSTANCES);
    let speed = (Speed::Fast.pace(), Speed::Fast.latency());
    let mut stage = Stage::build(world, "week", speed, &names, &FLAGS).await?;
    let fields = fields();
    let mut present: Vec<Planned> = names.iter().take(OBJECTS).cloned().collect();
    let mut failed: Vec<String> = Vec::new();
    let mut gone = 0;
    stage.create(&present, &fields).await?;
    stage.seen.until("AVAILABLE", OBJECTS, patience(OBJECTS)).await?;
    let meter = Meter::begin(&mut stage)?;
    let begun = Instant::now();
    let mut memory_mib = Vec::new();
    for day in 0..7_usize {
        match day {
            ROTATION => {
                stage.accept(SECRET, 1);
                stage.put_secret(SECRET, 1).await?;
            }
            OUTAGE => stage
                .atlas
                .inject(Rule::always(Fault::NotExecuted(Termination::HtmlUnavailable)).unauthenticated_too()),
            _ => {}
        }
        // Deletes those that failed yesterday, and the oldest.
        let is_failed = |object: &Planned| failed.contains(&object.name);
        let (mut leaving, mut staying): (Vec<_>, Vec<_>) = present.into_iter().partition(is_failed);
        leaving.extend(staying.drain(..CHURN));
        stage.delete(&leaving).await?;
        gone += leaving.len();
        let coming: Vec<Planned> = names.iter().skip(next).take(leaving.len()).cloned().collect();
        next += coming.len();
        stage.create(&coming, &fields).await?;
        failed = fail(&stage, &staying);
        present = staying.into_iter().chain(coming).collect();
        sleep_until(begun + DAY * u32::try_from(day + 1)?).await;
        match day {
            ROTATION => stage.refuse(SECRET, 0),
            OUTAGE => stage.atlas.behave(),
            _ => {}
        }
        memory_mib.push(stage.operator.usage()?.resident_mib);
    }
    let leaving: Vec<Planned> =
        present.iter().filter(|object| failed.contains(&object.name)).cloned().collect();
    present.retain(|object| !failed.contains(&object.name));
    stage.delete(&leaving).await?;
    gone += leaving.len();
    let ended = Instant::now();
    stage.seen.until("AVAILABLE", present.len(), patience(OBJECTS)).await?;
    stage.seen.until("gone", gone, patience(OBJECTS)).await?;
    let recovery_seconds = ended.elapsed().as_secs_f64();
    let figures = meter.end(&mut stage, "week", DAY * 7).await?;
    check(&stage, present.len())?;
    stage.operator.stop().await?;
    Ok(Week { objects: next, instances: INSTANCES, recovery_seconds, memory_mib, figures })
}

fn fields() -> Value {
    json!({"cloudProviderEndpointId": VPC_ENDPOINT, "interval": "30s"})
}

/// Makes some endpoints fail; returns the names of their objects.
fn fail(stage: &Stage<'_>, staying: &[Planned]) -> Vec<String> {
    let seen = stage.seen.objects();
    let failing = staying.iter().rev().filter_map(|object| {
        let id = seen.get(&object.name)?.id.clone()?;
        let is_there = stage.atlas.endpoint(&id).is_some_and(|endpoint| endpoint.status == Status::Available);
        let failed = is_there
            && stage.atlas.edit_endpoint(&id, |endpoint| {
                endpoint.status = Status::Failed;
                endpoint.error_message = Some("It broke.".to_owned());
            });
        failed.then(|| object.name.clone())
    });
    failing.take(FAILING).collect()
}

/// Requires one endpoint for each existing object, none for the others, and never two for one.
fn check(stage: &Stage<'_>, present: usize) -> Result<()> {
    let lives = stage.atlas.timelines();
    let alive = lives.iter().filter(|life| life.now().is_some()).count();
    ensure!(alive == present, "{alive} endpoints for {present} objects");
    let comments: BTreeSet<String> = lives
        .iter()
        .flat_map(|life| &life.changes)
        .filter_map(|change| change.endpoint.as_ref()?.comment.clone())
        .collect();
    for comment in &comments {
        let most = most_alive(&lives, |endpoint| endpoint.comment.as_ref() == Some(comment));
        ensure!(most <= 1, "{most} endpoints at once for {comment}");
    }
    Ok(())
}
