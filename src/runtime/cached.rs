//! The cached object: decoded, or known only by its name and why it cannot be decoded.
//!
//! Deserializing it never fails, so that no object stops the watch of the others. It holds only the fields that the operator
//! uses.

use std::borrow::Cow;
use std::sync::Arc;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Resource;
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::decode::{self, Unreadable};
use super::kind::Kind;

/// One object from a watch. Clones share its memory.
#[derive(Debug, Clone)]
pub(crate) enum Cached<K> {
    Read(Arc<K>),
    Unreadable(Arc<Unreadable>),
}

impl<K> Cached<K> {
    /// Returns the object, if it was decoded.
    pub(crate) fn read(&self) -> Option<&K> {
        match self {
            Self::Read(object) => Some(object),
            Self::Unreadable(_) => None,
        }
    }
}

impl<'de, K: Kind> Deserialize<'de> for Cached<K> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // Borrows the JSON of one object from a page or an event: this finds the end of the value and decodes nothing in it.
        let json = <&RawValue>::deserialize(deserializer)?;
        Ok(match decode::object(json.get()) {
            Ok(object) => Self::Read(Arc::new(object)),
            Err(unreadable) => Self::Unreadable(unreadable.into()),
        })
    }
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
            Self::Read(object) => object.meta(),
            Self::Unreadable(unreadable) => &unreadable.metadata,
        }
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        match self {
            Self::Read(object) => Arc::make_mut(object).meta_mut(),
            Self::Unreadable(unreadable) => &mut Arc::make_mut(unreadable).metadata,
        }
    }
}

#[cfg(test)]
#[path = "cached_tests.rs"]
mod tests;
