//! The stages in which a reconcile publishes a report: the output ConfigMap, the status, the events, and when it is due next.
//!
//! They publish only differences. When the ConfigMap is written, kept and removed is in [`reconcile::output`](crate::reconcile::output),
//! and what it holds in [`output`](crate::dedicated::output).

use std::sync::Arc;
use std::time::Duration;

use crate::reconcile::output::{Content, OutputOutcome, OutputStep, OutputWrite};
use crate::reconcile::{ApiFailure, Effect, End, Note, OutputMap, StatusWrite};
use crate::schedule::{PollIntervals, ReconcileOutcome};
use crate::status::{ConditionType, Message, Reason, set_synced_false};

use super::super::claim::ClaimTarget;
use super::super::decision::Step;
use super::super::{event, output};
use super::state::DedicatedResource;
use super::vocabulary::{Dedicated, Plan};
use super::{ApiCall, Awaiting, Next, Reconcile, Surroundings, changes, progress};

/// A report that is being published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Publishing {
    plan: Arc<Plan>,
    /// It precedes a claim: the reconcile goes on.
    is_first: bool,
    output: OutputWrite,
}

impl<R: DedicatedResource> Reconcile<R> {
    /// Returns `true` if the plan's report is published before its claim: what the output ConfigMap holds of a lost life is taken out
    /// before that is created again, and what takes the place of a former endpoint is written before that is removed.
    pub(super) fn is_published_first(&self, plan: &Plan) -> bool {
        matches!(plan.decision.step, Step::Claim(_))
            && !self.published_first
            && !self.object().is_deleting()
            && self.object().output().recorded.is_some()
            && output::content(&plan.observed, &plan.report).is_some()
    }

    /// Publishes the report of a plan before its claim.
    pub(super) fn publish_first(
        &mut self,
        plan: Arc<Plan>,
        around: &mut Surroundings<'_>,
    ) -> Effect<Dedicated<R>> {
        self.published_first = true;
        // Once the status shows the loss, no event about it follows.
        let lost = match &plan.decision.step {
            Step::Claim(target @ ClaimTarget::Create(_)) => event::before_claim(target, &plan.observed),
            _ => None,
        };
        self.publish_events(lost.into_iter().collect(), Next::PublishFirst(plan), around)
    }

    /// Publishes the report of the plan.
    pub(super) fn publish(
        &mut self,
        plan: Arc<Plan>,
        is_first: bool,
        around: &mut Surroundings<'_>,
    ) -> Effect<Dedicated<R>> {
        let names = self.object().output();
        // One that has no content, and never had one, is not looked for.
        let has_content = |content: Content| !content.is_empty() || names.recorded.is_some();
        let is_known =
            !names.is_empty() && output::content(&plan.observed, &plan.report).is_some_and(has_content);
        let targets = names.targets(self.object().is_deleting(), is_known);
        let (output, first) = OutputWrite::begin(targets);
        self.follow_output(Box::new(Publishing { plan, is_first, output }), first, around)
    }

    fn follow_output(
        &mut self,
        mut publishing: Box<Publishing>,
        step: OutputStep,
        around: &mut Surroundings<'_>,
    ) -> Effect<Dedicated<R>> {
        match step {
            OutputStep::Request(request) => {
                // Each call acquires its own permit, and nothing that holds one waits for another one of that kind.
                self.permits.api_server = false;
                self.awaiting = Awaiting::Output(publishing);
                Effect::Output(request)
            }
            OutputStep::Fill => {
                let next = self.fill_output(&mut publishing, around);
                self.follow_output(publishing, next, around)
            }
            OutputStep::RecordName(name) => self.call_api(ApiCall::OutputName(publishing, name)),
            OutputStep::Done => self.write_status(publishing, around),
        }
    }

    /// Takes the result of a request about the output ConfigMap.
    pub(super) fn output_performed(
        &mut self,
        mut publishing: Box<Publishing>,
        result: Result<Option<OutputMap>, Message>,
        around: &mut Surroundings<'_>,
    ) -> Effect<Dedicated<R>> {
        let next = publishing.output.performed(result);
        self.follow_output(publishing, next, around)
    }

    /// Takes the object with the recorded name of its output ConfigMap.
    pub(super) fn output_name_written(
        &mut self,
        mut publishing: Box<Publishing>,
        around: &mut Surroundings<'_>,
    ) -> Effect<Dedicated<R>> {
        let next = publishing.output.name_recorded();
        self.follow_output(publishing, next, around)
    }

    /// Determines what the output ConfigMap has to hold, now that it was read. What one listing takes out stays until a second one
    /// confirms that.
    fn fill_output(&self, publishing: &mut Publishing, around: &mut Surroundings<'_>) -> OutputStep {
        let Publishing { plan, output, .. } = publishing;
        let times = &self.settings.times;
        let prepared = output.found().filter(|found| output::is_prepared_again(found, &plan.report));
        let content = prepared.cloned();
        let content = content.or_else(|| output::content(&plan.observed, &plan.report)).unwrap_or_default();
        let entries = &plan.report.entries;
        let wanted = plan.observed.spec.as_ref().map_or(&[][..], |spec| &spec.clusters);
        let takes_out = |found| output::takes_out(found, &content, entries, wanted);
        let takes_out = output.found().is_some_and(takes_out);
        if !takes_out {
            around.kept.taking_out.end();
        } else if !plan.is_confirmed()
            && !around.kept.taking_out.is_confirmed(self.state.tracked().listed_at(), times)
        {
            return output.leave(times.confirm_gap);
        }
        output.fill(content, OutputOutcome::Complete, self.object().output().recorded)
    }

    /// Writes the status, if it differs from the report.
    fn write_status(
        &mut self,
        mut publishing: Box<Publishing>,
        around: &mut Surroundings<'_>,
    ) -> Effect<Dedicated<R>> {
        publishing.output.forget();
        if let Some(problem) = publishing.output.problem() {
            let report = &mut Arc::make_mut(&mut publishing.plan).report;
            set_synced_false(&mut report.conditions, Reason::OutputNotWritten, problem.clone());
        }
        let report = &publishing.plan.report;
        if self.object().differs_from(report, self.handled(&publishing)) {
            return self.call_api(ApiCall::Status(publishing));
        }
        if !report.unchanged {
            around.kept.announce(report);
        }
        self.end_report(&publishing, around)
    }

    fn handled(&self, publishing: &Publishing) -> Option<&str> {
        if publishing.is_first {
            self.state.tracked().handled_request()
        } else {
            self.state.handled_request_at_rest()
        }
    }

    /// Returns the status to write.
    pub(super) fn status(&self, publishing: &Publishing) -> StatusWrite<Dedicated<R>> {
        let handled_request = self.handled(publishing).map(str::to_owned);
        StatusWrite { plan: Arc::clone(&publishing.plan), handled_request }
    }

    /// Goes on after the status was written, or could not be.
    pub(super) fn status_written(
        &mut self,
        publishing: Box<Publishing>,
        written: Result<(), ApiFailure>,
        around: &mut Surroundings<'_>,
    ) -> Effect<Dedicated<R>> {
        match written {
            Ok(()) => {
                let events = changes(&publishing.plan, around.kept);
                self.publish_events(events, Next::EndReport(publishing), around)
            }
            Err(ApiFailure::Conflict) => {
                self.end(End::Changed("the object changed before its status was written"), around)
            }
            // A status that cannot be written must not block a deletion: the object may already have the maximum size.
            Err(ApiFailure::Rejected(why)) if self.object().is_deleting() => {
                self.notes.push(Note::StatusNotWritten(why));
                self.end_report(&publishing, around)
            }
            Err(failure) => self.end(End::of(failure), around),
        }
    }

    /// Ends the report: goes on to its claim, or ends the reconcile.
    ///
    /// Nothing is created or removed while the output ConfigMap may name what is lost or about to be removed, because it could not be written.
    pub(super) fn end_report(
        &mut self,
        publishing: &Publishing,
        around: &mut Surroundings<'_>,
    ) -> Effect<Dedicated<R>> {
        let Publishing { plan, is_first, output } = publishing;
        if !plan.report.unchanged {
            let failure = event::failure(&plan.report);
            let is_new = around.kept.warned.is_new(failure.as_ref().map(|(_, message)| message));
            self.notes.extend(failure.filter(|_| is_new).map(|(reason, text)| Note::Warning(reason, text)));
        }
        if *is_first && !output.may_be_outdated() {
            return self.decide(around);
        }
        self.finish(plan, output.latest(), around)
    }

    fn finish(
        &mut self,
        plan: &Arc<Plan>,
        latest: Option<Duration>,
        around: &mut Surroundings<'_>,
    ) -> Effect<Dedicated<R>> {
        let Plan { observed, decision, report } = &**plan;
        let interval = self.object().interval();
        let is_ready = report.get(ConditionType::Ready).is_some_and(|ready| ready.status);
        let gap = self.settings.times.confirm_gap;
        let pace = PollIntervals {
            // A service and its endpoint change one after the other, in two phases.
            poll_min: self.settings.poll_min / 2,
            poll_max: self.settings.poll_max,
            // A loss is confirmed one gap after it is noticed: what is gone is not reported ready for longer than the interval.
            interval: if is_ready { interval.saturating_sub(gap).max(gap.min(interval)) } else { interval },
        };
        let outcome = ReconcileOutcome {
            object: self.object().version(),
            token: None,
            requeue: decision.requeue,
            progress: progress(decision.requeue, &decision.state),
            basis: self.state.basis(),
            latest,
        };
        let now = around.now();
        let delay = around.kept.schedule.finished(&outcome, pace, around.at.jitter, now);
        if !report.unchanged {
            let deadline = || observed.spec.as_ref().map_or(Duration::ZERO, |spec| spec.progress_deadline);
            let overdue = self.object().is_overdue().then(deadline);
            around.kept.memory.working(report.working, overdue, now);
        }
        self.done(End::Finished, delay, Some(Arc::clone(plan)), around)
    }
}
