//! Tests the contribution of an object's report to the metrics, and the time since when it waits.

use domain::status::Message;

use super::*;

const LONG_AGO: &str = "2020-01-01T00:00:00Z";
const INTERVAL: Duration = Duration::from_mins(10);
const LONG_AGO_SECONDS: i64 = 1_577_836_800;

fn condition(kind: ConditionType, status: bool, reason: Reason) -> Condition {
    Condition { kind, status, reason, message: Message::default() }
}

fn report(ready: (bool, Reason), connected: Reason, stalled: bool) -> Vec<Condition> {
    let mut conditions = vec![
        condition(ConditionType::Ready, ready.0, ready.1),
        condition(ConditionType::Synced, true, Reason::ReconcileSucceeded),
        condition(ConditionType::EndpointConnected, connected == Reason::Available, connected),
    ];
    if stalled {
        conditions.push(condition(ConditionType::Stalled, true, ready.1));
    }
    conditions
}

/// An object that was created long ago, in this state.
struct Found {
    metadata: v1::ObjectMeta,
    reported: Vec<v1::Condition>,
}

impl Found {
    fn new(reported: &[ConditionType], deleting: bool) -> Self {
        let long_ago = || v1::Time(LONG_AGO.parse().unwrap());
        let condition = |kind: &ConditionType| v1::Condition {
            type_: kind.to_string(),
            status: "False".to_owned(),
            reason: "Creating".to_owned(),
            message: String::new(),
            last_transition_time: long_ago(),
            observed_generation: None,
        };
        let deletion_timestamp = deleting.then(long_ago);
        Self {
            metadata: v1::ObjectMeta { deletion_timestamp, ..v1::ObjectMeta::default() },
            reported: reported.iter().map(condition).collect(),
        }
    }

    fn with<'a>(&'a self, conditions: &'a [Condition]) -> ReconcileFinding<'a> {
        ReconcileFinding {
            kind: "Example".into(),
            metadata: &self.metadata,
            reported: &self.reported,
            conditions,
            state: "NONE",
            waiting_for: waiting_for(self.metadata.deletion_timestamp.is_some(), conditions),
            claim_open: false,
            requeue: Requeue::Interval,
            interval: INTERVAL,
            due: None,
        }
    }
}

#[test]
fn an_unfinished_object_waits_for_one_cause() {
    use Reason as R;
    for (deleting, report, expected) in [
        (false, report((false, R::Creating), R::ServiceProvisioning, false), Some(WaitingFor::Progress)),
        (false, report((false, R::Unauthorized), R::ServiceProvisioning, false), Some(WaitingFor::Progress)),
        (false, report((true, R::Reserved), R::AwaitingVpcEndpoint, false), Some(WaitingFor::VpcEndpoint)),
        (
            false,
            report((false, R::AwaitingVpcEndpoint), R::AwaitingVpcEndpoint, false),
            Some(WaitingFor::VpcEndpoint),
        ),
        (false, report((false, R::ReferenceNotFound), R::Available, false), Some(WaitingFor::VpcEndpoint)),
        (false, report((false, R::Connecting), R::AwaitingVpcEndpoint, false), Some(WaitingFor::Progress)),
        // Ready from RESERVED on, and connected or being connected.
        (false, report((true, R::Reserved), R::Connecting, false), None),
        (false, report((true, R::Available), R::Available, false), None),
        (false, report((false, R::AtlasFailed), R::AtlasFailed, true), Some(WaitingFor::Correction)),
        (
            false,
            report((false, R::VpcEndpointStale), R::AwaitingVpcEndpoint, true),
            Some(WaitingFor::Correction),
        ),
        (false, report((false, R::Suspended), R::ServiceProvisioning, false), None),
        (true, report((false, R::Deleting), R::Deleting, false), Some(WaitingFor::Deletion)),
    ] {
        assert_eq!(waiting_for(deleting, &report), expected, "{report:?}");
    }
}

/// Returns since when the object has waited after these reconciles, each with the conditions that the object then has.
fn since(reconciles: &[(&[Condition], &Found)]) -> Option<i64> {
    let metrics = Metrics::default();
    let mut counted = ObjectMetrics::default();
    for (conditions, found) in reconciles {
        counted.reconciled(&metrics, &found.with(conditions));
    }
    counted.snapshot.and_then(|snapshot| snapshot.waits_for).map(|(_, since)| since)
}

#[test]
fn a_restart_keeps_the_start_of_a_wait_and_another_cause_resets_it() {
    let (new, old) = (Found::new(&[], false), Found::new(&[ConditionType::Ready], false));
    let progress = report((false, Reason::Creating), Reason::ServiceProvisioning, false);
    let waiting = report((false, Reason::AwaitingVpcEndpoint), Reason::AwaitingVpcEndpoint, false);
    let gone = report((false, Reason::Deleting), Reason::Deleting, false);
    let now = Timestamp::now().as_second();
    // The first reconcile of this process: of an object that has waited for long, and of an object that begins to wait.
    assert_eq!(since(&[(&progress, &old)]), Some(LONG_AGO_SECONDS));
    assert!(since(&[(&progress, &new)]).is_some_and(|since| since >= now));
    // The same wait continues, whatever the conditions say later.
    assert_eq!(since(&[(&progress, &old), (&progress, &new)]), Some(LONG_AGO_SECONDS));
    // Another wait begins.
    let other = since(&[(&waiting, &old), (&progress, &old)]);
    assert!(other.is_some_and(|since| since >= now));
    // The time of a deletion comes from the API server.
    let terminating = Found::new(&[ConditionType::Ready], true);
    assert_eq!(since(&[(&progress, &new), (&gone, &terminating)]), Some(LONG_AGO_SECONDS));
}

#[test]
fn an_object_is_due_until_it_is_deleted_or_suspended() {
    let metrics = Metrics::default();
    let progress = report((false, Reason::Creating), Reason::ServiceProvisioning, false);
    let found = Found::new(&[], false);
    let reconcile = |counted: &mut ObjectMetrics, requeue: Requeue, conditions: &[Condition]| {
        counted.reconciled(&metrics, &ReconcileFinding { requeue, ..found.with(conditions) });
    };
    let interval = INTERVAL.as_secs() * u64::from(MAX_INTERVALS);
    let now = Boottime::now().since_boot().as_secs();
    let mut counted = ObjectMetrics::default();
    counted.appeared(INTERVAL);
    assert!(counted.overdue.is_some_and(|overdue| (now + interval..now + interval + 60).contains(&overdue)));
    let first = counted.overdue;
    // A failed reconcile changes nothing.
    let mut failed = progress.clone();
    failed[1] = condition(ConditionType::Synced, false, Reason::AtlasUnavailable);
    counted.overdue = first.map(|overdue| overdue - 5);
    reconcile(&mut counted, Requeue::Interval, &failed);
    assert_eq!(counted.overdue, first.map(|overdue| overdue - 5));
    reconcile(&mut counted, Requeue::Interval, &progress);
    assert!(counted.overdue >= first);
    reconcile(&mut counted, Requeue::OnChange, &progress);
    assert_eq!(counted.overdue, None);
    counted.appeared(INTERVAL);
    assert_eq!(counted.overdue, None, "the watch shows it again, but it is still suspended");
    counted.on_deleted(&metrics);
    assert!(counted.snapshot.is_none());
}

#[test]
fn a_deletion_is_counted_once_by_the_first_to_observe_its_end() {
    let metrics = Metrics::default();
    let gone = report((false, Reason::Deleting), Reason::Deleting, false);
    let mut counted = ObjectMetrics::default();
    counted.reconciled(&metrics, &Found::new(&[], true).with(&gone));
    for _ in 0..2 {
        counted.on_deleted(&metrics);
        let text = metrics.encode().unwrap();
        assert!(text.contains("atlas_spe_transition_seconds_count{to=\"deleted\"} 1\n"), "{text}");
    }
}
