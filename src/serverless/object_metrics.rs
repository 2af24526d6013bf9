//! What happens to objects, counted.
//!
//! Counts only; it never decides, and nothing reads what it keeps.

use std::time::Duration;

use domain::conditions::{Condition, ConditionType, EventReason, Reason, Report};
use domain::decision::{Creating, Decision, Deleting, Requeue, State};
use domain::event::EventDraft;
use jiff::Timestamp;
use kube::{Resource, ResourceExt};

use crate::clock::Boottime;
use crate::metrics::{Metrics, Milestone, ObjectSnapshot, ObjectState, PerObject, WaitingFor};
use crate::serverless::crd::ServerlessPrivateEndpoint;

use super::convert::interval;

/// So many pauses without a good look at Atlas are too many.
const PAUSES: u32 = 3;

/// What was counted of one object.
#[derive(Debug, Default)]
pub(super) struct ObjectMetrics {
    standing: Option<ObjectSnapshot>,
    /// When the object is overdue, in seconds since boot.
    overdue: Option<u64>,
    /// Namespace and name, where objects are told apart.
    shown: Option<Box<(String, String)>>,
    settling: bool,
    claimed: Option<Boottime>,
    attached: Option<Boottime>,
}

impl ObjectMetrics {
    /// The watch shows the object: from now on it is to be looked at.
    pub(super) fn appeared(&mut self, metrics: &Metrics, object: &ServerlessPrivateEndpoint) {
        if self.standing.is_none() && self.overdue.is_none() {
            self.expect(metrics, Some(interval(object)));
        }
    }

    /// A create was claimed.
    pub(super) fn claimed(&mut self, at: Boottime) {
        self.claimed = Some(at);
    }

    /// A reconcile has come to its end; the next is due at `due`, if at all by itself.
    pub(super) fn looked(
        &mut self,
        metrics: &Metrics,
        decision: &Decision,
        report: &Report,
        object: &ServerlessPrivateEndpoint,
        due: Option<Boottime>,
    ) {
        let standing = self.standing(decision, report, object);
        if self.standing != Some(standing) {
            metrics.object_changed(self.standing.as_ref(), Some(&standing));
            self.standing = Some(standing);
        }
        let synced = is_true(report, ConditionType::Synced);
        if decision.requeue == Requeue::OnChange {
            self.expect(metrics, None);
        } else if synced {
            let pause = due.map_or(Duration::ZERO, |due| due.since(Boottime::now()));
            self.expect(metrics, Some(interval(object).max(pause)));
        }
        if metrics.are_objects_told_apart() {
            self.show(metrics, report, object, synced);
        }
        let settling = matches!(
            decision.state,
            State::Creating(Creating::AwaitingOutcome(_)) | State::Deleting(Deleting::AwaitingOutcome(_))
        );
        if settling && !self.settling {
            metrics.create_suppressed();
        }
        self.settles(metrics, settling);
    }

    /// An event is published.
    pub(super) fn noticed(&mut self, metrics: &Metrics, notice: &EventDraft) {
        let milestone = |to: Milestone, since: &mut Option<Boottime>| {
            if let Some(since) = since.take() {
                metrics.transition(to, since.elapsed());
            }
        };
        match notice.reason {
            EventReason::EndpointAdopted => metrics.adopted(),
            EventReason::EndpointLost => metrics.endpoint_lost(),
            EventReason::Duplicate => metrics.duplicate_found(),
            EventReason::VpcEndpointAttached => self.attached = Some(Boottime::now()),
            EventReason::EndpointServiceReserved => milestone(Milestone::Reserved, &mut self.claimed),
            EventReason::EndpointAvailable => milestone(Milestone::Available, &mut self.attached),
            _ => {}
        }
    }

    /// The object is gone.
    pub(super) fn gone(&mut self, metrics: &Metrics) {
        if let Some(standing) = self.standing.take() {
            metrics.object_changed(Some(&standing), None);
            // Whoever hears first that it is gone, the watch or the reconcile that released it, knows since when.
            if let Some((WaitingFor::Deletion, since)) = standing.awaits {
                let passed = u64::try_from(Timestamp::now().as_second() - since).unwrap_or_default();
                metrics.transition(Milestone::Deleted, Duration::from_secs(passed));
            }
        }
        self.expect(metrics, None);
        if let Some(shown) = self.shown.take() {
            metrics.object_forgotten(&shown.0, &shown.1);
        }
        self.settles(metrics, false);
    }

    fn standing(
        &self,
        decision: &Decision,
        report: &Report,
        object: &ServerlessPrivateEndpoint,
    ) -> ObjectSnapshot {
        let status = report.endpoint.as_ref().filter(|_| !report.lost).map(|endpoint| &endpoint.status);
        let condition = |kind| report.get(kind).map(|found| (kind, found.status, found.reason));
        ObjectSnapshot {
            state: ObjectState::new(status, is_true(report, ConditionType::Ready)),
            conditions: [
                ConditionType::Ready,
                ConditionType::Synced,
                ConditionType::Stalled,
                ConditionType::Suspended,
                ConditionType::ApiSunset,
            ]
            .map(condition),
            awaits: awaited(decision, report).map(|awaited| (awaited, self.since(awaited, object))),
        }
    }

    /// Since when it has waited for that. What is already so when this process looks for the first time is dated by the
    /// object itself: a restart starts no clock anew.
    fn since(&self, awaited: WaitingFor, object: &ServerlessPrivateEndpoint) -> i64 {
        let known = self.standing.and_then(|standing| standing.awaits);
        if let Some((_, since)) = known.filter(|(before, _)| *before == awaited) {
            return since;
        }
        let kind = match awaited {
            WaitingFor::VpcEndpoint => ConditionType::EndpointConnected,
            WaitingFor::Progress => ConditionType::Ready,
            WaitingFor::Correction => ConditionType::Stalled,
            WaitingFor::Deletion => {
                let asked = object.meta().deletion_timestamp.as_ref();
                return asked.map_or_else(Timestamp::now, |asked| asked.0).as_second();
            }
        };
        let mut conditions = object.status.iter().flat_map(|status| &status.conditions);
        let found = conditions.find(|found| self.standing.is_none() && found.type_ == kind.as_str());
        found.map_or_else(Timestamp::now, |found| found.last_transition_time.0).as_second()
    }

    /// The next good look is expected within some such pauses from now; none: it is not waited for.
    fn expect(&mut self, metrics: &Metrics, pause: Option<Duration>) {
        let overdue = pause.map(|pause| {
            let latest = Boottime::now().since_boot().saturating_add(pause.saturating_mul(PAUSES));
            latest.as_secs()
        });
        if self.overdue != overdue {
            metrics.due_changed(self.overdue, overdue);
            self.overdue = overdue;
        }
    }

    fn show(&mut self, metrics: &Metrics, report: &Report, object: &ServerlessPrivateEndpoint, synced: bool) {
        let names = || Box::new((object.namespace().unwrap_or_default(), object.name_any()));
        let (namespace, name) = &**self.shown.get_or_insert_with(names);
        metrics.object_shows(&PerObject {
            namespace,
            name,
            ready: is_true(report, ConditionType::Ready),
            stalled: is_true(report, ConditionType::Stalled),
            synced: synced.then(|| Timestamp::now().as_second()),
        });
    }

    fn settles(&mut self, metrics: &Metrics, settling: bool) {
        match (self.settling, settling) {
            (false, true) => metrics.claim_opened(),
            (true, false) => metrics.claim_settled(),
            _ => {}
        }
        self.settling = settling;
    }
}

fn is_true(report: &Report, kind: ConditionType) -> bool {
    report.get(kind).is_some_and(|condition| condition.status)
}

/// What an object that is not done waits for, in the words of its conditions.
fn awaited(decision: &Decision, report: &Report) -> Option<WaitingFor> {
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
        // Ready, because no more is declared; but no traffic can flow.
        Reason::Reserved if unconnected => Some(WaitingFor::VpcEndpoint),
        Reason::Suspended => None,
        _ if is_true(report, ConditionType::Ready) => None,
        _ => Some(WaitingFor::Progress),
    }
}

#[cfg(test)]
#[path = "object_metrics_tests.rs"]
mod tests;
