//! `aws.supportedRemoteRegions` on a real API server: changes are sent, and refusals are reported. A contest with others is in the tables
//! of `tests/health`.

use atlas_simulator::{AtlasService, DEFAULT_PROJECT, Operation};
use serde_json::{Value, json};
use test_support::dedicated::{DedicatedFixture, REGION, assert_condition_of, message_of};

use super::VPC;

fn remote(regions: &[&str]) -> Value {
    json!({"aws": {"supportedRemoteRegions": regions}})
}

/// The service of most tests, whatever others there are.
fn service(fixture: &DedicatedFixture) -> AtlasService {
    fixture.atlas_services().into_iter().find(|service| service.region_name == REGION).unwrap()
}

fn regions(fixture: &DedicatedFixture) -> Vec<String> {
    service(fixture).remote_regions().to_vec()
}

/// Others set the remote regions of the service.
fn change_by_hand(fixture: &DedicatedFixture, remote: &[&str]) {
    let remote = remote.iter().map(|&region| region.to_owned()).collect();
    let id = service(fixture).id;
    assert!(fixture.base.atlas.edit_service(&id, |service| service.set_remote_regions(remote)));
}

#[tokio::test]
async fn a_change_is_sent_once_and_an_empty_list_clears_the_regions() {
    let fixture = DedicatedFixture::new().await;
    let _operator = fixture.operator();
    fixture.apply_both("main", "orders", VPC).await;
    fixture.services.edit("main", remote(&["EU_WEST_2", "EU_WEST_1"])).await;
    let ready = fixture.services.until_ready("main", "True", "Available").await;
    assert_eq!(ready["status"]["supportedRemoteRegions"], json!(["EU_WEST_1", "EU_WEST_2"]));
    let note = fixture.services.until_event("main", "ServiceUpdated").await;
    assert!(note.contains("[EU_WEST_1, EU_WEST_2]"), "{note}");
    // Another order is no change.
    change_by_hand(&fixture, &["EU_WEST_2", "EU_WEST_1"]);
    fixture.services.reconcile("main", "now").await;
    assert_eq!(fixture.executed(Operation::UpdateService), 1);
    fixture.services.edit("main", remote(&[])).await;
    fixture.services.until_ready("main", "True", "Available").await;
    assert_eq!((regions(&fixture), fixture.executed(Operation::UpdateService)), (Vec::<String>::new(), 2));
    // Absent: not managed.
    fixture.services.edit("main", json!({"aws": null})).await;
    change_by_hand(&fixture, &["EU_WEST_3"]);
    for round in 0..3 {
        let ready = fixture.services.reconcile("main", &format!("round {round}")).await;
        assert_condition_of(&ready, "Ready", "True", "Available");
        let connected = fixture.endpoints.get("orders").await;
        assert_condition_of(&connected, "Ready", "True", "Available");
    }
    assert_eq!(fixture.executed(Operation::UpdateService), 2);
}

#[tokio::test]
async fn regions_that_atlas_refuses_are_reported_with_its_code_and_heal() {
    let fixture = DedicatedFixture::new().await;
    let _operator = fixture.operator();
    fixture.apply_service("main", json!({})).await;
    fixture.services.until_ready("main", "True", "Available").await;
    for (refused, code) in
        [(REGION, "CROSS_REGION_PRIVATE_LINK_SELF_REGION"), ("NO_SUCH_REGION_7", "INVALID_ATTRIBUTE")]
    {
        fixture.services.edit("main", remote(&[refused])).await;
        let object = fixture.services.until_ready("main", "False", "AtlasRefused").await;
        assert!(message_of(&object, "Ready").contains(code), "{object:#}");
        assert_condition_of(&object, "ServiceAvailable", "True", "Available");
        fixture.services.edit("main", remote(&[])).await;
        fixture.services.until_ready("main", "True", "Available").await;
    }
    // What the service offers did not change.
    fixture.make_vpc_endpoint("main", VPC).await;
    fixture.apply_endpoint("orders", "main", VPC, json!({})).await;
    fixture.endpoints.until_ready("orders", "True", "Available").await;
}

#[tokio::test]
async fn an_object_that_observes_leaves_the_regions() {
    let fixture = DedicatedFixture::new().await;
    let _operator = fixture.operator();
    fixture.base.atlas.insert_service(DEFAULT_PROJECT, AtlasService::available(REGION));
    let observed = json!({"managementPolicy": "Observe", "aws": {"supportedRemoteRegions": ["EU_WEST_2"]}});
    fixture.apply_service("main", observed).await;
    let ready = fixture.services.until_ready("main", "True", "Available").await;
    assert!(message_of(&ready, "Ready").contains("[EU_WEST_2]"), "{ready:#}");
    assert_eq!(fixture.atlas_writes(), 0);
}
