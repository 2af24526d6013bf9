//! Listings and watches that get no response: the operator recovers within a minute, and is not ready meanwhile.

use std::fmt::Debug;
use std::time::Duration;

use atlas_simulator::DEFAULT_PROJECT;
use kube::api::PostParams;
use kube::core::NamespaceResourceScope;
use kube::{Api, Resource};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use spe_operator::endpoint::crd::PrivateEndpoint;
use spe_operator::endpoint_service::crd::PrivateEndpointService;
use test_support::{Fixture, PATIENCE, VPC_ENDPOINT};
use testbed::{Action, Exchange, Process, Proxy};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::secrets::metrics;

fn is_ours(exchange: &Exchange) -> bool {
    exchange.method == "GET" && exchange.path.contains("/serverlessprivateendpoints?")
}

/// A page of the listing, not the check whether the kind is served.
fn is_page(exchange: &Exchange) -> bool {
    is_ours(exchange) && exchange.path.contains("limit=10")
}

fn is_watch(exchange: &Exchange) -> bool {
    is_ours(exchange) && exchange.is_watch() && !exchange.path.contains("timeoutSeconds=1&")
}

/// Returns the response of `/readyz`.
async fn readyz(operator: &Process) -> String {
    let line = operator.wait_for_line("serving /livez", PATIENCE).await.unwrap();
    let address = line.split("address=\"").nth(1).unwrap_or_else(|| panic!("no address in {line}"));
    let mut stream = TcpStream::connect(address.split('"').next().unwrap()).await.unwrap();
    stream.write_all(b"GET /readyz HTTP/1.1\r\nHost: operator\r\nConnection: close\r\n\r\n").await.unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).await.unwrap();
    text
}

/// Waits for this response of `/readyz`.
async fn until_readyz(operator: &Process, words: &str) {
    let reported = async {
        while !readyz(operator).await.contains(words) {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let reported = tokio::time::timeout(PATIENCE, reported).await;
    assert!(reported.is_ok(), "{words} is not in {}", readyz(operator).await);
}

async fn survives_a_first_listing_without_a_response(flags: &[&str]) {
    let fixture = Fixture::new().await;
    let proxies = fixture.proxies().await;
    proxies.recording.next(is_page, Action::HangRequest);
    let operator = fixture.operator_behind_with(&proxies, flags);
    fixture.create("orders", json!({})).await;
    proxies.recording.wait_for(1, is_page, PATIENCE).await.unwrap();
    until_readyz(&operator, "watch: the objects are being listed").await;
    assert!(readyz(&operator).await.starts_with("HTTP/1.1 503 "));
    fixture.until_reason("orders", "Reserved").await;
    until_readyz(&operator, "HTTP/1.1 200 ").await;
}

#[tokio::test]
async fn a_first_listing_without_a_response_is_retried() {
    survives_a_first_listing_without_a_response(&[]).await;
}

#[tokio::test]
async fn a_leader_retries_a_first_listing_without_a_response() {
    let lease = format!("--lease-name=deaf-{}", std::process::id());
    survives_a_first_listing_without_a_response(&["--leader-elect", "--lease-namespace=default", &lease])
        .await;
}

/// After the watch has ended like this, the next request of that kind gets no response.
async fn survives_an_end_of_the_watch(end: impl Fn(&Proxy), hangs: fn(&Exchange) -> bool) {
    let fixture = Fixture::new().await;
    let proxies = fixture.proxies().await;
    let _operator = fixture.operator_behind(&proxies);
    fixture.create("first", json!({})).await;
    fixture.until_reason("first", "Reserved").await;
    proxies.recording.next(hangs, Action::HangRequest);
    let before = proxies.recording.count(hangs);
    end(&proxies.cluster);
    proxies.recording.wait_for(before + 1, hangs, PATIENCE).await.unwrap();
    fixture.create("orders", json!({})).await;
    fixture.until_reason("orders", "Reserved").await;
}

#[tokio::test]
async fn an_interrupted_watch_without_a_response_is_retried() {
    survives_an_end_of_the_watch(Proxy::close_watches, is_watch).await;
}

#[tokio::test]
async fn a_relisting_without_a_response_is_retried() {
    survives_an_end_of_the_watch(Proxy::expire_watches, is_page).await;
}

/// Returns how long no event arrived, according to `/metrics`.
async fn silence(operator: &Process) -> f64 {
    let metrics = metrics(operator).await;
    let value = metrics.lines().find_map(|line| line.strip_prefix("atlas_spe_watch_silence_seconds "));
    value.unwrap_or_else(|| panic!("{metrics}")).parse().unwrap()
}

#[tokio::test]
async fn a_silent_watch_makes_the_operator_not_ready() {
    let fixture = Fixture::new().await;
    let operator = fixture.operator_with(&["--watch-silence=5s"]);
    fixture.create("orders", json!({"interval": "1h"})).await;
    fixture.until_reason("orders", "Reserved").await;
    until_readyz(&operator, "HTTP/1.1 200 ").await;
    // Nothing happens, and a bookmark comes once a minute.
    until_readyz(&operator, "watch: no data arrived on the watch").await;
    let first = silence(&operator).await;
    assert!(first >= 5.0, "{first}");
    until_readyz(&operator, &format!("for {} s", Duration::from_secs_f64(first).as_secs() + 1)).await;
    assert!(silence(&operator).await > first);
    fixture.request_reconcile("orders", "1").await;
    until_readyz(&operator, "HTTP/1.1 200 ").await;
    assert!(silence(&operator).await < first);
}

#[tokio::test]
async fn an_operator_whose_watches_open_and_bring_nothing_is_not_ready() {
    let fixture = Fixture::new().await;
    let proxies = fixture.proxies().await;
    let operator = fixture.operator_behind_with(&proxies, &["--watch-silence=5s"]);
    fixture.create("orders", json!({"interval": "1h"})).await;
    fixture.until_reason("orders", "Reserved").await;
    proxies.recording.always(is_watch, || Action::status(200));
    proxies.cluster.close_watches();
    until_readyz(&operator, "watch: no data arrived on the watch").await;
    proxies.recording.forget_plan();
    // Each kind has a watch of its own, and one without a change brings nothing for longer than that.
    fixture.request_reconcile("orders", "1").await;
    let service =
        json!({"projectId": DEFAULT_PROJECT, "provider": "AWS", "region": "US_EAST_1", "suspend": true});
    let endpoint = json!({"serviceRef": {"name": "main"}, "aws": {"id": VPC_ENDPOINT}, "suspend": true});
    create::<PrivateEndpointService>(&fixture, service).await;
    create::<PrivateEndpoint>(&fixture, endpoint).await;
    until_readyz(&operator, "HTTP/1.1 200 ").await;
}

/// Creates an object of another kind.
async fn create<K>(fixture: &Fixture, spec: Value)
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
        + Serialize
        + DeserializeOwned
        + Clone
        + Debug,
{
    let client = fixture.control_plane.client().await.unwrap();
    let objects: Api<K> = Api::namespaced(client, &fixture.namespace);
    let (api_version, kind) = (K::api_version(&()), K::kind(&()));
    let object = json!({"apiVersion": api_version, "kind": kind, "metadata": {"name": "main"}, "spec": spec});
    objects.create(&PostParams::default(), &serde_json::from_value(object).unwrap()).await.unwrap();
}

#[tokio::test]
async fn a_revoked_watch_permission_makes_the_operator_not_ready() {
    let fixture = Fixture::new().await;
    let proxies = fixture.proxies().await;
    let operator = fixture.operator_behind(&proxies);
    fixture.create("orders", json!({})).await;
    fixture.until_reason("orders", "Reserved").await;
    until_readyz(&operator, "HTTP/1.1 200 ").await;
    proxies.recording.always(is_ours, || Action::kubernetes(403, "Forbidden"));
    proxies.cluster.close_watches();
    until_readyz(&operator, "responds 403 to `watch`").await;
    assert!(readyz(&operator).await.starts_with("HTTP/1.1 503 "));
    proxies.recording.forget_plan();
    until_readyz(&operator, "HTTP/1.1 200 ").await;
    fixture.delete("orders").await;
    fixture.until_gone("orders").await;
}
