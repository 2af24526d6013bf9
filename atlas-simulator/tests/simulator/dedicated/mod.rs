//! Dedicated clusters: services, endpoints, the user's side, and clusters.

mod azure;
mod calls;
mod catalogue;
mod control;
mod google_cloud;
mod life;
mod others;
mod providers;
mod sharing;

use std::time::Duration;

use atlas_simulator::{
    AtlasService, CloudProvider, DEFAULT_CLUSTER, DEFAULT_PROJECT, DedicatedPace, Operation, ServicePlace,
    Settings, Simulator,
};
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Got, TestClient, until};

const VPC: &str = "vpce-0123456789abcdef0";
const OTHER: &str = "vpce-0fedcba98765432ff";
const HOUR: Duration = Duration::from_hours(1);

/// The path of a project's private endpoints in v2.
fn base() -> String {
    format!("/api/atlas/v2/groups/{DEFAULT_PROJECT}/privateEndpoint")
}

fn services() -> String {
    format!("{}/endpointService", base())
}

fn service(id: &str) -> String {
    format!("{}/AWS/endpointService/{id}", base())
}

fn endpoint(id: &str, vpc: &str) -> String {
    format!("{}/endpoint/{vpc}", service(id))
}

/// The path of a service, or of all services with an empty id.
fn service_of(provider: CloudProvider, id: &str) -> String {
    format!("{}/{}/endpointService/{id}", base(), provider.name()).trim_end_matches('/').to_owned()
}

/// The path of an endpoint, whose id is URL-encoded; of the endpoints of a service with an empty id.
fn endpoint_of(provider: CloudProvider, id: &str, endpoint: &str) -> String {
    let encoded: String = form_urlencoded::byte_serialize(endpoint.as_bytes()).collect();
    format!("{}/endpoint/{encoded}", service_of(provider, id)).trim_end_matches('/').to_owned()
}

fn cluster() -> String {
    format!("/api/atlas/v2/groups/{DEFAULT_PROJECT}/clusters/{DEFAULT_CLUSTER}")
}

fn region(name: &str) -> String {
    format!(r#"{{"providerName": "AWS", "region": "{name}"}}"#)
}

fn vpc(id: &str) -> String {
    format!(r#"{{"id": "{id}"}}"#)
}

/// A simulator with these settings, and a client of v2.
async fn with(pace: DedicatedPace, change: fn(&mut Settings)) -> (Simulator, TestClient) {
    let mut settings = Settings::default();
    settings.dedicated.pace = pace;
    change(&mut settings);
    let atlas = Simulator::start(settings).await.unwrap();
    let client = TestClient::new(&atlas).v2();
    (atlas, client)
}

/// The same with a service that is `AVAILABLE`, and its id and service name.
async fn with_service(
    pace: DedicatedPace,
    change: fn(&mut Settings),
) -> (Simulator, TestClient, String, String) {
    let (atlas, client) = with(pace, change).await;
    let id = atlas.insert_service(DEFAULT_PROJECT, AtlasService::available("US_EAST_1"));
    let name = atlas.service(&id).unwrap().service_name().unwrap();
    (atlas, client, id, name)
}

/// The same with a service at this place, and all that it offers to connect to.
async fn with_service_at(
    at: ServicePlace,
    pace: DedicatedPace,
    change: fn(&mut Settings),
) -> (Simulator, TestClient, String, Vec<String>) {
    let (atlas, client) = with(pace, change).await;
    let id = atlas.insert_service(DEFAULT_PROJECT, AtlasService::available(at));
    let targets = atlas.service(&id).unwrap().targets().to_vec();
    (atlas, client, id, targets)
}

/// Waits until an endpoint has this status; `None`: until it is gone.
async fn endpoint_is(atlas: &Simulator, id: &str, vpc: &str, status: Option<&str>) {
    let wanted = status.map(|word| serde_json::json!(word));
    until(atlas, &format!("{vpc} to be {status:?}"), |atlas| {
        let found = atlas.registered_endpoints(id).into_iter().find(|endpoint| endpoint.id == vpc);
        found.map(|endpoint| serde_json::to_value(endpoint.status).unwrap()) == wanted
    })
    .await;
}

/// Waits until a service has this status; `None`: until it is gone.
async fn service_is(atlas: &Simulator, id: &str, status: Option<&str>) {
    let wanted = status.map(|word| serde_json::json!(word));
    until(atlas, &format!("{id} to be {status:?}"), |atlas| {
        atlas.service(id).map(|service| serde_json::to_value(service.status).unwrap()) == wanted
    })
    .await;
}

/// The project of Google Cloud of those who register out of band.
const PROJECT_OF_OTHERS: &str = "project-of-others";

/// The endpoints of one place that a test is about.
#[derive(Debug, Clone)]
struct PlacedEndpoint<'a> {
    place: ServicePlace,
    endpoint: &'a str,
    /// Another region of its provider.
    elsewhere: &'static str,
}

impl<'a> PlacedEndpoint<'a> {
    fn aws(endpoint: &'a str) -> Self {
        Self { place: "US_EAST_1".into(), endpoint, elsewhere: "EU_WEST_1" }
    }

    /// The body that registers the endpoint.
    fn body(&self) -> String {
        let rule = |number: usize| json!({"endpointName": format!("{}-{number}", self.endpoint), "ipAddress": "10.0.0.4"});
        match self.place.provider {
            CloudProvider::Aws => vpc(self.endpoint),
            CloudProvider::Azure => {
                json!({"id": self.endpoint, "privateEndpointIPAddress": "10.0.0.4"}).to_string()
            }
            CloudProvider::Gcp => {
                let rules = if self.place.is_port_mapped { 1 } else { 6 };
                let rules: Vec<_> = (0..rules).map(rule).collect();
                json!({"endpointGroupName": self.endpoint, "gcpProjectId": PROJECT_OF_OTHERS, "endpoints": rules}).to_string()
            }
        }
    }

    /// Makes in the cloud what the endpoint stands for. Clients or others register it.
    fn make(&self, atlas: &Simulator, targets: &[String]) {
        for (number, target) in targets.iter().enumerate() {
            match self.place.provider {
                CloudProvider::Aws => atlas.make_vpc_endpoint(self.endpoint, target),
                CloudProvider::Azure => atlas.make_private_endpoint(self.endpoint, target),
                CloudProvider::Gcp => {
                    let name = format!("{}-{number}", self.endpoint);
                    atlas.make_forwarding_rule(PROJECT_OF_OTHERS, &name, target);
                }
            }
        }
    }

    /// The status of an endpoint that Atlas cannot connect.
    fn refused(&self) -> &'static str {
        if self.place.provider == CloudProvider::Aws { "REJECTED" } else { "FAILED" }
    }

    /// The status of an endpoint in a response.
    fn status(&self, endpoint: &Value) -> Value {
        endpoint[if self.place.provider == CloudProvider::Aws { "connectionStatus" } else { "status" }]
            .clone()
    }
}

/// One of each kind.
fn one_of_each() -> [PlacedEndpoint<'static>; 4] {
    let azure = "/subscriptions/1/resourceGroups/shop/providers/Microsoft.Network/privateEndpoints/orders";
    let of = |place, endpoint, elsewhere| PlacedEndpoint { place, endpoint, elsewhere };
    [
        PlacedEndpoint::aws(VPC),
        of(ServicePlace::of(CloudProvider::Azure, "EUROPE_WEST"), azure, "EUROPE_NORTH"),
        of(ServicePlace::of(CloudProvider::Gcp, "WESTERN_EUROPE"), "orders", "CENTRAL_US"),
        of(ServicePlace::port_mapped("WESTERN_EUROPE"), "orders-mapped", "CENTRAL_US"),
    ]
}

/// Sends a request of this kind to AWS; `None`: the connection broke.
async fn send(client: &TestClient, operation: Operation, id: &str, vpc_id: &str) -> Option<Got> {
    send_to(client, &PlacedEndpoint::aws(vpc_id), operation, id).await
}

/// Sends a request of this kind; `None`: the connection broke.
async fn send_to(
    client: &TestClient,
    at: &PlacedEndpoint<'_>,
    operation: Operation,
    id: &str,
) -> Option<Got> {
    let provider = at.place.provider;
    let (method, path, body) = match operation {
        Operation::ListServices => (Method::GET, service_of(provider, ""), None),
        Operation::CreateService => {
            let body = json!({
                "providerName": provider.name(), "region": at.elsewhere, "portMappingEnabled": at.place.is_port_mapped,
            });
            (Method::POST, services(), Some(body.to_string()))
        }
        Operation::GetService => (Method::GET, service_of(provider, id), None),
        Operation::UpdateService => (
            Method::PATCH,
            format!("{}/{id}", services()),
            Some(r#"{"cloudProvider": "AWS", "supportedRemoteRegions": ["EU_WEST_2"]}"#.to_owned()),
        ),
        Operation::DeleteService => (Method::DELETE, service_of(provider, id), None),
        Operation::CreateEndpoint => (Method::POST, endpoint_of(provider, id, ""), Some(at.body())),
        Operation::GetEndpoint => (Method::GET, endpoint_of(provider, id, at.endpoint), None),
        Operation::DeleteEndpoint => (Method::DELETE, endpoint_of(provider, id, at.endpoint), None),
        Operation::GetCluster => (Method::GET, cluster(), None),
        other => panic!("{other:?} has tests of its own"),
    };
    client.attempt(method, &path, body.as_deref()).await.ok()
}
