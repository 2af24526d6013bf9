//! Every call to the API server, each with a bound on its time and on its answer, and one on how many run at once.
//!
//! Writes are guarded: none overwrites what it has not read. This file never decides whether to write, and never logs what
//! it was answered: a Secret may be in it.

use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use domain::text;
use http_body_util::BodyExt;
use k8s_openapi::api::core::v1;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::{DeleteParams, GetParams, ListParams, Patch, PatchParams, PostParams, Preconditions};
use kube::client::Body;
use kube::core::{Request, Status, request};
use kube::{Client, Resource};
use serde_json::{Value, json};
use thiserror::Error;

use crate::runtime::error_chain::chain;
use crate::serverless::crd::{self, ServerlessPrivateEndpoint};

use super::convert::Identity;
use super::decode::{self, ConfigMap, Secret};
use crate::runtime::concurrency::{Permit, Shares};

/// The bound on a call. The claim's is part of the creation protocol.
const CALL: Duration = Duration::from_secs(5);

/// The bound on an answer, in bytes. What etcd takes as one object is a third of it.
const MAX_RESPONSE: usize = 4 * 1024 * 1024;

/// Objects of a page of their metadata.
const PAGE: u32 = 50;

/// The calls that run at once. Each has a connection with a TLS session of its own, some 50 KiB that stay: a thousand objects
/// that change together must not open a thousand.
const MAX_API_CALLS: usize = 40;

/// The calls of one namespace. A namespace whose calls are slow leaves the others to many more.
const PER_NAMESPACE: usize = 8;

/// The right to call the API server, until it is dropped. Whoever holds one never waits for another, nor for anything but
/// the answer.
pub(super) struct ApiPermit {
    /// `None` only if the process ends.
    _permit: Option<Permit<1>>,
}

/// A call to the API server that came to nothing.
#[derive(Debug, Error)]
pub(super) enum ApiError {
    /// The object is not as it was read: nothing was written.
    #[error("the object has changed since it was read")]
    Conflict,
    /// There is no such object.
    #[error("not found")]
    NotFound,
    /// There is no such kind.
    #[error("its kind is not installed")]
    KindNotInstalled,
    /// We may not.
    #[error("the operator's service account is not allowed to {0}")]
    Forbidden(String),
    /// The value itself was refused: a defect of ours, or a policy of the cluster.
    #[error("the API server refuses what the operator wrote: {0}")]
    Invalid(String),
    /// What was asked for is there and cannot be read; a write may have been applied all the same.
    #[error("it cannot be read: {0}")]
    Unreadable(String),
    /// No answer in time; a write may have been applied all the same.
    #[error("the API server did not answer within {} s", CALL.as_secs())]
    TimedOut,
    /// Anything else; a write may have been applied all the same.
    #[error("the API server could not be used: {0}")]
    Other(String),
}

/// The cluster, as this operator uses it.
#[derive(Clone)]
pub(super) struct ApiServer {
    client: Client,
    turns: Arc<Shares<1>>,
}

impl ApiServer {
    pub(super) fn new(client: Client) -> Self {
        Self { client, turns: Shares::new(MAX_API_CALLS, [PER_NAMESPACE]) }
    }

    /// Waits until it is the turn of `namespace` to call. No bound on a call's time counts this wait.
    /// The calls about our own objects take the turn of the caller, who holds as little as it can until it is there.
    pub(super) async fn turn(&self, namespace: &str) -> ApiPermit {
        ApiPermit { _permit: self.turns.enter([namespace.into()]).await }
    }

    /// The turn that is `held` already, else the next one of `namespace`.
    pub(super) async fn turn_or(&self, held: Option<ApiPermit>, namespace: &str) -> ApiPermit {
        match held {
            Some(turn) => turn,
            None => self.turn(namespace).await,
        }
    }

    /// Reads the object from the API server's store, not from any cache.
    pub(super) async fn get(
        &self,
        _turn: &ApiPermit,
        identity: &Identity,
    ) -> Result<ServerlessPrivateEndpoint, ApiError> {
        self.ours(ours(identity).get(&identity.name, &GetParams::default())).await
    }

    /// Reads a Secret.
    pub(super) async fn secret(&self, namespace: &str, name: &str) -> Result<Secret, ApiError> {
        let secrets = of::<v1::Secret>(namespace);
        let answer = self.bounded(namespace, secrets.get(name, &GetParams::default())).await?;
        // Nothing of it may be said, not even what is wrong with it.
        decode::secret(&answer)
            .ok_or_else(|| ApiError::Unreadable("it is not what a Secret looks like".to_owned()))
    }

    /// Reads a `ConfigMap`.
    pub(super) async fn config_map(&self, namespace: &str, name: &str) -> Result<ConfigMap, ApiError> {
        let answer =
            self.bounded(namespace, of::<v1::ConfigMap>(namespace).get(name, &GetParams::default())).await?;
        let read = decode::config_map(&answer);
        read.ok_or_else(|| ApiError::Unreadable("it is not what a ConfigMap looks like".to_owned()))
    }

    /// Creates a `ConfigMap`.
    pub(super) async fn create_config_map(
        &self,
        namespace: &str,
        map: &v1::ConfigMap,
    ) -> Result<(), ApiError> {
        let map = serde_json::to_vec(map).map_err(|error| ApiError::Other(error.to_string()))?;
        self.bounded(namespace, of::<v1::ConfigMap>(namespace).create(&PostParams::default(), map))
            .await
            .map(drop)
    }

    /// Makes these the entries of a `ConfigMap`, if it is still the one that was read.
    pub(super) async fn fill_config_map(
        &self,
        namespace: &str,
        name: &str,
        read: &ConfigMap,
        content: &BTreeMap<String, String>,
    ) -> Result<(), ApiError> {
        let gone = read.data.keys().map(|key| (key, Value::Null));
        let entries = gone.chain(content.iter().map(|(key, value)| (key, json!(value))));
        let entries: serde_json::Map<_, _> = entries.map(|(key, value)| (key.clone(), value)).collect();
        let guard = json!({"uid": read.uid, "resourceVersion": read.resource_version});
        let patch = Patch::Merge(json!({"metadata": guard, "data": entries}));
        let maps = of::<v1::ConfigMap>(namespace);
        self.bounded(namespace, maps.patch(name, &PatchParams::default(), &patch)).await.map(drop)
    }

    /// Deletes a `ConfigMap`, if it is still the one that was read.
    pub(super) async fn delete_config_map(
        &self,
        namespace: &str,
        name: &str,
        read: &ConfigMap,
    ) -> Result<(), ApiError> {
        let (uid, resource_version) = (Some(read.uid.clone()), Some(read.resource_version.clone()));
        let parameters = DeleteParams::default().preconditions(Preconditions { uid, resource_version });
        self.bounded(namespace, of::<v1::ConfigMap>(namespace).delete(name, &parameters)).await.map(drop)
    }

    /// The uid of the namespace `kube-system`, which names this cluster unless `--cluster-id` does.
    pub(super) async fn kube_system_uid(&self) -> Result<String, ApiError> {
        let namespaces = Request::new(v1::Namespace::url_path(&(), None));
        let answer =
            self.bounded("kube-system", namespaces.get("kube-system", &GetParams::default())).await?;
        let uid = decode::named(&answer).uid;
        uid.ok_or_else(|| ApiError::Unreadable("namespace kube-system has no uid".to_owned()))
    }

    /// What names the objects with our finalizer in a page of all objects of the cluster, and where the next page begins. Asks
    /// for their metadata alone.
    pub(super) async fn with_finalizer(
        &self,
        from: Option<String>,
    ) -> Result<(Vec<ObjectMeta>, Option<String>), ApiError> {
        let everywhere = Request::new(ServerlessPrivateEndpoint::url_path(&(), None));
        let page = ListParams { continue_token: from, ..ListParams::default().limit(PAGE) };
        let answer = self.bounded("", everywhere.list_metadata(&page)).await?;
        let read = decode::with_finalizer(&answer);
        read.ok_or_else(|| ApiError::Unreadable("it is not what a listing looks like".to_owned()))
    }

    /// Writes finalizer and annotations in one request, if the object is still the one that was read.
    pub(super) async fn claim(
        &self,
        _turn: &ApiPermit,
        identity: &Identity,
        read: &ServerlessPrivateEndpoint,
        annotations: &[(&str, Option<String>)],
    ) -> Result<ServerlessPrivateEndpoint, ApiError> {
        let mut finalizers = read.metadata.finalizers.clone().unwrap_or_default();
        if !finalizers.iter().any(|finalizer| finalizer == crd::FINALIZER) {
            finalizers.push(crd::FINALIZER.to_owned());
        }
        let annotations: serde_json::Map<_, _> =
            annotations.iter().map(|(key, value)| ((*key).to_owned(), json!(value))).collect();
        let patch = json!({"metadata": {"finalizers": finalizers, "annotations": annotations}});
        self.merge(identity, read, patch).await
    }

    /// Writes one annotation, or takes it off, if the object is still the one that was read.
    pub(super) async fn annotate(
        &self,
        _turn: &ApiPermit,
        identity: &Identity,
        read: &ServerlessPrivateEndpoint,
        (key, value): (&str, Option<&str>),
    ) -> Result<ServerlessPrivateEndpoint, ApiError> {
        self.merge(identity, read, json!({"metadata": {"annotations": {key: value}}})).await
    }

    /// Takes our finalizer off, if the object is still the one that was read.
    pub(super) async fn release(
        &self,
        _turn: &ApiPermit,
        identity: &Identity,
        read: &ServerlessPrivateEndpoint,
    ) -> Result<ServerlessPrivateEndpoint, ApiError> {
        let mut finalizers = read.metadata.finalizers.clone().unwrap_or_default();
        finalizers.retain(|finalizer| finalizer != crd::FINALIZER);
        self.merge(identity, read, json!({"metadata": {"finalizers": finalizers}})).await
    }

    async fn merge(
        &self,
        identity: &Identity,
        read: &ServerlessPrivateEndpoint,
        mut patch: Value,
    ) -> Result<ServerlessPrivateEndpoint, ApiError> {
        patch["metadata"]["uid"] = json!(identity.uid);
        patch["metadata"]["resourceVersion"] = json!(read.metadata.resource_version);
        let patch = Patch::Merge(patch);
        self.ours(ours(identity).patch(&identity.name, &PatchParams::default(), &patch)).await
    }

    /// Applies a JSON patch to the status. Its `test` operations are the guard.
    pub(super) async fn patch_status(
        &self,
        _turn: &ApiPermit,
        identity: &Identity,
        operations: Vec<Value>,
    ) -> Result<ServerlessPrivateEndpoint, ApiError> {
        let patch: json_patch::Patch = serde_json::from_value(Value::Array(operations))
            .map_err(|error| ApiError::Other(error.to_string()))?;
        let patch = Patch::<()>::Json(patch);
        let parameters = PatchParams::default();
        self.ours(ours(identity).patch_subresource("status", &identity.name, &parameters, &patch)).await
    }

    /// A call that is answered with one of our own objects.
    async fn ours(&self, request: Prepared) -> Result<ServerlessPrivateEndpoint, ApiError> {
        let answer = self.call(request).await?;
        decode::object(&answer).map_err(|unreadable| ApiError::Unreadable(unreadable.why))
    }

    async fn bounded(&self, namespace: &str, request: Prepared) -> Result<String, ApiError> {
        let _turn = self.turn(namespace).await;
        self.call(request).await
    }

    /// The text that a request is answered with.
    async fn call(&self, request: Prepared) -> Result<String, ApiError> {
        let request = request.map_err(|error| ApiError::Other(chain(&error)))?.map(Body::from);
        let answer = async {
            let response = self.client.send(request).await.map_err(|error| ApiError::Other(chain(&error)))?;
            let status = response.status();
            let text = whole(response.into_body()).await?;
            if status.is_success() { Ok(text) } else { Err(classify(&refusal(status.as_u16(), &text))) }
        };
        tokio::time::timeout(CALL, answer).await.unwrap_or(Err(ApiError::TimedOut))
    }
}

/// A request, or why there is none.
type Prepared = Result<http::Request<Vec<u8>>, request::Error>;

fn ours(identity: &Identity) -> Request {
    of::<ServerlessPrivateEndpoint>(&identity.namespace)
}

/// Requests about one kind in one namespace.
fn of<K: Resource<DynamicType = ()>>(namespace: &str) -> Request {
    Request::new(K::url_path(&(), Some(namespace)))
}

/// A whole answer, in as much memory as it takes.
async fn whole(body: Body) -> Result<String, ApiError> {
    let mut body = pin!(body);
    let mut bytes = Vec::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| ApiError::Other(chain(&error)))?;
        let data = frame.into_data().unwrap_or_default();
        if bytes.len() + data.len() > MAX_RESPONSE {
            return Err(ApiError::Unreadable(format!("it has more than {MAX_RESPONSE} bytes")));
        }
        bytes.extend_from_slice(&data);
    }
    // What is no text is so in a part that nobody reads, or decoding it says so.
    Ok(String::from_utf8(bytes)
        .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()))
}

/// What the API server says when it refuses. A proxy before it says it in words of its own.
fn refusal(code: u16, text: &str) -> Status {
    let status = serde_json::from_str(text);
    let status: Status = status.unwrap_or_else(|_| Status::failure(text.trim(), "").with_code(code));
    // An admission webhook writes as much as it likes.
    Status { message: text::kept(&status.message), ..status }
}

/// A failed `test` of a JSON patch is 422 without causes, another uid is 422 or 409, a stale resourceVersion 409
/// (measured on kube-apiserver 1.37).
fn classify(status: &Status) -> ApiError {
    let causes = status.details.as_ref().is_some_and(|details| !details.causes.is_empty());
    // Where the kind itself is not installed, the answer is a page of text and names no object.
    if status.code == 404 && status.details.as_ref().is_none_or(|details| details.name.is_empty()) {
        ApiError::KindNotInstalled
    } else if status.is_not_found() {
        ApiError::NotFound
    } else if status.is_conflict() || (status.is_invalid() && !causes) || is_uid_mismatch(status) {
        ApiError::Conflict
    } else if status.is_forbidden() {
        ApiError::Forbidden(status.message.clone())
    } else if status.is_invalid() {
        ApiError::Invalid(status.message.clone())
    } else {
        ApiError::Other(status.message.clone())
    }
}

fn is_uid_mismatch(status: &Status) -> bool {
    let causes = status.details.iter().flat_map(|details| &details.causes);
    status.is_invalid() && causes.into_iter().all(|cause| cause.field == "metadata.uid")
}

#[cfg(test)]
#[path = "api_server_tests.rs"]
mod tests;
