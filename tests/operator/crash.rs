//! Responses lost or late, with one operator or two: exactly one endpoint for each object, and none after its deletion.
//!
//! `tests/plans` enumerates every fault at every request and a kill after every effect; here are faults of Atlas that
//! no single request shows.

use atlas_simulator::{
    DEFAULT_INSTANCE, DEFAULT_PROJECT, InjectedFault, Operation, Rule, Termination, max_live,
};
use serde_json::json;
use test_support::{Fixture, VPC_ENDPOINT};

#[tokio::test]
async fn a_lost_create_response_leads_to_adoption_and_no_second_post() {
    for ending in [
        Termination::Cut,
        Termination::CutInBody,
        Termination::Hang,
        Termination::BadGateway,
        Termination::GatewayTimeout,
    ] {
        let fixture = Fixture::new().await;
        fixture.atlas.inject(Rule::next_of(Operation::Create, InjectedFault::Executed(ending.clone())));
        let _operator = fixture.operator();
        fixture.create("orders", json!({})).await;
        fixture.until_reason("orders", "Reserved").await;
        assert_eq!(fixture.atlas.executed(Operation::Create), 1, "{ending:?}");
        assert_one_ever(&fixture);
    }
}

#[tokio::test]
async fn a_post_that_is_executed_after_its_timeout_is_adopted() {
    let fixture = Fixture::new().await;
    let after = std::time::Duration::from_secs(3);
    fixture.atlas.inject(Rule::next_of(
        Operation::Create,
        InjectedFault::ExecutedLate { after, ending: Termination::Cut },
    ));
    let _operator = fixture.operator();
    fixture.create("orders", json!({})).await;
    fixture.until_reason("orders", "Reserved").await;
    assert_one_ever(&fixture);
}

#[tokio::test]
async fn a_lost_post_is_repeated_only_after_the_uncertainty() {
    let fixture = Fixture::new().await;
    fixture.atlas.inject(Rule::next_of(Operation::Create, InjectedFault::NotExecuted(Termination::Cut)));
    let _operator = fixture.operator();
    fixture.create("orders", json!({})).await;
    fixture.until_reason("orders", "Reserved").await;
    let posts: Vec<_> = fixture
        .atlas
        .journal()
        .into_iter()
        .filter(|entry| entry.is(Operation::Create) && entry.challenged.is_none())
        .collect();
    assert_eq!(posts.len(), 2);
    let pause = posts[1].at.checked_sub(posts[0].at).unwrap();
    assert!(pause.as_secs() >= 8, "the second POST came {pause:?} after the first, before Q was over");
    assert_one_ever(&fixture);
}

#[tokio::test]
async fn an_object_deleted_while_its_create_is_uncertain_leaves_nothing_behind() {
    let fixture = Fixture::new().await;
    let after = std::time::Duration::from_secs(2);
    fixture.atlas.inject(Rule::next_of(
        Operation::Create,
        InjectedFault::ExecutedLate { after, ending: Termination::Cut },
    ));
    let _operator = fixture.operator();
    fixture.create("orders", json!({})).await;
    let seen = fixture
        .atlas
        .until(|atlas| atlas.count(|entry| entry.is(Operation::Create) && entry.challenged.is_none()) > 0);
    tokio::time::timeout(test_support::PATIENCE, seen).await.unwrap();
    fixture.delete("orders").await;
    fixture.until_gone("orders").await;
    // An operator that did not wait for it would be gone by now, and what lands then would stay.
    let landed = fixture.atlas.until(|atlas| atlas.executed(Operation::Create) == 1);
    tokio::time::timeout(test_support::PATIENCE, landed).await.unwrap();
    assert!(fixture.endpoints().is_empty());
}

#[tokio::test]
async fn two_operators_without_election_create_one_endpoint_per_object() {
    let fixture = Fixture::new().await;
    let _one = fixture.operator();
    let _other = fixture.operator();
    let names: Vec<_> = (0..10).map(|n| format!("orders-{n}")).collect();
    for name in &names {
        fixture.create(name, json!({"cloudProviderEndpointId": VPC_ENDPOINT})).await;
    }
    for name in &names {
        fixture.until_reason(name, "Available").await;
    }
    assert_eq!(fixture.endpoints().len(), names.len());
    assert_eq!(fixture.atlas.executed(Operation::Create), names.len());
    for name in &names {
        fixture.delete(name).await;
    }
    for name in &names {
        fixture.until_gone(name).await;
    }
    assert!(fixture.endpoints().is_empty());
}

#[tokio::test]
async fn a_listing_that_lags_neither_doubles_nor_leaks() {
    let mut pace = atlas_simulator::Pace::of(std::time::Duration::from_millis(300));
    pace.list_lag = std::time::Duration::from_millis(1500);
    let fixture = Fixture::at_pace(pace).await;
    let _operator = fixture.operator();
    fixture.create("orders", json!({})).await;
    fixture.until_reason("orders", "Reserved").await;
    assert_one_ever(&fixture);
    fixture.delete("orders").await;
    fixture.until_gone("orders").await;
    assert!(fixture.endpoints().is_empty());
}

/// Exactly one endpoint was ever created for the instance's only object, and it is alive.
#[track_caller]
fn assert_one_ever(fixture: &Fixture) {
    let lives = fixture.atlas.timelines();
    assert_eq!(max_live(&lives, |_| true), 1);
    assert_eq!(lives.len(), 1);
    assert_eq!(fixture.atlas.endpoints(DEFAULT_PROJECT, DEFAULT_INSTANCE).len(), 1);
}
