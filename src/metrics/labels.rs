//! The values that labels may have. Each set is bounded, whatever Atlas or a user writes.

use atlas::Outcome;
use domain::conditions::{ConditionType, Reason};
use domain::endpoint::EndpointStatus;

/// How a reconcile ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReconcileResult {
    /// Nothing is left to do until something changes.
    Success,
    /// It failed and is tried again after a pause.
    Error,
    /// It is to run again at once.
    Requeue,
    /// It is to run again later.
    RequeueAfter,
}

impl ReconcileResult {
    pub(super) const ALL: [Self; 4] = [Self::Success, Self::Error, Self::Requeue, Self::RequeueAfter];

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Error => "error",
            Self::Requeue => "requeue",
            Self::RequeueAfter => "requeue_after",
        }
    }
}

/// How a request that creates an endpoint ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PostOutcome {
    /// Definite yes.
    Created,
    /// Definite no.
    Refused,
    /// Nobody knows yet.
    Uncertain,
}

impl PostOutcome {
    pub(super) const ALL: [Self; 3] = [Self::Created, Self::Refused, Self::Uncertain];

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Refused => "refused",
            Self::Uncertain => "uncertain",
        }
    }
}

/// What an object waited for, and got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Milestone {
    /// From the claim to RESERVED.
    Reserved,
    /// From the moment the VPC endpoint's id was sent to AVAILABLE.
    Available,
    /// From the deletion's request until the object is gone, where that takes more than one look.
    Deleted,
}

impl Milestone {
    pub(super) const ALL: [Self; 3] = [Self::Reserved, Self::Available, Self::Deleted];

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Reserved => "reserved",
            Self::Available => "available",
            Self::Deleted => "deleted",
        }
    }
}

/// What an object waits for that is not done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum WaitingFor {
    /// A VPC endpoint: the user's turn, or another controller's.
    VpcEndpoint,
    /// Atlas, or this operator.
    Progress,
    /// A correction: it will not go on by itself.
    Correction,
    /// The end of its deletion.
    Deletion,
}

impl WaitingFor {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::VpcEndpoint, Self::Progress, Self::Correction, Self::Deletion];

    /// The label's value.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::VpcEndpoint => "vpc_endpoint",
            Self::Progress => "progress",
            Self::Correction => "correction",
            Self::Deletion => "deletion",
        }
    }
}

/// One custom resource, as far as it is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ObjectSnapshot {
    /// What Atlas last said.
    pub state: ObjectState,
    /// The conditions that are counted, with their status and reason.
    pub conditions: [Option<(ConditionType, bool, Reason)>; 5],
    /// What it waits for, and since when (seconds of the Unix epoch).
    pub awaits: Option<(WaitingFor, i64)>,
}

/// Status in Atlas and readiness of one custom resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ObjectState {
    pub(super) state: &'static str,
    pub(super) ready: bool,
}

impl ObjectState {
    /// `status` is what Atlas last said, if there is an endpoint. A word that this version does not know counts as
    /// `OTHER`, so that Atlas cannot make series.
    #[must_use]
    pub fn new(status: Option<&EndpointStatus>, ready: bool) -> Self {
        let state = status.map_or("NONE", |status| status.known().unwrap_or("OTHER"));
        Self { state, ready }
    }
}

/// The answers that Atlas is known to give, each counted by itself.
const KNOWN: [u16; 18] =
    [200, 201, 202, 204, 400, 401, 402, 403, 404, 405, 409, 410, 429, 500, 501, 502, 503, 504];

/// The label of a call's outcome. A status that nobody expects counts with its class, so that whoever sits in between
/// cannot make series.
pub(super) fn code(outcome: Outcome) -> String {
    match outcome {
        Outcome::Status(status) if !KNOWN.contains(&status) => format!("{}xx", status / 100),
        known => known.to_string(),
    }
}
