//! What all reconciles of the two kinds share. It decides nothing.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use atlas::ClusterDescription;
use domain::dedicated::cluster::Cluster;
use domain::dedicated::life::Sort;
use domain::dedicated::names::{Declares, Names, ObjectName, ObjectNames};
use domain::dedicated::service::{EndpointService, ProviderServices};
use domain::fault::Fault;
use domain::ids::ProjectId;
use domain::instant::SinceBoot;
use domain::reconcile::ReconcileSettings;
use domain::token::Token;
use futures::future::BoxFuture;
use kube::runtime::reflector::ObjectRef;
use tokio::sync::{Notify, OwnedMutexGuard};

use crate::clock::Boottime;
use crate::runtime::api_server::ApiError;
use crate::runtime::atlas_access::CredentialsOf;
use crate::runtime::identity::Identity;
use crate::runtime::listings::Listings;
use crate::runtime::objects::Objects;
use crate::runtime::references::ReferencedObjects;
use crate::runtime::shared::SharedParts;
use crate::runtime::single_flight::SingleFlight;

use super::kind::{self, DedicatedKind};

/// The response to a request for a cluster: `None` if Atlas knows none of that name.
pub(super) type ClusterResponse = Result<Option<Arc<ClusterDescription>>, Fault>;

/// How an object is recorded in the index.
type RecordNames = fn(&mut Names, Sort, &Token, ObjectNames, SinceBoot) -> bool;

/// When the listing of a project that nobody lists any more is forgotten.
const FORGOTTEN: Duration = Duration::from_hours(24);

/// When a listing was sent, and the services that it showed.
type SentAndShown = (SinceBoot, Arc<[EndpointService]>);

/// What both kinds share.
pub(super) struct Common {
    names: Mutex<Names>,
    /// Notified of each object that a watch shows.
    pub(super) watched: Notify,
    pub(super) listings: Listings<ProviderServices, EndpointService>,
    pub(super) clusters: SingleFlight<Cluster, ClusterResponse>,
    /// When the last listing of each project and provider was sent, and what it showed.
    listed: Mutex<HashMap<ProviderServices, SentAndShown>>,
    /// The turns to create a service, by project.
    turns: Mutex<HashMap<ProjectId, Arc<tokio::sync::Mutex<()>>>>,
    /// What one kind needs of the other, set once both are there.
    links: OnceLock<Links>,
}

/// A list of the objects of a kind in a namespace (`None`: in all), recorded in the index.
type ListObjects = dyn Fn(Option<String>) -> BoxFuture<'static, Result<(), ApiError>> + Send + Sync;

/// A request for a reconcile of an object.
type RequestReconcile = dyn Fn(Sort, &ObjectName, Option<SinceBoot>) + Send + Sync;

/// What one kind needs of the other.
pub(super) struct Links {
    /// The objects of services are watched.
    pub(super) watches_services: bool,
    /// Requests a reconcile of an object because of another: a change that a listing sent then shows, or one that changes its status only.
    pub(super) request: Box<RequestReconcile>,
    /// Returns `true` once the watches have shown all objects of a kind, but for those of namespaces that are refused.
    pub(super) are_known: Box<dyn Fn(Sort) -> bool + Send + Sync>,
    /// Waits until all of both kinds are known.
    pub(super) until_known: Box<dyn Fn() -> BoxFuture<'static, ()> + Send + Sync>,
    /// Lists the objects of a kind.
    pub(super) list: Box<dyn Fn(Sort) -> Arc<ListObjects> + Send + Sync>,
}

impl Common {
    pub(super) fn new(settings: &ReconcileSettings) -> Self {
        Self {
            names: Mutex::default(),
            watched: Notify::new(),
            listings: Listings::new(settings.poll_min, settings.times.confirm_gap),
            clusters: SingleFlight::new(None, Result::is_err),
            listed: Mutex::default(),
            turns: Mutex::default(),
            links: OnceLock::new(),
        }
    }

    /// Sets what one kind needs of the other.
    pub(super) fn link(&self, links: Links) {
        // It is set once, where both kinds are created.
        let _ = self.links.set(links);
    }

    pub(super) fn links(&self) -> Option<&Links> {
        self.links.get()
    }

    pub(super) fn names(&self) -> MutexGuard<'_, Names> {
        self.names.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Records a listing. The objects whose service it shows otherwise than the listing before are reconciled: whoever requested it, it
    /// serves them, too.
    pub(super) fn listed(
        &self,
        services: &ProviderServices,
        sent: SinceBoot,
        shown: &Arc<[EndpointService]>,
    ) {
        let before = {
            let mut listed = self.listed.lock().unwrap_or_else(PoisonError::into_inner);
            if listed.get(services).is_some_and(|(known, _)| *known >= sent) {
                return;
            }
            listed.retain(|_, (known, _)| sent.saturating_sub(*known) < FORGOTTEN);
            listed.insert(services.clone(), (sent, Arc::clone(shown)))
        };
        let (Some((_, before)), Some(links)) = (before, self.links()) else { return };
        let changed = before.iter().filter(|service| !shown.contains(service));
        let recorders: Vec<_> = changed.flat_map(|service| self.names().recorders(&service.id)).collect();
        for object in recorders {
            (links.request)(Sort::Service, &object, Some(sent));
        }
    }

    /// Returns when the last listing was sent, if there was one: what it shows was just recorded.
    fn last_listed(&self, services: &ProviderServices) -> Option<SinceBoot> {
        let listed = self.listed.lock().unwrap_or_else(PoisonError::into_inner);
        listed.get(services).map(|(sent, _)| *sent)
    }

    /// Waits for the turn to create a service in a project: Atlas has no capacity for several at once.
    pub(super) async fn turn(&self, project: &ProjectId) -> OwnedMutexGuard<()> {
        let turn = {
            let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
            // A turn that is waited for or taken is held by others, too.
            turns.retain(|_, turn| Arc::strong_count(turn) > 1);
            Arc::clone(turns.entry(project.clone()).or_default())
        };
        turn.lock_owned().await
    }

    /// Records what an object names, and has the objects that this may concern reconciled. `record` is [`Names::record`] or
    /// [`Names::record_listed`].
    fn record(&self, sort: Sort, token: &Token, names: ObjectNames, record: RecordNames) {
        let now = Boottime::now().since_boot();
        let affected = {
            let mut index = self.names();
            let before = index.get(sort, token).cloned();
            if !record(&mut index, sort, token, names, now) {
                return;
            }
            let is_same = |after: &ObjectNames| {
                before
                    .as_ref()
                    .is_some_and(|before| ObjectNames { version: after.version, ..before.clone() } == *after)
            };
            let after = index.get(sort, token);
            if after.is_none_or(is_same) { Vec::new() } else { index.affected(sort, token) }
        };
        self.watched.notify_waiters();
        self.request_all(sort, token, &affected);
    }

    /// Removes an object that is gone.
    pub(super) fn remove(&self, sort: Sort, token: &Token) {
        let affected = self.names().remove(sort, token, Boottime::now().since_boot());
        self.watched.notify_waiters();
        self.request_all(sort, token, &affected);
    }

    /// Removes the object with this uid, which is gone, unless its watch shows one of its name again.
    pub(super) fn remove_unwatched(&self, sort: Sort, token: &Token, uid: &str) {
        let affected = self.names().remove_unwatched(sort, token, uid, Boottime::now().since_boot());
        self.watched.notify_waiters();
        self.request_all(sort, token, &affected);
    }

    fn request_all(&self, sort: Sort, token: &Token, affected: &[(Sort, ObjectName)]) {
        let Some(links) = self.links() else { return };
        // An endpoint accepts the listing that its service was recorded from.
        let listed_at =
            self.names().get(sort, token).and_then(|names| match (&names.declares, &names.offer) {
                (Declares::Service(_), Some(offer)) => self.last_listed(&offer.key.services),
                _ => None,
            });
        for (other, object) in affected {
            let is_user = sort == Sort::Service && *other == Sort::Endpoint;
            (links.request)(*other, object, listed_at.filter(|_| is_user));
        }
    }
}

/// What all reconciles of one of the kinds share.
pub(super) struct Context<K: DedicatedKind> {
    pub(super) shared: Arc<SharedParts>,
    pub(super) common: Arc<Common>,
    pub(super) objects: Arc<Objects<K>>,
    pub(super) settings: ReconcileSettings,
    pub(super) references: Arc<ReferencedObjects<K>>,
    /// The credentials of objects that use those of another object, as they were last known.
    credentials: Mutex<HashMap<Token, CredentialsOf>>,
}

impl<K: DedicatedKind> Context<K> {
    pub(super) fn new(
        shared: &Arc<SharedParts>,
        common: &Arc<Common>,
        settings: ReconcileSettings,
    ) -> Arc<Self> {
        let objects = Objects::new(shared, ());
        Arc::new(Self {
            references: objects.references(),
            objects,
            common: Arc::clone(common),
            settings,
            shared: Arc::clone(shared),
            credentials: Mutex::default(),
        })
    }

    /// Records an object that the watch shows.
    pub(super) fn record_watched(&self, object: &K, identity: &Identity) {
        let names = kind::names(object, identity, &self.shared.cluster_id);
        self.common.record(K::SORT, &identity.token, names, Names::record);
    }

    /// Records an object that a read or a list shows.
    pub(super) fn record_listed(&self, object: &K, identity: &Identity) {
        let names = kind::names(object, identity, &self.shared.cluster_id);
        self.common.record(K::SORT, &identity.token, names, Names::record_listed);
    }

    /// Removes the state of an object that has left the watch. One that `may_exist` still names what it names.
    pub(super) fn remove(&self, namespace: &str, token: &Token, may_exist: bool) {
        self.objects.remove_state(namespace, token);
        self.references.remove(token);
        self.objects.directory.index().remove(token, may_exist);
        self.known_credentials().remove(token);
        if may_exist {
            self.common.names().left(K::SORT, token);
        } else {
            self.common.remove(K::SORT, token);
        }
    }

    /// Requests a reconcile of an object because of another one: see [`Links::request`].
    pub(super) fn request(&self, object: &ObjectName, listed_at: Option<SinceBoot>) {
        let ObjectName { namespace, name } = object;
        let reference = ObjectRef::new(name).within(namespace);
        let Some(listed_at) = listed_at else { return self.objects.republish(&reference) };
        let token = Token::of(&self.shared.cluster_id, namespace, name);
        self.objects.states.with(&token, |entry| entry.kept.schedule.reference_changed(listed_at));
        self.objects.admission.request(&reference);
    }

    /// Returns the credentials that the object uses: those that are `known` now, else those that were known last.
    pub(super) fn credentials(&self, token: &Token, known: Option<CredentialsOf>) -> Option<CredentialsOf> {
        let mut all = self.known_credentials();
        match known {
            Some(known) => {
                all.insert(token.clone(), known.clone());
                Some(known)
            }
            None => all.get(token).cloned(),
        }
    }

    fn known_credentials(&self) -> MutexGuard<'_, HashMap<Token, CredentialsOf>> {
        self.credentials.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
