//! Finds the VPC endpoint that a spec declares, itself or by reference. What a reference means is in [`domain::reference`];
//! nothing here waits for a referenced object.

use std::sync::Arc;

use domain::reference::{Reference, VpcEndpoint, VpcEndpointSource};

use super::{ReferenceTarget, ReferencedObjects};
use crate::runtime::identity::Identity;
use crate::runtime::kind::Kind;

/// What a spec says about its VPC endpoint. Each field of the spec comes with its name, for messages.
pub(crate) struct VpcEndpointFields<'a> {
    /// The id itself.
    pub(crate) id: (&'static str, Option<&'a str>),
    /// The object that knows it.
    pub(crate) reference: (&'static str, Option<NamedObject<'a>>),
}

/// An object in the referrer's namespace, as a spec names it.
#[derive(Clone, Copy)]
pub(crate) struct NamedObject<'a> {
    pub(crate) api_version: &'a str,
    pub(crate) kind: &'a str,
    pub(crate) name: &'a str,
    /// The entry of a `ConfigMap`.
    pub(crate) key: Option<&'a str>,
}

impl NamedObject<'_> {
    /// Returns the kind of the object; `None` if it is not in the closed list, which the API server rejects.
    fn source(&self) -> Option<VpcEndpointSource> {
        let named = (self.api_version, self.kind);
        VpcEndpointSource::ALL.into_iter().find(|source| source.api_version_and_kind() == named)
    }
}

/// Returns the VPC endpoint that the spec of an object declares, as far as it is known now. `request` is its reconcile request.
///
/// `None` if nothing is known of it yet: the object is reconciled again when there is.
pub(crate) fn resolve<K: Kind>(
    references: &Arc<ReferencedObjects<K>>,
    identity: &Identity,
    fields: &VpcEndpointFields<'_>,
    request: Option<&str>,
) -> Option<VpcEndpoint> {
    let (field, reference) = fields.reference;
    let Some((reference, source)) = reference.and_then(|it| Some((it, it.source()?))) else {
        references.remove(&identity.token);
        return Some(unreferenced(fields));
    };
    let namespace = identity.namespace.clone();
    let target = ReferenceTarget { source, namespace, name: reference.name.to_owned() };
    let key = reference.key.unwrap_or_default();
    let found = references.find(identity, &target, key, request)?;
    let reference = Reference { field, source, namespace: &target.namespace, name: &target.name, key };
    Some(reference.resolve(found))
}

/// Returns the declaration of an object without a readable reference.
fn unreferenced(fields: &VpcEndpointFields<'_>) -> VpcEndpoint {
    let ((id_field, id), (field, reference)) = (fields.id, fields.reference);
    if let Some(id) = id {
        return VpcEndpoint::of_id(id_field, id);
    }
    reference.map_or(VpcEndpoint::Undeclared, |reference| {
        VpcEndpoint::of_other_kind(field, reference.api_version, reference.kind)
    })
}
