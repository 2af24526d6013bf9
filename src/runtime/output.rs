//! Reads and writes output ConfigMaps. What they hold, and when they are written, kept and removed, is in `domain`.
//!
//! The object owns it, so that it is deleted with the object.

use std::collections::BTreeMap;

use domain::reconcile::output::OutputNames;
use domain::status::Message;
use k8s_openapi::api::core::v1;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::api_server::{ApiError, ApiServer};
use super::decode::ConfigMap;
use super::identity::Identity;
use super::kind::Kind;
use super::object_fields;

/// The label that lets Flux react to a change immediately.
const FLUX_WATCH: (&str, &str) = ("reconcile.fluxcd.io/watch", "Enabled");

/// Returns the names of an object's output ConfigMaps; `declared` is the one in its spec.
pub(crate) fn names<'a, K: Kind>(object: &'a K, declared: Option<&'a str>) -> OutputNames<'a> {
    // Any user may write the annotation.
    let recorded = object_fields::annotation(object, K::OUTPUT_CONFIG_MAP).filter(|name| is_name(name));
    OutputNames { declared, recorded }
}

/// Deletes the ConfigMap `name`, if the object owns it.
///
/// # Errors
/// A message for the user, if the API server rejects a call or cannot be reached.
pub(crate) async fn remove(api_server: &ApiServer, identity: &Identity, name: &str) -> Result<(), Message> {
    let found = read(api_server, identity, name).await?.filter(|found| is_own(found, identity));
    match found {
        Some(found) => delete(api_server, identity, name, &found).await,
        None => Ok(()),
    }
}

/// Deletes the ConfigMap `name`, which was just `found`.
///
/// # Errors
/// A message for the user, if the API server rejects the call or cannot be reached.
pub(crate) async fn delete(
    api_server: &ApiServer,
    identity: &Identity,
    name: &str,
    found: &ConfigMap,
) -> Result<(), Message> {
    match api_server.delete_config_map(&identity.namespace, name, found).await {
        Ok(()) | Err(ApiError::NotFound) => Ok(()),
        Err(error) => Err(problem(name, "delete", &error)),
    }
}

/// Reads the ConfigMap; `None` if it does not exist.
///
/// # Errors
/// A message for the user, if the API server rejects a call or cannot be reached.
pub(crate) async fn read(
    api_server: &ApiServer,
    identity: &Identity,
    name: &str,
) -> Result<Option<ConfigMap>, Message> {
    match api_server.config_map(&identity.namespace, name).await {
        Ok(found) => Ok(Some(found)),
        Err(ApiError::NotFound) => Ok(None),
        Err(error) => Err(problem(name, "get", &error)),
    }
}

/// Creates the ConfigMap `name`, which the object owns. Its name must be recorded already.
///
/// # Errors
/// A message for the user, if the API server rejects the call or cannot be reached.
pub(crate) async fn create(
    api_server: &ApiServer,
    identity: &Identity,
    object: &impl Kind,
    name: &str,
    content: BTreeMap<String, String>,
) -> Result<(), Message> {
    let (label, value) = FLUX_WATCH;
    let map = v1::ConfigMap {
        metadata: ObjectMeta {
            name: Some(name.to_owned()),
            labels: Some(BTreeMap::from([(label.to_owned(), value.to_owned())])),
            owner_references: object.controller_owner_ref(&()).map(|owner| vec![owner]),
            ..ObjectMeta::default()
        },
        data: Some(content),
        ..v1::ConfigMap::default()
    };
    let created = api_server.create_config_map(&identity.namespace, &map).await;
    created.map_err(|error| problem(name, "create", &error))
}

/// Replaces the content of the ConfigMap `name`, which was just `found`.
///
/// # Errors
/// A message for the user, if the API server rejects the call or cannot be reached.
pub(crate) async fn fill(
    api_server: &ApiServer,
    identity: &Identity,
    name: &str,
    found: &ConfigMap,
    content: &BTreeMap<String, String>,
) -> Result<(), Message> {
    let filled = api_server.fill_config_map(&identity.namespace, name, found, content).await;
    filled.map_err(|error| problem(name, "patch", &error))
}

fn problem(name: &str, verb: &str, error: &ApiError) -> Message {
    match error {
        ApiError::Forbidden(_) => format!(
            "the operator may not {verb} ConfigMap {name}; grant it (chart value integrations.outputConfigMap.enabled)"
        )
        .into(),
        error => Message::from(format!("failed to {verb} ConfigMap {name}: ")).varying(&error.to_string()),
    }
}

/// Returns `true` if the object owns the ConfigMap.
pub(crate) fn is_own(map: &ConfigMap, identity: &Identity) -> bool {
    map.controller.as_deref() == Some(identity.uid.as_str())
}

/// Returns `true` if `name` is a valid name of a ConfigMap.
fn is_name(name: &str) -> bool {
    let is_inner = |c: char| matches!(c, 'a'..='z' | '0'..='9' | '-' | '.');
    name.chars().all(is_inner)
        && !name.starts_with(['-', '.'])
        && !name.ends_with(['-', '.'])
        && !name.is_empty()
}
