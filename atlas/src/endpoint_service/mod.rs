//! Endpoint services of dedicated clusters: the paths, the operations, and what a service looks like on the wire.
//!
//! A service has a natural key, so a second POST for one is refused (409) and creates nothing. Atlas keeps no trace of who
//! created a service: only the response to a POST tells. Facts and sources: dedicated-domain §1.1, §2, §3.1 and §3.3.

pub(crate) mod json;

use std::collections::BTreeSet;
use std::sync::Arc;

use domain::dedicated::endpoint::CloudEndpointId;
use domain::dedicated::region::Region;
use domain::dedicated::service::{EndpointService, ProviderServices, ServiceAddress, ServiceKey};
use reqwest::Method;

use crate::client::{Client, OperationRequest};
use crate::error::AtlasError;
use crate::operation::{NoPart, Operation, OperationSubject};
use crate::response::Response;
use crate::write_result::{self, DeleteOutcome, WriteResult};

impl OperationSubject for ProviderServices {
    type Part = NoPart;
}

impl OperationSubject for ServiceKey {
    type Part = NoPart;
}

impl OperationSubject for ServiceAddress {
    type Part = CloudEndpointId;
}

impl Client {
    /// Lists all endpoint services of a project and provider, with the ids of their endpoints: complete, or an error.
    ///
    /// The list may lag behind: a new service may be missing, and a deleted one may still be there (dedicated-domain §2).
    ///
    /// # Errors
    /// Atlas was unreachable, rejected the request, or sent no complete list of services.
    pub async fn list_services(
        &self,
        services: &ProviderServices,
    ) -> Result<Vec<EndpointService>, AtlasError> {
        let operation = Operation::ListServices;
        let segments = ["privateEndpoint", services.provider.as_str(), "endpointService"];
        let url = self.transport.project_url(operation, &services.project, &segments);
        let request = OperationRequest::of(operation, Method::GET, &services.project, url, services, None);
        self.read(request, |response| json::services(response.json()?, services.provider, &response.secrets))
            .await
    }

    /// Creates the endpoint service of a key: one POST at most. `remote_regions` are the regions besides its own that a service of
    /// AWS accepts VPC endpoints from; none are sent if there are none.
    ///
    /// [`FaultKind::Conflict`](domain::fault::FaultKind::Conflict) means that Atlas has a service for the key, one that it deletes included, or that a rule of the
    /// project forbids one. "No Capacity" is a 400 `ATLAS_GENERAL_ERROR`: refused, and worth another try (dedicated-domain §3.5).
    ///
    /// `may_send` is evaluated as in [`Client::create`]. Not safe to drop: a dropped create is uncertain.
    pub async fn create_service(
        &self,
        key: &ServiceKey,
        remote_regions: &BTreeSet<Region>,
        may_send: impl Fn() -> bool + Send + Sync + 'static,
    ) -> WriteResult<EndpointService> {
        let (ServiceKey { services, .. }, operation) = (key, Operation::CreateService);
        let url = |path: &[&str]| self.transport.project_url(operation, &services.project, path);
        // The path of the POST has no GET.
        let listing = url(&["privateEndpoint", services.provider.as_str(), "endpointService"]);
        let url = url(&["privateEndpoint", "endpointService"]);
        let request = OperationRequest {
            body: Some(json::creation(key, remote_regions)),
            may_send: Some(Arc::new(may_send)),
            challenge_url: Some(listing),
            ..OperationRequest::of(operation, Method::POST, &services.project, url, key, None)
        };
        let parse =
            |response: &Response| json::service(response.json()?, services.provider, &response.secrets);
        self.call(request, |context, result| write_result::classify_write(context, result, parse)).await
    }

    /// Reads an endpoint service; `None` if Atlas does not know it.
    ///
    /// # Errors
    /// Atlas was unreachable, rejected the request, or sent something else than this service.
    pub async fn service(&self, address: &ServiceAddress) -> Result<Option<EndpointService>, AtlasError> {
        let request = self.service_request(Operation::GetService, Method::GET, address);
        let result = self.read(request, |response| this_service(response, address)).await;
        unless_missing(result)
    }

    /// Sets the remote regions of a service of AWS: one PATCH at most. No regions clear them. The next listing shows them: Atlas does
    /// not document which status the service has meanwhile.
    ///
    /// `may_send` is evaluated as in [`Client::delete_service`]. It may be repeated: a dropped PATCH is uncertain, and heals.
    pub async fn update_service(
        &self,
        address: &ServiceAddress,
        remote_regions: &BTreeSet<Region>,
        may_send: impl Fn() -> bool + Send + Sync + 'static,
    ) -> WriteResult<()> {
        let ServiceAddress { services, id } = address;
        let at = self.service_request(Operation::UpdateService, Method::PATCH, address);
        // The only path of a service without its provider.
        let segments = ["privateEndpoint", "endpointService", id.as_str()];
        let request = OperationRequest {
            url: self.transport.project_url(at.operation, &services.project, &segments),
            challenge_url: Some(at.url.clone()),
            body: Some(json::change(services.provider, remote_regions)),
            may_send: Some(Arc::new(may_send)),
            ..at
        };
        self.call(request, |context, result| write_result::classify_write(context, result, |_| Ok(()))).await
    }

    /// Deletes an endpoint service: one DELETE at most. It stays listed as `DELETING` for a while.
    ///
    /// [`FaultKind::Conflict`](domain::fault::FaultKind::Conflict) means that Atlas keeps it: it still has endpoints, or is being deleted already.
    ///
    /// `may_send` is evaluated when the DELETE is handed to its connection, also for its repetition after a 401. Once it returns
    /// false, the result is [`WriteResult::Refused`] with [`Outcome::DeadlinePassed`](crate::Outcome::DeadlinePassed). Not safe to
    /// drop: a dropped DELETE is uncertain.
    pub async fn delete_service(
        &self,
        address: &ServiceAddress,
        may_send: impl Fn() -> bool + Send + Sync + 'static,
    ) -> WriteResult<DeleteOutcome> {
        let request = OperationRequest {
            may_send: Some(Arc::new(may_send)),
            ..self.service_request(Operation::DeleteService, Method::DELETE, address)
        };
        self.call(request, write_result::classify_delete).await
    }

    /// Returns a request to `…/privateEndpoint/{provider}/endpointService/{id}`.
    fn service_request<'a>(
        &self,
        operation: Operation,
        method: Method,
        address: &'a ServiceAddress,
    ) -> OperationRequest<'a> {
        let ServiceAddress { services, id } = address;
        let segments = ["privateEndpoint", services.provider.as_str(), "endpointService", id.as_str()];
        let url = self.transport.project_url(operation, &services.project, &segments);
        OperationRequest::of(operation, method, &services.project, url, address, None)
    }
}

fn this_service(response: &Response, address: &ServiceAddress) -> Result<EndpointService, String> {
    let service = json::service(response.json()?, address.services.provider, &response.secrets)?;
    if service.id == address.id {
        Ok(service)
    } else {
        Err(format!("the response holds endpoint service {} instead", service.id))
    }
}

/// Turns the error of a read into `None` if Atlas says that the thing is not there, by the code that it has for that.
pub(crate) fn unless_missing<T>(result: Result<T, AtlasError>) -> Result<Option<T>, AtlasError> {
    match result {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.kind().is_missing() => Ok(None),
        Err(error) => Err(error),
    }
}
