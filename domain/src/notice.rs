//! What is worth an event: transitions and acts, never "reconciled".
//!
//! Conditions carry every message; events only repeat them, because a terminating namespace accepts none.

use crate::conditions::{ConditionType, EventReason, Report, TROUBLESHOOTING};
use crate::decision::{Farewell, Origin, Step};
use crate::observed::Reported;

/// One event to publish.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// Its reason.
    pub reason: EventReason,
    /// Something is wrong, as opposed to something was done.
    pub warning: bool,
    /// The sentence.
    pub message: String,
}

fn normal(reason: EventReason, message: String) -> Notice {
    Notice { reason, warning: false, message }
}

/// The events that follow from the change between two reports.
#[must_use]
pub fn of_change(before: &Reported, report: &Report) -> Vec<Notice> {
    let mut notices = Vec::new();
    if report.unchanged {
        return notices;
    }
    let turned_true = |kind: ConditionType| {
        let was = before.get(kind.as_str()).is_some_and(|(status, ..)| status);
        report.get(kind).filter(|condition| condition.status && !was)
    };
    if let Some(service) = turned_true(ConditionType::EndpointServiceAvailable) {
        let message = format!("endpoint service {} can be used", service.message);
        notices.push(normal(EventReason::EndpointServiceReserved, message));
    }
    if let Some(connected) = turned_true(ConditionType::EndpointConnected) {
        notices.push(normal(EventReason::EndpointAvailable, connected.message.to_string()));
    }
    // Of these, False is what a person should know of; of the last, True.
    for (kind, told_while) in
        [(ConditionType::Ready, false), (ConditionType::Synced, false), (ConditionType::ApiSunset, true)]
    {
        let Some(condition) = report.get(kind).filter(|condition| condition.status == told_while) else {
            continue;
        };
        let Some(reason) = EventReason::warning(condition.reason) else {
            continue;
        };
        let told = before.conditions.iter().any(|(_, _, was, _)| was == condition.reason.as_str())
            || notices.iter().any(|notice| notice.reason == reason);
        if !told {
            notices.push(Notice {
                reason,
                warning: true,
                message: report.sentence(condition, None).to_string(),
            });
        }
    }
    notices
}

/// The event about an object with our finalizer that no longer matches the selector of the objects to watch.
#[must_use]
pub fn not_watched(selector: &str) -> Notice {
    let message = format!(
        "the labels of this object no longer match --watch-selector {selector:?}, so this operator leaves it alone: unless \
         another operator watches it, its endpoint stays as it is and its deletion waits; give it labels that match \
         ({TROUBLESHOOTING}#it-left-the-selector-or-the-namespaces)"
    );
    Notice { reason: EventReason::NotWatched, warning: true, message }
}

/// The event that goes with a step that was carried out.
#[must_use]
pub fn of_step(step: &Step) -> Option<Notice> {
    match step {
        Step::Record { endpoint, origin: Origin::Created } => {
            Some(normal(EventReason::EndpointCreated, format!("created endpoint {}", endpoint.id)))
        }
        Step::Record { endpoint, origin: Origin::Adopted } => {
            let message = format!("adopted endpoint {}, which carries the mark of this object", endpoint.id);
            Some(normal(EventReason::EndpointAdopted, message))
        }
        Step::Record { endpoint, origin: Origin::Named } => {
            let message = format!("adopted endpoint {}, which spec.endpointId names", endpoint.id);
            Some(normal(EventReason::EndpointAdopted, message))
        }
        Step::Update { vpc_endpoint: Some(id), .. } => {
            Some(normal(EventReason::VpcEndpointAttached, format!("Atlas accepted VPC endpoint {id}")))
        }
        Step::Update { id, comment: Some(_), vpc_endpoint: None } => {
            let message = format!("put the declared comment and the mark of this object on endpoint {id}");
            Some(normal(EventReason::CommentWritten, message))
        }
        Step::Delete { id, excess: true } => {
            let message =
                format!("deleted endpoint {id}, which carried the mark of this object once too often");
            Some(Notice { reason: EventReason::ExcessEndpointDeleted, warning: true, message })
        }
        Step::Release(Farewell::Deleted) => Some(normal(
            EventReason::EndpointDeleted,
            "the endpoint is gone from Atlas; an AWS VPC endpoint made for it is billed until you delete it"
                .to_owned(),
        )),
        Step::Release(Farewell::Retained) => {
            Some(normal(EventReason::EndpointRetained, "what is in Atlas was left there".to_owned()))
        }
        Step::Rest
        | Step::List
        | Step::Claim { .. }
        | Step::Create { .. }
        | Step::Update { .. }
        | Step::Delete { .. } => None,
    }
}
