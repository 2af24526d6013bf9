//! The context that all reconciles of this process share.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use domain::conditions::EventReason;
use domain::endpoint::VpcEndpointId;
use domain::event::EventDraft;
use domain::observed::Times;
use domain::ownership::{ClusterId, Token};
use k8s_openapi::api::core::v1::ObjectReference;
use kube::runtime::reflector::ObjectRef;
use kube::{Client, Resource};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tracing::warn;

use crate::metrics::Metrics;
use crate::serverless::crd::ServerlessPrivateEndpoint;

use super::directory::Directory;
use super::kind::Cached;
use super::listings::Listings;
use super::private_addresses::Addresses;
use super::state::ObjectStates;
use crate::runtime::admission::Admission;
use crate::runtime::api_server::{ApiPermit, ApiServer};
use crate::runtime::atlas_access::{AtlasAccess, DefaultCredentials};
use crate::runtime::decode::Unreadable;
use crate::runtime::events::Events;
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
    /// How long after the start objects are searched that nobody watches.
    pub survey_after: Duration,
    /// The Secret for objects without `credentialsRef`, and the namespaces that may use it.
    pub default_credentials: Option<DefaultCredentials>,
    /// The metrics of this process.
    pub metrics: Metrics,
}

pub(super) struct Context {
    pub(super) cluster: ApiServer,
    pub(super) cluster_id: ClusterId,
    pub(super) atlas: AtlasAccess,
    pub(super) listings: Listings,
    pub(super) addresses: Addresses,
    pub(super) states: Arc<ObjectStates>,
    pub(super) directory: Directory,
    pub(super) admission: Arc<Admission<ServerlessPrivateEndpoint>>,
    pub(super) targets: Arc<ReferencedObjects<ServerlessPrivateEndpoint>>,
    pub(super) options: Options,
    pub(super) work: Work,
    pub(super) events: Events,
    pub(super) client: Client,
    /// Places of each namespace for the events of objects that cannot be read.
    pub(super) telling: Telling,
}

/// Maximum number of objects of one namespace that cannot be read whose event waits to be published.
const TELLING: usize = 16;

/// The namespaces with events of objects that cannot be read that wait to be published.
#[derive(Default)]
pub(super) struct Telling(Mutex<HashMap<Box<str>, Arc<Semaphore>>>);

impl Telling {
    /// Returns a place for an event of `namespace`; `None` if all are taken.
    fn place(&self, namespace: &str) -> Option<OwnedSemaphorePermit> {
        let mut namespaces = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // A place that is taken holds the semaphore.
        namespaces.retain(|_, places| Arc::strong_count(places) > 1);
        let places = namespaces.entry(namespace.into()).or_insert_with(|| Arc::new(Semaphore::new(TELLING)));
        Arc::clone(places).try_acquire_owned().ok()
    }
}

impl Context {
    /// Removes all state of an object that no longer exists.
    pub(super) fn gone(&self, namespace: &str, token: &Token) {
        self.forget(namespace, token);
        if let Some(alone) = self.directory.gone(token) {
            self.publish_again(&alone);
        }
    }

    /// Handles an object that has left the watch. With a selector it may still exist, and then keeps its endpoint and its mark.
    pub(super) fn unshown(&self, namespace: &str, token: &Token) {
        if self.options.selector.is_none() {
            return self.gone(namespace, token);
        }
        self.forget(namespace, token);
        if let Some(alone) = self.directory.left(token) {
            self.publish_again(&alone);
        }
    }

    fn forget(&self, namespace: &str, token: &Token) {
        self.states.with(token, |entry| entry.counted.gone(&self.options.metrics));
        self.states.gone(namespace, token, &self.options.times);
        self.targets.forget(token);
        self.atlas.keys.forget(token);
    }

    /// Records which VPC endpoint an object declares, and has the status of the objects that this affects published again.
    pub(super) fn declares(&self, token: &Token, id: Option<&VpcEndpointId>) {
        for affected in self.directory.declares(token, id) {
            self.publish_again(&affected);
        }
    }

    /// Has the status of an object published again, because it depends on what another object has just declared.
    fn publish_again(&self, object: &ObjectRef<Cached>) {
        let namespace = object.namespace.as_deref().unwrap_or_default();
        let token = Token::of(&self.cluster_id, namespace, &object.name);
        self.states.with(&token, |entry| entry.schedule.status_outdated());
        self.admission.request(object);
    }

    /// Handles an object from the watch that cannot be read. It is left unchanged; a log line and an event say so once, and the
    /// event is published in the background.
    pub(super) fn cannot_read(self: &Arc<Self>, unreadable: &Unreadable) {
        let Unreadable { metadata, why } = unreadable;
        let (namespace, name) = (metadata.namespace.as_deref(), metadata.name.as_deref());
        let (namespace, name) = (namespace.unwrap_or_default(), name.unwrap_or_default());
        let token = Token::of(&self.cluster_id, namespace, name);
        let is_news = self.states.hidden(namespace, &token, why);
        self.directory.appeared(&token, namespace, name);
        if is_news {
            self.options.metrics.not_understood();
            warn!(namespace, name, why, "cannot decode the object; fix or delete it");
        }
        if self.states.unreadable_told(&token, true) {
            return;
        }
        // However many such objects a namespace has, only a few of its events wait. The next watch event of an object without
        // a place tries again.
        let Some(place) = self.telling.place(namespace) else {
            self.states.unreadable_told(&token, false);
            return;
        };
        let notice = EventDraft {
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
            let permit = ctx.cluster.turn(&namespace).await;
            if !ctx.publish_event(&permit, regarding, &notice).await {
                ctx.states.unreadable_told(&token, false);
            }
            drop(place);
        });
    }

    /// Publishes an event. A failure is only logged, because the conditions carry the same information.
    pub(super) async fn publish(
        &self,
        permit: &ApiPermit,
        object: &ServerlessPrivateEndpoint,
        notice: &EventDraft,
    ) {
        self.publish_event(permit, object.object_ref(&()), notice).await;
    }

    /// Publishes an event. Returns `false` if that failed.
    async fn publish_event(
        &self,
        _permit: &ApiPermit,
        regarding: ObjectReference,
        notice: &EventDraft,
    ) -> bool {
        self.events.publish(regarding, notice).await
    }
}
