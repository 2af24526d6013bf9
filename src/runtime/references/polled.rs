//! The referenced ConfigMaps of a namespace, each read once a period for all of its referrers.
//!
//! They are not watched, because every cluster is full of ConfigMaps. No text of an entry is kept, unless it names an endpoint.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use domain::reference::Found;
use tokio::sync::Notify;

use crate::clock::Boottime;

/// The interval between two reads of a ConfigMap.
const PERIOD: Duration = Duration::from_secs(15);

/// The shortest time between two reads of one ConfigMap, however often users request them.
const MIN_READ_INTERVAL: Duration = Duration::from_secs(1);

/// The known content of the referenced ConfigMaps of a namespace.
#[derive(Debug, Default)]
pub(crate) struct PolledMaps {
    maps: HashMap<String, PolledMap>,
    /// Notifies the reader of an earlier due time.
    earlier_due: Arc<Notify>,
}

#[derive(Debug)]
struct PolledMap {
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
pub(crate) enum NextRead {
    Read(String),
    Wait(Duration),
}

impl PolledMaps {
    pub(crate) fn earlier_due(&self) -> Arc<Notify> {
        Arc::clone(&self.earlier_due)
    }

    /// Returns the content of an entry; `None` if it is not known yet, or has to be read again (`reread`).
    pub(crate) fn find(&mut self, name: &str, key: &str, reread: bool, now: Boottime) -> Option<Found> {
        if !self.maps.contains_key(name) {
            self.maps.insert(
                name.to_owned(),
                PolledMap { due: now, read: None, requested: None, entries: HashMap::new() },
            );
            self.earlier_due.notify_one();
        }
        let map = self.maps.get_mut(name)?;
        let found = map.entries.get(key);
        if reread || (found.is_none() && map.requested.is_none()) {
            map.requested = Some(now);
            map.due = map.read.map_or(now, |read| (read + MIN_READ_INTERVAL).max(now));
            self.earlier_due.notify_one();
        }
        found.filter(|_| map.requested.is_none()).cloned()
    }

    pub(crate) fn next(&self, now: Boottime) -> NextRead {
        match self.maps.iter().min_by_key(|(_, map)| map.due) {
            None => NextRead::Wait(PERIOD),
            Some((name, map)) if map.due <= now => NextRead::Read(name.clone()),
            Some((_, map)) => NextRead::Wait(map.due.since(now)),
        }
    }

    /// Stores the content of these entries, as of a read sent at that time. An unreadable entry keeps its previous
    /// content.
    pub(crate) fn read<'a>(
        &mut self,
        name: &str,
        keys: impl Iterator<Item = &'a str>,
        content: impl Fn(&str) -> Found,
        sent: Boottime,
    ) {
        let Some(map) = self.maps.get_mut(name) else { return };
        let previous = std::mem::take(&mut map.entries);
        let found = keys.map(|key| match content(key) {
            Found::Unreadable => (key, previous.get(key).cloned().unwrap_or(Found::Unreadable)),
            found => (key, found),
        });
        map.entries = found.map(|(key, found)| (key.to_owned(), found)).collect();
        map.read = Some(sent);
        map.requested = map.requested.filter(|requested| *requested > sent);
        map.due = if map.requested.is_some() { sent + MIN_READ_INTERVAL } else { sent + PERIOD };
    }

    /// Removes a ConfigMap without referrers.
    pub(crate) fn remove(&mut self, name: &str) {
        self.maps.remove(name);
    }
}

#[cfg(test)]
#[path = "polled_tests.rs"]
mod tests;
