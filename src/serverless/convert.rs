//! Converts the custom resource to the types of the rules. It does no I/O.

use std::time::Duration;

use domain::reference::VpcEndpoint;
use domain::serverless::endpoint::{Endpoint, EndpointStatus, Instance};
use domain::serverless::observed::{Object, ReadyWhen, Spec};
use domain::serverless::ownership::ClaimReading;
use domain::token::ClusterId;
use kube::Resource;

use crate::serverless::crd::{self, ServerlessPrivateEndpoint};

use crate::runtime::identity::Identity;
use crate::runtime::object_fields;

/// Converts the object to the form that the rules use.
#[must_use]
pub fn object(object: &ServerlessPrivateEndpoint, identity: &Identity, cluster: &ClusterId) -> Object {
    let annotation = |key: &str| object_fields::annotation(object, key);
    Object {
        token: identity.token.clone(),
        deleting: object.meta().deletion_timestamp.is_some(),
        finalizer: object_fields::has_finalizer(object),
        claim: ClaimReading::of(annotation(crd::CLAIM), &identity.token, &identity.uid, cluster),
        recorded: recorded(object),
        take_over: annotation(crd::TAKE_OVER).and_then(|text| text.parse().ok()),
        stale_vpc_endpoint: annotation(crd::STALE_VPC_ENDPOINT_ID).and_then(|text| text.parse().ok()),
        reported: object_fields::reported(object),
    }
}

/// Returns the recorded endpoint with the fields in the status.
fn recorded(object: &ServerlessPrivateEndpoint) -> Option<Endpoint> {
    let status = object.status.as_ref()?;
    let id = status.id.as_deref()?.parse().ok()?;
    let field = |text: &Option<String>| text.as_deref().map(object_fields::field);
    Some(Endpoint {
        id,
        status: EndpointStatus::from(status.status.as_deref().unwrap_or_default()),
        comment: field(&status.comment).unwrap_or_default(),
        service_name: field(&status.endpoint_service_name),
        vpc_endpoint_id: field(&status.cloud_provider_endpoint_id),
        error_message: field(&status.error_message),
    })
}

/// Returns the instance that the object belongs to.
///
/// # Errors
/// If a field is invalid, which the API server rejects too.
pub(super) fn instance(object: &ServerlessPrivateEndpoint) -> Result<Instance, String> {
    let project = object.spec.project_id.parse().map_err(|error| format!("`projectId`: {error}"))?;
    let name = object.spec.instance_name.parse().map_err(|error| format!("`instanceName`: {error}"))?;
    Ok(Instance { project, name })
}

/// Converts the spec to the form that the rules use, with the VPC endpoint that was resolved for it.
///
/// # Errors
/// If a field is invalid, which the API server rejects too.
pub fn spec(object: &ServerlessPrivateEndpoint, vpc_endpoint: VpcEndpoint) -> Result<Spec, String> {
    instance(object)?;
    let spec = &object.spec;
    let endpoint_id = spec.endpoint_id.as_deref().map(str::parse).transpose();
    Ok(Spec {
        comment: spec.comment.clone(),
        endpoint_id: endpoint_id.map_err(|error| format!("`endpointId`: {error}"))?,
        vpc_endpoint,
        ready_when: spec.ready_when.map(|ready| match ready {
            crd::ReadyWhen::Reserved => ReadyWhen::Reserved,
            crd::ReadyWhen::Available => ReadyWhen::Available,
        }),
        retain: spec.deletion_policy == crd::DeletionPolicy::Retain,
        observe: spec.management_policy == crd::ManagementPolicy::Observe,
        suspend: spec.suspend,
        progress_deadline: duration("progressDeadline", &spec.progress_deadline)?,
    })
}

/// Returns how often a settled endpoint is polled.
pub(super) fn interval(object: &ServerlessPrivateEndpoint) -> Duration {
    // A value that the API server accepted but that does not parse is reported by `spec`; until then the default applies.
    duration("interval", &object.spec.interval).unwrap_or(Duration::from_mins(10))
}

fn duration(field: &str, text: &str) -> Result<Duration, String> {
    crd::parse_duration(text).map_err(|error| format!("`{field}`: {error}"))
}
