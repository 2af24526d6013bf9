//! What the rules return: one step to take, the state to report, and when to requeue.
//!
//! Plain data; nothing here acts.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::claim::Nonce;
use crate::fault::Fault;
use crate::requeue::Requeue;

use super::claim::ClaimTarget;
use super::endpoint::{CloudEndpointId, RegisteredEndpoint};
use super::life::{Entry, Life};
use super::region::Region;
use super::service::{EndpointService, ServiceId};

/// The outcome of one decision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// What to do now: at most one remote write.
    pub step: Step,
    /// What to report if nothing more happens.
    pub state: State,
    /// When to requeue if nothing more happens.
    pub requeue: Requeue,
    /// What the listing contradicts: the first of an unbroken run of these is remembered.
    pub doubt: Option<Doubt>,
}

/// What the status shows and a listing contradicts, and a second one has to confirm.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Doubt {
    /// The listing does not show this life.
    Absent(Life),
    /// What is reported ready is not.
    NotReady,
}

/// One thing to do.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Step {
    /// Nothing.
    Rest,
    /// Read from Atlas, then decide again.
    List,
    /// Write the finalizer, guarded by resourceVersion and uid.
    Hold,
    /// Write finalizer and claim, guarded by resourceVersion and uid.
    Claim(ClaimTarget),
    /// Send the request of the claimed attempt, once, before its deadline.
    Send(Nonce, ClaimTarget),
    /// Write this entry, guarded by uid, claim and entries as they were read. With a nonce: the response to that attempt, which
    /// settles it.
    Record(Entry, Option<Nonce>),
    /// Remove the entry of a life from the status, guarded as a record.
    Forget(Life, ForgetReason),
    /// Set the remote regions of a service, after the object was read once more. It needs no claim, because it can be repeated.
    Update(ServiceId, BTreeSet<Region>),
    /// Remove the finalizer.
    Release,
}

/// Why an entry is removed.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum ForgetReason {
    /// Atlas has confirmed that the life is over.
    Gone,
    /// It stays in Atlas, for this reason.
    Retained(RetainReason),
}

/// Why a thing stays in Atlas when its object lets go of it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum RetainReason {
    /// `deletionPolicy` is `Retain`, or the object only observes.
    Declared,
    /// The object did not create it, and `deletionPolicy` is unset.
    NotOurs(Entry),
    /// The object declares another endpoint now, and had adopted this one: a typing error must not delete what it hit.
    FormerlyAdopted,
    /// Another object names it.
    Heir(String),
    /// The spec is invalid, for this reason, so that nobody knows what may be deleted.
    Invalid(String),
}

/// The state of an object, from which its conditions follow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// `spec.suspend` holds everything.
    Suspended,
    /// The spec is invalid, for this reason.
    Invalid(String),
    /// Atlas could not be read.
    ListingFailed(Fault),
    /// An older object, described, names the same.
    Conflict(String),
    /// Atlas has the thing, and `adopt` is `Never`.
    Exists(Life),
    /// Atlas does not have the thing, and nothing may be created.
    NotFound,
    /// The endpoint cannot be registered yet.
    Blocked(Blocked),
    /// There is nothing in Atlas yet.
    Creating(Creating),
    /// Atlas removes the thing.
    BeingRemoved,
    /// One response contradicts the status.
    Doubted,
    /// The recorded life is over.
    Lost(Option<Duration>),
    /// The recorded service, as Atlas shows it.
    Service(EndpointService),
    /// The recorded service, as Atlas shows it: its remote regions are not the declared ones.
    Updating(EndpointService, Updating),
    /// The recorded endpoint, as Atlas shows it.
    Endpoint(EndpointState),
    /// The object is being deleted.
    Deleting(Deleting),
}

/// Why an endpoint cannot be registered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Blocked {
    /// The service does not exist: what does not, described.
    ServiceNotFound(String),
    /// The object that declares the service does not allow the reference.
    ServiceNotAllowed(String),
    /// The service accepts no endpoint yet: why, described.
    ServiceNotReady(String),
    /// The referenced object has no id yet, for this reason.
    AwaitingVpcEndpoint(String),
    /// The reference does not resolve, for this reason.
    ReferenceNotFound(String),
    /// The VPC endpoint was registered at a service that is gone.
    Stale(CloudEndpointId),
    /// Too many former endpoints are still registered.
    TooMany,
}

/// Why there is nothing in Atlas yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Creating {
    /// The create request comes next.
    Pending,
    /// A claimed request of unknown outcome may still take effect for this long.
    AwaitingOutcome(Duration),
    /// Another object's request may still take effect for this long.
    AwaitingRival(Duration),
    /// Atlas refused the create request.
    Refused(Fault),
}

/// Why the remote regions of a service are not the declared ones.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Updating {
    /// They are about to be set, or Atlas has yet to show them.
    InProgress,
    /// Atlas refused to set them.
    Refused(Fault),
    /// Others have set others, again and again: they are left alone.
    Contested,
}

/// What is known of a recorded endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndpointState {
    /// Its life.
    pub life: Life,
    /// As Atlas shows it; `None` if it could not be read, for a reason that `unread` has.
    pub endpoint: Option<RegisteredEndpoint>,
    /// Why it could not be read.
    pub unread: Option<Fault>,
}

/// Why a deleted object is still there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Deleting {
    /// Atlas is removing the thing, or has to confirm that it did.
    InProgress,
    /// A claimed request of unknown outcome may still take effect for this long.
    AwaitingOutcome(Duration),
    /// A request failed or was refused.
    Failed(Fault),
    /// These objects use the service.
    InUse(Vec<String>),
    /// These endpoints are registered at the service.
    EndpointsAttached(Vec<String>),
    /// An older object, described, that is being deleted removes the thing, or another object's request may still take effect.
    Rival(Option<String>),
    /// The service is not known any more, so that nothing can be requested, for this reason.
    Unreachable(String),
}

impl State {
    /// Returns the service, if it is one that Atlas shows.
    #[must_use]
    pub fn service(&self) -> Option<&EndpointService> {
        match self {
            Self::Service(service) | Self::Updating(service, _) => Some(service),
            _ => None,
        }
    }
}

impl Step {
    /// Returns its name for logs.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Rest => "rest",
            Self::List => "list",
            Self::Hold => "hold",
            Self::Claim(ClaimTarget::Create(_)) => "claim a create",
            Self::Claim(ClaimTarget::Delete(_)) => "claim a delete",
            Self::Send(_, ClaimTarget::Create(_)) => "create",
            Self::Send(_, ClaimTarget::Delete(_)) => "delete",
            Self::Record(..) => "record",
            Self::Forget(..) => "forget",
            Self::Update(..) => "update",
            Self::Release => "release",
        }
    }
}
