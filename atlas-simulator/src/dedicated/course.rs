//! One object of Atlas over time: its states, oldest first, and the deviations that are still to come.
//!
//! Pure: time is a parameter. A course is never dropped, so that a test can read the state at any instant, and a lagging
//! read can show the past.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{endpoint::Deviation, seconds, timeline::ChangeCause};

/// One point of a course: the state from then on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CoursePoint<T> {
    /// Time since the simulator's start.
    #[serde(with = "seconds")]
    pub at: Duration,
    /// Why.
    pub cause: ChangeCause,
    /// The state from then on; `None`: deleted.
    pub state: Option<T>,
}

/// The course of one object, from its creation to its end.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Course<T> {
    /// Its states, oldest first, the creation being the first.
    pub points: Vec<CoursePoint<T>>,
    /// The deviations that are still to come.
    pub deviations: Vec<Deviation>,
}

impl<T> Course<T> {
    pub(crate) fn begin(state: T, cause: ChangeCause, at: Duration) -> Self {
        Self { points: vec![CoursePoint { at, cause, state: Some(state) }], deviations: Vec::new() }
    }

    /// Returns its state at this time; `None` before its creation and after its end.
    #[must_use]
    pub fn at(&self, time: Duration) -> Option<&T> {
        self.points.iter().rev().find(|point| point.at <= time)?.state.as_ref()
    }

    /// Returns its present state; `None` once it is deleted.
    #[must_use]
    pub fn now(&self) -> Option<&T> {
        self.points.last()?.state.as_ref()
    }

    /// Returns when it was created.
    #[must_use]
    pub fn created_at(&self) -> Duration {
        self.points.first().map_or(Duration::ZERO, |point| point.at)
    }

    /// Returns when it was deleted; `None` while it exists.
    #[must_use]
    pub fn gone_at(&self) -> Option<Duration> {
        self.points.last().filter(|point| point.state.is_none()).map(|point| point.at)
    }

    /// Returns since when it has been in its present state.
    #[must_use]
    pub fn since(&self) -> Duration {
        self.points.last().map_or(Duration::ZERO, |point| point.at)
    }

    /// Records the state from now on.
    pub(crate) fn change(&mut self, at: Duration, cause: ChangeCause, state: Option<T>) {
        let at = at.max(self.since());
        self.points.push(CoursePoint { at, cause, state });
    }
}
