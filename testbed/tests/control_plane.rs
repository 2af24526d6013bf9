//! The control plane is a real one, shared by the tests of a program, and the definitions that it installs can be used
//! at once.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a failed test is a panic")]

use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{Api, DynamicObject, ListParams, ObjectMeta, PostParams};
use serde_json::{Value, json};
use testbed::{control_plane, kinds};

fn definition(plural: &str, kind: &str) -> Value {
    kinds::open_definition(&kinds::kind("example.com/v1", kind, plural))
}

#[tokio::test]
async fn the_api_server_reports_its_pinned_version() {
    let client = control_plane().await.unwrap().client().await.unwrap();
    let version = client.apiserver_version().await.unwrap();
    assert!(version.git_version.starts_with("v1."), "{}", version.git_version);
}

#[tokio::test]
async fn each_test_has_a_namespace_of_its_own() {
    let cluster = control_plane().await.unwrap();
    let first = cluster.create_namespace("room").await.unwrap();
    let second = cluster.create_namespace("room").await.unwrap();
    assert!(first.starts_with("room-") && second.starts_with("room-"));
    assert_ne!(first, second);
    let client = cluster.client().await.unwrap();
    let metadata = ObjectMeta { name: Some("only-here".to_owned()), ..ObjectMeta::default() };
    let map = ConfigMap { metadata, ..ConfigMap::default() };
    Api::<ConfigMap>::namespaced(client.clone(), &first).create(&PostParams::default(), &map).await.unwrap();
    assert!(Api::<ConfigMap>::namespaced(client, &second).get_opt("only-here").await.unwrap().is_none());
}

#[tokio::test]
async fn an_installed_definition_is_usable_at_once() {
    let cluster = control_plane().await.unwrap();
    cluster.install_crd(&definition("widgets", "Widget")).await.unwrap();
    // A client that repeats nothing, so that "initializing" would show.
    let mut config = cluster.config().await.unwrap();
    config.default_retry = false;
    let client = kube::Client::try_from(config).unwrap();
    let kind = kinds::kind("example.com/v1", "Widget", "widgets");
    let widgets: Api<DynamicObject> = Api::default_namespaced_with(client, &kind);
    assert!(widgets.list(&ListParams::default()).await.unwrap().items.is_empty());
    widgets.create(&PostParams::default(), &DynamicObject::new("one", &kind)).await.unwrap();
}

#[tokio::test]
async fn a_definition_is_installed_from_yaml_and_again_after_a_change() {
    let cluster = control_plane().await.unwrap();
    let mut gadgets = definition("gadgets", "Gadget");
    let yaml = serde_json::to_string_pretty(&gadgets).unwrap();
    cluster.install_crd_yaml(&yaml).await.unwrap();
    gadgets["spec"]["names"]["shortNames"] = json!(["gdg"]);
    cluster.install_crd(&gadgets).await.unwrap();
}

#[tokio::test]
async fn a_value_that_is_no_definition_is_refused() {
    let cluster = control_plane().await.unwrap();
    let mut nameless = definition("nameless", "Nameless");
    nameless["metadata"] = json!({"name": "other.example.com"});
    let error = cluster.install_crd(&nameless).await.unwrap_err();
    assert!(format!("{error:#}").contains("other.example.com"), "{error:#}");
    assert!(cluster.install_crd_yaml("kind: [").await.is_err());
}
