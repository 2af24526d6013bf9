//! The end of a reconcile: status, output and events are written, and the object is due again.
//!
//! Writes only what differs from what is there.

use std::ops::ControlFlow;
use std::time::Duration;

use domain::backoff;
use domain::conditions::{ConditionType, Reason, Report};
use domain::decision::{Decision, Requeue};
use domain::endpoint::EndpointStatus;
use domain::event;
use domain::observed::{Listing, VpcEndpoint, WriteOutcome};
use domain::ownership::Token;
use kube::Resource;
use tracing::warn;

use crate::clock::Boottime;
use crate::serverless::crd;

use super::api_server::{ClusterError, Turn};
use super::convert::{self, Identity};
use super::observe::Decided;
use super::output;
use super::reconcile::ReconcileError;
use super::session::Pass;
use super::state::Entry;
use super::status_patch;

/// How soon an output that could not be written is tried again.
const OUTPUT_RETRY: Duration = Duration::from_mins(1);

/// Reports that an endpoint is lost, before another takes its place. While the output ConfigMap goes on naming its service,
/// because it cannot be removed, nothing is put in its place: the reconcile ends, and the next one tries again.
pub(super) async fn announce(
    pass: &mut Pass,
    mut decided: Box<Decided>,
) -> Result<ControlFlow<Option<Duration>>, ReconcileError> {
    pass.announced = true;
    let heard = pass.heard.clone();
    let output = report_now(pass, None, &mut decided, heard.as_deref()).await?;
    let stays = matches!(output, Output::Failed(_)) && output::noted(&pass.object).is_some();
    Ok(if stays { ControlFlow::Break(finish(pass, &decided, &output)) } else { ControlFlow::Continue(()) })
}

/// Nothing is left to do: report it, and say when to look again.
pub(super) async fn conclude(
    mut pass: Pass,
    held: Option<Turn>,
    mut decided: Box<Decided>,
) -> Result<Option<Duration>, ReconcileError> {
    pass.permit = None;
    let heard = pass.heard_at_rest().map(str::to_owned);
    let output = report_now(&mut pass, held, &mut decided, heard.as_deref()).await?;
    Ok(finish(&pass, &decided, &output))
}

/// Notes when the object is due again, and what is counted of it.
fn finish(pass: &Pass, Decided { decision, report, .. }: &Decided, output: &Output) -> Option<Duration> {
    let token = pass.identity.token.clone();
    let latest = match output {
        Output::Incomplete => pass.ctx.options.poll_max,
        Output::Failed(_) => OUTPUT_RETRY,
        Output::Complete => Duration::MAX,
    };
    pass.ctx.memories.with(&token, |entry| {
        let delay = schedule(entry, pass, report, decision, latest);
        if !report.unchanged {
            entry.counted.looked(&pass.ctx.options.metrics, decision, report, &pass.object, entry.due);
        }
        delay
    })
}

/// Writes output, status and events, where they do not say yet what was decided.
async fn report_now(
    pass: &mut Pass,
    held: Option<Turn>,
    decided: &mut Decided,
    heard: Option<&str>,
) -> Result<Output, ReconcileError> {
    let output = write_output(pass, &decided.report).await?;
    if let Output::Failed(problem) = &output {
        decided.report.set_synced_false(Reason::OutputNotWritten, problem.clone());
    }
    let report = &decided.report;
    if status_patch::differs(&pass.object, report, heard) {
        let turn = pass.ctx.cluster.turn_or(held, &pass.identity.namespace).await;
        // Made only now: a patch takes 13 KiB, and a thousand objects may wait for their turn.
        let mut operations = status_patch::unchanged(&pass.object);
        operations.extend(status_patch::changes(&pass.object, report, heard));
        match pass.ctx.cluster.patch_status(&turn, &pass.identity, operations).await {
            Ok(object) => *pass.object = object,
            Err(ClusterError::Changed) => {
                return Err(ReconcileError::Again("the object changed before its status was written"));
            }
            // What cannot be said holds up no deletion: an object can be as large as it may be.
            Err(error @ (ClusterError::Refused(_) | ClusterError::Failed(_)))
                if pass.object.meta().deletion_timestamp.is_some() =>
            {
                warn!(%error, "failed to write the status of an object that is being deleted");
            }
            Err(error) => return Err(error.into()),
        }
        let version = pass.object.metadata.resource_version.clone();
        pass.ctx.memories.with(&pass.identity.token, |entry| entry.written = version);
        pass.tell_change(&turn, decided).await;
    } else if !report.unchanged {
        pass.reports(report);
    }
    if !report.unchanged {
        warn_of(pass, report);
    }
    Ok(output)
}

/// Warns in the log of what has gone wrong: once, until something else does.
fn warn_of(pass: &Pass, report: &Report) {
    let failure = event::failure(report);
    let is_new = pass.ctx.memories.with(&pass.identity.token, |entry| match &failure {
        None => {
            entry.warned = None;
            false
        }
        Some((_, message)) => {
            let is_new = entry.warned.as_ref().is_none_or(|warned| !message.is_said_by(warned));
            if is_new {
                entry.warned = Some(message.as_str().into());
            }
            is_new
        }
    });
    if let Some((reason, message)) = failure.filter(|_| is_new) {
        let Identity { namespace, name, .. } = &pass.identity;
        warn!(%namespace, %name, %reason, problem = %message, "object needs attention");
    }
}

/// What became of the output ConfigMap.
enum Output {
    /// It says all there is to say, or none is wanted.
    Complete,
    /// Atlas does not show the private SRV address yet.
    Incomplete,
    /// It could not be written; says why.
    Failed(output::Problem),
}

async fn write_output(pass: &mut Pass, report: &Report) -> Result<Output, ReconcileError> {
    let wanted = pass.object.spec.output_config_map.as_ref().map(|wanted| wanted.name.clone());
    // What one response takes back and no second one has confirmed changes nothing there either.
    let listed = !report.unchanged && matches!(pass.listing, Listing::Fetched(_)) || report.lost;
    if pass.object.meta().deletion_timestamp.is_some() || (wanted.is_some() && !listed) {
        return Ok(Output::Complete);
    }
    let cluster = pass.ctx.cluster.clone();
    let old = output::noted(&pass.object).filter(|noted| Some(noted) != wanted.as_ref());
    if let Some(old) = old {
        if let Err(problem) = output::remove(&cluster, &pass.identity, &old).await {
            return Ok(Output::Failed(problem));
        }
        note_output(pass, wanted.as_deref()).await?;
    }
    let Some(name) = wanted else { return Ok(Output::Complete) };
    let found = match output::read(&cluster, &pass.identity, &name).await {
        Ok(found) => found,
        Err(problem) => return Ok(Output::Failed(problem)),
    };
    let connected = report.endpoint.as_ref().filter(|endpoint| endpoint.status == EndpointStatus::Available);
    let vpc_endpoint = connected.and_then(|endpoint| endpoint.vpc_endpoint_id.as_deref());
    let address = match vpc_endpoint {
        None => None,
        // What is there is believed only while Atlas does not say: anybody may have written it.
        Some(id) => pass.private_address(id).await.or_else(|| output::noted_address(found.as_ref(), id)),
    };
    let incomplete = vpc_endpoint.is_some() && address.is_none();
    let content = output::content(report, address);
    if !content.is_empty() && output::noted(&pass.object).is_none() {
        note_output(pass, Some(&name)).await?;
    }
    Ok(match output::keep(&cluster, &pass.identity, &pass.object, &name, found, content).await {
        Err(problem) => Output::Failed(problem),
        Ok(()) if incomplete => Output::Incomplete,
        Ok(()) => Output::Complete,
    })
}

/// Notes on the object which ConfigMap is its own, before that is made and after the one before is gone.
async fn note_output(pass: &mut Pass, name: Option<&str>) -> Result<(), ReconcileError> {
    let note = (crd::OUTPUT_CONFIG_MAP, name);
    let turn = pass.ctx.cluster.turn(&pass.identity.namespace).await;
    let written = pass.ctx.cluster.annotate(&turn, &pass.identity, &pass.object, note).await;
    if pass.wrote(&turn, written).await? {
        Ok(())
    } else {
        Err(ReconcileError::Again("the object changed before its output was noted"))
    }
}

/// Enters when the object is due again, `latest` from now at the most. Polls are counted from the listing, not from now, so that the objects of one
/// instance fall into step and share their listings.
fn schedule(
    entry: &mut Entry,
    pass: &Pass,
    report: &Report,
    decision: &Decision,
    latest: Duration,
) -> Option<Duration> {
    let options = &pass.ctx.options;
    let now = Boottime::now();
    // What this reconcile has written to Atlas shows only in a listing that is sent from now on.
    let listed = matches!(pass.listing, Listing::Fetched(_) | Listing::Failed(_))
        && pass.last_write == WriteOutcome::Nothing;
    let base = if listed { pass.seen } else { now };
    let ready = report.conditions.first().map_or("", |ready| ready.reason.as_str());
    let seen =
        format!("{}/{ready}", report.endpoint.as_ref().map_or("", |endpoint| endpoint.status.as_str()));
    // A write is followed closely; one that has to be repeated, because it does not show, is not.
    let wrote = pass.last_write != WriteOutcome::Nothing;
    // The same listing again is no further poll.
    let is_another = wrote || !listed || entry.listing != Some(pass.seen);
    if entry.seen.as_ref() == Some(&seen) && (!wrote || entry.wrote) {
        entry.polls = entry.polls.saturating_add(u32::from(is_another));
    } else {
        entry.polls = 0;
    }
    entry.wrote = wrote;
    entry.listing = listed.then_some(pass.seen);
    entry.seen = Some(seen);
    let essence = convert::essence(&pass.object);
    entry.handled = Some(essence);
    entry.listed = Some((essence, pass.object.meta().deletion_timestamp.is_some()));
    entry.written.clone_from(&pass.object.metadata.resource_version);
    let overdue = (observed_reason(pass) == Some(Reason::ProgressDeadlineExceeded)).then(|| deadline(pass));
    if !report.unchanged {
        entry.memory.working(report.working.clone(), overdue, now.since_boot());
    }
    let failures = if matches!(decision.requeue, Requeue::Retry(_)) {
        entry.failures.saturating_add(u32::from(is_another))
    } else {
        0
    };
    entry.failures = failures;
    let delay = match decision.requeue {
        Requeue::OnChange => None,
        Requeue::Poll => Some(backoff::poll(entry.polls, options.poll_min, options.poll_max)),
        Requeue::Await => Some(options.poll_max),
        Requeue::Interval => {
            Some(backoff::spread(convert::interval(&pass.object), steady_jitter(&pass.identity.token)))
        }
        Requeue::After(delay) => Some(delay),
        Requeue::Retry(least) => Some(backoff::retry(failures.saturating_sub(1), jitter()).max(least)),
    };
    let delay = if latest == Duration::MAX { delay } else { Some(delay.unwrap_or(latest).min(latest)) };
    let due = delay.map(|delay| base + delay);
    entry.due = due;
    // What is polled may be looked at a little early, together with its neighbours; what has to wait waits.
    entry.fresh_after = delay.map(|delay| match decision.requeue {
        Requeue::Poll | Requeue::Await | Requeue::Interval => base + delay / 2,
        _ => base + delay,
    });
    due.map(|due| due.since(now))
}

fn observed_reason(pass: &Pass) -> Option<Reason> {
    let status = pass.object.status.as_ref()?;
    let stalled =
        status.conditions.iter().find(|condition| condition.type_ == ConditionType::Stalled.as_str())?;
    Reason::parse(&stalled.reason)
}

fn deadline(pass: &Pass) -> Duration {
    convert::spec(&pass.object, VpcEndpoint::Undeclared).map_or(Duration::ZERO, |spec| spec.progress_deadline)
}

/// A number in 0..1 that is another one each time.
pub(super) fn jitter() -> f64 {
    getrandom::u32().map_or(0.5, |random| f64::from(random) / f64::from(u32::MAX))
}

/// A number in 0..1 that stays the same for one object, so that its polls keep their distance.
fn steady_jitter(token: &Token) -> f64 {
    let sum: u32 = token.as_str().bytes().map(u32::from).sum();
    f64::from(sum % 97) / 97.0
}
