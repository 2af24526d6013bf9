//! Reads the referenced ConfigMaps, each once a period for all of its referrers.
//!
//! They are not watched, because every cluster is full of ConfigMaps. Those of a namespace are read one after
//! another, so that a namespace makes no more requests than one reader does, however many it has. No text of an entry
//! is kept, unless it is a VPC endpoint id.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;

use crate::clock::Boottime;

use super::referenced::{Found, ReferencedObjects, Scope};
use crate::runtime::api_server::ApiError;

/// The interval between two reads of a ConfigMap.
const PERIOD: Duration = Duration::from_secs(15);

/// The shortest time between two reads of one ConfigMap, however often users request them.
const AGAIN: Duration = Duration::from_secs(1);

/// The pause between two reads in one namespace.
const PACE: Duration = Duration::from_millis(40);

/// The known content of the referenced ConfigMaps of a namespace.
#[derive(Debug, Default)]
pub(super) struct Maps {
    maps: HashMap<String, Map>,
    /// Notifies the reader of an earlier due time.
    sooner: Arc<Notify>,
}

#[derive(Debug)]
struct Map {
    due: Boottime,
    /// When the last read was sent.
    read: Option<Boottime>,
    /// When a read was requested that has not been sent yet.
    requested: Option<Boottime>,
    /// The content of the referenced entries.
    entries: HashMap<String, Found>,
}

/// The next action of a reader.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    Read(String),
    Wait(Duration),
}

impl Maps {
    pub(super) fn sooner(&self) -> Arc<Notify> {
        Arc::clone(&self.sooner)
    }

    /// Returns the content of an entry; `None` if it is not known yet, or has to be read again (`reread`).
    pub(super) fn find(&mut self, name: &str, key: &str, reread: bool, now: Boottime) -> Option<Found> {
        if !self.maps.contains_key(name) {
            self.maps.insert(
                name.to_owned(),
                Map { due: now, read: None, requested: None, entries: HashMap::new() },
            );
            self.sooner.notify_one();
        }
        let map = self.maps.get_mut(name)?;
        let found = map.entries.get(key);
        if reread || (found.is_none() && map.requested.is_none()) {
            map.requested = Some(now);
            map.due = map.read.map_or(now, |read| (read + AGAIN).max(now));
            self.sooner.notify_one();
        }
        found.filter(|_| map.requested.is_none()).cloned()
    }

    pub(super) fn next(&self, now: Boottime) -> Next {
        match self.maps.iter().min_by_key(|(_, map)| map.due) {
            None => Next::Wait(PERIOD),
            Some((name, map)) if map.due <= now => Next::Read(name.clone()),
            Some((_, map)) => Next::Wait(map.due.since(now)),
        }
    }

    /// Stores the content of these entries, as of a read sent at that time. An unreadable entry keeps its previous
    /// content.
    pub(super) fn read<'a>(
        &mut self,
        name: &str,
        keys: impl Iterator<Item = &'a str>,
        content: impl Fn(&str) -> Found,
        sent: Boottime,
    ) {
        let Some(map) = self.maps.get_mut(name) else { return };
        let before = std::mem::take(&mut map.entries);
        let found = keys.map(|key| match content(key) {
            Found::Unreadable => (key, before.get(key).cloned().unwrap_or(Found::Unreadable)),
            found => (key, found),
        });
        map.entries = found.map(|(key, found)| (key.to_owned(), found)).collect();
        map.read = Some(sent);
        map.requested = map.requested.filter(|requested| *requested > sent);
        map.due = if map.requested.is_some() { sent + AGAIN } else { sent + PERIOD };
    }

    /// Removes a ConfigMap without referrers.
    pub(super) fn forget(&mut self, name: &str) {
        self.maps.remove(name);
    }
}

/// Reads the due ConfigMaps of the namespace, until the task is aborted.
pub(super) async fn poll(targets: Arc<ReferencedObjects>, scope: Scope, sooner: Arc<Notify>) {
    let namespace = scope.namespace.clone().unwrap_or_default();
    while let Some(next) = targets.next_map(&scope) {
        match next {
            Next::Wait(pause) => {
                // A timeout and a notification have the same effect: the loop determines what is due.
                let _ = tokio::time::timeout(pause, sooner.notified()).await;
            }
            Next::Read(name) => {
                let sent = Boottime::now();
                let read = targets.cluster.config_map(&namespace, &name).await;
                targets.polled(&scope, &name, sent, |key| match &read {
                    Ok(map) => map.data.get(key).map_or(Found::Nothing, |text| Found::of(text)),
                    Err(ApiError::NotFound) => Found::NoObject,
                    Err(ApiError::Forbidden(_)) => Found::Forbidden,
                    Err(_) => Found::Unreadable,
                });
                tokio::time::sleep(PACE).await;
            }
        }
    }
}

#[cfg(test)]
#[path = "referenced_poll_tests.rs"]
mod tests;
