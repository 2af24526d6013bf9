//! Requests in flight: writes to Atlas and to objects, also those whose sender has given up, and how they end. Plain data.

use super::object::{ModelClaim, ModelObject, ModelTarget, RecordedLives};

/// A request in flight to Atlas.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct AtlasRequest {
    /// The attempt.
    pub nonce: u8,
    /// The write.
    pub target: ModelTarget,
    /// The life of the object that it is sent for.
    pub sender: u8,
    /// The user said `Delete`.
    pub permitted: bool,
    /// Since the claim, what it aims at has begun another life, by a POST of ours.
    pub outlived: bool,
    /// The remaining ticks that it may stay in flight.
    pub left: u8,
    /// The controller and the slot that wait for the response.
    pub from: Option<(u8, u8)>,
}

/// A write to an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ObjectPatch {
    /// The finalizer, and a claim if there is one.
    Claim(Option<ModelClaim>),
    /// The status. A field that does not change is not in the patch.
    Status {
        /// The entries, if they change.
        entries: Option<RecordedLives>,
        /// `settledClaim`, if it changes.
        settled: Option<u8>,
        /// It is guarded by uid, claim and entries only.
        record: bool,
    },
    /// Removal of the finalizer.
    Release {
        /// The entries that stay because another object names what they record, as bits.
        handed_over: u8,
    },
}

/// A write to an object whose sender has given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Late {
    /// The slot.
    pub slot: u8,
    /// The object as its sender had read it.
    pub held: ModelObject,
    /// The write.
    pub patch: ObjectPatch,
}

/// The outcome of a step's remote effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum StepOutcome {
    /// Success.
    #[default]
    Well,
    /// A listing by a replica that lags.
    Lagging,
    /// The API server executes the write, and the response is lost; or Atlas does not respond to a listing.
    ResponseLost,
    /// The API server is unreachable.
    Unreached,
    /// The sender gives up, and the API server gets the write later.
    Parked,
}

/// How a request to Atlas ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RequestOutcome {
    /// Executed, with a response.
    Responded,
    /// Executed, and the response is lost.
    ResponseLost,
    /// Not executed: Atlas rejects it.
    Rejected,
    /// The request is lost.
    Lost,
    /// The sender gives up while it is still in flight.
    GivenUp,
}
