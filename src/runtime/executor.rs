//! Performs the effects of reconciles, and gives each the results: the only I/O of a reconcile.
//!
//! It knows no kind and decides nothing: what is performed, in which order and after which checks, is in the machine of the kind, in
//! `domain`. It adds what has no place there: permits, the end of the process, log records, and that a panic ends one reconcile only.
//! Each request has its timeout where it is sent.

use std::collections::BTreeMap;
use std::fmt;
use std::pin::pin;
use std::time::Duration;

use atlas::AtlasError;
use domain::access::{CredentialsInUse, Purpose};
use domain::fault::{Fault, FaultKind};
use domain::ids::ProjectId;
use domain::rate_limits::{Call, Withheld};
use domain::reconcile::{
    ApiFailure, Done, Effect, End, Input, Interruption, ListRequest, Note, ObjectWrite, OutputMap,
    OutputRequest, PermitKind, Permits, Resolution, StatusWrite, Vocabulary,
};
use domain::status::{EventDraft, Message};
use k8s_openapi::api::core::v1::ObjectReference;
use serde_json::Value;
use tokio::sync::OwnedMutexGuard;
use tracing::{Instrument, Span, debug, info, info_span, warn};

use crate::clock::Boottime;
use crate::metrics::{Metrics, ReconcileResult};

use super::api_server::{ApiError, ApiPermit, ApiServer};
use super::atlas_access::{Access, AtlasAccess, CredentialsOf};
use super::concurrency;
use super::decode::ConfigMap;
use super::events::Events;
use super::identity::Identity;
use super::kind::Kind;
use super::output;
use super::status_patch::version_guards;
use super::work::Work;

/// What all reconciles use.
pub(crate) struct Services<'a> {
    pub(crate) api_server: &'a ApiServer,
    pub(crate) atlas: &'a AtlasAccess,
    pub(crate) events: &'a Events,
    pub(crate) work: &'a Work,
}

/// What calls to Atlas are about, and whose credentials they need.
pub(crate) struct Target<Subject> {
    pub(crate) project: ProjectId,
    pub(crate) subject: Subject,
    pub(crate) credentials: CredentialsOf,
    pub(crate) deleting: bool,
}

/// One reconcile of one kind: its machine, and the effects that are this kind's own.
pub(crate) trait KindReconcile: Send + Sync + 'static {
    /// The custom resource.
    type Resource: Kind;
    /// The vocabulary of its machine.
    type Words: Vocabulary<
            Object: Send + Sync,
            Others: Send,
            Reference: Send,
            Declaration: Send,
            Listing: Send,
            Intent: Send,
            Claim: Send + Sync,
            Call: Send,
            Response: Send,
            Plan: Send + Sync,
        >;
    /// What calls to Atlas are about.
    type Subject: Send + Sync;

    /// Returns what it uses.
    fn services(&self) -> Services<'_>;

    /// Returns the names of the object.
    fn identity(&self) -> &Identity;

    /// Returns the object as it was last read or written.
    fn resource(&self) -> &Self::Resource;

    /// Returns the object that was read, as the machine takes it.
    fn object(&self, resource: Self::Resource) -> ReadObjectOf<Self>;

    /// Gives the machine an input, and returns its next effect.
    fn resume(&mut self, input: Input<Self::Words>) -> Effect<Self::Words>;

    /// Returns the permits that the machine holds.
    fn permits(&self) -> Permits;

    /// Returns what the last effect allows when nothing may start any more.
    fn interruption(&self) -> Interruption;

    /// Returns the log records of the machine.
    fn take_notes(&mut self) -> Vec<Note>;

    /// Returns what calls to Atlas are about.
    ///
    /// # Errors
    /// If a field is invalid, for this reason.
    fn target(&self) -> Result<Target<Self::Subject>, String>;

    /// Performs [`Effect::LookUp`].
    fn look_up(&self) -> <Self::Words as Vocabulary>::Others;

    /// Performs [`Effect::Resolve`].
    fn resolve(&self) -> Resolution<<Self::Words as Vocabulary>::Reference>;

    /// Performs [`Effect::Declare`].
    fn declare(&self, declaration: <Self::Words as Vocabulary>::Declaration);

    /// Returns what withholds a write to Atlas; if nothing does, counts it as begun.
    fn withheld(
        &self,
        access: &Access<Self::Subject>,
        intent: &<Self::Words as Vocabulary>::Intent,
    ) -> Option<Withheld>;

    /// Requests a listing, or shares one that another has requested.
    fn list(
        &self,
        access: &Access<Self::Subject>,
        request: ListRequest,
    ) -> impl Future<Output = ListResult<Self>> + Send;

    /// Sends a write to Atlas; returns the response, and the error that it is, if any.
    fn call(
        &self,
        access: &Access<Self::Subject>,
        call: <Self::Words as Vocabulary>::Call,
    ) -> impl Future<Output = (<Self::Words as Vocabulary>::Response, Option<AtlasError>)> + Send;

    /// Waits for the turn of a write to Atlas that must not run beside others of its kind in the project. It is held as long as the permit
    /// to call Atlas, and waited for without one.
    fn turn(&self) -> impl Future<Output = Option<OwnedMutexGuard<()>>> + Send {
        std::future::ready(None)
    }

    /// Performs [`Effect::CatchUp`]: returns `true` once what is known of other objects is as new as the claim on this one. A kind whose
    /// machine never asks for it has nothing to wait for.
    fn catch_up(&self) -> impl Future<Output = bool> + Send {
        std::future::ready(true)
    }

    /// Returns the private address behind a connection, from a request that was sent at `fresh_after` or later.
    fn address(
        &self,
        access: &Access<Self::Subject>,
        connected: &str,
        fresh_after: Boottime,
    ) -> impl Future<Output = Option<String>> + Send;

    /// Returns the annotations that are a claim.
    fn claim(&self, claim: &<Self::Words as Vocabulary>::Claim) -> Vec<(&'static str, Option<String>)>;

    /// Returns the tests that guard the record of an endpoint.
    fn record_guards(&self) -> Vec<Value>;

    /// Returns the operations that write a status.
    fn status_changes(&self, status: &StatusWrite<Self::Words>) -> Vec<Value>;

    /// Records that the API server has accepted a write to the object.
    fn on_written(&self, write: &ObjectWrite<Self::Words>, written: &Self::Resource);

    /// Returns the object that an event is about: mostly that of the reconcile.
    fn regarding(&self, _draft: &EventDraft) -> ObjectReference {
        kube::Resource::object_ref(self.resource(), &())
    }

    /// Counts an event that is about to be published.
    fn on_event(&self, draft: &EventDraft);

    /// Records the end of the reconcile.
    fn on_done(&self, done: &Done<Self::Words>);

    /// Returns how many reconciles of the object have failed in a row.
    fn failures(&self) -> u32;
}

/// The object of a reconcile, as its machine takes it.
pub(crate) type ReadObjectOf<K> = <<K as KindReconcile>::Words as Vocabulary>::Object;

/// A listing, or the delay until a user may trigger another; and whether Atlas accepted the credentials for it.
pub(crate) type ListResult<K> =
    (Result<<<K as KindReconcile>::Words as Vocabulary>::Listing, Duration>, bool);

/// Creates the log span of a reconcile, which names the object. All log records of the reconcile are inside it.
pub(crate) fn span(identity: &Identity) -> Span {
    let Identity { kind, namespace, name, uid, .. } = identity;
    info_span!("reconcile", %kind, object = %format_args!("{namespace}/{name}"), %uid)
}

/// Reconciles an object. `begin` returns the reconcile, or the delay until the object is due; `on_panic` is called if it panics, and
/// returns the delay before the next.
///
/// Returns the requeue delay, or `None` if only an event triggers the next reconcile.
pub(crate) async fn execute<K: KindReconcile>(
    begin: impl FnOnce() -> Result<K, Duration> + Send + 'static,
    metrics: Metrics,
    span: Span,
    on_panic: impl FnOnce() -> Duration,
) -> Option<Duration> {
    let started = Boottime::now();
    let counted = metrics.clone();
    let run = async move {
        let reconcile = match begin() {
            Ok(reconcile) => reconcile,
            Err(delay) => return Some(delay),
        };
        let active = metrics.reconcile_started();
        let done = Box::pin(Executor::new(reconcile).run()).await;
        drop(active);
        metrics.reconcile_finished(result(&done), started.elapsed());
        done.1
    };
    // A task of its own: a cancelled reconcile drops no POST in flight, and a panic ends here.
    let requeue = tokio::spawn(run.instrument(span.clone())).await;
    requeue.unwrap_or_else(|_| {
        counted.reconcile_panicked();
        counted.reconcile_finished(ReconcileResult::Error, started.elapsed());
        let delay = on_panic();
        span.in_scope(|| warn!(retry_in_s = delay.as_secs(), "the reconcile panicked"));
        Some(delay)
    })
}

fn result((end, requeue): &(End, Option<Duration>)) -> ReconcileResult {
    match end {
        End::Finished if requeue.is_some() => ReconcileResult::RequeueAfter,
        End::Finished | End::Released | End::NotFound => ReconcileResult::Success,
        End::Changed(_) | End::RateLimited(_) | End::Stopped | End::ReferenceNotRead => {
            ReconcileResult::Requeue
        }
        End::NoCredentials(_) | End::ApiServer(_) => ReconcileResult::Error,
    }
}

/// A running reconcile, and what it holds.
struct Executor<K: KindReconcile> {
    reconcile: K,
    atlas_permit: Option<concurrency::Permit<2>>,
    turn: Option<OwnedMutexGuard<()>>,
    api_permit: Option<ApiPermit>,
    /// The access with the credentials that were got last.
    access: Option<Access<K::Subject>>,
    /// The output ConfigMap that was read last.
    output: Option<ConfigMap>,
    /// The steps that were decided, in their order.
    steps: Vec<&'static str>,
    wrote: bool,
}

impl<K: KindReconcile> Executor<K> {
    fn new(reconcile: K) -> Self {
        Self {
            reconcile,
            atlas_permit: None,
            turn: None,
            api_permit: None,
            access: None,
            output: None,
            steps: Vec::new(),
            wrote: false,
        }
    }

    async fn run(mut self) -> (End, Option<Duration>) {
        let mut input = Input::Start;
        let done = loop {
            let effect = self.reconcile.resume(input);
            self.return_permits();
            self.log_notes();
            input = match effect {
                Effect::Done(done) => break done,
                effect => self.perform_if_allowed(effect).await,
            };
        };
        self.reconcile.on_done(&done);
        self.log_end(&done);
        (done.end, done.requeue)
    }

    fn return_permits(&mut self) {
        let Permits { atlas, api_server } = self.reconcile.permits();
        self.atlas_permit = self.atlas_permit.take().filter(|_| atlas);
        self.turn = self.turn.take().filter(|_| atlas);
        self.api_permit = self.api_permit.take().filter(|_| api_server);
    }

    /// Performs an effect, unless nothing may start any more and the effect may be dropped.
    async fn perform_if_allowed(&mut self, effect: Effect<K::Words>) -> Input<K::Words> {
        let work = self.reconcile.services().work.clone();
        match self.reconcile.interruption() {
            // Only the request is dropped: a response that was received counts.
            _ if matches!(effect, Effect::Call { .. }) => self.perform(effect).await,
            Interruption::Drop => {
                let performed = work.unless_stopped(pin!(self.perform(effect))).await;
                performed.unwrap_or(Input::Stopped)
            }
            Interruption::Finish => self.perform(effect).await,
            Interruption::FinishWithoutCreate => {
                let input = self.perform(effect).await;
                if work.may_send() { input } else { Input::Stopped }
            }
        }
    }

    /// Performs an effect. All objects may wait at once, so each larger future is boxed where it is created.
    async fn perform(&mut self, effect: Effect<K::Words>) -> Input<K::Words> {
        match effect {
            Effect::LookUp => {
                // As little as possible is held while all objects may wait for a permit.
                (self.access, self.output) = (None, None);
                Input::Others(self.reconcile.look_up())
            }
            Effect::Resolve => Input::Resolved(self.reconcile.resolve()),
            Effect::Declare(declaration) => {
                self.reconcile.declare(declaration);
                Input::Performed
            }
            Effect::Acquire(kind) => self.acquire(kind).await,
            Effect::GetCredentials(purpose) => {
                Input::Credentials(Box::pin(self.get_credentials(purpose)).await)
            }
            Effect::Begin(intent) => self.begin(&intent),
            Effect::List(request) => Box::pin(self.list(request)).await,
            Effect::Read => Input::Read(Box::pin(self.read()).await),
            Effect::Write(write) => {
                self.output = self.output.take().filter(|_| matches!(write, ObjectWrite::OutputName(_)));
                Input::Written(Box::pin(self.write(write)).await)
            }
            Effect::Call { call, retain } => Box::pin(self.call(call, retain)).await,
            Effect::CatchUp => Input::CaughtUp(Box::pin(self.reconcile.catch_up()).await),
            Effect::Publish(drafts) => {
                Box::pin(self.publish(drafts)).await;
                Input::Performed
            }
            Effect::Output(request) => Input::Output(Box::pin(self.output(request)).await),
            Effect::FindAddress { connected, fresh_after } => {
                let fresh_after = Boottime::from_boot(fresh_after);
                Input::Address(match &self.access {
                    Some(access) => Box::pin(self.reconcile.address(access, &connected, fresh_after)).await,
                    None => None,
                })
            }
            // The caller handles the end.
            Effect::Done(_) => Input::Performed,
        }
    }

    async fn acquire(&mut self, kind: PermitKind) -> Input<K::Words> {
        let Services { api_server, atlas, .. } = self.reconcile.services();
        let namespace = &self.reconcile.identity().namespace;
        match kind {
            PermitKind::ApiServer => {
                let permit = api_server.permit(namespace).await;
                self.api_permit = Some(permit);
            }
            PermitKind::Atlas => {
                if let Ok(Target { project, .. }) = self.reconcile.target() {
                    let turn = self.reconcile.turn().await;
                    let permit = atlas.enter(namespace, &project).await;
                    (self.atlas_permit, self.turn) = (permit, turn);
                }
            }
        }
        Input::Performed
    }

    async fn get_credentials(&mut self, purpose: Purpose) -> Result<CredentialsInUse, Fault> {
        let invalid = |why| Fault::new(FaultKind::Refused, why);
        let Target { project, subject, credentials, deleting } = self.reconcile.target().map_err(invalid)?;
        let (atlas, identity) = (self.reconcile.services().atlas, self.reconcile.identity());
        let key = atlas.key(identity, credentials, &project, purpose, deleting).await?;
        let in_use = match &key.retained_because {
            Some(fault) => CredentialsInUse::Remembered(fault.clone()),
            None if key.shared => CredentialsInUse::Default,
            None => CredentialsInUse::Own,
        };
        let namespace = identity.namespace.clone();
        self.access = Some(Access { namespace, project, subject, key });
        Ok(in_use)
    }

    fn begin(&self, intent: &<K::Words as Vocabulary>::Intent) -> Input<K::Words> {
        let withheld = self.access.as_ref().and_then(|access| self.reconcile.withheld(access, intent));
        withheld.map_or_else(|| Input::Begun(random()), Input::Withheld)
    }

    async fn list(&self, request: ListRequest) -> Input<K::Words> {
        let Some(access) = &self.access else { return Input::Performed };
        let (listed, is_accepted) = self.reconcile.list(access, request).await;
        if is_accepted {
            self.retain_credentials(access, request.retain);
        }
        Input::Listed(listed)
    }

    async fn call(&mut self, call: <K::Words as Vocabulary>::Call, retain: Option<bool>) -> Input<K::Words> {
        let Some(access) = &self.access else { return Input::Performed };
        let (sent, interruption) = (Boottime::now(), self.reconcile.interruption());
        let request = self.reconcile.call(access, call);
        let responded = if interruption == Interruption::Drop {
            self.reconcile.services().work.unless_stopped(pin!(request)).await
        } else {
            Ok(request.await)
        };
        // What follows goes to the API server.
        drop((self.atlas_permit.take(), self.turn.take()));
        let Ok((response, error)) = responded else { return Input::Stopped };
        let atlas = self.reconcile.services().atlas;
        atlas.record_response(access, (Call::Write, sent), error.as_ref()).await;
        match error {
            None => self.retain_credentials(access, retain),
            // Published at the end of the reconcile, which warns of it once.
            Some(error) => debug!(fault = %error.fault(), "request to Atlas failed"),
        }
        Input::Called(response, sent.since_boot())
    }

    /// Retains the credentials, which Atlas accepted, for the object's deletion after its Secret is deleted.
    fn retain_credentials(&self, access: &Access<K::Subject>, retain: Option<bool>) {
        if let Some(recorded) = retain {
            let credentials = &self.reconcile.services().atlas.credentials;
            credentials.record_accepted(self.reconcile.identity(), &access.key, recorded);
        }
    }

    async fn read(&self) -> Result<ReadObjectOf<K>, ApiFailure> {
        let Some(permit) = &self.api_permit else { return Err(without_permit()) };
        let read = self.reconcile.services().api_server.get(permit, self.reconcile.identity()).await;
        read.map(|read| self.reconcile.object(read)).map_err(|error| failure(&error))
    }

    async fn write(&self, write: ObjectWrite<K::Words>) -> Result<ReadObjectOf<K>, ApiFailure> {
        let Some(permit) = &self.api_permit else { return Err(without_permit()) };
        let (identity, resource) = (self.reconcile.identity(), self.reconcile.resource());
        let api_server = self.reconcile.services().api_server;
        let written = match &write {
            ObjectWrite::Claim(claim) => {
                let annotations = self.reconcile.claim(claim);
                api_server.claim(permit, identity, resource, &annotations).await
            }
            ObjectWrite::OutputName(name) => {
                let annotation = (K::Resource::OUTPUT_CONFIG_MAP, name.as_deref());
                api_server.annotate(permit, identity, resource, annotation).await
            }
            ObjectWrite::Record(status) | ObjectWrite::Status(status) => {
                let mut operations = match write {
                    ObjectWrite::Record(_) => self.reconcile.record_guards(),
                    _ => version_guards(kube::Resource::meta(resource)),
                };
                operations.extend(self.reconcile.status_changes(status));
                api_server.patch_status(permit, identity, operations).await
            }
            ObjectWrite::Release(_) => api_server.release(permit, identity, resource).await,
        };
        let written = written.map_err(|error| failure(&error));
        match &written {
            Ok(object) => self.reconcile.on_written(&write, object),
            Err(error) => debug!(error = %ShownFailure(error), "failed to write the object"),
        }
        written.map(|written| self.reconcile.object(written))
    }

    async fn publish(&self, drafts: Vec<EventDraft>) {
        for draft in drafts {
            self.reconcile.on_event(&draft);
            let regarding = self.reconcile.regarding(&draft);
            self.reconcile.services().events.publish(regarding, &draft).await;
        }
    }

    async fn output(&mut self, request: OutputRequest) -> Result<Option<OutputMap>, Message> {
        let (api_server, identity) = (self.reconcile.services().api_server, self.reconcile.identity());
        let read = self.output.take();
        match request {
            OutputRequest::Read(name) => {
                let found = output::read(api_server, identity, &name).await?;
                // The content of another one, which may be large, is not needed.
                let shown = found.as_ref().map(|found| {
                    let is_own = output::is_own(found, identity);
                    OutputMap { is_own, content: if is_own { found.data.clone() } else { BTreeMap::new() } }
                });
                self.output = found;
                return Ok(shown);
            }
            OutputRequest::Remove(name) => output::remove(api_server, identity, &name).await?,
            OutputRequest::Create(name, content) => {
                output::create(api_server, identity, self.reconcile.resource(), &name, content).await?;
            }
            OutputRequest::Fill(name, content) => {
                if let Some(read) = read {
                    output::fill(api_server, identity, &name, &read, &content).await?;
                }
            }
            OutputRequest::Delete(name) => {
                if let Some(read) = read {
                    output::delete(api_server, identity, &name, &read).await?;
                }
            }
        }
        Ok(None)
    }

    fn log_notes(&mut self) {
        for note in self.reconcile.take_notes() {
            match note {
                Note::Decided { step, writes, next } => {
                    debug!(step, %next, "decided");
                    self.steps.push(step);
                    self.wrote |= writes;
                }
                Note::StatusNotWritten(error) => {
                    warn!(error, "failed to write the status of an object that is being deleted");
                }
                Note::Warning(reason, message) => {
                    let Identity { namespace, name, .. } = self.reconcile.identity();
                    warn!(%namespace, %name, %reason, problem = %message, "object needs attention");
                }
            }
        }
    }

    fn log_end(&self, Done { end, requeue, .. }: &Done<K::Words>) {
        let steps = self.steps.join(",");
        if self.wrote {
            info!(%steps, "reconciled");
        } else {
            debug!(%steps, "reconciled");
        }
        let retry_in_s = requeue.unwrap_or_default().as_secs();
        match end {
            End::Finished | End::Released | End::Stopped | End::RateLimited(_) => {}
            End::Changed(why) => debug!(why, "reconciling again"),
            End::ReferenceNotRead => debug!("waiting for the referenced object"),
            End::NotFound => {
                let failures = self.reconcile.failures();
                debug!(
                    failures,
                    "the API server returns no such object; reconciling again, unless the watch shows that it is deleted"
                );
            }
            End::NoCredentials(fault) => {
                let failures = self.reconcile.failures();
                let error = format_args!("failed to get the credentials: {fault}");
                warn!(%error, failures, retry_in_s, "failed to reconcile");
            }
            End::ApiServer(failure) => {
                let failures = self.reconcile.failures();
                warn!(error = %ShownFailure(failure), failures, retry_in_s, "failed to reconcile");
            }
        }
    }
}

/// A failure as a log record shows it.
struct ShownFailure<'a>(&'a ApiFailure);

impl fmt::Display for ShownFailure<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            ApiFailure::Conflict => ApiError::Conflict.fmt(f),
            ApiFailure::NotFound => ApiError::NotFound.fmt(f),
            ApiFailure::KindNotInstalled => ApiError::KindNotInstalled.fmt(f),
            ApiFailure::Rejected(text) | ApiFailure::Unknown(text) => f.write_str(text),
        }
    }
}

/// Returns what the machine has to know of an error.
fn failure(error: &ApiError) -> ApiFailure {
    match error {
        ApiError::Conflict => ApiFailure::Conflict,
        ApiError::NotFound => ApiFailure::NotFound,
        ApiError::KindNotInstalled => ApiFailure::KindNotInstalled,
        ApiError::Invalid(_) | ApiError::Other(_) => ApiFailure::Rejected(error.to_string()),
        ApiError::Forbidden(_) | ApiError::Unreadable(_) | ApiError::TimedOut => {
            ApiFailure::Unknown(error.to_string())
        }
    }
}

/// The failure of a call without a permit: a machine that makes one is wrong.
fn without_permit() -> ApiFailure {
    ApiFailure::Unknown("the reconcile holds no permit to call the API server".to_owned())
}

/// Returns random bytes; `None` if the system has none.
fn random() -> Option<[u8; 16]> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).ok().map(|()| bytes)
}

/// Returns a random number in 0..1.
pub(crate) fn jitter() -> f64 {
    getrandom::u32().map_or(0.5, |random| f64::from(random) / f64::from(u32::MAX))
}

#[cfg(test)]
#[path = "executor_tests.rs"]
mod tests;
