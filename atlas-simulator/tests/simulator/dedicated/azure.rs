//! Private endpoints of Azure: an address beside the id, an id that is a path, and statuses of their own.

use atlas_simulator::{CloudProvider::Azure, DedicatedPace};
use serde_json::{Value, json};

use super::*;

const ID: &str =
    "/subscriptions/4e133d35/resourceGroups/shop/providers/Microsoft.Network/privateEndpoints/orders";
const OTHER_ID: &str =
    "/subscriptions/4e133d35/resourceGroups/shop/providers/Microsoft.Network/privateEndpoints/stock";
const SOON: DedicatedPace = DedicatedPace::of(Duration::from_millis(50));

fn endpoint(id: &str) -> String {
    json!({"id": id, "privateEndpointIPAddress": "10.0.0.4"}).to_string()
}

async fn with_azure(
    pace: DedicatedPace,
    change: fn(&mut Settings),
) -> (Simulator, TestClient, String, String) {
    let (atlas, client, id, targets) =
        with_service_at(ServicePlace::of(Azure, "EUROPE_WEST"), pace, change).await;
    (atlas, client, id, targets[0].clone())
}

#[tokio::test]
async fn a_service_of_azure_is_created_and_read_as_recorded() {
    let (atlas, client) = with(DedicatedPace::of(HOUR), |_| {}).await;
    let got = client.post(&services(), r#"{"providerName": "AZURE", "region": "ASIA_SOUTH_EAST"}"#).await;
    let id = got.json["id"].as_str().unwrap().to_owned();
    let recorded = format!(
        r#"{{"cloudProvider":"AZURE","errorMessage":null,"id":"{id}","privateEndpoints":[],"privateLinkServiceName":null,"privateLinkServiceResourceId":null,"regionName":"ASIA_SOUTH_EAST","status":"INITIATING"}}"#
    );
    assert_eq!((got.status, got.text.as_str()), (201, recorded.as_str()));
    assert_eq!(client.get(&service_of(Azure, &id)).await.text, recorded);
    assert_eq!(client.get(&service_of(Azure, "")).await.text, format!("[{recorded}]"));
    atlas.set_dedicated_pace(DedicatedPace::of(Duration::ZERO));
    let ready = client.get(&service_of(Azure, &id)).await.json;
    assert_eq!(ready["status"], "AVAILABLE");
    let name = format!("pls_{id}");
    assert_eq!(ready["privateLinkServiceName"], name);
    let resource = ready["privateLinkServiceResourceId"].as_str().unwrap();
    let ends = format!("/providers/Microsoft.Network/privateLinkServices/{name}");
    assert!(resource.starts_with("/subscriptions/") && resource.ends_with(&ends), "{resource}");
    assert_eq!(atlas.service(&id).unwrap().service_name().as_deref(), Some(resource));
}

#[tokio::test]
async fn an_endpoint_of_azure_is_named_by_its_encoded_resource_id() {
    let (atlas, client, id, service_name) = with_azure(DedicatedPace::of(HOUR), |_| {}).await;
    atlas.make_private_endpoint(ID, &service_name);
    let got = client.post(&endpoint_of(Azure, &id, ""), &endpoint(ID)).await;
    // As recorded: without a status.
    let body = format!(
        r#"{{"cloudProvider":"AZURE","deleteRequested":false,"errorMessage":null,"privateEndpointConnectionName":null,"privateEndpointIPAddress":"10.0.0.4","privateEndpointResourceId":"{ID}"}}"#
    );
    assert_eq!((got.status, got.text.as_str()), (201, body.as_str()));
    let at = endpoint_of(Azure, &id, ID);
    assert!(at.contains("/endpoint/%2Fsubscriptions%2F"), "{at}");
    let read = client.get(&at).await;
    assert_eq!((read.status, &read.json["status"]), (200, &json!("INITIATING")));
    assert_eq!(client.get(&service_of(Azure, &id)).await.json["privateEndpoints"], json!([ID]));
    let again = client.post(&endpoint_of(Azure, &id, ""), &endpoint(ID)).await;
    assert_eq!((again.status, again.code()), (409, "PRIVATELINK_INTERFACE_ENDPOINT_ALREADY_EXISTS"));
    // A path that is not encoded has more segments than any resource.
    let bare = client.get(&format!("{}/endpoint{ID}", service_of(Azure, &id))).await;
    assert_eq!((bare.status, bare.code()), (404, "RESOURCE_NOT_FOUND"));
    let missing = client.get(&endpoint_of(Azure, &id, OTHER_ID)).await;
    assert_eq!((missing.status, missing.code()), (404, "PRIVATELINK_INTERFACE_ENDPOINT_NOT_FOUND"));
    assert_eq!(client.get(&endpoint_of(Azure, &id, "vpce-0a1b")).await.code(), "PATH_PARAM_PARSE_ERROR");
    let named: Vec<_> = atlas.journal().into_iter().filter_map(|entry| entry.endpoint).collect();
    assert!(named.iter().any(|one| one == ID), "{named:?}");
    assert_eq!(client.delete(&service_of(Azure, &id)).await.status, 409);
    let deleted = client.delete(&at).await;
    assert_eq!((deleted.status, deleted.text.as_str()), (202, "{}"));
    let leaving = client.get(&at).await.json;
    assert_eq!((&leaving["status"], &leaving["deleteRequested"]), (&json!("DELETING"), &json!(true)));
}

#[tokio::test]
async fn an_endpoint_of_azure_lives_from_initiating_to_its_end() {
    let (atlas, client, id, service_name) = with_azure(SOON, |_| {}).await;
    atlas.make_private_endpoint(ID, &service_name);
    assert_eq!(client.post(&endpoint_of(Azure, &id, ""), &endpoint(ID)).await.status, 201);
    endpoint_is(&atlas, &id, ID, Some("AVAILABLE")).await;
    let ready = client.get(&endpoint_of(Azure, &id, ID)).await.json;
    assert!(ready["privateEndpointConnectionName"].as_str().unwrap().starts_with("orders."), "{ready}");
    let got = client.get(&cluster()).await.json;
    let shown = &got["connectionStrings"]["privateEndpoint"];
    let behind = json!([{"endpointId": ID, "providerName": "AZURE", "region": "EUROPE_WEST"}]);
    assert_eq!(shown[0]["endpoints"], behind);
    assert_eq!(shown[0]["srvConnectionString"], "mongodb+srv://shop-pl-0.32b6e.mongodb.net");
    assert_eq!(got["connectionStrings"].get("awsPrivateLink"), None);
    assert_eq!(client.delete(&endpoint_of(Azure, &id, ID)).await.status, 202);
    endpoint_is(&atlas, &id, ID, None).await;
    service_is(&atlas, &id, None).await;
    let life = atlas.service_course(&id).unwrap();
    let phases = life.endpoints[0].endpoint.points.iter().filter_map(|point| point.state.clone());
    let phases: Vec<Value> = phases.map(|state| json!(state.status)).collect();
    assert_eq!(phases, ["INITIATING", "AVAILABLE", "DELETING"]);
}

#[tokio::test]
async fn an_endpoint_of_azure_needs_an_id_and_an_address() {
    let (atlas, client, id, _) = with_azure(DedicatedPace::of(HOUR), |_| {}).await;
    let body = |id: Value, address: Value| json!({"id": id, "privateEndpointIPAddress": address}).to_string();
    for (body, code) in [
        (json!({"id": ID}).to_string(), "MISSING_ATTRIBUTE"),
        (json!({"privateEndpointIPAddress": "10.0.0.4"}).to_string(), "MISSING_ATTRIBUTE"),
        (body(json!(ID), json!(null)), "MISSING_ATTRIBUTE"),
        (body(json!(ID), json!("10.0.0")), "INVALID_ATTRIBUTE"),
        (body(json!(ID), json!("")), "INVALID_ATTRIBUTE"),
        (body(json!("vpce-0a1b"), json!("10.0.0.4")), "INVALID_ATTRIBUTE"),
        (body(json!(&ID[1..]), json!("10.0.0.4")), "INVALID_ATTRIBUTE"),
        (json!({"id": ID, "privateEndpointIPAddress": "10.0.0.4", "x": 1}).to_string(), "INVALID_ATTRIBUTE"),
    ] {
        let got = client.post(&endpoint_of(Azure, &id, ""), &body).await;
        assert_eq!((got.status, got.code()), (400, code), "{body}");
    }
    assert!(atlas.registered_endpoints(&id).is_empty());
}

#[tokio::test]
async fn a_private_endpoint_that_is_unknown_or_deleted_fails_for_good() {
    let (atlas, client, id, service_name) = with_azure(SOON, |_| {}).await;
    assert_eq!(client.post(&endpoint_of(Azure, &id, ""), &endpoint(ID)).await.status, 201);
    endpoint_is(&atlas, &id, ID, Some("FAILED")).await;
    let failed = client.get(&endpoint_of(Azure, &id, ID)).await.json;
    assert_eq!(failed["errorMessage"], format!("Private endpoint {ID} was not found."));
    assert_eq!(failed["privateEndpointConnectionName"], json!(null));
    atlas.make_private_endpoint(OTHER_ID, &service_name);
    assert_eq!(client.post(&endpoint_of(Azure, &id, ""), &endpoint(OTHER_ID)).await.status, 201);
    endpoint_is(&atlas, &id, OTHER_ID, Some("AVAILABLE")).await;
    assert!(atlas.delete_cloud_endpoint(OTHER_ID));
    endpoint_is(&atlas, &id, OTHER_ID, Some("FAILED")).await;
    atlas.make_private_endpoint(ID, &service_name);
    endpoint_is(&atlas, &id, ID, Some("FAILED")).await;
    assert_eq!(client.post(&endpoint_of(Azure, &id, ""), &endpoint(ID)).await.status, 409);
    atlas.configure(|settings| settings.dedicated.variants.azure.failed_heals = true);
    endpoint_is(&atlas, &id, ID, Some("AVAILABLE")).await;
}
