//! Everything that can happen next: controllers, requests on their way, time, faults and users.
//!
//! Each move is small and may come at any moment; what may happen how often is a budget. The only thing that the world
//! promises is that a request does not travel longer than it may.

use std::sync::Arc;

use crate::shell::{Answer, Fortune, acknowledge, age, answered, gone, outdate, see};

use crate::world::{
    Annotation, Call, Endpoint, Held, LAG, LONG_AGO, Manifest, Mark, Object, Phase, Process, State, Wait,
    Write,
};
use crate::{Done, Model, Promise};

/// One thing that happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    /// A controller begins a reconcile or goes on with it.
    Step(u8, Fortune),
    /// A controller's watch delivers the newest state of the object.
    Watch(u8),
    /// The answer to a claim arrives.
    Acknowledge(u8),
    /// The answer to a claim is lost.
    LoseAcknowledgement(u8),
    /// A controller loses all that it knows and starts again, on a cache that may lag.
    Crash(u8),
    /// A request reaches Atlas.
    Land(u8, Fate),
    /// A write to the object arrives whose sender has given up.
    ArriveLate(u8),
    /// Such a write never arrives.
    DropLate(u8),
    /// A tick passes.
    Tick,
    /// Atlas has removed an endpoint.
    Remove(u8),
    /// The user deletes the object.
    Delete,
    /// The user creates it again; `true`: from a backup, with its annotations.
    Create(bool),
    /// Somebody wipes the status.
    WipeStatus,
    /// Somebody wipes the claim.
    WipeClaim,
    /// Somebody replaces the claim by one that cannot be read.
    Garble,
    /// Somebody takes the finalizer off.
    ForceOff,
    /// The user edits the spec.
    Edit(u8),
    /// The user names the recorded endpoint in `endpointId`.
    NameRecorded,
    /// Somebody writes something else into the object.
    Touch,
    /// Somebody deletes an endpoint in Atlas.
    Vanish(u8),
    /// Somebody takes the mark off an endpoint in Atlas.
    Unmark(u8),
}

/// How a request to Atlas ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Fate {
    /// Done and answered.
    Answered,
    /// Done, and the answer is lost.
    AnswerLost,
    /// Not done, and Atlas says so.
    Refused,
    /// Lost on its way.
    Lost,
    /// The sender gives up while it travels on.
    GivenUp,
    /// A DELETE of a new endpoint reaches a replica that does not know it yet.
    Overlooked,
}

/// A budget without end.
pub const NO_LIMIT: u8 = u8::MAX;

pub(crate) fn spend(budget: &mut u8) -> Option<()> {
    if *budget != NO_LIMIT {
        *budget = budget.checked_sub(1)?;
    }
    Some(())
}

impl Model {
    /// The object has just been created; nobody has looked at it.
    pub(crate) fn beginning(&self) -> State {
        let scope = &self.scope;
        let strangers = scope.strangers.iter().enumerate().map(|(n, mark)| Endpoint {
            id: u8::try_from(n + 1).unwrap_or_default(),
            mark: *mark,
            phase: Phase::Reserved,
            vpc: 0,
            born: LAG,
            left: 0,
        });
        let endpoints: Vec<_> = strangers.collect();
        let claim = scope.foreign_claim.then_some(Annotation::Foreign);
        let mut object = self.fresh(1, claim);
        let mut endpoints = endpoints;
        if scope.begun {
            let id = u8::try_from(endpoints.len() + 1).unwrap_or_default();
            let (mark, phase) = (Mark::Ours, Phase::Reserved);
            endpoints.push(Endpoint { id, mark, phase, vpc: 0, born: LAG, left: 0 });
            object.finalizer = true;
            object.claim = Some(Annotation::Claim { life: 1, nonce: 1, replaced: 0 });
            object.recorded = id;
        }
        let mut process = Process { cache: Some(Held { object, current: true }), ..Process::default() };
        if scope.begun {
            see(&mut process.memory, &object);
            for _ in 0..LONG_AGO {
                age(&mut process);
            }
        }
        let nonces = u8::from(scope.begun);
        State {
            object: Some(object),
            lives: 1,
            processes: vec![process; scope.controllers],
            calls: Vec::new(),
            late: Vec::new(),
            made: u8::try_from(endpoints.len()).unwrap_or_default(),
            endpoints,
            nonces,
            left: scope.budget,
            history: crate::History::default(),
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
            take_over: self.scope.take_over,
            manifest: self.scope.manifest,
        }
    }

    /// All that can happen next. What turns out to be impossible changes nothing.
    pub(crate) fn possible(&self, s: &State, actions: &mut Vec<Action>) {
        for (i, process) in (0_u8..).zip(&s.processes) {
            process_moves(s, i, process, actions);
        }
        for (n, call) in (0_u8..).zip(&s.calls) {
            call_moves(s, n, *call, actions);
        }
        for (n, _) in (0_u8..).zip(&s.late) {
            actions.extend([Action::ArriveLate(n), Action::DropLate(n)]);
        }
        if s.calls.iter().all(|call| call.left > 0 || self.scope.unbounded_travel) {
            actions.push(Action::Tick);
        }
        actions
            .extend(s.endpoints.iter().filter(|e| e.phase == Phase::Deleting).map(|e| Action::Remove(e.id)));
        self.user_moves(s, actions);
    }

    fn user_moves(&self, s: &State, actions: &mut Vec<Action>) {
        let left = &s.left;
        let mut offer = |budget: u8, action| {
            if budget > 0 {
                actions.push(action);
            }
        };
        let seen = !self.scope.seen_by_all
            || s.processes.iter().all(|process| process.cache.is_some_and(|cache| cache.current));
        match &s.object {
            None => {
                offer(left.creations, Action::Create(false));
                offer(left.restores, Action::Create(true));
            }
            Some(object) => {
                if !object.deleting {
                    offer(left.deletions, Action::Delete);
                }
                if object.recorded != 0 {
                    offer(left.status_wipes, Action::WipeStatus);
                    offer(left.edits.min(u8::from(object.manifest.observe)), Action::NameRecorded);
                }
                if object.claim.is_some() && seen {
                    offer(left.claim_wipes, Action::WipeClaim);
                    offer(left.garbles, Action::Garble);
                }
                if object.finalizer && seen {
                    offer(left.forced, Action::ForceOff);
                }
                // A DELETE that is on its way cannot be taken back: who asks for Retain now asks too late.
                let doomed = s.calls.iter().any(|call| matches!(call.write, Write::Delete { .. }));
                for (n, edit) in (0_u8..).zip(self.scope.edits) {
                    if *edit != object.manifest && !doomed {
                        offer(left.edits, Action::Edit(n));
                    }
                }
                offer(left.touches, Action::Touch);
            }
        }
        for e in s.endpoints.iter().filter(|e| e.is_live()) {
            offer(left.vanishings, Action::Vanish(e.id));
            if e.mark == Mark::Ours {
                offer(left.unmarkings, Action::Unmark(e.id));
            }
        }
    }

    /// What follows from one move; `None` if it cannot happen or changes nothing.
    pub(crate) fn happens(&self, before: &State, action: Action) -> Option<State> {
        if let Action::Step(i, fortune) = action {
            return self.step(before, usize::from(i), fortune, false).map(|(s, _)| tidy(s));
        }
        if let Action::ArriveLate(n) = action {
            return Some(tidy(self.arrive_late(before, usize::from(n))));
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
            Action::Remove(id) => {
                let endpoint = s.endpoint(id)?;
                endpoint.phase = Phase::Gone;
                endpoint.left = 0;
            }
            Action::Create(restored) => {
                let budget = if restored { &mut s.left.restores } else { &mut s.left.creations };
                spend(budget)?;
                s.lives += 1;
                let claim = s.history.backup.filter(|_| restored);
                s.object = Some(self.fresh(s.lives, claim));
            }
            Action::Vanish(id) => {
                spend(&mut s.left.vanishings)?;
                let endpoint = s.endpoint(id)?;
                endpoint.phase = Phase::Gone;
                endpoint.left = 0;
            }
            Action::Unmark(id) => {
                spend(&mut s.left.unmarkings)?;
                s.endpoint(id)?.mark = Mark::None;
            }
            _ => self.edit(&mut s, action)?,
        }
        Some(tidy(s)).filter(|after| after != before)
    }

    /// Users and others change the object.
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
                // What is lost between this and the next look is nobody's fault.
                s.history.may_stay = true;
            }
            Action::Edit(n) => {
                spend(&mut s.left.edits)?;
                object.manifest = *self.scope.edits.get(usize::from(n))?;
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
        }
        Some(())
    }

    /// A request reaches Atlas, or does not.
    pub(crate) fn land(&self, s: &mut State, n: usize, fate: Fate) -> Option<()> {
        let call = *s.calls.get(n)?;
        if fate == Fate::GivenUp {
            let from = call.from?;
            spend(&mut s.left.losses)?;
            s.calls[n].from = None;
            answered(s, usize::from(from), call.write, &Answer::Nothing);
            return Some(());
        }
        s.calls.remove(n);
        let answer = match fate {
            Fate::Answered => self.carry_out(s, call.write),
            Fate::AnswerLost => {
                spend(&mut s.left.losses)?;
                self.carry_out(s, call.write);
                Answer::Nothing
            }
            Fate::Refused => {
                spend(&mut s.left.refusals)?;
                Answer::Refused
            }
            Fate::Lost => {
                // What nobody waits for may get lost at no cost: it is nobody's surprise.
                if call.from.is_some() {
                    spend(&mut s.left.losses)?;
                }
                Answer::Nothing
            }
            Fate::Overlooked => {
                let Write::Delete { id, .. } = call.write else { return None };
                s.endpoint(id).filter(|e| e.born < LAG)?;
                spend(&mut s.left.lags)?;
                Answer::Removed { found: false }
            }
            Fate::GivenUp => return None,
        };
        if let Some(from) = call.from {
            answered(s, usize::from(from), call.write, &answer);
        }
        Some(())
    }

    /// What Atlas does.
    fn carry_out(&self, s: &mut State, write: Write) -> Answer {
        match write {
            Write::Post(_) => {
                s.made += 1;
                let id = s.made;
                let (mark, phase) = (Mark::Ours, Phase::Reserved);
                s.endpoints.push(Endpoint { id, mark, phase, vpc: 0, born: 0, left: 0 });
                Answer::Made(id)
            }
            Write::Patch { id, mark, vpc } => {
                let Some(endpoint) = s.endpoint(id).filter(|e| e.is_live()) else { return Answer::Refused };
                if let Some(mark) = mark {
                    endpoint.mark = mark;
                }
                if vpc != 0 {
                    endpoint.vpc = vpc;
                    endpoint.phase = Phase::Available;
                }
                Answer::Updated(id)
            }
            Write::Delete { id, .. } => {
                let slow = self.scope.slow_removal;
                let recorded = s.object.is_some_and(|object| !object.deleting && object.recorded == id);
                let Some(endpoint) = s.endpoint(id) else { return Answer::Removed { found: false } };
                if endpoint.phase == Phase::Deleting {
                    return Answer::Removed { found: true };
                }
                endpoint.phase = if slow { Phase::Deleting } else { Phase::Gone };
                endpoint.left = 0;
                if recorded {
                    s.history.broken |= Promise::Destroyed.bit();
                }
                Answer::Removed { found: true }
            }
        }
    }

    /// The move in words, with what the controller decided.
    pub(crate) fn tell(&self, before: &State, action: Action) -> String {
        match action {
            Action::Step(i, fortune) => {
                let done: Option<Done> =
                    self.step(before, usize::from(i), fortune, false).map(|(_, done)| done);
                let step = done.map(|done| crate::run::short(&done.step)).unwrap_or_default();
                let fortune =
                    if fortune == Fortune::Well { String::new() } else { format!(" ({fortune:?})") };
                format!("{}: {step}{fortune}", name(i))
            }
            Action::Watch(i) => format!("{} sees the object", name(i)),
            Action::Acknowledge(i) => format!("{} hears that its claim stands", name(i)),
            Action::LoseAcknowledgement(i) => format!("{} never hears of its claim", name(i)),
            Action::Crash(i) => format!("{} crashes", name(i)),
            Action::Land(n, fate) => {
                let write = before.calls.get(usize::from(n)).map(|call| match call.write {
                    Write::Post(n) => format!("POST {n}"),
                    Write::Patch { id, .. } => format!("PATCH e{id}"),
                    Write::Delete { id, .. } => format!("DELETE e{id}"),
                });
                format!("{}: {fate:?}", write.unwrap_or_default())
            }
            other => format!("{other:?}"),
        }
    }
}

fn name(i: u8) -> char {
    char::from(b'A' + i)
}

fn process_moves(s: &State, i: u8, process: &Process, actions: &mut Vec<Action>) {
    let pass = process.pass.as_ref();
    match pass.map(|pass| pass.wait) {
        Some(Wait::Claim(_)) => {
            actions.push(Action::Acknowledge(i));
            if s.left.outages > 0 {
                actions.push(Action::LoseAcknowledgement(i));
            }
        }
        Some(Wait::Nothing) | None if process.cache.is_some() => {
            actions.push(Action::Step(i, Fortune::Well));
            if s.left.lags > 0 {
                actions.push(Action::Step(i, Fortune::Lagging));
            }
            if s.left.no_access > 0 {
                actions.push(Action::Step(i, Fortune::NoAccess));
            }
            if s.left.outages > 0 {
                actions.extend(
                    [Fortune::AnswerLost, Fortune::Unreached, Fortune::Parked].map(|f| Action::Step(i, f)),
                );
            }
        }
        _ => {}
    }
    if process.cache.is_none_or(|cache| !cache.current) {
        actions.push(Action::Watch(i));
    }
    // A controller that knows nothing loses nothing.
    if s.left.crashes > 0 && (pass.is_some() || *process.memory != domain::memory::Memory::default()) {
        actions.push(Action::Crash(i));
    }
}

fn call_moves(s: &State, n: u8, call: Call, actions: &mut Vec<Action>) {
    actions.push(Action::Land(n, Fate::Answered));
    let waiting = call.from.is_some();
    if !waiting {
        actions.push(Action::Land(n, Fate::Lost));
    } else if s.left.losses > 0 {
        actions.extend([Fate::AnswerLost, Fate::Lost, Fate::GivenUp].map(|fate| Action::Land(n, fate)));
    }
    if waiting && s.left.refusals > 0 {
        actions.push(Action::Land(n, Fate::Refused));
    }
    if s.left.lags > 0 && matches!(call.write, Write::Delete { .. }) {
        actions.push(Action::Land(n, Fate::Overlooked));
    }
}

/// The watch delivers the newest state, which is also remembered.
pub(crate) fn watch(s: &mut State, i: usize) -> Option<()> {
    if let Some(object) = s.object {
        let process = &mut s.processes[i];
        see(&mut process.memory, &object);
        process.cache = Some(Held { object, current: true });
    } else {
        s.processes[i].cache.take()?;
        // A reconcile that is running goes on; it finds out by itself.
        let pass = s.processes[i].pass.take();
        gone(s, i);
        s.processes[i].pass = pass;
    }
    Some(())
}

/// Whether the claim stands is not known any more, so its attempt is never sent.
fn lose_acknowledgement(s: &mut State, i: usize) {
    let process = &mut s.processes[i];
    let pass = process.pass.take();
    if let Some(Wait::Claim(held)) = pass.map(|pass| pass.wait)
        && let Some(nonce) = held.object.reading().nonce()
    {
        Arc::make_mut(&mut process.memory).settled(nonce);
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

/// One way to write down states that do not differ.
pub(crate) fn tidy(mut s: State) -> State {
    s.endpoints.retain(|e| e.phase != Phase::Gone || e.left < LAG);
    s.calls.sort_by_key(|call| (call.from, call.left, matches!(call.write, Write::Post(_))));
    for process in &mut s.processes {
        // Without a reconcile that has claimed, nobody asks when it was acknowledged.
        if process.pass.is_none() {
            process.acknowledged = 0;
        }
    }
    s
}
