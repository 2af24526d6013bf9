//! Ownership of endpoints: adoption by id, marks and claims of others, observing, and recovery by name.

use std::time::Duration;

use atlas_simulator::{DEFAULT_INSTANCE, DEFAULT_PROJECT, Endpoint, Operation};
use domain::token::Token;
use kube::api::{Patch, PatchParams};
use serde_json::json;
use test_support::{Fixture, PATIENCE, assert_condition, condition};
use testbed::{Action, Exchange, Process};

/// The id of the operator's cluster.
const CLUSTER: &str = "tests";

fn operator(fixture: &Fixture) -> Process {
    fixture.operator_with(&[&format!("--cluster-id={CLUSTER}")])
}

/// The token of an object in the harness's namespace.
fn token(fixture: &Fixture, name: &str) -> Token {
    Token::of(&CLUSTER.parse().unwrap(), &fixture.namespace, name)
}

/// Creates an endpoint by hand; returns its id.
fn insert(fixture: &Fixture, comment: &str) -> String {
    let endpoint = Endpoint::reserved(Some(comment.to_owned()));
    fixture.atlas.insert_endpoint(DEFAULT_PROJECT, DEFAULT_INSTANCE, endpoint)
}

fn comment_of(fixture: &Fixture, id: &str) -> String {
    fixture.atlas.endpoint(id).unwrap().comment.unwrap()
}

/// Returns the number of writes that Atlas has executed.
fn writes(fixture: &Fixture) -> usize {
    [Operation::Create, Operation::Update, Operation::Delete]
        .into_iter()
        .map(|operation| fixture.atlas.executed(operation))
        .sum()
}

#[tokio::test]
async fn an_unmarked_endpoint_is_adopted_by_its_id_and_deleted() {
    let fixture = Fixture::new().await;
    let id = insert(&fixture, "made by hand");
    let other = insert(&fixture, "another");
    let _operator = operator(&fixture);
    fixture.create("orders", json!({"endpointId": id, "comment": "ours now"})).await;
    let object = fixture.until_reason("orders", "Reserved").await;
    assert_eq!(object.status.unwrap().id.as_deref(), Some(id.as_str()));
    assert_eq!(comment_of(&fixture, &id), format!("ours now [k8s:{}]", token(&fixture, "orders")));
    fixture.edit("orders", json!({"endpointId": null})).await;
    fixture.until_reason("orders", "Reserved").await;
    fixture.delete("orders").await;
    fixture.until_gone("orders").await;
    assert_eq!(fixture.atlas.executed(Operation::Create), 0);
    assert_eq!(fixture.endpoints().iter().map(|endpoint| &endpoint.id).collect::<Vec<_>>(), [&other]);
}

#[tokio::test]
async fn a_foreign_mark_is_replaced_only_with_its_take_over_annotation() {
    let fixture = Fixture::new().await;
    let owner = token(&fixture, "somebody-else");
    let comment = format!("theirs [k8s:{owner}]");
    let id = insert(&fixture, &comment);
    let _operator = operator(&fixture);
    fixture.create("orders", json!({"endpointId": id})).await;
    let refused = fixture.until_reason("orders", "OwnershipConflict").await;
    assert_condition(&refused, "Stalled", "True", "OwnershipConflict");
    assert!(condition(&refused, "Ready").unwrap().message.contains(owner.as_str()));
    let wrong = token(&fixture, "a-third");
    fixture.annotate("orders", json!({"atlas.spe-operator.io/take-over": wrong.as_str()})).await;
    fixture.request_reconcile("orders", "1").await;
    fixture.until_reconciled("orders", "1").await;
    assert_eq!((writes(&fixture), comment_of(&fixture, &id)), (0, comment));
    fixture.annotate("orders", json!({"atlas.spe-operator.io/take-over": owner.as_str()})).await;
    fixture.until_reason("orders", "Reserved").await;
    assert_eq!(comment_of(&fixture, &id), format!("[k8s:{}]", token(&fixture, "orders")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_take_over_withdrawn_before_its_patch_has_no_effect() {
    let fixture = Fixture::new().await;
    let owner = token(&fixture, "somebody-else");
    let comment = format!("theirs [k8s:{owner}]");
    let id = insert(&fixture, &comment);
    let proxies = fixture.proxies().await;
    let _operator = fixture.operator_behind_with(&proxies, &[&format!("--cluster-id={CLUSTER}")]);
    fixture.create("orders", json!({"endpointId": id})).await;
    fixture.until_reason("orders", "OwnershipConflict").await;
    // The object is read past all caches right before the PATCH.
    let reads = |exchange: &Exchange| exchange.method == "GET" && exchange.path.ends_with("/orders");
    proxies.recording.next(reads, Action::DelayRequest(Duration::from_millis(1500)));
    fixture.annotate("orders", json!({"atlas.spe-operator.io/take-over": owner.as_str()})).await;
    let reached = async {
        while proxies.recording.count(|exchange| exchange.planned) == 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, reached).await.expect("nobody read the object");
    fixture.annotate("orders", json!({"atlas.spe-operator.io/take-over": null})).await;
    fixture.request_reconcile("orders", "1").await;
    fixture.until_reconciled("orders", "1").await;
    fixture.until_reason("orders", "OwnershipConflict").await;
    assert_eq!(
        (writes(&fixture), comment_of(&fixture, &id)),
        (0, comment),
        "{}",
        proxies.recording.listing()
    );
}

#[tokio::test]
async fn an_object_is_deleted_without_changing_a_foreign_endpoint() {
    let fixture = Fixture::new().await;
    let id = insert(&fixture, &format!("[k8s:{}]", token(&fixture, "somebody-else")));
    let _operator = operator(&fixture);
    fixture.create("orders", json!({"endpointId": id})).await;
    fixture.until_reason("orders", "OwnershipConflict").await;
    fixture.delete("orders").await;
    fixture.until_gone("orders").await;
    assert_eq!((writes(&fixture), fixture.endpoints().len()), (0, 1));
}

#[tokio::test]
async fn a_recorded_endpoint_with_a_foreign_mark_is_not_changed() {
    let fixture = Fixture::new().await;
    let _operator = operator(&fixture);
    fixture.create("orders", json!({})).await;
    let id = fixture.until_reason("orders", "Reserved").await.status.unwrap().id.unwrap();
    let theirs = format!("theirs [k8s:{}]", token(&fixture, "somebody-else"));
    assert!(fixture.atlas.edit_endpoint(&id, |endpoint| endpoint.comment = Some(theirs.clone())));
    let before = writes(&fixture);
    fixture.edit("orders", json!({"comment": "mine"})).await;
    let conflict = fixture.until_reason("orders", "OwnershipConflict").await;
    assert_condition(&conflict, "Stalled", "True", "OwnershipConflict");
    fixture.delete("orders").await;
    fixture.until_gone("orders").await;
    assert_eq!((writes(&fixture), comment_of(&fixture, &id)), (before, theirs));
}

#[tokio::test]
async fn a_recorded_id_named_in_the_spec_is_not_replaced_when_lost() {
    let fixture = Fixture::new().await;
    let _operator = operator(&fixture);
    fixture.create("orders", json!({})).await;
    let id = fixture.until_reason("orders", "Reserved").await.status.unwrap().id.unwrap();
    fixture.edit("orders", json!({"endpointId": id})).await;
    fixture.until_reason("orders", "Reserved").await;
    assert!(fixture.atlas.remove_endpoint(&id));
    fixture.request_reconcile("orders", "1").await;
    let lost =
        fixture.until("orders", "lost for good", |object| condition(object, "Stalled").is_some()).await;
    assert_condition(&lost, "Stalled", "True", "EndpointLost");
    assert_eq!(fixture.atlas.executed(Operation::Create), 1);
    fixture.edit("orders", json!({"endpointId": null})).await;
    fixture.until_reason("orders", "Reserved").await;
    assert_eq!((fixture.atlas.executed(Operation::Create), fixture.endpoints().len()), (2, 1));
}

#[tokio::test]
async fn an_unknown_endpoint_id_is_not_found_and_creates_nothing() {
    let fixture = Fixture::new().await;
    let _operator = operator(&fixture);
    fixture.create("orders", json!({"endpointId": "5f0000000000000000000001"})).await;
    let unknown = fixture.until_reason("orders", "EndpointNotFound").await;
    assert!(condition(&unknown, "Ready").unwrap().message.contains("5f0000000000000000000001"));
    assert_eq!(writes(&fixture), 0);
    fixture.delete("orders").await;
    fixture.until_gone("orders").await;
}

#[tokio::test]
async fn an_observed_endpoint_is_reported_and_never_written() {
    let fixture = Fixture::new().await;
    let id = insert(&fixture, "made by hand");
    let _operator = operator(&fixture);
    fixture
        .create("orders", json!({"endpointId": id, "managementPolicy": "Observe", "comment": "mine"}))
        .await;
    let object = fixture.until_reason("orders", "Reserved").await;
    assert_eq!(object.status.unwrap().comment.as_deref(), Some("made by hand"));
    assert_eq!(writes(&fixture), 0);
    fixture.edit("orders", json!({"managementPolicy": "Manage"})).await;
    let marked = format!("mine [k8s:{}]", token(&fixture, "orders"));
    fixture
        .until("orders", "marked", |object| {
            object.status.as_ref().is_some_and(|status| status.comment.as_deref() == Some(&marked))
        })
        .await;
    fixture.edit("orders", json!({"managementPolicy": "Observe"})).await;
    fixture.until_reason("orders", "Reserved").await;
    fixture.delete("orders").await;
    fixture.until_gone("orders").await;
    assert_eq!((fixture.atlas.executed(Operation::Delete), comment_of(&fixture, &id)), (0, marked));
}

/// A manifest as it comes from a backup of another cluster.
async fn restored(fixture: &Fixture) -> Token {
    let theirs = Token::of(&"elsewhere".parse().unwrap(), &fixture.namespace, "orders");
    fixture.create("orders", json!({})).await;
    let claim =
        format!("v1/{theirs}/aaaaaaaaaaaaaaaaaaaaaaaaaa/6d9a3c9e-0000-0000-0000-000000000000/elsewhere/-");
    fixture.annotate("orders", json!({"atlas.spe-operator.io/claim": claim})).await;
    theirs
}

#[tokio::test]
async fn a_manifest_restored_from_another_cluster_needs_an_annotation() {
    let fixture = Fixture::new().await;
    let theirs = restored(&fixture).await;
    let id = insert(&fixture, &format!("[k8s:{theirs}]"));
    let _operator = operator(&fixture);
    let waiting = fixture.until_reason("orders", "AdoptionRequired").await;
    assert_condition(&waiting, "Stalled", "True", "AdoptionRequired");
    let message = &condition(&waiting, "Ready").unwrap().message;
    assert!(message.contains("elsewhere") && message.contains(theirs.as_str()), "{message}");
    assert_eq!(writes(&fixture), 0);
    fixture.annotate("orders", json!({"atlas.spe-operator.io/take-over": theirs.as_str()})).await;
    fixture.edit("orders", json!({"endpointId": id})).await;
    fixture.until_reason("orders", "Reserved").await;
    assert_eq!(comment_of(&fixture, &id), format!("[k8s:{}]", token(&fixture, "orders")));
    assert_eq!(fixture.atlas.executed(Operation::Create), 0);
}

#[tokio::test]
async fn without_the_other_clusters_claim_a_restored_manifest_is_a_new_one() {
    let fixture = Fixture::new().await;
    restored(&fixture).await;
    let _operator = operator(&fixture);
    fixture.until_reason("orders", "AdoptionRequired").await;
    fixture.annotate("orders", json!({"atlas.spe-operator.io/claim": null})).await;
    fixture.until_reason("orders", "Reserved").await;
    assert_eq!(fixture.atlas.executed(Operation::Create), 1);
}

#[tokio::test]
async fn a_restored_manifest_that_is_deleted_leaves_the_other_clusters_endpoint() {
    let fixture = Fixture::new().await;
    let theirs = restored(&fixture).await;
    insert(&fixture, &format!("[k8s:{theirs}]"));
    let _operator = operator(&fixture);
    fixture.until_reason("orders", "AdoptionRequired").await;
    fixture.delete("orders").await;
    fixture.until_gone("orders").await;
    assert_eq!((writes(&fixture), fixture.endpoints().len()), (0, 1));
}

#[tokio::test]
async fn a_retained_endpoint_is_found_again_by_its_name() {
    let fixture = Fixture::new().await;
    let _operator = operator(&fixture);
    fixture.create("orders", json!({"deletionPolicy": "Retain"})).await;
    let id = fixture.until_reason("orders", "Reserved").await.status.unwrap().id;
    fixture.delete("orders").await;
    fixture.until_gone("orders").await;
    assert_eq!(fixture.endpoints().len(), 1);
    fixture.create("orders", json!({})).await;
    let again = fixture.until_reason("orders", "Reserved").await;
    assert_eq!(again.status.unwrap().id, id);
    assert_eq!(fixture.atlas.executed(Operation::Create), 1);
}

#[tokio::test]
async fn a_wiped_status_is_filled_again_from_the_mark() {
    let fixture = Fixture::new().await;
    let _operator = operator(&fixture);
    fixture.create("orders", json!({})).await;
    let id = fixture.until_reason("orders", "Reserved").await.status.unwrap().id;
    let wipe = Patch::Merge(json!({"status": null}));
    fixture.objects.patch_status("orders", &PatchParams::default(), &wipe).await.unwrap();
    fixture.request_reconcile("orders", "wiped").await;
    let again = fixture
        .until("orders", "recorded again", |object| {
            object
                .status
                .as_ref()
                .is_some_and(|s| s.last_handled_reconcile_at.as_deref() == Some("wiped") && s.id.is_some())
        })
        .await;
    assert_eq!(again.status.unwrap().id, id);
    assert_eq!(fixture.atlas.executed(Operation::Create), 1);
}

#[tokio::test]
async fn a_copied_manifest_gets_an_endpoint_of_its_own() {
    let fixture = Fixture::new().await;
    let running = operator(&fixture);
    fixture.create("orders", json!({})).await;
    let first = fixture.until_reason("orders", "Reserved").await;
    let claim = first.metadata.annotations.unwrap()["atlas.spe-operator.io/claim"].clone();
    drop(running);
    fixture.create("copy", json!({})).await;
    fixture.annotate("copy", json!({"atlas.spe-operator.io/claim": claim})).await;
    let _operator = operator(&fixture);
    let copy = fixture.until_reason("copy", "Reserved").await;
    assert_ne!(copy.status.unwrap().id, first.status.unwrap().id);
    assert_eq!((fixture.atlas.executed(Operation::Create), fixture.endpoints().len()), (2, 2));
}

#[tokio::test]
async fn default_credentials_take_over_nothing_of_a_living_object_elsewhere() {
    let (owner, thief) = (Fixture::new().await, Fixture::new().await);
    let [secret, namespaces] =
        crate::credentials::own_key(&owner, &format!("{},{}", owner.namespace, thief.namespace)).await;
    let watched = format!("--watch-namespaces={}", thief.namespace);
    let cluster = format!("--cluster-id={CLUSTER}");
    let _operator = owner.operator_with(&[&secret, &namespaces, &watched, &cluster]);
    owner.create("orders", json!({"credentialsRef": null})).await;
    let id = owner.until_reason("orders", "Reserved").await.status.unwrap().id.unwrap();
    let word = token(&owner, "orders");
    thief.create("theft", json!({"credentialsRef": null, "endpointId": id})).await;
    thief.annotate("theft", json!({"atlas.spe-operator.io/take-over": word.as_str()})).await;
    thief.request_reconcile("theft", "1").await;
    let refused = thief.until_reconciled("theft", "1").await;
    assert_condition(&refused, "Ready", "False", "OwnershipConflict");
    let status = serde_json::to_string(&refused.status).unwrap();
    for theirs in [owner.namespace.as_str(), word.as_str()] {
        assert!(!status.contains(theirs), "{theirs} is in {status}");
    }
    thief.delete("theft").await;
    thief.until_gone("theft").await;
    assert_eq!((writes(&owner), comment_of(&owner, &id)), (1, format!("[k8s:{word}]")));
    // What its owner has left behind may be taken over.
    owner.edit("orders", json!({"deletionPolicy": "Retain"})).await;
    owner.delete("orders").await;
    owner.until_gone("orders").await;
    thief.create("heir", json!({"credentialsRef": null, "endpointId": id})).await;
    thief.annotate("heir", json!({"atlas.spe-operator.io/take-over": word.as_str()})).await;
    thief.until_reason("heir", "Reserved").await;
    assert_eq!(comment_of(&owner, &id), format!("[k8s:{}]", token(&thief, "heir")));
}
