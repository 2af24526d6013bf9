//! The vocabulary of a reconcile: the effects that a machine requests, and the inputs that it is given for them.
//!
//! A kind's machine is synchronous: it is given an input, and returns the next effect. The operator's executor performs the effect
//! by I/O, a test or the model in memory, and gives the machine the result. This file knows no kind and performs nothing.

pub mod output;
pub mod tracked;

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use crate::access::{CredentialsInUse, Purpose};
use crate::fault::Fault;
use crate::instant::{SinceBoot, Stamp};
use crate::rate_limits::Withheld;
use crate::requeue::Requeue;
use crate::schedule::Cause;
use crate::status::{EventDraft, Message, Reason};
use crate::times::Times;

/// The types in which the machines of the kinds differ.
pub trait Vocabulary {
    /// The custom resource as it was read.
    type Object: Debug;
    /// What other objects contribute to a decision.
    type Others: Debug;
    /// What a reference in the spec resolves to.
    type Reference: Debug;
    /// What the object declares to the other objects.
    type Declaration: Debug;
    /// The response to a request for a listing, or why none was sent.
    type Listing: Debug;
    /// What a write to Atlas is begun for.
    type Intent: Debug;
    /// The claim that is written on the object.
    type Claim: Debug;
    /// A write to Atlas.
    type Call: Debug;
    /// The response to it.
    type Response: Debug;
    /// A decision, and the status that reports it.
    type Plan: Debug;
}

/// What a reconcile needs next. Each effect but [`Effect::Done`] is followed by exactly one [`Input`].
#[derive(Debug)]
pub enum Effect<V: Vocabulary> {
    /// Look up what other objects contribute to the next decision: [`Input::Others`]. Never waits.
    LookUp,
    /// Resolve the references in the spec: [`Input::Resolved`]. Never waits.
    Resolve,
    /// Record what the object declares to the others: [`Input::Performed`]. Never waits.
    Declare(V::Declaration),
    /// Wait for a permit: [`Input::Performed`].
    Acquire(PermitKind),
    /// Get the credentials for the calls that follow: [`Input::Credentials`].
    GetCredentials(Purpose),
    /// Check that no refusal withholds a write, and count it as begun: [`Input::Begun`] or
    /// [`Input::Withheld`]. Never waits.
    Begin(V::Intent),
    /// List, with the credentials: [`Input::Listed`].
    List(ListRequest),
    /// Read the object past all caches: [`Input::Read`].
    Read,
    /// Write to the object: [`Input::Written`].
    Write(ObjectWrite<V>),
    /// Write to Atlas, with the credentials: [`Input::Called`].
    Call {
        /// The request.
        call: V::Call,
        /// As in [`ListRequest::retain`].
        retain: Option<bool>,
    },
    /// Wait until what is known of other objects is as new as the claim that was just written: [`Input::CaughtUp`].
    CatchUp,
    /// Publish events: [`Input::Performed`], whatever becomes of them.
    Publish(Vec<EventDraft>),
    /// Read or write the output ConfigMap: [`Input::Output`].
    Output(OutputRequest),
    /// Find the private address behind a connection, with the credentials: [`Input::Address`].
    FindAddress {
        /// The id of the connection at the cloud provider.
        connected: String,
        /// The earliest acceptable send time of the request.
        fresh_after: SinceBoot,
    },
    /// The reconcile has ended.
    Done(Done<V>),
}

/// The result of an effect.
#[derive(Debug)]
pub enum Input<V: Vocabulary> {
    /// The reconcile begins.
    Start,
    /// The effect was performed.
    Performed,
    /// What other objects contribute.
    Others(V::Others),
    /// The references.
    Resolved(Resolution<V::Reference>),
    /// The source of the credentials, or why there are none.
    Credentials(Result<CredentialsInUse, Fault>),
    /// The write is begun. Random bytes for the nonce of a fresh claim; `None` if the system has none.
    Begun(Option<[u8; 16]>),
    /// The write is withheld.
    Withheld(Withheld),
    /// The listing; an error is the delay until a user may trigger another.
    Listed(Result<V::Listing, Duration>),
    /// The object as it is now.
    Read(Result<V::Object, ApiFailure>),
    /// The object as it was written.
    Written(Result<V::Object, ApiFailure>),
    /// The response from Atlas to a request that was sent at that time.
    Called(V::Response, SinceBoot),
    /// Whether what is known of other objects is as new as the claim.
    CaughtUp(bool),
    /// The output ConfigMap: as it was read, if that was requested, and if it exists. Or why it was not, for the user.
    Output(Result<Option<OutputMap>, Message>),
    /// The private address, if Atlas shows it.
    Address(Option<String>),
    /// The effect was not performed, or was dropped, because nothing may start now.
    Stopped,
}

/// What is set for all reconciles.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReconcileSettings {
    /// The times of the protocol.
    pub times: Times,
    /// The delay between the first two polls of what is changing.
    pub poll_min: Duration,
    /// The longest delay between two polls of what is changing.
    pub poll_max: Duration,
}

/// The beginning of a reconcile by a machine `M`.
#[derive(Debug)]
pub enum Started<M> {
    /// The object is due only after this delay.
    Later(Duration),
    /// The machine, whose first input is [`Input::Start`].
    Now(Box<M>),
}

/// The moment of an input.
#[derive(Debug, Clone, Copy)]
pub struct Moment {
    /// The present.
    pub now: Stamp,
    /// A random number in 0..1.
    pub jitter: f64,
}

/// The request for a listing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListRequest {
    /// The earliest acceptable send time of the listing.
    pub fresh_after: SinceBoot,
    /// What triggers it.
    pub cause: Cause,
    /// Whether credentials that Atlas accepts are retained for the deletion of the object, and then whether an endpoint is recorded.
    pub retain: Option<bool>,
}

/// A write to the object. Each fails with [`ApiFailure::Conflict`] if the object is not what it was when the machine read it.
#[derive(Debug)]
pub enum ObjectWrite<V: Vocabulary> {
    /// The finalizer and the claim; guarded by the resourceVersion.
    Claim(V::Claim),
    /// The name of the output ConfigMap, or none; guarded by the resourceVersion.
    OutputName(Option<String>),
    /// The id of the endpoint and the status; guarded by uid, claim and recorded id.
    Record(StatusWrite<V>),
    /// The status; guarded by the resourceVersion.
    Status(StatusWrite<V>),
    /// No finalizer; guarded by the resourceVersion. `true`: nothing is left in Atlas.
    Release(bool),
}

/// The status to write.
#[derive(Debug)]
pub struct StatusWrite<V: Vocabulary> {
    /// The plan with the report.
    pub plan: Arc<V::Plan>,
    /// The reconcile request that was handled.
    pub handled_request: Option<String>,
}

/// A request about an output ConfigMap. Each that changes one is guarded by the version that was read last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OutputRequest {
    /// Read it.
    Read(String),
    /// Read it, and delete it if the object owns it.
    Remove(String),
    /// Create it.
    Create(String, BTreeMap<String, String>),
    /// Replace the content of the one that was read.
    Fill(String, BTreeMap<String, String>),
    /// Delete the one that was read.
    Delete(String),
}

/// An output ConfigMap as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutputMap {
    /// The object owns it.
    pub is_own: bool,
    /// Its entries.
    pub content: BTreeMap<String, String>,
}

/// What the references in a spec resolve to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Resolution<T> {
    /// This, or nothing that exists.
    Found(T),
    /// A referenced object has not been read yet.
    NotRead,
    /// Nothing depends on them: the object is being deleted.
    NotNeeded,
}

/// A permit, which bounds concurrent requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PermitKind {
    /// To call Atlas.
    Atlas,
    /// To call the API server.
    ApiServer,
}

/// The permits that a reconcile holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Permits {
    /// One to call Atlas.
    pub atlas: bool,
    /// One to call the API server.
    pub api_server: bool,
}

/// What an effect allows when nothing may start any more: the process ends, or no longer leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Interruption {
    /// It is dropped, or not performed at all.
    Drop,
    /// It is performed to its end.
    Finish,
    /// It is performed to its end. If the process no longer leads then, the create that follows is not sent.
    FinishWithoutCreate,
}

/// Why a request to the API server failed, as far as it matters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ApiFailure {
    /// The object has changed since it was read: nothing was written.
    Conflict,
    /// The object does not exist: nothing was written.
    NotFound,
    /// The API server does not know the kind.
    KindNotInstalled,
    /// The API server rejected the value or cannot be used, for this reason; a write may have been applied. It may be so for ever: the
    /// object may have reached its maximum size.
    Rejected(String),
    /// The operator is not authorized, or there is no readable response, for this reason; a write may have been applied.
    Unknown(String),
}

impl ApiFailure {
    /// Returns what it proves about a write.
    #[must_use]
    pub fn of_write(&self) -> WriteFailure {
        match self {
            Self::Conflict | Self::NotFound => WriteFailure::NotApplied,
            Self::KindNotInstalled | Self::Rejected(_) | Self::Unknown(_) => WriteFailure::Unknown,
        }
    }
}

/// What the failure of a write to the object proves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WriteFailure {
    /// It was not applied: the object had changed, or does not exist.
    NotApplied,
    /// It may have been applied, or may never be.
    Unknown,
}

/// The outcome of this reconcile's write to Atlas. There is at most one.
#[derive(Debug, Clone, PartialEq, Eq, Default, Hash)]
pub enum WriteOutcome {
    /// There was none yet.
    #[default]
    Nothing,
    /// Atlas accepted it.
    Done,
    /// Atlas refused it, or its outcome is unknown.
    Refused(Fault),
}

/// A log record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Note {
    /// A decision.
    Decided {
        /// The name of its step.
        step: &'static str,
        /// The step writes something.
        writes: bool,
        /// When to decide again if nothing is left to do.
        next: Requeue,
    },
    /// The status of an object that is being deleted cannot be written, for this reason.
    StatusNotWritten(String),
    /// The object needs attention.
    Warning(Reason, Message),
}

/// The end of a reconcile.
#[derive(Debug)]
pub struct Done<V: Vocabulary> {
    /// Why it ended.
    pub end: End,
    /// The delay until the next reconcile; `None`: only an event triggers it.
    pub requeue: Option<Duration>,
    /// What was decided and published last, if nothing was left to do.
    pub plan: Option<Arc<V::Plan>>,
}

/// Why a reconcile ended. None but the first describes the endpoint; a fault of Atlas is a state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// Nothing is left to do.
    Finished,
    /// It removed the finalizer.
    Released,
    /// The API server returns no such object, or another one of its name. Only the watch decides that it is deleted: an API server may
    /// not know an object or its kind for a moment.
    NotFound,
    /// Everything has to be decided again, for this reason.
    Changed(&'static str),
    /// Users request more than Atlas' rate limit allows, for this long.
    RateLimited(Duration),
    /// The referenced object has not been read yet. Once it is, the object is reconciled again.
    ReferenceNotRead,
    /// The credentials were removed between two steps.
    NoCredentials(Fault),
    /// A request to the API server failed.
    ApiServer(ApiFailure),
    /// Nothing may start now; the remaining steps follow as soon as they may.
    Stopped,
}

impl End {
    /// Returns the end of a reconcile because of a failed request to the API server.
    #[must_use]
    pub fn of(failure: ApiFailure) -> Self {
        match failure {
            ApiFailure::NotFound | ApiFailure::KindNotInstalled => Self::NotFound,
            failure => Self::ApiServer(failure),
        }
    }
}
