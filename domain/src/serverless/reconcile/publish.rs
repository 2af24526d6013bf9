//! The stages in which a reconcile publishes a report: the output ConfigMap, the status, the events, and when it is due next.
//!
//! They publish only differences. When the ConfigMap is written, kept and removed is in
//! [`reconcile::output`](crate::reconcile::output); here it gets the private address.

use std::sync::Arc;
use std::time::Duration;

use crate::access::Purpose;
use crate::reconcile::output::{OutputOutcome, OutputStep, OutputWrite};
use crate::reconcile::{ApiFailure, Effect, End, Input, Note, StatusWrite};
use crate::schedule::{PollIntervals, ReconcileOutcome};
use crate::serverless::event;
use crate::serverless::output::{connected, content, is_known, known_address};
use crate::status::Reason;

use super::state::CustomResource;
use super::vocabulary::{Plan, Serverless};
use super::{ApiCall, Awaiting, Next, Reconcile, Surroundings, changes};

/// A report that is being published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Publishing {
    plan: Arc<Plan>,
    /// It reports a loss before the endpoint is replaced: the reconcile goes on.
    is_loss: bool,
    output: OutputWrite,
}

impl Publishing {
    /// Returns `true` if it reports that an endpoint is lost, before another one replaces it.
    pub(super) fn is_loss(&self) -> bool {
        self.is_loss
    }
}

/// What the output ConfigMap waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OutputStage {
    /// The API server.
    ConfigMap,
    /// Credentials for the private address.
    AddressCredentials,
    /// The private address.
    FindingAddress,
}

impl<R: CustomResource> Reconcile<R> {
    /// Publishes the report of the plan.
    pub(super) fn publish(
        &mut self,
        plan: Arc<Plan>,
        is_loss: bool,
        around: &mut Surroundings<'_>,
    ) -> Effect<Serverless<R>> {
        let is_known = is_known(&plan.report, self.state.is_listed());
        let targets = self.object().output().targets(self.state.is_deleting(), is_known);
        let (output, first) = OutputWrite::begin(targets);
        self.follow_output(Box::new(Publishing { plan, is_loss, output }), first, around)
    }

    fn follow_output(
        &mut self,
        publishing: Box<Publishing>,
        step: OutputStep,
        around: &mut Surroundings<'_>,
    ) -> Effect<Serverless<R>> {
        match step {
            OutputStep::Request(request) => {
                self.output_effect(OutputStage::ConfigMap, publishing, Effect::Output(request))
            }
            OutputStep::Fill => self.find_address(publishing, around),
            OutputStep::RecordName(name) => self.call_api(ApiCall::OutputName(publishing, name)),
            OutputStep::Done => self.write_status(publishing, around),
        }
    }

    /// Waits for an effect about the output ConfigMap, without a permit: each call acquires its own, and nothing that holds a permit
    /// waits for another one of that kind.
    fn output_effect(
        &mut self,
        stage: OutputStage,
        publishing: Box<Publishing>,
        effect: Effect<Serverless<R>>,
    ) -> Effect<Serverless<R>> {
        self.permits.api_server = false;
        self.awaiting = Awaiting::Output(stage, publishing);
        effect
    }

    /// Takes an input about the output ConfigMap.
    pub(super) fn output(
        &mut self,
        stage: OutputStage,
        mut publishing: Box<Publishing>,
        input: Input<Serverless<R>>,
        around: &mut Surroundings<'_>,
    ) -> Effect<Serverless<R>> {
        use Input as I;
        match (stage, input) {
            (OutputStage::ConfigMap, I::Output(result)) => {
                let next = publishing.output.performed(result);
                self.follow_output(publishing, next, around)
            }
            (OutputStage::AddressCredentials, I::Credentials(Ok(_))) => {
                let connected = connected(&publishing.plan.report).unwrap_or_default().to_owned();
                let effect = Effect::FindAddress { connected, fresh_after: self.state.tracked().listed_at() };
                self.output_effect(OutputStage::FindingAddress, publishing, effect)
            }
            (OutputStage::AddressCredentials, I::Credentials(Err(_))) => {
                self.fill_output(publishing, None, around)
            }
            (OutputStage::FindingAddress, I::Address(address)) => {
                if let (Some(id), Some(address)) = (connected(&publishing.plan.report), &address) {
                    around.kept.set_private_address(id, address);
                }
                self.fill_output(publishing, address, around)
            }
            (_, _) => self.end(End::Changed("an effect had a result of another kind"), around),
        }
    }

    /// Finds the private address, unless it is known, or nothing is connected.
    fn find_address(
        &mut self,
        publishing: Box<Publishing>,
        around: &mut Surroundings<'_>,
    ) -> Effect<Serverless<R>> {
        let connected = connected(&publishing.plan.report);
        match connected.map(|id| around.kept.private_address(id)) {
            None => self.fill_output(publishing, None, around),
            Some(known @ Some(_)) => self.fill_output(publishing, known, around),
            Some(None) => {
                let effect = Effect::GetCredentials(Purpose::Read);
                self.output_effect(OutputStage::AddressCredentials, publishing, effect)
            }
        }
    }

    /// Fills the output ConfigMap, once its name is recorded on the object.
    fn fill_output(
        &mut self,
        mut publishing: Box<Publishing>,
        address: Option<String>,
        around: &mut Surroundings<'_>,
    ) -> Effect<Serverless<R>> {
        let Publishing { plan, output, .. } = &mut *publishing;
        let connected = connected(&plan.report);
        let address = address.or_else(|| known_address(output.found()?, connected?));
        let outcome = match (connected, &address) {
            // Atlas does not show it yet.
            (Some(_), None) => OutputOutcome::Incomplete(self.settings.poll_max),
            _ => OutputOutcome::Complete,
        };
        let content = content(&plan.report, address);
        let next = output.fill(content, outcome, self.object().output().recorded);
        self.follow_output(publishing, next, around)
    }

    /// Takes the object with the recorded name of its output ConfigMap.
    pub(super) fn output_name_written(
        &mut self,
        mut publishing: Box<Publishing>,
        written: Result<R, ApiFailure>,
        around: &mut Surroundings<'_>,
    ) -> Effect<Serverless<R>> {
        match written {
            Ok(object) => {
                self.state.own_write(object, &mut around.kept.schedule);
                let next = publishing.output.name_recorded();
                self.follow_output(publishing, next, around)
            }
            Err(ApiFailure::Conflict) => {
                self.end(End::Changed("the object changed before its output was recorded"), around)
            }
            Err(failure) => self.end(End::of(failure), around),
        }
    }

    /// Writes the status, if it differs from the report.
    fn write_status(
        &mut self,
        mut publishing: Box<Publishing>,
        around: &mut Surroundings<'_>,
    ) -> Effect<Serverless<R>> {
        publishing.output.forget();
        if let Some(problem) = publishing.output.problem() {
            let report = &mut Arc::make_mut(&mut publishing.plan).report;
            report.set_synced_false(Reason::OutputNotWritten, problem.clone());
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
        if publishing.is_loss {
            self.state.tracked().handled_request()
        } else {
            self.state.handled_request_at_rest()
        }
    }

    /// Returns the status to write.
    pub(super) fn status(&self, publishing: &Publishing) -> StatusWrite<Serverless<R>> {
        let handled_request = self.handled(publishing).map(str::to_owned);
        StatusWrite { plan: Arc::clone(&publishing.plan), handled_request }
    }

    /// Takes the object with its new status.
    pub(super) fn status_written(
        &mut self,
        publishing: Box<Publishing>,
        written: Result<R, ApiFailure>,
        around: &mut Surroundings<'_>,
    ) -> Effect<Serverless<R>> {
        match written {
            Ok(object) => self.state.own_write(object, &mut around.kept.schedule),
            Err(ApiFailure::Conflict) => {
                return self.end(End::Changed("the object changed before its status was written"), around);
            }
            // A status that cannot be written must not block a deletion: the object may already have the maximum size.
            Err(ApiFailure::Rejected(why)) if self.state.is_deleting() => {
                self.notes.push(Note::StatusNotWritten(why));
            }
            Err(failure) => return self.end(End::of(failure), around),
        }
        let events = changes(&publishing.plan, around.kept);
        self.publish_events(events, Next::EndReport(publishing), around)
    }

    /// Ends the report: goes on after a loss, else ends the reconcile.
    ///
    /// While the output ConfigMap still names the lost endpoint's service, because it cannot be removed, no replacement is created.
    pub(super) fn end_report(
        &mut self,
        publishing: &Publishing,
        around: &mut Surroundings<'_>,
    ) -> Effect<Serverless<R>> {
        let Publishing { plan, is_loss, output } = publishing;
        if !plan.report.unchanged {
            let failure = event::failure(&plan.report);
            let is_new = around.kept.warns(failure.as_ref().map(|(_, message)| message));
            self.notes.extend(failure.filter(|_| is_new).map(|(reason, text)| Note::Warning(reason, text)));
        }
        let stays = output.may_be_outdated() && self.object().output().recorded.is_some();
        if *is_loss && !stays { self.decide(around) } else { self.finish(plan, output.latest(), around) }
    }

    fn finish(
        &mut self,
        plan: &Arc<Plan>,
        latest: Option<Duration>,
        around: &mut Surroundings<'_>,
    ) -> Effect<Serverless<R>> {
        let Plan { observed, decision, report } = &**plan;
        let pace = PollIntervals {
            poll_min: self.settings.poll_min,
            poll_max: self.settings.poll_max,
            interval: self.object().interval(),
        };
        let outcome = ReconcileOutcome {
            object: self.object().version(),
            token: Some(&observed.object.token),
            requeue: decision.requeue,
            progress: report.progress(),
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
        self.done(End::Finished, delay, Some(Arc::clone(plan)))
    }
}
