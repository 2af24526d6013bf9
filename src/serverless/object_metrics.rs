//! What the metrics count of a reconcile of this kind. It decides nothing.

use domain::serverless::decision::{Creating, Decision, Deleting, State};
use domain::serverless::status::Report;
use kube::Resource;

use crate::clock::Boottime;
use crate::runtime::kind::Kind;
use crate::runtime::object_metrics::{ReconcileFinding, waiting_for};
use crate::serverless::crd::ServerlessPrivateEndpoint;

/// Returns what a reconcile found. The next is due at `due`; `None`: it waits for a trigger.
pub(super) fn finding<'a>(
    decision: &Decision,
    report: &'a Report,
    object: &'a ServerlessPrivateEndpoint,
    due: Option<Boottime>,
) -> ReconcileFinding<'a> {
    let status = report.endpoint.as_ref().filter(|_| !report.lost).map(|endpoint| &endpoint.status);
    ReconcileFinding {
        kind: ServerlessPrivateEndpoint::kind(&()),
        metadata: object.meta(),
        reported: object.current().map_or(&[], |current| current.conditions),
        conditions: &report.conditions,
        state: status.map_or("NONE", |status| status.known().unwrap_or("OTHER")),
        waiting_for: waiting_for(matches!(decision.state, State::Deleting(_)), &report.conditions),
        claim_open: matches!(
            decision.state,
            State::Creating(Creating::AwaitingOutcome(_)) | State::Deleting(Deleting::AwaitingOutcome(_))
        ),
        requeue: decision.requeue,
        interval: object.interval(),
        due,
    }
}
