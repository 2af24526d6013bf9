//! Changes of an endpoint behind the operator's back, and transient ones.

use std::time::Duration;

use atlas_simulator::{
    DEFAULT_INSTANCE, DEFAULT_PROJECT, Endpoint, Entry, Fate, Fault, Operation, Pace, Rule, Simulator,
    Status, Termination,
};
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};
use spe_operator::serverless::crd::ServerlessPrivateEndpoint;
use testbed::{Action, Exchange};

use crate::bench::{Bench, VPC_ENDPOINT, assert_condition, condition};

const NEXT_VPC_ENDPOINT: &str = "vpce-0fedcba9876543210";

#[tokio::test]
async fn a_comment_that_was_edited_in_atlas_is_put_back_with_its_mark() {
    let bench = Bench::new().await;
    let _operator = bench.operator();
    bench.create("orders", json!({"comment": "orders"})).await;
    let status = bench.until_reason("orders", "Reserved").await.status.unwrap();
    let (id, comment) = (status.id.unwrap(), status.comment);
    assert!(
        bench.atlas.edit_endpoint(&id, |endpoint| endpoint.comment = Some("somebody's words".to_owned()))
    );
    bench.look("orders", "1").await;
    bench.until_looked("orders", "1").await;
    bench.atlas.until(|atlas| atlas.endpoint(&id).is_some_and(|endpoint| endpoint.comment == comment)).await;
    assert_eq!(bench.atlas.executed(Operation::Create), 1);
}

#[tokio::test]
async fn a_vpc_endpoint_that_was_changed_in_atlas_is_put_back() {
    let bench = Bench::new().await;
    let _operator = bench.operator();
    bench.create("orders", json!({"cloudProviderEndpointId": VPC_ENDPOINT})).await;
    let id = bench.until_reason("orders", "Available").await.status.unwrap().id.unwrap();
    let change = |endpoint: &mut Endpoint| endpoint.vpc_endpoint_id = Some(NEXT_VPC_ENDPOINT.to_owned());
    assert!(bench.atlas.edit_endpoint(&id, change));
    bench.look("orders", "1").await;
    let connected = |endpoint: Endpoint| endpoint.vpc_endpoint_id.as_deref() == Some(VPC_ENDPOINT);
    bench.atlas.until(|atlas| atlas.endpoint(&id).is_some_and(connected)).await;
    bench.until_looked("orders", "1").await;
    let available = bench.until_reason("orders", "Available").await;
    assert_condition(&available, "Ready", "True", "Available");
    assert_eq!((bench.atlas.executed(Operation::Create), bench.atlas.executed(Operation::Update)), (1, 2));
}

#[tokio::test]
async fn a_reservation_that_ran_out_is_made_anew_and_its_new_service_is_shown() {
    let bench = Bench::new().await;
    let _operator = bench.operator();
    bench.create("orders", json!({"readyWhen": "Available"})).await;
    let before = bench.until_reason("orders", "AwaitingVpcEndpoint").await.status.unwrap();
    let fate = Fate::Expires { after: Duration::from_secs(3) };
    assert!(bench.atlas.set_fate(before.id.as_ref().unwrap(), fate));
    // No reconcile is requested: an operator that waits for the user polls by itself.
    let another = |object: &ServerlessPrivateEndpoint| {
        let status = object.status.as_ref();
        let service = status.and_then(|status| status.endpoint_service_name.clone());
        service.is_some() && service != before.endpoint_service_name
    };
    let after = bench.until("orders", "reserved anew", another).await;
    assert_condition(&after, "EndpointServiceAvailable", "True", "ServiceReserved");
    let service = after.status.as_ref().unwrap().endpoint_service_name.clone().unwrap();
    let awaiting = bench.until_reason("orders", "AwaitingVpcEndpoint").await;
    assert!(condition(&awaiting, "Ready").unwrap().message.contains(&service));
    assert_ne!(awaiting.status.unwrap().id, before.id);
    assert_eq!((bench.atlas.executed(Operation::Create), bench.endpoints().len()), (2, 1));
}

#[tokio::test]
async fn a_changed_vpc_endpoint_is_tried_again_where_atlas_failed_and_the_endpoint_stays_the_same() {
    let bench = Bench::at_pace(Pace::of(Duration::from_secs(1))).await;
    let _operator = bench.operator();
    bench.create("orders", json!({})).await;
    let id = bench.until_reason("orders", "Reserved").await.status.unwrap().id.unwrap();
    let why = "endpoint is in another region";
    assert!(bench.atlas.set_fate(&id, Fate::ConnectionFails { message: why.to_owned() }));
    bench.edit("orders", json!({"cloudProviderEndpointId": VPC_ENDPOINT})).await;
    let failed = bench.until_reason("orders", "AtlasFailed").await;
    assert!(condition(&failed, "Ready").unwrap().message.contains(why));
    bench.look("orders", "1").await;
    bench.until_looked("orders", "1").await;
    assert_eq!(bench.atlas.executed(Operation::Update), 1, "the same id is not tried again");
    bench.edit("orders", json!({"cloudProviderEndpointId": NEXT_VPC_ENDPOINT})).await;
    let available = bench.until_reason("orders", "Available").await;
    assert_eq!(available.status.unwrap().id.as_deref(), Some(id.as_str()));
    assert_eq!((bench.atlas.executed(Operation::Create), bench.atlas.executed(Operation::Update)), (1, 2));
}

#[tokio::test]
async fn an_endpoint_deleted_in_atlas_is_created_anew_and_its_vpc_endpoint_id_is_not_sent_again() {
    let bench = Bench::new().await;
    let _operator = bench.operator();
    bench.create("orders", json!({"cloudProviderEndpointId": VPC_ENDPOINT})).await;
    let before = bench.until_reason("orders", "Available").await.status.unwrap();
    // A listing proves nothing for as long as Atlas may lag behind.
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert!(bench.atlas.remove_endpoint(&before.id.clone().unwrap()));
    bench.look("orders", "1").await;
    let stale = bench.until_reason("orders", "VpcEndpointStale").await;
    assert_condition(&stale, "Stalled", "True", "VpcEndpointStale");
    let status = stale.status.clone().unwrap();
    assert_ne!((&status.id, &status.endpoint_service_name), (&before.id, &before.endpoint_service_name));
    let message = &condition(&stale, "Ready").unwrap().message;
    assert!(
        message.contains(VPC_ENDPOINT) && message.contains(&status.endpoint_service_name.unwrap()),
        "{message}"
    );
    assert_eq!(bench.atlas.executed(Operation::Update), 1);
    bench.edit("orders", json!({"cloudProviderEndpointId": NEXT_VPC_ENDPOINT})).await;
    bench.until_reason("orders", "Available").await;
    assert_eq!((bench.atlas.executed(Operation::Create), bench.endpoints().len()), (2, 1));
}

#[tokio::test]
async fn a_second_endpoint_with_our_mark_is_removed_while_it_is_unused_and_named_once_it_is_used() {
    let bench = Bench::new().await;
    let _operator = bench.operator();
    bench.create("orders", json!({"cloudProviderEndpointId": VPC_ENDPOINT})).await;
    let status = bench.until_reason("orders", "Available").await.status.unwrap();
    let twin = || Endpoint::reserved(status.comment.clone());
    let unused = bench.atlas.insert_endpoint(DEFAULT_PROJECT, DEFAULT_INSTANCE, twin());
    let used =
        Endpoint { status: Status::Available, vpc_endpoint_id: Some(NEXT_VPC_ENDPOINT.to_owned()), ..twin() };
    let used = bench.atlas.insert_endpoint(DEFAULT_PROJECT, DEFAULT_INSTANCE, used);
    bench.look("orders", "1").await;
    let object = bench.until_synced("orders", "Duplicate").await;
    assert_condition(&object, "Ready", "True", "Available");
    assert!(condition(&object, "Synced").unwrap().message.contains(&used));
    bench.atlas.until(|atlas| atlas.endpoint(&unused).is_none()).await;
    assert_eq!(bench.atlas.executed(Operation::Delete), 1);
    assert!(bench.atlas.endpoint(&used).is_some());
    assert!(bench.atlas.endpoint(&status.id.unwrap()).is_some());
}

#[tokio::test]
async fn the_deletion_of_a_second_endpoint_counts_as_the_one_of_this_hour_though_its_answer_is_lost() {
    let bench = Bench::new().await;
    let _operator = bench.operator();
    bench.create("orders", json!({})).await;
    let status = bench.until_reason("orders", "Reserved").await.status.unwrap();
    bench.atlas.inject(Rule::next_of(Operation::Delete, Fault::Executed(Termination::Cut)));
    for _ in 0..2 {
        let twin = Endpoint::reserved(status.comment.clone());
        bench.atlas.insert_endpoint(DEFAULT_PROJECT, DEFAULT_INSTANCE, twin);
    }
    bench.look("orders", "0").await;
    bench.until_synced("orders", "Duplicate").await;
    for look in ["1", "2"] {
        bench.look("orders", look).await;
        bench.until_looked("orders", look).await;
    }
    assert_eq!(bench.atlas.count(|entry| entry.is(Operation::Delete)), 1);
    assert_eq!(bench.endpoints().len(), 2);
}

/// The fields of the status that come from Atlas.
fn of_atlas(object: &ServerlessPrivateEndpoint) -> Vec<Option<Value>> {
    let status = serde_json::to_value(object.status.as_ref().unwrap()).unwrap();
    FIELDS.iter().map(|field| status.get(field).cloned()).collect()
}

const FIELDS: [&str; 6] =
    ["_id", "cloudProviderEndpointId", "comment", "endpointServiceName", "errorMessage", "status"];

#[tokio::test]
async fn what_somebody_writes_into_a_field_of_the_status_is_put_back_by_the_next_looks() {
    let bench = Bench::new().await;
    let _operator = bench.operator();
    let fields = json!({"comment": "orders", "cloudProviderEndpointId": VPC_ENDPOINT});
    bench.create("orders", fields).await;
    let told = of_atlas(&bench.until_reason("orders", "Available").await);
    for field in FIELDS {
        for wrong in [json!("5f0000000000000000000001"), Value::Null] {
            let patch = Patch::Merge(json!({"status": {field: wrong}}));
            bench.objects.patch_status("orders", &PatchParams::default(), &patch).await.unwrap();
            bench.look("orders", &format!("{field} {wrong}")).await;
            bench.until_looked("orders", &format!("{field} {wrong}")).await;
            bench.until("orders", "as Atlas says", |object| of_atlas(object) == told).await;
            bench.until_reason("orders", "Available").await;
        }
    }
    assert_eq!((bench.atlas.executed(Operation::Create), bench.endpoints().len()), (1, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_patch_that_atlas_accepted_is_not_repeated_for_an_older_listing_when_the_status_cannot_be_written()
{
    let bench = Bench::new().await;
    let proxies = bench.proxies().await;
    let says_so = |exchange: &Exchange| {
        let writes = exchange.method == "PATCH" && exchange.path.contains("/orders/status");
        writes && String::from_utf8_lossy(&exchange.body).contains("INITIATING")
    };
    proxies.tape.next(says_so, Action::kubernetes(409, "Conflict"));
    let _operator = bench.operator_behind(&proxies);
    bench.create("orders", json!({"cloudProviderEndpointId": VPC_ENDPOINT})).await;
    bench.until_reason("orders", "Available").await;
    assert_eq!(bench.atlas.executed(Operation::Update), 1, "{}", proxies.tape.listing());
}

#[tokio::test]
async fn a_look_that_is_asked_for_while_a_post_is_on_its_way_comes_after_it() {
    let bench = Bench::new().await;
    let _operator = bench.operator();
    bench.atlas.inject(Rule::next_of(Operation::Create, Fault::delayed(Duration::from_millis(1500))));
    bench.create("orders", json!({})).await;
    let sent = |entry: &Entry| entry.is(Operation::Create) && entry.challenged.is_none();
    bench.atlas.until(|atlas| atlas.count(sent) == 1).await;
    let listed = bench.atlas.executed(Operation::List);
    bench.look("orders", "1").await;
    bench.until_looked("orders", "1").await;
    assert!(bench.atlas.executed(Operation::List) > listed, "what was asked for is said to be done");
}

#[tokio::test]
async fn work_that_takes_too_long_is_called_stalled_and_goes_on() {
    let bench = Bench::at_pace(Pace::of(Duration::from_secs(6))).await;
    let _operator = bench.operator();
    bench.create("orders", json!({"progressDeadline": "2s"})).await;
    let late = bench.until("orders", "stalled", |object| condition(object, "Stalled").is_some()).await;
    assert_condition(&late, "Stalled", "True", "ProgressDeadlineExceeded");
    assert_condition(&late, "Ready", "False", "ProgressDeadlineExceeded");
    let reserved = bench.until_reason("orders", "Reserved").await;
    assert_condition(&reserved, "Ready", "True", "Reserved");
    // Waiting for the user is not late, not even where it is waited for.
    bench.edit("orders", json!({"readyWhen": "Available"})).await;
    bench.until_reason("orders", "AwaitingVpcEndpoint").await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    bench.look("orders", "1").await;
    let waiting = bench.until_looked("orders", "1").await;
    assert_condition(&waiting, "Reconciling", "True", "Progressing");
    assert!(condition(&waiting, "Stalled").is_none());
}

#[tokio::test]
async fn what_is_declared_while_a_look_is_on_its_way_is_what_counts() {
    let bench = Bench::new().await;
    let _operator = bench.operator();
    bench.create("orders", json!({"cloudProviderEndpointId": VPC_ENDPOINT})).await;
    bench.until_reason("orders", "Available").await;
    let arrived = |atlas: &Simulator| atlas.count(|entry| entry.is(Operation::List));
    let (sent, listed) = (bench.atlas.executed(Operation::Update), arrived(&bench.atlas));
    bench.atlas.inject(Rule::next_of(Operation::List, Fault::delayed(Duration::from_millis(1500))));
    bench.edit("orders", json!({"cloudProviderEndpointId": NEXT_VPC_ENDPOINT})).await;
    bench.atlas.until(|atlas| arrived(atlas) > listed).await;
    bench.edit("orders", json!({"cloudProviderEndpointId": VPC_ENDPOINT})).await;
    bench.until_reason("orders", "Available").await;
    assert_eq!(bench.atlas.executed(Operation::Update), sent, "nobody declares the other id any more");
}
