//! One reconcile on its way: what it knows so far, and the guards that every write passes.
//!
//! The guards only say whether the object is still the one that was decided on; what to do if it is not, they leave to the
//! next decision.

use std::sync::Arc;

use atlas::{AtlasError, Fingerprint, Operation};
use domain::conditions::Report;
use domain::endpoint::{Endpoint, EndpointId, EndpointStatus, Instance};
use domain::event::{self, Announced, EventDraft};
use domain::fault::{Fault, FaultKind};
use domain::observed::{CredentialsInUse, Listing, Sunset, VpcEndpoint, WriteOutcome};
use kube::{Resource, ResourceExt};
use tracing::debug;

use crate::clock::Boottime;
use crate::serverless::crd::{self, ServerlessPrivateEndpoint};

use super::api_server::{ApiError, ApiPermit};
use super::context::Context;
use super::convert::{self, Identity};
use super::credentials::{AtlasKey, Purpose};
use super::listings::{Cause, Held};
use super::observe::Plan;
use super::rate_limits::Call;
use super::reconcile::ReconcileError;
use crate::runtime::concurrency::Permit;

/// What one reconcile knows so far.
pub(super) struct Session {
    pub(super) ctx: Arc<Context>,
    pub(super) identity: Identity,
    pub(super) object: Box<ServerlessPrivateEndpoint>,
    /// Which credentials the listing was fetched with.
    pub(super) credentials: CredentialsInUse,
    pub(super) listing: Listing,
    /// What is known of the end of the API.
    pub(super) sunset: Option<Sunset>,
    /// When the listing in `atlas` was sent; until there is one, when the reconcile began.
    pub(super) seen: Boottime,
    /// How fresh the next listing has to be.
    pub(super) fresh_after: Boottime,
    /// What it is fetched for.
    pub(super) cause: Cause,
    /// The word for which Atlas was asked, or found not to be askable: no pause kept it from being heard.
    pub(super) heard: Option<String>,
    /// What the declared VPC endpoint has resolved to.
    pub(super) vpc_endpoint: VpcEndpoint,
    pub(super) last_write: WriteOutcome,
    pub(super) permit: Option<Permit<2>>,
    /// That the recorded endpoint is lost stands in the status.
    pub(super) announced: bool,
}

/// What is needed to speak to Atlas about one object.
pub(super) struct Access {
    /// Whose object it is.
    pub(super) namespace: String,
    pub(super) instance: Instance,
    pub(super) key: AtlasKey,
}

impl Access {
    /// About what is asked, and with which credentials.
    pub(super) fn asking(&self) -> (Instance, Fingerprint) {
        (self.instance.clone(), self.key.client.credentials().fingerprint())
    }
}

impl Session {
    /// Makes sure that the object is still the one that was decided on, by a read that no cache answers. `None` if it is
    /// not; then it is time to decide again.
    pub(super) async fn before_write(
        &mut self,
        operation: Operation,
        id: &EndpointId,
    ) -> Result<Option<Access>, ReconcileError> {
        // A deleted namespace loses its Secrets at any moment, and a key that is only remembered may change nothing.
        let leaving = self.object.meta().deletion_timestamp.is_some();
        let now = leaving && operation == Operation::Update;
        let purpose = if now { Purpose::WriteNow } else { Purpose::Write };
        let access = self.access(purpose).await.map_err(ReconcileError::NoAccess)?;
        if self.is_held(&access, operation, Some(id)) || self.set_credentials_in_use(&access) {
            return Ok(None);
        }
        Ok(self.unchanged().await?.map(|()| access))
    }

    /// While Atlas asked to be left alone, nothing is written to it either, and nothing with a key that may not write; the next
    /// decision sees why.
    pub(super) fn is_held(&mut self, access: &Access, operation: Operation, id: Option<&EndpointId>) -> bool {
        let asked = self.heard.is_some();
        match self.ctx.listings.begin_write(access, operation, id, asked) {
            Ok(()) => return false,
            Err(Held::All(fault)) => self.listing = Listing::Failed(fault),
            Err(Held::Writes(fault)) => self.last_write = WriteOutcome::Refused(fault),
        }
        true
    }

    /// The word that was heard, once there is nothing left to do: Atlas was asked for it, or is not to be asked at all.
    pub(super) fn heard_at_rest(&self) -> Option<&str> {
        let unasked = || convert::word(&self.object).filter(|_| self.listing == Listing::NotFetched);
        self.heard.as_deref().or_else(unasked)
    }

    /// Notes where the key comes from; `true` if what was decided rests on another one.
    pub(super) fn set_credentials_in_use(&mut self, access: &Access) -> bool {
        let credentials = match &access.key.gone {
            Some(fault) => CredentialsInUse::Remembered(fault.clone()),
            None if access.key.shared => CredentialsInUse::Default,
            None => CredentialsInUse::Own,
        };
        std::mem::replace(&mut self.credentials, credentials.clone()) != credentials
    }

    /// Reads the object past all caches.
    pub(super) async fn reread(&self) -> Result<ServerlessPrivateEndpoint, ApiError> {
        let turn = self.ctx.cluster.turn(&self.identity.namespace).await;
        self.ctx.cluster.get(&turn, &self.identity).await
    }

    /// Reads the object past all caches. `None` if it is not the one that was decided on.
    pub(super) async fn unchanged(&mut self) -> Result<Option<()>, ReconcileError> {
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

    /// The object was read anew; nothing that was decided on the old one holds.
    pub(super) fn start_over(&mut self, object: ServerlessPrivateEndpoint) -> Result<(), ReconcileError> {
        if object.meta().uid.as_deref() != Some(self.identity.uid.as_str()) {
            return Err(ReconcileError::Gone);
        }
        let essence = convert::essence(&object);
        let ours = [
            Some(convert::essence(&self.object)),
            self.ctx.states.with(&self.identity.token, |entry| entry.handled),
        ];
        if !ours.contains(&Some(essence)) {
            self.cause = self.cause.edited();
        }
        *self.object = object;
        self.invalidate_listing();
        Ok(())
    }

    /// Takes in the answer to a write: `true` if it was applied, `false` if the object had changed and was read anew.
    pub(super) async fn wrote(
        &mut self,
        turn: &ApiPermit,
        written: Result<ServerlessPrivateEndpoint, ApiError>,
    ) -> Result<bool, ReconcileError> {
        match written {
            Ok(object) => {
                *self.object = object;
                let version = self.object.metadata.resource_version.clone();
                self.ctx.states.with(&self.identity.token, |entry| entry.written = version);
                Ok(true)
            }
            Err(ApiError::Conflict) => {
                let object = self.ctx.cluster.get(turn, &self.identity).await?;
                self.start_over(object)?;
                Ok(false)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Takes in the answer to a write that was sent then.
    pub(super) async fn answered(&mut self, access: &Access, sent: Boottime, error: Option<&AtlasError>) {
        let ctx = &self.ctx;
        ctx.listings.note(ctx, access, (Call::Write, sent), error).await;
        self.settled_write();
        if error.is_none() {
            let times = &ctx.options.times;
            self.remember(|memory| memory.responded(None, sent.since_boot(), times));
        }
        self.last_write = match error.map(AtlasError::fault) {
            None => {
                self.served(access);
                WriteOutcome::Done
            }
            Some(fault) => {
                // The end of the reconcile warns of it, once.
                debug!(%fault, "request to Atlas failed");
                WriteOutcome::Refused(fault)
            }
        };
    }

    /// A write has ended, whatever became of it. However this reconcile ends, the next one rests on no listing from before.
    pub(super) fn settled_write(&self) {
        let now = Some(Boottime::now());
        self.ctx.states.with(&self.identity.token, |entry| (entry.fresh_after, entry.answered) = (now, now));
    }

    /// Atlas accepted the key, which may serve the object's deletion once its Secret is gone.
    pub(super) fn served(&self, access: &Access) {
        if self.object.meta().deletion_timestamp.is_none() {
            let recorded = self.object.status.as_ref().is_some_and(|status| status.id.is_some());
            self.ctx.keys.served(&self.identity, &access.key, recorded);
        }
    }

    pub(super) async fn access(&self, purpose: Purpose) -> Result<Access, Fault> {
        let invalid = |why| Fault::new(FaultKind::Refused, why);
        let instance = convert::instance(&self.object).map_err(invalid)?;
        let key = self.ctx.key(&self.object, &self.identity, &instance, purpose).await?;
        Ok(Access { namespace: self.identity.namespace.clone(), instance, key })
    }

    pub(super) async fn enter(&mut self) -> Result<(), ReconcileError> {
        if self.permit.is_none() {
            let project =
                convert::instance(&self.object).map_err(|_| ReconcileError::Again("invalid spec"))?.project;
            self.permit = self.ctx.limits.enter(&self.identity.namespace, &project).await;
        }
        Ok(())
    }

    /// The private SRV address behind this VPC endpoint, once Atlas shows it. It does not change, so it is asked for once.
    pub(super) async fn private_address(&self, vpc_endpoint: &str) -> Option<String> {
        let entries = &self.ctx.states;
        let known = entries.with(&self.identity.token, |entry| entry.private_address.clone());
        if let Some((_, address)) = known.filter(|(id, _)| id == vpc_endpoint) {
            return Some(address);
        }
        let access = self.access(Purpose::Read).await.ok()?;
        let address = self.ctx.addresses.find(&self.ctx, &access, vpc_endpoint, self.seen).await?;
        let told = Some((vpc_endpoint.to_owned(), address.clone()));
        entries.with(&self.identity.token, |entry| entry.private_address = told);
        Some(address)
    }

    /// Puts what an answer said about one endpoint into the listing that it is newer than.
    pub(super) fn update_listing(&mut self, endpoint: Endpoint) {
        if let Some(shown) = self.listed(&endpoint.id) {
            *shown = endpoint;
        }
    }

    /// The same for the answer to a DELETE, which says nothing but that the endpoint goes.
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

    /// The next decision rests on a listing that is sent from now on.
    pub(super) fn invalidate_listing(&mut self) {
        self.fresh_after = Boottime::now();
        self.listing = Listing::NotFetched;
    }

    pub(super) fn remember<T>(&self, act: impl FnOnce(&mut domain::memory::Memory) -> T) -> T {
        self.ctx.states.with(&self.identity.token, |entry| act(&mut entry.memory))
    }

    /// Tells what `decided` reports anew: since this process has reported last, or else since the status that it found.
    pub(super) async fn tell_change(&self, turn: &ApiPermit, plan: &Plan) {
        let Plan { observed, decision, report } = plan;
        let before = self.reports(report).unwrap_or_else(|| Announced::by_status(&observed.object.reported));
        self.tell(turn, event::of_change(before, observed, &decision.step, report)).await;
    }

    /// Notes that the status says what `report` says. Answers what was told before.
    pub(super) fn reports(&self, report: &Report) -> Option<Announced> {
        self.ctx.states.with(&self.identity.token, |entry| entry.told.replace(Announced::by(report)))
    }

    pub(super) async fn tell(&self, turn: &ApiPermit, notices: impl IntoIterator<Item = EventDraft>) {
        let metrics = &self.ctx.options.metrics;
        for notice in notices {
            self.ctx.states.with(&self.identity.token, |entry| entry.counted.noticed(metrics, &notice));
            self.ctx.publish(turn, &self.object, &notice).await;
        }
    }
}
