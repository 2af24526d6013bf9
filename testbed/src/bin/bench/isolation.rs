//! One of a hundred projects hangs, sends 429s, or rejects its key, with more objects than any limit: are the objects
//! of the others later than without it?
//!
//! Each of the others has an instance of its own, so that its polls depend on nothing but itself.

use std::collections::{BTreeMap, HashMap};
use std::time::Instant;

use anyhow::{Context, Result};
use atlas_simulator::{InjectedFault, Rule, Termination};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::fixture::{BenchFixture, Environment, patience};
use crate::measure::Spread;
use crate::observations::ObservedObject;
use crate::plan::{PlannedObject, SECRET, VPC_ENDPOINT, project};
use crate::scenarios::Speed;

/// Healthy projects, and the objects of each.
const WELL: (usize, usize) = (99, 3);

/// Instances of the faulty project, and its objects.
const ILL: (usize, usize) = (20, 200);

/// The Secret of the faulty project.
const ITS_SECRET: &str = "atlas-api-ill";

/// How much later the others were than without the fault, in seconds.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Isolated {
    pub(crate) fault: String,
    /// The objects that are compared.
    pub(crate) others: usize,
    pub(crate) to_reserved: Spread,
    pub(crate) to_available: Spread,
}

type SecondsByObject = BTreeMap<String, f64>;

/// Runs the same with and without each fault.
pub(crate) async fn run(environment: &Environment) -> Result<Vec<Isolated>> {
    let faults = [
        ("hangs", Termination::Hang),
        ("429", Termination::RateLimited { retry_after: None }),
        ("401", Termination::Unauthenticated),
    ];
    let (reserved, available) = times(environment, "isolation-none", None).await?;
    let mut all = Vec::new();
    for (name, ending) in faults {
        let (reserved_now, available_now) =
            times(environment, &format!("isolation-{name}"), Some(ending)).await?;
        let isolated = Isolated {
            fault: name.to_owned(),
            others: reserved.len(),
            to_reserved: later(&reserved_now, &reserved)?,
            to_available: later(&available_now, &available)?,
        };
        println!("  isolation {name}: {isolated:?}");
        all.push(isolated);
    }
    Ok(all)
}

/// Measures, for each healthy object, from its creation to RESERVED, and from its VPC endpoint id to AVAILABLE.
async fn times(
    environment: &Environment,
    name: &str,
    ending: Option<Termination>,
) -> Result<(SecondsByObject, SecondsByObject)> {
    let well = well();
    // The faulty ones first, so that they are ahead of all others.
    let all: Vec<PlannedObject> = ill().into_iter().chain(well.clone()).collect();
    let fixture = BenchFixture::build(environment, name, Speed::Fast, &all, &[]).await?;
    let awaited = if ending.is_some() { well.len() } else { all.len() };
    if let Some(ending) = ending {
        fixture.atlas.inject(
            Rule::always(InjectedFault::NotExecuted(ending))
                .in_project(&project(WELL.0))
                .unauthenticated_too(),
        );
    }
    let requested = fixture.create(&all, &json!({})).await?;
    fixture.seen.until("RESERVED", awaited, patience(all.len())).await?;
    let reserved = since(&requested, &fixture.seen.objects(), "RESERVED", &well)?;
    let requested = fixture.edit(&well, &json!({"cloudProviderEndpointId": VPC_ENDPOINT})).await?;
    fixture.seen.until("AVAILABLE", well.len(), patience(all.len())).await?;
    let available = since(&requested, &fixture.seen.objects(), "AVAILABLE", &well)?;
    fixture.operator.stop().await?;
    Ok((reserved, available))
}

fn well() -> Vec<PlannedObject> {
    let (projects, objects) = WELL;
    let of = |number: usize| {
        let (project, instance) = (project(number % projects), format!("instance-{}", number / projects));
        PlannedObject::serverless(format!("well-{number:03}"), &project, &instance, SECRET)
    };
    (0..projects * objects).map(of).collect()
}

fn ill() -> Vec<PlannedObject> {
    let (instances, objects) = ILL;
    let of = |number: usize| {
        let instance = format!("instance-{}", number % instances);
        PlannedObject::serverless(format!("ill-{number:03}"), &project(WELL.0), &instance, ITS_SECRET)
    };
    (0..objects).map(of).collect()
}

fn since(
    requested: &BTreeMap<String, Instant>,
    seen: &HashMap<String, ObservedObject>,
    status: &str,
    of: &[PlannedObject],
) -> Result<SecondsByObject> {
    of.iter()
        .map(|object| {
            let name = &object.name;
            let requested = requested.get(name).with_context(|| format!("{name} was not requested"))?;
            let became = seen.get(name).and_then(|history| history.became(status));
            let became = became.with_context(|| format!("{name} was not seen {status}"))?;
            Ok((name.clone(), became.saturating_duration_since(*requested).as_secs_f64()))
        })
        .collect()
}

fn later(now: &SecondsByObject, before: &SecondsByObject) -> Result<Spread> {
    let differences = now.iter().filter_map(|(name, now)| Some(now - before.get(name)?));
    Spread::of(differences).context("no objects to compare")
}
