//! One run of a life: the servers, a process that performs the effects of the machine, a clock, and at most one fault.
//!
//! It counts the effects, judges each of them, and decides nothing.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use domain::access::CredentialsInUse;
use domain::instant::Stamp;
use domain::reconcile::tracked::ReadResource;
use domain::reconcile::{
    Done, Effect as E, End, Input as I, Interruption, Moment, ObjectWrite, PermitKind, Resolution,
};
use domain::reconcile::{ReconcileSettings, Started};
use domain::reference::VpcEndpoint;
use domain::serverless::endpoint::{Endpoint, EndpointId};
use domain::serverless::kept::KeptState;
use domain::serverless::observed::Times;
use domain::serverless::ownership::{ClaimReading, Nonce, mark_of};
use domain::serverless::reconcile::state::CustomResource;
use domain::serverless::reconcile::vocabulary::{
    CallResponse, EndpointWrite, Intent, Listed, Others, Serverless,
};
use domain::status::{ConditionType, ReportedCondition};
use invariants::fixtures::fault;

use crate::api_server::{ObjectStore, StoredMap};
use crate::atlas::EndpointStore;
use crate::effects::{EffectClass, LifeEffect, LifeInput, LifeMachine, permit_problem, shown, shown_input};
use crate::faults::{Before, Continuation, EffectFault, Fate, FaultResult};
use crate::other_inputs;
use crate::stored_object::{StoredObject, TOKEN};
use crate::table::{LifeAction, ObjectLife, TAKEN};

/// The time that everything gets to settle after an action.
const SETTLES: Duration = Duration::from_mins(15);

/// The end of that time, in which nothing is written any more.
const QUIET: Duration = Duration::from_mins(8);

/// More reconciles than any life takes in that time.
const MAX_RECONCILES: usize = 400;

/// How long a request may be in flight after its sender gave it up.
const TRAVELS: Duration = Duration::from_secs(80);

/// How long a watch shows nothing, or an API server applies a write late.
const LAGS: Duration = Duration::from_secs(20);

/// The time between the two requests of one call, and half of the time that a call takes.
const STEP: Duration = Duration::from_millis(50);

/// The time that another process takes to start.
const STARTS: Duration = Duration::from_secs(2);

/// The time of day at boot.
const BOOTED: Duration = Duration::from_hours(400_000);

/// The settings of all reconciles.
pub(crate) fn settings() -> ReconcileSettings {
    ReconcileSettings {
        times: Times::default(),
        poll_min: Duration::from_secs(5),
        poll_max: Duration::from_mins(1),
    }
}

/// What a run shows besides its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shows {
    Nothing,
    /// The effects and inputs.
    Effects,
    /// The stages of the machine, and whether each takes the inputs that do not belong to it.
    Stages,
}

/// The fault of one run: at which effect, what it is, and how the run continues.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LifePlan {
    pub(crate) at: usize,
    pub(crate) fault: EffectFault,
    pub(crate) then: Continuation,
}

/// An effect that was counted.
#[derive(Debug, Clone)]
pub(crate) struct CountedEffect {
    pub(crate) subject: EffectClass,
    pub(crate) name: String,
    pub(crate) interruption: Interruption,
    pub(crate) is_recorded: bool,
}

/// What is there after an action, without what differs from run to run.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Snapshot {
    pub(crate) object: Option<StoredObject>,
    maps: Vec<(String, StoredMap)>,
    endpoints: Vec<Endpoint>,
}

impl Snapshot {
    /// Returns the reason of `Ready`.
    pub(crate) fn ready(&self) -> Option<String> {
        let is_ready = |condition: &&ReportedCondition| condition.kind == ConditionType::Ready;
        let ready = self.object.as_ref()?.status.conditions.iter().find(is_ready)?;
        Some(ready.reason?.to_string())
    }

    /// Returns the statuses of the endpoints with the object's mark.
    pub(crate) fn ours(&self) -> Vec<&str> {
        let is_ours = |endpoint: &&Endpoint| mark_of(&endpoint.comment).as_ref() == Some(&*TOKEN);
        self.endpoints.iter().filter(is_ours).map(|endpoint| endpoint.status.as_str()).collect()
    }
}

/// What the operator keeps in memory.
#[derive(Debug, Default)]
struct OperatorProcess {
    number: usize,
    kept: KeptState,
    cached: Option<StoredObject>,
    due: Option<Duration>,
    enqueued: Duration,
    /// The watch shows nothing before that.
    unwatched_until: Duration,
    /// The version of the ConfigMap that was read last.
    map_read: Option<u64>,
    /// The claims that it knows to be accepted.
    accepted: Vec<Nonce>,
    /// A POST follows the claim that is written next.
    begins_create: bool,
    /// The last claim of the reconcile that a POST follows.
    claimed: Option<Nonce>,
    /// The last endpoint that the reconcile knows to have created.
    created: Option<EndpointId>,
    /// Nothing may start; whether it leads.
    stops: Option<bool>,
}

/// A request that is in flight after its sender gave it up.
#[derive(Debug)]
enum LateRequest {
    Write(Box<StoredObject>, ObjectWrite<Serverless<StoredObject>>),
    Call(EndpointWrite),
}

/// One run.
#[derive(Debug)]
pub(crate) struct LifeRun<'a> {
    pub(crate) life: &'a ObjectLife,
    plan: Option<LifePlan>,
    now: Duration,
    api_server: ObjectStore,
    atlas: EndpointStore,
    process: OperatorProcess,
    late: Vec<(Duration, LateRequest)>,
    posted: Vec<Nonce>,
    nonces: u8,
    /// The number of effects so far, once they are counted.
    effects: Option<usize>,
    /// It has no fault.
    is_reference: bool,
    /// Each listing is as old as the machine accepts.
    lists_oldest: bool,
    reconciles: usize,
    /// The end of the time in which everything settles.
    end: Duration,
    /// The object had its finalizer when a user deleted it.
    pub(crate) was_held: bool,
    /// The effects of a run without a fault.
    pub(crate) counted: Vec<CountedEffect>,
    /// The stages so far, if they are to be shown.
    pub(crate) stages: Option<BTreeSet<String>>,
    /// The effects so far, if they are to be shown.
    pub(crate) trace: Option<String>,
    /// What is wrong.
    pub(crate) problems: Vec<String>,
    /// What was there after each action.
    pub(crate) snapshots: Vec<Snapshot>,
}

impl<'a> LifeRun<'a> {
    /// Runs the life, with this fault.
    pub(crate) fn of(life: &'a ObjectLife, plan: Option<LifePlan>, shows: Shows) -> Self {
        let mut run = Self {
            life,
            plan,
            now: Duration::from_hours(1),
            api_server: ObjectStore::default(),
            atlas: EndpointStore::new(),
            process: OperatorProcess::default(),
            late: Vec::new(),
            posted: Vec::new(),
            nonces: 0,
            effects: None,
            is_reference: plan.is_none(),
            lists_oldest: false,
            reconciles: 0,
            end: Duration::ZERO,
            was_held: false,
            counted: Vec::new(),
            stages: None,
            trace: None,
            problems: Vec::new(),
            snapshots: Vec::new(),
        };
        run.api_server.add_foreign_map(TAKEN);
        for action in life.before {
            run.act(action);
        }
        run.snapshots.clear();
        run.effects = Some(0);
        run.trace = (shows == Shows::Effects).then(String::new);
        run.stages = (shows == Shows::Stages).then(BTreeSet::new);
        for action in life.actions {
            run.act(action);
            let is_deletion = plan.is_some_and(|plan| plan.fault.before == Before::Delete);
            if is_deletion && run.plan.is_none() {
                break;
            }
        }
        run
    }

    fn show(&mut self, line: impl FnOnce() -> String) {
        if let Some(trace) = &mut self.trace {
            let _ = writeln!(trace, "{}", line());
        }
    }

    fn problem(&mut self, problem: impl Into<String>) {
        let problem = problem.into();
        self.show(|| format!("!!! {problem}"));
        if !self.problems.contains(&problem) {
            self.problems.push(problem);
        }
    }

    /// Lets something happen from outside, and everything settle.
    fn act(&mut self, action: &LifeAction) {
        match action {
            LifeAction::Create(spec) => self.api_server.create(spec()),
            LifeAction::Edit(edit) => self.api_server.edit(|object| edit(&mut object.spec)),
            LifeAction::Request => self.api_server.edit(|object| object.request = Some("now".to_owned())),
            LifeAction::Delete => self.api_server.delete(),
            LifeAction::Restart => self.restart(false),
            LifeAction::Unclaim => self.api_server.edit(|object| {
                (object.claim, object.finalizer) = (None, false);
            }),
            LifeAction::AddMarked => self.change_atlas(EndpointStore::add_marked),
            LifeAction::Lose => self.change_atlas(EndpointStore::lose),
            LifeAction::Unmark => self.change_atlas(EndpointStore::unmark),
        }
        self.end = self.now + SETTLES;
        self.reconciles = 0;
        self.settle();
        if self.api_server.written.max(self.atlas.written) > self.end.saturating_sub(QUIET) {
            self.problem("something is still written in the end");
        }
        self.snapshot();
    }

    fn change_atlas(&mut self, change: fn(&mut EndpointStore)) {
        self.atlas.keep(self.now);
        change(&mut self.atlas);
    }

    fn snapshot(&mut self) {
        let object = self.api_server.object.clone().map(|object| {
            let open =
                object.claim_reading().open_nonce(object.object().recorded.as_ref().map(|e| &e.id)).is_some();
            let claim = object.claim.as_ref().map(|_| format!("open: {open}"));
            StoredObject { version: 0, touched: 0, claim, ..object }
        });
        let recorded = object.as_ref().and_then(|object| object.status.fields.id.clone());
        let endpoints = self.atlas.endpoints();
        if let Some(id) = &recorded
            && !endpoints.iter().any(|endpoint| endpoint.id.as_str() == id)
        {
            self.problem(format!("the recorded endpoint {id} does not exist"));
        }
        if object.as_ref().is_some_and(|object| object.open_request().is_some()) {
            self.problem("a reconcile request is not handled");
        }
        let maps = self.api_server.maps.iter().map(|(name, map)| (name.clone(), map.without_version()));
        self.snapshots.push(Snapshot { object, maps: maps.collect(), endpoints });
    }

    /// Lets time pass until the end, and reconciles whenever the object is due.
    fn settle(&mut self) {
        while self.reconciles < MAX_RECONCILES {
            self.watch();
            let shown = Some(self.process.unwatched_until).filter(|until| *until > self.now);
            let due = self.process.due.filter(|_| self.process.cached.is_some());
            let Some(next) = due.into_iter().chain(shown).min().filter(|next| *next <= self.end) else {
                return self.advance(self.end);
            };
            self.advance(next.max(self.now));
            self.watch();
            if due.is_some_and(|due| due <= self.now) {
                self.reconciles += 1;
                self.reconcile();
            }
        }
        self.problem("it does not settle");
    }

    /// Lets time pass: requests arrive, and Atlas works.
    fn advance(&mut self, until: Duration) {
        while let Some(first) = (0..self.late.len()).min_by_key(|index| self.late[*index].0)
            && self.late[first].0 <= until
        {
            let (at, request) = self.late.remove(first);
            self.now = self.now.max(at);
            self.atlas.advance(self.now);
            match request {
                LateRequest::Write(read, write) => {
                    let result = self.api_server.write(&read, &write, self.now);
                    self.show(|| format!("    a late write arrives: {}", result.is_ok()));
                }
                LateRequest::Call(call) => {
                    self.show(|| "    a late request arrives".to_owned());
                    self.execute(&call);
                }
            }
        }
        self.now = self.now.max(until);
        self.atlas.advance(self.now);
        self.judge();
    }

    /// The watch shows what the API server has.
    fn watch(&mut self) {
        if self.now < self.process.unwatched_until {
            return;
        }
        let Some(object) = &self.api_server.object else {
            if self.process.cached.take().is_some() {
                self.forget();
            }
            return;
        };
        let process = &mut self.process;
        if process.cached.as_ref() == Some(object) {
            return;
        }
        let recorded = object.object().recorded;
        let recorded = recorded.as_ref().map(|endpoint| &endpoint.id);
        process.kept.memory.observe(&object.claim_reading(), recorded, self.now);
        let trigger = |object: &StoredObject| (object.version().content, object.request.clone());
        if process.cached.as_ref().map(trigger) != Some(trigger(object)) {
            process.enqueued = self.now;
            process.due = Some(self.now);
        }
        process.cached = Some(object.clone());
    }

    /// The object is gone: only what matters to the next one of its name is kept.
    fn forget(&mut self) {
        let times = Times::default();
        let kept = std::mem::take(&mut self.process.kept);
        if let Some(remains) = kept.memory.remains(&times, self.now) {
            self.process.kept.memory.inherit(remains);
        }
        self.process.due = None;
    }

    /// The process ends, and another one starts, which first reads the object as it is, or as it was.
    fn restart(&mut self, is_unwatched: bool) {
        let cached = self.process.cached.take().filter(|_| is_unwatched);
        let due = self.now + STARTS;
        self.process = OperatorProcess {
            number: self.process.number + 1,
            cached,
            due: Some(due),
            enqueued: due,
            unwatched_until: if is_unwatched { self.now + LAGS } else { due },
            ..OperatorProcess::default()
        };
        self.show(|| "    another process starts".to_owned());
    }

    fn reconcile(&mut self) {
        let process = &mut self.process;
        let Some(object) = process.cached.clone() else { return };
        let enqueued = process.enqueued;
        let started = LifeMachine::start(object, &mut process.kept, &settings(), enqueued, self.now);
        match started {
            Started::Later(delay) => self.requeue(Some(delay)),
            Started::Now(machine) => {
                self.show(String::new);
                self.drive(machine);
            }
        }
    }

    fn requeue(&mut self, delay: Option<Duration>) {
        self.process.due = delay.map(|delay| self.now + delay);
        self.process.enqueued = self.process.due.unwrap_or(self.now);
    }

    fn drive(&mut self, mut machine: Box<LifeMachine>) {
        let mut input = LifeInput::Start;
        (self.process.claimed, self.process.created) = (None, None);
        self.probe(&machine, None);
        loop {
            let moment = self.moment();
            let effect = machine.resume(input, &mut self.process.kept, &moment);
            let _ = machine.take_notes();
            let interruption = machine.interruption();
            self.check_effect(machine.object(), &effect);
            if let Some(problem) = permit_problem(&effect, machine.permits(), interruption) {
                self.problem(format!("it requests {problem}"));
            }
            self.probe(&machine, Some(&effect));
            let shown = if self.trace.is_some() { shown(&effect) } else { String::new() };
            if let E::Done(done) = effect {
                self.show(|| shown);
                return self.done(&machine, &done);
            }
            let claimed = match &effect {
                E::Write(ObjectWrite::Claim(claim)) => Some(claim.nonce.clone()),
                E::Begin(intent) => {
                    self.process.begins_create = *intent == Intent::Create;
                    None
                }
                _ => None,
            };
            let Some(result) = self.perform_counted(&machine, effect, interruption) else {
                self.show(|| format!("{shown} → the process dies"));
                return;
            };
            input = result;
            self.learn(claimed, &input);
            self.show(|| format!("{shown} → {}", shown_input(&input)));
        }
    }

    fn probe(&mut self, machine: &LifeMachine, effect: Option<&LifeEffect>) {
        if let Some(stages) = &mut self.stages {
            stages.insert(other_inputs::stage(machine));
            for problem in other_inputs::probe(machine, effect, &self.moment()) {
                self.problem(problem);
            }
        }
    }

    /// Checks what an effect carries, and what has to precede it.
    fn check_effect(&mut self, object: &StoredObject, effect: &LifeEffect) {
        let retain = (!object.deleting).then(|| object.is_recorded());
        match effect {
            E::List(request) if request.retain != retain => self.problem("it retains the wrong credentials"),
            E::Call { retain: found, .. } if *found != retain => {
                self.problem("it retains the wrong credentials");
            }
            E::Write(ObjectWrite::Claim(claim)) if claim.replaced.is_some() => {
                let is_own = |map: &StoredMap| map.owner.as_ref() == Some(&object.uid);
                if object.status.fields.endpoint_service_name.is_some() {
                    self.problem("a lost endpoint is replaced before its loss is reported");
                }
                if self.api_server.maps.values().any(is_own) {
                    self.problem("a lost endpoint is replaced while its output remains");
                }
            }
            E::Write(ObjectWrite::Record(_)) if object.claim.is_some() && !object.finalizer => {
                self.problem("an endpoint is recorded without the finalizer");
            }
            _ => {}
        }
    }

    /// Keeps what an input tells the process: its accepted claims, and what it has created.
    fn learn(&mut self, claimed: Option<Nonce>, input: &LifeInput) {
        let process = &mut self.process;
        match input {
            I::Written(Ok(_)) => {
                process.accepted.extend(claimed.clone());
                process.claimed = claimed.filter(|_| process.begins_create).or(process.claimed.take());
            }
            I::Called(CallResponse::Created(endpoint), _) => process.created = Some(endpoint.id.clone()),
            _ => {}
        }
    }

    fn done(&mut self, machine: &LifeMachine, done: &Done<Serverless<StoredObject>>) {
        if let Some(leads) = self.process.stops {
            self.check_stop(leads, machine.object());
            return self.restart(false);
        }
        if done.end == End::Released {
            self.forget();
        }
        if done.requeue.is_none() && done.end != End::Finished {
            self.problem("nothing follows");
        }
        self.requeue(done.requeue);
    }

    fn moment(&self) -> Moment {
        Moment { now: Stamp { boot: self.now, day: BOOTED + self.now }, jitter: 0.5 }
    }

    /// Performs the effect, with its fault if it is the one that has it. Returns the input; `None` if the process died.
    fn perform_counted(
        &mut self,
        machine: &LifeMachine,
        effect: LifeEffect,
        interruption: Interruption,
    ) -> Option<LifeInput> {
        if self.process.stops.is_some() {
            return Some(self.perform_until_stopped(machine, effect));
        }
        let Some(effects) = &mut self.effects else { return Some(self.perform(machine, effect)) };
        *effects += 1;
        match self.plan {
            Some(plan) if plan.at == *effects => {
                self.plan = None;
                self.perform_with(plan, machine, effect)
            }
            None if self.is_reference => {
                self.counted.push(CountedEffect {
                    subject: EffectClass::of(&effect),
                    name: shown(&effect),
                    interruption,
                    is_recorded: machine.object().is_recorded(),
                });
                Some(self.perform(machine, effect))
            }
            _ => Some(self.perform(machine, effect)),
        }
    }

    fn perform_with(
        &mut self,
        plan: LifePlan,
        machine: &LifeMachine,
        effect: LifeEffect,
    ) -> Option<LifeInput> {
        let LifePlan { fault, then, .. } = plan;
        self.end = self.now + self.life.recovers;
        self.show(|| format!("    fault: {}, {then:?}", fault.name));
        match fault.before {
            Before::Nothing => {}
            Before::Pause(pause) => self.advance(self.now + pause),
            Before::Touch => self.api_server.edit(|object| object.touched += 1),
            Before::Delete => {
                self.was_held = self.api_server.object.as_ref().is_some_and(|object| object.finalizer);
                self.api_server.delete();
            }
            Before::Stop { leads } => {
                self.process.stops = Some(leads);
                return Some(self.perform_until_stopped(machine, effect));
            }
        }
        let is_unwatched = matches!(then, Continuation::GoesOnUnwatched | Continuation::RestartsUnwatched);
        if is_unwatched {
            self.process.unwatched_until = self.now + LAGS;
        }
        let result = match (fault.fate, effect) {
            (Fate::Performed, effect) => Some(self.perform(machine, effect)),
            (Fate::NotPerformed, effect) => {
                // A request that is not executed is sent all the same.
                if let E::Call { call: EndpointWrite::Create { .. }, .. } = effect {
                    self.send_create(machine);
                }
                None
            }
            (Fate::Late, E::Write(write)) => {
                let read = Box::new(machine.object().clone());
                self.late.push((self.now + LAGS, LateRequest::Write(read, write)));
                None
            }
            (Fate::Late, E::Call { call, .. }) => {
                if let EndpointWrite::Create { .. } = call {
                    self.send_create(machine);
                }
                self.late.push((self.now + TRAVELS, LateRequest::Call(call)));
                None
            }
            (Fate::Late, _) => None,
            (Fate::Oldest, effect) => {
                self.lists_oldest = true;
                Some(self.perform(machine, effect))
            }
        };
        let input = match fault.outcome {
            FaultResult::Result => result,
            FaultResult::Other(input) => Some(input(self.now)),
            FaultResult::Death => None,
        };
        match (input, then) {
            (Some(input), Continuation::GoesOn | Continuation::GoesOnUnwatched) => Some(input),
            (_, Continuation::RestartsUnwatched) => {
                self.restart(true);
                None
            }
            (_, _) => {
                self.restart(false);
                None
            }
        }
    }

    /// Performs the effect of a process in which nothing may start, if it may not be dropped.
    fn perform_until_stopped(&mut self, machine: &LifeMachine, effect: LifeEffect) -> LifeInput {
        match machine.interruption() {
            Interruption::Drop => I::Stopped,
            Interruption::FinishWithoutCreate if self.process.stops == Some(false) => {
                self.perform(machine, effect);
                I::Stopped
            }
            Interruption::Finish | Interruption::FinishWithoutCreate => self.perform(machine, effect),
        }
    }

    /// Checks that a process in which nothing may start has ended what it had begun.
    fn check_stop(&mut self, leads: bool, object: &StoredObject) {
        let recorded = object.object().recorded.map(|endpoint| endpoint.id);
        if self.process.created.is_some() && self.process.created != recorded {
            self.problem("it has not recorded what it has created");
        }
        let is_sent = self.process.claimed.as_ref().is_none_or(|nonce| self.posted.contains(nonce));
        if leads && !is_sent {
            self.problem("it has not sent what it has claimed");
        }
    }

    fn perform(&mut self, machine: &LifeMachine, effect: LifeEffect) -> LifeInput {
        match effect {
            E::LookUp => I::Others(Others::default()),
            E::Resolve if machine.object().deleting => I::Resolved(Resolution::NotNeeded),
            E::Resolve => {
                let declared = machine.object().spec.vpc_endpoint.clone();
                let found = declared.map_or(VpcEndpoint::Undeclared, VpcEndpoint::Declared);
                I::Resolved(Resolution::Found(found))
            }
            E::Declare(_) | E::Acquire(PermitKind::Atlas | PermitKind::ApiServer) | E::Publish(_) => {
                I::Performed
            }
            E::GetCredentials(_) => I::Credentials(Ok(CredentialsInUse::Own)),
            E::Begin(_) => {
                self.nonces += 1;
                I::Begun(Some([self.nonces; 16]))
            }
            E::List(request) => {
                let sent = if self.lists_oldest { request.fresh_after } else { self.now };
                if sent > self.now {
                    self.problem("a listing from the future");
                }
                let result = Ok(Arc::from(self.atlas.endpoints_at(sent)));
                self.advance(self.now + STEP);
                I::Listed(Ok(Listed { sent, result, was_requested: true, sunset: None }))
            }
            E::Read => {
                self.advance(self.now + STEP);
                I::Read(self.api_server.read())
            }
            E::Write(write) => {
                self.advance(self.now + STEP);
                let written = self.api_server.write(machine.object(), &write, self.now);
                I::Written(written)
            }
            E::Call { call, .. } => {
                let sent = self.now;
                let is_sent = match &call {
                    EndpointWrite::Create { claimed, .. } => self.may_send(*claimed),
                    _ => true,
                };
                let response = if is_sent {
                    self.check_call(machine, &call);
                    self.advance(self.now + STEP);
                    self.execute(&call)
                } else {
                    CallResponse::Refused(fault(domain::fault::FaultKind::Unavailable))
                };
                self.advance(self.now + STEP);
                I::Called(response, sent)
            }
            E::Output(request) => {
                self.advance(self.now + STEP);
                I::Output(self.api_server.output(&request, &mut self.process.map_read, self.now))
            }
            E::FindAddress { connected, .. } => {
                let is_connected = |endpoint: &Endpoint| {
                    endpoint.vpc_endpoint_id.as_ref() == Some(&connected)
                        && endpoint.status.as_str() == "AVAILABLE"
                };
                let is_shown = self.atlas.endpoints().iter().any(is_connected);
                I::Address(is_shown.then(|| format!("private-{connected}.mongodb.net")))
            }
            E::CatchUp => I::CaughtUp(true),
            E::Done(_) => I::Performed,
        }
    }

    /// The last check before a POST: the deadline of the attempt, and what the watch has shown.
    fn may_send(&mut self, claimed: Stamp) -> bool {
        self.watch();
        let is_deleting = self.process.cached.as_ref().is_none_or(|object| object.deleting);
        claimed.until(self.moment().now) < Times::default().create_deadline && !is_deleting
    }

    /// Checks what precedes a POST.
    fn send_create(&mut self, machine: &LifeMachine) {
        let ClaimReading::Ours { nonce, .. } = machine.object().claim_reading() else {
            return self.problem("a POST without a claim");
        };
        if self.posted.contains(&nonce) {
            self.problem("a nonce is posted twice");
        }
        if !self.api_server.claims.contains(&nonce) || !self.process.accepted.contains(&nonce) {
            self.problem("a POST whose claim is not known to be accepted");
        }
        self.posted.push(nonce);
    }

    fn check_call(&mut self, machine: &LifeMachine, call: &EndpointWrite) {
        match call {
            EndpointWrite::Create { .. } => self.send_create(machine),
            EndpointWrite::Update { comment, .. } => {
                let keeps_mark =
                    |comment: &String| mark_of(comment).as_ref() == Some(&machine.object().object().token);
                if !comment.as_ref().is_none_or(keeps_mark) {
                    self.problem("a PATCH without the mark");
                }
                if machine.object().spec.rules.observe {
                    self.problem("a PATCH by an object that only observes");
                }
            }
            EndpointWrite::Delete { id, excess } => {
                let is_recorded = machine.object().status.fields.id.as_deref() == Some(id.as_str());
                let is_deleting = self.api_server.object.as_ref().is_some_and(|object| object.deleting);
                if !is_deleting && (!excess || is_recorded) {
                    self.problem("a DELETE while the object lives");
                }
                if machine.object().spec.rules.retain || machine.object().spec.rules.observe {
                    self.problem("a DELETE of what is retained");
                }
            }
        }
    }

    fn execute(&mut self, call: &EndpointWrite) -> CallResponse {
        let response = self.atlas.execute(call, self.now);
        self.judge();
        response
    }

    /// Judges what is there.
    fn judge(&mut self) {
        if self.atlas.live().count() > self.life.at_most {
            self.problem("an endpoint too many");
        }
        if self.atlas.untouched() < self.life.untouched {
            self.problem("an endpoint of somebody else was changed");
        }
        if !self.api_server.maps.get(TAKEN).is_some_and(StoredMap::is_foreign) {
            self.problem("a ConfigMap of somebody else was changed");
        }
    }
}
