//! The judge detects violations: made-up records, each with one violated invariant.

use std::time::Duration;

use atlas_simulator::{
    DEFAULT_INSTANCE, DEFAULT_PROJECT, Endpoint, JournalEntry, Operation, Settings, Simulator,
};
use serde_json::{Value, json};
use spe_operator::serverless::crd::{CLAIM, FINALIZER};
use testbed::Exchange;

use super::judge::faults_of;
use crate::history::SeenVersion;
use crate::record::Record;
use crate::requests::{ATLAS, CLUSTER};

const DELETED_AT: Duration = Duration::from_secs(100);

fn at(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

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

fn version(status: &Value) -> SeenVersion {
    let object = json!({
        "apiVersion": "atlas.spe-operator.io/v1alpha1",
        "kind": "ServerlessPrivateEndpoint",
        "metadata": {
            "name": "orders", "generation": 1, "finalizers": [FINALIZER], "annotations": {CLAIM: "one"},
        },
        "spec": {"projectId": DEFAULT_PROJECT, "instanceName": DEFAULT_INSTANCE},
        "status": status,
    });
    SeenVersion { at: Duration::from_secs(1), object, is_end: false }
}

fn request(operation: Operation, at: Duration) -> JournalEntry {
    JournalEntry {
        seq: 1,
        at,
        method: String::new(),
        path: "/endpoint".to_owned(),
        operation: Some(operation),
        project: None,
        instance: None,
        service: None,
        endpoint: None,
        key: None,
        challenged: None,
        body: String::new(),
        faults: Vec::new(),
        delivery: None,
        executed_at: Some(at),
    }
}

/// Returns a proxy's record of a write, with a response of this status after a hundredth of a second.
fn sent(proxy: &str, method: &str, path: &str, body: &Value, at: Duration, status: Option<u16>) -> Exchange {
    Exchange {
        number: 0,
        at_proxy: 0,
        planned: false,
        effect: None,
        proxy: proxy.to_owned(),
        at,
        method: method.to_owned(),
        path: path.to_owned(),
        headers: hyper::HeaderMap::default(),
        body: body.to_string().into(),
        forwarded: status == Some(200),
        responded_at: status.map(|_| at + Duration::from_millis(10)),
        status,
        response: "{}".into(),
    }
}

fn claim(nonce: &str, at: Duration) -> Exchange {
    let claim = format!("v1/aaaaaaaaaaaaaaaa/{nonce}/uid/cluster/-");
    let body = json!({"metadata": {"annotations": {CLAIM: claim}}});
    sent(CLUSTER, "PATCH", "/serverlessprivateendpoints/orders", &body, at, Some(200))
}

fn post(at: Duration, status: Option<u16>) -> Exchange {
    sent(ATLAS, "POST", "/endpoint", &json!({"comment": "orders [k8s:aaaaaaaaaaaaaaaa]"}), at, status)
}

/// Returns a correct record: one endpoint, recorded, then deleted.
async fn well() -> (Simulator, Record, String) {
    let endpoint = marked();
    let id = endpoint.id.clone();
    let atlas = atlas_with(&[endpoint]).await;
    assert!(atlas.remove_endpoint(&id));
    let record = Record {
        lives: atlas.timelines(),
        journal: vec![request(Operation::Delete, DELETED_AT + Duration::from_secs(1))],
        processes: vec![vec![claim("one", at(0)), post(at(1), Some(200))]],
        is_informed: true,
        versions: vec![version(&json!({})), version(&json!({"_id": id}))],
        deleted_at: Some(DELETED_AT),
        ..Record::default()
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
async fn detects_an_endpoint_that_outlives_its_object() {
    let (_atlas, mut record, _) = well().await;
    record.versions.iter_mut().for_each(|version| version.at = Duration::ZERO);
    condemned(&record, "P5");
}

#[tokio::test]
async fn detects_two_endpoints_at_once_and_a_remaining_one() {
    let atlas = atlas_with(&[marked(), marked()]).await;
    let (_atlas, record, _) = well().await;
    let record = Record { lives: atlas.timelines(), ..record };
    condemned(&record, "P1");
    condemned(&record, "P5");
}

/// Returns the record with these requests of these processes.
async fn with(processes: Vec<Vec<Exchange>>) -> Record {
    Record { processes, ..well().await.1 }
}

#[tokio::test]
async fn detects_a_post_without_its_own_claim() {
    condemned(&with(vec![vec![post(at(0), Some(200)), claim("one", at(1))]]).await, "P2");
    condemned(&with(vec![vec![claim("one", at(0))], vec![post(at(1), Some(200))]]).await, "P2");
    // Sent while the claim was in flight, and long after it.
    condemned(&with(vec![vec![claim("one", at(1)), post(at(1), Some(200))]]).await, "P2");
    condemned(&with(vec![vec![claim("one", at(0)), post(at(4), Some(200))]]).await, "P2");
    let refused = Exchange { status: Some(409), ..claim("one", at(0)) };
    condemned(&with(vec![vec![refused, post(at(1), Some(200))]]).await, "P2");
    let terminating = r#"{"metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z"}}"#;
    let too_late = Exchange { response: terminating.into(), ..claim("one", at(0)) };
    condemned(&with(vec![vec![too_late, post(at(1), Some(200))]]).await, "P2");
    let unmarked = Exchange { body: "{}".into(), ..post(at(1), Some(200)) };
    condemned(&with(vec![vec![claim("one", at(0)), unmarked]]).await, "P2");
}

#[tokio::test]
async fn detects_a_post_for_an_object_in_deletion() {
    let (claimed, posted) = (DELETED_AT + at(3), DELETED_AT + at(4));
    condemned(&with(vec![vec![claim("one", claimed), post(posted, Some(200))]]).await, "P6");
}

#[tokio::test]
async fn detects_a_nonce_that_is_posted_twice() {
    for first in [None, Some(409), Some(429), Some(500), Some(503), Some(200)] {
        let again = vec![claim("one", at(0)), post(at(1), first), post(at(2), Some(200))];
        condemned(&with(vec![again]).await, "P3");
    }
    // The response to a challenge is the same POST.
    let challenged = vec![claim("one", at(0)), post(at(1), Some(401)), post(at(2), Some(200))];
    assert_eq!(faults_of(&with(vec![challenged]).await), Vec::<String>::new());
}

#[tokio::test]
async fn detects_a_claim_while_a_post_may_still_arrive() {
    let at_once = |status| vec![vec![claim("one", at(0)), post(at(1), status)], vec![claim("two", at(7))]];
    condemned(&with(at_once(None)).await, "P3");
    condemned(&with(at_once(Some(503))).await, "P3");
    assert_eq!(faults_of(&with(at_once(Some(409))).await), Vec::<String>::new());
}

#[tokio::test]
async fn detects_a_write_to_a_foreign_endpoint() {
    let stranger = Endpoint::reserved(None);
    let atlas = atlas_with(std::slice::from_ref(&stranger)).await;
    let strangers = || vec![(stranger.clone(), atlas.timelines().pop().unwrap())];
    let path = format!("/endpoint/{}", stranger.id);
    let dropped = sent(ATLAS, "DELETE", &path, &json!(null), DELETED_AT, None);
    condemned(&Record { strangers: strangers(), ..with(vec![vec![dropped]]).await }, "P4");
    let untouched = Record { strangers: strangers(), ..well().await.1 };
    assert_eq!(faults_of(&untouched), Vec::<String>::new());
    assert!(atlas.edit_endpoint(&stranger.id, |endpoint| endpoint.comment = Some(String::new())));
    condemned(&Record { strangers: strangers(), ..well().await.1 }, "P4");
}

#[tokio::test]
async fn detects_a_patch_that_changes_nothing() {
    let endpoint = marked();
    let atlas = atlas_with(std::slice::from_ref(&endpoint)).await;
    let path = format!("/endpoint/{}", endpoint.id);
    let patched = |body: &Value| vec![vec![sent(ATLAS, "PATCH", &path, body, at(1), Some(200))]];
    let same = json!({"comment": endpoint.comment});
    condemned(&Record { lives: atlas.timelines(), ..with(patched(&same)).await }, "P9");
    let differs = |record: Record| !faults_of(&record).iter().any(|fault| fault.starts_with("P9"));
    let wanted = json!({"comment": endpoint.comment, "cloudProviderEndpointId": "vpce-0"});
    assert!(differs(Record { lives: atlas.timelines(), ..with(patched(&wanted)).await }));
    assert!(differs(Record { lives: atlas.timelines(), is_informed: false, ..with(patched(&same)).await }));
}

#[tokio::test]
async fn detects_a_delete_for_an_existing_object() {
    let (_atlas, mut record, _) = well().await;
    record.journal.push(request(Operation::Delete, DELETED_AT / 2));
    condemned(&record, "P4");
}

#[tokio::test]
async fn detects_an_id_that_is_lost_or_changes_too_early() {
    let (_atlas, mut record, _) = well().await;
    record.versions.push(version(&json!({})));
    condemned(&record, "P7");
    record.versions.pop();
    record.versions.push(SeenVersion { at: Duration::ZERO, ..version(&json!({"_id": "another"})) });
    condemned(&record, "P7");
}

#[tokio::test]
async fn detects_ready_before_it_is_true() {
    let (_atlas, mut record, id) = well().await;
    let ready = json!([{
        "type": "Ready", "status": "True", "reason": "Reserved", "message": "", "lastTransitionTime": "2026-01-01T00:00:00Z",
    }]);
    let status = json!({"_id": id, "status": "INITIATING", "observedGeneration": 1, "conditions": ready});
    record.versions.push(version(&status));
    condemned(&record, "P7");
}

#[tokio::test]
async fn detects_a_removed_mark() {
    let endpoint = marked();
    let id = endpoint.id.clone();
    let atlas = atlas_with(&[endpoint]).await;
    assert!(atlas.edit_endpoint(&id, |endpoint| endpoint.comment = Some("orders".to_owned())));
    assert!(atlas.remove_endpoint(&id));
    let (_atlas, record, _) = well().await;
    condemned(&Record { lives: atlas.timelines(), ..record }, "P9");
}
