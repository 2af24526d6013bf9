//! Endpoints that are named by an object of another controller or by a ConfigMap: what is missing is said, and what it names is registered
//! as soon as it is there. The kinds of the others have the definitions that the manual is checked against, so that a field that they do
//! not have is not stored.

use std::fs;
use std::path::Path;
use std::time::Duration;

use atlas_simulator::Operation;
use domain::reference::EndpointSource;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::Api;
use kube::api::{DeleteParams, DynamicObject, Patch, PatchParams, PostParams};
use serde_json::{Value, json};
use test_support::dedicated::{DedicatedFixture, message_of};
use testbed::kinds;

use super::{NEXT_VPC, VPC};

const PRIVATE_ENDPOINT: &str =
    "/subscriptions/0a1b2c3d/resourceGroups/shop/providers/Microsoft.Network/privateEndpoints/orders";

const RULE: &str = "projects/shop-1/regions/us-central1/forwardingRules/orders";

/// The time within which an event of a watch has its effect; a request every 15 s would be too slow.
const SOON: Duration = Duration::from_secs(7);

/// An endpoint in a cloud, and where its parts stand.
struct CloudCase {
    /// The fields of its service.
    service: Value,
    /// The block of the spec that refers to it.
    block: &'static str,
    /// The text that names it.
    name: &'static str,
    /// Its id in Atlas.
    id: &'static str,
    /// What is sent for it besides, if its address is 10.0.0.4.
    sent: Value,
}

impl CloudCase {
    fn aws() -> Self {
        let sent = json!({ "id": VPC });
        Self { service: json!({}), block: "aws", name: VPC, id: VPC, sent }
    }

    fn azure() -> Self {
        Self {
            service: json!({"provider": "AZURE", "region": "US_EAST_2"}),
            block: "azure",
            name: PRIVATE_ENDPOINT,
            id: PRIVATE_ENDPOINT,
            sent: json!({"id": PRIVATE_ENDPOINT, "privateEndpointIPAddress": "10.0.0.4"}),
        }
    }

    fn gcp() -> Self {
        Self {
            service: json!({"provider": "GCP", "region": "CENTRAL_US", "gcp": {"portMapping": true}}),
            block: "gcp",
            name: RULE,
            id: "orders",
            sent: json!({
                "endpointGroupName": "orders", "gcpProjectId": "shop-1",
                "endpoints": [{"endpointName": "orders", "ipAddress": "10.0.0.4"}],
            }),
        }
    }

    /// Makes it, for the service that this object declares.
    async fn make(&self, fixture: &DedicatedFixture) {
        let status = fixture.services.get("main").await["status"].take();
        let atlas = &fixture.base.atlas;
        match self.block {
            "aws" => atlas.make_vpc_endpoint(self.id, status["endpointServiceName"].as_str().unwrap()),
            "azure" => {
                let service = status["privateLinkServiceResourceId"].as_str().unwrap();
                atlas.make_private_endpoint(self.id, service);
            }
            _ => {
                let attachment = status["serviceAttachmentNames"][0].as_str().unwrap();
                assert_eq!(atlas.make_forwarding_rule("shop-1", self.id, attachment), RULE);
            }
        }
    }

    /// Applies a service, and an endpoint with these fields in its block, and waits until the latter misses what it refers to.
    async fn apply(&self, fixture: &DedicatedFixture, fields: Value) {
        fixture.apply_service("main", self.service.clone()).await;
        fixture.services.until_ready("main", "True", "Available").await;
        let mut spec = json!({"serviceRef": {"name": "main"}});
        spec[self.block] = fields;
        fixture.endpoints.apply("orders", spec).await;
        let lacking = fixture.endpoints.until_ready("orders", "False", "ReferenceNotFound").await;
        let message = message_of(&lacking, "Ready");
        assert!(message.contains("network"), "{message}");
    }

    /// Fails unless exactly one endpoint was registered, with this body.
    fn assert_sent(fixture: &DedicatedFixture, body: &Value) {
        let bodies: Vec<Value> = fixture
            .requests(Operation::CreateEndpoint)
            .into_iter()
            .map(|entry| serde_json::from_str(&entry.body).unwrap())
            .collect();
        assert_eq!(bodies, std::slice::from_ref(body));
    }
}

/// The object `network` of another operator.
struct Network {
    source: EndpointSource,
    objects: Api<DynamicObject>,
}

impl Network {
    fn reference(source: EndpointSource) -> Value {
        let (api_version, kind) = source.api_version_and_kind();
        json!({"apiVersion": api_version, "kind": kind, "name": "network"})
    }

    /// Installs the kind and creates the object, which knows nothing yet.
    async fn create(fixture: &DedicatedFixture, source: EndpointSource) -> Self {
        let (api_version, kind) = source.api_version_and_kind();
        fixture.base.control_plane.install_crd(&definition(api_version, kind)).await.unwrap();
        let client = fixture.base.control_plane.client().await.unwrap();
        let kind = kinds::kind(api_version, kind, &format!("{}s", kind.to_lowercase()));
        let objects: Api<DynamicObject> = Api::namespaced_with(client, fixture.endpoints.namespace(), &kind);
        let object = json!({
            "apiVersion": kind.api_version, "kind": kind.kind, "metadata": {"name": "network"},
            "spec": {"location": "here"},
        });
        objects.create(&PostParams::default(), &serde_json::from_value(object).unwrap()).await.unwrap();
        Self { source, objects }
    }

    /// Writes a text at a path, as the other operator does.
    async fn write(&self, path: &[&str], text: &str) {
        let change = path.iter().rev().fold(json!(text), |value, part| match part.parse::<usize>() {
            Ok(_) => json!([value]),
            Err(_) => json!({ *part: value }),
        });
        let (change, parameters) = (Patch::Merge(change), PatchParams::default());
        let written = if path[0] == "status" {
            self.objects.patch_status("network", &parameters, &change).await
        } else {
            self.objects.patch("network", &parameters, &change).await
        };
        written.unwrap();
    }

    async fn write_id(&self, text: &str) {
        self.write(self.source.id_path(), text).await;
    }

    async fn write_address(&self, text: &str) {
        self.write(self.source.address_path(), text).await;
    }
}

/// Returns the definition of a kind that the manual is checked against.
fn definition(api_version: &str, kind: &str) -> Value {
    let (group, _) = api_version.split_once('/').unwrap();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/docs/definitions");
    let files = fs::read_dir(folder).unwrap().map(|entry| fs::read_to_string(entry.unwrap().path()).unwrap());
    let mut all = files.flat_map(|text| serde_saphyr::from_multiple::<Value>(&text).unwrap());
    let is_it = |one: &Value| one["spec"]["group"] == group && one["spec"]["names"]["kind"] == kind;
    all.find(is_it).unwrap_or_else(|| panic!("no definition of {kind} of {group}"))
}

/// Waits until the endpoint of the object is registered, which must not take long.
async fn until_registered(fixture: &DedicatedFixture) {
    let registered = fixture.until_atlas("the registration", |fixture| !fixture.atlas_endpoints().is_empty());
    assert!(tokio::time::timeout(SOON, registered).await.is_ok(), "it takes long");
}

/// An endpoint is awaited until the object names it and, where there is one, tells its address; then it is registered at once, and stays
/// when the object goes.
async fn follows(source: EndpointSource, cloud: CloudCase) {
    let fixture = DedicatedFixture::new().await;
    let _operator = fixture.operator();
    cloud.apply(&fixture, json!({"ref": Network::reference(source)})).await;
    let network = Network::create(&fixture, source).await;
    let awaiting = fixture.endpoints.until_ready("orders", "False", "AwaitingVpcEndpoint").await;
    assert!(message_of(&awaiting, "Ready").contains("has no id yet"), "{awaiting:#}");
    cloud.make(&fixture).await;

    network.write_id(cloud.name).await;
    if !source.address_path().is_empty() {
        let lacks_address = |object: &Value| message_of(object, "Ready").contains("has no IP address yet");
        fixture.endpoints.until("orders", "without an address", lacks_address).await;
        assert!(fixture.requests(Operation::CreateEndpoint).is_empty(), "it is incomplete");
        network.write_address("10.0.0.4").await;
    }
    until_registered(&fixture).await;
    CloudCase::assert_sent(&fixture, &cloud.sent);
    let ready = fixture.endpoints.until_ready("orders", "True", "Available").await;
    assert_eq!(ready["status"]["endpointId"], cloud.id);

    // What was registered stays when the object that named it goes.
    network.objects.delete("network", &DeleteParams::default()).await.unwrap();
    fixture.endpoints.reconcile_until_ready("orders", "False", "ReferenceNotFound").await;
    assert_eq!(fixture.atlas_endpoints().len(), 1);
    assert!(fixture.requests(Operation::DeleteEndpoint).is_empty());
    fixture.endpoints.delete_and_wait("orders").await;
    let deleted = fixture.executed(Operation::DeleteEndpoint);
    assert_eq!(deleted, 1, "what the object created is deleted without its reference");
}

#[tokio::test]
async fn an_ack_object_is_followed_from_its_absence_to_its_id() {
    follows(EndpointSource::Ack, CloudCase::aws()).await;
}

#[tokio::test]
async fn an_upbound_vpc_endpoint_is_followed_from_its_absence_to_its_id() {
    follows(EndpointSource::UpboundAws, CloudCase::aws()).await;
}

#[tokio::test]
async fn an_azure_service_operator_object_is_followed_to_its_id_and_address() {
    follows(EndpointSource::AzureServiceOperator, CloudCase::azure()).await;
}

#[tokio::test]
async fn the_other_version_of_azure_service_operator_is_followed_alike() {
    follows(EndpointSource::AzureServiceOperator2025, CloudCase::azure()).await;
}

#[tokio::test]
async fn an_upbound_private_endpoint_is_followed_to_its_id_and_address() {
    follows(EndpointSource::UpboundAzure, CloudCase::azure()).await;
}

#[tokio::test]
async fn a_config_connector_object_is_followed_to_its_link_and_address() {
    follows(EndpointSource::ConfigConnector, CloudCase::gcp()).await;
}

#[tokio::test]
async fn an_upbound_forwarding_rule_is_followed_to_its_id_and_address() {
    follows(EndpointSource::UpboundGcp, CloudCase::gcp()).await;
}

#[tokio::test]
async fn an_address_in_the_spec_wins_over_that_of_the_object() {
    let fixture = DedicatedFixture::new().await;
    let _operator = fixture.operator();
    let (source, cloud) = (EndpointSource::AzureServiceOperator, CloudCase::azure());
    cloud.apply(&fixture, json!({"ref": Network::reference(source), "ipAddress": "10.0.0.9"})).await;
    let network = Network::create(&fixture, source).await;
    cloud.make(&fixture).await;
    network.write_address("10.0.0.4").await;
    network.write_id(cloud.name).await;
    until_registered(&fixture).await;
    let body = json!({"id": PRIVATE_ENDPOINT, "privateEndpointIPAddress": "10.0.0.9"});
    CloudCase::assert_sent(&fixture, &body);
    fixture.endpoints.until_ready("orders", "True", "Available").await;
}

#[tokio::test]
async fn an_object_that_names_something_else_is_refused_without_its_text() {
    let fixture = DedicatedFixture::new().await;
    let _operator = fixture.operator();
    let source = EndpointSource::ConfigConnector;
    CloudCase::gcp().apply(&fixture, json!({"ref": Network::reference(source)})).await;
    let network = Network::create(&fixture, source).await;
    for (text, words) in [
        (PRIVATE_ENDPOINT, "found what names an endpoint of AZURE; correct spec.gcp.ref"),
        ("projects/shop-1/regions/us-central1/addresses/hunter2", "found another text of 53 characters"),
    ] {
        network.write_id(text).await;
        let says = |object: &Value| message_of(object, "Ready").contains(words);
        let refused = fixture.endpoints.until("orders", words, says).await;
        let message = message_of(&refused, "Ready");
        assert!(!message.contains(text) && !message.contains("hunter2"), "{message}");
    }
    assert!(fixture.requests(Operation::CreateEndpoint).is_empty());
}

#[tokio::test]
async fn a_config_map_is_followed_from_its_absence_to_another_id() {
    let fixture = DedicatedFixture::new().await;
    let _operator = fixture.operator();
    let reference = json!({"apiVersion": "v1", "kind": "ConfigMap", "name": "network", "key": "id"});
    CloudCase::aws().apply(&fixture, json!({ "ref": reference })).await;
    fixture.make_vpc_endpoint("main", VPC).await;

    let client = fixture.base.control_plane.client().await.unwrap();
    let maps: Api<ConfigMap> = Api::namespaced(client, fixture.endpoints.namespace());
    let map = json!({"metadata": {"name": "network"}, "data": {"id": VPC}});
    maps.create(&PostParams::default(), &serde_json::from_value(map).unwrap()).await.unwrap();
    fixture.endpoints.until_ready("orders", "True", "Available").await;

    fixture.make_vpc_endpoint("main", NEXT_VPC).await;
    let patch = Patch::Merge(json!({"data": {"id": NEXT_VPC}}));
    maps.patch("network", &PatchParams::default(), &patch).await.unwrap();
    let is_replaced =
        |fixture: &DedicatedFixture| matches!(&fixture.atlas_endpoints()[..], [only] if only.id == NEXT_VPC);
    fixture.until_atlas("the other id alone", is_replaced).await;
    let ready = fixture.endpoints.until_ready("orders", "True", "Available").await;
    assert_eq!(ready["status"]["endpointId"], NEXT_VPC);
}

#[tokio::test]
async fn an_entry_of_a_config_map_names_a_forwarding_rule() {
    let fixture = DedicatedFixture::new().await;
    let _operator = fixture.operator();
    let cloud = CloudCase::gcp();
    let reference = json!({"apiVersion": "v1", "kind": "ConfigMap", "name": "network", "key": "rule"});
    let endpoints = json!([{"name": "orders", "ipAddress": "10.0.0.4"}]);
    cloud.apply(&fixture, json!({"ref": reference, "endpoints": endpoints})).await;
    cloud.make(&fixture).await;
    let client = fixture.base.control_plane.client().await.unwrap();
    let maps: Api<ConfigMap> = Api::namespaced(client, fixture.endpoints.namespace());
    let map = json!({"metadata": {"name": "network"}, "data": {"rule": RULE}});
    maps.create(&PostParams::default(), &serde_json::from_value(map).unwrap()).await.unwrap();
    fixture.endpoints.until_ready("orders", "True", "Available").await;
    CloudCase::assert_sent(&fixture, &cloud.sent);
}
