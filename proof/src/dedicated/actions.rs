//! Every action of the model: controllers, requests in flight, time, faults, users and others.
//!
//! Each action is small and may happen at any time; budgets bound how often. The model guarantees only that no request
//! stays in flight longer than allowed.

use domain::dedicated::life::Sort;
use domain::dedicated::memory::Memory;

use super::Model;
use super::controller::short;
use super::describe;
use super::in_flight::{AtlasRequest, RequestOutcome, StepOutcome};
use super::object::{ModelLife, SLOTS, sibling, sort};
use super::state::{Controller, ModelState, Phase};

/// The endpoints that others may register.
pub(crate) const ENDPOINTS: [u8; 2] = [1, 2];

/// One action.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ModelAction {
    /// A controller begins a reconcile of an object, or continues it.
    Step(u8, u8, StepOutcome),
    /// The watch of a controller delivers the newest state of all services (`true`), or of all endpoints.
    Watch(u8, bool),
    /// A controller loses its memory and starts again, on caches that may lag.
    Crash(u8),
    /// A request reaches Atlas.
    Deliver(u8, RequestOutcome),
    /// A write to an object arrives although its sender has given up.
    ApplyLate(u8),
    /// Such a write never arrives.
    DropLate(u8),
    /// A tick passes.
    Tick,
    /// Atlas goes on with something: it becomes available, or is gone.
    Advance(ModelLife),
    /// The user deletes an object.
    Delete(u8),
    /// The user creates an object.
    Create(u8),
    /// The user creates a deleted object again, from a backup.
    Restore(u8),
    /// The user creates a copy of an object under the other name, with its status.
    Copy(u8),
    /// Another writer wipes a status.
    WipeStatus(u8),
    /// Another writer wipes a claim.
    WipeClaim(u8),
    /// Another writer removes a finalizer.
    ForceOff(u8),
    /// The user edits a spec.
    Edit(u8),
    /// Others create the service.
    StrangerCreates,
    /// Others register an endpoint.
    StrangerRegisters(u8),
    /// Others remove something.
    Vanish(ModelLife),
}

impl Model {
    /// Lists all possible actions. An action that turns out to be impossible changes nothing.
    pub(crate) fn possible(&self, s: &ModelState, actions: &mut Vec<ModelAction>) {
        for (i, controller) in (0_u8..).zip(&s.controllers) {
            controller_actions(s, i, controller, actions);
        }
        for (n, request) in (0_u8..).zip(&s.requests) {
            request_actions(s, n, request, actions);
        }
        for (n, _) in (0_u8..).zip(&s.late) {
            actions.extend([ModelAction::ApplyLate(n), ModelAction::DropLate(n)]);
        }
        if s.requests.iter().all(|request| request.left > 0) {
            actions.push(ModelAction::Tick);
        }
        let moving = s.atlas.iter().filter(|thing| matches!(thing.phase, Phase::Preparing | Phase::Removing));
        actions.extend(moving.map(|thing| ModelAction::Advance(thing.life)));
        for slot in 0..SLOTS {
            self.user_actions(s, slot, actions);
        }
        stranger_actions(s, actions);
    }

    fn user_actions(&self, s: &ModelState, slot: usize, actions: &mut Vec<ModelAction>) {
        let left = &s.left;
        let number = u8::try_from(slot).unwrap_or_default();
        let mut add = |budget: u8, action| {
            if budget > 0 {
                actions.push(action);
            }
        };
        let Some(object) = s.objects[slot] else {
            if self.config.manifests[slot].is_some() {
                add(left.creations, ModelAction::Create(number));
            }
            if s.past.backups[slot].is_some() {
                add(left.restores, ModelAction::Restore(number));
            }
            return;
        };
        if !object.deleting {
            add(left.deletions, ModelAction::Delete(number));
        }
        if s.objects[sibling(slot)].is_none() && !object.entries.is_empty() {
            add(left.copies, ModelAction::Copy(number));
        }
        if !object.entries.is_empty() || object.settled != 0 {
            add(left.status_wipes, ModelAction::WipeStatus(number));
        }
        let is_seen = s.controllers.iter().all(|controller| controller.view.objects[slot] == Some(object));
        if object.claim.is_some() && is_seen {
            add(left.claim_wipes, ModelAction::WipeClaim(number));
        }
        if object.finalizer && is_seen {
            add(left.forced, ModelAction::ForceOff(number));
        }
        for (n, (edited, manifest)) in (0_u8..).zip(self.config.edits) {
            if *edited == number && *manifest != object.manifest {
                add(left.edits, ModelAction::Edit(n));
            }
        }
    }

    /// Describes the action, with what the controller decided.
    pub(crate) fn description(&self, before: &ModelState, action: ModelAction) -> String {
        let outcome = |outcome: StepOutcome| match outcome {
            StepOutcome::Well => String::new(),
            outcome => format!(" ({outcome:?})"),
        };
        match action {
            ModelAction::Step(i, slot, how) => {
                let done = self.step(before, (usize::from(i), usize::from(slot)), how, false);
                let step = done.map(|(_, done)| short(&done.step)).unwrap_or_default();
                format!("{}: {} {step}{}", describe::controller(i), describe::slot(slot), outcome(how))
            }
            ModelAction::Watch(i, services) => {
                let what = if services { "services" } else { "endpoints" };
                format!("{} sees the {what}", describe::controller(i))
            }
            ModelAction::Crash(i) => format!("{} crashes", describe::controller(i)),
            ModelAction::Deliver(n, outcome) => {
                let request = before.requests.get(usize::from(n));
                let target = request.map(|request| describe::target(request.target));
                format!("{}: {outcome:?}", target.unwrap_or_default())
            }
            ModelAction::Advance(life) => format!("Atlas goes on with {}", describe::life(life)),
            ModelAction::Delete(slot) => format!("the user deletes {}", describe::slot(slot)),
            ModelAction::Create(slot) => format!("the user creates {}", describe::slot(slot)),
            ModelAction::Restore(slot) => format!("the user restores {}", describe::slot(slot)),
            ModelAction::Copy(slot) => {
                let copy = u8::try_from(sibling(usize::from(slot))).unwrap_or_default();
                format!("the user copies {} to {}", describe::slot(slot), describe::slot(copy))
            }
            ModelAction::WipeStatus(slot) => format!("the status of {} is wiped", describe::slot(slot)),
            ModelAction::WipeClaim(slot) => format!("the claim of {} is wiped", describe::slot(slot)),
            ModelAction::ForceOff(slot) => format!("the finalizer of {} is forced off", describe::slot(slot)),
            ModelAction::Edit(n) => self.describe_edit(n),
            ModelAction::StrangerCreates => "others create the service".to_owned(),
            ModelAction::StrangerRegisters(id) => format!("others register v{id}"),
            ModelAction::Vanish(life) => format!("others remove {}", describe::life(life)),
            ModelAction::Tick | ModelAction::ApplyLate(_) | ModelAction::DropLate(_) => format!("{action:?}"),
        }
    }

    fn describe_edit(&self, n: u8) -> String {
        let Some((slot, manifest)) = self.config.edits.get(usize::from(n)) else { return String::new() };
        let policy = match manifest.deletion {
            None => String::new(),
            Some(deletion) => format!(" {deletion:?}"),
        };
        let endpoint =
            if manifest.endpoint == 0 { String::new() } else { format!(" v{}", manifest.endpoint) };
        let adopt = format!(" {:?}", manifest.adopt);
        let suspend = if manifest.suspend { " suspend" } else { "" };
        let observe = if manifest.observe { " Observe" } else { "" };
        format!("the user edits {}:{endpoint}{policy}{adopt}{suspend}{observe}", describe::slot(*slot))
    }
}

fn stranger_actions(s: &ModelState, actions: &mut Vec<ModelAction>) {
    if s.left.strangers > 0 {
        match s.service() {
            None => actions.push(ModelAction::StrangerCreates),
            Some(service) if service.phase == Phase::Available => {
                let is_free = |id: &u8| s.get(ModelLife { endpoint: *id, ..service.life }).is_none();
                actions.extend(ENDPOINTS.into_iter().filter(is_free).map(ModelAction::StrangerRegisters));
            }
            Some(_) => {}
        }
    }
    if s.left.vanishings > 0 {
        let live = s.atlas.iter().filter(|thing| thing.is_live());
        actions.extend(live.map(|thing| ModelAction::Vanish(thing.life)));
    }
}

fn controller_actions(s: &ModelState, i: u8, controller: &Controller, actions: &mut Vec<ModelAction>) {
    for slot in 0..SLOTS {
        let number = u8::try_from(slot).unwrap_or_default();
        let running = controller.running[slot].as_ref();
        if running.is_some_and(|running| running.waits)
            || running.is_none() && controller.view.objects[slot].is_none()
        {
            continue;
        }
        // Faults of Atlas and of the API server have a budget each.
        let outcomes = [
            (1, StepOutcome::Well),
            (s.left.lags, StepOutcome::Lagging),
            (s.left.outages.max(s.left.losses), StepOutcome::ResponseLost),
            (s.left.outages, StepOutcome::Unreached),
            (s.left.outages, StepOutcome::Parked),
        ];
        let possible = outcomes.into_iter().filter(|(left, _)| *left > 0);
        actions.extend(possible.map(|(_, outcome)| ModelAction::Step(i, number, outcome)));
    }
    for of in [Sort::Service, Sort::Endpoint] {
        let is_old = |slot: usize| {
            controller.view.objects[slot] != s.objects[slot] || controller.behind & 1 << slot != 0
        };
        if (0..SLOTS).any(|slot| sort(slot) == of && is_old(slot)) {
            actions.push(ModelAction::Watch(i, of == Sort::Service));
        }
    }
    // A controller without memory loses nothing.
    let is_running = controller.running.iter().any(Option::is_some);
    let remembers = controller.memory.iter().any(|memory| **memory != Memory::default());
    if s.left.crashes > 0 && (is_running || remembers || !controller.view.claims.is_empty()) {
        actions.push(ModelAction::Crash(i));
    }
}

fn request_actions(s: &ModelState, n: u8, request: &AtlasRequest, actions: &mut Vec<ModelAction>) {
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
}
