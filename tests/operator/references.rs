//! The objects that know a VPC endpoint's id: ACK's and Upbound's, by small definitions with the fields that are read.

use kube::Api;
use kube::api::{ApiResource, DynamicObject, Patch, PatchParams, PostParams};
use serde_json::{Value, json};
use spe_operator::api::VpcEndpointSource;
use testbed::kinds;

use crate::bench::{Bench, VPC_ENDPOINT, assert_condition, condition};

fn kind(source: VpcEndpointSource) -> ApiResource {
    let (api_version, kind) = source.api_version_and_kind();
    kinds::kind(api_version, kind, "vpcendpoints")
}

/// A reference to a kind that is not installed, then to an object that is not there, then to one without an id, then to one
/// with an id: each is said, and the last is acted on.
async fn follows(source: VpcEndpointSource, status: Value) {
    let bench = Bench::new().await;
    let _operator = bench.operator();
    let kind = kind(source);
    let reference = json!({"apiVersion": kind.api_version, "kind": kind.kind, "name": "network"});
    bench.create("orders", json!({"cloudProviderEndpointRef": reference})).await;
    let lacking = bench.until_reason("orders", "ReferenceNotFound").await;
    let message = &condition(&lacking, "Ready").unwrap().message;
    assert!(message.contains("VPCEndpoint network") && message.contains("does not exist"), "{message}");

    bench.control_plane.install_crd(&kinds::open_definition(&kind)).await.unwrap();
    let client = bench.control_plane.client().await.unwrap();
    let objects: Api<DynamicObject> = Api::namespaced_with(client, &bench.namespace, &kind);
    let network = json!({
        "apiVersion": kind.api_version, "kind": kind.kind, "metadata": {"name": "network"},
    });
    objects.create(&PostParams::default(), &serde_json::from_value(network).unwrap()).await.unwrap();
    let awaiting = bench.until_reason("orders", "AwaitingVpcEndpoint").await;
    assert_condition(&awaiting, "Reconciling", "True", "Progressing");

    let patch = Patch::Merge(json!({ "status": status }));
    objects.patch("network", &PatchParams::default(), &patch).await.unwrap();
    let available = bench.until_reason("orders", "Available").await;
    assert_eq!(available.status.unwrap().cloud_provider_endpoint_id.as_deref(), Some(VPC_ENDPOINT));
}

#[tokio::test]
async fn an_ack_object_is_followed_from_its_absence_to_its_id() {
    follows(VpcEndpointSource::Ack, json!({"vpcEndpointID": VPC_ENDPOINT})).await;
}

#[tokio::test]
async fn an_upbound_object_is_followed_from_its_absence_to_its_id() {
    follows(VpcEndpointSource::Upbound, json!({"atProvider": {"id": VPC_ENDPOINT}})).await;
}
