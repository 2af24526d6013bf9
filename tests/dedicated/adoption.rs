//! What others made: it is adopted by its key, without a write, and left in Atlas, unless the user says otherwise. The others here are
//! MongoDB's own Go client, as Terraform's provider, the Atlas CLI and the Atlas Kubernetes Operator use it.

use atlas_simulator::{EndpointPhase, LastEndpoint, ServicePhase};
use serde_json::{Value, json};
use test_support::atlas_sdk::AtlasSdk;
use test_support::dedicated::{
    CLUSTER, DedicatedFixture, FOREIGN_VPC_ENDPOINT, REGION, assert_condition_of, condition_of, message_of,
};

use super::{NEXT_VPC, VPC};

/// A service of [`REGION`], and a connected endpoint, that MongoDB's client has made.
struct MadeBySdk {
    sdk: AtlasSdk,
    service: String,
}

impl MadeBySdk {
    /// Makes both as Terraform does: the region in the spelling of AWS, the VPC endpoint for the name that Atlas reports.
    async fn of(fixture: &DedicatedFixture) -> Self {
        let sdk = AtlasSdk::new(&fixture.base.atlas).await;
        let body = json!({"providerName": "AWS", "region": "us-east-1"}).to_string();
        let created = sdk.call(&["create-service", &body]).await.unwrap();
        assert_eq!((&created["regionName"], &created["status"]), (&json!(REGION), &json!("INITIATING")));
        let service = created["id"].as_str().unwrap().to_owned();
        let is_ready = |fixture: &DedicatedFixture| fixture.atlas_service().status == ServicePhase::Available;
        fixture.until_atlas("the service", is_ready).await;
        let ready = sdk.call(&["get-service", "AWS", &service]).await.unwrap();
        fixture.base.atlas.make_vpc_endpoint(VPC, ready["endpointServiceName"].as_str().unwrap());
        let body = json!({ "id": VPC }).to_string();
        let created = sdk.call(&["create-endpoint", "AWS", &service, &body]).await.unwrap();
        assert_eq!(created["interfaceEndpointId"], VPC);
        let is_connected = |fixture: &DedicatedFixture| {
            fixture.atlas_endpoints().iter().all(|one| one.status == EndpointPhase::Available)
        };
        fixture.until_atlas("the endpoint", is_connected).await;
        Self { sdk, service }
    }

    async fn service(&self) -> Result<Value, String> {
        self.sdk.call(&["get-service", "AWS", &self.service]).await
    }

    async fn endpoint(&self) -> Result<Value, String> {
        self.sdk.call(&["get-endpoint", "AWS", &self.service, VPC]).await
    }

    /// Fails unless both are there and connected, as MongoDB's client sees it.
    async fn assert_untouched(&self) {
        let (service, endpoint) = (self.service().await.unwrap(), self.endpoint().await.unwrap());
        assert_eq!(
            (&service["status"], &service["interfaceEndpoints"]),
            (&json!("AVAILABLE"), &json!([VPC]))
        );
        assert_eq!(endpoint["connectionStatus"], "AVAILABLE", "{endpoint:#}");
    }
}

/// Returns how many requests that are not reads have arrived, whether they were accepted or not.
fn write_requests(fixture: &DedicatedFixture) -> usize {
    fixture.base.atlas.count(|entry| entry.method != "GET")
}

/// From now on a service outlives its last endpoint.
fn keep_the_service(fixture: &DedicatedFixture) {
    fixture.base.atlas.configure(|settings| {
        settings.dedicated.variants.last_endpoint = LastEndpoint::LeavesService;
    });
}

/// Applies both objects with these fields, and waits until both are Ready.
async fn apply(fixture: &DedicatedFixture, fields: &Value) -> (Value, Value) {
    fixture.apply_service("main", fields.clone()).await;
    let mut fields = fields.clone();
    fields["clusters"] = json!([CLUSTER]);
    fixture.apply_endpoint("orders", "main", VPC, fields).await;
    let service = fixture.services.until_ready("main", "True", "Available").await;
    (service, fixture.endpoints.until_ready("orders", "True", "Available").await)
}

async fn delete(fixture: &DedicatedFixture) {
    fixture.endpoints.delete_and_wait("orders").await;
    fixture.services.delete_and_wait("main").await;
}

#[tokio::test]
async fn what_mongodbs_client_made_is_adopted_without_a_write_and_left() {
    let fixture = DedicatedFixture::new().await;
    let made = MadeBySdk::of(&fixture).await;
    let writes = write_requests(&fixture);
    let _operator = fixture.operator();
    let (service, endpoint) = apply(&fixture, &json!({"adopt": "Only"})).await;
    for object in [&service, &endpoint] {
        assert_eq!(object["status"]["provenance"], "Adopted");
        assert_eq!(object["status"]["serviceId"], made.service);
        assert!(object["metadata"]["annotations"].is_null(), "nothing was claimed: {object:#}");
    }
    assert_eq!(service["status"]["endpointIds"], json!([VPC]));
    assert_eq!(endpoint["status"]["connectionStrings"][0]["cluster"], CLUSTER);
    fixture.services.until_event("main", "ServiceAdopted").await;
    fixture.endpoints.until_event("orders", "EndpointAdopted").await;
    delete(&fixture).await;
    let why = fixture.services.until_event("main", "ServiceRetained").await;
    assert!(why.contains("Adopted") && why.contains(&made.service), "{why}");
    let why = fixture.endpoints.until_event("orders", "EndpointRetained").await;
    assert!(why.contains("Adopted") && why.contains(VPC), "{why}");
    made.assert_untouched().await;
    assert_eq!(write_requests(&fixture), writes, "{:#?}", fixture.base.atlas.journal());
}

#[tokio::test]
async fn what_mongodbs_client_made_goes_if_the_user_says_delete() {
    let fixture = DedicatedFixture::new().await;
    let made = MadeBySdk::of(&fixture).await;
    let _operator = fixture.operator();
    apply(&fixture, &json!({"deletionPolicy": "Delete"})).await;
    delete(&fixture).await;
    fixture.endpoints.until_event("orders", "EndpointRemoved").await;
    fixture.services.until_event("main", "ServiceDeleted").await;
    let gone = |code: &str| Err(format!("404 {code}"));
    assert_eq!(made.service().await, gone("PRIVATE_ENDPOINT_SERVICE_NOT_FOUND"));
    assert_eq!(made.endpoint().await, gone("PRIVATE_ENDPOINT_SERVICE_NOT_FOUND"));
    assert_eq!(made.sdk.call(&["list-services", "AWS"]).await, Ok(json!([])));
}

#[tokio::test]
async fn each_object_decides_for_itself_whether_what_it_adopted_stays() {
    let fixture = DedicatedFixture::new().await;
    keep_the_service(&fixture);
    let made = MadeBySdk::of(&fixture).await;
    let _operator = fixture.operator();
    apply(&fixture, &json!({})).await;
    fixture.endpoints.edit("orders", json!({"deletionPolicy": "Delete"})).await;
    fixture.services.edit("main", json!({"deletionPolicy": "Retain"})).await;
    delete(&fixture).await;
    assert!(made.endpoint().await.is_err_and(|why| why.starts_with("404 ")));
    assert_eq!(made.service().await.unwrap()["status"], "AVAILABLE");
}

#[tokio::test]
async fn what_the_operator_made_is_read_by_mongodbs_client() {
    let fixture = DedicatedFixture::new().await;
    let _operator = fixture.operator();
    let (service, endpoint) = fixture.apply_both("main", "orders", VPC).await;
    let sdk = AtlasSdk::new(&fixture.base.atlas).await;
    let listed = sdk.call(&["list-services", "AWS"]).await.unwrap();
    let [listed] = &listed.as_array().unwrap()[..] else { panic!("{listed:#}") };
    for (in_status, in_atlas) in [
        ("serviceId", "id"),
        ("regionName", "regionName"),
        ("status", "status"),
        ("endpointServiceName", "endpointServiceName"),
    ] {
        assert_eq!(service["status"][in_status], listed[in_atlas], "{in_status}");
    }
    assert_eq!(listed["interfaceEndpoints"], json!([VPC]));
    let id = listed["id"].as_str().unwrap();
    let read = sdk.call(&["get-endpoint", "AWS", id, VPC]).await.unwrap();
    assert_eq!(
        (&read["interfaceEndpointId"], &read["connectionStatus"]),
        (&endpoint["status"]["endpointId"], &endpoint["status"]["status"])
    );
    // Its own attempt to make either is refused, as Atlas has one of each key.
    let body = json!({"providerName": "AWS", "region": REGION}).to_string();
    let twice = sdk.call(&["create-service", &body]).await;
    assert_eq!(twice, Err("409 PRIVATE_ENDPOINT_SERVICE_ALREADY_EXISTS_FOR_REGION".to_owned()));
    let twice = sdk.call(&["create-endpoint", "AWS", id, &json!({ "id": VPC }).to_string()]).await;
    assert!(twice.is_err_and(|why| why.starts_with("409 ")));
    let attached = sdk.call(&["delete-service", "AWS", id]).await;
    assert!(attached.is_err_and(|why| why.starts_with("409 ")), "an endpoint is registered at it");
}

#[tokio::test]
async fn what_mongodbs_client_deletes_is_created_again() {
    let fixture = DedicatedFixture::new().await;
    let _operator = fixture.operator();
    let (first, _) = fixture.apply_both("main", "orders", VPC).await;
    let sdk = AtlasSdk::new(&fixture.base.atlas).await;
    let id = first["status"]["serviceId"].as_str().unwrap();
    // Another endpoint keeps the service.
    let body = json!({ "id": FOREIGN_VPC_ENDPOINT }).to_string();
    sdk.call(&["create-endpoint", "AWS", id, &body]).await.unwrap();
    sdk.call(&["delete-endpoint", "AWS", id, VPC]).await.unwrap();
    fixture.until_atlas("its end", |fixture| fixture.atlas_endpoints().iter().all(|one| one.id != VPC)).await;
    fixture.endpoints.reconcile("orders", "noticed").await;
    fixture.endpoints.until_event("orders", "EndpointLost").await;
    let again = |fixture: &DedicatedFixture| fixture.atlas_endpoints().iter().any(|one| one.id == VPC);
    fixture.until_atlas("its return", again).await;
    fixture.endpoints.until_ready("orders", "True", "Available").await;
    assert_eq!(sdk.call(&["get-service", "AWS", id]).await.unwrap()["id"], *id, "the same service");
    // The last endpoint takes the service, which the operator then creates again, under another name.
    for endpoint in [FOREIGN_VPC_ENDPOINT, VPC] {
        sdk.call(&["delete-endpoint", "AWS", id, endpoint]).await.unwrap();
    }
    let is_gone = |fixture: &DedicatedFixture| fixture.atlas_services().iter().all(|one| one.id != id);
    fixture.until_atlas("the service's end", is_gone).await;
    fixture.services.reconcile("main", "noticed").await;
    fixture.services.until_event("main", "ServiceReplaced").await;
    let replaced = fixture.services.until_ready("main", "True", "Available").await;
    let listed = sdk.call(&["list-services", "AWS"]).await.unwrap();
    assert_eq!(listed[0]["id"], replaced["status"]["serviceId"]);
    assert_ne!(listed[0]["endpointServiceName"], first["status"]["endpointServiceName"]);
    fixture.endpoints.reconcile_until_ready("orders", "False", "VpcEndpointStale").await;
}

#[tokio::test]
async fn observed_objects_bind_by_key_and_write_nothing() {
    let fixture = DedicatedFixture::new().await;
    let _operator = fixture.operator();
    let observe = json!({"managementPolicy": "Observe"});
    fixture.apply_service("main", observe.clone()).await;
    fixture.apply_endpoint("orders", "main", VPC, observe.clone()).await;
    fixture.services.until_ready("main", "False", "ServiceNotFound").await;
    fixture.endpoints.until_ready("orders", "False", "ServiceNotReady").await;
    assert_eq!(write_requests(&fixture), 0, "nothing is created");
    let made = MadeBySdk::of(&fixture).await;
    let writes = write_requests(&fixture);
    fixture.services.reconcile_until_ready("main", "True", "Available").await;
    fixture.endpoints.reconcile_until_ready("orders", "True", "Available").await;
    for (objects, name) in [(&fixture.services, "main"), (&fixture.endpoints, "orders")] {
        let object = objects.get(name).await;
        assert_eq!(object["status"]["provenance"], "Adopted");
        assert!(object["metadata"]["finalizers"].is_null(), "nothing has to be held: {object:#}");
        // Not even the word for it makes an observer delete.
        objects.edit(name, json!({"deletionPolicy": "Delete"})).await;
    }
    assert!(fixture.base.atlas.delete_vpc_endpoint(VPC));
    fixture.endpoints.reconcile_until_ready("orders", "False", "Rejected").await;
    fixture.base.atlas.make_vpc_endpoint(VPC, &fixture.atlas_service().service_name().unwrap());
    fixture.endpoints.reconcile_until_ready("orders", "True", "Available").await;
    delete(&fixture).await;
    made.assert_untouched().await;
    assert_eq!(write_requests(&fixture), writes, "{:#?}", fixture.base.atlas.journal());
}

#[tokio::test]
async fn an_observer_of_what_is_lost_reports_it_and_creates_nothing() {
    let fixture = DedicatedFixture::new().await;
    keep_the_service(&fixture);
    let _made = MadeBySdk::of(&fixture).await;
    let writes = write_requests(&fixture);
    let _operator = fixture.operator();
    apply(&fixture, &json!({"managementPolicy": "Observe"})).await;
    assert!(fixture.base.atlas.remove_registered_endpoint(&fixture.atlas_service().id, VPC));
    let lost = fixture.endpoints.reconcile_until_ready("orders", "False", "EndpointNotFound").await;
    assert!(condition_of(&lost, "Stalled")["status"] == "True", "{lost:#}");
    assert!(lost["status"]["connectionStrings"].as_array().is_none_or(Vec::is_empty), "{lost:#}");
    assert!(fixture.base.atlas.remove_service(&fixture.atlas_service().id));
    fixture.services.reconcile_until_ready("main", "False", "ServiceNotFound").await;
    assert_eq!(write_requests(&fixture), writes);
}

#[tokio::test]
async fn an_object_that_observed_takes_over_without_a_write() {
    let fixture = DedicatedFixture::new().await;
    let made = MadeBySdk::of(&fixture).await;
    let writes = write_requests(&fixture);
    let _operator = fixture.operator();
    apply(&fixture, &json!({"managementPolicy": "Observe"})).await;
    for (objects, name) in [(&fixture.services, "main"), (&fixture.endpoints, "orders")] {
        objects.edit(name, json!({"managementPolicy": "Manage"})).await;
        let held = |object: &Value| object["metadata"]["finalizers"].is_array();
        objects.until(name, "held", held).await;
        let managed = objects.until_ready(name, "True", "Available").await;
        assert_eq!(managed["status"]["provenance"], "Adopted");
    }
    made.assert_untouched().await;
    assert_eq!(write_requests(&fixture), writes);
}

#[tokio::test]
async fn only_what_exists_is_adopted_where_nothing_may_be_created() {
    let fixture = DedicatedFixture::new().await;
    keep_the_service(&fixture);
    let made = MadeBySdk::of(&fixture).await;
    let writes = write_requests(&fixture);
    let _operator = fixture.operator();
    fixture.apply_service("main", json!({"adopt": "Only"})).await;
    // A typing error.
    fixture.apply_endpoint("orders", "main", NEXT_VPC, json!({"adopt": "Only"})).await;
    let absent = fixture.endpoints.until_ready("orders", "False", "EndpointNotFound").await;
    assert!(message_of(&absent, "Ready").contains(NEXT_VPC), "{absent:#}");
    assert_eq!(write_requests(&fixture), writes, "nothing is registered");
    fixture.endpoints.edit("orders", json!({"aws": {"id": VPC}})).await;
    let adopted = fixture.endpoints.until_ready("orders", "True", "Available").await;
    assert_eq!(adopted["status"]["provenance"], "Adopted");
    // What is adopted and lost is not created either, as long as the object says so.
    assert!(fixture.base.atlas.remove_registered_endpoint(&made.service, VPC));
    fixture.endpoints.reconcile_until_ready("orders", "False", "EndpointNotFound").await;
    assert_eq!(write_requests(&fixture), writes);
    fixture.endpoints.edit("orders", json!({"adopt": "IfExists"})).await;
    fixture.endpoints.until_ready("orders", "True", "Available").await;
    let registered = fixture.endpoints.get("orders").await;
    assert_eq!(registered["status"]["provenance"], "Created", "this object registered it again");
}

#[tokio::test]
async fn a_suspended_object_adopts_once_it_is_resumed() {
    let fixture = DedicatedFixture::new().await;
    let made = MadeBySdk::of(&fixture).await;
    let requests = fixture.base.atlas.journal().len();
    let _operator = fixture.operator();
    fixture.apply_service("main", json!({"suspend": true})).await;
    fixture.apply_endpoint("orders", "main", VPC, json!({"suspend": true})).await;
    fixture.services.until_ready("main", "False", "Suspended").await;
    fixture.endpoints.until_ready("orders", "False", "Suspended").await;
    assert_eq!(fixture.base.atlas.journal().len(), requests, "it does not look");
    fixture.services.edit("main", json!({"suspend": false})).await;
    fixture.endpoints.edit("orders", json!({"suspend": false})).await;
    let adopted = fixture.endpoints.until_ready("orders", "True", "Available").await;
    assert_eq!(adopted["status"]["provenance"], "Adopted");
    fixture.endpoints.edit("orders", json!({"suspend": true})).await;
    let held = fixture.endpoints.until_condition("orders", "Suspended", "True", "SuspendRequested").await;
    assert_condition_of(&held, "Ready", "True", "Available");
    // Suspended objects are deleted as others are: what was adopted stays.
    delete(&fixture).await;
    made.assert_untouched().await;
}

#[tokio::test]
async fn an_endpoint_at_a_service_that_no_object_declares_is_adopted_by_look_up() {
    let fixture = DedicatedFixture::new().await;
    let made = MadeBySdk::of(&fixture).await;
    let writes = write_requests(&fixture);
    let _operator = fixture.operator();
    let service =
        json!({"projectId": atlas_simulator::DEFAULT_PROJECT, "provider": "AWS", "region": "us-east-1"});
    let credentials = json!({"name": test_support::SECRET});
    let spec = |vpc: &str| json!({"service": service, "aws": {"id": vpc}, "credentialsRef": credentials});
    fixture.endpoints.apply("orders", spec(VPC)).await;
    let adopted = fixture.endpoints.until_ready("orders", "True", "Available").await;
    assert_eq!(adopted["status"]["provenance"], "Adopted");
    assert_eq!(write_requests(&fixture), writes);
    // A further one beside it is the object's own. The service is nobody's: it is never deleted.
    fixture.base.atlas.make_vpc_endpoint(NEXT_VPC, &fixture.atlas_service().service_name().unwrap());
    fixture.endpoints.apply("invoices", spec(NEXT_VPC)).await;
    let registered = fixture.endpoints.until_ready("invoices", "True", "Available").await;
    assert_eq!(registered["status"]["provenance"], "Created");
    fixture.endpoints.delete_and_wait("invoices").await;
    fixture.endpoints.delete_and_wait("orders").await;
    made.assert_untouched().await;
}
