//! One reconcile as a state machine: it is given an input, and returns the next effect.
//!
//! It orders the steps and guards them: what is read when, what precedes a write, what a lost response changes, when to publish and
//! when to requeue. It performs nothing, and it has a next effect for each input, whatever it awaits. Which step
//! comes is in [`decide`](crate::serverless::decide); [`publish`] publishes a report, [`state`] has what is observed.
//!
//! It is generic over the object as it was read, so that the operator runs it on the custom resource and the model on its own.

pub mod publish;
pub mod state;
pub mod vocabulary;

use std::hash::{Hash, Hasher};
use std::mem::discriminant;
use std::sync::Arc;
use std::time::Duration;

use crate::access::Purpose;
use crate::instant::SinceBoot;
use crate::reconcile::{
    ApiFailure, Done, Effect, End, Input, Interruption, ListRequest, Moment, Note, ObjectWrite, PermitKind,
    Permits, ReconcileSettings, Resolution, Started, StatusWrite, WriteFailure, WriteOutcome,
};
use crate::requeue::EarlyEnd;
use crate::schedule::{Due, Start};
use crate::serverless::decision::{Creating, Origin, ReleaseReason, State, Step};
use crate::serverless::event;
use crate::serverless::event::Announced;
use crate::serverless::kept::KeptState;
use crate::serverless::observed::Observed;
use crate::serverless::ownership::{ClaimReading, Nonce};
use crate::status::EventDraft;

use publish::Publishing;
use state::{CustomResource, NextAction, ReconcileState};
use vocabulary::{CallResponse, ClaimWrite, EndpointWrite, Intent, Others, Plan, Serverless};

/// More decisions than the longest path through the protocol takes; a reconcile that needs more is in a loop.
const MAX_DECISIONS: u8 = 16;

/// The input that a reconcile waits for, and what it has to know then.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Awaiting {
    /// The first one.
    Starting,
    /// What the references resolve to.
    Resolving,
    /// The declaration is recorded.
    Declaring,
    /// What other objects contribute to the decision.
    LookingUp,
    /// A permit, with which to decide again.
    PermitToDecide(PermitKind),
    /// Credentials for the listing.
    ListCredentials,
    /// The listing.
    Listing,
    /// Credentials for the step.
    StepCredentials(Arc<Plan>),
    /// Whether a refusal withholds the claim.
    BeginningClaim(Arc<Plan>),
    /// Whether a refusal withholds the PATCH or DELETE.
    BeginningChange(Arc<Plan>),
    /// A permit for this call to the API server.
    Acquiring(ApiCall),
    /// The response of the API server.
    CallingApi(ApiCall),
    /// The response of the API server to the claim of this attempt, which is a fresh one or not.
    Claiming(Nonce, bool),
    /// The response of Atlas to the POST of this attempt.
    Creating(Nonce),
    /// The response of Atlas to the PATCH or DELETE of this step.
    Changing(Step),
    /// What the output ConfigMap needs.
    Output(publish::OutputStage, Box<Publishing>),
    /// Nothing: it has ended.
    Ended,
}

/// A call to the API server that needs a permit.
#[derive(Debug, Clone, PartialEq, Eq)]
enum ApiCall {
    /// Reads the object, to start over from it.
    StartOver,
    /// Reads the object, which must be as it was when the step was decided.
    Verify(Arc<Plan>),
    /// Writes the claim.
    Claim(Arc<Plan>),
    /// Writes the id of an endpoint.
    Record(Arc<Plan>),
    /// Removes the finalizer.
    Release(Arc<Plan>),
    /// Writes the status.
    Status(Box<Publishing>),
    /// Writes the name of the output ConfigMap.
    OutputName(Box<Publishing>, Option<String>),
    /// Publishes these events.
    Publish(Vec<EventDraft>, Next),
}

impl ApiCall {
    /// Returns `true` if it publishes that an endpoint is lost.
    fn reports_loss(&self) -> bool {
        match self {
            Self::Status(publishing) | Self::Publish(_, Next::EndReport(publishing)) => publishing.is_loss(),
            _ => false,
        }
    }
}

/// What follows the events.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Next {
    Decide,
    EndReport(Box<Publishing>),
    EndReleased,
}

/// Plans are left out: what the model awaits between two of its states has none.
impl Hash for Awaiting {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        discriminant(self).hash(hasher);
        match self {
            Self::Claiming(nonce, fresh) => (nonce, fresh).hash(hasher),
            Self::Creating(nonce) => nonce.hash(hasher),
            Self::Changing(step) => step.hash(hasher),
            _ => {}
        }
    }
}

/// One reconcile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reconcile<R> {
    settings: ReconcileSettings,
    start: Start,
    state: ReconcileState<R>,
    awaiting: Awaiting,
    permits: Permits,
    decisions: u8,
    notes: Vec<Note>,
}

impl<R: Hash> Hash for Reconcile<R> {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        (&self.state, &self.awaiting, self.permits, self.decisions).hash(hasher);
    }
}

/// What outlives a reconcile, and when it is.
struct Surroundings<'a> {
    kept: &'a mut KeptState,
    at: &'a Moment,
}

impl Surroundings<'_> {
    fn now(&self) -> SinceBoot {
        self.at.now.boot
    }
}

impl<R: CustomResource> Reconcile<R> {
    /// Begins the reconcile of an object that was last enqueued at `enqueued_at`, if it is due.
    pub fn start(
        object: R,
        kept: &mut KeptState,
        settings: &ReconcileSettings,
        enqueued_at: SinceBoot,
        now: SinceBoot,
    ) -> Started<Self> {
        let start = match kept.schedule.due(&object.version(), enqueued_at, now) {
            Due::Later(delay) => return Started::Later(delay),
            Due::Now(start) => start,
        };
        Started::Now(Box::new(Self {
            settings: *settings,
            start,
            state: ReconcileState::begin(object, &start, now),
            awaiting: Awaiting::Starting,
            permits: Permits::default(),
            decisions: 0,
            notes: Vec::new(),
        }))
    }

    /// Returns what it has observed so far.
    pub fn state(&self) -> &ReconcileState<R> {
        &self.state
    }

    /// Returns the object as it was last read or written.
    pub fn object(&self) -> &R {
        self.state.object()
    }

    /// Returns the permits that it holds. Any other that it was given is to be returned.
    pub fn permits(&self) -> Permits {
        self.permits
    }

    /// Returns what the last effect allows when nothing may start any more.
    pub fn interruption(&self) -> Interruption {
        match &self.awaiting {
            Awaiting::StepCredentials(plan) if matches!(plan.decision.step, Step::Create { .. }) => {
                Interruption::FinishWithoutCreate
            }
            // What was created is recorded, also if the object has changed.
            Awaiting::Acquiring(ApiCall::Record(plan)) if is_created(plan) => Interruption::Finish,
            Awaiting::CallingApi(ApiCall::StartOver) if self.decisions > 0 => Interruption::Finish,
            // A loss is reported once, with its event.
            Awaiting::Acquiring(call) | Awaiting::CallingApi(call) if call.reports_loss() => {
                Interruption::Finish
            }
            // The first three never wait, and may be between a claim and its POST, or between a POST and its record. The others are
            // writes whose outcome matters, and what publishes one.
            Awaiting::Resolving
            | Awaiting::Declaring
            | Awaiting::LookingUp
            | Awaiting::Claiming(..)
            | Awaiting::Creating(_)
            | Awaiting::Acquiring(ApiCall::Publish(_, Next::Decide))
            | Awaiting::CallingApi(ApiCall::Record(_) | ApiCall::Publish(_, Next::Decide)) => {
                Interruption::Finish
            }
            _ => Interruption::Drop,
        }
    }

    /// Returns the log records since the last call.
    pub fn take_notes(&mut self) -> Vec<Note> {
        std::mem::take(&mut self.notes)
    }

    /// Takes an input, and returns the next effect.
    pub fn resume(
        &mut self,
        input: Input<Serverless<R>>,
        kept: &mut KeptState,
        at: &Moment,
    ) -> Effect<Serverless<R>> {
        let mut around = Surroundings { kept, at };
        let awaiting = std::mem::replace(&mut self.awaiting, Awaiting::Ended);
        self.take_input(awaiting, input, &mut around)
    }

    fn take_input(
        &mut self,
        awaiting: Awaiting,
        input: Input<Serverless<R>>,
        around: &mut Surroundings<'_>,
    ) -> Effect<Serverless<R>> {
        use Input as I;
        match (awaiting, input) {
            (awaiting, I::Stopped) => self.end_without_result(&awaiting, End::Stopped, around),
            (Awaiting::Starting, I::Start) if self.start.stale => self.call_api(ApiCall::StartOver),
            (Awaiting::Starting, I::Start) => self.decide(around),
            (Awaiting::Resolving, I::Resolved(Resolution::Found(vpc_endpoint))) => {
                self.state.resolved(vpc_endpoint);
                self.awaiting = Awaiting::Declaring;
                Effect::Declare(self.state.declared().cloned())
            }
            (Awaiting::Resolving, I::Resolved(Resolution::NotRead)) => {
                self.end(End::ReferenceNotRead, around)
            }
            (Awaiting::Resolving, I::Resolved(Resolution::NotNeeded))
            | (Awaiting::Declaring, I::Performed) => self.look_up(),
            (Awaiting::LookingUp, I::Others(others)) => {
                let (observed, other_declarant) = self.observe(others, around.kept, around.now());
                let plan = self.state.plan(observed, other_declarant.as_deref());
                self.follow(plan, around)
            }
            (Awaiting::PermitToDecide(kind), I::Performed) => {
                match kind {
                    PermitKind::Atlas => self.permits.atlas = true,
                    PermitKind::ApiServer => self.permits.api_server = true,
                }
                self.decide(around)
            }
            (Awaiting::ListCredentials, I::Credentials(Ok(credentials))) => {
                self.state.use_credentials(credentials);
                let (fresh_after, cause) = self.state.tracked().wanted_listing();
                self.awaiting = Awaiting::Listing;
                Effect::List(ListRequest { fresh_after, cause, retain: self.state.retains_credentials() })
            }
            (Awaiting::ListCredentials, I::Credentials(Err(fault))) => {
                self.state.not_listed(fault);
                self.decide(around)
            }
            (Awaiting::Listing, I::Listed(Ok(listed))) => {
                let KeptState { memory, schedule, .. } = around.kept;
                self.state.list(listed, (memory, schedule), &self.settings.times);
                self.decide(around)
            }
            (Awaiting::Listing, I::Listed(Err(delay))) => self.end(End::RateLimited(delay), around),
            (Awaiting::StepCredentials(plan), I::Credentials(Ok(credentials))) => {
                if self.state.use_credentials(credentials) {
                    // The decision rests on others.
                    return self.decide(around);
                }
                match &plan.decision.step {
                    Step::Create { nonce, comment } => self.create(nonce, comment.clone(), around),
                    // The permit is acquired before the deadline of the attempt begins.
                    Step::Claim { .. } => self.call_api(ApiCall::Claim(plan)),
                    _ => self.begin_change(plan, around),
                }
            }
            (Awaiting::StepCredentials(_), I::Credentials(Err(fault))) => {
                self.end(End::NoCredentials(fault), around)
            }
            (Awaiting::BeginningClaim(_) | Awaiting::BeginningChange(_), I::Withheld(withheld)) => {
                self.state.withhold(withheld);
                self.decide(around)
            }
            (Awaiting::BeginningClaim(plan), I::Begun(random)) => self.claim(&plan, random, around),
            (Awaiting::BeginningChange(plan), I::Begun(_)) => self.call_api(ApiCall::Verify(plan)),
            (Awaiting::Acquiring(call), I::Performed) => {
                self.permits.api_server = true;
                self.call_api(call)
            }
            (Awaiting::CallingApi(call), I::Read(read)) => self.read(call, read, around),
            (Awaiting::CallingApi(call), I::Written(written)) => self.written(call, written, around),
            (Awaiting::CallingApi(ApiCall::Publish(_, next)), I::Performed) => self.go_on(next, around),
            (Awaiting::Claiming(nonce, is_fresh), I::Written(written)) => {
                if is_fresh {
                    around.kept.memory.claimed(&nonce, written.as_ref().err().map(ApiFailure::of_write));
                }
                match written {
                    Ok(object) => {
                        self.state.own_write(object, &mut around.kept.schedule);
                        self.decide(around)
                    }
                    Err(failure) => self.not_written(failure, around),
                }
            }
            (Awaiting::Creating(nonce), I::Called(response, sent)) => {
                self.created(&nonce, response, sent, around)
            }
            (Awaiting::Changing(step), I::Called(response, sent)) => {
                self.changed(&step, response, sent, around)
            }
            (Awaiting::Output(stage, publishing), input) => self.output(stage, publishing, input, around),
            (awaiting, _) => {
                let end = End::Changed("an effect had a result of another kind");
                self.end_without_result(&awaiting, end, around)
            }
        }
    }

    /// Returns the state to decide on, and another object that declares the same VPC endpoint.
    pub fn observe(
        &self,
        mut others: Others,
        kept: &mut KeptState,
        now: SinceBoot,
    ) -> (Observed, Option<String>) {
        let other_declarant = others.other_declarant.take();
        (self.state.observe(others, &mut kept.memory, &self.settings.times, now), other_declarant)
    }

    /// Follows a plan, as [`Reconcile::resume`] does with the plan that the rules return.
    pub fn proceed(&mut self, plan: Plan, kept: &mut KeptState, at: &Moment) -> Effect<Serverless<R>> {
        self.follow(plan, &mut Surroundings { kept, at })
    }

    fn follow(&mut self, plan: Plan, around: &mut Surroundings<'_>) -> Effect<Serverless<R>> {
        let next = self.state.next(plan, self.permits);
        self.state.confirm(&next, &mut around.kept.memory, &self.settings.times);
        let is_step = !matches!(next, NextAction::PublishLoss(_));
        if let Some(Plan { decision, .. }) = next.plan().filter(|_| is_step) {
            let writes = !matches!(decision.step, Step::Rest | Step::List);
            let note = Note::Decided { step: decision.step.name(), writes, next: decision.requeue };
            self.notes.push(note);
        }
        // Only the two ends use the permit that they were waited for with. While a reconcile waits for a listing, or for a permit
        // that all may wait for at once, it holds no plan, and decides again afterwards.
        if !matches!(next, NextAction::Release(_) | NextAction::Rest(_)) {
            self.permits.api_server = false;
        }
        match next {
            NextAction::List(_) => {
                self.permits.atlas = false;
                self.awaiting = Awaiting::ListCredentials;
                Effect::GetCredentials(self.state.tracked().read_purpose())
            }
            NextAction::AtlasPermit => {
                self.awaiting = Awaiting::PermitToDecide(PermitKind::Atlas);
                Effect::Acquire(PermitKind::Atlas)
            }
            NextAction::ApiPermit => {
                self.permits.atlas = false;
                self.awaiting = Awaiting::PermitToDecide(PermitKind::ApiServer);
                Effect::Acquire(PermitKind::ApiServer)
            }
            NextAction::PublishLoss(plan) => {
                self.permits.atlas = false;
                self.state.loss_published();
                self.publish(Arc::from(plan), true, around)
            }
            NextAction::Rest(plan) => {
                self.permits.atlas = false;
                self.publish(Arc::from(plan), false, around)
            }
            NextAction::Release(plan) => self.call_api(ApiCall::Release(Arc::from(plan))),
            NextAction::Perform(plan) => self.perform(Arc::from(plan), around),
        }
    }

    /// Decides, after everything that the decision depends on is resolved and looked up.
    fn decide(&mut self, around: &mut Surroundings<'_>) -> Effect<Serverless<R>> {
        if self.decisions == MAX_DECISIONS {
            return self.end(End::Changed("too many steps at once"), around);
        }
        self.decisions += 1;
        if self.state.begin_resolving(around.now()) {
            self.awaiting = Awaiting::Resolving;
            return Effect::Resolve;
        }
        self.look_up()
    }

    fn look_up(&mut self) -> Effect<Serverless<R>> {
        self.awaiting = Awaiting::LookingUp;
        Effect::LookUp
    }

    /// Begins to perform a step.
    fn perform(&mut self, plan: Arc<Plan>, around: &mut Surroundings<'_>) -> Effect<Serverless<R>> {
        let purpose = match &plan.decision.step {
            Step::Claim { .. } | Step::Create { .. } => Purpose::Write,
            step @ (Step::Update { .. } | Step::Delete { .. }) => {
                Purpose::of_write(self.state.is_deleting(), matches!(step, Step::Update { .. }))
            }
            // Only an observed endpoint is recorded without a claim, once. The cache keeps only the annotations that the operator
            // reads, and the test for the absence of the claim depends on whether there are others.
            Step::Record { .. } if plan.observed.object.claim == ClaimReading::Absent => {
                return self.call_api(ApiCall::Verify(plan));
            }
            Step::Record { .. } => return self.call_api(ApiCall::Record(plan)),
            Step::Rest | Step::List | Step::Release(_) => return self.decide(around),
        };
        self.awaiting = Awaiting::StepCredentials(plan);
        Effect::GetCredentials(purpose)
    }

    /// Calls the API server, with a permit.
    fn call_api(&mut self, call: ApiCall) -> Effect<Serverless<R>> {
        if !self.permits.api_server {
            self.awaiting = Awaiting::Acquiring(call);
            return Effect::Acquire(PermitKind::ApiServer);
        }
        let effect = match &call {
            ApiCall::StartOver | ApiCall::Verify(_) => Effect::Read,
            ApiCall::Claim(plan) => return self.begin_claim(Arc::clone(plan)),
            ApiCall::Record(plan) => {
                let handled_request = self.state.tracked().handled_request().map(str::to_owned);
                Effect::Write(ObjectWrite::Record(StatusWrite { plan: Arc::clone(plan), handled_request }))
            }
            ApiCall::Release(plan) => Effect::Write(ObjectWrite::Release(is_deleted(plan))),
            ApiCall::Status(publishing) => Effect::Write(ObjectWrite::Status(self.status(publishing))),
            ApiCall::OutputName(_, name) => Effect::Write(ObjectWrite::OutputName(name.clone())),
            ApiCall::Publish(events, _) => Effect::Publish(events.clone()),
        };
        self.awaiting = Awaiting::CallingApi(call);
        effect
    }

    fn publish_events(
        &mut self,
        events: Vec<EventDraft>,
        next: Next,
        around: &mut Surroundings<'_>,
    ) -> Effect<Serverless<R>> {
        if events.is_empty() {
            return self.go_on(next, around);
        }
        self.call_api(ApiCall::Publish(events, next))
    }

    fn go_on(&mut self, next: Next, around: &mut Surroundings<'_>) -> Effect<Serverless<R>> {
        match next {
            Next::Decide => self.decide(around),
            Next::EndReport(publishing) => self.end_report(&publishing, around),
            Next::EndReleased => self.end(End::Released, around),
        }
    }

    fn begin_claim(&mut self, plan: Arc<Plan>) -> Effect<Serverless<R>> {
        // A claim that no POST follows writes nothing to Atlas.
        let creates = plan.decision.state == State::Creating(Creating::Pending);
        self.awaiting = Awaiting::BeginningClaim(plan);
        Effect::Begin(if creates { Intent::Create } else { Intent::ClaimOnly })
    }

    fn begin_change(&mut self, plan: Arc<Plan>, around: &mut Surroundings<'_>) -> Effect<Serverless<R>> {
        let intent = match &plan.decision.step {
            Step::Update { id, .. } => Intent::Update(id.clone()),
            Step::Delete { id, .. } => Intent::Delete(id.clone()),
            _ => return self.decide(around),
        };
        self.awaiting = Awaiting::BeginningChange(plan);
        Effect::Begin(intent)
    }

    /// Writes the claim: the attempt's deadline begins now.
    fn claim(
        &mut self,
        plan: &Plan,
        random: Option<[u8; 16]>,
        around: &mut Surroundings<'_>,
    ) -> Effect<Serverless<R>> {
        let Step::Claim { nonce: announced, replaced, stale_vpc_endpoint } = &plan.decision.step else {
            return self.decide(around);
        };
        let is_fresh = announced.is_none();
        let Some(nonce) = announced.clone().or_else(|| random.map(Nonce::from_random)) else {
            return self.end(End::Changed("the system has no random numbers"), around);
        };
        if is_fresh {
            around.kept.begin_claim(&nonce, around.at.now);
        }
        self.awaiting = Awaiting::Claiming(nonce.clone(), is_fresh);
        Effect::Write(ObjectWrite::Claim(ClaimWrite {
            nonce,
            is_fresh,
            replaced: replaced.clone(),
            stale_vpc_endpoint: stale_vpc_endpoint.clone(),
        }))
    }

    /// Sends the POST, once. The claim found the object not in deletion.
    fn create(
        &mut self,
        nonce: &Nonce,
        comment: String,
        around: &mut Surroundings<'_>,
    ) -> Effect<Serverless<R>> {
        let Some(claimed) = around.kept.begin_send(nonce) else {
            return self.end(End::Changed("the attempt was sent before"), around);
        };
        self.awaiting = Awaiting::Creating(nonce.clone());
        Effect::Call {
            call: EndpointWrite::Create { comment, claimed },
            retain: self.state.retains_credentials(),
        }
    }

    /// Sends the PATCH or DELETE, on the object as it was just read.
    fn change(&mut self, step: &Step, around: &mut Surroundings<'_>) -> Effect<Serverless<R>> {
        let call = match step {
            Step::Update { id, comment, vpc_endpoint } => EndpointWrite::Update {
                id: id.clone(),
                comment: comment.clone(),
                vpc_endpoint: vpc_endpoint.clone(),
            },
            Step::Delete { id, excess } => {
                if *excess {
                    // Counted before it is sent, because a request whose response is lost counts as well.
                    around.kept.memory.deleting_excess(around.now());
                }
                EndpointWrite::Delete { id: id.clone(), excess: *excess }
            }
            _ => return self.decide(around),
        };
        // However long Atlas takes, it holds up no call to the API server.
        self.permits.api_server = false;
        self.awaiting = Awaiting::Changing(step.clone());
        Effect::Call { call, retain: self.state.retains_credentials() }
    }

    /// Takes the object that a call has read.
    fn read(
        &mut self,
        call: ApiCall,
        read: Result<R, ApiFailure>,
        around: &mut Surroundings<'_>,
    ) -> Effect<Serverless<R>> {
        let object = match read {
            Ok(object) if self.object().is_same_object(&object) => object,
            Ok(_) => return self.end(End::NotFound, around),
            Err(failure) => return self.end(End::of(failure), around),
        };
        let (schedule, now) = (&around.kept.schedule, around.at.now.boot);
        match call {
            ApiCall::StartOver => self.state.start_over(object, schedule, now),
            ApiCall::Verify(plan) => {
                if self.state.verify(object, schedule, now) {
                    return match &plan.decision.step {
                        Step::Record { .. } => self.call_api(ApiCall::Record(plan)),
                        step => self.change(step, around),
                    };
                }
            }
            _ => return self.end(End::Changed("a write had the result of a read"), around),
        }
        self.decide(around)
    }

    /// Takes the object that a call has written.
    fn written(
        &mut self,
        call: ApiCall,
        written: Result<R, ApiFailure>,
        around: &mut Surroundings<'_>,
    ) -> Effect<Serverless<R>> {
        match call {
            ApiCall::Record(plan) => self.recorded(&plan, written, around),
            ApiCall::Release(plan) => match written {
                Ok(object) => {
                    self.state.own_write(object, &mut around.kept.schedule);
                    if is_deleted(&plan) {
                        around.kept.memory.clear_recorded();
                    }
                    let events = event::of_step(&plan.decision.step, &plan.observed);
                    self.publish_events(events.into_iter().collect(), Next::EndReleased, around)
                }
                Err(failure) => self.not_written(failure, around),
            },
            ApiCall::Status(publishing) => self.status_written(publishing, written, around),
            ApiCall::OutputName(publishing, _) => self.output_name_written(publishing, written, around),
            _ => self.end(End::Changed("a read had the result of a write"), around),
        }
    }

    fn recorded(
        &mut self,
        plan: &Plan,
        written: Result<R, ApiFailure>,
        around: &mut Surroundings<'_>,
    ) -> Effect<Serverless<R>> {
        let Step::Record { endpoint, origin } = &plan.decision.step else { return self.decide(around) };
        match written {
            Ok(object) => {
                self.state.own_write(object, &mut around.kept.schedule);
                let at = self.state.recorded_at(*origin, around.now());
                around.kept.memory.recorded(&endpoint.id, *origin, at);
                let mut events: Vec<_> =
                    event::of_step(&plan.decision.step, &plan.observed).into_iter().collect();
                events.extend(changes(plan, around.kept));
                self.publish_events(events, Next::Decide, around)
            }
            Err(failure) => {
                if failure.of_write() == WriteFailure::Unknown {
                    around.kept.memory.not_recorded();
                }
                self.not_written(failure, around)
            }
        }
    }

    /// A write to the object failed. If the object has changed, everything starts over from what it is now.
    fn not_written(&mut self, failure: ApiFailure, around: &mut Surroundings<'_>) -> Effect<Serverless<R>> {
        match failure {
            ApiFailure::Conflict => self.call_api(ApiCall::StartOver),
            failure => self.end(End::of(failure), around),
        }
    }

    fn created(
        &mut self,
        nonce: &Nonce,
        response: CallResponse,
        sent: SinceBoot,
        around: &mut Surroundings<'_>,
    ) -> Effect<Serverless<R>> {
        let outcome = match response {
            CallResponse::Created(endpoint) => {
                around.kept.memory.created(nonce, endpoint);
                WriteOutcome::Done
            }
            CallResponse::Refused(fault) => {
                around.kept.memory.settle(nonce);
                WriteOutcome::Refused(fault)
            }
            CallResponse::Uncertain(fault) => WriteOutcome::Refused(fault),
            CallResponse::Updated(_) | CallResponse::Deleted { .. } => return self.called_otherwise(around),
        };
        self.called(outcome, sent, around);
        self.decide(around)
    }

    fn changed(
        &mut self,
        step: &Step,
        response: CallResponse,
        sent: SinceBoot,
        around: &mut Surroundings<'_>,
    ) -> Effect<Serverless<R>> {
        let outcome = match (response, step) {
            (CallResponse::Updated(endpoint), Step::Update { .. }) => {
                self.state.updated(endpoint);
                WriteOutcome::Done
            }
            (CallResponse::Deleted { not_found }, Step::Delete { id, .. }) => {
                self.state.deleted(id, not_found, &mut around.kept.memory, around.at.now.boot);
                WriteOutcome::Done
            }
            (CallResponse::Refused(fault) | CallResponse::Uncertain(fault), _) => {
                WriteOutcome::Refused(fault)
            }
            _ => return self.called_otherwise(around),
        };
        let is_done = outcome == WriteOutcome::Done;
        self.called(outcome, sent, around);
        let events = event::of_change_of_endpoint(step).filter(|_| is_done);
        self.publish_events(events.into_iter().collect(), Next::Decide, around)
    }

    fn called(&mut self, outcome: WriteOutcome, sent: SinceBoot, around: &mut Surroundings<'_>) {
        // What follows goes to the API server.
        self.permits.atlas = false;
        let KeptState { memory, schedule, .. } = around.kept;
        let times = (sent, around.at.now.boot);
        self.state.wrote_atlas(outcome, (memory, schedule), times, &self.settings.times);
    }

    fn called_otherwise(&mut self, around: &mut Surroundings<'_>) -> Effect<Serverless<R>> {
        around.kept.schedule.atlas_written(around.at.now.boot);
        self.end(End::Changed("a call had the response to another"), around)
    }

    /// Ends early, because nothing is known of the effect: it may have been performed.
    fn end_without_result(
        &mut self,
        awaiting: &Awaiting,
        end: End,
        around: &mut Surroundings<'_>,
    ) -> Effect<Serverless<R>> {
        match awaiting {
            // No earlier listing shows the outcome of a request that may have been executed.
            Awaiting::Changing(_) | Awaiting::Creating(_) => {
                around.kept.schedule.atlas_written(around.at.now.boot);
            }
            Awaiting::Claiming(nonce, true) => {
                around.kept.memory.claimed(nonce, Some(WriteFailure::Unknown));
            }
            _ => {}
        }
        self.end(end, around)
    }

    /// Ends early.
    fn end(&mut self, end: End, around: &mut Surroundings<'_>) -> Effect<Serverless<R>> {
        let schedule = &mut around.kept.schedule;
        if end != End::Released {
            schedule.interrupted(&self.start);
        }
        let requeue = match &end {
            End::Released => Some(EarlyEnd::Released.delay()),
            End::Stopped => Some(EarlyEnd::Stopped.delay()),
            End::Finished | End::Changed(_) => Some(EarlyEnd::Changed.delay()),
            End::ReferenceNotRead => Some(EarlyEnd::ReferenceNotRead.delay()),
            End::RateLimited(delay) => Some(*delay),
            End::NotFound | End::NoCredentials(_) | End::ApiServer(_) => {
                Some(schedule.failed(around.at.jitter))
            }
        };
        self.done(end, requeue, None)
    }

    fn done(
        &mut self,
        end: End,
        requeue: Option<Duration>,
        plan: Option<Arc<Plan>>,
    ) -> Effect<Serverless<R>> {
        self.awaiting = Awaiting::Ended;
        self.permits = Permits::default();
        Effect::Done(Done { end, requeue, plan })
    }

    /// Returns the same with another state ([`ReconcileState::map`]). How many decisions it has made is forgotten: that matters only
    /// to a reconcile in a loop.
    #[must_use]
    pub fn map(self, object: impl FnOnce(R) -> R, instant: impl FnOnce(SinceBoot) -> SinceBoot) -> Self {
        Self { state: self.state.map(object, instant), decisions: 0, ..self }
    }
}

/// Returns the events for what the plan's report changes: since this process last reported, or else since the status that it found.
fn changes(plan: &Plan, kept: &mut KeptState) -> Vec<EventDraft> {
    let Plan { observed, decision, report } = plan;
    let before = kept.announce(report).unwrap_or_else(|| Announced::by_status(&observed.object.reported));
    event::of_change(before, observed, &decision.step, report)
}

fn is_created(plan: &Plan) -> bool {
    matches!(plan.decision.step, Step::Record { origin: Origin::Created, .. })
}

fn is_deleted(plan: &Plan) -> bool {
    plan.decision.step == Step::Release(ReleaseReason::Deleted)
}
