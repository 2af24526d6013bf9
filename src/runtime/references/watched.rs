//! A kind of another operator: the content of its objects, from its watch. It requests no reconcile.
//!
//! A kind may not be installed, or the operator may not read it: each is watched by itself, and an error of one says nothing about
//! another. Only the name of an object, what names its endpoint and the endpoint's address are kept.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use domain::reference::{EndpointSource, Found};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::core::{ApiResource, DynamicResourceScope};
use kube::runtime::watcher::{self, Event};
use kube::{Resource, ResourceExt};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use crate::clock::Boottime;
use crate::runtime::decode;

use super::source::ReferenceTarget;

/// How long the content shown by a watch stays valid after the API server refuses it: a refusal may be transient.
const REFUSAL_GRACE: Duration = Duration::from_secs(10);

/// The content of a kind, as shown by its watch.
#[derive(Debug, Default)]
pub(crate) struct WatchedKind {
    objects: Contents,
    /// The content of a listing in progress.
    listing: Contents,
    listed: bool,
    failing: Option<(Boottime, Found)>,
}

/// The content of each object, by namespace and name.
type Contents = HashMap<String, HashMap<String, Found>>;

/// The referrers that an event may concern.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Affected {
    None,
    /// The referrers of the object with this namespace and name.
    One(String, String),
    All,
}

impl WatchedKind {
    /// Returns the content of the object; `None` if it is not known yet.
    pub(crate) fn find(&self, target: &ReferenceTarget, now: Boottime) -> Option<Found> {
        match &self.failing {
            Some((since, why)) if !self.listed || now.since(*since) >= REFUSAL_GRACE => Some(why.clone()),
            _ if !self.listed => None,
            _ => {
                let content =
                    self.objects.get(&target.namespace).and_then(|objects| objects.get(&target.name));
                Some(content.cloned().unwrap_or(Found::NoObject))
            }
        }
    }

    /// Applies an event. Also returns `true` if the kind had failed before.
    pub(crate) fn on_event(&mut self, event: Event<ForeignObject>) -> (Affected, bool) {
        match event {
            Event::Init => self.listing.clear(),
            Event::InitApply(object) => {
                let (namespace, name, content) = object.into_parts();
                self.listing.entry(namespace).or_default().insert(name, content);
            }
            Event::InitDone => {
                self.objects = std::mem::take(&mut self.listing);
                self.listed = true;
                return (Affected::All, self.failing.take().is_some());
            }
            Event::Apply(object) => {
                let (namespace, name, content) = object.into_parts();
                self.objects.entry(namespace.clone()).or_default().insert(name.clone(), content);
                let failed = self.failing.take().is_some();
                return (if failed { Affected::All } else { Affected::One(namespace, name) }, failed);
            }
            Event::Delete(object) => {
                let (namespace, name, _) = object.into_parts();
                if let Some(objects) = self.objects.get_mut(&namespace) {
                    objects.remove(&name);
                    if objects.is_empty() {
                        self.objects.remove(&namespace);
                    }
                }
                return (Affected::One(namespace, name), false);
            }
        }
        (Affected::None, false)
    }

    /// Records why the API server refuses the kind. Returns `true` if the reason is new.
    pub(crate) fn failed(&mut self, why: Found, now: Boottime) -> bool {
        let previous = self.failing.take();
        let is_new = previous.as_ref().is_none_or(|(_, previous)| *previous != why);
        self.failing = Some((previous.map_or(now, |(since, _)| since), why));
        is_new
    }
}

/// An object of another operator: its metadata, and what it says about an endpoint.
#[derive(Debug, Clone)]
pub(crate) struct ForeignObject {
    metadata: ObjectMeta,
    content: Found,
}

impl ForeignObject {
    /// Returns its namespace, its name and its content.
    fn into_parts(self) -> (String, String, Found) {
        (self.namespace().unwrap_or_default(), self.name_any(), self.content)
    }
}

/// Reads a text from JSON by its path of keys and indices. All other fields are skipped and never decoded.
fn text_at(json: &RawValue, path: &[&str]) -> Option<String> {
    let Some((key, rest)) = path.split_first() else { return serde_json::from_str(json.get()).ok() };
    if let Ok(index) = key.parse::<usize>() {
        let items: Vec<&RawValue> = serde_json::from_str(json.get()).ok()?;
        return text_at(items.get(index)?, rest);
    }
    let fields: BTreeMap<Cow<'_, str>, &RawValue> = serde_json::from_str(json.get()).ok()?;
    text_at(fields.get(*key)?, rest)
}

/// Returns what an object says about an endpoint. Its own `apiVersion` and `kind` say where it does.
fn content(json: &RawValue) -> Option<Found> {
    let source = EndpointSource::of(&text_at(json, &["apiVersion"])?, &text_at(json, &["kind"])?)?;
    let id = text_at(json, source.id_path()).filter(|id| !id.is_empty())?;
    let address = Some(source.address_path()).filter(|path| !path.is_empty());
    Some(Found::parse(&id, address.and_then(|path| text_at(json, path)).as_deref()))
}

impl<'de> Deserialize<'de> for ForeignObject {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let json = <&RawValue>::deserialize(deserializer)?;
        Ok(Self { metadata: decode::named(json.get()), content: content(json).unwrap_or(Found::Nothing) })
    }
}

impl Resource for ForeignObject {
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

/// Returns the content that the referrers get because of an error; `None` if it only ended an open watch.
pub(crate) fn failure(error: &watcher::Error) -> Option<Found> {
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
#[path = "watched_tests.rs"]
mod tests;
