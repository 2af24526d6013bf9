//! One reconcile of this kind: connects its machine, `domain::serverless::reconcile`, to the executor.
//!
//! It decides nothing, and no order of effects is here: the machine returns the effects, and `runtime::executor` performs them with
//! the functions of [`observe`](super::observe) and [`perform`](super::perform).

use std::sync::Arc;
use std::time::Duration;

use atlas::{AtlasError, Operation};
use domain::ids::VpcEndpointId;
use domain::rate_limits::Withheld;
use domain::reconcile::{
    Done, Effect, End, Input, Interruption, ListRequest, Moment, Note, ObjectWrite, Permits, Resolution,
    Started, StatusWrite,
};
use domain::reference::VpcEndpoint;
use domain::serverless::decision::{Origin, Step};
use domain::serverless::endpoint::Instance;
use domain::serverless::ownership::Claim;
use domain::serverless::reconcile::Reconcile;
use domain::serverless::reconcile::vocabulary::{
    CallResponse, ClaimWrite, EndpointWrite, Intent, Listed, Others, Plan, Serverless,
};
use domain::status::EventDraft;
use domain::token::ClusterId;
use serde_json::Value;
use tracing::info;

use crate::clock::{Boottime, stamp};
use crate::runtime::atlas_access::{Access, CredentialsOf};
use crate::runtime::executor::{KindReconcile, ListResult, Services, Target, jitter};
use crate::runtime::identity::Identity;
use crate::runtime::listings::ListingResponse;
use crate::serverless::crd::{self, ServerlessPrivateEndpoint};

use super::context::Context;
use super::read_object::ReadObject;
use super::{convert, object_metrics, observe, perform, status_patch};

/// Reconciles one object, last enqueued at `enqueued_at`.
///
/// Returns the requeue delay, or `None` if only an event triggers the next reconcile.
pub(super) async fn reconcile(
    object: Box<ServerlessPrivateEndpoint>,
    enqueued_at: Boottime,
    ctx: Arc<Context>,
) -> Option<Duration> {
    let identity = Arc::new(Identity::new(&*object, &ctx.shared.cluster_id));
    let (objects, named) = (Arc::clone(&ctx.objects), Arc::clone(&identity));
    let begin = move || EndpointReconcile::begin(object, enqueued_at, identity, ctx);
    objects.reconcile(&named, begin).await
}

/// One running reconcile.
struct EndpointReconcile {
    ctx: Arc<Context>,
    identity: Arc<Identity>,
    machine: Box<Reconcile<ReadObject>>,
    jitter: f64,
}

impl EndpointReconcile {
    /// Begins the reconcile of an object, if it is due.
    ///
    /// # Errors
    /// The delay until it is.
    fn begin(
        object: Box<ServerlessPrivateEndpoint>,
        enqueued_at: Boottime,
        identity: Arc<Identity>,
        ctx: Arc<Context>,
    ) -> Result<Self, Duration> {
        let read = ReadObject::new(object, &identity, &ctx.shared.cluster_id);
        let started = ctx.objects.states.with(&identity.token, |entry| {
            let (enqueued_at, now) = (enqueued_at.since_boot(), Boottime::now().since_boot());
            Reconcile::start(read, &mut entry.kept, &ctx.settings, enqueued_at, now)
        });
        match started {
            Started::Later(delay) => Err(delay),
            Started::Now(machine) => Ok(Self { ctx, identity, machine, jitter: jitter() }),
        }
    }
}

impl KindReconcile for EndpointReconcile {
    type Resource = ServerlessPrivateEndpoint;
    type Words = Serverless<ReadObject>;
    type Subject = Instance;

    fn services(&self) -> Services<'_> {
        self.ctx.shared.services()
    }

    fn identity(&self) -> &Identity {
        &self.identity
    }

    fn resource(&self) -> &ServerlessPrivateEndpoint {
        &self.machine.object().object
    }

    fn object(&self, resource: ServerlessPrivateEndpoint) -> ReadObject {
        ReadObject::new(Box::new(resource), &self.identity, &self.ctx.shared.cluster_id)
    }

    fn resume(&mut self, input: Input<Self::Words>) -> Effect<Self::Words> {
        let Self { ctx, identity, machine, jitter } = self;
        ctx.objects.states.with(&identity.token, |entry| {
            let at = Moment { now: stamp(), jitter: *jitter };
            machine.resume(input, &mut entry.kept, &at)
        })
    }

    fn permits(&self) -> Permits {
        self.machine.permits()
    }

    fn interruption(&self) -> Interruption {
        self.machine.interruption()
    }

    fn take_notes(&mut self) -> Vec<Note> {
        self.machine.take_notes()
    }

    fn target(&self) -> Result<Target<Instance>, String> {
        let object = self.resource();
        let subject = convert::instance(object)?;
        let named = object.spec.credentials_ref.as_ref().map(|named| named.name.clone());
        let credentials = CredentialsOf { namespace: self.identity.namespace.clone(), named };
        let deleting = self.machine.state().is_deleting();
        Ok(Target { project: subject.project.clone(), subject, credentials, deleting })
    }

    fn look_up(&self) -> Others {
        self.ctx.objects.states.with(&self.identity.token, |entry| entry.exists = true);
        observe::others(&self.ctx.directory, &self.identity, self.machine.state())
    }

    fn resolve(&self) -> Resolution<VpcEndpoint> {
        observe::resolve(&self.ctx.references, &self.identity, self.machine.object())
    }

    fn declare(&self, declaration: Option<VpcEndpointId>) {
        self.ctx.record_declaration(&self.identity.token, declaration.as_ref());
    }

    fn withheld(&self, access: &Access<Instance>, intent: &Intent) -> Option<Withheld> {
        let (atlas, requested) =
            (&self.ctx.shared.atlas, self.machine.state().tracked().handled_request().is_some());
        let (operation, id) = match intent {
            Intent::ClaimOnly => (Operation::List, None),
            Intent::Create => (Operation::Create, None),
            Intent::Update(id) => (Operation::Update, Some(id)),
            Intent::Delete(id) => (Operation::Delete, Some(id)),
        };
        let withheld = match intent {
            Intent::ClaimOnly => atlas.withheld_read(access, requested).map(Withheld::All),
            _ => atlas.begin_write(access, requested),
        };
        Some(match withheld? {
            Withheld::All(fault) => {
                Withheld::All(fault.met_by(Operation::List.attempt(&access.subject, None)))
            }
            Withheld::Writes(fault) => Withheld::Writes(fault.met_by(operation.attempt(&access.subject, id))),
        })
    }

    async fn list(&self, access: &Access<Instance>, request: ListRequest) -> ListResult<Self> {
        let list = async || {
            let response = access.key.client.list(&access.subject).await?;
            Ok((response.endpoints, response.sunset))
        };
        let attempt = || Operation::List.attempt(&access.subject, None);
        let listed = self.ctx.listings.get(&self.ctx.shared.atlas, access, request, list, attempt).await;
        let is_accepted = listed.as_ref().is_ok_and(|listed| listed.result.is_ok());
        let listed = listed.map(|ListingResponse { sent, result, was_requested, sunset }| Listed {
            sent,
            result,
            was_requested,
            sunset,
        });
        (listed, is_accepted)
    }

    async fn call(
        &self,
        access: &Access<Instance>,
        call: EndpointWrite,
    ) -> (CallResponse, Option<AtlasError>) {
        match call {
            EndpointWrite::Create { comment, claimed } => {
                let (ctx, token) = (Arc::clone(&self.ctx), self.identity.token.clone());
                // The last check before the POST uses the events that the watch has delivered since the claim.
                let may_send = move || {
                    claimed.until(stamp()) < ctx.settings.times.create_deadline
                        && ctx.shared.work.may_send()
                        && !ctx.objects.states.deletion_seen(&token)
                };
                let (outcome, response, error) = perform::create(access, &comment, may_send).await;
                self.ctx.shared.options.metrics.post(outcome);
                (response, error)
            }
            EndpointWrite::Update { id, comment, vpc_endpoint } => {
                perform::update(access, &id, comment, vpc_endpoint).await
            }
            EndpointWrite::Delete { id, excess } => perform::delete(access, &id, excess).await,
        }
    }

    async fn address(
        &self,
        access: &Access<Instance>,
        connected: &str,
        fresh_after: Boottime,
    ) -> Option<String> {
        self.ctx.addresses.find(&self.ctx.shared.atlas, access, connected, fresh_after).await
    }

    fn claim(&self, claim: &ClaimWrite) -> Vec<(&'static str, Option<String>)> {
        let ClaimWrite { nonce, is_fresh, replaced, stale_vpc_endpoint } = claim.clone();
        if is_fresh {
            self.ctx
                .objects
                .states
                .with(&self.identity.token, |entry| entry.counted.claimed(Boottime::now()));
        }
        let Identity { token, uid, .. } = &*self.identity;
        let cluster = ClusterId::clone(&self.ctx.shared.cluster_id);
        let claim = Claim { token: token.clone(), nonce, uid: uid.clone(), cluster, replaced };
        let mut annotations = vec![(crd::CLAIM, Some(claim.to_string()))];
        if stale_vpc_endpoint.is_some() {
            annotations.push((crd::STALE_VPC_ENDPOINT_ID, stale_vpc_endpoint));
        }
        annotations
    }

    fn record_guards(&self) -> Vec<Value> {
        status_patch::record_guards(self.resource())
    }

    fn status_changes(&self, status: &StatusWrite<Self::Words>) -> Vec<Value> {
        let StatusWrite { plan, handled_request } = status;
        status_patch::changes(self.resource(), &plan.report, handled_request.as_deref())
    }

    fn on_written(&self, write: &ObjectWrite<Self::Words>, written: &ServerlessPrivateEndpoint) {
        match write {
            ObjectWrite::Record(status) => {
                self.ctx.record_endpoints(&self.identity.token, written);
                if let Step::Record { endpoint, origin } = &status.plan.decision.step {
                    let origin = match origin {
                        Origin::Created => "created",
                        Origin::Adopted => "adopted",
                        Origin::Named => "named",
                    };
                    info!(endpoint.id = %endpoint.id, origin, "recorded the endpoint");
                }
            }
            ObjectWrite::Release(is_deleted) => {
                let endpoint = if *is_deleted { "deleted" } else { "retained" };
                info!(endpoint, "released the object");
            }
            ObjectWrite::Claim(_) | ObjectWrite::OutputName(_) | ObjectWrite::Status(_) => {}
        }
    }

    fn on_event(&self, draft: &EventDraft) {
        let metrics = &self.ctx.shared.options.metrics;
        self.ctx
            .objects
            .states
            .with(&self.identity.token, |entry| entry.counted.event_published(metrics, draft));
    }

    fn on_done(&self, done: &Done<Self::Words>) {
        let (ctx, Identity { namespace, token, .. }) = (&self.ctx, &*self.identity);
        if done.end == End::Released {
            ctx.remove(namespace, token, false);
        }
        let Some(Plan { decision, report, .. }) = done.plan.as_deref() else { return };
        if !report.unchanged {
            let due = done.requeue.map(|delay| Boottime::now() + delay);
            let finding = object_metrics::finding(decision, report, self.resource(), due);
            ctx.objects.states.with(token, |entry| {
                entry.counted.reconciled(&ctx.shared.options.metrics, &finding);
            });
        }
    }

    fn failures(&self) -> u32 {
        self.ctx.objects.states.with(&self.identity.token, |entry| entry.kept.schedule.failures())
    }
}
