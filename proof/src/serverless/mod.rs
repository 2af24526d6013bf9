//! The creation protocol of the serverless kind, with one object: Atlas chooses the id of what a POST creates, and nothing but a mark in
//! its comment says whose it is.
//!
//! | file | what it holds |
//! |---|---|
//! | `object`, `state`, `in_flight`, `outcomes` | what exists, which requests are in flight, and how they end, as data |
//! | `budget` | how many faults may occur |
//! | `times` | the protocol's times, in ticks |
//! | `convert` | conversion from and to the types of the rules, and the object as the machine reads it |
//! | `controller` | a controller, which runs the machine |
//! | `perform` | the effects of the machine, in memory |
//! | `api_server`, `atlas` | how the two execute a request |
//! | `actions` | every possible action |
//! | `transitions` | the state that follows from an action |
//! | `liveness` | from any state: faults end, and everything must converge |
//! | `mutations` | ablations: one rule removed |
//! | `scenarios`, `ablations` | the configurations that are searched with and without all rules, and the expected
//! result of each |

mod ablations;
mod actions;
mod api_server;
mod atlas;
mod budget;
mod controller;
mod convert;
mod in_flight;
mod liveness;
mod mutations;
mod object;
mod outcomes;
mod perform;
mod scenarios;
mod state;
mod times;
mod transitions;

use domain::serverless::memory::Memory;
use stateright::Property;

use crate::interned::Interner;
use crate::run::{Protocol, Statistics};

pub use ablations::ablations;
pub use actions::ModelAction;
pub use budget::Budget;
pub use controller::StepResult;
pub use in_flight::*;
pub use mutations::Mutation;
pub use object::*;
pub use outcomes::*;
pub use scenarios::scenarios;
pub use state::*;

/// An invariant of the protocol. Each is a property of its own; the numbers are those of the reliability page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Invariant {
    /// P1: two live endpoints with our mark.
    Doubled,
    /// P5: the object is deleted, and an endpoint is left that was not to be retained.
    Leaked,
    /// P2: a POST without a claim that was accepted on an object that was not being deleted, or later than D after that
    /// claim was sent.
    PostUnclaimed,
    /// P3: a nonce is posted twice.
    PostTwice,
    /// P6: a POST by a controller that has seen the deletion, in the object that it decides on or by its watch since then.
    PostAfterDeletion,
    /// A POST although `endpointId`, Observe, suspend or another cluster's claim forbids it.
    PostUnwanted,
    /// P4: a DELETE hits the endpoint that a living object has recorded.
    Destroyed,
    /// P4: a DELETE hits an endpoint without our mark.
    ForeignDeleted,
    /// P9: a PATCH removes the mark, or a POST is sent without it.
    MarkKept,
    /// A PATCH sends a VPC endpoint id that is no longer declared.
    StalePatch,
    /// P7: the recorded id changes while its endpoint exists.
    RecordedReplacedAlive,
    /// P7: an endpoint is recorded that was deleted longer ago than any listing lags.
    DeadRecorded,
    /// P7: Ready is reported of an endpoint that was deleted before it was recorded.
    ReadyLies,
    /// L1–L3: after the last fault, it does not converge, or keeps writing.
    Stuck,
}

impl Invariant {
    /// All invariants.
    pub const ALL: [Self; 14] = [
        Self::Doubled,
        Self::Leaked,
        Self::PostUnclaimed,
        Self::PostTwice,
        Self::PostAfterDeletion,
        Self::PostUnwanted,
        Self::Destroyed,
        Self::ForeignDeleted,
        Self::MarkKept,
        Self::StalePatch,
        Self::RecordedReplacedAlive,
        Self::DeadRecorded,
        Self::ReadyLies,
        Self::Stuck,
    ];

    pub(crate) fn bit(self) -> u16 {
        1 << self as u16
    }

    /// Returns the description of the invariant.
    #[must_use]
    pub fn description(self) -> &'static str {
        match self {
            Self::Doubled => "P1 at most one live endpoint carries the mark",
            Self::Leaked => "P5 nothing of ours is left when the object is gone",
            Self::PostUnclaimed => "P2 a POST follows an accepted claim",
            Self::PostTwice => "P3 no nonce is posted twice",
            Self::PostAfterDeletion => "P6 no POST once the deletion was seen",
            Self::PostUnwanted => "no POST where endpointId, Observe, suspend or a foreign claim forbids it",
            Self::Destroyed => "P4 no DELETE of what a living object has recorded",
            Self::ForeignDeleted => "P4 no DELETE of what does not carry our mark",
            Self::MarkKept => "P9 no write takes the mark off",
            Self::StalePatch => "no PATCH of what is no longer declared",
            Self::RecordedReplacedAlive => "P7 a recorded id changes only when its endpoint is gone",
            Self::DeadRecorded => "P7 nothing long gone is recorded",
            Self::ReadyLies => "P7 Ready is not reported of an endpoint that was deleted before",
            Self::Stuck => "L1-L3 everything converges once faults end, and nothing is written after that",
        }
    }

    pub(crate) fn property(self) -> Property<Model> {
        /// Returns one function per invariant: a property's condition cannot carry data.
        macro_rules! conditions {
            ($($invariant:ident)+) => {
                match self {
                    Self::Doubled => |model, s| model.created_here(s).count() <= 1,
                    Self::Leaked => |model, s| s.object.is_some() || s.past.may_stay || model.created_here(s).count() == 0,
                    Self::Stuck => |model, s| {
                        model.statistics.count(s.past.events);
                        model.converges(s)
                    },
                    $(Self::$invariant => |_, s| s.past.broken & Self::$invariant.bit() == 0,)+
                }
            };
        }
        let condition: fn(&Model, &ModelState) -> bool = conditions! {
            PostUnclaimed PostTwice PostAfterDeletion PostUnwanted Destroyed ForeignDeleted MarkKept StalePatch
            RecordedReplacedAlive DeadRecorded ReadyLies
        };
        Property::always(self.description(), condition)
    }
}

/// An event that must be reachable, or the configuration is too small to show anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Event {
    /// An endpoint was recorded.
    Recorded,
    /// The object was reported Ready.
    Ready,
    /// An object was deleted, and its endpoint before it.
    Deleted,
    /// An object was deleted, and its endpoint was retained.
    Retained,
    /// An endpoint replaced a lost one.
    Recreated,
}

impl Event {
    /// All events.
    pub const ALL: [Self; 5] = [Self::Recorded, Self::Ready, Self::Deleted, Self::Retained, Self::Recreated];

    /// Returns its bit in [`crate::SearchResult::events`].
    #[must_use]
    pub fn bit(self) -> u16 {
        1 << self as u16
    }
}

/// The configuration of a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[allow(clippy::struct_excessive_bools, reason = "each is a thing that is there or not")]
pub struct Config {
    /// Controllers.
    pub controllers: usize,
    /// Attempts to create, the first included.
    pub attempts: u8,
    /// The budgets of faults and user actions.
    pub budget: Budget,
    /// The spec at first.
    pub manifest: Manifest,
    /// The specs to which it may be edited.
    pub edits: &'static [Manifest],
    /// The object has its endpoint already, and all controllers know it.
    pub begun: bool,
    /// Endpoints that exist before the object: unmarked, or marked by another owner.
    pub preexisting: &'static [MarkOwner],
    /// The object appears with another cluster's claim.
    pub foreign_claim: bool,
    /// The user allows the foreign mark to be replaced.
    pub take_over: bool,
    /// Responses to claims take time.
    pub slow_responses: bool,
    /// Atlas takes time to remove an endpoint.
    pub slow_removal: bool,
    /// The claim, the finalizer or the mark is only removed where every running controller has seen it.
    pub seen_by_all: bool,
    /// Requests may stay in flight for ever.
    pub unbounded_travel: bool,
}

/// A model to search.
pub struct Model {
    pub(crate) config: Config,
    pub(crate) mutation: Mutation,
    pub(crate) liveness: bool,
    machines: Interner<Machine>,
    memories: Interner<Memory>,
    statistics: Statistics,
}

impl Model {
    /// Returns the model of `config`, with one rule missing, or none. `liveness`: whether every state has to converge.
    #[must_use]
    pub fn new(config: Config, mutation: Mutation, liveness: bool) -> Self {
        Self {
            config,
            mutation,
            liveness,
            machines: Interner::default(),
            memories: Interner::default(),
            statistics: Statistics::default(),
        }
    }
}

impl stateright::Model for Model {
    type State = ModelState;
    type Action = ModelAction;

    fn init_states(&self) -> Vec<ModelState> {
        vec![self.initial_state()]
    }

    fn actions(&self, state: &ModelState, actions: &mut Vec<ModelAction>) {
        self.possible(state, actions);
    }

    fn next_state(&self, state: &ModelState, action: ModelAction) -> Option<ModelState> {
        self.transition(state, action)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        Invariant::ALL.iter().map(|invariant| invariant.property()).collect()
    }
}

impl Protocol for Model {
    fn describe(&self, before: &ModelState, action: ModelAction) -> String {
        self.description(before, action)
    }

    fn statistics(&self) -> &Statistics {
        &self.statistics
    }
}
