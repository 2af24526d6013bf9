//! Logging of one reconcile: a span that names the object, and at its end the steps taken.
//!
//! All events of a reconcile are inside this span, so they carry the object. It contains nothing that could be a
//! secret.

use domain::serverless::decision::{Origin, ReleaseReason, Step};
use domain::serverless::reconcile::NextAction;
use tracing::{Span, debug, info, info_span};

use crate::runtime::identity::Identity;

/// Creates the span of one reconcile.
pub(super) fn span(identity: &Identity) -> Span {
    let Identity { namespace, name, uid, .. } = identity;
    info_span!("reconcile", object = %format_args!("{namespace}/{name}"), %uid)
}

/// The steps of one reconcile, in their order.
#[derive(Debug, Default)]
pub(super) struct Trace {
    steps: Vec<&'static str>,
    wrote: bool,
}

impl Trace {
    /// Adds the step of an action. One that waits, or reports a loss, is followed by its step.
    pub(super) fn step(&mut self, next: &NextAction) {
        let name = match next {
            NextAction::AtlasPermit | NextAction::ApiPermit | NextAction::PublishLoss(_) => return,
            NextAction::List(plan)
            | NextAction::Perform(plan)
            | NextAction::Release(plan)
            | NextAction::Rest(plan) => step_name(&plan.decision.step),
        };
        self.steps.push(name);
        self.wrote |= matches!(next, NextAction::Perform(_) | NextAction::Release(_));
    }

    /// Logs the steps; at `debug` if the reconcile only read.
    pub(super) fn end(&self) {
        let steps = self.steps.join(",");
        if self.wrote {
            info!(%steps, "reconciled");
        } else {
            debug!(%steps, "reconciled");
        }
    }
}

/// Returns the log name of a step.
pub(super) fn step_name(step: &Step) -> &'static str {
    match step {
        Step::Rest => "rest",
        Step::List => "list",
        Step::Claim { .. } => "claim",
        Step::Create { .. } => "create",
        Step::Record { .. } => "record",
        Step::Update { .. } => "update",
        Step::Delete { .. } => "delete",
        Step::Release(_) => "release",
    }
}

/// Returns the log name of an endpoint's origin.
pub(super) fn origin(origin: Origin) -> &'static str {
    match origin {
        Origin::Created => "created",
        Origin::Adopted => "adopted",
        Origin::Named => "named",
    }
}

/// Returns the log name of the outcome for the endpoint of a released object.
pub(super) fn release_reason(step: &Step) -> &'static str {
    match step {
        Step::Release(ReleaseReason::Retained) => "retained",
        _ => "deleted",
    }
}
