//! Two operators without election for the same objects: nothing is doubled or lost, and they come to rest. Safety never rests on election.

use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use serde_json::{Value, json};
use test_support::PATIENCE;
use test_support::dedicated::{CLUSTER, DedicatedFixture, KindApi, assert_condition_of};
use testbed::{Action, Exchange, Signal};

use super::VPC;
use super::lives::operator::RestartedOperator;
use super::lives::verdict::LifeVerdict;
use super::lives::{ENDPOINT, LifeOrder, LifePart, SERVICE, fixture};

/// How long no write must be sent until an operator counts as at rest.
const QUIET: Duration = Duration::from_millis(700);

/// How often reconciles are forced at rest.
const POLLS: usize = 20;

/// Longer than D, so that the response of the claim finds a process that is paused.
const HELD: Duration = Duration::from_secs(3);

/// The object without what a forced reconcile changes.
fn essence(mut object: Value) -> Value {
    object["status"].as_object_mut().unwrap().remove("lastHandledReconcileAt");
    json!([object["spec"], object["status"], object["metadata"]["finalizers"]])
}

/// Forces reconciles of both objects, and fails if one of the operators writes more than that they are done.
async fn assert_at_rest(fixture: &DedicatedFixture, operators: [&RestartedOperator; 2]) {
    let effects = || {
        let accepted = |exchange: &Exchange| exchange.status.is_some_and(|status| status < 300);
        let all = operators.iter().flat_map(|operator| operator.proxies.recording.effects());
        all.filter(accepted).count()
    };
    for operator in operators {
        operator.until_quiet(QUIET).await;
    }
    let (before, atlas) = (effects(), operators.map(RestartedOperator::atlas_writes));
    for (objects, name) in [(&fixture.services, SERVICE), (&fixture.endpoints, ENDPOINT)] {
        let earlier = essence(objects.get(name).await);
        for round in 0..POLLS {
            objects.reconcile(name, &format!("{round}")).await;
        }
        assert_eq!(essence(objects.get(name).await), earlier, "{name}");
    }
    for operator in operators {
        operator.until_quiet(QUIET).await;
    }
    let written = effects() - before;
    let listing = operators.map(|operator| operator.proxies.recording.listing()).join("\nthe other:");
    assert!(written <= 2 * POLLS, "{written} writes, where {} acknowledge: {listing}", 2 * POLLS);
    assert_eq!(operators.map(RestartedOperator::atlas_writes), atlas);
}

/// Lives a life under two operators.
async fn live_freely(order: LifeOrder) {
    let fixture = Arc::new(fixture(order).await);
    let one = RestartedOperator::start(&fixture).await;
    let other = RestartedOperator::start(&fixture).await;
    let mut verdict = LifeVerdict::default();
    for part in order.parts() {
        part.act(&fixture).await;
        part.until_end(&fixture, false, &mut verdict).await;
        if matches!(part, LifePart::Create | LifePart::Replace | LifePart::Attach) {
            assert_at_rest(&fixture, [&one, &other]).await;
        }
    }
    verdict.end(&fixture, order);
    let traces = [&one, &other].map(|operator| operator.proxies.recording.listing()).join("\nthe other:");
    assert!(verdict.wrong.is_empty(), "{order:?}: {}{traces}", verdict.wrong.join("\n"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_operators_at_once_create_replace_and_delete_each_thing_once() {
    join_all([LifeOrder::Together, LifeOrder::InTurn, LifeOrder::Together].map(live_freely)).await;
}

/// Returns whether this claims a request: `+` a POST, `-` a DELETE.
fn claims(kind: &'static str, sign: char) -> impl Fn(&Exchange) -> bool + Copy {
    move |exchange| {
        let body: Value = serde_json::from_slice(&exchange.body).unwrap_or_default();
        let claim = body["metadata"]["annotations"]["atlas.spe-operator.io/claim"].as_str();
        exchange.path.contains(&format!("/{kind}/"))
            && claim
                .is_some_and(|text| text.rsplit('/').next().is_some_and(|target| target.starts_with(sign)))
    }
}

/// An operator is paused between a claim in `part` and its request, and continued once another has ended what it began; an object that
/// is deleted is applied again before. The paused one sends nothing then.
async fn paused_after_its_claim(order: LifeOrder, part: LifePart, kind: &'static str, sign: char) {
    let fixture = Arc::new(fixture(order).await);
    let sleeper = RestartedOperator::start(&fixture).await;
    let mut verdict = LifeVerdict::default();
    for earlier in order.parts().iter().take_while(|earlier| **earlier != part) {
        earlier.act(&fixture).await;
        earlier.until_end(&fixture, false, &mut verdict).await;
    }
    let is_claim = claims(kind, sign);
    let recording = &sleeper.proxies.recording;
    let before = recording.count(|exchange| is_claim(exchange) && exchange.status.is_some());
    recording.next(is_claim, Action::DelayResponse(HELD));
    part.act(&fixture).await;
    let is_claimed = |exchange: &Exchange| is_claim(exchange) && exchange.status.is_some();
    recording.wait_for(before + 1, is_claimed, PATIENCE).await.unwrap();
    sleeper.signal(Signal::STOP);
    let sent = sleeper.atlas_writes();
    let other = RestartedOperator::start(&fixture).await;
    part.until_end(&fixture, false, &mut verdict).await;
    match part {
        LifePart::DeleteEndpoint | LifePart::CreateService => again(&fixture).await,
        LifePart::DeleteService => {
            LifePart::CreateService.act(&fixture).await;
            again(&fixture).await;
        }
        _ => {}
    }
    other.until_quiet(QUIET).await;
    let is_listing = |exchange: &Exchange| {
        exchange.proxy == "atlas" && exchange.method == "GET" && exchange.status == Some(200)
    };
    let listed = recording.count(is_listing);
    sleeper.signal(Signal::CONT);
    let atlas_writes = fixture.atlas_writes();
    for (objects, name) in [(&fixture.services, SERVICE), (&fixture.endpoints, ENDPOINT)] {
        objects.reconcile(name, "continued").await;
    }
    recording.wait_for(listed + 1, is_listing, PATIENCE).await.unwrap();
    assert_at_rest(&fixture, [&sleeper, &other]).await;
    let listing = recording.listing();
    assert_eq!(sleeper.atlas_writes(), sent, "{part:?} {kind} {sign}: it sent what it had claimed:{listing}");
    assert_eq!(fixture.atlas_writes(), atlas_writes, "{part:?} {kind} {sign}");
    for (objects, name) in [(&fixture.services, SERVICE), (&fixture.endpoints, ENDPOINT)] {
        assert_condition_of(&objects.get(name).await, "Ready", "True", "Available");
    }
    assert!(verdict.wrong.is_empty(), "{part:?} {kind} {sign}: {:#?}{listing}", verdict.wrong);
    delete_both(&fixture).await;
}

/// Applies the endpoint object, and waits until it is Ready.
async fn again(fixture: &DedicatedFixture) {
    fixture.apply_endpoint(ENDPOINT, SERVICE, VPC, json!({"clusters": [CLUSTER]})).await;
    fixture.endpoints.until_ready(ENDPOINT, "True", "Available").await;
}

async fn delete_both(fixture: &DedicatedFixture) {
    let objects: [(&KindApi, &str); 2] = [(&fixture.endpoints, ENDPOINT), (&fixture.services, SERVICE)];
    for (objects, name) in objects {
        objects.delete(name).await;
    }
    fixture.endpoints.until_gone(ENDPOINT).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_operator_paused_after_a_claim_sends_nothing_when_it_continues() {
    use LifeOrder::{InTurn, Together};
    let (services, endpoints) = ("privateendpointservices", "privateendpoints");
    let cases = [
        (InTurn, LifePart::CreateService, services, '+'),
        (InTurn, LifePart::Attach, endpoints, '+'),
        (InTurn, LifePart::DeleteEndpoint, endpoints, '-'),
        (InTurn, LifePart::DeleteService, services, '-'),
        (Together, LifePart::Replace, endpoints, '+'),
        (Together, LifePart::Replace, endpoints, '-'),
    ];
    let all = cases.map(|(order, part, kind, sign)| paused_after_its_claim(order, part, kind, sign));
    join_all(all).await;
}
