//! The CustomResourceDefinitions of all kinds, as they are installed into a cluster. It never installs them.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;

use crate::schema::yaml;
use crate::{endpoint, endpoint_service, serverless};

/// Returns the definition of each kind.
#[must_use]
pub fn definitions() -> [CustomResourceDefinition; 3] {
    [serverless::crd::crd(), endpoint_service::crd::crd(), endpoint::crd::crd()]
}

/// Returns the definition of each kind as one stream of YAML documents, for `spe-operator crd`.
///
/// # Errors
/// If a definition cannot be written as YAML, which is a defect.
pub fn definitions_yaml() -> Result<String, serde_saphyr::SerializeError> {
    let documents: Result<Vec<String>, _> = definitions().iter().map(yaml).collect();
    Ok(documents?.join("---\n"))
}
