//! One running reconcile: its machine, and what is known of the service that an endpoint refers to. It does no I/O.

use std::sync::Arc;
use std::time::Duration;

use domain::dedicated::life::Sort;
use domain::dedicated::names::{Declares, ServiceName};
use domain::dedicated::observed::ServiceRef;
use domain::dedicated::reconcile::Reconcile;
use domain::reconcile::Started;

use crate::clock::Boottime;
use crate::runtime::atlas_access::CredentialsOf;
use crate::runtime::executor::jitter;
use crate::runtime::identity::Identity;

use super::context::Context;
use super::kind::DedicatedKind;
use super::read_object::ReadObject;

/// One running reconcile.
pub(super) struct DedicatedReconcile<K: DedicatedKind> {
    pub(super) ctx: Arc<Context<K>>,
    pub(super) identity: Arc<Identity>,
    pub(super) machine: Box<Reconcile<ReadObject<K>>>,
    pub(super) jitter: f64,
}

impl<K: DedicatedKind> DedicatedReconcile<K> {
    /// Begins the reconcile of an object, if it is due.
    ///
    /// # Errors
    /// The delay until it is.
    pub(super) fn begin(
        object: Box<K>,
        enqueued_at: Boottime,
        identity: Arc<Identity>,
        ctx: Arc<Context<K>>,
    ) -> Result<Self, Duration> {
        let read = ReadObject::new(object, &identity, &ctx.shared.cluster_id);
        let started = ctx.objects.states.with(&identity.token, |entry| {
            let (enqueued_at, now) = (enqueued_at.since_boot(), Boottime::now().since_boot());
            Reconcile::start(read, &mut entry.kept, &ctx.settings, enqueued_at, now)
        });
        match started {
            Started::Later(delay) => Err(delay),
            Started::Now(machine) => Ok(Self { ctx, identity, machine, jitter: jitter() }),
        }
    }

    /// Returns the service that the object refers to; `None` if its object was not read yet.
    pub(super) fn service(&self, service: &ServiceName) -> Option<ServiceRef> {
        let ServiceName::Object(object) = service else {
            return match service {
                ServiceName::Key(key) => Some(ServiceRef::Key(key.clone())),
                ServiceName::Object(_) => None,
            };
        };
        let mut described = format!("PrivateEndpointService {}/{}", object.namespace, object.name);
        let offer = self.ctx.common.names().offer(object).cloned();
        let Some(offer) = offer else {
            let links = self.ctx.common.links();
            let is_known = links.is_some_and(|links| (links.are_known)(Sort::Service));
            if links.is_some_and(|links| !links.watches_services) {
                described.push_str(" (this operator does not watch that kind, see its flag --kinds)");
            }
            let known = self.machine.object().object.recorded_services();
            return is_known.then_some(ServiceRef::Missing { object: described, known });
        };
        if !offer.allows(object, &self.identity.namespace) {
            return Some(ServiceRef::NotAllowed(described));
        }
        Some(ServiceRef::Object { object: described, key: offer.key, recorded: offer.recorded })
    }

    /// Returns `true` if this is a service that is being deleted, while endpoints that use it may not be known yet.
    pub(super) fn may_have_unknown_users(&self) -> bool {
        K::SORT == Sort::Service
            && self.machine.object().object.meta().deletion_timestamp.is_some()
            && !self.ctx.common.links().is_some_and(|links| (links.are_known)(Sort::Endpoint))
    }

    /// Returns whose credentials the object uses now, if that is known.
    pub(super) fn known_credentials(&self) -> Option<CredentialsOf> {
        let object = &self.machine.object().object;
        match object.declares() {
            Declares::Endpoint(ServiceName::Object(service), _) => {
                let named = self.ctx.common.names().offer(&service)?.secret.clone();
                Some(CredentialsOf { namespace: service.namespace, named })
            }
            _ => Some(CredentialsOf {
                namespace: self.identity.namespace.clone(),
                named: object.secret().map(str::to_owned),
            }),
        }
    }
}
