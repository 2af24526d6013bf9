//! One controller: it runs the machine that ships, `domain::serverless::reconcile::Reconcile`, and keeps it in a state where
//! anything else may happen before its next input.
//!
//! A step leads from one request to the next. Nothing here decides what comes or what a response means; `perform` has the effects,
//! and ablations remove a rule in `mutations`.

use std::time::Duration;

use domain::access::CredentialsInUse;
use domain::reconcile::{Done, Effect, End, Input, ObjectWrite, Resolution};
use domain::reconcile::{ReconcileSettings, Started};
use domain::serverless::decide::decide;
use domain::serverless::decision::Step;
use domain::serverless::kept::KeptState;
use domain::serverless::memory::Memory;
use domain::serverless::reconcile::Reconcile;
use domain::serverless::reconcile::vocabulary::{Others, Serverless};

use super::convert::{self, id_number, nonce_number};
use super::mutations::Mutation;
use super::object::{CachedObject, ModelObject};
use super::outcomes::StepOutcome;
use super::state::{Controller, Machine, ModelState, RunningReconcile, Wait};
use super::times::{OLD, TICK, ago, moment, now, older, stamp};
use super::{Event, Invariant, Model};
use crate::interned::Interned;

/// More attempts than any run takes, for runs that do not count them.
const MAX_NONCES: u8 = 99;

/// The result of a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepResult {
    /// The decision that it followed.
    pub step: Step,
    /// Whether the object or Atlas was written to.
    pub wrote: bool,
    /// If the reconcile has ended: the delay until the next one, unless only an event triggers it.
    pub ended: Option<Option<Duration>>,
}

/// A step of a controller, or what follows a response to it.
pub(crate) struct Turn<'a> {
    pub(crate) model: &'a Model,
    pub(crate) s: &'a mut ModelState,
    /// The controller.
    pub(crate) i: usize,
    pub(crate) machine: Machine,
    pub(crate) kept: KeptState,
    /// How its request ends, until it has ended.
    pub(crate) outcome: StepOutcome,
    /// There was a request, or a response.
    pub(crate) requested: bool,
    /// Attempts are not counted.
    pub(crate) free: bool,
    /// The object has changed since it was read.
    pub(crate) conflict: bool,
    pub(crate) result: StepResult,
}

impl Model {
    /// Runs controller `i`: begins a reconcile, or takes its next step. `None` if it has nothing to do, or not with
    /// that outcome.
    pub(crate) fn step(
        &self,
        before: &ModelState,
        i: usize,
        outcome: StepOutcome,
        free: bool,
    ) -> Option<(ModelState, StepResult)> {
        let mut s = before.clone();
        let controller = &mut s.controllers[i];
        let mut kept = kept(&controller.memory);
        let (machine, effect) = match controller.running.take() {
            Some(RunningReconcile { machine, wait: Wait::Nothing }) => {
                (Machine::clone(&machine), Effect::LookUp)
            }
            Some(_) => return None,
            None => {
                let begun = Reconcile::start(controller.cache?, &mut kept, &self.settings(), now(), now());
                let Started::Now(mut machine) = begun else { return None };
                let effect = machine.resume(Input::Start, &mut kept, &moment());
                (*machine, effect)
            }
        };
        let turn = Turn { outcome, free, ..Turn::new(self, &mut s, i, machine, kept) };
        let result = turn.run(effect)?;
        Some((s, result))
    }

    /// Gives the machine of controller `i` the response that it waits for.
    pub(crate) fn respond(
        &self,
        s: &mut ModelState,
        i: usize,
        response: Input<Serverless<CachedObject>>,
    ) -> Option<()> {
        let controller = &mut s.controllers[i];
        let mut kept = kept(&controller.memory);
        let mut machine = Machine::clone(&controller.running.take()?.machine);
        let effect = machine.resume(response, &mut kept, &moment());
        Turn { requested: true, ..Turn::new(self, s, i, machine, kept) }.run(effect)?;
        Some(())
    }

    fn settings(&self) -> ReconcileSettings {
        ReconcileSettings { times: self.mutation.times(), poll_min: TICK / 2, poll_max: TICK / 2 }
    }

    /// Replaces the memory of a controller.
    pub(crate) fn remember(&self, controller: &mut Controller, memory: Memory) {
        if *controller.memory != memory {
            controller.memory = self.memories.intern(memory);
        }
    }

    /// Shows the object to the memory of a controller.
    pub(crate) fn observe(&self, controller: &mut Controller, object: &CachedObject) {
        let mut memory = Memory::clone(&controller.memory);
        let recorded = convert::id(object.object.recorded);
        memory.observe(&object.object.reading(), recorded.as_ref(), now());
        self.remember(controller, memory);
    }

    /// Returns the memory of a deleted object as the next one of its name inherits it.
    pub(crate) fn remaining(&self, memory: Memory) -> Memory {
        let mut inherited = Memory::default();
        if let Some(remains) = memory.remains(&self.mutation.times(), now()) {
            inherited.inherit(remains);
        }
        inherited
    }

    /// Lets one tick pass for a controller.
    pub(crate) fn age(&self, controller: &mut Controller) {
        let running = controller.running.as_ref();
        let measured_at = running.and_then(|running| running.machine.state().measured_at()).unwrap_or(now());
        let memory =
            Memory::clone(&controller.memory).map_instants(|instant| older(instant, measured_at, OLD));
        self.remember(controller, memory);
        controller.acknowledged = OLD.min(controller.acknowledged + 1);
        if let Some(running) = &mut controller.running {
            let later = |instant: Duration| instant.saturating_sub(TICK).max(ago(OLD));
            running.machine =
                self.machines.intern(Machine::clone(&running.machine).map(|object| object, later));
        }
    }

    /// Makes every copy of the object one version older than it was.
    pub(crate) fn outdate(&self, s: &mut ModelState) {
        let older = |object| CachedObject { current: false, ..object };
        for controller in &mut s.controllers {
            controller.cache = controller.cache.map(older);
            if let Some(running) = &mut controller.running {
                if running.machine.object().current {
                    let machine = Machine::clone(&running.machine).map(older, |instant| instant);
                    running.machine = self.machines.intern(machine);
                }
                if let Wait::Claim(held) = &mut running.wait {
                    held.current = false;
                }
            }
        }
        for late in &mut s.late {
            late.held.current = false;
        }
    }
}

/// Returns what a process with this memory keeps of the object. Its schedule is lost, as it may be.
fn kept(memory: &Interned<Memory>) -> KeptState {
    let unsent = memory.unsent().map(|(nonce, since)| (nonce.clone(), stamp(since)));
    KeptState::claimed(Memory::clone(memory), unsent)
}

impl<'a> Turn<'a> {
    fn new(model: &'a Model, s: &'a mut ModelState, i: usize, machine: Machine, kept: KeptState) -> Self {
        let result = StepResult { step: Step::Rest, wrote: false, ended: None };
        let (outcome, requested, free, conflict) = (StepOutcome::Well, false, false, false);
        Self { model, s, i, machine, kept, outcome, requested, free, conflict, result }
    }

    /// Performs effects until the next decision, or a response, is due. `None` if that is impossible with the outcome.
    fn run(mut self, mut effect: Effect<Serverless<CachedObject>>) -> Option<StepResult> {
        let wait = loop {
            let input = match effect {
                Effect::LookUp if self.requested => break Some(Wait::Nothing),
                Effect::LookUp => {
                    effect = self.decide();
                    continue;
                }
                Effect::Done(done) => {
                    self.end(&done);
                    break None;
                }
                Effect::Resolve if self.machine.object().object.deleting => {
                    Input::Resolved(Resolution::NotNeeded)
                }
                Effect::Resolve => {
                    let manifest = self.machine.object().object.manifest;
                    Input::Resolved(Resolution::Found(manifest.vpc_endpoint()))
                }
                Effect::Declare(_) | Effect::Acquire(_) | Effect::Publish(_) => Input::Performed,
                Effect::GetCredentials(_) => Input::Credentials(Ok(CredentialsInUse::Own)),
                Effect::Begin(_) => {
                    let number = self.s.nonces.saturating_add(1).min(MAX_NONCES);
                    Input::Begun(Some([number; 16]))
                }
                Effect::List(_) => Input::Listed(Ok(self.list()?)),
                Effect::Read => Input::Read(self.read()),
                Effect::Write(write) => match (self.write(&write)?, write) {
                    (Ok(object), ObjectWrite::Claim(_)) if self.model.config.slow_responses => {
                        break Some(Wait::Claim(object));
                    }
                    (written, _) => Input::Written(written),
                },
                Effect::Call { call, .. } => match self.call(&call) {
                    Some(response) => Input::Called(response, now()),
                    None => break Some(Wait::Atlas),
                },
                // No object here has an output ConfigMap, and the machine waits for no watch.
                Effect::Output(_) | Effect::FindAddress { .. } | Effect::CatchUp => Input::Stopped,
            };
            let mutation = self.model.mutation;
            effect = mutation.resume(&mut self.machine, input, &mut self.kept, &self.result.step);
        };
        (self.outcome == StepOutcome::Well).then(|| self.store(wait))
    }

    /// Decides, with one rule missing or none.
    fn decide(&mut self) -> Effect<Serverless<CachedObject>> {
        let mutation = self.model.mutation;
        if mutation == Mutation::None {
            // What the machine decides, for the invariants and the trace.
            let mut kept = KeptState::claimed(self.kept.memory.clone(), None);
            self.result.step = decide(&self.machine.observe(Others::default(), &mut kept, now()).0).step;
            return self.machine.resume(Input::Others(Others::default()), &mut self.kept, &moment());
        }
        // The same, with the ablation in between.
        let (mut observed, _) = self.machine.observe(Others::default(), &mut self.kept, now());
        mutation.before(&mut observed, self.s.controllers[self.i].acknowledged);
        let mut plan = self.machine.state().plan(observed, None);
        if mutation.after(&mut plan.decision, &plan.observed) {
            plan = self.machine.state().report(plan.observed, plan.decision, None);
        }
        self.result.step = plan.decision.step.clone();
        self.machine.proceed(plan, &mut self.kept, &moment())
    }

    /// Checks what is reported at the end of a reconcile.
    fn end(&mut self, done: &Done<Serverless<CachedObject>>) {
        self.result.ended = Some(done.requeue);
        if done.end == End::Released {
            self.kept.memory = self.model.remaining(std::mem::take(&mut self.kept.memory));
        }
        let Some(plan) = &done.plan else { return };
        let held = self.machine.object().object;
        let state = self.machine.state();
        let is_new = state.is_listed() && state.tracked().listed_at() == now() && !held.deleting;
        if is_new && plan.report.conditions.first().is_some_and(|ready| ready.status) {
            let past = &mut self.s.past;
            past.events |= Event::Ready.bit();
            let is_same = |object: ModelObject| object.life == held.life && object.recorded == held.recorded;
            if past.dead && self.s.object.is_some_and(is_same) {
                past.broken |= Invariant::ReadyLies.bit();
            }
        }
    }

    /// Keeps the machine, unless it has ended.
    fn store(self, wait: Option<Wait>) -> StepResult {
        let Self { model, s, i, mut machine, mut kept, result, .. } = self;
        let controller = &mut s.controllers[i];
        machine.take_notes();
        // How long work takes changes only what is reported of it.
        kept.memory.working(None, None, now());
        controller.running = wait.map(|wait| {
            let machine = machine.map(|object| object, |instant| instant);
            RunningReconcile { machine: model.machines.intern(machine), wait }
        });
        // A reconcile that the watch has overtaken leaves no memory of its object.
        let is_over = controller.running.is_none() && controller.cache.is_none();
        let memory = if is_over { model.remaining(kept.memory) } else { kept.memory };
        model.remember(controller, memory);
        result
    }
}

/// Describes a step in a few words.
pub(crate) fn short(step: &Step) -> String {
    match step {
        Step::Rest => "rests".to_owned(),
        Step::List => "LIST".to_owned(),
        Step::Claim { nonce, replaced, .. } => {
            let announced =
                nonce.as_ref().map_or("a new attempt".to_owned(), |n| format!("{} again", nonce_number(n)));
            let replaced = replaced.as_ref().map_or(String::new(), |id| format!(" for e{}", id_number(id)));
            format!("claims {announced}{replaced}")
        }
        Step::Create { nonce, .. } => format!("sends POST {}", nonce_number(nonce)),
        Step::Record { endpoint, origin } => format!("records e{} ({origin:?})", id_number(&endpoint.id)),
        Step::Update { id, .. } => format!("sends PATCH e{}", id_number(id)),
        Step::Delete { id, .. } => format!("sends DELETE e{}", id_number(id)),
        Step::Release(reason) => format!("releases ({reason:?})"),
    }
}
