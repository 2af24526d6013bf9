//! An object as the watch's cache holds it: shared, so that no reconcile needs a copy of its own.

use std::borrow::Cow;
use std::sync::Arc;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Resource;
use serde::{Deserialize, Deserializer};

use crate::api::ServerlessPrivateEndpoint;

/// One object. Clones share it.
#[derive(Debug, Clone)]
pub(super) struct Cached(pub(super) Arc<ServerlessPrivateEndpoint>);

impl<'de> Deserialize<'de> for Cached {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        ServerlessPrivateEndpoint::deserialize(deserializer).map(|object| Self(Arc::new(object)))
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
        self.0.meta()
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        Arc::make_mut(&mut self.0).meta_mut()
    }
}
