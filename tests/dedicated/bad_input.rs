//! What users get wrong: projects, roles, payment, regions, ids and references. Each says what is wrong, and recovers.

use std::time::Duration;

use atlas_simulator::{
    AtlasService, DEFAULT_PRIVATE_KEY, DEFAULT_PROJECT, DEFAULT_PUBLIC_KEY, Key, Operation, Role,
};
use serde_json::{Value, json};
use test_support::dedicated::{DedicatedFixture, FOREIGN_VPC_ENDPOINT, condition_of, message_of};
use testbed::Exchange;

use super::{NEXT_VPC, VPC};

#[tokio::test]
async fn an_unknown_project_is_named_and_nothing_is_sent_into_it() {
    let fixture = DedicatedFixture::new().await;
    let _operator = fixture.operator();
    let project = "c".repeat(24);
    fixture.apply_service("main", json!({ "projectId": project })).await;
    let refused = fixture.services.until_ready("main", "False", "ProjectNotFound").await;
    assert!(message_of(&refused, "Ready").contains(&project), "{refused:#}");
    assert_eq!(fixture.atlas_writes(), 0);
    fixture.services.delete_and_wait("main").await;
    fixture.apply_service("main", json!({})).await;
    fixture.services.until_ready("main", "True", "Available").await;
}

#[tokio::test]
async fn a_role_that_is_too_low_says_which_one_is_needed() {
    let fixture = DedicatedFixture::new().await;
    let key = Key::of_project("read-only-secret", DEFAULT_PROJECT, Role::ReadOnly);
    fixture.base.atlas.add_key("readonly", key);
    fixture.base.put_secret(&[("publicApiKey", "readonly"), ("privateApiKey", "read-only-secret")]).await;
    let _operator = fixture.operator();
    fixture.apply_service("main", json!({})).await;
    let refused = |object: &Value| {
        let reason = &condition_of(object, "Ready")["reason"];
        *reason == "Unauthorized" || *reason == "Forbidden"
    };
    let object = fixture.services.until("main", "refused", refused).await;
    assert!(message_of(&object, "Ready").contains("Project Owner"), "{object:#}");
    let owner = [("publicApiKey", DEFAULT_PUBLIC_KEY), ("privateApiKey", DEFAULT_PRIVATE_KEY)];
    fixture.base.put_secret(&owner).await;
    fixture.services.until_ready("main", "True", "Available").await;
}

#[tokio::test]
async fn a_project_without_payment_information_is_told_so() {
    let fixture = DedicatedFixture::new().await;
    fixture.base.atlas.configure(|settings| {
        settings.dedicated.without_payment.insert(DEFAULT_PROJECT.to_owned());
    });
    let _operator = fixture.operator();
    fixture.apply_service("main", json!({})).await;
    fixture.make_vpc_endpoint("main", VPC).await;
    fixture.apply_endpoint("orders", "main", VPC, json!({})).await;
    let refused = fixture.endpoints.until_ready("orders", "False", "AtlasRefused").await;
    assert!(message_of(&refused, "Ready").contains("NO_PAYMENT_INFORMATION_FOUND"), "{refused:#}");
    fixture.base.atlas.configure(|settings| settings.dedicated.without_payment.clear());
    fixture.endpoints.reconcile_until_ready("orders", "True", "Available").await;
}

#[tokio::test]
async fn endpoints_in_several_regions_need_the_regional_mode() {
    let fixture = DedicatedFixture::new().await;
    let elsewhere = fixture.base.atlas.insert_service(DEFAULT_PROJECT, AtlasService::available("EU_WEST_1"));
    assert!(fixture.base.atlas.register_endpoint(&elsewhere, FOREIGN_VPC_ENDPOINT));
    assert!(fixture.base.atlas.register_endpoint(&elsewhere, NEXT_VPC));
    let _operator = fixture.operator();
    fixture.apply_service("main", json!({})).await;
    fixture.make_vpc_endpoint("main", VPC).await;
    fixture.apply_endpoint("orders", "main", VPC, json!({})).await;
    let code = "MULTIPLE_PRIVATE_ENDPOINTS_RESTRICTED_TO_SINGLE_REGION";
    let refused = |object: &Value| {
        condition_of(object, "Ready")["status"] == "False" && message_of(object, "Ready").contains(code)
    };
    fixture.endpoints.until("orders", "refused", refused).await;
    assert_eq!(fixture.executed(Operation::CreateEndpoint), 0);
    assert!(fixture.base.atlas.remove_registered_endpoint(&elsewhere, NEXT_VPC));
    fixture.endpoints.reconcile_until_ready("orders", "True", "Available").await;
}

#[tokio::test]
async fn a_region_that_does_not_exist_is_refused_with_its_code() {
    let fixture = DedicatedFixture::new().await;
    let _operator = fixture.operator();
    fixture.apply_service("main", json!({"region": "EU_WEST_9"})).await;
    let refused = fixture.services.until_ready("main", "False", "AtlasRefused").await;
    let message = message_of(&refused, "Ready");
    assert!(message.contains("EU_WEST_9") && message.contains("INVALID_ATTRIBUTE"), "{refused:#}");
    fixture.services.delete_and_wait("main").await;
    assert!(fixture.requests(Operation::DeleteService).is_empty());
    fixture.apply_service("main", json!({})).await;
    fixture.services.until_ready("main", "True", "Available").await;
}

/// The attempts that the growing waits of the tests' short polls allow in 5 s.
const FEW: usize = 4;

#[tokio::test]
async fn a_refusal_is_not_repeated_at_once() {
    let fixture = DedicatedFixture::new().await;
    let proxies = fixture.base.proxies().await;
    let _operator = fixture.base.operator_behind(&proxies);
    fixture.apply_service("main", json!({"region": "EU_WEST_9"})).await;
    fixture.services.until_ready("main", "False", "AtlasRefused").await;
    let counts = || {
        let of = |operation| fixture.requests(operation).len();
        let is_status = |exchange: &Exchange| exchange.method == "PATCH" && exchange.path.contains("/status");
        let listed_and_sent = [of(Operation::ListServices), of(Operation::CreateService)];
        (listed_and_sent, proxies.recording.count(is_status))
    };
    let (requests, writes) = counts();
    tokio::time::sleep(Duration::from_secs(5)).await;
    let (after, written) = counts();
    let listing = proxies.recording.listing();
    for (before, after) in requests.iter().zip(after) {
        assert!(after - before <= FEW, "{requests:?}, then {after:?}: {listing}");
    }
    assert!(written - writes <= FEW, "{writes} status writes, then {written}: {listing}");
}

#[tokio::test]
async fn a_vpc_endpoint_of_another_region_is_rejected_with_its_region() {
    let fixture = DedicatedFixture::new().await;
    let _operator = fixture.operator();
    fixture.apply_service("main", json!({})).await;
    let ready = fixture.services.until_ready("main", "True", "Available").await;
    let name = ready["status"]["endpointServiceName"].as_str().unwrap();
    fixture.base.atlas.make_remote_vpc_endpoint(VPC, name, "eu-west-2");
    fixture.apply_endpoint("orders", "main", VPC, json!({})).await;
    let rejected = fixture.endpoints.until_ready("orders", "False", "Rejected").await;
    assert!(message_of(&rejected, "Ready").contains("EU_WEST_2"), "{rejected:#}");
    fixture.make_vpc_endpoint("main", NEXT_VPC).await;
    fixture.endpoints.edit("orders", json!({"aws": {"id": NEXT_VPC}})).await;
    fixture.endpoints.until_ready("orders", "True", "Available").await;
}

#[tokio::test]
async fn a_remote_region_that_is_declared_admits_its_vpc_endpoints() {
    let fixture = DedicatedFixture::new().await;
    let _operator = fixture.operator();
    fixture.apply_service("main", json!({"aws": {"supportedRemoteRegions": ["EU_WEST_2"]}})).await;
    let ready = fixture.services.until_ready("main", "True", "Available").await;
    assert_eq!(ready["status"]["supportedRemoteRegions"], json!(["EU_WEST_2"]));
    let name = ready["status"]["endpointServiceName"].as_str().unwrap();
    fixture.base.atlas.make_remote_vpc_endpoint(VPC, name, "eu-west-2");
    fixture.apply_endpoint("orders", "main", VPC, json!({})).await;
    fixture.endpoints.until_ready("orders", "True", "Available").await;
}

#[tokio::test]
async fn a_reference_to_a_service_that_does_not_exist_says_so_and_heals() {
    let fixture = DedicatedFixture::new().await;
    let _operator = fixture.operator();
    fixture.apply_endpoint("orders", "nowhere", VPC, json!({})).await;
    let lost = fixture.endpoints.until_ready("orders", "False", "ServiceNotFound").await;
    assert!(message_of(&lost, "Ready").contains("nowhere"), "{lost:#}");
    assert!(fixture.base.atlas.journal().is_empty());
    fixture.apply_service("nowhere", json!({})).await;
    fixture.make_vpc_endpoint("nowhere", VPC).await;
    fixture.endpoints.until_ready("orders", "True", "Available").await;
    fixture.apply_endpoint("lost", "elsewhere", NEXT_VPC, json!({})).await;
    fixture.endpoints.until_ready("lost", "False", "ServiceNotFound").await;
    fixture.endpoints.delete_and_wait("lost").await;
}

#[tokio::test]
async fn a_service_of_another_namespace_is_used_only_with_its_permission() {
    let fixture = DedicatedFixture::new().await;
    let (services, _) = fixture.another_namespace().await;
    let _operator = fixture.operator_of(&services);
    services.apply_service("main", json!({})).await;
    let ready = services.until_ready("main", "True", "Available").await;
    let name = ready["status"]["endpointServiceName"].as_str().unwrap();
    fixture.base.atlas.make_vpc_endpoint(VPC, name);
    let reference = json!({"name": "main", "namespace": services.namespace()});
    fixture.endpoints.apply_endpoint("orders", reference, VPC, json!({})).await;
    let refused = fixture.endpoints.until_ready("orders", "False", "ServiceRefNotAllowed").await;
    assert!(message_of(&refused, "Ready").contains("allowedNamespaces"), "{refused:#}");
    assert!(fixture.requests(Operation::CreateEndpoint).is_empty());
    services.edit("main", json!({"allowedNamespaces": [fixture.endpoints.namespace()]})).await;
    fixture.endpoints.until_ready("orders", "True", "Available").await;
    // Withdrawn permission: nothing more is written, not even the DELETE.
    services.edit("main", json!({"allowedNamespaces": []})).await;
    fixture.endpoints.until_ready("orders", "False", "ServiceRefNotAllowed").await;
    fixture.endpoints.delete("orders").await;
    fixture.endpoints.edit("orders", json!({"deletionPolicy": "Retain"})).await;
    fixture.endpoints.until_gone("orders").await;
    assert!(fixture.requests(Operation::DeleteEndpoint).is_empty());
}
