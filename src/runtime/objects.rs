//! The objects of one kind: what the process keeps of each, and how it is recorded, reconciled, reported and removed.
//!
//! It knows no rule of a kind: what a kind keeps is a type of its own. It never writes an object.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use domain::status::{EventDraft, EventReason};
use domain::token::Token;
use k8s_openapi::api::core::v1::ObjectReference;
use kube::runtime::reflector::ObjectRef;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tracing::warn;

use crate::clock::Boottime;

use super::admission::Admission;
use super::api_server::ApiPermit;
use super::cached::Cached;
use super::decode::Unreadable;
use super::directory::Directory;
use super::executor::{self, KindReconcile};
use super::identity::Identity;
use super::kind::Kind;
use super::references::ReferencedObjects;
use super::shared::SharedParts;
use super::states::{Kept, ObjectStates, TimesOf};

/// The objects of the kind `K`.
pub(crate) struct Objects<K: Kind> {
    pub(crate) shared: Arc<SharedParts>,
    pub(crate) admission: Arc<Admission<K>>,
    pub(crate) states: Arc<ObjectStates<K::Kept>>,
    pub(crate) directory: Arc<Directory<K::Details>>,
    times: TimesOf<K::Kept>,
    /// The events of unreadable objects that wait to be published.
    pending_events: PendingEvents,
}

/// Maximum number of pending events of one namespace, each about an unreadable object.
const MAX_PENDING_EVENTS: usize = 16;

/// The permits for pending events about unreadable objects, by namespace.
#[derive(Default)]
struct PendingEvents(Mutex<HashMap<Box<str>, Arc<Semaphore>>>);

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

impl<K: Kind> Objects<K> {
    /// Creates the state of a kind whose objects are not watched yet. `times` say how long the remains of an object matter.
    pub(crate) fn new(shared: &Arc<SharedParts>, times: TimesOf<K::Kept>) -> Arc<Self> {
        let (options, work) = (&shared.options, shared.work.clone());
        let states = Arc::new(ObjectStates::default());
        let counted = Arc::clone(&states);
        options.metrics.count_objects(move |counts| {
            counted.each(|entry| entry.counted.add_to(counts));
        });
        Arc::new(Self {
            admission: Arc::new(Admission::new(options.concurrency, options.metrics.clone(), work)),
            states,
            directory: Arc::new(Directory::new(shared.scopes().len())),
            times,
            pending_events: PendingEvents::default(),
            shared: Arc::clone(shared),
        })
    }

    /// Returns the objects that specs of this kind refer to. A change of one makes its referrers due.
    pub(crate) fn references(&self) -> Arc<ReferencedObjects<K>> {
        let (client, api_server) = (self.shared.client.clone(), self.shared.api_server.clone());
        let states = Arc::clone(&self.states);
        let changed = move |token: &Token, at: Boottime| {
            states.with(token, |entry| entry.kept.schedule().reference_changed(at.since_boot()));
        };
        Arc::new(ReferencedObjects::new(client, api_server, Arc::clone(&self.admission), changed))
    }

    /// Reconciles the object `identity`. `begin` returns the reconcile, or the delay until the object is due.
    ///
    /// Returns the requeue delay, or `None` if only an event triggers the next reconcile.
    pub(crate) async fn reconcile<R: KindReconcile>(
        &self,
        identity: &Identity,
        begin: impl FnOnce() -> Result<R, Duration> + Send + 'static,
    ) -> Option<Duration> {
        let (metrics, span) = (self.shared.options.metrics.clone(), executor::span(identity));
        let on_panic =
            || self.states.with(&identity.token, |entry| entry.kept.schedule().failed(executor::jitter()));
        executor::execute(begin, metrics, span, on_panic).await
    }

    /// Removes the state of an object that is no longer watched. Its entry in the directory is for the kind to remove, because others
    /// may depend on it.
    pub(crate) fn remove_state(&self, namespace: &str, token: &Token) {
        self.states.with(token, |entry| entry.counted.on_deleted(&self.shared.options.metrics));
        self.states.remove(namespace, token, &self.times);
        self.shared.atlas.credentials.remove(K::kind(&()), token);
    }

    /// Has the status of an object published again, because it depends on another object that has just changed.
    pub(crate) fn republish(&self, object: &ObjectRef<Cached<K>>) {
        let namespace = object.namespace.as_deref().unwrap_or_default();
        let token = Token::of(&self.shared.cluster_id, namespace, &object.name);
        self.states.with(&token, |entry| entry.kept.schedule().status_outdated());
        self.admission.request(object);
    }

    /// Records a readable object from the watch. `before` is called first, and told whether the watch did not show it before.
    pub(crate) fn record_watched(&self, object: &K, before: impl FnOnce(&Identity, bool)) {
        let identity = Identity::new(object, &self.shared.cluster_id);
        let Identity { namespace, name, token, .. } = &identity;
        before(&identity, self.directory.record_watched(token, namespace, name));
        let deleting = object.meta().deletion_timestamp.is_some();
        self.states.record_watched(namespace, token, deleting, object.interval());
    }

    /// Records an unreadable object from the watch. The object stays unchanged; one log line and one event report it, and the event
    /// is published in the background.
    pub(crate) fn record_unreadable(self: &Arc<Self>, unreadable: &Unreadable) {
        let Unreadable { metadata, why } = unreadable;
        let (namespace, name) = (metadata.namespace.as_deref(), metadata.name.as_deref());
        let (namespace, name) = (namespace.unwrap_or_default(), name.unwrap_or_default());
        let token = Token::of(&self.shared.cluster_id, namespace, name);
        let is_new = self.states.record_unreadable(namespace, &token, why);
        self.directory.record_watched(&token, namespace, name);
        if is_new {
            self.shared.options.metrics.not_decoded();
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
            api_version: Some(K::api_version(&()).into_owned()),
            kind: Some(K::kind(&()).into_owned()),
            namespace: metadata.namespace.clone(),
            name: metadata.name.clone(),
            uid: metadata.uid.clone(),
            resource_version: metadata.resource_version.clone(),
            field_path: None,
        };
        let (objects, namespace) = (Arc::clone(self), namespace.to_owned());
        tokio::spawn(async move {
            let permit = objects.shared.api_server.permit(&namespace).await;
            if !objects.publish(&permit, regarding, &draft).await {
                objects.states.set_unreadable_reported(&token, false);
            }
            drop(event_permit);
        });
    }

    /// Publishes an event. A failure is only logged, because the conditions carry the same information; the result is then `false`.
    pub(crate) async fn publish(
        &self,
        _permit: &ApiPermit,
        regarding: ObjectReference,
        draft: &EventDraft,
    ) -> bool {
        self.shared.events.publish(regarding, draft).await
    }
}
