//! The cost of both objects from their manifests to Ready, and of a restart: numbers of requests.
//!
//! The least that the protocol allows for one service and one endpoint is 6 requests to Atlas: a challenge, a listing before each POST,
//! two POSTs, and a GET of the endpoint. A machine at rest takes 7.

use std::collections::BTreeMap;
use std::time::Duration;

use atlas_simulator::{DedicatedPace, JournalEntry};
use serde_json::{Value, json};
use test_support::dedicated::DedicatedFixture;
use testbed::{Action, Exchange};
use tokio::time::Instant;

use super::VPC;

/// The default polls, whatever the short times of tests set.
const DEFAULT_POLLS: [&str; 2] = ["--poll-min=5s", "--poll-max=60s"];

/// The phases of the simulated Atlas: one of the service, and one of the endpoint.
const PHASE: Duration = Duration::from_secs(2);

/// The maximum number of listings: one before the service is created, one that shows it AVAILABLE, one that shows the endpoint, and on a
/// machine under load one more, as the endpoint's object is told of its service too late to use the second.
const MAX_LISTINGS: usize = 4;

/// The maximum time beyond Atlas' own.
const MAX_OVERHEAD: Duration = Duration::from_secs(5);

/// Requests to Atlas by operation; those that got a challenge are `401` alone.
fn by_operation(journal: &[JournalEntry]) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for entry in journal {
        let name = match (entry.challenged, entry.operation) {
            (Some(_), _) => "401".to_owned(),
            (None, operation) => format!("{:?}", operation.unwrap()),
        };
        *counts.entry(name).or_default() += 1;
    }
    counts
}

/// Makes the VPC endpoint as soon as the service has a name.
async fn make_vpc_endpoint_at_once(fixture: &DedicatedFixture) {
    let has_name = |object: &Value| object["status"]["endpointServiceName"].is_string();
    let named = fixture.services.until("main", "named", has_name).await;
    let name = named["status"]["endpointServiceName"].as_str().unwrap();
    fixture.base.atlas.make_vpc_endpoint(VPC, name);
}

#[tokio::test]
async fn a_service_and_its_endpoint_cost_few_requests_at_the_default_polls() {
    let fixture = DedicatedFixture::at_pace(DedicatedPace::of(PHASE)).await;
    let _operator = fixture.base.operator_with(&DEFAULT_POLLS);
    let applied = Instant::now();
    fixture.apply_service("main", json!({})).await;
    fixture.apply_endpoint("orders", "main", VPC, json!({})).await;
    make_vpc_endpoint_at_once(&fixture).await;
    fixture.endpoints.until_ready("orders", "True", "Available").await;
    fixture.services.until_ready("main", "True", "Available").await;
    let overhead = applied.elapsed().saturating_sub(2 * PHASE);
    let mut spent = by_operation(&fixture.base.atlas.journal());
    println!("{spent:?}, {overhead:?} beyond Atlas' own time");
    let listings = spent.remove("ListServices").unwrap_or_default();
    assert!(listings <= MAX_LISTINGS, "{listings} listings beside {spent:?}");
    let expected = ["401", "CreateEndpoint", "CreateService", "GetEndpoint"];
    assert_eq!(spent, expected.map(|name| (name.to_owned(), 1)).into());
    assert!(overhead <= MAX_OVERHEAD, "{overhead:?} beyond Atlas' own time");
}

#[tokio::test]
async fn a_restart_costs_one_list_and_one_read_of_the_endpoint_and_writes_nothing() {
    let fixture = DedicatedFixture::new().await;
    let proxies = fixture.base.proxies().await;
    let operator = fixture.base.operator_behind(&proxies);
    fixture.apply_service("main", json!({})).await;
    fixture.make_vpc_endpoint("main", VPC).await;
    fixture.apply_endpoint("orders", "main", VPC, json!({})).await;
    fixture.endpoints.until_ready("orders", "True", "Available").await;
    let has_endpoint = |object: &Value| object["status"]["endpointIds"] == json!([VPC]);
    fixture.services.until("main", "aware of the endpoint", has_endpoint).await;
    let before = proxies.settled_effects().await;
    drop(operator);
    fixture.base.atlas.clear_journal();
    // The watches of both kinds have shown the objects before the Secret is read, and with it Atlas.
    let reads_secret = |exchange: &Exchange| exchange.method == "GET" && exchange.path.contains("/secrets/");
    proxies.recording.next(reads_secret, Action::DelayResponse(Duration::from_millis(1500)));
    let _operator = fixture.base.operator_behind(&proxies);
    let is_read =
        |fixture: &DedicatedFixture| by_operation(&fixture.base.atlas.journal()).contains_key("GetEndpoint");
    fixture.until_atlas("the GET of the endpoint", is_read).await;
    assert_eq!(proxies.settled_effects().await, before, "{}", proxies.recording.listing());
    let spent = by_operation(&fixture.base.atlas.journal());
    let expected = [("401", 1), ("GetEndpoint", 1), ("ListServices", 1)];
    assert_eq!(spent, expected.map(|(name, count)| (name.to_owned(), count)).into(), "{spent:?}");
}
