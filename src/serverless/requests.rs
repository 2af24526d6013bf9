//! Requests for reconciles from inside this process, each routed to the controller of the object's namespace.

use std::sync::{Mutex, MutexGuard, PoisonError};

use futures::channel::mpsc::{UnboundedReceiver, UnboundedSender, unbounded};
use kube::runtime::reflector::ObjectRef;

use super::cached::Cached;

/// The channels to send requests to, by watched namespace; `None` is all namespaces.
#[derive(Debug, Default)]
pub(super) struct Requests(Mutex<Vec<Receiver>>);

/// A watched namespace, and the channel for requests for its objects.
type Receiver = (Option<String>, UnboundedSender<ObjectRef<Cached>>);

impl Requests {
    /// Returns the requests for objects of `namespace` (`None`: of all) from now on.
    pub(super) fn of(&self, namespace: Option<String>) -> UnboundedReceiver<ObjectRef<Cached>> {
        let (sender, receiver) = unbounded();
        self.senders().push((namespace, sender));
        receiver
    }

    /// Requests a reconcile of `object`.
    pub(super) fn request(&self, object: &ObjectRef<Cached>) {
        for (namespace, sender) in self.senders().iter() {
            if namespace.is_none() || *namespace == object.namespace {
                // The receiver ends with its controller, after which nothing is reconciled any more.
                let _ = sender.unbounded_send(object.clone());
            }
        }
    }

    /// Returns `true` if one watch shows the objects of all namespaces.
    pub(super) fn are_of_all(&self) -> bool {
        self.senders().iter().any(|(namespace, _)| namespace.is_none())
    }

    fn senders(&self) -> MutexGuard<'_, Vec<Receiver>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
