//! Bounds on concurrent calls: permits that namespaces share fairly, and the queue for them.
//!
//! A waiting caller holds no permit. A cancelled call returns its permit.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use domain::ids::ProjectId;
use tokio::sync::oneshot;

use super::work_queue::{Lane, Queue};

/// The maximum number of concurrent calls to Atlas for one project of a namespace.
pub(crate) const PER_PROJECT: usize = 8;

/// The permit to call, until it is dropped.
pub(crate) struct Permit<const LEVELS: usize> {
    number: u64,
    shares: Arc<Shares<LEVELS>>,
}

/// Permits that namespaces share.
pub(crate) struct Shares<const LEVELS: usize> {
    queue: Mutex<Queue<u64, oneshot::Sender<Permit<LEVELS>>, LEVELS>>,
    numbers: AtomicU64,
}

impl<const LEVELS: usize> Shares<LEVELS> {
    /// Creates `max` permits in total, with bounds for each name below a namespace.
    pub(crate) fn new(max: usize, bounds: [usize; LEVELS]) -> Arc<Self> {
        Arc::new(Self { queue: Mutex::new(Queue::new(max, bounds)), numbers: AtomicU64::new(0) })
    }

    /// Waits for a permit. `None` only if the process ends.
    pub(crate) async fn enter(self: &Arc<Self>, lane: Lane<LEVELS>) -> Option<Permit<LEVELS>> {
        let (sender, granted) = oneshot::channel();
        let number = self.numbers.fetch_add(1, Ordering::Relaxed);
        self.queue().add(&number, || lane, || sender);
        self.serve();
        granted.await.ok()
    }

    /// Hands the free permits to the next waiting callers.
    fn serve(self: &Arc<Self>) {
        loop {
            // The lock must not be held when a permit is dropped.
            let next = self.queue().get();
            let Some((number, sender)) = next else { return };
            if sender.is_closed() {
                self.queue().done(&number);
            } else {
                drop(sender.send(Permit { number, shares: Arc::clone(self) }));
            }
        }
    }

    fn queue(&self) -> MutexGuard<'_, Queue<u64, oneshot::Sender<Permit<LEVELS>>, LEVELS>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<const LEVELS: usize> Drop for Permit<LEVELS> {
    fn drop(&mut self) {
        self.shares.queue().done(&self.number);
        self.shares.serve();
    }
}

/// The bounds on calls to Atlas.
pub(crate) struct Concurrency(Arc<Shares<2>>);

impl Concurrency {
    /// Allows at most `all` calls at once.
    pub(crate) fn new(all: usize) -> Self {
        Self(Shares::new(all, [usize::MAX, PER_PROJECT]))
    }

    /// Waits for the permit to call Atlas about `project` for an object of `namespace`.
    pub(crate) async fn enter(&self, namespace: &str, project: &ProjectId) -> Option<Permit<2>> {
        self.0.enter([namespace.into(), project.as_str().into()]).await
    }
}

#[cfg(test)]
#[path = "concurrency_tests.rs"]
mod tests;
