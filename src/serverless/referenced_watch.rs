//! Watches a kind of other operators, so that a new VPC endpoint id is noticed at once and no object is read for each that
//! refers to it.
//!
//! ACK's and Upbound's kinds may not be installed, or not be ours to read: each is watched in a task of its own, and its errors
//! stay there. Of an object nothing is kept but its name and the id.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::core::{ApiResource, DynamicResourceScope};
use kube::runtime::watcher::{self, Event};
use kube::{Api, Resource, ResourceExt};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use tracing::{info, warn};

use crate::clock::Boottime;
use crate::serverless::crd::VpcEndpointSource;

use super::decode;
use super::referenced::{Found, ReferencedObjects, Scope, Target};
use super::vpc_endpoint_ref::resource;
use crate::runtime::watch::{Pages, bounded, events};
use crate::runtime::watch_health::WatchReporter;

/// What was shown stays true for as long as this when the API server refuses to show more: a refusal may pass.
const PASSING: Duration = Duration::from_secs(10);

/// How soon a watch begins again that ended with its last referrer.
const AGAIN: Duration = Duration::from_secs(5);

/// What a watch has shown of a kind.
#[derive(Debug, Default)]
pub(super) struct Kind {
    objects: Objects,
    /// The same, of a listing that has not ended.
    listing: Objects,
    listed: bool,
    failing: Option<(Boottime, Found)>,
}

/// What each object says, by namespace and name.
type Objects = HashMap<String, HashMap<String, Found>>;

/// Who may have to know of an event.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Concerned {
    Nobody,
    /// Who refers to the object of this namespace and name.
    Of(String, String),
    Everybody,
}

impl Kind {
    /// What the object says; `None` if that is not known yet.
    pub(super) fn find(&self, target: &Target, now: Boottime) -> Option<Found> {
        match &self.failing {
            Some((since, why)) if !self.listed || now.since(*since) >= PASSING => Some(why.clone()),
            _ if !self.listed => None,
            _ => {
                let said = self.objects.get(&target.namespace).and_then(|objects| objects.get(&target.name));
                Some(said.cloned().unwrap_or(Found::NoObject))
            }
        }
    }

    /// Takes an event in. `true` with it if the kind had failed before.
    pub(super) fn saw(&mut self, event: Event<Other>, source: VpcEndpointSource) -> (Concerned, bool) {
        match event {
            Event::Init => self.listing.clear(),
            Event::InitApply(object) => {
                let (namespace, name, said) = object.said(source);
                self.listing.entry(namespace).or_default().insert(name, said);
            }
            Event::InitDone => {
                self.objects = std::mem::take(&mut self.listing);
                self.listed = true;
                return (Concerned::Everybody, self.failing.take().is_some());
            }
            Event::Apply(object) => {
                let (namespace, name, said) = object.said(source);
                self.objects.entry(namespace.clone()).or_default().insert(name.clone(), said);
                let failed = self.failing.take().is_some();
                return (if failed { Concerned::Everybody } else { Concerned::Of(namespace, name) }, failed);
            }
            Event::Delete(object) => {
                let (namespace, name, _) = object.said(source);
                if let Some(objects) = self.objects.get_mut(&namespace) {
                    objects.remove(&name);
                    if objects.is_empty() {
                        self.objects.remove(&namespace);
                    }
                }
                return (Concerned::Of(namespace, name), false);
            }
        }
        (Concerned::Nobody, false)
    }

    /// The API server shows no more, for this reason. `true` if that is news.
    pub(super) fn failed(&mut self, why: Found, now: Boottime) -> bool {
        let before = self.failing.take();
        let is_news = before.as_ref().is_none_or(|(_, before)| *before != why);
        self.failing = Some((before.map_or(now, |(since, _)| since), why));
        is_news
    }
}

/// An object of another operator: what names it, and the id that it shows where ACK or Upbound keeps it.
#[derive(Debug, Clone)]
pub(super) struct Other {
    metadata: ObjectMeta,
    ack: Option<String>,
    upbound: Option<String>,
}

impl Other {
    fn said(&self, source: VpcEndpointSource) -> (String, String, Found) {
        let id = match source {
            VpcEndpointSource::Ack => &self.ack,
            VpcEndpointSource::Upbound => &self.upbound,
            VpcEndpointSource::ConfigMap => &None,
        };
        let said = id.as_deref().filter(|id| !id.is_empty()).map_or(Found::Nothing, Found::of);
        (self.namespace().unwrap_or_default(), self.name_any(), said)
    }
}

/// Steps into JSON by these keys. What lies beside the way is skipped and never decoded.
fn text_at(json: &RawValue, way: &[&str]) -> Option<String> {
    let Some((key, rest)) = way.split_first() else { return serde_json::from_str(json.get()).ok() };
    let fields: BTreeMap<Cow<'_, str>, &RawValue> = serde_json::from_str(json.get()).ok()?;
    text_at(fields.get(*key)?, rest)
}

impl<'de> Deserialize<'de> for Other {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let json = <&RawValue>::deserialize(deserializer)?;
        let [ack, upbound] =
            [&["status", "vpcEndpointID"][..], &["status", "atProvider", "id"]].map(|way| text_at(json, way));
        Ok(Self { metadata: decode::named(json.get()), ack, upbound })
    }
}

impl Resource for Other {
    type DynamicType = ApiResource;
    type Scope = DynamicResourceScope;

    fn kind(kind: &ApiResource) -> Cow<'_, str> {
        Cow::Borrowed(&kind.kind)
    }

    fn group(kind: &ApiResource) -> Cow<'_, str> {
        Cow::Borrowed(&kind.group)
    }

    fn version(kind: &ApiResource) -> Cow<'_, str> {
        Cow::Borrowed(&kind.version)
    }

    fn plural(kind: &ApiResource) -> Cow<'_, str> {
        Cow::Borrowed(&kind.plural)
    }

    fn api_version(kind: &ApiResource) -> Cow<'_, str> {
        Cow::Borrowed(&kind.api_version)
    }

    fn meta(&self) -> &ObjectMeta {
        &self.metadata
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }
}

/// Watches the kind, after `pause`, until the task is ended.
pub(super) async fn watch(targets: Arc<ReferencedObjects>, scope: Scope, pause: Duration) {
    tokio::time::sleep(pause).await;
    let kind = resource(scope.source);
    // Nobody is told whether it is heard: what it does not show is read by reconciles.
    let client = bounded(&targets.client, WatchReporter::default(), Pages::Referenced);
    let api: Api<Other> = match &scope.namespace {
        None => Api::all_with(client, &kind),
        Some(namespace) => Api::namespaced_with(client, namespace, &kind),
    };
    let mut events = std::pin::pin!(events(api, watcher::Config::default()));
    let namespace = scope.namespace.as_deref().unwrap_or("all");
    while let Some(event) = events.next().await {
        match event {
            Ok(event) => {
                if targets.saw(&scope, event) {
                    info!(
                        kind = kind.kind,
                        group = kind.group,
                        namespace,
                        "watching referenced objects again"
                    );
                }
            }
            Err(error) => {
                if let Some(why) = failure(&error)
                    && targets.failed(&scope, why)
                {
                    let (kind, group) = (&kind.kind, &kind.group);
                    warn!(kind, group, namespace, %error, "cannot watch referenced objects; trying again");
                }
            }
        }
    }
}

/// How long a watch waits that began last at this time.
pub(super) fn pause(began: Boottime, now: Boottime) -> Duration {
    AGAIN.saturating_sub(now.since(began))
}

/// What an error says of the kind. One that only ends a watch that had begun says nothing.
fn failure(error: &watcher::Error) -> Option<Found> {
    match error {
        watcher::Error::InitialListFailed(kube::Error::Api(status))
        | watcher::Error::WatchStartFailed(kube::Error::Api(status)) => Some(match status.code {
            404 => Found::NoKind,
            403 => Found::Forbidden,
            _ => Found::Unreadable,
        }),
        watcher::Error::WatchError(_) | watcher::Error::WatchFailed(_) => None,
        _ => Some(Found::Unreadable),
    }
}

#[cfg(test)]
#[path = "referenced_watch_tests.rs"]
mod tests;
