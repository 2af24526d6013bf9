//! The session of one reconcile: its state so far, and the guards that every write passes.
//!
//! The guards only determine whether the object is unchanged since the decision; if it is not, the next decision
//! handles the change.

use std::sync::Arc;

use atlas::{AtlasError, Operation};
use domain::access::Purpose;
use domain::fault::{Fault, FaultKind};
use domain::rate_limits::Call;
use domain::reference::VpcEndpoint;
use domain::schedule::Cause;
use domain::serverless::endpoint::{Endpoint, EndpointId, EndpointStatus, Instance};
use domain::serverless::event;
use domain::serverless::event::Announced;
use domain::serverless::observed::{CredentialsInUse, Listing, WriteOutcome};
use domain::serverless::status::Report;
use domain::status::EventDraft;
use domain::sunset::Sunset;
use kube::{Resource, ResourceExt};
use tracing::debug;

use crate::clock::Boottime;
use crate::serverless::crd::{self, ServerlessPrivateEndpoint};

use super::context::Context;
use super::convert;
use super::error::ReconcileError;
use super::plan::Plan;
use crate::runtime::api_server::{ApiError, ApiPermit};
use crate::runtime::atlas_access::{Access, Withheld};
use crate::runtime::concurrency::Permit;
use crate::runtime::credential_uses::SecretName;
use crate::runtime::identity::Identity;

/// The state of one running reconcile.
pub(super) struct Session {
    pub(super) ctx: Arc<Context>,
    pub(super) identity: Identity,
    pub(super) object: Box<ServerlessPrivateEndpoint>,
    /// The credentials that the listing was fetched with.
    pub(super) credentials: CredentialsInUse,
    pub(super) listing: Listing,
    /// The announced end of the API, if known.
    pub(super) sunset: Option<Sunset>,
    /// When the request for `listing` was sent; until there is one, when the reconcile started.
    pub(super) listed_at: Boottime,
    /// The earliest acceptable send time of the next listing.
    pub(super) fresh_after: Boottime,
    /// The trigger of the next listing.
    pub(super) cause: Cause,
    /// The reconcile request that was handled: Atlas was listed for it, or cannot be, and no rate limit postponed it.
    pub(super) handled_request: Option<String>,
    /// The resolved VPC endpoint.
    pub(super) vpc_endpoint: VpcEndpoint,
    pub(super) last_write: WriteOutcome,
    pub(super) permit: Option<Permit<2>>,
    /// The status reports that the recorded endpoint is lost.
    pub(super) loss_published: bool,
}

impl Session {
    /// Verifies by an uncached read that the object is unchanged since the decision.
    ///
    /// Returns `None` if it is not; the caller then decides again.
    pub(super) async fn before_write(
        &mut self,
        operation: Operation,
        id: &EndpointId,
    ) -> Result<Option<Access<Instance>>, ReconcileError> {
        let deleting = self.object.meta().deletion_timestamp.is_some();
        let purpose = Purpose::of_write(deleting, operation == Operation::Update);
        let access = self.access(purpose).await.map_err(ReconcileError::NoAccess)?;
        if self.is_withheld(&access, operation, Some(id)) || self.set_credentials_in_use(&access) {
            return Ok(None);
        }
        Ok(self.verify_unchanged().await?.map(|()| access))
    }

    /// Returns `true` if a back-off withholds this write: of all calls, or of writes with credentials that may not
    /// write.
    ///
    /// The next decision observes the reason.
    pub(super) fn is_withheld(
        &mut self,
        access: &Access<Instance>,
        operation: Operation,
        id: Option<&EndpointId>,
    ) -> bool {
        let (atlas, requested) = (&self.ctx.atlas, self.handled_request.is_some());
        let begun = match operation {
            Operation::List => {
                atlas.withheld_read(access, requested).map_or(Ok(()), |fault| Err(Withheld::All(fault)))
            }
            _ => atlas.begin_write(access, requested),
        };
        match begun {
            Ok(()) => return false,
            Err(Withheld::All(fault)) => {
                self.listing = Listing::Failed(fault.met_by(Operation::List.attempt(&access.subject, None)));
            }
            Err(Withheld::Writes(fault)) => {
                self.last_write = WriteOutcome::Refused(fault.met_by(operation.attempt(&access.subject, id)));
            }
        }
        true
    }

    /// Returns the handled reconcile request once no step is left: Atlas was listed for it, or needs no listing at
    /// all.
    pub(super) fn handled_request_at_rest(&self) -> Option<&str> {
        let without_listing =
            || convert::reconcile_request(&self.object).filter(|_| self.listing == Listing::NotFetched);
        self.handled_request.as_deref().or_else(without_listing)
    }

    /// Records the source of the credentials. Returns `true` if the decision is based on others.
    pub(super) fn set_credentials_in_use(&mut self, access: &Access<Instance>) -> bool {
        let credentials = match &access.key.retained_because {
            Some(fault) => CredentialsInUse::Remembered(fault.clone()),
            None if access.key.shared => CredentialsInUse::Default,
            None => CredentialsInUse::Own,
        };
        std::mem::replace(&mut self.credentials, credentials.clone()) != credentials
    }

    /// Reads the object past all caches.
    pub(super) async fn reread(&self) -> Result<ServerlessPrivateEndpoint, ApiError> {
        let api_permit = self.ctx.cluster.permit(&self.identity.namespace).await;
        self.ctx.cluster.get(&api_permit, &self.identity).await
    }

    /// Reads the object past all caches. Returns `None` if it has changed since the decision.
    pub(super) async fn verify_unchanged(&mut self) -> Result<Option<()>, ReconcileError> {
        let now = self.reread().await?;
        let read = &self.object;
        let recorded =
            |object: &ServerlessPrivateEndpoint| object.status.as_ref().and_then(|status| status.id.clone());
        let same = now.meta().uid == read.meta().uid
            && now.meta().deletion_timestamp == read.meta().deletion_timestamp
            && now.meta().generation == read.meta().generation
            && recorded(&now) == recorded(read)
            && [crd::CLAIM, crd::TAKE_OVER]
                .iter()
                .all(|a| now.annotations().get(*a) == read.annotations().get(*a));
        if !same {
            self.start_over(now)?;
            return Ok(None);
        }
        *self.object = now;
        Ok(Some(()))
    }

    /// Replaces the object by a newer version, which voids everything decided on the old one.
    pub(super) fn start_over(&mut self, object: ServerlessPrivateEndpoint) -> Result<(), ReconcileError> {
        if object.meta().uid.as_deref() != Some(self.identity.uid.as_str()) {
            return Err(ReconcileError::NotFound);
        }
        let content_hash = convert::content_hash(&object);
        let is_handled =
            self.ctx.states.with(&self.identity.token, |entry| entry.schedule.is_handled(content_hash));
        if content_hash != convert::content_hash(&self.object) && !is_handled {
            self.cause = self.cause.edited();
        }
        *self.object = object;
        self.invalidate_listing();
        Ok(())
    }

    /// Applies the response to a write to the API server.
    ///
    /// Returns `true` if the write was applied, `false` if the object had changed and was read again.
    pub(super) async fn apply_write_result(
        &mut self,
        api_permit: &ApiPermit,
        written: Result<ServerlessPrivateEndpoint, ApiError>,
    ) -> Result<bool, ReconcileError> {
        match written {
            Ok(object) => {
                *self.object = object;
                self.record_own_write();
                Ok(true)
            }
            Err(ApiError::Conflict) => {
                let object = self.ctx.cluster.get(api_permit, &self.identity).await?;
                self.start_over(object)?;
                Ok(false)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Applies the response to a write to Atlas that was sent at `sent`.
    pub(super) async fn record_response(
        &mut self,
        access: &Access<Instance>,
        sent: Boottime,
        error: Option<&AtlasError>,
    ) {
        let ctx = &self.ctx;
        ctx.atlas.record_response(access, (Call::Write, sent), error).await;
        self.record_atlas_write();
        if error.is_none() {
            let times = &ctx.options.times;
            self.with_memory(|memory| memory.responded(None, sent.since_boot(), times));
        }
        self.last_write = match error.map(AtlasError::fault) {
            None => {
                self.retain_credentials(access);
                WriteOutcome::Done
            }
            Some(fault) => {
                // Published at the end of the reconcile, which warns of it once.
                debug!(%fault, "request to Atlas failed");
                WriteOutcome::Refused(fault)
            }
        };
    }

    /// Records that this process has written the object as it is now.
    pub(super) fn record_own_write(&self) {
        let number = convert::version(&self.object).number;
        self.ctx.states.with(&self.identity.token, |entry| entry.schedule.object_written(number));
    }

    /// Records the end of a write to Atlas.
    pub(super) fn record_atlas_write(&self) {
        let now = Boottime::now().since_boot();
        self.ctx.states.with(&self.identity.token, |entry| entry.schedule.atlas_written(now));
    }

    /// Retains the credentials, which Atlas accepted, for the object's deletion after its Secret is deleted.
    pub(super) fn retain_credentials(&self, access: &Access<Instance>) {
        if self.object.meta().deletion_timestamp.is_none() {
            let recorded = self.object.status.as_ref().is_some_and(|status| status.id.is_some());
            self.ctx.atlas.credentials.record_accepted(&self.identity, &access.key, recorded);
        }
    }

    pub(super) async fn access(&self, purpose: Purpose) -> Result<Access<Instance>, Fault> {
        let invalid = |why| Fault::new(FaultKind::Refused, why);
        let instance = convert::instance(&self.object).map_err(invalid)?;
        let namespace = self.identity.namespace.clone();
        let named = self.object.spec.credentials_ref.as_ref();
        let named = named.map(|named| SecretName { namespace: namespace.clone(), name: named.name.clone() });
        let (project, deleting) = (instance.project.clone(), self.object.meta().deletion_timestamp.is_some());
        let key = self.ctx.atlas.key(&self.identity, named, &project, purpose, deleting).await?;
        Ok(Access { namespace, project, subject: instance, key })
    }

    pub(super) async fn enter(&mut self) -> Result<(), ReconcileError> {
        if self.permit.is_none() {
            let project =
                convert::instance(&self.object).map_err(|_| ReconcileError::Retry("invalid spec"))?.project;
            self.permit = self.ctx.atlas.enter(&self.identity.namespace, &project).await;
        }
        Ok(())
    }

    /// Returns the private SRV address behind this VPC endpoint, once Atlas shows it. It does not change, so it is
    /// requested once.
    pub(super) async fn private_address(&self, vpc_endpoint: &str) -> Option<String> {
        let entries = &self.ctx.states;
        let known = entries.with(&self.identity.token, |entry| entry.private_address.clone());
        if let Some((_, address)) = known.filter(|(id, _)| id == vpc_endpoint) {
            return Some(address);
        }
        let access = self.access(Purpose::Read).await.ok()?;
        let address = self.ctx.addresses.find(&self.ctx.atlas, &access, vpc_endpoint, self.listed_at).await?;
        let found = Some((vpc_endpoint.to_owned(), address.clone()));
        entries.with(&self.identity.token, |entry| entry.private_address = found);
        Some(address)
    }

    /// Replaces the endpoint in the listing by that of a newer response.
    pub(super) fn update_listing(&mut self, endpoint: Endpoint) {
        if let Some(shown) = self.listed(&endpoint.id) {
            *shown = endpoint;
        }
    }

    /// Marks the endpoint as deleting in the listing, after an accepted DELETE, whose response holds no status.
    pub(super) fn mark_deleting(&mut self, id: &EndpointId) {
        if let Some(shown) = self.listed(id) {
            shown.status = EndpointStatus::Deleting;
        }
    }

    fn listed(&mut self, id: &EndpointId) -> Option<&mut Endpoint> {
        match &mut self.listing {
            Listing::Fetched(listing) => listing.iter_mut().find(|shown| shown.id == *id),
            Listing::NotFetched | Listing::Failed(_) => None,
        }
    }

    /// Requires a listing sent from now on for the next decision.
    pub(super) fn invalidate_listing(&mut self) {
        self.fresh_after = Boottime::now();
        self.listing = Listing::NotFetched;
    }

    pub(super) fn with_memory<T>(&self, act: impl FnOnce(&mut domain::serverless::memory::Memory) -> T) -> T {
        self.ctx.states.with(&self.identity.token, |entry| act(&mut entry.memory))
    }

    /// Publishes events for the changes that the plan reports: since this process last reported, or else since the status
    /// that it found.
    pub(super) async fn publish_changes(&self, api_permit: &ApiPermit, plan: &Plan) {
        let Plan { observed, decision, report } = plan;
        let before =
            self.record_report(report).unwrap_or_else(|| Announced::by_status(&observed.object.reported));
        self.publish_events(api_permit, event::of_change(before, observed, &decision.step, report)).await;
    }

    /// Records that the status holds `report`. Returns the previously announced state.
    pub(super) fn record_report(&self, report: &Report) -> Option<Announced> {
        self.ctx.states.with(&self.identity.token, |entry| entry.announced.replace(Announced::by(report)))
    }

    pub(super) async fn publish_events(
        &self,
        api_permit: &ApiPermit,
        drafts: impl IntoIterator<Item = EventDraft>,
    ) {
        let metrics = &self.ctx.options.metrics;
        for draft in drafts {
            self.ctx
                .states
                .with(&self.identity.token, |entry| entry.counted.event_published(metrics, &draft));
            self.ctx.publish(api_permit, &self.object, &draft).await;
        }
    }
}
