//! Tests which parts of a report are written, and which are not.

use domain::fault::{Fault, FaultKind};
use domain::serverless::endpoint::Endpoint;
use domain::status::Message;
use domain::status::{Condition as Reported, ConditionType, Reason};

use super::*;

const OLD: &str = "5f0000000000000000000001";
const NEW: &str = "5f0000000000000000000002";

fn object(status: &Value) -> ServerlessPrivateEndpoint {
    let spec = json!({"projectId": "5f7cac1adf5d6c6306f4b200", "instanceName": "orders"});
    let metadata = json!({"name": "orders", "namespace": "default", "generation": 1});
    let kind = json!({"apiVersion": "atlas.spe-operator.io/v1alpha1", "kind": "ServerlessPrivateEndpoint"});
    let mut object = json!({"metadata": metadata, "spec": spec, "status": status});
    object.as_object_mut().unwrap().extend(kind.as_object().unwrap().clone());
    serde_json::from_value(object).unwrap()
}

fn failing(fault: &Fault) -> Report {
    let reason = Reason::of(fault.kind);
    let condition = |kind, status| Reported { kind, status, reason, message: fault.message() };
    let conditions = vec![
        condition(ConditionType::Ready, false),
        condition(ConditionType::Synced, false),
        condition(ConditionType::Reconciling, true),
    ];
    Report { conditions, ..Report::default() }
}

/// Returns the object after `report` was written.
fn with_status(report: &Report) -> ServerlessPrivateEndpoint {
    let mut object = object(&json!({"observedGeneration": 1}));
    let written = changes(&object, report, None);
    let conditions = written.iter().find(|operation| operation["path"] == "/status/conditions").unwrap();
    object.status.as_mut().unwrap().conditions = serde_json::from_value(conditions["value"].clone()).unwrap();
    object
}

fn fault(kind: FaultKind, problem: &str, detail: &str, next: Message) -> Fault {
    Fault {
        attempt: "failed to list orders".into(),
        detail: detail.into(),
        next,
        ..Fault::new(kind, problem)
    }
}

#[test]
fn an_error_text_that_varies_is_written_once() {
    let tls = |ago: u32| {
        let detail = format!("certificate expired: verification time 1795938903 ({ago} seconds ago)");
        fault(
            FaultKind::Unavailable,
            "no connection to cloud.mongodb.com",
            &detail,
            "check the base URL".into(),
        )
    };
    let error = |reference: &str| {
        let detail = format!("Unexpected error. Reference {reference}");
        fault(FaultKind::Unavailable, "HTTP 500 UNEXPECTED_ERROR", &detail, "retrying".into())
    };
    let limited = |seconds: &str| {
        let next = Message::from("retrying ").varying(&format!("in {seconds} s"));
        fault(FaultKind::RateLimited, "HTTP 429 RATE_LIMITED", "Too many requests", next)
    };
    for (first, then) in [
        (tls(3661), tls(3686)),
        (error("0b5f2d6e-0000-4000-8000-000000000001"), error("at 2026-03-01T10:00:00Z, not found")),
        (limited("55"), limited("37")),
        // Backed off because of another object's response.
        (limited("55"), limited("37").met_by("failed to list orders")),
    ] {
        let object = with_status(&failing(&first));
        assert_eq!(changes(&object, &failing(&then), None), Vec::<Value>::new(), "{first} / {then}");
        let other = Fault { problem: "HTTP 503 OTHER".into(), ..then };
        let written = changes(&object, &failing(&other), None);
        // An outage is one episode, whatever its status code.
        assert_eq!(written.is_empty(), other.kind == FaultKind::Unavailable, "{other}");
        let unauthorized = Fault { kind: FaultKind::Unauthorized, ..other };
        assert_ne!(changes(&object, &failing(&unauthorized), None), Vec::<Value>::new(), "{unauthorized}");
    }
}

#[test]
fn a_write_for_another_reason_has_the_current_error_text() {
    let error = |detail| fault(FaultKind::Unavailable, "HTTP 500 X", detail, "retrying".into());
    let mut object = with_status(&failing(&error("first")));
    object.metadata.generation = Some(2);
    let written = changes(&object, &failing(&error("second")), None);
    assert!(
        written.iter().any(|operation| operation.to_string().contains("HTTP 500 X: second")),
        "{written:?}"
    );
}

fn known(id: &str, error: Option<&str>) -> Report {
    let endpoint = Endpoint {
        id: id.parse().unwrap(),
        status: "FAILED".into(),
        comment: String::new(),
        service_name: None,
        vpc_endpoint_id: None,
        error_message: error.map(str::to_owned),
    };
    Report { endpoint: Some(endpoint), ..Report::default() }
}

#[test]
fn a_varying_error_message_of_atlas_is_written_once() {
    let object =
        object(&json!({"observedGeneration": 1, "_id": OLD, "status": "FAILED", "errorMessage": "at 10:00"}));
    assert_eq!(changes(&object, &known(OLD, Some("at 10:01")), None), Vec::<Value>::new());
    assert_ne!(changes(&object, &known(OLD, None), None), Vec::<Value>::new());
}

#[test]
fn no_field_of_an_endpoint_stays_beside_the_id_of_another() {
    let names = ["cloudProviderEndpointId", "comment", "endpointServiceName", "errorMessage"];
    for shown in [true, false] {
        let mut status = json!({"observedGeneration": 1, "_id": OLD, "status": "AVAILABLE"});
        for name in names.iter().filter(|_| shown) {
            status[*name] = json!("of the old one");
        }
        let written = changes(&object(&status), &known(NEW, None), None);
        let on = |name: &str| -> Vec<_> {
            let path = format!("/status/{name}");
            written.iter().filter(|o| o["path"] == path.as_str()).map(|o| o["op"].clone()).collect()
        };
        assert_eq!(on("_id"), ["add"]);
        for name in names {
            // Whatever the cache shows. An absent field cannot be removed, so it is added first.
            assert_eq!(on(name), ["add", "remove"], "{name}");
        }
    }
}
