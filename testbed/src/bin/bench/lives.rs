//! The lives of all services and endpoints in Atlas, from the simulator's own record: when each was created, and when its status changed.

use std::time::Duration;

use atlas_simulator::{Simulator, Timeline};
use serde::Serialize;

/// The life of a service or endpoint.
pub(crate) struct MeasuredLife {
    pub(crate) id: String,
    /// Each status with the time of its change, oldest first; `None`: it no longer exists.
    changes: Vec<(Duration, Option<String>)>,
}

impl MeasuredLife {
    fn new<S: Serialize>(id: String, changes: impl Iterator<Item = (Duration, Option<S>)>) -> Self {
        let changes = changes.map(|(at, status)| (at, status.map(|status| spelled(&status)))).collect();
        Self { id, changes }
    }

    fn of_instance(timeline: &Timeline) -> Self {
        let changes = timeline
            .changes
            .iter()
            .map(|change| (change.at, change.endpoint.as_ref().map(|endpoint| &endpoint.status)));
        Self::new(timeline.id.clone(), changes)
    }

    /// Returns whether it exists.
    pub(crate) fn exists(&self) -> bool {
        self.changes.last().is_some_and(|(_, status)| status.is_some())
    }

    /// Returns when it was created.
    pub(crate) fn created_at(&self) -> Option<Duration> {
        self.changes.first().map(|(at, _)| *at)
    }

    /// Returns when it took this status last; `None`: when it ended.
    pub(crate) fn became(&self, wanted: Option<&str>) -> Option<Duration> {
        let is_wanted = |(_, status): &&(Duration, Option<String>)| status.as_deref() == wanted;
        self.changes.iter().rev().find(is_wanted).map(|(at, _)| *at)
    }
}

/// Returns all lives so far.
pub(crate) fn lives(atlas: &Simulator) -> Vec<MeasuredLife> {
    let mut all: Vec<_> = atlas.timelines().iter().map(MeasuredLife::of_instance).collect();
    for life in atlas.service_courses() {
        let points = life.service.points.iter();
        let service = points.map(|point| (point.at, point.state.as_ref().map(|state| &state.status)));
        all.push(MeasuredLife::new(life.id.clone(), service));
        for registered in &life.endpoints {
            let points = registered.endpoint.points.iter();
            let endpoint = points.map(|point| (point.at, point.state.as_ref().map(|state| &state.status)));
            all.push(MeasuredLife::new(registered.id.clone(), endpoint));
        }
    }
    all
}

/// Returns a status as Atlas spells it.
fn spelled(status: &impl Serialize) -> String {
    serde_json::to_value(status).ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}
