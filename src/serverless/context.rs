//! The context that all reconciles of this kind share. It decides nothing.

use std::sync::Arc;

use domain::ids::VpcEndpointId;
use domain::reconcile::ReconcileSettings;
use domain::serverless::endpoint::{Endpoint, Instance};
use domain::token::Token;

use crate::runtime::identity::Identity;
use crate::runtime::listings::Listings;
use crate::runtime::objects::Objects;
use crate::runtime::references::ReferencedObjects;
use crate::runtime::shared::SharedParts;
use crate::serverless::crd::ServerlessPrivateEndpoint;

use super::convert;
use super::directory::{self, EndpointDirectory};
use super::private_addresses::Addresses;

pub(super) struct Context {
    pub(super) shared: Arc<SharedParts>,
    pub(super) objects: Arc<Objects<ServerlessPrivateEndpoint>>,
    pub(super) settings: ReconcileSettings,
    pub(super) listings: Listings<Instance, Endpoint>,
    pub(super) addresses: Addresses,
    pub(super) directory: EndpointDirectory,
    pub(super) references: Arc<ReferencedObjects<ServerlessPrivateEndpoint>>,
}

impl Context {
    pub(super) fn new(shared: Arc<SharedParts>, settings: ReconcileSettings) -> Self {
        let objects = Objects::new(&shared, settings.times);
        Self {
            listings: Listings::new(settings.poll_min, settings.times.confirm_gap),
            addresses: Addresses::new(),
            directory: EndpointDirectory::new(Arc::clone(&objects.directory)),
            references: objects.references(),
            objects,
            shared,
            settings,
        }
    }

    /// Records an object from the watch. Create attempts are recorded here too: an attempt whose claim is removed from the object
    /// may still take effect in Atlas.
    pub(super) fn record_watched(
        &self,
        object: &ServerlessPrivateEndpoint,
        identity: &Identity,
        is_new: bool,
    ) {
        let Identity { namespace, token, .. } = identity;
        if is_new {
            self.record_declaration(token, directory::declared(object).as_ref());
        }
        self.record_endpoints(token, object);
        let observed = convert::object(object, identity, &self.shared.cluster_id);
        let recorded = observed.recorded.as_ref().map(|recorded| &recorded.id);
        self.objects.states.observe(namespace, token, |kept, now| {
            kept.memory.observe(&observed.claim, recorded, now);
        });
    }

    /// Removes the state of an object that has left the watch. One that `may_exist` keeps its endpoint and its mark.
    pub(super) fn remove(&self, namespace: &str, token: &Token, may_exist: bool) {
        self.objects.remove_state(namespace, token);
        self.references.remove(token);
        if let Some(alone) = self.directory.remove(token, may_exist) {
            self.objects.republish(&alone);
        }
    }

    /// Records which endpoints an object uses, if several namespaces may share them.
    pub(super) fn record_endpoints(&self, token: &Token, object: &ServerlessPrivateEndpoint) {
        if self.shared.options.default_credentials.is_some() {
            self.directory.record_endpoints(token, object);
        }
    }

    /// Records which VPC endpoint an object declares, and has the status of the objects that this affects published again.
    pub(super) fn record_declaration(&self, token: &Token, id: Option<&VpcEndpointId>) {
        for affected in self.directory.record_declaration(token, id) {
            self.objects.republish(&affected);
        }
    }
}
