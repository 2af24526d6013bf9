//! Every version of an object that the API server ever had, by a watch past all proxies.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use atlas_simulator::Simulator;
use futures::StreamExt;
use kube::ResourceExt;
use kube::api::{Api, ListParams, WatchEvent, WatchParams};
use spe_operator::serverless::crd::ServerlessPrivateEndpoint;
use tokio::task::JoinHandle;
use tokio::time::Instant;

/// One version, and when it was observed on the clock of the simulator.
#[derive(Clone)]
pub(crate) struct SeenVersion {
    pub(crate) at: Duration,
    pub(crate) object: ServerlessPrivateEndpoint,
}

pub(crate) struct History {
    versions: Arc<Mutex<Vec<SeenVersion>>>,
    watching: JoinHandle<()>,
}

impl History {
    /// Records the only object in a namespace; there must be none yet.
    pub(crate) async fn start(objects: Api<ServerlessPrivateEndpoint>, atlas: &Simulator) -> Self {
        let from = objects.list(&ListParams::default()).await.unwrap().metadata.resource_version.unwrap();
        let versions = Arc::new(Mutex::new(Vec::new()));
        let watching = tokio::spawn(watch(objects, atlas.started(), from, Arc::clone(&versions)));
        Self { versions, watching }
    }

    pub(crate) fn versions(&self) -> Vec<SeenVersion> {
        self.versions.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits until all earlier writes are recorded.
    pub(crate) async fn until(&self, version: &str) {
        while !self.versions().iter().any(|seen| seen.object.resource_version().as_deref() == Some(version)) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

impl Drop for History {
    fn drop(&mut self) {
        self.watching.abort();
    }
}

async fn watch(
    objects: Api<ServerlessPrivateEndpoint>,
    beginning: Instant,
    mut from: String,
    versions: Arc<Mutex<Vec<SeenVersion>>>,
) {
    loop {
        let mut events = objects.watch(&WatchParams::default(), &from).await.unwrap().boxed();
        while let Some(Ok(event)) = events.next().await {
            let (WatchEvent::Added(object) | WatchEvent::Modified(object) | WatchEvent::Deleted(object)) =
                event
            else {
                continue;
            };
            from = object.resource_version().unwrap();
            let seen = SeenVersion { at: beginning.elapsed(), object };
            versions.lock().unwrap_or_else(PoisonError::into_inner).push(seen);
        }
    }
}
