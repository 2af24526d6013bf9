//! The state of an object in one sentence, before it becomes conditions, and the conditions that every kind derives from it.
//!
//! It knows no kind: which state has which summary is elsewhere.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use super::condition::{Condition, Reported};
use super::message::Message;
use super::reason::{ConditionType, Reason};
use crate::deadline::Stage;
use crate::fault::Fault;

/// The state of an object, before it becomes conditions.
#[derive(Debug, Clone)]
pub struct Summary {
    /// `Ready` is True.
    pub ready: bool,
    /// The reason of `Ready`.
    pub reason: Reason,
    /// Its message.
    pub message: Message,
    /// How work progresses.
    pub progress: Progress,
    /// What failed beside the endpoint, if `Ready` does not report it.
    pub unsynced: Option<(Reason, Message)>,
}

/// How work on an object progresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
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
    #[must_use]
    pub fn after(fault: &Fault) -> Self {
        if fault.kind.reports_gone() { Self::Stalled } else { Self::Working }
    }
}

impl Summary {
    /// Returns the summary of a state without trouble beside it.
    pub fn new(ready: bool, reason: Reason, message: impl Into<Message>, progress: Progress) -> Self {
        Self { ready, reason, message: message.into(), progress, unsynced: None }
    }

    /// Returns the summary of a state in which a request failed, or nothing can be done.
    pub fn failing(reason: Reason, message: impl Into<Message>, progress: Progress) -> Self {
        let message = message.into();
        let unsynced = Some((reason, message.clone()));
        Self { ready: false, reason, message, progress, unsynced }
    }

    /// Returns `Ready` as the status shows it, if it is True for the spec as it is now.
    #[must_use]
    pub fn of_ready_object(reported: &Reported) -> Option<Self> {
        let ready = reported.current_ready()?;
        let reason = ready.reason.unwrap_or(Reason::Available);
        Some(Self::new(true, reason, ready.message.as_str(), Progress::Settled))
    }

    /// Summarizes an unconfirmed state. It is published only if no condition exists yet.
    #[must_use]
    pub fn unconfirmed(reported: &Reported, reason: Reason, message: impl Into<Message>) -> Self {
        Self::of_ready_object(reported)
            .unwrap_or_else(|| Self::new(false, reason, message, Progress::Working))
    }

    /// Returns the conditions that every kind has, `Ready` first, without those that are there only while True. `synced` is the message of
    /// `Synced` while nothing failed.
    #[must_use]
    pub fn ready_and_synced(&self, synced: &str) -> Vec<Condition> {
        let Self { ready, reason, message, .. } = self.clone();
        let (synced, why, synced_message) = match &self.unsynced {
            None => (true, Reason::ReconcileSucceeded, synced.into()),
            Some((reason, message)) => (false, *reason, message.clone()),
        };
        vec![
            Condition { kind: ConditionType::Ready, status: ready, reason, message },
            Condition { kind: ConditionType::Synced, status: synced, reason: why, message: synced_message },
        ]
    }

    /// Returns `Reconciling` or `Stalled`, if it is True. `late`: work takes longer than it may.
    #[must_use]
    pub fn work_condition(&self, late: bool) -> Option<Condition> {
        let (kind, reason) = match self.progress {
            Progress::Settled => return None,
            Progress::Stalled if late => (ConditionType::Stalled, Reason::ProgressDeadlineExceeded),
            Progress::Stalled => (ConditionType::Stalled, self.reason),
            Progress::Working | Progress::Waiting if self.unsynced.is_some() => {
                (ConditionType::Reconciling, Reason::ProgressingWithRetry)
            }
            Progress::Working | Progress::Waiting => (ConditionType::Reconciling, Reason::Progressing),
        };
        Some(Condition { kind, status: true, reason, message: self.message.clone() })
    }

    /// Returns the stage of work that the deadline limits, if there is one: what `key` holds makes another. The loss of access is work for
    /// a ready object, too.
    #[must_use]
    pub fn stage(&self, key: impl Hash) -> Option<Stage> {
        let access = self.unsynced.as_ref().is_some_and(|(reason, _)| reason.is_about_access());
        (self.progress == Progress::Working || (self.ready && access)).then(|| {
            let mut hasher = DefaultHasher::new();
            key.hash(&mut hasher);
            Stage { access, hash: hasher.finish() }
        })
    }

    /// Returns the summary after the deadline. What prevents access is still named, because that is what has to be fixed.
    #[must_use]
    pub fn overdue(self) -> Self {
        let (reason, why) = match self.unsynced {
            Some((reason, why)) if reason.is_about_access() => (reason, why),
            _ => (Reason::ProgressDeadlineExceeded, self.message),
        };
        let message = Message::from("no progress within spec.progressDeadline: ").join(&why);
        Self::failing(reason, message, Progress::Stalled)
    }
}

/// Returns the condition that `spec.suspend` is honoured.
#[must_use]
pub fn suspended() -> Condition {
    let message = "spec.suspend is true: nothing is created, changed or polled".into();
    Condition { kind: ConditionType::Suspended, status: true, reason: Reason::SuspendRequested, message }
}

/// Returns `true` if this stage takes longer than `deadline`. `working` is what this process knows of the stage; after a restart, the
/// status shows it, if what it shows `is_same`.
#[must_use]
pub fn is_late(
    working: Option<&(Stage, Duration)>,
    stage: Stage,
    deadline: Duration,
    (reported, is_same): (&Reported, bool),
) -> bool {
    if let Some((known, since)) = working {
        return *known == stage && *since >= deadline;
    }
    let stalled = reported.get(ConditionType::Stalled);
    let is_overdue = stalled.is_some_and(|stalled| stalled.reason == Some(Reason::ProgressDeadlineExceeded));
    reported.current && is_same && is_overdue
}
