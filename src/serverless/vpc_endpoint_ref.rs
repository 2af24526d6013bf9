//! Finds the VPC endpoint that the spec declares, itself or by reference. What a reference means is in [`domain::reference`];
//! nothing here waits for a referenced object.

use std::sync::Arc;

use domain::reference::{Reference, VpcEndpoint};

use crate::serverless::crd::ServerlessPrivateEndpoint;

use super::convert::reconcile_request;
use crate::runtime::identity::Identity;
use crate::runtime::references::{ReferenceTarget, ReferencedObjects};

/// The field that refers to another object.
const FIELD: &str = "spec.cloudProviderEndpointRef";

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
    let reference = Reference { field: FIELD, source, namespace: &target.namespace, name: &target.name, key };
    Some(reference.resolve(found))
}

/// Returns the declaration of an object without a readable reference.
fn unreferenced(object: &ServerlessPrivateEndpoint) -> VpcEndpoint {
    if let Some(id) = &object.spec.cloud_provider_endpoint_id {
        return VpcEndpoint::of_id("cloudProviderEndpointId", id);
    }
    object.spec.cloud_provider_endpoint_ref.as_ref().map_or(VpcEndpoint::Undeclared, |reference| {
        VpcEndpoint::of_other_kind(FIELD, &reference.api_version, &reference.kind)
    })
}
