//! The parts that all kinds share: each exists once in a process that reconciles.
//!
//! It reads the uid that names the cluster, and starts nothing else.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use atlas::Transport;
use domain::token::ClusterId;
use kube::Client;
use thiserror::Error;
use tracing::warn;

use crate::metrics::Metrics;

use super::admission;
use super::api_server::{ApiError, ApiServer};
use super::atlas_access::{AtlasAccess, DefaultCredentials};
use super::credentials::CredentialStore;
use super::events::Events;
use super::executor::Services;
use super::watch_health::WatchHealth;
use super::work::Work;

/// Delay between two attempts to read the cluster's id.
const RETRY_PERIOD: Duration = Duration::from_secs(1);

/// Why no kind can be reconciled.
#[derive(Debug, Error)]
pub enum RunError {
    /// The cluster has no id.
    #[error(
        "failed to read the uid of namespace kube-system, which names this cluster ({0}); grant it, or set --cluster-id"
    )]
    ClusterId(String),
}

/// Options that hold for all kinds, all from the program's settings.
#[derive(Clone)]
pub(crate) struct Options {
    /// Maximum concurrent calls to Atlas, for all projects together.
    pub(crate) concurrency: usize,
    /// The id of this cluster; `None`: the uid of the namespace `kube-system`.
    pub(crate) cluster_id: Option<ClusterId>,
    /// The namespaces to watch; empty: all of them. A set, because two watches of one namespace would reconcile an object twice
    /// concurrently.
    pub(crate) namespaces: BTreeSet<String>,
    /// Label selector of the objects to watch; `None`: all of them.
    pub(crate) selector: Option<String>,
    /// The delay after the start until unwatched objects are searched.
    pub(crate) survey_after: Duration,
    /// The Secret for objects without `credentialsRef`, and the namespaces that may use it.
    pub(crate) default_credentials: Option<DefaultCredentials>,
    /// The metrics of this process.
    pub(crate) metrics: Metrics,
}

/// What the reconciles of all kinds use.
pub(crate) struct SharedParts {
    pub(crate) client: Client,
    pub(crate) api_server: ApiServer,
    pub(crate) atlas: AtlasAccess,
    pub(crate) events: Events,
    pub(crate) cluster_id: Arc<ClusterId>,
    pub(crate) options: Options,
    pub(crate) health: WatchHealth,
    pub(crate) work: Work,
}

impl SharedParts {
    /// Creates the parts; `None` if `work` ends before.
    ///
    /// # Errors
    /// If the cluster has no id.
    pub(crate) async fn new(
        client: Client,
        transport: Transport,
        options: Options,
        health: WatchHealth,
        work: Work,
    ) -> Result<Option<Arc<Self>>, RunError> {
        let api_server = ApiServer::new(client.clone());
        let named = async {
            match &options.cluster_id {
                Some(id) => Ok(id.clone()),
                None => cluster_uid(&api_server).await,
            }
        };
        let cluster_id = tokio::select! {
            id = named => id?,
            () = work.ended() => return Ok(None),
        };
        options.metrics.max_reconciles(admission::max_reconciles(options.concurrency));
        let default_secret = options.default_credentials.as_ref().map(DefaultCredentials::secret);
        let keys = CredentialStore::new(api_server.clone(), transport, default_secret);
        Ok(Some(Arc::new(Self {
            atlas: AtlasAccess::new(keys, options.default_credentials.clone(), options.concurrency),
            events: Events::new(client.clone()),
            cluster_id: Arc::new(cluster_id),
            client,
            api_server,
            options,
            health,
            work,
        })))
    }

    /// Returns what the executor uses.
    pub(crate) fn services(&self) -> Services<'_> {
        let Self { api_server, atlas, events, work, .. } = self;
        Services { api_server, atlas, events, work }
    }

    /// Returns the namespaces to watch, each by a watch of its own; `None` is all of them.
    ///
    /// One watch and one store per namespace: the listing of one watch would drop the objects of another from a shared store.
    pub(crate) fn scopes(&self) -> Vec<Option<String>> {
        let namespaces = &self.options.namespaces;
        if namespaces.is_empty() { vec![None] } else { namespaces.iter().cloned().map(Some).collect() }
    }
}

/// Reads the uid of namespace kube-system; retries while the API server is unavailable, because a process may become the leader
/// during an outage.
async fn cluster_uid(api_server: &ApiServer) -> Result<ClusterId, RunError> {
    let mut warned = false;
    loop {
        match api_server.kube_system_uid().await {
            Ok(uid) => {
                let parsed = uid.parse();
                return parsed
                    .map_err(|error: domain::ids::ParseError| RunError::ClusterId(error.to_string()));
            }
            Err(error @ (ApiError::TimedOut | ApiError::Other(_))) if !warned => {
                warn!(%error, "failed to read the uid of namespace kube-system; retrying");
                warned = true;
            }
            Err(ApiError::TimedOut | ApiError::Other(_)) => {}
            Err(error) => return Err(RunError::ClusterId(error.to_string())),
        }
        tokio::time::sleep(RETRY_PERIOD).await;
    }
}
