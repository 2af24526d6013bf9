//! Others in the same Atlas: an endpoint that no object names is nobody's business, whatever is done beside it.

use std::time::Duration;

use atlas_simulator::{AtlasService, DEFAULT_PROJECT, EndpointPhase, Operation, OthersAction, OthersRhythm};
use serde_json::{Value, json};
use test_support::dedicated::{
    DedicatedFixture, FOREIGN_VPC_ENDPOINT, REGION, assert_condition_of, is_condition, message_of,
};

use super::{NEXT_VPC, VPC};

#[tokio::test]
async fn an_endpoint_registered_by_hand_survives_everything() {
    let fixture = DedicatedFixture::new().await;
    let operator = fixture.operator();
    fixture.apply_service("main", json!({})).await;
    fixture.make_vpc_endpoint("main", VPC).await;
    fixture.others(OthersAction::RegisterEndpoint(FOREIGN_VPC_ENDPOINT.to_owned()));
    fixture.apply_endpoint("orders", "main", VPC, json!({})).await;
    fixture.endpoints.until_ready("orders", "True", "Available").await;
    let both = |object: &Value| object["status"]["endpointIds"].as_array().is_some_and(|ids| ids.len() == 2);
    fixture.services.reconcile("main", "now").await;
    fixture.services.until("main", "aware of both", both).await;
    fixture.make_vpc_endpoint("main", NEXT_VPC).await;
    fixture.endpoints.edit("orders", json!({"aws": {"id": NEXT_VPC}})).await;
    // A status that is wiped before would forget the former endpoint.
    let is_replaced =
        |fixture: &DedicatedFixture| fixture.atlas_endpoints().iter().all(|endpoint| endpoint.id != VPC);
    fixture.until_atlas("the former endpoint's end", is_replaced).await;
    fixture.endpoints.until_ready("orders", "True", "Available").await;
    fixture.endpoints.wipe_status("orders").await;
    fixture.services.wipe_status("main").await;
    fixture.services.reconcile_until_ready("main", "True", "Available").await;
    // An object that is deleted before it has found its endpoint again leaves it.
    fixture.endpoints.until_ready("orders", "True", "Available").await;
    drop(operator);
    let _operator = fixture.operator();
    fixture.endpoints.edit("orders", json!({"deletionPolicy": "Delete"})).await;
    fixture.services.edit("main", json!({"deletionPolicy": "Delete"})).await;
    fixture.endpoints.delete_and_wait("orders").await;
    fixture.services.delete("main").await;
    let attached = |object: &Value| is_condition(object, "Ready", "False", "EndpointsAttached");
    let waiting = fixture.services.until("main", "held by others", attached).await;
    let message = message_of(&waiting, "Ready");
    assert!(message.contains(FOREIGN_VPC_ENDPOINT) && message.contains("Retain"), "{waiting:#}");
    let deletions = fixture.requests(Operation::DeleteEndpoint);
    assert!(deletions.iter().all(|entry| !entry.path.contains(FOREIGN_VPC_ENDPOINT)), "{deletions:#?}");
    let left = fixture.atlas_endpoints();
    assert_eq!((left.len(), &left[0].status), (1, &EndpointPhase::Available));
    fixture.services.edit("main", json!({"deletionPolicy": "Retain"})).await;
    fixture.services.until_gone("main").await;
    assert_eq!(fixture.atlas_endpoints()[0].id, FOREIGN_VPC_ENDPOINT);
}

#[tokio::test]
async fn a_service_held_by_others_goes_when_they_leave() {
    let fixture = DedicatedFixture::new().await;
    let _operator = fixture.operator();
    fixture.apply_service("main", json!({})).await;
    fixture.services.until_ready("main", "True", "Available").await;
    fixture.others(OthersAction::RegisterEndpoint(FOREIGN_VPC_ENDPOINT.to_owned()));
    fixture.services.edit("main", json!({"interval": "30s"})).await;
    fixture.services.delete("main").await;
    let attached = |object: &Value| is_condition(object, "Ready", "False", "EndpointsAttached");
    fixture.services.until("main", "held by others", attached).await;
    fixture.others(OthersAction::DeleteEndpoint(FOREIGN_VPC_ENDPOINT.to_owned()));
    fixture.services.until_gone("main").await;
    assert!(fixture.atlas_services().is_empty());
}

#[tokio::test]
async fn others_that_come_and_go_do_not_disturb_an_endpoint() {
    let fixture = DedicatedFixture::new().await;
    let _operator = fixture.operator();
    fixture.apply_both("main", "orders", VPC).await;
    let writes = fixture.atlas_writes();
    let rhythm = Duration::from_millis(400);
    fixture.base.atlas.set_others(OthersRhythm { every: rhythm, stays: rhythm, same_id: false });
    for round in 0..20 {
        fixture.services.reconcile("main", &format!("{round}")).await;
        let endpoint = fixture.endpoints.reconcile("orders", &format!("{round}")).await;
        assert_condition_of(&endpoint, "Ready", "True", "Available");
    }
    assert_eq!(fixture.atlas_writes(), writes);
    let life = fixture.base.atlas.service_course(&fixture.atlas_service().id).unwrap();
    assert!(life.endpoints.iter().any(|one| one.by_rhythm), "nobody came: {life:#?}");
}

#[tokio::test]
async fn a_service_made_by_others_is_adopted_and_kept() {
    let fixture = DedicatedFixture::new().await;
    let id = fixture.base.atlas.insert_service(DEFAULT_PROJECT, AtlasService::available(REGION));
    let _operator = fixture.operator();
    fixture.apply_service("main", json!({})).await;
    let adopted = fixture.services.until_ready("main", "True", "Available").await;
    assert_eq!(
        (&adopted["status"]["serviceId"], &adopted["status"]["provenance"]),
        (&json!(id), &json!("Adopted"))
    );
    fixture.services.delete_and_wait("main").await;
    assert_eq!((fixture.atlas_service().id, fixture.atlas_writes()), (id, 0));
}

#[tokio::test]
async fn adoption_is_refused_or_demanded_as_the_spec_says() {
    let fixture = DedicatedFixture::new().await;
    let _operator = fixture.operator();
    fixture.apply_service("main", json!({"adopt": "Only"})).await;
    fixture.services.until_ready("main", "False", "ServiceNotFound").await;
    assert!(fixture.requests(Operation::CreateService).is_empty());
    let id = fixture.others(OthersAction::CreateService);
    fixture.services.edit("main", json!({"adopt": "Never"})).await;
    let refused = fixture.services.reconcile_until_ready("main", "False", "ServiceExists").await;
    assert_condition_of(&refused, "Stalled", "True", "ServiceExists");
    fixture.services.edit("main", json!({"adopt": "IfExists"})).await;
    let adopted = fixture.services.until_ready("main", "True", "Available").await;
    assert_eq!(adopted["status"]["serviceId"], id);
    fixture.others(OthersAction::RegisterEndpoint(VPC.to_owned()));
    fixture.apply_endpoint("orders", "main", VPC, json!({"adopt": "Never"})).await;
    fixture.endpoints.until_ready("orders", "False", "EndpointExists").await;
    fixture.endpoints.edit("orders", json!({"adopt": "Only"})).await;
    fixture.endpoints.until_ready("orders", "True", "Available").await;
    fixture.apply_endpoint("absent", "main", NEXT_VPC, json!({"adopt": "Only"})).await;
    fixture.endpoints.until_ready("absent", "False", "EndpointNotFound").await;
    assert_eq!(fixture.atlas_writes(), 0);
}
