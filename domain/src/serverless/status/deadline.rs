//! `progressDeadline`: what counts against it, and what is reported once it is over.
//!
//! Has no clock: how long a stage has lasted is observed.

use std::time::Duration;

use super::Summary;
use crate::serverless::decision::{Creating, Deleting, State};
use crate::serverless::endpoint::Endpoint;
use crate::serverless::observed::{Observed, Stage};
use crate::status;

/// Returns the current stage of work, if any. Another status in Atlas or another spec makes it another stage, and so does the
/// loss of access, which is work for a ready object, too. A suspended object has no work.
pub(super) fn stage(o: &Observed, endpoint: Option<&Endpoint>, summary: &Summary) -> Option<Stage> {
    let spec = o.spec.as_ref().ok().filter(|spec| !o.object.deleting && !spec.suspend)?;
    summary.stage((spec, endpoint.map(|endpoint| &endpoint.status)))
}

/// Returns `true` if the stage takes longer than `progressDeadline`. After a restart, the status shows it.
pub(super) fn is_late(o: &Observed, endpoint: Option<&Endpoint>, stage: Stage) -> bool {
    let Ok(spec) = &o.spec else { return false };
    let known = o.object.recorded.as_ref().map(|known| &known.status);
    let is_same = known == endpoint.map(|endpoint| &endpoint.status);
    status::is_late(o.memory.working.as_ref(), stage, spec.progress_deadline, (&o.object.reported, is_same))
}

/// Returns how long it takes until the awaited event.
pub(super) fn after(state: &State) -> Option<Duration> {
    match state {
        State::Creating(Creating::AwaitingOutcome(remaining) | Creating::AwaitingVisibility(remaining))
        | State::Deleting(Deleting::AwaitingOutcome(remaining)) => Some(*remaining),
        _ => None,
    }
}
