//! The state that follows from an action: watches, crashes, time, users; and the initial state.
//!
//! A controller's part is in `shell`; the API server's and Atlas' parts have files of their own.

use std::sync::Arc;

use crate::Model;
use crate::actions::{Action, NO_LIMIT};
use crate::api_server::outdate;
use crate::responses::{acknowledge, age, gone, observe};

use crate::in_flight::Write;
use crate::state::{
    Annotation, CachedObject, Endpoint, History, Manifest, Mark, Object, Phase, Process, State, Wait,
};
use crate::time::{LAG, LONG_AGO, WITHIN};

pub(crate) fn spend(budget: &mut u8) -> Option<()> {
    if *budget != NO_LIMIT {
        *budget = budget.checked_sub(1)?;
    }
    Some(())
}

impl Model {
    /// Returns the state in which the object has just been created and no controller has reconciled it.
    pub(crate) fn initial_state(&self) -> State {
        let config = &self.config;
        let strangers = (1_u8..).zip(config.strangers);
        let mut endpoints: Vec<_> = strangers.map(|(id, mark)| Endpoint::reserved(id, *mark, LAG)).collect();
        let claim = config.foreign_claim.then_some(Annotation::Foreign);
        let mut object = self.fresh(1, claim);
        if config.begun {
            let id = u8::try_from(endpoints.len() + 1).unwrap_or_default();
            endpoints.push(Endpoint::reserved(id, Mark::Ours, LAG));
            object.finalizer = true;
            object.claim = Some(Annotation::Claim { life: 1, nonce: 1, replaced: 0 });
            object.recorded = id;
        }
        let mut process =
            Process { cache: Some(CachedObject { object, current: true }), ..Process::default() };
        if config.begun {
            observe(&mut process.memory, &object);
            for _ in 0..LONG_AGO {
                age(&mut process);
            }
        }
        let nonces = u8::from(config.begun);
        State {
            object: Some(object),
            lives: 1,
            processes: vec![process; config.controllers],
            calls: Vec::new(),
            late: Vec::new(),
            made: u8::try_from(endpoints.len()).unwrap_or_default(),
            endpoints,
            nonces,
            left: config.budget,
            history: History::default(),
        }
    }

    fn fresh(&self, life: u8, claim: Option<Annotation>) -> Object {
        Object {
            life,
            deleting: false,
            finalizer: false,
            claim,
            recorded: 0,
            shown: Mark::Ours,
            shown_vpc: 0,
            stale_vpc: 0,
            take_over: self.config.take_over,
            manifest: self.config.manifest,
        }
    }

    /// Returns the state after one action; `None` if it cannot happen or changes nothing.
    pub(crate) fn transition(&self, before: &State, action: Action) -> Option<State> {
        if let Action::Step(i, outcome) = action {
            return self.step(before, usize::from(i), outcome, false).map(|(s, _)| normalize(s));
        }
        if let Action::ArriveLate(n) = action {
            return Some(normalize(self.arrive_late(before, usize::from(n))));
        }
        let mut s = before.clone();
        match action {
            Action::Step(..) | Action::ArriveLate(_) => return None,
            Action::Watch(i) => watch(&mut s, usize::from(i))?,
            Action::Acknowledge(i) => acknowledge(&mut s, usize::from(i)),
            Action::LoseAcknowledgement(i) => {
                spend(&mut s.left.outages)?;
                lose_acknowledgement(&mut s, usize::from(i));
            }
            Action::Crash(i) => {
                spend(&mut s.left.crashes)?;
                crash(&mut s, i);
            }
            Action::Land(n, fate) => self.land(&mut s, usize::from(n), fate)?,
            Action::DropLate(n) => {
                s.late.remove(usize::from(n));
            }
            Action::Tick => tick(&mut s),
            Action::Remove(id) => s.endpoint(id)?.leave(Phase::Gone),
            Action::Create(restored) => {
                let budget = if restored { &mut s.left.restores } else { &mut s.left.creations };
                spend(budget)?;
                s.lives += 1;
                let claim = s.history.backup.filter(|_| restored);
                s.object = Some(self.fresh(s.lives, claim));
            }
            Action::Vanish(id) => {
                spend(&mut s.left.vanishings)?;
                s.endpoint(id)?.leave(Phase::Gone);
            }
            Action::Unmark(id) => {
                spend(&mut s.left.unmarkings)?;
                s.endpoint(id)?.mark = Mark::None;
            }
            _ => self.edit(&mut s, action)?,
        }
        Some(normalize(s)).filter(|after| after != before)
    }

    /// Applies a change of the object by users and others.
    fn edit(&self, s: &mut State, action: Action) -> Option<()> {
        let before = s.object?;
        let mut object = before;
        let mut remains = true;
        match action {
            Action::Delete => {
                spend(&mut s.left.deletions)?;
                object.deleting = true;
                remains = object.finalizer;
            }
            Action::WipeStatus => {
                spend(&mut s.left.status_wipes)?;
                object.recorded = 0;
                object.shown_vpc = 0;
            }
            Action::WipeClaim => {
                spend(&mut s.left.claim_wipes)?;
                object.claim = None;
            }
            Action::Garble => {
                spend(&mut s.left.garbles)?;
                object.claim = Some(Annotation::Unreadable);
            }
            Action::ForceOff => {
                spend(&mut s.left.forced)?;
                object.finalizer = false;
                remains = !object.deleting;
                s.history.forced = true;
            }
            Action::Edit(n) => {
                spend(&mut s.left.edits)?;
                object.manifest = *self.config.edits.get(usize::from(n))?;
            }
            Action::NameRecorded => {
                spend(&mut s.left.edits)?;
                object.manifest = Manifest { endpoint: object.recorded, ..object.manifest };
            }
            Action::Touch => spend(&mut s.left.touches)?,
            _ => return None,
        }
        outdate(s);
        s.object = remains.then_some(object);
        if !remains {
            s.history.backup = object.claim;
            // An endpoint left by a forced deletion violates no invariant. An object that never had a finalizer never
            // had an endpoint either, and what an earlier one has left stays as it is.
            s.history.may_stay |= s.history.forced;
            s.history.forced = false;
        }
        Some(())
    }
}

/// Delivers the newest state of the object by the watch, to the memory, too.
pub(crate) fn watch(s: &mut State, i: usize) -> Option<()> {
    if let Some(object) = s.object {
        let process = &mut s.processes[i];
        observe(&mut process.memory, &object);
        process.cache = Some(CachedObject { object, current: true });
    } else {
        s.processes[i].cache.take()?;
        // A running reconcile goes on; it detects the change by itself.
        let pass = s.processes[i].pass.take();
        gone(s, i);
        s.processes[i].pass = pass;
    }
    Some(())
}

/// Loses the response to a claim: whether it was accepted stays unknown, so its attempt is never sent.
fn lose_acknowledgement(s: &mut State, i: usize) {
    let process = &mut s.processes[i];
    let pass = process.pass.take();
    if let Some(Wait::Claim(held)) = pass.map(|pass| pass.wait)
        && let Some(nonce) = held.object.reading().nonce()
    {
        Arc::make_mut(&mut process.memory).settle(nonce);
    }
}

fn crash(s: &mut State, i: u8) {
    let process = &mut s.processes[usize::from(i)];
    process.memory = Arc::default();
    process.pass = None;
    process.acknowledged = 0;
    for call in s.calls.iter_mut().filter(|call| call.from == Some(i)) {
        call.from = None;
    }
}

pub(crate) fn tick(s: &mut State) {
    for process in &mut s.processes {
        age(process);
    }
    if s.history.gone > 0 {
        s.history.gone = (s.history.gone + 1) % (WITHIN + 2);
    }
    for call in &mut s.calls {
        call.left = call.left.saturating_sub(1);
    }
    for endpoint in &mut s.endpoints {
        endpoint.born = LAG.min(endpoint.born + 1);
        if matches!(endpoint.phase, Phase::Gone | Phase::Deleting) {
            endpoint.left = LAG.min(endpoint.left + 1);
        }
    }
}

/// Normalizes states that differ only in insignificant details.
pub(crate) fn normalize(mut s: State) -> State {
    s.endpoints.retain(|e| e.phase != Phase::Gone || e.left < LAG);
    s.calls.sort_by_key(|call| (call.from, call.left, matches!(call.write, Write::Post(_))));
    for process in &mut s.processes {
        // Unless a reconcile has claimed, no rule reads when the claim was acknowledged.
        if process.pass.is_none() {
            process.acknowledged = 0;
        }
    }
    s
}
