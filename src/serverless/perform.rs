//! Performs one step: at most one remote write, and the state kept about it.
//!
//! It decides nothing. A step that finds the object changed since the decision does nothing and reports that.
//! No step starts a write once the process may start nothing. A claim is followed by its create request, which runs
//! to its end; an update or delete in flight is dropped, because the next listing shows its outcome.

use std::pin::pin;
use std::sync::Arc;

use atlas::{CreateOutcome, DeleteOutcome, Operation, Update};
use domain::access::Purpose;
use domain::fault::FaultKind;
use domain::ids::VpcEndpointId;
use domain::schedule::Cause;
use domain::serverless::decision::{Creating, Origin, ReleaseReason, State, Step};
use domain::serverless::endpoint::{Endpoint, EndpointId};
use domain::serverless::event;
use domain::serverless::memory::Memory;
use domain::serverless::observed::Listing;
use domain::serverless::ownership::{Claim, Nonce};
use kube::ResourceExt;
use tracing::info;

use crate::clock::{Boottime, Stamp};
use crate::metrics::PostOutcome;
use crate::serverless::crd;

use super::convert;
use super::error::ReconcileError;
use super::observe::observe;
use super::plan::Plan;
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
        let purpose = convert::read_purpose(&self.object);
        let requested = convert::reconcile_request(&self.object)
            .filter(|requested| self.handled_request.as_deref() != Some(requested));
        let (requested, cause) =
            (requested.map(ToOwned::to_owned), self.cause.requested_if(requested.is_some()));
        let access = match Box::pin(self.access(purpose)).await {
            Ok(access) => access,
            Err(fault) => {
                if fault.kind == FaultKind::CredentialsNotFound {
                    self.handled_request = requested.or(self.handled_request.take());
                }
                self.listing = Listing::Failed(fault);
                return Ok(());
            }
        };
        self.set_credentials_in_use(&access);
        let ctx = &self.ctx;
        let listing = ctx.listings.get(&ctx.atlas, &access, self.fresh_after, cause).await;
        let listing = listing.map_err(ReconcileError::RateLimited)?;
        if listing.was_requested {
            self.handled_request = requested.or(self.handled_request.take());
            // Any further listing in this reconcile is a step of the protocol.
            self.cause = Cause::Own;
            let version = convert::version(&self.object);
            self.ctx.states.with(&self.identity.token, |entry| entry.schedule.listed(&version));
        }
        let failed = listing.result.as_ref().err().map(|fault| fault.kind);
        let times = &ctx.options.times;
        self.with_memory(|memory| memory.responded(failed, listing.sent.since_boot(), times));
        self.listed_at = listing.sent;
        self.sunset = listing.sunset;
        self.listing = match listing.result {
            Ok(endpoints) => {
                self.retain_credentials(&access);
                let observed = observe(self);
                let concerning = endpoints.iter().filter(|endpoint| observed.concerns(endpoint));
                Listing::Fetched(concerning.cloned().collect())
            }
            Err(fault) => Listing::Failed(fault),
        };
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
        let api_permit = ctx.work.unless_stopped(pin!(ctx.cluster.permit(&self.identity.namespace))).await?;
        // A claim that no POST follows writes nothing to Atlas.
        let follows = if creates { Operation::Create } else { Operation::List };
        if self.is_withheld(&access, follows, None) {
            return Ok(());
        }
        let started = Stamp::now();
        let is_fresh = announced_nonce.is_none();
        let nonce = if let Some(nonce) = announced_nonce {
            nonce
        } else {
            let nonce = fresh_nonce()?;
            self.ctx.states.with(&self.identity.token, |entry| {
                entry.counted.claimed(started.boot());
                entry.memory.begin_claim(nonce.clone(), started.boot().since_boot());
                entry.claimed = Some((nonce.clone(), started));
            });
            nonce
        };
        let Identity { token, uid, .. } = &self.identity;
        let cluster = self.ctx.cluster_id.clone();
        let attempt = nonce.clone();
        let claim = Claim { token: token.clone(), nonce, uid: uid.clone(), cluster, replaced };
        let mut annotations = vec![(crd::CLAIM, Some(claim.to_string()))];
        if stale.is_some() {
            annotations.push((crd::STALE_VPC_ENDPOINT_ID, stale));
        }
        let written = ctx.cluster.claim(&api_permit, &self.identity, &*self.object, &annotations).await;
        match &written {
            Err(ApiError::Conflict | ApiError::NotFound) if is_fresh => {
                self.with_memory(|memory| memory.withdraw_claim(&attempt));
            }
            // The claim may have been written nevertheless, and by the time that this is known the object may be in
            // deletion.
            Err(_) if is_fresh => self.with_memory(|memory| memory.settle(&attempt)),
            _ => {}
        }
        self.apply_write_result(&api_permit, written).await.map(|_| ())
    }

    async fn create(&mut self, nonce: &Nonce, comment: &str) -> Result<(), ReconcileError> {
        let access = self.access(Purpose::Write).await.map_err(ReconcileError::NoAccess)?;
        if !self.ctx.work.may_send() {
            return Err(Stopped.into());
        }
        let claimed = self.ctx.states.with(&self.identity.token, |entry| {
            let claimed = entry.claimed.take().filter(|(claimed, _)| claimed == nonce);
            claimed.filter(|_| entry.memory.begin_send(nonce))
        });
        let Some((_, claimed)) = claimed else {
            return Err(ReconcileError::Retry("the attempt was sent before"));
        };
        // The claim found the object not in deletion; the last check before the POST uses the events that the watch has delivered since.
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
        if !self.object.annotations().contains_key(crd::CLAIM) {
            // The cache keeps only the annotations that the operator reads, and the test for the absence of the claim
            // depends on whether there are others.
            let Some(()) = self.verify_unchanged().await? else {
                return Ok(());
            };
        }
        let Plan { observed, decision, report } = plan;
        let ctx = Arc::clone(&self.ctx);
        let api_permit = ctx.cluster.permit(&self.identity.namespace).await;
        let mut operations = status_patch::record_guards(&self.object);
        operations.extend(status_patch::changes(&self.object, report, self.handled_request.as_deref()));
        let written = ctx.cluster.patch_status(&api_permit, &self.identity, operations).await;
        if written.as_ref().is_err_and(|error| !matches!(error, ApiError::Conflict | ApiError::NotFound)) {
            self.with_memory(Memory::not_recorded);
        }
        if self.apply_write_result(&api_permit, written).await? {
            let at = if origin == Origin::Adopted { self.listed_at } else { Boottime::now() };
            self.with_memory(|memory| memory.recorded(&endpoint.id, origin, at.since_boot()));
            if self.ctx.options.default_credentials.is_some() {
                self.ctx.directory.record_endpoints(&self.identity.token, &self.object);
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
        let result = self.unless_stopped(access.key.client.update(&access.subject, id, &update)).await?;
        if let Ok(endpoint) = &result {
            info!(endpoint.id = %id, comment = update.comment.is_some(), vpc_endpoint = update.cloud_provider_endpoint_id.as_ref().map(display), "updated the endpoint");
            self.update_listing(endpoint.clone());
            let api_permit = self.ctx.cluster.permit(&self.identity.namespace).await;
            self.publish_events(&api_permit, event::of_step(&plan.decision.step, &plan.observed)).await;
        }
        self.record_response(&access, sent, result.err().as_ref()).await;
        Ok(())
    }

    /// Sends an update or a delete, unless the process may start nothing any more.
    ///
    /// The request is then dropped and treated like one without a response: no earlier listing shows its outcome.
    async fn unless_stopped<T>(&mut self, request: impl Future<Output = T>) -> Result<T, Stopped> {
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
        let result = self.unless_stopped(access.key.client.delete(&access.subject, id)).await?;
        if let Ok(deletion) = &result {
            let not_found = *deletion == DeleteOutcome::NotFound;
            info!(endpoint.id = %id, not_found, excess, "deleted the endpoint");
            let now = Boottime::now();
            self.with_memory(|memory| memory.deleted(id.clone(), not_found, now.since_boot()));
            let api_permit = self.ctx.cluster.permit(&self.identity.namespace).await;
            self.publish_events(&api_permit, event::of_step(&plan.decision.step, &plan.observed)).await;
        }
        // Listing after each DELETE would cost as many listings as there are objects. The next poll shows its effect;
        // only a response that contradicts the listing is followed up at once.
        match &result {
            Ok(DeleteOutcome::Accepted) => self.mark_deleting(id),
            Ok(DeleteOutcome::NotFound) => self.invalidate_listing(),
            Err(_) => {}
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
        let api_permit = self.ctx.cluster.permit_or_wait(held, &self.identity.namespace).await;
        let written = self.ctx.cluster.release(&api_permit, &self.identity, &*self.object).await;
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
