//! Credentials that change, are deleted, or are only remembered: nothing is lost, and each is used only as permitted.

use std::time::Duration;

use atlas_simulator::{
    DEFAULT_CLIENT_ID, DEFAULT_CLIENT_SECRET, DEFAULT_INSTANCE, DEFAULT_PRIVATE_KEY, DEFAULT_PROJECT,
    DEFAULT_PUBLIC_KEY, InjectedFault, JournalEntry, Key, NoAccess, Operation, Role, Rule,
};
use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use kube::api::{DeleteParams, PostParams};
use serde_json::json;
use spe_operator::serverless::crd::{self, ServerlessPrivateEndpoint};
use test_support::{Fixture, PATIENCE, SECRET, VPC_ENDPOINT, assert_condition, condition};
use testbed::{Action, Exchange, FakeResponse, Process};

const NEXT_PUBLIC: &str = "nextkeyx";
const NEXT_PRIVATE: &str = "9d0f0a52-6d1e-4b97-a0c4-51e2d7f98b61";

/// Waits until Atlas handles the POST.
async fn until_post_is_in_flight(fixture: &Fixture) {
    let sent = |entry: &JournalEntry| entry.is(Operation::Create) && entry.challenged.is_none();
    let in_flight = fixture.atlas.until(|atlas| atlas.count(sent) == 1);
    tokio::time::timeout(PATIENCE, in_flight).await.unwrap();
    assert_eq!(fixture.atlas.executed(Operation::Create), 0, "it was not in flight any more");
}

#[tokio::test]
async fn a_key_rotated_during_a_post_loses_nothing() {
    let fixture = Fixture::new().await;
    let slow = InjectedFault::delayed(Duration::from_millis(1500));
    fixture.atlas.inject(Rule::next_of(Operation::Create, slow));
    let _operator = fixture.operator();
    fixture.create("orders", json!({})).await;
    until_post_is_in_flight(&fixture).await;
    fixture.atlas.add_key(NEXT_PUBLIC, Key::owner(NEXT_PRIVATE));
    fixture.put_secret(&[("publicApiKey", NEXT_PUBLIC), ("privateApiKey", NEXT_PRIVATE)]).await;
    fixture.atlas.remove_key(DEFAULT_PUBLIC_KEY);
    fixture.until_reason("orders", "Reserved").await;
    fixture.edit("orders", json!({"cloudProviderEndpointId": VPC_ENDPOINT})).await;
    fixture.until_reason("orders", "Available").await;
    let with_next =
        |entry: &JournalEntry| entry.is(Operation::Update) && entry.key.as_deref() == Some(NEXT_PUBLIC);
    assert_eq!(fixture.atlas.count(with_next), 1);
    fixture.delete("orders").await;
    fixture.until_gone("orders").await;
    assert_eq!((fixture.atlas.executed(Operation::Create), fixture.endpoints().len()), (1, 0));
}

#[tokio::test]
async fn a_service_account_serves_the_whole_life_cycle() {
    let fixture = Fixture::new().await;
    fixture.put_secret(&[("clientId", DEFAULT_CLIENT_ID), ("clientSecret", DEFAULT_CLIENT_SECRET)]).await;
    let _operator = fixture.operator_with(&["--atlas-api=v2"]);
    fixture.create("orders", json!({"comment": "orders"})).await;
    fixture.until_reason("orders", "Reserved").await;
    fixture.edit("orders", json!({"cloudProviderEndpointId": VPC_ENDPOINT, "comment": "orders, prod"})).await;
    fixture.until_reason("orders", "Available").await;
    // The versioned API announces its end in each response, so a later one confirms the first.
    let announced = |object: &ServerlessPrivateEndpoint| condition(object, "ApiSunset").is_some();
    let available = fixture.reconcile_until("orders", "announced", announced).await;
    assert_condition(&available, "ApiSunset", "True", "SunsetAnnounced");
    assert!(fixture.endpoints()[0].comment.as_ref().unwrap().starts_with("orders, prod [k8s:"));
    // A token that Atlas has forgotten is replaced, and no call is lost for it.
    fixture.atlas.revoke_tokens();
    fixture.delete("orders").await;
    fixture.until_gone("orders").await;
    assert_eq!((fixture.atlas.executed(Operation::Create), fixture.endpoints().len()), (1, 0));
    assert_eq!(fixture.atlas.executed(Operation::Token), 2);
    let of_endpoints = |entry: &JournalEntry| entry.operation.is_some_and(|o| o != Operation::Token);
    let versioned = |entry: &JournalEntry| entry.path.starts_with("/api/atlas/v2/groups/");
    assert!(fixture.atlas.journal().iter().filter(|entry| of_endpoints(entry)).all(versioned));
}

#[tokio::test]
async fn the_secret_of_a_service_account_is_rotated_without_a_restart() {
    let fixture = Fixture::new().await;
    fixture.put_secret(&[("clientId", DEFAULT_CLIENT_ID), ("clientSecret", DEFAULT_CLIENT_SECRET)]).await;
    let _operator = fixture.operator();
    fixture.create("orders", json!({})).await;
    fixture.until_reason("orders", "Reserved").await;
    let next = "mdb_sa_sk_the-next-secret-of-the-account";
    fixture.atlas.configure(|settings| {
        settings.service_accounts.insert(DEFAULT_CLIENT_ID.to_owned(), Key::owner(next));
    });
    fixture.atlas.revoke_tokens();
    fixture.put_secret(&[("clientId", DEFAULT_CLIENT_ID), ("clientSecret", next)]).await;
    fixture.edit("orders", json!({"cloudProviderEndpointId": VPC_ENDPOINT})).await;
    fixture.until_reason("orders", "Available").await;
    assert_eq!(fixture.atlas.executed(Operation::Create), 1);
}

#[tokio::test]
async fn a_remembered_key_only_deletes_endpoints_with_our_mark() {
    let fixture = Fixture::new().await;
    let _operator = fixture.operator();
    fixture.create("orders", json!({})).await;
    let id = fixture.until_reason("orders", "Reserved").await.status.unwrap().id.unwrap();
    assert!(
        fixture.atlas.edit_endpoint(&id, |endpoint| endpoint.comment = Some("without a mark".to_owned()))
    );
    fixture.secrets.delete(SECRET, &DeleteParams::default()).await.unwrap();
    fixture.delete("orders").await;
    let waiting = fixture.until_reason("orders", "CredentialsNotFound").await;
    assert_condition(&waiting, "Reconciling", "True", "ProgressingWithRetry");
    let message = &condition(&waiting, "Ready").unwrap().message;
    for word in [id.as_str(), "mark", "Secret atlas-api", "Retain"] {
        assert!(message.contains(word), "{word} is not in {message}");
    }
    let writes = |operation| fixture.atlas.executed(operation);
    assert_eq!((writes(Operation::Update), writes(Operation::Delete)), (0, 0));
    // Each of the ways out that the message names works; here the Secret comes back.
    fixture.put_secret(&[("publicApiKey", DEFAULT_PUBLIC_KEY), ("privateApiKey", DEFAULT_PRIVATE_KEY)]).await;
    fixture.until_gone("orders").await;
    assert_eq!((writes(Operation::Update), fixture.endpoints().len()), (1, 0));
}

#[tokio::test]
async fn an_unmarked_endpoint_without_a_key_is_released_by_retain() {
    let fixture = Fixture::new().await;
    let _operator = fixture.operator();
    for name in ["kept", "ended"] {
        fixture.create(name, json!({})).await;
        let id = fixture.until_reason(name, "Reserved").await.status.unwrap().id.unwrap();
        assert!(fixture.atlas.edit_endpoint(&id, |endpoint| endpoint.comment = None));
    }
    let ended = fixture.get("ended").await.status.unwrap().id.unwrap();
    fixture.secrets.delete(SECRET, &DeleteParams::default()).await.unwrap();
    for name in ["kept", "ended"] {
        fixture.delete(name).await;
        fixture.until_reason(name, "CredentialsNotFound").await;
    }
    fixture.edit("kept", json!({"deletionPolicy": "Retain"})).await;
    fixture.until_gone("kept").await;
    assert!(fixture.atlas.remove_endpoint(&ended));
    fixture.until_gone("ended").await;
    assert_eq!((fixture.atlas.executed(Operation::Update), fixture.endpoints().len()), (0, 1));
}

/// A Secret with other credentials in the operator's namespace, and the flags that use it for the objects of
/// `namespace`.
pub(crate) async fn own_key(fixture: &Fixture, namespace: &str) -> [String; 2] {
    fixture.atlas.add_key(NEXT_PUBLIC, Key::owner(NEXT_PRIVATE));
    let name = format!("own-key-of-{}", fixture.namespace);
    let secret = json!({
        "metadata": {"name": name},
        "stringData": {"publicApiKey": NEXT_PUBLIC, "privateApiKey": NEXT_PRIVATE},
    });
    let client = fixture.control_plane.client().await.unwrap();
    let secrets: Api<Secret> = Api::namespaced(client, "default");
    secrets.create(&PostParams::default(), &serde_json::from_value(secret).unwrap()).await.unwrap();
    [format!("--default-credentials-secret={name}"), format!("--default-credentials-namespaces={namespace}")]
}

#[tokio::test]
async fn the_default_key_serves_only_objects_without_a_reference() {
    let fixture = Fixture::new().await;
    let flags = own_key(&fixture, &fixture.namespace).await;
    let _operator = fixture.operator_with(&flags.each_ref().map(String::as_str));
    fixture.create("named", json!({"credentialsRef": {"name": "missing"}})).await;
    let refused = fixture.until_reason("named", "CredentialsNotFound").await;
    assert!(condition(&refused, "Ready").unwrap().message.contains("Secret missing"));
    assert_eq!(fixture.atlas.journal().len(), 0);
    fixture.create("orders", json!({"credentialsRef": null})).await;
    fixture.until_reason("orders", "Reserved").await;
}

#[tokio::test]
async fn the_default_key_serves_only_the_allowed_namespaces() {
    let fixture = Fixture::new().await;
    let flags = own_key(&fixture, "elsewhere").await;
    let _operator = fixture.operator_with(&flags.each_ref().map(String::as_str));
    fixture.create("orders", json!({"credentialsRef": null})).await;
    let refused = fixture.until_reason("orders", "CredentialsNotFound").await;
    let message = &condition(&refused, "Ready").unwrap().message;
    assert!(message.contains("credentialsRef") && message.contains("this namespace"), "{message}");
    assert_eq!(fixture.atlas.journal().len(), 0);
    // Nothing was ever written, so nothing holds it.
    fixture.delete("orders").await;
    fixture.until_gone("orders").await;
}

/// An object at RESERVED that is being deleted and whose Secret was deleted first, and an operator that has never used
/// its credentials.
async fn left_without_a_key() -> Fixture {
    let fixture = Fixture::new().await;
    let first = fixture.operator();
    fixture.create("orders", json!({})).await;
    fixture.until_reason("orders", "Reserved").await;
    drop(first);
    fixture.secrets.delete(SECRET, &DeleteParams::default()).await.unwrap();
    fixture.delete("orders").await;
    fixture
}

#[tokio::test]
async fn a_deletion_uses_the_key_that_worked_when_its_secret_is_gone() {
    let fixture = Fixture::new().await;
    let _operator = fixture.operator();
    fixture.create("orders", json!({})).await;
    fixture.until_reason("orders", "Reserved").await;
    fixture.secrets.delete(SECRET, &DeleteParams::default()).await.unwrap();
    fixture.delete("orders").await;
    fixture.until_gone("orders").await;
    assert!(fixture.endpoints().is_empty());
}

#[tokio::test]
async fn a_transient_404_of_the_api_server_keeps_the_key_of_a_deletion() {
    let fixture = Fixture::new().await;
    let proxies = fixture.proxies().await;
    let _operator = fixture.operator_behind(&proxies);
    fixture.create("orders", json!({})).await;
    fixture.until_reason("orders", "Reserved").await;
    fixture.secrets.delete(SECRET, &DeleteParams::default()).await.unwrap();
    let read = |exchange: &Exchange| {
        exchange.method == "GET" && exchange.path.ends_with("/serverlessprivateendpoints/orders")
    };
    let no_kind = FakeResponse { status: 404, headers: vec![], body: "404 page not found\n".into() };
    proxies.recording.next(read, Action::Respond(no_kind));
    fixture.delete("orders").await;
    fixture.until_gone("orders").await;
    let refused = |exchange: &Exchange| read(exchange) && exchange.status == Some(404);
    assert_eq!((proxies.recording.count(refused), fixture.endpoints().len()), (1, 0));
}

#[tokio::test]
async fn a_deletion_without_any_key_waits_and_names_the_next_step() {
    let fixture = left_without_a_key().await;
    let _second = fixture.operator();
    let waiting = fixture
        .until("orders", "waiting", |object| {
            condition(object, "Ready").is_some_and(|ready| ready.message.contains("Retain"))
        })
        .await;
    assert_condition(&waiting, "Ready", "False", "CredentialsNotFound");
    fixture.edit("orders", json!({"deletionPolicy": "Retain"})).await;
    fixture.until_gone("orders").await;
    assert_eq!(fixture.endpoints().len(), 1);
}

#[tokio::test]
async fn a_deletion_without_its_secret_uses_the_default_key() {
    let fixture = left_without_a_key().await;
    let flags = own_key(&fixture, &fixture.namespace).await;
    let _second = fixture.operator_with(&flags.each_ref().map(String::as_str));
    fixture.until_gone("orders").await;
    assert!(fixture.endpoints().is_empty());
}

/// A RESERVED object whose Secret is deleted, and the operator that remembers its credentials and has its own.
async fn with_a_remembered_key_and_the_default_key() -> (Fixture, Process) {
    let fixture = Fixture::new().await;
    let flags = own_key(&fixture, &fixture.namespace).await;
    let operator = fixture.operator_with(&flags.each_ref().map(String::as_str));
    fixture.create("orders", json!({})).await;
    fixture.until_reason("orders", "Reserved").await;
    fixture.secrets.delete(SECRET, &DeleteParams::default()).await.unwrap();
    (fixture, operator)
}

#[tokio::test]
async fn a_rejected_remembered_key_is_replaced_by_the_default_key() {
    let (fixture, _operator) = with_a_remembered_key_and_the_default_key().await;
    fixture.atlas.remove_key(DEFAULT_PUBLIC_KEY);
    fixture.delete("orders").await;
    fixture.until_gone("orders").await;
    assert!(fixture.endpoints().is_empty());
    let with_own =
        |entry: &JournalEntry| entry.is(Operation::Delete) && entry.key.as_deref() == Some(NEXT_PUBLIC);
    assert!(fixture.atlas.count(with_own) > 0);
}

#[tokio::test]
async fn a_rejection_in_another_project_keeps_the_key_of_a_deletion() {
    let fixture = Fixture::new().await;
    let flags = own_key(&fixture, &fixture.namespace).await;
    let _operator = fixture.operator_with(&flags.each_ref().map(String::as_str));
    let other = "c".repeat(24);
    fixture.atlas.configure(|settings| {
        settings.add_instance(&other, DEFAULT_INSTANCE);
        settings.variants.no_access = NoAccess::NotInGroup;
    });
    fixture
        .atlas
        .add_key(DEFAULT_PUBLIC_KEY, Key::of_project(DEFAULT_PRIVATE_KEY, DEFAULT_PROJECT, Role::Owner));
    fixture.create("orders", json!({})).await;
    fixture.until_reason("orders", "Reserved").await;
    fixture.create("elsewhere", json!({"projectId": other})).await;
    fixture.until_reason("elsewhere", "Unauthorized").await;
    fixture.secrets.delete(SECRET, &DeleteParams::default()).await.unwrap();
    fixture.delete("orders").await;
    fixture.until_gone("orders").await;
    let deletes = |key: &str| {
        fixture.atlas.count(|entry| entry.is(Operation::Delete) && entry.key.as_deref() == Some(key))
    };
    assert!(deletes(DEFAULT_PUBLIC_KEY) > 0);
    assert_eq!((deletes(NEXT_PUBLIC), fixture.endpoints().len()), (0, 0));
}

#[tokio::test]
async fn a_deletion_with_rejected_keys_waits_and_names_the_next_step() {
    let (fixture, _operator) = with_a_remembered_key_and_the_default_key().await;
    for key in [DEFAULT_PUBLIC_KEY, NEXT_PUBLIC] {
        fixture.atlas.remove_key(key);
    }
    fixture.delete("orders").await;
    let blocked = |object: &ServerlessPrivateEndpoint| {
        let message = condition(object, "Ready").map(|ready| ready.message.as_str()).unwrap_or_default();
        message.contains(NEXT_PUBLIC) && message.contains("Retain")
    };
    let waiting = fixture.until("orders", "blocked by the last key there is", blocked).await;
    assert_condition(&waiting, "Ready", "False", "Unauthorized");
    fixture.edit("orders", json!({"deletionPolicy": "Retain"})).await;
    fixture.until_gone("orders").await;
    assert_eq!((fixture.atlas.executed(Operation::Delete), fixture.endpoints().len()), (0, 1));
}

/// An object of this name that carries our finalizer from the start.
async fn create_held(fixture: &Fixture, name: &str) {
    let manifest = json!({
        "apiVersion": "atlas.spe-operator.io/v1alpha1",
        "kind": "ServerlessPrivateEndpoint",
        "metadata": {"name": name, "finalizers": [crd::FINALIZER]},
        "spec": {
            "projectId": DEFAULT_PROJECT, "instanceName": DEFAULT_INSTANCE, "credentialsRef": {"name": SECRET},
        },
    });
    fixture.objects.create(&PostParams::default(), &serde_json::from_value(manifest).unwrap()).await.unwrap();
}

#[tokio::test]
async fn a_deleted_secret_serves_no_later_object_of_the_name() {
    let fixture = Fixture::new().await;
    let _operator = fixture.operator();
    fixture.create("orders", json!({"deletionPolicy": "Retain"})).await;
    fixture.until_reason("orders", "Reserved").await;
    fixture.delete("orders").await;
    fixture.until_gone("orders").await;
    fixture.secrets.delete(SECRET, &DeleteParams::default()).await.unwrap();
    let before = fixture.atlas.journal().len();
    create_held(&fixture, "orders").await;
    fixture.until_reason("orders", "CredentialsNotFound").await;
    fixture.delete("orders").await;
    let waits = |object: &ServerlessPrivateEndpoint| {
        condition(object, "Ready").is_some_and(|ready| ready.message.contains("Retain"))
    };
    fixture.until("orders", "waiting", waits).await;
    fixture.edit("orders", json!({"deletionPolicy": "Retain"})).await;
    fixture.until_gone("orders").await;
    assert_eq!(fixture.endpoints().len(), 1, "the endpoint that was retained");
    assert_eq!(fixture.atlas.journal().len(), before, "no request used the removed credentials");
}

#[tokio::test]
async fn a_deleted_secret_creates_nothing_any_more() {
    let fixture = Fixture::new().await;
    let _operator = fixture.operator();
    fixture.create("orders", json!({})).await;
    fixture.until_reason("orders", "Reserved").await;
    fixture.secrets.delete(SECRET, &DeleteParams::default()).await.unwrap();
    fixture.create("payments", json!({})).await;
    fixture.until_reason("payments", "CredentialsNotFound").await;
    assert_eq!(fixture.atlas.executed(Operation::Create), 1);
}

#[tokio::test]
async fn a_missing_secret_is_read_once_for_all_its_objects() {
    let fixture = Fixture::new().await;
    let proxies = fixture.proxies().await;
    let _operator = fixture.operator_behind(&proxies);
    let names: Vec<_> = (0..20).map(|n| format!("orders-{n}")).collect();
    for name in &names {
        fixture.create(name, json!({"credentialsRef": {"name": "missing"}})).await;
    }
    for name in &names {
        fixture.until_reason(name, "CredentialsNotFound").await;
    }
    let reads = proxies.recording.count(|exchange| exchange.path.ends_with("/secrets/missing"));
    assert!((1..=6).contains(&reads), "{}", proxies.recording.listing());
    // A user who creates it and requests a reconcile does not wait for the next read.
    let secret = json!({
        "metadata": {"name": "missing"},
        "stringData": {"publicApiKey": DEFAULT_PUBLIC_KEY, "privateApiKey": DEFAULT_PRIVATE_KEY},
    });
    fixture.secrets.create(&PostParams::default(), &serde_json::from_value(secret).unwrap()).await.unwrap();
    fixture.request_reconcile("orders-0", "now").await;
    let reserved = fixture.until_reason("orders-0", "Reserved");
    let in_time = tokio::time::timeout(Duration::from_secs(8), reserved).await;
    assert!(in_time.is_ok(), "the Secret is not read at once: {}", proxies.recording.listing());
}
