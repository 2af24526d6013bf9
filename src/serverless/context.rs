//! The context that all reconciles of this process share. It decides nothing.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use domain::ids::VpcEndpointId;
use domain::serverless::endpoint::{Endpoint, Instance};
use domain::serverless::observed::Times;
use domain::serverless::reconcile::ReconcileSettings;
use domain::status::EventDraft;
use domain::status::EventReason;
use domain::token::{ClusterId, Token};
use k8s_openapi::api::core::v1::ObjectReference;
use kube::runtime::reflector::ObjectRef;
use kube::{Client, Resource};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tracing::warn;

use crate::metrics::Metrics;
use crate::serverless::crd::ServerlessPrivateEndpoint;

use super::directory::Directory;
use super::kind::CachedEndpoint;
use super::private_addresses::Addresses;
use super::state::ObjectStates;
use crate::runtime::admission::Admission;
use crate::runtime::api_server::{ApiPermit, ApiServer};
use crate::runtime::atlas_access::{AtlasAccess, DefaultCredentials};
use crate::runtime::decode::Unreadable;
use crate::runtime::events::Events;
use crate::runtime::listings::Listings;
use crate::runtime::references::ReferencedObjects;
use crate::runtime::work::Work;

/// Options of the controller, all from the program's settings.
#[derive(Clone)]
pub struct Options {
    /// The times of the creation protocol.
    pub times: Times,
    /// The delay between the first two polls of an endpoint that is changing.
    pub poll_min: Duration,
    /// The longest delay between two polls of an endpoint that is changing.
    pub poll_max: Duration,
    /// Maximum concurrent calls to Atlas, for all projects together.
    pub concurrency: usize,
    /// The id of this cluster; `None`: the uid of the namespace `kube-system`.
    pub cluster_id: Option<ClusterId>,
    /// The namespaces to watch; empty: all of them. A set, because two watches of one namespace would reconcile an object twice
    /// concurrently.
    pub namespaces: BTreeSet<String>,
    /// Label selector of the objects to watch; `None`: all of them.
    pub selector: Option<String>,
    /// The delay after the start until unwatched objects are searched.
    pub survey_after: Duration,
    /// The Secret for objects without `credentialsRef`, and the namespaces that may use it.
    pub default_credentials: Option<DefaultCredentials>,
    /// The metrics of this process.
    pub metrics: Metrics,
}

impl Options {
    /// Returns what is set for all reconciles.
    pub(super) fn settings(&self) -> ReconcileSettings {
        ReconcileSettings { times: self.times, poll_min: self.poll_min, poll_max: self.poll_max }
    }
}

pub(super) struct Context {
    pub(super) api_server: ApiServer,
    pub(super) cluster_id: Arc<ClusterId>,
    pub(super) atlas: AtlasAccess,
    pub(super) listings: Listings<Instance, Endpoint>,
    pub(super) addresses: Addresses,
    pub(super) states: Arc<ObjectStates>,
    pub(super) directory: Directory,
    pub(super) admission: Arc<Admission<ServerlessPrivateEndpoint>>,
    pub(super) references: Arc<ReferencedObjects<ServerlessPrivateEndpoint>>,
    pub(super) options: Options,
    pub(super) work: Work,
    pub(super) events: Events,
    pub(super) client: Client,
    /// The events of unreadable objects that wait to be published.
    pub(super) pending_events: PendingEvents,
}

/// Maximum number of pending events of one namespace, each about an unreadable object.
const MAX_PENDING_EVENTS: usize = 16;

/// The permits for pending events about unreadable objects, by namespace.
#[derive(Default)]
pub(super) struct PendingEvents(Mutex<HashMap<Box<str>, Arc<Semaphore>>>);

impl PendingEvents {
    /// Returns the permit for a pending event of `namespace`; `None` if all are in use.
    fn permit(&self, namespace: &str) -> Option<OwnedSemaphorePermit> {
        let mut namespaces = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // A permit in use holds the semaphore.
        namespaces.retain(|_, permits| Arc::strong_count(permits) > 1);
        let permits = namespaces
            .entry(namespace.into())
            .or_insert_with(|| Arc::new(Semaphore::new(MAX_PENDING_EVENTS)));
        Arc::clone(permits).try_acquire_owned().ok()
    }
}

impl Context {
    /// Removes all state of an object that no longer exists.
    pub(super) fn on_deleted(&self, namespace: &str, token: &Token) {
        self.remove_state(namespace, token);
        if let Some(alone) = self.directory.remove(token) {
            self.republish(&alone);
        }
    }

    /// Handles an object that has left the watch. With a selector it may still exist, and then keeps its endpoint and its mark.
    pub(super) fn on_left_watch(&self, namespace: &str, token: &Token) {
        if self.options.selector.is_none() {
            return self.on_deleted(namespace, token);
        }
        self.remove_state(namespace, token);
        if let Some(alone) = self.directory.mark_unselected(token) {
            self.republish(&alone);
        }
    }

    fn remove_state(&self, namespace: &str, token: &Token) {
        self.states.with(token, |entry| entry.counted.on_deleted(&self.options.metrics));
        self.states.remove(namespace, token, &self.options.times);
        self.references.remove(token);
        self.atlas.credentials.remove(token);
    }

    /// Records which VPC endpoint an object declares, and has the status of the objects that this affects published again.
    pub(super) fn record_declaration(&self, token: &Token, id: Option<&VpcEndpointId>) {
        for affected in self.directory.record_declaration(token, id) {
            self.republish(&affected);
        }
    }

    /// Has the status of an object published again, because it depends on a declaration that another object has just changed.
    fn republish(&self, object: &ObjectRef<CachedEndpoint>) {
        let namespace = object.namespace.as_deref().unwrap_or_default();
        let token = Token::of(&self.cluster_id, namespace, &object.name);
        self.states.with(&token, |entry| entry.kept.schedule.status_outdated());
        self.admission.request(object);
    }

    /// Handles an unreadable object from the watch. The object stays unchanged; one log line and one event report it, and the
    /// event is published in the background.
    pub(super) fn on_unreadable(self: &Arc<Self>, unreadable: &Unreadable) {
        let Unreadable { metadata, why } = unreadable;
        let (namespace, name) = (metadata.namespace.as_deref(), metadata.name.as_deref());
        let (namespace, name) = (namespace.unwrap_or_default(), name.unwrap_or_default());
        let token = Token::of(&self.cluster_id, namespace, name);
        let is_new = self.states.record_unreadable(namespace, &token, why);
        self.directory.record_watched(&token, namespace, name);
        if is_new {
            self.options.metrics.not_decoded();
            warn!(namespace, name, why, "cannot decode the object; fix or delete it");
        }
        if self.states.set_unreadable_reported(&token, true) {
            return;
        }
        // However many such objects a namespace has, only a few of its events are pending. The next watch event of an object
        // without a permit tries again.
        let Some(event_permit) = self.pending_events.permit(namespace) else {
            self.states.set_unreadable_reported(&token, false);
            return;
        };
        let draft = EventDraft {
            reason: EventReason::ObjectUnreadable,
            warning: true,
            message: format!(
                "the operator cannot read this object ({why}); it neither acts on it nor releases it until that is corrected"
            ),
        };
        let regarding = ObjectReference {
            api_version: Some(ServerlessPrivateEndpoint::api_version(&()).into_owned()),
            kind: Some(ServerlessPrivateEndpoint::kind(&()).into_owned()),
            namespace: metadata.namespace.clone(),
            name: metadata.name.clone(),
            uid: metadata.uid.clone(),
            resource_version: metadata.resource_version.clone(),
            field_path: None,
        };
        let (ctx, namespace) = (Arc::clone(self), namespace.to_owned());
        tokio::spawn(async move {
            let permit = ctx.api_server.permit(&namespace).await;
            if !ctx.publish_event(&permit, regarding, &draft).await {
                ctx.states.set_unreadable_reported(&token, false);
            }
            drop(event_permit);
        });
    }

    /// Publishes an event. A failure is only logged, because the conditions carry the same information.
    pub(super) async fn publish(
        &self,
        permit: &ApiPermit,
        object: &ServerlessPrivateEndpoint,
        draft: &EventDraft,
    ) {
        self.publish_event(permit, object.object_ref(&()), draft).await;
    }

    /// Publishes an event. Returns `false` if that failed.
    async fn publish_event(
        &self,
        _permit: &ApiPermit,
        regarding: ObjectReference,
        draft: &EventDraft,
    ) -> bool {
        self.events.publish(regarding, draft).await
    }
}
