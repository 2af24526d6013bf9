//! What all reconciles of this process share.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use domain::conditions::EventReason;
use domain::endpoint::{Instance, VpcEndpointId};
use domain::event::EventDraft;
use domain::fault::{Fault, FaultKind};
use domain::observed::Times;
use domain::ownership::{ClusterId, Token};
use k8s_openapi::api::core::v1::ObjectReference;
use k8s_openapi::api::events;
use k8s_openapi::jiff::Timestamp;
use kube::api::PostParams;
use kube::runtime::events::Reporter;
use kube::runtime::reflector::ObjectRef;
use kube::{Api, Client, Resource};
use tokio::sync::Semaphore;
use tracing::{debug, warn};

use crate::clock::Boottime;
use crate::metrics::Metrics;
use crate::serverless::crd::ServerlessPrivateEndpoint;

use super::admission::Admission;
use super::api_server::{ApiPermit, ApiServer};
use super::cached::Cached;
use super::convert::Identity;
use super::credentials::{AtlasKey, CredentialStore, Purpose, SecretName};
use super::decode::Unreadable;
use super::directory::Directory;
use super::listings::Listings;
use super::private_addresses::Addresses;
use super::referenced::ReferencedObjects;
use super::session::Access;
use super::state::ObjectStates;
use super::status_patch;
use super::warnings::Warnings;
use crate::runtime::concurrency::Concurrency;
use crate::runtime::work::Work;

/// How the controller behaves; all of it comes from the program's settings.
#[derive(Clone)]
pub struct Options {
    /// The times of the creation protocol.
    pub times: Times,
    /// The pause between the first two polls of an endpoint that is changing.
    pub poll_min: Duration,
    /// The longest pause between two polls of an endpoint that is changing.
    pub poll_max: Duration,
    /// Calls to Atlas at once, all projects together.
    pub concurrency: usize,
    /// Names this cluster; none: the uid of the namespace `kube-system`.
    pub cluster_id: Option<ClusterId>,
    /// The namespaces to watch, each once, or an object would be looked at twice at once; none: all of them.
    pub namespaces: BTreeSet<String>,
    /// Only objects with these labels.
    pub selector: Option<String>,
    /// The Secret that serves objects without `credentialsRef`, and the namespaces in which it does.
    pub default_credentials: Option<DefaultCredentials>,
    /// What is counted.
    pub metrics: Metrics,
}

/// The operator's own credentials.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DefaultCredentials {
    /// The operator's namespace.
    pub namespace: String,
    /// The Secret in it.
    pub name: String,
    /// The namespaces whose objects may use it.
    pub allowed: Vec<String>,
}

impl DefaultCredentials {
    pub(super) fn secret(&self) -> SecretName {
        SecretName { namespace: self.namespace.clone(), name: self.name.clone() }
    }
}

pub(super) struct Context {
    pub(super) cluster: ApiServer,
    pub(super) cluster_id: ClusterId,
    pub(super) keys: CredentialStore,
    pub(super) limits: Concurrency,
    pub(super) listings: Listings,
    pub(super) addresses: Addresses,
    pub(super) states: Arc<ObjectStates>,
    pub(super) directory: Directory,
    pub(super) admission: Arc<Admission>,
    pub(super) targets: Arc<ReferencedObjects>,
    pub(super) options: Options,
    pub(super) work: Work,
    pub(super) warnings: Warnings,
    pub(super) client: Client,
    /// Places for those who tell of an object that cannot be read.
    pub(super) telling: Arc<Semaphore>,
}

/// An event is worth this much waiting and no more.
const EVENT: Duration = Duration::from_secs(5);

/// So many objects that cannot be read wait at once to be told of.
pub(super) const TELLING: usize = 16;

/// Who tells of events.
pub(super) fn reporter() -> Reporter {
    Reporter { controller: status_patch::REPORTER.to_owned(), instance: None }
}

impl Context {
    /// The key that the object's namespace may use for it. A reference that is set falls back to the default for a deletion only.
    pub(super) async fn key(
        &self,
        object: &ServerlessPrivateEndpoint,
        identity: &Identity,
        instance: &Instance,
        purpose: Purpose,
    ) -> Result<AtlasKey, Fault> {
        let deleting = object.meta().deletion_timestamp.is_some();
        let of = async |secret: &SecretName| self.keys.of(secret, identity, purpose, deleting).await;
        let shared = async |secret: &SecretName| of(secret).await.map(|key| AtlasKey { shared: true, ..key });
        let default = self.default_secret(&identity.namespace);
        let Some(reference) = &object.spec.credentials_ref else {
            return match default {
                Some(secret) => shared(&secret).await,
                None => Err(Fault::new(
                    FaultKind::CredentialsNotFound,
                    "spec.credentialsRef is not set, and the operator has no default credentials for this namespace; \
                     name a Secret with an Atlas API key in spec.credentialsRef",
                )),
            };
        };
        let own = SecretName { namespace: identity.namespace.clone(), name: reference.name.clone() };
        match (of(&own).await, default) {
            // A deleted namespace may lose its Secrets first.
            (Err(fault), Some(default)) if deleting && fault.kind == FaultKind::CredentialsNotFound => {
                shared(&default).await
            }
            // A remembered key gives way where Atlas refuses it, and for as long as a refused key rests: a 401 may be a
            // passing one, or another project's, and in a namespace that goes nobody can bring the Secret back.
            (Ok(own), Some(default))
                if own.gone.is_some() && self.is_unauthorized(identity, instance, &own) =>
            {
                shared(&default).await.or(Ok(own))
            }
            (result, _) => result,
        }
    }

    /// Atlas answered this key with 401 in this project, not long ago.
    fn is_unauthorized(&self, identity: &Identity, instance: &Instance, key: &AtlasKey) -> bool {
        let namespace = identity.namespace.clone();
        let access = Access { namespace, instance: instance.clone(), key: key.clone() };
        self.listings.paused(&access) == Some(FaultKind::Unauthorized)
    }

    fn default_secret(&self, namespace: &str) -> Option<SecretName> {
        let default = self.options.default_credentials.as_ref()?;
        default.allowed.iter().any(|allowed| allowed == namespace).then(|| default.secret())
    }

    /// The object is gone.
    pub(super) fn gone(&self, namespace: &str, token: &Token) {
        self.forget(namespace, token);
        if let Some(alone) = self.directory.gone(token) {
            self.wake(&alone);
        }
    }

    /// The watch shows the object no more. With a selector it may be there all the same, and owns what it owned.
    pub(super) fn unshown(&self, namespace: &str, token: &Token) {
        if self.options.selector.is_none() {
            return self.gone(namespace, token);
        }
        self.forget(namespace, token);
        if let Some(alone) = self.directory.left(token) {
            self.wake(&alone);
        }
    }

    fn forget(&self, namespace: &str, token: &Token) {
        self.states.with(token, |entry| entry.counted.gone(&self.options.metrics));
        self.states.gone(namespace, token, &self.options.times);
        self.targets.forget(token);
        self.keys.forget(token);
    }

    /// Notes which VPC endpoint an object declares, and has those looked at of whom something else is true now.
    pub(super) fn declares(&self, token: &Token, id: Option<&VpcEndpointId>) {
        for affected in self.directory.declares(token, id) {
            self.wake(&affected);
        }
    }

    fn wake(&self, object: &ObjectRef<Cached>) {
        let namespace = object.namespace.as_deref().unwrap_or_default();
        self.targets.wake(&Token::of(&self.cluster_id, namespace, &object.name), object);
    }

    /// The watch shows an object that cannot be read. It is left as it is; that is said once, and not waited for.
    pub(super) fn cannot_read(self: &Arc<Self>, unreadable: &Unreadable) {
        let Unreadable { metadata, why } = unreadable;
        let (namespace, name) = (metadata.namespace.as_deref(), metadata.name.as_deref());
        let (namespace, name) = (namespace.unwrap_or_default(), name.unwrap_or_default());
        let token = Token::of(&self.cluster_id, namespace, name);
        let is_news = self.states.hidden(namespace, &token, why);
        self.directory.appeared(&token, namespace, name);
        if !is_news {
            return;
        }
        self.options.metrics.not_understood();
        warn!(namespace, name, why, "cannot read the object: it is left alone until that is corrected");
        // However many there are, no more than a few wait to be told of: the log has them all.
        let Ok(place) = Arc::clone(&self.telling).try_acquire_owned() else { return };
        let notice = EventDraft {
            reason: EventReason::ObjectUnreadable,
            warning: true,
            message: format!(
                "the operator cannot read this object ({why}); it neither acts on it nor releases it until that is corrected"
            ),
        };
        let about = ObjectReference {
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
            let turn = ctx.cluster.turn(&namespace).await;
            ctx.tell(&turn, about, &notice).await;
            drop(place);
        });
    }

    /// Publishes an event. Its failure never fails anything: the conditions say the same.
    pub(super) async fn publish(
        &self,
        turn: &ApiPermit,
        object: &ServerlessPrivateEndpoint,
        notice: &EventDraft,
    ) {
        self.tell(turn, object.object_ref(&()), notice).await;
    }

    async fn tell(&self, _turn: &ApiPermit, about: ObjectReference, notice: &EventDraft) {
        // A recorder names an event after its object, which not every name leaves room for.
        let fits = about.name.as_ref().is_none_or(|name| name.len() <= status_patch::LONGEST_RECORDED_NAME);
        let told = async {
            let namespace = about.namespace.as_deref().unwrap_or_default();
            if notice.warning
                && fits
                && let Some(folding) = self.warnings.folding(namespace, Boottime::now())
            {
                return folding.publish(&status_patch::event(notice), &about).await;
            }
            // A milestone is told once, so there is nothing to fold it into.
            let events = Api::namespaced(self.client.clone(), namespace);
            let event = status_patch::single_event(notice, about, Timestamp::now());
            events.create(&PostParams::default(), &event).await.map(|_: events::v1::Event| ())
        };
        match tokio::time::timeout(EVENT, told).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => debug!(%error, "could not publish an event"),
            Err(_) => debug!("could not publish an event in time"),
        }
    }
}
