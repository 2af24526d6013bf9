//! What the log says of one reconcile: a span that names the object, and at its end the steps that were taken.
//!
//! One span, so that whatever is logged on the way carries the object. It says nothing that could be a secret.

use domain::decision::{Origin, ReleaseReason, Step};
use tracing::{Span, debug, info, info_span};

use super::convert::Identity;

/// The span of one reconcile.
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
    pub(super) fn step(&mut self, step: &Step) {
        self.steps.push(step_name(step));
        self.wrote |= !matches!(step, Step::Rest | Step::List);
    }

    /// The reconcile is over. One that only looked is worth no line of a log that is read every day.
    pub(super) fn end(&self) {
        let steps = self.steps.join(",");
        if self.wrote {
            info!(%steps, "reconciled");
        } else {
            debug!(%steps, "reconciled");
        }
    }
}

/// The word for a step.
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

/// The word for how an endpoint came to be ours.
pub(super) fn origin(origin: Origin) -> &'static str {
    match origin {
        Origin::Created => "created",
        Origin::Adopted => "adopted",
        Origin::Named => "named",
    }
}

/// What becomes of the endpoint of an object that is released.
pub(super) fn release_reason(step: &Step) -> &'static str {
    match step {
        Step::Release(ReleaseReason::Retained) => "retained",
        _ => "deleted",
    }
}
