//! Unplanned ends and pauses: SIGKILL at random instants, SIGSTOP for longer than Q, with two operators at once.

use std::time::Duration;

use atlas_simulator::{InjectedFault, JournalEntry, Operation, Pace, Rule, Termination};
use futures::{StreamExt, stream};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::json;
use test_support::{Fixture, PATIENCE};
use testbed::{Exchange, Signal};

/// The objects of one run.
const OBJECTS: [&str; 5] = ["a", "b", "c", "d", "e"];

/// How often an operator is killed in one run, once while objects are created and once while they are deleted.
const KILLS: usize = 12;

/// The runs of `make proof`, which sets `SPE_PROOF` to the folder for the rows of its table: a thousand kills.
const RUNS: usize = 42;

/// How many of them run in parallel.
const MAX_CONCURRENT: usize = 6;

/// Longer than Q of the harness.
const LONGER_THAN_Q: Duration = Duration::from_secs(9);

/// The seed of the instants, with which a failing run can be repeated.
fn seed() -> u64 {
    let seed = std::env::var("SPE_TEST_SEED").ok().and_then(|seed| seed.parse().ok());
    seed.unwrap_or_else(rand::random)
}

/// Kills one of two operators, and starts it again, at instants of `random`.
async fn kill_now_and_then(fixture: &Fixture, random: &mut StdRng) {
    let mut operators = [fixture.operator(), fixture.operator()];
    for _ in 0..KILLS {
        tokio::time::sleep(Duration::from_millis(random.random_range(20..900))).await;
        let unlucky = &mut operators[random.random_range(0..2)];
        unlucky.kill().unwrap();
        *unlucky = fixture.operator();
    }
}

#[tokio::test]
async fn two_operators_killed_at_random_leave_one_endpoint_per_object() {
    let Some(rows) = std::env::var_os("SPE_PROOF") else {
        return killed_at_random_instants(seed()).await;
    };
    let runs = stream::iter((0..RUNS).map(|_| killed_at_random_instants(seed())));
    runs.buffer_unordered(MAX_CONCURRENT).collect::<()>().await;
    let row = format!("kills\tat random instants, two operators\t{0}\t{0}\t0\n", RUNS * KILLS * 2);
    std::fs::write(std::path::Path::new(&rows).join("kills"), row).unwrap();
}

async fn killed_at_random_instants(seed: u64) {
    println!("SPE_TEST_SEED={seed}");
    let fixture = Fixture::at_pace(Pace::of(Duration::from_secs(1))).await;
    let mut random = StdRng::seed_from_u64(seed);
    for name in OBJECTS {
        fixture.create(name, json!({})).await;
    }
    kill_now_and_then(&fixture, &mut random).await;
    let operator = fixture.operator();
    for name in OBJECTS {
        fixture.until_reason(name, "Reserved").await;
    }
    assert_eq!(fixture.atlas.executed(Operation::Create), OBJECTS.len());
    assert_eq!(fixture.endpoints().len(), OBJECTS.len());
    drop(operator);
    for name in OBJECTS {
        fixture.delete(name).await;
    }
    kill_now_and_then(&fixture, &mut random).await;
    let _operator = fixture.operator();
    for name in OBJECTS {
        fixture.until_gone(name).await;
    }
    assert!(fixture.endpoints().is_empty(), "{:?}", fixture.endpoints());
    assert_eq!(fixture.atlas.executed(Operation::Create), OBJECTS.len());
}

#[tokio::test]
async fn an_operator_stopped_during_a_post_creates_no_duplicate() {
    let fixture = Fixture::new().await;
    let travels = InjectedFault::ExecutedLate { after: Duration::from_secs(3), ending: Termination::Cut };
    fixture.atlas.inject(Rule::next_of(Operation::Create, travels));
    let proxies = fixture.proxies().await;
    let sleeper = fixture.operator_behind(&proxies);
    fixture.create("orders", json!({})).await;
    let sent = |entry: &JournalEntry| entry.is(Operation::Create) && entry.challenged.is_none();
    let under_way = fixture.atlas.until(|atlas| atlas.count(sent) == 1);
    tokio::time::timeout(PATIENCE, under_way).await.unwrap();
    sleeper.signal(Signal::STOP).unwrap();
    assert_eq!(fixture.atlas.executed(Operation::Create), 0, "it was not in flight any more");
    let _other = fixture.operator();
    let stopped = tokio::time::sleep(LONGER_THAN_Q);
    fixture.until_reason("orders", "Reserved").await;
    stopped.await;
    // It first completes what it was about to do, and then lists.
    let is_listing = |exchange: &Exchange| {
        exchange.proxy == "atlas" && exchange.method == "GET" && exchange.status == Some(200)
    };
    let before = proxies.recording.count(is_listing);
    sleeper.signal(Signal::CONT).unwrap();
    fixture.request_reconcile("orders", "1").await;
    proxies.recording.wait_for(before + 1, is_listing, PATIENCE).await.unwrap();
    fixture.delete("orders").await;
    fixture.until_gone("orders").await;
    assert_eq!((fixture.atlas.executed(Operation::Create), fixture.endpoints().len()), (1, 0));
    assert_eq!(fixture.atlas.count(sent), 1);
    sleeper.signal(Signal::TERM).unwrap();
    assert!(sleeper.wait(PATIENCE).await.unwrap().success());
}
