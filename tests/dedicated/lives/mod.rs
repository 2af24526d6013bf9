//! Lives of a service object and an endpoint object, from their manifests to their end, in parts: what the user does, and how each part
//! ends. A life runs with a fault at one request, and must end as without it.

pub(crate) mod operator;
pub(crate) mod requests;
pub(crate) mod verdict;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use atlas_simulator::{AtlasService, DEFAULT_PROJECT, DedicatedPace, LastEndpoint};
use futures::{StreamExt, stream};
use serde_json::{Value, json};
use test_support::dedicated::{CLUSTER, DedicatedFixture, FOREIGN_VPC_ENDPOINT, is_condition};
use tokio::time::Instant;

use self::operator::RestartedOperator;
use self::requests::{LifeFault, LifeRequest};
use self::verdict::LifeVerdict;
use crate::{NEXT_VPC, VPC};

/// The service object.
pub(crate) const SERVICE: &str = "main";

/// The endpoint object.
pub(crate) const ENDPOINT: &str = "orders";

/// The output ConfigMap of the endpoint object, if both are applied at once.
pub(crate) const OUTPUT: &str = "orders-strings";

/// The region of somebody else's service.
const FOREIGN_REGION: &str = "EU_WEST_1";

/// How long nothing must be written until a part without faults counts as ended. Longer than the operator's longest poll.
const QUIET: Duration = Duration::from_secs(1);

/// The same before a part with a fault, whose first requests would otherwise be mixed with the last ones of the part before.
const PAUSE: Duration = Duration::from_millis(300);

/// How many lives run in parallel: most of their time they wait.
const MAX_CONCURRENT: usize = 8;

/// Phases of Atlas that are over at the next poll, so that the number of polls is constant.
pub(crate) const PACE: DedicatedPace = DedicatedPace {
    deleting_service: Duration::ZERO,
    deleting_endpoint: Duration::ZERO,
    ..DedicatedPace::of(Duration::from_millis(20))
};

/// In which order the parts of a life follow each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LifeOrder {
    /// Both objects are applied at once, and deleted at once. The last endpoint takes the service with it.
    Together,
    /// The endpoint object follows the service object, and is deleted before it. The service outlives its last endpoint.
    InTurn,
}

/// A part of a life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LifePart {
    /// Both objects are applied.
    Create,
    /// The endpoint object gets another VPC endpoint.
    Replace,
    /// Both objects are deleted.
    Delete,
    /// The service object is applied.
    CreateService,
    /// The endpoint object is applied.
    Attach,
    /// The endpoint object is deleted.
    DeleteEndpoint,
    /// The service object is deleted.
    DeleteService,
}

/// A fault at one request of a life.
#[derive(Clone, Debug)]
pub(crate) struct FaultyLife {
    pub(crate) order: LifeOrder,
    pub(crate) part: LifePart,
    pub(crate) request: LifeRequest,
    pub(crate) fault: LifeFault,
}

/// Returns the name, as in `Replace: KillAfter at atlas POST …/endpoint 1`.
impl fmt::Display for FaultyLife {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { order, part, request, fault } = self;
        write!(f, "{order:?} {part:?}: {fault:?} at {request}")
    }
}

impl LifeOrder {
    pub(crate) const BOTH: [Self; 2] = [Self::Together, Self::InTurn];

    /// Returns the parts, first to last.
    pub(crate) fn parts(self) -> &'static [LifePart] {
        match self {
            Self::Together => &[LifePart::Create, LifePart::Replace, LifePart::Delete],
            Self::InTurn => &[
                LifePart::CreateService,
                LifePart::Attach,
                LifePart::DeleteEndpoint,
                LifePart::DeleteService,
            ],
        }
    }
}

/// Returns a fixture with an Atlas in which others have a service, too.
pub(crate) async fn fixture(order: LifeOrder) -> DedicatedFixture {
    let fixture = DedicatedFixture::at_pace(PACE).await;
    fixture.base.atlas.configure(|settings| {
        settings.dedicated.vpc_endpoints_exist = true;
        if order == LifeOrder::InTurn {
            settings.dedicated.variants.last_endpoint = LastEndpoint::LeavesService;
        }
    });
    let service = fixture.base.atlas.insert_service(DEFAULT_PROJECT, AtlasService::available(FOREIGN_REGION));
    // Atlas restricts several endpoints to one region.
    if order == LifeOrder::InTurn {
        assert!(fixture.base.atlas.register_endpoint(&service, FOREIGN_VPC_ENDPOINT));
    }
    fixture
}

impl LifePart {
    /// Does what the user does.
    pub(crate) async fn act(self, fixture: &DedicatedFixture) {
        let clusters = json!({"clusters": [CLUSTER]});
        match self {
            Self::Create => {
                fixture.apply_service(SERVICE, json!({})).await;
                let fields = json!({"clusters": [CLUSTER], "outputConfigMap": {"name": OUTPUT}});
                fixture.apply_endpoint(ENDPOINT, SERVICE, VPC, fields).await;
            }
            Self::Replace => {
                let service = own_service(fixture).await;
                assert!(fixture.base.atlas.register_endpoint(&service, FOREIGN_VPC_ENDPOINT));
                fixture.endpoints.edit(ENDPOINT, json!({"aws": {"id": NEXT_VPC}})).await;
            }
            Self::Delete => {
                let service = own_service(fixture).await;
                assert!(fixture.base.atlas.remove_registered_endpoint(&service, FOREIGN_VPC_ENDPOINT));
                fixture.services.delete(SERVICE).await;
                fixture.endpoints.delete(ENDPOINT).await;
            }
            Self::CreateService => {
                // What a lost response leaves unproven is deleted, too.
                fixture.apply_service(SERVICE, json!({"deletionPolicy": "Delete"})).await;
            }
            Self::Attach => {
                fixture.apply_endpoint(ENDPOINT, SERVICE, VPC, clusters).await;
            }
            Self::DeleteEndpoint => fixture.endpoints.delete(ENDPOINT).await,
            Self::DeleteService => fixture.services.delete(SERVICE).await,
        }
    }

    /// Waits until it has ended, and checks how.
    pub(crate) async fn until_end(
        self,
        fixture: &DedicatedFixture,
        is_clean: bool,
        verdict: &mut LifeVerdict,
    ) {
        match self {
            Self::Create | Self::Attach => {
                fixture.endpoints.until_ready(ENDPOINT, "True", "Available").await;
                fixture.services.until_ready(SERVICE, "True", "Available").await;
                verdict.service(fixture, is_clean).await;
                verdict.endpoint(fixture, VPC, is_clean).await;
            }
            Self::CreateService => {
                fixture.services.until_ready(SERVICE, "True", "Available").await;
                verdict.service(fixture, is_clean).await;
            }
            Self::Replace => {
                let is_replaced = |object: &Value| {
                    is_condition(object, "Ready", "True", "Available")
                        && object["status"]["endpointId"] == NEXT_VPC
                        && object["status"]["superseded"].as_array().is_none_or(Vec::is_empty)
                };
                fixture.endpoints.until(ENDPOINT, "replaced", is_replaced).await;
                verdict.endpoint(fixture, NEXT_VPC, is_clean).await;
            }
            Self::Delete => {
                fixture.endpoints.until_gone(ENDPOINT).await;
                fixture.services.until_gone(SERVICE).await;
            }
            Self::DeleteEndpoint => {
                fixture.endpoints.until_gone(ENDPOINT).await;
                fixture.services.until_ready(SERVICE, "True", "Available").await;
                verdict.service(fixture, false).await;
            }
            Self::DeleteService => fixture.services.until_gone(SERVICE).await,
        }
    }
}

/// Returns the id that the service object records.
async fn own_service(fixture: &DedicatedFixture) -> String {
    fixture.services.get(SERVICE).await["status"]["serviceId"].as_str().unwrap().to_owned()
}

/// Returns the requests of each part of a life without faults.
pub(crate) async fn clean(order: LifeOrder) -> Vec<(LifePart, Vec<LifeRequest>)> {
    let fixture = Arc::new(fixture(order).await);
    let operator = RestartedOperator::start(&fixture).await;
    let mut verdict = LifeVerdict::default();
    let mut requests = Vec::new();
    for part in order.parts() {
        operator.until_quiet(QUIET).await;
        let before = operator.proxies.recording.exchanges().len();
        part.act(&fixture).await;
        part.until_end(&fixture, true, &mut verdict).await;
        operator.until_quiet(QUIET).await;
        let exchanges = operator.proxies.recording.exchanges().split_off(before);
        requests.push((*part, LifeRequest::all(&exchanges)));
    }
    verdict.end(&fixture, order);
    let trace = operator.proxies.recording.listing();
    assert!(verdict.wrong.is_empty(), "{order:?}, without any fault: {:#?}{trace}", verdict.wrong);
    operator.forget_log();
    requests
}

/// Returns the faults that `chosen` selects, at all requests of both lives.
pub(crate) async fn faulty_lives(chosen: impl Fn(&LifeRequest) -> Vec<LifeFault>) -> Vec<FaultyLife> {
    let mut lives = Vec::new();
    let cleans = futures::future::join_all(LifeOrder::BOTH.map(clean)).await;
    for (order, parts) in LifeOrder::BOTH.into_iter().zip(cleans) {
        for (part, requests) in parts {
            println!("{order:?} {part:?}: {} requests", requests.len());
            for request in requests {
                for fault in chosen(&request) {
                    lives.push(FaultyLife { order, part, request: request.clone(), fault });
                }
            }
        }
    }
    lives
}

/// Runs a life. Returns whether the fault happened.
async fn live(life: &FaultyLife) -> Result<bool, String> {
    let fixture = Arc::new(fixture(life.order).await);
    let operator = RestartedOperator::start(&fixture).await;
    let mut verdict = LifeVerdict::default();
    for part in life.order.parts() {
        if *part == life.part {
            operator.until_quiet(PAUSE).await;
            let action = life.fault.action(operator.killer(), &life.request);
            operator.proxies.recording.next(life.request.again(), action);
        }
        part.act(&fixture).await;
        part.until_end(&fixture, false, &mut verdict).await;
    }
    operator.until_quiet(PAUSE).await;
    verdict.end(&fixture, life.order);
    if !verdict.wrong.is_empty() {
        let trace = operator.proxies.recording.listing();
        return Err(format!("{}{trace}", verdict.wrong.join("\n")));
    }
    operator.forget_log();
    Ok(operator.proxies.recording.count(|exchange| exchange.planned) > 0)
}

/// Runs lives, each in a namespace of its own, and fails if one of them does not end as without its fault. `SPE_LIFE` selects those whose
/// names contain it.
pub(crate) async fn all_end_as_without_a_fault(lives: Vec<FaultyLife>) {
    let wanted = std::env::var("SPE_LIFE").ok();
    let lives: Vec<_> = lives
        .into_iter()
        .filter(|life| wanted.as_ref().is_none_or(|wanted| life.to_string().contains(wanted.as_str())))
        .collect();
    let (started, count) = (Instant::now(), lives.len());
    let run = async |life: FaultyLife| {
        let running = life.clone();
        let begun = Instant::now();
        // In a task of its own, so that a panic fails only this life.
        let ended = tokio::spawn(async move { live(&running).await }).await;
        let ended = ended.unwrap_or_else(|failure| {
            let panic = failure.into_panic();
            let text = panic.downcast_ref::<String>().cloned();
            Err(text.unwrap_or_else(|| "it panicked".to_owned()))
        });
        println!(
            "{life}: {:?} after {:.1} s",
            ended.as_ref().map_err(|_| "FAILED"),
            begun.elapsed().as_secs_f32()
        );
        (life, ended)
    };
    let ended: Vec<_> = stream::iter(lives).map(run).buffer_unordered(MAX_CONCURRENT).collect().await;
    let happened = ended.iter().filter(|(_, ended)| matches!(ended, Ok(true))).count();
    println!("{count} lives, {happened} of them with their fault, in {:?}", started.elapsed());
    let failed: Vec<_> =
        ended.iter().filter_map(|(life, ended)| Some(format!("{life}\n{}", ended.as_ref().err()?))).collect();
    assert!(failed.is_empty(), "{} lives failed:\n{}", failed.len(), failed.join("\n\n"));
    // How often an operator polls is not the same in every run.
    assert!(happened * 10 >= count * 9, "only {happened} of {count} faults happened");
}
