//! Tests the contribution of an object's report to the metrics, and the time since when it waits.

use domain::fault::{Fault, FaultKind};
use domain::status::Message;
use serde_json::{Value, json};

use super::*;

const LONG_AGO: &str = "2020-01-01T00:00:00Z";
const LONG_AGO_SECONDS: i64 = 1_577_836_800;

fn condition(kind: ConditionType, status: bool, reason: Reason) -> Condition {
    Condition { kind, status, reason, message: Message::default() }
}

fn report(ready: (bool, Reason), connected: Reason, stalled: bool) -> Report {
    let mut conditions = vec![
        condition(ConditionType::Ready, ready.0, ready.1),
        condition(ConditionType::Synced, true, Reason::ReconcileSucceeded),
        condition(ConditionType::EndpointConnected, connected == Reason::Available, connected),
    ];
    if stalled {
        conditions.push(condition(ConditionType::Stalled, true, ready.1));
    }
    Report { conditions, ..Report::default() }
}

fn decision(state: State) -> Decision {
    Decision {
        step: domain::serverless::decision::Step::Rest,
        state,
        requeue: Requeue::Interval,
        absent: None,
    }
}

/// Returns an object that was created long ago, in this state.
fn object(reported: &[ConditionType], deleting: bool) -> ServerlessPrivateEndpoint {
    let condition = |kind: &ConditionType| {
        json!({
            "type": kind.as_str(), "status": "False", "reason": "Creating", "message": "",
            "lastTransitionTime": LONG_AGO,
        })
    };
    let conditions: Vec<Value> = reported.iter().map(condition).collect();
    let mut object = json!({
        "apiVersion": "atlas.spe-operator.io/v1alpha1",
        "kind": "ServerlessPrivateEndpoint",
        "metadata": {"namespace": "a", "name": "orders"},
        "spec": {"projectId": "32b6e34b3d91647abb20e7b8", "instanceName": "orders"},
        "status": {"observedGeneration": 1, "conditions": conditions},
    });
    if deleting {
        object["metadata"]["deletionTimestamp"] = json!(LONG_AGO);
    }
    serde_json::from_value(object).unwrap()
}

#[test]
fn an_unfinished_object_waits_for_one_cause() {
    use Reason as R;
    let unlisted = || State::ListingFailed(Fault::new(FaultKind::Unauthorized, ""));
    for (state, report, expected) in [
        (unlisted(), report((false, R::Creating), R::ServiceProvisioning, false), Some(WaitingFor::Progress)),
        (
            unlisted(),
            report((false, R::Unauthorized), R::ServiceProvisioning, false),
            Some(WaitingFor::Progress),
        ),
        (
            unlisted(),
            report((true, R::Reserved), R::AwaitingVpcEndpoint, false),
            Some(WaitingFor::VpcEndpoint),
        ),
        (
            unlisted(),
            report((false, R::AwaitingVpcEndpoint), R::AwaitingVpcEndpoint, false),
            Some(WaitingFor::VpcEndpoint),
        ),
        (
            unlisted(),
            report((false, R::ReferenceNotFound), R::Available, false),
            Some(WaitingFor::VpcEndpoint),
        ),
        (
            unlisted(),
            report((false, R::Connecting), R::AwaitingVpcEndpoint, false),
            Some(WaitingFor::Progress),
        ),
        // Ready from RESERVED on, and connected or being connected.
        (unlisted(), report((true, R::Reserved), R::Connecting, false), None),
        (unlisted(), report((true, R::Available), R::Available, false), None),
        (unlisted(), report((false, R::AtlasFailed), R::AtlasFailed, true), Some(WaitingFor::Correction)),
        (
            unlisted(),
            report((false, R::VpcEndpointStale), R::AwaitingVpcEndpoint, true),
            Some(WaitingFor::Correction),
        ),
        (State::Suspended, report((false, R::Suspended), R::ServiceProvisioning, false), None),
        (
            State::Deleting(Deleting::InProgress),
            report((false, R::Deleting), R::Deleting, false),
            Some(WaitingFor::Deletion),
        ),
    ] {
        assert_eq!(waiting_for(&decision(state), &report), expected, "{report:?}");
    }
}

/// Returns since when the object has waited after these reconciles, each with the conditions that the object then has.
fn since(reconciles: &[(&State, &Report, &ServerlessPrivateEndpoint)]) -> Option<i64> {
    let metrics = Metrics::default();
    let mut counted = ObjectMetrics::default();
    for (state, report, object) in reconciles {
        counted.reconciled(&metrics, &decision((*state).clone()), report, object, None);
    }
    counted.snapshot.and_then(|snapshot| snapshot.waits_for).map(|(_, since)| since)
}

#[test]
fn a_restart_keeps_the_start_of_a_wait_and_another_cause_resets_it() {
    let deleting = State::Deleting(Deleting::InProgress);
    let creating = State::Creating(Creating::Pending);
    let (new, old) = (object(&[], false), object(&[ConditionType::Ready], false));
    let progress = report((false, Reason::Creating), Reason::ServiceProvisioning, false);
    let waiting = report((false, Reason::AwaitingVpcEndpoint), Reason::AwaitingVpcEndpoint, false);
    let gone = report((false, Reason::Deleting), Reason::Deleting, false);
    let now = Timestamp::now().as_second();
    // The first reconcile of this process: of an object that has waited for long, and of an object that begins to wait.
    assert_eq!(since(&[(&creating, &progress, &old)]), Some(LONG_AGO_SECONDS));
    assert!(since(&[(&creating, &progress, &new)]).is_some_and(|since| since >= now));
    // The same wait continues, whatever the conditions say later.
    assert_eq!(since(&[(&creating, &progress, &old), (&creating, &progress, &new)]), Some(LONG_AGO_SECONDS));
    // Another wait begins.
    let other = since(&[(&creating, &waiting, &old), (&creating, &progress, &old)]);
    assert!(other.is_some_and(|since| since >= now));
    // The time of a deletion comes from the API server.
    let terminating = object(&[ConditionType::Ready], true);
    assert_eq!(
        since(&[(&creating, &progress, &new), (&deleting, &gone, &terminating)]),
        Some(LONG_AGO_SECONDS)
    );
}

#[test]
fn an_object_is_due_until_it_is_deleted_or_suspended() {
    let metrics = Metrics::default();
    let progress = report((false, Reason::Creating), Reason::ServiceProvisioning, false);
    let reconcile = |counted: &mut ObjectMetrics, decision: &Decision, report: &Report| {
        counted.reconciled(&metrics, decision, report, &object(&[], false), None);
    };
    let interval = 10 * 60 * u64::from(MAX_INTERVALS);
    let now = Boottime::now().since_boot().as_secs();
    let mut counted = ObjectMetrics::default();
    counted.appeared(&object(&[], false));
    assert!(counted.overdue.is_some_and(|overdue| (now + interval..now + interval + 60).contains(&overdue)));
    let first = counted.overdue;
    // A failed reconcile changes nothing.
    let mut failed = progress.clone();
    failed.conditions[1] = condition(ConditionType::Synced, false, Reason::AtlasUnavailable);
    counted.overdue = first.map(|overdue| overdue - 5);
    reconcile(&mut counted, &decision(State::Creating(Creating::Pending)), &failed);
    assert_eq!(counted.overdue, first.map(|overdue| overdue - 5));
    reconcile(&mut counted, &decision(State::Creating(Creating::Pending)), &progress);
    assert!(counted.overdue >= first);
    let suspended = Decision { requeue: Requeue::OnChange, ..decision(State::Suspended) };
    reconcile(&mut counted, &suspended, &progress);
    assert_eq!(counted.overdue, None);
    counted.appeared(&object(&[], false));
    assert_eq!(counted.overdue, None, "the watch shows it again, but it is still suspended");
    counted.on_deleted(&metrics);
    assert!(counted.snapshot.is_none());
}

#[test]
fn a_deletion_is_counted_once_by_the_first_to_observe_its_end() {
    let metrics = Metrics::default();
    let deleting = decision(State::Deleting(Deleting::InProgress));
    let gone = report((false, Reason::Deleting), Reason::Deleting, false);
    let mut counted = ObjectMetrics::default();
    counted.reconciled(&metrics, &deleting, &gone, &object(&[], true), None);
    for _ in 0..2 {
        counted.on_deleted(&metrics);
        let text = metrics.encode().unwrap();
        assert!(text.contains("atlas_spe_transition_seconds_count{to=\"deleted\"} 1\n"), "{text}");
    }
}
