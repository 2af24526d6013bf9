//! One reconcile of a service or an endpoint as a state machine: it is given an input, and returns the next effect.
//!
//! It orders the steps and guards them: what is read when, what precedes a write, what a lost response changes, when to publish and
//! when to requeue. It performs nothing, and it has a next effect for each input, whatever it awaits. Which step comes is in
//! [`decide`](crate::dedicated::decide); `publish` publishes a report, [`state`] has what is observed.
//!
//! A write to Atlas takes four steps: the permits, the claim, a look at what the watches show once they show the claim, and the request.
//! What was claimed and is not sent in the same reconcile never is.

mod publish;
pub mod state;
pub mod vocabulary;

use std::hash::{Hash, Hasher};
use std::mem::discriminant;
use std::sync::Arc;
use std::time::Duration;

use crate::access::Purpose;
use crate::claim::Nonce;
use crate::fault::FaultKind;
use crate::instant::SinceBoot;
use crate::reconcile::{
    ApiFailure, Done, Effect, End, Input, Interruption, ListRequest, Moment, Note, ObjectWrite, PermitKind,
    Permits, ReconcileSettings, Resolution, Started, StatusWrite, WriteOutcome,
};
use crate::requeue::{EarlyEnd, Requeue};
use crate::schedule::{Due, Start};
use crate::status::EventDraft;

use super::claim::ClaimTarget;
use super::decide::were_in_force;
use super::decision::{State, Step};
use super::event;
use super::event::Announced;
use super::kept::KeptState;
use super::life::Life;
use super::life::Provenance;

use publish::Publishing;
use state::{DedicatedResource, ReconcileState};
use vocabulary::{
    CallResponse, ClaimWrite, ClaimedWrite, Dedicated, DedicatedWrite, Plan, RegionsWrite, WriteIntent,
};

/// More decisions than the longest path through the protocol takes; a reconcile that needs more is in a loop.
const MAX_DECISIONS: u8 = 24;

/// The input that a reconcile waits for, and what it has to know then.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Awaiting {
    /// The first one.
    Starting,
    /// What the object declares.
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
    /// Whether a refusal withholds the PATCH.
    BeginningUpdate(Arc<Plan>),
    /// A permit for this call to the API server.
    Acquiring(ApiCall),
    /// The response of the API server.
    CallingApi(ApiCall),
    /// The response of the API server to the claim of this attempt.
    Claiming(Nonce),
    /// What the watches show is as new as the claim.
    CatchingUp,
    /// The response of Atlas to the request of this attempt.
    Sending(Nonce, ClaimTarget),
    /// The response of Atlas to the PATCH.
    SendingUpdate(Arc<Plan>),
    /// The response of the API server to a request about the output ConfigMap.
    Output(Box<Publishing>),
    /// Nothing: it has ended.
    Ended,
}

/// A call to the API server that needs a permit.
#[derive(Debug, Clone, PartialEq, Eq)]
enum ApiCall {
    /// Reads the object, to start over from it.
    StartOver,
    /// Reads the object, which must be as it was when the PATCH was decided.
    Verify(Arc<Plan>),
    /// Writes the finalizer.
    Hold,
    /// Writes the claim.
    Claim(Arc<Plan>),
    /// Writes an entry, or removes one.
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

/// What follows the events.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Next {
    Decide,
    Claim(Arc<Plan>),
    PublishFirst(Arc<Plan>),
    EndReport(Box<Publishing>),
    EndReleased,
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
    /// A report was published before its claim.
    published_first: bool,
    notes: Vec<Note>,
}

impl<R: Hash> Hash for Reconcile<R> {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        (&self.state, discriminant(&self.awaiting), self.permits, self.decisions).hash(hasher);
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

impl<R: DedicatedResource> Reconcile<R> {
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
        // An earlier reconcile that was dropped has not given up what it claimed.
        kept.memory.give_up();
        Started::Now(Box::new(Self {
            settings: *settings,
            start,
            state: ReconcileState::begin(object, &start, kept.strings_read, now),
            awaiting: Awaiting::Starting,
            permits: Permits::default(),
            decisions: 0,
            published_first: false,
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
            // What was created is recorded, also if the object has changed.
            Awaiting::Acquiring(ApiCall::Record(plan)) if is_created(plan) => Interruption::Finish,
            Awaiting::CallingApi(ApiCall::StartOver) if self.decisions > 0 => Interruption::Finish,
            Awaiting::Resolving
            | Awaiting::Declaring
            | Awaiting::LookingUp
            | Awaiting::Claiming(_)
            | Awaiting::Sending(..)
            | Awaiting::SendingUpdate(_)
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
        input: Input<Dedicated<R>>,
        kept: &mut KeptState,
        at: &Moment,
    ) -> Effect<Dedicated<R>> {
        let mut around = Surroundings { kept, at };
        let awaiting = std::mem::replace(&mut self.awaiting, Awaiting::Ended);
        self.take_input(awaiting, input, &mut around)
    }

    fn take_input(
        &mut self,
        awaiting: Awaiting,
        input: Input<Dedicated<R>>,
        around: &mut Surroundings<'_>,
    ) -> Effect<Dedicated<R>> {
        use Input as I;
        match (awaiting, input) {
            (awaiting, I::Stopped) => self.end_without_result(&awaiting, End::Stopped, around),
            (Awaiting::Starting, I::Start) if self.start.stale => self.call_api(ApiCall::StartOver),
            (Awaiting::Starting, I::Start) | (Awaiting::CatchingUp, I::CaughtUp(true)) => self.decide(around),
            (Awaiting::Resolving, I::Resolved(Resolution::Found(subject))) => {
                self.state.resolved(subject, around.kept);
                self.awaiting = Awaiting::Declaring;
                Effect::Declare(self.state.declared())
            }
            (Awaiting::Resolving, I::Resolved(Resolution::NotRead)) => {
                self.end(End::ReferenceNotRead, around)
            }
            (Awaiting::Declaring, I::Performed) => self.look_up(),
            (Awaiting::LookingUp, I::Others(others)) => {
                let plan = self.state.plan(others, around.kept, (&self.settings.times, around.now()));
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
                self.state.list(listed, around.kept);
                self.decide(around)
            }
            (Awaiting::Listing, I::Listed(Err(delay))) => self.end(End::RateLimited(delay), around),
            (Awaiting::StepCredentials(plan), I::Credentials(Ok(credentials))) => {
                if self.state.use_credentials(credentials) {
                    // The decision rests on others.
                    return self.decide(around);
                }
                match &plan.decision.step {
                    Step::Send(nonce, target) => self.send(nonce, target, around),
                    Step::Update(..) => self.call_api(ApiCall::Verify(plan)),
                    // The permit is acquired before the deadline of the attempt begins.
                    _ => self.call_api(ApiCall::Claim(plan)),
                }
            }
            (Awaiting::StepCredentials(_), I::Credentials(Err(fault))) => {
                self.end(End::NoCredentials(fault), around)
            }
            (Awaiting::BeginningClaim(_) | Awaiting::BeginningUpdate(_), I::Withheld(withheld)) => {
                self.state.withhold(withheld);
                self.decide(around)
            }
            (Awaiting::BeginningClaim(plan), I::Begun(random)) => self.claim(&plan, random, around),
            (Awaiting::BeginningUpdate(plan), I::Begun(_)) => self.update(plan, around),
            (Awaiting::Acquiring(call), I::Performed) => {
                self.permits.api_server = true;
                self.call_api(call)
            }
            (Awaiting::CallingApi(ApiCall::StartOver), I::Read(read)) => self.read(read, around),
            (Awaiting::CallingApi(ApiCall::Verify(plan)), I::Read(read)) => self.verified(plan, read, around),
            (Awaiting::CallingApi(call), I::Written(written)) => self.written(call, written, around),
            (Awaiting::CallingApi(ApiCall::Publish(_, next)), I::Performed) => self.go_on(next, around),
            (Awaiting::Claiming(nonce), I::Written(written)) => {
                around.kept.memory.claimed(&nonce, written.as_ref().err().map(ApiFailure::of_write));
                match written {
                    Ok(object) => {
                        self.state.own_write(object, &mut around.kept.schedule);
                        // However long the watches take, the next call acquires its own permit.
                        self.permits.api_server = false;
                        self.awaiting = Awaiting::CatchingUp;
                        Effect::CatchUp
                    }
                    Err(failure) => self.not_written(failure, around),
                }
            }
            (Awaiting::CatchingUp, I::CaughtUp(false)) => {
                let why = "what other objects claim could not be read in time".to_owned();
                self.end(End::ApiServer(ApiFailure::Unknown(why)), around)
            }
            (Awaiting::Sending(nonce, target), I::Called(response, _)) => {
                self.called(&nonce, &target, response, around)
            }
            (Awaiting::SendingUpdate(plan), I::Called(response, _)) => self.updated(&plan, response, around),
            (Awaiting::Output(publishing), I::Output(result)) => {
                self.output_performed(publishing, result, around)
            }
            (awaiting, _) => {
                let end = End::Changed("an effect had a result of another kind");
                self.end_without_result(&awaiting, end, around)
            }
        }
    }

    /// Decides, after everything that the decision depends on is resolved and looked up.
    fn decide(&mut self, around: &mut Surroundings<'_>) -> Effect<Dedicated<R>> {
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

    fn look_up(&mut self) -> Effect<Dedicated<R>> {
        self.awaiting = Awaiting::LookingUp;
        Effect::LookUp
    }

    /// Follows a decision, as after a look-up: for checks that decide in the machine's place.
    pub fn proceed(&mut self, plan: Plan, kept: &mut KeptState, at: &Moment) -> Effect<Dedicated<R>> {
        self.follow(plan, &mut Surroundings { kept, at })
    }

    fn follow(&mut self, plan: Plan, around: &mut Surroundings<'_>) -> Effect<Dedicated<R>> {
        // While a reconcile waits for a listing, or for a permit that all may wait for at once, it holds no plan, and decides again
        // afterwards. A decision that is made again confirms nothing yet, because it must start from the same memory.
        if self.is_published_first(&plan) {
            self.permits = Permits::default();
            return self.publish_first(Arc::new(plan), around);
        }
        let waits_for = match &plan.decision.step {
            Step::Claim(_) | Step::Send(..) | Step::Update(..) if !self.permits.atlas => {
                Some(PermitKind::Atlas)
            }
            Step::Release if !self.permits.api_server => Some(PermitKind::ApiServer),
            // With an output ConfigMap, publishing needs several, each taken when needed.
            Step::Rest
                if !self.permits.api_server
                    && self.object().output().is_empty()
                    && self.differs_from(&plan) =>
            {
                Some(PermitKind::ApiServer)
            }
            _ => None,
        };
        if !matches!(plan.decision.step, Step::Release | Step::Rest) || waits_for.is_some() {
            self.permits.api_server = false;
        }
        if !matches!(plan.decision.step, Step::Claim(_) | Step::Send(..) | Step::Update(..)) {
            self.permits.atlas = false;
        }
        if let Some(kind) = waits_for {
            self.awaiting = Awaiting::PermitToDecide(kind);
            return Effect::Acquire(kind);
        }
        if let Some(listed_at) = self.state.measured_at().filter(|_| self.state.is_listed()) {
            around.kept.memory.confirmed(&plan.decision, listed_at, &self.settings.times);
        }
        let step = &plan.decision.step;
        let writes = !matches!(step, Step::Rest | Step::List);
        self.notes.push(Note::Decided { step: step.name(), writes, next: plan.decision.requeue });
        let plan = Arc::new(plan);
        match &plan.decision.step {
            Step::List => {
                self.awaiting = Awaiting::ListCredentials;
                Effect::GetCredentials(self.state.tracked().read_purpose())
            }
            Step::Rest => self.publish(plan, false, around),
            Step::Hold => self.call_api(ApiCall::Hold),
            Step::Record(..) | Step::Forget(..) => self.call_api(ApiCall::Record(plan)),
            Step::Release => self.call_api(ApiCall::Release(plan)),
            Step::Claim(target) => {
                let events = event::before_claim(target, &plan.observed);
                self.publish_events(events.into_iter().collect(), Next::Claim(plan), around)
            }
            Step::Send(..) | Step::Update(..) => self.get_step_credentials(plan),
        }
    }

    fn get_step_credentials(&mut self, plan: Arc<Plan>) -> Effect<Dedicated<R>> {
        self.awaiting = Awaiting::StepCredentials(plan);
        Effect::GetCredentials(Purpose::Write)
    }

    fn differs_from(&self, plan: &Plan) -> bool {
        self.object().differs_from(&plan.report, self.state.handled_request_at_rest())
    }

    /// Calls the API server, with a permit.
    fn call_api(&mut self, call: ApiCall) -> Effect<Dedicated<R>> {
        if !self.permits.api_server {
            self.awaiting = Awaiting::Acquiring(call);
            return Effect::Acquire(PermitKind::ApiServer);
        }
        let effect = match &call {
            ApiCall::StartOver | ApiCall::Verify(_) => Effect::Read,
            ApiCall::Hold => Effect::Write(ObjectWrite::Claim(None)),
            ApiCall::Claim(plan) => {
                let Step::Claim(target) = &plan.decision.step else { return self.look_up() };
                let target = target.clone();
                self.awaiting = Awaiting::BeginningClaim(Arc::clone(plan));
                return Effect::Begin(WriteIntent::Claimed(target));
            }
            ApiCall::Record(plan) => {
                let handled_request = self.state.tracked().handled_request().map(str::to_owned);
                Effect::Write(ObjectWrite::Record(StatusWrite { plan: Arc::clone(plan), handled_request }))
            }
            ApiCall::Release(plan) => {
                Effect::Write(ObjectWrite::Release(plan.observed.object.entries.is_empty()))
            }
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
    ) -> Effect<Dedicated<R>> {
        if events.is_empty() {
            return self.go_on(next, around);
        }
        self.call_api(ApiCall::Publish(events, next))
    }

    fn go_on(&mut self, next: Next, around: &mut Surroundings<'_>) -> Effect<Dedicated<R>> {
        match next {
            Next::Decide => self.decide(around),
            Next::Claim(plan) => self.get_step_credentials(plan),
            Next::PublishFirst(plan) => self.publish(plan, true, around),
            Next::EndReport(publishing) => self.end_report(&publishing, around),
            Next::EndReleased => self.end(End::Released, around),
        }
    }

    /// Writes the claim: the attempt's deadline begins now.
    fn claim(
        &mut self,
        plan: &Plan,
        random: Option<[u8; 16]>,
        around: &mut Surroundings<'_>,
    ) -> Effect<Dedicated<R>> {
        let Step::Claim(target) = &plan.decision.step else { return self.decide(around) };
        let Some(nonce) = random.map(Nonce::from_random) else {
            return self.end(End::Changed("the system has no random numbers"), around);
        };
        around.kept.memory.begin_claim(nonce.clone(), target.clone(), around.at.now);
        self.awaiting = Awaiting::Claiming(nonce.clone());
        Effect::Write(ObjectWrite::Claim(Some(ClaimWrite { nonce, target: target.clone() })))
    }

    /// Sends the request of a claimed attempt, once.
    fn send(
        &mut self,
        nonce: &Nonce,
        target: &ClaimTarget,
        around: &mut Surroundings<'_>,
    ) -> Effect<Dedicated<R>> {
        let Some(claimed) = around.kept.memory.begin_send(nonce) else {
            return self.end(End::Changed("the attempt was sent before"), around);
        };
        self.awaiting = Awaiting::Sending(nonce.clone(), target.clone());
        let call = DedicatedWrite::Claimed(ClaimedWrite { target: target.clone(), claimed });
        Effect::Call { call, retain: self.state.retains_credentials() }
    }

    /// Takes the object that was read before a PATCH: it begins if nothing about the object has changed since the decision.
    fn verified(
        &mut self,
        plan: Arc<Plan>,
        read: Result<R, ApiFailure>,
        around: &mut Surroundings<'_>,
    ) -> Effect<Dedicated<R>> {
        let is_same = read.as_ref().is_ok_and(|object| {
            self.object().is_same_object(object) && object.version() == self.object().version()
        });
        let Step::Update(service, _) = &plan.decision.step else { return self.decide(around) };
        if !is_same {
            return self.read(read, around);
        }
        self.permits.api_server = false;
        let intent = WriteIntent::Update(service.clone());
        self.awaiting = Awaiting::BeginningUpdate(plan);
        Effect::Begin(intent)
    }

    /// Sends the PATCH.
    fn update(&mut self, plan: Arc<Plan>, around: &mut Surroundings<'_>) -> Effect<Dedicated<R>> {
        let Step::Update(service, regions) = &plan.decision.step else { return self.decide(around) };
        let call = DedicatedWrite::Update(RegionsWrite {
            service: service.clone(),
            regions: regions.clone(),
            read: around.at.now,
        });
        self.awaiting = Awaiting::SendingUpdate(plan);
        Effect::Call { call, retain: self.state.retains_credentials() }
    }

    /// Takes the response to the PATCH.
    fn updated(
        &mut self,
        plan: &Plan,
        response: CallResponse,
        around: &mut Surroundings<'_>,
    ) -> Effect<Dedicated<R>> {
        self.permits.atlas = false;
        let now = around.now();
        let Step::Update(_, declared) = &plan.decision.step else { return self.decide(around) };
        let may_be_set = matches!(response, CallResponse::Updated | CallResponse::Uncertain(_));
        if may_be_set {
            around.kept.memory.updated(declared, were_in_force(&plan.observed), now);
        }
        let (outcome, events) = match response {
            CallResponse::Updated => {
                self.state.invalidate_listing(now);
                (WriteOutcome::Done, event::of_step(&plan.decision.step, &plan.observed))
            }
            CallResponse::Refused(fault) | CallResponse::Uncertain(fault) => {
                (WriteOutcome::Refused(fault), Vec::new())
            }
            _ => {
                around.kept.schedule.atlas_written(now);
                return self.end(End::Changed("a call had the response to another"), around);
            }
        };
        self.state.wrote_atlas(outcome, &mut around.kept.schedule, now);
        self.publish_events(events, Next::Decide, around)
    }

    /// Takes the object that was read to start over.
    fn read(&mut self, read: Result<R, ApiFailure>, around: &mut Surroundings<'_>) -> Effect<Dedicated<R>> {
        match read {
            Ok(object) if self.object().is_same_object(&object) => {
                self.state.start_over(object, &around.kept.schedule, around.at.now.boot);
                // Its status may be another.
                self.published_first = false;
                self.decide(around)
            }
            Ok(_) => self.end(End::NotFound, around),
            Err(failure) => self.end(End::of(failure), around),
        }
    }

    /// Takes the object that a call has written.
    fn written(
        &mut self,
        call: ApiCall,
        written: Result<R, ApiFailure>,
        around: &mut Surroundings<'_>,
    ) -> Effect<Dedicated<R>> {
        let written = match written {
            Ok(object) => {
                self.state.own_write(object, &mut around.kept.schedule);
                Ok(())
            }
            Err(failure) => Err(failure),
        };
        match (call, written) {
            (ApiCall::Hold, Ok(())) => self.decide(around),
            (ApiCall::Record(plan), Ok(())) => {
                let mut events = event::of_step(&plan.decision.step, &plan.observed);
                events.extend(changes(&plan, around.kept));
                self.publish_events(events, Next::Decide, around)
            }
            (ApiCall::Release(plan), Ok(())) => {
                let events = event::of_step(&plan.decision.step, &plan.observed);
                self.publish_events(events, Next::EndReleased, around)
            }
            (ApiCall::Status(publishing), written) => self.status_written(publishing, written, around),
            (ApiCall::OutputName(publishing, _), Ok(())) => self.output_name_written(publishing, around),
            (ApiCall::OutputName(..), Err(ApiFailure::Conflict)) => {
                self.end(End::Changed("the object changed before its output was recorded"), around)
            }
            (_, Err(failure)) => self.not_written(failure, around),
            (_, Ok(())) => self.end(End::Changed("a read had the result of a write"), around),
        }
    }

    /// A write to the object failed. If the object has changed, everything starts over from what it is now.
    fn not_written(&mut self, failure: ApiFailure, around: &mut Surroundings<'_>) -> Effect<Dedicated<R>> {
        match failure {
            ApiFailure::Conflict => self.call_api(ApiCall::StartOver),
            failure => self.end(End::of(failure), around),
        }
    }

    /// Takes the response to the request of an attempt.
    fn called(
        &mut self,
        nonce: &Nonce,
        target: &ClaimTarget,
        response: CallResponse,
        around: &mut Surroundings<'_>,
    ) -> Effect<Dedicated<R>> {
        // What follows goes to the API server.
        self.permits.atlas = false;
        let (memory, now) = (&mut around.kept.memory, around.at.now.boot);
        let outcome = match (response, target) {
            (CallResponse::ServiceCreated(service), ClaimTarget::Create(None)) => {
                memory.created(nonce, Life { service: service.id.clone(), endpoint: None });
                self.state.service_created(service);
                WriteOutcome::Done
            }
            (CallResponse::EndpointCreated(endpoint), ClaimTarget::Create(Some(life))) => {
                memory.created(nonce, life.clone());
                self.state.endpoint_created(life, endpoint);
                WriteOutcome::Done
            }
            (CallResponse::Deleted { not_found }, ClaimTarget::Delete(life)) => {
                memory.deleted(nonce, life.clone(), now);
                if not_found {
                    self.state.invalidate_listing(now);
                } else {
                    self.state.deleted(life);
                }
                WriteOutcome::Done
            }
            (CallResponse::Refused(fault), _) => {
                memory.settle(nonce);
                if fault.kind == FaultKind::Conflict {
                    // Something is there that the listing did not show.
                    self.state.invalidate_listing(now);
                }
                WriteOutcome::Refused(fault)
            }
            (CallResponse::Uncertain(fault), _) => WriteOutcome::Refused(fault),
            _ => {
                around.kept.schedule.atlas_written(now);
                return self.end(End::Changed("a call had the response to another"), around);
            }
        };
        self.state.wrote_atlas(outcome, &mut around.kept.schedule, now);
        self.decide(around)
    }

    /// Ends early, because nothing is known of the effect: it may have been performed.
    fn end_without_result(
        &mut self,
        awaiting: &Awaiting,
        end: End,
        around: &mut Surroundings<'_>,
    ) -> Effect<Dedicated<R>> {
        if matches!(awaiting, Awaiting::Sending(..) | Awaiting::SendingUpdate(_)) {
            // No earlier listing shows the outcome of a request that may have been executed.
            around.kept.schedule.atlas_written(around.at.now.boot);
        }
        self.end(end, around)
    }

    /// Ends early.
    fn end(&mut self, end: End, around: &mut Surroundings<'_>) -> Effect<Dedicated<R>> {
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
        self.done(end, requeue, None, around)
    }

    fn done(
        &mut self,
        end: End,
        requeue: Option<Duration>,
        plan: Option<Arc<Plan>>,
        around: &mut Surroundings<'_>,
    ) -> Effect<Dedicated<R>> {
        around.kept.memory.give_up();
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
    let Plan { observed, report, .. } = plan;
    if report.unchanged {
        return Vec::new();
    }
    let before = kept.announce(report).unwrap_or_else(|| Announced::by_status(&observed.object.reported));
    event::of_change(&before, observed, report)
}

fn is_created(plan: &Plan) -> bool {
    matches!(&plan.decision.step, Step::Record(entry, _) if entry.provenance == Provenance::Created)
}

/// Returns a hash of what polls wait for.
fn progress(requeue: Requeue, state: &State) -> u64 {
    use std::hash::DefaultHasher;
    let mut hasher = DefaultHasher::new();
    let word = match state {
        State::Service(service) | State::Updating(service, _) => service.status.as_str(),
        State::Endpoint(state) => state.endpoint.as_ref().map_or("", |endpoint| endpoint.status.as_str()),
        _ => "",
    };
    (requeue, word, discriminant(state)).hash(&mut hasher);
    hasher.finish()
}
