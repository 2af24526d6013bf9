//! No writes without changes; lost statuses, forced finalizers and restarts: what exists is found by its key.

use atlas_simulator::{LastEndpoint, Operation};
use kube::Api;
use kube::api::DynamicObject;
use serde_json::{Value, json};
use test_support::dedicated::{DedicatedFixture, KindApi, assert_condition_of, is_condition, message_of};
use testbed::Exchange;

use super::{NEXT_VPC, VPC};

/// The object without what a forced reconcile changes.
fn essence(mut object: Value) -> Value {
    let status = object["status"].as_object_mut().unwrap();
    status.remove("lastHandledReconcileAt");
    json!([object["spec"], object["status"], object["metadata"]["finalizers"]])
}

#[tokio::test]
async fn twenty_forced_polls_write_nothing_but_their_acknowledgement() {
    let fixture = DedicatedFixture::new().await;
    let proxies = fixture.base.proxies().await;
    let _operator = fixture.base.operator_behind(&proxies);
    fixture.apply_both("main", "orders", VPC).await;
    proxies.settled_effects().await;
    let (writes, before) = (fixture.atlas_writes(), proxies.recording.effects().len());
    for (objects, name) in [(&fixture.services, "main"), (&fixture.endpoints, "orders")] {
        let earlier = essence(objects.get(name).await);
        for round in 0..20 {
            objects.reconcile(name, &format!("{round}")).await;
        }
        assert_eq!(essence(objects.get(name).await), earlier, "{name}");
    }
    proxies.settled_effects().await;
    let effects: Vec<Exchange> = proxies.recording.effects().into_iter().skip(before).collect();
    let is_status = |exchange: &&Exchange| exchange.path.contains("/status");
    assert_eq!(effects.iter().filter(is_status).count(), effects.len(), "{}", proxies.recording.listing());
    assert!(effects.len() <= 40, "one for each word: {}", proxies.recording.listing());
    assert_eq!(fixture.atlas_writes(), writes);
}

#[tokio::test]
async fn objects_that_nobody_touches_are_not_written() {
    let fixture = DedicatedFixture::new().await;
    let _operator = fixture.base.operator_with(&["--poll-min=50ms", "--poll-max=100ms"]);
    fixture.apply_both("main", "orders", VPC).await;
    let lists = || fixture.requests(Operation::ListServices).len();
    // A second object, which is polled all the time, keeps the listings of the project coming.
    fixture.apply_endpoint("unknown", "main", NEXT_VPC, json!({})).await;
    fixture.endpoints.until_ready("unknown", "False", "Rejected").await;
    let after_its_id =
        |object: &Value| object["status"]["endpointIds"].as_array().is_some_and(|ids| ids.len() == 2);
    fixture.services.until("main", "aware of both", after_its_id).await;
    let versions = (fixture.services.version("main").await, fixture.endpoints.version("orders").await);
    let before = fixture.requests(Operation::GetEndpoint).len() + lists();
    fixture
        .until_atlas("twenty polls", |fixture| {
            let gets = fixture.requests(Operation::GetEndpoint).len();
            gets + fixture.requests(Operation::ListServices).len() >= before + 20
        })
        .await;
    let now = (fixture.services.version("main").await, fixture.endpoints.version("orders").await);
    assert_eq!(now, versions);
}

/// Wipes a status, and waits until it is filled again. What is found may be what the claim on the object was for.
async fn found_after_a_wipe(objects: &KindApi, name: &str) -> Value {
    objects.wipe_status(name).await;
    let object = objects.reconcile_until_ready(name, "True", "Available").await;
    assert_eq!(object["status"]["provenance"], "Unproven", "{object:#}");
    object
}

#[tokio::test]
async fn wiped_statuses_are_filled_again_and_prove_nothing_any_more() {
    let fixture = DedicatedFixture::new().await;
    let _operator = fixture.operator();
    let (service, endpoint) = fixture.apply_both("main", "orders", VPC).await;
    let writes = fixture.atlas_writes();
    let after = found_after_a_wipe(&fixture.services, "main").await;
    for field in ["serviceId", "endpointServiceName", "regionName"] {
        assert_eq!(after["status"][field], service["status"][field], "{field}");
    }
    let after = found_after_a_wipe(&fixture.endpoints, "orders").await;
    assert_eq!(after["status"]["connectionStrings"], endpoint["status"]["connectionStrings"]);
    assert_eq!(fixture.atlas_writes(), writes);
    // The endpoint has the id that the manifest names. A service may be used by others, so it stays, unless the user says otherwise.
    fixture
        .base
        .atlas
        .configure(|settings| settings.dedicated.variants.last_endpoint = LastEndpoint::LeavesService);
    fixture.endpoints.delete_and_wait("orders").await;
    assert!(fixture.atlas_endpoints().is_empty());
    fixture.services.delete_and_wait("main").await;
    assert!(fixture.services.until_event("main", "ServiceRetained").await.contains("Unproven"));
    assert_eq!(fixture.atlas_services().len(), 1);
}

#[tokio::test]
async fn empty_values_that_others_stored_stop_neither_a_replacement_nor_a_deletion() {
    let fixture = DedicatedFixture::new().await;
    let _operator = fixture.operator();
    fixture.apply_both("main", "orders", VPC).await;
    fixture.endpoints.edit_status("orders", json!({"superseded": []})).await;
    fixture.make_vpc_endpoint("main", NEXT_VPC).await;
    fixture.endpoints.edit("orders", json!({"aws": {"id": NEXT_VPC}})).await;
    let replaced = |object: &Value| {
        object["status"]["endpointId"] == NEXT_VPC && is_condition(object, "Ready", "True", "Available")
    };
    fixture.endpoints.until("orders", "replaced", replaced).await;
    fixture.until_atlas("the end of the former one", |fixture| fixture.atlas_endpoints().len() == 1).await;
    let recorded = |object: &Value| object["status"]["superseded"].as_array().is_none_or(Vec::is_empty);
    fixture.endpoints.until("orders", "rid of the former one", recorded).await;
    for empty in [json!([]), json!([{"serviceId": "", "endpointId": ""}])] {
        fixture.endpoints.edit_status("orders", json!({"superseded": empty})).await;
    }
    fixture.endpoints.delete_and_wait("orders").await;
    assert_eq!(fixture.executed(Operation::DeleteEndpoint), 2);
}

#[tokio::test]
async fn either_spelling_of_the_region_finds_the_service_after_a_wipe() {
    for spelling in ["us-east-1", "US_EAST_1"] {
        let fixture = DedicatedFixture::new().await;
        let _operator = fixture.operator();
        fixture.apply_service("main", json!({ "region": spelling })).await;
        fixture.services.until_ready("main", "True", "Available").await;
        let id = fixture.atlas_service().id;
        fixture.services.wipe_status("main").await;
        let found = fixture.services.reconcile_until_ready("main", "True", "Available").await;
        assert_eq!(
            (&found["status"]["serviceId"], &found["status"]["regionName"]),
            (&json!(id), &json!("US_EAST_1"))
        );
        assert_eq!(fixture.executed(Operation::CreateService), 1, "{spelling}");
    }
}

#[tokio::test]
async fn adopted_things_are_deleted_if_the_user_says_delete() {
    let fixture = DedicatedFixture::new().await;
    let _operator = fixture.operator();
    fixture.apply_both("main", "orders", VPC).await;
    for (objects, name) in [(&fixture.services, "main"), (&fixture.endpoints, "orders")] {
        objects.edit(name, json!({"deletionPolicy": "Delete"})).await;
        objects.wipe_status(name).await;
        objects.reconcile_until_ready(name, "True", "Available").await;
    }
    fixture.endpoints.delete_and_wait("orders").await;
    fixture.services.delete_and_wait("main").await;
    fixture.until_atlas("the service's end", |fixture| fixture.atlas_services().is_empty()).await;
}

#[tokio::test]
async fn a_service_object_deleted_by_force_and_restored_finds_its_service() {
    let fixture = DedicatedFixture::new().await;
    let _operator = fixture.operator();
    let (service, _) = fixture.apply_both("main", "orders", VPC).await;
    fixture.services.delete("main").await;
    fixture.services.until("main", "in use", |object| is_condition(object, "Ready", "False", "InUse")).await;
    fixture.services.force_finalizers_off("main").await;
    fixture.services.until_gone("main").await;
    let left = fixture.endpoints.reconcile("orders", "alone").await;
    assert_condition_of(&left, "EndpointConnected", "True", "Available");
    fixture.apply_service("main", json!({})).await;
    let restored = fixture.services.until_ready("main", "True", "Available").await;
    assert_eq!(restored["status"]["serviceId"], service["status"]["serviceId"]);
    assert_ne!(restored["status"]["provenance"], "Created");
    fixture.endpoints.until_ready("orders", "True", "Available").await;
    assert_eq!((fixture.atlas_writes(), fixture.atlas_endpoints().len()), (2, 1));
}

#[tokio::test]
async fn objects_deleted_and_restored_while_no_operator_runs_find_what_they_had() {
    let fixture = DedicatedFixture::new().await;
    let operator = fixture.operator();
    let (service, _) = fixture.apply_both("main", "orders", VPC).await;
    drop(operator);
    for (objects, name) in [(&fixture.endpoints, "orders"), (&fixture.services, "main")] {
        objects.delete(name).await;
        objects.force_finalizers_off(name).await;
        objects.until_gone(name).await;
    }
    fixture.apply_service("main", json!({})).await;
    fixture.apply_endpoint("orders", "main", VPC, json!({})).await;
    let _operator = fixture.operator();
    fixture.endpoints.until_ready("orders", "True", "Available").await;
    let restored = fixture.services.until_ready("main", "True", "Available").await;
    assert_eq!(restored["status"]["serviceId"], service["status"]["serviceId"]);
    assert_eq!(restored["status"]["provenance"], "Adopted");
    assert_eq!(fixture.atlas_writes(), 2);
}

#[tokio::test]
async fn a_copied_status_makes_nothing_ones_own() {
    let fixture = DedicatedFixture::new().await;
    let (services, _) = fixture.another_namespace().await;
    let _operator = fixture.operator_of(&services);
    let (service, _) = fixture.apply_both("main", "orders", VPC).await;
    services.apply_service("copy", json!({"suspend": true})).await;
    let client = fixture.base.control_plane.client().await.unwrap();
    let resource = testbed::kinds::kind(
        "atlas.spe-operator.io/v1alpha1",
        "PrivateEndpointService",
        "privateendpointservices",
    );
    let objects: Api<DynamicObject> = Api::namespaced_with(client, services.namespace(), &resource);
    let status = kube::api::Patch::Merge(json!({"status": service["status"]}));
    objects.patch_status("copy", &kube::api::PatchParams::default(), &status).await.unwrap();
    services.delete_and_wait("copy").await;
    assert!(fixture.requests(Operation::DeleteService).is_empty());
    fixture.services.reconcile_until_ready("main", "True", "Available").await;
}

/// Applies both objects, and removes that of the service by force.
async fn without_its_service_object(fixture: &DedicatedFixture) {
    fixture.apply_both("main", "orders", VPC).await;
    fixture.services.delete("main").await;
    fixture.services.until("main", "in use", |object| is_condition(object, "Ready", "False", "InUse")).await;
    fixture.services.force_finalizers_off("main").await;
    fixture.services.until_gone("main").await;
    let lonely = fixture.endpoints.reconcile_until_ready("orders", "False", "ServiceNotFound").await;
    assert_condition_of(&lonely, "EndpointConnected", "True", "Available");
    assert_eq!(fixture.atlas_endpoints().len(), 1, "it serves on");
}

#[tokio::test]
async fn an_endpoint_without_its_service_object_is_deleted_by_what_it_recorded() {
    let fixture = DedicatedFixture::new().await;
    let _operator = fixture.operator();
    without_its_service_object(&fixture).await;
    fixture.endpoints.delete_and_wait("orders").await;
    fixture.endpoints.until_event("orders", "EndpointRemoved").await;
    assert_eq!(fixture.executed(Operation::DeleteEndpoint), 1);
}

#[tokio::test]
async fn a_restart_forgets_the_credentials_of_an_endpoint_without_its_service_object() {
    let fixture = DedicatedFixture::new().await;
    let operator = fixture.operator();
    without_its_service_object(&fixture).await;
    drop(operator);
    let _operator = fixture.operator();
    fixture.endpoints.delete("orders").await;
    let names_a_way_out = |object: &Value| message_of(object, "Ready").contains("Retain");
    let stuck = fixture.endpoints.until("orders", "told of a way out", names_a_way_out).await;
    assert!(message_of(&stuck, "Ready").contains("credentials of the endpoint service"), "{stuck:#}");
    fixture.endpoints.edit("orders", json!({"deletionPolicy": "Retain"})).await;
    fixture.endpoints.until_gone("orders").await;
    assert_eq!((fixture.executed(Operation::DeleteEndpoint), fixture.atlas_endpoints().len()), (0, 1));
}
