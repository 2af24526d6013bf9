//! The ConfigMap for other tools, and the objects that a VPC endpoint id is read from.

use k8s_openapi::api::core::v1::ConfigMap;
use kube::Api;
use kube::api::{DeleteParams, PostParams};
use serde_json::json;

use crate::bench::{Bench, PATIENCE, VPC_ENDPOINT, assert_condition, condition};

async fn maps(bench: &Bench) -> Api<ConfigMap> {
    Api::namespaced(bench.control_plane.client().await.unwrap(), &bench.namespace)
}

/// Waits until the ConfigMap is as wanted.
async fn until(
    maps: &Api<ConfigMap>,
    name: &str,
    holds: impl Fn(Option<&ConfigMap>) -> bool,
) -> Option<ConfigMap> {
    let found = tokio::time::timeout(PATIENCE, async {
        loop {
            let found = maps.get_opt(name).await.unwrap();
            if holds(found.as_ref()) {
                return found;
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    });
    found.await.expect("the ConfigMap never was as wanted")
}

fn entry<'a>(map: Option<&'a ConfigMap>, key: &str) -> Option<&'a String> {
    map?.data.as_ref()?.get(key)
}

#[tokio::test]
async fn the_output_tells_what_is_known_and_the_private_address_once_there_is_one() {
    let bench = Bench::new().await;
    let _operator = bench.operator();
    let maps = maps(&bench).await;
    bench.create("orders", json!({"outputConfigMap": {"name": "orders-privatelink"}})).await;
    let reserved = bench.until_reason("orders", "Reserved").await;
    let map = until(&maps, "orders-privatelink", |map| map.is_some()).await.unwrap();
    let status = reserved.status.unwrap();
    assert_eq!(entry(Some(&map), "id"), status.id.as_ref());
    assert_eq!(entry(Some(&map), "endpointServiceName"), status.endpoint_service_name.as_ref());
    assert_eq!(entry(Some(&map), "region").map(String::as_str), Some("us-east-1"));
    assert_eq!(entry(Some(&map), "cloudProviderEndpointId"), None);
    assert_eq!(map.metadata.owner_references.unwrap()[0].uid, reserved.metadata.uid.unwrap());
    bench.edit("orders", json!({"cloudProviderEndpointId": VPC_ENDPOINT})).await;
    bench.until_reason("orders", "Available").await;
    let told = until(&maps, "orders-privatelink", |map| entry(map, "privateSrvAddress").is_some()).await;
    assert!(entry(told.as_ref(), "privateSrvAddress").unwrap().starts_with("mongodb+srv://"));
    assert_eq!(entry(told.as_ref(), "cloudProviderEndpointId").map(String::as_str), Some(VPC_ENDPOINT));
}

#[tokio::test]
async fn a_config_map_that_somebody_else_made_is_left_alone_and_named() {
    let bench = Bench::new().await;
    let _operator = bench.operator();
    let maps = maps(&bench).await;
    let foreign = json!({"metadata": {"name": "taken"}, "data": {"id": "mine"}});
    maps.create(&PostParams::default(), &serde_json::from_value(foreign).unwrap()).await.unwrap();
    bench.create("orders", json!({"outputConfigMap": {"name": "taken"}})).await;
    let holds = |object: &spe_operator::api::ServerlessPrivateEndpoint| {
        condition(object, "Synced").is_some_and(|synced| synced.reason == "OutputNotWritten")
    };
    let object = bench.until("orders", "refused its output", holds).await;
    assert!(condition(&object, "Synced").unwrap().message.contains("ConfigMap taken"));
    let object = bench.until_reason("orders", "Reserved").await;
    assert_condition(&object, "Ready", "True", "Reserved");
    assert_eq!(entry(maps.get_opt("taken").await.unwrap().as_ref(), "id").map(String::as_str), Some("mine"));
}

#[tokio::test]
async fn a_vpc_endpoint_id_is_read_from_a_config_map_as_soon_as_it_is_there() {
    let bench = Bench::new().await;
    let _operator = bench.operator();
    let maps = maps(&bench).await;
    let reference = json!({"apiVersion": "v1", "kind": "ConfigMap", "name": "network", "key": "vpce"});
    bench.create("orders", json!({"cloudProviderEndpointRef": reference})).await;
    let lacking = bench.until_reason("orders", "ReferenceNotFound").await;
    assert!(condition(&lacking, "Ready").unwrap().message.contains("ConfigMap network"));
    let map = json!({"metadata": {"name": "network"}, "data": {"vpce": VPC_ENDPOINT}});
    maps.create(&PostParams::default(), &serde_json::from_value(map).unwrap()).await.unwrap();
    bench.until_reason("orders", "Available").await;
    // What is connected stays connected, whatever becomes of the reference.
    maps.delete("network", &DeleteParams::default()).await.unwrap();
    bench.look("orders", "now").await;
    let holds = |object: &spe_operator::api::ServerlessPrivateEndpoint| {
        condition(object, "Synced").is_some_and(|synced| synced.reason == "ReferenceNotFound")
    };
    let object = bench.until("orders", "without its reference", holds).await;
    assert_condition(&object, "Ready", "True", "Available");
}
