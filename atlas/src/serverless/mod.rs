//! Serverless private endpoints: the paths and the operations.

pub(crate) mod json;

use std::sync::Arc;

use domain::fault::FaultKind;
use domain::ids::VpcEndpointId;
use domain::serverless::endpoint::{Endpoint, EndpointId, Instance};
use domain::sunset::Sunset;
use reqwest::Method;

use crate::client::{Client, OperationRequest};
use crate::error::AtlasError;
use crate::operation::Operation;
use crate::response::Response;
use crate::write_result::{DeleteOutcome, WriteResult, classify_write};

use json::InstanceDescription;

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

impl Client {
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
    /// never after it was sent otherwise. Once it returns false, the outcome is [`WriteResult::Refused`] with
    /// [`Outcome::DeadlinePassed`](super::Outcome::DeadlinePassed).
    ///
    /// Not safe to drop: a dropped create is uncertain.
    pub async fn create(
        &self,
        instance: &Instance,
        comment: &str,
        may_send: impl Fn() -> bool + Send + Sync + 'static,
    ) -> WriteResult<Endpoint> {
        let request = OperationRequest {
            body: Some(json::creation(comment)),
            may_send: Some(Arc::new(may_send)),
            ..self.request(Operation::Create, Method::POST, instance, None)
        };
        self.call(request, |context, result| classify_write(context, result, parse_endpoint)).await
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
        let segments = ["serverless", instance.name.as_str()];
        let url = self.transport.project_url(Operation::Instance, &instance.project, &segments);
        let request =
            OperationRequest { url, ..self.request(Operation::Instance, Method::GET, instance, None) };
        self.read(request, |response| json::instance(response.json()?)).await
    }

    /// Returns a request to `…/privateEndpoint/serverless/instance/{name}/endpoint[/{id}]`.
    fn request<'a>(
        &self,
        operation: Operation,
        method: Method,
        instance: &'a Instance,
        id: Option<&EndpointId>,
    ) -> OperationRequest<'a> {
        let mut segments =
            vec!["privateEndpoint", "serverless", "instance", instance.name.as_str(), "endpoint"];
        segments.extend(id.map(EndpointId::as_str));
        let url = self.transport.project_url(operation, &instance.project, &segments);
        OperationRequest::of(operation, method, &instance.project, url, instance, id)
    }
}

fn this_endpoint(response: &Response, id: &EndpointId) -> Result<Endpoint, String> {
    let endpoint = parse_endpoint(response)?;
    if endpoint.id == *id {
        Ok(endpoint)
    } else {
        Err(format!("the response holds endpoint {} instead", endpoint.id))
    }
}

/// Returns the endpoint in the response to a POST.
pub(crate) fn parse_endpoint(response: &Response) -> Result<Endpoint, String> {
    json::endpoint(response.json()?, &response.secrets)
}
