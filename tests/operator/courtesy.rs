//! Courtesy to Atlas: who is asked to wait waits, nobody else does, and one look serves many.

use std::time::Duration;

use atlas_simulator::{DEFAULT_INSTANCE, Ending, Entry, Fault, Latency, Operation, Rule};
use serde_json::json;

use crate::bench::{Bench, condition};

const OTHER_PROJECT: &str = "0123456789abcdef01234567";

fn lists(entry: &Entry) -> bool {
    entry.is(Operation::List) && entry.challenged.is_none()
}

#[tokio::test]
async fn one_listing_serves_all_objects_of_an_instance() {
    let bench = Bench::new().await;
    let _operator = bench.operator();
    let names: Vec<_> = (0..20).map(|n| format!("orders-{n}")).collect();
    for name in &names {
        bench.create(name, json!({})).await;
    }
    for name in &names {
        bench.until_reason(name, "Reserved").await;
    }
    let before = bench.atlas.count(lists);
    bench.atlas.configure(|settings| settings.latency = Latency::of(Duration::from_millis(300)));
    let asked = names.iter().map(|name| bench.look(name, "now"));
    futures::future::join_all(asked).await;
    for name in &names {
        bench.until_looked(name, "now").await;
    }
    let listings = bench.atlas.count(lists) - before;
    assert!((1..=5).contains(&listings), "{listings} listings for 20 objects");
}

#[tokio::test]
async fn too_many_requests_pause_their_project_for_as_long_as_atlas_says_and_no_other() {
    let bench = Bench::new().await;
    bench.atlas.add_instance(OTHER_PROJECT, DEFAULT_INSTANCE);
    let limited = Ending::RateLimited { retry_after: Some("6".to_owned()) };
    bench.atlas.inject(Rule::next_of(Operation::List, Fault::NotExecuted(limited)).in_project(OTHER_PROJECT));
    let _operator = bench.operator();
    bench.create("limited", json!({"projectId": OTHER_PROJECT})).await;
    let waiting = bench.until_reason("limited", "RateLimited").await;
    assert!(condition(&waiting, "Ready").unwrap().message.contains("RATE_LIMITED"));
    let before = bench.atlas.count(|entry| entry.project.as_deref() == Some(OTHER_PROJECT));
    bench.look("limited", "now").await;
    bench.create("orders", json!({})).await;
    bench.until_reason("orders", "Reserved").await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(bench.atlas.count(|entry| entry.project.as_deref() == Some(OTHER_PROJECT)), before);
    bench.until_reason("limited", "Reserved").await;
}
