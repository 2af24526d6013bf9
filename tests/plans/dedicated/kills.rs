//! Unplanned ends: SIGKILL at random instants, with two operators without election, and objects of both kinds in one project.

use std::time::Duration;

use atlas_simulator::DEFAULT_PROJECT;
use futures::{StreamExt, join, stream};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};
use test_support::SECRET;
use test_support::dedicated::REGION;

use crate::fixture::{PlanFixture, SERVICE};
use crate::operator::ProxiedOperator;
use crate::path::Path;
use crate::summary::{ProofTable, is_proof};

/// How often an operator is killed while objects are created, while endpoints are replaced, and while all is deleted.
const KILLS: usize = 12;

/// The runs of `make proof`: five hundred kills.
const RUNS: usize = 14;

/// How many of them run in parallel.
const MAX_CONCURRENT: usize = 7;

/// A service without endpoints, and its region.
const SECOND: (&str, &str) = ("second", "EU_CENTRAL_1");

/// The endpoints of the first service, each with its VPC endpoint and the one that replaces it.
const ENDPOINTS: [(&str, &str, &str); 3] = [
    ("a", "vpce-0a1b2c3d4e5f60711", "vpce-0a1b2c3d4e5f60721"),
    ("b", "vpce-0a1b2c3d4e5f60712", "vpce-0a1b2c3d4e5f60722"),
    ("c", "vpce-0a1b2c3d4e5f60713", "vpce-0a1b2c3d4e5f60723"),
];

/// Returns the seed of the instants, with which a failing run can be repeated.
fn seed() -> u64 {
    let seed = std::env::var("SPE_TEST_SEED").ok().and_then(|seed| seed.parse().ok());
    seed.unwrap_or_else(rand::random)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_operators_killed_at_random_leave_each_service_and_endpoint_once() {
    let runs = if is_proof() { RUNS } else { 1 };
    let all = stream::iter((0..runs).map(|_| {
        let seed = seed();
        // In a task of its own, so that a panic fails only this run.
        async move { (seed, tokio::spawn(killed_at_random_instants(seed)).await) }
    }));
    let mut table = ProofTable::default();
    let mut failed = Vec::new();
    for (seed, ended) in all.buffer_unordered(MAX_CONCURRENT).collect::<Vec<_>>().await {
        let is_failed = ended.is_err();
        for _ in 0..3 * KILLS {
            table.count("kills, both kinds", "at random instants, two operators", !is_failed);
        }
        failed.extend(is_failed.then(|| format!("SPE_TEST_SEED={seed}")));
    }
    table.report("both-kills");
    assert!(failed.is_empty(), "failed: {failed:?}");
}

/// Kills one of the operators at instants of `random`; it is started again.
async fn kill_now_and_then(operators: &[ProxiedOperator; 2], random: &mut StdRng) {
    let mut kills = 0;
    while kills < KILLS {
        tokio::time::sleep(Duration::from_millis(random.random_range(20..900))).await;
        kills += usize::from(operators[random.random_range(0..2)].kill());
    }
}

async fn killed_at_random_instants(seed: u64) {
    println!("SPE_TEST_SEED={seed}");
    let mut fixture = PlanFixture::new(Path::Register).await;
    let (services, endpoints) = (fixture.services().clone(), fixture.endpoints().clone());
    fixture.objects = vec![(services.clone(), SERVICE), (services.clone(), SECOND.0)];
    fixture.objects.extend(ENDPOINTS.map(|(name, ..)| (endpoints.clone(), name)));
    let mut random = StdRng::seed_from_u64(seed);
    let mut operators = [
        ProxiedOperator::new(&fixture.base, &format!("kills-{seed}-one")).await,
        ProxiedOperator::new(&fixture.base, &format!("kills-{seed}-other")).await,
    ];
    operators.iter_mut().for_each(ProxiedOperator::launch);

    for (name, region) in [(SERVICE, REGION), SECOND] {
        let spec = json!({
            "projectId": DEFAULT_PROJECT, "provider": "AWS", "region": region, "credentialsRef": {"name": SECRET},
        });
        services.apply(name, spec).await;
    }
    for (name, vpc, _) in ENDPOINTS {
        endpoints.apply_endpoint(name, json!({ "name": SERVICE }), vpc, json!({})).await;
    }
    kill_now_and_then(&operators, &mut random).await;
    for name in [SERVICE, SECOND.0] {
        services.until_ready(name, "True", "Available").await;
    }
    for (name, ..) in ENDPOINTS {
        endpoints.until_ready(name, "True", "Available").await;
    }
    fixture.others_join().await;

    for (name, _, next) in ENDPOINTS {
        endpoints.edit(name, json!({"aws": {"id": next}})).await;
    }
    kill_now_and_then(&operators, &mut random).await;
    for (name, _, next) in ENDPOINTS {
        let is_replaced = |object: &Value| {
            object["status"]["endpointId"] == next
                && object["status"]["superseded"].as_array().is_none_or(Vec::is_empty)
        };
        endpoints.until(name, "replaced", is_replaced).await;
        endpoints.until_ready(name, "True", "Available").await;
    }

    let both: Vec<_> = operators.iter().collect();
    let end = fixture.end(Path::Register, Duration::ZERO, &both);
    let (deleted_at, ()) = join!(end, kill_now_and_then(&operators, &mut random));
    let mut record = fixture.record(Some(deleted_at), &both).await;
    record.is_killed = true;
    let mut wrong = fixture.judged(&record);
    wrong.extend(
        operators.iter().flat_map(ProxiedOperator::complaints).filter(|line| line.contains("panicked")),
    );
    let traces = operators.each_ref().map(|operator| operator.recording.listing()).join("\nthe other:");
    assert!(wrong.is_empty(), "SPE_TEST_SEED={seed}: {}{traces}", wrong.join("\n"));
    operators.iter().for_each(ProxiedOperator::forget_log);
}
