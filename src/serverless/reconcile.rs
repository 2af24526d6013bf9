//! One reconcile: observe → decide → perform, until no step is left, then publish.
//!
//! Every rule is in `domain`: `schedule` determines whether the object is due, `decide` the next step. This file only calls them.

use std::ops::ControlFlow;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use domain::requeue::EarlyEnd;
use domain::schedule::Due;
use domain::serverless::reconcile::{NextAction, Reconcile};
use tracing::{Instrument, debug, warn};

use crate::clock::Boottime;
use crate::metrics::ReconcileResult;
use crate::serverless::crd::ServerlessPrivateEndpoint;

use super::context::Context;
use super::convert;
use super::error::ReconcileError;
use super::observe::next;
use super::publish::{jitter, publish, publish_loss};
use super::read_object::ReadObject;
use super::session::Session;
use super::span::{self, Trace};
use super::vpc_endpoint_ref::resolve;
use crate::runtime::identity::Identity;

/// More steps than the longest path through the protocol takes; a reconcile that needs more is in a loop.
const MAX_STEPS: usize = 16;

/// Reconciles one object, last enqueued at `enqueued_at`.
///
/// Returns the requeue delay, or `None` if only an event triggers the next reconcile.
pub(super) async fn reconcile(
    object: Box<ServerlessPrivateEndpoint>,
    enqueued_at: Boottime,
    ctx: Arc<Context>,
) -> Option<Duration> {
    let identity = Identity::new(&*object, &ctx.cluster_id);
    let (span, for_error) = (span::span(&identity), identity.clone());
    let started = Boottime::now();
    // A task of its own: a cancelled reconcile drops no POST in flight, and a panic ends here.
    let task =
        tokio::spawn(reconcile_due(object, identity, enqueued_at, Arc::clone(&ctx)).instrument(span.clone()));
    let result = task.await.unwrap_or_else(|_| {
        ctx.options.metrics.reconcile_panicked();
        ctx.options.metrics.reconcile_finished(ReconcileResult::Error, started.elapsed());
        Err(ReconcileError::Panicked)
    });
    span.in_scope(|| requeue_after(result, &for_error, &ctx))
}

/// Returns the requeue delay for the result of a reconcile.
fn requeue_after(
    result: Result<Option<Duration>, ReconcileError>,
    Identity { namespace, token, .. }: &Identity,
    ctx: &Context,
) -> Option<Duration> {
    match result {
        Ok(delay) => delay,
        Err(ReconcileError::Released) => {
            ctx.on_deleted(namespace, token);
            Some(EarlyEnd::Released.delay())
        }
        Err(ReconcileError::Stopped(_)) => Some(EarlyEnd::Stopped.delay()),
        Err(ReconcileError::RateLimited(delay)) => Some(delay),
        Err(ReconcileError::Retry(why)) => {
            debug!(why, "reconciling again");
            Some(EarlyEnd::Changed.delay())
        }
        Err(ReconcileError::ReferenceNotRead) => {
            debug!("waiting for the referenced object");
            Some(EarlyEnd::ReferenceNotRead.delay())
        }
        Err(error) => {
            let (delay, failures) = ctx.states.with(token, |entry| {
                let delay = entry.schedule.failed(jitter());
                (delay, entry.schedule.failures())
            });
            if matches!(error, ReconcileError::NotFound) {
                debug!(%error, failures, "reconciling again, unless the watch shows that the object is deleted");
            } else {
                warn!(%error, failures, retry_in_s = delay.as_secs(), "failed to reconcile");
            }
            Some(delay)
        }
    }
}

/// Reconciles the object if it is due.
async fn reconcile_due(
    object: Box<ServerlessPrivateEndpoint>,
    identity: Identity,
    enqueued_at: Boottime,
    ctx: Arc<Context>,
) -> Result<Option<Duration>, ReconcileError> {
    let started = Boottime::now();
    let (version, enqueued_at) = (convert::version(&object), enqueued_at.since_boot());
    let due = ctx.states.with(&identity.token, |entry| {
        entry.schedule.due(&version, enqueued_at, Boottime::now().since_boot())
    });
    let start = match due {
        Due::Later(delay) => return Ok(Some(delay)),
        Due::Now(start) => start,
    };
    let (states, token) = (Arc::clone(&ctx.states), identity.token.clone());
    let metrics = ctx.options.metrics.clone();
    let active = metrics.reconcile_started();
    let identity = Arc::new(identity);
    let read =
        ReadObject { object, identity: Arc::clone(&identity), cluster_id: Arc::clone(&ctx.cluster_id) };
    let run = Reconcile::begin(read, &start, started.since_boot());
    let session = Session { ctx, identity, run, permit: None };
    let result = Box::pin(traced(session, start.stale)).await;
    drop(active);
    if !matches!(result, Ok(_) | Err(ReconcileError::Released)) {
        states.with(&token, |entry| entry.schedule.interrupted(&start));
    }
    metrics.reconcile_finished(counted(&result), started.elapsed());
    result
}

fn counted(result: &Result<Option<Duration>, ReconcileError>) -> ReconcileResult {
    match result {
        Ok(None) | Err(ReconcileError::Released | ReconcileError::NotFound) => ReconcileResult::Success,
        Ok(Some(_)) => ReconcileResult::RequeueAfter,
        Err(
            ReconcileError::Retry(_)
            | ReconcileError::RateLimited(_)
            | ReconcileError::Stopped(_)
            | ReconcileError::ReferenceNotRead,
        ) => ReconcileResult::Requeue,
        Err(_) => ReconcileResult::Error,
    }
}

async fn traced(session: Session, stale: bool) -> Result<Option<Duration>, ReconcileError> {
    let mut trace = Trace::default();
    let result = reconcile_loop(session, stale, &mut trace).await;
    trace.end();
    result
}

async fn reconcile_loop(
    mut session: Session,
    stale: bool,
    trace: &mut Trace,
) -> Result<Option<Duration>, ReconcileError> {
    let work = session.ctx.work.clone();
    if stale {
        let object = work.unless_stopped(Box::pin(session.reread()).as_mut()).await??;
        session.start_over(object)?;
    }
    let mut api_permit = None;
    for _ in 0..MAX_STEPS {
        if session.run.begin_resolving(Boottime::now().since_boot()) {
            resolve_vpc_endpoint(&mut session)?;
        }
        // All objects may wait at once, for a listing or for a permit: there each holds only its session, and decides
        // again afterwards. (For the same reason every larger future of a reconcile is boxed where it is created.)
        let held = api_permit.take();
        match next(&session, held.is_some(), trace) {
            NextAction::List(plan) => {
                drop((held, plan));
                work.unless_stopped(pin!(session.list())).await??;
            }
            NextAction::AtlasPermit => {
                drop(held);
                work.unless_stopped(pin!(session.enter())).await??;
            }
            NextAction::ApiPermit => {
                session.permit = None;
                api_permit = Some(
                    work.unless_stopped(pin!(session.ctx.api_server.permit(&session.identity.namespace)))
                        .await?,
                );
            }
            NextAction::PublishLoss(plan) => {
                drop(held);
                if let ControlFlow::Break(delay) = Box::pin(publish_loss(&mut session, plan)).await? {
                    return Ok(delay);
                }
            }
            NextAction::Perform(plan) => {
                drop(held);
                // Never dropped as a whole: each step knows which of its requests may be dropped.
                Box::pin(session.perform(&plan)).await?;
            }
            NextAction::Release(plan) => {
                let release = session.release(held, &plan);
                work.unless_stopped(Box::pin(release).as_mut()).await??;
            }
            NextAction::Rest(plan) => {
                return work.unless_stopped(Box::pin(publish(session, held, plan)).as_mut()).await?;
            }
        }
    }
    Err(ReconcileError::Retry("too many steps at once"))
}

/// Resolves the VPC endpoint that the object declares, as last read.
fn resolve_vpc_endpoint(session: &mut Session) -> Result<(), ReconcileError> {
    let references = &session.ctx.references;
    if session.is_deleting() {
        // A deletion does not depend on the object's reference.
        references.remove(&session.identity.token);
        return Ok(());
    }
    let found = resolve(references, &session.identity, session.object());
    session.run.resolved(found.ok_or(ReconcileError::ReferenceNotRead)?);
    session.ctx.record_declaration(&session.identity.token, session.run.declared());
    Ok(())
}
