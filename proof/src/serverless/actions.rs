//! Every action of the model: controllers, requests in flight, time, faults and users.
//!
//! Each action is small and may happen at any time; budgets bound how often. The model guarantees only that no request
//! stays in flight longer than allowed.

use domain::serverless::memory::Memory;

use super::Model;
use super::controller::StepResult;
use super::in_flight::{AtlasRequest, AtlasWrite};
use super::object::MarkOwner;
use super::outcomes::RequestOutcome;
use super::outcomes::StepOutcome;
use super::state::{Controller, ModelState, Phase, Wait};

/// One action.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ModelAction {
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
    Deliver(u8, RequestOutcome),
    /// A write to the object arrives although its sender has given up.
    ApplyLate(u8),
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
    /// Another writer wipes the status.
    WipeStatus,
    /// Another writer wipes the claim.
    WipeClaim,
    /// Another writer replaces the claim by an unreadable one.
    Garble,
    /// Another writer removes the finalizer.
    ForceOff,
    /// The user edits the spec.
    Edit(u8),
    /// The user names the recorded endpoint in `endpointId`.
    NameRecorded,
    /// Another writer writes another field of the object.
    Touch,
    /// An endpoint is deleted in Atlas out of band.
    Vanish(u8),
    /// The mark of an endpoint is removed in Atlas out of band.
    Unmark(u8),
}

impl Model {
    /// Lists all possible actions. An action that turns out to be impossible changes nothing.
    pub(crate) fn possible(&self, s: &ModelState, actions: &mut Vec<ModelAction>) {
        for (i, controller) in (0_u8..).zip(&s.controllers) {
            controller_actions(s, i, controller, actions);
        }
        for (n, request) in (0_u8..).zip(&s.requests) {
            request_actions(s, n, *request, actions);
        }
        for (n, _) in (0_u8..).zip(&s.late) {
            actions.extend([ModelAction::ApplyLate(n), ModelAction::DropLate(n)]);
        }
        if s.requests.iter().all(|request| request.left > 0 || self.config.unbounded_travel) {
            actions.push(ModelAction::Tick);
        }
        actions.extend(
            s.endpoints.iter().filter(|e| e.phase == Phase::Deleting).map(|e| ModelAction::Remove(e.id)),
        );
        self.user_actions(s, actions);
    }

    fn user_actions(&self, s: &ModelState, actions: &mut Vec<ModelAction>) {
        let left = &s.left;
        let mut add = |budget: u8, action| {
            if budget > 0 {
                actions.push(action);
            }
        };
        let seen = !self.config.seen_by_all
            || s.controllers.iter().all(|controller| controller.cache.is_some_and(|cache| cache.current));
        match &s.object {
            None => {
                add(left.creations, ModelAction::Create(false));
                add(left.restores, ModelAction::Create(true));
            }
            Some(object) => {
                if !object.deleting {
                    add(left.deletions, ModelAction::Delete);
                }
                if object.recorded != 0 {
                    add(left.status_wipes, ModelAction::WipeStatus);
                    add(left.edits.min(u8::from(object.manifest.observe)), ModelAction::NameRecorded);
                }
                if object.claim.is_some() && seen {
                    add(left.claim_wipes, ModelAction::WipeClaim);
                    add(left.garbles, ModelAction::Garble);
                }
                // A DELETE in flight cannot be taken back: a user who requests Retain now, or releases the object, is
                // too late for the endpoint.
                let targets = s.requests.iter().any(|request| matches!(request.write, AtlasWrite::Delete(_)));
                if object.finalizer && seen && !targets {
                    add(left.forced, ModelAction::ForceOff);
                }
                for (n, edit) in (0_u8..).zip(self.config.edits) {
                    if *edit != object.manifest && !targets {
                        add(left.edits, ModelAction::Edit(n));
                    }
                }
                add(left.touches, ModelAction::Touch);
            }
        }
        for e in s.endpoints.iter().filter(|e| e.is_live()) {
            add(left.vanishings, ModelAction::Vanish(e.id));
            if e.mark == MarkOwner::Ours {
                add(left.unmarkings, ModelAction::Unmark(e.id));
            }
        }
    }

    /// Describes the action, with what the controller decided.
    pub(crate) fn description(&self, before: &ModelState, action: ModelAction) -> String {
        match action {
            ModelAction::Step(i, outcome) => {
                let done: Option<StepResult> =
                    self.step(before, usize::from(i), outcome, false).map(|(_, done)| done);
                let step = done.map(|done| super::controller::short(&done.step)).unwrap_or_default();
                let outcome =
                    if outcome == StepOutcome::Well { String::new() } else { format!(" ({outcome:?})") };
                format!("{}: {step}{outcome}", name(i))
            }
            ModelAction::Watch(i) => format!("{} sees the object", name(i)),
            ModelAction::Acknowledge(i) => format!("{} gets the response to its claim", name(i)),
            ModelAction::LoseAcknowledgement(i) => {
                format!("{} never gets the response to its claim", name(i))
            }
            ModelAction::Crash(i) => format!("{} crashes", name(i)),
            ModelAction::Deliver(n, outcome) => {
                let write = before.requests.get(usize::from(n)).map(|request| match request.write {
                    AtlasWrite::Post(n) => format!("POST {n}"),
                    AtlasWrite::Patch { id, .. } => format!("PATCH e{id}"),
                    AtlasWrite::Delete(id) => format!("DELETE e{id}"),
                });
                format!("{}: {outcome:?}", write.unwrap_or_default())
            }
            other => format!("{other:?}"),
        }
    }
}

fn name(i: u8) -> char {
    char::from(b'A' + i)
}

fn controller_actions(s: &ModelState, i: u8, controller: &Controller, actions: &mut Vec<ModelAction>) {
    let running = controller.running.as_ref();
    match running.map(|running| running.wait) {
        Some(Wait::Atlas) => {}
        Some(Wait::Claim(_)) => {
            actions.push(ModelAction::Acknowledge(i));
            if s.left.outages > 0 {
                actions.push(ModelAction::LoseAcknowledgement(i));
            }
        }
        None if controller.cache.is_none() => {}
        Some(Wait::Nothing) | None => {
            // Faults of Atlas and of the API server have a budget each.
            let outcomes = [
                (1, StepOutcome::Well),
                (s.left.lags, StepOutcome::Lagging),
                (s.left.no_access, StepOutcome::NoAccess),
                (s.left.passing_gone, StepOutcome::Gone),
                (s.left.passing_empty, StepOutcome::Empty),
                (s.left.outages.max(s.left.losses), StepOutcome::ResponseLost),
                (s.left.outages, StepOutcome::Unreached),
                (s.left.outages, StepOutcome::Parked),
            ];
            let possible = outcomes.into_iter().filter(|(left, _)| *left > 0);
            actions.extend(possible.map(|(_, outcome)| ModelAction::Step(i, outcome)));
        }
    }
    if controller.cache.is_none_or(|cache| !cache.current) {
        actions.push(ModelAction::Watch(i));
    }
    // A controller without memory loses nothing.
    if s.left.crashes > 0 && (running.is_some() || *controller.memory != Memory::default()) {
        actions.push(ModelAction::Crash(i));
    }
}

fn request_actions(s: &ModelState, n: u8, request: AtlasRequest, actions: &mut Vec<ModelAction>) {
    actions.push(ModelAction::Deliver(n, RequestOutcome::Responded));
    let waiting = request.from.is_some();
    if !waiting {
        actions.push(ModelAction::Deliver(n, RequestOutcome::Lost));
    } else if s.left.losses > 0 {
        actions.extend(
            [RequestOutcome::ResponseLost, RequestOutcome::Lost, RequestOutcome::GivenUp]
                .map(|outcome| ModelAction::Deliver(n, outcome)),
        );
    }
    if waiting && s.left.refusals > 0 {
        actions.push(ModelAction::Deliver(n, RequestOutcome::Rejected));
    }
    if s.left.lags > 0 && matches!(request.write, AtlasWrite::Delete(_)) {
        actions.push(ModelAction::Deliver(n, RequestOutcome::Overlooked));
    }
}
