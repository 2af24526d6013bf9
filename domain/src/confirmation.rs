//! Responses that confirm each other: one that may be wrong for a moment changes nothing alone.

use crate::instant::SinceBoot;
use crate::times::Times;

/// A run of responses that report the same. A response that reports something else ends it, and so does time: two responses
/// confirm each other only while they can be one state of Atlas, and during an outage nobody knows what became of the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Run {
    /// When the first of them was sent.
    pub since: SinceBoot,
    /// Neither time nor a failed request ends it any more.
    pub lasting: bool,
}

impl Run {
    /// Begins with the response to a request that was sent at `since`.
    #[must_use]
    pub fn begin(since: SinceBoot) -> Self {
        Self { since, lasting: false }
    }

    /// Returns the run that `before` becomes with a response that reports the same, to a request sent at `sent`; a new one if there is
    /// none, or it has ended.
    #[must_use]
    pub fn continued(before: Option<Self>, sent: SinceBoot, times: &Times) -> Self {
        let run = before.filter(|run| run.goes_on(sent, times));
        run.map_or(Self::begin(sent), |run| run.until_disproved(sent, times))
    }

    /// Returns `true` if a response to a request sent at `sent` can belong to it.
    #[must_use]
    pub fn goes_on(&self, sent: SinceBoot, times: &Times) -> bool {
        self.lasting || sent.saturating_sub(self.since) <= times.confirm_within
    }

    /// Lasts from the response that confirms the first: one at least G after it.
    #[must_use]
    pub fn until_disproved(self, sent: SinceBoot, times: &Times) -> Self {
        Self { lasting: self.lasting || sent.saturating_sub(self.since) >= times.confirm_gap, ..self }
    }
}
