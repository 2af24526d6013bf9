//! From the custom resource to what the rules know: parses once, decides nothing, reads nothing.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use domain::conditions::Report;
use domain::endpoint::{Endpoint, EndpointStatus, Instance};
use domain::observed::{Object, ReadyWhen, Reported, Spec, VpcEndpoint};
use domain::ownership::{ClaimReading, ClusterId, Token};
use kube::{Resource, ResourceExt};

use crate::serverless::crd::{self, ServerlessPrivateEndpoint, ServerlessPrivateEndpointStatus};

use super::credentials::Purpose;

/// What is constant while one object is reconciled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    pub(super) namespace: String,
    pub(super) name: String,
    pub(super) uid: String,
    pub(super) token: Token,
}

impl Identity {
    /// The identity of `object` in `cluster`.
    #[must_use]
    pub fn of(object: &ServerlessPrivateEndpoint, cluster: &ClusterId) -> Self {
        let namespace = object.namespace().unwrap_or_default();
        let name = object.name_any();
        let token = Token::of(cluster, &namespace, &name);
        Self { namespace, name, uid: object.uid().unwrap_or_default(), token }
    }
}

/// The object as the rules see it.
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

/// The longest message that is taken from a status and may be written again. None of ours comes near.
const LONGEST_MESSAGE: usize = 4096;

/// The longest field of an endpoint that is taken from a status.
const LONGEST_FIELD: usize = 1024;

/// `text` as far as it fits, for anybody may have written it.
fn cut(text: &str, longest: usize) -> String {
    text[..text.floor_char_boundary(longest)].to_owned()
}

/// The recorded endpoint as the status shows it.
fn recorded(object: &ServerlessPrivateEndpoint) -> Option<Endpoint> {
    let status = object.status.as_ref()?;
    let id = status.id.as_deref()?.parse().ok()?;
    let field = |text: &Option<String>| text.as_deref().map(|text| cut(text, LONGEST_FIELD));
    Some(Endpoint {
        id,
        status: EndpointStatus::from(status.status.as_deref().unwrap_or_default()),
        comment: field(&status.comment).unwrap_or_default(),
        service_name: field(&status.endpoint_service_name),
        vpc_endpoint_id: field(&status.cloud_provider_endpoint_id),
        error_message: field(&status.error_message),
    })
}

fn reported(object: &ServerlessPrivateEndpoint) -> Reported {
    let Some(status) = &object.status else {
        return Reported::default();
    };
    let conditions = status.conditions.iter();
    Reported {
        conditions: conditions
            .map(|c| {
                (c.type_.clone(), c.status == "True", c.reason.clone(), cut(&c.message, LONGEST_MESSAGE))
            })
            .collect(),
        current: Some(status.observed_generation) == object.meta().generation,
    }
}

/// Which instance the object belongs to.
///
/// # Errors
/// What the API server would have refused.
pub(super) fn instance(object: &ServerlessPrivateEndpoint) -> Result<Instance, String> {
    let project = object.spec.project_id.parse().map_err(|error| format!("`projectId`: {error}"))?;
    let name = object.spec.instance_name.parse().map_err(|error| format!("`instanceName`: {error}"))?;
    Ok(Instance { project, name })
}

/// The spec as the rules see it, with the VPC endpoint that was found for it.
///
/// # Errors
/// What the API server would have refused.
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

/// What the object's credentials are wanted for where they are to read: by the clock, or because of a change that the status
/// does not answer yet.
pub(super) fn asked(object: &ServerlessPrivateEndpoint) -> Purpose {
    let status = object.status.as_ref();
    let spec = status.map(|status| status.observed_generation) != object.meta().generation;
    if spec || word(object).is_some() { Purpose::Asked { spec } } else { Purpose::Read }
}

/// How often a settled endpoint is looked at.
pub(super) fn interval(object: &ServerlessPrivateEndpoint) -> Duration {
    // A value that the API server let pass and we cannot read is reported by `spec`; until then, the default.
    duration("interval", &object.spec.interval).unwrap_or(Duration::from_mins(10))
}

fn duration(field: &str, text: &str) -> Result<Duration, String> {
    crd::parse_duration(text).map_err(|error| format!("`{field}`: {error}"))
}

/// The annotations that the operator reads.
const READ: [&str; 5] =
    [crd::CLAIM, crd::TAKE_OVER, crd::STALE_VPC_ENDPOINT_ID, crd::OUTPUT_CONFIG_MAP, crd::RECONCILE_REQUEST];

/// `true` for an annotation that the operator reads.
pub(super) fn is_read(annotation: &str) -> bool {
    READ.contains(&annotation)
}

/// Somebody's word to look at the object now, as long as the status does not say that Atlas was asked for it.
pub(super) fn word(object: &ServerlessPrivateEndpoint) -> Option<&str> {
    let heard = object.status.as_ref().and_then(|status| status.last_handled_reconcile_at.as_ref());
    let said = object.annotations().get(crd::RECONCILE_REQUEST)?;
    (heard != Some(said)).then_some(said.as_str())
}

/// A hash over everything that may wake a reconcile. Status and foreign annotations are not in it, so that neither
/// our own status writes nor other people's notes wake anything.
pub(super) fn trigger(object: &ServerlessPrivateEndpoint) -> u64 {
    hash(&(essence(object), object.annotations().get(crd::RECONCILE_REQUEST)))
}

/// A hash over what of that a reconcile depends on: all but the word for it.
pub(super) fn essence(object: &ServerlessPrivateEndpoint) -> u64 {
    let mut hasher = DefaultHasher::new();
    let meta = object.meta();
    (&meta.uid, meta.generation, meta.deletion_timestamp.is_some(), &meta.finalizers).hash(&mut hasher);
    for key in READ.into_iter().filter(|key| *key != crd::RECONCILE_REQUEST) {
        object.annotations().get(key).hash(&mut hasher);
    }
    // A recorded id that somebody wiped has to be found again.
    object.status.as_ref().is_some_and(|status| status.id.is_some()).hash(&mut hasher);
    hasher.finish()
}

/// A hash of one value.
pub(super) fn hash(value: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

/// The fields of the status that speak of the endpoint, as they are or as they are to be.
#[derive(Debug, Default)]
pub(super) struct EndpointFields {
    id: Option<String>,
    cloud_provider_endpoint_id: Option<String>,
    comment: Option<String>,
    endpoint_service_name: Option<String>,
    error_message: Option<String>,
    status: Option<String>,
}

impl EndpointFields {
    /// What `report` says of them.
    pub(super) fn wanted(report: &Report) -> Self {
        let Some(endpoint) = &report.endpoint else { return Self::default() };
        let present = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        let optional = |text: &Option<String>| text.as_deref().and_then(present);
        // A service name that is gone must not be used any more; the id stays until another is recorded.
        let current = Some(endpoint).filter(|_| !report.lost);
        Self {
            id: Some(endpoint.id.to_string()),
            cloud_provider_endpoint_id: optional(&endpoint.vpc_endpoint_id),
            comment: present(&endpoint.comment),
            endpoint_service_name: current.and_then(|endpoint| optional(&endpoint.service_name)),
            error_message: optional(&endpoint.error_message),
            status: current.and_then(|endpoint| present(endpoint.status.as_str())),
        }
    }

    /// What `status` says of them.
    pub(super) fn shown(status: ServerlessPrivateEndpointStatus) -> Self {
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
        Self { id, cloud_provider_endpoint_id, comment, endpoint_service_name, error_message, status }
    }

    /// Each with its JSON name.
    pub(super) fn named(self) -> [(&'static str, Option<String>); 6] {
        let Self { id, cloud_provider_endpoint_id, comment, endpoint_service_name, error_message, status } =
            self;
        [
            (ID, id),
            ("cloudProviderEndpointId", cloud_provider_endpoint_id),
            ("comment", comment),
            ("endpointServiceName", endpoint_service_name),
            (ERROR_MESSAGE, error_message),
            ("status", status),
        ]
    }
}

/// The field that holds the endpoint's id.
pub(super) const ID: &str = "_id";

/// The field that holds what Atlas says of a failure, in its own words.
pub(super) const ERROR_MESSAGE: &str = "errorMessage";
