//! What happens to objects, counted.
//!
//! Counts only; it never decides, and nothing reads what it keeps.

use domain::conditions::{EventReason, Report};
use domain::decision::{Creating, Decision, Deleting, State};
use domain::notice::Notice;

use crate::clock::Boottime;
use crate::service::metrics::{Metrics, Milestone, ObjectState};

/// What was counted of one object.
#[derive(Debug, Default)]
pub(super) struct Counted {
    state: Option<ObjectState>,
    settling: bool,
    claimed: Option<Boottime>,
    attached: Option<Boottime>,
    deleting: Option<Boottime>,
}

impl Counted {
    /// A create was claimed.
    pub(super) fn claimed(&mut self, at: Boottime) {
        self.claimed = Some(at);
    }

    /// A reconcile has come to its end.
    pub(super) fn looked(&mut self, metrics: &Metrics, decision: &Decision, report: &Report) {
        let status = report.endpoint.as_ref().filter(|_| !report.lost).map(|endpoint| &endpoint.status);
        let ready = report.conditions.first().is_some_and(|ready| ready.status);
        let state = Some(ObjectState::new(status, ready));
        if self.state != state {
            metrics.object_changed(self.state, state);
            self.state = state;
        }
        if matches!(decision.state, State::Deleting(_)) {
            self.deleting.get_or_insert_with(Boottime::now);
        }
        let settling = matches!(
            decision.state,
            State::Creating(Creating::Settling(_)) | State::Deleting(Deleting::Settling(_))
        );
        if settling && !self.settling {
            metrics.create_suppressed();
        }
        self.settles(metrics, settling);
    }

    /// An event is published.
    pub(super) fn noticed(&mut self, metrics: &Metrics, notice: &Notice) {
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
            EventReason::EndpointDeleted => milestone(Milestone::Deleted, &mut self.deleting),
            _ => {}
        }
    }

    /// The object is gone.
    pub(super) fn gone(&mut self, metrics: &Metrics) {
        if self.state.is_some() {
            metrics.object_changed(self.state.take(), None);
        }
        self.settles(metrics, false);
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
