//! The session of one reconcile: what several of its steps do, between the machine and the servers.
//!
//! What is known, and what a result changes, is in `domain::serverless::reconcile`. Nothing here decides.

use std::sync::Arc;

use atlas::{AtlasError, Operation};
use domain::access::Purpose;
use domain::fault::{Fault, FaultKind};
use domain::rate_limits::{Call, Withheld};
use domain::serverless::endpoint::{EndpointId, Instance};
use domain::serverless::event;
use domain::serverless::event::Announced;
use domain::serverless::memory::Memory;
use domain::serverless::observed::{CredentialsInUse, WriteOutcome};
use domain::serverless::reconcile::{Plan, Reconcile};
use domain::serverless::status::Report;
use domain::status::EventDraft;
use kube::Resource;
use tracing::debug;

use crate::clock::Boottime;
use crate::serverless::crd::ServerlessPrivateEndpoint;

use super::context::Context;
use super::convert;
use super::error::ReconcileError;
use super::read_object::ReadObject;
use crate::runtime::api_server::{ApiError, ApiPermit};
use crate::runtime::atlas_access::Access;
use crate::runtime::concurrency::Permit;
use crate::runtime::credential_uses::SecretName;
use crate::runtime::identity::Identity;

/// One running reconcile: what it knows, and its permit.
pub(super) struct Session {
    pub(super) ctx: Arc<Context>,
    pub(super) identity: Arc<Identity>,
    pub(super) run: Reconcile<ReadObject>,
    pub(super) permit: Option<Permit<2>>,
}

impl Session {
    /// Returns the object as it was last read or written.
    pub(super) fn object(&self) -> &ServerlessPrivateEndpoint {
        &self.run.object().object
    }

    /// Returns `true` if the object is being deleted.
    pub(super) fn is_deleting(&self) -> bool {
        self.object().meta().deletion_timestamp.is_some()
    }

    fn read(&self, object: ServerlessPrivateEndpoint) -> ReadObject {
        let (identity, cluster_id) = (Arc::clone(&self.identity), Arc::clone(&self.ctx.cluster_id));
        ReadObject { object: Box::new(object), identity, cluster_id }
    }

    /// Verifies by an uncached read that the object is unchanged since the decision.
    ///
    /// Returns `None` if it is not; the caller then decides again.
    pub(super) async fn before_write(
        &mut self,
        operation: Operation,
        id: &EndpointId,
    ) -> Result<Option<Access<Instance>>, ReconcileError> {
        let purpose = Purpose::of_write(self.is_deleting(), operation == Operation::Update);
        let access = self.access(purpose).await.map_err(ReconcileError::NoAccess)?;
        if !self.begin(&access, operation, Some(id)) || self.use_credentials(&access) {
            return Ok(None);
        }
        Ok(self.verify_unchanged().await?.map(|()| access))
    }

    /// Begins a write, unless a refusal withholds it: of all calls, or of writes with credentials that may not write. Returns
    /// `false` then, and the next decision observes the reason. [`Operation::List`] stands for a claim that no POST follows.
    pub(super) fn begin(
        &mut self,
        access: &Access<Instance>,
        operation: Operation,
        id: Option<&EndpointId>,
    ) -> bool {
        let (atlas, requested) = (&self.ctx.atlas, self.run.handled_request().is_some());
        let withheld = match operation {
            Operation::List => atlas.withheld_read(access, requested).map(Withheld::All),
            _ => atlas.begin_write(access, requested),
        };
        let withheld = match withheld {
            None => return true,
            Some(Withheld::All(fault)) => {
                Withheld::All(fault.met_by(Operation::List.attempt(&access.subject, None)))
            }
            Some(Withheld::Writes(fault)) => {
                Withheld::Writes(fault.met_by(operation.attempt(&access.subject, id)))
            }
        };
        self.run.withhold(withheld);
        false
    }

    /// Records the source of the credentials. Returns `true` if the decision is based on others.
    pub(super) fn use_credentials(&mut self, access: &Access<Instance>) -> bool {
        self.run.use_credentials(match &access.key.retained_because {
            Some(fault) => CredentialsInUse::Remembered(fault.clone()),
            None if access.key.shared => CredentialsInUse::Default,
            None => CredentialsInUse::Own,
        })
    }

    /// Reads the object past all caches.
    pub(super) async fn reread(&self) -> Result<ServerlessPrivateEndpoint, ApiError> {
        let api_permit = self.ctx.api_server.permit(&self.identity.namespace).await;
        self.ctx.api_server.get(&api_permit, &self.identity).await
    }

    /// Reads the object past all caches. Returns `None` if it has changed since the decision.
    pub(super) async fn verify_unchanged(&mut self) -> Result<Option<()>, ReconcileError> {
        let read = self.same_object(self.reread().await?)?;
        let now = Boottime::now().since_boot();
        let Self { ctx, identity, run, .. } = self;
        let is_unchanged = ctx.states.with(&identity.token, |entry| run.verify(read, &entry.schedule, now));
        Ok(is_unchanged.then_some(()))
    }

    /// Replaces the object by a newer version, which voids everything decided on the old one.
    pub(super) fn start_over(&mut self, object: ServerlessPrivateEndpoint) -> Result<(), ReconcileError> {
        let object = self.same_object(object)?;
        let now = Boottime::now().since_boot();
        let Self { ctx, identity, run, .. } = self;
        ctx.states.with(&identity.token, |entry| run.start_over(object, &entry.schedule, now));
        Ok(())
    }

    /// Returns the object, unless it is another one of the same name.
    fn same_object(&self, object: ServerlessPrivateEndpoint) -> Result<ReadObject, ReconcileError> {
        if object.meta().uid.as_deref() == Some(self.identity.uid.as_str()) {
            Ok(self.read(object))
        } else {
            Err(ReconcileError::NotFound)
        }
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
                self.own_write(object);
                Ok(true)
            }
            Err(ApiError::Conflict) => {
                let object = self.ctx.api_server.get(api_permit, &self.identity).await?;
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
        self.ctx.atlas.record_response(access, (Call::Write, sent), error).await;
        let outcome = match error.map(AtlasError::fault) {
            None => WriteOutcome::Done,
            Some(fault) => {
                // Published at the end of the reconcile, which warns of it once.
                debug!(%fault, "request to Atlas failed");
                WriteOutcome::Refused(fault)
            }
        };
        if outcome == WriteOutcome::Done {
            self.retain_credentials(access);
        }
        let times = (sent.since_boot(), Boottime::now().since_boot());
        let Self { ctx, identity, run, .. } = self;
        ctx.states.with(&identity.token, |entry| {
            run.wrote_atlas(outcome, (&mut entry.memory, &mut entry.schedule), times, &ctx.options.times);
        });
    }

    /// Records the object as this process has written it.
    pub(super) fn own_write(&mut self, written: ServerlessPrivateEndpoint) {
        let written = self.read(written);
        let Self { ctx, identity, run, .. } = self;
        ctx.states.with(&identity.token, |entry| run.own_write(written, &mut entry.schedule));
    }

    /// Records the end of a write to Atlas whose outcome is unknown.
    pub(super) fn record_atlas_write(&self) {
        let now = Boottime::now().since_boot();
        self.ctx.states.with(&self.identity.token, |entry| entry.schedule.atlas_written(now));
    }

    /// Retains the credentials, which Atlas accepted, for the object's deletion after its Secret is deleted.
    pub(super) fn retain_credentials(&self, access: &Access<Instance>) {
        if !self.is_deleting() {
            let recorded = self.object().status.as_ref().is_some_and(|status| status.id.is_some());
            self.ctx.atlas.credentials.record_accepted(&self.identity, &access.key, recorded);
        }
    }

    pub(super) async fn access(&self, purpose: Purpose) -> Result<Access<Instance>, Fault> {
        let invalid = |why| Fault::new(FaultKind::Refused, why);
        let instance = convert::instance(self.object()).map_err(invalid)?;
        let namespace = self.identity.namespace.clone();
        let named = self.object().spec.credentials_ref.as_ref();
        let named = named.map(|named| SecretName { namespace: namespace.clone(), name: named.name.clone() });
        let (project, deleting) = (instance.project.clone(), self.is_deleting());
        let key = self.ctx.atlas.key(&self.identity, named, &project, purpose, deleting).await?;
        Ok(Access { namespace, project, subject: instance, key })
    }

    pub(super) async fn enter(&mut self) -> Result<(), ReconcileError> {
        if self.permit.is_none() {
            let project =
                convert::instance(self.object()).map_err(|_| ReconcileError::Retry("invalid spec"))?.project;
            self.permit = self.ctx.atlas.enter(&self.identity.namespace, &project).await;
        }
        Ok(())
    }

    /// Returns the private SRV address behind this VPC endpoint, once Atlas shows it. It does not change, so it is
    /// requested once.
    pub(super) async fn private_address(&self, vpc_endpoint: &str) -> Option<String> {
        let states = &self.ctx.states;
        let known = states.with(&self.identity.token, |entry| entry.private_address(vpc_endpoint));
        if known.is_some() {
            return known;
        }
        let access = self.access(Purpose::Read).await.ok()?;
        let listed_at = Boottime::from_boot(self.run.listed_at());
        let address = self.ctx.addresses.find(&self.ctx.atlas, &access, vpc_endpoint, listed_at).await?;
        states.with(&self.identity.token, |entry| entry.set_private_address(vpc_endpoint, &address));
        Some(address)
    }

    pub(super) fn with_memory<T>(&self, act: impl FnOnce(&mut Memory) -> T) -> T {
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
        self.ctx.states.with(&self.identity.token, |entry| entry.announce(report))
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
            self.ctx.publish(api_permit, self.object(), &draft).await;
        }
    }
}
