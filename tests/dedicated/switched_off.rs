//! A kind that `--kinds` leaves out is neither watched nor reconciled, and what the others need of it is said.

use atlas_simulator::{DEFAULT_PROJECT, Operation};
use serde_json::json;
use test_support::PATIENCE;
use test_support::dedicated::{DedicatedFixture, REGION, message_of};
use testbed::Signal;

use super::VPC;

#[tokio::test]
async fn endpoints_without_the_kind_of_services_use_a_look_up_and_name_the_flag() {
    let fixture = DedicatedFixture::new().await;
    let both = fixture.operator();
    fixture.apply_service("main", json!({})).await;
    fixture.services.until_ready("main", "True", "Available").await;
    fixture.make_vpc_endpoint("main", VPC).await;
    both.signal(Signal::TERM).unwrap();
    both.wait(PATIENCE).await.unwrap();

    let _endpoints_only = fixture.base.operator_with(&["--kinds", "PrivateEndpoint"]);
    fixture.apply_endpoint("referring", "main", VPC, json!({})).await;
    let blocked = fixture.endpoints.until_ready("referring", "False", "ServiceNotFound").await;
    assert!(message_of(&blocked, "Ready").contains("--kinds"), "{blocked:#}");
    fixture.endpoints.delete_and_wait("referring").await;

    let service = json!({"projectId": DEFAULT_PROJECT, "provider": "AWS", "region": REGION});
    let spec = json!({"service": service, "credentialsRef": {"name": "atlas-api"}, "aws": {"id": VPC}});
    fixture.endpoints.apply("look-up", spec).await;
    fixture.endpoints.until_ready("look-up", "True", "Available").await;
    fixture.endpoints.delete_and_wait("look-up").await;
    assert_eq!(fixture.executed(Operation::DeleteEndpoint), 1);

    // Nobody reconciles the service.
    fixture.services.delete("main").await;
    let deleted = fixture.services.get("main").await;
    assert!(deleted["metadata"]["deletionTimestamp"].is_string(), "{deleted:#}");
    assert_eq!(fixture.executed(Operation::DeleteService), 0);
}

#[tokio::test]
async fn serverless_endpoints_alone_leave_the_other_kinds_untouched() {
    let fixture = DedicatedFixture::new().await;
    let _serverless_only = fixture.base.operator_with(&["--kinds", "ServerlessPrivateEndpoint"]);
    fixture.apply_service("main", json!({})).await;
    fixture.base.create("serverless", json!({})).await;
    fixture.base.until_reason("serverless", "Reserved").await;
    let untouched = fixture.services.get("main").await;
    assert!(untouched["status"]["conditions"].is_null(), "{untouched:#}");
    assert_eq!(fixture.executed(Operation::ListServices), 0);
}
