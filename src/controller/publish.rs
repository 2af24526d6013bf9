//! Status and events: written only where something changed, times ignored.
//!
//! The status is never replaced as a whole and `_id` is never removed: each path is named, behind tests that make the
//! patch void if the object is not the one that was read.

use domain::conditions::Report;
use domain::notice::Notice;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use k8s_openapi::jiff::Timestamp;
use kube::ResourceExt;
use kube::runtime::events::{Event, EventType};
use serde_json::{Value, json};

use crate::api::{self, ServerlessPrivateEndpoint, ServerlessPrivateEndpointStatus};

use super::object::status_fields;

/// The longest note that the events API takes is 1,024 bytes.
const LONGEST_NOTE: usize = 1000;

/// The operations that make the status say what `report` says; none if it does already.
pub(super) fn changes(object: &ServerlessPrivateEndpoint, report: &Report, removing: bool) -> Vec<Value> {
    let status = object.status.clone().unwrap_or_default();
    let mut operations = Vec::new();
    let mut set = |path: &str, value: Value| {
        operations.push(json!({"op": "add", "path": format!("/status/{path}"), "value": value}));
    };
    let mut absent = Vec::new();
    for (name, value) in status_fields(report) {
        match (value, field(&status, name)) {
            (Some(value), current) if current != Some(&value) => set(name, json!(value)),
            (None, Some(_)) if name != "_id" => absent.push(name),
            _ => {}
        }
    }
    if Some(status.observed_generation) != object.metadata.generation {
        set("observedGeneration", json!(object.metadata.generation));
    }
    let requested = object.annotations().get(api::RECONCILE_REQUEST);
    if requested.is_some() && requested != status.last_handled_reconcile_at.as_ref() {
        set("lastHandledReconcileAt", json!(requested));
    }
    let wanted = conditions(&status.conditions, report, object.metadata.generation);
    if wanted != status.conditions {
        set("conditions", json!(wanted));
    }
    if removing {
        operations
            .extend(absent.iter().map(|name| json!({"op": "remove", "path": format!("/status/{name}")})));
    }
    operations
}

/// The tests that make a status patch void unless the object is exactly the one that was read.
pub(super) fn unchanged(object: &ServerlessPrivateEndpoint) -> Vec<Value> {
    vec![
        json!({"op": "test", "path": "/metadata/uid", "value": object.metadata.uid}),
        json!({"op": "test", "path": "/metadata/resourceVersion", "value": object.metadata.resource_version}),
    ]
}

/// The tests that make a record void unless uid, claim and recorded id are those that were read. Anything else about
/// the object may change meanwhile: a label edit must not lose an id.
pub(super) fn same_life(object: &ServerlessPrivateEndpoint) -> Vec<Value> {
    let annotations = object.metadata.annotations.as_ref();
    let claim = match annotations {
        // Below an absent map a test is refused, whatever it expects.
        None => json!({"op": "test", "path": "/metadata/annotations", "value": null}),
        Some(annotations) => {
            let path = format!("/metadata/annotations/{}", api::CLAIM.replace('~', "~0").replace('/', "~1"));
            json!({"op": "test", "path": path, "value": annotations.get(api::CLAIM)})
        }
    };
    let recorded = object.status.as_ref().and_then(|status| status.id.as_ref());
    vec![
        json!({"op": "test", "path": "/metadata/uid", "value": object.metadata.uid}),
        claim,
        json!({"op": "test", "path": "/status/_id", "value": recorded}),
    ]
}

/// The event that tells of `notice`.
pub(super) fn event(notice: &Notice) -> Event {
    let mut note = notice.message.clone();
    note.truncate(note.floor_char_boundary(LONGEST_NOTE));
    Event {
        type_: if notice.warning { EventType::Warning } else { EventType::Normal },
        reason: notice.reason.to_string(),
        note: Some(note),
        action: "Reconcile".to_owned(),
        secondary: None,
    }
}

fn field<'a>(status: &'a ServerlessPrivateEndpointStatus, name: &str) -> Option<&'a String> {
    match name {
        "_id" => status.id.as_ref(),
        "cloudProviderEndpointId" => status.cloud_provider_endpoint_id.as_ref(),
        "comment" => status.comment.as_ref(),
        "endpointServiceName" => status.endpoint_service_name.as_ref(),
        "errorMessage" => status.error_message.as_ref(),
        _ => status.status.as_ref(),
    }
}

/// The reported conditions, with the times of those whose status did not change, followed by those that others wrote.
fn conditions(current: &[Condition], report: &Report, generation: Option<i64>) -> Vec<Condition> {
    let ours = report.conditions.iter().map(|reported| {
        let status = if reported.status { "True" } else { "False" };
        let before = current.iter().find(|c| c.type_ == reported.kind.as_str() && c.status == status);
        Condition {
            type_: reported.kind.to_string(),
            status: status.to_owned(),
            reason: reported.reason.to_string(),
            message: reported.message.clone(),
            observed_generation: generation,
            last_transition_time: before.map_or_else(now, |before| before.last_transition_time.clone()),
        }
    });
    let foreign = current.iter().filter(|c| domain::conditions::ConditionType::parse(&c.type_).is_none());
    ours.chain(foreign.cloned()).collect()
}

fn now() -> Time {
    // Whole seconds: the API server keeps no more, and a value that it changes would look like a difference for ever.
    Time(Timestamp::from_second(Timestamp::now().as_second()).unwrap_or_default())
}
