//! Converts the custom resource to the types of the rules. It does no I/O.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use domain::reference::VpcEndpoint;
use domain::schedule::ObjectVersion;
use domain::serverless::endpoint::{Endpoint, EndpointStatus, Instance};
use domain::serverless::observed::{Object, ReadyWhen, Spec};
use domain::serverless::ownership::ClaimReading;
use domain::status::{ConditionType, Reason, Reported, ReportedCondition};
use domain::token::ClusterId;
use kube::{Resource, ResourceExt};

use crate::serverless::crd::{self, ServerlessPrivateEndpoint};

use crate::runtime::identity::Identity;
use crate::runtime::kind::Kind;

/// Converts the object to the form that the rules use.
#[must_use]
pub fn object(object: &ServerlessPrivateEndpoint, identity: &Identity, cluster: &ClusterId) -> Object {
    let annotation = |key: &str| object.annotations().get(key).map(String::as_str);
    Object {
        token: identity.token.clone(),
        deleting: object.meta().deletion_timestamp.is_some(),
        finalizer: object.finalizers().iter().any(|finalizer| finalizer == crd::FINALIZER),
        claim: ClaimReading::of(annotation(crd::CLAIM), &identity.token, &identity.uid, cluster),
        recorded: recorded(object),
        take_over: annotation(crd::TAKE_OVER).and_then(|text| text.parse().ok()),
        stale_vpc_endpoint: annotation(crd::STALE_VPC_ENDPOINT_ID).and_then(|text| text.parse().ok()),
        reported: reported(object),
    }
}

/// Maximum length in bytes of a message that is read from a status and may be written again. The operator's own are far shorter.
const MAX_MESSAGE: usize = 4096;

/// Maximum length in bytes of a field of the endpoint that is read from a status.
const MAX_FIELD: usize = 1024;

/// Cuts `text` to the maximum length, because any writer of the status may have set it.
fn cut(text: &str, max: usize) -> String {
    text[..text.floor_char_boundary(max)].to_owned()
}

/// Returns the recorded endpoint with the fields in the status.
fn recorded(object: &ServerlessPrivateEndpoint) -> Option<Endpoint> {
    let status = object.status.as_ref()?;
    let id = status.id.as_deref()?.parse().ok()?;
    let field = |text: &Option<String>| text.as_deref().map(|text| cut(text, MAX_FIELD));
    Some(Endpoint {
        id,
        status: EndpointStatus::from(status.status.as_deref().unwrap_or_default()),
        comment: field(&status.comment).unwrap_or_default(),
        service_name: field(&status.endpoint_service_name),
        vpc_endpoint_id: field(&status.cloud_provider_endpoint_id),
        error_message: field(&status.error_message),
    })
}

/// Returns the conditions in the status. Those of types that this version does not know concern no rule.
fn reported(object: &ServerlessPrivateEndpoint) -> Reported {
    let Some(status) = &object.status else {
        return Reported::default();
    };
    let conditions = status.conditions.iter().filter_map(|condition| {
        Some(ReportedCondition {
            kind: ConditionType::parse(&condition.type_)?,
            status: condition.status == "True",
            reason: Reason::parse(&condition.reason),
            message: cut(&condition.message, MAX_MESSAGE),
        })
    });
    Reported {
        conditions: conditions.collect(),
        current: Some(status.observed_generation) == object.meta().generation,
    }
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

/// Returns the value of `reconcile.fluxcd.io/requestedAt`, unless the status says that this request has been handled.
pub(super) fn reconcile_request(object: &ServerlessPrivateEndpoint) -> Option<&str> {
    let handled = object.status.as_ref().and_then(|status| status.last_handled_reconcile_at.as_ref());
    let requested = object.annotations().get(crd::RECONCILE_REQUEST)?;
    (handled != Some(requested)).then_some(requested.as_str())
}

/// Hashes the fields whose change triggers a reconcile, but for the annotation of a reconcile request, on which the decision does
/// not depend.
pub(super) fn content_hash(object: &ServerlessPrivateEndpoint) -> u64 {
    let mut hasher = DefaultHasher::new();
    let meta = object.meta();
    (&meta.uid, meta.generation, meta.deletion_timestamp.is_some(), &meta.finalizers).hash(&mut hasher);
    for key in ServerlessPrivateEndpoint::ANNOTATIONS.iter().filter(|key| **key != crd::RECONCILE_REQUEST) {
        object.annotations().get(*key).hash(&mut hasher);
    }
    // A wiped status triggers a reconcile, because the recorded id has to be found again.
    object.status.as_ref().is_some_and(|status| status.id.is_some()).hash(&mut hasher);
    hasher.finish()
}

/// Returns the fields that the object's schedule depends on.
pub(super) fn version(object: &ServerlessPrivateEndpoint) -> ObjectVersion {
    let status = object.status.as_ref();
    ObjectVersion {
        content: content_hash(object),
        request: reconcile_request(object).map(|request| hash(&request)),
        number: object.meta().resource_version.as_deref().and_then(|number| number.parse().ok()),
        deleting: object.meta().deletion_timestamp.is_some(),
        recorded: status.is_some_and(|status| status.id.is_some()),
        current: status.map(|status| status.observed_generation) == object.meta().generation,
    }
}

/// Hashes one value.
pub(super) fn hash(value: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}
