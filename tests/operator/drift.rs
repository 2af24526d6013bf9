//! Changes of an endpoint behind the operator's back, and transient ones.

use std::time::Duration;

use atlas_simulator::{
    DEFAULT_INSTANCE, DEFAULT_PROJECT, Deviation, Endpoint, InjectedFault, JournalEntry, Operation, Pace,
    Rule, Simulator, Status, Termination,
};
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};
use spe_operator::serverless::crd::ServerlessPrivateEndpoint;
use test_support::{Fixture, PATIENCE, VPC_ENDPOINT, assert_condition, condition};
use testbed::{Action, Exchange};

const NEXT_VPC_ENDPOINT: &str = "vpce-0fedcba9876543210";

#[tokio::test]
async fn a_comment_edited_in_atlas_is_restored_with_its_mark() {
    let fixture = Fixture::new().await;
    let _operator = fixture.operator();
    fixture.create("orders", json!({"comment": "orders"})).await;
    let status = fixture.until_reason("orders", "Reserved").await.status.unwrap();
    let (id, comment) = (status.id.unwrap(), status.comment);
    assert!(
        fixture.atlas.edit_endpoint(&id, |endpoint| endpoint.comment = Some("somebody's words".to_owned()))
    );
    fixture.request_reconcile("orders", "1").await;
    fixture.until_reconciled("orders", "1").await;
    fixture
        .atlas
        .until(|atlas| atlas.endpoint(&id).is_some_and(|endpoint| endpoint.comment == comment))
        .await;
    assert_eq!(fixture.atlas.executed(Operation::Create), 1);
}

#[tokio::test]
async fn a_vpc_endpoint_changed_in_atlas_is_restored() {
    let fixture = Fixture::new().await;
    let _operator = fixture.operator();
    fixture.create("orders", json!({"cloudProviderEndpointId": VPC_ENDPOINT})).await;
    let id = fixture.until_reason("orders", "Available").await.status.unwrap().id.unwrap();
    let change = |endpoint: &mut Endpoint| endpoint.vpc_endpoint_id = Some(NEXT_VPC_ENDPOINT.to_owned());
    assert!(fixture.atlas.edit_endpoint(&id, change));
    fixture.request_reconcile("orders", "1").await;
    let connected = |endpoint: Endpoint| endpoint.vpc_endpoint_id.as_deref() == Some(VPC_ENDPOINT);
    fixture.atlas.until(|atlas| atlas.endpoint(&id).is_some_and(connected)).await;
    fixture.until_reconciled("orders", "1").await;
    let available = fixture.until_reason("orders", "Available").await;
    assert_condition(&available, "Ready", "True", "Available");
    assert_eq!(
        (fixture.atlas.executed(Operation::Create), fixture.atlas.executed(Operation::Update)),
        (1, 2)
    );
}

#[tokio::test]
async fn an_expired_reservation_is_renewed_with_its_new_service() {
    let fixture = Fixture::new().await;
    let _operator = fixture.operator();
    fixture.create("orders", json!({"readyWhen": "Available"})).await;
    let before = fixture.until_reason("orders", "AwaitingVpcEndpoint").await.status.unwrap();
    let deviation = Deviation::Expires { after: Duration::from_secs(3) };
    assert!(fixture.atlas.add_deviation(before.id.as_ref().unwrap(), deviation));
    // No reconcile is requested: an operator that waits for the user polls by itself.
    let another = |object: &ServerlessPrivateEndpoint| {
        let status = object.status.as_ref();
        let service = status.and_then(|status| status.endpoint_service_name.clone());
        service.is_some() && service != before.endpoint_service_name
    };
    let after = fixture.until("orders", "reserved again", another).await;
    assert_condition(&after, "EndpointServiceAvailable", "True", "ServiceReserved");
    let service = after.status.as_ref().unwrap().endpoint_service_name.clone().unwrap();
    let awaiting = fixture.until_reason("orders", "AwaitingVpcEndpoint").await;
    assert!(condition(&awaiting, "Ready").unwrap().message.contains(&service));
    assert_ne!(awaiting.status.unwrap().id, before.id);
    assert_eq!((fixture.atlas.executed(Operation::Create), fixture.endpoints().len()), (2, 1));
}

#[tokio::test]
async fn a_changed_vpc_endpoint_is_retried_on_a_failed_endpoint() {
    let fixture = Fixture::at_pace(Pace::of(Duration::from_secs(1))).await;
    let _operator = fixture.operator();
    fixture.create("orders", json!({})).await;
    let id = fixture.until_reason("orders", "Reserved").await.status.unwrap().id.unwrap();
    let why = "endpoint is in another region";
    assert!(fixture.atlas.add_deviation(&id, Deviation::ConnectionFails { message: why.to_owned() }));
    fixture.edit("orders", json!({"cloudProviderEndpointId": VPC_ENDPOINT})).await;
    let failed = fixture.until_reason("orders", "AtlasFailed").await;
    assert!(condition(&failed, "Ready").unwrap().message.contains(why));
    fixture.request_reconcile("orders", "1").await;
    fixture.until_reconciled("orders", "1").await;
    assert_eq!(fixture.atlas.executed(Operation::Update), 1, "the same id is not tried again");
    fixture.edit("orders", json!({"cloudProviderEndpointId": NEXT_VPC_ENDPOINT})).await;
    let available = fixture.until_reason("orders", "Available").await;
    assert_eq!(available.status.unwrap().id.as_deref(), Some(id.as_str()));
    assert_eq!(
        (fixture.atlas.executed(Operation::Create), fixture.atlas.executed(Operation::Update)),
        (1, 2)
    );
}

#[tokio::test]
async fn a_lost_endpoint_is_recreated_without_its_old_vpc_endpoint() {
    let fixture = Fixture::new().await;
    let _operator = fixture.operator();
    fixture.create("orders", json!({"cloudProviderEndpointId": VPC_ENDPOINT})).await;
    let before = fixture.until_reason("orders", "Available").await.status.unwrap();
    assert!(fixture.atlas.remove_endpoint(&before.id.clone().unwrap()));
    fixture.request_reconcile("orders", "1").await;
    let stale = fixture.until_reason("orders", "VpcEndpointStale").await;
    assert_condition(&stale, "Stalled", "True", "VpcEndpointStale");
    let status = stale.status.clone().unwrap();
    assert_ne!((&status.id, &status.endpoint_service_name), (&before.id, &before.endpoint_service_name));
    let message = &condition(&stale, "Ready").unwrap().message;
    assert!(
        message.contains(VPC_ENDPOINT) && message.contains(&status.endpoint_service_name.unwrap()),
        "{message}"
    );
    assert_eq!(fixture.atlas.executed(Operation::Update), 1);
    fixture.edit("orders", json!({"cloudProviderEndpointId": NEXT_VPC_ENDPOINT})).await;
    fixture.until_reason("orders", "Available").await;
    assert_eq!((fixture.atlas.executed(Operation::Create), fixture.endpoints().len()), (2, 1));
}

#[tokio::test]
async fn a_duplicate_is_deleted_while_unused_and_reported_once_used() {
    let fixture = Fixture::new().await;
    let _operator = fixture.operator();
    fixture.create("orders", json!({"cloudProviderEndpointId": VPC_ENDPOINT})).await;
    let status = fixture.until_reason("orders", "Available").await.status.unwrap();
    let twin = || Endpoint::reserved(status.comment.clone());
    let unused = fixture.atlas.insert_endpoint(DEFAULT_PROJECT, DEFAULT_INSTANCE, twin());
    let used =
        Endpoint { status: Status::Available, vpc_endpoint_id: Some(NEXT_VPC_ENDPOINT.to_owned()), ..twin() };
    let used = fixture.atlas.insert_endpoint(DEFAULT_PROJECT, DEFAULT_INSTANCE, used);
    fixture.request_reconcile("orders", "1").await;
    let object = fixture.until_synced("orders", "Duplicate").await;
    assert_condition(&object, "Ready", "True", "Available");
    assert!(condition(&object, "Synced").unwrap().message.contains(&used));
    fixture.atlas.until(|atlas| atlas.endpoint(&unused).is_none()).await;
    assert_eq!(fixture.atlas.executed(Operation::Delete), 1);
    assert!(fixture.atlas.endpoint(&used).is_some());
    assert!(fixture.atlas.endpoint(&status.id.unwrap()).is_some());
}

#[tokio::test]
async fn a_lost_response_counts_as_the_hourly_deletion_of_a_duplicate() {
    let fixture = Fixture::new().await;
    let _operator = fixture.operator();
    fixture.create("orders", json!({})).await;
    let status = fixture.until_reason("orders", "Reserved").await.status.unwrap();
    fixture.atlas.inject(Rule::next_of(Operation::Delete, InjectedFault::Executed(Termination::Cut)));
    for _ in 0..2 {
        let twin = Endpoint::reserved(status.comment.clone());
        fixture.atlas.insert_endpoint(DEFAULT_PROJECT, DEFAULT_INSTANCE, twin);
    }
    fixture.request_reconcile("orders", "0").await;
    fixture.until_synced("orders", "Duplicate").await;
    for round in ["1", "2"] {
        fixture.request_reconcile("orders", round).await;
        fixture.until_reconciled("orders", round).await;
    }
    assert_eq!(fixture.atlas.count(|entry| entry.is(Operation::Delete)), 1);
    assert_eq!(fixture.endpoints().len(), 2);
}

/// The fields of the status that come from Atlas.
fn of_atlas(object: &ServerlessPrivateEndpoint) -> Vec<Option<Value>> {
    let status = serde_json::to_value(object.status.as_ref().unwrap()).unwrap();
    FIELDS.iter().map(|field| status.get(field).cloned()).collect()
}

const FIELDS: [&str; 6] =
    ["_id", "cloudProviderEndpointId", "comment", "endpointServiceName", "errorMessage", "status"];

#[tokio::test]
async fn a_foreign_write_to_the_status_is_overwritten_by_reconciles() {
    let fixture = Fixture::new().await;
    let _operator = fixture.operator();
    let fields = json!({"comment": "orders", "cloudProviderEndpointId": VPC_ENDPOINT});
    fixture.create("orders", fields).await;
    let reported = of_atlas(&fixture.until_reason("orders", "Available").await);
    for field in FIELDS {
        for wrong in [json!("5f0000000000000000000001"), Value::Null] {
            let patch = Patch::Merge(json!({"status": {field: wrong}}));
            fixture.objects.patch_status("orders", &PatchParams::default(), &patch).await.unwrap();
            fixture.request_reconcile("orders", &format!("{field} {wrong}")).await;
            fixture.until_reconciled("orders", &format!("{field} {wrong}")).await;
            fixture.until("orders", "as Atlas says", |object| of_atlas(object) == reported).await;
            fixture.until_reason("orders", "Available").await;
        }
    }
    assert_eq!((fixture.atlas.executed(Operation::Create), fixture.endpoints().len()), (1, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_accepted_patch_is_not_repeated_if_the_status_write_fails() {
    let fixture = Fixture::new().await;
    let proxies = fixture.proxies().await;
    let says_so = |exchange: &Exchange| {
        let writes = exchange.method == "PATCH" && exchange.path.contains("/orders/status");
        writes && String::from_utf8_lossy(&exchange.body).contains("INITIATING")
    };
    proxies.recording.next(says_so, Action::kubernetes(409, "Conflict"));
    let _operator = fixture.operator_behind(&proxies);
    fixture.create("orders", json!({"cloudProviderEndpointId": VPC_ENDPOINT})).await;
    fixture.until_reason("orders", "Available").await;
    assert_eq!(fixture.atlas.executed(Operation::Update), 1, "{}", proxies.recording.listing());
}

#[tokio::test]
async fn a_reconcile_requested_during_a_post_runs_after_it() {
    let fixture = Fixture::new().await;
    let _operator = fixture.operator();
    fixture
        .atlas
        .inject(Rule::next_of(Operation::Create, InjectedFault::delayed(Duration::from_millis(1500))));
    fixture.create("orders", json!({})).await;
    let sent = |entry: &JournalEntry| entry.is(Operation::Create) && entry.challenged.is_none();
    fixture.atlas.until(|atlas| atlas.count(sent) == 1).await;
    let listed = fixture.atlas.executed(Operation::List);
    fixture.request_reconcile("orders", "1").await;
    fixture.until_reconciled("orders", "1").await;
    assert!(fixture.atlas.executed(Operation::List) > listed, "the request is not echoed before it is done");
}

#[tokio::test]
async fn work_past_its_deadline_is_stalled_and_continues() {
    let fixture = Fixture::at_pace(Pace::of(Duration::from_secs(6))).await;
    let _operator = fixture.operator();
    fixture.create("orders", json!({"progressDeadline": "2s"})).await;
    let late = fixture.until("orders", "stalled", |object| condition(object, "Stalled").is_some()).await;
    assert_condition(&late, "Stalled", "True", "ProgressDeadlineExceeded");
    assert_condition(&late, "Ready", "False", "ProgressDeadlineExceeded");
    let reserved = fixture.until_reason("orders", "Reserved").await;
    assert_condition(&reserved, "Ready", "True", "Reserved");
    // Waiting for the user is not late, not even where it is waited for.
    fixture.edit("orders", json!({"readyWhen": "Available"})).await;
    fixture.until_reason("orders", "AwaitingVpcEndpoint").await;
    let overdue = fixture.atlas.now() + Duration::from_secs(2);
    let is_later = |entry: &JournalEntry| entry.is(Operation::List) && entry.at > overdue;
    let polled = fixture.atlas.until(|atlas| atlas.count(is_later) > 0);
    tokio::time::timeout(PATIENCE, polled).await.unwrap();
    fixture.request_reconcile("orders", "1").await;
    let waiting = fixture.until_reconciled("orders", "1").await;
    assert_condition(&waiting, "Reconciling", "True", "Progressing");
    assert!(condition(&waiting, "Stalled").is_none());
}

#[tokio::test]
async fn an_edit_during_a_reconcile_takes_effect() {
    let fixture = Fixture::new().await;
    let _operator = fixture.operator();
    fixture.create("orders", json!({"cloudProviderEndpointId": VPC_ENDPOINT})).await;
    fixture.until_reason("orders", "Available").await;
    let arrived = |atlas: &Simulator| atlas.count(|entry| entry.is(Operation::List));
    let (sent, listed) = (fixture.atlas.executed(Operation::Update), arrived(&fixture.atlas));
    fixture.atlas.inject(Rule::next_of(Operation::List, InjectedFault::delayed(Duration::from_millis(1500))));
    fixture.edit("orders", json!({"cloudProviderEndpointId": NEXT_VPC_ENDPOINT})).await;
    fixture.atlas.until(|atlas| arrived(atlas) > listed).await;
    fixture.edit("orders", json!({"cloudProviderEndpointId": VPC_ENDPOINT})).await;
    fixture.until_reason("orders", "Available").await;
    assert_eq!(fixture.atlas.executed(Operation::Update), sent, "nobody declares the other id any more");
}
