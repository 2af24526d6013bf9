//! One search: every state that can be reached, and the way to each broken promise.
//!
//! A search runs on one thread, so that states come in the order of their distance from the first: what is not found within
//! so many moves is not there, and numbers are the same in every run. Several searches may run side by side.

use std::collections::BTreeSet;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use domain::decision::Step;
use stateright::{Checker, HasDiscoveries, Model as _};

use crate::convert::{id_number, nonce_number};
use crate::{Config, Invariant, Model, Mutation};

/// What a search found.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// States in which every promise was checked.
    pub states: usize,
    /// Every state within so many moves was among them.
    pub depth: usize,
    /// There are no others.
    pub complete: bool,
    /// The most ticks that any state takes until all is right for good.
    pub rounds: u8,
    /// The events that happened, as bits of [`crate::Event`].
    pub events: u16,
    /// How long it took.
    pub took: Duration,
    /// Broken promises, each with a way there, in words.
    pub broken: Vec<(Invariant, Vec<String>)>,
}

impl Outcome {
    /// The moves to the nearest of the promises `sought` that was found broken.
    #[must_use]
    pub fn moves_to(&self, sought: &[Invariant]) -> Option<usize> {
        let broken = self.broken.iter().filter(|(promise, _)| sought.contains(promise));
        broken.map(|(_, way)| way.len()).min()
    }
}

/// How far to search.
#[derive(Debug, Clone, Copy)]
pub struct Effort {
    /// Follow so many steps between states at most, or a few more; none: all of them.
    pub steps: Option<usize>,
    /// Go so many moves away from the first state at most; none: any number.
    pub moves: Option<usize>,
    /// Also ask of every state whether it comes right.
    pub liveness: bool,
    /// Stop as soon as one of these promises is broken; none: at any.
    pub sought: &'static [Invariant],
}

/// Searches as [`check`] does until one of the promises sought is broken, and then for ever shorter ways there. States are
/// searched in blocks, and of the broken ones in a block the last is kept.
#[must_use]
pub fn shortest(config: Config, mutation: Mutation, effort: Effort) -> Outcome {
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

/// Searches the world of `config` without the rule that `mutation` takes away.
#[must_use]
pub fn check(config: Config, mutation: Mutation, effort: Effort) -> Outcome {
    let mut model = Model::new(config, mutation);
    model.liveness = effort.liveness;
    let begun = Instant::now();
    let mut builder = model.checker();
    if let Some(steps) = effort.steps {
        builder = builder.target_state_count(steps);
    }
    // The first state is at depth 1, and what is as deep as the target is left out.
    let beyond = effort.moves.map(|moves| moves + 2);
    if let Some(beyond) = beyond {
        builder = builder.target_max_depth(beyond);
    }
    let sought: BTreeSet<_> = effort.sought.iter().map(|promise| promise.words()).collect();
    let builder = builder.finish_when(if sought.is_empty() {
        HasDiscoveries::AnyFailures
    } else {
        HasDiscoveries::AnyOf(sought)
    });
    let checker = builder.spawn_bfs().join();
    let states = checker.model().checked.load(Ordering::Relaxed);
    // The last block may have seen only some of those that are as far away as its last.
    let complete = states == checker.unique_state_count();
    let depth = checker.max_depth().saturating_sub(if complete { 1 } else { 2 });
    let broken = Invariant::ALL
        .iter()
        .filter_map(|promise| {
            let path = checker.discovery(promise.words())?;
            // States are searched in blocks, and what is broken stays broken: the way ends where it first is.
            let mut steps = path.into_vec();
            let condition = promise.property().condition;
            let broken = steps.iter().position(|(state, _)| !condition(checker.model(), state));
            if let Some(broken) = broken {
                steps.truncate(broken);
            }
            let words = steps
                .iter()
                .filter_map(|(state, action)| action.map(|action| checker.model().tell(state, action)));
            Some((*promise, words.collect()))
        })
        .collect();
    Outcome {
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
        self.known.worst()
    }
}

/// A step in a few words.
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
        Step::Release(farewell) => format!("releases ({farewell:?})"),
    }
}
