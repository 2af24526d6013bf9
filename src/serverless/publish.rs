//! Publishes the result of a reconcile: writes status, output and events, and schedules the next reconcile.
//!
//! It writes only the differences, and decides nothing.

use std::ops::ControlFlow;
use std::time::Duration;

use domain::reference::VpcEndpoint;
use domain::schedule::{PollIntervals, ReconcileOutcome};
use domain::serverless::event;
use domain::serverless::output::{Names, RETRY, connected, content, known_address, names};
use domain::serverless::reconcile::Plan;
use domain::serverless::status::Report;
use domain::status::{ConditionType, Reason};
use tracing::warn;

use crate::clock::Boottime;
use crate::serverless::crd;

use super::convert;
use super::error::ReconcileError;
use super::output;
use super::session::Session;
use super::status_patch;
use crate::runtime::api_server::{ApiError, ApiPermit};
use crate::runtime::identity::Identity;
use crate::runtime::status_patch::version_guards;

/// Reports that an endpoint is lost, before another replaces it.
///
/// While the output ConfigMap still names the lost endpoint's service, because it cannot be removed, no replacement
/// is created: the reconcile ends, and the next one retries.
pub(super) async fn publish_loss(
    session: &mut Session,
    mut plan: Box<Plan>,
) -> Result<ControlFlow<Option<Duration>>, ReconcileError> {
    session.run.loss_published();
    let handled_request = session.run.handled_request().map(str::to_owned);
    let output = write_report(session, None, &mut plan, handled_request.as_deref()).await?;
    let stays =
        matches!(output, OutputOutcome::Failed(_)) && output::recorded_name(session.object()).is_some();
    Ok(if stays { ControlFlow::Break(finish(session, &plan, &output)) } else { ControlFlow::Continue(()) })
}

/// Reports the final state when no step is left, and returns the requeue delay.
pub(super) async fn publish(
    mut session: Session,
    held: Option<ApiPermit>,
    mut plan: Box<Plan>,
) -> Result<Option<Duration>, ReconcileError> {
    session.permit = None;
    let handled_request = session.run.handled_request_at_rest().map(str::to_owned);
    let output = write_report(&mut session, held, &mut plan, handled_request.as_deref()).await?;
    Ok(finish(&session, &plan, &output))
}

/// Records the state and when the object is due next, and updates its metrics.
fn finish(
    session: &Session,
    Plan { decision, report, .. }: &Plan,
    output: &OutputOutcome,
) -> Option<Duration> {
    let latest = match output {
        OutputOutcome::Incomplete => Some(session.ctx.options.poll_max),
        OutputOutcome::Failed(_) => Some(RETRY),
        OutputOutcome::Complete => None,
    };
    let (object, token, options) = (session.object(), &session.identity.token, &session.ctx.options);
    let pace = PollIntervals {
        poll_min: options.poll_min,
        poll_max: options.poll_max,
        interval: convert::interval(object),
    };
    let (object, basis) = (convert::version(object), session.run.basis());
    let (requeue, progress) = (decision.requeue, report.progress());
    let outcome = ReconcileOutcome { object, token, requeue, progress, basis, latest };
    let overdue =
        (observed_reason(session) == Some(Reason::ProgressDeadlineExceeded)).then(|| deadline(session));
    let now = Boottime::now();
    session.ctx.states.with(token, |entry| {
        let delay = entry.schedule.finished(&outcome, pace, jitter(), now.since_boot());
        if !report.unchanged {
            entry.memory.working(report.working, overdue, now.since_boot());
            let due = delay.map(|delay| now + delay);
            entry.counted.reconciled(&options.metrics, decision, report, session.object(), due);
        }
        delay
    })
}

/// Writes output, status and events where they differ from the decision.
async fn write_report(
    session: &mut Session,
    held: Option<ApiPermit>,
    plan: &mut Plan,
    handled_request: Option<&str>,
) -> Result<OutputOutcome, ReconcileError> {
    let output = write_output(session, &plan.report).await?;
    if let OutputOutcome::Failed(problem) = &output {
        plan.report.set_synced_false(Reason::OutputNotWritten, problem.clone());
    }
    let report = &plan.report;
    if status_patch::differs(session.object(), report, handled_request) {
        let api_permit = session.ctx.api_server.permit_or_wait(held, &session.identity.namespace).await;
        // Built only now: a patch takes 13 KiB, and a thousand objects may wait for their permits.
        let mut operations = version_guards(&session.object().metadata);
        operations.extend(status_patch::changes(session.object(), report, handled_request));
        match session.ctx.api_server.patch_status(&api_permit, &session.identity, operations).await {
            Ok(object) => session.own_write(object),
            Err(ApiError::Conflict) => {
                return Err(ReconcileError::Retry("the object changed before its status was written"));
            }
            // A status that cannot be written must not block a deletion: the object may already have the maximum
            // size.
            Err(error @ (ApiError::Invalid(_) | ApiError::Other(_))) if session.is_deleting() => {
                warn!(%error, "failed to write the status of an object that is being deleted");
            }
            Err(error) => return Err(error.into()),
        }
        session.publish_changes(&api_permit, plan).await;
    } else if !report.unchanged {
        session.record_report(report);
    }
    if !report.unchanged {
        warn_of(session, report);
    }
    Ok(output)
}

/// Logs a failure once, until a different one occurs.
fn warn_of(session: &Session, report: &Report) {
    let failure = event::failure(report);
    let message = failure.as_ref().map(|(_, message)| message);
    let is_new = session.ctx.states.with(&session.identity.token, |entry| entry.warns(message));
    if let Some((reason, message)) = failure.filter(|_| is_new) {
        let Identity { namespace, name, .. } = &*session.identity;
        warn!(%namespace, %name, %reason, problem = %message, "object needs attention");
    }
}

/// The outcome of writing the output ConfigMap.
enum OutputOutcome {
    /// It is complete, or none is wanted.
    Complete,
    /// Atlas does not show the private SRV address yet.
    Incomplete,
    /// It could not be written, for this reason.
    Failed(output::Problem),
}

async fn write_output(session: &mut Session, report: &Report) -> Result<OutputOutcome, ReconcileError> {
    let declared = session.object().spec.output_config_map.as_ref().map(|declared| declared.name.clone());
    let recorded = output::recorded_name(session.object());
    let deleting = session.is_deleting();
    let fetched = session.run.is_listed();
    let Names { remove, keep } = names(declared.as_deref(), recorded.as_deref(), deleting, (report, fetched));
    let api_server = session.ctx.api_server.clone();
    if let Some(old) = remove {
        if let Err(problem) = output::remove(&api_server, &session.identity, old).await {
            return Ok(OutputOutcome::Failed(problem));
        }
        record_output(session, declared.as_deref()).await?;
    }
    let Some(name) = keep else { return Ok(OutputOutcome::Complete) };
    let found = match output::read(&api_server, &session.identity, name).await {
        Ok(found) => found,
        Err(problem) => return Ok(OutputOutcome::Failed(problem)),
    };
    let vpc_endpoint = connected(report);
    let address = match vpc_endpoint {
        None => None,
        Some(id) => session
            .private_address(id)
            .await
            .or_else(|| found.as_ref().and_then(|found| known_address(&found.data, id))),
    };
    let incomplete = vpc_endpoint.is_some() && address.is_none();
    let content = content(report, address);
    if !content.is_empty() && output::recorded_name(session.object()).is_none() {
        record_output(session, Some(name)).await?;
    }
    Ok(match output::write(&api_server, &session.identity, session.object(), name, found, content).await {
        Err(problem) => OutputOutcome::Failed(problem),
        Ok(()) if incomplete => OutputOutcome::Incomplete,
        Ok(()) => OutputOutcome::Complete,
    })
}

/// Records on the object which ConfigMap is its output, before that is created and after the previous one is deleted.
async fn record_output(session: &mut Session, name: Option<&str>) -> Result<(), ReconcileError> {
    let annotation = (crd::OUTPUT_CONFIG_MAP, name);
    let api_permit = session.ctx.api_server.permit(&session.identity.namespace).await;
    let written =
        session.ctx.api_server.annotate(&api_permit, &session.identity, session.object(), annotation).await;
    if session.apply_write_result(&api_permit, written).await? {
        Ok(())
    } else {
        Err(ReconcileError::Retry("the object changed before its output was recorded"))
    }
}

fn observed_reason(session: &Session) -> Option<Reason> {
    let status = session.object().status.as_ref()?;
    let stalled =
        status.conditions.iter().find(|condition| condition.type_ == ConditionType::Stalled.as_str())?;
    Reason::parse(&stalled.reason)
}

fn deadline(session: &Session) -> Duration {
    convert::spec(session.object(), VpcEndpoint::Undeclared)
        .map_or(Duration::ZERO, |spec| spec.progress_deadline)
}

/// Returns a random number in 0..1.
pub(super) fn jitter() -> f64 {
    getrandom::u32().map_or(0.5, |random| f64::from(random) / f64::from(u32::MAX))
}
