//! Every version of the objects that the API server ever had, by watches past all proxies.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use atlas_simulator::Simulator;
use futures::StreamExt;
use kube::ResourceExt;
use kube::api::{Api, DynamicObject, ListParams, WatchEvent, WatchParams};
use serde_json::Value;
use tokio::task::JoinHandle;
use tokio::time::Instant;

/// One version, and when it was observed on the clock of the simulator.
#[derive(Clone, Debug)]
pub(crate) struct SeenVersion {
    pub(crate) at: Duration,
    pub(crate) object: Value,
    /// The object is gone, and this was its last version.
    pub(crate) is_end: bool,
}

type SharedVersions = Arc<Mutex<Vec<SeenVersion>>>;

pub(crate) struct History {
    versions: SharedVersions,
    watching: Vec<JoinHandle<()>>,
}

impl History {
    /// Records the objects of these kinds in a namespace; there must be none yet.
    pub(crate) async fn start(kinds: &[&Api<DynamicObject>], atlas: &Simulator) -> Self {
        let (versions, mut watching) = (SharedVersions::default(), Vec::new());
        for &objects in kinds {
            let from = objects.list(&ListParams::default()).await.unwrap().metadata.resource_version.unwrap();
            let watch = watch(objects.clone(), atlas.started(), from, Arc::clone(&versions));
            watching.push(tokio::spawn(watch));
        }
        Self { versions, watching }
    }

    pub(crate) fn versions(&self) -> Vec<SeenVersion> {
        self.versions.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits until all earlier writes to objects of this kind are recorded.
    pub(crate) async fn until(&self, version: &Value) {
        while !self.versions().iter().any(|seen| seen.object["metadata"]["resourceVersion"] == *version) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

impl Drop for History {
    fn drop(&mut self) {
        self.watching.iter().for_each(JoinHandle::abort);
    }
}

async fn watch(objects: Api<DynamicObject>, beginning: Instant, mut from: String, versions: SharedVersions) {
    loop {
        let mut events = objects.watch(&WatchParams::default(), &from).await.unwrap().boxed();
        while let Some(Ok(event)) = events.next().await {
            let (object, is_end) = match event {
                WatchEvent::Added(object) | WatchEvent::Modified(object) => (object, false),
                WatchEvent::Deleted(object) => (object, true),
                _ => continue,
            };
            from = object.resource_version().unwrap();
            let object = serde_json::to_value(&object).unwrap();
            let seen = SeenVersion { at: beginning.elapsed(), object, is_end };
            versions.lock().unwrap_or_else(PoisonError::into_inner).push(seen);
        }
    }
}
