//! What the rules return: one step to take, the state to report, and when to requeue.
//!
//! Plain data; nothing here acts.

use std::time::Duration;

use crate::fault::Fault;
use crate::ids::VpcEndpointId;
use crate::requeue::Requeue;
use crate::serverless::endpoint::{Endpoint, EndpointId};
use crate::serverless::ownership::Nonce;
use crate::token::Token;

/// The outcome of one decision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// What to do now: at most one remote write.
    pub step: Step,
    /// What to report if nothing more happens.
    pub state: State,
    /// When to requeue if nothing more happens.
    pub requeue: Requeue,
    /// What the listing shows to be gone: the first of an unbroken run of these is remembered.
    pub absent: Option<ConfirmedAbsence>,
}

/// What a listing does not show any more, and a second one has to confirm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ConfirmedAbsence {
    /// The recorded endpoint; another one with our mark is there.
    Recorded,
    /// Everything of ours.
    Everything,
    /// Something that the status shows of the recorded endpoint, which is listed.
    Known(Withdrawn),
}

/// What the status shows of the recorded endpoint and a listing contradicts. Two listings confirm each other only if they
/// contradict the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[allow(clippy::struct_excessive_bools, reason = "each is withdrawn or not")]
pub struct Withdrawn {
    /// A usable `endpointServiceName` is missing, or another one is there.
    pub service_name: bool,
    /// `cloudProviderEndpointId` is missing, or is one that nobody declared, in the same status.
    pub vpc_endpoint_id: bool,
    /// The status is missing, `FAILED`, not known, or an earlier one.
    pub status: bool,
    /// The endpoint is `DELETING`, and this operator did not request it.
    pub deleting: bool,
    /// The endpoint carries the mark of another owner.
    pub mark: bool,
}

/// One thing to do.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Step {
    /// Nothing.
    Rest,
    /// Read the instance's listing, then decide again.
    List,
    /// Write finalizer and claim, guarded by resourceVersion and uid.
    Claim {
        /// The open attempt to announce again; none: a fresh one.
        nonce: Option<Nonce>,
        /// The lost endpoint that the claimed attempt replaces.
        replaced: Option<EndpointId>,
        /// The VPC endpoint id that belonged to it.
        stale_vpc_endpoint: Option<String>,
    },
    /// POST, once, for this nonce, before its deadline.
    Create {
        /// The claimed attempt.
        nonce: Nonce,
        /// The whole comment, mark included.
        comment: String,
    },
    /// Write id and status, guarded by uid, claim and recorded id as they were read.
    Record {
        /// The endpoint.
        endpoint: Endpoint,
        /// How it came to be ours.
        origin: Origin,
    },
    /// PATCH what differs.
    Update {
        /// The endpoint.
        id: EndpointId,
        /// The whole comment, mark included, if it differs.
        comment: Option<String>,
        /// The VPC endpoint to connect, if it differs.
        vpc_endpoint: Option<VpcEndpointId>,
    },
    /// DELETE.
    Delete {
        /// The endpoint.
        id: EndpointId,
        /// It is an unused duplicate, not the recorded endpoint of an object that is being deleted.
        excess: bool,
    },
    /// Remove the finalizer.
    Release(ReleaseReason),
}

/// How a recorded endpoint came to be ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Origin {
    /// Our POST created it.
    Created,
    /// A listing showed it with our mark.
    Adopted,
    /// `spec.endpointId` names it.
    Named,
}

/// What becomes of the endpoint when its object is released.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ReleaseReason {
    /// Atlas has confirmed that it is gone.
    Deleted,
    /// It stays in Atlas, as declared or because it is not ours to delete.
    Retained,
}

/// The state of an object, from which its conditions follow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// `spec.suspend` holds everything.
    Suspended,
    /// The spec is invalid, for this reason.
    Invalid(String),
    /// The listing failed.
    ListingFailed(Fault),
    /// Atlas responded that the instance, or this API, is gone, and a second response has to confirm it.
    Unconfirmed(Fault),
    /// There is no endpoint yet.
    Creating(Creating),
    /// The recorded endpoint, as Atlas shows it.
    Recorded(Recorded),
    /// The claim of another cluster is on the object, which may own an endpoint elsewhere.
    AdoptionRequired {
        /// The other cluster.
        cluster: String,
        /// The token that its endpoint is marked with.
        token: Token,
    },
    /// Another owner's mark is on the endpoint.
    OwnershipConflict {
        /// The endpoint.
        id: EndpointId,
        /// Its owner.
        owner: Rival,
    },
    /// The endpoint is gone and is not created again, because `spec.endpointId` names it.
    Lost(EndpointId),
    /// The object is being deleted.
    Deleting(Deleting),
}

/// Another owner of an endpoint, as far as this object may know it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rival {
    /// An object in the same namespace. The endpoint may be taken over from it.
    Neighbor {
        /// Its name.
        name: String,
        /// Its token.
        token: Token,
    },
    /// An unknown owner. The endpoint may be taken over from it.
    Unknown(Token),
    /// An object in another namespace, from which the operator's default credentials take nothing over.
    Protected,
}

/// Why there is no endpoint yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Creating {
    /// The create request comes next.
    Pending,
    /// An attempt of unknown outcome may still land for this long.
    AwaitingOutcome(Duration),
    /// An endpoint that was recorded before may exist, and for this long no listing proves that it does not.
    AwaitingVisibility(Duration),
    /// The predecessor with our mark is still being removed.
    AwaitingPredecessor(EndpointId),
    /// A listing does not show the endpoint that `spec.endpointId` names, and a second one has to confirm that.
    AwaitingNamed(EndpointId),
    /// Atlas refused the create request.
    Refused(Fault),
}

/// What is known of a recorded endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    /// The endpoint, as Atlas last showed it.
    pub endpoint: Endpoint,
    /// The listing contradicts the status, or does not show the endpoint, and a second one has to confirm that: this is what the
    /// status shows.
    pub contradicted: bool,
    /// It was adopted, and a second listing has to confirm it.
    pub unconfirmed: bool,
    /// Atlas refused to change it.
    pub refused: Option<Fault>,
    /// Other endpoints with our mark that are not ours to remove now.
    pub duplicates: Vec<EndpointId>,
}

/// Why a deleted object is still there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Deleting {
    /// Atlas is removing the endpoint, or has to confirm that it did.
    InProgress,
    /// An attempt of unknown outcome may still land for this long.
    AwaitingOutcome(Duration),
    /// A request failed or was refused.
    Blocked(Fault),
    /// The endpoint no longer carries our mark, and the credentials that could restore it are missing, for the reason in the fault.
    MarkMissing(EndpointId, Fault),
}
