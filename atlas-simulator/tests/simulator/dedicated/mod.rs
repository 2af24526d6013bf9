//! Dedicated clusters: services, endpoints, the user's side, and clusters.

mod calls;
mod catalogue;
mod control;
mod life;
mod others;
mod sharing;

use std::time::Duration;

use atlas_simulator::{
    AtlasService, DEFAULT_CLUSTER, DEFAULT_PROJECT, DedicatedPace, Operation, Settings, Simulator,
};
use reqwest::Method;

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
    let name = atlas.service(&id).unwrap().service_name.unwrap();
    (atlas, client, id, name)
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

/// Sends a request of this kind; `None`: the connection broke.
async fn send(client: &TestClient, operation: Operation, id: &str, vpc_id: &str) -> Option<Got> {
    let (method, path, body) = match operation {
        Operation::ListServices => (Method::GET, format!("{}/AWS/endpointService", base()), None),
        Operation::CreateService => (Method::POST, services(), Some(region("EU_WEST_1"))),
        Operation::GetService => (Method::GET, service(id), None),
        Operation::UpdateService => (
            Method::PATCH,
            format!("{}/{id}", services()),
            Some(r#"{"cloudProvider": "AWS", "supportedRemoteRegions": ["EU_WEST_2"]}"#.to_owned()),
        ),
        Operation::DeleteService => (Method::DELETE, service(id), None),
        Operation::CreateEndpoint => (Method::POST, format!("{}/endpoint", service(id)), Some(vpc(vpc_id))),
        Operation::GetEndpoint => (Method::GET, endpoint(id, vpc_id), None),
        Operation::DeleteEndpoint => (Method::DELETE, endpoint(id, vpc_id), None),
        Operation::GetCluster => (Method::GET, cluster(), None),
        other => panic!("{other:?} has tests of its own"),
    };
    client.attempt(method, &path, body.as_deref()).await.ok()
}
