//! The values of labels. Each set is bounded, whatever Atlas or a user writes.

use atlas::Outcome;
use domain::status::{ConditionType, Reason};

/// The result of a reconcile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReconcileResult {
    /// Nothing is left to do until something changes.
    Success,
    /// It failed and is retried after a back-off.
    Error,
    /// It is requeued at once.
    Requeue,
    /// It is requeued after a delay.
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

/// The outcome of a create request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PostOutcome {
    /// The endpoint was created.
    Created,
    /// The endpoint was not created.
    Refused,
    /// The outcome is unknown.
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

/// A milestone that an object has reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Milestone {
    /// From the claim to RESERVED.
    Reserved,
    /// From sending the VPC endpoint's id to AVAILABLE.
    Available,
    /// From the deletion request until the object is gone, where that takes more than one reconcile.
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

/// The cause for which an unfinished object waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum WaitingFor {
    /// A VPC endpoint, from the user or another controller.
    VpcEndpoint,
    /// Atlas, or this operator.
    Progress,
    /// A correction by a user, without which it makes no progress.
    Correction,
    /// The end of its deletion.
    Deletion,
}

impl WaitingFor {
    /// All values.
    pub const ALL: [Self; 4] = [Self::VpcEndpoint, Self::Progress, Self::Correction, Self::Deletion];

    /// Returns the label's value.
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

/// The contribution of one custom resource to the metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ObjectSnapshot {
    /// The status in Atlas, and readiness.
    pub state: ObjectState,
    /// The counted conditions, with their status and reason.
    pub conditions: [Option<(ConditionType, bool, Reason)>; 5],
    /// The cause for which it waits, and since when (seconds of the Unix epoch).
    pub waits_for: Option<(WaitingFor, i64)>,
}

/// The status in Atlas and readiness of one custom resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ObjectState {
    pub(super) state: &'static str,
    pub(super) ready: bool,
}

impl ObjectState {
    /// Creates the state of an object with this status in Atlas: one of few words, so that Atlas cannot create series.
    #[must_use]
    pub fn new(state: &'static str, ready: bool) -> Self {
        Self { state, ready }
    }
}

/// The status codes that Atlas is known to return, each counted by itself.
const KNOWN_CODES: [u16; 18] =
    [200, 201, 202, 204, 400, 401, 402, 403, 404, 405, 409, 410, 429, 500, 501, 502, 503, 504];

/// Returns the label of a call's outcome. An unexpected status code counts by its class, so that no intermediary can
/// create series.
pub(super) fn code(outcome: Outcome) -> String {
    match outcome {
        Outcome::Status(status) if !KNOWN_CODES.contains(&status) => format!("{}xx", status / 100),
        known => known.to_string(),
    }
}
