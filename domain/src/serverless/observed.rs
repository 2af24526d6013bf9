//! What a reconcile has observed: the only input of the rules.
//!
//! Plain data. Every age is measured at the instant at which the listing was *sent* (or now, while there is none): a response
//! proves nothing about what happened after its request was sent.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::access::CredentialsInUse;
use crate::fault::{Fault, FaultKind};
use crate::ids::VpcEndpointId;
use crate::reference::VpcEndpoint;
use crate::serverless::decision::ConfirmedAbsence;
use crate::serverless::endpoint::{Endpoint, EndpointId};
use crate::serverless::ownership::{ClaimReading, Nonce, mark_of};
use crate::status::Reported;
use crate::sunset::Sunset;
use crate::token::Token;

pub use crate::deadline::Stage;
pub use crate::reconcile::WriteOutcome;
pub use crate::times::Times;

/// Everything that a decision rests on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observed {
    /// The object as it was read before the listing.
    pub object: Object,
    /// Its spec, or why that is invalid.
    pub spec: Result<Spec, String>,
    /// The credentials of the requests to Atlas.
    pub credentials: CredentialsInUse,
    /// The listing of the instance.
    pub listing: Listing,
    /// The owners of the other marks in the listing, as far as they were looked up.
    pub owners: BTreeMap<Token, Owner>,
    /// The endpoints of the listing that a living object of another namespace recorded or named before this object existed, as far
    /// as they were looked up. It matters with the default credentials only.
    pub elsewhere: BTreeSet<EndpointId>,
    /// What Atlas has announced about the end of this API, as far as this process knows.
    pub sunset: Option<Sunset>,
    /// What this process remembers of the object.
    pub memory: MemorySnapshot,
    /// The times of the creation protocol.
    pub times: Times,
}

impl Observed {
    /// The recorded endpoint's id.
    #[must_use]
    pub fn recorded(&self) -> Option<&EndpointId> {
        self.object.recorded.as_ref().map(|endpoint| &endpoint.id)
    }

    /// Returns `true` if a rule may depend on `endpoint` ([`concerns`]).
    #[must_use]
    pub fn concerns(&self, endpoint: &Endpoint) -> bool {
        concerns(&self.object, &self.spec, endpoint)
    }

    /// Returns `true` if `endpoint` carries this object's mark.
    #[must_use]
    pub fn is_ours(&self, endpoint: &Endpoint) -> bool {
        self.object.is_marked_on(endpoint)
    }
}

/// Returns `true` if a rule may depend on `endpoint`: it is recorded, named, or carries the object's mark. Other endpoints of the
/// instance may be left out of the listing (invariant `narrowing`), so that an object does not hold all of its neighbours.
#[must_use]
pub fn concerns(object: &Object, spec: &Result<Spec, String>, endpoint: &Endpoint) -> bool {
    let recorded = object.recorded.as_ref().map(|recorded| &recorded.id);
    let named = spec.as_ref().ok().and_then(|spec| spec.endpoint_id.as_ref());
    [recorded, named].contains(&Some(&endpoint.id)) || object.is_marked_on(endpoint)
}

/// The custom resource, as far as the rules care.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Object {
    /// Its token in this cluster.
    pub token: Token,
    /// `metadata.deletionTimestamp` is set.
    pub deleting: bool,
    /// Our finalizer is on it.
    pub finalizer: bool,
    /// The claim annotation.
    pub claim: ClaimReading,
    /// The recorded endpoint (`status._id`) as the status last showed it.
    pub recorded: Option<Endpoint>,
    /// The token that the user allows to be replaced (annotation `take-over`).
    pub take_over: Option<Token>,
    /// The VPC endpoint id that belonged to a lost endpoint service and is not sent again.
    pub stale_vpc_endpoint: Option<VpcEndpointId>,
    /// What the status reports so far.
    pub reported: Reported,
}

impl Object {
    /// Returns `true` if `endpoint` carries the mark of this object.
    fn is_marked_on(&self, endpoint: &Endpoint) -> bool {
        mark_of(&endpoint.comment).as_ref() == Some(&self.token)
    }
}

/// The declared state.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Spec {
    /// The user's comment, without a mark.
    pub comment: Option<String>,
    /// Adopt this endpoint instead of creating one.
    pub endpoint_id: Option<EndpointId>,
    /// The VPC endpoint to connect.
    pub vpc_endpoint: VpcEndpoint,
    /// When the object counts as ready; unset follows from `vpc_endpoint`.
    pub ready_when: Option<ReadyWhen>,
    /// Deletion of the object leaves the endpoint in Atlas.
    pub retain: bool,
    /// Nothing may be written to Atlas.
    pub observe: bool,
    /// No create, update or poll.
    pub suspend: bool,
    /// How long work may take before the object is reported stalled.
    pub progress_deadline: Duration,
}

impl Spec {
    /// Returns when the object is ready: as declared, else `Available` as soon as a VPC endpoint is declared.
    #[must_use]
    pub fn ready_when(&self) -> ReadyWhen {
        self.ready_when.unwrap_or(match self.vpc_endpoint {
            VpcEndpoint::Undeclared => ReadyWhen::Reserved,
            _ => ReadyWhen::Available,
        })
    }
}

/// The Atlas status at which an object counts as ready.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ReadyWhen {
    /// The endpoint service is known.
    Reserved,
    /// The VPC endpoint is connected.
    Available,
}

/// The owner of a mark, among the objects of this cluster that this process knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Owner {
    /// A living object in the same namespace, by its name.
    Neighbor(String),
    /// A living object in another namespace, whose name this one may not read.
    Elsewhere,
    /// No living object of this cluster.
    Nobody,
}

/// The listing of this reconcile.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Listing {
    /// None was requested yet.
    NotFetched,
    /// The request failed.
    Failed(Fault),
    /// All endpoints of the instance, or those of them that concern the object.
    Fetched(Vec<Endpoint>),
}

/// What this process remembers of one token. Nothing here is needed for safety after a restart: what is
/// missing only makes the rules wait longer.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MemorySnapshot {
    /// The attempts to create that this process has seen.
    pub attempts: Vec<Attempt>,
    /// The time since the recorded id was recorded or first seen.
    pub recorded: Duration,
    /// The time since an endpoint was recorded that no longer is, on this object or an earlier one: for V no listing proves
    /// that it does not exist.
    pub forgotten: Option<Duration>,
    /// The recorded endpoint was adopted by its mark this long ago, and no listing has confirmed it since.
    pub adopted: Option<Duration>,
    /// What an unbroken run of earlier listings has shown to be gone, and the time since the first of them.
    pub absent: Option<(ConfirmedAbsence, Duration)>,
    /// In which ways Atlas has reported that the instance, or this API, is no more, since it last responded anything else, each
    /// with the time since the first such response.
    pub gone: Vec<(FaultKind, Duration)>,
    /// The last response to a DELETE, by endpoint.
    pub deleted: Vec<Deleted>,
    /// The time since an excess endpoint was deleted.
    pub excess_deleted: Option<Duration>,
    /// The API server rejected the record of an endpoint.
    pub unrecorded: bool,
    /// The stage of work that was last reported, and how long it has been going on.
    pub working: Option<(Stage, Duration)>,
    /// The outcome of this reconcile's write to Atlas.
    pub last_write: WriteOutcome,
}

/// One attempt to create, known by the nonce of its claim.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Attempt {
    /// The claim's nonce.
    pub nonce: Nonce,
    /// The time since this process first saw it; for its own, since before the claim was sent.
    pub age: Duration,
    /// What this process knows of it.
    pub outcome: AttemptOutcome,
}

/// What is known of an attempt's POST request.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum AttemptOutcome {
    /// It may have been sent, and may still land.
    Unknown,
    /// This process claimed it and has not sent it.
    NotSent,
    /// This process sent it, and it created this endpoint, which is not recorded yet.
    Created(Endpoint),
    /// It cannot land any more: it was refused, or will never be sent.
    Settled,
}

impl AttemptOutcome {
    /// Returns `true` if it may have created an endpoint that nothing records.
    #[must_use]
    pub fn is_open(&self) -> bool {
        matches!(self, Self::Unknown | Self::Created(_))
    }
}

/// The response to a DELETE.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Deleted {
    /// The endpoint.
    pub id: EndpointId,
    /// The time since the response.
    pub ago: Duration,
    /// Atlas knew no such endpoint.
    pub not_found: bool,
}
