//! The steady state: no writes without changes.

use atlas_simulator::Operation;
use domain::reference::EndpointSource;
use kube::Api;
use kube::api::{DynamicObject, PostParams};
use serde_json::json;
use test_support::{Fixture, PATIENCE, VPC_ENDPOINT};
use testbed::{Exchange, kinds};

#[tokio::test]
async fn twenty_reconciles_of_an_available_endpoint_write_nothing() {
    let fixture = Fixture::new().await;
    let proxies = fixture.proxies().await;
    let _operator = fixture.operator_behind(&proxies);
    fixture.create("orders", json!({"cloudProviderEndpointId": VPC_ENDPOINT})).await;
    fixture.until_reason("orders", "Available").await;
    let lists = || fixture.atlas.count(|entry| entry.is(Operation::List) && entry.executed());
    let writes = proxies.settled_effects().await;
    for round in 0..20 {
        let before = lists();
        // An annotation that the operator reads, with a value that means nothing.
        fixture.annotate("orders", json!({"atlas.spe-operator.io/take-over": format!("{round}")})).await;
        let reconciled = fixture.atlas.until(|_| lists() > before);
        tokio::time::timeout(PATIENCE, reconciled).await.expect("the operator reconciles at once");
    }
    assert_eq!(proxies.settled_effects().await, writes, "{}", proxies.recording.listing());
}

#[tokio::test]
async fn waiting_for_the_user_polls_slowly_and_writes_nothing() {
    let fixture = Fixture::new().await;
    let proxies = fixture.proxies().await;
    let _operator = fixture.operator_behind(&proxies);
    fixture.create("orders", json!({"readyWhen": "Available"})).await;
    fixture.until_reason("orders", "AwaitingVpcEndpoint").await;
    let writes = proxies.settled_effects().await;
    let lists = || fixture.atlas.count(|entry| entry.is(Operation::List) && entry.executed());
    let before = lists();
    tokio::time::timeout(PATIENCE, fixture.atlas.until(|_| lists() >= before + 20)).await.unwrap();
    assert_eq!(proxies.settled_effects().await, writes, "{}", proxies.recording.listing());
}

#[tokio::test]
async fn one_claim_and_one_write_per_change_lead_to_available() {
    let fixture = Fixture::new().await;
    let proxies = fixture.proxies().await;
    let _operator = fixture.operator_behind(&proxies);
    fixture.create("orders", json!({"cloudProviderEndpointId": VPC_ENDPOINT})).await;
    fixture.until_reason("orders", "Available").await;
    proxies.settled_effects().await;
    let writes: Vec<_> = proxies
        .recording
        .effects()
        .into_iter()
        .filter(|exchange| exchange.path.contains("serverlessprivateendpoints/"))
        .map(|exchange| {
            format!(
                "{} {}",
                exchange.method,
                if exchange.path.contains("/status") { "status" } else { "object" }
            )
        })
        .collect();
    // The claim; then RESERVATION_REQUESTED, RESERVED or INITIATING (whichever is seen), AVAILABLE.
    assert_eq!(
        writes.iter().filter(|write| *write == "PATCH object").count(),
        1,
        "{}",
        proxies.recording.listing()
    );
    assert!((2..=4).contains(&(writes.len() - 1)), "{}", proxies.recording.listing());
}

#[tokio::test]
async fn a_watched_object_is_never_read_for_its_referrers() {
    let fixture = Fixture::new().await;
    let proxies = fixture.proxies().await;
    let (api_version, name) = EndpointSource::Ack.api_version_and_kind();
    let kind = kinds::kind(api_version, name, "vpcendpoints");
    fixture.control_plane.install_crd(&kinds::open_definition(&kind)).await.unwrap();
    let client = fixture.control_plane.client().await.unwrap();
    let objects: Api<DynamicObject> = Api::namespaced_with(client, &fixture.namespace, &kind);
    let network = json!({
        "apiVersion": api_version, "kind": name, "metadata": {"name": "network"},
        "status": {"vpcEndpointID": VPC_ENDPOINT},
    });
    objects.create(&PostParams::default(), &serde_json::from_value(network).unwrap()).await.unwrap();
    let _operator = fixture.operator_behind(&proxies);
    let reference = json!({"apiVersion": api_version, "kind": name, "name": "network"});
    fixture.create("orders", json!({"cloudProviderEndpointRef": reference})).await;
    fixture.until_reason("orders", "Available").await;
    let lists = || fixture.atlas.count(|entry| entry.is(Operation::List) && entry.executed());
    for round in 0..20 {
        let before = lists();
        fixture.annotate("orders", json!({"atlas.spe-operator.io/take-over": format!("{round}")})).await;
        let reconciled = fixture.atlas.until(|_| lists() > before);
        tokio::time::timeout(PATIENCE, reconciled).await.expect("the operator reconciles at once");
    }
    let of_the_kind = |exchange: &Exchange| exchange.path.contains("/vpcendpoints");
    let paths = proxies.recording.exchanges().into_iter().filter(of_the_kind).map(|exchange| exchange.path);
    let paths: Vec<_> = paths.collect();
    assert_eq!(paths.len(), 2, "a list and a watch: {paths:#?}");
}
