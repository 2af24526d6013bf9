//! Records every version of the objects of one namespace, so that no transient state is missed.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, ResourceExt};
use spe_operator::serverless::crd::ServerlessPrivateEndpoint;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// The timeout of every condition. Only a failing row waits that long.
const PATIENCE: Duration = Duration::from_secs(90);

/// Every version of an object, oldest first.
type AllVersions = Vec<Arc<ServerlessPrivateEndpoint>>;

/// All versions so far.
pub(crate) struct Versions {
    seen: watch::Receiver<HashMap<String, AllVersions>>,
    watching: JoinHandle<()>,
}

impl Versions {
    pub(crate) fn record(objects: &Api<ServerlessPrivateEndpoint>) -> Self {
        let (sender, seen) = watch::channel(HashMap::<String, AllVersions>::new());
        let events = watcher(objects.clone(), watcher::Config::default()).default_backoff();
        let watching = tokio::spawn(async move {
            let mut objects = std::pin::pin!(events.touched_objects());
            while let Some(event) = objects.next().await {
                let Ok(object) = event else { continue };
                sender.send_modify(|seen| seen.entry(object.name_any()).or_default().push(Arc::new(object)));
            }
        });
        Self { seen, watching }
    }

    /// Waits until the versions of the object satisfy `holds`.
    pub(crate) async fn until(
        &self,
        name: &str,
        what: &str,
        holds: impl Fn(&[Arc<ServerlessPrivateEndpoint>]) -> bool,
    ) -> Result<(), String> {
        let mut seen = self.seen.clone();
        let waiting = seen.wait_for(|seen| seen.get(name).is_some_and(|versions| holds(versions)));
        match tokio::time::timeout(PATIENCE, waiting).await {
            Ok(Ok(_)) => Ok(()),
            _ => Err(format!("never {what}; it said\n{}", self.changes(name))),
        }
    }

    /// Every version of the object so far.
    pub(crate) fn of(&self, name: &str) -> AllVersions {
        self.seen.borrow().get(name).cloned().unwrap_or_default()
    }

    /// Returns the history of Ready and Synced, one line a change.
    fn changes(&self, name: &str) -> String {
        let mut lines: Vec<String> = Vec::new();
        for object in self.of(name) {
            for condition in object.status.iter().flat_map(|status| &status.conditions) {
                if condition.type_ == "Ready" || (condition.type_ == "Synced" && condition.status == "False")
                {
                    let line = format!(
                        "    {} {} {}: {}",
                        condition.type_, condition.status, condition.reason, condition.message
                    );
                    if !lines.iter().rev().take(2).any(|before| *before == line) {
                        lines.push(line);
                    }
                }
            }
        }
        lines.join("\n")
    }
}

impl Drop for Versions {
    fn drop(&mut self) {
        self.watching.abort();
    }
}
