//! What the status says of a state: the vocabulary of conditions and reasons, and the table that leads to them.
//!
//! The table is research/user-experience §2 as design §4 amends it. *Ready means that what the manifest declares
//! is done*; failing to look is not a failing endpoint. This file never decides what is done about a state.

mod bound;
mod reason;

use std::time::Duration;

pub use reason::{ConditionType, EventReason, Reason};

use crate::decision::{Creating, Decision, Deleting, State, Step};
use crate::endpoint::{Endpoint, EndpointStatus};
use crate::fault::{Fault, FaultKind};
use crate::observed::Observed;

/// One condition, without its times and generation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    /// Its type.
    pub kind: ConditionType,
    /// True or False; this operator never reports Unknown.
    pub status: bool,
    /// Why, in one word.
    pub reason: Reason,
    /// Why, in a sentence, with the next step for the user where there is one.
    pub message: String,
}

/// What the status shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// The six fields of the API's response, as far as known.
    pub endpoint: Option<Endpoint>,
    /// The fields speak of an endpoint that is gone: its service name must not be used any more.
    pub lost: bool,
    /// All conditions, `Ready` first. Those that are only there while True are left out while they are not.
    pub conditions: Vec<Condition>,
    /// Work is going on whose duration counts against `progressDeadline`; names the stage, so that a new stage
    /// starts the clock anew.
    pub working: Option<String>,
}

impl Report {
    /// The condition of type `kind`, if it is reported.
    #[must_use]
    pub fn get(&self, kind: ConditionType) -> Option<&Condition> {
        self.conditions.iter().find(|condition| condition.kind == kind)
    }
}

/// How an object stands, before it is spelled out as conditions.
#[derive(Debug, Clone)]
struct Summary {
    ready: bool,
    reason: Reason,
    message: String,
    phase: Phase,
    /// What of the last look failed, if Ready does not say it.
    unsynced: Option<(Reason, String)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Nothing is going on.
    Settled,
    /// Atlas or this operator is at work; the progress deadline counts.
    Working,
    /// Somebody else's turn; no deadline counts.
    Waiting,
    /// It will not go on by itself.
    Stalled,
}

impl Summary {
    fn new(ready: bool, reason: Reason, message: String, phase: Phase) -> Self {
        Self { ready, reason, message, phase, unsynced: None }
    }

    fn failing(reason: Reason, message: String, phase: Phase) -> Self {
        let unsynced = Some((reason, message.clone()));
        Self { ready: false, reason, message, phase, unsynced }
    }
}

/// The report of `decision` about what was observed.
#[must_use]
pub fn report(o: &Observed, decision: &Decision) -> Report {
    let (endpoint, lost) = match &decision.step {
        Step::Record { endpoint, .. } => (Some(endpoint), false),
        _ => known_endpoint(o, &decision.state),
    };
    let summary = summarize(o, &decision.state);
    let stage = endpoint.map_or("", |endpoint| endpoint.status.as_str());
    let access = summary.ready && summary.unsynced.is_some();
    let working = (summary.phase == Phase::Working || access)
        .then(|| format!("{}{stage}", if access { "access " } else { "" }));
    let summary = apply_deadline(o, summary);
    let mut conditions = vec![
        Condition {
            kind: ConditionType::Ready,
            status: summary.ready,
            reason: summary.reason,
            message: summary.message.clone(),
        },
        synced(&summary),
        bound::service(endpoint, lost),
        bound::connected(endpoint, lost),
    ];
    let phase = match summary.phase {
        Phase::Settled => None,
        Phase::Stalled => Some((ConditionType::Stalled, summary.reason)),
        Phase::Working | Phase::Waiting if summary.unsynced.is_some() => {
            Some((ConditionType::Reconciling, Reason::ProgressingWithRetry))
        }
        Phase::Working | Phase::Waiting => Some((ConditionType::Reconciling, Reason::Progressing)),
    };
    if let Some((kind, reason)) = phase {
        conditions.push(Condition { kind, status: true, reason, message: summary.message });
    }
    if o.spec.as_ref().is_ok_and(|spec| spec.suspend) && !o.object.deleting {
        let message = "spec.suspend is true: nothing is created, changed or polled".to_owned();
        let (kind, reason) = (ConditionType::Suspended, Reason::SuspendRequested);
        conditions.push(Condition { kind, status: true, reason, message });
    }
    Report { endpoint: endpoint.cloned(), lost, conditions, working }
}

fn synced(summary: &Summary) -> Condition {
    let kind = ConditionType::Synced;
    match &summary.unsynced {
        None => Condition {
            kind,
            status: true,
            reason: Reason::ReconcileSucceeded,
            message: "the last look at Atlas found nothing amiss".to_owned(),
        },
        Some((reason, message)) => {
            Condition { kind, status: false, reason: *reason, message: message.clone() }
        }
    }
}

/// The endpoint whose fields the status shows, and whether it is gone.
fn known_endpoint<'a>(o: &'a Observed, state: &'a State) -> (Option<&'a Endpoint>, bool) {
    let recorded = o.object.recorded.as_ref();
    match state {
        State::Bound(bound) => (Some(&bound.endpoint), false),
        State::Creating(_) | State::Lost(_) => (recorded, recorded.is_some()),
        _ => {
            // While the object goes, its endpoint is shown as the listing shows it.
            let listed = match &o.atlas {
                crate::observed::Atlas::Listed(listing) => {
                    recorded.and_then(|known| listing.iter().find(|e| e.id == known.id))
                }
                _ => None,
            };
            (listed.or(recorded), false)
        }
    }
}

fn summarize(o: &Observed, state: &State) -> Summary {
    match state {
        State::Suspended => suspended(o),
        State::Invalid(why) => Summary::failing(Reason::InvalidSpec, why.clone(), Phase::Stalled),
        State::Unread(fault) => unread(o, fault),
        State::Creating(creating) => creating_summary(o, creating),
        State::Bound(bound) => bound::summary(o, bound),
        State::AdoptionRequired { cluster, token } => Summary::failing(
            Reason::AdoptionRequired,
            format!(
                "this object carries the claim of cluster {cluster}, which may own an endpoint for it. To take that \
                 endpoint over, set spec.endpointId to its id and the annotation atlas.spe-operator.io/take-over to \
                 {token}; to create a new one, remove the annotation atlas.spe-operator.io/claim"
            ),
            Phase::Stalled,
        ),
        State::OwnershipConflict { id, owner } => Summary::failing(
            Reason::OwnershipConflict,
            format!(
                "endpoint {id} carries the mark of another owner ({owner}) and is left alone. To take it over, set \
                 spec.endpointId to {id} and the annotation atlas.spe-operator.io/take-over to {owner}"
            ),
            Phase::Stalled,
        ),
        State::Lost(id) => Summary::failing(
            Reason::EndpointLost,
            format!(
                "endpoint {id}, which spec.endpointId names, does not exist in this instance. Correct or remove \
                 spec.endpointId; without it a new endpoint is created"
            ),
            Phase::Stalled,
        ),
        State::Deleting(deleting) => deleting_summary(deleting),
    }
}

/// What was true stays true; an object that was suspended before its first look is not ready.
fn suspended(o: &Observed) -> Summary {
    match o.object.reported.get(ConditionType::Ready.as_str()) {
        Some((ready, reason, message)) if o.object.recorded.is_some() => {
            let reason = Reason::parse(reason).unwrap_or(Reason::Suspended);
            Summary::new(ready, reason, message.to_owned(), Phase::Settled)
        }
        _ => Summary::new(
            false,
            Reason::Suspended,
            "spec.suspend is true: no endpoint is created until it is removed".to_owned(),
            Phase::Settled,
        ),
    }
}

fn unread(o: &Observed, fault: &Fault) -> Summary {
    let (reason, message) = (Reason::of(fault.kind), fault.message.clone());
    match fault.kind {
        FaultKind::Retired | FaultKind::NotServerless | FaultKind::InstanceNotFound => {
            return Summary::failing(reason, message, Phase::Stalled);
        }
        _ => {}
    }
    let access = matches!(
        fault.kind,
        FaultKind::Unauthorized | FaultKind::Forbidden | FaultKind::CredentialsNotFound | FaultKind::NoAccess
    );
    match o.object.reported.get(ConditionType::Ready.as_str()) {
        Some((true, was, said)) if o.object.reported.current => {
            if access && deadline_passed(o) {
                return Summary::failing(reason, message, Phase::Stalled);
            }
            let was = Reason::parse(was).unwrap_or(Reason::Available);
            let kept = Summary::new(true, was, said.to_owned(), Phase::Settled);
            Summary { unsynced: Some((reason, message)), ..kept }
        }
        _ => Summary::failing(reason, message, Phase::Working),
    }
}

fn creating_summary(o: &Observed, creating: &Creating) -> Summary {
    let lost = o.object.recorded.as_ref().map(|recorded| {
        format!(
            "endpoint {} is gone from Atlas and is created anew, with another endpoint service: ",
            recorded.id
        )
    });
    let reason = if lost.is_some() { Reason::EndpointLost } else { Reason::Creating };
    let lost = lost.unwrap_or_default();
    match creating {
        Creating::Next => {
            Summary::new(false, reason, format!("{lost}the create call comes next"), Phase::Working)
        }
        Creating::Settling(remaining) => Summary::new(
            false,
            reason,
            format!(
                "{lost}the outcome of an earlier create call is unknown; if its endpoint does not appear, a new call \
                 is made {}",
                within(*remaining)
            ),
            Phase::Waiting,
        ),
        Creating::Predecessor(id) => Summary::new(
            false,
            reason,
            format!("{lost}waiting until Atlas has removed the predecessor {id}"),
            Phase::Working,
        ),
        Creating::Refused(fault) => {
            Summary::failing(Reason::of(fault.kind), format!("{lost}{}", fault.message), Phase::Working)
        }
    }
}

fn deleting_summary(deleting: &Deleting) -> Summary {
    match deleting {
        Deleting::Removing => Summary::new(
            false,
            Reason::Deleting,
            "the endpoint is being removed from Atlas; the AWS VPC endpoint is not, and is billed until you delete it"
                .to_owned(),
            Phase::Working,
        ),
        Deleting::Settling(remaining) => Summary::new(
            false,
            Reason::Deleting,
            format!(
                "the outcome of a create call is unknown; the object is released {}, when nothing can appear any more",
                within(*remaining)
            ),
            Phase::Waiting,
        ),
        Deleting::Blocked(fault) => Summary::failing(
            Reason::of(fault.kind),
            format!(
                "{}. The object is released once the endpoint is gone from Atlas; to release it now and keep the \
                 endpoint, set spec.deletionPolicy to Retain",
                fault.message.trim_end_matches('.')
            ),
            Phase::Waiting,
        ),
    }
}

/// A bound that does not change at every look: whole minutes, rounded up.
fn within(remaining: Duration) -> String {
    match remaining.as_secs().div_ceil(60) {
        0 | 1 => "within a minute".to_owned(),
        minutes => format!("within {minutes} minutes"),
    }
}

fn deadline_passed(o: &Observed) -> bool {
    o.spec.as_ref().is_ok_and(|spec| o.memory.working >= spec.progress_deadline)
}

fn apply_deadline(o: &Observed, summary: Summary) -> Summary {
    if summary.phase != Phase::Working || !deadline_passed(o) || o.object.deleting {
        return summary;
    }
    let message = format!("no progress within spec.progressDeadline: {}", summary.message);
    let unsynced = Some((Reason::ProgressDeadlineExceeded, message.clone()));
    Summary { reason: Reason::ProgressDeadlineExceeded, message, phase: Phase::Stalled, unsynced, ..summary }
}

/// `true` while Atlas has handed out the endpoint service and not begun to take it back.
fn has_service(endpoint: &Endpoint) -> bool {
    endpoint.service_name.is_some() && endpoint.status != EndpointStatus::Deleting
}
