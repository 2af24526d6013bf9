//! An object as the watch's cache holds it: packed, because nearly always nobody looks at it, and without what is never
//! read.
//!
//! Packed it takes less than a third of what it takes in fields, lists and maps, and is unpacked within microseconds.

use std::borrow::Cow;
use std::sync::Arc;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::core::DeserializeGuard;
use kube::{Resource, ResourceExt};
use lz4_flex::block::{compress_prepend_size_with_dict, decompress_size_prepended_with_dict};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

use crate::api::ServerlessPrivateEndpoint;

use super::object;

/// An object as the watch yields it: one that cannot be decoded stops no other.
pub(super) type Guarded = DeserializeGuard<Cached>;

/// The object, if it is one.
pub(super) fn understood(object: &Guarded) -> Option<ServerlessPrivateEndpoint> {
    object.0.as_ref().ok()?.unpack()
}

/// What many objects say. Nothing depends on it: what is not in it takes room, and no more.
const USUAL: &[u8] = include_bytes!("usual.json");

/// One object. Clones share what is packed.
#[derive(Debug, Clone)]
pub(super) struct Cached {
    /// What names the object and its version.
    meta: ObjectMeta,
    trigger: u64,
    /// Its JSON, compressed by what is usual.
    packed: Arc<[u8]>,
}

impl Cached {
    fn pack(mut object: ServerlessPrivateEndpoint) -> serde_json::Result<Self> {
        let meta = object.meta_mut();
        (meta.managed_fields, meta.labels, meta.owner_references) = (None, None, None);
        let named = ObjectMeta {
            name: meta.name.clone(),
            namespace: meta.namespace.clone(),
            resource_version: meta.resource_version.clone(),
            uid: meta.uid.clone(),
            ..ObjectMeta::default()
        };
        object.annotations_mut().retain(|key, _| object::is_read(key));
        let packed = compress_prepend_size_with_dict(&serde_json::to_vec(&object)?, USUAL).into();
        Ok(Self { meta: named, trigger: object::trigger(&object), packed })
    }

    /// The object, but for what is never read. `None` never: what was packed can be unpacked.
    fn unpack(&self) -> Option<ServerlessPrivateEndpoint> {
        let json = decompress_size_prepended_with_dict(&self.packed, USUAL).ok()?;
        serde_json::from_slice(&json).ok()
    }

    /// A hash over everything that may wake a reconcile.
    pub(super) fn trigger(&self) -> u64 {
        self.trigger
    }
}

impl<'de> Deserialize<'de> for Cached {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let object = ServerlessPrivateEndpoint::deserialize(deserializer)?;
        Self::pack(object).map_err(D::Error::custom)
    }
}

impl Resource for Cached {
    type DynamicType = <ServerlessPrivateEndpoint as Resource>::DynamicType;
    type Scope = <ServerlessPrivateEndpoint as Resource>::Scope;

    fn kind((): &()) -> Cow<'_, str> {
        ServerlessPrivateEndpoint::kind(&())
    }

    fn group((): &()) -> Cow<'_, str> {
        ServerlessPrivateEndpoint::group(&())
    }

    fn version((): &()) -> Cow<'_, str> {
        ServerlessPrivateEndpoint::version(&())
    }

    fn plural((): &()) -> Cow<'_, str> {
        ServerlessPrivateEndpoint::plural(&())
    }

    fn meta(&self) -> &ObjectMeta {
        &self.meta
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.meta
    }
}

#[cfg(test)]
#[path = "cached_tests.rs"]
mod tests;
