//! The status patch of a report: the fields of the endpoint, and the tests that a record needs. It writes nothing.
//!
//! A patch never removes `_id`.

use domain::serverless::status::{EndpointFields, Report};
use serde_json::{Value, json};

use crate::runtime::status_patch::{Current, StatusPatch, Wanted};
use crate::serverless::crd::{self, ServerlessPrivateEndpoint, ServerlessPrivateEndpointStatus};

/// The status field with the id of the endpoint.
const ID: &str = "_id";

/// The status field with Atlas' own message about a failure.
const ERROR_MESSAGE: &str = "errorMessage";

/// Returns `true` if the status does not hold `report` yet, or not the reconcile request `handled`.
pub(super) fn differs(object: &ServerlessPrivateEndpoint, report: &Report, handled: Option<&str>) -> bool {
    !report.unchanged && !changes(object, report, handled).is_empty()
}

/// Returns the operations that make the status hold `report` and the reconcile request `handled`; none if it
/// does already.
#[must_use]
pub fn changes(object: &ServerlessPrivateEndpoint, report: &Report, handled: Option<&str>) -> Vec<Value> {
    let status = object.status.clone().unwrap_or_default();
    let current = Current {
        observed_generation: status.observed_generation,
        last_handled_reconcile_at: status.last_handled_reconcile_at.as_deref(),
        conditions: &status.conditions,
    };
    let wanted = Wanted {
        generation: object.metadata.generation,
        handled,
        conditions: &report.conditions,
        after: report.after,
    };
    fields(&status, report).complete(&current, &wanted)
}

/// Returns the operations on the endpoint's fields.
///
/// The fields of one endpoint never stand beside the id of another: with the id, all of them are written or removed.
fn fields(status: &ServerlessPrivateEndpointStatus, report: &Report) -> StatusPatch {
    let mut patch = StatusPatch::default();
    let is_another = report.endpoint.as_ref().is_some_and(|e| status.id.as_deref() != Some(e.id.as_str()));
    let current = named(shown(status.clone()));
    for ((name, wanted), (_, current)) in named(report.fields()).into_iter().zip(current) {
        match (wanted, current) {
            (Some(wanted), current) if current.as_ref() != Some(&wanted) => {
                patch.set(name, wanted, name == ERROR_MESSAGE && current.is_some());
            }
            (None, current) if name != ID && (is_another || current.is_some()) => patch.remove(name),
            _ => {}
        }
    }
    patch
}

/// Returns the fields in `status`.
fn shown(status: ServerlessPrivateEndpointStatus) -> EndpointFields {
    let ServerlessPrivateEndpointStatus {
        id,
        cloud_provider_endpoint_id,
        comment,
        endpoint_service_name,
        error_message,
        status,
        observed_generation: _,
        last_handled_reconcile_at: _,
        conditions: _,
    } = status;
    EndpointFields { id, cloud_provider_endpoint_id, comment, endpoint_service_name, error_message, status }
}

/// Returns each field with its JSON name.
fn named(fields: EndpointFields) -> [(&'static str, Option<String>); 6] {
    let EndpointFields {
        id,
        cloud_provider_endpoint_id,
        comment,
        endpoint_service_name,
        error_message,
        status,
    } = fields;
    [
        (ID, id),
        ("cloudProviderEndpointId", cloud_provider_endpoint_id),
        ("comment", comment),
        ("endpointServiceName", endpoint_service_name),
        (ERROR_MESSAGE, error_message),
        ("status", status),
    ]
}

/// Returns the tests that make a record fail unless uid, claim and recorded id are unchanged since the read.
///
/// Anything else about the object may change meanwhile: a label edit must not lose an id.
pub(super) fn record_guards(object: &ServerlessPrivateEndpoint) -> Vec<Value> {
    let annotations = object.metadata.annotations.as_ref();
    let claim = match annotations {
        // A test below an absent map fails, whatever it expects.
        None => json!({"op": "test", "path": "/metadata/annotations", "value": null}),
        Some(annotations) => {
            let path = format!("/metadata/annotations/{}", crd::CLAIM.replace('~', "~0").replace('/', "~1"));
            json!({"op": "test", "path": path, "value": annotations.get(crd::CLAIM)})
        }
    };
    let recorded = object.status.as_ref().and_then(|status| status.id.as_ref());
    vec![
        json!({"op": "test", "path": "/metadata/uid", "value": object.metadata.uid}),
        claim,
        json!({"op": "test", "path": "/status/_id", "value": recorded}),
    ]
}

#[cfg(test)]
#[path = "status_patch_tests.rs"]
mod tests;
