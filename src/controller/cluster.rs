//! Every call to the API server, each with a bound on its time, and one on how many run at once.
//!
//! Writes are guarded: none overwrites what it has not read. This file never decides whether to write.

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::core::v1::{ConfigMap, Namespace, Secret};
use kube::api::{DeleteParams, Patch, PatchParams, PostParams, Preconditions};
use kube::core::{ApiResource, DynamicObject, Status};
use kube::{Api, Client, ResourceExt};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use thiserror::Error;

use crate::api::{self, ServerlessPrivateEndpoint};

use super::limits::{Permit, Shares};
use super::object::Identity;

/// The bound on a call. The claim's is part of the creation protocol.
const CALL: Duration = Duration::from_secs(5);

/// The calls that run at once; one namespace alone has half of them. Each has a connection with a TLS session of its own, some 50 KiB that stay: a thousand
/// objects that change together must not open a thousand.
const AT_ONCE: usize = 16;

/// The same for kinds of others, which a webhook of theirs may keep from being read: beside the rest, so that they hold up
/// each other only.
const OTHERS_AT_ONCE: usize = 4;

/// The right to call the API server, until it is dropped. Whoever holds one never waits for another, nor for anything but
/// the answer.
pub(super) struct Turn {
    /// `None` only if the process ends.
    _permit: Option<Permit<1>>,
}

/// A kind that every cluster has, in namespaces.
pub(super) trait Plain:
    kube::Resource<Scope = NamespaceResourceScope, DynamicType = ()>
    + Clone
    + DeserializeOwned
    + Serialize
    + Debug
{
}

impl Plain for ConfigMap {}
impl Plain for Secret {}

/// A call to the API server that came to nothing.
#[derive(Debug, Error)]
pub(super) enum ClusterError {
    /// The object is not as it was read: nothing was written.
    #[error("the object has changed since it was read")]
    Changed,
    /// There is no such object.
    #[error("not found")]
    NotFound,
    /// There is no such kind.
    #[error("its kind is not installed")]
    NoKind,
    /// We may not.
    #[error("the operator's service account is not allowed to {0}")]
    Forbidden(String),
    /// The value itself was refused: a defect of ours, or a policy of the cluster.
    #[error("the API server refuses what the operator wrote: {0}")]
    Refused(String),
    /// No answer in time; a write may have been applied all the same.
    #[error("the API server did not answer within {} s", CALL.as_secs())]
    TimedOut,
    /// Anything else; a write may have been applied all the same.
    #[error("the API server could not be used: {0}")]
    Failed(String),
}

/// The cluster, as this operator uses it.
#[derive(Clone)]
pub(super) struct Cluster {
    client: Client,
    turns: Arc<Shares<1>>,
    others: Arc<Shares<1>>,
}

impl Cluster {
    pub(super) fn new(client: Client) -> Self {
        let [turns, others] = [AT_ONCE, OTHERS_AT_ONCE].map(|most| Shares::new(most, [usize::MAX]));
        Self { client, turns, others }
    }

    /// Waits until it is the turn of `namespace` to call. No bound on a call's time counts this wait.
    /// The calls about our own objects take the turn of the caller, who holds as little as it can until it is there.
    pub(super) async fn turn(&self, namespace: &str) -> Turn {
        Turn { _permit: self.turns.enter([namespace.into()]).await }
    }

    /// The turn that is `held` already, else the next one of `namespace`.
    pub(super) async fn turn_or(&self, held: Option<Turn>, namespace: &str) -> Turn {
        match held {
            Some(turn) => turn,
            None => self.turn(namespace).await,
        }
    }

    /// Reads the object from the API server's store, not from any cache.
    pub(super) async fn get(
        &self,
        _turn: &Turn,
        identity: &Identity,
    ) -> Result<ServerlessPrivateEndpoint, ClusterError> {
        within(self.objects(identity).get(&identity.name)).await.map(lean)
    }

    /// Reads an object of a kind that every cluster has.
    pub(super) async fn read<K: Plain>(&self, namespace: &str, name: &str) -> Result<K, ClusterError> {
        let api: Api<K> = Api::namespaced(self.client.clone(), namespace);
        self.bounded(namespace, api.get(name)).await
    }

    /// Creates an object of a kind that every cluster has.
    pub(super) async fn create<K: Plain>(&self, namespace: &str, object: &K) -> Result<(), ClusterError> {
        let api: Api<K> = Api::namespaced(self.client.clone(), namespace);
        self.bounded(namespace, api.create(&PostParams::default(), object)).await.map(drop)
    }

    /// Replaces an object, if it is still the one that was read.
    pub(super) async fn replace<K: Plain>(&self, namespace: &str, object: &K) -> Result<(), ClusterError> {
        let api: Api<K> = Api::namespaced(self.client.clone(), namespace);
        self.bounded(namespace, api.replace(&object.name_any(), &PostParams::default(), object))
            .await
            .map(drop)
    }

    /// Deletes an object, if it is still the one that was read.
    pub(super) async fn delete<K: Plain>(&self, namespace: &str, object: &K) -> Result<(), ClusterError> {
        let api: Api<K> = Api::namespaced(self.client.clone(), namespace);
        let preconditions = Preconditions { uid: object.uid(), resource_version: object.resource_version() };
        let parameters = DeleteParams::default().preconditions(preconditions);
        self.bounded(namespace, api.delete(&object.name_any(), &parameters)).await.map(drop)
    }

    /// Reads an object of a kind that may not be installed.
    pub(super) async fn read_dynamic(
        &self,
        namespace: &str,
        name: &str,
        resource: &ApiResource,
    ) -> Result<DynamicObject, ClusterError> {
        let api: Api<DynamicObject> = Api::namespaced_with(self.client.clone(), namespace, resource);
        let _turn = self.others.enter([namespace.into()]).await;
        within(api.get(name)).await
    }

    /// The uid of the namespace `kube-system`, which names this cluster unless `--cluster-id` does.
    pub(super) async fn kube_system_uid(&self) -> Result<String, ClusterError> {
        let namespaces: Api<Namespace> = Api::all(self.client.clone());
        let namespace = self.bounded("kube-system", namespaces.get("kube-system")).await?;
        namespace
            .metadata
            .uid
            .ok_or_else(|| ClusterError::Failed("namespace kube-system has no uid".to_owned()))
    }

    /// Writes finalizer and annotations in one request, if the object is still the one that was read.
    pub(super) async fn claim(
        &self,
        _turn: &Turn,
        identity: &Identity,
        read: &ServerlessPrivateEndpoint,
        annotations: &[(&str, Option<String>)],
    ) -> Result<ServerlessPrivateEndpoint, ClusterError> {
        let mut finalizers = read.metadata.finalizers.clone().unwrap_or_default();
        if !finalizers.iter().any(|finalizer| finalizer == api::FINALIZER) {
            finalizers.push(api::FINALIZER.to_owned());
        }
        let annotations: serde_json::Map<_, _> =
            annotations.iter().map(|(key, value)| ((*key).to_owned(), json!(value))).collect();
        let patch = json!({"metadata": {"finalizers": finalizers, "annotations": annotations}});
        within(self.merge(identity, read, patch)).await.map(lean)
    }

    /// Writes one annotation, or takes it off, if the object is still the one that was read.
    pub(super) async fn annotate(
        &self,
        _turn: &Turn,
        identity: &Identity,
        read: &ServerlessPrivateEndpoint,
        (key, value): (&str, Option<&str>),
    ) -> Result<ServerlessPrivateEndpoint, ClusterError> {
        within(self.merge(identity, read, json!({"metadata": {"annotations": {key: value}}}))).await.map(lean)
    }

    /// Takes our finalizer off, if the object is still the one that was read.
    pub(super) async fn release(
        &self,
        _turn: &Turn,
        identity: &Identity,
        read: &ServerlessPrivateEndpoint,
    ) -> Result<ServerlessPrivateEndpoint, ClusterError> {
        let mut finalizers = read.metadata.finalizers.clone().unwrap_or_default();
        finalizers.retain(|finalizer| finalizer != api::FINALIZER);
        within(self.merge(identity, read, json!({"metadata": {"finalizers": finalizers}}))).await.map(lean)
    }

    async fn merge(
        &self,
        identity: &Identity,
        read: &ServerlessPrivateEndpoint,
        mut patch: Value,
    ) -> kube::Result<ServerlessPrivateEndpoint> {
        patch["metadata"]["uid"] = json!(identity.uid);
        patch["metadata"]["resourceVersion"] = json!(read.metadata.resource_version);
        self.objects(identity).patch(&identity.name, &PatchParams::default(), &Patch::Merge(patch)).await
    }

    /// Applies a JSON patch to the status. Its `test` operations are the guard.
    pub(super) async fn patch_status(
        &self,
        _turn: &Turn,
        identity: &Identity,
        operations: Vec<Value>,
    ) -> Result<ServerlessPrivateEndpoint, ClusterError> {
        let patch: json_patch::Patch = serde_json::from_value(Value::Array(operations))
            .map_err(|error| ClusterError::Failed(error.to_string()))?;
        let parameters = PatchParams::default();
        let patch = Patch::<ServerlessPrivateEndpoint>::Json(patch);
        within(self.objects(identity).patch_status(&identity.name, &parameters, &patch)).await.map(lean)
    }

    async fn bounded<T>(
        &self,
        namespace: &str,
        call: impl Future<Output = kube::Result<T>>,
    ) -> Result<T, ClusterError> {
        let _turn = self.turn(namespace).await;
        within(call).await
    }

    fn objects(&self, identity: &Identity) -> Api<ServerlessPrivateEndpoint> {
        Api::namespaced(self.client.clone(), &identity.namespace)
    }
}

async fn within<T>(call: impl Future<Output = kube::Result<T>>) -> Result<T, ClusterError> {
    match tokio::time::timeout(CALL, call).await {
        Err(_) => Err(ClusterError::TimedOut),
        Ok(Ok(value)) => Ok(value),
        Ok(Err(kube::Error::Api(status))) => Err(classify(&status)),
        Ok(Err(error)) => Err(ClusterError::Failed(chain(&error))),
    }
}

/// Without what nobody here reads, which is half of an object.
fn lean(mut object: ServerlessPrivateEndpoint) -> ServerlessPrivateEndpoint {
    object.metadata.managed_fields = None;
    object
}

/// A failed `test` of a JSON patch is 422 without causes, another uid is 422 or 409, a stale resourceVersion 409
/// (measured on kube-apiserver 1.37).
fn classify(status: &Status) -> ClusterError {
    let causes = status.details.as_ref().is_some_and(|details| !details.causes.is_empty());
    // Where the kind itself is not installed, the answer is a page of text and names no object.
    if status.code == 404 && status.details.as_ref().is_none_or(|details| details.name.is_empty()) {
        ClusterError::NoKind
    } else if status.is_not_found() {
        ClusterError::NotFound
    } else if status.is_conflict() || (status.is_invalid() && !causes) || is_uid_mismatch(status) {
        ClusterError::Changed
    } else if status.is_forbidden() {
        ClusterError::Forbidden(status.message.clone())
    } else if status.is_invalid() {
        ClusterError::Refused(status.message.clone())
    } else {
        ClusterError::Failed(status.message.clone())
    }
}

fn is_uid_mismatch(status: &Status) -> bool {
    let causes = status.details.iter().flat_map(|details| &details.causes);
    status.is_invalid() && causes.into_iter().all(|cause| cause.field == "metadata.uid")
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        text = format!("{text}: {inner}");
        source = inner.source();
    }
    text
}

#[cfg(test)]
#[path = "cluster_tests.rs"]
mod tests;
