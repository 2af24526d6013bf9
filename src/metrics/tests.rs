//! Tests the series that `/metrics` serves for each recorded event.

use atlas::Operation;
use domain::status::{ConditionType, Reason};

use super::*;

fn call(outcome: Outcome) -> CallRecord {
    CallRecord {
        operation: Operation::Create,
        outcome,
        duration: Duration::from_millis(200),
        requests: 1,
        credential: "0a1b2c3d".to_owned(),
        remaining: None,
    }
}

/// Not ready, with this status in Atlas, and waiting since then.
fn snapshot(state: &'static str, cause: WaitingFor, since: i64) -> ObjectSnapshot {
    ObjectSnapshot {
        state: ObjectState::new(state, false),
        conditions: [Some((ConditionType::Ready, false, Reason::Creating)), None, None, None, None],
        waits_for: Some((cause, since)),
    }
}

/// Asserts that no line of the served text starts with this.
fn assert_not_served(metrics: &Metrics, beginning: &str) {
    let text = metrics.encode().unwrap();
    assert!(!text.lines().any(|served| served.starts_with(beginning)), "{beginning:?} is in\n{text}");
}

/// Asserts that each line is in the served text.
fn assert_served(metrics: &Metrics, lines: &[&str]) {
    let text = metrics.encode().unwrap();
    for line in lines {
        assert!(text.lines().any(|served| served == *line), "{line:?} is missing in\n{text}");
    }
}

#[test]
fn names_and_labels_are_those_of_controller_runtime_and_client_go() {
    let metrics = Metrics::default();
    metrics.reconcile_finished(ReconcileResult::RequeueAfter, Duration::from_millis(30));
    metrics.reconcile_finished(ReconcileResult::Error, Duration::from_secs(40));
    metrics.reconcile_panicked();
    metrics.cluster_request("PATCH", "10.0.0.1:443", Some(409));
    metrics.cluster_request("GET", "10.0.0.1:443", None);
    metrics.set_leader("spe-operator", true);
    assert_served(
        &metrics,
        &[
            r#"controller_runtime_reconcile_total{controller="serverlessprivateendpoint",result="requeue_after"} 1"#,
            r#"controller_runtime_reconcile_total{controller="serverlessprivateendpoint",result="success"} 0"#,
            r#"controller_runtime_reconcile_errors_total{controller="serverlessprivateendpoint"} 1"#,
            r#"controller_runtime_reconcile_panics_total{controller="serverlessprivateendpoint"} 1"#,
            r#"controller_runtime_reconcile_time_seconds_count{controller="serverlessprivateendpoint"} 2"#,
            r#"controller_runtime_reconcile_time_seconds_bucket{controller="serverlessprivateendpoint",le="0.05"} 1"#,
            r#"rest_client_requests_total{code="409",method="PATCH",host="10.0.0.1:443"} 1"#,
            r#"rest_client_requests_total{code="<error>",method="GET",host="10.0.0.1:443"} 1"#,
            r#"leader_election_master_status{name="spe-operator"} 1"#,
        ],
    );
    metrics.set_leader("spe-operator", false);
    assert_served(&metrics, &[r#"leader_election_master_status{name="spe-operator"} 0"#]);
}

#[test]
fn a_reconcile_is_active_until_its_guard_is_dropped() {
    let metrics = Metrics::default();
    let line = r#"controller_runtime_active_workers{controller="serverlessprivateendpoint"}"#;
    let (one, two) = (metrics.reconcile_started(), metrics.reconcile_started());
    assert_served(&metrics, &[&format!("{line} 2")]);
    drop((one, two));
    assert_served(&metrics, &[&format!("{line} 0")]);
}

#[test]
fn a_call_to_atlas_is_counted_by_operation_and_outcome() {
    let metrics = Metrics::default();
    for outcome in [Outcome::Status(429), Outcome::Status(429), Outcome::TimedOut] {
        metrics.atlas_call(&call(outcome));
    }
    metrics.post(PostOutcome::Uncertain);
    assert_served(
        &metrics,
        &[
            r#"atlas_spe_atlas_requests_total{operation="create",code="429"} 2"#,
            r#"atlas_spe_atlas_requests_total{operation="create",code="timed_out"} 1"#,
            r#"atlas_spe_atlas_request_duration_seconds_bucket{le="0.25",operation="create"} 3"#,
            r#"atlas_spe_posts_total{outcome="uncertain"} 1"#,
            r#"atlas_spe_posts_total{outcome="created"} 0"#,
        ],
    );
}

#[test]
fn unexpected_status_codes_count_by_class() {
    let metrics = Metrics::default();
    for status in 460..500 {
        metrics.atlas_call(&call(Outcome::Status(status)));
    }
    assert_served(&metrics, &[r#"atlas_spe_atlas_requests_total{operation="create",code="4xx"} 40"#]);
}

#[test]
fn the_remaining_rate_limit_is_the_last_served_one() {
    let metrics = Metrics::default();
    metrics.atlas_call(&call(Outcome::Status(200)));
    assert_not_served(&metrics, "atlas_spe_atlas_rate_limit_remaining{");
    // Any user can write a rejected key into a Secret.
    for outcome in [Outcome::Status(401), Outcome::Status(429), Outcome::Malformed] {
        metrics.atlas_call(&CallRecord { remaining: Some(1), ..call(outcome) });
    }
    assert_not_served(&metrics, "atlas_spe_atlas_rate_limit_remaining{");
    for remaining in [Some(4000), Some(17), None] {
        metrics.atlas_call(&CallRecord { remaining, ..call(Outcome::Status(200)) });
    }
    assert_served(&metrics, &[r#"atlas_spe_atlas_rate_limit_remaining{credential="0a1b2c3d"} 17"#]);
}

#[test]
fn an_object_is_queued_until_its_guard_is_dropped() {
    let metrics = Metrics::default();
    metrics.max_reconciles(64);
    let queued = metrics.queued();
    assert_served(&metrics, &[r#"workqueue_depth{name="serverlessprivateendpoint"} 1"#]);
    drop(queued);
    assert_served(
        &metrics,
        &[
            r#"workqueue_depth{name="serverlessprivateendpoint"} 0"#,
            r#"workqueue_queue_duration_seconds_count{name="serverlessprivateendpoint"} 1"#,
            r#"controller_runtime_max_concurrent_reconciles{controller="serverlessprivateendpoint"} 64"#,
        ],
    );
}

/// Returns metrics of these objects.
fn metrics_of(objects: Vec<ObjectSnapshot>) -> Metrics {
    let metrics = Metrics::default();
    metrics.count_objects(move |counts| objects.iter().for_each(|object| counts.add(object)));
    metrics
}

#[test]
fn each_scrape_counts_every_object_by_status_and_condition() {
    let reserved = ObjectSnapshot {
        state: ObjectState::new("RESERVED", true),
        conditions: [Some((ConditionType::Ready, true, Reason::Reserved)), None, None, None, None],
        waits_for: Some((WaitingFor::VpcEndpoint, 2)),
    };
    let unknown = snapshot("OTHER", WaitingFor::Progress, 3);
    let metrics = metrics_of(vec![snapshot("NONE", WaitingFor::Progress, 1), reserved, reserved, unknown]);
    for _ in 0..2 {
        assert_served(
            &metrics,
            &[
                r#"atlas_spe_objects{state="NONE",ready="false"} 1"#,
                r#"atlas_spe_objects{state="RESERVED",ready="true"} 2"#,
                r#"atlas_spe_objects{state="OTHER",ready="false"} 1"#,
                r#"atlas_spe_conditions{type="Ready",status="True",reason="Reserved"} 2"#,
                r#"atlas_spe_conditions{type="Ready",status="False",reason="Creating"} 2"#,
            ],
        );
    }
}

#[test]
fn the_longest_wait_is_exported_for_each_cause() {
    let waiting = [200, 100, 100].map(|since| snapshot("NONE", WaitingFor::Deletion, since));
    assert_served(
        &metrics_of(waiting.into()),
        &[
            r#"atlas_spe_waiting_since_timestamp_seconds{waits_for="deletion"} 100"#,
            r#"atlas_spe_waiting_objects{waits_for="deletion"} 3"#,
            r#"atlas_spe_waiting_objects{waits_for="progress"} 0"#,
        ],
    );
    let none = metrics_of(Vec::new());
    assert_served(
        &none,
        &[r#"atlas_spe_waiting_objects{waits_for="deletion"} 0"#, "atlas_spe_overdue_objects 0"],
    );
    assert_not_served(&none, "atlas_spe_waiting_since_timestamp_seconds{");
}

#[test]
fn overdue_objects_open_claims_and_series_are_exported() {
    let one = PerObject {
        kind: "PrivateEndpoint".into(),
        namespace: "a".to_owned(),
        name: "orders".to_owned(),
        ready: true,
        stalled: false,
        synced: Some(7),
    };
    let new = PerObject { name: "new".to_owned(), synced: None, ..one.clone() };
    let metrics = Metrics::default();
    metrics.count_objects(move |counts| {
        counts.add_overdue();
        counts.add_open_claim();
        counts.add_open_claim();
        counts.add_series(one.clone());
        counts.add_series(new.clone());
    });
    assert_served(
        &metrics,
        &[
            "atlas_spe_overdue_objects 1",
            "atlas_spe_open_claims 2",
            r#"atlas_spe_ready{kind="PrivateEndpoint",namespace="a",name="orders"} 1"#,
            r#"atlas_spe_stalled{kind="PrivateEndpoint",namespace="a",name="orders"} 0"#,
            r#"atlas_spe_last_sync_timestamp_seconds{kind="PrivateEndpoint",namespace="a",name="orders"} 7"#,
            r#"atlas_spe_ready{kind="PrivateEndpoint",namespace="a",name="new"} 1"#,
        ],
    );
    assert_not_served(
        &metrics,
        r#"atlas_spe_last_sync_timestamp_seconds{kind="PrivateEndpoint",namespace="a",name="new"}"#,
    );
    assert_not_served(&Metrics::new(None, true), "atlas_spe_ready");
}

#[test]
fn the_events_of_the_protocol_are_counted() {
    let metrics = Metrics::default();
    metrics.create_suppressed();
    metrics.adopted();
    metrics.endpoint_lost();
    metrics.duplicate_found();
    metrics.transition(Milestone::Reserved, Duration::from_secs(90));
    assert_served(
        &metrics,
        &[
            "atlas_spe_creates_suppressed_total 1",
            "atlas_spe_adoptions_total 1",
            "atlas_spe_endpoint_lost_total 1",
            "atlas_spe_duplicates_total 1",
            r#"atlas_spe_transition_seconds_bucket{le="120.0",to="reserved"} 1"#,
            &format!(
                r#"atlas_spe_build_info{{version="{}",revision="{REVISION}"}} 1"#,
                env!("CARGO_PKG_VERSION")
            ),
            "# EOF",
        ],
    );
}
