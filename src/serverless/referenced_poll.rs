//! Reads the ConfigMaps that are referred to, each once a period for all who refer to it.
//!
//! They are not watched, because every cluster is full of them. The ConfigMaps of a namespace are read one after another, so
//! that a namespace, however many it has, makes no more requests than one reader does. No text of an entry is kept, unless it is
//! a VPC endpoint id.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;

use crate::clock::Boottime;

use super::api_server::ApiError;
use super::referenced::{Found, ReferencedObjects, Scope};

/// How often each is read.
const PERIOD: Duration = Duration::from_secs(15);

/// The least time between two reads of one, however often somebody asks for it.
const AGAIN: Duration = Duration::from_secs(1);

/// The pause between two reads in one namespace.
const PACE: Duration = Duration::from_millis(40);

/// What is known of the ConfigMaps of a namespace that are referred to.
#[derive(Debug, Default)]
pub(super) struct Maps {
    maps: HashMap<String, Map>,
    /// Something is to be read sooner.
    sooner: Arc<Notify>,
}

#[derive(Debug)]
struct Map {
    due: Boottime,
    /// When the last read was sent.
    read: Option<Boottime>,
    /// When somebody asked for one that was not sent yet.
    asked: Option<Boottime>,
    /// What the entries say that are referred to.
    entries: HashMap<String, Found>,
}

/// What a reader does next.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    Read(String),
    Wait(Duration),
}

impl Maps {
    pub(super) fn sooner(&self) -> Arc<Notify> {
        Arc::clone(&self.sooner)
    }

    /// What an entry says; `None` if that is not known yet, or has to be read `anew`.
    pub(super) fn find(&mut self, name: &str, key: &str, anew: bool, now: Boottime) -> Option<Found> {
        if !self.maps.contains_key(name) {
            self.maps
                .insert(name.to_owned(), Map { due: now, read: None, asked: None, entries: HashMap::new() });
            self.sooner.notify_one();
        }
        let map = self.maps.get_mut(name)?;
        let said = map.entries.get(key);
        if anew || (said.is_none() && map.asked.is_none()) {
            map.asked = Some(now);
            map.due = map.read.map_or(now, |read| (read + AGAIN).max(now));
            self.sooner.notify_one();
        }
        said.filter(|_| map.asked.is_none()).cloned()
    }

    pub(super) fn next(&self, now: Boottime) -> Next {
        match self.maps.iter().min_by_key(|(_, map)| map.due) {
            None => Next::Wait(PERIOD),
            Some((name, map)) if map.due <= now => Next::Read(name.clone()),
            Some((_, map)) => Next::Wait(map.due.since(now)),
        }
    }

    /// Takes in what these entries say, as of a read that was sent then. What could not be read is as it was.
    pub(super) fn read<'a>(
        &mut self,
        name: &str,
        keys: impl Iterator<Item = &'a str>,
        say: impl Fn(&str) -> Found,
        sent: Boottime,
    ) {
        let Some(map) = self.maps.get_mut(name) else { return };
        let before = std::mem::take(&mut map.entries);
        let found = keys.map(|key| match say(key) {
            Found::Unreadable => (key, before.get(key).cloned().unwrap_or(Found::Unreadable)),
            found => (key, found),
        });
        map.entries = found.map(|(key, found)| (key.to_owned(), found)).collect();
        map.read = Some(sent);
        map.asked = map.asked.filter(|asked| *asked > sent);
        map.due = if map.asked.is_some() { sent + AGAIN } else { sent + PERIOD };
    }

    /// Nobody refers to it any more.
    pub(super) fn forget(&mut self, name: &str) {
        self.maps.remove(name);
    }
}

/// Reads what is due in the namespace, until the task is ended.
pub(super) async fn poll(targets: Arc<ReferencedObjects>, scope: Scope, sooner: Arc<Notify>) {
    let namespace = scope.namespace.clone().unwrap_or_default();
    while let Some(next) = targets.next_map(&scope) {
        match next {
            Next::Wait(pause) => {
                // Either will do: what is due is looked for anew.
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
