//! What is reconciled, when, and who is told that an object is gone.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;

use futures::channel::mpsc::{UnboundedSender, unbounded};
use futures::stream;
use kube::ResourceExt;
use kube::runtime::{WatchStreamExt, reflector, watcher};
use serde_json::json;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::metrics::Metrics;

use super::*;

const PAUSE: Duration = Duration::from_secs(10);

fn object(name: &str, generation: u32) -> Cached {
    let object = json!({
        "apiVersion": "atlas.spe-operator.io/v1alpha1",
        "kind": "ServerlessPrivateEndpoint",
        "metadata": {"namespace": "shop", "name": name, "generation": generation},
        "spec": {"projectId": "32b6e34b3d91647abb20e7b8", "instanceName": "orders"},
    });
    serde_json::from_str(&object.to_string()).unwrap()
}

fn listing(objects: &[&str]) -> Vec<Event<Cached>> {
    let objects = objects.iter().map(|name| Event::InitApply(object(name, 1)));
    [Event::Init].into_iter().chain(objects).chain([Event::InitDone]).collect()
}

/// A controller whose reconciles all requeue after the same delay, and what it did.
struct Stage {
    events: UnboundedSender<Vec<Event<Cached>>>,
    wakes: UnboundedSender<ObjectRef<Cached>>,
    work: Work,
    /// Looks end only while this is so.
    ends: watch::Sender<bool>,
    looks: RefCell<HashMap<String, Vec<i64>>>,
    unshown: RefCell<Vec<String>>,
    gone: RefCell<Vec<String>>,
    ended: Cell<bool>,
}

impl Stage {
    async fn happens(&self, events: Vec<Event<Cached>>) {
        self.events.unbounded_send(events).unwrap();
        a_moment().await;
    }

    async fn looks_end(&self, end: bool) {
        self.ends.send_replace(end);
        a_moment().await;
    }

    /// The generations that were looked at, in order.
    fn looks(&self, name: &str) -> Vec<i64> {
        self.looks.borrow().get(name).cloned().unwrap_or_default()
    }

    async fn look(&self, object: Box<ServerlessPrivateEndpoint>) -> Option<Duration> {
        let generation = object.meta().generation.unwrap();
        self.looks.borrow_mut().entry(object.name_any()).or_default().push(generation);
        self.ends.subscribe().wait_for(|ends| *ends).await.unwrap();
        Some(PAUSE)
    }
}

/// Runs `test` beside a controller.
async fn beside(test: impl AsyncFnOnce(&Stage)) {
    let (store, writer) = reflector::store();
    let (events, happens) = unbounded::<Vec<Event<Cached>>>();
    let (wakes, woken) = unbounded();
    let happens = happens.flat_map(stream::iter).map(Ok::<_, watcher::Error>).reflect(writer);
    let happens = happens.filter_map(|event| std::future::ready(event.ok()));
    let stage = Stage {
        events,
        wakes,
        work: Work::until(CancellationToken::new()),
        ends: watch::Sender::new(true),
        looks: RefCell::default(),
        unshown: RefCell::default(),
        gone: RefCell::default(),
        ended: Cell::new(false),
    };
    let unshown = |object: &ObjectRef<Cached>| stage.unshown.borrow_mut().push(object.name.clone());
    let gone = |object: &ObjectRef<Cached>| stage.gone.borrow_mut().push(object.name.clone());
    let admission = Arc::new(Admission::new(4, Metrics::default(), stage.work.clone()));
    let requested = stream::select(woken, admission.requests.of(None));
    let look = |object, _| stage.look(object);
    let run = async {
        let work = &stage.work;
        let engine = run(happens, requested, store, Arc::clone(&admission), look, (unshown, gone), work);
        tokio::join!(engine, admission.run());
        stage.ended.set(true);
    };
    let test = async {
        test(&stage).await;
        stage.work.end();
    };
    tokio::join!(run, test);
}

/// Longer than a pause, and shorter than two.
async fn a_pause() {
    tokio::time::sleep(PAUSE + PAUSE / 2).await;
}

/// As long as it takes to do all that can be done now: the clock stands still until then.
async fn a_moment() {
    tokio::time::sleep(Duration::from_millis(1)).await;
}

#[tokio::test(start_paused = true)]
async fn an_object_is_looked_at_when_it_appears_when_it_changes_when_it_is_woken_and_when_it_is_due() {
    beside(async |stage| {
        stage.happens(listing(&["orders"])).await;
        assert_eq!(stage.looks("orders"), [1]);
        stage.happens(vec![Event::Apply(object("orders", 1))]).await;
        assert_eq!(stage.looks("orders"), [1], "nothing has changed");
        stage.happens(vec![Event::Apply(object("orders", 2))]).await;
        assert_eq!(stage.looks("orders"), [1, 2]);
        stage.wakes.unbounded_send(ObjectRef::new("orders").within("shop")).unwrap();
        stage.wakes.unbounded_send(ObjectRef::new("nobody").within("shop")).unwrap();
        a_moment().await;
        assert_eq!(stage.looks("orders"), [1, 2, 2]);
        a_pause().await;
        assert_eq!(stage.looks("orders"), [1, 2, 2, 2]);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_object_of_a_listing_is_looked_at_once_all_of_it_is_known() {
    beside(async |stage| {
        let mut events = listing(&["orders"]);
        let done = events.pop().unwrap();
        stage.happens(events).await;
        assert!(stage.looks("orders").is_empty());
        stage.happens(vec![done]).await;
        assert_eq!(stage.looks("orders"), [1]);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn what_happens_during_a_look_is_looked_at_when_that_has_ended() {
    beside(async |stage| {
        stage.looks_end(false).await;
        stage.happens(listing(&["orders"])).await;
        stage.happens(vec![Event::Apply(object("orders", 2))]).await;
        stage.happens(vec![Event::Apply(object("orders", 3))]).await;
        assert_eq!(stage.looks("orders"), [1]);
        stage.looks_end(true).await;
        assert_eq!(stage.looks("orders"), [1, 3]);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_object_that_is_deleted_is_gone_and_the_next_of_its_name_begins_anew() {
    beside(async |stage| {
        stage.happens(listing(&["orders"])).await;
        stage.happens(vec![Event::Delete(object("orders", 1))]).await;
        assert_eq!(*stage.gone.borrow(), ["orders"]);
        tokio::time::sleep(PAUSE / 2).await;
        stage.happens(vec![Event::Apply(object("orders", 1))]).await;
        assert_eq!(stage.looks("orders"), [1, 1]);
        // The first would be due by now; the second is not.
        tokio::time::sleep(PAUSE * 3 / 4).await;
        assert_eq!(stage.looks("orders"), [1, 1]);
        tokio::time::sleep(PAUSE / 2).await;
        assert_eq!(stage.looks("orders"), [1, 1, 1]);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_object_that_went_while_nobody_watched_is_gone_too() {
    beside(async |stage| {
        stage.happens(listing(&["orders", "stays"])).await;
        stage.happens(listing(&["stays"])).await;
        assert_eq!(*stage.gone.borrow(), ["orders"]);
        assert_eq!(*stage.unshown.borrow(), ["orders"]);
        a_pause().await;
        assert_eq!((stage.looks("orders"), stage.looks("stays")), (vec![1], vec![1, 1]));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_object_that_goes_during_a_look_is_gone_again_after_it() {
    beside(async |stage| {
        stage.looks_end(false).await;
        stage.happens(listing(&["orders"])).await;
        stage.happens(vec![Event::Delete(object("orders", 1))]).await;
        assert_eq!(*stage.gone.borrow(), ["orders"]);
        stage.looks_end(true).await;
        assert_eq!(*stage.gone.borrow(), ["orders", "orders"]);
        assert_eq!(*stage.unshown.borrow(), ["orders"]);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn no_look_begins_until_the_process_leads_again() {
    beside(async |stage| {
        stage.happens(listing(&["orders"])).await;
        stage.work.lead(false);
        stage.happens(vec![Event::Apply(object("orders", 2))]).await;
        a_pause().await;
        assert_eq!(stage.looks("orders"), [1]);
        stage.work.lead(true);
        a_moment().await;
        assert_eq!(stage.looks("orders"), [1, 2]);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_lets_looks_end_that_are_under_way_and_begins_none() {
    beside(async |stage| {
        stage.looks_end(false).await;
        stage.happens(listing(&["orders"])).await;
        stage.happens(vec![Event::Apply(object("orders", 2))]).await;
        stage.work.end();
        a_pause().await;
        assert!(!stage.ended.get());
        stage.looks_end(true).await;
        assert!(stage.ended.get());
        assert_eq!(stage.looks("orders"), [1]);
    })
    .await;
}
