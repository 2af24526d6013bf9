//! The metrics of objects: derives them from each reconcile, event and watch event.
//!
//! It only counts: it never decides, and no rule reads its state. A kind says in plain data what a reconcile found.

use std::borrow::Cow;
use std::time::Duration;

use domain::requeue::Requeue;
use domain::status::{Condition, ConditionType, EventDraft, EventReason, Reason};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1;

use crate::clock::Boottime;
use crate::metrics::{Metrics, Milestone, ObjectCounts, ObjectSnapshot, ObjectState, PerObject, WaitingFor};

/// An object is overdue after this many intervals without a successful sync with Atlas.
const MAX_INTERVALS: u32 = 3;

/// What a reconcile found, as far as it is counted.
pub(crate) struct ReconcileFinding<'a> {
    pub(crate) kind: Cow<'static, str>,
    pub(crate) metadata: &'a v1::ObjectMeta,
    /// The conditions in the status, as the reconcile left it.
    pub(crate) reported: &'a [v1::Condition],
    /// The conditions to report.
    pub(crate) conditions: &'a [Condition],
    /// The status in Atlas: one of few words, so that Atlas cannot create series.
    pub(crate) state: &'static str,
    /// The cause for which the object waits, if it is unfinished.
    pub(crate) waiting_for: Option<WaitingFor>,
    /// A create request has an unknown outcome.
    pub(crate) claim_open: bool,
    pub(crate) requeue: Requeue,
    /// How often it is polled once it is settled.
    pub(crate) interval: Duration,
    /// When the next reconcile is due; `None`: it waits for a trigger.
    pub(crate) due: Option<Boottime>,
}

/// The current contribution of one object to the metrics.
#[derive(Debug, Default)]
pub(crate) struct ObjectMetrics {
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
    pub(crate) fn add_to(&self, counts: &mut ObjectCounts) {
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

    /// Records that the watch shows the object, which is polled at this interval: from now on its reconcile is due.
    pub(crate) fn appeared(&mut self, interval: Duration) {
        if self.snapshot.is_none() && self.overdue.is_none() {
            self.set_overdue(Some(interval));
        }
    }

    /// Records the claim of a create.
    pub(crate) fn claimed(&mut self, at: Boottime) {
        self.claimed = Some(at);
    }

    /// Records the end of a reconcile.
    pub(crate) fn reconciled(&mut self, metrics: &Metrics, finding: &ReconcileFinding<'_>) {
        self.snapshot = Some(self.snapshot(finding));
        let synced = is_true(finding.conditions, ConditionType::Synced);
        if finding.requeue == Requeue::OnChange {
            self.set_overdue(None);
        } else if synced {
            let delay = finding.due.map_or(Duration::ZERO, |due| due.since(Boottime::now()));
            self.set_overdue(Some(finding.interval.max(delay)));
        }
        if metrics.has_series_per_object() {
            self.set_series(finding, synced);
        }
        if finding.claim_open && !self.claim_open {
            metrics.create_suppressed();
        }
        self.claim_open = finding.claim_open;
    }

    /// Records a published event.
    pub(crate) fn event_published(&mut self, metrics: &Metrics, draft: &EventDraft) {
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
    pub(crate) fn on_deleted(&mut self, metrics: &Metrics) {
        let waited = std::mem::take(self).snapshot.and_then(|snapshot| snapshot.waits_for);
        // Counted once, by the first to observe the end of the deletion: the watch, or the reconcile that released the object.
        if let Some((WaitingFor::Deletion, since)) = waited {
            let passed = u64::try_from(Timestamp::now().as_second() - since).unwrap_or_default();
            metrics.transition(Milestone::Deleted, Duration::from_secs(passed));
        }
    }

    fn snapshot(&self, finding: &ReconcileFinding<'_>) -> ObjectSnapshot {
        let condition = |kind| get(finding.conditions, kind).map(|found| (kind, found.status, found.reason));
        ObjectSnapshot {
            state: ObjectState::new(finding.state, is_true(finding.conditions, ConditionType::Ready)),
            conditions: [
                ConditionType::Ready,
                ConditionType::Synced,
                ConditionType::Stalled,
                ConditionType::Suspended,
                ConditionType::ApiSunset,
            ]
            .map(condition),
            waits_for: finding.waiting_for.map(|waiting_for| (waiting_for, self.since(waiting_for, finding))),
        }
    }

    /// Returns since when the object has waited for `waiting_for`, in seconds since 1970. A wait that began before the first
    /// reconcile of this process takes its time from the object, so that a restart resets no timer.
    fn since(&self, waiting_for: WaitingFor, finding: &ReconcileFinding<'_>) -> i64 {
        let known = self.snapshot.and_then(|snapshot| snapshot.waits_for);
        if let Some((_, since)) = known.filter(|(previous, _)| *previous == waiting_for) {
            return since;
        }
        let kind = match waiting_for {
            WaitingFor::VpcEndpoint => ConditionType::EndpointConnected,
            WaitingFor::Progress => ConditionType::Ready,
            WaitingFor::Correction => ConditionType::Stalled,
            WaitingFor::Deletion => {
                let deleted_at = finding.metadata.deletion_timestamp.as_ref();
                return deleted_at.map_or_else(Timestamp::now, |deleted_at| deleted_at.0).as_second();
            }
        };
        let mut conditions = finding.reported.iter();
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

    fn set_series(&mut self, finding: &ReconcileFinding<'_>, synced: bool) {
        let previous = self.series.take().and_then(|series| series.synced);
        self.series = Some(Box::new(PerObject {
            kind: finding.kind.clone(),
            namespace: finding.metadata.namespace.clone().unwrap_or_default(),
            name: finding.metadata.name.clone().unwrap_or_default(),
            ready: is_true(finding.conditions, ConditionType::Ready),
            stalled: is_true(finding.conditions, ConditionType::Stalled),
            synced: if synced { Some(Timestamp::now().as_second()) } else { previous },
        }));
    }
}

fn get(conditions: &[Condition], kind: ConditionType) -> Option<&Condition> {
    conditions.iter().find(|condition| condition.kind == kind)
}

fn is_true(conditions: &[Condition], kind: ConditionType) -> bool {
    get(conditions, kind).is_some_and(|condition| condition.status)
}

/// Returns the cause for which an unfinished object waits, derived from its conditions.
pub(crate) fn waiting_for(deleting: bool, conditions: &[Condition]) -> Option<WaitingFor> {
    if deleting {
        return Some(WaitingFor::Deletion);
    }
    if is_true(conditions, ConditionType::Stalled) {
        return Some(WaitingFor::Correction);
    }
    let reason = |kind| get(conditions, kind).map(|Condition { reason, .. }| *reason);
    let unconnected = reason(ConditionType::EndpointConnected) == Some(Reason::AwaitingVpcEndpoint);
    match reason(ConditionType::Ready)? {
        Reason::AwaitingVpcEndpoint | Reason::ReferenceNotFound => Some(WaitingFor::VpcEndpoint),
        // Ready, because the manifest declares no more, but no traffic can flow.
        Reason::Reserved if unconnected => Some(WaitingFor::VpcEndpoint),
        Reason::Suspended => None,
        _ if is_true(conditions, ConditionType::Ready) => None,
        _ => Some(WaitingFor::Progress),
    }
}

#[cfg(test)]
#[path = "object_metrics_tests.rs"]
mod tests;
