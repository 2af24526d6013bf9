//! One reconcile of a service or an endpoint: connects their machine, `domain::dedicated::reconcile`, to the executor.
//!
//! It decides nothing, and no order of effects is here: the machine returns the effects, and `runtime::executor` performs them with the
//! functions of [`observe`](super::observe) and [`perform`](super::perform).

use std::sync::Arc;
use std::time::Duration;

use atlas::AtlasError;
use domain::claim::ClaimText;
use domain::dedicated::claim::ClaimTarget;
use domain::dedicated::decision::{Creating, Deleting, State, Step};
use domain::dedicated::endpoint::{CloudEndpointId, ConnectionStatus};
use domain::dedicated::life::Sort;
use domain::dedicated::names::{Declares, ObjectName, Others, ServiceName};
use domain::dedicated::observed::Subject;
use domain::dedicated::reconcile::vocabulary::{
    CallResponse, ClaimWrite, ClaimedWrite, Dedicated, DedicatedWrite, Plan, WriteIntent,
};
use domain::dedicated::service::{ProviderServices, ServiceStatus};
use domain::rate_limits::Withheld;
use domain::reconcile::{
    Done, Effect, End, Input, Interruption, ListRequest, Moment, Note, ObjectWrite, Permits, Resolution,
    StatusWrite,
};
use domain::status::{EventDraft, EventReason};
use domain::token::{ClusterId, Token};
use k8s_openapi::api::core::v1::ObjectReference;
use serde_json::Value;
use tokio::sync::OwnedMutexGuard;
use tracing::info;

use crate::clock::{Boottime, stamp};
use crate::runtime::atlas_access::Access;
use crate::runtime::executor::{self, KindReconcile, ListResult, Services, Target, jitter};
use crate::runtime::identity::Identity;
use crate::runtime::object_fields;
use crate::runtime::object_metrics::{ReconcileFinding, waiting_for};
use crate::runtime::references::endpoint::{self, DeclaredFields};
use crate::runtime::shared::SharedParts;

use super::context::Context;
use super::kind::DedicatedKind;
use super::read_object::ReadObject;
use super::running::DedicatedReconcile;
use super::{observe, perform, status_patch};

/// How long a reconcile waits for the first listings of both kinds.
const FIRST_LISTINGS: Duration = Duration::from_secs(15);

/// Reconciles one object, last enqueued at `enqueued_at`.
///
/// Returns the requeue delay, or `None` if only an event triggers the next reconcile.
pub(super) async fn reconcile<K: DedicatedKind>(
    object: Box<K>,
    enqueued_at: Boottime,
    ctx: Arc<Context<K>>,
) -> Option<Duration> {
    let identity = Arc::new(Identity::new(&*object, &ctx.shared.cluster_id));
    until_known(&ctx).await;
    let (metrics, span) = (ctx.shared.options.metrics.clone(), executor::span(&identity));
    let (states, token) = (Arc::clone(&ctx.objects.states), identity.token.clone());
    let begin = move || DedicatedReconcile::begin(object, enqueued_at, identity, ctx);
    let on_panic = || states.with(&token, |entry| entry.kept.schedule.failed(jitter()));
    executor::execute(begin, metrics, span, on_panic).await
}

/// Waits for the first listings of both kinds, for a while: what an object may do depends on those that it does not know yet.
async fn until_known<K: DedicatedKind>(ctx: &Context<K>) {
    let Some(links) = ctx.common.links() else { return };
    let mut known = std::pin::pin!(tokio::time::timeout(FIRST_LISTINGS, (links.until_known)()));
    // What follows decides with what is known, or does not start.
    let _ = ctx.shared.work.unless_stopped(known.as_mut()).await;
}

impl<K: DedicatedKind> KindReconcile for DedicatedReconcile<K> {
    type Resource = K;
    type Words = Dedicated<ReadObject<K>>;
    type Subject = ProviderServices;

    fn services(&self) -> Services<'_> {
        let SharedParts { api_server, atlas, events, work, .. } = &*self.ctx.shared;
        Services { api_server, atlas, events, work }
    }

    fn identity(&self) -> &Identity {
        &self.identity
    }

    fn resource(&self) -> &K {
        &self.machine.object().object
    }

    fn object(&self, resource: K) -> ReadObject<K> {
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

    fn target(&self) -> Result<Target<ProviderServices>, String> {
        let services = self.machine.state().subject().services().cloned();
        let subject =
            services.ok_or("the endpoint service is not known, so that nothing can be requested")?;
        let credentials = self.ctx.credentials(&self.identity.token, self.known_credentials());
        let credentials = credentials.ok_or("the credentials of the endpoint service are not known")?;
        let deleting = self.resource().meta().deletion_timestamp.is_some();
        Ok(Target { project: subject.project.clone(), subject, credentials, deleting })
    }

    fn look_up(&self) -> Others {
        let Identity { token, uid, .. } = &*self.identity;
        self.ctx.objects.states.with(token, |entry| entry.exists = true);
        let at = (&self.ctx.settings.times, Boottime::now().since_boot());
        let mut names = self.ctx.common.names();
        names.prune(at.0, at.1);
        names.others(K::SORT, token, uid, &self.machine.state().lives(), at)
    }

    fn resolve(&self) -> Resolution<Subject> {
        let object = self.resource();
        let service = match object.declares() {
            Declares::Nothing => return Resolution::Found(Subject::Nothing(K::SORT)),
            Declares::Service(_) if self.may_have_unknown_users() => return Resolution::NotRead,
            Declares::Service(key) => return Resolution::Found(Subject::Service(key)),
            Declares::Endpoint(service, _) => service,
        };
        let Some(service) = self.service(&service) else { return Resolution::NotRead };
        let DeclaredFields { literal, reference, stated } = object.endpoint();
        // A deletion does not depend on another object.
        let reference = reference.filter(|_| object.meta().deletion_timestamp.is_none());
        let fields = DeclaredFields { literal, reference, stated };
        let request = object_fields::reconcile_request(object);
        let found = endpoint::resolve(&self.ctx.references, &self.identity, fields, request);
        let Some(endpoint) = found else { return Resolution::NotRead };
        Resolution::Found(Subject::Endpoint { service, endpoint })
    }

    fn declare(&self, declaration: Option<CloudEndpointId>) {
        let now = Boottime::now().since_boot();
        if K::SORT == Sort::Endpoint {
            self.ctx.common.names().resolved(&self.identity.token, declaration.as_ref(), now);
        }
    }

    fn withheld(&self, access: &Access<ProviderServices>, intent: &WriteIntent) -> Option<Withheld> {
        let requested = self.machine.state().tracked().handled_request().is_some();
        let withheld = self.ctx.shared.atlas.begin_write(access, requested)?;
        Some(perform::described(withheld, intent, &access.subject))
    }

    async fn turn(&self) -> Option<OwnedMutexGuard<()>> {
        let services = self.machine.state().subject().services()?.clone();
        match K::SORT {
            Sort::Service => Some(self.ctx.common.turn(&services.project).await),
            Sort::Endpoint => None,
        }
    }

    async fn catch_up(&self) -> bool {
        observe::catch_up(self).await
    }

    async fn list(&self, access: &Access<ProviderServices>, request: ListRequest) -> ListResult<Self> {
        observe::list(self, access, request).await
    }

    async fn call(
        &self,
        access: &Access<ProviderServices>,
        write: DedicatedWrite,
    ) -> (CallResponse, Option<AtlasError>) {
        let (ctx, token) = (Arc::clone(&self.ctx), self.identity.token.clone());
        let (since, is_delete) = match &write {
            DedicatedWrite::Claimed(claimed) => {
                (claimed.claimed, matches!(claimed.target, ClaimTarget::Delete(_)))
            }
            DedicatedWrite::Update(update) => (update.read, false),
        };
        // The last check uses the events that the watch has delivered since the claim, or the read.
        let may_send = move || {
            since.until(stamp()) < ctx.settings.times.create_deadline
                && ctx.shared.work.may_send()
                && (is_delete || !ctx.objects.states.deletion_seen(&token))
        };
        let target = match write {
            DedicatedWrite::Claimed(ClaimedWrite { target, .. }) => target,
            DedicatedWrite::Update(update) => return perform::update(access, &update, may_send).await,
        };
        let regions = self.resource().rules().ok().and_then(|spec| spec.remote_regions).unwrap_or_default();
        perform::send(access, (self.machine.state().subject(), &regions), &target, may_send).await
    }

    async fn address(&self, _: &Access<ProviderServices>, _: &str, _: Boottime) -> Option<String> {
        None
    }

    fn claim(&self, claim: &Option<ClaimWrite>) -> Vec<(&'static str, Option<String>)> {
        let Some(ClaimWrite { nonce, target }) = claim.clone() else { return Vec::new() };
        if matches!(target, ClaimTarget::Create(_)) {
            self.ctx
                .objects
                .states
                .with(&self.identity.token, |entry| entry.counted.claimed(Boottime::now()));
        }
        let Identity { token, uid, .. } = &*self.identity;
        let cluster = ClusterId::clone(&self.ctx.shared.cluster_id);
        let text =
            ClaimText { token: token.clone(), nonce, uid: uid.clone(), cluster, target: target.to_string() };
        vec![(K::CLAIM, Some(text.to_string()))]
    }

    fn record_guards(&self) -> Vec<Value> {
        status_patch::record_guards(self.resource())
    }

    fn status_changes(&self, StatusWrite { plan, handled_request }: &StatusWrite<Self::Words>) -> Vec<Value> {
        status_patch::changes(self.resource(), &self.identity, &plan.report, handled_request.as_deref())
    }

    fn on_written(&self, write: &ObjectWrite<Self::Words>, _: &K) {
        match write {
            ObjectWrite::Record(status) => match &status.plan.decision.step {
                Step::Record(entry, _) => {
                    let provenance = entry.provenance.as_str();
                    info!(life = %entry.life, provenance, "recorded what is in Atlas");
                }
                Step::Forget(life, _) => info!(%life, "removed what was recorded"),
                _ => {}
            },
            ObjectWrite::Release(_) => info!("released the object"),
            ObjectWrite::Claim(_) | ObjectWrite::OutputName(_) | ObjectWrite::Status(_) => {}
        }
    }

    fn regarding(&self, draft: &EventDraft) -> ObjectReference {
        let own = self.resource().object_ref(&());
        let Declares::Endpoint(ServiceName::Object(ObjectName { namespace, name }), _) =
            self.resource().declares()
        else {
            return own;
        };
        if draft.reason != EventReason::LastEndpointRemoved {
            return own;
        }
        // `kubectl describe` shows the events with the uid of its object only.
        let token = Token::of(&self.ctx.shared.cluster_id, &namespace, &name);
        let uid = self.ctx.common.names().get(Sort::Service, &token).map(|names| names.uid.clone());
        let (kind, namespace, name) =
            (Some("PrivateEndpointService".to_owned()), Some(namespace), Some(name));
        ObjectReference { kind, namespace, name, uid, resource_version: None, ..own }
    }

    fn on_event(&self, draft: &EventDraft) {
        let metrics = &self.ctx.shared.options.metrics;
        let states = &self.ctx.objects.states;
        states.with(&self.identity.token, |entry| entry.counted.event_published(metrics, draft));
    }

    fn on_done(&self, done: &Done<Self::Words>) {
        let (ctx, Identity { namespace, token, .. }) = (&self.ctx, &*self.identity);
        if done.end == End::Released {
            ctx.remove(namespace, token, false);
        }
        let Some(Plan { decision, report, .. }) = done.plan.as_deref() else { return };
        if report.unchanged {
            return;
        }
        let object = self.resource();
        let finding = ReconcileFinding {
            kind: K::kind(&()),
            metadata: object.meta(),
            reported: object.current().map_or(&[], |current| current.conditions),
            conditions: &report.conditions,
            state: word(&decision.state),
            waiting_for: waiting_for(matches!(decision.state, State::Deleting(_)), &report.conditions),
            claim_open: matches!(
                decision.state,
                State::Creating(Creating::AwaitingOutcome(_)) | State::Deleting(Deleting::AwaitingOutcome(_))
            ),
            requeue: decision.requeue,
            interval: object.interval(),
            due: done.requeue.map(|delay| Boottime::now() + delay),
        };
        ctx.objects.states.with(token, |entry| {
            entry.counted.reconciled(&ctx.shared.options.metrics, &finding);
        });
    }

    fn failures(&self) -> u32 {
        self.ctx.objects.states.with(&self.identity.token, |entry| entry.kept.schedule.failures())
    }
}

/// Returns the status in Atlas, for the metrics: one of few words.
fn word(state: &State) -> &'static str {
    match state {
        State::Service(service) | State::Updating(service, _) => ServiceStatus::KNOWN_WORDS
            .iter()
            .find(|word| **word == service.status.as_str())
            .copied()
            .unwrap_or("OTHER"),
        State::Endpoint(state) => state.endpoint.as_ref().map_or("NONE", |endpoint| {
            let status = endpoint.status.as_str();
            ConnectionStatus::KNOWN_WORDS.iter().find(|word| **word == status).copied().unwrap_or("OTHER")
        }),
        _ => "NONE",
    }
}
