//! The catalogue of dedicated clusters: every known or suspected misbehaviour of Atlas, and how the simulator does it.
//! The families are those of the other catalogue.
//!
//! Data only. `tests/simulator/dedicated/catalogue.rs` shows that the simulator does each of them.

use std::time::Duration;

use super::{
    phase::{EndpointPhase, ServicePhase},
    provider::CloudProvider,
    service::AtlasService,
    settings::{CodeFamily, LastEndpoint, LostVpcEndpoint, OthersRhythm, PortMappedKey, SuccessStatuses},
};
use crate::{
    catalogue::{CatalogueEntry, How, lasting, once, rejection, setting},
    endpoint::Deviation,
    faults::{InjectedFault, Malformed, Operation, Termination},
    settings::DEFAULT_PROJECT,
    simulator::Simulator,
    variants::RequestPolicy,
};

/// An event of a service or endpoint without any request.
pub type ServiceEvent = fn(&Simulator, &ServicePath<'_>);

/// The service and the endpoint that are changed out of band.
#[derive(Debug, Clone, Copy)]
pub struct ServicePath<'a> {
    /// The project.
    pub project: &'a str,
    /// The service.
    pub service: &'a str,
    /// The endpoint.
    pub endpoint: &'a str,
}

/// An entry of this catalogue.
type DedicatedEntry = CatalogueEntry<ServiceEvent>;

const WRITES: &[Operation] = &Operation::DEDICATED_WRITES;
const ALL: &[Operation] = &[
    Operation::ListServices,
    Operation::CreateService,
    Operation::DeleteService,
    Operation::CreateEndpoint,
    Operation::GetEndpoint,
    Operation::DeleteEndpoint,
    Operation::GetCluster,
];
const LATE: &[Operation] = &[
    Operation::CreateService,
    Operation::DeleteService,
    Operation::CreateEndpoint,
    Operation::DeleteEndpoint,
];
const LIST: &[Operation] = &[Operation::ListServices];
const READS: &[Operation] = &[Operation::ListServices, Operation::GetService, Operation::GetEndpoint];
const CREATE_SERVICE: &[Operation] = &[Operation::CreateService];
const DELETE_SERVICE: &[Operation] = &[Operation::DeleteService];
const CREATE_ENDPOINT: &[Operation] = &[Operation::CreateEndpoint];
const GET_ENDPOINT: &[Operation] = &[Operation::GetEndpoint];
const DELETE_ENDPOINT: &[Operation] = &[Operation::DeleteEndpoint];

/// Returns all entries, family by family.
#[must_use]
pub fn dedicated_catalogue() -> Vec<CatalogueEntry<ServiceEvent>> {
    let mut all = permitted();
    all.extend(losses());
    all.extend(rejections());
    all.extend(deviations());
    all.extend(events());
    all.extend(policies());
    all
}

fn event(family: u8, name: &'static str, change: ServiceEvent) -> DedicatedEntry {
    CatalogueEntry { family, name, how: How::OutOfBand(change) }
}

/// Family 0: permitted behaviour that a client has to handle all the same.
fn permitted() -> Vec<DedicatedEntry> {
    vec![
        setting(0, "as recorded", |_| {}),
        setting(0, "successes as documented", |s| {
            s.dedicated.variants.successes = SuccessStatuses::documented();
        }),
        setting(0, "PRIVATELINK codes", |s| s.dedicated.variants.codes = CodeFamily::Privatelink),
        setting(0, "PRIVATE_ENDPOINT codes", |s| s.dedicated.variants.codes = CodeFamily::PrivateEndpoint),
        setting(0, "a status in the response of Azure to POST of an endpoint", |s| {
            s.dedicated.variants.azure.creation_shows_status = true;
        }),
        setting(0, "a port-mapped group is named after its forwarding rule", |s| {
            s.dedicated.variants.gcp.port_mapped_key = PortMappedKey::EndpointName;
        }),
        setting(0, "WAITING_FOR_USER", |s| s.dedicated.variants.waiting_for_user = true),
        // On Google Cloud: VERIFIED between INITIATING and AVAILABLE.
        setting(0, "PENDING between PENDING_ACCEPTANCE and AVAILABLE", |s| {
            s.dedicated.pace.accepting = Duration::ZERO;
            s.dedicated.pace.connecting = Duration::from_hours(1);
        }),
    ]
}

fn losses() -> Vec<DedicatedEntry> {
    let stale = || InjectedFault::StaleRead { by: Duration::from_millis(1200) };
    let late =
        InjectedFault::ExecutedLate { after: Duration::from_secs(1), ending: Termination::GatewayTimeout };
    let unavailable = Termination::Unavailable { retry_after: None };
    vec![
        once(1, "executed, then cut", WRITES, InjectedFault::Executed(Termination::Cut)),
        once(1, "executed, then silence", WRITES, InjectedFault::Executed(Termination::Hang)),
        once(1, "executed, then 503", WRITES, InjectedFault::Executed(unavailable)),
        once(1, "executed after its response", LATE, late),
        lasting(2, "a listing shows the past", LIST, stale()),
        lasting(2, "an endpoint shows the past", GET_ENDPOINT, stale()),
        setting(2, "every listing lags", |s| s.dedicated.pace.list_lag = soon()),
        once(20, "silence", ALL, InjectedFault::NotExecuted(Termination::Hang)),
    ]
}

fn rejections() -> Vec<DedicatedEntry> {
    let limited = Termination::RateLimited { retry_after: Some("2".to_owned()) };
    vec![
        rejection(4, "a key that is not accepted", ALL, Termination::Unauthenticated),
        rejection(4, "USER_UNAUTHORIZED", ALL, Termination::UserUnauthorized),
        rejection(5, "IP_ADDRESS_NOT_ON_ACCESS_LIST", ALL, Termination::IpNotOnAccessList),
        rejection(6, "GROUP_NOT_FOUND", ALL, Termination::GroupNotFound),
        rejection(6, "CLUSTER_NOT_FOUND", &[Operation::GetCluster], Termination::ClusterNotFound),
        rejection(
            7,
            "404 for a service that is there",
            &[Operation::GetService, Operation::DeleteService, Operation::CreateEndpoint],
            Termination::ServiceNotFound,
        ),
        rejection(
            7,
            "404 for an endpoint that is there",
            &[Operation::GetEndpoint, Operation::DeleteEndpoint],
            Termination::InterfaceEndpointNotFound,
        ),
        rejection(8, "VERSION_GONE", ALL, Termination::VersionGone),
        rejection(9, "429", ALL, limited),
        rejection(11, "500", ALL, Termination::ServerError),
        rejection(11, "503 as a page of HTML", ALL, Termination::HtmlUnavailable),
        rejection(10, "no writes during an upgrade", WRITES, Termination::Maintenance),
        rejection(12, "No Capacity", CREATE_SERVICE, Termination::NoCapacity),
        rejection(12, "no payment information", CREATE_ENDPOINT, Termination::PaymentRequired),
        rejection(12, "endpoints in several regions", CREATE_ENDPOINT, Termination::MultipleRegions),
        rejection(12, "a service that accepts no endpoints", CREATE_ENDPOINT, Termination::Conflict),
        rejection(12, "an endpoint that exists", CREATE_ENDPOINT, Termination::InterfaceEndpointExists),
        rejection(12, "a service with endpoints", DELETE_SERVICE, Termination::ServiceHasEndpoints),
        lasting(11, "truncated JSON", READS, InjectedFault::Shown(Malformed::Truncated)),
        once(
            11,
            "a created service shown as truncated JSON",
            CREATE_SERVICE,
            InjectedFault::Shown(Malformed::Truncated),
        ),
        once(11, "a created endpoint not shown", CREATE_ENDPOINT, InjectedFault::Shown(Malformed::Empty)),
    ]
}

fn deviations() -> Vec<DedicatedEntry> {
    let deviates = InjectedFault::Deviation;
    let status = |word: &str| InjectedFault::Shown(Malformed::Status(word.to_owned()));
    let race = "Failed to accept interface endpoint: an idempotent operation is going on.".to_owned();
    let message = || "Internal error.".to_owned();
    vec![
        once(
            13,
            "a service fails",
            CREATE_SERVICE,
            deviates(Deviation::ReservationFails { message: message() }),
        ),
        once(13, "a service takes for ever", CREATE_SERVICE, deviates(Deviation::Stalls)),
        once(
            13,
            "a service vanishes",
            CREATE_SERVICE,
            deviates(Deviation::Vanishes { after: Duration::from_secs(3) }),
        ),
        once(
            14,
            "REJECTED though the VPC endpoint exists",
            CREATE_ENDPOINT,
            deviates(Deviation::ConnectionFails { message: race }),
        ),
        once(
            14,
            "REJECTED recovers by itself",
            CREATE_ENDPOINT,
            deviates(Deviation::Recovers { after: Duration::from_secs(2) }),
        ),
        once(14, "an endpoint takes for ever", CREATE_ENDPOINT, deviates(Deviation::Stalls)),
        once(16, "a service stuck in DELETING", DELETE_SERVICE, deviates(Deviation::DeletionSticks)),
        once(
            16,
            "a deletion of a service fails",
            DELETE_SERVICE,
            deviates(Deviation::DeletionFails { message: message() }),
        ),
        once(16, "an endpoint stuck in DELETING", DELETE_ENDPOINT, deviates(Deviation::DeletionSticks)),
        once(16, "an endpoint deleted, and back again", DELETE_ENDPOINT, deviates(Deviation::ComesBack)),
        lasting(17, "an unknown status", READS, status("PAUSED")),
        lasting(17, "no status", READS, InjectedFault::Shown(Malformed::NoStatus)),
        lasting(17, "no id", READS, InjectedFault::Shown(Malformed::NoId)),
        lasting(17, "no nulls", READS, InjectedFault::Shown(Malformed::NoNulls)),
        lasting(17, "unknown fields", READS, InjectedFault::Shown(Malformed::ExtraFields)),
        lasting(17, "a listing in pages", LIST, InjectedFault::Shown(Malformed::PagedList)),
    ]
}

/// Family 15: what others do, in Atlas and in AWS.
fn events() -> Vec<DedicatedEntry> {
    vec![
        event(15, "a service FAILED", |atlas, at| {
            let message = "Internal error.".to_owned();
            let _ =
                atlas.add_service_deviation(at.service, Deviation::Breaks { after: Duration::ZERO, message });
        }),
        event(15, "a service removed by others", |atlas, at| {
            let _ = atlas.remove_service(at.service);
        }),
        event(15, "the deletion of a service begun by others", |atlas, at| {
            let _ = atlas.edit_service(at.service, |service| service.status = ServicePhase::Deleting);
        }),
        event(15, "a service created again by others", |atlas, at| {
            let Some(old) = atlas.service(at.service) else { return };
            let _ = atlas.remove_service(at.service);
            atlas.insert_service(at.project, AtlasService::available(old.place()));
        }),
        // AWS only.
        event(15, "its remote regions edited by others", |atlas, at| {
            let _ = atlas.edit_service(at.service, |service| {
                service.set_remote_regions(vec!["EU_NORTH_1".to_owned()]);
            });
        }),
        event(15, "an endpoint registered by others", |atlas, at| {
            let _ = atlas.register_endpoint(at.service, foreign(atlas, at));
        }),
        event(15, "an endpoint of others comes and goes", |atlas, at| {
            let _ = atlas.register_endpoint(at.service, foreign(atlas, at));
            let _ = atlas.remove_registered_endpoint(at.service, foreign(atlas, at));
        }),
        event(15, "an endpoint removed by others", |atlas, at| {
            let _ = atlas.register_endpoint(at.service, foreign(atlas, at));
            let _ = atlas.remove_registered_endpoint(at.service, at.endpoint);
        }),
        event(15, "the last endpoint removed by others", |atlas, at| {
            let _ = atlas.remove_registered_endpoint(at.service, at.endpoint);
        }),
        event(15, "the deletion of an endpoint begun by others", |atlas, at| {
            let _ = atlas.edit_registered_endpoint(at.service, at.endpoint, |endpoint| {
                endpoint.status = EndpointPhase::Deleting;
            });
        }),
        event(15, "an endpoint removed and registered again by others", |atlas, at| {
            let _ = atlas.register_endpoint(at.service, foreign(atlas, at));
            let _ = atlas.remove_registered_endpoint(at.service, at.endpoint);
            let _ = atlas.register_endpoint(at.service, at.endpoint);
        }),
        event(15, "AVAILABLE turns REJECTED or FAILED", |atlas, at| {
            let message = "The connection was rejected.".to_owned();
            let breaks = Deviation::Breaks { after: Duration::ZERO, message };
            let _ = atlas.add_endpoint_deviation(at.service, at.endpoint, breaks);
        }),
        event(15, "what it stands for deleted in the cloud", |atlas, at| {
            let _ = atlas.delete_cloud_endpoints_of(at.service, at.endpoint);
        }),
    ]
}

/// What is not known of Atlas.
fn policies() -> Vec<DedicatedEntry> {
    vec![
        setting(12, "PATCH before the service is ready returns 400", |s| {
            s.dedicated.variants.patch_early = RequestPolicy::BadRequest;
        }),
        setting(12, "PATCH before the service is ready is accepted", |s| {
            s.dedicated.variants.patch_early = RequestPolicy::Accept;
        }),
        setting(12, "PATCH leaves the service AVAILABLE", |s| s.dedicated.variants.change_is_visible = false),
        setting(12, "POST of a REJECTED endpoint is accepted", |s| {
            s.dedicated.variants.post_rejected = RequestPolicy::Accept;
        }),
        setting(12, "No Capacity for two services at once", |s| {
            s.dedicated.variants.no_capacity_within = Duration::from_hours(1);
        }),
        setting(12, "a wrong remote region returns 409", |s| s.dedicated.variants.remote_region_status = 409),
        setting(12, "a project without payment information", |s| {
            s.dedicated.without_payment.insert(DEFAULT_PROJECT.to_owned());
        }),
        setting(14, "REJECTED never heals", |s| s.dedicated.variants.rejected_heals = false),
        setting(14, "FAILED heals on Azure", |s| s.dedicated.variants.azure.failed_heals = true),
        setting(14, "FAILED heals on Google Cloud", |s| s.dedicated.variants.gcp.failed_heals = true),
        setting(14, "AVAILABLE without its VPC endpoint", |s| {
            s.dedicated.variants.lost_vpc_endpoint = LostVpcEndpoint::StaysAvailable;
        }),
        setting(15, "endpoints of others come and go at a rhythm", |s| {
            s.dedicated.others = OthersRhythm { every: soon(), stays: soon(), same_id: false };
        }),
        setting(16, "the last endpoint leaves the service", |s| {
            s.dedicated.variants.last_endpoint = LastEndpoint::LeavesService;
        }),
        setting(16, "the last endpoint leaves the service on Azure", |s| {
            s.dedicated.variants.azure.last_endpoint = LastEndpoint::LeavesService;
        }),
        setting(16, "the last endpoint leaves the service on Google Cloud", |s| {
            s.dedicated.variants.gcp.last_endpoint = LastEndpoint::LeavesService;
        }),
        setting(16, "the last endpoint takes the service if it was connected", |s| {
            s.dedicated.variants.last_endpoint = LastEndpoint::TakesServiceIfConnected;
        }),
        setting(16, "DELETE of a service again returns 404", |s| {
            s.dedicated.variants.delete_service_again = RequestPolicy::NotFound;
        }),
        setting(16, "DELETE of a service again returns 409", |s| {
            s.dedicated.variants.delete_service_again = RequestPolicy::Conflict;
        }),
        setting(16, "DELETE of an endpoint again returns 404", |s| {
            s.dedicated.variants.delete_endpoint_again = RequestPolicy::NotFound;
        }),
        setting(16, "DELETE of an endpoint again returns 409", |s| {
            s.dedicated.variants.delete_endpoint_again = RequestPolicy::Conflict;
        }),
        setting(18, "the private string comes after UPDATING", |s| s.dedicated.pace.updating = soon()),
    ]
}

/// Returns the id of somebody else's endpoint, for a service.
fn foreign(atlas: &Simulator, at: &ServicePath<'_>) -> &'static str {
    match atlas.service(at.service).map(|service| service.provider()) {
        Some(CloudProvider::Azure) => {
            "/subscriptions/0/resourceGroups/others/providers/Microsoft.Network/privateEndpoints/foreign"
        }
        Some(CloudProvider::Gcp) => "foreign",
        Some(CloudProvider::Aws) | None => "vpce-0fedcba9876543210",
    }
}

fn soon() -> Duration {
    Duration::from_millis(1500)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_occurs_twice() {
        let mut names: Vec<_> = dedicated_catalogue().iter().map(|known| known.name).collect();
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
    }
}
