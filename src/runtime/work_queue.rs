//! Which of those who wait is served next: a fair work queue, and never more than its bounds at once.
//!
//! Whoever waits stands in a lane. Its path begins with the namespace, which no tenant can invent; what tenants choose freely
//! (project, instance) comes below it, so that it divides their own share and nobody else's. Lanes of one parent take
//! turns, and within a lane the first to come is the first to be served. Being served may last as long as Atlas is silent, so
//! each level has a bound, and half of the places are kept for namespaces that have hardly any: one that hangs, under whatever
//! names, takes the first half at most, and each further one very few. A pure data structure: it knows neither time nor what is
//! served.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;
use std::sync::Arc;

/// The path of a lane: the namespace, then what its tenants choose.
pub(crate) type Lane<const LEVELS: usize> = [Arc<str>; LEVELS];

/// The queue. `K` names what is served; `T` is kept while it waits.
#[derive(Debug)]
pub(crate) struct Queue<K, T, const LEVELS: usize> {
    /// The lanes of all items that wait or are being served.
    lanes: HashMap<K, Lane<LEVELS>>,
    all: Node<K, T>,
    /// How many may be served at once below one name, by level.
    bounds: [usize; LEVELS],
    most: usize,
    /// So many places go to whoever is next.
    open: usize,
    /// The others go to namespaces that have fewer than so many.
    few: usize,
}

/// A namespace is served from the second half of the places while it has less than this part of all of them.
const FEW: usize = 64;

/// What is below one name. It is there only while something of it waits or is served.
#[derive(Debug)]
struct Node<K, T> {
    served: usize,
    /// At the end of a path: who waits there.
    waiting: VecDeque<(K, T)>,
    below: HashMap<Arc<str>, Self>,
    /// The names below that may go on, each once, the next to go first.
    turns: VecDeque<Arc<str>>,
    /// Stands among the turns of its parent.
    listed: bool,
}

impl<K: Clone + Eq + Hash, T, const LEVELS: usize> Queue<K, T, LEVELS> {
    /// A queue with `most` places in all, and `bounds` for each name below a namespace, level by level.
    pub(crate) fn new(most: usize, bounds: [usize; LEVELS]) -> Self {
        let (open, few) = (most.div_ceil(2), (most / FEW).max(1));
        Self { lanes: HashMap::new(), all: Node::default(), bounds, most, open, few }
    }

    /// Adds an item that is to be served. Does nothing if it waits already or is being served.
    pub(crate) fn add(&mut self, key: &K, lane: impl FnOnce() -> Lane<LEVELS>, ticket: impl FnOnce() -> T) {
        if self.lanes.contains_key(key) {
            return;
        }
        let lane = lane();
        self.all.enter(&lane, &self.bounds, (key.clone(), ticket()));
        self.lanes.insert(key.clone(), lane);
    }

    /// Who is served now, if a place is free, and what was kept while it waited.
    pub(crate) fn get(&mut self) -> Option<(K, T)> {
        let served = self.all.served;
        if served >= self.most {
            return None;
        }
        let bound = if served < self.open { usize::MAX } else { self.few };
        let may_go = |namespace: &Arc<str>| self.all.below.get(namespace).is_some_and(|it| it.served < bound);
        let position = self.all.turns.iter().position(may_go)?;
        let namespace = self.all.turns.remove(position)?;
        self.all.take_from(&namespace, &self.bounds)
    }

    /// Ends the serving of an item, whose place is free then.
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
        self.below.entry(Arc::clone(name)).or_default().enter(path, bounds, entry);
        self.list(name, *bound);
    }

    fn take(&mut self, bounds: &[usize]) -> Option<(K, T)> {
        if let Some(first) = self.waiting.pop_front() {
            self.served += 1;
            return Some(first);
        }
        let name = self.turns.pop_front()?;
        self.take_from(&name, bounds)
    }

    /// Takes from below `name`, whose turn it is; it gets another one if it may go on.
    fn take_from(&mut self, name: &Arc<str>, bounds: &[usize]) -> Option<(K, T)> {
        let (bound, bounds) = bounds.split_first()?;
        let node = self.below.get_mut(name)?;
        node.listed = false;
        let taken = node.take(bounds);
        self.list(name, *bound);
        self.served += usize::from(taken.is_some());
        taken
    }

    fn leave(&mut self, path: &[Arc<str>], bounds: &[usize]) {
        self.served -= 1;
        let ([name, path @ ..], [bound, bounds @ ..]) = (path, bounds) else { return };
        let Some(node) = self.below.get_mut(name) else { return };
        node.leave(path, bounds);
        if node.is_idle() {
            self.below.remove(name);
        } else {
            self.list(name, *bound);
        }
    }

    /// Gives `name` a turn, if something below it may go on. One that has a turn keeps it.
    fn list(&mut self, name: &Arc<str>, bound: usize) {
        if let Some(node) = self.below.get_mut(name)
            && !node.listed
            && node.served < bound
            && !(node.waiting.is_empty() && node.turns.is_empty())
        {
            node.listed = true;
            self.turns.push_back(Arc::clone(name));
        }
    }

    fn is_idle(&self) -> bool {
        self.served == 0 && self.waiting.is_empty() && self.below.is_empty()
    }
}

impl<K, T> Default for Node<K, T> {
    fn default() -> Self {
        Self {
            served: 0,
            waiting: VecDeque::new(),
            below: HashMap::new(),
            turns: VecDeque::new(),
            listed: false,
        }
    }
}

#[cfg(test)]
#[path = "work_queue_tests.rs"]
mod tests;
