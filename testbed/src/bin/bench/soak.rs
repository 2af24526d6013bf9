//! A week in miniature: a day is ten seconds. Objects are created and deleted, one in a hundred endpoints fails, the
//! credentials are rotated, Atlas is down for a day. In the end each object has its one endpoint, and nothing else is
//! left.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Result, ensure};
use atlas_simulator::{InjectedFault, Rule, Status, Termination, max_live};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep_until};

use crate::fixture::{BenchFixture, Environment, patience};
use crate::measure::{Figures, Meter};
use crate::plan::{PlannedObject, SECRET, VPC_ENDPOINT, serverless};
use crate::scenarios::Speed;

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
pub(crate) struct SoakResult {
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
pub(crate) async fn run(environment: &Environment) -> Result<SoakResult> {
    let mut next = OBJECTS;
    let names = serverless(OBJECTS * 4, INSTANCES);
    let mut fixture = BenchFixture::build(environment, "week", Speed::Fast, &names, &FLAGS).await?;
    let fields = fields();
    let mut present: Vec<PlannedObject> = names.iter().take(OBJECTS).cloned().collect();
    let mut failed: Vec<String> = Vec::new();
    let mut gone = 0;
    fixture.create(&present, &fields).await?;
    fixture.seen.until("AVAILABLE", OBJECTS, patience(OBJECTS)).await?;
    let meter = Meter::begin(&mut fixture)?;
    let begun = Instant::now();
    let mut memory_mib = Vec::new();
    for day in 0..7_usize {
        match day {
            ROTATION => {
                fixture.accept(SECRET, 1);
                fixture.put_secret(SECRET, 1).await?;
            }
            OUTAGE => fixture.atlas.inject(
                Rule::always(InjectedFault::NotExecuted(Termination::HtmlUnavailable)).unauthenticated_too(),
            ),
            _ => {}
        }
        // Deletes those that failed yesterday, and the oldest.
        let is_failed = |object: &PlannedObject| failed.contains(&object.name);
        let (mut leaving, mut staying): (Vec<_>, Vec<_>) = present.into_iter().partition(is_failed);
        leaving.extend(staying.drain(..CHURN));
        fixture.delete(&leaving).await?;
        gone += leaving.len();
        let coming: Vec<PlannedObject> = names.iter().skip(next).take(leaving.len()).cloned().collect();
        next += coming.len();
        fixture.create(&coming, &fields).await?;
        failed = fail(&fixture, &staying);
        present = staying.into_iter().chain(coming).collect();
        sleep_until(begun + DAY * u32::try_from(day + 1)?).await;
        match day {
            ROTATION => fixture.refuse(SECRET, 0),
            OUTAGE => fixture.atlas.clear_rules(),
            _ => {}
        }
        memory_mib.push(fixture.operator.usage()?.resident_mib);
    }
    let leaving: Vec<PlannedObject> =
        present.iter().filter(|object| failed.contains(&object.name)).cloned().collect();
    present.retain(|object| !failed.contains(&object.name));
    fixture.delete(&leaving).await?;
    gone += leaving.len();
    let ended = Instant::now();
    fixture.seen.until("AVAILABLE", present.len(), patience(OBJECTS)).await?;
    fixture.seen.until("gone", gone, patience(OBJECTS)).await?;
    let recovery_seconds = ended.elapsed().as_secs_f64();
    let figures = meter.end(&mut fixture, "week", DAY * 7).await?;
    check(&fixture, present.len())?;
    fixture.operator.stop().await?;
    Ok(SoakResult { objects: next, instances: INSTANCES, recovery_seconds, memory_mib, figures })
}

fn fields() -> Value {
    json!({"cloudProviderEndpointId": VPC_ENDPOINT, "interval": "30s"})
}

/// Makes some endpoints fail; returns the names of their objects.
fn fail(fixture: &BenchFixture<'_>, staying: &[PlannedObject]) -> Vec<String> {
    let seen = fixture.seen.objects();
    let failing = staying.iter().rev().filter_map(|object| {
        let id = seen.get(&object.name)?.id()?.clone();
        let is_there =
            fixture.atlas.endpoint(&id).is_some_and(|endpoint| endpoint.status == Status::Available);
        let failed = is_there
            && fixture.atlas.edit_endpoint(&id, |endpoint| {
                endpoint.status = Status::Failed;
                endpoint.error_message = Some("It broke.".to_owned());
            });
        failed.then(|| object.name.clone())
    });
    failing.take(FAILING).collect()
}

/// Requires one endpoint for each existing object, none for the others, and never two for one.
fn check(fixture: &BenchFixture<'_>, present: usize) -> Result<()> {
    let timelines = fixture.atlas.timelines();
    let alive = timelines.iter().filter(|timeline| timeline.now().is_some()).count();
    ensure!(alive == present, "{alive} endpoints for {present} objects");
    let comments: BTreeSet<String> = timelines
        .iter()
        .flat_map(|timeline| &timeline.changes)
        .filter_map(|change| change.endpoint.as_ref()?.comment.clone())
        .collect();
    for comment in &comments {
        let most = max_live(&timelines, |endpoint| endpoint.comment.as_ref() == Some(comment));
        ensure!(most <= 1, "{most} endpoints at once for {comment}");
    }
    Ok(())
}
