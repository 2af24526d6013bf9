//! The ConfigMaps for other tools: what they hold of a service and of an endpoint, and when they are written, kept and removed.

use std::time::Duration;

use atlas_simulator::{DedicatedPace, Operation};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::Api;
use kube::api::PostParams;
use serde_json::{Value, json};
use test_support::PATIENCE;
use test_support::dedicated::{CLUSTER, DedicatedFixture, assert_condition_of, is_condition, message_of};
use testbed::{Action, Exchange};

use super::{NEXT_VPC, VPC};

/// The output of the service object.
const NETWORK: &str = "main-network";

/// The output of the endpoint object.
const STRINGS: &str = "orders-strings";

/// A fixture, its ConfigMaps, and what both objects have in common.
struct OutputFixture {
    fixture: DedicatedFixture,
    maps: Api<ConfigMap>,
}

impl OutputFixture {
    async fn new() -> Self {
        Self::at_pace(DedicatedPace::of(Duration::from_millis(300))).await
    }

    async fn at_pace(pace: DedicatedPace) -> Self {
        let fixture = DedicatedFixture::at_pace(pace).await;
        let client = fixture.base.control_plane.client().await.unwrap();
        let maps = Api::namespaced(client, &fixture.base.namespace);
        Self { fixture, maps }
    }

    /// Applies a service and an endpoint with outputs, and waits until both are Ready.
    async fn apply(&self) -> (Value, Value) {
        self.fixture.apply_service("main", json!({"outputConfigMap": {"name": NETWORK}})).await;
        self.fixture.make_vpc_endpoint("main", VPC).await;
        let fields = json!({"clusters": [CLUSTER], "outputConfigMap": {"name": STRINGS}});
        self.fixture.apply_endpoint("orders", "main", VPC, fields).await;
        let endpoint = self.fixture.endpoints.until_ready("orders", "True", "Available").await;
        (self.fixture.services.until_ready("main", "True", "Available").await, endpoint)
    }

    /// Waits until the ConfigMap satisfies `holds`.
    async fn until(&self, name: &str, holds: impl Fn(Option<&ConfigMap>) -> bool) -> Option<ConfigMap> {
        let mut last = None;
        let found = tokio::time::timeout(PATIENCE, async {
            loop {
                last = self.maps.get_opt(name).await.unwrap();
                if holds(last.as_ref()) {
                    return last.clone();
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        });
        let found = found.await.ok();
        found.unwrap_or_else(|| panic!("ConfigMap {name} never was as wanted: {last:#?}"))
    }

    async fn until_there(&self, name: &str) -> ConfigMap {
        self.until(name, |map| map.is_some()).await.unwrap()
    }

    async fn until_gone(&self, name: &str) {
        self.until(name, |map| map.is_none()).await;
    }
}

fn entry<'a>(map: Option<&'a ConfigMap>, key: &str) -> &'a str {
    map.and_then(|map| map.data.as_ref()?.get(key)).map_or("", String::as_str)
}

fn keys(map: &ConfigMap) -> Vec<&str> {
    map.data.iter().flatten().map(|(key, _)| key.as_str()).collect()
}

#[tokio::test]
async fn the_outputs_hold_what_other_tools_need_of_both_objects() {
    let outputs = OutputFixture::new().await;
    let _operator = outputs.fixture.operator();
    let (service, endpoint) = outputs.apply().await;
    let network = outputs.until_there(NETWORK).await;
    assert_eq!(keys(&network), ["endpointServiceName", "regionName", "serviceId"]);
    for key in keys(&network) {
        assert_eq!(entry(Some(&network), key), service["status"][key], "{key}");
    }
    let strings = outputs.until_there(STRINGS).await;
    assert_eq!(keys(&strings), ["endpointId", "serviceId", "srv_orders", "standard_orders"]);
    let shown = &endpoint["status"]["connectionStrings"][0];
    for (key, value) in [
        ("endpointId", &endpoint["status"]["endpointId"]),
        ("serviceId", &endpoint["status"]["serviceId"]),
        ("srv_orders", &shown["srv"]),
        ("standard_orders", &shown["standard"]),
    ] {
        assert_eq!(entry(Some(&strings), key), *value, "{key}");
    }
    for (map, object) in [(network, service), (strings, endpoint)] {
        // Kubernetes deletes it with the object.
        assert_eq!(map.metadata.owner_references.unwrap()[0].uid, object["metadata"]["uid"]);
        assert_eq!(map.metadata.labels.unwrap()["reconcile.fluxcd.io/watch"], "Enabled");
    }
}

#[tokio::test]
async fn outputs_exist_only_while_there_is_something_to_hold() {
    let short = DedicatedPace::of(Duration::from_millis(300));
    let pace = DedicatedPace { updating: Duration::from_hours(1), ..short };
    let outputs = OutputFixture::at_pace(pace).await;
    let fixture = &outputs.fixture;
    fixture.base.atlas.set_dedicated_pace(DedicatedPace::of(Duration::from_hours(1)));
    let _operator = fixture.operator();
    let strings = json!({"clusters": [CLUSTER], "outputConfigMap": {"name": STRINGS}});
    fixture.apply_endpoint("orders", "main", VPC, strings).await;
    fixture.apply_service("main", json!({"outputConfigMap": {"name": NETWORK}})).await;
    fixture.services.until_ready("main", "False", "Initiating").await;
    fixture.endpoints.until_ready("orders", "False", "ServiceNotReady").await;
    for name in [NETWORK, STRINGS] {
        assert!(outputs.maps.get_opt(name).await.unwrap().is_none());
    }
    fixture.base.atlas.set_dedicated_pace(pace);
    fixture.make_vpc_endpoint("main", VPC).await;
    outputs.until_there(NETWORK).await;
    fixture.endpoints.until_ready("orders", "False", "AwaitingConnectionString").await;
    let waiting = outputs.until_there(STRINGS).await;
    assert_eq!(keys(&waiting), ["endpointId", "serviceId"], "what waits for a key waits on");
    fixture.base.atlas.set_dedicated_pace(short);
    outputs.until(STRINGS, |map| entry(map, "srv_orders").starts_with("mongodb+srv://")).await;
}

#[tokio::test]
async fn a_renamed_or_removed_output_is_deleted() {
    let outputs = OutputFixture::new().await;
    let fixture = &outputs.fixture;
    let _operator = fixture.operator();
    outputs.apply().await;
    for (objects, object, name) in
        [(&fixture.services, "main", NETWORK), (&fixture.endpoints, "orders", STRINGS)]
    {
        let first = outputs.until_there(name).await;
        let renamed = format!("{name}-2");
        objects.edit(object, json!({"outputConfigMap": {"name": renamed}})).await;
        let second = outputs.until_there(&renamed).await;
        assert_eq!(first.data, second.data);
        outputs.until_gone(name).await;
        // Without a response of Atlas, too.
        objects.edit(object, json!({"suspend": true, "outputConfigMap": null})).await;
        outputs.until_gone(&renamed).await;
        let is_forgotten = |object: &Value| {
            object["metadata"]["annotations"]["atlas.spe-operator.io/output-config-map"].is_null()
        };
        objects.until(object, "without the name of its output", is_forgotten).await;
    }
}

#[tokio::test]
async fn a_foreign_config_map_is_reported_and_never_changed() {
    let outputs = OutputFixture::new().await;
    let fixture = &outputs.fixture;
    let _operator = fixture.operator();
    for name in [NETWORK, STRINGS] {
        let foreign = json!({"metadata": {"name": name}, "data": {"serviceId": "mine"}});
        let foreign = serde_json::from_value(foreign).unwrap();
        outputs.maps.create(&PostParams::default(), &foreign).await.unwrap();
    }
    outputs.apply().await;
    for (objects, object, name) in
        [(&fixture.services, "main", NETWORK), (&fixture.endpoints, "orders", STRINGS)]
    {
        let refused = |object: &Value| is_condition(object, "Synced", "False", "OutputNotWritten");
        let refused = objects.until(object, "refused its output", refused).await;
        assert!(message_of(&refused, "Synced").contains(&format!("ConfigMap {name}")), "{refused:#}");
        assert_condition_of(&refused, "Ready", "True", "Available");
        objects.until_event(object, "OutputNotWritten").await;
        let map = outputs.maps.get_opt(name).await.unwrap();
        assert_eq!(entry(map.as_ref(), "serviceId"), "mine");
        objects.delete(object).await;
    }
    fixture.endpoints.until_gone("orders").await;
    fixture.services.until_gone("main").await;
    for name in [NETWORK, STRINGS] {
        assert!(outputs.maps.get_opt(name).await.unwrap().is_some(), "{name} is not deleted either");
    }
}

#[tokio::test]
async fn a_missing_right_to_write_config_maps_names_its_chart_value() {
    let outputs = OutputFixture::new().await;
    let fixture = &outputs.fixture;
    let proxies = fixture.base.proxies().await;
    proxies.recording.always(|e| e.path.contains("/configmaps"), || Action::kubernetes(403, "Forbidden"));
    let _operator = fixture.base.operator_behind(&proxies);
    outputs.apply().await;
    for (objects, object, name) in
        [(&fixture.services, "main", NETWORK), (&fixture.endpoints, "orders", STRINGS)]
    {
        let refused = |object: &Value| is_condition(object, "Synced", "False", "OutputNotWritten");
        let refused = objects.until(object, "refused its output", refused).await;
        for word in [&format!("ConfigMap {name}"), "integrations.outputConfigMap.enabled"] {
            assert!(message_of(&refused, "Synced").contains(word), "{refused:#}");
        }
    }
    proxies.recording.forget_plan();
    fixture.services.reconcile("main", "granted").await;
    fixture.endpoints.reconcile("orders", "granted").await;
    outputs.until_there(NETWORK).await;
    outputs.until_there(STRINGS).await;
}

fn deletes_map(exchange: &Exchange) -> bool {
    exchange.path.contains("/configmaps") && exchange.method == "DELETE"
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_service_leaves_both_outputs_before_another_takes_its_place() {
    let outputs = OutputFixture::new().await;
    let fixture = &outputs.fixture;
    let proxies = fixture.base.proxies().await;
    // Shorter than the gap between two listings: a loss is certain once it is confirmed.
    let _operator = fixture.base.operator_behind_with(&proxies, &["--visibility-window=100ms"]);
    outputs.apply().await;
    let first = outputs.until_there(NETWORK).await;
    outputs.until(STRINGS, |map| !entry(map, "srv_orders").is_empty()).await;
    proxies.recording.always(deletes_map, || Action::kubernetes(500, "InternalError"));
    assert!(fixture.base.atlas.remove_service(&fixture.atlas_service().id));
    fixture.services.reconcile("main", "noticed").await;
    let refused = |object: &Value| is_condition(object, "Synced", "False", "OutputNotWritten");
    fixture.services.until("main", "unable to remove its output", refused).await;
    let tried = proxies.recording.count(deletes_map);
    let again = tokio::time::timeout(PATIENCE, async {
        while proxies.recording.count(deletes_map) < tried + 2 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    });
    again.await.expect("the removal is tried again");
    assert_eq!(fixture.requests(Operation::CreateService).len(), 1, "the output still names what is lost");
    fixture.services.until_event("main", "ServiceLost").await;
    proxies.recording.forget_plan();
    let is_another = |map: Option<&ConfigMap>| {
        let name = entry(map, "endpointServiceName");
        !name.is_empty() && name != entry(Some(&first), "endpointServiceName")
    };
    outputs.until(NETWORK, is_another).await;
    fixture.services.until_ready("main", "True", "Available").await;
    assert_eq!(fixture.requests(Operation::CreateService).len(), 2);
    fixture.endpoints.reconcile_until_ready("orders", "False", "VpcEndpointStale").await;
    outputs.until_gone(STRINGS).await;
}

#[tokio::test]
async fn the_former_endpoint_stays_in_the_output_until_the_next_has_its_strings() {
    let pace =
        DedicatedPace { updating: Duration::from_secs(2), ..DedicatedPace::of(Duration::from_millis(300)) };
    let outputs = OutputFixture::at_pace(pace).await;
    let fixture = &outputs.fixture;
    let _operator = fixture.operator();
    outputs.apply().await;
    let before = outputs.until(STRINGS, |map| !entry(map, "srv_orders").is_empty()).await;
    fixture.make_vpc_endpoint("main", NEXT_VPC).await;
    fixture.endpoints.edit("orders", json!({"aws": {"id": NEXT_VPC}})).await;
    let is_awaited = |object: &Value| is_condition(object, "Ready", "False", "AwaitingConnectionString");
    fixture.endpoints.until("orders", "connected", is_awaited).await;
    assert_eq!(outputs.until_there(STRINGS).await.data, before.unwrap().data);
    assert!(fixture.requests(Operation::DeleteEndpoint).is_empty(), "nor is it removed");
    let holds_next = |map: Option<&ConfigMap>| {
        entry(map, "endpointId") == NEXT_VPC && !entry(map, "srv_orders").is_empty()
    };
    outputs.until(STRINGS, holds_next).await;
    fixture.endpoints.until_ready("orders", "True", "Available").await;
    fixture.until_atlas("its end", |fixture| fixture.atlas_endpoints().len() == 1).await;
}

#[tokio::test]
async fn one_listing_without_the_endpoint_takes_nothing_out() {
    let outputs = OutputFixture::new().await;
    let fixture = &outputs.fixture;
    let proxies = fixture.base.proxies().await;
    let _operator = fixture.base.operator_behind(&proxies);
    outputs.apply().await;
    let [network, strings] = [NETWORK, STRINGS].map(|name| outputs.until_there(name));
    let before = (network.await, strings.await);
    let lists = |exchange: &Exchange| exchange.method == "GET" && exchange.path.ends_with("/endpointService");
    let empty = || {
        let headers = vec![("content-type".to_owned(), "application/json".to_owned())];
        Action::Respond(testbed::FakeResponse { status: 200, headers, body: "[]".into() })
    };
    proxies.recording.next(lists, empty());
    fixture.services.reconcile("main", "wrong").await;
    proxies.recording.next(lists, empty());
    fixture.endpoints.reconcile("orders", "wrong").await;
    fixture.services.reconcile("main", "right").await;
    fixture.endpoints.reconcile("orders", "right").await;
    let after = (outputs.until_there(NETWORK).await, outputs.until_there(STRINGS).await);
    assert_eq!(after, before, "not even written");
    assert_eq!(proxies.recording.count(|exchange| exchange.planned), 2);
}
