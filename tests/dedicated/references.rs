//! Endpoints whose VPC endpoint is named by an object of another controller or by a ConfigMap: what is missing is said, and
//! the id is registered as soon as it is there.

use atlas_simulator::Operation;
use domain::reference::VpcEndpointSource;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::Api;
use kube::api::{DynamicObject, Patch, PatchParams, PostParams};
use serde_json::{Value, json};
use test_support::dedicated::{DedicatedFixture, message_of};
use testbed::kinds;

use super::{NEXT_VPC, VPC};

/// Applies a service and an endpoint that refers to `network`, and waits until the latter misses it.
async fn apply_with_reference(fixture: &DedicatedFixture, reference: &Value) {
    fixture.apply_service("main", json!({})).await;
    fixture.make_vpc_endpoint("main", VPC).await;
    let spec = json!({"serviceRef": {"name": "main"}, "aws": {"ref": reference}});
    fixture.endpoints.apply("orders", spec).await;
    let lacking = fixture.endpoints.until_ready("orders", "False", "ReferenceNotFound").await;
    let message = message_of(&lacking, "Ready");
    let kind = reference["kind"].as_str().unwrap();
    assert!(message.contains(kind) && message.contains("network"), "{message}");
}

async fn follows(source: VpcEndpointSource, status: Value) {
    let fixture = DedicatedFixture::new().await;
    let _operator = fixture.operator();
    let (api_version, kind) = source.api_version_and_kind();
    let kind = kinds::kind(api_version, kind, "vpcendpoints");
    let reference = json!({"apiVersion": kind.api_version, "kind": kind.kind, "name": "network"});
    apply_with_reference(&fixture, &reference).await;

    fixture.base.control_plane.install_crd(&kinds::open_definition(&kind)).await.unwrap();
    let client = fixture.base.control_plane.client().await.unwrap();
    let objects: Api<DynamicObject> = Api::namespaced_with(client, fixture.endpoints.namespace(), &kind);
    let network = json!({
        "apiVersion": kind.api_version, "kind": kind.kind, "metadata": {"name": "network"},
    });
    objects.create(&PostParams::default(), &serde_json::from_value(network).unwrap()).await.unwrap();
    fixture.endpoints.until_ready("orders", "False", "AwaitingVpcEndpoint").await;
    assert!(fixture.requests(Operation::CreateEndpoint).is_empty(), "there is no id to register");

    let patch = Patch::Merge(json!({ "status": status }));
    objects.patch("network", &PatchParams::default(), &patch).await.unwrap();
    let ready = fixture.endpoints.until_ready("orders", "True", "Available").await;
    assert_eq!(ready["status"]["endpointId"], VPC);
    // What was registered stays when the object that named it goes.
    objects.delete("network", &kube::api::DeleteParams::default()).await.unwrap();
    fixture.endpoints.reconcile_until_ready("orders", "False", "ReferenceNotFound").await;
    assert_eq!(fixture.atlas_endpoints().len(), 1);
    assert!(fixture.requests(Operation::DeleteEndpoint).is_empty());
    fixture.endpoints.delete_and_wait("orders").await;
    assert_eq!(
        fixture.executed(Operation::DeleteEndpoint),
        1,
        "what the object created is deleted without its reference"
    );
}

#[tokio::test]
async fn an_ack_object_is_followed_from_its_absence_to_its_id() {
    follows(VpcEndpointSource::Ack, json!({"vpcEndpointID": VPC})).await;
}

#[tokio::test]
async fn an_upbound_object_is_followed_from_its_absence_to_its_id() {
    follows(VpcEndpointSource::Upbound, json!({"atProvider": {"id": VPC}})).await;
}

#[tokio::test]
async fn a_config_map_is_followed_from_its_absence_to_another_id() {
    let fixture = DedicatedFixture::new().await;
    let _operator = fixture.operator();
    let reference = json!({"apiVersion": "v1", "kind": "ConfigMap", "name": "network", "key": "id"});
    apply_with_reference(&fixture, &reference).await;

    let client = fixture.base.control_plane.client().await.unwrap();
    let maps: Api<ConfigMap> = Api::namespaced(client, fixture.endpoints.namespace());
    let map = json!({"metadata": {"name": "network"}, "data": {"id": VPC}});
    maps.create(&PostParams::default(), &serde_json::from_value(map).unwrap()).await.unwrap();
    fixture.endpoints.until_ready("orders", "True", "Available").await;

    fixture.make_vpc_endpoint("main", NEXT_VPC).await;
    let patch = Patch::Merge(json!({"data": {"id": NEXT_VPC}}));
    maps.patch("network", &PatchParams::default(), &patch).await.unwrap();
    let is_replaced =
        |fixture: &DedicatedFixture| matches!(&fixture.atlas_endpoints()[..], [only] if only.id == NEXT_VPC);
    fixture.until_atlas("the other id alone", is_replaced).await;
    let ready = fixture.endpoints.until_ready("orders", "True", "Available").await;
    assert_eq!(ready["status"]["endpointId"], NEXT_VPC);
}
