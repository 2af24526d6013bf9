//! What happens without a request: transitions, the user's side, the last endpoint, connection strings, late requests.

use atlas_simulator::{DEFAULT_PROJECT, DedicatedPace, InjectedFault, Operation, Rule, Termination};
use serde_json::json;

use super::*;

const SOON: DedicatedPace = DedicatedPace::of(Duration::from_millis(50));

#[tokio::test]
async fn from_nothing_to_a_private_connection_string_and_back() {
    let (atlas, client) = with(DedicatedPace::of(HOUR), |_| {}).await;
    let id = client.post(&services(), &region("us-east-1")).await.json["id"].as_str().unwrap().to_owned();
    let early = send(&client, Operation::CreateEndpoint, &id, VPC).await.unwrap();
    assert_eq!((early.status, early.code()), (409, "PRIVATELINK_CANNOT_ACCEPT_ENDPOINTS"));
    atlas.set_dedicated_pace(SOON);
    service_is(&atlas, &id, Some("AVAILABLE")).await;
    atlas.make_vpc_endpoint(VPC, &atlas.service(&id).unwrap().service_name().unwrap());
    assert!(client.get(&cluster()).await.json["connectionStrings"].get("privateEndpoint").is_none());
    assert_eq!(send(&client, Operation::CreateEndpoint, &id, VPC).await.unwrap().status, 201);
    endpoint_is(&atlas, &id, VPC, Some("AVAILABLE")).await;
    let got = client.get(&cluster()).await.json;
    let shown = &got["connectionStrings"]["privateEndpoint"][0];
    assert_eq!(
        shown["endpoints"],
        json!([{"endpointId": VPC, "providerName": "AWS", "region": "US_EAST_1"}])
    );
    assert_eq!(shown["srvConnectionString"], "mongodb+srv://shop-pl-0.32b6e.mongodb.net");
    assert_eq!(got["connectionStrings"]["awsPrivateLinkSrv"][VPC], shown["srvConnectionString"]);
    assert_eq!(send(&client, Operation::DeleteEndpoint, &id, VPC).await.unwrap().status, 202);
    endpoint_is(&atlas, &id, VPC, None).await;
    service_is(&atlas, &id, None).await;
    assert!(client.get(&cluster()).await.json["connectionStrings"].get("privateEndpoint").is_none());
    let life = atlas.service_course(&id).unwrap();
    assert_eq!(life.service.points.len(), 4, "INITIATING, AVAILABLE, DELETING, gone: {life:?}");
    assert_eq!(life.endpoints[0].endpoint.points.len(), 4, "{life:?}");
}

#[tokio::test]
async fn an_unknown_vpc_endpoint_is_rejected_and_heals_when_it_is_made() {
    let (atlas, client, id, name) = with_service(SOON, |_| {}).await;
    assert_eq!(send(&client, Operation::CreateEndpoint, &id, VPC).await.unwrap().status, 201);
    endpoint_is(&atlas, &id, VPC, Some("REJECTED")).await;
    let got = client.get(&endpoint(&id, VPC)).await.json;
    assert_eq!(got["errorMessage"], format!("Interface endpoint {VPC} was not found."));
    // One for another service does not help.
    atlas.make_vpc_endpoint(VPC, "com.amazonaws.vpce.us-east-1.vpce-svc-00000000000000000");
    assert_eq!(client.get(&endpoint(&id, VPC)).await.json["connectionStatus"], "REJECTED");
    atlas.make_vpc_endpoint(VPC, &name);
    let got = client.get(&endpoint(&id, VPC)).await.json;
    assert_eq!((&got["connectionStatus"], &got["errorMessage"]), (&json!("AVAILABLE"), &json!(null)));
    assert!(atlas.delete_vpc_endpoint(VPC));
    endpoint_is(&atlas, &id, VPC, Some("REJECTED")).await;
    assert_eq!(client.delete(&service(&id)).await.status, 409, "the registration stays");
}

#[tokio::test]
async fn a_vpc_endpoint_of_another_region_needs_a_remote_region() {
    let (atlas, client, id, name) = with_service(SOON, |_| {}).await;
    atlas.make_remote_vpc_endpoint(VPC, &name, "eu-west-2");
    atlas.make_remote_vpc_endpoint(OTHER, &name, "eu-west-2");
    assert_eq!(send(&client, Operation::CreateEndpoint, &id, VPC).await.unwrap().status, 201);
    endpoint_is(&atlas, &id, VPC, Some("REJECTED")).await;
    assert_eq!(send(&client, Operation::UpdateService, &id, VPC).await.unwrap().status, 200);
    service_is(&atlas, &id, Some("AVAILABLE")).await;
    assert_eq!(send(&client, Operation::CreateEndpoint, &id, OTHER).await.unwrap().status, 201);
    endpoint_is(&atlas, &id, OTHER, Some("AVAILABLE")).await;
}

#[tokio::test]
async fn a_vpc_endpoint_of_a_lost_service_is_rejected_by_the_next_one() {
    let (atlas, client, id, name) = with_service(SOON, |_| {}).await;
    atlas.make_vpc_endpoint(VPC, &name);
    assert!(atlas.remove_service(&id));
    let next = client.post(&services(), &region("US_EAST_1")).await.json["id"].as_str().unwrap().to_owned();
    service_is(&atlas, &next, Some("AVAILABLE")).await;
    assert_ne!(atlas.service(&next).unwrap().service_name(), Some(name));
    assert_eq!(send(&client, Operation::CreateEndpoint, &next, VPC).await.unwrap().status, 201);
    endpoint_is(&atlas, &next, VPC, Some("REJECTED")).await;
}

#[tokio::test]
async fn a_service_stays_while_one_endpoint_does() {
    let (atlas, client, id, name) = with_service(SOON, |_| {}).await;
    for vpc in [VPC, OTHER] {
        atlas.make_vpc_endpoint(vpc, &name);
        assert_eq!(send(&client, Operation::CreateEndpoint, &id, vpc).await.unwrap().status, 201);
        endpoint_is(&atlas, &id, vpc, Some("AVAILABLE")).await;
    }
    assert_eq!(send(&client, Operation::DeleteEndpoint, &id, VPC).await.unwrap().status, 202);
    endpoint_is(&atlas, &id, VPC, None).await;
    assert_eq!(client.get(&service(&id)).await.json["status"], "AVAILABLE");
    assert!(atlas.remove_registered_endpoint(&id, OTHER));
    service_is(&atlas, &id, None).await;
}

#[tokio::test]
async fn a_late_delete_hits_the_next_life_of_an_endpoint() {
    let (atlas, client, id, name) = with_service(DedicatedPace::of(Duration::ZERO), |_| {}).await;
    atlas.make_vpc_endpoint(VPC, &name);
    atlas.make_vpc_endpoint(OTHER, &name);
    for vpc in [VPC, OTHER] {
        assert_eq!(send(&client, Operation::CreateEndpoint, &id, vpc).await.unwrap().status, 201);
    }
    let late = InjectedFault::ExecutedLate { after: Duration::from_secs(2), ending: Termination::Cut };
    atlas.inject(Rule::next_of(Operation::DeleteEndpoint, late));
    assert!(send(&client, Operation::DeleteEndpoint, &id, VPC).await.is_none());
    assert_eq!(send(&client, Operation::DeleteEndpoint, &id, VPC).await.unwrap().status, 202);
    endpoint_is(&atlas, &id, VPC, None).await;
    assert_eq!(send(&client, Operation::CreateEndpoint, &id, VPC).await.unwrap().status, 201);
    endpoint_is(&atlas, &id, VPC, Some("AVAILABLE")).await;
    until(&atlas, "the late DELETE", |atlas| atlas.executed(Operation::DeleteEndpoint) == 2).await;
    endpoint_is(&atlas, &id, VPC, None).await;
    let life = atlas.service_course(&id).unwrap();
    assert_eq!(life.endpoints.iter().filter(|one| one.id == VPC).count(), 2);
}

#[tokio::test]
async fn a_late_post_of_a_service_lands_after_the_client_gave_up() {
    let (atlas, client) = with(SOON, |_| {}).await;
    let late =
        InjectedFault::ExecutedLate { after: Duration::from_secs(1), ending: Termination::GatewayTimeout };
    atlas.inject(Rule::next_of(Operation::CreateService, late));
    assert_eq!(client.post(&services(), &region("us-east-1")).await.status, 504);
    assert!(atlas.services(DEFAULT_PROJECT).is_empty());
    until(&atlas, "the late POST", |atlas| atlas.executed(Operation::CreateService) == 1).await;
    assert_eq!(client.post(&services(), &region("us-east-1")).await.status, 409);
}

#[tokio::test]
async fn a_listing_that_lags_lacks_the_new_and_shows_the_dead() {
    let lagging = |list_lag| DedicatedPace { list_lag, ..DedicatedPace::of(Duration::ZERO) };
    let (atlas, client) = with(lagging(HOUR), |_| {}).await;
    let list = async || send(&client, Operation::ListServices, "", "").await.unwrap().json;
    let id = client.post(&services(), &region("us-east-1")).await.json["id"].as_str().unwrap().to_owned();
    assert_eq!(client.post(&services(), &region("us-east-1")).await.status, 409);
    assert_eq!(list().await, json!([]));
    let lag = Duration::from_millis(1500);
    let created = atlas.now();
    until(&atlas, "the lag", |atlas| atlas.now() > created + lag).await;
    atlas.set_dedicated_pace(lagging(lag));
    assert_eq!(client.delete(&service(&id)).await.status, 202);
    assert_eq!(client.get(&service(&id)).await.status, 404);
    assert_eq!(list().await[0]["id"], id.as_str());
}

#[tokio::test]
async fn a_cluster_over_two_regions_needs_an_endpoint_in_each() {
    let (atlas, client, id, _) = with_service(DedicatedPace::of(Duration::ZERO), |settings| {
        settings.dedicated.vpc_endpoints_exist = true;
        settings.dedicated.add_cluster(DEFAULT_PROJECT, DEFAULT_CLUSTER, &["US_EAST_1", "EU_WEST_1"]);
    })
    .await;
    let elsewhere = atlas.insert_service(DEFAULT_PROJECT, AtlasService::available("EU_WEST_1"));
    let strings = async || client.get(&cluster()).await.json["connectionStrings"]["privateEndpoint"].clone();
    assert!(atlas.register_endpoint(&id, VPC));
    assert_eq!(strings().await, json!(null));
    assert!(atlas.register_endpoint(&elsewhere, OTHER));
    assert_eq!(strings().await[0]["endpoints"][1]["region"], "EU_WEST_1");
}
