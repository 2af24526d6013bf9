//! The CustomResourceDefinition: what the derives make, finished and printed.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, JSONSchemaProps, JSONSchemaPropsOrArray,
};
use kube::CustomResourceExt;

use super::ServerlessPrivateEndpoint;

/// The definition of the resource, as it is installed into a cluster.
#[must_use]
pub fn crd() -> CustomResourceDefinition {
    let mut crd = ServerlessPrivateEndpoint::crd();
    for version in &mut crd.spec.versions {
        if let Some(schema) = version.schema.as_mut().and_then(|s| s.open_api_v3_schema.as_mut()) {
            finish(schema);
        }
    }
    crd
}

/// [`crd`] as a YAML document, for `spe-operator crd` and the file under `crds/`.
///
/// # Errors
/// If the definition cannot be written as YAML, which is a defect.
pub fn crd_yaml() -> Result<String, serde_saphyr::SerializeError> {
    serde_saphyr::to_string(&crd())
}

/// Brings the derived schema into the form that Kubernetes tools expect, for the schema and all that it holds.
///
/// - An explicit `null` is dropped by the API server like an absent field. The derives allow `null` wherever Rust has
///   an `Option`, and there `has()` would call a field set that holds nothing, in every rule.
/// - A description is a paragraph, without the line breaks of the source.
fn finish(schema: &mut JSONSchemaProps) {
    schema.nullable = None;
    schema.description = schema.description.take().map(|text| text.replace('\n', " "));
    for property in schema.properties.iter_mut().flat_map(|properties| properties.values_mut()) {
        finish(property);
    }
    if let Some(JSONSchemaPropsOrArray::Schema(items)) = &mut schema.items {
        finish(items);
    }
}
