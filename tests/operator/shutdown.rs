//! How the operator terminates: it starts nothing new, finishes a running create, unless it is terminated twice, and
//! drops every other request.

use std::time::Duration;

use atlas_simulator::{InjectedFault, JournalEntry, Operation, Rule, Termination};
use serde_json::json;
use test_support::{Fixture, PATIENCE, VPC_ENDPOINT};
use testbed::{Action, Exchange, Process, Signal};
use tokio::time::Instant;

/// The latency of the response in flight.
const SLOW: Duration = Duration::from_secs(3);

/// An operator whose POST is in flight.
async fn amid_a_post(fixture: &Fixture) -> Process {
    let slow = InjectedFault::delayed(SLOW);
    fixture.atlas.inject(Rule::next_of(Operation::Create, slow));
    let times = ["--atlas-timeout=10s", "--create-uncertainty=30s"];
    let operator = fixture.operator_with(&times);
    fixture.create("orders", json!({})).await;
    let sent = |entry: &JournalEntry| entry.is(Operation::Create) && entry.challenged.is_none();
    let under_way = fixture.atlas.until(|atlas| atlas.count(sent) == 1);
    tokio::time::timeout(PATIENCE, under_way).await.unwrap();
    operator
}

#[tokio::test]
async fn the_first_signal_lets_a_post_finish_and_be_recorded() {
    let fixture = Fixture::new().await;
    let operator = amid_a_post(&fixture).await;
    operator.signal(Signal::TERM).unwrap();
    assert!(operator.wait(PATIENCE).await.unwrap().success());
    let recorded = fixture.get("orders").await.status.and_then(|status| status.id);
    assert_eq!(fixture.endpoints().len(), 1);
    assert_eq!(recorded, Some(fixture.endpoints()[0].id.clone()));
}

#[tokio::test]
async fn the_second_signal_ends_at_once_and_the_endpoint_is_found() {
    let fixture = Fixture::new().await;
    let operator = amid_a_post(&fixture).await;
    let signaled = Instant::now();
    operator.signal(Signal::TERM).unwrap();
    operator.wait_for_line("ending: creates in flight finish first", PATIENCE).await.unwrap();
    operator.signal(Signal::INT).unwrap();
    // 128 and the signal's number.
    assert_eq!(operator.wait(PATIENCE).await.unwrap().code(), Some(130));
    assert!(signaled.elapsed() < SLOW, "it waited for {:?}", signaled.elapsed());
    let _next = fixture.operator();
    fixture.until_reason("orders", "Reserved").await;
    assert_eq!((fixture.atlas.executed(Operation::Create), fixture.endpoints().len()), (1, 1));
}

/// Terminates the operator while the next listing is in flight, which lasts longer than the end may.
async fn ended_amid_a_listing(fixture: &Fixture, operator: &Process, act: impl AsyncFnOnce()) {
    let listed = |entry: &JournalEntry| entry.is(Operation::List) && entry.challenged.is_none();
    fixture.atlas.inject(Rule::always(InjectedFault::delayed(SLOW)).of([Operation::List]));
    let before = fixture.atlas.count(listed);
    act().await;
    let under_way = fixture.atlas.until(|atlas| atlas.count(listed) > before);
    tokio::time::timeout(PATIENCE, under_way).await.unwrap();
    let signaled = Instant::now();
    operator.signal(Signal::TERM).unwrap();
    assert!(operator.wait(PATIENCE).await.unwrap().success());
    assert!(signaled.elapsed() < SLOW, "it waited for {:?}", signaled.elapsed());
}

#[tokio::test]
async fn a_signal_during_a_listing_drops_it_and_claims_nothing() {
    let fixture = Fixture::new().await;
    let operator = fixture.operator_with(&["--atlas-timeout=10s", "--create-uncertainty=30s"]);
    ended_amid_a_listing(&fixture, &operator, async || {
        fixture.create("orders", json!({})).await;
    })
    .await;
    assert_eq!(fixture.get("orders").await.metadata.finalizers, None);
    assert_eq!(fixture.atlas.executed(Operation::Create), 0);
}

#[tokio::test]
async fn a_signal_during_a_listing_updates_and_deletes_nothing() {
    let fixture = Fixture::new().await;
    let operator = fixture.operator_with(&["--atlas-timeout=10s", "--create-uncertainty=30s"]);
    for name in ["orders", "events"] {
        fixture.create(name, json!({})).await;
        fixture.until_reason(name, "Reserved").await;
    }
    ended_amid_a_listing(&fixture, &operator, async || {
        fixture.edit("orders", json!({"cloudProviderEndpointId": VPC_ENDPOINT})).await;
        fixture.delete("events").await;
    })
    .await;
    assert_eq!(fixture.atlas.executed(Operation::Update) + fixture.atlas.executed(Operation::Delete), 0);
    assert_eq!(fixture.endpoints().len(), 2);
}

/// Terminates the operator while this write is in flight, which never gets a response.
async fn ended_amid(operation: Operation, ending: InjectedFault, act: impl AsyncFnOnce(&Fixture)) -> Fixture {
    let fixture = Fixture::new().await;
    let operator = fixture.operator_with(&["--atlas-timeout=90s", "--create-uncertainty=200s"]);
    fixture.create("orders", json!({})).await;
    fixture.until_reason("orders", "Reserved").await;
    fixture.atlas.inject(Rule::next_of(operation, ending));
    act(&fixture).await;
    let sent = |entry: &JournalEntry| entry.is(operation) && entry.challenged.is_none();
    tokio::time::timeout(PATIENCE, fixture.atlas.until(|atlas| atlas.count(sent) == 1)).await.unwrap();
    operator.signal(Signal::TERM).unwrap();
    assert!(operator.wait(PATIENCE).await.unwrap().success());
    fixture
}

#[tokio::test]
async fn a_signal_during_an_update_drops_it_and_the_next_process_sends_it() {
    let hang = InjectedFault::NotExecuted(Termination::Hang);
    let fixture = ended_amid(Operation::Update, hang, async |fixture| {
        fixture.edit("orders", json!({"cloudProviderEndpointId": VPC_ENDPOINT})).await;
    })
    .await;
    let _next = fixture.operator();
    fixture.until_reason("orders", "Available").await;
    assert_eq!(
        (fixture.atlas.executed(Operation::Update), fixture.atlas.executed(Operation::Create)),
        (1, 1)
    );
}

#[tokio::test]
async fn a_signal_during_a_delete_drops_it_and_the_next_process_deletes() {
    for hang in [InjectedFault::NotExecuted(Termination::Hang), InjectedFault::Executed(Termination::Hang)] {
        let fixture =
            ended_amid(Operation::Delete, hang, async |fixture| fixture.delete("orders").await).await;
        let _next = fixture.operator();
        fixture.until_gone("orders").await;
        assert!(fixture.endpoints().is_empty());
        assert_eq!(fixture.atlas.executed(Operation::Create), 1);
    }
}

#[tokio::test]
async fn a_signal_during_a_claim_still_sends_the_claimed_create() {
    let fixture = Fixture::new().await;
    let proxies = fixture.proxies().await;
    let is_claim = |exchange: &Exchange| exchange.method == "PATCH" && !exchange.path.contains("/status");
    proxies.recording.next(is_claim, Action::DelayResponse(Duration::from_secs(1)));
    let times = ["--create-deadline=20s", "--create-uncertainty=60s"];
    let operator = fixture.operator_behind_with(&proxies, &times);
    fixture.create("orders", json!({})).await;
    proxies.recording.wait_for(1, is_claim, PATIENCE).await.unwrap();
    operator.signal(Signal::TERM).unwrap();
    assert!(operator.wait(PATIENCE).await.unwrap().success());
    let recorded = fixture.get("orders").await.status.and_then(|status| status.id);
    assert_eq!(recorded, Some(fixture.endpoints()[0].id.clone()));
}
