//! Two operators without election for the same objects: nothing is doubled or lost, and they come to rest. Safety never rests on election.

use std::time::Duration;

use futures::future::join_all;
use serde_json::{Value, json};
use test_support::PATIENCE;
use testbed::{Action, Exchange, Signal};

use super::CLAIM;
use crate::fixture::{PlanFixture, QUIET, SERVICE, reconciled};
use crate::operator::ProxiedOperator;
use crate::path::Path;
use crate::requests::ATLAS;

/// How often reconciles are forced at rest.
const POLLS: usize = 20;

/// Longer than D, so that the response of the claim finds a process that is paused.
const HELD: Duration = Duration::from_secs(3);

/// Returns the object without what a forced reconcile changes.
fn essence(mut object: Value) -> Value {
    object["status"].as_object_mut().unwrap().remove("lastHandledReconcileAt");
    json!([object["spec"], object["status"], object["metadata"]["finalizers"]])
}

/// Returns how many writes it has sent to Atlas.
fn atlas_writes(operator: &ProxiedOperator) -> usize {
    operator.recording.count(|exchange| exchange.proxy == ATLAS && exchange.is_write())
}

/// Forces reconciles of the objects, and fails if one of the operators writes more than that they are done.
async fn assert_at_rest(fixture: &PlanFixture, operators: [&ProxiedOperator; 2]) {
    let effects = || {
        let accepted = |exchange: &Exchange| exchange.status.is_some_and(|status| status < 300);
        operators.iter().flat_map(|operator| operator.recording.effects()).filter(accepted).count()
    };
    for operator in operators {
        operator.until_quiet(QUIET).await;
    }
    let (before, atlas) = (effects(), operators.map(atlas_writes));
    for (objects, name) in &fixture.objects {
        let Some(earlier) = objects.find(name).await.map(essence) else { continue };
        for round in 0..POLLS {
            objects.reconcile(name, &format!("{round}")).await;
        }
        assert_eq!(essence(objects.get(name).await), earlier, "{name}");
    }
    for operator in operators {
        operator.until_quiet(QUIET).await;
    }
    let written = effects() - before;
    let listing = operators.map(|operator| operator.recording.listing()).join("\nthe other:");
    assert!(written <= 2 * POLLS, "{written} writes, where {} acknowledge: {listing}", 2 * POLLS);
    assert_eq!(operators.map(atlas_writes), atlas);
}

/// Deletes the objects, and fails if the judge finds a violation.
async fn end(fixture: &PlanFixture, what: &str, operators: [&ProxiedOperator; 2]) {
    let deleted_at = fixture.end(Path::Register, Duration::ZERO, &operators).await;
    let record = fixture.record(Some(deleted_at), &operators).await;
    let wrong = fixture.judged(&record);
    let traces = operators.map(|operator| operator.recording.listing()).join("\nthe other:");
    assert!(wrong.is_empty(), "{what}: {}{traces}", wrong.join("\n"));
    operators.into_iter().for_each(ProxiedOperator::forget_log);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_operators_at_once_create_replace_and_delete_each_thing_once() {
    let fixture = PlanFixture::new(Path::CreateService).await;
    let mut one = ProxiedOperator::new(&fixture.base, "at-once-one").await;
    let mut other = ProxiedOperator::new(&fixture.base, "at-once-other").await;
    other.launch();
    fixture.ready(Path::CreateService, &mut one).await;
    for path in [Path::CreateService, Path::Register, Path::Replace, Path::Recreate] {
        fixture.act(path, &mut one).await;
        fixture.arrived(path, &one, 0).await;
        assert_at_rest(&fixture, [&one, &other]).await;
        if path == Path::CreateService {
            fixture.others_join().await;
        }
    }
    end(&fixture, "at once", [&one, &other]).await;
}

/// Returns whether this claims a request: `+` a POST, `-` a DELETE.
fn claims(kind: &'static str, sign: char) -> impl Fn(&Exchange) -> bool + Copy {
    move |exchange| {
        let body: Value = serde_json::from_slice(&exchange.body).unwrap_or_default();
        let claim = body["metadata"]["annotations"][CLAIM].as_str();
        exchange.path.contains(&format!("/{kind}/"))
            && claim
                .is_some_and(|text| text.rsplit('/').next().is_some_and(|target| target.starts_with(sign)))
    }
}

/// An operator is paused between a claim in the path and its request, and continued once another has ended what it began; a service that
/// is deleted is applied again before. The paused one sends nothing then.
async fn paused_after_its_claim(path: Path, kind: &'static str, sign: char) {
    let what = format!("paused-{}-{sign}", path.name());
    let fixture = PlanFixture::new(path).await;
    let mut sleeper = ProxiedOperator::new(&fixture.base, &what).await;
    fixture.ready(path, &mut sleeper).await;
    let is_claim = claims(kind, sign);
    let before = sleeper.recording.count(is_claim);
    sleeper.recording.next(is_claim, Action::DelayResponse(HELD));
    fixture.act(path, &mut sleeper).await;
    let is_claimed = |exchange: &Exchange| is_claim(exchange) && exchange.status.is_some();
    sleeper.recording.wait_for(before + 1, is_claimed, PATIENCE).await.unwrap();
    sleeper.signal(Signal::STOP);
    let sent = atlas_writes(&sleeper);
    let mut other = ProxiedOperator::new(&fixture.base, &format!("{what}-other")).await;
    other.launch();
    fixture.arrived(path, &other, 0).await;
    if path == Path::DeleteService {
        fixture.act(Path::CreateService, &mut other).await;
        fixture.arrived(Path::CreateService, &other, 0).await;
    }
    other.until_quiet(QUIET).await;
    let written = (atlas_writes(&other), sleeper.recording.exchanges().len());
    sleeper.signal(Signal::CONT);
    for (objects, name) in &fixture.objects {
        if objects.find(name).await.is_some() {
            objects.reconcile(name, "continued").await;
        }
    }
    reconciled(&sleeper, written.1).await.unwrap();
    assert_at_rest(&fixture, [&sleeper, &other]).await;
    let listing = sleeper.recording.listing();
    assert_eq!(atlas_writes(&sleeper), sent, "{what}: it sent what it had claimed:{listing}");
    assert_eq!(atlas_writes(&other), written.0, "{what}");
    fixture.services().until_ready(SERVICE, "True", "Available").await;
    end(&fixture, &what, [&sleeper, &other]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_operator_paused_after_a_claim_sends_nothing_when_it_continues() {
    let (services, endpoints) = ("privateendpointservices", "privateendpoints");
    let cases = [
        (Path::CreateService, services, '+'),
        (Path::Register, endpoints, '+'),
        (Path::Recreate, endpoints, '-'),
        (Path::DeleteService, services, '-'),
        (Path::Replace, endpoints, '+'),
        (Path::Replace, endpoints, '-'),
    ];
    join_all(cases.map(|(path, kind, sign)| paused_after_its_claim(path, kind, sign))).await;
}
