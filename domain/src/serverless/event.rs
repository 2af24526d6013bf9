//! Events: transitions and actions, never "reconciled".
//!
//! Conditions carry every message; events only repeat them, because a terminating namespace accepts none.

use crate::serverless::decision::{Origin, ReleaseReason, Step};
use crate::serverless::observed::{Listing, Observed};
use crate::serverless::status::{Report, SHARED, has_vpc_endpoint};
use crate::status::{Condition, ConditionType, EventDraft, EventReason, Message, Reason, Reported, sentence};

fn normal(reason: EventReason, message: String) -> EventDraft {
    EventDraft { reason, warning: false, message }
}

/// What has been announced about an object: that its endpoint service can be used, that it is connected, that its VPC endpoint
/// is shared, and the reasons of its conditions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Announced {
    service: bool,
    connected: bool,
    shared: bool,
    reasons: u64,
}

impl Announced {
    /// Returns what this status announces. Anybody may have written it, so a process relies on it only until its own first report.
    #[must_use]
    pub fn by_status(status: &Reported) -> Self {
        let connected = status.get(ConditionType::EndpointConnected);
        let service = status.get(ConditionType::EndpointServiceAvailable);
        Self {
            service: service.is_some_and(|service| service.status),
            connected: connected.is_some_and(|connected| connected.status),
            shared: connected.is_some_and(|connected| connected.message.contains(SHARED)),
            reasons: bits(status.conditions.iter().filter_map(|condition| condition.reason)),
        }
    }

    /// Returns what this process has announced once `report` is published.
    #[must_use]
    pub fn by(report: &Report) -> Self {
        let is_true = |kind| report.get(kind).is_some_and(|condition| condition.status);
        Self {
            service: is_true(ConditionType::EndpointServiceAvailable),
            connected: is_true(ConditionType::EndpointConnected),
            shared: report.shared,
            reasons: bits(report.conditions.iter().map(|condition| condition.reason)),
        }
    }
}

/// A set of reasons, one bit each.
fn bits(reasons: impl Iterator<Item = Reason>) -> u64 {
    const { assert!(Reason::ALL.len() <= 64, "a set of reasons is one u64") };
    reasons.fold(0, |set, reason| set | 1 << (reason as u8))
}

/// Returns the events for what is new in `report`. The progress of an endpoint is published only if Atlas shows it, never
/// because of the status alone.
#[must_use]
pub fn of_change(before: Announced, o: &Observed, step: &Step, report: &Report) -> Vec<EventDraft> {
    let mut events = Vec::new();
    if report.unchanged {
        return events;
    }
    let shown = match (&o.listing, &report.endpoint, step) {
        (_, Some(_), Step::Record { .. }) => true,
        (Listing::Fetched(listing), Some(known), _) => listing.iter().any(|listed| listed.id == known.id),
        _ => false,
    };
    let turned_true = |kind, was: bool| report.get(kind).filter(|c| c.status && shown && !was);
    if let Some(service) = turned_true(ConditionType::EndpointServiceAvailable, before.service) {
        let message = format!("endpoint service {} can be used", service.message);
        events.push(normal(EventReason::EndpointServiceReserved, message));
    }
    if let Some(connected) = turned_true(ConditionType::EndpointConnected, before.connected) {
        events.push(normal(EventReason::EndpointAvailable, connected.message.to_string()));
    }
    let connected = report.get(ConditionType::EndpointConnected);
    if let Some(connected) = connected.filter(|_| report.shared && !before.shared) {
        let message = connected.message.to_string();
        events.push(EventDraft { reason: EventReason::VpcEndpointShared, warning: true, message });
    }
    for (condition, reason) in warnings(report) {
        let published = before.reasons & bits([condition.reason].into_iter()) != 0
            || events.iter().any(|event| event.reason == reason);
        if !published {
            events.push(EventDraft {
                reason,
                warning: true,
                message: sentence(&report.conditions, condition, None).to_string(),
            });
        }
    }
    events
}

/// Returns what a person should see, the most important first.
fn warnings(report: &Report) -> impl Iterator<Item = (&Condition, EventReason)> {
    // False of these, and True of the last, deserve a warning.
    [(ConditionType::Ready, false), (ConditionType::Synced, false), (ConditionType::ApiSunset, true)]
        .into_iter()
        .filter_map(|(kind, warned_while)| {
            report.get(kind).filter(|condition| condition.status == warned_while)
        })
        .filter_map(|condition| Some((condition, condition.reason.warning()?)))
}

/// Returns the failure in `report`, if any, for the log: its reason and its message.
#[must_use]
pub fn failure(report: &Report) -> Option<(Reason, Message)> {
    let (condition, _) = warnings(report).find(|(c, _)| c.kind != ConditionType::ApiSunset)?;
    Some((condition.reason, sentence(&report.conditions, condition, None)))
}

/// Returns the event about a step that was performed.
#[must_use]
pub fn of_step(step: &Step, o: &Observed) -> Option<EventDraft> {
    let observe = o.spec.as_ref().is_ok_and(|spec| spec.observe);
    match step {
        Step::Record { endpoint, origin: Origin::Created } => {
            Some(normal(EventReason::EndpointCreated, format!("created endpoint {}", endpoint.id)))
        }
        Step::Record { endpoint, origin: Origin::Adopted } => {
            let message = format!("adopted endpoint {}, which carries the mark of this object", endpoint.id);
            Some(normal(EventReason::EndpointAdopted, message))
        }
        Step::Record { endpoint, origin: Origin::Named } if observe => {
            let message = format!("observing endpoint {}, which spec.endpointId names", endpoint.id);
            Some(normal(EventReason::EndpointObserved, message))
        }
        Step::Record { endpoint, origin: Origin::Named } => {
            let message = format!("adopted endpoint {}, which spec.endpointId names", endpoint.id);
            Some(normal(EventReason::EndpointAdopted, message))
        }
        Step::Release(ReleaseReason::Deleted) => {
            let message = match (o.recorded(), has_vpc_endpoint(o)) {
                (None, _) => "nothing of this object is left in Atlas".to_owned(),
                (Some(id), false) => format!("endpoint {id} is gone from Atlas"),
                (Some(id), true) => format!(
                    "endpoint {id} is gone from Atlas; the AWS VPC endpoint made for it is billed until you delete it"
                ),
            };
            Some(normal(EventReason::EndpointDeleted, message))
        }
        Step::Release(ReleaseReason::Retained) => {
            let message = match o.recorded() {
                Some(id) => format!("endpoint {id} was left in Atlas"),
                None => "no endpoint was recorded; whatever is in Atlas was left there".to_owned(),
            };
            Some(normal(EventReason::EndpointRetained, message))
        }
        step => of_change_of_endpoint(step),
    }
}

/// Returns the event about a PATCH or DELETE that Atlas accepted; it depends on the step alone.
#[must_use]
pub fn of_change_of_endpoint(step: &Step) -> Option<EventDraft> {
    match step {
        Step::Update { vpc_endpoint: Some(id), .. } => {
            Some(normal(EventReason::VpcEndpointAttached, format!("Atlas accepted VPC endpoint {id}")))
        }
        Step::Update { id, comment: Some(_), vpc_endpoint: None } => {
            let message = format!("put the declared comment and the mark of this object on endpoint {id}");
            Some(normal(EventReason::CommentWritten, message))
        }
        Step::Delete { id, excess: true } => {
            let message = format!("deleted endpoint {id}, an unused duplicate with the mark of this object");
            Some(EventDraft { reason: EventReason::ExcessEndpointDeleted, warning: true, message })
        }
        _ => None,
    }
}
