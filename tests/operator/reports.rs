//! Reports by status, events, output and log: true at every moment, and published once.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use atlas_simulator::{DEFAULT_INSTANCE, DEFAULT_PROJECT, Endpoint, Operation};
use domain::status::EventReason;
use futures::StreamExt;
use k8s_openapi::api::core::v1::ConfigMap;
use k8s_openapi::api::events::v1::Event;
use kube::Api;
use kube::api::ListParams;
use kube::runtime::watcher::{self, watcher};
use serde::Serialize;
use serde_json::{Value, json};
use spe_operator::serverless::crd::ServerlessPrivateEndpoint;
use test_support::{Fixture, PATIENCE, VPC_ENDPOINT, assert_condition, condition};
use testbed::{Action, Exchange, FakeResponse, Process};

/// Events that need more than one object, or an existing endpoint: no row of the tables publishes them.
pub(crate) const EVENTS: [EventReason; 2] = [EventReason::VpcEndpointShared, EventReason::EndpointObserved];

/// Every version of the objects of one kind from now on, as JSON.
fn versions<K>(api: Api<K>) -> Arc<Mutex<Vec<Value>>>
where
    K: kube::Resource + Clone + std::fmt::Debug + Serialize + serde::de::DeserializeOwned + Send + 'static,
{
    let versions = Arc::new(Mutex::new(Vec::new()));
    let recorded = Arc::clone(&versions);
    tokio::spawn(async move {
        let mut events = std::pin::pin!(watcher(api, watcher::Config::default()));
        while let Some(event) = events.next().await {
            if let Ok(watcher::Event::Apply(object)) = event {
                recorded.lock().unwrap().push(serde_json::to_value(object).unwrap());
            }
        }
    });
    versions
}

/// The notes of the events of this reason about the object.
async fn notes(fixture: &Fixture, name: &str, reason: EventReason) -> Vec<String> {
    let events: Api<Event> =
        Api::namespaced(fixture.control_plane.client().await.unwrap(), &fixture.namespace);
    let events = events.list(&ListParams::default()).await.unwrap();
    let about = events.items.into_iter().filter(|event| {
        let regarding = event.regarding.as_ref().and_then(|regarding| regarding.name.as_deref());
        regarding == Some(name) && event.reason.as_deref() == Some(reason.as_str())
    });
    about.filter_map(|event| event.note).collect()
}

/// Waits until such an event exists.
async fn until_event(fixture: &Fixture, name: &str, reason: EventReason, word: &str) {
    let published = tokio::time::timeout(PATIENCE, async {
        while !notes(fixture, name, reason).await.iter().any(|note| note.contains(word)) {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    });
    published.await.unwrap_or_else(|_| panic!("no event {reason} of {name} contains {word}"));
}

#[tokio::test]
async fn no_report_names_the_service_of_a_lost_endpoint() {
    let fixture = Fixture::new().await;
    let _operator = fixture.operator();
    let maps: Api<ConfigMap> =
        Api::namespaced(fixture.control_plane.client().await.unwrap(), &fixture.namespace);
    fixture.create("orders", json!({"outputConfigMap": {"name": "output"}})).await;
    let before = fixture.until_reason("orders", "Reserved").await.status.unwrap();
    let (old, old_service) = (before.id.unwrap(), before.endpoint_service_name.unwrap());
    let (objects, outputs) = (versions(fixture.objects.clone()), versions(maps));
    assert!(fixture.atlas.remove_endpoint(&old));
    fixture.request_reconcile("orders", "1").await;
    let is_replaced = |object: &ServerlessPrivateEndpoint| {
        let status = object.status.as_ref().unwrap();
        status.id.as_ref() != Some(&old) && status.endpoint_service_name.is_some()
    };
    let after = fixture.until("orders", "reserved again", is_replaced).await;
    assert_condition(&after, "EndpointServiceAvailable", "True", "ServiceReserved");
    let status = after.status.unwrap();
    let service = status.endpoint_service_name.unwrap();
    until_event(&fixture, "orders", EventReason::EndpointServiceReserved, &service).await;
    let notes_of_service = notes(&fixture, "orders", EventReason::EndpointServiceReserved).await;
    assert_eq!(
        notes_of_service.iter().filter(|note| note.contains(&old_service)).count(),
        1,
        "{notes_of_service:?}"
    );

    let objects = objects.lock().unwrap().clone();
    let is_lost = |object: &&Value| object["status"]["endpointServiceName"] != old_service.as_str();
    let lost = objects.iter().position(|object| is_lost(&object)).expect("the loss is shown");
    assert_eq!(
        objects[lost]["status"]["_id"],
        old.as_str(),
        "the loss is reported before another is claimed"
    );
    for object in &objects[lost..] {
        assert!(!object["status"].to_string().contains(&old_service), "{object:#}");
    }
    for output in outputs.lock().unwrap().iter() {
        let pair = (&output["data"]["id"], &output["data"]["endpointServiceName"]);
        let (old, old_service) = (json!(old), json!(old_service));
        let (new, service) = (json!(status.id), json!(service));
        assert!(pair == (&old, &old_service) || pair == (&new, &service), "{output:#}");
    }
}

/// A status keeps its message beyond a restart: it must not collect the links of several settings.
#[tokio::test]
async fn a_message_links_to_where_the_pages_are_and_links_once() {
    let page = "docs/troubleshooting.md#credentialsnotfound";
    let fixture = Fixture::new().await;
    let operator = fixture.operator_with(&["--docs-base-url=https://git.example/spe-operator/blob/v1"]);
    fixture.create("orders", json!({"credentialsRef": {"name": "nowhere"}})).await;
    let link = format!("(https://git.example/spe-operator/blob/v1/{page})");
    let links_to = |link: String| {
        move |object: &ServerlessPrivateEndpoint| {
            condition(object, "Ready").is_some_and(|ready| ready.message.ends_with(&link))
        }
    };
    fixture.until("orders", "linked to the URL", links_to(link.clone())).await;
    until_event(&fixture, "orders", EventReason::CredentialsNotFound, &link).await;
    drop(operator);
    let _operator = fixture.operator();
    let object = fixture.until("orders", "linked to the path", links_to(format!("({page})"))).await;
    for condition in object.status.unwrap().conditions {
        assert!(condition.message.matches(page).count() <= 1, "{}", condition.message);
    }
}

#[tokio::test]
async fn a_shared_vpc_endpoint_is_reported_while_two_objects_declare_it() {
    let fixture = Fixture::new().await;
    let _operator = fixture.operator();
    let fields = || json!({"cloudProviderEndpointId": VPC_ENDPOINT});
    fixture.create("orders", fields()).await;
    fixture.until_reason("orders", "Available").await;
    fixture.create("payroll", fields()).await;
    let names = |other: &'static str| {
        move |object: &ServerlessPrivateEndpoint| {
            condition(object, "EndpointConnected").is_some_and(|found| found.message.contains(other))
        }
    };
    for (name, other) in [("orders", "payroll"), ("payroll", "orders")] {
        fixture.until_reason(name, "Available").await;
        let object = fixture.until(name, "reported with the other", names(other)).await;
        assert_condition(&object, "Ready", "True", "Available");
        assert_condition(&object, "EndpointConnected", "True", "Available");
        until_event(&fixture, name, EventReason::VpcEndpointShared, other).await;
    }
    fixture.edit("payroll", json!({"cloudProviderEndpointId": "vpce-0a1b2c3d4e5f60719"})).await;
    let alone = |object: &ServerlessPrivateEndpoint| !names("payroll")(object);
    fixture.until("orders", "reported alone", alone).await;
}

#[tokio::test]
async fn an_observed_endpoint_is_reported_as_observed_not_adopted() {
    let fixture = Fixture::new().await;
    let endpoint = Endpoint::reserved(Some("made by hand".to_owned()));
    let id = fixture.atlas.insert_endpoint(DEFAULT_PROJECT, DEFAULT_INSTANCE, endpoint);
    let _operator = fixture.operator();
    fixture.create("orders", json!({"endpointId": id, "managementPolicy": "Observe"})).await;
    fixture.until_reason("orders", "Reserved").await;
    until_event(&fixture, "orders", EventReason::EndpointObserved, &id).await;
    assert_eq!(notes(&fixture, "orders", EventReason::EndpointAdopted).await, [""; 0]);
}

#[tokio::test]
async fn a_fault_with_a_varying_text_is_one_write_and_one_warning() {
    let fixture = Fixture::new().await;
    let proxies = fixture.proxies().await;
    let operator = fixture.operator_behind(&proxies);
    fixture.create("orders", json!({})).await;
    fixture.until_reason("orders", "Reserved").await;
    let is_list = |e: &Exchange| e.proxy == "atlas" && e.method == "GET" && e.path.ends_with("/endpoint");
    let responses = Mutex::new(0);
    proxies.recording.always(is_list, move || {
        let mut responses = responses.lock().unwrap();
        *responses += 1;
        let detail = format!("Unexpected error {responses} at {:?}", std::time::SystemTime::now());
        let body = json!({"error": 500, "errorCode": "UNEXPECTED_ERROR", "detail": detail}).to_string();
        Action::Respond(FakeResponse { status: 500, headers: vec![], body: body.into() })
    });
    let requests = || proxies.recording.count(is_list);
    let before = requests();
    // Changes no generation and requests no echo in the status.
    fixture.annotate("orders", json!({"atlas.spe-operator.io/take-over": "0"})).await;
    fixture.until_synced("orders", "AtlasUnavailable").await;
    let patches = || proxies.recording.count(|e| e.method == "PATCH" && e.path.contains("/orders/status"));
    let written = patches();
    let mut edits = 0;
    while requests() < before + 20 {
        edits += 1;
        fixture.annotate("orders", json!({"atlas.spe-operator.io/take-over": format!("{edits}")})).await;
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert!(edits < 600, "the operator keeps requesting");
    }
    assert_eq!(patches(), written, "{}", proxies.recording.listing());
    until_event(&fixture, "orders", EventReason::AtlasUnavailable, "UNEXPECTED_ERROR").await;
    assert_eq!(notes(&fixture, "orders", EventReason::AtlasUnavailable).await.len(), 1);
    let lines = operator.output();
    let warned: Vec<_> = lines.iter().filter(|line| line.contains("reason=AtlasUnavailable")).collect();
    assert_eq!(warned.len(), 1, "{warned:#?}");
    for word in ["WARN", &fixture.namespace, "name=orders", "UNEXPECTED_ERROR"] {
        assert!(warned[0].contains(word), "{word} is not in {}", warned[0]);
    }
    assert_eq!(fixture.atlas.executed(Operation::Create), 1);
}

#[tokio::test]
async fn the_log_contains_no_debug_output() {
    let fixture = Fixture::new().await;
    let operator = fixture.operator();
    fixture.create("orders", json!({"cloudProviderEndpointId": VPC_ENDPOINT})).await;
    fixture.until_reason("orders", "Available").await;
    fixture.delete("orders").await;
    fixture.until_gone("orders").await;
    assert_no_debug_output(&operator);
}

#[tokio::test]
async fn the_log_of_a_failing_object_contains_no_debug_output() {
    let fixture = Fixture::new().await;
    let operator = fixture.operator();
    for (name, fields, reason) in [
        ("missing-secret", json!({"credentialsRef": {"name": "nowhere"}}), "CredentialsNotFound"),
        ("wrong-instance", json!({"instanceName": "nowhere"}), "InstanceNotFound"),
    ] {
        fixture.create(name, fields).await;
        fixture.until_reason(name, reason).await;
    }
    fixture.put_secret(&[("publicApiKey", "nobody"), ("privateApiKey", "wrong")]).await;
    fixture.create("wrong-key", json!({})).await;
    fixture.until_reason("wrong-key", "Unauthorized").await;
    for reason in ["CredentialsNotFound", "InstanceNotFound", "Unauthorized"] {
        operator.wait_for_line(&format!("reason={reason}"), PATIENCE).await.unwrap();
    }
    assert_no_debug_output(&operator);
}

/// Fails if a line of the operator's own holds the Debug form of a value: a type's name with its fields behind it.
#[track_caller]
fn assert_no_debug_output(operator: &Process) {
    let is_type = |word: &str| {
        word.starts_with(|c: char| c.is_ascii_uppercase()) && word.contains(|c: char| c.is_ascii_lowercase())
    };
    for line in operator.output().iter().filter(|line| line.contains("spe_operator")) {
        for debug in ["Some(", "None", "Origin", "steps=\""] {
            assert!(!line.contains(debug), "{line}");
        }
        let opened = line.match_indices('(').map(|(at, _)| &line[..at]);
        let opened = opened.filter_map(|text| text.rsplit([' ', '=', '"', '(']).next());
        let braced =
            line.match_indices(" {").filter_map(|(at, _)| line[..at].rsplit([' ', '=', '"', '(']).next());
        let debug: Vec<_> = opened.chain(braced).filter(|word| is_type(word)).collect();
        assert!(debug.is_empty(), "{debug:?} in {line}");
    }
}
