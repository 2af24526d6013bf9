//! Liveness: from any state, faults end, every request arrives and gets its response, every controller reconciles when it is
//! due, and time passes. Then everything must converge, and after that nothing may be written.

use std::hash::{DefaultHasher, Hash, Hasher};

use domain::dedicated::life::Sort;
use domain::dedicated::observed::Adopt;

use super::Model;
use super::convert::content;
use super::in_flight::{RequestOutcome, StepOutcome};
use super::object::{ModelEntry, ModelLife, ModelObject, SLOTS, sibling, sort};
use super::state::{ModelState, Phase, Slots};
use super::times::{OLD, ticks};
use super::transitions::normalize;
use crate::converged::Converged;

/// The maximum number of rounds, of a tick each, within which everything converges.
const ROUNDS: u8 = 14;

/// The rounds after that in which nothing changes but ages, until no recent event is left.
const AGEING: u8 = OLD + 1;

/// More steps than a reconcile takes: the machine's own limit, which counts from the last state that was kept.
const STEPS: usize = 24;

/// The steps from a state on, each the reconcile of one object or the tick at the end of a round.
#[derive(Default)]
struct QuietPath(Vec<PathStep>);

struct PathStep {
    /// The state before it.
    key: u64,
    /// Nothing was written; after a tick, everything is right.
    is_quiet: bool,
    is_tick: bool,
}

impl QuietPath {
    /// Adds the states of the path to those that are known. `rounds` are those of the state at its end; the result is that of the state at
    /// its beginning.
    fn end(&self, converged: &Converged, mut rounds: u8) -> u8 {
        for step in self.0.iter().rev() {
            rounds = match rounds {
                0 => u8::from(!step.is_quiet),
                rounds => rounds + u8::from(step.is_tick),
            };
            converged.insert(step.key, rounds);
        }
        rounds
    }
}

/// When a controller reconciles an object again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
struct NextReconcile {
    /// In so many ticks; `None`: only when its trigger changes.
    due: Option<u8>,
    /// The trigger as the last reconcile left it.
    seen: u64,
}

impl Model {
    /// Returns `true` if `from` converges after the last fault.
    pub(crate) fn converges(&self, from: &ModelState) -> bool {
        if !self.liveness {
            return true;
        }
        let mut s = from.clone();
        let mut due = all_due(&s);
        let mut path = QuietPath::default();
        for _ in 0..ROUNDS + AGEING {
            let start = key(&s, &due, 0);
            let round = path.0.len();
            if let Some(rounds) = self.round(&mut s, &mut due, &mut path) {
                return path.end(&self.statistics.converged, rounds) <= ROUNDS;
            }
            if start == key(&s, &due, 0) {
                let is_quiet = path.0[round..].iter().all(|step| step.is_quiet);
                return is_quiet && path.end(&self.statistics.converged, 0) <= ROUNDS;
            }
        }
        false
    }

    /// Returns the state to which `s` converges.
    pub(crate) fn settled(&self, mut s: ModelState) -> ModelState {
        let mut due = all_due(&s);
        for _ in 0..ROUNDS + AGEING {
            // Each of its states is new.
            self.round(&mut s, &mut due, &mut QuietPath::default());
        }
        s
    }

    /// Runs one round, and adds its steps to the path. Returns the rounds from a state on the way, if they are known.
    fn round(
        &self,
        s: &mut ModelState,
        due: &mut [Slots<NextReconcile>],
        path: &mut QuietPath,
    ) -> Option<u8> {
        let known = |key| self.statistics.converged.rounds(key);
        let mut at = key(s, due, 0);
        if let Some(rounds) = known(at) {
            return Some(rounds);
        }
        while !s.late.is_empty() {
            *s = self.apply_late(s, 0);
        }
        self.deliver_all(s);
        let moving = s.atlas.iter().filter(|thing| matches!(thing.phase, Phase::Preparing | Phase::Removing));
        for life in moving.map(|thing| thing.life).collect::<Vec<_>>() {
            self.advance(s, life);
        }
        let mut position = 0;
        for i in 0..s.controllers.len() {
            for slot in 0..SLOTS {
                position += 1;
                let Some(writes) = self.turn(s, (i, slot), &mut due[i][slot]) else { continue };
                path.0.push(PathStep { key: at, is_quiet: writes == 0, is_tick: false });
                at = key(s, due, position);
                if let Some(rounds) = known(at) {
                    return Some(rounds);
                }
            }
        }
        self.tick(s);
        *s = normalize(s.clone());
        path.0.push(PathStep { key: at, is_quiet: is_right(s), is_tick: true });
        None
    }

    /// Controller `i` reconciles the object of a slot, if it is due. Returns how many writes that took; `None` if there is no object.
    fn turn(&self, s: &mut ModelState, (i, slot): (usize, usize), due: &mut NextReconcile) -> Option<usize> {
        self.watch(s, i, sort(slot));
        self.watch(s, i, sort(slot + 1));
        let controller = &s.controllers[i];
        let is_running = controller.running[slot].is_some();
        if controller.view.objects[slot].is_none() && !is_running {
            *due = NextReconcile { due: Some(0), seen: 0 };
            return None;
        }
        let is_changed = content(s.objects[slot].as_ref()) != due.seen;
        let is_due = due.due == Some(0) || is_changed || is_running;
        let writes = if is_due { self.reconcile(s, (i, slot), due) } else { 0 };
        due.due = due.due.map(|ticks| ticks.saturating_sub(1));
        Some(writes)
    }

    /// Controller `i` reconciles an object to the end.
    fn reconcile(&self, s: &mut ModelState, at: (usize, usize), due: &mut NextReconcile) -> usize {
        let (i, slot) = at;
        let mut writes = 0;
        // A reconcile that a response ends, or that takes too many steps, is repeated soon.
        due.due = Some(1);
        for _ in 0..STEPS {
            let controller = &s.controllers[i];
            let held = controller.running[slot].as_ref().map(|running| running.machine.object().object);
            due.seen = content(held.or(controller.view.objects[slot]).as_ref());
            let Some((after, done)) = self.step(s, at, StepOutcome::Well, true) else {
                due.due = None;
                break;
            };
            *s = after;
            writes += usize::from(done.wrote);
            if let Some(requeue) = done.ended {
                due.due = requeue.map(ticks);
                break;
            }
            self.deliver_all(s);
            if s.controllers[i].running[slot].is_none() {
                break;
            }
        }
        s.controllers[i].running[slot] = None;
        writes
    }

    /// Delivers all requests and their responses.
    fn deliver_all(&self, s: &mut ModelState) {
        while !s.requests.is_empty() {
            if self.deliver_request(s, 0, RequestOutcome::Responded).is_none() {
                break;
            }
        }
    }
}

/// Whatever it waited for, each reconciles at once; from then on it follows the requeues of the rules.
fn all_due(s: &ModelState) -> Vec<Slots<NextReconcile>> {
    let at_once = NextReconcile { due: Some(0), seen: 0 };
    vec![[at_once; SLOTS]; s.controllers.len()]
}

/// Returns `true` if everything is as the users declared it, or its status can say why not.
fn is_right(s: &ModelState) -> bool {
    (0..SLOTS).all(|slot| match (&s.objects[slot], sort(slot)) {
        (None, _) => true,
        (Some(object), of) if object.deleting => is_kept(s, object, of),
        (Some(object), _) if object.manifest.suspend || object.manifest.observe => true,
        (Some(object), _) if is_rivalled(s, slot, object) => true,
        (Some(object), Sort::Service) => is_served(s, object),
        (Some(object), Sort::Endpoint) => is_registered(s, object),
    })
}

/// An older object names the same.
fn is_rivalled(s: &ModelState, slot: usize, object: &ModelObject) -> bool {
    s.objects[sibling(slot)].is_some_and(|other| {
        let same = other.manifest.endpoint == object.manifest.endpoint
            || other.entries.iter().any(|entry| entry.life.endpoint == object.manifest.endpoint);
        other.life < object.life && !other.manifest.observe && (same || sort(slot) == Sort::Service)
    })
}

/// An object that is being deleted may stay while others use its service.
fn is_kept(s: &ModelState, object: &ModelObject, of: Sort) -> bool {
    let is_used = || (0..SLOTS).any(|slot| sort(slot) == Sort::Endpoint && s.objects[slot].is_some());
    let is_attached = |life: ModelLife| s.endpoints_of(life.service).next().is_some();
    of == Sort::Service && (is_used() || object.entries.iter().any(|entry| is_attached(entry.life)))
}

/// The service exists and is recorded.
fn is_served(s: &ModelState, object: &ModelObject) -> bool {
    let service = s.service().filter(|service| service.is_live());
    let recorded = service.is_some_and(|service| object.entries.get(service.life).is_some());
    match object.manifest.adopt {
        Adopt::IfExists => recorded,
        Adopt::Never => recorded || service.is_some(),
        Adopt::Only => recorded || service.is_none(),
    }
}

/// The endpoint is registered and the only one that is recorded, or cannot be.
fn is_registered(s: &ModelState, object: &ModelObject) -> bool {
    let manifest = object.manifest;
    let service = if manifest.direct {
        s.service().map(|service| service.life.service)
    } else {
        let offered = s.objects[0].and_then(|service| service.entries.iter().next().copied());
        offered.map(|entry| entry.life.service)
    };
    // Without a service nothing can be registered.
    let Some(life) = service.map(|service| ModelLife { service, endpoint: manifest.endpoint }) else {
        return true;
    };
    let Some(service) = s.get(ModelLife { endpoint: 0, ..life }) else { return true };
    let is_there = s.get(life).is_some();
    let is_former = |entry: &ModelEntry| entry.life != life;
    let is_stale = object
        .entries
        .iter()
        .any(|entry| entry.life.endpoint == life.endpoint && entry.life.service != life.service);
    let is_only = !object.entries.iter().any(is_former);
    let recorded = is_there && object.entries.get(life).is_some() && is_only;
    match manifest.adopt {
        _ if !service.is_live() => true,
        _ if is_stale && !is_there => true,
        Adopt::IfExists => recorded,
        Adopt::Never => recorded || is_there && object.entries.get(life).is_none(),
        Adopt::Only => recorded || !is_there,
    }
}

/// Returns what the rest of the liveness run depends on, at this position of a round: neither budgets nor past events.
fn key(s: &ModelState, due: &[Slots<NextReconcile>], position: usize) -> u64 {
    let mut hasher = DefaultHasher::new();
    (&s.objects, &s.controllers, &s.requests, &s.late, &s.atlas, due, position).hash(&mut hasher);
    hasher.finish()
}
