//! References to objects that hold a VPC endpoint's id: ACK's and Upbound's, by small definitions with the fields that
//! are read.

use std::time::Duration;

use atlas_simulator::Operation;
use domain::reference::EndpointSource;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::Api;
use kube::api::{ApiResource, DynamicObject, Patch, PatchParams, PostParams};
use serde_json::{Value, json};
use spe_operator::serverless::crd::ServerlessPrivateEndpoint;
use test_support::{Fixture, PATIENCE, VPC_ENDPOINT, assert_condition, condition};
use testbed::{Action, Exchange, FakeResponse, kinds};

fn kind(source: EndpointSource) -> ApiResource {
    let (api_version, kind) = source.api_version_and_kind();
    kinds::kind(api_version, kind, "vpcendpoints")
}

/// A reference to a kind that is not installed, then to a missing object, then to one without an id, then to one with
/// an id: each is reported, and the last has its effect.
async fn follows(source: EndpointSource, status: Value) {
    let fixture = Fixture::new().await;
    let _operator = fixture.operator();
    let kind = kind(source);
    let reference = json!({"apiVersion": kind.api_version, "kind": kind.kind, "name": "network"});
    fixture.create("orders", json!({"cloudProviderEndpointRef": reference})).await;
    let lacking = fixture.until_reason("orders", "ReferenceNotFound").await;
    // Another test may have installed it already, in the control plane that all share.
    let message = &condition(&lacking, "Ready").unwrap().message;
    let names = [kind.api_version.as_str(), "VPCEndpoint", "network"];
    assert!(names.iter().all(|name| message.contains(name)), "{message}");
    let missing = ["is not installed", "does not exist"];
    assert!(missing.iter().any(|missing| message.contains(missing)), "{message}");

    fixture.control_plane.install_crd(&kinds::open_definition(&kind)).await.unwrap();
    let client = fixture.control_plane.client().await.unwrap();
    let objects: Api<DynamicObject> = Api::namespaced_with(client, &fixture.namespace, &kind);
    let network = json!({
        "apiVersion": kind.api_version, "kind": kind.kind, "metadata": {"name": "network"},
    });
    objects.create(&PostParams::default(), &serde_json::from_value(network).unwrap()).await.unwrap();
    let awaiting = fixture.until_reason("orders", "AwaitingVpcEndpoint").await;
    assert_condition(&awaiting, "Reconciling", "True", "Progressing");

    let patch = Patch::Merge(json!({ "status": status }));
    objects.patch("network", &PatchParams::default(), &patch).await.unwrap();
    let available = fixture.until_reason("orders", "Available").await;
    assert_eq!(available.status.unwrap().cloud_provider_endpoint_id.as_deref(), Some(VPC_ENDPOINT));
}

/// Returns what the reference to `network` lacks, as the object reports it after another reconcile.
async fn lacks(fixture: &Fixture, request: &str, words: &[&str]) {
    fixture.request_reconcile("orders", request).await;
    let object = fixture.until_reconciled("orders", request).await;
    assert_condition(&object, "Ready", "False", "ReferenceNotFound");
    assert_condition(&object, "Synced", "False", "ReferenceNotFound");
    let message = &condition(&object, "Ready").unwrap().message;
    assert!(words.iter().all(|word| message.contains(word)), "{words:?} are not all in {message:?}");
}

/// Waits until the message of Ready contains all of this.
async fn until_message(fixture: &Fixture, words: &[&str]) {
    let says = |object: &ServerlessPrivateEndpoint| {
        condition(object, "Ready").is_some_and(|ready| words.iter().all(|word| ready.message.contains(word)))
    };
    fixture.until("orders", &format!("said {words:?} of"), says).await;
}

#[tokio::test]
async fn each_missing_piece_is_named_whether_kind_object_or_right() {
    let fixture = Fixture::new().await;
    let proxies = fixture.proxies().await;
    let kind = kind(EndpointSource::Ack);
    fixture.control_plane.install_crd(&kinds::open_definition(&kind)).await.unwrap();
    let no_kind = || {
        Action::Respond(FakeResponse { status: 404, headers: vec![], body: "404 page not found\n".into() })
    };
    proxies.recording.always(of_the_kind, no_kind);
    let operator = fixture.operator_behind(&proxies);
    let reference = json!({"apiVersion": kind.api_version, "kind": kind.kind, "name": "network"});
    fixture.create("orders", json!({"cloudProviderEndpointRef": reference})).await;
    let lacking = fixture.until_reason("orders", "ReferenceNotFound").await;
    assert_condition(&lacking, "Synced", "False", "ReferenceNotFound");
    let kind = "kind VPCEndpoint of ec2.services.k8s.aws/v1alpha1";
    until_message(&fixture, &[kind, "not installed", "VPCEndpoint network cannot exist"]).await;
    proxies.recording.forget_plan();
    proxies.recording.always(of_the_kind, || Action::kubernetes(403, "Forbidden"));
    until_message(&fixture, &["may not read VPCEndpoint network", "`list` and `watch`", "integrations.ack"])
        .await;
    let refused = |exchange: &Exchange| of_the_kind(exchange) && exchange.status == Some(403);
    proxies.recording.wait_for(3, refused, PATIENCE).await.unwrap();
    proxies.recording.forget_plan();
    until_message(&fixture, &["VPCEndpoint network", &fixture.namespace, "does not exist"]).await;
    assert_eq!(fixture.atlas.executed(Operation::Update), 0);
    let lines = operator.output();
    let warned: Vec<_> =
        lines.iter().filter(|line| line.contains("failed to watch referenced objects")).collect();
    let of = |code: &str| warned.iter().filter(|line| line.contains(code)).count();
    assert_eq!(
        (warned.len(), of("Forbidden")),
        (2, 1),
        "one for the kind and one for the right: {warned:#?}"
    );
}

fn of_the_kind(exchange: &Exchange) -> bool {
    exchange.path.contains("/vpcendpoints")
}

#[tokio::test]
async fn a_kind_without_a_response_delays_no_other_object() {
    let fixture = Fixture::new().await;
    let proxies = fixture.proxies().await;
    proxies.recording.always(of_the_kind, || Action::HangRequest);
    let _operator = fixture.operator_behind(&proxies);
    let (api_version, kind) = EndpointSource::Ack.api_version_and_kind();
    let reference = json!({"apiVersion": api_version, "kind": kind, "name": "network"});
    for number in 0..40 {
        fixture.create(&format!("waiting-{number}"), json!({"cloudProviderEndpointRef": reference})).await;
    }
    fixture.create("orders", json!({})).await;
    let reserved = tokio::time::timeout(Duration::from_secs(8), fixture.until_reason("orders", "Reserved"));
    assert!(reserved.await.is_ok(), "it waits behind others: {}", proxies.recording.listing());
}

#[tokio::test]
async fn one_read_per_period_serves_all_referrers_of_a_config_map() {
    let fixture = Fixture::new().await;
    let proxies = fixture.proxies().await;
    let maps: Api<ConfigMap> =
        Api::namespaced(fixture.control_plane.client().await.unwrap(), &fixture.namespace);
    let map = json!({"metadata": {"name": "network"}, "data": {"vpce": VPC_ENDPOINT}});
    maps.create(&PostParams::default(), &serde_json::from_value(map).unwrap()).await.unwrap();
    let _operator = fixture.operator_behind(&proxies);
    let reference = json!({"apiVersion": "v1", "kind": "ConfigMap", "name": "network", "key": "vpce"});
    for number in 0..20 {
        fixture.create(&format!("orders-{number}"), json!({"cloudProviderEndpointRef": reference})).await;
    }
    for number in 0..20 {
        fixture.until_reason(&format!("orders-{number}"), "Available").await;
    }
    let is_read = |exchange: &Exchange| exchange.path.ends_with("/configmaps/network");
    let reads =
        || proxies.recording.exchanges().into_iter().filter(is_read).map(|read| read.at).collect::<Vec<_>>();
    let before = reads().len();
    proxies.recording.wait_for(before + 1, is_read, PATIENCE).await.unwrap();
    let reads = reads();
    let pauses: Vec<_> = reads.windows(2).map(|pair| pair[1].saturating_sub(pair[0])).collect();
    let period = Duration::from_millis(14_900);
    assert!(
        pauses.iter().all(|pause| *pause >= period),
        "{pauses:?} between {}",
        proxies.recording.listing()
    );
}

#[tokio::test]
async fn each_missing_piece_of_a_config_map_is_named_down_to_its_entry() {
    let fixture = Fixture::new().await;
    let proxies = fixture.proxies().await;
    let _operator = fixture.operator_behind(&proxies);
    let maps: Api<ConfigMap> =
        Api::namespaced(fixture.control_plane.client().await.unwrap(), &fixture.namespace);
    let reference = json!({"apiVersion": "v1", "kind": "ConfigMap", "name": "network", "key": "vpce"});
    fixture.create("orders", json!({"cloudProviderEndpointRef": reference})).await;
    fixture.until_reason("orders", "ReferenceNotFound").await;
    lacks(&fixture, "object", &["ConfigMap network", "does not exist"]).await;
    let map = json!({"metadata": {"name": "network"}, "data": {"other": VPC_ENDPOINT}});
    maps.create(&PostParams::default(), &serde_json::from_value(map).unwrap()).await.unwrap();
    lacks(&fixture, "entry", &["ConfigMap network", "has no entry vpce"]).await;
    let put = async |value: &str| {
        let patch = Patch::Merge(json!({"data": {"vpce": value}}));
        maps.patch("network", &PatchParams::default(), &patch).await.unwrap();
    };
    put("eni-0a1b2c3d").await;
    // A user who may read the object may not be allowed to read the ConfigMap.
    lacks(
        &fixture,
        "value",
        &["entry vpce of ConfigMap network", "expected a VPC endpoint id", "12 characters"],
    )
    .await;
    let object = fixture.get("orders").await;
    assert!(!serde_json::to_string(&object.status).unwrap().contains("eni-0a1b2c3d"), "{:?}", object.status);
    proxies
        .recording
        .always(|e| e.path.contains("/configmaps/network"), || Action::kubernetes(403, "Forbidden"));
    lacks(&fixture, "right", &["may not read ConfigMap network", "`get`"]).await;
    proxies.recording.forget_plan();
    put(VPC_ENDPOINT).await;
    fixture.until_reason("orders", "Available").await;
}

#[tokio::test]
async fn a_new_id_in_a_watched_object_is_sent_within_seconds() {
    let fixture = Fixture::new().await;
    let kind = kind(EndpointSource::Ack);
    fixture.control_plane.install_crd(&kinds::open_definition(&kind)).await.unwrap();
    let client = fixture.control_plane.client().await.unwrap();
    let objects: Api<DynamicObject> = Api::namespaced_with(client, &fixture.namespace, &kind);
    let network = json!({"apiVersion": kind.api_version, "kind": kind.kind, "metadata": {"name": "network"}});
    objects.create(&PostParams::default(), &serde_json::from_value(network).unwrap()).await.unwrap();
    let proxies = fixture.proxies().await;
    let _operator = fixture.operator_behind(&proxies);
    let reference = json!({"apiVersion": kind.api_version, "kind": kind.kind, "name": "network"});
    fixture.create("orders", json!({"cloudProviderEndpointRef": reference})).await;
    fixture.until_reason("orders", "AwaitingVpcEndpoint").await;
    for (number, id) in [(1, VPC_ENDPOINT), (2, "vpce-0fedcba9876543210")] {
        let patch = Patch::Merge(json!({"status": {"vpcEndpointID": id}}));
        objects.patch("network", &PatchParams::default(), &patch).await.unwrap();
        // Without the watch it would take up to 15 seconds.
        let sent = fixture.atlas.until(|atlas| atlas.executed(Operation::Update) == number);
        let in_time = tokio::time::timeout(Duration::from_secs(7), sent).await;
        assert!(in_time.is_ok(), "the id {id} is not sent within seconds: {}", proxies.recording.listing());
        let holds = |object: &ServerlessPrivateEndpoint| {
            condition(object, "Ready")
                .is_some_and(|ready| ready.reason == "Available" && ready.message.contains(id))
        };
        fixture.until("orders", "connected", holds).await;
    }
}

#[tokio::test]
async fn an_ack_object_is_followed_from_its_absence_to_its_id() {
    follows(EndpointSource::Ack, json!({"vpcEndpointID": VPC_ENDPOINT})).await;
}

#[tokio::test]
async fn an_upbound_object_is_followed_from_its_absence_to_its_id() {
    follows(EndpointSource::UpboundAws, json!({"atProvider": {"id": VPC_ENDPOINT}})).await;
}
