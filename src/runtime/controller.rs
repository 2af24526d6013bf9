//! kube-runtime's controller for one watch, fed with triggers and requests, behind the admission gate.
//!
//! It uses `applier`, the part of `Controller` that schedules and runs reconciles. `Controller`'s own trigger does not fit: its
//! requests carry versions, which doubles their memory, and it reconciles an object of a repeated listing before the store holds
//! it. This file decides nothing, and knows nothing of Atlas.

use std::convert::Infallible;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures::{FutureExt, Stream, StreamExt, stream};
use kube::runtime::controller::{Action, Config, Error, applier};
use kube::runtime::reflector::ObjectRef;
use kube::runtime::reflector::store::Writer;
use kube::runtime::watcher::Event;

use crate::clock::Boottime;

use super::admission::{Admission, ReconcilePermit};
use super::cached::Cached;
use super::kind::Kind;
use super::triggers::{Triggered, Triggers, name};
use super::work::Work;

/// What to do about an object that has left the store, also if it was deleted while the watch was interrupted.
pub(crate) struct OnLeft<Report, Remove> {
    /// Reports that the object is no longer watched, if it still exists.
    pub(crate) report: Report,
    /// Removes the state of the object. Called a second time after a reconcile during which the object left the store: it may have
    /// recorded state since.
    pub(crate) remove: Remove,
}

/// Reconciles each object of the store of `writer` that is named by a watch event or a request, and again after the delay that
/// `reconcile` returned.
///
/// When `work` ends, it starts nothing new and waits for the running reconciles. Each reconcile receives the time at which it was
/// last requested. The events are applied to the store here.
pub(crate) async fn run<K: Kind, Reconcile>(
    events: impl Stream<Item = Event<Cached<K>>>,
    requests: impl Stream<Item = ObjectRef<Cached<K>>>,
    writer: Writer<Cached<K>>,
    admission: Arc<Admission<K>>,
    reconcile: impl Fn(Box<K>, Boottime) -> Reconcile + Clone,
    on_left: OnLeft<impl Fn(&ObjectRef<Cached<K>>), impl Fn(&ObjectRef<Cached<K>>) + Clone>,
    work: &Work,
) where
    Reconcile: Future<Output = Option<Duration>>,
{
    let store = writer.as_reader();
    let mut triggers = Triggers::new(writer);
    let triggered = events.flat_map(|event| {
        let Triggered { reconcile, deleted } = triggers.on_event(&event);
        for object in &deleted {
            (on_left.report)(object);
            (on_left.remove)(object);
        }
        for object in &reconcile {
            admission.record_trigger(object);
        }
        stream::iter(reconcile)
    });
    let queue = stream::select(triggered, requests).take_until(work.ended()).map(Ok::<_, Infallible>);
    let reconciler = |object: Arc<Cached<K>>, _: Arc<()>| {
        let (reconcile, remove, store) = (reconcile.clone(), on_left.remove.clone(), store.clone());
        let admitted = admit(&admission, &object);
        Box::pin(async move {
            let Some((object, permit)) = admitted else { return Ok::<_, Infallible>(Action::await_change()) };
            let delay = reconcile(object, permit.requested_at).await;
            if store.get(permit.object()).is_none() {
                remove(permit.object());
            }
            Ok(delay.map_or_else(Action::await_change, Action::requeue))
        })
    };
    // A reconcile never fails here: after an error it returns the delay of its retry.
    let error_policy = |_, error: &Infallible, _| match *error {};
    let (context, config) = (Arc::new(()), Config::default());
    let mut finished = pin!(applier(reconciler, error_policy, context, store.clone(), queue, config));
    let drained = async {
        while let Some(ended) = finished.next().await {
            if let Err(Error::ObjectNotFound(object)) = ended {
                let name =
                    ObjectRef::new(&object.name).within(object.namespace.as_deref().unwrap_or_default());
                admission.withdraw(&name);
            }
        }
    };
    // It starts nothing before the store is complete, and then never learns that it has nothing to wait for.
    let never_started = async {
        work.ended().await;
        if store.wait_until_ready().now_or_never().is_some() {
            std::future::pending::<()>().await;
        }
    };
    tokio::select! {
        () = drained => {}
        () = never_started => {}
    }
}

/// Returns the object and its permit, if it was decoded and is admitted now. Otherwise its reconcile is requested once it is
/// admitted.
fn admit<K: Kind>(admission: &Arc<Admission<K>>, object: &Cached<K>) -> Option<(Box<K>, ReconcilePermit<K>)> {
    let decoded = object.object()?;
    let permit = admission.enter(name(object), decoded.lane())?;
    Some((decoded, permit))
}

#[cfg(test)]
#[path = "controller_tests.rs"]
mod tests;
