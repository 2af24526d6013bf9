//! A map whose entries each belong to a namespace, with a bound for each: what one tenant fills up is its own part.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;

/// The entries of one namespace, beyond which the oldest goes.
pub(super) const MOST: usize = 512;

/// The map.
pub(super) struct Bounded<K, V> {
    all: HashMap<K, V>,
    /// The keys of each namespace, the oldest first. One that was taken out may still stand here.
    of: HashMap<Box<str>, VecDeque<K>>,
}

impl<K: Clone + Eq + Hash, V> Bounded<K, V> {
    pub(super) fn get(&self, key: &K) -> Option<&V> {
        self.all.get(key)
    }

    pub(super) fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        self.all.get_mut(key)
    }

    /// Enters what `namespace` has brought about.
    pub(super) fn insert(&mut self, namespace: &str, key: K, value: V) {
        if self.all.insert(key.clone(), value).is_some() {
            return;
        }
        let keys = self.of.entry(namespace.into()).or_default();
        keys.push_back(key);
        if keys.len() > MOST
            && let Some(oldest) = keys.pop_front()
        {
            self.all.remove(&oldest);
        }
    }

    pub(super) fn remove(&mut self, key: &K) {
        self.all.remove(key);
    }

    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.all.is_empty() && self.of.is_empty()
    }

    /// Keeps what is `wanted`, and no room for more.
    pub(super) fn retain(&mut self, mut wanted: impl FnMut(&V) -> bool) {
        self.all.retain(|_, value| wanted(value));
        self.all.shrink_to_fit();
        self.of.retain(|_, keys| {
            keys.retain(|key| self.all.contains_key(key));
            !keys.is_empty()
        });
    }
}

impl<K, V> Default for Bounded<K, V> {
    fn default() -> Self {
        Self { all: HashMap::new(), of: HashMap::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_namespace_that_fills_its_part_loses_its_own_oldest_and_nobody_elses() {
        let mut map = Bounded::default();
        map.insert("b", "of b".to_owned(), ());
        for number in 0..3 * MOST {
            map.insert("a", number.to_string(), ());
        }
        assert!(map.get(&"of b".to_owned()).is_some());
        assert_eq!(map.all.len(), MOST + 1);
        assert!(map.get(&"0".to_owned()).is_none() && map.get(&(3 * MOST - 1).to_string()).is_some());
    }

    #[test]
    fn what_is_not_wanted_any_more_leaves_nothing() {
        let mut map = Bounded::default();
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
