//! The state of the model: objects in an API server, controllers with their memories and what their watches have shown, requests in
//! flight, and one service with its endpoints in Atlas.
//!
//! Plain data, kept small because there are millions of states. Time is in ticks; an event older than `times::OLD` ticks happened long
//! ago. Nothing here decides or changes anything.

use domain::dedicated::memory::Memory;
use domain::dedicated::reconcile::Reconcile;

use super::budget::Budget;
use super::in_flight::{AtlasRequest, Late};
use super::object::{HeldObject, ModelLife, ModelObject, ModelTarget, SLOTS, sort};
use crate::interned::Interned;

/// What may be in a slot.
pub type Slots<T> = [T; SLOTS];

/// The status of something in Atlas.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Phase {
    /// INITIATING, or PENDING.
    Preparing,
    /// AVAILABLE.
    Available,
    /// DELETING.
    Removing,
    /// Deleted; kept as long as a listing may still show it.
    Gone,
}

/// One life of the service, or of an endpoint, in Atlas.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct AtlasLife {
    /// Its ids.
    pub life: ModelLife,
    /// Its status.
    pub phase: Phase,
    /// The life of the object whose POST created it; 0: others created it.
    pub creator: u8,
    /// Ticks since its creation, up to `LAG`.
    pub born: u8,
    /// Ticks since its DELETE or its end, up to `LAG`.
    pub left: u8,
}

impl AtlasLife {
    /// Returns `true` if it exists.
    pub(crate) fn exists(self) -> bool {
        self.phase != Phase::Gone
    }

    /// Returns `true` if it exists and is not being removed.
    pub(crate) fn is_live(self) -> bool {
        matches!(self.phase, Phase::Preparing | Phase::Available)
    }

    /// Starts or completes its removal now.
    pub(crate) fn leave(&mut self, phase: Phase) {
        self.phase = phase;
        self.left = 0;
    }
}

/// The machine that ships, for the objects of the model.
pub type Machine = Reconcile<HeldObject>;

/// A running reconcile.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RunningReconcile {
    /// The machine that ships.
    pub machine: Interned<Machine>,
    /// It waits for the response of Atlas.
    pub waits: bool,
    /// What it has claimed last and not sent.
    pub claimed: Option<ModelTarget>,
    /// The objects that named what it is to delete when it was claimed, as bits.
    pub namers: u8,
    /// Since then, what it is to delete has begun another life, by a POST of ours.
    pub outlived: bool,
}

/// A claim that a process has seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ModelSeenClaim {
    /// The slot of its object.
    pub slot: u8,
    /// The attempt.
    pub nonce: u8,
    /// The life of its object.
    pub life: u8,
    /// What it is to do.
    pub target: ModelTarget,
    /// Ticks since it was seen first.
    pub age: u8,
}

/// What the watches have shown to a controller.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct View {
    /// The objects; never newer than the API server, and often older.
    pub objects: Slots<Option<ModelObject>>,
    /// The claims that are remembered, in order.
    pub claims: Vec<ModelSeenClaim>,
}

/// One controller.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Controller {
    /// What its watches have shown.
    pub view: Interned<View>,
    /// What the code that ships remembers of each object.
    pub memory: Slots<Interned<Memory>>,
    /// The reconciles that are running.
    pub running: Slots<Option<RunningReconcile>>,
    /// The objects that it has written since its watch has shown them, as bits: it reads them before it decides.
    pub behind: u8,
    /// The objects whose services it knows, as bits.
    pub services: u8,
    /// Attempts whose response was recorded (counted only where an ablation needs it).
    pub answered: u16,
}

/// Past events that the present state does not show.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct PastEvents {
    /// The lives of the objects that the operator has released, as bits.
    pub released: u16,
    /// What a POST of an object created, for each object, service and endpoint.
    pub created: u64,
    /// What was deleted last in each slot, for a restore.
    pub backups: Slots<Option<ModelObject>>,
    /// The invariants that were violated, as bits of [`super::Invariant`].
    pub broken: u16,
}

/// The whole state.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ModelState {
    /// The objects in the API server.
    pub objects: Slots<Option<ModelObject>>,
    /// Number of objects so far.
    pub lives: u8,
    /// The controllers, each believing that it leads.
    pub controllers: Vec<Controller>,
    /// Requests in flight to Atlas.
    pub requests: Vec<AtlasRequest>,
    /// Writes to objects whose senders have given up.
    pub late: Vec<Late>,
    /// Atlas.
    pub atlas: Vec<AtlasLife>,
    /// Number of services so far.
    pub made: u8,
    /// Number of attempts so far.
    pub nonces: u8,
    /// The remaining budgets.
    pub left: Budget,
    /// Past events.
    pub past: PastEvents,
}

impl ModelState {
    /// Returns the service that exists.
    pub(crate) fn service(&self) -> Option<&AtlasLife> {
        self.atlas.iter().find(|thing| thing.life.endpoint == 0 && thing.exists())
    }

    /// Returns a life, if it exists.
    pub(crate) fn get(&self, life: ModelLife) -> Option<&AtlasLife> {
        self.atlas.iter().find(|thing| thing.life == life && thing.exists())
    }

    /// Returns a life, if it exists.
    pub(crate) fn get_mut(&mut self, life: ModelLife) -> Option<&mut AtlasLife> {
        self.atlas.iter_mut().find(|thing| thing.life == life && thing.exists())
    }

    /// Returns the endpoints of a service that exist.
    pub(crate) fn endpoints_of(&self, service: u8) -> impl Iterator<Item = &AtlasLife> {
        let is_of = move |thing: &&AtlasLife| {
            thing.life.service == service && thing.life.endpoint != 0 && thing.exists()
        };
        self.atlas.iter().filter(is_of)
    }

    /// Returns the living objects, that of `slot` excepted, that name a life so that nothing may delete it, as bits of their slots: the
    /// endpoint in their spec, or the service; and all objects of endpoints that use a service. A URL at a service that is gone leads
    /// nowhere.
    pub(crate) fn namers(&self, objects: &Slots<Option<ModelObject>>, slot: usize, life: ModelLife) -> u8 {
        let mut found = 0;
        if self.get(ModelLife { endpoint: 0, ..life }).is_none() {
            return found;
        }
        for (other, object) in objects.iter().enumerate() {
            let Some(object) = object.filter(|_| other != slot) else { continue };
            let is_endpoint = sort(other) == domain::dedicated::life::Sort::Endpoint;
            let names = match (life.endpoint, is_endpoint) {
                (0, false) => !object.deleting,
                (0, true) => {
                    let refers = object.manifest.direct || slot == 0;
                    refers || object.entries.iter().any(|entry| entry.life.service == life.service)
                }
                (id, true) => !object.deleting && object.manifest.endpoint == id,
                (_, false) => false,
            };
            if names {
                found |= 1 << other;
            }
        }
        found
    }
}
