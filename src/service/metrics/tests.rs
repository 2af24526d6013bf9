use domain::endpoint::EndpointStatus;

use super::*;
use crate::atlas::{Operation, Outcome};

/// Asserts that each line is in the text that is served.
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
    metrics.leads("spe-operator", true);
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
    metrics.leads("spe-operator", false);
    assert_served(&metrics, &[r#"leader_election_master_status{name="spe-operator"} 0"#]);
}

#[test]
fn a_reconcile_is_under_way_until_its_guard_is_dropped() {
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
        let duration = Duration::from_millis(200);
        metrics.atlas_call(&CallRecord { operation: Operation::Create, outcome, duration, requests: 1 });
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
fn an_object_is_counted_once_wherever_it_stands() {
    let metrics = Metrics::default();
    let reserved = ObjectState::new(Some(&EndpointStatus::Reserved), true);
    let unknown = ObjectState::new(Some(&EndpointStatus::Other("PENDING_ACCEPTANCE".to_owned())), false);
    metrics.object_changed(None, Some(ObjectState::new(None, false)));
    metrics.object_changed(Some(ObjectState::new(None, false)), Some(reserved));
    metrics.object_changed(None, Some(unknown));
    assert_served(
        &metrics,
        &[
            r#"atlas_spe_objects{state="NONE",ready="false"} 0"#,
            r#"atlas_spe_objects{state="RESERVED",ready="true"} 1"#,
            r#"atlas_spe_objects{state="OTHER",ready="false"} 1"#,
        ],
    );
    metrics.object_changed(Some(reserved), None);
    assert_served(&metrics, &[r#"atlas_spe_objects{state="RESERVED",ready="true"} 0"#]);
}

#[test]
fn the_protocol_is_visible() {
    let metrics = Metrics::default();
    (0..4).for_each(|_| metrics.claim_opened());
    metrics.claim_settled();
    metrics.create_suppressed();
    metrics.adopted();
    metrics.endpoint_lost();
    metrics.duplicate_found();
    metrics.transition(Milestone::Reserved, Duration::from_secs(90));
    assert_served(
        &metrics,
        &[
            "atlas_spe_open_claims 3",
            "atlas_spe_creates_suppressed_total 1",
            "atlas_spe_adoptions_total 1",
            "atlas_spe_endpoint_lost_total 1",
            "atlas_spe_duplicates_total 1",
            r#"atlas_spe_transition_seconds_bucket{le="120.0",to="reserved"} 1"#,
            concat!(r#"atlas_spe_build_info{version=""#, env!("CARGO_PKG_VERSION"), r#""} 1"#),
            "# EOF",
        ],
    );
}
