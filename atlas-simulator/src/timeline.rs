//! The timeline of an endpoint, and the steps that Atlas takes with it by itself.
//!
//! Pure: time is a parameter (the time since the simulator's start). A timeline is never dropped, so that a test can
//! read the state at any instant, and a lagging listing can show the past.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{
    endpoint::{Deviation, Endpoint, Status},
    seconds,
    settings::Pace,
};

/// Why an endpoint changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChangeCause {
    /// A POST.
    Created,
    /// A PATCH.
    Updated,
    /// A DELETE.
    Deleted,
    /// Atlas' own work.
    Progress,
    /// The control API or the test itself.
    OutOfBand,
}

/// One point of a timeline: the endpoint from then on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EndpointChange {
    /// Time since the simulator's start.
    #[serde(with = "seconds")]
    pub at: Duration,
    /// Why.
    pub cause: ChangeCause,
    /// The endpoint from then on; `None`: deleted.
    pub endpoint: Option<Endpoint>,
}

/// The history of one endpoint.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Timeline {
    /// Its project.
    pub project: String,
    /// Its instance.
    pub instance: String,
    /// Its id.
    pub id: String,
    /// Its changes, oldest first, the creation being the first.
    pub changes: Vec<EndpointChange>,
    /// The deviations that are still to come.
    pub deviations: Vec<Deviation>,
    /// When it entered its present status.
    #[serde(skip)]
    since: Duration,
    /// The time until which its timeline is final: nothing that a client may have seen changes afterwards.
    #[serde(skip)]
    settled: Duration,
}

impl Timeline {
    pub(crate) fn begin(
        project: &str,
        instance: &str,
        endpoint: Endpoint,
        cause: ChangeCause,
        at: Duration,
    ) -> Self {
        Self {
            project: project.to_owned(),
            instance: instance.to_owned(),
            id: endpoint.id.clone(),
            changes: vec![EndpointChange { at, cause, endpoint: Some(endpoint) }],
            deviations: Vec::new(),
            since: at,
            settled: at,
        }
    }

    /// Returns the present endpoint; `None` once it is deleted.
    #[must_use]
    pub fn now(&self) -> Option<&Endpoint> {
        self.changes.last()?.endpoint.as_ref()
    }

    /// Returns the endpoint as it was at that time; `None` before its creation and after its deletion.
    #[must_use]
    pub fn at(&self, time: Duration) -> Option<&Endpoint> {
        self.changes.iter().rfind(|change| change.at <= time)?.endpoint.as_ref()
    }

    /// Returns when it was created.
    #[must_use]
    pub fn created_at(&self) -> Duration {
        self.changes.first().map_or(Duration::ZERO, |change| change.at)
    }

    /// Returns when it was deleted; `None` while it exists.
    #[must_use]
    pub fn gone_at(&self) -> Option<Duration> {
        self.changes.last().filter(|change| change.endpoint.is_none()).map(|change| change.at)
    }

    /// Returns when it entered its present status.
    pub(crate) fn since(&self) -> Duration {
        self.since
    }

    /// Records the endpoint from now on.
    pub(crate) fn change(&mut self, at: Duration, cause: ChangeCause, endpoint: Option<Endpoint>) {
        if self.now().map(|now| &now.status) != endpoint.as_ref().map(|next| &next.status) {
            self.since = at;
        }
        self.settled = self.settled.max(at);
        self.changes.push(EndpointChange { at, cause, endpoint });
    }

    /// Takes every step that Atlas has taken by itself until `now`.
    pub(crate) fn advance(&mut self, now: Duration, pace: &Pace) {
        while let Some((due, deviation, next)) = self.next_step(pace) {
            if due > now {
                break;
            }
            if let Some(index) = deviation {
                self.deviations.remove(index);
            }
            self.change(due.max(self.settled), ChangeCause::Progress, next);
        }
        self.settled = self.settled.max(now);
    }

    /// Returns the next step: when it is due, the deviation that it fulfils, and the endpoint after it.
    fn next_step(&self, pace: &Pace) -> Option<(Duration, Option<usize>, Option<Endpoint>)> {
        let now = self.now()?;
        if self.deviations.contains(&Deviation::Stalls) {
            return None;
        }
        let vanishing = self.deviations.iter().enumerate().find_map(|(index, deviation)| match deviation {
            Deviation::Vanishes { after } => Some((self.created_at() + *after, Some(index), None)),
            _ => None,
        });
        let usual = self.fated(now, pace).or_else(|| {
            let mut next = now.clone();
            match now.status {
                Status::ReservationRequested => {
                    next.reserve();
                    Some((self.since + pace.reserving, None, Some(next)))
                }
                Status::Initiating => {
                    next.status = Status::Available;
                    Some((self.since + pace.connecting, None, Some(next)))
                }
                Status::Deleting if !self.deviations.contains(&Deviation::DeletionSticks) => {
                    Some((self.since + pace.deleting, None, None))
                }
                _ => None,
            }
        });
        match (vanishing, usual) {
            (Some(gone), Some(step)) => Some(if gone.0 <= step.0 { gone } else { step }),
            (gone, step) => gone.or(step),
        }
    }

    /// Returns the first deviation that applies to the present status.
    fn fated(&self, now: &Endpoint, pace: &Pace) -> Option<(Duration, Option<usize>, Option<Endpoint>)> {
        self.deviations.iter().enumerate().find_map(|(index, deviation)| {
            let mut next = now.clone();
            let (wait, next) = match (deviation, &now.status) {
                (Deviation::ReservationFails { message }, Status::ReservationRequested) => {
                    next.fail(message.clone());
                    (pace.reserving, Some(next))
                }
                (Deviation::ConnectionFails { message }, Status::Initiating) => {
                    next.fail(message.clone());
                    (pace.connecting, Some(next))
                }
                (Deviation::Breaks { after, message }, Status::Available) => {
                    next.fail(message.clone());
                    (*after, Some(next))
                }
                (Deviation::Recovers { after }, Status::Failed) => {
                    next.error_message = None;
                    next.reserve();
                    if next.vpc_endpoint_id.is_some() {
                        next.status = Status::Available;
                    }
                    (*after, Some(next))
                }
                (Deviation::Expires { after }, Status::Reserved) => (*after, None),
                (Deviation::DeletionFails { message }, Status::Deleting) => {
                    next.fail(message.clone());
                    (pace.deleting, Some(next))
                }
                (Deviation::ComesBack, Status::Deleting) => {
                    next.reserve();
                    (pace.deleting, Some(next))
                }
                _ => return None,
            };
            Some((self.since + wait, Some(index), next))
        })
    }
}

/// Returns the largest number of endpoints that were alive at the same instant and satisfy `of_interest`.
///
/// An endpoint is alive from its creation until it is `DELETING` or deleted. So "at every instant at most one live
/// endpoint carries mark X" is `max_live(&lives, |endpoint| has_mark_x(endpoint)) <= 1`.
#[must_use]
pub fn max_live(timelines: &[Timeline], of_interest: impl Fn(&Endpoint) -> bool) -> usize {
    let mut steps: Vec<(Duration, isize)> = Vec::new();
    for timeline in timelines {
        let mut counted = false;
        for change in &timeline.changes {
            let counts =
                change.endpoint.as_ref().is_some_and(|e| e.status != Status::Deleting && of_interest(e));
            if counts != counted {
                steps.push((change.at, if counts { 1 } else { -1 }));
                counted = counts;
            }
        }
    }
    // At equal times the departures (-1) come first: an endpoint that ends as another begins is no overlap.
    steps.sort_unstable();
    let mut alive = 0_isize;
    let mut most = 0_isize;
    for (_, step) in steps {
        alive += step;
        most = most.max(alive);
    }
    most.unsigned_abs()
}
