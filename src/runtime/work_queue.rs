//! A fair work queue with bounded concurrency.
//!
//! Each item has a lane. Its path starts with the namespace, which no tenant can invent; the names that tenants
//! choose freely (project, instance) are levels below it, so that they divide only their own share. Sibling lanes
//! are served round robin, and a lane is first in, first out. Serving may last as long as Atlas does not respond, so each level
//! has a bound, and half of the slots are reserved for namespaces with hardly any slot: a hanging namespace, under
//! whatever names, takes at most the first half, and each further one very few. A pure data structure: it knows
//! neither the time nor the meaning of an item.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;
use std::sync::Arc;

/// The path of a lane: the namespace, then the names that its tenants choose.
pub(crate) type Lane<const LEVELS: usize> = [Arc<str>; LEVELS];

/// The queue. `K` identifies an item; `T` is kept while the item waits.
#[derive(Debug)]
pub(crate) struct Queue<K, T, const LEVELS: usize> {
    /// The lanes of all items that wait or are being served.
    lanes: HashMap<K, Lane<LEVELS>>,
    all: Node<K, T>,
    /// The maximum number served at once below one name, by level.
    bounds: [usize; LEVELS],
    max: usize,
    /// The number of slots that any namespace may take.
    unreserved: usize,
    /// The remaining slots are for namespaces with fewer slots than this.
    few_slots: usize,
}

/// A namespace may take reserved slots while it has less than this fraction of all slots.
const RESERVED_FRACTION: usize = 64;

/// The subtree below one name. It exists only while something in it waits or is served.
#[derive(Debug)]
struct Node<K, T> {
    served: usize,
    /// The waiting items, at the end of a path.
    waiting: VecDeque<(K, T)>,
    children: HashMap<Arc<str>, Self>,
    /// The child names that may be served, each once, the next first.
    ready: VecDeque<Arc<str>>,
    /// It is among the ready names of its parent.
    is_ready: bool,
}

impl<K: Clone + Eq + Hash, T, const LEVELS: usize> Queue<K, T, LEVELS> {
    /// Creates a queue with `max` slots in total, and `bounds` for each name below a namespace, level by level.
    pub(crate) fn new(max: usize, bounds: [usize; LEVELS]) -> Self {
        let (unreserved, few_slots) = (max.div_ceil(2), (max / RESERVED_FRACTION).max(1));
        Self { lanes: HashMap::new(), all: Node::default(), bounds, max, unreserved, few_slots }
    }

    /// Adds an item to serve. Does nothing if it waits already or is being served.
    pub(crate) fn add(&mut self, key: &K, lane: impl FnOnce() -> Lane<LEVELS>, ticket: impl FnOnce() -> T) {
        if self.lanes.contains_key(key) {
            return;
        }
        let lane = lane();
        self.all.enter(&lane, &self.bounds, (key.clone(), ticket()));
        self.lanes.insert(key.clone(), lane);
    }

    /// Returns the next item to serve, with the value kept for it, if a slot is free.
    pub(crate) fn get(&mut self) -> Option<(K, T)> {
        let served = self.all.served;
        if served >= self.max {
            return None;
        }
        let bound = if served < self.unreserved { usize::MAX } else { self.few_slots };
        let may_start =
            |namespace: &Arc<str>| self.all.children.get(namespace).is_some_and(|it| it.served < bound);
        let position = self.all.ready.iter().position(may_start)?;
        let namespace = self.all.ready.remove(position)?;
        self.all.take_from(&namespace, &self.bounds)
    }

    /// Ends the serving of an item and frees its slot.
    pub(crate) fn done(&mut self, key: &K) {
        if let Some(lane) = self.lanes.remove(key) {
            self.all.leave(&lane, &self.bounds);
        }
    }
}

impl<K, T> Node<K, T> {
    fn enter(&mut self, path: &[Arc<str>], bounds: &[usize], entry: (K, T)) {
        let ([name, path @ ..], [bound, bounds @ ..]) = (path, bounds) else {
            self.waiting.push_back(entry);
            return;
        };
        self.children.entry(Arc::clone(name)).or_default().enter(path, bounds, entry);
        self.mark_ready(name, *bound);
    }

    fn take(&mut self, bounds: &[usize]) -> Option<(K, T)> {
        if let Some(first) = self.waiting.pop_front() {
            self.served += 1;
            return Some(first);
        }
        let name = self.ready.pop_front()?;
        self.take_from(&name, bounds)
    }

    /// Takes an item from below `name`, which was ready, and marks it ready again if more may be served there.
    fn take_from(&mut self, name: &Arc<str>, bounds: &[usize]) -> Option<(K, T)> {
        let (bound, bounds) = bounds.split_first()?;
        let node = self.children.get_mut(name)?;
        node.is_ready = false;
        let taken = node.take(bounds);
        self.mark_ready(name, *bound);
        self.served += usize::from(taken.is_some());
        taken
    }

    fn leave(&mut self, path: &[Arc<str>], bounds: &[usize]) {
        self.served -= 1;
        let ([name, path @ ..], [bound, bounds @ ..]) = (path, bounds) else { return };
        let Some(node) = self.children.get_mut(name) else { return };
        node.leave(path, bounds);
        if node.is_idle() {
            self.children.remove(name);
        } else {
            self.mark_ready(name, *bound);
        }
    }

    /// Marks `name` ready, if something below it may be served. A name that is ready keeps its position.
    fn mark_ready(&mut self, name: &Arc<str>, bound: usize) {
        if let Some(node) = self.children.get_mut(name)
            && !node.is_ready
            && node.served < bound
            && !(node.waiting.is_empty() && node.ready.is_empty())
        {
            node.is_ready = true;
            self.ready.push_back(Arc::clone(name));
        }
    }

    fn is_idle(&self) -> bool {
        self.served == 0 && self.waiting.is_empty() && self.children.is_empty()
    }
}

impl<K, T> Default for Node<K, T> {
    fn default() -> Self {
        Self {
            served: 0,
            waiting: VecDeque::new(),
            children: HashMap::new(),
            ready: VecDeque::new(),
            is_ready: false,
        }
    }
}

#[cfg(test)]
#[path = "work_queue_tests.rs"]
mod tests;
