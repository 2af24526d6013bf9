//! The state that follows from an action: watches, crashes, time, users; and the initial state.
//!
//! A controller's part is in `controller`; the API server's and Atlas' parts have files of their own.

use domain::reconcile::{ApiFailure, Input};
use domain::serverless::memory::Memory;

use super::Model;
use super::actions::ModelAction;
use super::in_flight::AtlasWrite;
use super::object::{Annotation, CachedObject, Manifest, MarkOwner, ModelObject};
use super::perform::receive;
use super::state::{Controller, ModelEndpoint, ModelState, PastEvents, Phase, Wait};
use super::times::{LAG, LONG_AGO, WITHIN};
use crate::spend::spend;

impl Model {
    /// Returns the state in which the object has just been created and no controller has reconciled it.
    pub(crate) fn initial_state(&self) -> ModelState {
        let config = &self.config;
        let preexisting = (1_u8..).zip(config.preexisting);
        let mut endpoints: Vec<_> =
            preexisting.map(|(id, mark)| ModelEndpoint::reserved(id, *mark, LAG)).collect();
        let claim = config.foreign_claim.then_some(Annotation::Foreign);
        let mut object = self.fresh(1, claim);
        if config.begun {
            let id = u8::try_from(endpoints.len() + 1).unwrap_or_default();
            endpoints.push(ModelEndpoint::reserved(id, MarkOwner::Ours, LAG));
            object.finalizer = true;
            object.claim = Some(Annotation::Claim { life: 1, nonce: 1, replaced: 0 });
            object.recorded = id;
        }
        let cache = CachedObject { object, current: true };
        let memory = self.memories.intern(Memory::default());
        let mut controller = Controller { memory, cache: Some(cache), running: None, acknowledged: 0 };
        if config.begun {
            self.observe(&mut controller, &cache);
            for _ in 0..LONG_AGO {
                self.age(&mut controller);
            }
        }
        let nonces = u8::from(config.begun);
        ModelState {
            object: Some(object),
            lives: 1,
            controllers: vec![controller; config.controllers],
            requests: Vec::new(),
            late: Vec::new(),
            made: u8::try_from(endpoints.len()).unwrap_or_default(),
            endpoints,
            nonces,
            left: config.budget,
            past: PastEvents::default(),
        }
    }

    fn fresh(&self, life: u8, claim: Option<Annotation>) -> ModelObject {
        ModelObject {
            life,
            deleting: false,
            finalizer: false,
            claim,
            recorded: 0,
            shown: MarkOwner::Ours,
            shown_vpc: 0,
            stale_vpc: 0,
            take_over: self.config.take_over,
            manifest: self.config.manifest,
        }
    }

    /// Returns the state after one action; `None` if it cannot happen or changes nothing.
    pub(crate) fn transition(&self, before: &ModelState, action: ModelAction) -> Option<ModelState> {
        if let ModelAction::Step(i, outcome) = action {
            return self.step(before, usize::from(i), outcome, false).map(|(s, _)| normalize(s));
        }
        if let ModelAction::ApplyLate(n) = action {
            return Some(normalize(self.apply_late(before, usize::from(n))));
        }
        let mut s = before.clone();
        match action {
            ModelAction::Step(..) | ModelAction::ApplyLate(_) => return None,
            ModelAction::Watch(i) => self.watch(&mut s, usize::from(i))?,
            ModelAction::Acknowledge(i) => self.acknowledge(&mut s, usize::from(i))?,
            ModelAction::LoseAcknowledgement(i) => {
                spend(&mut s.left.outages)?;
                let lost = Err(ApiFailure::Unknown(String::new()));
                self.respond(&mut s, usize::from(i), Input::Written(lost))?;
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
            ModelAction::Remove(id) => s.endpoint(id)?.leave(Phase::Gone),
            ModelAction::Create(restored) => {
                let budget = if restored { &mut s.left.restores } else { &mut s.left.creations };
                spend(budget)?;
                s.lives += 1;
                let claim = s.past.backup.filter(|_| restored);
                s.object = Some(self.fresh(s.lives, claim));
            }
            ModelAction::Vanish(id) => {
                spend(&mut s.left.vanishings)?;
                s.endpoint(id)?.leave(Phase::Gone);
            }
            ModelAction::Unmark(id) => {
                spend(&mut s.left.unmarkings)?;
                s.endpoint(id)?.mark = MarkOwner::None;
            }
            _ => self.edit(&mut s, action)?,
        }
        Some(normalize(s)).filter(|after| after != before)
    }

    /// Applies a change of the object by users and others.
    fn edit(&self, s: &mut ModelState, action: ModelAction) -> Option<()> {
        let before = s.object?;
        let mut object = before;
        let mut remains = true;
        match action {
            ModelAction::Delete => {
                spend(&mut s.left.deletions)?;
                object.deleting = true;
                remains = object.finalizer;
            }
            ModelAction::WipeStatus => {
                spend(&mut s.left.status_wipes)?;
                object.recorded = 0;
                object.shown_vpc = 0;
            }
            ModelAction::WipeClaim => {
                spend(&mut s.left.claim_wipes)?;
                object.claim = None;
            }
            ModelAction::Garble => {
                spend(&mut s.left.garbles)?;
                object.claim = Some(Annotation::Unreadable);
            }
            ModelAction::ForceOff => {
                spend(&mut s.left.forced)?;
                object.finalizer = false;
                remains = !object.deleting;
                s.past.forced = true;
            }
            ModelAction::Edit(n) => {
                spend(&mut s.left.edits)?;
                object.manifest = *self.config.edits.get(usize::from(n))?;
            }
            ModelAction::NameRecorded => {
                spend(&mut s.left.edits)?;
                object.manifest = Manifest { endpoint: object.recorded, ..object.manifest };
            }
            ModelAction::Touch => spend(&mut s.left.touches)?,
            _ => return None,
        }
        self.outdate(s);
        s.object = remains.then_some(object);
        if !remains {
            s.past.backup = object.claim;
            // An endpoint left by a forced deletion violates no invariant. An object that never had a finalizer never
            // had an endpoint either, and what an earlier one has left stays as it is.
            s.past.may_stay |= s.past.forced;
            s.past.forced = false;
        }
        Some(())
    }

    /// Delivers the newest state of the object by the watch, to the memory, too.
    pub(crate) fn watch(&self, s: &mut ModelState, i: usize) -> Option<()> {
        let controller = &mut s.controllers[i];
        if let Some(object) = s.object {
            let cache = CachedObject { object, current: true };
            self.observe(controller, &cache);
            controller.cache = Some(cache);
        } else {
            // A running reconcile goes on; it detects the change by itself.
            controller.cache.take()?;
            let memory = self.remaining(Memory::clone(&controller.memory));
            self.remember(controller, memory);
        }
        Some(())
    }

    /// Delivers the response to an accepted claim.
    pub(crate) fn acknowledge(&self, s: &mut ModelState, i: usize) -> Option<()> {
        let controller = &mut s.controllers[i];
        let Wait::Claim(held) = controller.running.as_ref()?.wait else { return None };
        receive(controller, held);
        self.respond(s, i, Input::Written(Ok(held)))
    }

    fn crash(&self, s: &mut ModelState, i: u8) {
        let controller = &mut s.controllers[usize::from(i)];
        self.remember(controller, Memory::default());
        controller.running = None;
        controller.acknowledged = 0;
        for request in s.requests.iter_mut().filter(|request| request.from == Some(i)) {
            request.from = None;
        }
    }

    pub(crate) fn tick(&self, s: &mut ModelState) {
        for controller in &mut s.controllers {
            self.age(controller);
        }
        if s.past.gone > 0 {
            s.past.gone = (s.past.gone + 1) % (WITHIN + 2);
        }
        for request in &mut s.requests {
            request.left = request.left.saturating_sub(1);
        }
        for endpoint in &mut s.endpoints {
            endpoint.born = LAG.min(endpoint.born + 1);
            if matches!(endpoint.phase, Phase::Gone | Phase::Deleting) {
                endpoint.left = LAG.min(endpoint.left + 1);
            }
        }
    }
}

/// Normalizes states that differ only in insignificant details.
pub(crate) fn normalize(mut s: ModelState) -> ModelState {
    s.endpoints.retain(|e| e.phase != Phase::Gone || e.left < LAG);
    s.requests
        .sort_by_key(|request| (request.from, request.left, matches!(request.write, AtlasWrite::Post(_))));
    for controller in &mut s.controllers {
        // Unless a reconcile has claimed, no rule reads when the claim was acknowledged.
        if controller.running.is_none() {
            controller.acknowledged = 0;
        }
    }
    s
}
