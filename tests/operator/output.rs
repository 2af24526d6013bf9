//! The ConfigMap for other tools, and the objects that a VPC endpoint id is read from.

use std::sync::Arc;
use std::time::Duration;

use atlas_simulator::{Operation, Pace};
use futures::future::join_all;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams};
use kube::{Api, ResourceExt};
use serde_json::json;
use test_support::{Fixture, PATIENCE, VPC_ENDPOINT, assert_condition, condition};
use testbed::{Action, Exchange};

async fn maps(fixture: &Fixture) -> Api<ConfigMap> {
    Api::namespaced(fixture.control_plane.client().await.unwrap(), &fixture.namespace)
}

/// Waits until the ConfigMap satisfies `holds`.
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
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    });
    found.await.expect("the ConfigMap never was as wanted")
}

fn entry<'a>(map: Option<&'a ConfigMap>, key: &str) -> Option<&'a String> {
    map?.data.as_ref()?.get(key)
}

#[tokio::test]
async fn the_output_holds_the_known_fields_and_the_private_address() {
    let fixture = Fixture::new().await;
    let _operator = fixture.operator();
    let maps = maps(&fixture).await;
    fixture.create("orders", json!({"outputConfigMap": {"name": "orders-privatelink"}})).await;
    let reserved = fixture.until_reason("orders", "Reserved").await;
    let map = until(&maps, "orders-privatelink", |map| map.is_some()).await.unwrap();
    let status = reserved.status.unwrap();
    assert_eq!(entry(Some(&map), "id"), status.id.as_ref());
    assert_eq!(entry(Some(&map), "endpointServiceName"), status.endpoint_service_name.as_ref());
    assert_eq!(entry(Some(&map), "region").map(String::as_str), Some("us-east-1"));
    assert_eq!(entry(Some(&map), "cloudProviderEndpointId"), None);
    assert_eq!(map.metadata.owner_references.unwrap()[0].uid, reserved.metadata.uid.unwrap());
    fixture.edit("orders", json!({"cloudProviderEndpointId": VPC_ENDPOINT})).await;
    fixture.until_reason("orders", "Available").await;
    let written = until(&maps, "orders-privatelink", |map| entry(map, "privateSrvAddress").is_some()).await;
    assert!(entry(written.as_ref(), "privateSrvAddress").unwrap().starts_with("mongodb+srv://"));
    assert_eq!(entry(written.as_ref(), "cloudProviderEndpointId").map(String::as_str), Some(VPC_ENDPOINT));
}

#[tokio::test]
async fn a_missing_config_map_permission_names_its_chart_value() {
    let fixture = Fixture::new().await;
    let maps = maps(&fixture).await;
    let proxies = fixture.proxies().await;
    proxies.recording.always(|e| e.path.contains("/configmaps"), || Action::kubernetes(403, "Forbidden"));
    let _operator = fixture.operator_behind(&proxies);
    fixture.create("orders", json!({"outputConfigMap": {"name": "orders-privatelink"}})).await;
    fixture.until_reason("orders", "Reserved").await;
    let refused = fixture.until_synced("orders", "OutputNotWritten").await;
    assert_condition(&refused, "Ready", "True", "Reserved");
    let message = &condition(&refused, "Synced").unwrap().message;
    for word in ["ConfigMap orders-privatelink", "integrations.outputConfigMap.enabled"] {
        assert!(message.contains(word), "{word} is not in {message}");
    }
    proxies.recording.forget_plan();
    fixture.request_reconcile("orders", "granted").await;
    fixture.until_synced("orders", "ReconcileSucceeded").await;
    assert!(maps.get_opt("orders-privatelink").await.unwrap().is_some());
}

#[tokio::test]
async fn a_foreign_config_map_is_reported_and_never_changed() {
    let fixture = Fixture::new().await;
    let _operator = fixture.operator();
    let maps = maps(&fixture).await;
    let foreign = json!({"metadata": {"name": "taken"}, "data": {"id": "mine"}});
    maps.create(&PostParams::default(), &serde_json::from_value(foreign).unwrap()).await.unwrap();
    fixture.create("orders", json!({"outputConfigMap": {"name": "taken"}})).await;
    let holds = |object: &spe_operator::serverless::crd::ServerlessPrivateEndpoint| {
        condition(object, "Synced").is_some_and(|synced| synced.reason == "OutputNotWritten")
    };
    let object = fixture.until("orders", "refused its output", holds).await;
    assert!(condition(&object, "Synced").unwrap().message.contains("ConfigMap taken"));
    let object = fixture.until_reason("orders", "Reserved").await;
    assert_condition(&object, "Ready", "True", "Reserved");
    assert_eq!(entry(maps.get_opt("taken").await.unwrap().as_ref(), "id").map(String::as_str), Some("mine"));
}

#[tokio::test]
async fn a_vpc_endpoint_id_is_read_from_a_config_map_as_soon_as_it_is_there() {
    let fixture = Fixture::new().await;
    let _operator = fixture.operator();
    let maps = maps(&fixture).await;
    let reference = json!({"apiVersion": "v1", "kind": "ConfigMap", "name": "network", "key": "vpce"});
    fixture.create("orders", json!({"cloudProviderEndpointRef": reference})).await;
    let lacking = fixture.until_reason("orders", "ReferenceNotFound").await;
    assert!(condition(&lacking, "Ready").unwrap().message.contains("ConfigMap network"));
    let map = json!({"metadata": {"name": "network"}, "data": {"vpce": VPC_ENDPOINT}});
    maps.create(&PostParams::default(), &serde_json::from_value(map).unwrap()).await.unwrap();
    fixture.until_reason("orders", "Available").await;
    // What is connected stays connected, whatever becomes of the reference.
    maps.delete("network", &DeleteParams::default()).await.unwrap();
    fixture.request_reconcile("orders", "now").await;
    let holds = |object: &spe_operator::serverless::crd::ServerlessPrivateEndpoint| {
        condition(object, "Synced").is_some_and(|synced| synced.reason == "ReferenceNotFound")
    };
    let object = fixture.until("orders", "without its reference", holds).await;
    assert_condition(&object, "Ready", "True", "Available");
}

#[tokio::test]
async fn the_output_exists_only_while_there_is_a_service() {
    let fixture = Fixture::at_pace(Pace::of(Duration::from_secs(2))).await;
    let _operator = fixture.operator();
    let maps = maps(&fixture).await;
    fixture.create("orders", json!({"outputConfigMap": {"name": "output"}})).await;
    let requested = fixture.until_reason("orders", "ReservationRequested").await;
    assert!(maps.get_opt("output").await.unwrap().is_none());
    let first = until(&maps, "output", |map| map.is_some()).await.unwrap().data.unwrap();
    // The names that Flux can substitute.
    let is_substitutable = |key: &str| {
        key.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
            && !key.starts_with(|c: char| c.is_ascii_digit())
    };
    assert!(first.keys().all(|key| is_substitutable(key)), "{first:?}");
    assert!(fixture.atlas.remove_endpoint(&requested.status.unwrap().id.unwrap()));
    fixture.request_reconcile("orders", "1").await;
    until(&maps, "output", |map| map.is_none()).await;
    let second = until(&maps, "output", |map| map.is_some()).await.unwrap().data.unwrap();
    assert_ne!(
        (&first["id"], &first["endpointServiceName"]),
        (&second["id"], &second["endpointServiceName"])
    );
}

#[tokio::test]
async fn two_endpoints_of_an_instance_have_separate_private_addresses() {
    let fixture = Fixture::new().await;
    let _operator = fixture.operator();
    let maps = maps(&fixture).await;
    for (name, vpc_endpoint) in [("orders", VPC_ENDPOINT), ("billing", "vpce-0fedcba9876543210")] {
        let fields = json!({"cloudProviderEndpointId": vpc_endpoint, "outputConfigMap": {"name": name}});
        fixture.create(name, fields).await;
    }
    let mut addresses = Vec::new();
    for name in ["orders", "billing"] {
        let written = until(&maps, name, |map| entry(map, "privateSrvAddress").is_some()).await;
        let id = fixture.get(name).await.status.unwrap().id.unwrap();
        // The simulator numbers the addresses of an instance as it numbers its endpoints.
        let number = fixture.atlas.timelines().iter().position(|life| life.id == id).unwrap();
        let address = entry(written.as_ref(), "privateSrvAddress").unwrap().clone();
        assert!(address.contains(&format!("-pe-{number}.")), "{name}: {address}");
        addresses.push(address);
    }
    assert_ne!(addresses[0], addresses[1]);
}

#[tokio::test]
async fn one_description_of_an_instance_serves_all_its_outputs() {
    let fixture = Fixture::new().await;
    let first = fixture.operator();
    let maps = maps(&fixture).await;
    let objects = ["orders", "billing", "reports", "search"];
    for (number, name) in objects.into_iter().enumerate() {
        let vpc_endpoint = format!("vpce-{number:017x}");
        let fields = json!({"cloudProviderEndpointId": vpc_endpoint, "outputConfigMap": {"name": name}});
        fixture.create(name, fields).await;
    }
    for name in objects {
        until(&maps, name, |map| entry(map, "privateSrvAddress").is_some()).await;
    }
    drop(first);
    // An output that is restored shows that the address was read again.
    let write = Patch::Merge(json!({"data": {"privateSrvAddress": "somebody's"}}));
    for name in objects {
        maps.patch(name, &PatchParams::default(), &write).await.unwrap();
    }
    let described = || fixture.atlas.count(|entry| entry.is(Operation::GetInstance) && entry.executed());
    let before = described();
    let _second = fixture.operator();
    for name in objects {
        let is_back = |map: Option<&ConfigMap>| {
            entry(map, "privateSrvAddress").is_some_and(|address| address.starts_with("mongodb+srv://"))
        };
        until(&maps, name, is_back).await;
    }
    assert_eq!(described() - before, 1);
}

#[tokio::test]
async fn a_foreign_write_to_the_output_is_overwritten_by_a_reconcile() {
    let fixture = Fixture::new().await;
    let first = fixture.operator();
    let maps = maps(&fixture).await;
    let fields = json!({"cloudProviderEndpointId": VPC_ENDPOINT, "outputConfigMap": {"name": "output"}});
    fixture.create("orders", fields).await;
    let written = until(&maps, "output", |map| entry(map, "privateSrvAddress").is_some()).await.unwrap().data;
    let write = async |key: &str| {
        let patch = Patch::Merge(json!({"data": {key: "somebody's"}}));
        maps.patch("output", &PatchParams::default(), &patch).await.unwrap();
    };
    for key in written.as_ref().unwrap().keys() {
        write(key).await;
        fixture.request_reconcile("orders", key).await;
        fixture.until_reconciled("orders", key).await;
        until(&maps, "output", |map| map.is_some_and(|map| map.data == written)).await;
    }
    // Nor does the next operator believe what it finds.
    drop(first);
    write("privateSrvAddress").await;
    let _second = fixture.operator();
    until(&maps, "output", |map| map.is_some_and(|map| map.data == written)).await;
}

/// The name that the object carries as its output's.
fn noted(object: &spe_operator::serverless::crd::ServerlessPrivateEndpoint) -> Option<&str> {
    object.annotations().get("atlas.spe-operator.io/output-config-map").map(String::as_str)
}

#[tokio::test]
async fn a_renamed_or_removed_output_is_deleted() {
    let fixture = Fixture::new().await;
    let _operator = fixture.operator();
    let maps = maps(&fixture).await;
    fixture.create("orders", json!({"outputConfigMap": {"name": "first"}})).await;
    until(&maps, "first", |map| map.is_some()).await;
    fixture.edit("orders", json!({"outputConfigMap": {"name": "second"}})).await;
    until(&maps, "second", |map| map.is_some()).await;
    until(&maps, "first", |map| map.is_none()).await;
    // Without a response of Atlas, too.
    fixture.edit("orders", json!({"suspend": true, "outputConfigMap": null})).await;
    until(&maps, "second", |map| map.is_none()).await;
    fixture.until("orders", "without a note", |object| noted(object).is_none()).await;
}

#[tokio::test]
async fn a_config_map_named_by_the_annotation_alone_is_not_changed() {
    let fixture = Fixture::new().await;
    let _operator = fixture.operator();
    let maps = maps(&fixture).await;
    let foreign = json!({"metadata": {"name": "theirs"}, "data": {"id": "theirs"}});
    maps.create(&PostParams::default(), &serde_json::from_value(foreign).unwrap()).await.unwrap();
    fixture.create("orders", json!({})).await;
    fixture.until_reason("orders", "Reserved").await;
    fixture.annotate("orders", json!({"atlas.spe-operator.io/output-config-map": "theirs"})).await;
    fixture.until("orders", "without the note", |object| noted(object).is_none()).await;
    assert!(maps.get_opt("theirs").await.unwrap().is_some());
    // A value that cannot be a name causes no request.
    fixture
        .annotate("orders", json!({"atlas.spe-operator.io/output-config-map": "../secrets/atlas-api"}))
        .await;
    fixture.request_reconcile("orders", "1").await;
    let reconciled = fixture.until_reconciled("orders", "1").await;
    assert_condition(&reconciled, "Synced", "True", "ReconcileSucceeded");
}

fn deletes_map(exchange: &Exchange) -> bool {
    exchange.path.contains("/configmaps") && exchange.method == "DELETE"
}

fn notes(exchange: &Exchange) -> bool {
    exchange.method == "PATCH" && String::from_utf8_lossy(&exchange.body).contains("output-config-map")
}

fn makes_map(exchange: &Exchange) -> bool {
    exchange.path.contains("/configmaps") && exchange.method == "POST"
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rename_interrupted_by_a_crash_is_completed() {
    type Step = (&'static str, fn(&Exchange) -> bool);
    let steps: [Step; 3] = [("delete", deletes_map), ("note", notes), ("create", makes_map)];
    join_all(steps.into_iter().map(|(step, is_step)| async move {
        let fixture = Fixture::new().await;
        let maps = maps(&fixture).await;
        let proxies = fixture.proxies().await;
        let operator = Arc::new(fixture.operator_behind(&proxies));
        fixture.create("orders", json!({"outputConfigMap": {"name": "first"}})).await;
        until(&maps, "first", |map| map.is_some()).await;
        fixture.until_reason("orders", "Reserved").await;
        proxies.settled_effects().await;
        let victim = Arc::clone(&operator);
        proxies.recording.next(is_step, Action::CallAfter(Box::new(move || victim.kill().unwrap())));
        fixture.edit("orders", json!({"outputConfigMap": {"name": "second"}})).await;
        let killed = operator.wait(PATIENCE).await;
        killed.unwrap_or_else(|_| panic!("no {step} came:\n{}", proxies.recording.listing()));
        let _successor = fixture.operator();
        until(&maps, "second", |map| map.is_some()).await;
        until(&maps, "first", |map| map.is_none()).await;
    }))
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_created_while_the_output_still_names_the_lost_endpoint() {
    let fixture = Fixture::new().await;
    let maps = maps(&fixture).await;
    let proxies = fixture.proxies().await;
    let _operator = fixture.operator_behind(&proxies);
    fixture.create("orders", json!({"outputConfigMap": {"name": "output"}})).await;
    let first = until(&maps, "output", |map| map.is_some()).await.unwrap().data.unwrap();
    proxies.recording.always(deletes_map, || Action::kubernetes(500, "InternalError"));
    let known = fixture.until_reason("orders", "Reserved").await;
    assert!(fixture.atlas.remove_endpoint(&known.status.unwrap().id.unwrap()));
    fixture.request_reconcile("orders", "1").await;
    fixture.until_synced("orders", "OutputNotWritten").await;
    let refused = proxies.recording.count(deletes_map);
    tokio::time::timeout(PATIENCE, async {
        while proxies.recording.count(deletes_map) < refused + 2 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    })
    .await
    .expect("the removal is tried again");
    assert_eq!(fixture.endpoints().len(), 0, "another endpoint takes the place of one that the output names");
    proxies.recording.forget_plan();
    let renewed = |map: Option<&ConfigMap>| entry(map, "id").is_some_and(|id| *id != first["id"]);
    until(&maps, "output", renewed).await;
}
