//! The metrics of objects: derives them from each reconcile, event and watch event.
//!
//! It only counts: it never decides, and no rule reads its state.

use std::time::Duration;

use domain::requeue::Requeue;
use domain::serverless::decision::{Creating, Decision, Deleting, State};
use domain::serverless::status::Report;
use domain::status::EventDraft;
use domain::status::{Condition, ConditionType, EventReason, Reason};
use jiff::Timestamp;
use kube::{Resource, ResourceExt};

use crate::clock::Boottime;
use crate::metrics::{Metrics, Milestone, ObjectCounts, ObjectSnapshot, ObjectState, PerObject, WaitingFor};
use crate::serverless::crd::ServerlessPrivateEndpoint;

use super::convert::interval;

/// An object is overdue after this many intervals without a successful sync with Atlas.
const MAX_INTERVALS: u32 = 3;

/// The current contribution of one object to the metrics.
#[derive(Debug, Default)]
pub(super) struct ObjectMetrics {
    snapshot: Option<ObjectSnapshot>,
    /// When the object becomes overdue, in seconds since boot.
    overdue: Option<u64>,
    /// The series of the object, if there are series per object.
    series: Option<Box<PerObject>>,
    claim_open: bool,
    claimed: Option<Boottime>,
    attached: Option<Boottime>,
}

impl ObjectMetrics {
    /// Adds the object to the counts of a scrape.
    pub(super) fn add_to(&self, counts: &mut ObjectCounts) {
        if let Some(snapshot) = &self.snapshot {
            counts.add(snapshot);
        }
        if self.overdue.is_some_and(|overdue| overdue < Boottime::now().since_boot().as_secs()) {
            counts.add_overdue();
        }
        if self.claim_open {
            counts.add_open_claim();
        }
        if let Some(series) = &self.series {
            counts.add_series(PerObject::clone(series));
        }
    }

    /// Records that the watch shows the object: from now on its reconcile is due.
    pub(super) fn appeared(&mut self, object: &ServerlessPrivateEndpoint) {
        if self.snapshot.is_none() && self.overdue.is_none() {
            self.set_overdue(Some(interval(object)));
        }
    }

    /// Records the claim of a create.
    pub(super) fn claimed(&mut self, at: Boottime) {
        self.claimed = Some(at);
    }

    /// Records the end of a reconcile. The next is due at `due`; `None`: it waits for a trigger.
    pub(super) fn reconciled(
        &mut self,
        metrics: &Metrics,
        decision: &Decision,
        report: &Report,
        object: &ServerlessPrivateEndpoint,
        due: Option<Boottime>,
    ) {
        self.snapshot = Some(self.snapshot(decision, report, object));
        let synced = is_true(report, ConditionType::Synced);
        if decision.requeue == Requeue::OnChange {
            self.set_overdue(None);
        } else if synced {
            let delay = due.map_or(Duration::ZERO, |due| due.since(Boottime::now()));
            self.set_overdue(Some(interval(object).max(delay)));
        }
        if metrics.has_series_per_object() {
            self.set_series(report, object, synced);
        }
        let claim_open = matches!(
            decision.state,
            State::Creating(Creating::AwaitingOutcome(_)) | State::Deleting(Deleting::AwaitingOutcome(_))
        );
        if claim_open && !self.claim_open {
            metrics.create_suppressed();
        }
        self.claim_open = claim_open;
    }

    /// Records a published event.
    pub(super) fn event_published(&mut self, metrics: &Metrics, draft: &EventDraft) {
        let milestone = |to: Milestone, since: &mut Option<Boottime>| {
            if let Some(since) = since.take() {
                metrics.transition(to, since.elapsed());
            }
        };
        match draft.reason {
            EventReason::EndpointAdopted => metrics.adopted(),
            EventReason::EndpointLost => metrics.endpoint_lost(),
            EventReason::Duplicate => metrics.duplicate_found(),
            EventReason::VpcEndpointAttached => self.attached = Some(Boottime::now()),
            EventReason::EndpointServiceReserved => milestone(Milestone::Reserved, &mut self.claimed),
            EventReason::EndpointAvailable => milestone(Milestone::Available, &mut self.attached),
            _ => {}
        }
    }

    /// Removes the contribution of an object that no longer exists.
    pub(super) fn on_deleted(&mut self, metrics: &Metrics) {
        let waited = std::mem::take(self).snapshot.and_then(|snapshot| snapshot.waits_for);
        // Counted once, by the first to observe the end of the deletion: the watch, or the reconcile that released the object.
        if let Some((WaitingFor::Deletion, since)) = waited {
            let passed = u64::try_from(Timestamp::now().as_second() - since).unwrap_or_default();
            metrics.transition(Milestone::Deleted, Duration::from_secs(passed));
        }
    }

    fn snapshot(
        &self,
        decision: &Decision,
        report: &Report,
        object: &ServerlessPrivateEndpoint,
    ) -> ObjectSnapshot {
        let status = report.endpoint.as_ref().filter(|_| !report.lost).map(|endpoint| &endpoint.status);
        let state = status.map_or("NONE", |status| status.known().unwrap_or("OTHER"));
        let condition = |kind| report.get(kind).map(|found| (kind, found.status, found.reason));
        ObjectSnapshot {
            state: ObjectState::new(state, is_true(report, ConditionType::Ready)),
            conditions: [
                ConditionType::Ready,
                ConditionType::Synced,
                ConditionType::Stalled,
                ConditionType::Suspended,
                ConditionType::ApiSunset,
            ]
            .map(condition),
            waits_for: waiting_for(decision, report)
                .map(|waiting_for| (waiting_for, self.since(waiting_for, object))),
        }
    }

    /// Returns since when the object has waited for `waiting_for`, in seconds since 1970. A wait that began before the first
    /// reconcile of this process takes its time from the object, so that a restart resets no timer.
    fn since(&self, waiting_for: WaitingFor, object: &ServerlessPrivateEndpoint) -> i64 {
        let known = self.snapshot.and_then(|snapshot| snapshot.waits_for);
        if let Some((_, since)) = known.filter(|(previous, _)| *previous == waiting_for) {
            return since;
        }
        let kind = match waiting_for {
            WaitingFor::VpcEndpoint => ConditionType::EndpointConnected,
            WaitingFor::Progress => ConditionType::Ready,
            WaitingFor::Correction => ConditionType::Stalled,
            WaitingFor::Deletion => {
                let deleted_at = object.meta().deletion_timestamp.as_ref();
                return deleted_at.map_or_else(Timestamp::now, |deleted_at| deleted_at.0).as_second();
            }
        };
        let mut conditions = object.status.iter().flat_map(|status| &status.conditions);
        let found = conditions.find(|found| self.snapshot.is_none() && found.type_ == kind.as_str());
        found.map_or_else(Timestamp::now, |found| found.last_transition_time.0).as_second()
    }

    /// Sets when the object becomes overdue: [`MAX_INTERVALS`] such intervals from now; `None`: never.
    fn set_overdue(&mut self, interval: Option<Duration>) {
        self.overdue = interval.map(|interval| {
            let latest = Boottime::now().since_boot().saturating_add(interval.saturating_mul(MAX_INTERVALS));
            latest.as_secs()
        });
    }

    fn set_series(&mut self, report: &Report, object: &ServerlessPrivateEndpoint, synced: bool) {
        let previous = self.series.take().and_then(|series| series.synced);
        self.series = Some(Box::new(PerObject {
            namespace: object.namespace().unwrap_or_default(),
            name: object.name_any(),
            ready: is_true(report, ConditionType::Ready),
            stalled: is_true(report, ConditionType::Stalled),
            synced: if synced { Some(Timestamp::now().as_second()) } else { previous },
        }));
    }
}

fn is_true(report: &Report, kind: ConditionType) -> bool {
    report.get(kind).is_some_and(|condition| condition.status)
}

/// Returns the cause for which an unfinished object waits, derived from its conditions.
fn waiting_for(decision: &Decision, report: &Report) -> Option<WaitingFor> {
    if matches!(decision.state, State::Deleting(_)) {
        return Some(WaitingFor::Deletion);
    }
    if is_true(report, ConditionType::Stalled) {
        return Some(WaitingFor::Correction);
    }
    let reason = |kind| report.get(kind).map(|Condition { reason, .. }| *reason);
    let unconnected = reason(ConditionType::EndpointConnected) == Some(Reason::AwaitingVpcEndpoint);
    match reason(ConditionType::Ready)? {
        Reason::AwaitingVpcEndpoint | Reason::ReferenceNotFound => Some(WaitingFor::VpcEndpoint),
        // Ready, because the manifest declares no more, but no traffic can flow.
        Reason::Reserved if unconnected => Some(WaitingFor::VpcEndpoint),
        Reason::Suspended => None,
        _ if is_true(report, ConditionType::Ready) => None,
        _ => Some(WaitingFor::Progress),
    }
}

#[cfg(test)]
#[path = "object_metrics_tests.rs"]
mod tests;
