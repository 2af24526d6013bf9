//! One search: every reachable state, and the path to each violated invariant.
//!
//! A search runs on one thread, so that states come in the order of their distance from the first: a violation that is
//! not found within so many moves does not exist there, and numbers are the same in every run. Several searches may run
//! in parallel.

use std::collections::BTreeSet;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use domain::serverless::decision::Step;
use stateright::{Checker, HasDiscoveries, Model as _};

use crate::convert::{id_number, nonce_number};
use crate::{Config, Invariant, Model, Mutation};

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
    /// The events that happened, as bits of [`crate::Event`].
    pub events: u16,
    /// How long it took.
    pub took: Duration,
    /// Violated invariants, each with a path there, as text.
    pub broken: Vec<(Invariant, Vec<String>)>,
}

impl SearchResult {
    /// Returns the number of moves to the nearest violation among the invariants `sought`.
    #[must_use]
    pub fn moves_to(&self, sought: &[Invariant]) -> Option<usize> {
        let broken = self.broken.iter().filter(|(invariant, _)| sought.contains(invariant));
        broken.map(|(_, path)| path.len()).min()
    }
}

/// The limits of a search.
#[derive(Debug, Clone, Copy)]
pub struct Effort {
    /// Follows so many steps between states at most, or a few more; none: all of them.
    pub steps: Option<usize>,
    /// Goes so many moves away from the first state at most; none: any number.
    pub moves: Option<usize>,
    /// Also checks whether every state converges.
    pub liveness: bool,
    /// Stops as soon as one of these invariants is violated; none: at any.
    pub sought: &'static [Invariant],
}

/// Searches as [`check`] does until one of the invariants sought is violated, and then repeatedly for shorter paths.
/// States are searched in blocks, and of the violations in a block the last is kept.
#[must_use]
pub fn shortest(config: Config, mutation: Mutation, effort: Effort) -> SearchResult {
    let mut found = check(config, mutation, effort);
    while let Some(fewer) = found.moves_to(effort.sought).and_then(|moves| moves.checked_sub(1)) {
        let nearer = check(config, mutation, Effort { moves: Some(fewer), ..effort });
        found.took += nearer.took;
        if nearer.moves_to(effort.sought).is_none() {
            break;
        }
        found.broken = nearer.broken;
    }
    found
}

/// Searches the model of `config` without the rule that `mutation` removes.
#[must_use]
pub fn check(config: Config, mutation: Mutation, effort: Effort) -> SearchResult {
    let mut model = Model::new(config, mutation);
    model.liveness = effort.liveness;
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
    let sought: BTreeSet<_> = effort.sought.iter().map(|invariant| invariant.description()).collect();
    let builder = builder.finish_when(if sought.is_empty() {
        HasDiscoveries::AnyFailures
    } else {
        HasDiscoveries::AnyOf(sought)
    });
    let checker = builder.spawn_bfs().join();
    let states = checker.model().checked.load(Ordering::Relaxed);
    // The last block may hold only some of the states that are as far away as its last.
    let complete = states == checker.unique_state_count();
    let depth = checker.max_depth().saturating_sub(if complete { 1 } else { 2 });
    let broken = Invariant::ALL
        .iter()
        .filter_map(|invariant| {
            let path = checker.discovery(invariant.description())?;
            // States are searched in blocks, and a violation persists: the path ends at the first violating state.
            let mut steps = path.into_vec();
            let condition = invariant.property().condition;
            let broken = steps.iter().position(|(state, _)| !condition(checker.model(), state));
            if let Some(broken) = broken {
                steps.truncate(broken);
            }
            let path = steps
                .iter()
                .filter_map(|(state, action)| action.map(|action| checker.model().describe(state, action)));
            Some((*invariant, path.collect()))
        })
        .collect();
    SearchResult {
        states,
        depth,
        complete,
        rounds: checker.model().worst(),
        events: checker.model().events.load(Ordering::Relaxed),
        took: begun.elapsed(),
        broken,
    }
}

impl Model {
    fn worst(&self) -> u8 {
        self.converged.worst()
    }
}

/// Describes a step in a few words.
pub(crate) fn short(step: &Step) -> String {
    match step {
        Step::Rest => "rests".to_owned(),
        Step::List => "LIST".to_owned(),
        Step::Claim { nonce, replaced, .. } => {
            let announced =
                nonce.as_ref().map_or("a new attempt".to_owned(), |n| format!("{} again", nonce_number(n)));
            let replaced = replaced.as_ref().map_or(String::new(), |id| format!(" for e{}", id_number(id)));
            format!("claims {announced}{replaced}")
        }
        Step::Create { nonce, .. } => format!("sends POST {}", nonce_number(nonce)),
        Step::Record { endpoint, origin } => format!("records e{} ({origin:?})", id_number(&endpoint.id)),
        Step::Update { id, .. } => format!("sends PATCH e{}", id_number(id)),
        Step::Delete { id, .. } => format!("sends DELETE e{}", id_number(id)),
        Step::Release(reason) => format!("releases ({reason:?})"),
    }
}
