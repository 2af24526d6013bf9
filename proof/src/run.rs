//! One search: every state that can be reached, and a short way to each broken promise.

use std::collections::BTreeSet;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use domain::decision::Step;
use stateright::{Checker, HasDiscoveries, Model as _};

use crate::words::{id_number, nonce_number};
use crate::{Model, Promise, Scope, Weakness};

/// What a search found.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// States that differ.
    pub states: usize,
    /// The longest of the shortest ways to a state.
    pub depth: usize,
    /// No state was left out.
    pub complete: bool,
    /// The most ticks that any state needs to come right.
    pub rounds: u8,
    /// The events that happened, as bits of [`crate::Event`].
    pub events: u16,
    /// How long it took.
    pub took: Duration,
    /// Broken promises, each with a short way there, in words.
    pub broken: Vec<(Promise, Vec<String>)>,
}

/// How far to search.
#[derive(Debug, Clone, Copy)]
pub struct Effort {
    /// Follow so many steps between states at most; none: all of them.
    pub steps: Option<usize>,
    /// Also ask of every state whether it comes right.
    pub liveness: bool,
    /// Stop as soon as one of these promises is broken; none: at any.
    pub sought: &'static [Promise],
    /// Threads; ways are short only with one.
    pub threads: usize,
}

/// Searches the world of `scope` without the rule that `weakness` takes away.
#[must_use]
pub fn check(scope: Scope, weakness: Weakness, effort: Effort) -> Outcome {
    let mut model = Model::new(scope, weakness);
    model.liveness = effort.liveness;
    let begun = Instant::now();
    let mut builder = model.checker().threads(effort.threads);
    if let Some(steps) = effort.steps {
        builder = builder.target_state_count(steps);
    }
    let sought: BTreeSet<_> = effort.sought.iter().map(|promise| promise.words()).collect();
    let builder = builder.finish_when(if sought.is_empty() {
        HasDiscoveries::AnyFailures
    } else {
        HasDiscoveries::AnyOf(sought)
    });
    let checker = builder.spawn_bfs().join();
    let broken = Promise::ALL
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
        states: checker.unique_state_count(),
        depth: checker.max_depth(),
        complete: checker.is_done() && effort.steps.is_none_or(|most| checker.state_count() < most),
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
