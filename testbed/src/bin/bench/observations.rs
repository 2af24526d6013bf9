//! Records what a user with `kubectl get --watch` sees of the objects, and when.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use futures::StreamExt;
use kube::core::Object;
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, ResourceExt};
use serde::Deserialize;
use tokio::sync::Notify;
use tokio::task::JoinHandle;

/// The fields that are read.
pub(crate) type WatchedObject = Object<NoSpec, WatchedStatus>;

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct NoSpec {}

#[derive(Debug, Clone, Default, Deserialize)]
pub(crate) struct WatchedStatus {
    #[serde(rename = "_id")]
    id: Option<String>,
    status: Option<String>,
}

/// One object as it was observed.
#[derive(Debug, Clone, Default)]
pub(crate) struct ObservedObject {
    /// The endpoint's id.
    pub(crate) id: Option<String>,
    /// Each status of the endpoint, with the instant at which it was first observed.
    pub(crate) statuses: Vec<(String, Instant)>,
    /// When the object was deleted.
    pub(crate) gone: Option<Instant>,
}

impl ObservedObject {
    /// Returns when this status was last observed as a new one.
    pub(crate) fn became(&self, status: &str) -> Option<Instant> {
        self.statuses.iter().rev().find(|(seen, _)| seen == status).map(|(_, at)| *at)
    }

    fn now(&self) -> &str {
        if self.gone.is_some() {
            return "gone";
        }
        self.statuses.last().map_or("", |(status, _)| status.as_str())
    }
}

#[derive(Default)]
struct Table {
    objects: HashMap<String, ObservedObject>,
    /// How many objects are in each status now: read after each event, so it is kept and not counted.
    counts: BTreeMap<String, usize>,
}

/// A watch on all objects of a namespace.
pub(crate) struct Observations {
    shared: Arc<(Mutex<Table>, Notify)>,
    watching: JoinHandle<()>,
}

impl Observations {
    pub(crate) fn start(api: Api<WatchedObject>) -> Self {
        let shared = Arc::new((Mutex::default(), Notify::new()));
        let writer = Arc::clone(&shared);
        let watching = tokio::spawn(async move {
            let mut events = std::pin::pin!(watcher(api, watcher::Config::default()).default_backoff());
            while let Some(event) = events.next().await {
                match event {
                    Ok(Event::Apply(object) | Event::InitApply(object)) => note(&writer.0, &object, false),
                    Ok(Event::Delete(object)) => note(&writer.0, &object, true),
                    // The watcher retries by itself.
                    Ok(Event::Init | Event::InitDone) | Err(_) => {}
                }
                writer.1.notify_waiters();
            }
        });
        Self { shared, watching }
    }

    /// Waits until so many objects are in this status; `gone` is one.
    pub(crate) async fn until(&self, status: &str, count: usize, patience: Duration) -> Result<()> {
        let begun = Instant::now();
        loop {
            let changed = self.shared.1.notified();
            let counts = lock(&self.shared.0).counts.clone();
            if counts.get(status).copied().unwrap_or_default() >= count {
                return Ok(());
            }
            if begun.elapsed() > patience {
                bail!("{count} objects are not {status} after {patience:?}; they are {counts:?}");
            }
            let _ = tokio::time::timeout(Duration::from_millis(200), changed).await;
        }
    }

    /// Returns all observations, by name.
    pub(crate) fn objects(&self) -> HashMap<String, ObservedObject> {
        lock(&self.shared.0).objects.clone()
    }
}

impl Drop for Observations {
    fn drop(&mut self) {
        self.watching.abort();
    }
}

fn note(table: &Mutex<Table>, object: &WatchedObject, gone: bool) {
    let now = Instant::now();
    let mut table = lock(table);
    let Table { objects, counts } = &mut *table;
    let history = objects.entry(object.name_any()).or_default();
    let before = history.now().to_owned();
    let status = object.status.clone().unwrap_or_default();
    // A name that comes back is another object.
    if gone {
        history.gone = Some(now);
    } else if history.gone.is_some() {
        *history = ObservedObject::default();
    }
    if let Some(id) = status.id {
        history.id = Some(id);
    }
    if let Some(status) = status.status.filter(|status| !gone && *status != before) {
        history.statuses.push((status, now));
    }
    let after = history.now().to_owned();
    if before != after {
        if let Some(count) = counts.get_mut(&before) {
            *count -= 1;
        }
        *counts.entry(after).or_default() += 1;
    }
}

fn lock(table: &Mutex<Table>) -> MutexGuard<'_, Table> {
    table.lock().unwrap_or_else(PoisonError::into_inner)
}
