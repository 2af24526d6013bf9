//! Conflicts with other writers of the object.

use std::time::Duration;

use atlas_simulator::Operation;
use kube::ResourceExt;
use serde_json::json;
use spe_operator::serverless::crd::CLAIM;
use test_support::Fixture;
use testbed::{Action, Exchange};
use tokio::time::MissedTickBehavior;

/// The maximum number of attempts at a claim.
const TRIES: usize = 5;

/// Returns whether this writes a claim.
fn claims(exchange: &Exchange) -> bool {
    let body = String::from_utf8_lossy(&exchange.body);
    exchange.proxy == "cluster" && exchange.method == "PATCH" && body.contains(CLAIM)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_claim_succeeds_in_five_attempts_beside_a_write_every_second() {
    let fixture = Fixture::new().await;
    let proxies = fixture.proxies().await;
    // Half of the time between two writes of the other: for half of the objects one comes between what was read and the claim.
    proxies.recording.always(claims, || Action::DelayRequest(Duration::from_millis(500)));
    let names: Vec<_> = (0..4).map(|n| format!("orders-{n}")).collect();
    for name in &names {
        fixture.create(name, json!({})).await;
    }
    // Each object is written to once a second, one after another.
    let others = async {
        let mut quarter = tokio::time::interval(Duration::from_millis(250));
        // After a pause of a busy machine, no two writes follow each other at once.
        quarter.set_missed_tick_behavior(MissedTickBehavior::Delay);
        for (word, name) in names.iter().cycle().enumerate() {
            quarter.tick().await;
            fixture.annotate(name, json!({"example.com/seen": word.to_string()})).await;
        }
    };
    let _operator = fixture.operator_behind(&proxies);
    let reserved = async {
        for name in &names {
            fixture.until_reason(name, "Reserved").await;
        }
    };
    tokio::select! {
        () = others => {}
        () = reserved => {}
    }
    let refused = proxies.recording.count(|exchange| claims(exchange) && exchange.status == Some(409));
    assert!(refused > 0, "nobody was in the way: {}", proxies.recording.listing());
    for name in &names {
        let tries =
            proxies.recording.count(|exchange| claims(exchange) && exchange.path.contains(name.as_str()));
        assert!(tries <= TRIES, "{tries} tries for {name}: {}", proxies.recording.listing());
    }
    assert_eq!(fixture.atlas.executed(Operation::Create), names.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_create_after_a_deletion_observed_during_the_claim() {
    let fixture = Fixture::new().await;
    let proxies = fixture.proxies().await;
    // Half of D: the response to the claim arrives in time for its POST.
    proxies.recording.next(claims, Action::DelayResponse(Duration::from_millis(500)));
    let _operator = fixture.operator_behind(&proxies);
    fixture.create("orders", json!({})).await;
    fixture.until("orders", "claimed", |object| object.annotations().contains_key(CLAIM)).await;
    fixture.delete("orders").await;
    fixture.until_gone("orders").await;
    assert_eq!(fixture.atlas.executed(Operation::Create), 0, "{}", proxies.recording.listing());
}
