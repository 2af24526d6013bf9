//! The state that follows from an action: watches, crashes, time, users, others; and the initial state.
//!
//! A controller's part is in `controller`; the API server's and Atlas' parts have files of their own.

use domain::dedicated::life::Sort;
use domain::dedicated::memory::Memory;

use super::Model;
use super::actions::ModelAction;
use super::api_server::remove;
use super::object::{Manifest, ModelLife, ModelObject, RecordedLives, SLOTS, sibling, sort};
use super::state::{AtlasLife, Controller, ModelState, PastEvents, Phase, View};
use super::times::LAG;
use crate::spend::spend;

impl Model {
    /// Returns the first state of a search; `None` if what is to have happened before cannot.
    pub(crate) fn initial_state(&self) -> Option<ModelState> {
        let happens = |s: ModelState, action: &ModelAction| self.transition(&s, *action);
        self.config.prefix.iter().try_fold(self.beginning(), happens)
    }

    /// Returns the state in which the objects have just been created and no controller has reconciled them, or, if the scenario begins
    /// later, everything has converged.
    pub(crate) fn beginning(&self) -> ModelState {
        let config = &self.config;
        let mut lives = 0;
        let objects = std::array::from_fn(|slot| {
            let manifest = config.manifests[slot].filter(|_| config.begins & 1 << slot != 0)?;
            lives += 1;
            Some(fresh(lives, manifest))
        });
        let thing = |life| AtlasLife { life, phase: Phase::Available, creator: 0, born: LAG, left: 0 };
        let preexisting =
            config.preexisting.iter().map(|endpoint| ModelLife { service: 1, endpoint: *endpoint });
        let mut s = ModelState {
            objects,
            lives,
            controllers: Vec::new(),
            requests: Vec::new(),
            late: Vec::new(),
            atlas: preexisting.map(thing).collect(),
            made: u8::from(!config.preexisting.is_empty()),
            nonces: 0,
            left: config.budget,
            past: PastEvents::default(),
        };
        let memory = self.memories.intern(Memory::default());
        let mut controller = Controller {
            view: self.views.intern(View::default()),
            memory: std::array::from_fn(|_| memory.clone()),
            running: std::array::from_fn(|_| None),
            behind: 0,
            services: 0,
            answered: 0,
        };
        for of in [Sort::Service, Sort::Endpoint] {
            controller.view = self.views.watched(&controller.view, &s.objects, of, &self.times);
        }
        s.controllers = vec![controller; config.controllers];
        if config.begun { self.settled(s) } else { s }
    }

    /// Returns the state after one action; `None` if it cannot happen or changes nothing.
    pub(crate) fn transition(&self, before: &ModelState, action: ModelAction) -> Option<ModelState> {
        if let ModelAction::Step(i, slot, outcome) = action {
            let at = (usize::from(i), usize::from(slot));
            return self.step(before, at, outcome, false).map(|(s, _)| normalize(s)).filter(|s| s != before);
        }
        if let ModelAction::ApplyLate(n) = action {
            return Some(normalize(self.apply_late(before, usize::from(n))));
        }
        let mut s = before.clone();
        match action {
            ModelAction::Step(..) | ModelAction::ApplyLate(_) => return None,
            ModelAction::Watch(i, services) => {
                self.watch(&mut s, usize::from(i), if services { Sort::Service } else { Sort::Endpoint });
            }
            ModelAction::Crash(i) => {
                spend(&mut s.left.crashes)?;
                self.crash(&mut s, i);
            }
            ModelAction::Deliver(n, outcome) => self.deliver_request(&mut s, usize::from(n), outcome)?,
            ModelAction::DropLate(n) => {
                s.late.remove(usize::from(n));
            }
            ModelAction::Tick => self.tick(&mut s),
            ModelAction::Advance(life) => self.advance(&mut s, life),
            ModelAction::StrangerCreates => {
                spend(&mut s.left.strangers)?;
                self.create_service(&mut s, 0);
            }
            ModelAction::StrangerRegisters(endpoint) => {
                spend(&mut s.left.strangers)?;
                let life = ModelLife { endpoint, ..s.service()?.life };
                self.register(&mut s, life, 0);
            }
            ModelAction::Vanish(life) => {
                spend(&mut s.left.vanishings)?;
                vanish(&mut s, life);
            }
            _ => self.edit(&mut s, action)?,
        }
        Some(normalize(s)).filter(|after| after != before)
    }

    /// Applies a change of an object by users and others.
    fn edit(&self, s: &mut ModelState, action: ModelAction) -> Option<()> {
        let (ModelAction::Delete(slot)
        | ModelAction::Create(slot)
        | ModelAction::Restore(slot)
        | ModelAction::Copy(slot)
        | ModelAction::WipeStatus(slot)
        | ModelAction::WipeClaim(slot)
        | ModelAction::ForceOff(slot)
        | ModelAction::Edit(slot)) = action
        else {
            return None;
        };
        let mut slot = usize::from(slot);
        if let ModelAction::Create(_) | ModelAction::Restore(_) | ModelAction::Copy(_) = action {
            return self.create(s, slot, action);
        }
        if let ModelAction::Edit(_) = action {
            slot = usize::from(self.config.edits.get(slot)?.0);
        }
        let mut object = s.objects[slot]?;
        match action {
            ModelAction::Delete(_) => {
                spend(&mut s.left.deletions)?;
                object.deleting = true;
            }
            ModelAction::WipeStatus(_) => {
                spend(&mut s.left.status_wipes)?;
                object.entries = RecordedLives::default();
                object.settled = 0;
            }
            ModelAction::WipeClaim(_) => {
                spend(&mut s.left.claim_wipes)?;
                object.claim = None;
            }
            ModelAction::ForceOff(_) => {
                spend(&mut s.left.forced)?;
                object.finalizer = false;
            }
            ModelAction::Edit(n) => {
                spend(&mut s.left.edits)?;
                object.manifest = self.config.edits.get(usize::from(n))?.1;
                object = object.naming();
            }
            _ => return None,
        }
        if object.deleting && !object.finalizer {
            remove(s, slot, &object);
        } else {
            s.objects[slot] = Some(object);
        }
        Some(())
    }

    /// The user creates an object.
    fn create(&self, s: &mut ModelState, slot: usize, action: ModelAction) -> Option<()> {
        let (slot, object) = match action {
            ModelAction::Create(_) => {
                spend(&mut s.left.creations)?;
                (slot, fresh(0, self.config.manifests[slot]?))
            }
            ModelAction::Restore(_) => {
                spend(&mut s.left.restores)?;
                let backup = s.past.backups[slot]?;
                (slot, ModelObject { deleting: false, finalizer: false, ..backup })
            }
            // The claim names another object.
            _ => {
                spend(&mut s.left.copies)?;
                let original = s.objects[slot]?;
                (sibling(slot), ModelObject { deleting: false, finalizer: false, claim: None, ..original })
            }
        };
        s.lives += 1;
        s.objects[slot] = Some(ModelObject { life: s.lives, named: 0, ..object }.naming());
        Some(())
    }

    /// Delivers the newest state of all objects of a sort by the watch, to the memory, too.
    pub(crate) fn watch(&self, s: &mut ModelState, i: usize, of: Sort) {
        let ModelState { controllers, objects, .. } = s;
        let controller = &mut controllers[i];
        controller.view = self.views.watched(&controller.view, objects, of, &self.times);
        for slot in (0..SLOTS).filter(|slot| sort(*slot) == of) {
            self.shown(controller, slot);
        }
    }

    /// The watch has shown the newest state of an object.
    pub(crate) fn shown(&self, controller: &mut Controller, slot: usize) {
        controller.behind &= !(1 << slot);
        if controller.view.objects[slot].is_none() {
            // A running reconcile goes on; it detects the change by itself.
            self.forget(controller, slot);
        }
    }

    fn crash(&self, s: &mut ModelState, i: u8) {
        let controller = &mut s.controllers[usize::from(i)];
        let view = View { objects: controller.view.objects, claims: Vec::new() };
        // The first listing shows the claims that objects carry.
        controller.view = self.views.seen_first(view, &self.times);
        controller.running = std::array::from_fn(|_| None);
        controller.answered = 0;
        for slot in 0..SLOTS {
            self.forget(controller, slot);
        }
        for request in s.requests.iter_mut().filter(|request| request.from.is_some_and(|(from, _)| from == i))
        {
            request.from = None;
        }
    }

    pub(crate) fn tick(&self, s: &mut ModelState) {
        for controller in &mut s.controllers {
            self.age(controller);
        }
        for request in &mut s.requests {
            request.left = request.left.saturating_sub(1);
        }
        for thing in &mut s.atlas {
            thing.born = LAG.min(thing.born + 1);
            if !thing.is_live() {
                thing.left = LAG.min(thing.left + 1);
            }
        }
    }

    /// Atlas goes on with something.
    pub(crate) fn advance(&self, s: &mut ModelState, life: ModelLife) {
        let phase = s.get(life).map(|thing| thing.phase);
        match (phase, s.get_mut(life)) {
            (Some(Phase::Preparing), Some(thing)) => thing.phase = Phase::Available,
            (Some(Phase::Removing), _) => self.remove(s, life, Phase::Gone),
            _ => {}
        }
    }
}

/// Others remove something, at once and whatever depends on it.
fn vanish(s: &mut ModelState, life: ModelLife) {
    let is_hit = |thing: &&mut AtlasLife| {
        thing.life == life || life.endpoint == 0 && thing.life.service == life.service
    };
    for thing in s.atlas.iter_mut().filter(|thing| thing.exists()).filter(is_hit) {
        thing.leave(Phase::Gone);
    }
}

/// Returns an object as the user creates it.
fn fresh(life: u8, manifest: Manifest) -> ModelObject {
    let entries = RecordedLives::default();
    ModelObject {
        life,
        deleting: false,
        finalizer: false,
        claim: None,
        settled: 0,
        entries,
        manifest,
        named: 0,
    }
    .naming()
}

/// Normalizes states that differ only in insignificant details.
pub(crate) fn normalize(mut s: ModelState) -> ModelState {
    s.atlas.retain(|thing| thing.exists() || thing.left < LAG);
    s.atlas.sort_by_key(|thing| (thing.life, thing.exists(), thing.left));
    s.requests.sort_by_key(|request| (request.nonce, request.left, request.from));
    for controller in &mut s.controllers {
        for running in controller.running.iter_mut().flatten() {
            // Of what was sent, the request knows the rest.
            if running.waits {
                (running.claimed, running.namers, running.outlived) = (None, 0, false);
            }
        }
    }
    if s.left.restores == 0 {
        s.past.backups = PastEvents::default().backups;
    }
    s
}
