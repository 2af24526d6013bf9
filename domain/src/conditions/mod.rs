//! What the status says of a state: the vocabulary of conditions and reasons, and the table that leads to them.
//!
//! The table is that of docs/concepts/health.md. *Ready means that what the manifest declares
//! is done*; failing to look is not a failing endpoint. This file never decides what is done about a state.

mod bound;
mod reason;
mod sentence;

use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

pub use reason::{ConditionType, EventReason, Reason};
pub use sentence::TROUBLESHOOTING;

use crate::decision::{Creating, Decision, Deleting, State, Step};
use crate::endpoint::{Endpoint, EndpointStatus};
use crate::fault::{Fault, FaultKind};
use crate::observed::{Atlas, Observed, Sunset};

/// One condition, without its times and generation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    /// Its type.
    pub kind: ConditionType,
    /// True or False; this operator never reports Unknown.
    pub status: bool,
    /// Why, in one word.
    pub reason: Reason,
    /// Why, in a sentence, with the next step for the user where there is one. What is published of it is
    /// [`Report::sentence`].
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
    /// What `Ready` and `Reconciling` speak of comes after this long. They leave out when that is, because the rules have
    /// no clock; whoever publishes them adds it (see [`Report::is_dated`]).
    pub after: Option<Duration>,
}

impl Report {
    /// `true` for the conditions whose message ends where a time is to follow, while there is one.
    #[must_use]
    pub fn is_dated(&self, kind: ConditionType) -> bool {
        self.after.is_some() && matches!(kind, ConditionType::Ready | ConditionType::Reconciling)
    }

    /// The condition of type `kind`, if it is reported.
    #[must_use]
    pub fn get(&self, kind: ConditionType) -> Option<&Condition> {
        self.conditions.iter().find(|condition| condition.kind == kind)
    }

    /// Something beside the endpoint is amiss. What is wrong with the endpoint itself is said first.
    pub fn unsynced(&mut self, reason: Reason, message: String) {
        let synced = self.conditions.iter_mut().find(|c| c.kind == ConditionType::Synced && c.status);
        if let Some(synced) = synced {
            *synced = Condition { kind: ConditionType::Synced, status: false, reason, message };
        }
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

impl Phase {
    /// How it goes on after `fault`: what Atlas will not take back, no retry cures.
    fn after(fault: &Fault) -> Self {
        match fault.kind {
            FaultKind::Retired | FaultKind::NotServerless | FaultKind::InstanceNotFound => Self::Stalled,
            _ => Self::Working,
        }
    }
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
    let working = stage(o, endpoint, &summary);
    let late = working.as_ref().is_some_and(|stage| is_late(o, endpoint, stage));
    let summary = if late { overdue(summary) } else { summary };
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
        Phase::Stalled if late => Some((ConditionType::Stalled, Reason::ProgressDeadlineExceeded)),
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
    conditions.extend(sunset(o));
    Report { endpoint: endpoint.cloned(), lost, conditions, working, after: after(&decision.state) }
}

/// The announced end of the API. It changes nothing else: until it has come, all goes on. What the status says of it stays
/// until a listing tells more.
fn sunset(o: &Observed) -> Option<Condition> {
    let kind = ConditionType::ApiSunset;
    let message = match (&o.sunset, &o.atlas) {
        (Some(Sunset { day }), _) => {
            let day = day.as_ref().map_or_else(|| "(it names no day)".to_owned(), |day| format!("on {day}"));
            format!(
                "Atlas has announced that it switches this API off {day}; as long as it answers, all goes on. Before that, move \
                 what uses the endpoint to a cluster with endpoints of its own, then delete this object and the AWS VPC endpoint"
            )
        }
        (None, Atlas::Listed(_)) => return None,
        (None, _) => o
            .object
            .reported
            .get(kind.as_str())
            .filter(|(status, ..)| *status)
            .map(|(.., said)| said.to_owned())?,
    };
    Some(Condition { kind, status: true, reason: Reason::SunsetAnnounced, message })
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
        // Where the instance is no more, neither is its endpoint. An API that was switched off takes none away.
        State::Unread(fault)
            if matches!(fault.kind, FaultKind::InstanceNotFound | FaultKind::NotServerless) =>
        {
            (recorded, recorded.is_some())
        }
        _ => {
            // While the object goes, its endpoint is shown as the listing shows it.
            let listed = match &o.atlas {
                Atlas::Listed(listing) => {
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
            let synced = o.object.reported.get(ConditionType::Synced.as_str());
            let unsynced = synced
                .filter(|(synced, ..)| !synced)
                .and_then(|(_, reason, message)| Some((Reason::parse(reason)?, message.to_owned())))
                // Said anew by whoever writes the output, while it is so.
                .filter(|(reason, _)| *reason != Reason::OutputNotWritten);
            Summary { unsynced, ..Summary::new(ready, reason, message.to_owned(), Phase::Settled) }
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
    let (reason, message) = (Reason::of(fault.kind), said(o, fault));
    let phase = Phase::after(fault);
    match o.object.reported.get(ConditionType::Ready.as_str()) {
        Some((true, was, said)) if o.object.reported.current && phase != Phase::Stalled => {
            let was = Reason::parse(was).unwrap_or(Reason::Available);
            let kept = Summary::new(true, was, said.to_owned(), Phase::Settled);
            Summary { unsynced: Some((reason, message)), ..kept }
        }
        _ => Summary::failing(reason, message, phase),
    }
}

/// What is said of `fault`. Where it ends an endpoint for good, that is not all that the user has to end.
fn said(o: &Observed, fault: &Fault) -> String {
    let message = fault.message.trim_end_matches('.');
    match fault.kind {
        FaultKind::Retired | FaultKind::NotServerless | FaultKind::InstanceNotFound
            if o.object.recorded.is_some() =>
        {
            format!(
                "{message}; delete this object, and the VPC endpoint in AWS, which is billed until you do"
            )
        }
        FaultKind::Retired | FaultKind::NotServerless => format!("{message}; delete this object"),
        _ => fault.message.clone(),
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
        Creating::Settling(_) => Summary::new(
            false,
            reason,
            format!(
                "{lost}the outcome of an earlier create call is unknown; nothing needs to be done: if its endpoint does \
                 not appear, a new call is made"
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
            Summary::failing(Reason::of(fault.kind), format!("{lost}{}", said(o, fault)), Phase::after(fault))
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
        Deleting::Settling(_) => Summary::new(
            false,
            Reason::Deleting,
            "the outcome of a create call is unknown; nothing needs to be done: once no endpoint can appear any more, the \
             object is released"
                .to_owned(),
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
        Deleting::Unmarked(id, fault) => Summary::failing(
            Reason::of(fault.kind),
            format!(
                "endpoint {id} does not carry the mark of this object any more, so it is not deleted, and a key that is \
                 only remembered may not give the mark back: {}. Or delete the endpoint in Atlas; to release the object \
                 now and keep the endpoint, set spec.deletionPolicy to Retain",
                fault.message.trim_end_matches('.')
            ),
            Phase::Waiting,
        ),
    }
}

/// How long it takes until what is awaited has come.
fn after(state: &State) -> Option<Duration> {
    match state {
        State::Creating(Creating::Settling(remaining)) | State::Deleting(Deleting::Settling(remaining)) => {
            Some(*remaining)
        }
        _ => None,
    }
}

/// What is being worked on, if anything is. Another status in Atlas and another spec make it another stage, and so does
/// the loss of access, which is work that a ready object has, too. What is suspended is nobody's work.
fn stage(o: &Observed, endpoint: Option<&Endpoint>, summary: &Summary) -> Option<String> {
    let spec = o.spec.as_ref().ok().filter(|spec| !o.object.deleting && !spec.suspend)?;
    let access = summary.unsynced.as_ref().is_some_and(|(reason, _)| reason.is_about_access());
    (summary.phase == Phase::Working || (summary.ready && access)).then(|| {
        let mut hasher = DefaultHasher::new();
        spec.hash(&mut hasher);
        let status = endpoint.map_or("", |endpoint| endpoint.status.as_str());
        format!("{}{status} {:x}", if access { "access " } else { "" }, hasher.finish())
    })
}

/// The stage takes longer than `progressDeadline`. After a restart, the status knows.
fn is_late(o: &Observed, endpoint: Option<&Endpoint>, stage: &str) -> bool {
    match (&o.memory.working, &o.spec) {
        (Some((known, since)), Ok(spec)) => known == stage && *since >= spec.progress_deadline,
        (None, Ok(_)) => {
            let known = o.object.recorded.as_ref().map(|known| &known.status);
            let stalled = o.object.reported.get(ConditionType::Stalled.as_str());
            o.object.reported.current
                && known == endpoint.map(|endpoint| &endpoint.status)
                && stalled.is_some_and(|(_, why, _)| why == Reason::ProgressDeadlineExceeded.as_str())
        }
        (_, Err(_)) => false,
    }
}

/// What stands in the way of access is named even after the deadline: it is what has to be corrected.
fn overdue(summary: Summary) -> Summary {
    let (reason, why) = match summary.unsynced {
        Some((reason, why)) if reason.is_about_access() => (reason, why),
        _ => (Reason::ProgressDeadlineExceeded, summary.message),
    };
    let message = format!("no progress within spec.progressDeadline: {why}");
    Summary::failing(reason, message, Phase::Stalled)
}

/// `true` while Atlas has handed out the endpoint service and not begun to take it back.
fn has_service(endpoint: &Endpoint) -> bool {
    endpoint.service_name.is_some() && endpoint.status != EndpointStatus::Deleting
}
