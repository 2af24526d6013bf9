//! The state of the model: one object in an API server, controllers with their memories, requests in flight, and
//! endpoints in Atlas.
//!
//! Plain data, kept small because there are millions of states. Time is in ticks; an event older than `time::OLD` ticks
//! happened long ago. Nothing here decides or changes anything.

use domain::serverless::memory::Memory;
use domain::serverless::reconcile::Reconcile;

use super::budget::Budget;
use super::in_flight::{AtlasRequest, Late};
use super::object::{Annotation, CachedObject, MarkOwner, ModelObject};
use super::times::LAG;
use crate::interned::Interned;

/// The status of an endpoint in Atlas.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Phase {
    /// RESERVED.
    Reserved,
    /// AVAILABLE.
    Available,
    /// DELETING.
    Deleting,
    /// Deleted; kept as long as a listing may still show it.
    Gone,
}

/// An endpoint in Atlas.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ModelEndpoint {
    /// Its id.
    pub id: u8,
    /// The owner of its mark.
    pub mark: MarkOwner,
    /// Its status.
    pub phase: Phase,
    /// The VPC endpoint that is connected.
    pub vpc: u8,
    /// Ticks since its creation, up to `LAG`.
    pub born: u8,
    /// Ticks since its DELETE or its deletion, up to `LAG`.
    pub left: u8,
}

impl ModelEndpoint {
    /// Returns an endpoint in RESERVED, without a VPC endpoint, created so many ticks ago.
    pub(crate) fn reserved(id: u8, mark: MarkOwner, born: u8) -> Self {
        Self { id, mark, phase: Phase::Reserved, vpc: 0, born, left: 0 }
    }

    /// Starts or completes its deletion now.
    pub(crate) fn leave(&mut self, phase: Phase) {
        self.phase = phase;
        self.left = 0;
    }

    /// Returns it as a listing shows it: without ages.
    pub(crate) fn shown(self) -> Self {
        Self { born: LAG, left: 0, ..self }
    }

    /// Returns whether it exists and is not being deleted.
    pub(crate) fn is_live(self) -> bool {
        matches!(self.phase, Phase::Reserved | Phase::Available)
    }
}

/// The machine that ships, for the object of the model.
pub type Machine = Reconcile<CachedObject>;

/// What a reconcile waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Wait {
    /// Nothing: a decision is due.
    Nothing,
    /// The response to an accepted claim, which carries the object as it was then.
    Claim(CachedObject),
    /// Atlas' response to a write.
    Atlas,
}

/// A running reconcile.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RunningReconcile {
    /// The machine that ships.
    pub machine: Interned<Machine>,
    /// What it waits for.
    pub wait: Wait,
}

/// One controller.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Controller {
    /// The memory of the code that ships.
    pub memory: Interned<Memory>,
    /// The object as its watch shows it; never newer than the API server, and often older.
    pub cache: Option<CachedObject>,
    /// The reconcile that is running.
    pub running: Option<RunningReconcile>,
    /// Ticks since the last response to a write to the object (read only where D is counted from there).
    pub acknowledged: u8,
}

/// Past events that the present state does not show.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct PastEvents {
    /// Attempts whose claim the API server accepted on an object that was not being deleted, as bits.
    pub claimed: u16,
    /// Attempts that were posted, as bits.
    pub posted: u16,
    /// The object that was deleted last retained its endpoint in Atlas, or was deleted by force, so that what is left
    /// is no leak.
    pub may_stay: bool,
    /// The finalizer was removed by force, and is not back yet.
    pub forced: bool,
    /// The recorded endpoint was already deleted when it was recorded.
    pub dead: bool,
    /// Ticks, from 1 on, since Atlas reported for a moment that the instance is no more, while another such response would be
    /// the second of a run: 0 once there was any other response to a listing, or the first is too old.
    pub gone: u8,
    /// The annotations of the object that was deleted last.
    pub backup: Option<Annotation>,
    /// The invariants that a step has violated, as bits of [`super::Invariant`].
    pub broken: u16,
    /// Events that have happened, as bits of [`super::Event`].
    pub events: u16,
}

/// The whole state.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ModelState {
    /// The object in the API server.
    pub object: Option<ModelObject>,
    /// Number of objects of this name so far.
    pub lives: u8,
    /// The controllers, each believing that it leads.
    pub controllers: Vec<Controller>,
    /// Requests in flight to Atlas.
    pub requests: Vec<AtlasRequest>,
    /// Writes to the object whose senders have given up.
    pub late: Vec<Late>,
    /// Atlas.
    pub endpoints: Vec<ModelEndpoint>,
    /// Number of ids that Atlas has assigned.
    pub made: u8,
    /// Number of attempts so far.
    pub nonces: u8,
    /// The remaining budgets.
    pub left: Budget,
    /// Past events.
    pub past: PastEvents,
}

impl ModelState {
    /// Returns the live endpoints with our mark.
    pub(crate) fn ours(&self) -> impl Iterator<Item = &ModelEndpoint> {
        self.endpoints.iter().filter(|e| e.mark == MarkOwner::Ours && e.is_live())
    }

    /// Returns the endpoint `id`, unless it is deleted.
    pub(crate) fn endpoint(&mut self, id: u8) -> Option<&mut ModelEndpoint> {
        self.endpoints.iter_mut().find(|e| e.id == id && e.phase != Phase::Gone)
    }

    /// Returns `true` if endpoint `id` exists and is not being deleted.
    pub(crate) fn is_live(&self, id: u8) -> bool {
        self.endpoints.iter().any(|e| e.id == id && e.is_live())
    }
}
