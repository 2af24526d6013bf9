//! The cost from no object to AVAILABLE, and back: counts, never times. `make bench` measures the same for up to ten
//! thousand objects.
//!
//! The minimum that the protocol allows to AVAILABLE is `1 + 3·instances + 2·endpoints` requests, 401s included.

use std::collections::BTreeMap;
use std::time::Duration;

use atlas_simulator::{DEFAULT_PROJECT, JournalEntry, Pace};
use futures::future::join_all;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::Api;
use kube::api::PostParams;
use serde_json::json;
use test_support::{Fixture, Proxies, VPC_ENDPOINT, condition};
use testbed::{Exchange, Process};

/// A phase is over at the next poll, as with the real settings and an Atlas that takes 2 s a phase.
const PHASE: Duration = Duration::from_millis(300);
const POLLS: [&str; 3] = ["--poll-min=1500ms", "--poll-max=15s", "--log-level=info"];

/// Requests to Atlas by operation; those that got a challenge are `401` alone.
fn requests(journal: &[JournalEntry]) -> BTreeMap<String, usize> {
    tally(journal.iter().map(|entry| match (entry.challenged, entry.operation) {
        (Some(_), _) => "401".to_owned(),
        (None, operation) => format!("{:?}", operation.unwrap()),
    }))
}

/// Requests that changed objects, and published events.
fn writes(proxies: &Proxies) -> BTreeMap<String, usize> {
    let written = proxies.recording.effects().into_iter().filter(|exchange| exchange.proxy == "cluster");
    tally(written.map(|Exchange { method, path, .. }| {
        let path = path.split('?').next().unwrap_or_default();
        match (path.contains("/events"), path.ends_with("/status")) {
            (true, _) => format!("{method} event"),
            (_, true) => format!("{method} status"),
            _ => format!("{method} object"),
        }
    }))
}

fn tally(names: impl Iterator<Item = String>) -> BTreeMap<String, usize> {
    let mut tally = BTreeMap::new();
    for name in names {
        *tally.entry(name).or_default() += 1;
    }
    tally
}

fn counts<const N: usize>(expected: [(&str, usize); N]) -> BTreeMap<String, usize> {
    expected.into_iter().map(|(name, count)| (name.to_owned(), count)).collect()
}

async fn create(fixture: &Fixture, names: &[(usize, String)]) {
    let created = names.iter().enumerate().map(|(number, (instance, name))| {
        let fields = json!({
            "instanceName": format!("instance-{instance}"),
            "cloudProviderEndpointId": format!("vpce-{number:017x}"),
        });
        fixture.create(name, fields)
    });
    join_all(created).await;
    for (_, name) in names {
        fixture.until_reason(name, "Available").await;
    }
}

/// `endpoints` names for each of `instances` existing instances.
fn names(fixture: &Fixture, instances: usize, endpoints: usize) -> Vec<(usize, String)> {
    for instance in 0..instances {
        fixture.atlas.add_instance(DEFAULT_PROJECT, &format!("instance-{instance}"));
    }
    (0..instances).flat_map(|i| (0..endpoints).map(move |e| (i, format!("spe-{i}-{e}")))).collect()
}

#[tokio::test]
async fn one_endpoint_costs_the_least_that_the_protocol_allows() {
    let fixture = Fixture::at_pace(Pace::of(PHASE)).await;
    let proxies = fixture.proxies().await;
    let _operator = fixture.operator_behind_with(&proxies, &POLLS);
    let names = names(&fixture, 1, 1);
    create(&fixture, &names).await;
    proxies.settled_effects().await;
    assert_eq!(
        requests(&fixture.atlas.journal()),
        counts([("401", 1), ("List", 3), ("Create", 1), ("Update", 1)]),
        "{}",
        proxies.recording.listing()
    );
    // The claim; RESERVATION_REQUESTED, INITIATING, AVAILABLE; and that it was created, reserved, attached, available.
    assert_eq!(
        writes(&proxies),
        counts([("PATCH object", 1), ("PATCH status", 3), ("POST event", 4)]),
        "{}",
        proxies.recording.listing()
    );
}

#[tokio::test]
async fn shared_listings_and_constant_writes_per_endpoint() {
    let fixture = Fixture::at_pace(Pace::of(PHASE)).await;
    let proxies = fixture.proxies().await;
    let _operator = fixture.operator_behind_with(&proxies, &POLLS);
    let (instances, endpoints) = (5, 10);
    let names = names(&fixture, instances, endpoints);
    create(&fixture, &names).await;
    proxies.settled_effects().await;
    let spent = requests(&fixture.atlas.journal());
    let all = instances * endpoints;
    assert_eq!((spent["Create"], spent["Update"]), (all, all), "{spent:?}");
    // How many calls overlap, and which objects are there when a listing is sent, differs from run to run.
    let sum: usize = spent.values().sum();
    let least = 1 + 3 * instances + 2 * all;
    assert!(sum * 10 <= least * 13, "{sum} requests where {least} are the least: {spent:?}");
    assert_eq!(
        writes(&proxies),
        counts([("PATCH object", all), ("PATCH status", 3 * all), ("POST event", 4 * all)]),
        "{}",
        proxies.recording.listing()
    );
}

/// Restarts the operator, and fails if that writes anything. The journal then holds the requests of the restart alone.
async fn restart_writes_nothing(fixture: &Fixture, proxies: &Proxies, operator: Process) {
    let before = proxies.settled_effects().await;
    drop(operator);
    fixture.atlas.clear_journal();
    let _operator = fixture.operator_behind_with(proxies, &POLLS);
    fixture.atlas.until(|atlas| !atlas.journal().is_empty()).await;
    assert_eq!(proxies.settled_effects().await, before, "{}", proxies.recording.listing());
}

#[tokio::test]
async fn a_restart_costs_one_challenge_and_one_listing_per_instance() {
    let fixture = Fixture::at_pace(Pace::of(PHASE)).await;
    let proxies = fixture.proxies().await;
    let operator = fixture.operator_behind_with(&proxies, &POLLS);
    let names = names(&fixture, 1, 10);
    create(&fixture, &names).await;
    restart_writes_nothing(&fixture, &proxies, operator).await;
    assert_eq!(requests(&fixture.atlas.journal()), counts([("401", 1), ("List", 1)]));
}

#[tokio::test]
async fn a_restart_writes_nothing_of_objects_that_share_a_vpc_endpoint() {
    let fixture = Fixture::at_pace(Pace::of(PHASE)).await;
    let proxies = fixture.proxies().await;
    let operator = fixture.operator_behind_with(&proxies, &POLLS);
    let shared = || json!({"cloudProviderEndpointId": VPC_ENDPOINT});
    let maps: Api<ConfigMap> =
        Api::namespaced(fixture.control_plane.client().await.unwrap(), &fixture.namespace);
    let map = json!({"metadata": {"name": "network"}, "data": {"vpce": VPC_ENDPOINT}});
    maps.create(&PostParams::default(), &serde_json::from_value(map).unwrap()).await.unwrap();
    let reference = json!({"apiVersion": "v1", "kind": "ConfigMap", "name": "network", "key": "vpce"});
    let referred = json!({"cloudProviderEndpointRef": reference});
    let objects = [("orders", shared()), ("payroll", shared()), ("search", referred)];
    for (name, fields) in objects.clone() {
        fixture.create(name, fields).await;
    }
    for (name, _) in &objects {
        fixture
            .until(name, "reported with another", |object| {
                condition(object, "EndpointConnected").is_some_and(|found| {
                    found.status == "True" && found.message.contains("ServerlessPrivateEndpoint")
                })
            })
            .await;
    }
    restart_writes_nothing(&fixture, &proxies, operator).await;
}
