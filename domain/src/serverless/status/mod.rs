//! Maps the decided state to status conditions. `tests/health/table.rs` shows what tools make of them.
//!
//! *Ready means that what the manifest declares is done*; a failed request is not a failing endpoint. This file never decides
//! what is done about a state.

mod deadline;
mod fields;
mod progress;
mod recorded;
mod summary;

use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

pub use fields::EndpointFields;
pub(crate) use progress::has_vpc_endpoint;
use summary::summarize;

use crate::fault::FaultKind;
use crate::ids::VpcEndpointId;
use crate::serverless::decision::{Decision, State, Step};
use crate::serverless::endpoint::Endpoint;
use crate::serverless::observed::{Listing, Observed, Stage};
use crate::status::{
    Condition, ConditionType, Message, Progress, Reason, Summary, set_synced_false, suspended,
};
use crate::sunset::Sunset;

/// What the status shows.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Report {
    /// The endpoint, as far as it is known.
    pub endpoint: Option<Endpoint>,
    /// The endpoint is gone: its service name must not be used any more.
    pub lost: bool,
    /// It is not published: the status stays as it is.
    pub unchanged: bool,
    /// Another object declares the same VPC endpoint ([`Report::shared_with`]).
    pub shared: bool,
    /// All conditions, `Ready` first. Those that are only there while True are left out while they are not.
    pub conditions: Vec<Condition>,
    /// The stage of work whose duration counts against `progressDeadline`, if any: a new stage restarts the clock.
    pub working: Option<Stage>,
    /// Time until the event that `Ready` and `Reconciling` await. Their messages omit it because the rules have no clock; the
    /// publisher appends it (see [`ConditionType::is_dated`]).
    pub after: Option<Duration>,
}

impl Report {
    /// Returns a hash of what polls wait for: the status in Atlas and the reason of `Ready`.
    #[must_use]
    pub fn progress(&self) -> u64 {
        let status = self.endpoint.as_ref().map(|endpoint| &endpoint.status);
        let ready = self.get(ConditionType::Ready).map(|ready| ready.reason);
        let mut hasher = DefaultHasher::new();
        (status, ready).hash(&mut hasher);
        hasher.finish()
    }

    /// Returns the condition of type `kind`, if it is reported.
    #[must_use]
    pub fn get(&self, kind: ConditionType) -> Option<&Condition> {
        self.conditions.iter().find(|condition| condition.kind == kind)
    }

    /// Reports trouble beside the endpoint in `Synced`. Trouble with the endpoint itself takes precedence.
    pub fn set_synced_false(&mut self, reason: Reason, message: impl Into<Message>) {
        set_synced_false(&mut self.conditions, reason, message.into());
    }

    /// Reports beside the state of the connection that `another` object (described in the message) declares `vpc_endpoint`, too.
    pub fn shared_with(&mut self, vpc_endpoint: &VpcEndpointId, another: &str) {
        self.shared = true;
        let connected = self.conditions.iter_mut().find(|c| c.kind == ConditionType::EndpointConnected);
        if let Some(connected) = connected {
            let message = std::mem::take(&mut connected.message);
            connected.message = message.then(&format!(
                "; {vpc_endpoint} is declared by {another} too, {SHARED}, so one of them has to declare another"
            ));
        }
    }
}

/// The part of a message by which a VPC endpoint that is declared twice is recognized.
pub(crate) const SHARED: &str = "and a VPC endpoint serves one endpoint service";

/// The report of `decision` about what was observed.
#[must_use]
pub fn report(o: &Observed, decision: &Decision) -> Report {
    let (endpoint, lost) = match &decision.step {
        Step::Record { endpoint, .. } => (Some(endpoint), false),
        _ => known_endpoint(o, &decision.state),
    };
    let known = match (endpoint, &decision.state) {
        (_, _) if lost => EndpointView::Lost,
        (Some(endpoint), _) => EndpointView::Shown(endpoint),
        (None, State::Deleting(_)) => EndpointView::Nothing(Reason::Deleting, "the object is being deleted"),
        (None, _) => EndpointView::Nothing(Reason::NoEndpoint, "no endpoint is recorded; Ready says why"),
    };
    let summary = summarize(o, &decision.state);
    let working = deadline::stage(o, endpoint, &summary);
    let late = working.is_some_and(|stage| deadline::is_late(o, endpoint, stage));
    let summary = if late { summary.overdue() } else { summary };
    let mut conditions = summary.ready_and_synced(synced(o));
    conditions.extend([recorded::service(known), recorded::connected(known)]);
    conditions.extend(summary.work_condition(late));
    if o.spec.as_ref().is_ok_and(|spec| spec.suspend) && !o.object.deleting {
        conditions.push(suspended());
    }
    conditions.extend(sunset(o));
    // One response that may be wrong changes no condition. Where there are none yet, they report what has to be confirmed.
    let doubted = match &decision.state {
        State::Unconfirmed(_) => true,
        State::Recorded(state) => state.contradicted,
        _ => false,
    };
    let unchanged = doubted && !o.object.reported.conditions.is_empty();
    let (endpoint, after) = (endpoint.cloned(), deadline::after(&decision.state));
    Report { endpoint, lost, unchanged, shared: false, conditions, working, after }
}

/// What is known about the endpoint whose service and connection are reported.
#[derive(Clone, Copy)]
enum EndpointView<'a> {
    /// There is none, for this reason.
    Nothing(Reason, &'static str),
    /// It is gone.
    Lost,
    /// As Atlas last showed it.
    Shown(&'a Endpoint),
}

/// Returns the condition about the announced end of the API, which changes nothing else. The condition in the status stays until
/// a listing without an announcement, or a second one that confirms it. No message advises a deletion without a confirmed day.
fn sunset(o: &Observed) -> Option<Condition> {
    let kind = ConditionType::ApiSunset;
    let message = match (&o.sunset, &o.listing) {
        (Some(Sunset { day: Some(day), is_over: true, is_confirmed: true }), _) => format!(
            "Atlas has announced that it would switch this API off on {day}, which is past; the operator works for as long as the \
             API responds. Move what uses the endpoint to a cluster with endpoints of its own now, then delete this object and the AWS VPC \
             endpoint"
        ),
        (Some(Sunset { day: Some(day), is_confirmed: true, .. }), _) => format!(
            "Atlas has announced that it switches this API off on {day}; the operator works for as long as the API responds. \
             Before that, move what uses the endpoint to a cluster with endpoints of its own, then delete this object and the AWS VPC endpoint"
        ),
        (Some(Sunset { day: None, is_confirmed: true, .. }), _) => {
            "responses announce the end of this API and name no day; the operator works for as long as the API responds. \
             Check what Atlas has announced: a proxy or gateway may have added the header"
                .to_owned()
        }
        (None, Listing::Fetched(_)) => return None,
        (Some(Sunset { is_confirmed: false, .. }) | None, _) => {
            o.object.reported.get(kind).filter(|reported| reported.status)?.message.clone()
        }
    };
    Some(Condition { kind, status: true, reason: Reason::SunsetAnnounced, message: message.into() })
}

/// Returns the message of `Synced` while nothing failed.
fn synced(o: &Observed) -> &'static str {
    match &o.listing {
        Listing::NotFetched if o.spec.as_ref().is_ok_and(|spec| spec.suspend) => {
            "spec.suspend is true: no request is sent to Atlas"
        }
        Listing::Failed(_) => "Atlas responded to the last request",
        Listing::NotFetched | Listing::Fetched(_) => "the last request to Atlas succeeded",
    }
}

/// Returns the endpoint whose fields the status shows, and whether it is gone.
fn known_endpoint<'a>(o: &'a Observed, state: &'a State) -> (Option<&'a Endpoint>, bool) {
    let recorded = o.object.recorded.as_ref();
    match state {
        State::Recorded(state) => match recorded {
            // Another endpoint is about to replace it.
            Some(known) if known.id != state.endpoint.id => (Some(known), true),
            _ => (Some(&state.endpoint), false),
        },
        State::Creating(_) | State::Lost(_) => (recorded, recorded.is_some()),
        // Nothing is polled, and the conditions stay as they were.
        State::Suspended => (recorded, false),
        // An instance that is gone has no endpoint. An API that was switched off removes none.
        State::ListingFailed(fault)
            if matches!(fault.kind, FaultKind::InstanceNotFound | FaultKind::NotServerless) =>
        {
            (recorded, recorded.is_some())
        }
        _ => {
            // While the object is being deleted, its endpoint is shown as in the listing.
            let listed = match &o.listing {
                Listing::Fetched(listing) => {
                    recorded.and_then(|known| listing.iter().find(|e| e.id == known.id))
                }
                _ => None,
            };
            (listed.or(recorded), false)
        }
    }
}

/// Returns `true` while Atlas has assigned the endpoint service and not begun to remove it.
fn has_service(endpoint: &Endpoint) -> bool {
    endpoint.service_name.is_some() && !endpoint.status.facts().is_deleting
}
