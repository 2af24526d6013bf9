//! Performs one step: at most one remote write, and the state kept about it.
//!
//! It decides nothing. A step that finds the object changed since the decision does nothing and reports that.
//! No step starts a write once the process may start nothing. A claim is followed by its create request, which runs
//! to its end; an update or delete in flight is dropped, because the next listing shows its outcome.

use std::pin::pin;
use std::sync::Arc;

use atlas::{CreateOutcome, DeleteOutcome, Operation, Update};
use domain::access::Purpose;
use domain::ids::VpcEndpointId;
use domain::serverless::decision::{Creating, Origin, ReleaseReason, State, Step};
use domain::serverless::endpoint::{Endpoint, EndpointId};
use domain::serverless::event;
use domain::serverless::memory::{Memory, WriteFailure};
use domain::serverless::ownership::{Claim, Nonce};
use domain::serverless::reconcile::{Listed, Plan};
use domain::token::ClusterId;
use kube::ResourceExt;
use tracing::info;

use crate::clock::{Boottime, Stamp};
use crate::metrics::PostOutcome;
use crate::serverless::crd;

use super::error::ReconcileError;
use super::listings::InstanceListing;
use super::session::Session;
use super::span;
use super::status_patch;
use crate::runtime::api_server::{ApiError, ApiPermit};
use crate::runtime::identity::Identity;
use crate::runtime::work::Stopped;

impl Session {
    /// Performs the decided step; the caller then decides again.
    pub(super) async fn perform(&mut self, plan: &Plan) -> Result<(), ReconcileError> {
        let step = &plan.decision.step;
        match step {
            // The caller handles the end of the reconcile, the listing and the release.
            Step::Rest | Step::List | Step::Release(_) => Ok(()),
            Step::Claim { nonce, replaced, stale_vpc_endpoint } => {
                let creates = plan.decision.state == State::Creating(Creating::Pending);
                self.claim(nonce.clone(), replaced.clone(), stale_vpc_endpoint.clone(), creates).await
            }
            Step::Create { nonce, comment } => self.create(nonce, comment).await,
            Step::Record { endpoint, origin } => self.record(plan, endpoint, *origin).await,
            Step::Update { id, comment, vpc_endpoint } => {
                self.update(plan, id, comment.clone(), vpc_endpoint.clone()).await
            }
            Step::Delete { id, excess } => self.delete(plan, id, *excess).await,
        }
    }

    /// Lists the endpoints of the instance, or shares a response that another caller has just received.
    ///
    /// # Errors
    /// [`ReconcileError::RateLimited`] if a user requested the listing and the rate limit postpones it.
    pub(super) async fn list(&mut self) -> Result<(), ReconcileError> {
        self.permit = None;
        let access = match Box::pin(self.access(self.run.read_purpose())).await {
            Ok(access) => access,
            Err(fault) => {
                self.run.not_listed(fault);
                return Ok(());
            }
        };
        self.use_credentials(&access);
        let (fresh_after, cause) = self.run.wanted_listing();
        let fresh_after = Boottime::from_boot(fresh_after);
        let ctx = Arc::clone(&self.ctx);
        let listing = ctx.listings.get(&ctx.atlas, &access, fresh_after, cause).await;
        let InstanceListing { sent, result, was_requested, sunset } =
            listing.map_err(ReconcileError::RateLimited)?;
        if result.is_ok() {
            self.retain_credentials(&access);
        }
        let (sent, now) = (sent.since_boot(), Boottime::now().since_boot());
        let result = result.as_ref().map(|endpoints| &**endpoints).map_err(Clone::clone);
        let listed = Listed { sent, result, was_requested, sunset };
        let Self { identity, run, .. } = self;
        ctx.states.with(&identity.token, |entry| {
            run.list(listed, (&mut entry.memory, &mut entry.schedule), &ctx.options.times, now);
        });
        Ok(())
    }

    async fn claim(
        &mut self,
        announced_nonce: Option<Nonce>,
        replaced: Option<EndpointId>,
        stale: Option<String>,
        creates: bool,
    ) -> Result<(), ReconcileError> {
        let ctx = Arc::clone(&self.ctx);
        let access = ctx
            .work
            .unless_stopped(pin!(self.access(Purpose::Write)))
            .await?
            .map_err(ReconcileError::NoAccess)?;
        // Acquired before the deadline of the attempt starts, like the permit to call Atlas.
        let api_permit =
            ctx.work.unless_stopped(pin!(ctx.api_server.permit(&self.identity.namespace))).await?;
        // A claim that no POST follows writes nothing to Atlas.
        let follows = if creates { Operation::Create } else { Operation::List };
        if !self.begin(&access, follows, None) {
            return Ok(());
        }
        let started = Stamp::now();
        let is_fresh = announced_nonce.is_none();
        let nonce = if let Some(nonce) = announced_nonce {
            nonce
        } else {
            let nonce = fresh_nonce()?;
            self.ctx.states.with(&self.identity.token, |entry| entry.begin_claim(&nonce, started));
            nonce
        };
        let Identity { token, uid, .. } = &*self.identity;
        let cluster = ClusterId::clone(&self.ctx.cluster_id);
        let attempt = nonce.clone();
        let claim = Claim { token: token.clone(), nonce, uid: uid.clone(), cluster, replaced };
        let mut annotations = vec![(crd::CLAIM, Some(claim.to_string()))];
        if stale.is_some() {
            annotations.push((crd::STALE_VPC_ENDPOINT_ID, stale));
        }
        let written = ctx.api_server.claim(&api_permit, &self.identity, self.object(), &annotations).await;
        if is_fresh {
            let failure = written.as_ref().err().map(write_failure);
            self.with_memory(|memory| memory.claimed(&attempt, failure));
        }
        self.apply_write_result(&api_permit, written).await.map(|_| ())
    }

    async fn create(&mut self, nonce: &Nonce, comment: &str) -> Result<(), ReconcileError> {
        let access = self.access(Purpose::Write).await.map_err(ReconcileError::NoAccess)?;
        if !self.ctx.work.may_send() {
            return Err(Stopped.into());
        }
        let claimed = self.ctx.states.with(&self.identity.token, |entry| entry.begin_send(nonce));
        let Some(claimed) = claimed else {
            return Err(ReconcileError::Retry("the attempt was sent before"));
        };
        // The claim found the object not in deletion; the last check before the POST uses the events that the watch has delivered
        // since.
        let (ctx, token) = (Arc::clone(&self.ctx), self.identity.token.clone());
        let may_send = move || {
            claimed.elapsed() < ctx.options.times.create_deadline
                && ctx.work.may_send()
                && !ctx.states.deletion_seen(&token)
        };
        let sent = Boottime::now();
        let creation = access.key.client.create(&access.subject, comment, may_send).await;
        // The requests that follow go to the API server.
        self.permit = None;
        let (outcome, error) = match creation {
            CreateOutcome::Created(endpoint) => {
                info!(endpoint.id = %endpoint.id, "created the endpoint");
                self.with_memory(|memory| memory.created(nonce, endpoint));
                (PostOutcome::Created, None)
            }
            CreateOutcome::Refused(error) => {
                self.with_memory(|memory| memory.settle(nonce));
                (PostOutcome::Refused, Some(error))
            }
            CreateOutcome::Uncertain(error) => (PostOutcome::Uncertain, Some(error)),
        };
        self.ctx.options.metrics.post(outcome);
        self.record_response(&access, sent, error.as_ref()).await;
        Ok(())
    }

    async fn record(
        &mut self,
        plan: &Plan,
        endpoint: &Endpoint,
        origin: Origin,
    ) -> Result<(), ReconcileError> {
        if origin != Origin::Created {
            self.ctx.work.check_start()?;
        }
        if !self.object().annotations().contains_key(crd::CLAIM) {
            // Only an observed endpoint is recorded without a claim, once. The cache keeps only the annotations that the operator
            // reads, and the test for the absence of the claim depends on whether there are others.
            let Some(()) = self.verify_unchanged().await? else {
                return Ok(());
            };
        }
        let Plan { observed, decision, report } = plan;
        let ctx = Arc::clone(&self.ctx);
        let api_permit = ctx.api_server.permit(&self.identity.namespace).await;
        let mut operations = status_patch::record_guards(self.object());
        operations.extend(status_patch::changes(self.object(), report, self.run.handled_request()));
        let written = ctx.api_server.patch_status(&api_permit, &self.identity, operations).await;
        if written.as_ref().is_err_and(|error| write_failure(error) == WriteFailure::Unknown) {
            self.with_memory(Memory::not_recorded);
        }
        if self.apply_write_result(&api_permit, written).await? {
            let at = self.run.recorded_at(origin, Boottime::now().since_boot());
            self.with_memory(|memory| memory.recorded(&endpoint.id, origin, at));
            if self.ctx.options.default_credentials.is_some() {
                self.ctx.directory.record_endpoints(&self.identity.token, self.object());
            }
            info!(endpoint.id = %endpoint.id, origin = span::origin(origin), "recorded the endpoint");
            self.publish_events(&api_permit, event::of_step(&decision.step, observed)).await;
            self.publish_changes(&api_permit, plan).await;
        }
        Ok(())
    }

    async fn update(
        &mut self,
        plan: &Plan,
        id: &EndpointId,
        comment: Option<String>,
        vpc_endpoint: Option<VpcEndpointId>,
    ) -> Result<(), ReconcileError> {
        let ctx = Arc::clone(&self.ctx);
        let ready =
            ctx.work.unless_stopped(Box::pin(self.before_write(Operation::Update, id)).as_mut()).await??;
        let Some(access) = ready else {
            return Ok(());
        };
        let update = Update { comment, cloud_provider_endpoint_id: vpc_endpoint };
        let sent = Boottime::now();
        let result = self.send_unless_stopped(access.key.client.update(&access.subject, id, &update)).await?;
        if let Ok(endpoint) = &result {
            let comment = update.comment.is_some();
            let vpc_endpoint = update.cloud_provider_endpoint_id.as_ref().map(tracing::field::display);
            info!(endpoint.id = %id, comment, vpc_endpoint, "updated the endpoint");
            self.run.updated(endpoint.clone());
            let api_permit = self.ctx.api_server.permit(&self.identity.namespace).await;
            self.publish_events(&api_permit, event::of_step(&plan.decision.step, &plan.observed)).await;
        }
        self.record_response(&access, sent, result.err().as_ref()).await;
        Ok(())
    }

    /// Sends an update or a delete, unless the process may start nothing any more.
    ///
    /// The request is then dropped and treated like one without a response: no earlier listing shows its outcome.
    async fn send_unless_stopped<T>(&mut self, request: impl Future<Output = T>) -> Result<T, Stopped> {
        let result = self.ctx.work.unless_stopped(pin!(request)).await;
        self.permit = None;
        if result.is_err() {
            self.record_atlas_write();
        }
        result
    }

    async fn delete(&mut self, plan: &Plan, id: &EndpointId, excess: bool) -> Result<(), ReconcileError> {
        let ctx = Arc::clone(&self.ctx);
        let ready =
            ctx.work.unless_stopped(Box::pin(self.before_write(Operation::Delete, id)).as_mut()).await??;
        let Some(access) = ready else {
            return Ok(());
        };
        if excess {
            // Counted before it is sent, because a request whose response is lost counts as well.
            self.with_memory(|memory| memory.deleting_excess(Boottime::now().since_boot()));
        }
        let sent = Boottime::now();
        let result = self.send_unless_stopped(access.key.client.delete(&access.subject, id)).await?;
        if let Ok(deletion) = &result {
            let not_found = *deletion == DeleteOutcome::NotFound;
            info!(endpoint.id = %id, not_found, excess, "deleted the endpoint");
            let now = Boottime::now().since_boot();
            let Self { ctx, identity, run, .. } = self;
            ctx.states.with(&identity.token, |entry| run.deleted(id, not_found, &mut entry.memory, now));
            let api_permit = self.ctx.api_server.permit(&self.identity.namespace).await;
            self.publish_events(&api_permit, event::of_step(&plan.decision.step, &plan.observed)).await;
        }
        self.record_response(&access, sent, result.err().as_ref()).await;
        Ok(())
    }

    /// Removes the finalizer from the object.
    pub(super) async fn release(
        &mut self,
        held: Option<ApiPermit>,
        plan: &Plan,
    ) -> Result<(), ReconcileError> {
        let step = &plan.decision.step;
        // The event comes first, because afterwards there may be no object for it to regard.
        let draft = event::of_step(step, &plan.observed);
        let api_permit = self.ctx.api_server.permit_or_wait(held, &self.identity.namespace).await;
        let written = self.ctx.api_server.release(&api_permit, &self.identity, self.object()).await;
        match self.apply_write_result(&api_permit, written).await {
            Ok(true) => {
                info!(endpoint = span::release_reason(step), "released the object");
                if *step == Step::Release(ReleaseReason::Deleted) {
                    self.with_memory(Memory::clear_recorded);
                }
                self.publish_events(&api_permit, draft).await;
                Err(ReconcileError::Released)
            }
            other => other.map(|_| ()),
        }
    }
}

fn fresh_nonce() -> Result<Nonce, ReconcileError> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|_| ReconcileError::Retry("the system has no random numbers"))?;
    Ok(Nonce::from_random(bytes))
}

/// Returns what an error proves about a write to the object.
fn write_failure(error: &ApiError) -> WriteFailure {
    match error {
        ApiError::Conflict | ApiError::NotFound => WriteFailure::NotApplied,
        _ => WriteFailure::Unknown,
    }
}
