//! Reads and writes the output ConfigMap. Its content, and when it is written, kept and removed, is in
//! `domain::serverless::output`.
//!
//! The object owns it, so that it is deleted with the object.

use std::collections::BTreeMap;

use domain::serverless::output;
use domain::serverless::output::{Change, Content, Existing};
use domain::status::Message;
use k8s_openapi::api::core::v1;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::{Resource, ResourceExt};

use crate::serverless::crd::{self, ServerlessPrivateEndpoint};

use crate::runtime::api_server::{ApiError, ApiServer};
use crate::runtime::decode::ConfigMap;
use crate::runtime::identity::Identity;

/// The label that lets Flux react to a change immediately.
const FLUX_WATCH: (&str, &str) = ("reconcile.fluxcd.io/watch", "Enabled");

/// Why the ConfigMap does not have the content that it should.
pub(super) type Problem = Message;

/// Returns `true` if the object declares an output ConfigMap, or has one.
pub(super) fn has_output(object: &ServerlessPrivateEndpoint) -> bool {
    object.spec.output_config_map.is_some() || recorded_name(object).is_some()
}

/// Returns the recorded name of the object's ConfigMap, if it is a valid name: any user may write the annotation.
pub(super) fn recorded_name(object: &ServerlessPrivateEndpoint) -> Option<String> {
    let name = object.annotations().get(crd::OUTPUT_CONFIG_MAP)?;
    let is_inner = |c: char| matches!(c, 'a'..='z' | '0'..='9' | '-' | '.');
    let is_name = name.chars().all(is_inner) && !name.starts_with(['-', '.']) && !name.ends_with(['-', '.']);
    (is_name && !name.is_empty()).then(|| name.clone())
}

/// Deletes the ConfigMap `name`, if the object owns it.
///
/// # Errors
/// A message for the user, if the API server rejects a call or cannot be reached.
pub(super) async fn remove(api_server: &ApiServer, identity: &Identity, name: &str) -> Result<(), Problem> {
    let found = read(api_server, identity, name).await?.filter(|found| is_ours(found, identity));
    match found {
        Some(found) => delete(api_server, identity, name, &found).await,
        None => Ok(()),
    }
}

async fn delete(
    api_server: &ApiServer,
    identity: &Identity,
    name: &str,
    found: &ConfigMap,
) -> Result<(), Problem> {
    match api_server.delete_config_map(&identity.namespace, name, found).await {
        Ok(()) | Err(ApiError::NotFound) => Ok(()),
        Err(error) => Err(problem(name, "delete", &error)),
    }
}

/// Reads the ConfigMap; `None` if it does not exist.
///
/// # Errors
/// A message for the user, if the API server rejects a call or cannot be reached.
pub(super) async fn read(
    api_server: &ApiServer,
    identity: &Identity,
    name: &str,
) -> Result<Option<ConfigMap>, Problem> {
    match api_server.config_map(&identity.namespace, name).await {
        Ok(found) => Ok(Some(found)),
        Err(ApiError::NotFound) => Ok(None),
        Err(error) => Err(problem(name, "get", &error)),
    }
}

/// Writes this `content` to the ConfigMap `name`, which was just `found`, or deletes it if there is none. Its name must be recorded
/// already.
///
/// # Errors
/// A message for the user, if the API server rejects a call or cannot be reached.
pub(super) async fn write(
    api_server: &ApiServer,
    identity: &Identity,
    object: &ServerlessPrivateEndpoint,
    name: &str,
    found: Option<ConfigMap>,
    content: Content,
) -> Result<(), Problem> {
    let namespace = &identity.namespace;
    let existing = match &found {
        None => Existing::Absent,
        Some(found) if is_ours(found, identity) => Existing::Own(&found.data),
        Some(_) => Existing::Foreign,
    };
    let result = match (output::change(existing, &content), &found) {
        (Change::Nothing, _) | (Change::Delete | Change::Fill, None) => return Ok(()),
        (Change::Taken, _) => {
            return Err(format!(
                "ConfigMap {name} exists and was not made for this object; delete it or name another in spec.outputConfigMap"
            )
            .into());
        }
        (Change::Create, _) => {
            let new = new(object, name, content);
            api_server.create_config_map(namespace, &new).await.map_err(|error| ("create", error))
        }
        (Change::Delete, Some(found)) => return delete(api_server, identity, name, found).await,
        (Change::Fill, Some(found)) => {
            let filled = api_server.fill_config_map(namespace, name, found, &content).await;
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

fn new(object: &ServerlessPrivateEndpoint, name: &str, content: Content) -> v1::ConfigMap {
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
