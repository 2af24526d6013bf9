//! Admission: decides which reconciles run now, so that a hanging reconcile delays no other.
//!
//! kube-runtime's controller starts a reconcile as soon as its object is due, and polls all running reconciles whenever one of
//! them makes progress. So few run at a time: a reconcile that finds no free place adds its object to the work queue and returns
//! immediately; when a place is free, the gate requests a reconcile of the next object in the queue. Every other
//! request for a reconcile from inside the process passes the gate too. It never waits, and knows nothing of what a reconcile does.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::channel::mpsc::{UnboundedReceiver, UnboundedSender, unbounded};
use kube::runtime::reflector::ObjectRef;

use crate::clock::Boottime;
use crate::metrics::{Metrics, Queued};

use super::cached::Cached;
use crate::runtime::work::Work;
use crate::runtime::work_queue::{Lane, Queue};

/// Identifies an object by its namespace and name.
type Name = Arc<ObjectRef<Cached>>;

/// Maximum concurrent reconciles for one instance: as many as may call Atlas concurrently for its project.
const PER_INSTANCE: usize = 8;

/// Maximum concurrent reconciles for one project of a namespace: those in a call to Atlas, and twice as many between two calls.
const PER_PROJECT: usize = 24;

/// Maximum concurrent reconciles of the process, for each concurrent call to Atlas: far more than a hanging project can take.
const PER_CALL: usize = 2;

/// Returns the maximum of concurrent reconciles of the process, for a maximum of `concurrency` concurrent calls to Atlas.
pub(super) fn most(concurrency: usize) -> usize {
    concurrency.saturating_mul(PER_CALL)
}

/// The gate in front of all reconciles of this process.
pub(super) struct Admission {
    state: Mutex<State>,
    requests: Requests,
    metrics: Metrics,
    work: Work,
}

struct State {
    queue: Queue<Name, Queued, 3>,
    /// Objects that are in the queue, or were taken from it and have not been reconciled since.
    waiting: HashMap<Name, Waiting>,
}

#[derive(Clone, Copy)]
struct Waiting {
    requested_at: Boottime,
    admitted: bool,
}

/// Requests for reconciles, each for the controller of the object's namespace.
#[derive(Debug, Default)]
struct Requests(Mutex<Vec<Receiver>>);

/// A watched namespace (`None`: all), and the channel for requests for its objects.
type Receiver = (Option<String>, UnboundedSender<ObjectRef<Cached>>);

/// The place of one running reconcile, freed on drop.
pub(super) struct Place {
    admission: Arc<Admission>,
    name: Name,
    /// When the reconcile was last requested: later than the object's current version and than its previous reconcile.
    pub(super) requested_at: Boottime,
}

impl Admission {
    /// Creates a gate for `concurrency` concurrent calls to Atlas. It admits nothing while `work` may not begin.
    pub(super) fn new(concurrency: usize, metrics: Metrics, work: Work) -> Self {
        let queue = Queue::new(most(concurrency), [usize::MAX, PER_PROJECT, PER_INSTANCE]);
        let state = Mutex::new(State { queue, waiting: HashMap::new() });
        Self { state, requests: Requests::default(), metrics, work }
    }

    /// Returns a place if the object may be reconciled now. Otherwise adds the object to `lane`; its reconcile is requested
    /// again when a place is free for it.
    pub(super) fn enter(self: &Arc<Self>, object: ObjectRef<Cached>, lane: Lane<3>) -> Option<Place> {
        let name = Arc::new(object);
        let mut state = self.state();
        let State { queue, waiting } = &mut *state;
        waiting
            .entry(Arc::clone(&name))
            .or_insert_with(|| Waiting { requested_at: Boottime::now(), admitted: false });
        queue.add(&name, || lane, || self.metrics.queued());
        self.admit(&mut state, Some(&name));
        if !self.work.may_begin() || !state.waiting.get(&name)?.admitted {
            return None;
        }
        let Waiting { requested_at, .. } = state.waiting.remove(&name)?;
        Some(Place { admission: Arc::clone(self), name, requested_at })
    }

    /// Records a trigger for the object. If the object is in the queue, its reconcile must use data read after this trigger.
    pub(super) fn requested(&self, object: &ObjectRef<Cached>) {
        if let Some(waiting) = self.state().waiting.get_mut(object) {
            waiting.requested_at = Boottime::now();
        }
    }

    /// Records a trigger for the object and requests a reconcile.
    pub(super) fn request(&self, object: &ObjectRef<Cached>) {
        self.requested(object);
        self.requests.send(object);
    }

    /// Returns the requests for reconciles of objects of `namespace` (`None`: of all) from now on.
    pub(super) fn requests_for(&self, namespace: Option<String>) -> UnboundedReceiver<ObjectRef<Cached>> {
        self.requests.receive(namespace)
    }

    /// Returns `true` if one watch shows the objects of all namespaces.
    pub(super) fn serves_all_namespaces(&self) -> bool {
        self.requests.receivers().iter().any(|(namespace, _)| namespace.is_none())
    }

    /// Frees the place that was reserved for an object that no longer exists.
    pub(super) fn withdraw(&self, object: &ObjectRef<Cached>) {
        let mut state = self.state();
        if state.waiting.get(object).is_some_and(|waiting| waiting.admitted) {
            state.waiting.remove(object);
            let name = Arc::new(object.clone());
            self.leave(&mut state, &name);
        }
    }

    /// Admits objects each time `work` may begin again; returns when `work` has ended.
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
        for (name, _) in state.waiting.iter().filter(|(_, waiting)| waiting.admitted) {
            self.requests.send(name);
        }
        self.admit(&mut state, None);
    }

    /// Takes objects from the queue while places are free, and requests their reconciles, except for `entering`: its reconcile is
    /// already running.
    fn admit(&self, state: &mut State, entering: Option<&Name>) {
        while self.work.may_begin()
            && let Some((name, queued)) = state.queue.get()
        {
            drop(queued);
            if let Some(waiting) = state.waiting.get_mut(&name) {
                waiting.admitted = true;
            }
            if entering != Some(&name) {
                self.requests.send(&name);
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

impl Requests {
    fn receive(&self, namespace: Option<String>) -> UnboundedReceiver<ObjectRef<Cached>> {
        let (sender, receiver) = unbounded();
        self.receivers().push((namespace, sender));
        receiver
    }

    fn send(&self, object: &ObjectRef<Cached>) {
        for (namespace, sender) in self.receivers().iter() {
            if namespace.is_none() || *namespace == object.namespace {
                // The receiver ends with its controller, after which nothing is reconciled any more.
                let _ = sender.unbounded_send(object.clone());
            }
        }
    }

    fn receivers(&self) -> MutexGuard<'_, Vec<Receiver>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    /// Returns the object that the place belongs to.
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
