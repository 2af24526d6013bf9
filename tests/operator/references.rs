//! The objects that know a VPC endpoint's id: ACK's and Upbound's, by small definitions with the fields that are read.

use std::time::Duration;

use atlas_simulator::Operation;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::Api;
use kube::api::{ApiResource, DynamicObject, Patch, PatchParams, PostParams};
use serde_json::{Value, json};
use spe_operator::api::{ServerlessPrivateEndpoint, VpcEndpointSource};
use testbed::{Action, Answer, Exchange, kinds};

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
    // Another test may have installed it already, in the control plane that all share.
    let message = &condition(&lacking, "Ready").unwrap().message;
    let names = [kind.api_version.as_str(), "VPCEndpoint", "network"];
    assert!(names.iter().all(|name| message.contains(name)), "{message}");
    let missing = ["is not installed", "does not exist"];
    assert!(missing.iter().any(|missing| message.contains(missing)), "{message}");

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

/// What the reference to `network` lacks, as the object says it after another look.
async fn lacks(bench: &Bench, look: &str, words: &[&str]) {
    bench.look("orders", look).await;
    let object = bench.until_looked("orders", look).await;
    assert_condition(&object, "Ready", "False", "ReferenceNotFound");
    assert_condition(&object, "Synced", "False", "ReferenceNotFound");
    let message = &condition(&object, "Ready").unwrap().message;
    assert!(words.iter().all(|word| message.contains(word)), "{words:?} are not all in {message:?}");
}

#[tokio::test]
async fn each_missing_piece_is_named_whether_kind_object_or_right() {
    let bench = Bench::new().await;
    let proxies = bench.proxies().await;
    let kind = kind(VpcEndpointSource::Ack);
    bench.control_plane.install_crd(&kinds::open_definition(&kind)).await.unwrap();
    let asks = |exchange: &Exchange| exchange.path.contains("/vpcendpoints");
    let no_kind =
        || Action::Answer(Answer { status: 404, headers: vec![], body: "404 page not found\n".into() });
    proxies.tape.always(asks, no_kind);
    let _operator = bench.operator_behind(&proxies);
    let reference = json!({"apiVersion": kind.api_version, "kind": kind.kind, "name": "network"});
    bench.create("orders", json!({"cloudProviderEndpointRef": reference})).await;
    bench.until_reason("orders", "ReferenceNotFound").await;
    lacks(&bench, "kind", &["kind VPCEndpoint of ec2.services.k8s.aws/v1alpha1", "not installed"]).await;
    proxies.tape.forget_plan();
    proxies.tape.always(asks, || Action::kubernetes(403, "Forbidden"));
    lacks(&bench, "right", &["may not read VPCEndpoint network", "`get`"]).await;
    proxies.tape.forget_plan();
    lacks(&bench, "object", &["VPCEndpoint network", &bench.namespace, "does not exist"]).await;
    assert_eq!(bench.atlas.executed(Operation::Update), 0);
}

#[tokio::test]
async fn each_missing_piece_of_a_config_map_is_named_down_to_its_entry() {
    let bench = Bench::new().await;
    let proxies = bench.proxies().await;
    let _operator = bench.operator_behind(&proxies);
    let maps: Api<ConfigMap> = Api::namespaced(bench.control_plane.client().await.unwrap(), &bench.namespace);
    let reference = json!({"apiVersion": "v1", "kind": "ConfigMap", "name": "network", "key": "vpce"});
    bench.create("orders", json!({"cloudProviderEndpointRef": reference})).await;
    bench.until_reason("orders", "ReferenceNotFound").await;
    lacks(&bench, "object", &["ConfigMap network", "does not exist"]).await;
    let map = json!({"metadata": {"name": "network"}, "data": {"other": VPC_ENDPOINT}});
    maps.create(&PostParams::default(), &serde_json::from_value(map).unwrap()).await.unwrap();
    lacks(&bench, "entry", &["ConfigMap network", "has no entry vpce"]).await;
    let put = async |value: &str| {
        let patch = Patch::Merge(json!({"data": {"vpce": value}}));
        maps.patch("network", &PatchParams::default(), &patch).await.unwrap();
    };
    put("eni-0a1b2c3d").await;
    lacks(&bench, "value", &["entry vpce of ConfigMap network", "eni-0a1b2c3d"]).await;
    proxies.tape.always(|e| e.path.contains("/configmaps/network"), || Action::kubernetes(403, "Forbidden"));
    lacks(&bench, "right", &["may not read ConfigMap network", "`get`"]).await;
    proxies.tape.forget_plan();
    put(VPC_ENDPOINT).await;
    bench.until_reason("orders", "Available").await;
}

#[tokio::test]
async fn an_id_that_appears_in_a_watched_object_is_sent_within_seconds_and_so_is_its_successor() {
    let bench = Bench::new().await;
    let kind = kind(VpcEndpointSource::Ack);
    bench.control_plane.install_crd(&kinds::open_definition(&kind)).await.unwrap();
    let client = bench.control_plane.client().await.unwrap();
    let objects: Api<DynamicObject> = Api::namespaced_with(client, &bench.namespace, &kind);
    let network = json!({"apiVersion": kind.api_version, "kind": kind.kind, "metadata": {"name": "network"}});
    objects.create(&PostParams::default(), &serde_json::from_value(network).unwrap()).await.unwrap();
    let _operator = bench.operator();
    let reference = json!({"apiVersion": kind.api_version, "kind": kind.kind, "name": "network"});
    bench.create("orders", json!({"cloudProviderEndpointRef": reference})).await;
    bench.until_reason("orders", "AwaitingVpcEndpoint").await;
    for (number, id) in [(1, VPC_ENDPOINT), (2, "vpce-0fedcba9876543210")] {
        let patch = Patch::Merge(json!({"status": {"vpcEndpointID": id}}));
        objects.patch("network", &PatchParams::default(), &patch).await.unwrap();
        // Without the watch it would take up to 15 seconds.
        let sent = bench.atlas.until(|atlas| atlas.executed(Operation::Update) == number);
        tokio::time::timeout(Duration::from_secs(7), sent).await.expect("the id is sent within seconds");
        let holds = |object: &ServerlessPrivateEndpoint| {
            condition(object, "Ready")
                .is_some_and(|ready| ready.reason == "Available" && ready.message.contains(id))
        };
        bench.until("orders", "connected", holds).await;
    }
}

#[tokio::test]
async fn an_ack_object_is_followed_from_its_absence_to_its_id() {
    follows(VpcEndpointSource::Ack, json!({"vpcEndpointID": VPC_ENDPOINT})).await;
}

#[tokio::test]
async fn an_upbound_object_is_followed_from_its_absence_to_its_id() {
    follows(VpcEndpointSource::Upbound, json!({"atProvider": {"id": VPC_ENDPOINT}})).await;
}
