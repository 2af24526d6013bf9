//! The client against the simulator, for dedicated clusters on each cloud: services, endpoints and connection strings.

use std::collections::BTreeSet;
use std::time::Duration;

use atlas::{ApiVersion, Client, DeleteOutcome, WriteResult};
use atlas_simulator as sim;
use atlas_simulator::{CloudProvider, DedicatedPace, PortMappedKey, ServicePlace, Settings, Simulator};
use domain::dedicated::cluster::Cluster;
use domain::dedicated::endpoint::{ConnectionStatus, ForwardingRule, NewEndpoint, RegisteredEndpoint};
use domain::dedicated::service::{
    EndpointService, Provider, ProviderServices, ServiceAddress, ServiceKey, ServiceStatus, ServiceTarget,
};
use domain::fault::FaultKind;

use super::simulated::{api_key, client};

const AZURE_ID: &str =
    "/subscriptions/1/resourceGroups/shop_1.a(b)/providers/Microsoft.Network/privateEndpoints/orders";
const USERS_PROJECT: &str = "users-project";
const PHASE: Duration = Duration::from_millis(30);
const HOUR: Duration = Duration::from_hours(1);

/// One kind of service: a provider, and on Google Cloud an architecture.
#[derive(Debug, Clone, Copy, PartialEq)]
enum KindOfService {
    Aws,
    Azure,
    Gcp,
    PortMapped,
}

const KINDS: [KindOfService; 4] =
    [KindOfService::Aws, KindOfService::Azure, KindOfService::Gcp, KindOfService::PortMapped];

impl KindOfService {
    fn key(self) -> ServiceKey {
        let (provider, region) = match self {
            Self::Aws => (Provider::Aws, "eu-west-1"),
            Self::Azure => (Provider::Azure, "EUROPE_WEST"),
            Self::Gcp | Self::PortMapped => (Provider::Gcp, "WESTERN_EUROPE"),
        };
        let services = ProviderServices { project: sim::DEFAULT_PROJECT.parse().unwrap(), provider };
        ServiceKey { services, region: region.parse().unwrap(), is_port_mapped: self == Self::PortMapped }
    }

    fn place(self) -> ServicePlace {
        match self {
            Self::Aws => ServicePlace::of(CloudProvider::Aws, "EU_WEST_1"),
            Self::Azure => ServicePlace::of(CloudProvider::Azure, "EUROPE_WEST"),
            Self::Gcp => ServicePlace::of(CloudProvider::Gcp, "WESTERN_EUROPE"),
            Self::PortMapped => ServicePlace::port_mapped("WESTERN_EUROPE"),
        }
    }

    /// Returns an endpoint for it, one of several.
    fn endpoint(self, number: u8) -> NewEndpoint {
        let rule = |rule: u8| ForwardingRule {
            name: format!(
                "orders-{number}{}",
                if self == Self::Gcp { format!("-{rule}") } else { String::new() }
            ),
            ip_address: format!("10.0.{number}.{rule}"),
        };
        match self {
            Self::Aws => {
                NewEndpoint::Aws { id: format!("vpce-0df793f9c89c24a{number:02x}").parse().unwrap() }
            }
            Self::Azure => NewEndpoint::Azure {
                id: format!("{AZURE_ID}{number}").parse().unwrap(),
                ip_address: format!("10.0.0.{number}"),
            },
            Self::Gcp | Self::PortMapped => NewEndpoint::Gcp {
                group_name: format!("orders-{number}").parse().unwrap(),
                project_id: USERS_PROJECT.to_owned(),
                endpoints: (0..if self == Self::Gcp { 6 } else { 1 }).map(rule).collect(),
            },
        }
    }
}

/// Makes in the user's cloud what an endpoint stands for, for what the service offers.
fn make(atlas: &Simulator, endpoint: &NewEndpoint, service: &EndpointService) {
    match (endpoint, &service.target) {
        (NewEndpoint::Aws { id }, ServiceTarget::Aws { endpoint_service_name, .. }) => {
            atlas.make_vpc_endpoint(id.as_str(), endpoint_service_name.as_deref().unwrap());
        }
        (NewEndpoint::Azure { id, .. }, ServiceTarget::Azure { private_link_service_resource_id, .. }) => {
            let resource = private_link_service_resource_id.as_deref().unwrap();
            atlas.make_private_endpoint(id.as_str(), resource);
        }
        (NewEndpoint::Gcp { endpoints, .. }, ServiceTarget::Gcp { service_attachment_names, .. }) => {
            for (rule, attachment) in endpoints.iter().zip(service_attachment_names) {
                atlas.make_forwarding_rule(USERS_PROJECT, &rule.name, attachment);
            }
        }
        other => panic!("{other:?}"),
    }
}

fn settings(pace: DedicatedPace) -> Settings {
    let mut settings = Settings::default();
    settings.dedicated.pace = pace;
    settings
}

/// An Atlas with an `AVAILABLE` service of this kind, which nobody else uses.
async fn with_service(
    kind: KindOfService,
    pace: DedicatedPace,
    change: fn(&mut Settings),
) -> (Simulator, Client, ServiceAddress) {
    let mut settings = settings(pace);
    change(&mut settings);
    let atlas = Simulator::start(settings).await.unwrap();
    let client = client(&atlas, api_key(), |_| {});
    let id = atlas.insert_service(sim::DEFAULT_PROJECT, sim::AtlasService::available(kind.place()));
    let address = ServiceAddress { services: kind.key().services, id: id.parse().unwrap() };
    (atlas, client, address)
}

#[track_caller]
fn executed<T: std::fmt::Debug>(result: WriteResult<T>) -> T {
    match result {
        WriteResult::Executed(value) => value,
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn refused<T: std::fmt::Debug>(result: WriteResult<T>) -> (FaultKind, String) {
    match result {
        WriteResult::Refused(error) => (error.kind(), error.error_code().unwrap_or_default().to_owned()),
        other => panic!("{other:?}"),
    }
}

/// Reads the service until it satisfies `holds`.
async fn until_service(
    client: &Client,
    address: &ServiceAddress,
    holds: impl Fn(Option<&EndpointService>) -> bool,
) -> Option<EndpointService> {
    loop {
        let found = client.service(address).await.unwrap();
        if holds(found.as_ref()) {
            return found;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Reads the endpoint until it has this status; `None`: until it is gone.
async fn until_endpoint(
    client: &Client,
    address: &ServiceAddress,
    endpoint: &NewEndpoint,
    status: Option<&ConnectionStatus>,
) -> Option<RegisteredEndpoint> {
    loop {
        let found = client.endpoint(address, &endpoint.id()).await.unwrap();
        if found.as_ref().map(|found| &found.status) == status {
            return found;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// From no service to a private connection string, and back to nothing.
async fn live_a_life(atlas: &Simulator, client: &Client, kind: KindOfService) {
    let (key, new) = (kind.key(), kind.endpoint(1));
    assert_eq!(client.list_services(&key.services).await.unwrap(), []);
    let created = executed(client.create_service(&key, &BTreeSet::new(), || true).await);
    assert_eq!((&created.status, created.region.as_ref()), (&ServiceStatus::Initiating, Some(&key.region)));
    let address = ServiceAddress { services: key.services.clone(), id: created.id.clone() };
    let exists = "PRIVATE_ENDPOINT_SERVICE_ALREADY_EXISTS_FOR_REGION".to_owned();
    assert_eq!(
        refused(client.create_service(&key, &BTreeSet::new(), || true).await),
        (FaultKind::Conflict, exists)
    );
    let is_available =
        |found: Option<&EndpointService>| found.is_some_and(|found| found.status == ServiceStatus::Available);
    let service = until_service(client, &address, is_available).await.unwrap();
    make(atlas, &new, &service);
    let registered = executed(client.create_endpoint(&address, &new, || true).await);
    let word = match kind {
        KindOfService::Aws => "PENDING_ACCEPTANCE",
        // As recorded: the response has none.
        KindOfService::Azure => "",
        KindOfService::Gcp | KindOfService::PortMapped => "INITIATING",
    };
    assert_eq!((registered.id, registered.status.as_str()), (new.id(), word));
    let listed = client.list_services(&key.services).await.unwrap();
    assert_eq!((listed.len(), &listed[0].endpoint_ids), (1, &vec![new.id().to_string()]));
    assert_eq!(refused(client.create_endpoint(&address, &new, || true).await).0, FaultKind::Conflict);
    assert_eq!(refused(client.delete_service(&address, || true).await).0, FaultKind::Conflict);
    until_endpoint(client, &address, &new, Some(&ConnectionStatus::Available)).await;
    let cluster = Cluster {
        project: sim::DEFAULT_PROJECT.parse().unwrap(),
        name: sim::DEFAULT_CLUSTER.parse().unwrap(),
    };
    let strings = client.cluster(&cluster).await.unwrap().unwrap().private_strings;
    assert_eq!((strings.len(), &strings[0].endpoint_ids), (1, &vec![new.id().to_string()]));
    let host = if kind == KindOfService::PortMapped { "shop-psc-0." } else { "shop-pl-0." };
    assert!(strings[0].srv.as_deref().unwrap().contains(host), "{strings:?}");
    let deleted = executed(client.delete_endpoint(&address, &new.id(), || true).await);
    assert_eq!(deleted, DeleteOutcome::Accepted);
    until_endpoint(client, &address, &new, None).await;
    // The last endpoint takes the service with it.
    until_service(client, &address, |found| found.is_none()).await;
    let again = executed(client.delete_endpoint(&address, &new.id(), || true).await);
    assert_eq!(again, DeleteOutcome::NotFound);
    assert_eq!(executed(client.delete_service(&address, || true).await), DeleteOutcome::NotFound);
    assert_eq!(client.list_services(&key.services).await.unwrap(), []);
}

#[tokio::test]
async fn a_service_and_its_endpoint_live_their_life_on_each_cloud_in_both_dialects() {
    for kind in KINDS {
        for dedicated_api_version in [ApiVersion::V1, ApiVersion::V2] {
            for (pretty, envelope) in [(false, false), (true, true)] {
                let atlas = Simulator::start(settings(DedicatedPace::of(PHASE))).await.unwrap();
                let client = client(&atlas, api_key(), |settings| {
                    settings.dedicated_api_version = dedicated_api_version;
                    (settings.pretty, settings.envelope) = (pretty, envelope);
                });
                live_a_life(&atlas, &client, kind).await;
            }
        }
    }
}

#[tokio::test]
async fn successes_as_documented_are_successes_on_each_cloud() {
    for kind in KINDS {
        let mut settings = settings(DedicatedPace::of(PHASE));
        settings.dedicated.variants.successes = sim::SuccessStatuses::documented();
        settings.dedicated.variants.codes = sim::CodeFamily::PrivateEndpoint;
        let atlas = Simulator::start(settings).await.unwrap();
        live_a_life(&atlas, &client(&atlas, api_key(), |_| {}), kind).await;
    }
}

#[tokio::test]
async fn a_service_shows_what_users_connect_to_and_no_other_provider_has_it() {
    for kind in KINDS {
        let (_atlas, client, address) = with_service(kind, DedicatedPace::of(HOUR), |_| {}).await;
        let service = client.service(&address).await.unwrap().unwrap();
        let fits = match &service.target {
            ServiceTarget::Aws { endpoint_service_name, .. } => {
                endpoint_service_name.as_deref().unwrap().starts_with("com.amazonaws.vpce.eu-west-1.")
            }
            ServiceTarget::Azure { private_link_service_name, private_link_service_resource_id } => {
                let name = format!("pls_{}", service.id);
                private_link_service_name.as_deref() == Some(&name)
                    && private_link_service_resource_id.as_deref().unwrap().ends_with(&name)
            }
            ServiceTarget::Gcp { service_attachment_names, is_port_mapped } => {
                let count = if kind == KindOfService::PortMapped { 1 } else { 6 };
                *is_port_mapped == (count == 1) && service_attachment_names.len() == count
            }
        };
        assert!(fits, "{service:?}");
        for provider in Provider::ALL.into_iter().filter(|other| *other != address.services.provider) {
            let services = ProviderServices { provider, ..address.services.clone() };
            assert_eq!(client.list_services(&services).await.unwrap(), []);
            let elsewhere = ServiceAddress { services, id: address.id.clone() };
            assert_eq!(client.service(&elsewhere).await.unwrap(), None);
        }
    }
}

#[tokio::test]
async fn both_architectures_of_google_cloud_stand_in_one_region() {
    let atlas = Simulator::start(settings(DedicatedPace::of(HOUR))).await.unwrap();
    let client = client(&atlas, api_key(), |_| {});
    let mut ids = Vec::new();
    for kind in [KindOfService::Gcp, KindOfService::PortMapped] {
        ids.push(executed(client.create_service(&kind.key(), &BTreeSet::new(), || true).await).id);
    }
    let listed = client.list_services(&KindOfService::Gcp.key().services).await.unwrap();
    assert_eq!(listed.into_iter().map(|service| service.id).collect::<Vec<_>>(), ids);
}

#[tokio::test]
async fn what_the_cloud_lacks_ends_as_refused_with_a_reason() {
    for kind in KINDS {
        let (atlas, client, address) = with_service(kind, DedicatedPace::of(PHASE), |_| {}).await;
        let new = kind.endpoint(1);
        executed(client.create_endpoint(&address, &new, || true).await);
        let word =
            if kind == KindOfService::Aws { ConnectionStatus::Rejected } else { ConnectionStatus::Failed };
        let found = until_endpoint(&client, &address, &new, Some(&word)).await.unwrap();
        assert!(found.error_message.unwrap().ends_with(" was not found."));
        assert_eq!(refused(client.create_endpoint(&address, &new, || true).await).0, FaultKind::Conflict);
        let service = client.service(&address).await.unwrap().unwrap();
        let next = kind.endpoint(2);
        make(&atlas, &next, &service);
        executed(client.create_endpoint(&address, &next, || true).await);
        until_endpoint(&client, &address, &next, Some(&ConnectionStatus::Available)).await;
    }
}

#[tokio::test]
async fn a_body_that_atlas_does_not_accept_is_a_definite_no() {
    for (kind, new) in [
        (
            KindOfService::Azure,
            NewEndpoint::Azure { id: AZURE_ID.parse().unwrap(), ip_address: "10.0.0".to_owned() },
        ),
        (
            KindOfService::Azure,
            NewEndpoint::Azure { id: "orders".parse().unwrap(), ip_address: "10.0.0.4".to_owned() },
        ),
        // Too few forwarding rules for the one, and too many for the other.
        (KindOfService::Gcp, KindOfService::PortMapped.endpoint(1)),
        (KindOfService::PortMapped, KindOfService::Gcp.endpoint(1)),
    ] {
        let (atlas, client, address) = with_service(kind, DedicatedPace::of(HOUR), |_| {}).await;
        let (fault, code) = refused(client.create_endpoint(&address, &new, || true).await);
        assert_eq!((fault, code.as_str()), (FaultKind::Refused, "INVALID_ATTRIBUTE"), "{new:?}");
        assert!(atlas.registered_endpoints(address.id.as_str()).is_empty());
    }
}

#[tokio::test]
async fn remote_regions_are_refused_except_on_aws() {
    let remote = ["us-east-1".parse().unwrap()].into();
    for kind in KINDS.into_iter().filter(|kind| *kind != KindOfService::Aws) {
        let (_atlas, client, address) = with_service(kind, DedicatedPace::of(HOUR), |_| {}).await;
        let (fault, code) = refused(client.update_service(&address, &remote, || true).await);
        assert_eq!((fault, code.as_str()), (FaultKind::Refused, "PROVIDER_UNSUPPORTED"));
        let elsewhere = ServiceKey { region: "US_WEST_2".parse().unwrap(), ..kind.key() };
        let (fault, code) = refused(client.create_service(&elsewhere, &remote, || true).await);
        assert_eq!((fault, code.as_str()), (FaultKind::Refused, "PROVIDER_UNSUPPORTED"));
    }
}

#[tokio::test]
async fn a_second_region_is_refused_whatever_its_cloud() {
    for kind in KINDS {
        let (atlas, client, address) = with_service(kind, DedicatedPace::of(HOUR), |_| {}).await;
        let place = ServicePlace::of(CloudProvider::Aws, "US_EAST_1");
        let elsewhere = atlas.insert_service(sim::DEFAULT_PROJECT, sim::AtlasService::available(place));
        executed(client.create_endpoint(&address, &kind.endpoint(1), || true).await);
        assert!(atlas.register_endpoint(&elsewhere, "vpce-0fedcba9876543210"));
        let (fault, code) = refused(client.create_endpoint(&address, &kind.endpoint(2), || true).await);
        assert_eq!(code, "MULTIPLE_PRIVATE_ENDPOINTS_RESTRICTED_TO_SINGLE_REGION");
        assert_eq!(fault, FaultKind::MultipleRegions);
    }
}

#[tokio::test]
async fn a_status_in_the_response_of_azure_is_read() {
    let (_atlas, client, address) = with_service(KindOfService::Azure, DedicatedPace::of(HOUR), |settings| {
        settings.dedicated.variants.azure.creation_shows_status = true;
    })
    .await;
    let registered =
        executed(client.create_endpoint(&address, &KindOfService::Azure.endpoint(1), || true).await);
    assert_eq!(registered.status, ConnectionStatus::Initiating);
}

/// Whichever of the two names Atlas takes for the key: a group that is named after its only forwarding rule is found by it.
#[tokio::test]
async fn a_port_mapped_group_named_after_its_rule_is_found_under_either_key() {
    for by_rule in [false, true] {
        let (atlas, client, address) =
            with_service(KindOfService::PortMapped, DedicatedPace::of(PHASE), |_| {}).await;
        if by_rule {
            atlas.configure(|settings| {
                settings.dedicated.variants.gcp.port_mapped_key = PortMappedKey::EndpointName;
            });
        }
        let new = KindOfService::PortMapped.endpoint(1);
        make(&atlas, &new, &client.service(&address).await.unwrap().unwrap());
        executed(client.create_endpoint(&address, &new, || true).await);
        until_endpoint(&client, &address, &new, Some(&ConnectionStatus::Available)).await;
        // One that is named otherwise is another endpoint where Atlas ignores the name, and never taken for the declared one.
        let NewEndpoint::Gcp { project_id, endpoints, .. } = KindOfService::PortMapped.endpoint(2) else {
            panic!("a group")
        };
        let odd = NewEndpoint::Gcp { group_name: "stock".parse().unwrap(), project_id, endpoints };
        let result = client.create_endpoint(&address, &odd, || true).await;
        assert_eq!(matches!(result, WriteResult::Executed(_)), !by_rule, "{result:?}");
        assert_eq!(client.endpoint(&address, &odd.id()).await.unwrap().is_some(), !by_rule);
        assert_eq!(atlas.registered_endpoints(address.id.as_str()).len(), 2);
    }
}
