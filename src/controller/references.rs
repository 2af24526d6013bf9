//! From `cloudProviderEndpointRef` to the VPC endpoint id that it leads to.
//!
//! Always in the object's own namespace, and only the closed list of kinds. What is missing is said exactly; nothing
//! here waits for the referenced object to be ready: its id is used as soon as it appears.

use domain::endpoint::VpcEndpointId;
use domain::observed::VpcEndpoint;
use serde_json::Value;

use crate::api::{CloudProviderEndpointRef, ServerlessPrivateEndpoint, VpcEndpointSource};

use super::cluster::{Cluster, ClusterError};

/// The VPC endpoint that the spec declares, as far as it is known now.
///
/// # Errors
/// The API server could not be asked; what was known before stays true.
pub(super) async fn resolve(
    cluster: &Cluster,
    namespace: &str,
    object: &ServerlessPrivateEndpoint,
) -> Result<VpcEndpoint, ClusterError> {
    if let Some(id) = &object.spec.cloud_provider_endpoint_id {
        return Ok(declared(id, "`cloudProviderEndpointId`"));
    }
    let Some(reference) = &object.spec.cloud_provider_endpoint_ref else {
        return Ok(VpcEndpoint::Undeclared);
    };
    let Some(source) = reference.source() else {
        let CloudProviderEndpointRef { api_version, kind, .. } = reference;
        return Ok(VpcEndpoint::NotFound(format!(
            "{kind} of {api_version} is not a kind that can be referenced; correct spec.cloudProviderEndpointRef"
        )));
    };
    let found = match source {
        VpcEndpointSource::ConfigMap => entry(cluster, namespace, reference).await,
        VpcEndpointSource::Ack | VpcEndpointSource::Upbound => {
            id_of(cluster, namespace, reference, source).await
        }
    };
    match found {
        Err(ClusterError::NoKind) => Ok(VpcEndpoint::NotFound(format!(
            "the kind {} of {} is not installed in this cluster, so there is no {}; install it, or correct \
             spec.cloudProviderEndpointRef",
            reference.kind, reference.api_version, reference.name
        ))),
        Err(ClusterError::NotFound) => Ok(VpcEndpoint::NotFound(format!(
            "{} does not exist in namespace {namespace}; create it, or correct spec.cloudProviderEndpointRef",
            said(reference)
        ))),
        Err(ClusterError::Forbidden(_)) => Ok(VpcEndpoint::NotFound(format!(
            "the operator may not read {} in namespace {namespace}; grant its service account `get` on it (chart value \
             integrations)",
            said(reference)
        ))),
        found => found,
    }
}

/// The reference in words.
fn said(reference: &CloudProviderEndpointRef) -> String {
    format!("{} {} ({})", reference.kind, reference.name, reference.api_version)
}

fn declared(id: &str, what: &str) -> VpcEndpoint {
    match id.trim().parse::<VpcEndpointId>() {
        Ok(id) => VpcEndpoint::Declared(id),
        Err(error) => VpcEndpoint::NotFound(format!("{what}: {error}; correct it")),
    }
}

async fn entry(
    cluster: &Cluster,
    namespace: &str,
    reference: &CloudProviderEndpointRef,
) -> Result<VpcEndpoint, ClusterError> {
    let map = cluster.config_map(namespace, &reference.name).await?;
    let key = reference.key.as_deref().unwrap_or_default();
    Ok(match map.data.get(key) {
        Some(text) => declared(text, &format!("entry {key} of {}", said(reference))),
        None => VpcEndpoint::NotFound(format!(
            "{} has no entry {key}; add it, or correct spec.cloudProviderEndpointRef",
            said(reference)
        )),
    })
}

async fn id_of(
    cluster: &Cluster,
    namespace: &str,
    reference: &CloudProviderEndpointRef,
    source: VpcEndpointSource,
) -> Result<VpcEndpoint, ClusterError> {
    let status = cluster.status_of(namespace, &reference.name, &resource(source)).await?;
    let path = id_path(source);
    Ok(
        match status
            .pointer(path.trim_start_matches("/status"))
            .and_then(Value::as_str)
            .filter(|id| !id.is_empty())
        {
            Some(id) => declared(id, &format!("{path} of {}", said(reference))),
            None => VpcEndpoint::Awaited(format!(
                "{} has no id yet ({})",
                said(reference),
                path.replace('/', ".")
            )),
        },
    )
}

/// Where the kind keeps the id.
fn id_path(source: VpcEndpointSource) -> &'static str {
    match source {
        VpcEndpointSource::Ack => "/status/vpcEndpointID",
        VpcEndpointSource::Upbound => "/status/atProvider/id",
        VpcEndpointSource::ConfigMap => "/data",
    }
}

/// How the API server names the kind.
pub(super) fn resource(source: VpcEndpointSource) -> kube::core::ApiResource {
    let (api_version, kind) = source.api_version_and_kind();
    let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
    let plural = kind.to_ascii_lowercase() + "s";
    kube::core::ApiResource {
        group: group.to_owned(),
        version: version.to_owned(),
        api_version: api_version.to_owned(),
        kind: kind.to_owned(),
        plural,
    }
}
