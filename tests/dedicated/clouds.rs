//! Azure and Google Cloud: from two manifests to private connection strings, replacement and deletion; what does not fit its service;
//! and services of Google Cloud without port mapping, which are only observed.

use atlas_simulator::{
    AtlasService, CloudProvider, DEFAULT_PROJECT, Operation, OthersAction, PortMappedKey, ServicePlace,
};
use serde_json::{Value, json};
use test_support::dedicated::{
    CLUSTER, DedicatedFixture, assert_condition_of, condition_of, is_condition, message_of,
};

use super::VPC;
use super::rivals::a_second_later;

const ID: &str =
    "/subscriptions/4e133d35/resourceGroups/Shop/providers/Microsoft.Network/privateEndpoints/orders";
const NEXT_ID: &str =
    "/subscriptions/4e133d35/resourceGroups/Shop/providers/Microsoft.Network/privateEndpoints/orders-2";

/// The user's project of Google Cloud.
const USERS: &str = "users-project";

fn azure_service() -> Value {
    json!({"provider": "AZURE", "region": "EUROPE_WEST"})
}

fn port_mapped_service() -> Value {
    json!({"provider": "GCP", "region": "US_EAST_4", "gcp": {"portMapping": true}})
}

fn azure(id: &str) -> Value {
    json!({"azure": {"id": id, "ipAddress": "10.0.0.4"}})
}

fn group(name: &str, rules: &[&str]) -> Value {
    let rule = |rule: &&str| json!({"name": rule, "ipAddress": "10.0.0.4"});
    let rules: Vec<Value> = rules.iter().map(rule).collect();
    json!({"gcp": {"groupName": name, "projectId": USERS, "endpoints": rules}})
}

/// Applies an endpoint at the service object `main`, with these fields besides.
async fn apply_endpoint(fixture: &DedicatedFixture, name: &str, fields: &[Value]) {
    let mut spec = json!({"serviceRef": {"name": "main"}});
    for (field, value) in fields.iter().flat_map(|fields| fields.as_object().unwrap()) {
        spec[field] = value.clone();
    }
    fixture.endpoints.apply(name, spec).await;
}

/// Applies the service object `main`, and returns what its status says that endpoints are made for.
async fn apply_service(fixture: &DedicatedFixture, fields: Value) -> String {
    fixture.apply_service("main", fields).await;
    let ready = fixture.services.until_ready("main", "True", "Available").await;
    let target = fixture.atlas_service().service_name().unwrap();
    for kind in ["Ready", "ServiceAvailable"] {
        assert!(message_of(&ready, kind).contains(&target), "{ready:#}");
    }
    let status = &ready["status"];
    let shown = [&status["privateLinkServiceResourceId"], &status["serviceAttachmentNames"][0]];
    assert!(shown.contains(&&json!(target)), "{status:#}");
    target
}

/// The ids of the endpoints that Atlas has.
fn registered(fixture: &DedicatedFixture) -> Vec<String> {
    fixture.atlas_endpoints().into_iter().map(|endpoint| endpoint.id).collect()
}

/// The endpoint is connected, replaced by another one, and deleted with its service.
async fn lives(fixture: &DedicatedFixture, first: (&str, Value), next: (&str, Value)) {
    apply_endpoint(fixture, "orders", &[first.1, json!({"clusters": [CLUSTER]})]).await;
    let ready = fixture.endpoints.until_ready("orders", "True", "Available").await;
    assert_eq!(ready["status"]["endpointId"], first.0);
    assert_eq!(ready["status"]["provenance"], "Created");
    let strings = &ready["status"]["connectionStrings"];
    assert_eq!((&strings[0]["cluster"], strings.as_array().unwrap().len()), (&json!(CLUSTER), 1));
    assert!(strings[0]["srv"].as_str().unwrap().starts_with("mongodb+srv://orders-"), "{strings}");
    assert_eq!(registered(fixture), [first.0]);
    fixture.endpoints.edit("orders", next.1).await;
    let is_replaced = |object: &Value| {
        is_condition(object, "Ready", "True", "Available")
            && object["status"]["endpointId"] == next.0
            && object["status"]["superseded"].is_null()
    };
    fixture.endpoints.until("orders", "replaced", is_replaced).await;
    assert_eq!(fixture.executed(Operation::DeleteEndpoint), 1);
    tokio::join!(fixture.services.delete("main"), fixture.endpoints.delete("orders"));
    tokio::join!(fixture.services.until_gone("main"), fixture.endpoints.until_gone("orders"));
    fixture.until_atlas("the service's end", |fixture| fixture.atlas_services().is_empty()).await;
    assert_eq!(fixture.executed(Operation::CreateEndpoint), 2);
}

#[tokio::test]
async fn a_private_endpoint_of_azure_lives_from_its_manifest_to_its_end() {
    let fixture = DedicatedFixture::new().await;
    let _operator = fixture.operator();
    let service = apply_service(&fixture, azure_service()).await;
    fixture.base.atlas.make_private_endpoint(ID, &service);
    fixture.base.atlas.make_private_endpoint(NEXT_ID, &service);
    lives(&fixture, (ID, azure(ID)), (NEXT_ID, azure(NEXT_ID))).await;
}

#[tokio::test]
async fn a_port_mapped_group_lives_from_its_manifest_to_its_end() {
    for key in [PortMappedKey::GroupName, PortMappedKey::EndpointName] {
        let fixture = DedicatedFixture::new().await;
        fixture.base.atlas.configure(|settings| settings.dedicated.variants.gcp.port_mapped_key = key);
        let _operator = fixture.operator();
        let attachment = apply_service(&fixture, port_mapped_service()).await;
        for name in ["orders", "orders-2"] {
            fixture.base.atlas.make_forwarding_rule(USERS, name, &attachment);
        }
        let next = ("orders-2", group("orders-2", &["orders-2"]));
        lives(&fixture, ("orders", group("orders", &["orders"])), next).await;
    }
}

#[tokio::test]
async fn another_spelling_of_a_resource_id_changes_nothing() {
    let fixture = DedicatedFixture::new().await;
    let operator = fixture.operator();
    let service = apply_service(&fixture, azure_service()).await;
    fixture.base.atlas.make_private_endpoint(ID, &service);
    apply_endpoint(&fixture, "orders", &[azure(ID)]).await;
    fixture.endpoints.until_ready("orders", "True", "Available").await;
    let writes = fixture.atlas_writes();
    fixture.endpoints.edit("orders", azure(&ID.to_lowercase())).await;
    fixture.endpoints.until_ready("orders", "True", "Available").await;
    // Another object with the other spelling names the same endpoint.
    a_second_later().await;
    apply_endpoint(&fixture, "rival", &[azure(ID)]).await;
    fixture.endpoints.until_ready("rival", "False", "Conflict").await;
    fixture.endpoints.delete_and_wait("rival").await;
    // A status without its record finds it again.
    drop(operator);
    fixture.endpoints.wipe_status("orders").await;
    let _operator = fixture.operator();
    let found = fixture.endpoints.until_ready("orders", "True", "Available").await;
    assert_eq!(found["status"]["endpointId"], ID, "as Atlas spells it");
    assert_eq!((fixture.atlas_writes(), registered(&fixture)), (writes, vec![ID.to_owned()]));
    fixture.endpoints.edit("orders", json!({"deletionPolicy": "Delete"})).await;
    fixture.endpoints.delete_and_wait("orders").await;
    assert_eq!(fixture.executed(Operation::DeleteEndpoint), 1);
}

#[tokio::test]
async fn an_endpoint_that_atlas_cannot_connect_is_replaced_by_another_one() {
    let fixture = DedicatedFixture::new().await;
    let _operator = fixture.operator();
    let service = apply_service(&fixture, azure_service()).await;
    apply_endpoint(&fixture, "orders", &[azure(ID)]).await;
    let failed = fixture.endpoints.until_ready("orders", "False", "AtlasFailed").await;
    assert_condition_of(&failed, "Stalled", "True", "AtlasFailed");
    let message = message_of(&failed, "Ready");
    assert!(message.contains("make another private endpoint") && !message.contains("VPC"), "{message}");
    assert_eq!(failed["status"]["status"], "FAILED");
    fixture.base.atlas.make_private_endpoint(NEXT_ID, &service);
    fixture.endpoints.edit("orders", azure(NEXT_ID)).await;
    fixture.endpoints.until_ready("orders", "True", "Available").await;
    let only_next = |fixture: &DedicatedFixture| registered(fixture) == [NEXT_ID];
    fixture.until_atlas("the failed endpoint's end", only_next).await;
}

#[tokio::test]
async fn an_endpoint_of_another_provider_than_its_service_is_never_sent() {
    let fixture = DedicatedFixture::new().await;
    let _operator = fixture.operator();
    apply_service(&fixture, azure_service()).await;
    for (name, endpoint, block) in
        [("aws", json!({"aws": {"id": VPC}}), "`aws`"), ("gcp", group("orders", &["orders"]), "`gcp`")]
    {
        apply_endpoint(&fixture, name, &[endpoint]).await;
        let refused = fixture.endpoints.until_ready(name, "False", "InvalidSpec").await;
        let message = message_of(&refused, "Ready");
        for part in [block, "`azure`", "PrivateEndpointService", "main"] {
            assert!(message.contains(part), "{part} is not in {message}");
        }
        assert_condition_of(&refused, "Stalled", "True", "InvalidSpec");
        fixture.endpoints.delete_and_wait(name).await;
    }
    assert!(fixture.requests(Operation::CreateEndpoint).is_empty());
}

#[tokio::test]
async fn a_port_mapped_service_takes_one_rule_named_as_its_group() {
    let fixture = DedicatedFixture::new().await;
    let _operator = fixture.operator();
    let attachment = apply_service(&fixture, port_mapped_service()).await;
    fixture.base.atlas.make_forwarding_rule(USERS, "orders", &attachment);
    apply_endpoint(&fixture, "orders", &[group("g", &["orders"])]).await;
    let refused = fixture.endpoints.until_ready("orders", "False", "InvalidSpec").await;
    let message = message_of(&refused, "Ready");
    assert!(message.contains("\"g\"") && message.contains("\"orders\""), "{message}");
    fixture.endpoints.edit("orders", group("h", &["h", "orders"])).await;
    let two = |object: &Value| message_of(object, "Ready").contains("2 entries");
    fixture.endpoints.until("orders", "refused for two rules", two).await;
    assert!(fixture.requests(Operation::CreateEndpoint).is_empty());
    fixture.endpoints.edit("orders", group("orders", &["orders"])).await;
    fixture.endpoints.until_ready("orders", "True", "Available").await;
}

#[tokio::test]
async fn a_service_without_port_mapping_is_refused_and_may_be_observed() {
    let fixture = DedicatedFixture::new().await;
    let _operator = fixture.operator();
    let legacy = json!({"provider": "GCP", "region": "US_EAST_4", "gcp": {"portMapping": false}});
    fixture.apply_service("main", legacy).await;
    let refused = fixture.services.until_ready("main", "False", "InvalidSpec").await;
    assert!(message_of(&refused, "Ready").contains("2027-04-30"), "{refused:#}");
    assert!(fixture.requests(Operation::CreateService).is_empty());

    let place = ServicePlace::of(CloudProvider::Gcp, "US_EAST_4");
    fixture.base.atlas.insert_service(DEFAULT_PROJECT, AtlasService::available(place.clone()));
    let registered = OthersAction::RegisterEndpoint("group".to_owned());
    fixture.base.atlas.others(DEFAULT_PROJECT, place, &registered).unwrap();
    fixture.services.edit("main", json!({"managementPolicy": "Observe"})).await;
    let observed = fixture.services.until_ready("main", "True", "Available").await;
    assert_eq!(observed["status"]["endpointIds"], json!(["group"]));
    assert_eq!(observed["status"]["serviceAttachmentNames"].as_array().unwrap().len(), 6);

    apply_endpoint(&fixture, "orders", &[group("group", &["one", "two"])]).await;
    let refused = fixture.endpoints.until_ready("orders", "False", "InvalidSpec").await;
    let message = message_of(&refused, "Ready");
    assert!(message.contains("2027-04-30") && message.contains("Observe"), "{message}");
    fixture.endpoints.edit("orders", json!({"managementPolicy": "Observe"})).await;
    let observed = fixture.endpoints.until_ready("orders", "True", "Available").await;
    assert_eq!(condition_of(&observed, "ServiceReady")["status"], "True");
    fixture.endpoints.delete_and_wait("orders").await;
    fixture.services.delete_and_wait("main").await;
    assert_eq!((fixture.atlas_writes(), fixture.atlas_services().len()), (0, 1));
}
