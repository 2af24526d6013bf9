//! How long a stage of work has lasted, which `progressDeadline` limits. Instants are arguments.

use std::time::Duration;

use crate::instant::SinceBoot;

/// A stage of work, which the progress deadline limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Stage {
    /// Access is missing.
    pub access: bool,
    /// A hash of the spec and of the status in Atlas.
    pub hash: u64,
}

/// The current stage of work, and when it began.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct WorkTime(Option<(Stage, SinceBoot)>);

impl WorkTime {
    /// Records the stage that was reported. `overdue` is its age if the status already reports it late: a restart does not make it
    /// young again.
    pub fn reported(&mut self, stage: Option<Stage>, overdue: Option<Duration>, now: SinceBoot) {
        let first_reconcile = self.0.is_none();
        self.0 = stage.map(|stage| match self.0.take() {
            Some((was, since)) if was == stage => (was, since),
            _ if first_reconcile => (stage, now.saturating_sub(overdue.unwrap_or_default())),
            _ => (stage, now),
        });
    }

    /// Returns the stage, and how long it has lasted.
    #[must_use]
    pub fn lasted(&self, now: SinceBoot) -> Option<(Stage, Duration)> {
        self.0.map(|(stage, since)| (stage, now.saturating_sub(since)))
    }

    /// Returns when it began, to be replaced by checks without a clock.
    pub(crate) fn since_mut(&mut self) -> Option<&mut SinceBoot> {
        self.0.as_mut().map(|(_, since)| since)
    }
}
