//! Sends one write to Atlas, and returns the response as the machine takes it.
//!
//! It decides nothing. No write may be dropped while it is sent: what it does is known only by its response.

use atlas::{AtlasError, DeleteOutcome, Operation, WriteResult};
use domain::dedicated::claim::ClaimTarget;
use domain::dedicated::endpoint::NewEndpoint;
use domain::dedicated::life::Life;
use domain::dedicated::observed::Subject;
use domain::dedicated::reconcile::vocabulary::CallResponse;
use domain::dedicated::region::Region;
use domain::dedicated::service::{ProviderServices, ServiceAddress};
use domain::fault::{Fault, FaultKind};
use domain::rate_limits::Withheld;
use domain::reference::VpcEndpoint;
use tracing::info;

use crate::runtime::atlas_access::Access;

/// Sends the request of a claim, unless `may_send` forbids it at the last moment.
pub(super) async fn send(
    access: &Access<ProviderServices>,
    (subject, remote_regions): (&Subject, &[Region]),
    target: &ClaimTarget,
    may_send: impl Fn() -> bool + Send + Sync + 'static,
) -> (CallResponse, Option<AtlasError>) {
    let client = &access.key.client;
    match (target, subject) {
        (ClaimTarget::Create(None), Subject::Service(key)) => {
            let result = client.create_service(key, remote_regions, may_send).await;
            response(result, |service| {
                info!(service.id = %service.id, "created the endpoint service");
                CallResponse::ServiceCreated(service)
            })
        }
        (ClaimTarget::Create(Some(life)), Subject::Endpoint { endpoint: VpcEndpoint::Declared(id), .. }) => {
            let endpoint = NewEndpoint::Aws { id: id.clone() };
            let result = client.create_endpoint(&address(access, life), &endpoint, may_send).await;
            response(result, |endpoint| {
                info!(endpoint.id = %endpoint.id, "registered the endpoint");
                CallResponse::EndpointCreated(endpoint)
            })
        }
        (ClaimTarget::Delete(life), _) => {
            let address = address(access, life);
            let result = match &life.endpoint {
                None => client.delete_service(&address, may_send).await,
                Some(id) => client.delete_endpoint(&address, id, may_send).await,
            };
            response(result, |outcome| {
                let not_found = outcome == DeleteOutcome::NotFound;
                info!(%life, not_found, "deleted it from Atlas");
                CallResponse::Deleted { not_found }
            })
        }
        // The machine claims only what the object declares.
        (ClaimTarget::Create(_), _) => {
            let fault = Fault::new(FaultKind::Refused, "the spec does not declare what was claimed any more");
            (CallResponse::Refused(fault), None)
        }
    }
}

fn response<T>(
    result: WriteResult<T>,
    executed: impl FnOnce(T) -> CallResponse,
) -> (CallResponse, Option<AtlasError>) {
    match result {
        WriteResult::Executed(response) => (executed(response), None),
        WriteResult::Refused(error) => (CallResponse::Refused(error.fault()), Some(error)),
        WriteResult::Uncertain(error) => (CallResponse::Uncertain(error.fault()), Some(error)),
    }
}

fn address(access: &Access<ProviderServices>, life: &Life) -> ServiceAddress {
    ServiceAddress { services: access.subject.clone(), id: life.service.clone() }
}

/// Returns what withholds a write, as a message about the write that it withholds.
pub(super) fn described(withheld: Withheld, target: &ClaimTarget, services: &ProviderServices) -> Withheld {
    let at = |life: &Life| ServiceAddress { services: services.clone(), id: life.service.clone() };
    let attempt = match target {
        ClaimTarget::Create(None) => Operation::ListServices.attempt(services, None),
        ClaimTarget::Create(Some(life)) => {
            Operation::CreateEndpoint.attempt(&at(life), life.endpoint.as_ref())
        }
        ClaimTarget::Delete(life) => match &life.endpoint {
            None => Operation::DeleteService.attempt(&at(life), None),
            Some(id) => Operation::DeleteEndpoint.attempt(&at(life), Some(id)),
        },
    };
    match withheld {
        Withheld::All(fault) => Withheld::All(fault.met_by(Operation::ListServices.attempt(services, None))),
        Withheld::Writes(fault) => Withheld::Writes(fault.met_by(attempt)),
    }
}
