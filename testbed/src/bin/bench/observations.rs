//! Records what a user with `kubectl get --watch` sees of the objects, and when.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};
use futures::StreamExt;
use kube::core::Object;
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, ResourceExt};
use serde::Deserialize;
use tokio::sync::Notify;
use tokio::task::JoinHandle;

/// The status of an endpoint that works.
pub(crate) const AVAILABLE: &str = "AVAILABLE";

/// The fields that are read.
pub(crate) type WatchedObject = Object<NoSpec, WatchedStatus>;

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct NoSpec {}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct WatchedStatus {
    #[serde(rename = "_id")]
    id: Option<String>,
    service_id: Option<String>,
    endpoint_id: Option<String>,
    status: Option<String>,
    #[serde(default)]
    conditions: Vec<WatchedCondition>,
}

#[derive(Debug, Clone, Deserialize)]
struct WatchedCondition {
    #[serde(rename = "type")]
    kind: String,
    status: String,
    reason: String,
}

impl WatchedStatus {
    /// Returns the id in Atlas.
    fn id(&self) -> Option<&String> {
        self.id.as_ref().or(self.endpoint_id.as_ref()).or(self.service_id.as_ref())
    }

    /// Returns the word for what the object shows: the status of the endpoint of a serverless instance. Of dedicated clusters,
    /// `AVAILABLE` if the object is Ready, else the reason why it is not.
    fn word(self, is_serverless: bool) -> Option<String> {
        if is_serverless {
            return self.status;
        }
        let ready = self.conditions.into_iter().find(|condition| condition.kind == "Ready")?;
        Some(if ready.status == "True" { AVAILABLE.to_owned() } else { ready.reason })
    }
}

/// One object as it was observed.
#[derive(Debug, Clone, Default)]
pub(crate) struct ObservedObject {
    /// The ids of what it has stood for in Atlas, the present one last.
    ids: Vec<String>,
    /// Each [`WatchedStatus::word`], with the instant at which it was first observed.
    pub(crate) statuses: Vec<(String, Instant)>,
    /// When the object was deleted.
    pub(crate) gone: Option<Instant>,
}

impl ObservedObject {
    /// Returns the id of what it stands for in Atlas.
    pub(crate) fn id(&self) -> Option<&String> {
        self.ids.last()
    }

    /// Returns when this status was last observed as a new one.
    pub(crate) fn became(&self, status: &str) -> Option<Instant> {
        self.statuses.iter().rev().find(|(seen, _)| seen == status).map(|(_, at)| *at)
    }

    /// Returns how long after `begun` it showed first that it is not available, if it ever had one of these ids.
    fn left_available(&self, ids: &BTreeSet<String>, begun: Instant) -> Option<Duration> {
        let is_one = self.ids.iter().any(|id| ids.contains(id));
        let left = |(word, at): &&(String, Instant)| word != AVAILABLE && *at >= begun;
        let (_, at) = self.statuses.iter().find(left).filter(|_| is_one)?;
        Some(at.saturating_duration_since(begun))
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

/// A watch on all objects of some kinds in a namespace. No two of them have one name.
pub(crate) struct Observations {
    shared: Arc<(Mutex<Table>, Notify)>,
    watching: Vec<JoinHandle<()>>,
}

impl Observations {
    pub(crate) fn start(kinds: impl Iterator<Item = Api<WatchedObject>>) -> Self {
        let shared = Arc::new((Mutex::default(), Notify::new()));
        let watching = kinds.map(|api| tokio::spawn(watch(api, Arc::clone(&shared)))).collect();
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

    /// Waits until each object with one of these ids in Atlas has shown since `begun` that it is not available. Returns how long it
    /// took.
    pub(crate) async fn until_not_available(
        &self,
        ids: &BTreeSet<String>,
        begun: Instant,
        patience: Duration,
    ) -> Result<Vec<Duration>> {
        loop {
            let changed = self.shared.1.notified();
            let shown: Vec<Duration> = {
                let table = lock(&self.shared.0);
                let histories = table.objects.values();
                histories.filter_map(|history| history.left_available(ids, begun)).collect()
            };
            if shown.len() == ids.len() {
                return Ok(shown);
            }
            ensure!(begun.elapsed() < patience, "{} of {} objects have shown a loss", shown.len(), ids.len());
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
        self.watching.iter().for_each(JoinHandle::abort);
    }
}

async fn watch(api: Api<WatchedObject>, shared: Arc<(Mutex<Table>, Notify)>) {
    let mut events = std::pin::pin!(watcher(api, watcher::Config::default()).default_backoff());
    while let Some(event) = events.next().await {
        match event {
            Ok(Event::Apply(object) | Event::InitApply(object)) => note(&shared.0, &object, false),
            Ok(Event::Delete(object)) => note(&shared.0, &object, true),
            // The watcher retries by itself.
            Ok(Event::Init | Event::InitDone) | Err(_) => {}
        }
        shared.1.notify_waiters();
    }
}

fn note(table: &Mutex<Table>, object: &WatchedObject, gone: bool) {
    let now = Instant::now();
    let mut table = lock(table);
    let Table { objects, counts } = &mut *table;
    let history = objects.entry(object.name_any()).or_default();
    let before = history.now().to_owned();
    let status = object.status.clone().unwrap_or_default();
    let is_serverless = object.types.as_ref().is_some_and(|types| types.kind.starts_with("Serverless"));
    // A name that comes back is another object.
    if gone {
        history.gone = Some(now);
    } else if history.gone.is_some() {
        *history = ObservedObject::default();
    }
    if let Some(id) = status.id().filter(|id| history.id() != Some(*id)) {
        history.ids.push(id.clone());
    }
    if let Some(word) = status.word(is_serverless).filter(|word| !gone && *word != before) {
        history.statuses.push((word, now));
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
