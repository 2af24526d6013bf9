//! Carries out one step: at most one remote write, and the memory of it.
//!
//! Nothing here decides. A step that finds the object other than it was decided on does nothing and says so.

use std::sync::Arc;

use domain::conditions::report;
use domain::decision::{Decision, Origin, Step};
use domain::endpoint::{Endpoint, EndpointId, Instance, VpcEndpointId};
use domain::fault::Fault;
use domain::notice;
use domain::observed::{Atlas, Observed, Tried, VpcEndpoint};
use domain::ownership::{Claim, Nonce};
use kube::{Resource, ResourceExt};
use tracing::{info, warn};

use crate::api::{self, ServerlessPrivateEndpoint};
use crate::atlas::{AtlasError, Creation, Deletion, Update};
use crate::clock::Boottime;

use super::cluster::ClusterError;
use super::context::Context;
use super::credentials::Key;
use super::limits::Permit;
use super::object::Identity;
use super::publish;
use super::reconcile::ReconcileError;

/// One reconcile on its way: what it knows so far.
pub(super) struct Pass {
    pub(super) ctx: Arc<Context>,
    pub(super) identity: Identity,
    pub(super) object: ServerlessPrivateEndpoint,
    pub(super) atlas: Atlas,
    /// When the listing in `atlas` was sent; until there is one, when the reconcile began.
    pub(super) seen: Boottime,
    /// How fresh the next listing has to be.
    pub(super) fresh_after: Boottime,
    /// What the declared VPC endpoint has resolved to.
    pub(super) vpc_endpoint: VpcEndpoint,
    pub(super) tried: Tried,
    pub(super) permit: Option<Permit>,
}

/// What is needed to speak to Atlas about one object.
struct Access {
    instance: Instance,
    key: Key,
}

impl Pass {
    /// Does what `decision` says; afterwards it is time to decide again.
    pub(super) async fn carry_out(
        &mut self,
        observed: &Observed,
        decision: &Decision,
    ) -> Result<(), ReconcileError> {
        match &decision.step {
            Step::Rest => Ok(()),
            Step::List => self.list().await,
            Step::Claim {
                nonce,
                replaced,
                stale_vpc_endpoint,
            } => {
                self.claim(nonce.clone(), replaced.clone(), stale_vpc_endpoint.clone())
                    .await
            }
            Step::Create { nonce, comment } => self.create(nonce, comment).await,
            Step::Record { endpoint, origin } => self.record(observed, decision, endpoint, *origin).await,
            Step::Update {
                id,
                comment,
                vpc_endpoint,
            } => {
                self.update(&decision.step, id, comment.clone(), vpc_endpoint.clone())
                    .await
            }
            Step::Delete { id, excess } => self.delete(&decision.step, id, *excess).await,
            Step::Release(_) => self.release(&decision.step).await,
        }
    }

    async fn list(&mut self) -> Result<(), ReconcileError> {
        self.permit = None;
        let access = match self.access().await {
            Ok(access) => access,
            Err(fault) => {
                self.atlas = Atlas::Failed(fault);
                return Ok(());
            }
        };
        let ctx = &self.ctx;
        let listing = ctx
            .listings
            .get(
                &access.instance,
                &access.key,
                &ctx.keys,
                &ctx.limits,
                self.fresh_after,
            )
            .await;
        self.seen = listing.sent;
        self.atlas = match listing.result {
            Ok(endpoints) => Atlas::Listed(endpoints.to_vec()),
            Err(fault) => Atlas::Failed(fault),
        };
        Ok(())
    }

    async fn claim(
        &mut self,
        announced: Option<Nonce>,
        replaced: Option<EndpointId>,
        stale: Option<String>,
    ) -> Result<(), ReconcileError> {
        // The right to call Atlas comes first, so that the deadline of the attempt is not spent waiting for it.
        self.enter().await?;
        let begun = Boottime::now();
        let nonce = if let Some(nonce) = announced {
            nonce
        } else {
            let nonce = fresh_nonce()?;
            self.remember(|memory| memory.claiming(nonce.clone(), begun.since_boot()));
            nonce
        };
        let Identity { token, uid, .. } = &self.identity;
        let cluster = self.ctx.cluster_id.clone();
        let claim = Claim {
            token: token.clone(),
            nonce,
            uid: uid.clone(),
            cluster,
            replaced,
        };
        let mut annotations = vec![(api::CLAIM, Some(claim.to_string()))];
        if stale.is_some() {
            annotations.push((api::STALE_VPC_ENDPOINT_ID, stale));
        }
        let written = self
            .ctx
            .cluster
            .claim(&self.identity, &self.object, &annotations)
            .await;
        self.wrote(written).await.map(|_| ())
    }

    async fn create(&mut self, nonce: &Nonce, comment: &str) -> Result<(), ReconcileError> {
        let access = self.access().await.map_err(ReconcileError::NoAccess)?;
        let mut since = None;
        let unsent = self.remember(|memory| {
            since = memory.since(nonce);
            memory.sending(nonce)
        });
        let Some(since) = since.filter(|_| unsent) else {
            return Err(ReconcileError::Again("the attempt was sent before"));
        };
        let deadline = Boottime::from_boot(since) + self.ctx.options.times.create_deadline;
        let in_time = move || Boottime::now() < deadline;
        let creation = access.key.client.create(&access.instance, comment, in_time).await;
        let (outcome, fault) = match creation {
            Creation::Created(endpoint) => {
                info!(endpoint.id = %endpoint.id, "created the endpoint");
                self.remember(|memory| memory.created(endpoint));
                ("created", None)
            }
            Creation::Refused(error) => {
                self.remember(|memory| memory.settled(nonce));
                ("refused", Some(error.fault()))
            }
            Creation::Uncertain(error) => ("uncertain", Some(error.fault())),
        };
        (self.ctx.options.observe_post)(outcome);
        self.answered(&access, fault).await;
        Ok(())
    }

    async fn record(
        &mut self,
        observed: &Observed,
        decision: &Decision,
        endpoint: &Endpoint,
        origin: Origin,
    ) -> Result<(), ReconcileError> {
        if !self.object.annotations().contains_key(api::CLAIM) {
            // The cache keeps only the annotations that we read, and whether there are others decides how the absence of
            // ours can be tested.
            let Some(()) = self.unchanged().await? else {
                return Ok(());
            };
        }
        let report = report(observed, decision);
        let mut operations = publish::same_life(&self.object);
        operations.extend(publish::changes(&self.object, &report, false));
        let before = observed.object.reported.clone();
        let written = self.ctx.cluster.patch_status(&self.identity, &operations).await;
        let outcome = self.wrote(written).await;
        let (claim, recorded) = self.claim_now();
        if outcome? {
            let at = if origin == Origin::Adopted {
                self.seen
            } else {
                Boottime::now()
            };
            self.remember(|memory| memory.recorded(&endpoint.id, origin, at.since_boot()));
            info!(endpoint.id = %endpoint.id, ?origin, "recorded the endpoint");
            self.tell(notice::of_step(&decision.step)).await;
            self.tell(notice::of_change(&before, &report)).await;
        } else {
            self.remember(|memory| memory.recording_refused(&claim, recorded.as_ref()));
        }
        Ok(())
    }

    async fn update(
        &mut self,
        step: &Step,
        id: &EndpointId,
        comment: Option<String>,
        vpc_endpoint: Option<VpcEndpointId>,
    ) -> Result<(), ReconcileError> {
        let Some(access) = self.before_write().await? else {
            return Ok(());
        };
        let update = Update {
            comment,
            cloud_provider_endpoint_id: vpc_endpoint,
        };
        let result = access.key.client.update(&access.instance, id, &update).await;
        if let Ok(endpoint) = &result {
            info!(endpoint.id = %id, comment = update.comment.is_some(), vpc_endpoint = ?update.cloud_provider_endpoint_id, "updated the endpoint");
            self.show(endpoint.clone());
            self.tell(notice::of_step(step)).await;
        }
        self.answered(&access, result.err().as_ref().map(AtlasError::fault))
            .await;
        Ok(())
    }

    async fn delete(&mut self, step: &Step, id: &EndpointId, excess: bool) -> Result<(), ReconcileError> {
        let Some(access) = self.before_write().await? else {
            return Ok(());
        };
        let result = access.key.client.delete(&access.instance, id).await;
        if let Ok(deletion) = &result {
            let not_found = *deletion == Deletion::NotFound;
            info!(endpoint.id = %id, not_found, excess, "deleted the endpoint");
            let now = Boottime::now();
            self.remember(|memory| memory.deleted(id.clone(), excess, not_found, now.since_boot()));
            self.tell(notice::of_step(step)).await;
        }
        let fault = result.err().as_ref().map(AtlasError::fault);
        let removed = fault.is_none();
        self.answered(&access, fault).await;
        if removed {
            // Only a listing that was sent after the answer says anything about what is left.
            self.fresh_after = Boottime::now();
            self.atlas = Atlas::Unread;
        }
        Ok(())
    }

    async fn release(&mut self, step: &Step) -> Result<(), ReconcileError> {
        // First the event: afterwards there may be no object for it to speak of.
        let notice = notice::of_step(step);
        let written = self.ctx.cluster.release(&self.identity, &self.object).await;
        match self.wrote(written).await {
            Ok(true) => {
                info!(?step, "released the object");
                self.tell(notice).await;
                Err(ReconcileError::Gone)
            }
            other => other.map(|_| ()),
        }
    }

    /// Makes sure that the object is still the one that was decided on, by a read that no cache answers. `None` if it is
    /// not; then it is time to decide again.
    async fn before_write(&mut self) -> Result<Option<Access>, ReconcileError> {
        let access = self.access().await.map_err(ReconcileError::NoAccess)?;
        self.enter().await?;
        Ok(self.unchanged().await?.map(|()| access))
    }

    /// Reads the object past all caches. `None` if it is not the one that was decided on.
    async fn unchanged(&mut self) -> Result<Option<()>, ReconcileError> {
        let now = self
            .ctx
            .cluster
            .get(&self.identity)
            .await
            .map_err(ReconcileError::from)?;
        let read = &self.object;
        let recorded =
            |object: &ServerlessPrivateEndpoint| object.status.as_ref().and_then(|status| status.id.clone());
        let same = now.meta().uid == read.meta().uid
            && now.meta().deletion_timestamp == read.meta().deletion_timestamp
            && now.meta().generation == read.meta().generation
            && recorded(&now) == recorded(read)
            && now.annotations().get(api::CLAIM) == read.annotations().get(api::CLAIM);
        if !same {
            self.start_over(now)?;
            return Ok(None);
        }
        self.object = now;
        Ok(Some(()))
    }

    /// The object was read anew; nothing that was decided on the old one holds.
    pub(super) fn start_over(&mut self, object: ServerlessPrivateEndpoint) -> Result<(), ReconcileError> {
        if object.meta().uid.as_deref() != Some(self.identity.uid.as_str()) {
            return Err(ReconcileError::Gone);
        }
        self.object = object;
        self.fresh_after = Boottime::now();
        self.atlas = Atlas::Unread;
        Ok(())
    }

    /// Takes in the answer to a write: `true` if it was applied, `false` if the object had changed and was read anew.
    async fn wrote(
        &mut self,
        written: Result<ServerlessPrivateEndpoint, ClusterError>,
    ) -> Result<bool, ReconcileError> {
        match written {
            Ok(object) => {
                self.object = object;
                let version = self.object.metadata.resource_version.clone();
                self.ctx
                    .memories
                    .with(&self.identity.token, |entry| entry.written = version);
                Ok(true)
            }
            Err(ClusterError::Changed) => {
                let object = self.ctx.cluster.get(&self.identity).await?;
                self.start_over(object)?;
                Ok(false)
            }
            Err(error) => Err(error.into()),
        }
    }

    async fn answered(&mut self, access: &Access, fault: Option<Fault>) {
        let ctx = &self.ctx;
        ctx.listings
            .note(&access.instance, &access.key, &ctx.keys, fault.as_ref())
            .await;
        self.tried = match fault {
            None => Tried::Done,
            Some(fault) => {
                warn!(%fault, "Atlas did not do what was asked");
                Tried::Refused(fault)
            }
        };
    }

    async fn access(&self) -> Result<Access, Fault> {
        let invalid = |message| Fault {
            kind: domain::fault::FaultKind::Refused,
            message,
            retry_after: None,
        };
        let instance = super::object::instance(&self.object).map_err(invalid)?;
        let deleting = self.object.meta().deletion_timestamp.is_some();
        let key = self.ctx.key(&self.object, &self.identity, deleting).await?;
        Ok(Access { instance, key })
    }

    async fn enter(&mut self) -> Result<(), ReconcileError> {
        if self.permit.is_none() {
            let project = super::object::instance(&self.object)
                .map_err(|_| ReconcileError::Again("invalid spec"))?
                .project;
            self.permit = self.ctx.limits.enter(&project).await;
        }
        Ok(())
    }

    /// Puts what an answer said about one endpoint into the listing that it is newer than.
    fn show(&mut self, endpoint: Endpoint) {
        if let Atlas::Listed(listing) = &mut self.atlas
            && let Some(shown) = listing.iter_mut().find(|shown| shown.id == endpoint.id)
        {
            *shown = endpoint;
        }
    }

    fn claim_now(&self) -> (domain::ownership::ClaimReading, Option<EndpointId>) {
        let object = super::object::object(&self.object, &self.identity, &self.ctx.cluster_id);
        (object.claim, object.recorded.map(|recorded| recorded.id))
    }

    fn remember<T>(&self, act: impl FnOnce(&mut domain::memory::Memory) -> T) -> T {
        self.ctx
            .memories
            .with(&self.identity.token, |entry| act(&mut entry.memory))
    }

    pub(super) async fn tell(&self, notices: impl IntoIterator<Item = notice::Notice>) {
        for notice in notices {
            self.ctx.publish(&self.object, &notice).await;
        }
    }
}

fn fresh_nonce() -> Result<Nonce, ReconcileError> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|_| ReconcileError::Again("the system has no random numbers"))?;
    Ok(Nonce::from_random(bytes))
}
