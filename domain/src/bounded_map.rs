//! A map with a bound per namespace: each entry belongs to the namespaces that inserted it. A tenant that fills its
//! share loses only its own entries; entries that others have inserted too stay.

use std::collections::{HashMap, VecDeque, hash_map};
use std::hash::Hash;
use std::sync::Arc;

/// The maximum number of entries of one namespace; beyond it the oldest is removed.
pub const MAX_ENTRIES: usize = 512;

/// The map.
pub struct BoundedMap<K, V> {
    all: HashMap<K, Owned<V>>,
    /// The keys of each namespace, the oldest first.
    of: HashMap<Arc<str>, VecDeque<K>>,
}

struct Owned<V> {
    value: V,
    /// The namespaces that inserted it.
    owners: Vec<Arc<str>>,
}

impl<K: Clone + Eq + Hash, V> BoundedMap<K, V> {
    /// Returns the value of `key`.
    #[must_use]
    pub fn get(&self, key: &K) -> Option<&V> {
        self.all.get(key).map(|entry| &entry.value)
    }

    /// Returns the value of `key`, to be changed.
    #[must_use]
    pub fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        self.all.get_mut(key).map(|entry| &mut entry.value)
    }

    /// Inserts an entry for `namespace`. Returns the entry that was removed for it.
    pub fn insert(&mut self, namespace: &str, key: K, value: V) -> Option<V> {
        let owners = match self.all.entry(key.clone()) {
            hash_map::Entry::Occupied(entry) => {
                let entry = entry.into_mut();
                entry.value = value;
                &mut entry.owners
            }
            hash_map::Entry::Vacant(entry) => &mut entry.insert(Owned { value, owners: Vec::new() }).owners,
        };
        if owners.iter().any(|owner| **owner == *namespace) {
            return None;
        }
        let owner =
            self.of.get_key_value(namespace).map_or_else(|| namespace.into(), |(of, _)| Arc::clone(of));
        owners.push(Arc::clone(&owner));
        let keys = self.of.entry(owner).or_default();
        keys.push_back(key);
        if keys.len() <= MAX_ENTRIES {
            return None;
        }
        let oldest = keys.pop_front()?;
        let entry = self.all.get_mut(&oldest)?;
        entry.owners.retain(|owner| **owner != *namespace);
        if entry.owners.is_empty() { self.all.remove(&oldest).map(|entry| entry.value) } else { None }
    }

    /// Removes an entry, regardless of its namespace, and returns its value.
    pub fn remove(&mut self, key: &K) -> Option<V> {
        let Owned { value, owners } = self.all.remove(key)?;
        for owner in owners {
            if let Some(keys) = self.of.get_mut(&owner) {
                keys.retain(|known| known != key);
            }
        }
        Some(value)
    }

    /// Returns `true` if nothing is kept, of no namespace.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.all.is_empty() && self.of.is_empty()
    }

    /// Returns the number of entries.
    #[must_use]
    pub fn len(&self) -> usize {
        self.all.len()
    }

    /// Keeps the `wanted` entries, and no spare capacity.
    pub fn retain(&mut self, mut wanted: impl FnMut(&V) -> bool) {
        self.all.retain(|_, entry| wanted(&entry.value));
        self.all.shrink_to_fit();
        self.of.retain(|_, keys| {
            keys.retain(|key| self.all.contains_key(key));
            !keys.is_empty()
        });
    }
}

impl<K, V> Default for BoundedMap<K, V> {
    fn default() -> Self {
        Self { all: HashMap::new(), of: HashMap::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_namespace_that_fills_its_part_loses_its_own_oldest_and_nobody_elses() {
        let mut map = BoundedMap::default();
        map.insert("b", "of b".to_owned(), ());
        for number in 0..3 * MAX_ENTRIES {
            map.insert("a", number.to_string(), ());
        }
        assert!(map.get(&"of b".to_owned()).is_some());
        assert_eq!(map.all.len(), MAX_ENTRIES + 1);
        assert!(map.get(&"0".to_owned()).is_none() && map.get(&(3 * MAX_ENTRIES - 1).to_string()).is_some());
    }

    #[test]
    fn what_two_have_entered_stays_when_the_part_of_one_is_full() {
        let mut map = BoundedMap::default();
        for namespace in ["a", "b", "b"] {
            map.insert(namespace, "shared".to_owned(), ());
        }
        for number in 0..2 * MAX_ENTRIES {
            map.insert("a", number.to_string(), ());
        }
        assert!(map.get(&"shared".to_owned()).is_some());
        for number in 0..2 * MAX_ENTRIES {
            map.insert("b", number.to_string(), ());
        }
        assert!(map.get(&"shared".to_owned()).is_none());
        assert_eq!(map.all.len(), MAX_ENTRIES);
    }

    #[test]
    fn what_is_not_wanted_any_more_leaves_nothing() {
        let mut map = BoundedMap::default();
        for number in 0..100 {
            map.insert("a", number, number);
            map.insert("a", number, number + 1);
        }
        map.remove(&7);
        map.retain(|number| *number > 90);
        assert_eq!((map.all.len(), map.of["a"].len()), (10, 10));
        map.retain(|_| false);
        assert!(map.is_empty());
    }
}
