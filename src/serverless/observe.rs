//! Observes what other objects contribute to a decision. It never waits, and every rule is in `domain`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use domain::access::CredentialsInUse;
use domain::dedicated::endpoint::NewEndpoint;
use domain::reconcile::Resolution;
use domain::reconcile::tracked::ReadResource;
use domain::reference::{Stated, VpcEndpoint};
use domain::serverless::endpoint::EndpointId;
use domain::serverless::observed::Owner;
use domain::serverless::ownership::mark_of;
use domain::serverless::reconcile::state::ReconcileState;
use domain::serverless::reconcile::vocabulary::Others;
use domain::token::Token;

use crate::runtime::identity::Identity;
use crate::runtime::references::ReferencedObjects;
use crate::runtime::references::endpoint::{self, DeclaredFields, NamedObject};
use crate::serverless::crd::ServerlessPrivateEndpoint;

use super::directory::EndpointDirectory;
use super::read_object::ReadObject;

/// Resolves the VPC endpoint that the object declares. A deletion does not depend on it.
pub(super) fn resolve(
    references: &Arc<ReferencedObjects<ServerlessPrivateEndpoint>>,
    identity: &Identity,
    read: &ReadObject,
) -> Resolution<VpcEndpoint> {
    if read.is_deleting() {
        references.remove(&identity.token);
        return Resolution::NotNeeded;
    }
    let spec = &read.object.spec;
    let reference = spec.cloud_provider_endpoint_ref.as_ref().map(|named| NamedObject {
        field: "spec.cloudProviderEndpointRef",
        api_version: &named.api_version,
        kind: &named.kind,
        name: &named.name,
        key: named.key.as_deref(),
    });
    let id = spec.cloud_provider_endpoint_id.as_deref();
    let literal = id.map_or(VpcEndpoint::Undeclared, |id| VpcEndpoint::of_id("cloudProviderEndpointId", id));
    let fields =
        DeclaredFields { literal: literal.map(|id| NewEndpoint::Aws { id }), reference, stated: Stated::Aws };
    let found = endpoint::resolve(references, identity, fields, read.open_request());
    found.map_or(Resolution::NotRead, |endpoint| Resolution::Found(endpoint.vpc_endpoint()))
}

/// Returns what the other objects contribute.
pub(super) fn others(
    directory: &EndpointDirectory,
    identity: &Identity,
    state: &ReconcileState<ReadObject>,
) -> Others {
    let Identity { token, namespace, .. } = identity;
    let other_declarant = match state.vpc_endpoint() {
        VpcEndpoint::Declared(id) => directory.other_declarant(token, namespace, id),
        _ => None,
    };
    Others {
        owners: owners(directory, identity, state),
        elsewhere: elsewhere(directory, token, state),
        other_declarant,
    }
}

/// Returns the owners of the foreign marks in the listing, as far as they are known.
fn owners(
    directory: &EndpointDirectory,
    identity: &Identity,
    state: &ReconcileState<ReadObject>,
) -> BTreeMap<Token, Owner> {
    let marks = state.listed().iter().filter_map(|endpoint| mark_of(&endpoint.comment));
    let others = marks.filter(|token| *token != identity.token);
    others.filter_map(|token| Some((token.clone(), directory.owner(&token, &identity.namespace)?))).collect()
}

/// Returns the endpoints in the listing that an older object of another namespace uses. Only needed with the default credentials,
/// which several namespaces share.
fn elsewhere(
    directory: &EndpointDirectory,
    token: &Token,
    state: &ReconcileState<ReadObject>,
) -> BTreeSet<EndpointId> {
    let shared = state.listed().iter().filter(|_| *state.credentials() == CredentialsInUse::Default);
    let others = shared.filter(|endpoint| mark_of(&endpoint.comment).as_ref() != Some(token));
    let used = others.filter(|endpoint| directory.is_used_elsewhere(token, &endpoint.id));
    used.map(|endpoint| endpoint.id.clone()).collect()
}
