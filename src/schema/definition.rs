//! The CustomResourceDefinition of a kind: takes the derived schema, finishes it and prints it.
//!
//! It never changes what a schema accepts, except that `null` is the same as absent.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, JSONSchemaProps, JSONSchemaPropsOrArray,
};
use kube::CustomResourceExt;

/// Returns the definition of the kind, as it is installed into a cluster.
#[must_use]
pub fn definition<K: CustomResourceExt>() -> CustomResourceDefinition {
    let mut crd = K::crd();
    for version in &mut crd.spec.versions {
        if let Some(schema) = version.schema.as_mut().and_then(|s| s.open_api_v3_schema.as_mut()) {
            finish(schema);
        }
    }
    crd
}

/// Returns a definition as a YAML document, for `spe-operator crd` and the files under `crds/`.
///
/// # Errors
/// If the definition cannot be written as YAML, which is a defect.
pub fn yaml(definition: &CustomResourceDefinition) -> Result<String, serde_saphyr::SerializeError> {
    serde_saphyr::to_string(definition)
}

/// Brings the derived schema, with everything nested in it, into the form that Kubernetes tools expect.
///
/// - The schema allows no explicit `null`, so the API server drops it like an absent field. The derives allow `null`
///   wherever Rust has an `Option`; then `has()` would return true for a field without a value, in every rule.
/// - A description is one paragraph, without the line breaks of the source.
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
