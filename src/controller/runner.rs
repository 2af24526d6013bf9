//! Looks at objects when something happens to them, and when they are due; at each by one reconcile at a time.
//!
//! Not kube's `Controller`, because that polls every reconcile that is under way whenever one of them moves, which with ten
//! thousand objects was most of the work; and it looks at an object of a repeated listing before its cache holds it.
//! The order of looks stands in `queue`, what a look is in `reconcile`.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use futures::stream::FuturesUnordered;
use futures::{Stream, StreamExt};
use kube::runtime::reflector::{ObjectRef, Store};
use kube::runtime::watcher::Event;
use kube::{Resource, ResourceExt};
use tokio_util::time::{DelayQueue, delay_queue};

use crate::api::ServerlessPrivateEndpoint;
use crate::clock::Boottime;
use crate::service::metrics::{Metrics, Queued};

use super::cached::Cached;
use super::object;
use super::queue::{Lane, Queue};
use super::work::Work;

/// An object by its name alone.
type Name = Arc<ObjectRef<Cached>>;

/// The looks that may go on at once at the objects of one instance: as many as may call Atlas at once for its project.
const PER_INSTANCE: usize = 8;

/// The same for one project of a namespace: that many calls, and as many again and more between two calls.
const PER_PROJECT: usize = 24;

/// The same in all, for each call to Atlas that may run at once: far more than a project that hangs can take.
const PER_CALL: usize = 4;

/// No timer runs longer; to look early is always right.
const LONGEST: Duration = Duration::from_hours(24);

/// The looks that may go on at once, for so many calls to Atlas at once.
pub(super) fn most(concurrency: usize) -> usize {
    concurrency.saturating_mul(PER_CALL)
}

/// What is kept of an object between two looks.
struct Known {
    /// Of what would wake a reconcile if it changed.
    trigger: u64,
    timer: Option<delay_queue::Key>,
    /// When a look was asked for last.
    asked: Boottime,
}

/// The looks that are to come. What is under way is in `run` alone.
pub(super) struct Runner {
    store: Store<Cached>,
    metrics: Metrics,
    queue: Queue<Name, Queued, 3>,
    timers: DelayQueue<Name>,
    known: HashMap<Name, Known>,
    /// What a listing that has not ended showed changed: the store shows it when it has.
    listed: Vec<Name>,
}

impl Runner {
    /// A runner of the objects in `store`, for so many calls to Atlas at once.
    pub(super) fn new(store: Store<Cached>, metrics: Metrics, concurrency: usize) -> Self {
        Self {
            store,
            metrics,
            queue: Queue::new(most(concurrency), [usize::MAX, PER_PROJECT, PER_INSTANCE]),
            timers: DelayQueue::new(),
            known: HashMap::new(),
            listed: Vec::new(),
        }
    }

    /// Runs `look` at each object of the store that an event or `wakes` names, and again after the time that it answers, until
    /// `work` ends; then lets the looks end that are under way. While no work may begin, no look does. A look is told when it was
    /// asked for last, which is after the object came to be as it is, and after the look before. The events have passed through
    /// the store. `gone` is told of each object that is there no more, also of one that went while nobody watched, and again
    /// after a look that it went in; `unshown` before that, once.
    pub(super) async fn run<Look: Future<Output = Option<Duration>>>(
        mut self,
        events: impl Stream<Item = Event<Cached>>,
        wakes: impl Stream<Item = ObjectRef<Cached>>,
        look: impl Fn(Box<ServerlessPrivateEndpoint>, Boottime) -> Look,
        (unshown, gone): (impl Fn(&ObjectRef<Cached>), impl Fn(&ObjectRef<Cached>)),
        work: &Work,
    ) {
        let mut looks = FuturesUnordered::new();
        let (mut events, mut wakes) = (std::pin::pin!(events), std::pin::pin!(wakes));
        while !work.is_ending() {
            tokio::select! {
                () = work.ended() => {}
                () = work.begins(), if !work.may_begin() => {}
                Some(event) = events.next() => self.saw(event, |name| {
                    unshown(name);
                    gone(name);
                }),
                Some(object) = wakes.next() => self.offer(&self.kept(Arc::new(object))),
                Some(due) = self.timers.next() => self.due(&due.into_inner()),
                Some((name, delay)) = looks.next() => self.looked(&name, delay, &gone),
            }
            while work.may_begin()
                && let Some((name, object, asked)) = self.next()
            {
                let look = look(object, asked);
                looks.push(async move { (name, look.await) });
            }
        }
        while looks.next().await.is_some() {}
    }

    fn saw(&mut self, event: Event<Cached>, gone: impl Fn(&ObjectRef<Cached>)) {
        match event {
            Event::Apply(object) => {
                if let Some(name) = self.changed(&object) {
                    self.offer(&name);
                }
            }
            Event::InitApply(object) => {
                let changed = self.changed(&object);
                self.listed.extend(changed);
            }
            Event::Delete(object) => {
                let name = name(&object);
                self.forget(&name);
                gone(&name);
            }
            Event::Init => {}
            Event::InitDone => {
                let missing = self.known.keys().filter(|name| self.store.get(name).is_none());
                for name in missing.cloned().collect::<Vec<_>>() {
                    self.forget(&name);
                    gone(&name);
                }
                for name in std::mem::take(&mut self.listed) {
                    self.offer(&name);
                }
            }
        }
    }

    /// The name of the object, if what wakes a reconcile has changed.
    fn changed(&mut self, object: &Cached) -> Option<Name> {
        let (name, trigger) = (self.kept(name(object)), trigger(object));
        match self.known.get_mut(&name) {
            Some(known) if known.trigger == trigger => return None,
            Some(known) => known.trigger = trigger,
            None => {
                let known = Known { trigger, timer: None, asked: Boottime::now() };
                self.known.insert(Arc::clone(&name), known);
            }
        }
        Some(name)
    }

    /// The name as it is kept, so that there is one of each.
    fn kept(&self, name: Name) -> Name {
        self.known.get_key_value(&name).map_or(name, |(kept, _)| Arc::clone(kept))
    }

    fn forget(&mut self, name: &Name) {
        if let Some(timer) = self.known.remove(name).and_then(|known| known.timer) {
            self.timers.try_remove(&timer);
        }
    }

    /// The object has to be looked at, if it is one.
    fn offer(&mut self, name: &Name) {
        if let Some(object) = self.find(name)
            && let Some(known) = self.known.get_mut(name)
        {
            known.asked = Boottime::now();
            self.queue.offer(name, || lane(&object), || self.metrics.queued());
        }
    }

    fn due(&mut self, name: &Name) {
        if let Some(known) = self.known.get_mut(name) {
            known.timer = None;
        }
        self.offer(name);
    }

    fn looked(&mut self, name: &Name, delay: Option<Duration>, gone: impl Fn(&ObjectRef<Cached>)) {
        let overtaken = self.queue.ended(name);
        match (self.known.get_mut(name), delay) {
            // It went during the look, which may have noted something of it since.
            (None, _) => gone(name),
            (Some(_), _) if overtaken => self.offer(name),
            (Some(known), Some(delay)) => {
                known.timer = Some(self.timers.insert(Arc::clone(name), delay.min(LONGEST)));
            }
            (Some(_), None) => {}
        }
    }

    /// The object whose look begins now. One that went while it waited has nothing to look at any more.
    fn next(&mut self) -> Option<(Name, Box<ServerlessPrivateEndpoint>, Boottime)> {
        loop {
            let (name, queued) = self.queue.next()?;
            drop(queued);
            let object = self.find(&name);
            let Some((object, known)) = object.zip(self.known.get_mut(&name)) else {
                self.queue.ended(&name);
                continue;
            };
            if let Some(timer) = known.timer.take() {
                self.timers.try_remove(&timer);
            }
            return Some((name, Box::new(object), known.asked));
        }
    }

    fn find(&self, name: &Name) -> Option<ServerlessPrivateEndpoint> {
        self.store.get(name)?.read().cloned()
    }
}

fn name(object: &Cached) -> Name {
    let name = ObjectRef::new(&object.name_any());
    Arc::new(match object.meta().namespace.as_deref() {
        Some(namespace) => name.within(namespace),
        None => name,
    })
}

/// Where the object waits. The project and the instance are what its manifest says, and need not exist.
fn lane(object: &ServerlessPrivateEndpoint) -> Lane<3> {
    let namespace = object.meta().namespace.as_deref().unwrap_or_default();
    [namespace.into(), object.spec.project_id.as_str().into(), object.spec.instance_name.as_str().into()]
}

/// What wakes a reconcile.
fn trigger(object: &Cached) -> u64 {
    match object {
        Cached::Read(object) => object::trigger(object),
        Cached::Unreadable(unreadable) => {
            let mut hasher = DefaultHasher::new();
            (&unreadable.metadata.uid, &unreadable.why).hash(&mut hasher);
            hasher.finish()
        }
    }
}

#[cfg(test)]
#[path = "runner_tests.rs"]
mod tests;
