//! The words of the vocabulary for this kind: its claim, its calls to Atlas and their responses. Plain data.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::marker::PhantomData;
use std::sync::Arc;

use crate::fault::Fault;
use crate::ids::VpcEndpointId;
use crate::instant::{SinceBoot, Stamp};
use crate::reconcile::Vocabulary;
use crate::reference::VpcEndpoint;
use crate::serverless::decision::{Decision, Step};
use crate::serverless::endpoint::{Endpoint, EndpointId};
use crate::serverless::observed::{Observed, Owner};
use crate::serverless::ownership::Nonce;
use crate::serverless::status::Report;
use crate::sunset::Sunset;
use crate::token::Token;

/// The vocabulary of reconciles of this kind, with objects of type `R`.
#[derive(Debug)]
pub struct Serverless<R>(PhantomData<R>);

impl<R: Debug> Vocabulary for Serverless<R> {
    type Object = R;
    type Others = Others;
    type Reference = VpcEndpoint;
    type Declaration = Option<VpcEndpointId>;
    type Listing = Listed;
    type Intent = Intent;
    type Claim = ClaimWrite;
    type Call = EndpointWrite;
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

/// What other objects contribute to a decision.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Others {
    /// As in [`Observed::owners`].
    pub owners: BTreeMap<Token, Owner>,
    /// As in [`Observed::elsewhere`].
    pub elsewhere: BTreeSet<EndpointId>,
    /// Another object, described, that declares the same VPC endpoint.
    pub other_declarant: Option<String>,
}

/// The listing of an instance, or why there is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// When its request was sent.
    pub sent: SinceBoot,
    /// All endpoints of the instance, or the fault.
    pub result: Result<Arc<[Endpoint]>, Fault>,
    /// A request was sent for it.
    pub was_requested: bool,
    /// The announced end of the API, as far as any response has announced it.
    pub sunset: Option<Sunset>,
}

/// What a write to Atlas is begun for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Intent {
    /// A claim that no POST follows: nothing is written to Atlas.
    ClaimOnly,
    /// A POST, after its claim.
    Create,
    /// A PATCH of this endpoint.
    Update(EndpointId),
    /// A DELETE of this endpoint.
    Delete(EndpointId),
}

/// The claim to write on the object, with the finalizer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimWrite {
    /// The attempt.
    pub nonce: Nonce,
    /// The attempt is a new one.
    pub is_fresh: bool,
    /// The lost endpoint that the attempt replaces.
    pub replaced: Option<EndpointId>,
    /// The VPC endpoint id that belonged to it.
    pub stale_vpc_endpoint: Option<String>,
}

/// A write to Atlas.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EndpointWrite {
    /// POST, if at the last moment less than D has passed since `claimed`, the process leads and no deletion was seen.
    Create {
        /// The whole comment, mark included.
        comment: String,
        /// When this process started to claim the attempt.
        claimed: Stamp,
    },
    /// PATCH of these fields.
    Update {
        /// The endpoint.
        id: EndpointId,
        /// The whole comment, mark included.
        comment: Option<String>,
        /// The VPC endpoint.
        vpc_endpoint: Option<VpcEndpointId>,
    },
    /// DELETE.
    Delete {
        /// The endpoint.
        id: EndpointId,
        /// As in [`Step::Delete`].
        excess: bool,
    },
}

/// The response to a write to Atlas.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CallResponse {
    /// The POST created this endpoint.
    Created(Endpoint),
    /// The PATCH was accepted, and this is the endpoint now.
    Updated(Endpoint),
    /// The DELETE was accepted, or Atlas knows no such endpoint.
    Deleted {
        /// Atlas knows none.
        not_found: bool,
    },
    /// The request was not executed and never will be: it was not sent, or Atlas rejected it.
    Refused(Fault),
    /// The outcome is unknown.
    Uncertain(Fault),
}

impl Step {
    /// Returns its name for logs.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Rest => "rest",
            Self::List => "list",
            Self::Claim { .. } => "claim",
            Self::Create { .. } => "create",
            Self::Record { .. } => "record",
            Self::Update { .. } => "update",
            Self::Delete { .. } => "delete",
            Self::Release(_) => "release",
        }
    }
}
