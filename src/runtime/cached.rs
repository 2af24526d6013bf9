//! The cached object: its JSON, or only its name and why it cannot be decoded.
//!
//! Deserializing it never fails, so that no object stops the watch of the others. It holds only the fields that the operator
//! uses, and not decoded: a decoded object takes twice the memory, in forty pieces that leave holes when it changes. 10,000 objects
//! peak at 84 to 90 MiB decoded, and at 70 to 79 MiB as JSON (docs/performance.md, change 13; the budget is 80).

use std::borrow::Cow;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::marker::PhantomData;
use std::sync::Arc;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Resource;
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::decode::{self, Unreadable};
use super::kind::Kind;

/// The step of the sizes of cached JSON, in bytes. An object that changes can take the memory that another has left only if both
/// have the same size; with the finer steps of the allocator, changing all objects leaves holes as large as the cache.
const BLOCK: usize = 512;

/// One object from a watch. Clones share its memory.
#[derive(Debug, Clone)]
pub(crate) enum Cached<K> {
    Readable(Arc<Readable<K>>),
    Unreadable(Arc<Unreadable>),
}

/// An object that can be decoded.
#[derive(Debug, Clone)]
pub(crate) struct Readable<K> {
    /// Name, namespace, uid, resourceVersion and creation time.
    metadata: ObjectMeta,
    trigger: u64,
    /// The other fields that the operator uses.
    json: String,
    kind: PhantomData<fn() -> K>,
}

impl<K: Kind> Cached<K> {
    /// Decodes the object, if that is possible.
    pub(crate) fn object(&self) -> Option<Box<K>> {
        match self {
            Self::Readable(object) => decode::restored(object.metadata.clone(), &object.json).map(Box::new),
            Self::Unreadable(_) => None,
        }
    }

    /// Hashes everything of the object whose change triggers a reconcile.
    pub(crate) fn trigger(&self) -> u64 {
        match self {
            Self::Readable(object) => object.trigger,
            Self::Unreadable(unreadable) => {
                let mut hasher = DefaultHasher::new();
                (&unreadable.metadata.uid, &unreadable.why).hash(&mut hasher);
                hasher.finish()
            }
        }
    }
}

impl<'de, K: Kind> Deserialize<'de> for Cached<K> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // Borrows the JSON of one object from a page or an event: this finds the end of the value and decodes nothing in it.
        let json = <&RawValue>::deserialize(deserializer)?;
        Ok(match decode::stripped::<K>(json.get()) {
            Ok((object, metadata, json)) => {
                let trigger = object.trigger();
                let json = in_blocks(&json);
                Self::Readable(Arc::new(Readable { metadata, trigger, json, kind: PhantomData }))
            }
            Err(unreadable) => Self::Unreadable(unreadable.into()),
        })
    }
}

/// Copies `json` to memory whose size is a multiple of [`BLOCK`].
fn in_blocks(json: &str) -> String {
    let mut copy = String::with_capacity(json.len().next_multiple_of(BLOCK));
    copy.push_str(json);
    copy
}

impl<K: Kind> Resource for Cached<K> {
    type DynamicType = K::DynamicType;
    type Scope = K::Scope;

    fn kind((): &()) -> Cow<'_, str> {
        K::kind(&())
    }

    fn group((): &()) -> Cow<'_, str> {
        K::group(&())
    }

    fn version((): &()) -> Cow<'_, str> {
        K::version(&())
    }

    fn plural((): &()) -> Cow<'_, str> {
        K::plural(&())
    }

    fn meta(&self) -> &ObjectMeta {
        match self {
            Self::Readable(object) => &object.metadata,
            Self::Unreadable(unreadable) => &unreadable.metadata,
        }
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        match self {
            Self::Readable(object) => &mut Arc::make_mut(object).metadata,
            Self::Unreadable(unreadable) => &mut Arc::make_mut(unreadable).metadata,
        }
    }
}

#[cfg(test)]
#[path = "cached_tests.rs"]
mod tests;
