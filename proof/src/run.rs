//! One search: every reachable state, and the path to each violated invariant.
//!
//! A search runs on one thread, so that states come in the order of their distance from the first: a violation that is
//! not found within so many moves does not exist there, and numbers are the same in every run. Several searches may run
//! in parallel.

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::hash::Hash;
use std::sync::atomic::{AtomicU16, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use stateright::{Checker, HasDiscoveries};

use crate::converged::Converged;

/// A model that can be searched.
pub trait Protocol:
    stateright::Model<
        State: Clone + Debug + Hash + PartialEq + Send + Sync,
        Action: Clone + Copy + Debug + Hash + PartialEq + Send + Sync,
    > + Send
    + Sync
{
    /// Describes an action in a few words.
    fn describe(&self, before: &Self::State, action: Self::Action) -> String;

    /// Returns what the search has found besides violations.
    fn statistics(&self) -> &Statistics;

    /// Describes what has happened before the search begins.
    fn prefix(&self) -> Vec<String> {
        Vec::new()
    }
}

/// What a search finds besides violations.
#[derive(Debug, Default)]
pub struct Statistics {
    pub(crate) checked: AtomicUsize,
    pub(crate) events: AtomicU16,
    pub(crate) converged: Converged,
}

impl Statistics {
    /// Counts a state whose invariants are checked, with the events that have happened so far.
    pub(crate) fn count(&self, events: u16) {
        self.checked.fetch_add(1, Ordering::Relaxed);
        self.events.fetch_or(events, Ordering::Relaxed);
    }
}

/// The result of a search.
#[derive(Debug, Clone)]
pub struct SearchResult {
    /// The number of states in which every invariant was checked.
    pub states: usize,
    /// Every state within so many moves was among them.
    pub depth: usize,
    /// The search was exhaustive: there are no other states.
    pub complete: bool,
    /// The maximum number of ticks until any state has converged for good.
    pub rounds: u8,
    /// The events that happened, as bits.
    pub events: u16,
    /// How long it took.
    pub took: Duration,
    /// What happened before the first state, as text.
    pub prefix: Vec<String>,
    /// The descriptions of violated invariants, each with a path there, as text.
    pub broken: Vec<(&'static str, Vec<String>)>,
}

impl SearchResult {
    /// Returns the number of moves to the nearest violation among the invariants `sought`.
    #[must_use]
    pub fn moves_to(&self, sought: &[&str]) -> Option<usize> {
        let broken = self.broken.iter().filter(|(invariant, _)| sought.contains(invariant));
        broken.map(|(_, path)| path.len()).min()
    }
}

/// The limits of a search.
#[derive(Debug, Clone)]
pub struct Effort {
    /// Follows so many steps between states at most, or a few more; none: all of them.
    pub steps: Option<usize>,
    /// Goes so many moves away from the first state at most; none: any number.
    pub moves: Option<usize>,
    /// Also checks whether every state converges.
    pub liveness: bool,
    /// Stops as soon as one of these invariants is violated; none: at any.
    pub sought: Vec<&'static str>,
}

/// Searches as [`check`] does until one of the invariants sought is violated, and then repeatedly for shorter paths.
/// States are searched in blocks, and of the violations in a block the last is kept.
pub(crate) fn shortest<M: Protocol + 'static>(model: impl Fn() -> M, effort: &Effort) -> SearchResult {
    let mut found = check(model(), effort);
    while let Some(fewer) = found.moves_to(&effort.sought).and_then(|moves| moves.checked_sub(1)) {
        let nearer = check(model(), &Effort { moves: Some(fewer), ..effort.clone() });
        found.took += nearer.took;
        if nearer.moves_to(&effort.sought).is_none() {
            break;
        }
        found.broken = nearer.broken;
    }
    found
}

/// Searches a model.
pub(crate) fn check<M: Protocol + 'static>(model: M, effort: &Effort) -> SearchResult {
    let begun = Instant::now();
    let mut builder = model.checker();
    if let Some(steps) = effort.steps {
        builder = builder.target_state_count(steps);
    }
    // The first state is at depth 1, and states as deep as the target are left out.
    let beyond = effort.moves.map(|moves| moves + 2);
    if let Some(beyond) = beyond {
        builder = builder.target_max_depth(beyond);
    }
    let sought: BTreeSet<_> = effort.sought.iter().copied().collect();
    let builder = builder.finish_when(if sought.is_empty() {
        HasDiscoveries::AnyFailures
    } else {
        HasDiscoveries::AnyOf(sought)
    });
    let checker = builder.spawn_bfs().join();
    let model = checker.model();
    let states = model.statistics().checked.load(Ordering::Relaxed);
    // The last block may hold only some of the states that are as far away as its last.
    let complete = states == checker.unique_state_count();
    let depth = checker.max_depth().saturating_sub(if complete { 1 } else { 2 });
    let violated = |property: stateright::Property<M>| {
        let path = checker.discovery(property.name)?;
        // States are searched in blocks, and a violation persists: the path ends at the first violating state.
        let mut steps = path.into_vec();
        if let Some(broken) = steps.iter().position(|(state, _)| !(property.condition)(model, state)) {
            steps.truncate(broken);
        }
        let path =
            steps.iter().filter_map(|(state, action)| action.map(|action| model.describe(state, action)));
        Some((property.name, path.collect()))
    };
    SearchResult {
        states,
        depth,
        complete,
        rounds: model.statistics().converged.worst(),
        events: model.statistics().events.load(Ordering::Relaxed),
        took: begun.elapsed(),
        prefix: model.prefix(),
        broken: model.properties().into_iter().filter_map(violated).collect(),
    }
}
