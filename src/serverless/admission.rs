//! Admission: which reconciles run now, so that one that hangs holds up no other.
//!
//! kube-runtime's controller starts a reconcile as soon as its object is due, and polls all that run whenever one of them moves. So
//! what runs is kept small here: a reconcile without a free place enters the queue and returns at once, and when a place is free
//! the gate requests the reconcile of the next object again. It never waits, and knows nothing of what a reconcile does.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use kube::runtime::reflector::ObjectRef;

use crate::clock::Boottime;
use crate::metrics::{Metrics, Queued};

use super::cached::Cached;
use super::requests::Requests;
use crate::runtime::work::Work;
use crate::runtime::work_queue::{Lane, Queue};

/// An object by its name alone.
type Name = Arc<ObjectRef<Cached>>;

/// The reconciles that may run at once for the objects of one instance: as many as may call Atlas at once for its project.
const PER_INSTANCE: usize = 8;

/// The same for one project of a namespace: that many calls, and as many again and more between two calls.
const PER_PROJECT: usize = 24;

/// The same in all, for each call to Atlas that may run at once: far more than a project that hangs can take.
const PER_CALL: usize = 4;

/// The reconciles that may run at once, for so many calls to Atlas at once.
pub(super) fn most(concurrency: usize) -> usize {
    concurrency.saturating_mul(PER_CALL)
}

/// The gate in front of all reconciles of this process.
pub(super) struct Admission {
    state: Mutex<State>,
    /// Where reconciles are requested.
    pub(super) requests: Requests,
    metrics: Metrics,
    work: Work,
}

struct State {
    queue: Queue<Name, Queued, 3>,
    /// What waits in the queue, or was called from it and has not come yet.
    waiting: HashMap<Name, Waiting>,
}

#[derive(Clone, Copy)]
struct Waiting {
    requested_at: Boottime,
    called: bool,
}

/// The place of one reconcile, which is free again when this is dropped.
pub(super) struct Place {
    admission: Arc<Admission>,
    name: Name,
    /// When the reconcile was requested: after the object came to be as it is, and after its reconcile before.
    pub(super) requested_at: Boottime,
}

impl Admission {
    /// A gate for so many calls to Atlas at once. Nothing is admitted while no `work` may begin.
    pub(super) fn new(concurrency: usize, metrics: Metrics, work: Work) -> Self {
        let queue = Queue::new(most(concurrency), [usize::MAX, PER_PROJECT, PER_INSTANCE]);
        let state = Mutex::new(State { queue, waiting: HashMap::new() });
        Self { state, requests: Requests::default(), metrics, work }
    }

    /// Returns a place if the object may be reconciled now. Otherwise it waits in `lane`, and its reconcile is requested again
    /// when it is its turn.
    pub(super) fn enter(self: &Arc<Self>, object: ObjectRef<Cached>, lane: Lane<3>) -> Option<Place> {
        let name = Arc::new(object);
        let mut state = self.state();
        let State { queue, waiting } = &mut *state;
        waiting
            .entry(Arc::clone(&name))
            .or_insert_with(|| Waiting { requested_at: Boottime::now(), called: false });
        queue.add(&name, || lane, || self.metrics.queued());
        self.admit(&mut state, Some(&name));
        if !self.work.may_begin() || !state.waiting.get(&name)?.called {
            return None;
        }
        let Waiting { requested_at, .. } = state.waiting.remove(&name)?;
        Some(Place { admission: Arc::clone(self), name, requested_at })
    }

    /// Notes that something has happened to the object. If it waits, what its reconcile rests on must be younger than this.
    pub(super) fn requested(&self, object: &ObjectRef<Cached>) {
        if let Some(waiting) = self.state().waiting.get_mut(object) {
            waiting.requested_at = Boottime::now();
        }
    }

    /// Requests a reconcile of the object, to which something has happened.
    pub(super) fn request(&self, object: &ObjectRef<Cached>) {
        self.requested(object);
        self.requests.request(object);
    }

    /// The object that was called is gone: its place is free.
    pub(super) fn withdraw(&self, object: &ObjectRef<Cached>) {
        let mut state = self.state();
        if state.waiting.get(object).is_some_and(|waiting| waiting.called) {
            state.waiting.remove(object);
            let name = Arc::new(object.clone());
            self.leave(&mut state, &name);
        }
    }

    /// Calls what may run each time that work may begin again, until nothing will.
    pub(super) async fn run(&self) {
        loop {
            tokio::select! {
                () = self.work.ended() => return,
                () = self.work.begins() => self.resume(),
            }
            self.work.stopped().await;
        }
    }

    fn resume(&self) {
        let mut state = self.state();
        for (name, _) in state.waiting.iter().filter(|(_, waiting)| waiting.called) {
            self.requests.request(name);
        }
        self.admit(&mut state, None);
    }

    /// Calls those that may run now. The one that is `entering` is here already.
    fn admit(&self, state: &mut State, entering: Option<&Name>) {
        while self.work.may_begin()
            && let Some((name, queued)) = state.queue.get()
        {
            drop(queued);
            if let Some(waiting) = state.waiting.get_mut(&name) {
                waiting.called = true;
            }
            if entering != Some(&name) {
                self.requests.request(&name);
            }
        }
    }

    fn leave(&self, state: &mut State, name: &Name) {
        state.queue.done(name);
        self.admit(state, None);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    /// Whose place it is.
    pub(super) fn object(&self) -> &ObjectRef<Cached> {
        &self.name
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut state = self.admission.state();
        self.admission.leave(&mut state, &self.name);
    }
}

#[cfg(test)]
#[path = "admission_tests.rs"]
mod tests;
