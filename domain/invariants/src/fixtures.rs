//! Fixtures that all tests of the rules share: ids, marks, endpoints and observations.
//!
//! Nothing here knows a rule; each test spells out what it expects.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;
use std::time::Duration;

pub use crate::draw::Draw;

use domain::access::CredentialsInUse;
use domain::fault::{Fault, FaultKind};
use domain::ids::VpcEndpointId;
use domain::serverless::endpoint::{Endpoint, EndpointId, EndpointStatus};
use domain::serverless::observed::{Listing, MemorySnapshot, Object, Observed, Spec, Times};
use domain::serverless::ownership::{Claim, ClaimReading, Nonce, marked_comment};
use domain::serverless::status::Report;
use domain::status::{Condition, ConditionType, Reason, Reported, ReportedCondition};
use domain::token::{ClusterId, Token};

pub const MINUTE: Duration = Duration::from_mins(1);

/// Each status that the rules know, and one that they do not.
pub static STATUSES: LazyLock<Vec<&str>> = LazyLock::new(|| {
    let known = EndpointStatus::KNOWN.iter().filter_map(EndpointStatus::known);
    known.chain(["PENDING_ACCEPTANCE"]).collect()
});

pub const FAULTS: [FaultKind; 14] = [
    FaultKind::CredentialsNotFound,
    FaultKind::Unauthorized,
    FaultKind::Forbidden,
    FaultKind::NoAccess,
    FaultKind::InstanceNotFound,
    FaultKind::EndpointNotFound,
    FaultKind::ServiceNotFound,
    FaultKind::Conflict,
    FaultKind::MultipleRegions,
    FaultKind::NotServerless,
    FaultKind::Retired,
    FaultKind::RateLimited,
    FaultKind::Refused,
    FaultKind::Unavailable,
];

pub fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// The endpoint id number `n`.
pub fn id(n: u64) -> EndpointId {
    format!("{n:024x}").parse().unwrap()
}

pub fn vpce(n: u32) -> VpcEndpointId {
    format!("vpce-{n:08x}").parse().unwrap()
}

pub fn nonce(n: u8) -> Nonce {
    Nonce::from_random([n; 16])
}

pub fn cluster() -> ClusterId {
    "this-cluster".parse().unwrap()
}

/// The token of the object under test.
pub fn token() -> Token {
    Token::of(&cluster(), "team-a", "orders")
}

/// Another owner's token.
pub fn stranger() -> Token {
    Token::of(&"that-cluster".parse().unwrap(), "team-a", "orders")
}

/// The owner of the mark in a comment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    Ours,
    None,
    Strangers,
}

/// An endpoint as Atlas reports one of that status: with a service from RESERVED on, and connected to VPC endpoint 1
/// from INITIATING on.
pub fn endpoint(n: u64, mark: Mark, status: &str) -> Endpoint {
    let status = EndpointStatus::from(status);
    let (has_service, is_connected) = match status {
        EndpointStatus::ReservationRequested => (false, false),
        EndpointStatus::Reserved | EndpointStatus::Deleting | EndpointStatus::Other(_) => (true, false),
        EndpointStatus::Initiating | EndpointStatus::Available | EndpointStatus::Failed => (true, true),
    };
    Endpoint {
        id: id(n),
        comment: match mark {
            Mark::Ours => marked_comment(None, &token()),
            Mark::None => "made by hand".to_owned(),
            Mark::Strangers => marked_comment(None, &stranger()),
        },
        service_name: has_service.then(|| format!("com.amazonaws.vpce.us-east-1.vpce-svc-{n}")),
        vpc_endpoint_id: is_connected.then(|| vpce(1).to_string()),
        error_message: (status == EndpointStatus::Failed).then(|| "no dns entries found".to_owned()),
        status,
    }
}

pub fn ours(replaced: Option<EndpointId>) -> ClaimReading {
    ClaimReading::Ours { nonce: nonce(1), replaced }
}

pub fn foreign_claim() -> ClaimReading {
    ClaimReading::Foreign(Claim {
        token: stranger(),
        nonce: nonce(1),
        uid: "u-0".into(),
        cluster: "that-cluster".parse().unwrap(),
        replaced: None,
    })
}

pub fn fault(kind: FaultKind) -> Fault {
    Fault::new(kind, format!("Atlas says {kind:?}"))
}

/// A claimed object without an endpoint, before the first listing.
pub fn observed() -> Observed {
    Observed {
        object: Object {
            token: token(),
            deleting: false,
            finalizer: true,
            claim: ours(None),
            recorded: None,
            take_over: None,
            stale_vpc_endpoint: None,
            reported: Reported::default(),
        },
        spec: Ok(Spec { progress_deadline: 15 * MINUTE, ..Spec::default() }),
        credentials: CredentialsInUse::Own,
        listing: Listing::NotFetched,
        owners: BTreeMap::new(),
        elsewhere: BTreeSet::new(),
        sunset: None,
        memory: MemorySnapshot::default(),
        times: Times::default(),
    }
}

/// Endpoint 1, recorded for an hour, and listed in this status.
pub fn shown(status: &str) -> Observed {
    let mut o = observed();
    o.object.recorded = Some(endpoint(1, Mark::Ours, status));
    o.memory.recorded = 60 * MINUTE;
    o.listing = Listing::Fetched(vec![endpoint(1, Mark::Ours, status)]);
    o
}

/// Returns the conditions of the status after `report` was published, without times and links.
pub fn shown_conditions(report: &Report) -> Vec<ReportedCondition> {
    let shown = |c: &Condition| ReportedCondition {
        kind: c.kind,
        status: c.status,
        reason: Some(c.reason),
        message: c.message.to_string(),
    };
    report.conditions.iter().map(shown).collect()
}

/// A condition that the status shows since an earlier reconcile.
pub fn shown_condition(kind: ConditionType, status: bool, reason: Reason) -> ReportedCondition {
    ReportedCondition { kind, status, reason: Some(reason), message: "as it was".to_owned() }
}

/// Reports the endpoint in this status, not ready for this reason.
pub fn reported(status: &str, reason: Reason) -> Report {
    let ready = Condition { kind: ConditionType::Ready, status: false, reason, message: "for a test".into() };
    Report { endpoint: Some(endpoint(1, Mark::Ours, status)), conditions: vec![ready], ..Report::default() }
}
