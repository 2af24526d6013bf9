//! `progressDeadline`: what counts against it, and what is reported once it is over.
//!
//! Has no clock: how long a stage has lasted is observed.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use super::progress::{Progress, Summary};
use super::{ConditionType, Reason};
use crate::serverless::decision::{Creating, Deleting, State};
use crate::serverless::endpoint::Endpoint;
use crate::serverless::observed::{Observed, Stage};
use crate::status::Message;

/// Returns the current stage of work, if any. Another status in Atlas or another spec makes it another stage, and so does the
/// loss of access, which is work for a ready object, too. A suspended object has no work.
pub(super) fn stage(o: &Observed, endpoint: Option<&Endpoint>, summary: &Summary) -> Option<Stage> {
    let spec = o.spec.as_ref().ok().filter(|spec| !o.object.deleting && !spec.suspend)?;
    let access = summary.unsynced.as_ref().is_some_and(|(reason, _)| reason.is_about_access());
    (summary.progress == Progress::Working || (summary.ready && access)).then(|| {
        let mut hasher = DefaultHasher::new();
        (spec, endpoint.map(|endpoint| &endpoint.status)).hash(&mut hasher);
        Stage { access, hash: hasher.finish() }
    })
}

/// Returns `true` if the stage takes longer than `progressDeadline`. After a restart, the status shows it.
pub(super) fn is_late(o: &Observed, endpoint: Option<&Endpoint>, stage: Stage) -> bool {
    match (&o.memory.working, &o.spec) {
        (Some((known, since)), Ok(spec)) => *known == stage && *since >= spec.progress_deadline,
        (None, Ok(_)) => {
            let known = o.object.recorded.as_ref().map(|known| &known.status);
            let stalled = o.object.reported.get(ConditionType::Stalled);
            o.object.reported.current
                && known == endpoint.map(|endpoint| &endpoint.status)
                && stalled.is_some_and(|stalled| stalled.reason == Some(Reason::ProgressDeadlineExceeded))
        }
        (_, Err(_)) => false,
    }
}

/// Returns the summary after the deadline. What prevents access is still named, because that is what has to be fixed.
pub(super) fn overdue(summary: Summary) -> Summary {
    let (reason, why) = match summary.unsynced {
        Some((reason, why)) if reason.is_about_access() => (reason, why),
        _ => (Reason::ProgressDeadlineExceeded, summary.message),
    };
    let message = Message::from("no progress within spec.progressDeadline: ").join(&why);
    Summary::failing(reason, message, Progress::Stalled)
}

/// Returns how long it takes until the awaited event.
pub(super) fn after(state: &State) -> Option<Duration> {
    match state {
        State::Creating(Creating::AwaitingOutcome(remaining) | Creating::AwaitingVisibility(remaining))
        | State::Deleting(Deleting::AwaitingOutcome(remaining)) => Some(*remaining),
        _ => None,
    }
}
