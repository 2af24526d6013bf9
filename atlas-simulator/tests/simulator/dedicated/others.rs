//! Others in the same project: what they do on request, and endpoints that come and go at a rhythm.

use atlas_simulator::{
    AtlasService, ChangeCause, DEFAULT_PROJECT, DedicatedPace, EndpointPhase, LastEndpoint, OthersAction,
    OthersRhythm,
};
use serde_json::{Value, json};

use super::*;
use crate::support::got;

const SOON: DedicatedPace = DedicatedPace::of(Duration::from_millis(20));
const RHYTHM: OthersRhythm =
    OthersRhythm { every: Duration::from_millis(60), stays: Duration::from_millis(100), same_id: false };

async fn act(atlas: &Simulator, action: &Value) -> Got {
    let body = json!({"project": DEFAULT_PROJECT, "region": "us-east-1", "action": action}).to_string();
    let sent = TestClient::new(atlas).raw(Method::POST, "/control/others", None, Some(&body)).await;
    got(sent.unwrap()).await.unwrap()
}

#[tokio::test]
async fn somebody_creates_and_deletes_what_clients_then_see() {
    let (atlas, client) = with(DedicatedPace::of(HOUR), |_| {}).await;
    assert_eq!(act(&atlas, &json!({"register_endpoint": VPC})).await.status, 404);
    let made = act(&atlas, &json!("create_service")).await;
    let id = made.json["service"].as_str().unwrap().to_owned();
    assert_eq!(client.get(&service(&id)).await.json["status"], "INITIATING");
    assert_eq!(client.post(&services(), &region("US_EAST_1")).await.status, 409);
    for early in [json!("create_service"), json!({"register_endpoint": VPC})] {
        assert_eq!(act(&atlas, &early).await.status, 409, "{early}");
    }
    atlas.set_dedicated_pace(SOON);
    service_is(&atlas, &id, Some("AVAILABLE")).await;
    assert_eq!(act(&atlas, &json!({"register_endpoint": VPC})).await.status, 200);
    endpoint_is(&atlas, &id, VPC, Some("AVAILABLE")).await;
    assert_eq!(act(&atlas, &json!({"register_endpoint": VPC})).await.status, 409);
    assert_eq!(act(&atlas, &json!("delete_service")).await.status, 409);
    assert_eq!(act(&atlas, &json!({"delete_endpoint": OTHER})).await.status, 404);
    atlas.set_dedicated_pace(DedicatedPace::of(HOUR));
    assert_eq!(act(&atlas, &json!({"delete_endpoint": VPC})).await.status, 200);
    assert_eq!(client.get(&endpoint(&id, VPC)).await.json["deleteRequested"], true);
    atlas.set_dedicated_pace(SOON);
    service_is(&atlas, &id, None).await;
    assert_eq!(act(&atlas, &json!("stroll")).await.status, 400);
    assert_eq!(atlas.count(|entry| entry.operation.is_some_and(Operation::is_write) && entry.executed()), 0);
}

#[tokio::test]
async fn the_handle_does_the_same_as_the_control_requests() {
    let (atlas, client) = with(SOON, |_| {}).await;
    let act = |action: OthersAction| atlas.others(DEFAULT_PROJECT, "US_EAST_1", &action);
    let id = act(OthersAction::CreateService).unwrap();
    assert_eq!(act(OthersAction::CreateService), None);
    service_is(&atlas, &id, Some("AVAILABLE")).await;
    assert_eq!(act(OthersAction::DeleteService), Some(id.clone()));
    service_is(&atlas, &id, None).await;
    assert_eq!(act(OthersAction::DeleteService), None);
    assert_eq!(client.get(&service(&id)).await.status, 404);
    assert_eq!(atlas.others(DEFAULT_PROJECT, "moon-1", &OthersAction::CreateService), None);
    let life = atlas.service_course(&id).unwrap();
    assert_eq!(life.service.points[0].cause, ChangeCause::OutOfBand);
}

#[tokio::test]
async fn endpoints_of_others_come_and_go_at_a_rhythm_beside_ours() {
    let (atlas, client, id, name) = with_service(SOON, |_| {}).await;
    atlas.make_vpc_endpoint(VPC, &name);
    assert_eq!(send(&client, Operation::CreateEndpoint, &id, VPC).await.unwrap().status, 201);
    endpoint_is(&atlas, &id, VPC, Some("AVAILABLE")).await;
    atlas.set_others(RHYTHM);
    let past = |atlas: &Simulator| {
        let life = atlas.service_course(&id).unwrap();
        life.endpoints.iter().filter(|one| one.by_rhythm && one.endpoint.gone_at().is_some()).count()
    };
    until(&atlas, "three of others that came and went", |atlas| past(atlas) >= 3).await;
    let life = atlas.service_course(&id).unwrap();
    for other in life.endpoints.iter().filter(|one| one.by_rhythm && one.endpoint.gone_at().is_some()) {
        let phases = other.endpoint.points.iter().filter_map(|point| point.state.as_ref());
        let phases: Vec<_> = phases.map(|state| state.status.clone()).collect();
        let usual = [EndpointPhase::PendingAcceptance, EndpointPhase::Available, EndpointPhase::Deleting];
        assert_eq!(phases, usual);
        assert!(other.id.len() == VPC.len() && other.id != VPC, "{}", other.id);
    }
    let mut ids: Vec<_> = life.endpoints.iter().map(|one| &one.id).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), life.endpoints.len());
    atlas.set_others(OthersRhythm::default());
    until(&atlas, "others to leave", |atlas| atlas.registered_endpoints(&id).len() == 1).await;
    assert_eq!(client.get(&service(&id)).await.json["interfaceEndpoints"], json!([VPC]));
    assert_eq!(client.get(&endpoint(&id, VPC)).await.json["connectionStatus"], "AVAILABLE");
}

#[tokio::test]
async fn the_same_endpoint_of_others_returns_and_its_end_may_take_the_service() {
    let (atlas, _, id, _) = with_service(SOON, |settings| {
        settings.dedicated.variants.last_endpoint = LastEndpoint::LeavesService;
        settings.dedicated.others = OthersRhythm { same_id: true, ..RHYTHM };
    })
    .await;
    let lives = |atlas: &Simulator| atlas.service_course(&id).unwrap().endpoints.len();
    until(&atlas, "it to return", |atlas| lives(atlas) >= 3).await;
    let life = atlas.service_course(&id).unwrap();
    assert!(life.endpoints.iter().all(|one| one.id == life.endpoints[0].id), "{life:?}");
    atlas.configure(|settings| settings.dedicated.variants.last_endpoint = LastEndpoint::TakesService);
    service_is(&atlas, &id, None).await;
}

#[tokio::test]
async fn a_rhythm_waits_until_the_service_is_ready() {
    let (atlas, client) = with(DedicatedPace::of(HOUR), |settings| {
        settings.dedicated.others = OthersRhythm { stays: HOUR, ..RHYTHM };
    })
    .await;
    let id = client.post(&services(), &region("us-east-1")).await.json["id"].as_str().unwrap().to_owned();
    let later = atlas.insert_service(DEFAULT_PROJECT, AtlasService::available("EU_WEST_1"));
    until(&atlas, "the ready one to have some", |atlas| atlas.registered_endpoints(&later).len() >= 2).await;
    assert_eq!(atlas.registered_endpoints(&id), []);
}
