//! Admission: decides which reconciles run now, so that a hanging reconcile delays no other.
//!
//! kube-runtime's controller starts a reconcile as soon as its object is due, and polls all running reconciles whenever one of
//! them makes progress. Therefore few run at a time: a reconcile that gets no permit adds its object to the work queue and returns
//! immediately; when a permit is free, the gate requests a reconcile of the next object in the queue. Every other
//! request for a reconcile from inside the process passes the gate too. It never waits, and does not know the steps of a reconcile.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::channel::mpsc::{UnboundedReceiver, UnboundedSender, unbounded};
use kube::runtime::reflector::ObjectRef;

use crate::clock::Boottime;
use crate::metrics::{Metrics, Queued};

use super::cached::Cached;
use super::concurrency;
use super::kind::Kind;
use super::work::Work;
use super::work_queue::{Lane, Queue};

/// Identifies an object by its namespace and name.
type Name<K> = Arc<ObjectRef<Cached<K>>>;

/// Maximum concurrent reconciles for one lane: as many as may call Atlas concurrently for its project.
const PER_LANE: usize = concurrency::PER_PROJECT;

/// Maximum concurrent reconciles for one project of a namespace: those in a call to Atlas, and twice as many between two calls.
const PER_PROJECT: usize = 24;

/// Maximum concurrent reconciles of the process, for each concurrent call to Atlas: far more than a hanging project can take.
const PER_CALL: usize = 2;

/// Returns the maximum of concurrent reconciles of the process, for a maximum of `concurrency` concurrent calls to Atlas.
pub(crate) fn max_reconciles(concurrency: usize) -> usize {
    concurrency.saturating_mul(PER_CALL)
}

/// The gate in front of all reconciles of this process.
pub(crate) struct Admission<K: Kind> {
    state: Mutex<GateState<K>>,
    requests: Requests<K>,
    metrics: Metrics,
    work: Work,
}

struct GateState<K: Kind> {
    queue: Queue<Name<K>, Queued, 3>,
    /// Objects that are in the queue, or were taken from it and have not been reconciled since.
    waiting: HashMap<Name<K>, Waiting>,
}

#[derive(Clone, Copy)]
struct Waiting {
    requested_at: Boottime,
    admitted: bool,
}

/// Requests for reconciles, each for the controller of the object's namespace.
struct Requests<K: Kind>(Mutex<Vec<Receiver<K>>>);

/// A watched namespace (`None`: all), and the channel for requests for its objects.
type Receiver<K> = (Option<String>, UnboundedSender<ObjectRef<Cached<K>>>);

/// The permit of one running reconcile, returned on drop.
pub(crate) struct ReconcilePermit<K: Kind> {
    admission: Arc<Admission<K>>,
    name: Name<K>,
    /// When the reconcile was last requested: later than the object's current version and than its previous reconcile.
    pub(crate) requested_at: Boottime,
}

impl<K: Kind> Admission<K> {
    /// Creates a gate for `concurrency` concurrent calls to Atlas. It admits nothing while `work` may not begin.
    pub(crate) fn new(concurrency: usize, metrics: Metrics, work: Work) -> Self {
        let queue = Queue::new(max_reconciles(concurrency), [usize::MAX, PER_PROJECT, PER_LANE]);
        let state = Mutex::new(GateState { queue, waiting: HashMap::new() });
        Self { state, requests: Requests(Mutex::default()), metrics, work }
    }

    /// Returns a permit if the object may be reconciled now. Otherwise adds the object to `lane`; its reconcile is requested
    /// again when a permit is free for it.
    pub(crate) fn enter(
        self: &Arc<Self>,
        object: ObjectRef<Cached<K>>,
        lane: Lane<3>,
    ) -> Option<ReconcilePermit<K>> {
        let name = Arc::new(object);
        let mut state = self.state();
        let GateState { queue, waiting } = &mut *state;
        waiting
            .entry(Arc::clone(&name))
            .or_insert_with(|| Waiting { requested_at: Boottime::now(), admitted: false });
        queue.add(&name, || lane, || self.metrics.queued());
        self.admit(&mut state, Some(&name));
        if !self.work.may_start() || !state.waiting.get(&name)?.admitted {
            return None;
        }
        let Waiting { requested_at, .. } = state.waiting.remove(&name)?;
        Some(ReconcilePermit { admission: Arc::clone(self), name, requested_at })
    }

    /// Records a trigger for the object. If the object is in the queue, its reconcile must use data read after this trigger.
    pub(crate) fn record_trigger(&self, object: &ObjectRef<Cached<K>>) {
        if let Some(waiting) = self.state().waiting.get_mut(object) {
            waiting.requested_at = Boottime::now();
        }
    }

    /// Records a trigger for the object and requests a reconcile.
    pub(crate) fn request(&self, object: &ObjectRef<Cached<K>>) {
        self.record_trigger(object);
        self.requests.send(object);
    }

    /// Returns the requests for reconciles of objects of `namespace` (`None`: of all) from now on.
    pub(crate) fn requests_for(&self, namespace: Option<String>) -> UnboundedReceiver<ObjectRef<Cached<K>>> {
        self.requests.receive(namespace)
    }

    /// Returns `true` if one watch shows the objects of all namespaces.
    pub(crate) fn serves_all_namespaces(&self) -> bool {
        self.requests.receivers().iter().any(|(namespace, _)| namespace.is_none())
    }

    /// Frees the permit that was reserved for an object that no longer exists.
    pub(crate) fn withdraw(&self, object: &ObjectRef<Cached<K>>) {
        let mut state = self.state();
        if state.waiting.get(object).is_some_and(|waiting| waiting.admitted) {
            state.waiting.remove(object);
            let name = Arc::new(object.clone());
            self.leave(&mut state, &name);
        }
    }

    /// Admits objects each time `work` may begin again; returns when `work` has ended.
    pub(crate) async fn run(&self) {
        loop {
            tokio::select! {
                () = self.work.ended() => return,
                () = self.work.until_leader() => self.resume(),
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

    /// Takes objects from the queue while permits are free, and requests their reconciles, except for `entering`: its reconcile is
    /// already running.
    fn admit(&self, state: &mut GateState<K>, entering: Option<&Name<K>>) {
        while self.work.may_start()
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

    fn leave(&self, state: &mut GateState<K>, name: &Name<K>) {
        state.queue.done(name);
        self.admit(state, None);
    }

    fn state(&self) -> MutexGuard<'_, GateState<K>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Kind> Requests<K> {
    fn receive(&self, namespace: Option<String>) -> UnboundedReceiver<ObjectRef<Cached<K>>> {
        let (sender, receiver) = unbounded();
        self.receivers().push((namespace, sender));
        receiver
    }

    fn send(&self, object: &ObjectRef<Cached<K>>) {
        for (namespace, sender) in self.receivers().iter() {
            if namespace.is_none() || *namespace == object.namespace {
                // The receiver ends with its controller, after which nothing is reconciled any more.
                let _ = sender.unbounded_send(object.clone());
            }
        }
    }

    fn receivers(&self) -> MutexGuard<'_, Vec<Receiver<K>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Kind> ReconcilePermit<K> {
    /// Returns the object that the permit belongs to.
    pub(crate) fn object(&self) -> &ObjectRef<Cached<K>> {
        &self.name
    }
}

impl<K: Kind> Drop for ReconcilePermit<K> {
    fn drop(&mut self) {
        let mut state = self.admission.state();
        self.admission.leave(&mut state, &self.name);
    }
}

#[cfg(test)]
#[path = "admission_tests.rs"]
mod tests;
