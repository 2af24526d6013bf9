//! An index of the existing objects of a kind that this process watches, by token, with what the kind has to know of each.
//!
//! It holds one entry per object, added with its first watch event, so that a restart rebuilds it completely.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use domain::token::Token;
use kube::Resource;
use kube::runtime::reflector::ObjectRef;
use tokio::sync::Notify;

/// The index.
pub(crate) struct Directory<Details> {
    index: Mutex<DirectoryIndex<Details>>,
    /// Notified when the last watch was answered.
    answered: Notify,
}

/// The content of the index, under its lock.
pub(crate) struct DirectoryIndex<Details> {
    /// The objects that exist, or have left the watch and may still exist.
    pub(crate) objects: HashMap<Token, DirectoryEntry<Details>>,
    /// Number of watches whose first listing is not complete.
    unlisted: usize,
    /// Number of those that have not been refused either: the kind, or the right to list it, may be missing in a namespace for ever.
    unanswered: usize,
}

/// One object.
pub(crate) struct DirectoryEntry<Details> {
    pub(crate) namespace: Arc<str>,
    pub(crate) name: Box<str>,
    /// What the kind has to know of the object when it reconciles others.
    pub(crate) details: Details,
    /// The object has left the watch, because it no longer matches the selector, and may still exist.
    unselected: bool,
}

impl<Details: Default> Directory<Details> {
    /// Creates the index for the objects of this many watches.
    pub(crate) fn new(watches: usize) -> Self {
        let index = DirectoryIndex { objects: HashMap::new(), unlisted: watches, unanswered: watches };
        Self { index: Mutex::new(index), answered: Notify::new() }
    }

    /// Records an object from the watch. Returns `true` if the watch did not show it before.
    pub(crate) fn record_watched(&self, token: &Token, namespace: &str, name: &str) -> bool {
        let mut index = self.index();
        if let Some(entry) = index.objects.get_mut(token) {
            return std::mem::take(&mut entry.unselected);
        }
        let (namespace, name) = (namespace.into(), name.into());
        let entry = DirectoryEntry { namespace, name, details: Details::default(), unselected: false };
        index.objects.insert(token.clone(), entry);
        true
    }
}

impl<Details> Directory<Details> {
    /// Returns namespace and name of the objects that have left the watch.
    pub(crate) fn all_unselected(&self) -> Vec<(String, String)> {
        let index = self.index();
        let unselected = index.objects.values().filter(|entry| entry.unselected);
        unselected.map(|entry| (entry.namespace.to_string(), entry.name.to_string())).collect()
    }

    /// Removes an object that has left the watch, unless the watch shows it again.
    pub(crate) fn remove_if_unselected(&self, token: &Token) {
        let mut index = self.index();
        if index.objects.get(token).is_some_and(|entry| entry.unselected) {
            index.objects.remove(token);
        }
    }

    /// Records that a watch has completed its first listing. Returns `true` if it was the last watch to do so.
    pub(crate) fn listed(&self) -> bool {
        let mut index = self.index();
        index.unlisted = index.unlisted.saturating_sub(1);
        index.is_complete()
    }

    /// Records that the first listing of a watch is complete, or was refused.
    pub(crate) fn answered(&self) {
        let mut index = self.index();
        index.unanswered = index.unanswered.saturating_sub(1);
        if index.is_answered() {
            self.answered.notify_waiters();
        }
    }

    /// Waits until the first listing of every watch is complete, or was refused.
    pub(crate) async fn until_answered(&self) {
        loop {
            // Registered before the index is read, so that no change in between is missed.
            let mut answered = std::pin::pin!(self.answered.notified());
            answered.as_mut().enable();
            if self.index().is_answered() {
                return;
            }
            answered.await;
        }
    }

    /// Returns `true` if no watch has shown the object, or it is known to be deleted.
    pub(crate) fn is_unknown(&self, token: &Token) -> bool {
        let index = self.index();
        index.is_complete() && !index.objects.contains_key(token)
    }

    /// Locks the index.
    pub(crate) fn index(&self) -> MutexGuard<'_, DirectoryIndex<Details>> {
        // A panic under the lock leaves at worst one object that is missing from the index.
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<Details> DirectoryIndex<Details> {
    /// Returns `true` once every watch has listed.
    pub(crate) fn is_complete(&self) -> bool {
        self.unlisted == 0
    }

    /// Returns `true` once every watch has listed, or was refused.
    pub(crate) fn is_answered(&self) -> bool {
        self.unanswered == 0
    }

    /// Removes an object that has left the watch. One that may still exist is only marked: it stays until it is known to be deleted.
    pub(crate) fn remove(&mut self, token: &Token, may_exist: bool) {
        match self.objects.get_mut(token) {
            Some(entry) if may_exist => entry.unselected = true,
            _ => drop(self.objects.remove(token)),
        }
    }

    /// Returns the name of an object.
    pub(crate) fn object<K: Resource<DynamicType = ()>>(&self, token: &Token) -> Option<ObjectRef<K>> {
        let DirectoryEntry { namespace, name, .. } = self.objects.get(token)?;
        Some(ObjectRef::new(name).within(namespace))
    }
}
