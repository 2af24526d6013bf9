//! The protocols, model-checked by exhaustive search over the rules that ship.
//!
//! A model is a small system in which anything may happen at any time: controllers that all believe they lead, crashes, lost and late
//! requests, stale reads, users, others who use the same project. Its controllers run the machine that ships, with the memory that
//! ships; only what performs its effects is a model. `stateright` visits every state. There is one model for each family of kinds:
//!
//! | module | machine | danger |
//! |---|---|---|
//! | [`serverless`] | `domain::serverless::reconcile::Reconcile` | a second endpoint, because Atlas chooses the id |
//! | [`dedicated`] | `domain::dedicated::reconcile::Reconcile`, of services and endpoints together | deleting what others use |
//!
//! Both have the same files: `object`, `state`, `in_flight` and `budget` are the data, `actions` and `transitions` what may happen,
//! `controller` and `perform` run the machine, `api_server` and `atlas` execute requests, `liveness` checks that everything converges,
//! `mutations` remove a rule each, `scenarios` and `ablations` are the tables of searches. What they share is here:
//!
//! | file | what it holds |
//! |---|---|
//! | `run` | one search, or several for the shortest path, and the result |
//! | `catalog` | a search of a scenario, and of an ablation, whatever its model |
//! | `converged` | the states that are known to converge |
//! | `interned` | values that many states share |
//! | `spend` | budgets of faults |
//! | `time` | ticks |
//!
//! Nothing here is part of the operator.

mod catalog;
mod converged;
pub mod dedicated;
mod interned;
mod run;
pub mod serverless;
mod spend;
mod time;

pub use catalog::{Ablation, Scenario};
pub use interned::Interned;
pub use run::{Effort, Protocol, SearchResult, Statistics};

/// One model, as it is searched.
pub struct Part {
    /// What its objects are.
    pub name: &'static str,
    /// The maximum number of steps between states in each search, unless another is set.
    pub steps: usize,
    /// The same for the short subset: enough for every event.
    pub short_steps: usize,
    /// The searches with all rules.
    pub scenarios: Vec<Scenario>,
    /// The searches without one.
    pub ablations: Vec<Ablation>,
    /// The descriptions of all invariants.
    pub invariants: Vec<&'static str>,
    /// The events that must be reachable, as bits of [`SearchResult::events`].
    pub events: u16,
}

/// Returns both models.
#[must_use]
pub fn parts() -> [Part; 2] {
    [
        Part {
            name: "serverless",
            steps: 6_000_000,
            short_steps: 80_000,
            scenarios: serverless::scenarios(),
            ablations: serverless::ablations(),
            invariants: serverless::Invariant::ALL.map(serverless::Invariant::description).to_vec(),
            events: serverless::Event::ALL.iter().fold(0, |all, event| all | event.bit()),
        },
        Part {
            name: "dedicated",
            steps: 1_600_000,
            short_steps: 30_000,
            scenarios: dedicated::scenarios(),
            ablations: dedicated::ablations(),
            invariants: dedicated::Invariant::ALL.map(dedicated::Invariant::description).to_vec(),
            events: dedicated::Event::ALL.iter().fold(0, |all, event| all | event.bit()),
        },
    ]
}
