//! The protocol of the dedicated kinds, with two objects of each: what stands in Atlas has a natural key and cannot double, but nothing
//! there says whose it is, others use it too, and the URL of an endpoint comes back in its next life.
//!
//! Beside what both models have, `view` is what a controller knows of other objects, fed to the index that ships, and `describe` has the
//! words of traces.

mod ablations;
mod actions;
mod api_server;
mod atlas;
mod budget;
mod controller;
mod convert;
mod describe;
mod in_flight;
mod liveness;
mod mutations;
mod object;
mod perform;
mod scenarios;
mod state;
mod times;
mod transitions;
mod view;

use std::sync::atomic::Ordering;

use domain::dedicated::memory::Memory;
use domain::times::Times;
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
pub use scenarios::scenarios;
pub use state::*;

/// An invariant of the protocol. Each is a property of its own; the numbers are those of the reliability page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Invariant {
    /// W1: a DELETE removes a service that its object did not create, and the user did not say `Delete`.
    OthersServiceDeleted,
    /// W2: a DELETE of an endpoint that its object never named.
    NeverNamed,
    /// W3: a DELETE takes effect on a later life than it was claimed for.
    LaterLifeDeleted,
    /// W4: a request takes effect after its object was released.
    AfterRelease,
    /// W5: a request is sent while another for the same key is in flight, of this object or of another.
    TwoWriters,
    /// W6: what others created is recorded as Created.
    OthersRecordedCreated,
    /// W7: a DELETE is sent of what a living object names.
    NamedDeleted,
    /// W7: a former endpoint is deleted before the declared one is available.
    BrokenBeforeMade,
    /// L: an object is released, and what it created stays without a reason.
    Leaked,
    /// Rule 13: a VPC endpoint of a service that is gone is registered at another.
    StaleRegistered,
    /// L: after the last fault, it does not converge, or keeps writing.
    Stuck,
}

impl Invariant {
    /// All invariants.
    pub const ALL: [Self; 11] = [
        Self::OthersServiceDeleted,
        Self::NeverNamed,
        Self::LaterLifeDeleted,
        Self::AfterRelease,
        Self::TwoWriters,
        Self::OthersRecordedCreated,
        Self::NamedDeleted,
        Self::BrokenBeforeMade,
        Self::Leaked,
        Self::StaleRegistered,
        Self::Stuck,
    ];

    pub(crate) fn bit(self) -> u16 {
        1 << self as u16
    }

    /// Returns the description of the invariant.
    #[must_use]
    pub fn description(self) -> &'static str {
        match self {
            Self::OthersServiceDeleted => {
                "W1 no DELETE of a service that others created, unless the user said so"
            }
            Self::NeverNamed => "W2 no DELETE of an endpoint that the object never named",
            Self::LaterLifeDeleted => "W3 no DELETE takes effect on a later life",
            Self::AfterRelease => "W4 nothing takes effect after release",
            Self::TwoWriters => "W5 one object writes to what a key names, and one request at a time",
            Self::OthersRecordedCreated => "W6 nothing that others created is recorded as Created",
            Self::NamedDeleted => "W7 nothing that a living object names is deleted",
            Self::BrokenBeforeMade => "W7 nothing is broken before its replacement is there",
            Self::Leaked => "L nothing of ours is left without a reason when the object is gone",
            Self::StaleRegistered => "no VPC endpoint of a service that is gone is registered at another",
            Self::Stuck => "L everything converges once faults end, and nothing is written after that",
        }
    }

    pub(crate) fn property(self) -> Property<Model> {
        /// Returns one function per invariant: a property's condition cannot carry data.
        macro_rules! conditions {
            ($($invariant:ident)+) => {
                match self {
                    Self::Stuck => |model, s| {
                        model.statistics.count(0);
                        model.converges(s)
                    },
                    $(Self::$invariant => |_, s| s.past.broken & Self::$invariant.bit() == 0,)+
                }
            };
        }
        let condition: fn(&Model, &ModelState) -> bool = conditions! {
            OthersServiceDeleted NeverNamed LaterLifeDeleted AfterRelease TwoWriters OthersRecordedCreated
            NamedDeleted BrokenBeforeMade Leaked StaleRegistered
        };
        Property::always(self.description(), condition)
    }
}

/// An event that must be reachable, or the configuration is too small to show anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Event {
    /// Something was recorded as Created.
    RecordedCreated,
    /// Something was recorded as Unproven.
    RecordedUnproven,
    /// Something was recorded as Adopted.
    RecordedAdopted,
    /// An object was reported Ready.
    Ready,
    /// An object was released, and what it had created was deleted before it.
    Deleted,
    /// An object was released, and what it had created stays, with a reason.
    Retained,
    /// The entry of a service took the place of that of a lost one.
    Replaced,
    /// A request landed after its sender had given up.
    LandedLate,
}

impl Event {
    /// All events.
    pub const ALL: [Self; 8] = [
        Self::RecordedCreated,
        Self::RecordedUnproven,
        Self::RecordedAdopted,
        Self::Ready,
        Self::Deleted,
        Self::Retained,
        Self::Replaced,
        Self::LandedLate,
    ];

    /// Returns its bit in [`crate::SearchResult::events`].
    #[must_use]
    pub fn bit(self) -> u16 {
        1 << self as u16
    }
}

/// The configuration of a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Config {
    /// Controllers.
    pub controllers: usize,
    /// Attempts, POSTs and DELETEs, the first included.
    pub attempts: u8,
    /// The budgets of faults and actions.
    pub budget: Budget,
    /// The spec of each object; none: no such object is created.
    pub manifests: Slots<Option<Manifest>>,
    /// The objects that exist at first, as bits.
    pub begins: u8,
    /// The specs to which objects may be edited, each with the slot.
    pub edits: &'static [(u8, Manifest)],
    /// At first everything has converged.
    pub begun: bool,
    /// What has happened since, before the search begins.
    pub prefix: &'static [ModelAction],
    /// What others have created before: the service (0), and endpoints at it.
    pub preexisting: &'static [u8],
    /// Atlas takes time to make something available, and to remove it.
    pub slow: bool,
    /// The service ends with its last endpoint.
    pub last_takes_service: bool,
}

/// A model to search.
pub struct Model {
    pub(crate) config: Config,
    pub(crate) mutation: Mutation,
    pub(crate) times: Times,
    pub(crate) liveness: bool,
    machines: Interner<Machine>,
    memories: Interner<Memory>,
    views: view::Views,
    statistics: Statistics,
}

impl Model {
    /// Returns the model of `config`, with one rule missing, or none. `liveness`: whether every state has to converge.
    #[must_use]
    pub fn new(config: Config, mutation: Mutation, liveness: bool) -> Self {
        Self {
            config,
            mutation,
            times: mutation.times(),
            liveness,
            machines: Interner::default(),
            memories: Interner::default(),
            views: view::Views::default(),
            statistics: Statistics::default(),
        }
    }

    /// Records that an event has happened.
    pub(crate) fn happened(&self, event: Event) {
        self.statistics.events.fetch_or(event.bit(), Ordering::Relaxed);
    }
}

/// Returns the bit of the object with this life.
pub(crate) fn bit(life: u8) -> u16 {
    1_u16.checked_shl(u32::from(life)).unwrap_or_default()
}

/// The services that are distinguished in what an object has created, and the endpoints at each.
const CELLS: [u32; 2] = [3, 3];

/// Returns the bit of what a POST of an object created. Of the last services, those with the same remainder share it.
pub(crate) fn created_bit(creator: u8, life: ModelLife) -> u64 {
    let [services, endpoints] = CELLS;
    let cell = u32::from(life.service) % services * endpoints + u32::from(life.endpoint) % endpoints;
    1_u64.checked_shl(u32::from(creator) * services * endpoints + cell).unwrap_or_default()
}

/// Returns the bits of everything that an object created.
pub(crate) fn created_by(creator: u8) -> u64 {
    let [services, endpoints] = CELLS;
    let cells = services * endpoints;
    ((1_u64 << cells) - 1).checked_shl(u32::from(creator) * cells).unwrap_or_default()
}

impl stateright::Model for Model {
    type State = ModelState;
    type Action = ModelAction;

    fn init_states(&self) -> Vec<ModelState> {
        // A prefix that cannot happen leads nowhere.
        self.initial_state().into_iter().collect()
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

    fn prefix(&self) -> Vec<String> {
        let mut s = self.beginning();
        let mut described = Vec::new();
        for action in self.config.prefix {
            described.push(self.description(&s, *action));
            s = self.transition(&s, *action).unwrap_or(s);
        }
        described
    }
}
