//! The client for the API server, with limits on the duration, the response size and the number of concurrent calls.
//!
//! Writes are guarded: none overwrites a version that it has not read. This file never decides whether to write, and never logs a
//! response, which may contain a Secret.

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

use super::concurrency::{Permit, Shares};
use super::decode::{self, ConfigMap, Secret};
use super::error_chain::chain;
use super::identity::Identity;
use super::kind::Kind;

/// Timeout of a call. For the claim it is part of the creation protocol.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Maximum size of a response, in bytes: about three times the maximum size of an object in etcd.
const MAX_RESPONSE: usize = 4 * 1024 * 1024;

/// Maximum concurrent calls. Each uses a connection with its own TLS session, about 50 KiB that stay allocated: a thousand
/// objects that change together must not open a thousand connections.
const MAX_API_CALLS: usize = 40;

/// The maximum number of objects in a page of a list.
const PAGE_SIZE: u32 = 100;

/// Maximum concurrent calls for one namespace, so that a namespace whose calls are slow leaves most of them to the others.
const PER_NAMESPACE: usize = 8;

/// The permit to call the API server, returned on drop. A task that holds a permit waits only for the response, and never
/// for a second permit.
pub(crate) struct ApiPermit {
    /// `None` only while the process shuts down.
    _permit: Option<Permit<1>>,
}

/// Why a call to the API server failed.
#[derive(Debug, Error)]
pub(crate) enum ApiError {
    /// The object has changed since it was read: nothing was written.
    #[error("the object has changed since it was read")]
    Conflict,
    /// The object does not exist.
    #[error("not found")]
    NotFound,
    /// The kind of the object is not installed.
    #[error("its kind is not installed")]
    KindNotInstalled,
    /// The operator's service account is not authorized.
    #[error("the operator's service account is not allowed to {0}")]
    Forbidden(String),
    /// The API server rejected the value: a defect of the operator, or a policy of the cluster.
    #[error("the API server rejected the operator's write: {0}")]
    Invalid(String),
    /// The response cannot be decoded; a write may have been applied.
    #[error("cannot decode the response: {0}")]
    Unreadable(String),
    /// No response before the timeout; a write may have been applied.
    #[error("the API server did not respond within {} s", TIMEOUT.as_secs())]
    TimedOut,
    /// Any other failure; a write may have been applied.
    #[error("the API server could not be used: {0}")]
    Other(String),
}

/// The client for the API server.
#[derive(Clone)]
pub(crate) struct ApiServer {
    client: Client,
    permits: Arc<Shares<1>>,
}

impl ApiServer {
    pub(crate) fn new(client: Client) -> Self {
        Self { client, permits: Shares::new(MAX_API_CALLS, [PER_NAMESPACE]) }
    }

    /// Waits for a permit to call the API server for `namespace`. The timeout of a call does not include this wait.
    ///
    /// Calls about our own objects take a permit from the caller, which holds as little memory as possible while it waits for it.
    pub(crate) async fn permit(&self, namespace: &str) -> ApiPermit {
        ApiPermit { _permit: self.permits.enter([namespace.into()]).await }
    }

    /// Reads the object from the API server's store, not from any cache.
    pub(crate) async fn get<K: Kind>(&self, _permit: &ApiPermit, identity: &Identity) -> Result<K, ApiError> {
        self.call_for_object(
            requests_for::<K>(&identity.namespace).get(&identity.name, &GetParams::default()),
        )
        .await
    }

    /// Reads a Secret.
    pub(crate) async fn secret(&self, namespace: &str, name: &str) -> Result<Secret, ApiError> {
        let secrets = requests_for::<v1::Secret>(namespace);
        let response = self.call_with_permit(namespace, secrets.get(name, &GetParams::default())).await?;
        // No part of the response may appear in a message, not even why it cannot be decoded.
        decode::secret(&response).ok_or_else(|| ApiError::Unreadable("it is not a Secret".to_owned()))
    }

    /// Reads a `ConfigMap`.
    pub(crate) async fn config_map(&self, namespace: &str, name: &str) -> Result<ConfigMap, ApiError> {
        let response = self
            .call_with_permit(
                namespace,
                requests_for::<v1::ConfigMap>(namespace).get(name, &GetParams::default()),
            )
            .await?;
        let read = decode::config_map(&response);
        read.ok_or_else(|| ApiError::Unreadable("it is not a ConfigMap".to_owned()))
    }

    /// Creates a `ConfigMap`.
    pub(crate) async fn create_config_map(
        &self,
        namespace: &str,
        map: &v1::ConfigMap,
    ) -> Result<(), ApiError> {
        let map = serde_json::to_vec(map).map_err(|error| ApiError::Other(error.to_string()))?;
        self.call_with_permit(
            namespace,
            requests_for::<v1::ConfigMap>(namespace).create(&PostParams::default(), map),
        )
        .await
        .map(drop)
    }

    /// Replaces the entries of a `ConfigMap`, if it is unchanged since it was `read`.
    pub(crate) async fn fill_config_map(
        &self,
        namespace: &str,
        name: &str,
        read: &ConfigMap,
        content: &BTreeMap<String, String>,
    ) -> Result<(), ApiError> {
        let removed = read.data.keys().map(|key| (key, Value::Null));
        let entries = removed.chain(content.iter().map(|(key, value)| (key, json!(value))));
        let entries: serde_json::Map<_, _> = entries.map(|(key, value)| (key.clone(), value)).collect();
        let guard = json!({"uid": read.uid, "resourceVersion": read.resource_version});
        let patch = Patch::Merge(json!({"metadata": guard, "data": entries}));
        let maps = requests_for::<v1::ConfigMap>(namespace);
        self.call_with_permit(namespace, maps.patch(name, &PatchParams::default(), &patch)).await.map(drop)
    }

    /// Deletes a `ConfigMap`, if it is unchanged since it was `read`.
    pub(crate) async fn delete_config_map(
        &self,
        namespace: &str,
        name: &str,
        read: &ConfigMap,
    ) -> Result<(), ApiError> {
        let (uid, resource_version) = (Some(read.uid.clone()), Some(read.resource_version.clone()));
        let parameters = DeleteParams::default().preconditions(Preconditions { uid, resource_version });
        self.call_with_permit(namespace, requests_for::<v1::ConfigMap>(namespace).delete(name, &parameters))
            .await
            .map(drop)
    }

    /// Reads the uid of the namespace `kube-system`, which identifies this cluster unless `--cluster-id` is set.
    pub(crate) async fn kube_system_uid(&self) -> Result<String, ApiError> {
        let namespaces = Request::new(v1::Namespace::url_path(&(), None));
        let response = self
            .call_with_permit("kube-system", namespaces.get("kube-system", &GetParams::default()))
            .await?;
        let uid = decode::named(&response).uid;
        uid.ok_or_else(|| ApiError::Unreadable("namespace kube-system has no uid".to_owned()))
    }

    /// Lists one page of at most `limit` objects of all namespaces. Returns the identifying metadata of the objects on it with our
    /// finalizer, and the continue token of the next page. Requests metadata only.
    pub(crate) async fn with_finalizer<K: Kind>(
        &self,
        continue_token: Option<String>,
        limit: u32,
    ) -> Result<(Vec<ObjectMeta>, Option<String>), ApiError> {
        let all_namespaces = Request::new(K::url_path(&(), None));
        let page = ListParams { continue_token, ..ListParams::default().limit(limit) };
        let response = self.call_with_permit("", all_namespaces.list_metadata(&page)).await?;
        let read = decode::with_finalizer(&response, K::FINALIZER);
        read.ok_or_else(|| ApiError::Unreadable("it is not a listing".to_owned()))
    }

    /// Lists the objects of a kind in `namespace` (`None`: in all) past all caches, and calls `act` with each that can be decoded.
    ///
    /// A user may give an object metadata of a mebibyte: a page that is too large is requested again with half as many objects.
    pub(crate) async fn each<K: Kind>(
        &self,
        namespace: Option<&str>,
        mut act: impl FnMut(&K),
    ) -> Result<(), ApiError> {
        let objects = Request::new(K::url_path(&(), namespace));
        let (mut continue_token, mut limit) = (None, PAGE_SIZE);
        loop {
            let page =
                ListParams { continue_token: continue_token.clone(), ..ListParams::default().limit(limit) };
            let response =
                match self.call_with_permit(namespace.unwrap_or_default(), objects.list(&page)).await {
                    Err(ApiError::Unreadable(_)) if limit > 1 => {
                        limit /= 2;
                        continue;
                    }
                    response => response?,
                };
            let page = decode::page::<K>(&response);
            let (items, next) = page.ok_or_else(|| ApiError::Unreadable("it is not a listing".to_owned()))?;
            items.iter().for_each(&mut act);
            if next.is_none() {
                return Ok(());
            }
            (continue_token, limit) = (next, (limit * 2).min(PAGE_SIZE));
        }
    }

    /// Writes the finalizer and annotations in one request, if the object is unchanged since it was `read`.
    pub(crate) async fn claim<K: Kind>(
        &self,
        _permit: &ApiPermit,
        identity: &Identity,
        read: &K,
        annotations: &[(&str, Option<String>)],
    ) -> Result<K, ApiError> {
        let mut finalizers = read.meta().finalizers.clone().unwrap_or_default();
        if !finalizers.iter().any(|finalizer| finalizer == K::FINALIZER) {
            finalizers.push(K::FINALIZER.to_owned());
        }
        let annotations: serde_json::Map<_, _> =
            annotations.iter().map(|(key, value)| ((*key).to_owned(), json!(value))).collect();
        let patch = json!({"metadata": {"finalizers": finalizers, "annotations": annotations}});
        self.merge(identity, read, patch).await
    }

    /// Writes or removes one annotation, if the object is unchanged since it was `read`.
    pub(crate) async fn annotate<K: Kind>(
        &self,
        _permit: &ApiPermit,
        identity: &Identity,
        read: &K,
        (key, value): (&str, Option<&str>),
    ) -> Result<K, ApiError> {
        self.merge(identity, read, json!({"metadata": {"annotations": {key: value}}})).await
    }

    /// Removes our finalizer, if the object is unchanged since it was `read`.
    pub(crate) async fn release<K: Kind>(
        &self,
        _permit: &ApiPermit,
        identity: &Identity,
        read: &K,
    ) -> Result<K, ApiError> {
        let mut finalizers = read.meta().finalizers.clone().unwrap_or_default();
        finalizers.retain(|finalizer| finalizer != K::FINALIZER);
        self.merge(identity, read, json!({"metadata": {"finalizers": finalizers}})).await
    }

    async fn merge<K: Kind>(&self, identity: &Identity, read: &K, mut patch: Value) -> Result<K, ApiError> {
        patch["metadata"]["uid"] = json!(identity.uid);
        patch["metadata"]["resourceVersion"] = json!(read.meta().resource_version);
        let patch = Patch::Merge(patch);
        self.call_for_object(requests_for::<K>(&identity.namespace).patch(
            &identity.name,
            &PatchParams::default(),
            &patch,
        ))
        .await
    }

    /// Applies a JSON patch to the status. Its `test` operations guard the write.
    pub(crate) async fn patch_status<K: Kind>(
        &self,
        _permit: &ApiPermit,
        identity: &Identity,
        operations: Vec<Value>,
    ) -> Result<K, ApiError> {
        let patch: json_patch::Patch = serde_json::from_value(Value::Array(operations))
            .map_err(|error| ApiError::Other(error.to_string()))?;
        let patch = Patch::<()>::Json(patch);
        let parameters = PatchParams::default();
        self.call_for_object(requests_for::<K>(&identity.namespace).patch_subresource(
            "status",
            &identity.name,
            &parameters,
            &patch,
        ))
        .await
    }

    /// Sends a request whose response is one of our own objects.
    async fn call_for_object<K: Kind>(&self, request: Prepared) -> Result<K, ApiError> {
        let response = self.call(request).await?;
        decode::object(&response).map_err(|unreadable| ApiError::Unreadable(unreadable.why))
    }

    async fn call_with_permit(&self, namespace: &str, request: Prepared) -> Result<String, ApiError> {
        let _permit = self.permit(namespace).await;
        self.call(request).await
    }

    /// Sends a request and returns the body of its response.
    async fn call(&self, request: Prepared) -> Result<String, ApiError> {
        let request = request.map_err(|error| ApiError::Other(chain(&error)))?.map(Body::from);
        let response = async {
            let response = self.client.send(request).await.map_err(|error| ApiError::Other(chain(&error)))?;
            let status = response.status();
            let text = read_body(response.into_body()).await?;
            if status.is_success() { Ok(text) } else { Err(classify(&error_status(status.as_u16(), &text))) }
        };
        tokio::time::timeout(TIMEOUT, response).await.unwrap_or(Err(ApiError::TimedOut))
    }
}

/// A request, or why it could not be built.
type Prepared = Result<http::Request<Vec<u8>>, request::Error>;

/// Returns a request builder for one kind in one namespace.
fn requests_for<K: Resource<DynamicType = ()>>(namespace: &str) -> Request {
    Request::new(K::url_path(&(), Some(namespace)))
}

/// Reads a whole response body into no more memory than it needs.
async fn read_body(body: Body) -> Result<String, ApiError> {
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
    // Invalid UTF-8 is either in a part that is never decoded, or decoding that part fails.
    Ok(String::from_utf8(bytes)
        .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()))
}

/// Returns the `Status` of an error response. The body may be plain text from a proxy in front of the API server.
fn error_status(code: u16, text: &str) -> Status {
    let status = serde_json::from_str(text);
    let status: Status = status.unwrap_or_else(|_| Status::failure(text.trim(), "").with_code(code));
    // An admission webhook may send a message of any length.
    Status { message: text::kept(&status.message), ..status }
}

/// Classifies an error response. A failed `test` of a JSON patch is a 422 without causes, another uid a 422 or 409, a stale
/// resourceVersion a 409 (measured on kube-apiserver 1.37).
fn classify(status: &Status) -> ApiError {
    let causes = status.details.as_ref().is_some_and(|details| !details.causes.is_empty());
    // If the kind is not installed, the response is plain text and names no object.
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
