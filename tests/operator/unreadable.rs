//! Objects that no general decoder reads, as a user with write access can create them: they stop no other object.

use std::time::{Duration, Instant};

use atlas_simulator::Operation;
use domain::reference::EndpointSource;
use k8s_openapi::api::events::v1::Event;
use kube::api::{ApiResource, ListParams, Patch, PatchParams, PostParams};
use kube::core::DynamicObject;
use kube::{Api, Client};
use serde_json::{Value, json};
use test_support::{Fixture, PATIENCE, SECRET, VPC_ENDPOINT};
use testbed::{Action, Exchange, kinds};

/// The path of our objects.
const OURS: &str = "apis/atlas.spe-operator.io/v1alpha1";

/// Managed fields of a time that jiff does not know, and some that are nested deeper than `serde_json` goes.
pub(crate) const POISONS: [fn() -> Value; 2] = [late, deep];

fn late() -> Value {
    managed("9999-12-31T23:59:59Z", &json!({"f:metadata": {"f:labels": {"f:x": {}}}}))
}

fn deep() -> Value {
    let nested = (0..300).fold(json!({}), |inner, _| json!({ "f:a": inner }));
    managed("2026-01-01T00:00:00Z", &json!({"f:metadata": {"f:labels": {"f:x": {}}}, "f:spec": nested}))
}

fn managed(time: &str, fields: &Value) -> Value {
    json!({
        "manager": "poison", "operation": "Apply", "apiVersion": "v1", "time": time,
        "fieldsType": "FieldsV1", "fieldsV1": fields,
    })
}

/// An object at this path, read and written as text: no client could decode it.
pub(crate) struct Raw {
    client: Client,
    path: String,
}

impl Raw {
    pub(crate) async fn at(fixture: &Fixture, api: &str, plural: &str, name: &str) -> Self {
        let client = fixture.control_plane.client().await.unwrap();
        Self { client, path: format!("/{api}/namespaces/{}/{plural}/{name}", fixture.namespace) }
    }

    async fn ours(fixture: &Fixture, name: &str) -> Self {
        Self::at(fixture, OURS, "serverlessprivateendpoints", name).await
    }

    async fn send(&self, method: &str, kind: &str, body: &Value) -> kube::Result<String> {
        let request = http::Request::builder().method(method).uri(&self.path);
        let request = request.header("content-type", format!("application/{kind}"));
        self.client.request_text(request.body(body.to_string().into_bytes()).unwrap()).await
    }

    async fn text(&self) -> String {
        self.client.request_text(http::Request::get(&self.path).body(Vec::new()).unwrap()).await.unwrap()
    }

    /// Sets the managed fields to this, and checks that no typed client reads the object now.
    pub(crate) async fn poison(&self, poison: &Value) {
        let api_version = serde_json::from_str::<Value>(&self.text().await).unwrap()["apiVersion"].clone();
        let mut value = poison.clone();
        value["apiVersion"] = api_version;
        self.merge(&json!({"metadata": {"labels": {"x": "x"}}})).await;
        let first = json!([{"op": "add", "path": "/metadata/managedFields", "value": [value]}]);
        let patched = self.send("PATCH", "json-patch+json", &first).await;
        assert!(patched.is_ok(), "{patched:?}: {}", self.text().await);
        let text = self.text().await;
        assert!(serde_json::from_str::<DynamicObject>(&text).is_err(), "it is no poison: {text}");
    }

    async fn merge(&self, patch: &Value) {
        self.send("PATCH", "merge-patch+json", patch).await.unwrap();
    }

    /// Waits until the text of the object holds this.
    async fn until(&self, word: &str) {
        let holds = async {
            while !self.text().await.contains(word) {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        let held = tokio::time::timeout(PATIENCE, holds).await;
        assert!(held.is_ok(), "{word} is not in {}", self.text().await);
    }

    /// Waits until the object no longer exists.
    async fn until_gone(&self) {
        let gone = async {
            let request = || http::Request::get(&self.path).body(Vec::new()).unwrap();
            while self.client.request_text(request()).await.is_ok() {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        tokio::time::timeout(PATIENCE, gone).await.expect("it is never released");
    }
}

#[tokio::test]
async fn a_poisoned_object_in_the_first_listing_delays_no_other() {
    let (fixture, other) = (Fixture::new().await, Fixture::new().await);
    let mut poisoned = Vec::new();
    for (number, poison) in POISONS.iter().enumerate() {
        let name = format!("a-{number}");
        fixture.create(&name, json!({})).await;
        let raw = Raw::ours(&fixture, &name).await;
        raw.poison(&poison()).await;
        poisoned.push(raw);
    }
    for fixture in [&fixture, &other] {
        fixture.create("orders", json!({})).await;
    }
    let operator = fixture.operator_with(&[&format!("--watch-namespaces={}", other.namespace)]);
    for fixture in [&fixture, &other] {
        fixture.until_reason("orders", "Reserved").await;
    }
    // What is poisoned is nothing that is read, so these are served as well, to the end.
    for raw in &poisoned {
        raw.until("\"reason\":\"Reserved\"").await;
        raw.send("DELETE", "json", &json!({})).await.unwrap();
        raw.until_gone().await;
    }
    assert_eq!(fixture.endpoints().len(), 2, "those of the two orders");
    let log = operator.output().join("\n");
    assert!(!log.contains("9999-12-31") && !log.contains("fieldsV1"), "the log repeats an object: {log}");
}

#[tokio::test]
async fn many_poisoned_events_delay_no_other_object() {
    let fixture = Fixture::new().await;
    let _operator = fixture.operator();
    fixture.create("first", json!({})).await;
    fixture.until_reason("first", "Reserved").await;
    for (number, poison) in POISONS.iter().enumerate() {
        let name = format!("poisoned-{number}");
        fixture.create(&name, json!({"suspend": true})).await;
        let raw = Raw::ours(&fixture, &name).await;
        raw.poison(&poison()).await;
        for edit in 0..20 {
            raw.merge(&json!({"metadata": {"labels": {"edit": edit.to_string()}}})).await;
        }
    }
    let begun = Instant::now();
    fixture.edit("first", json!({"cloudProviderEndpointId": VPC_ENDPOINT})).await;
    let sent = fixture.atlas.until(|atlas| atlas.executed(Operation::Update) == 1);
    tokio::time::timeout(PATIENCE, sent).await.unwrap();
    assert!(begun.elapsed() < Duration::from_secs(5), "it took {:?}", begun.elapsed());
}

/// Makes an object unreadable: an annotation that the operator reads has this many bytes.
async fn spoil(fixture: &Fixture, name: &str, bytes: usize) {
    fixture.annotate(name, json!({"reconcile.fluxcd.io/requestedAt": "x".repeat(bytes)})).await;
}

/// Returns the event that says that the object cannot be read.
async fn event_about(fixture: &Fixture, name: &str) -> Option<Event> {
    let events: Api<Event> =
        Api::namespaced(fixture.control_plane.client().await.unwrap(), &fixture.namespace);
    let about = |event: &Event| {
        event.reason.as_deref() == Some("ObjectUnreadable")
            && event.regarding.as_ref().and_then(|object| object.name.as_deref()) == Some(name)
    };
    events.list(&ListParams::default()).await.unwrap().items.into_iter().find(about)
}

/// Waits for that event.
async fn until_reported(fixture: &Fixture, name: &str) -> Event {
    let is_about_it = async {
        loop {
            if let Some(event) = event_about(fixture, name).await {
                return event;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(PATIENCE, is_about_it).await.unwrap()
}

#[tokio::test]
async fn an_unreadable_object_is_reported_once() {
    let fixture = Fixture::new().await;
    let operator = fixture.operator();
    fixture.create("orders", json!({"suspend": true})).await;
    fixture.until_reason("orders", "Suspended").await;
    for bytes in 2049..2059 {
        spoil(&fixture, "orders", bytes).await;
    }
    fixture.create("other", json!({})).await;
    fixture.until_reason("other", "Reserved").await;
    let lines = operator.output();
    let warnings = lines.iter().filter(|line| line.contains("cannot decode the object")).count();
    assert_eq!(warnings, 1, "{lines:#?}");
}

#[tokio::test]
async fn unreadable_objects_of_a_namespace_delay_no_other_event() {
    let (fixture, hostile) = (Fixture::new().await, Fixture::new().await);
    let proxies = fixture.proxies().await;
    let _operator =
        fixture.operator_behind_with(&proxies, &[&format!("--watch-namespaces={}", hostile.namespace)]);
    let events = format!("/namespaces/{}/events", hostile.namespace);
    let publishes = move |exchange: &Exchange| exchange.method == "POST" && exchange.path.contains(&events);
    proxies.recording.always(publishes.clone(), || Action::HangRequest);
    let names = (0..20).map(|number| format!("orders-{number}")).collect::<Vec<_>>();
    for name in &names {
        hostile.create(name, json!({"suspend": true})).await;
    }
    fixture.create("orders", json!({"suspend": true})).await;
    for name in &names {
        spoil(&hostile, name, 3000).await;
    }
    proxies.recording.wait_for(8, publishes, PATIENCE).await.unwrap();
    spoil(&fixture, "orders", 3000).await;
    until_reported(&fixture, "orders").await;
    // What could not be published is, with the next event of its object.
    proxies.recording.forget_plan();
    let all = async {
        for name in &names {
            for bytes in 3001.. {
                if event_about(&hostile, name).await.is_some() {
                    break;
                }
                spoil(&hostile, name, bytes).await;
                tokio::time::sleep(Duration::from_millis(500)).await;
            }
        }
    };
    tokio::time::timeout(PATIENCE, all).await.unwrap();
}

#[tokio::test]
async fn an_unreadable_object_is_named_and_not_changed() {
    let fixture = Fixture::new().await;
    let operator = fixture.operator();
    fixture.create("orders", json!({})).await;
    fixture.until_reason("orders", "Reserved").await;
    // Longer than any token, by an attacker who wants to fill the memory.
    let word = "atlas.spe-operator.io/take-over";
    fixture.annotate("orders", json!({word: "x".repeat(3000)})).await;
    let event = until_reported(&fixture, "orders").await;
    assert_eq!(
        (event.type_.as_deref(), event.regarding.unwrap().name.as_deref()),
        (Some("Warning"), Some("orders"))
    );
    let note = event.note.unwrap();
    assert!(note.contains(word) && note.contains("more than 2048 bytes") && !note.contains("xxx"), "{note}");
    // Neither its deletion nor an edit leads to anything, and others are served meanwhile.
    fixture.edit("orders", json!({"cloudProviderEndpointId": VPC_ENDPOINT})).await;
    fixture.delete("orders").await;
    fixture.create("other", json!({})).await;
    fixture.until_reason("other", "Reserved").await;
    let writes = |operation| fixture.atlas.executed(operation);
    assert_eq!((writes(Operation::Delete), writes(Operation::Update)), (0, 0));
    assert!(fixture.get("orders").await.metadata.finalizers.is_some());
    let lines = operator.output();
    let warnings = lines.iter().filter(|line| line.contains("cannot decode the object")).count();
    assert_eq!(warnings, 1, "{lines:#?}");
    // Corrected, it continues from where it was.
    fixture.annotate("orders", json!({word: null})).await;
    fixture.until_gone("orders").await;
    assert_eq!((writes(Operation::Delete), fixture.endpoints().len()), (1, 1));
}

#[tokio::test]
async fn a_poisoned_secret_or_config_map_is_read_and_written_like_any_other() {
    let fixture = Fixture::new().await;
    let _operator = fixture.operator();
    for poison in POISONS {
        let maps: Api<k8s_openapi::api::core::v1::ConfigMap> =
            Api::namespaced(fixture.control_plane.client().await.unwrap(), &fixture.namespace);
        let _ = maps.delete("network", &kube::api::DeleteParams::default()).await;
        let network = json!({"metadata": {"name": "network"}, "data": {"vpce": VPC_ENDPOINT}});
        maps.create(&PostParams::default(), &serde_json::from_value(network).unwrap()).await.unwrap();
        fixture
            .put_secret(&[
                ("publicApiKey", atlas_simulator::DEFAULT_PUBLIC_KEY),
                ("privateApiKey", atlas_simulator::DEFAULT_PRIVATE_KEY),
            ])
            .await;
        Raw::at(&fixture, "api/v1", "secrets", SECRET).await.poison(&poison()).await;
        Raw::at(&fixture, "api/v1", "configmaps", "network").await.poison(&poison()).await;
        fixture.create("orders", json!({"outputConfigMap": {"name": "output"}})).await;
        fixture.until_reason("orders", "Reserved").await;
        let output = Raw::at(&fixture, "api/v1", "configmaps", "output").await;
        output.until("endpointServiceName").await;
        output.poison(&poison()).await;
        let reference = json!({"apiVersion": "v1", "kind": "ConfigMap", "name": "network", "key": "vpce"});
        fixture.edit("orders", json!({"cloudProviderEndpointRef": reference})).await;
        fixture.until_reason("orders", "Available").await;
        output.until(VPC_ENDPOINT).await;
        fixture.edit("orders", json!({"outputConfigMap": null})).await;
        output.until_gone().await;
        fixture.delete("orders").await;
        fixture.until_gone("orders").await;
    }
}

#[tokio::test]
async fn a_poisoned_object_of_another_kind_stops_no_watch() {
    let fixture = Fixture::new().await;
    let (api_version, name) = EndpointSource::Ack.api_version_and_kind();
    let kind: ApiResource = kinds::kind(api_version, name, "vpcendpoints");
    fixture.control_plane.install_crd(&kinds::open_definition(&kind)).await.unwrap();
    let client = fixture.control_plane.client().await.unwrap();
    let objects: Api<DynamicObject> = Api::namespaced_with(client, &fixture.namespace, &kind);
    let names = ["a-late", "b-deep", "network"];
    for name in names {
        let object = json!({"apiVersion": kind.api_version, "kind": kind.kind, "metadata": {"name": name}});
        objects.create(&PostParams::default(), &serde_json::from_value(object).unwrap()).await.unwrap();
    }
    let raws = [
        Raw::at(&fixture, api_version_path(&kind).as_str(), "vpcendpoints", names[0]).await,
        Raw::at(&fixture, api_version_path(&kind).as_str(), "vpcendpoints", names[1]).await,
    ];
    for (raw, poison) in raws.iter().zip(POISONS) {
        raw.poison(&poison()).await;
    }
    let _operator = fixture.operator();
    for name in names {
        let reference = json!({"apiVersion": kind.api_version, "kind": kind.kind, "name": name});
        fixture.create(name, json!({"cloudProviderEndpointRef": reference})).await;
        fixture.until_reason(name, "AwaitingVpcEndpoint").await;
    }
    // The watch delivers the change at once; without it the next reconcile would be seconds away.
    let begun = Instant::now();
    let patch = Patch::Merge(json!({"status": {"vpcEndpointID": VPC_ENDPOINT}}));
    objects.patch(names[2], &PatchParams::default(), &patch).await.unwrap();
    let sent = fixture.atlas.until(|atlas| atlas.executed(Operation::Update) == 1);
    tokio::time::timeout(PATIENCE, sent).await.unwrap();
    assert!(begun.elapsed() < Duration::from_secs(5), "it took {:?}", begun.elapsed());
    // What is poisoned is nothing that is read.
    raws[0].merge(&json!({"status": {"vpcEndpointID": "vpce-0a1b2c3d4e5f60719"}})).await;
    fixture.until_reason(names[0], "Available").await;
}

fn api_version_path(kind: &ApiResource) -> String {
    format!("apis/{}", kind.api_version)
}
