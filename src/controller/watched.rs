//! Watches the objects that references name, so that a new VPC endpoint id is noticed at once.
//!
//! ACK's and Upbound's kinds may not be installed, so each is watched in a task of its own, from the first object on that
//! refers to it, and its errors stay there. ConfigMaps are not watched, because every cluster is full of them: they are
//! read again every few seconds. This file never reads an id; a reconcile does.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use domain::ownership::Token;
use futures::StreamExt;
use futures::channel::mpsc::{UnboundedReceiver, UnboundedSender, unbounded};
use kube::runtime::WatchStreamExt;
use kube::runtime::reflector::ObjectRef;
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, Client, ResourceExt};
use tracing::debug;

use crate::api::{ServerlessPrivateEndpoint, VpcEndpointSource};

use super::cached::{Cached, Named};
use super::memories::Memories;
use super::object::Identity;
use super::references::resource;

/// How often a reference is read that is not watched, or that has led nowhere yet.
pub(super) const RECHECK: Duration = Duration::from_secs(15);

/// An object that is referred to.
type Target = (VpcEndpointSource, String, String);

/// Who refers to what.
#[derive(Default)]
struct Index {
    referrers: HashMap<Target, HashMap<Token, ObjectRef<Cached>>>,
    targets: HashMap<Token, Target>,
    watched: HashSet<(VpcEndpointSource, Option<String>)>,
    /// Where to send what has to be looked at, by watched namespace.
    wakers: Vec<(Option<String>, UnboundedSender<ObjectRef<Cached>>)>,
}

/// The watches on referenced objects.
pub(super) struct Watched {
    client: Client,
    memories: Arc<Memories>,
    index: Mutex<Index>,
}

impl Watched {
    pub(super) fn new(client: Client, memories: Arc<Memories>) -> Self {
        Self { client, memories, index: Mutex::default() }
    }

    /// The objects of `namespace` (none: of all) that have to be looked at because something they refer to changed.
    pub(super) fn wakes(&self, namespace: Option<String>) -> UnboundedReceiver<ObjectRef<Cached>> {
        let (sender, receiver) = unbounded();
        self.index().wakers.push((namespace, sender));
        receiver
    }

    /// Notes what an object refers to, and watches that kind from now on.
    pub(super) fn note(self: &Arc<Self>, identity: &Identity, object: &ServerlessPrivateEndpoint) {
        let reference = object.spec.cloud_provider_endpoint_ref.as_ref();
        let target = reference.and_then(|reference| {
            let source = reference.source().filter(|source| *source != VpcEndpointSource::ConfigMap)?;
            Some((source, identity.namespace.clone(), reference.name.clone()))
        });
        let mut index = self.index();
        if index.targets.get(&identity.token) == target.as_ref() {
            return;
        }
        index.forget(&identity.token);
        let Some(target) = target else { return };
        let referrer = ObjectRef::new(&identity.name).within(&identity.namespace);
        index.referrers.entry(target.clone()).or_default().insert(identity.token.clone(), referrer);
        index.targets.insert(identity.token.clone(), target.clone());
        let everywhere = index.wakers.iter().any(|(namespace, _)| namespace.is_none());
        let namespace = (!everywhere).then(|| target.1.clone());
        if index.watched.insert((target.0, namespace.clone())) {
            tokio::spawn(watch(Arc::clone(self), target.0, namespace));
        }
    }

    /// The object is gone.
    pub(super) fn forget(&self, token: &Token) {
        self.index().forget(token);
    }

    fn changed(&self, target: &Target) {
        let index = self.index();
        for (token, object) in index.referrers.get(target).into_iter().flatten() {
            self.memories.with(token, |entry| entry.due = None);
            for (namespace, waker) in &index.wakers {
                if namespace.is_none() || *namespace == object.namespace {
                    // The receiver ends with the controller, and then nothing has to be looked at any more.
                    let _ = waker.unbounded_send(object.clone());
                }
            }
        }
    }

    fn index(&self) -> MutexGuard<'_, Index> {
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Index {
    fn forget(&mut self, token: &Token) {
        let Some(target) = self.targets.remove(token) else { return };
        if let Some(referrers) = self.referrers.get_mut(&target) {
            referrers.remove(token);
            if referrers.is_empty() {
                self.referrers.remove(&target);
            }
        }
    }
}

/// `true` if the reference has to be read again without any event.
pub(super) fn is_polled(object: &ServerlessPrivateEndpoint) -> bool {
    object.spec.cloud_provider_endpoint_ref.is_some()
}

async fn watch(watched: Arc<Watched>, source: VpcEndpointSource, namespace: Option<String>) {
    let kind = resource(source);
    let client = watched.client.clone();
    let api: Api<Named> = match namespace {
        None => Api::all_with(client, &kind),
        Some(namespace) => Api::namespaced_with(client, &namespace, &kind),
    };
    let events = watcher(api, watcher::Config::default()).default_backoff();
    let mut events = std::pin::pin!(events);
    while let Some(event) = events.next().await {
        match event {
            Ok(Event::Apply(object) | Event::InitApply(object) | Event::Delete(object)) => {
                watched.changed(&(source, object.namespace().unwrap_or_default(), object.name_any()));
            }
            Ok(Event::Init | Event::InitDone) => {}
            // Not installed, or not allowed: a reconcile says so where it matters, and reads again by itself.
            Err(error) => debug!(kind = kind.api_version, %error, "cannot watch referenced objects"),
        }
    }
}
