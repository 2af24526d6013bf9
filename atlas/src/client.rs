//! The operations on endpoints, one call each.
//!
//! A call takes one request if a challenge or token is at hand, and a handful at most. It never waits and never backs off.
//! It repeats only a request that a 401 proves not to have been executed, and a GET whose connection had been closed while
//! idle. The caller decides when to retry.

use std::sync::Arc;

use domain::fault::FaultKind;
use domain::ids::VpcEndpointId;
use domain::serverless::endpoint::{Endpoint, EndpointId, Instance};
use domain::sunset::Sunset;
use reqwest::{Method, Url};
use tokio::time::Instant;

use super::cookies::Cookies;
use super::create_outcome::{self, CreateOutcome};
use super::credentials::Credentials;
use super::error::{AtlasError, Operation, RequestContext};
use super::exchange::{AuthenticatedCall, Failure};
use super::http::RawResponse;
use super::json::{self, InstanceDescription};
use super::outcome::Outcome;
use super::response::{self, Response};
use super::send_guard::MaySend;
use super::transport::{CallRecord, Transport};

/// A client with the credentials of one API key or service account. Cheap to clone.
#[derive(Clone)]
pub struct Client {
    transport: Transport,
    credentials: Arc<Credentials>,
}

/// The outcome of a DELETE.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeleteOutcome {
    /// Atlas deletes the endpoint, or has deleted it.
    Accepted,
    /// Atlas does not know the endpoint (`TENANT_PRIVATE_ENDPOINT_NOT_FOUND`). Any other 404 is an error.
    NotFound,
}

/// All endpoints of an instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListResponse {
    /// Every one of them.
    pub endpoints: Vec<Endpoint>,
    /// The end of this API, if the response announced it.
    pub sunset: Option<Sunset>,
}

/// A change of an endpoint; a field that is `None` stays as it is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Update {
    /// The new comment.
    pub comment: Option<String>,
    /// The VPC endpoint to connect.
    pub cloud_provider_endpoint_id: Option<VpcEndpointId>,
}

/// A request as an operation describes it.
struct OperationRequest<'a> {
    context: RequestContext<'a>,
    method: Method,
    url: Url,
    body: Option<Vec<u8>>,
    /// `None`: the request may always be sent.
    may_send: Option<MaySend>,
}

impl Client {
    /// Returns a client that uses `transport` and `credentials`.
    #[must_use]
    pub fn new(transport: Transport, credentials: Credentials) -> Self {
        Self { transport, credentials: Arc::new(credentials) }
    }

    /// Returns the credentials of this client.
    #[must_use]
    pub fn credentials(&self) -> &Credentials {
        &self.credentials
    }

    /// Lists all endpoints of an instance: complete, or an error.
    ///
    /// # Errors
    /// Atlas was unreachable, rejected the request, or sent no complete list of endpoints.
    pub async fn list(&self, instance: &Instance) -> Result<ListResponse, AtlasError> {
        let request = self.request(Operation::List, Method::GET, instance, None);
        let parse = |response: &Response| {
            let endpoints = json::endpoints(response.json()?, &response.secrets)?;
            Ok(ListResponse { endpoints, sunset: response.sunset.clone() })
        };
        self.read(request, parse).await
    }

    /// Creates an endpoint with this comment: one POST at most.
    ///
    /// `may_send` is evaluated when the POST is written to its connection, also for its repetition after a 401, and
    /// never after it was sent otherwise. Once it returns false, the outcome is [`CreateOutcome::Refused`] with [`Outcome::DeadlinePassed`].
    ///
    /// Not safe to drop: a dropped create is uncertain.
    pub async fn create(
        &self,
        instance: &Instance,
        comment: &str,
        may_send: impl Fn() -> bool + Send + Sync + 'static,
    ) -> CreateOutcome {
        let request = OperationRequest {
            body: Some(json::creation(comment)),
            may_send: Some(Arc::new(may_send)),
            ..self.request(Operation::Create, Method::POST, instance, None)
        };
        let context = request.context;
        self.call(request, |result| create_outcome::classify_create(context, result)).await
    }

    /// Changes an endpoint.
    ///
    /// # Errors
    /// Atlas was unreachable, rejected the request, or sent something else than this endpoint; the change may have been
    /// made all the same.
    pub async fn update(
        &self,
        instance: &Instance,
        id: &EndpointId,
        update: &Update,
    ) -> Result<Endpoint, AtlasError> {
        let body = json::change(update.comment.as_deref(), update.cloud_provider_endpoint_id.as_ref());
        let request = OperationRequest {
            body: Some(body),
            ..self.request(Operation::Update, Method::PATCH, instance, Some(id))
        };
        self.read(request, |response| this_endpoint(response, id)).await
    }

    /// Deletes an endpoint. It stays listed as `DELETING` for a while, and may be deleted again meanwhile.
    ///
    /// # Errors
    /// Atlas was unreachable, or rejected the request; the endpoint may have been deleted all the same.
    pub async fn delete(&self, instance: &Instance, id: &EndpointId) -> Result<DeleteOutcome, AtlasError> {
        let request = self.request(Operation::Delete, Method::DELETE, instance, Some(id));
        match self.read(request, |_| Ok(DeleteOutcome::Accepted)).await {
            Err(error) if error.kind() == FaultKind::EndpointNotFound => Ok(DeleteOutcome::NotFound),
            result => result,
        }
    }

    /// Reads the instance itself: its state, and its private connection strings.
    ///
    /// # Errors
    /// Atlas was unreachable, rejected the request, or sent no instance.
    pub async fn instance(&self, instance: &Instance) -> Result<InstanceDescription, AtlasError> {
        let url = self.transport.instance_url(instance);
        let request =
            OperationRequest { url, ..self.request(Operation::Instance, Method::GET, instance, None) };
        self.read(request, |response| json::instance(response.json()?)).await
    }

    fn request<'a>(
        &'a self,
        operation: Operation,
        method: Method,
        instance: &'a Instance,
        id: Option<&'a EndpointId>,
    ) -> OperationRequest<'a> {
        let context = RequestContext { operation, instance, id, credentials: &self.credentials };
        OperationRequest {
            context,
            method,
            url: self.transport.endpoint_url(instance, id),
            body: None,
            may_send: None,
        }
    }

    /// Runs a call whose success `parse` understands.
    async fn read<T>(
        &self,
        request: OperationRequest<'_>,
        parse: impl FnOnce(&Response) -> Result<T, String>,
    ) -> Result<T, AtlasError> {
        let context = request.context;
        self.call(request, |result| match result {
            Err(failure) => (failure.error.outcome(), Err(failure.error)),
            Ok(raw) => {
                let response = response::open(raw);
                let result = context.success(&response, parse);
                let outcome =
                    result.as_ref().map_or_else(AtlasError::outcome, |_| Outcome::Status(response.status));
                (outcome, result)
            }
        })
        .await
    }

    /// Runs a call to its end and records it under the outcome that `classify` returns.
    async fn call<T>(
        &self,
        request: OperationRequest<'_>,
        classify: impl FnOnce(Result<RawResponse, Failure>) -> (Outcome, T),
    ) -> T {
        let started_at = Instant::now();
        let OperationRequest { context, method, url, body, may_send } = request;
        let deadline = started_at + self.transport.timeout();
        let mut exchange = AuthenticatedCall {
            transport: &self.transport,
            context,
            method,
            url,
            body,
            deadline,
            may_send,
            requests: 0,
            cookies: Cookies::default(),
        };
        let result = exchange.run().await;
        let requests = exchange.requests;
        let remaining = result.as_ref().ok().and_then(|raw| raw.remaining);
        let (outcome, value) = classify(result);
        let record = CallRecord {
            operation: context.operation,
            outcome,
            duration: started_at.elapsed(),
            requests,
            credential: context.credentials.short_name(),
            remaining,
        };
        self.transport.record(&record, context.instance);
        value
    }
}

fn this_endpoint(response: &Response, id: &EndpointId) -> Result<Endpoint, String> {
    let endpoint = json::endpoint(response.json()?, &response.secrets)?;
    if endpoint.id == *id {
        Ok(endpoint)
    } else {
        Err(format!("the response holds endpoint {} instead", endpoint.id))
    }
}
