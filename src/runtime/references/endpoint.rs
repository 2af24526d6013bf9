//! Finds the endpoint that a spec declares by reference. What a reference means is in [`domain::reference`]; nothing here waits for a
//! referenced object.

use std::sync::Arc;

use domain::dedicated::endpoint::NewEndpoint;
use domain::reference::{DeclaredEndpoint, EndpointSource, Reference, Stated};

use super::{ReferenceTarget, ReferencedObjects};
use crate::runtime::identity::Identity;
use crate::runtime::kind::Kind;

/// An object in the referrer's namespace, as a spec names it.
#[derive(Clone, Copy)]
pub(crate) struct NamedObject<'a> {
    /// The field of the spec, for messages.
    pub(crate) field: &'static str,
    pub(crate) api_version: &'a str,
    pub(crate) kind: &'a str,
    pub(crate) name: &'a str,
    /// The entry of a `ConfigMap`.
    pub(crate) key: Option<&'a str>,
}

/// What a spec says about its endpoint; by default nothing.
#[derive(Default)]
pub(crate) struct DeclaredFields<'a> {
    /// The endpoint that the spec itself names.
    pub(crate) literal: DeclaredEndpoint<NewEndpoint>,
    /// The object that knows it instead.
    pub(crate) reference: Option<NamedObject<'a>>,
    /// What else the spec says about it.
    pub(crate) stated: Stated,
}

/// Returns the endpoint that the spec of an object declares, as far as it is known now. `request` is its reconcile request.
///
/// `None` if nothing is known of it yet: the object is reconciled again when there is.
pub(crate) fn resolve<K: Kind>(
    references: &Arc<ReferencedObjects<K>>,
    identity: &Identity,
    fields: DeclaredFields<'_>,
    request: Option<&str>,
) -> Option<DeclaredEndpoint<NewEndpoint>> {
    let DeclaredFields { literal, reference, stated } = fields;
    let Some(NamedObject { field, api_version, kind, name, key }) = reference else {
        references.remove(&identity.token);
        return Some(literal);
    };
    // The API server rejects any other kind.
    let source = EndpointSource::of(api_version, kind).filter(|source| source.is_of(stated.provider()));
    let Some(source) = source else {
        references.remove(&identity.token);
        return Some(DeclaredEndpoint::of_other_kind(field, api_version, kind));
    };
    let namespace = identity.namespace.clone();
    let target = ReferenceTarget { source, namespace, name: name.to_owned() };
    let key = key.unwrap_or_default();
    let found = references.find(identity, &target, key, request)?;
    let reference = Reference { field, source, namespace: &target.namespace, name, key };
    Some(reference.resolve(found, &stated))
}
