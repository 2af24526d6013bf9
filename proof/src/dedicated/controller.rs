//! One controller: it runs the machine that ships, `domain::dedicated::reconcile::Reconcile`, and keeps it in a state where anything else
//! may happen before its next input.
//!
//! A step leads from one remote effect to the next. Nothing here decides what comes or what a response means; `perform` has the effects,
//! and ablations remove a rule in `mutations`.

use std::time::Duration;

use domain::access::CredentialsInUse;
use domain::dedicated::decision::Step;
use domain::dedicated::kept::KeptState;
use domain::dedicated::memory::Memory;
use domain::dedicated::reconcile::Reconcile;
use domain::dedicated::reconcile::vocabulary::{Dedicated, Plan};
use domain::dedicated::status::report;
use domain::reconcile::{Done, Effect, End, Input, ReconcileSettings, Resolution, Started};
use domain::status::ConditionType;

use super::convert::{from_life, from_target, key};
use super::in_flight::StepOutcome;
use super::mutations::Mutation;
use super::object::{HeldObject, ModelObject};
use super::state::{Controller, Machine, ModelState, RunningReconcile};
use super::times::{OLD, TICK, ago, moment, now, older};
use super::{Event, Model};

/// The result of a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepResult {
    /// The decision that it followed.
    pub step: Step,
    /// Whether an object or Atlas was written to.
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
    /// The slot of the object.
    pub(crate) slot: usize,
    pub(crate) machine: Machine,
    pub(crate) kept: KeptState,
    /// What of the running reconcile is not in the machine.
    pub(crate) running: RunningReconcile,
    /// How its remote effect ends, until it has ended.
    pub(crate) outcome: StepOutcome,
    /// There was a remote effect, or a response.
    pub(crate) requested: bool,
    /// Attempts are not counted.
    pub(crate) free: bool,
    pub(crate) result: StepResult,
}

impl Model {
    /// Returns the settings of the machine.
    fn settings(&self) -> ReconcileSettings {
        ReconcileSettings { times: self.times, poll_min: TICK / 4, poll_max: TICK / 2 }
    }

    /// Runs controller `i` on the object of a slot: begins a reconcile, or takes its next step. `None` if it has nothing to do, or not
    /// with that outcome.
    pub(crate) fn step(
        &self,
        before: &ModelState,
        (i, slot): (usize, usize),
        outcome: StepOutcome,
        free: bool,
    ) -> Option<(ModelState, StepResult)> {
        let mut s = before.clone();
        let mut kept = kept(&s.controllers[i], slot);
        let (running, effect) = match s.controllers[i].running[slot].take() {
            Some(running) if running.waits => return None,
            Some(running) => (running, None),
            None => {
                let held = self.begin(&mut s, i, slot)?;
                let started = Reconcile::start(held, &mut kept, &self.settings(), now(), now());
                let Started::Now(mut machine) = started else { return None };
                let effect = machine.resume(Input::Start, &mut kept, &moment());
                (self.running(*machine), Some(effect))
            }
        };
        // One that goes on has yet to decide.
        let machine = Machine::clone(&running.machine);
        let turn = Turn { outcome, free, ..Turn::new(self, &mut s, (i, slot), machine, kept, running) };
        let result = turn.run(effect.unwrap_or(Effect::LookUp))?;
        Some((s, result))
    }

    /// Returns the object of a new reconcile: as its watch shows it, or, if the process has written it since, as it is now.
    fn begin(&self, s: &mut ModelState, i: usize, slot: usize) -> Option<HeldObject> {
        let controller = &mut s.controllers[i];
        let cached = controller.view.objects[slot]?;
        let bit = 1 << slot;
        let object = if controller.behind & bit == 0 {
            cached
        } else {
            s.objects[slot].filter(|object| object.life == cached.life)?
        };
        Some(self.held(slot, object))
    }

    pub(crate) fn held(&self, slot: usize, object: ModelObject) -> HeldObject {
        let trusts_all = self.mutation == Mutation::AnyoneRecorded;
        HeldObject { slot: u8::try_from(slot).unwrap_or_default(), object, trusts_all }
    }

    /// Gives the machine of controller `i` for the object of a slot the response that it waits for.
    pub(crate) fn respond(
        &self,
        s: &mut ModelState,
        (i, slot): (usize, usize),
        input: Input<Dedicated<HeldObject>>,
    ) -> Option<()> {
        let running = s.controllers[i].running[slot].take_if(|running| running.waits)?;
        let kept = kept(&s.controllers[i], slot);
        let machine = Machine::clone(&running.machine);
        let mut turn = Turn::new(self, s, (i, slot), machine, kept, running);
        turn.requested = true;
        let effect = turn.machine.resume(input, &mut turn.kept, &moment());
        turn.run(effect).map(drop)
    }

    fn running(&self, machine: Machine) -> RunningReconcile {
        RunningReconcile {
            machine: self.machines.intern(machine),
            waits: false,
            claimed: None,
            namers: 0,
            outlived: false,
        }
    }

    /// Replaces the memory of an object.
    pub(crate) fn remember(&self, controller: &mut Controller, slot: usize, memory: Memory) {
        if *controller.memory[slot] != memory {
            controller.memory[slot] = self.memories.intern(memory);
        }
    }

    /// Forgets an object that is gone.
    pub(crate) fn forget(&self, controller: &mut Controller, slot: usize) {
        self.remember(controller, slot, Memory::default());
        controller.services &= !(1 << slot);
        controller.behind &= !(1 << slot);
    }

    /// Lets one tick pass for a controller.
    pub(crate) fn age(&self, controller: &mut Controller) {
        controller.view = self.views.older(&controller.view, &self.times);
        for slot in 0..controller.memory.len() {
            let running = controller.running[slot].as_mut();
            let measured_at =
                running.as_ref().and_then(|running| running.machine.state().measured_at()).unwrap_or(now());
            if let Some(running) = running {
                let later = |instant: Duration| instant.saturating_sub(TICK).max(ago(OLD));
                let machine = Machine::clone(&running.machine).map(|object| object, later);
                running.machine = self.machines.intern(machine);
            }
            let memory = Memory::clone(&controller.memory[slot]);
            let memory = memory.map_instants(|instant| older(instant, measured_at, OLD));
            self.remember(controller, slot, memory);
        }
    }
}

/// Returns what a process keeps of an object. Its schedule is lost, as it may be.
fn kept(controller: &Controller, slot: usize) -> KeptState {
    let mut kept = KeptState::default();
    kept.memory = Memory::clone(&controller.memory[slot]);
    kept.services = key().map(|key| key.services).filter(|_| controller.services & 1 << slot != 0);
    kept
}

impl<'a> Turn<'a> {
    fn new(
        model: &'a Model,
        s: &'a mut ModelState,
        (i, slot): (usize, usize),
        machine: Machine,
        kept: KeptState,
        running: RunningReconcile,
    ) -> Self {
        let result = StepResult { step: Step::Rest, wrote: false, ended: None };
        let (outcome, requested, free) = (StepOutcome::Well, false, false);
        Self { model, s, i, slot, machine, kept, running, outcome, requested, free, result }
    }

    /// Performs effects until the next decision, or a response, is due. `None` if that is impossible with the outcome.
    fn run(mut self, mut effect: Effect<Dedicated<HeldObject>>) -> Option<StepResult> {
        let waits = loop {
            let input = match effect {
                Effect::LookUp if self.requested => break Some(false),
                Effect::LookUp => {
                    effect = self.decide();
                    continue;
                }
                Effect::Done(done) => {
                    self.end(&done);
                    break None;
                }
                Effect::Resolve => Input::Resolved(Resolution::Found(self.resolve()?)),
                Effect::Declare(_) | Effect::Acquire(_) | Effect::Publish(_) => Input::Performed,
                Effect::GetCredentials(_) => Input::Credentials(Ok(CredentialsInUse::Own)),
                Effect::Begin(_) => Input::Begun(Some([self.next_nonce()?; 16])),
                Effect::List(_) => Input::Listed(Ok(self.list()?)),
                Effect::Read => Input::Read(self.read()),
                Effect::Write(write) => Input::Written(self.write(&write)?),
                // What the watches show was brought up to date with the claim.
                Effect::CatchUp => Input::CaughtUp(true),
                Effect::Call { call, .. } => match self.call(&call) {
                    Some(response) => Input::Called(response, now()),
                    None => break Some(true),
                },
                // No object here has an output ConfigMap or an address.
                Effect::Output(_) | Effect::FindAddress { .. } => Input::Stopped,
            };
            effect = self.machine.resume(input, &mut self.kept, &moment());
        };
        (self.outcome == StepOutcome::Well).then(|| self.store(waits))
    }

    /// Decides, with one rule missing or none.
    fn decide(&mut self) -> Effect<Dedicated<HeldObject>> {
        let Self { model, s, i, slot, .. } = self;
        let times = &model.times;
        let held = &self.machine.object().object;
        let others = model.views.look_up(&s.controllers[*i].view, *slot, held, times);
        let mut observed = self.machine.state().observe(others, &mut self.kept, (times, now()));
        model.mutation.before(&mut observed, s, *i);
        let mut decision = domain::dedicated::decide::decide(&observed);
        model.mutation.after(&mut decision, &observed, s);
        self.result.step = decision.step.clone();
        let report = report(&observed, &decision);
        self.machine.proceed(Plan { observed, decision, report }, &mut self.kept, &moment())
    }

    /// Keeps what is reported at the end of a reconcile.
    fn end(&mut self, done: &Done<Dedicated<HeldObject>>) {
        self.result.ended = Some(done.requeue);
        let Self { model, s, i, slot, .. } = self;
        if done.end == End::Released {
            let controller = &mut s.controllers[*i];
            controller.view = model.views.without(&controller.view, *slot, &model.times);
            self.kept = KeptState::default();
        }
        let Some(plan) = &done.plan else { return };
        if plan.report.get(ConditionType::Ready).is_some_and(|ready| ready.status) {
            model.happened(Event::Ready);
        }
    }

    /// Keeps the machine, unless it has ended.
    fn store(self, waits: Option<bool>) -> StepResult {
        let Self { model, s, i, slot, mut machine, mut kept, running, result, .. } = self;
        let controller = &mut s.controllers[i];
        machine.take_notes();
        // How long work takes changes only what is reported of it.
        kept.memory.working(None, None, now());
        controller.running[slot] = waits.map(|waits| {
            let machine = machine.map(|object| object, |instant| instant);
            RunningReconcile { machine: model.machines.intern(machine), waits, ..running }
        });
        if controller.view.objects[slot].is_none() && controller.running[slot].is_none() {
            // What a reconcile leaves of an object that is gone is dropped with the next event of the name.
            model.forget(controller, slot);
        } else {
            controller.services |= u8::from(kept.services.is_some()) << slot;
            model.remember(controller, slot, kept.memory);
        }
        result
    }
}

/// Describes a step in a few words.
pub(crate) fn short(step: &Step) -> String {
    use super::describe::{life, target};
    match step {
        Step::Rest => "rests".to_owned(),
        Step::List => "LIST".to_owned(),
        Step::Hold => "writes the finalizer".to_owned(),
        Step::Claim(claimed) => format!("claims {}", target(from_target(claimed))),
        Step::Send(_, sent) => format!("sends {}", target(from_target(sent))),
        Step::Record(entry, _) => {
            format!("records {} ({:?})", life(from_life(&entry.life)), entry.provenance)
        }
        Step::Forget(gone, _) => format!("forgets {}", life(from_life(gone))),
        Step::Update(..) => "sends PATCH".to_owned(),
        Step::Release => "releases".to_owned(),
    }
}
