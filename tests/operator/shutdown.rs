//! How the operator ends when it is asked to: what is on its way to Atlas is finished, unless it is asked twice.

use std::time::Duration;

use atlas_simulator::{Entry, Fault, Operation, Rule};
use serde_json::json;
use testbed::{Process, Signal};
use tokio::time::Instant;

use crate::bench::{Bench, PATIENCE};

/// What the answer to the POST takes.
const SLOW: Duration = Duration::from_secs(3);

/// An operator whose POST is on its way.
async fn amid_a_post(bench: &Bench) -> Process {
    let slow = Fault::delayed(SLOW);
    bench.atlas.inject(Rule::next_of(Operation::Create, slow));
    let times = ["--atlas-timeout=10s", "--create-uncertainty=30s"];
    let operator = bench.operator_with(&times);
    bench.create("orders", json!({})).await;
    let sent = |entry: &Entry| entry.is(Operation::Create) && entry.challenged.is_none();
    let under_way = bench.atlas.until(|atlas| atlas.count(sent) == 1);
    tokio::time::timeout(PATIENCE, under_way).await.unwrap();
    operator
}

#[tokio::test]
async fn asked_once_it_finishes_its_post_and_records_what_it_made() {
    let bench = Bench::new().await;
    let operator = amid_a_post(&bench).await;
    operator.signal(Signal::TERM).unwrap();
    assert!(operator.wait(PATIENCE).await.unwrap().success());
    let recorded = bench.get("orders").await.status.and_then(|status| status.id);
    assert_eq!(bench.endpoints().len(), 1);
    assert_eq!(recorded, Some(bench.endpoints()[0].id.clone()));
}

#[tokio::test]
async fn asked_twice_it_ends_at_once_and_the_next_one_finds_what_was_made() {
    let bench = Bench::new().await;
    let operator = amid_a_post(&bench).await;
    let asked = Instant::now();
    operator.signal(Signal::TERM).unwrap();
    operator.wait_for_line("ending: running work finishes first", PATIENCE).await.unwrap();
    operator.signal(Signal::INT).unwrap();
    // 128 and the signal's number.
    assert_eq!(operator.wait(PATIENCE).await.unwrap().code(), Some(130));
    assert!(asked.elapsed() < SLOW, "it waited for {:?}", asked.elapsed());
    let _next = bench.operator();
    bench.until_reason("orders", "Reserved").await;
    assert_eq!((bench.atlas.executed(Operation::Create), bench.endpoints().len()), (1, 1));
}
