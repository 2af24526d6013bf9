//! Liveness: from any state, faults end, every request arrives and gets its response, every controller reconciles when it is
//! due, and time passes. Then everything must converge, and after that nothing may be written.

use std::hash::{DefaultHasher, Hash, Hasher};

use super::Model;
use super::convert::content;
use super::object::{Annotation, MarkOwner, ModelObject};
use super::outcomes::{RequestOutcome, StepOutcome};
use super::state::{ModelEndpoint, ModelState, Phase};
use super::times::{LAG, OLD, ticks};
use super::transitions::normalize;

/// The maximum number of rounds, of a tick each, within which everything converges. The longest is a deletion by a
/// controller that knows nothing of an endpoint but its id: a running reconcile that has no effect; V, until a 404 is
/// believed; a listing sent after the response to the last DELETE; and another, G later. An attempt that may still land
/// takes Q and G, which is less.
const ROUNDS: u8 = 1 + 1 + LAG + 1 + 1;

/// The rounds after that in which nothing changes but ages, until no recent event is left.
const AGEING: u8 = OLD + 1;

/// More steps than a reconcile takes: the machine's own limit, which counts from the last state that was kept.
const STEPS: usize = 16;

/// When a controller reconciles the object again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum NextReconcile {
    /// In so many ticks.
    In(u8),
    /// When its trigger has changed.
    OnChange(u64),
}

impl Model {
    /// Returns `true` if `from` converges after the last fault.
    pub(crate) fn converges(&self, from: &ModelState) -> bool {
        if !self.liveness {
            return true;
        }
        let mut s = from.clone();
        // Whatever it waited for, each reconciles at once; from then on it follows the requeues of the rules.
        let mut due = vec![NextReconcile::In(0); s.controllers.len()];
        let mut path = Vec::new();
        for _ in 0..ROUNDS + AGEING {
            let key = key(&s, &due);
            if let Some(rounds) = self.statistics.converged.rounds(key) {
                return self.statistics.converged.add(&path, rounds) <= ROUNDS;
            }
            let right = self.is_right(&s);
            let quiet = self.round(&mut s, &mut due) == 0 && right;
            path.push((key, quiet));
            if key == self::key(&s, &due) {
                return quiet && self.statistics.converged.add(&path, 0) <= ROUNDS;
            }
        }
        false
    }

    /// Returns the live endpoints with our mark that a POST created. A user's endpoint that was only named may be
    /// marked by a PATCH that arrives when the object is deleted: it is the user's as before.
    pub(crate) fn created_here<'a>(&self, s: &'a ModelState) -> impl Iterator<Item = &'a ModelEndpoint> {
        let preexisting = self.config.preexisting.len();
        s.ours().filter(move |e| usize::from(e.id) > preexisting)
    }

    /// Runs one round; returns how many writes it took.
    fn round(&self, s: &mut ModelState, due: &mut [NextReconcile]) -> usize {
        while !s.late.is_empty() {
            *s = self.apply_late(s, 0);
        }
        self.deliver_all(s);
        for id in s.endpoints.iter().filter(|e| e.phase == Phase::Deleting).map(|e| e.id).collect::<Vec<_>>()
        {
            if let Some(endpoint) = s.endpoint(id) {
                endpoint.leave(Phase::Gone);
            }
        }
        let mut writes = 0;
        for (i, due) in due.iter_mut().enumerate() {
            // `None`: the controller knows already that there is no object.
            let _ = self.watch(s, i);
            let triggered = match *due {
                NextReconcile::In(ticks) => ticks == 0,
                NextReconcile::OnChange(seen) => content(s.object.as_ref()) != seen,
            };
            if triggered || s.controllers[i].running.is_some() {
                writes += self.reconcile(s, i, due);
            }
            if let NextReconcile::In(ticks) = due {
                *ticks = ticks.saturating_sub(1);
            }
        }
        self.tick(s);
        *s = normalize(s.clone());
        writes
    }

    /// Controller `i` reconciles to the end.
    fn reconcile(&self, s: &mut ModelState, i: usize, due: &mut NextReconcile) -> usize {
        let mut writes = 0;
        // A reconcile that a response ends, or that takes too many steps, is repeated soon.
        *due = NextReconcile::In(1);
        for _ in 0..STEPS {
            let controller = &s.controllers[i];
            let held = controller.running.as_ref().map(|running| *running.machine.object());
            let held = held.or(controller.cache).map(|held| held.object);
            let Some((after, done)) = self.step(s, i, StepOutcome::Well, true) else {
                *due = NextReconcile::OnChange(content(s.object.as_ref()));
                break;
            };
            *s = after;
            writes += usize::from(done.wrote);
            if let Some(requeue) = done.ended {
                let on_change = || NextReconcile::OnChange(content(held.as_ref()));
                *due = requeue.map_or_else(on_change, |delay| NextReconcile::In(ticks(delay)));
                break;
            }
            self.deliver_all(s);
            if s.controllers[i].running.is_none() {
                break;
            }
        }
        s.controllers[i].running = None;
        writes
    }

    /// Delivers all requests and their responses.
    fn deliver_all(&self, s: &mut ModelState) {
        while !s.requests.is_empty() {
            if self.deliver_request(s, 0, RequestOutcome::Responded).is_none() {
                break;
            }
        }
        for i in 0..s.controllers.len() {
            // `None`: it waits for no such response.
            let _ = self.acknowledge(s, i);
        }
    }

    /// Returns `true` if everything is as the user declared it.
    fn is_right(&self, s: &ModelState) -> bool {
        let ours = s.ours().count();
        let Some(object) = s.object else { return s.past.may_stay || self.created_here(s).count() == 0 };
        let manifest = object.manifest;
        if object.deleting {
            return false;
        }
        if object.claim == Some(Annotation::Foreign) && object.recorded == 0 {
            return ours == 0;
        }
        if manifest.suspend {
            return true;
        }
        if manifest.observe {
            // Every endpoint of ours is the one in the status.
            return s.ours().all(|e| e.id == object.recorded);
        }
        let recorded = s.endpoints.iter().find(|e| e.id == object.recorded && e.is_live());
        if manifest.endpoint != 0 {
            let named = s.endpoints.iter().find(|e| e.id == manifest.endpoint && e.is_live());
            let foreign = named.is_some_and(|e| e.mark == MarkOwner::Foreign) && !object.take_over;
            let bound = named.is_some_and(|e| e.id == object.recorded && e.mark == MarkOwner::Ours);
            // Both named and created: an endpoint came from a POST that was in flight, and the status says so.
            let both = object.recorded != 0 && object.recorded != manifest.endpoint;
            return named.is_none() || foreign || bound || both;
        }
        // A foreign claim that another writer keeps restoring is left as it is.
        let foreign = object.claim == Some(Annotation::Foreign);
        let held = object.finalizer && (foreign || is_own(&object));
        let connected = manifest.vpc == 0
            || recorded.is_some_and(|e| e.vpc == manifest.vpc)
            || object.stale_vpc == manifest.vpc;
        let marked = recorded.is_some_and(|e| e.mark == MarkOwner::Ours);
        marked && ours == 1 && held && connected
    }
}

fn is_own(object: &ModelObject) -> bool {
    matches!(object.claim, Some(Annotation::Claim { life, .. }) if life == object.life)
}

/// Returns what the liveness run depends on: neither budgets nor past events.
fn key(s: &ModelState, due: &[NextReconcile]) -> u64 {
    let mut hasher = DefaultHasher::new();
    (&s.object, &s.controllers, &s.requests, &s.late, &s.endpoints, s.past.may_stay, due).hash(&mut hasher);
    hasher.finish()
}
