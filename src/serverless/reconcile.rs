//! One reconcile: observe → decide → perform, until there is nothing left to do, then publish.
//!
//! Every rule stands in `domain::decide`. This file only asks it, again after each step.

use std::ops::ControlFlow;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use domain::backoff;
use domain::fault::Fault;
use domain::observed::{CredentialsInUse, Listing, VpcEndpoint, WriteOutcome};
use kube::{Resource, ResourceExt};
use thiserror::Error;
use tracing::{Instrument, debug, warn};

use crate::clock::Boottime;
use crate::metrics::ReconcileResult;
use crate::serverless::crd::{self, ManagementPolicy, ServerlessPrivateEndpoint};

use super::api_server::ApiError;
use super::context::Context;
use super::convert::{self, Identity};
use super::listings::Cause;
use super::observe::{NextAction, next};
use super::publish::{announce, jitter, publish};
use super::session::Session;
use super::span::{self, Trace};
use super::state::KeptState;
use super::vpc_endpoint_ref::resolve;
use crate::runtime::work::Stopped;

/// More steps than the longest way through the protocol takes: whoever needs more goes round in circles.
const MAX_STEPS: usize = 16;

/// Why a reconcile ended before its end. None of these is an answer about the endpoint; those are states.
#[derive(Debug, Error)]
pub(super) enum ReconcileError {
    /// The object is gone.
    #[error("the object is gone")]
    Gone,
    /// To be tried again, at once.
    #[error("{0}")]
    Again(&'static str),
    /// A user asks for more than Atlas can take: it comes after this long.
    #[error("the object is looked at for its user after {} ms", .0.as_millis())]
    Later(Duration),
    /// What the object refers to has not been read yet. Once it is, the object is looked at again.
    #[error("the reference has not been read yet")]
    Unread,
    /// The credentials went away between two steps.
    #[error("failed to get the credentials: {0}")]
    NoAccess(Fault),
    /// The cluster could not be used.
    #[error(transparent)]
    ApiServer(ApiError),
    /// Nothing may be begun now; what is left to do is done as soon as it may.
    #[error(transparent)]
    Stopped(#[from] Stopped),
    /// A defect: the reconcile panicked.
    #[error("the reconcile panicked")]
    Panicked,
}

impl From<ApiError> for ReconcileError {
    fn from(error: ApiError) -> Self {
        match error {
            // Without its kind, no object is left either.
            ApiError::NotFound | ApiError::KindNotInstalled => Self::Gone,
            error => Self::ApiServer(error),
        }
    }
}

/// A released object is gone before the watch says so. Should it be there all the same (an API server that does not know
/// the kind for a moment answers alike), it is looked at again.
const GONE: Duration = Duration::from_mins(1);

/// When an object is looked at again that waits to be told what it refers to: sooner, as soon as that is known.
const UNREAD: Duration = Duration::from_secs(15);

/// Reconciles one object, which was last `asked` for then, and says when it is due again, if that is not to be left to the
/// next event.
pub(super) async fn reconcile(
    object: Box<ServerlessPrivateEndpoint>,
    asked: Boottime,
    ctx: Arc<Context>,
) -> Option<Duration> {
    let identity = Identity::of(&object, &ctx.cluster_id);
    let (span, known) = (span::span(&identity), identity.clone());
    let begun = Boottime::now();
    // A task of its own: a cancelled reconcile drops no POST on its way, and a panic ends here.
    let task = tokio::spawn(look(object, identity, asked, Arc::clone(&ctx)).instrument(span.clone()));
    let result = task.await.unwrap_or_else(|_| {
        ctx.options.metrics.reconcile_panicked();
        ctx.options.metrics.reconcile_finished(ReconcileResult::Error, begun.elapsed());
        Err(ReconcileError::Panicked)
    });
    span.in_scope(|| requeue_after(result, &known, &ctx))
}

/// When the object is to be looked at again after a look that ended like this.
fn requeue_after(
    result: Result<Option<Duration>, ReconcileError>,
    Identity { namespace, token, .. }: &Identity,
    ctx: &Context,
) -> Option<Duration> {
    match result {
        Ok(delay) => delay,
        Err(ReconcileError::Gone) => {
            ctx.gone(namespace, token);
            Some(GONE)
        }
        Err(ReconcileError::Stopped(_)) => Some(Duration::ZERO),
        Err(ReconcileError::Later(delay)) => Some(delay),
        Err(ReconcileError::Again(why)) => {
            debug!(why, "reconciling again");
            Some(Duration::from_secs(1))
        }
        Err(ReconcileError::Unread) => {
            debug!("waiting for what the object refers to");
            Some(UNREAD)
        }
        Err(error) => {
            let failures = ctx.states.with(token, |entry| {
                entry.handled = None;
                entry.failures = entry.failures.saturating_add(1);
                entry.failures
            });
            let pause = backoff::retry(failures - 1, jitter());
            warn!(%error, failures, retry_in_s = pause.as_secs(), "failed to reconcile");
            Some(pause)
        }
    }
}

/// Looks at the object if it is due.
async fn look(
    object: Box<ServerlessPrivateEndpoint>,
    identity: Identity,
    asked: Boottime,
    ctx: Arc<Context>,
) -> Result<Option<Duration>, ReconcileError> {
    let begun = Boottime::now();
    let Due { waiting, fresh_after, stale, cause, woken } =
        ctx.states.with(&identity.token, |entry| due(entry, &object, asked));
    if waiting.is_some() {
        return Ok(waiting);
    }
    let (states, token) = (Arc::clone(&ctx.states), identity.token.clone());
    let metrics = ctx.options.metrics.clone();
    let underway = metrics.reconcile_started();
    let session = Session {
        ctx,
        identity,
        object,
        credentials: CredentialsInUse::Own,
        listing: Listing::NotFetched,
        sunset: None,
        seen: begun,
        fresh_after,
        cause,
        heard: None,
        vpc_endpoint: VpcEndpoint::Undeclared,
        last_write: WriteOutcome::Nothing,
        permit: None,
        announced: false,
    };
    let result = Box::pin(run(session, stale)).await;
    drop(underway);
    if let (Err(ReconcileError::Later(_)), Some(_)) = (&result, woken) {
        states.with(&token, |entry| entry.woken = entry.woken.or(woken));
    }
    metrics.reconcile_finished(counted(&result), begun.elapsed());
    result
}

fn counted(result: &Result<Option<Duration>, ReconcileError>) -> ReconcileResult {
    match result {
        Ok(None) | Err(ReconcileError::Gone) => ReconcileResult::Success,
        Ok(Some(_)) => ReconcileResult::RequeueAfter,
        Err(
            ReconcileError::Again(_)
            | ReconcileError::Later(_)
            | ReconcileError::Stopped(_)
            | ReconcileError::Unread,
        ) => ReconcileResult::Requeue,
        Err(_) => ReconcileResult::Error,
    }
}

/// Whether an object is due.
struct Due {
    /// If it is not, how long it has to wait.
    waiting: Option<Duration>,
    /// How fresh a listing must be.
    fresh_after: Boottime,
    /// The cache shows the object older than this process's own last write.
    stale: bool,
    cause: Cause,
    /// When what it refers to changed, if that is why it is due.
    woken: Option<Boottime>,
}

/// Whether the object is due. However long it has waited for its turn, a listing serves that was sent after the look was
/// `asked` for: it is younger than what the object says.
fn due(entry: &mut KeptState, object: &ServerlessPrivateEndpoint, asked: Boottime) -> Due {
    let now = Boottime::now();
    let stale = is_older(object, entry.written.as_deref());
    // A look that was under way when it was woken may have begun with what was known before.
    let (woken, republish) = (entry.woken.take(), entry.republish.take().is_some());
    let essence = convert::essence(object);
    let unchanged = woken.is_none() && (entry.handled == Some(essence) || stale);
    let edited = woken.or_else(|| {
        let known = entry.edit.filter(|(known, _)| *known == essence);
        (!stale && is_edited(entry, object, essence)).then(|| known.map_or(asked, |(_, at)| at))
    });
    entry.edit = edited.map(|at| (essence, at));
    let said = convert::word(object).filter(|_| !stale).map(|said| convert::hash(&said));
    entry.word = said.map(|said| entry.word.filter(|(known, _)| *known == said).unwrap_or((said, asked)));
    // What waits for its turn is answered by any listing since it was heard of, but for one from before our last write.
    let since = |at: Boottime| entry.answered.map_or(at, |answered| at.max(answered));
    let cause = edited.map_or(Cause::Own, |_| Cause::Edit).worded_if(entry.word.is_some());
    let fresh_after = edited.map_or(asked, since);
    let due = Due { waiting: None, fresh_after, stale, cause, woken };
    match (entry.due, entry.word) {
        (_, None) if unchanged && republish => Due { fresh_after: entry.listing.map_or(asked, since), ..due },
        (Some(at), None) if unchanged && now < at => Due { waiting: Some(at.since(now)), ..due },
        (Some(at), Some((_, said))) if unchanged && now < at => {
            Due { fresh_after: since(said), cause: Cause::Word, ..due }
        }
        // Woken by the clock to look at what is there: the listing that the object's neighbours have just seen will do.
        // What is to be created or deleted rests on a listing of its own time.
        (Some(_), None) if unchanged && is_kept(object) => {
            Due { fresh_after: entry.fresh_after.unwrap_or(asked), ..due }
        }
        _ => due,
    }
}

/// A user has changed the object since a listing was fetched for it last, or has made it. That it is deleted is none: it ends.
fn is_edited(entry: &KeptState, object: &ServerlessPrivateEndpoint, essence: u64) -> bool {
    let deleting = object.meta().deletion_timestamp.is_some();
    if let Some((listed, was_deleting)) = entry.listed {
        return listed != essence && (was_deleting || !deleting);
    }
    // A restart looks at all objects, and changes none.
    let handled = object.status.as_ref().map(|status| status.observed_generation);
    handled != object.meta().generation && !deleting
}

/// An endpoint is recorded, and the object is not being deleted.
fn is_kept(object: &ServerlessPrivateEndpoint) -> bool {
    let recorded = object.status.as_ref().is_some_and(|status| status.id.is_some());
    recorded && object.meta().deletion_timestamp.is_none()
}

/// `true` if the cache has not caught up with our own last write. Resource versions of one resource are ordered
/// numbers (guaranteed since Kubernetes 1.35); one that is not a number is taken as it comes.
fn is_older(object: &ServerlessPrivateEndpoint, written: Option<&str>) -> bool {
    let number = |version: Option<&str>| version.and_then(|version| version.parse::<u64>().ok());
    let cached = number(object.meta().resource_version.as_deref());
    matches!((cached, number(written)), (Some(cached), Some(written)) if cached < written)
}

/// What a listing has to be looked through for.
#[derive(PartialEq, Eq)]
struct SpecVersion {
    generation: Option<i64>,
    look: Option<String>,
}

impl SpecVersion {
    fn of(object: &ServerlessPrivateEndpoint) -> Self {
        let look = object.annotations().get(crd::RECONCILE_REQUEST).cloned();
        Self { generation: object.meta().generation, look }
    }
}

async fn run(session: Session, stale: bool) -> Result<Option<Duration>, ReconcileError> {
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
    let mut wished = None;
    let mut turn = None;
    for _ in 0..MAX_STEPS {
        let wish = SpecVersion::of(&session.object);
        if wished.as_ref() != Some(&wish) {
            let before: Option<SpecVersion> = wished.take();
            if before.as_ref().is_some_and(|before| before.generation != wish.generation) {
                session.cause = session.cause.edited();
            }
            if before.is_some_and(|before| before.look != wish.look) {
                // A look that was asked for comes after the word for it, or the status would say that it was done.
                session.fresh_after = Boottime::now();
                session.cause = session.cause.worded_if(true);
            }
            resolve_vpc_endpoint(&mut session)?;
            wished = Some(wish);
        }
        // All objects may wait at once, for a listing or to call: there each holds its pass and no more, and decides anew
        // when it has waited. (So is every larger future of a reconcile in a box that is made when it is needed.)
        let held = turn.take();
        match next(&session, held.is_some(), trace) {
            NextAction::List => {
                drop(held);
                work.unless_stopped(pin!(session.list())).await??;
            }
            NextAction::Enter => {
                drop(held);
                work.unless_stopped(pin!(session.enter())).await??;
            }
            NextAction::ApiPermit => {
                session.permit = None;
                turn = Some(
                    work.unless_stopped(pin!(session.ctx.cluster.turn(&session.identity.namespace))).await?,
                );
            }
            NextAction::Announce(plan) => {
                drop(held);
                if let ControlFlow::Break(delay) = Box::pin(announce(&mut session, plan)).await? {
                    return Ok(delay);
                }
            }
            NextAction::CarryOut(plan) => {
                drop(held);
                // Never dropped as a whole: each step knows which of its requests may be.
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
    Err(ReconcileError::Again("too many steps at once"))
}

/// Finds out which VPC endpoint the object declares, as it was read last. A listing that was looked through for an earlier
/// spec is asked for again: it holds what concerned that one.
fn resolve_vpc_endpoint(session: &mut Session) -> Result<(), ReconcileError> {
    session.listing = Listing::NotFetched;
    let targets = &session.ctx.targets;
    if session.object.meta().deletion_timestamp.is_some() {
        // A deletion does not depend on what the object referred to.
        targets.forget(&session.identity.token);
    } else {
        let found = resolve(targets, &session.identity, &session.object);
        session.vpc_endpoint = found.ok_or(ReconcileError::Unread)?;
        // Whoever only observes an endpoint connects nothing to it.
        let declared = match &session.vpc_endpoint {
            VpcEndpoint::Declared(id)
                if session.object.spec.management_policy == ManagementPolicy::Manage =>
            {
                Some(id)
            }
            _ => None,
        };
        session.ctx.declares(&session.identity.token, declared);
    }
    Ok(())
}
