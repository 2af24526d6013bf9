//! Kinds by name: other operators' kinds that tests need, and the `Api` of a manifest.

use anyhow::{Context, Result, ensure};
use kube::api::DynamicObject;
use kube::core::{ApiResource, GroupVersionKind, TypeMeta};
use kube::discovery::{Scope, pinned_kind};
use kube::{Api, Client};
use serde_json::{Value, json};

/// A kind as the API server names it, spelled as in a manifest.
#[must_use]
pub fn kind(api_version: &str, kind: &str, plural: &str) -> ApiResource {
    let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
    ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk(group, version, kind), plural)
}

/// Returns a CustomResourceDefinition of a namespaced kind that accepts any fields.
#[must_use]
pub fn open_definition(kind: &ApiResource) -> Value {
    definition(kind, &json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true}))
}

/// Returns a CustomResourceDefinition of a namespaced kind with this schema.
#[must_use]
pub fn definition(kind: &ApiResource, schema: &Value) -> Value {
    json!({
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": format!("{}.{}", kind.plural, kind.group)},
        "spec": {
            "group": kind.group,
            "scope": "Namespaced",
            "names": {"kind": kind.kind, "plural": kind.plural},
            "versions": [{
                "name": kind.version, "served": true, "storage": true, "schema": {"openAPIV3Schema": schema},
            }],
        },
    })
}

/// Returns the `Api` of a manifest: its kind, in the namespace that it names, else in `namespace`.
///
/// # Errors
/// When the API server does not know the kind, or only one of the manifest and its kind has a namespace.
pub async fn api_of(
    client: &Client,
    manifest: &Value,
    namespace: Option<&str>,
) -> Result<Api<DynamicObject>> {
    let types: TypeMeta = serde_json::from_value(manifest.clone()).context("a manifest without a kind")?;
    let kind = GroupVersionKind::try_from(&types)?;
    let found = pinned_kind(client, &kind).await;
    let (resource, capabilities) = found.with_context(|| format!("no kind {kind:?}"))?;
    let named = manifest["metadata"]["namespace"].as_str();
    Ok(match capabilities.scope {
        Scope::Cluster => {
            ensure!(named.is_none(), "{} has no namespace: {manifest}", kind.kind);
            Api::all_with(client.clone(), &resource)
        }
        Scope::Namespaced => {
            let namespace = named.or(namespace).with_context(|| format!("no namespace: {manifest}"))?;
            Api::namespaced_with(client.clone(), namespace, &resource)
        }
    })
}
