//! Endpoints that are registered at an endpoint service: the paths, the operations, and what one looks like on the wire.
//!
//! The URL of an endpoint is the id that the user's cloud gave it, so a second POST for one is refused (409), and a DELETE that
//! arrives late deletes the next life of it. Which endpoints there are is in the listing of services. Facts and sources:
//! dedicated-domain §1.2, §2, §3.2 and §3.4.

pub(crate) mod json;

use std::sync::Arc;

use domain::dedicated::endpoint::{CloudEndpointId, NewEndpoint, RegisteredEndpoint};
use domain::dedicated::service::ServiceAddress;
use reqwest::{Method, Url};

use crate::client::{Client, OperationRequest};
use crate::endpoint_service::unless_missing;
use crate::error::AtlasError;
use crate::operation::Operation;
use crate::response::Response;
use crate::write_result::{self, DeleteOutcome, WriteResult};

impl Client {
    /// Registers an endpoint at a service: one POST at most.
    ///
    /// [`FaultKind::Conflict`](domain::fault::FaultKind::Conflict) means that Atlas has it already, or does not accept it now: the
    /// service is not ready, or a rule of the project forbids it. Atlas accepts the id of a VPC endpoint that does not exist, and
    /// rejects it later (dedicated-domain §3.2). A 402 means that a payment method is missing.
    ///
    /// `may_send` is evaluated as in [`Client::create`]. Not safe to drop: a dropped create is uncertain.
    pub async fn create_endpoint(
        &self,
        service: &ServiceAddress,
        endpoint: &NewEndpoint,
        may_send: impl Fn() -> bool + Send + Sync + 'static,
    ) -> WriteResult<RegisteredEndpoint> {
        let (id, operation) = (endpoint.id(), Operation::CreateEndpoint);
        let url = self.endpoint_url(operation, service, &["endpoint"]);
        let request = OperationRequest {
            body: Some(json::creation(endpoint)),
            may_send: Some(Arc::new(may_send)),
            // No operation lists endpoints.
            challenge_url: Some(self.endpoint_url(operation, service, &[])),
            ..OperationRequest::of(
                operation,
                Method::POST,
                &service.services.project,
                url,
                service,
                Some(&id),
            )
        };
        let parse = |response: &Response| this_endpoint(response, service, &id);
        self.call(request, |context, result| write_result::classify_write(context, result, parse)).await
    }

    /// Reads an endpoint; `None` if Atlas does not know it, or its service.
    ///
    /// # Errors
    /// Atlas was unreachable, rejected the request, or sent something else than this endpoint.
    pub async fn endpoint(
        &self,
        service: &ServiceAddress,
        id: &CloudEndpointId,
    ) -> Result<Option<RegisteredEndpoint>, AtlasError> {
        let request = self.endpoint_request(Operation::GetEndpoint, Method::GET, service, id);
        unless_missing(self.read(request, |response| this_endpoint(response, service, id)).await)
    }

    /// Removes an endpoint from its service: one DELETE at most. It stays listed for a while. Atlas may delete the service with its
    /// last endpoint (dedicated-domain §3.4).
    ///
    /// `may_send` is evaluated as in [`Client::delete_service`]. Not safe to drop: a dropped DELETE is uncertain.
    pub async fn delete_endpoint(
        &self,
        service: &ServiceAddress,
        id: &CloudEndpointId,
        may_send: impl Fn() -> bool + Send + Sync + 'static,
    ) -> WriteResult<DeleteOutcome> {
        let request = OperationRequest {
            may_send: Some(Arc::new(may_send)),
            ..self.endpoint_request(Operation::DeleteEndpoint, Method::DELETE, service, id)
        };
        self.call(request, write_result::classify_delete).await
    }

    /// Returns a request to `…/privateEndpoint/{provider}/endpointService/{id}/endpoint/{endpoint id}`.
    fn endpoint_request<'a>(
        &self,
        operation: Operation,
        method: Method,
        service: &'a ServiceAddress,
        id: &CloudEndpointId,
    ) -> OperationRequest<'a> {
        // A path, as the ids of Azure, becomes one segment: its slashes are encoded.
        let url = self.endpoint_url(operation, service, &["endpoint", id.as_str()]);
        OperationRequest::of(operation, method, &service.services.project, url, service, Some(id))
    }

    fn endpoint_url(&self, operation: Operation, service: &ServiceAddress, rest: &[&str]) -> Url {
        let ServiceAddress { services, id } = service;
        let mut segments =
            vec!["privateEndpoint", services.provider.as_str(), "endpointService", id.as_str()];
        segments.extend(rest);
        self.transport.project_url(operation, &services.project, &segments)
    }
}

fn this_endpoint(
    response: &Response,
    service: &ServiceAddress,
    id: &CloudEndpointId,
) -> Result<RegisteredEndpoint, String> {
    let endpoint = json::endpoint(response.json()?, service.services.provider, &response.secrets)?;
    if endpoint.id == *id { Ok(endpoint) } else { Err("the response holds another endpoint".to_owned()) }
}
