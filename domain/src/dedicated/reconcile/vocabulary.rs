//! The words of the vocabulary for both kinds: their claim, their calls to Atlas and the responses. Plain data.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::marker::PhantomData;
use std::sync::Arc;

use crate::claim::Nonce;
use crate::fault::Fault;
use crate::instant::{SinceBoot, Stamp};
use crate::reconcile::Vocabulary;

use super::super::claim::ClaimTarget;
use super::super::cluster::ClusterName;
use super::super::decision::Decision;
use super::super::endpoint::{CloudEndpointId, RegisteredEndpoint};
use super::super::life::Life;
use super::super::names::Others;
use super::super::observed::{ConnectionStrings, Observed, Subject};
use super::super::region::Region;
use super::super::service::{EndpointService, ServiceId};
use super::super::status::Report;

/// The vocabulary of reconciles of both kinds, with objects of type `R`.
#[derive(Debug)]
pub struct Dedicated<R>(PhantomData<R>);

impl<R: Debug> Vocabulary for Dedicated<R> {
    type Object = R;
    type Others = Others;
    type Reference = Subject;
    type Declaration = Option<CloudEndpointId>;
    type Listing = Listed;
    type Intent = WriteIntent;
    type Claim = Option<ClaimWrite>;
    type Call = DedicatedWrite;
    type Response = CallResponse;
    type Plan = Plan;
}

/// A decision, the observed state that it is based on, and the status to report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// What the decision rests on.
    pub observed: Observed,
    /// The decision.
    pub decision: Decision,
    /// The status that reports it.
    pub report: Report,
}

impl Plan {
    /// Returns `true` if it follows from two listings that confirm each other.
    #[must_use]
    pub fn is_confirmed(&self) -> bool {
        let Observed { memory, times, .. } = &self.observed;
        let doubt = self.decision.doubt.as_ref().zip(memory.doubt.as_ref());
        doubt.is_some_and(|(doubt, (known, span))| doubt == known && *span >= times.confirm_gap)
    }
}

/// What Atlas shows, or why nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// When the request for the listing was sent.
    pub sent: SinceBoot,
    /// All services of the project and provider, or the fault.
    pub result: Result<Arc<[EndpointService]>, Fault>,
    /// A request was sent for it.
    pub was_requested: bool,
    /// The endpoints that were read then.
    pub endpoints: BTreeMap<Life, Result<Option<RegisteredEndpoint>, Fault>>,
    /// The private connection strings behind the declared endpoint that were read then.
    pub clusters: BTreeMap<ClusterName, Result<Option<Vec<ConnectionStrings>>, Fault>>,
}

/// The claim to write on the object, with the finalizer; none: the finalizer alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimWrite {
    /// The attempt.
    pub nonce: Nonce,
    /// What it is to do.
    pub target: ClaimTarget,
}

/// A write to Atlas that is about to begin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WriteIntent {
    /// A POST or DELETE, which is claimed first.
    Claimed(ClaimTarget),
    /// A PATCH of this service.
    Update(ServiceId),
}

/// A write to Atlas.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DedicatedWrite {
    /// A POST or DELETE that is claimed.
    Claimed(ClaimedWrite),
    /// A PATCH.
    Update(RegionsWrite),
}

/// A PATCH of the remote regions of a service, sent if at the last moment less than D has passed since `read`, and the process leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegionsWrite {
    /// The service.
    pub service: ServiceId,
    /// What is declared.
    pub regions: BTreeSet<Region>,
    /// When the object was found to be as it was decided on.
    pub read: Stamp,
}

/// A claimed write, sent if at the last moment less than D has passed since `claimed`, the process leads, and the watch shows nothing
/// that forbids it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimedWrite {
    /// What it is to do.
    pub target: ClaimTarget,
    /// When this process started to claim the attempt.
    pub claimed: Stamp,
}

/// The response to a write to Atlas.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CallResponse {
    /// The POST created this service.
    ServiceCreated(EndpointService),
    /// The POST registered this endpoint.
    EndpointCreated(RegisteredEndpoint),
    /// The PATCH was accepted: a listing shows what it changed.
    Updated,
    /// The DELETE was accepted, or Atlas knows no such thing.
    Deleted {
        /// Atlas knows none.
        not_found: bool,
    },
    /// The request was not executed and never will be: it was not sent, or Atlas rejected it.
    Refused(Fault),
    /// The outcome is unknown.
    Uncertain(Fault),
}
