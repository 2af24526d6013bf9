//! What others delete, and what the last endpoint takes with it: a new service has a new name, and the old VPC endpoint is
//! not sent to it.

use std::time::Duration;

use atlas_simulator::{LastEndpoint, Operation, OthersAction};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::Api;
use kube::api::{Patch, PatchParams, PostParams};
use serde_json::{Value, json};
use test_support::dedicated::{CLUSTER, DedicatedFixture, assert_condition_of, condition_of, message_of};

use super::{NEXT_VPC, VPC};

#[tokio::test]
async fn a_ready_service_deleted_by_others_is_replaced_and_the_old_vpc_endpoint_is_stale() {
    let fixture = DedicatedFixture::new().await;
    let _operator = fixture.operator();
    let (service, _) = fixture.apply_both("main", "orders", VPC).await;
    assert!(fixture.base.atlas.remove_service(&fixture.atlas_service().id));
    fixture.services.reconcile("main", "noticed").await;
    let replaced = fixture
        .services
        .until("main", "replaced", |object| {
            object["status"]["serviceId"].is_string()
                && object["status"]["serviceId"] != service["status"]["serviceId"]
        })
        .await;
    assert_ne!(replaced["status"]["endpointServiceName"], service["status"]["endpointServiceName"]);
    fixture.services.until_ready("main", "True", "Available").await;
    fixture.services.until_event("main", "ServiceLost").await;
    fixture.services.until_event("main", "ServiceReplaced").await;
    let stale = fixture.endpoints.reconcile_until_ready("orders", "False", "VpcEndpointStale").await;
    assert_condition_of(&stale, "Stalled", "True", "VpcEndpointStale");
    assert!(message_of(&stale, "Ready").contains(VPC), "{stale:#}");
    assert!(stale["status"]["connectionStrings"].as_array().is_none_or(Vec::is_empty), "{stale:#}");
    assert_eq!(fixture.requests(Operation::CreateEndpoint).len(), 1, "not sent to the new service");
    fixture.make_vpc_endpoint("main", NEXT_VPC).await;
    fixture.endpoints.edit("orders", json!({"aws": {"id": NEXT_VPC}})).await;
    fixture.endpoints.until_ready("orders", "True", "Available").await;
    assert_eq!(fixture.atlas_endpoints().len(), 1);
}

#[tokio::test]
async fn the_next_id_of_a_reference_is_registered_at_the_new_service() {
    let fixture = DedicatedFixture::new().await;
    let _operator = fixture.operator();
    fixture.apply_service("main", json!({})).await;
    let former = fixture.make_vpc_endpoint("main", VPC).await;
    let client = fixture.base.control_plane.client().await.unwrap();
    let maps: Api<ConfigMap> = Api::namespaced(client, fixture.endpoints.namespace());
    let map = json!({"metadata": {"name": "network"}, "data": {"id": VPC}});
    maps.create(&PostParams::default(), &serde_json::from_value(map).unwrap()).await.unwrap();
    let source = json!({"ref": {"apiVersion": "v1", "kind": "ConfigMap", "name": "network", "key": "id"}});
    let spec = json!({"serviceRef": {"name": "main"}, "aws": source, "clusters": [CLUSTER]});
    fixture.endpoints.apply("orders", spec).await;
    let ready = fixture.endpoints.until_ready("orders", "True", "Available").await;
    assert_eq!(ready["status"]["connectionStrings"][0]["cluster"], CLUSTER);
    assert!(fixture.base.atlas.remove_service(&fixture.atlas_service().id));
    fixture.services.reconcile("main", "noticed").await;
    let message = fixture.services.until_event("main", "ServiceReplaced").await;
    assert!(message.contains("another name") && message.contains("VPC endpoints"), "{message}");
    let replaced = fixture.services.until_ready("main", "True", "Available").await;
    assert_ne!(replaced["status"]["endpointServiceName"], former);
    let stale = fixture.endpoints.reconcile_until_ready("orders", "False", "VpcEndpointStale").await;
    assert!(stale["status"]["connectionStrings"].as_array().is_none_or(Vec::is_empty), "{stale:#}");
    assert_condition_of(&stale, "EndpointConnected", "False", "VpcEndpointStale");
    assert_condition_of(&stale, "ConnectionStringsReady", "False", "VpcEndpointStale");
    assert_condition_of(&stale, "ServiceReady", "True", "Available");
    assert!(fixture.endpoints.until_event("orders", "VpcEndpointStale").await.contains(VPC));
    // However often it looks, the old id is not sent.
    for round in 0..5 {
        fixture.endpoints.reconcile("orders", &format!("{round}")).await;
    }
    assert_eq!(fixture.requests(Operation::CreateEndpoint).len(), 1);
    fixture.make_vpc_endpoint("main", NEXT_VPC).await;
    let patch = Patch::Merge(json!({"data": {"id": NEXT_VPC}}));
    maps.patch("network", &PatchParams::default(), &patch).await.unwrap();
    let healed = fixture.endpoints.until_ready("orders", "True", "Available").await;
    assert_eq!(healed["status"]["endpointId"], NEXT_VPC);
    assert_eq!(healed["status"]["connectionStrings"][0]["cluster"], CLUSTER);
    let forgotten = |object: &Value| object["status"]["superseded"].as_array().is_none_or(Vec::is_empty);
    fixture.endpoints.until("orders", "rid of the dead entry", forgotten).await;
    let registered: Vec<_> = fixture.atlas_endpoints().into_iter().map(|endpoint| endpoint.id).collect();
    assert_eq!(registered, [NEXT_VPC]);
}

#[tokio::test]
async fn an_operator_that_starts_later_does_not_send_a_stale_id_either() {
    let fixture = DedicatedFixture::new().await;
    let operator = fixture.operator();
    fixture.apply_both("main", "orders", VPC).await;
    drop(operator);
    assert!(fixture.base.atlas.remove_service(&fixture.atlas_service().id));
    let _operator = fixture.operator();
    fixture.services.until_event("main", "ServiceReplaced").await;
    fixture.services.until_ready("main", "True", "Available").await;
    fixture.endpoints.reconcile_until_ready("orders", "False", "VpcEndpointStale").await;
    assert_eq!(fixture.requests(Operation::CreateEndpoint).len(), 1);
}

#[tokio::test]
async fn a_service_deleted_by_others_while_the_user_is_awaited_is_replaced() {
    let fixture = DedicatedFixture::new().await;
    let _operator = fixture.operator();
    fixture.apply_service("main", json!({})).await;
    let first = fixture.services.until_ready("main", "True", "Available").await;
    let source = json!({"ref": {"apiVersion": "v1", "kind": "ConfigMap", "name": "network", "key": "id"}});
    fixture.endpoints.apply("orders", json!({"serviceRef": {"name": "main"}, "aws": source})).await;
    fixture.endpoints.until_ready("orders", "False", "ReferenceNotFound").await;
    fixture.others(OthersAction::DeleteService);
    fixture
        .until_atlas("its end", |fixture| {
            fixture
                .base
                .atlas
                .services(atlas_simulator::DEFAULT_PROJECT)
                .iter()
                .all(|service| service.id != first["status"]["serviceId"])
        })
        .await;
    let replaced = |object: &Value| {
        let name = &object["status"]["endpointServiceName"];
        name.is_string() && *name != first["status"]["endpointServiceName"]
    };
    fixture.services.until("main", "replaced unasked", replaced).await;
    fixture.services.until_ready("main", "True", "Available").await;
    assert_eq!(fixture.atlas_services().len(), 1);
}

#[tokio::test]
async fn a_service_whose_deletion_others_began_says_so_until_it_is_replaced() {
    let fixture = DedicatedFixture::new().await;
    let pace = atlas_simulator::DedicatedPace {
        deleting_service: Duration::from_hours(1),
        ..atlas_simulator::DedicatedPace::of(Duration::from_millis(300))
    };
    fixture.base.atlas.set_dedicated_pace(pace);
    let _operator = fixture.operator();
    fixture.apply_service("main", json!({})).await;
    fixture.services.until_ready("main", "True", "Available").await;
    fixture.others(OthersAction::DeleteService);
    fixture.services.reconcile_until_ready("main", "False", "BeingRemoved").await;
    assert_eq!(fixture.requests(Operation::CreateService).len(), 1);
    fixture.base.atlas.set_dedicated_pace(atlas_simulator::DedicatedPace::of(Duration::from_millis(300)));
    fixture.services.until_ready("main", "True", "Available").await;
    assert_eq!(fixture.executed(Operation::CreateService), 2);
}

#[tokio::test]
async fn the_last_endpoint_takes_the_service_and_the_object_gets_a_new_one() {
    let fixture = DedicatedFixture::new().await;
    let _operator = fixture.operator();
    let (service, _) = fixture.apply_both("main", "orders", VPC).await;
    fixture.endpoints.delete_and_wait("orders").await;
    fixture.services.until_event("main", "LastEndpointRemoved").await;
    let uids = fixture.services.event_uids("main", "LastEndpointRemoved").await;
    assert_eq!(uids[0].as_deref(), service["metadata"]["uid"].as_str(), "`kubectl describe` finds it by uid");
    fixture.services.reconcile("main", "noticed").await;
    let replaced = |object: &Value| {
        let id = &object["status"]["serviceId"];
        id.is_string() && *id != service["status"]["serviceId"]
    };
    fixture.services.until("main", "replaced", replaced).await;
    fixture.services.until_ready("main", "True", "Available").await;
    assert_eq!(fixture.atlas_services().len(), 1);
    assert!(fixture.requests(Operation::DeleteService).is_empty());
}

#[tokio::test]
async fn a_service_that_outlives_its_last_endpoint_keeps_its_name() {
    let fixture = DedicatedFixture::new().await;
    fixture.base.atlas.configure(|settings| {
        settings.dedicated.variants.last_endpoint = LastEndpoint::LeavesService;
    });
    let _operator = fixture.operator();
    let (service, _) = fixture.apply_both("main", "orders", VPC).await;
    fixture.endpoints.delete_and_wait("orders").await;
    let after = fixture.services.reconcile("main", "after").await;
    assert_eq!(after["status"]["endpointServiceName"], service["status"]["endpointServiceName"]);
    fixture.apply_endpoint("orders", "main", VPC, json!({})).await;
    fixture.endpoints.until_ready("orders", "True", "Available").await;
    fixture.endpoints.delete_and_wait("orders").await;
    fixture.services.delete_and_wait("main").await;
    fixture.until_atlas("the service's end", |fixture| fixture.atlas_services().is_empty()).await;
    assert_eq!(fixture.executed(Operation::DeleteService), 1);
}

#[tokio::test]
async fn an_endpoint_removed_by_others_is_registered_again_at_the_same_service() {
    let fixture = DedicatedFixture::new().await;
    let _operator = fixture.operator();
    fixture.apply_both("main", "orders", VPC).await;
    fixture.others(OthersAction::RegisterEndpoint(NEXT_VPC.to_owned()));
    fixture.others(OthersAction::DeleteEndpoint(VPC.to_owned()));
    fixture.until_atlas("its end", |fixture| fixture.atlas_endpoints().iter().all(|one| one.id != VPC)).await;
    fixture.endpoints.reconcile("orders", "noticed").await;
    fixture.until_atlas("its return", |fixture| fixture.executed(Operation::CreateEndpoint) == 2).await;
    fixture.endpoints.until_ready("orders", "True", "Available").await;
    fixture.endpoints.until_event("orders", "EndpointLost").await;
}

#[tokio::test]
async fn an_endpoint_that_others_removed_is_ready_no_longer_than_its_interval() {
    let fixture = DedicatedFixture::new().await;
    let _operator = fixture.operator();
    fixture.apply_both("main", "orders", VPC).await;
    fixture.endpoints.edit("orders", json!({"interval": "30s"})).await;
    fixture.endpoints.until_ready("orders", "True", "Available").await;
    // It keeps the service.
    fixture.others(OthersAction::RegisterEndpoint(NEXT_VPC.to_owned()));
    assert!(fixture.base.atlas.remove_registered_endpoint(&fixture.atlas_service().id, VPC));
    let is_not_ready = |object: &Value| condition_of(object, "Ready")["status"] != "True";
    let noticed = fixture.endpoints.until("orders", "noticed", is_not_ready);
    tokio::time::timeout(Duration::from_secs(45), noticed).await.expect("a poll every 30 s");
}

#[tokio::test]
async fn what_is_lost_long_after_it_was_recorded_is_reported_by_an_event() {
    let fixture = DedicatedFixture::new().await;
    // Shorter than the gap between two listings: a loss is certain once it is confirmed.
    let _operator = fixture.base.operator_with(&["--visibility-window=100ms"]);
    fixture.apply_both("main", "orders", VPC).await;
    fixture.others(OthersAction::RegisterEndpoint(NEXT_VPC.to_owned()));
    assert!(fixture.base.atlas.remove_registered_endpoint(&fixture.atlas_service().id, VPC));
    fixture.endpoints.reconcile("orders", "noticed").await;
    fixture.endpoints.until_event("orders", "EndpointLost").await;
    fixture.endpoints.reconcile_until_ready("orders", "True", "Available").await;
    assert!(fixture.base.atlas.remove_service(&fixture.atlas_service().id));
    fixture.services.reconcile("main", "noticed").await;
    fixture.services.until_event("main", "ServiceLost").await;
    fixture.services.until_event("main", "ServiceReplaced").await;
}
