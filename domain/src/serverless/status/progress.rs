//! What the messages of all states share: the summary of a state, how work progresses, and the text about a fault.

use super::Reason;
use crate::fault::{Fault, FaultKind};
use crate::reference::VpcEndpoint;
use crate::serverless::observed::Observed;
use crate::status::Message;

/// The state of an object, before it becomes conditions.
#[derive(Debug, Clone)]
pub(super) struct Summary {
    pub(super) ready: bool,
    pub(super) reason: Reason,
    pub(super) message: Message,
    pub(super) progress: Progress,
    /// What failed beside the endpoint, if `Ready` does not report it.
    pub(super) unsynced: Option<(Reason, Message)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Progress {
    /// No work is in progress.
    Settled,
    /// Atlas or this operator is at work; the progress deadline counts.
    Working,
    /// A user has to act; no deadline counts.
    Waiting,
    /// It will not continue by itself.
    Stalled,
}

impl Progress {
    /// Returns the progress after `fault`: no retry helps against a final one.
    pub(super) fn after(fault: &Fault) -> Self {
        if fault.kind.reports_gone() { Self::Stalled } else { Self::Working }
    }
}

impl Summary {
    pub(super) fn new(ready: bool, reason: Reason, message: impl Into<Message>, progress: Progress) -> Self {
        Self { ready, reason, message: message.into(), progress, unsynced: None }
    }

    pub(super) fn failing(reason: Reason, message: impl Into<Message>, progress: Progress) -> Self {
        let message = message.into();
        let unsynced = Some((reason, message.clone()));
        Self { ready: false, reason, message, progress, unsynced }
    }

    /// Returns `Ready` as it is reported, if it is True for the spec as it is now.
    pub(super) fn of_ready_object(o: &Observed) -> Option<Self> {
        let ready = o.object.reported.current_ready()?;
        let reason = ready.reason.unwrap_or(Reason::Available);
        Some(Self::new(true, reason, ready.message.as_str(), Progress::Settled))
    }

    /// Summarizes an unconfirmed state. It is published only if no condition exists yet.
    pub(super) fn unconfirmed(o: &Observed, reason: Reason, message: impl Into<Message>) -> Self {
        Self::of_ready_object(o).unwrap_or_else(|| Self::new(false, reason, message, Progress::Working))
    }
}

/// Returns `true` if a VPC endpoint is connected or declared.
pub(crate) fn has_vpc_endpoint(o: &Observed) -> bool {
    let connected = o.object.recorded.as_ref().is_some_and(|recorded| recorded.vpc_endpoint_id.is_some());
    match &o.spec {
        Ok(spec) => !spec.observe && (connected || spec.vpc_endpoint != VpcEndpoint::Undeclared),
        Err(_) => connected,
    }
}

/// Returns the message of `fault`. If it is final, it adds what the user has to delete.
pub(super) fn describe(o: &Observed, fault: &Fault) -> Message {
    let message = fault.message();
    if !fault.kind.reports_gone() {
        return message;
    }
    match (o.object.recorded.is_some(), fault.kind) {
        (true, _) if has_vpc_endpoint(o) => {
            message.then("; delete this object, and the VPC endpoint in AWS, which is billed until you do")
        }
        (false, FaultKind::InstanceNotFound) => {
            message.then("; if instanceName is wrong, delete this object and create one with the right name")
        }
        _ => message.then("; delete this object"),
    }
}
