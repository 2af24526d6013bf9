//! Credentials that change, are deleted, or are only remembered: nothing is lost, and each is used only as permitted.

use std::time::Duration;

use atlas_simulator::{
    DEFAULT_CLIENT_ID, DEFAULT_CLIENT_SECRET, DEFAULT_INSTANCE, DEFAULT_PRIVATE_KEY, DEFAULT_PROJECT,
    DEFAULT_PUBLIC_KEY, Entry, Fault, Key, NoAccess, Operation, Role, Rule,
};
use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use kube::api::{DeleteParams, PostParams};
use serde_json::json;
use spe_operator::serverless::crd::{self, ServerlessPrivateEndpoint};
use testbed::Process;

use crate::bench::{Bench, PATIENCE, SECRET, VPC_ENDPOINT, assert_condition, condition};

const NEXT_PUBLIC: &str = "nextkeyx";
const NEXT_PRIVATE: &str = "9d0f0a52-6d1e-4b97-a0c4-51e2d7f98b61";

/// Waits until Atlas handles the POST.
async fn until_post_is_under_way(bench: &Bench) {
    let sent = |entry: &Entry| entry.is(Operation::Create) && entry.challenged.is_none();
    let under_way = bench.atlas.until(|atlas| atlas.count(sent) == 1);
    tokio::time::timeout(PATIENCE, under_way).await.unwrap();
    assert_eq!(bench.atlas.executed(Operation::Create), 0, "it was not under way any more");
}

#[tokio::test]
async fn a_key_that_is_rotated_while_a_post_is_under_way_loses_nothing_and_needs_no_restart() {
    let bench = Bench::new().await;
    let slow = Fault::delayed(Duration::from_millis(1500));
    bench.atlas.inject(Rule::next_of(Operation::Create, slow));
    let _operator = bench.operator();
    bench.create("orders", json!({})).await;
    until_post_is_under_way(&bench).await;
    bench.atlas.add_key(NEXT_PUBLIC, Key::owner(NEXT_PRIVATE));
    bench.put_secret(&[("publicApiKey", NEXT_PUBLIC), ("privateApiKey", NEXT_PRIVATE)]).await;
    bench.atlas.remove_key(DEFAULT_PUBLIC_KEY);
    bench.until_reason("orders", "Reserved").await;
    bench.edit("orders", json!({"cloudProviderEndpointId": VPC_ENDPOINT})).await;
    bench.until_reason("orders", "Available").await;
    let with_next = |entry: &Entry| entry.is(Operation::Update) && entry.key.as_deref() == Some(NEXT_PUBLIC);
    assert_eq!(bench.atlas.count(with_next), 1);
    bench.delete("orders").await;
    bench.until_gone("orders").await;
    assert_eq!((bench.atlas.executed(Operation::Create), bench.endpoints().len()), (1, 0));
}

#[tokio::test]
async fn a_service_account_leads_through_the_whole_life_in_the_versioned_api() {
    let bench = Bench::new().await;
    bench.put_secret(&[("clientId", DEFAULT_CLIENT_ID), ("clientSecret", DEFAULT_CLIENT_SECRET)]).await;
    let _operator = bench.operator_with(&["--atlas-api=v2"]);
    bench.create("orders", json!({"comment": "orders"})).await;
    bench.until_reason("orders", "Reserved").await;
    bench.edit("orders", json!({"cloudProviderEndpointId": VPC_ENDPOINT, "comment": "orders, prod"})).await;
    let available = bench.until_reason("orders", "Available").await;
    // The versioned API announces its end in each response.
    assert_condition(&available, "ApiSunset", "True", "SunsetAnnounced");
    assert!(bench.endpoints()[0].comment.as_ref().unwrap().starts_with("orders, prod [k8s:"));
    // A token that Atlas has forgotten is replaced, and no call is lost for it.
    bench.atlas.revoke_tokens();
    bench.delete("orders").await;
    bench.until_gone("orders").await;
    assert_eq!((bench.atlas.executed(Operation::Create), bench.endpoints().len()), (1, 0));
    assert_eq!(bench.atlas.executed(Operation::Token), 2);
    let of_endpoints = |entry: &Entry| entry.operation.is_some_and(|o| o != Operation::Token);
    let versioned = |entry: &Entry| entry.path.starts_with("/api/atlas/v2/groups/");
    assert!(bench.atlas.journal().iter().filter(|entry| of_endpoints(entry)).all(versioned));
}

#[tokio::test]
async fn the_secret_of_a_service_account_is_rotated_without_a_restart() {
    let bench = Bench::new().await;
    bench.put_secret(&[("clientId", DEFAULT_CLIENT_ID), ("clientSecret", DEFAULT_CLIENT_SECRET)]).await;
    let _operator = bench.operator();
    bench.create("orders", json!({})).await;
    bench.until_reason("orders", "Reserved").await;
    let next = "mdb_sa_sk_the-next-secret-of-the-account";
    bench.atlas.configure(|settings| {
        settings.service_accounts.insert(DEFAULT_CLIENT_ID.to_owned(), Key::owner(next));
    });
    bench.atlas.revoke_tokens();
    bench.put_secret(&[("clientId", DEFAULT_CLIENT_ID), ("clientSecret", next)]).await;
    bench.edit("orders", json!({"cloudProviderEndpointId": VPC_ENDPOINT})).await;
    bench.until_reason("orders", "Available").await;
    assert_eq!(bench.atlas.executed(Operation::Create), 1);
}

#[tokio::test]
async fn a_key_that_is_only_remembered_deletes_what_carries_our_mark_and_gives_no_mark_back() {
    let bench = Bench::new().await;
    let _operator = bench.operator();
    bench.create("orders", json!({})).await;
    let id = bench.until_reason("orders", "Reserved").await.status.unwrap().id.unwrap();
    assert!(bench.atlas.edit_endpoint(&id, |endpoint| endpoint.comment = Some("without a mark".to_owned())));
    bench.secrets.delete(SECRET, &DeleteParams::default()).await.unwrap();
    bench.delete("orders").await;
    let waiting = bench.until_reason("orders", "CredentialsNotFound").await;
    assert_condition(&waiting, "Reconciling", "True", "ProgressingWithRetry");
    let message = &condition(&waiting, "Ready").unwrap().message;
    for word in [id.as_str(), "mark", "Secret atlas-api", "Retain"] {
        assert!(message.contains(word), "{word} is not in {message}");
    }
    let writes = |operation| bench.atlas.executed(operation);
    assert_eq!((writes(Operation::Update), writes(Operation::Delete)), (0, 0));
    // Each of the ways out that the message names works; here the Secret comes back.
    bench.put_secret(&[("publicApiKey", DEFAULT_PUBLIC_KEY), ("privateApiKey", DEFAULT_PRIVATE_KEY)]).await;
    bench.until_gone("orders").await;
    assert_eq!((writes(Operation::Update), bench.endpoints().len()), (1, 0));
}

#[tokio::test]
async fn an_endpoint_without_a_mark_and_without_a_key_is_released_by_retain_or_by_its_end_in_atlas() {
    let bench = Bench::new().await;
    let _operator = bench.operator();
    for name in ["kept", "ended"] {
        bench.create(name, json!({})).await;
        let id = bench.until_reason(name, "Reserved").await.status.unwrap().id.unwrap();
        assert!(bench.atlas.edit_endpoint(&id, |endpoint| endpoint.comment = None));
    }
    let ended = bench.get("ended").await.status.unwrap().id.unwrap();
    bench.secrets.delete(SECRET, &DeleteParams::default()).await.unwrap();
    for name in ["kept", "ended"] {
        bench.delete(name).await;
        bench.until_reason(name, "CredentialsNotFound").await;
    }
    bench.edit("kept", json!({"deletionPolicy": "Retain"})).await;
    bench.until_gone("kept").await;
    assert!(bench.atlas.remove_endpoint(&ended));
    bench.until_gone("ended").await;
    assert_eq!((bench.atlas.executed(Operation::Update), bench.endpoints().len()), (0, 1));
}

/// A Secret with other credentials in the operator's namespace, and the flags that use it for the objects of
/// `namespace`.
pub(crate) async fn own_key(bench: &Bench, namespace: &str) -> [String; 2] {
    bench.atlas.add_key(NEXT_PUBLIC, Key::owner(NEXT_PRIVATE));
    let name = format!("own-key-of-{}", bench.namespace);
    let secret = json!({
        "metadata": {"name": name},
        "stringData": {"publicApiKey": NEXT_PUBLIC, "privateApiKey": NEXT_PRIVATE},
    });
    let client = bench.control_plane.client().await.unwrap();
    let secrets: Api<Secret> = Api::namespaced(client, "default");
    secrets.create(&PostParams::default(), &serde_json::from_value(secret).unwrap()).await.unwrap();
    [format!("--default-credentials-secret={name}"), format!("--default-credentials-namespaces={namespace}")]
}

#[tokio::test]
async fn the_operators_own_key_serves_objects_that_name_none_and_never_those_that_do() {
    let bench = Bench::new().await;
    let flags = own_key(&bench, &bench.namespace).await;
    let _operator = bench.operator_with(&flags.each_ref().map(String::as_str));
    bench.create("named", json!({"credentialsRef": {"name": "missing"}})).await;
    let refused = bench.until_reason("named", "CredentialsNotFound").await;
    assert!(condition(&refused, "Ready").unwrap().message.contains("Secret missing"));
    assert_eq!(bench.atlas.journal().len(), 0);
    bench.create("orders", json!({"credentialsRef": null})).await;
    bench.until_reason("orders", "Reserved").await;
}

#[tokio::test]
async fn the_operators_own_key_serves_no_namespace_that_it_is_not_for() {
    let bench = Bench::new().await;
    let flags = own_key(&bench, "elsewhere").await;
    let _operator = bench.operator_with(&flags.each_ref().map(String::as_str));
    bench.create("orders", json!({"credentialsRef": null})).await;
    let refused = bench.until_reason("orders", "CredentialsNotFound").await;
    let message = &condition(&refused, "Ready").unwrap().message;
    assert!(message.contains("credentialsRef") && message.contains("this namespace"), "{message}");
    assert_eq!(bench.atlas.journal().len(), 0);
    // Nothing was ever written, so nothing holds it.
    bench.delete("orders").await;
    bench.until_gone("orders").await;
}

/// An object at RESERVED that is being deleted and whose Secret was deleted first, and an operator that has never used
/// its credentials.
async fn left_without_a_key() -> Bench {
    let bench = Bench::new().await;
    let first = bench.operator();
    bench.create("orders", json!({})).await;
    bench.until_reason("orders", "Reserved").await;
    drop(first);
    bench.secrets.delete(SECRET, &DeleteParams::default()).await.unwrap();
    bench.delete("orders").await;
    bench
}

#[tokio::test]
async fn a_deletion_uses_the_key_that_worked_when_its_secret_is_gone() {
    let bench = Bench::new().await;
    let _operator = bench.operator();
    bench.create("orders", json!({})).await;
    bench.until_reason("orders", "Reserved").await;
    bench.secrets.delete(SECRET, &DeleteParams::default()).await.unwrap();
    bench.delete("orders").await;
    bench.until_gone("orders").await;
    assert!(bench.endpoints().is_empty());
}

#[tokio::test]
async fn a_deletion_without_any_key_waits_and_names_the_way_out() {
    let bench = left_without_a_key().await;
    let _second = bench.operator();
    let waiting = bench
        .until("orders", "waiting", |object| {
            condition(object, "Ready").is_some_and(|ready| ready.message.contains("Retain"))
        })
        .await;
    assert_condition(&waiting, "Ready", "False", "CredentialsNotFound");
    bench.edit("orders", json!({"deletionPolicy": "Retain"})).await;
    bench.until_gone("orders").await;
    assert_eq!(bench.endpoints().len(), 1);
}

#[tokio::test]
async fn a_deletion_whose_secret_went_first_is_finished_with_the_operators_own_key() {
    let bench = left_without_a_key().await;
    let flags = own_key(&bench, &bench.namespace).await;
    let _second = bench.operator_with(&flags.each_ref().map(String::as_str));
    bench.until_gone("orders").await;
    assert!(bench.endpoints().is_empty());
}

/// A RESERVED object whose Secret is deleted, and the operator that remembers its credentials and has its own.
async fn left_with_a_remembered_key_and_the_operators_own() -> (Bench, Process) {
    let bench = Bench::new().await;
    let flags = own_key(&bench, &bench.namespace).await;
    let operator = bench.operator_with(&flags.each_ref().map(String::as_str));
    bench.create("orders", json!({})).await;
    bench.until_reason("orders", "Reserved").await;
    bench.secrets.delete(SECRET, &DeleteParams::default()).await.unwrap();
    (bench, operator)
}

#[tokio::test]
async fn a_remembered_key_that_atlas_refuses_gives_way_to_the_operators_own() {
    let (bench, _operator) = left_with_a_remembered_key_and_the_operators_own().await;
    bench.atlas.remove_key(DEFAULT_PUBLIC_KEY);
    bench.delete("orders").await;
    bench.until_gone("orders").await;
    assert!(bench.endpoints().is_empty());
    let with_own = |entry: &Entry| entry.is(Operation::Delete) && entry.key.as_deref() == Some(NEXT_PUBLIC);
    assert!(bench.atlas.count(with_own) > 0);
}

#[tokio::test]
async fn a_refusal_in_another_project_takes_no_key_from_a_deletion() {
    let bench = Bench::new().await;
    let flags = own_key(&bench, &bench.namespace).await;
    let _operator = bench.operator_with(&flags.each_ref().map(String::as_str));
    let other = "c".repeat(24);
    bench.atlas.configure(|settings| {
        settings.add_instance(&other, DEFAULT_INSTANCE);
        settings.variants.no_access = NoAccess::NotInGroup;
    });
    bench
        .atlas
        .add_key(DEFAULT_PUBLIC_KEY, Key::of_project(DEFAULT_PRIVATE_KEY, DEFAULT_PROJECT, Role::Owner));
    bench.create("orders", json!({})).await;
    bench.until_reason("orders", "Reserved").await;
    bench.create("elsewhere", json!({"projectId": other})).await;
    bench.until_reason("elsewhere", "Unauthorized").await;
    bench.secrets.delete(SECRET, &DeleteParams::default()).await.unwrap();
    bench.delete("orders").await;
    bench.until_gone("orders").await;
    let deletes = |key: &str| {
        bench.atlas.count(|entry| entry.is(Operation::Delete) && entry.key.as_deref() == Some(key))
    };
    assert!(deletes(DEFAULT_PUBLIC_KEY) > 0);
    assert_eq!((deletes(NEXT_PUBLIC), bench.endpoints().len()), (0, 0));
}

#[tokio::test]
async fn a_deletion_whose_keys_atlas_all_refuses_waits_and_names_the_way_out() {
    let (bench, _operator) = left_with_a_remembered_key_and_the_operators_own().await;
    for key in [DEFAULT_PUBLIC_KEY, NEXT_PUBLIC] {
        bench.atlas.remove_key(key);
    }
    bench.delete("orders").await;
    let blocked = |object: &ServerlessPrivateEndpoint| {
        let message = condition(object, "Ready").map(|ready| ready.message.as_str()).unwrap_or_default();
        message.contains(NEXT_PUBLIC) && message.contains("Retain")
    };
    let waiting = bench.until("orders", "blocked by the last key there is", blocked).await;
    assert_condition(&waiting, "Ready", "False", "Unauthorized");
    bench.edit("orders", json!({"deletionPolicy": "Retain"})).await;
    bench.until_gone("orders").await;
    assert_eq!((bench.atlas.executed(Operation::Delete), bench.endpoints().len()), (0, 1));
}

/// An object of this name that carries our finalizer from the start.
async fn create_held(bench: &Bench, name: &str) {
    let manifest = json!({
        "apiVersion": "atlas.spe-operator.io/v1alpha1",
        "kind": "ServerlessPrivateEndpoint",
        "metadata": {"name": name, "finalizers": [crd::FINALIZER]},
        "spec": {
            "projectId": DEFAULT_PROJECT, "instanceName": DEFAULT_INSTANCE, "credentialsRef": {"name": SECRET},
        },
    });
    bench.objects.create(&PostParams::default(), &serde_json::from_value(manifest).unwrap()).await.unwrap();
}

#[tokio::test]
async fn a_deleted_secret_serves_no_later_object_of_the_name() {
    let bench = Bench::new().await;
    let _operator = bench.operator();
    bench.create("orders", json!({"deletionPolicy": "Retain"})).await;
    bench.until_reason("orders", "Reserved").await;
    bench.delete("orders").await;
    bench.until_gone("orders").await;
    bench.secrets.delete(SECRET, &DeleteParams::default()).await.unwrap();
    let before = bench.atlas.journal().len();
    create_held(&bench, "orders").await;
    bench.until_reason("orders", "CredentialsNotFound").await;
    bench.delete("orders").await;
    let waits = |object: &ServerlessPrivateEndpoint| {
        condition(object, "Ready").is_some_and(|ready| ready.message.contains("Retain"))
    };
    bench.until("orders", "waiting", waits).await;
    bench.edit("orders", json!({"deletionPolicy": "Retain"})).await;
    bench.until_gone("orders").await;
    assert_eq!(bench.endpoints().len(), 1, "the endpoint that was retained");
    assert_eq!(
        bench.atlas.journal().len(),
        before,
        "nothing was asked with credentials that were taken away"
    );
}

#[tokio::test]
async fn a_deleted_secret_creates_nothing_any_more() {
    let bench = Bench::new().await;
    let _operator = bench.operator();
    bench.create("orders", json!({})).await;
    bench.until_reason("orders", "Reserved").await;
    bench.secrets.delete(SECRET, &DeleteParams::default()).await.unwrap();
    bench.create("payments", json!({})).await;
    bench.until_reason("payments", "CredentialsNotFound").await;
    assert_eq!(bench.atlas.executed(Operation::Create), 1);
}

#[tokio::test]
async fn a_missing_secret_is_read_once_for_all_who_name_it() {
    let bench = Bench::new().await;
    let proxies = bench.proxies().await;
    let _operator = bench.operator_behind(&proxies);
    let names: Vec<_> = (0..20).map(|n| format!("orders-{n}")).collect();
    for name in &names {
        bench.create(name, json!({"credentialsRef": {"name": "missing"}})).await;
    }
    for name in &names {
        bench.until_reason(name, "CredentialsNotFound").await;
    }
    let reads = proxies.tape.count(|exchange| exchange.path.ends_with("/secrets/missing"));
    assert!((1..=6).contains(&reads), "{}", proxies.tape.listing());
    // A user who creates it and requests a reconcile does not wait for the next read.
    let secret = json!({
        "metadata": {"name": "missing"},
        "stringData": {"publicApiKey": DEFAULT_PUBLIC_KEY, "privateApiKey": DEFAULT_PRIVATE_KEY},
    });
    bench.secrets.create(&PostParams::default(), &serde_json::from_value(secret).unwrap()).await.unwrap();
    bench.look("orders-0", "now").await;
    let reserved = bench.until_reason("orders-0", "Reserved");
    let in_time = tokio::time::timeout(Duration::from_secs(8), reserved).await;
    assert!(in_time.is_ok(), "the Secret is not read at once: {}", proxies.tape.listing());
}
