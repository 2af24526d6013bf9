//! Resolves `cloudProviderEndpointRef` to a VPC endpoint id, and describes the missing object, entry or permission.
//!
//! Always in the object's own namespace, and only for the closed list of kinds. A message names exactly the
//! missing part and never repeats text of a referenced object. It never waits for the referenced object to be ready:
//! its id is used as soon as it appears.

use std::sync::Arc;

use domain::ids::VpcEndpointId;
use domain::serverless::observed::VpcEndpoint;

use crate::serverless::crd::{CloudProviderEndpointRef, ServerlessPrivateEndpoint, VpcEndpointSource};

use super::convert::reconcile_request;
use crate::runtime::identity::Identity;
use crate::runtime::references::{Found, ReferenceTarget, ReferencedObjects};

/// Returns the VPC endpoint that the spec declares, as far as it is known now.
///
/// `None` if nothing is known of it yet: the object is reconciled again when there is.
pub(super) fn resolve(
    references: &Arc<ReferencedObjects<ServerlessPrivateEndpoint>>,
    identity: &Identity,
    object: &ServerlessPrivateEndpoint,
) -> Option<VpcEndpoint> {
    let reference = object.spec.cloud_provider_endpoint_ref.as_ref();
    let Some((reference, source)) = reference.and_then(|it| Some((it, it.source()?))) else {
        references.remove(&identity.token);
        return Some(unreferenced(object));
    };
    let namespace = identity.namespace.clone();
    let target = ReferenceTarget { source, namespace, name: reference.name.clone() };
    let key = reference.key.as_deref().unwrap_or_default();
    let found = references.find(identity, &target, key, reconcile_request(object))?;
    Some(describe(found, reference, &target))
}

/// Returns the declaration of an object without a readable reference.
fn unreferenced(object: &ServerlessPrivateEndpoint) -> VpcEndpoint {
    if let Some(id) = &object.spec.cloud_provider_endpoint_id {
        return match id.trim().parse::<VpcEndpointId>() {
            Ok(id) => VpcEndpoint::Declared(id),
            Err(error) => VpcEndpoint::NotFound(format!("`cloudProviderEndpointId`: {error}; correct it")),
        };
    }
    match &object.spec.cloud_provider_endpoint_ref {
        None => VpcEndpoint::Undeclared,
        Some(CloudProviderEndpointRef { api_version, kind, .. }) => VpcEndpoint::NotFound(format!(
            "{kind} of {api_version} is not a kind that can be referenced; correct spec.cloudProviderEndpointRef"
        )),
    }
}

/// Describes the found content, for the user who has to act on it.
fn describe(found: Found, reference: &CloudProviderEndpointRef, target: &ReferenceTarget) -> VpcEndpoint {
    let CloudProviderEndpointRef { api_version, kind, name, .. } = reference;
    let ReferenceTarget { source, namespace, .. } = target;
    let object = format!("{kind} {name} ({api_version})");
    let place = match source {
        VpcEndpointSource::ConfigMap => {
            format!("entry {} of {object}", reference.key.as_deref().unwrap_or_default())
        }
        VpcEndpointSource::Ack => format!(".status.vpcEndpointID of {object}"),
        VpcEndpointSource::Upbound => format!(".status.atProvider.id of {object}"),
    };
    match found {
        Found::Id(id) => VpcEndpoint::Declared(id),
        Found::Other(length) => VpcEndpoint::NotFound(format!(
            "{place}: expected a VPC endpoint id (vpce- and hexadecimal digits), found another text of {length} characters; \
             correct it"
        )),
        Found::Nothing if *source == VpcEndpointSource::ConfigMap => VpcEndpoint::NotFound(format!(
            "{object} has no entry {}; add it, or correct spec.cloudProviderEndpointRef",
            reference.key.as_deref().unwrap_or_default()
        )),
        Found::Nothing => VpcEndpoint::Awaited(format!("{object} has no id yet ({place})")),
        Found::NoObject => VpcEndpoint::NotFound(format!(
            "{object} does not exist in namespace {namespace}; create it, or correct spec.cloudProviderEndpointRef"
        )),
        Found::NoKind => VpcEndpoint::NotFound(format!(
            "the kind {kind} of {api_version} is not installed in this cluster, so {kind} {name} cannot exist; install it, or \
             correct spec.cloudProviderEndpointRef"
        )),
        Found::Forbidden => {
            let (verbs, value) = match source {
                VpcEndpointSource::ConfigMap => ("`get`", "configMap"),
                VpcEndpointSource::Ack => ("`list` and `watch`", "ack"),
                VpcEndpointSource::Upbound => ("`list` and `watch`", "crossplane"),
            };
            VpcEndpoint::NotFound(format!(
                "the operator may not read {object} in namespace {namespace}; grant its service account {verbs} on {kind}s of \
                 {api_version} (chart value integrations.{value}.enabled)"
            ))
        }
        Found::Unreadable => VpcEndpoint::Awaited(format!(
            "{object} cannot be read at the moment, because the API server gives no usable answer"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FOUND: [fn() -> Found; 6] = [
        || Found::parse("postgres://app:hunter2@db"),
        || Found::Nothing,
        || Found::NoObject,
        || Found::NoKind,
        || Found::Forbidden,
        || Found::Unreadable,
    ];

    fn message(source: VpcEndpointSource, found: Found) -> String {
        let (api_version, kind) = source.api_version_and_kind();
        let reference = CloudProviderEndpointRef {
            api_version: api_version.to_owned(),
            kind: kind.to_owned(),
            name: "network".to_owned(),
            key: (source == VpcEndpointSource::ConfigMap).then(|| "vpce".to_owned()),
        };
        let target = ReferenceTarget { source, namespace: "shop".to_owned(), name: "network".to_owned() };
        match describe(found, &reference, &target) {
            VpcEndpoint::Awaited(text) | VpcEndpoint::NotFound(text) => text,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_message_names_the_object_and_repeats_none_of_its_text() {
        for source in VpcEndpointSource::ALL {
            for found in FOUND {
                let text = message(source, found());
                let (api_version, kind) = source.api_version_and_kind();
                for part in [api_version, kind, "network"] {
                    assert!(text.contains(part), "{part} is not in {text:?}");
                }
                assert!(!text.contains("postgres") && !text.contains("hunter2"), "{text}");
            }
        }
    }

    #[test]
    fn a_text_that_is_no_id_is_reported_by_its_length_only() {
        let text = message(VpcEndpointSource::ConfigMap, Found::parse(" postgres://app:hunter2@db\n"));
        assert!(text.contains("entry vpce of ConfigMap network") && text.contains("25 characters"), "{text}");
    }

    #[test]
    fn the_requested_permissions_are_the_used_ones() {
        let text = message(VpcEndpointSource::ConfigMap, Found::Forbidden);
        assert!(text.contains("`get`") && text.contains("integrations.configMap.enabled"), "{text}");
        for (source, value) in [(VpcEndpointSource::Ack, "ack"), (VpcEndpointSource::Upbound, "crossplane")] {
            let text = message(source, Found::Forbidden);
            assert!(text.contains("`list` and `watch`") && text.contains(value), "{text}");
        }
    }
}
