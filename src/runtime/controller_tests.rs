//! Tests which objects are reconciled, when, and which are reported as deleted.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;

use futures::channel::mpsc::{UnboundedSender, unbounded};
use futures::stream;
use kube::runtime::reflector;
use kube::{Resource, ResourceExt};
use serde_json::json;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::metrics::Metrics;

use super::*;
use crate::runtime::example::Example;

const DELAY: Duration = Duration::from_secs(10);

fn object(name: &str, generation: u32) -> Cached<Example> {
    let object = json!({
        "apiVersion": "atlas.spe-operator.io/v1alpha1",
        "kind": "Example",
        "metadata": {"namespace": "shop", "name": name, "generation": generation},
        "spec": {"projectId": "32b6e34b3d91647abb20e7b8"},
    });
    serde_json::from_str(&object.to_string()).unwrap()
}

fn listing(objects: &[&str]) -> Vec<Event<Cached<Example>>> {
    let objects = objects.iter().map(|name| Event::InitApply(object(name, 1)));
    [Event::Init].into_iter().chain(objects).chain([Event::InitDone]).collect()
}

/// A controller whose reconciles all requeue after the same delay, and a record of its reconciles.
struct Harness {
    events: UnboundedSender<Vec<Event<Cached<Example>>>>,
    requests: UnboundedSender<ObjectRef<Cached<Example>>>,
    work: Work,
    /// Reconciles end only while this is `true`.
    ends: watch::Sender<bool>,
    reconciled: RefCell<HashMap<String, Vec<i64>>>,
    unshown: RefCell<Vec<String>>,
    gone: RefCell<Vec<String>>,
    ended: Cell<bool>,
}

impl Harness {
    async fn send(&self, events: Vec<Event<Cached<Example>>>) {
        self.events.unbounded_send(events).unwrap();
        a_moment().await;
    }

    async fn let_reconciles_end(&self, end: bool) {
        self.ends.send_replace(end);
        a_moment().await;
    }

    /// Returns the reconciled generations of an object, in order.
    fn reconciled(&self, name: &str) -> Vec<i64> {
        self.reconciled.borrow().get(name).cloned().unwrap_or_default()
    }

    async fn reconcile(&self, object: Box<Example>) -> Option<Duration> {
        let generation = object.meta().generation.unwrap();
        self.reconciled.borrow_mut().entry(object.name_any()).or_default().push(generation);
        self.ends.subscribe().wait_for(|ends| *ends).await.unwrap();
        Some(DELAY)
    }
}

/// Runs `test` concurrently with a controller.
async fn beside(test: impl AsyncFnOnce(&Harness)) {
    let (_, writer) = reflector::store();
    let (events, received) = unbounded::<Vec<Event<Cached<Example>>>>();
    let (requests, requested_directly) = unbounded();
    let received = received.flat_map(stream::iter);
    let harness = Harness {
        events,
        requests,
        work: Work::new(CancellationToken::new()),
        ends: watch::Sender::new(true),
        reconciled: RefCell::default(),
        unshown: RefCell::default(),
        gone: RefCell::default(),
        ended: Cell::new(false),
    };
    let report = |object: &ObjectRef<Cached<Example>>| harness.unshown.borrow_mut().push(object.name.clone());
    let remove = |object: &ObjectRef<Cached<Example>>| harness.gone.borrow_mut().push(object.name.clone());
    let admission = Arc::new(Admission::new(4, Metrics::default(), harness.work.clone()));
    let requested = stream::select(requested_directly, admission.requests_for(None));
    let reconcile = |object, _| harness.reconcile(object);
    let run = async {
        let work = &harness.work;
        let engine = run(
            received,
            requested,
            writer,
            Arc::clone(&admission),
            reconcile,
            OnLeft { report, remove },
            work,
        );
        tokio::join!(engine, admission.run());
        harness.ended.set(true);
    };
    let test = async {
        test(&harness).await;
        harness.work.end();
    };
    tokio::join!(run, test);
}

/// Waits longer than one requeue delay, and shorter than two.
async fn a_delay() {
    tokio::time::sleep(DELAY + DELAY / 2).await;
}

/// Waits until everything that is ready has run: the paused clock only advances then.
async fn a_moment() {
    tokio::time::sleep(Duration::from_millis(1)).await;
}

#[tokio::test(start_paused = true)]
async fn an_object_is_reconciled_when_it_appears_changes_is_requested_or_is_due() {
    beside(async |harness| {
        harness.send(listing(&["orders"])).await;
        assert_eq!(harness.reconciled("orders"), [1]);
        harness.send(vec![Event::Apply(object("orders", 1))]).await;
        assert_eq!(harness.reconciled("orders"), [1], "the object is unchanged");
        harness.send(vec![Event::Apply(object("orders", 2))]).await;
        assert_eq!(harness.reconciled("orders"), [1, 2]);
        harness.requests.unbounded_send(ObjectRef::new("orders").within("shop")).unwrap();
        harness.requests.unbounded_send(ObjectRef::new("nobody").within("shop")).unwrap();
        a_moment().await;
        assert_eq!(harness.reconciled("orders"), [1, 2, 2]);
        a_delay().await;
        assert_eq!(harness.reconciled("orders"), [1, 2, 2, 2]);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_object_of_a_listing_is_reconciled_once_the_listing_is_complete() {
    beside(async |harness| {
        let mut events = listing(&["orders"]);
        let done = events.pop().unwrap();
        harness.send(events).await;
        assert!(harness.reconciled("orders").is_empty());
        harness.send(vec![done]).await;
        assert_eq!(harness.reconciled("orders"), [1]);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_change_in_an_interrupted_listing_is_reconciled_after_the_next() {
    beside(async |harness| {
        harness.send(listing(&["orders", "stays"])).await;
        harness.send(vec![Event::Init, Event::InitApply(object("orders", 2))]).await;
        let next = [Event::Init, Event::InitApply(object("orders", 2)), Event::InitApply(object("stays", 1))];
        harness.send(next.into()).await;
        assert_eq!(harness.reconciled("orders"), [1]);
        harness.send(vec![Event::InitDone]).await;
        assert_eq!((harness.reconciled("orders"), harness.reconciled("stays")), (vec![1, 2], vec![1]));
        assert!(harness.gone.borrow().is_empty());
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_change_during_a_reconcile_is_reconciled_after_it() {
    beside(async |harness| {
        harness.let_reconciles_end(false).await;
        harness.send(listing(&["orders"])).await;
        harness.send(vec![Event::Apply(object("orders", 2))]).await;
        harness.send(vec![Event::Apply(object("orders", 3))]).await;
        assert_eq!(harness.reconciled("orders"), [1]);
        harness.let_reconciles_end(true).await;
        assert_eq!(harness.reconciled("orders"), [1, 3]);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_recreated_object_starts_with_new_state() {
    beside(async |harness| {
        harness.send(listing(&["orders"])).await;
        harness.send(vec![Event::Delete(object("orders", 1))]).await;
        assert_eq!(*harness.gone.borrow(), ["orders"]);
        tokio::time::sleep(DELAY / 2).await;
        harness.send(vec![Event::Apply(object("orders", 1))]).await;
        assert_eq!(harness.reconciled("orders"), [1, 1]);
        // The requeue of the first object would be due by now; that of the second is not.
        tokio::time::sleep(DELAY * 3 / 4).await;
        assert_eq!(harness.reconciled("orders"), [1, 1]);
        tokio::time::sleep(DELAY / 2).await;
        assert_eq!(harness.reconciled("orders"), [1, 1, 1]);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_object_deleted_while_the_watch_was_interrupted_is_gone_too() {
    beside(async |harness| {
        harness.send(listing(&["orders", "stays"])).await;
        harness.send(listing(&["stays"])).await;
        assert_eq!(*harness.gone.borrow(), ["orders"]);
        assert_eq!(*harness.unshown.borrow(), ["orders"]);
        a_delay().await;
        assert_eq!((harness.reconciled("orders"), harness.reconciled("stays")), (vec![1], vec![1, 1]));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_object_deleted_during_a_reconcile_is_gone_again_after_it() {
    beside(async |harness| {
        harness.let_reconciles_end(false).await;
        harness.send(listing(&["orders"])).await;
        harness.send(vec![Event::Delete(object("orders", 1))]).await;
        assert_eq!(*harness.gone.borrow(), ["orders"]);
        harness.let_reconciles_end(true).await;
        assert_eq!(*harness.gone.borrow(), ["orders", "orders"]);
        assert_eq!(*harness.unshown.borrow(), ["orders"]);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn no_reconcile_begins_until_the_process_leads_again() {
    beside(async |harness| {
        harness.send(listing(&["orders"])).await;
        harness.work.set_leader(false);
        harness.send(vec![Event::Apply(object("orders", 2))]).await;
        a_delay().await;
        assert_eq!(harness.reconciled("orders"), [1]);
        harness.work.set_leader(true);
        a_moment().await;
        assert_eq!(harness.reconciled("orders"), [1, 2]);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_waits_for_running_reconciles_and_begins_none() {
    beside(async |harness| {
        harness.let_reconciles_end(false).await;
        harness.send(listing(&["orders"])).await;
        harness.send(vec![Event::Apply(object("orders", 2))]).await;
        harness.work.end();
        a_delay().await;
        assert!(!harness.ended.get());
        harness.let_reconciles_end(true).await;
        assert!(harness.ended.get());
        assert_eq!(harness.reconciled("orders"), [1]);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_amid_the_first_listing_waits_for_nothing() {
    beside(async |harness| {
        harness.send(vec![Event::Init, Event::InitApply(object("orders", 1))]).await;
        harness.work.end();
        a_moment().await;
        assert!(harness.ended.get());
        assert!(harness.reconciled("orders").is_empty());
    })
    .await;
}
