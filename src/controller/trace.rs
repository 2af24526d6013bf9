//! What the log says of one reconcile: a span that names the object, and at its end the steps that were taken.
//!
//! One span, so that whatever is logged on the way carries the object. It says nothing that could be a secret.

use domain::decision::Step;
use tracing::{Span, debug, info, info_span};

use super::object::Identity;

/// The span of one reconcile.
pub(super) fn span(identity: &Identity) -> Span {
    let Identity { namespace, name, uid, .. } = identity;
    info_span!("reconcile", object = %format_args!("{namespace}/{name}"), uid)
}

/// The steps of one reconcile, in their order.
#[derive(Debug, Default)]
pub(super) struct Trace {
    steps: Vec<&'static str>,
    wrote: bool,
}

impl Trace {
    pub(super) fn step(&mut self, step: &Step) {
        let (word, writes) = match step {
            Step::Rest => ("rest", false),
            Step::List => ("list", false),
            Step::Claim { .. } => ("claim", true),
            Step::Create { .. } => ("create", true),
            Step::Record { .. } => ("record", true),
            Step::Update { .. } => ("update", true),
            Step::Delete { .. } => ("delete", true),
            Step::Release(_) => ("release", true),
        };
        self.steps.push(word);
        self.wrote |= writes;
    }

    /// The reconcile is over. One that only looked is worth no line of a log that is read every day.
    pub(super) fn end(&self) {
        let steps = self.steps.join(",");
        if self.wrote {
            info!(steps, "reconciled");
        } else {
            debug!(steps, "reconciled");
        }
    }
}
