//! The custom resources in the model: their specs, claims and statuses. Plain data.
//!
//! An object has a slot, which is its name: the even ones declare the one endpoint service, the odd ones an endpoint at it. It has a
//! life, which is its uid, and by which the older of two is found.

use domain::dedicated::life::{Provenance, Sort};
use domain::dedicated::observed::{Adopt, Deletion};

/// The number of slots: two services, and two endpoints.
pub const SLOTS: usize = 4;

/// The most entries that the status of one object has.
const MAX_ENTRIES: usize = 3;

/// Returns the sort of the objects in a slot.
pub(crate) fn sort(slot: usize) -> Sort {
    if slot.is_multiple_of(2) { Sort::Service } else { Sort::Endpoint }
}

/// Returns the other slot of that sort.
pub(crate) fn sibling(slot: usize) -> usize {
    (slot + 2) % SLOTS
}

/// The spec that the user declares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[allow(clippy::struct_excessive_bools, reason = "each is a field of the spec")]
pub struct Manifest {
    /// `deletionPolicy`.
    pub deletion: Option<Deletion>,
    /// `adopt`.
    pub adopt: Adopt,
    /// `managementPolicy: Observe`.
    pub observe: bool,
    /// `suspend`.
    pub suspend: bool,
    /// `replace: BreakBeforeMake`.
    pub break_before_make: bool,
    /// The endpoint; 0 in the spec of a service.
    pub endpoint: u8,
    /// It refers to the service by its key, and not through the object in the first slot.
    pub direct: bool,
}

/// What stands in Atlas under an id: a service, or an endpoint at it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ModelLife {
    /// The service.
    pub service: u8,
    /// The endpoint; 0 is the service itself.
    pub endpoint: u8,
}

/// What a claimed request is to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ModelTarget {
    /// POST of the service.
    CreateService,
    /// POST of an endpoint.
    Create(ModelLife),
    /// DELETE.
    Delete(ModelLife),
}

impl ModelTarget {
    /// Returns `true` if both write to the same key: the one service, or an endpoint with the same id.
    pub(crate) fn has_key_of(self, other: Self) -> bool {
        let endpoint = |target| match target {
            Self::CreateService => 0,
            Self::Create(life) | Self::Delete(life) => life.endpoint,
        };
        endpoint(self) == endpoint(other)
    }
}

/// The claim annotation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ModelClaim {
    /// The attempt.
    pub nonce: u8,
    /// The life whose uid it names.
    pub life: u8,
    /// What it is to do.
    pub target: ModelTarget,
}

/// What a status records of one life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ModelEntry {
    /// The life.
    pub life: ModelLife,
    /// How the object came to it.
    pub provenance: Provenance,
    /// The life of the object that recorded it.
    pub by: u8,
}

/// The entries of a status, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct RecordedLives([Option<ModelEntry>; MAX_ENTRIES]);

impl RecordedLives {
    /// Returns the entries; `None` if they are too many.
    pub(crate) fn of(entries: impl Iterator<Item = ModelEntry>) -> Option<Self> {
        let mut all = Self::default();
        for (n, entry) in entries.enumerate() {
            *all.0.get_mut(n)? = Some(entry);
        }
        Some(all)
    }

    /// Returns each entry.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &ModelEntry> + Clone {
        self.0.iter().flatten()
    }

    /// Returns the entry of a life.
    pub(crate) fn get(&self, life: ModelLife) -> Option<&ModelEntry> {
        self.iter().find(|entry| entry.life == life)
    }

    /// Returns whether there is none.
    pub(crate) fn is_empty(&self) -> bool {
        self.0[0].is_none()
    }
}

/// A custom resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ModelObject {
    /// Its uid. Of two, the older one has the smaller.
    pub life: u8,
    /// `metadata.deletionTimestamp` is set.
    pub deleting: bool,
    /// Our finalizer is on it.
    pub finalizer: bool,
    /// The claim annotation.
    pub claim: Option<ModelClaim>,
    /// `status.settledClaim`; 0 is none.
    pub settled: u8,
    /// What the status records.
    pub entries: RecordedLives,
    /// The spec.
    pub manifest: Manifest,
    /// The endpoints that the spec or the status has named so far, as bits; no rule reads it.
    pub named: u8,
}

impl ModelObject {
    /// Returns the object with everything that it names now among what it has named.
    #[must_use]
    pub(crate) fn naming(self) -> Self {
        let recorded = self.entries.iter().map(|entry| entry.life.endpoint);
        let named = recorded.chain([self.manifest.endpoint]).fold(self.named, |named, id| named | 1 << id);
        Self { named, ..self }
    }

    /// Returns `true` if its claim may still take effect, as far as its status says.
    pub(crate) fn is_open(&self) -> bool {
        self.claim.is_some_and(|claim| claim.nonce != self.settled)
    }
}

/// An object in its slot, as it was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct HeldObject {
    /// The slot.
    pub slot: u8,
    /// The object.
    pub object: ModelObject,
    /// The provenance of an entry of another object counts (an ablation).
    pub trusts_all: bool,
}
