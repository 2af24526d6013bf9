//! The judge condemns what it has to: made-up records, each with one broken promise.

use std::time::Duration;

use atlas_simulator::{DEFAULT_INSTANCE, DEFAULT_PROJECT, Endpoint, Entry, Operation, Settings, Simulator};
use serde_json::{Value, json};
use spe_operator::api::{CLAIM, FINALIZER};

use crate::history::Version;
use crate::judge::{Record, faults_of};

const DELETED_AT: Duration = Duration::from_secs(10);

fn marked() -> Endpoint {
    Endpoint::reserved(Some("orders [k8s:aaaaaaaaaaaaaaaa]".to_owned()))
}

async fn atlas_with(endpoints: &[Endpoint]) -> Simulator {
    let atlas = Simulator::start(Settings::default()).await.unwrap();
    for endpoint in endpoints {
        atlas.insert_endpoint(DEFAULT_PROJECT, DEFAULT_INSTANCE, endpoint.clone());
    }
    atlas
}

fn version(status: &Value) -> Version {
    let object = json!({
        "apiVersion": "atlas.spe-operator.io/v1alpha1",
        "kind": "ServerlessPrivateEndpoint",
        "metadata": {
            "name": "orders", "generation": 1, "finalizers": [FINALIZER], "annotations": {CLAIM: "one"},
        },
        "spec": {"projectId": DEFAULT_PROJECT, "instanceName": DEFAULT_INSTANCE},
        "status": status,
    });
    Version { at: Duration::from_secs(1), object: serde_json::from_value(object).unwrap() }
}

fn request(operation: Operation, at: Duration) -> Entry {
    Entry {
        seq: 1,
        at,
        method: String::new(),
        path: "/endpoint".to_owned(),
        operation: Some(operation),
        project: None,
        instance: None,
        endpoint: None,
        key: None,
        challenged: None,
        body: String::new(),
        faults: Vec::new(),
        answer: None,
        executed_at: Some(at),
    }
}

/// A record in which all is well: one endpoint, recorded, then deleted.
async fn well() -> (Simulator, Record, String) {
    let endpoint = marked();
    let id = endpoint.id.clone();
    let atlas = atlas_with(&[endpoint]).await;
    assert!(atlas.remove_endpoint(&id));
    let record = Record {
        lives: atlas.lives(),
        journal: vec![
            request(Operation::Create, Duration::ZERO),
            request(Operation::Delete, DELETED_AT + Duration::from_secs(1)),
        ],
        versions: vec![version(&json!({})), version(&json!({"_id": id}))],
        deleted_at: DELETED_AT,
    };
    (atlas, record, id)
}

#[track_caller]
fn condemned(record: &Record, promise: &str) {
    let wrong = faults_of(record);
    assert!(
        wrong.iter().any(|fault| fault.starts_with(promise)),
        "{promise} is broken, and not seen: {wrong:?}"
    );
}

#[tokio::test]
async fn a_record_in_which_all_is_well_is_passed() {
    let (_atlas, record, _) = well().await;
    assert_eq!(faults_of(&record), Vec::<String>::new());
}

#[tokio::test]
async fn two_endpoints_at_once_and_one_left_over_are_seen() {
    let atlas = atlas_with(&[marked(), marked()]).await;
    let (_atlas, record, _) = well().await;
    let record = Record { lives: atlas.lives(), ..record };
    condemned(&record, "P1");
    condemned(&record, "P5");
}

#[tokio::test]
async fn a_post_without_a_claim_of_its_own_is_seen() {
    let (_atlas, mut record, _) = well().await;
    record.journal.push(request(Operation::Create, Duration::from_secs(2)));
    condemned(&record, "P3");
}

#[tokio::test]
async fn a_delete_under_a_living_object_is_seen() {
    let (_atlas, mut record, _) = well().await;
    record.journal.push(request(Operation::Delete, DELETED_AT / 2));
    condemned(&record, "P4");
}

#[tokio::test]
async fn an_id_that_is_lost_or_changes_too_early_is_seen() {
    let (_atlas, mut record, _) = well().await;
    record.versions.push(version(&json!({})));
    condemned(&record, "P7");
    record.versions.pop();
    record.versions.push(Version { at: Duration::ZERO, ..version(&json!({"_id": "another"})) });
    condemned(&record, "P7");
}

#[tokio::test]
async fn ready_before_it_is_true_is_seen() {
    let (_atlas, mut record, id) = well().await;
    let ready = json!([{
        "type": "Ready", "status": "True", "reason": "Reserved", "message": "", "lastTransitionTime": "2026-01-01T00:00:00Z",
    }]);
    let status = json!({"_id": id, "status": "INITIATING", "observedGeneration": 1, "conditions": ready});
    record.versions.push(version(&status));
    condemned(&record, "P7");
}

#[tokio::test]
async fn a_mark_that_is_taken_off_is_seen() {
    let endpoint = marked();
    let id = endpoint.id.clone();
    let atlas = atlas_with(&[endpoint]).await;
    assert!(atlas.edit_endpoint(&id, |endpoint| endpoint.comment = Some("orders".to_owned())));
    assert!(atlas.remove_endpoint(&id));
    let (_atlas, record, _) = well().await;
    condemned(&Record { lives: atlas.lives(), ..record }, "P9");
}
