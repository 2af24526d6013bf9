//! Every action of the model: controllers, requests in flight, time, faults and users.
//!
//! Each action is small and may happen at any time; budgets bound how often. The model guarantees only that no request
//! stays in flight longer than allowed.

use domain::memory::Memory;

use crate::in_flight::{Call, Write};
use crate::shell::StepOutcome;
use crate::state::{Mark, Phase, Process, State, Wait};
use crate::{Model, StepResult};

/// One action.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    /// A controller begins a reconcile or continues it.
    Step(u8, StepOutcome),
    /// A controller's watch delivers the newest state of the object.
    Watch(u8),
    /// The response to a claim arrives.
    Acknowledge(u8),
    /// The response to a claim is lost.
    LoseAcknowledgement(u8),
    /// A controller loses its memory and starts again, on a cache that may lag.
    Crash(u8),
    /// A request reaches Atlas.
    Land(u8, RequestFate),
    /// A write to the object arrives although its sender has given up.
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
    /// Somebody replaces the claim by an unreadable one.
    Garble,
    /// Somebody removes the finalizer.
    ForceOff,
    /// The user edits the spec.
    Edit(u8),
    /// The user names the recorded endpoint in `endpointId`.
    NameRecorded,
    /// Somebody writes another field of the object.
    Touch,
    /// Somebody deletes an endpoint in Atlas.
    Vanish(u8),
    /// Somebody removes the mark of an endpoint in Atlas.
    Unmark(u8),
}

/// How a request to Atlas ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RequestFate {
    /// Executed, with a response.
    Answered,
    /// Executed, and the response is lost.
    AnswerLost,
    /// Not executed: Atlas rejects it.
    Refused,
    /// The request is lost.
    Lost,
    /// The sender gives up while it is still in flight.
    GivenUp,
    /// A DELETE of a new endpoint reaches a replica that does not know it yet.
    Overlooked,
}

/// An unlimited budget.
pub const NO_LIMIT: u8 = u8::MAX;

impl Model {
    /// Lists all possible actions. An action that turns out to be impossible changes nothing.
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
        if s.calls.iter().all(|call| call.left > 0 || self.config.unbounded_travel) {
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
        let seen = !self.config.seen_by_all
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
                // A DELETE in flight cannot be taken back: a user who requests Retain now, or releases the object, is
                // too late for the endpoint.
                let doomed = s.calls.iter().any(|call| matches!(call.write, Write::Delete(_)));
                if object.finalizer && seen && !doomed {
                    offer(left.forced, Action::ForceOff);
                }
                for (n, edit) in (0_u8..).zip(self.config.edits) {
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

    /// Describes the action, with what the controller decided.
    pub(crate) fn tell(&self, before: &State, action: Action) -> String {
        match action {
            Action::Step(i, outcome) => {
                let done: Option<StepResult> =
                    self.step(before, usize::from(i), outcome, false).map(|(_, done)| done);
                let step = done.map(|done| crate::run::short(&done.step)).unwrap_or_default();
                let outcome =
                    if outcome == StepOutcome::Well { String::new() } else { format!(" ({outcome:?})") };
                format!("{}: {step}{outcome}", name(i))
            }
            Action::Watch(i) => format!("{} sees the object", name(i)),
            Action::Acknowledge(i) => format!("{} hears that its claim stands", name(i)),
            Action::LoseAcknowledgement(i) => format!("{} never hears of its claim", name(i)),
            Action::Crash(i) => format!("{} crashes", name(i)),
            Action::Land(n, fate) => {
                let write = before.calls.get(usize::from(n)).map(|call| match call.write {
                    Write::Post(n) => format!("POST {n}"),
                    Write::Patch { id, .. } => format!("PATCH e{id}"),
                    Write::Delete(id) => format!("DELETE e{id}"),
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
            actions.push(Action::Step(i, StepOutcome::Well));
            if s.left.lags > 0 {
                actions.push(Action::Step(i, StepOutcome::Lagging));
            }
            if s.left.no_access > 0 {
                actions.push(Action::Step(i, StepOutcome::NoAccess));
            }
            if s.left.passing_gone > 0 {
                actions.push(Action::Step(i, StepOutcome::Gone));
            }
            // Faults of Atlas and of the API server have a budget each.
            if s.left.outages > 0 || s.left.losses > 0 {
                actions.push(Action::Step(i, StepOutcome::AnswerLost));
            }
            if s.left.outages > 0 {
                actions.extend([StepOutcome::Unreached, StepOutcome::Parked].map(|f| Action::Step(i, f)));
            }
        }
        _ => {}
    }
    if process.cache.is_none_or(|cache| !cache.current) {
        actions.push(Action::Watch(i));
    }
    // A controller without memory loses nothing.
    if s.left.crashes > 0 && (pass.is_some() || *process.memory != Memory::default()) {
        actions.push(Action::Crash(i));
    }
}

fn call_moves(s: &State, n: u8, call: Call, actions: &mut Vec<Action>) {
    actions.push(Action::Land(n, RequestFate::Answered));
    let waiting = call.from.is_some();
    if !waiting {
        actions.push(Action::Land(n, RequestFate::Lost));
    } else if s.left.losses > 0 {
        actions.extend(
            [RequestFate::AnswerLost, RequestFate::Lost, RequestFate::GivenUp]
                .map(|fate| Action::Land(n, fate)),
        );
    }
    if waiting && s.left.refusals > 0 {
        actions.push(Action::Land(n, RequestFate::Refused));
    }
    if s.left.lags > 0 && matches!(call.write, Write::Delete(_)) {
        actions.push(Action::Land(n, RequestFate::Overlooked));
    }
}
