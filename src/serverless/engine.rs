//! The engine: kube-runtime's controller for one watch, fed with triggers and requests, behind the admission gate.
//!
//! It is `applier`, the part of `Controller` that schedules and runs: requests without versions take half the memory, and an object of
//! a repeated listing must not be reconciled before the store holds it, as `Controller`'s own trigger does. Decides nothing, and
//! knows nothing of Atlas.

use std::convert::Infallible;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures::{Stream, StreamExt, stream};
use kube::Resource;
use kube::runtime::controller::{Action, Config, Error, applier};
use kube::runtime::reflector::{ObjectRef, Store};
use kube::runtime::watcher::Event;

use crate::clock::Boottime;
use crate::serverless::crd::ServerlessPrivateEndpoint;

use super::admission::{Admission, Place};
use super::cached::Cached;
use super::triggers::{Triggered, Triggers, name};
use crate::runtime::work::Work;
use crate::runtime::work_queue::Lane;

/// Runs `reconcile` for each object of `store` that an event or a request names, and again after the delay that it returned, until
/// `work` ends; then waits for the reconciles that run. Each is told when it was requested. The events have passed through the
/// store. `unshown` is told of each object that is there no more, also of one that went while nobody watched; `gone` as well, and
/// again after a reconcile in which its object went.
pub(super) async fn run<Reconcile>(
    events: impl Stream<Item = Event<Cached>>,
    requests: impl Stream<Item = ObjectRef<Cached>>,
    store: Store<Cached>,
    admission: Arc<Admission>,
    reconcile: impl Fn(Box<ServerlessPrivateEndpoint>, Boottime) -> Reconcile + Clone,
    (unshown, gone): (impl Fn(&ObjectRef<Cached>), impl Fn(&ObjectRef<Cached>) + Clone),
    work: &Work,
) where
    Reconcile: Future<Output = Option<Duration>>,
{
    let mut triggers = Triggers::new(store.clone());
    let triggered = events.flat_map(|event| {
        let Triggered { reconcile, gone: went } = triggers.on_event(event);
        for object in &went {
            unshown(object);
            gone(object);
        }
        for object in &reconcile {
            admission.requested(object);
        }
        stream::iter(reconcile)
    });
    let queue = stream::select(triggered, requests).take_until(work.ended()).map(Ok::<_, Infallible>);
    let reconciler = |object: Arc<Cached>, _: Arc<()>| {
        let (reconcile, gone, store) = (reconcile.clone(), gone.clone(), store.clone());
        let admitted = admit(&admission, &object);
        Box::pin(async move {
            let Some((object, place)) = admitted else { return Ok::<_, Infallible>(Action::await_change()) };
            let delay = reconcile(object, place.requested_at).await;
            if store.get(place.object()).is_none() {
                // It went during the reconcile, which may have noted something of it since.
                gone(place.object());
            }
            Ok(delay.map_or_else(Action::await_change, Action::requeue))
        })
    };
    // A reconcile does not fail here: what it returns after an error is the delay.
    let error_policy = |_, error: &Infallible, _| match *error {};
    let (context, config) = (Arc::new(()), Config::default());
    let mut finished = pin!(applier(reconciler, error_policy, context, store.clone(), queue, config));
    while let Some(ended) = finished.next().await {
        if let Err(Error::ObjectNotFound(object)) = ended {
            let name = ObjectRef::new(&object.name).within(object.namespace.as_deref().unwrap_or_default());
            admission.withdraw(&name);
        }
    }
}

/// The object and its place, if it can be decoded and is admitted now. Else its reconcile is requested when it is.
fn admit(admission: &Arc<Admission>, object: &Cached) -> Option<(Box<ServerlessPrivateEndpoint>, Place)> {
    let decoded = object.read()?;
    let place = admission.enter(name(object), lane(decoded))?;
    Some((Box::new(decoded.clone()), place))
}

/// Where the object waits. The project and the instance are what its manifest says, and need not exist.
fn lane(object: &ServerlessPrivateEndpoint) -> Lane<3> {
    let namespace = object.meta().namespace.as_deref().unwrap_or_default();
    [namespace.into(), object.spec.project_id.as_str().into(), object.spec.instance_name.as_str().into()]
}

#[cfg(test)]
#[path = "engine_tests.rs"]
mod tests;
