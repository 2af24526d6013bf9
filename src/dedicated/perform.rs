//! Sends one write to Atlas, and returns the response as the machine takes it.
//!
//! It decides nothing. No write may be dropped while it is sent: what it does is known only by its response.

use std::collections::BTreeSet;

use atlas::{AtlasError, DeleteOutcome, Operation, WriteResult};
use domain::dedicated::claim::ClaimTarget;
use domain::dedicated::life::Life;
use domain::dedicated::observed::Subject;
use domain::dedicated::reconcile::vocabulary::{CallResponse, RegionsWrite, WriteIntent};
use domain::dedicated::region::Region;
use domain::dedicated::service::{ProviderServices, ServiceAddress, ServiceId};
use domain::fault::{Fault, FaultKind};
use domain::rate_limits::Withheld;
use domain::reference::DeclaredEndpoint;
use tracing::info;

use crate::runtime::atlas_access::Access;

/// Sends the request of a claim, unless `may_send` forbids it at the last moment.
pub(super) async fn send(
    access: &Access<ProviderServices>,
    (subject, remote_regions): (&Subject, &BTreeSet<Region>),
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
        (
            ClaimTarget::Create(Some(life)),
            Subject::Endpoint { endpoint: DeclaredEndpoint::Declared(endpoint), .. },
        ) if life.endpoint == Some(endpoint.id()) => {
            let result = client.create_endpoint(&address(access, life), endpoint, may_send).await;
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

/// Sets the remote regions of a service, unless `may_send` forbids it at the last moment.
pub(super) async fn update(
    access: &Access<ProviderServices>,
    RegionsWrite { service, regions, .. }: &RegionsWrite,
    may_send: impl Fn() -> bool + Send + Sync + 'static,
) -> (CallResponse, Option<AtlasError>) {
    let address = ServiceAddress { services: access.subject.clone(), id: service.clone() };
    let result = access.key.client.update_service(&address, regions, may_send).await;
    response(result, |()| {
        info!(service.id = %service, "set the remote regions of the endpoint service");
        CallResponse::Updated
    })
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
pub(super) fn described(withheld: Withheld, intent: &WriteIntent, services: &ProviderServices) -> Withheld {
    let at = |id: &ServiceId| ServiceAddress { services: services.clone(), id: id.clone() };
    let attempt = match intent {
        WriteIntent::Update(service) => Operation::UpdateService.attempt(&at(service), None),
        WriteIntent::Claimed(ClaimTarget::Create(None)) => Operation::ListServices.attempt(services, None),
        WriteIntent::Claimed(ClaimTarget::Create(Some(life))) => {
            Operation::CreateEndpoint.attempt(&at(&life.service), life.endpoint.as_ref())
        }
        WriteIntent::Claimed(ClaimTarget::Delete(life)) => match &life.endpoint {
            None => Operation::DeleteService.attempt(&at(&life.service), None),
            Some(id) => Operation::DeleteEndpoint.attempt(&at(&life.service), Some(id)),
        },
    };
    match withheld {
        Withheld::All(fault) => Withheld::All(fault.met_by(Operation::ListServices.attempt(services, None))),
        Withheld::Writes(fault) => Withheld::Writes(fault.met_by(attempt)),
    }
}
