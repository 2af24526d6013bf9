//! The judge detects violations: made-up records, each with one violated invariant.

use std::time::Duration;

use atlas_simulator::{
    AtlasEndpoint, AtlasService, ChangeCause, Course, CoursePoint, DEFAULT_PROJECT, EndpointCourse,
    EndpointLink, EndpointPhase, ServiceCourse,
};
use serde_json::{Value, json};
use testbed::Exchange;

use super::CLAIM;
use super::judge::faults_of;
use crate::history::SeenVersion;
use crate::record::Record;
use crate::requests::{ATLAS, CLUSTER};

const REGION: &str = "US_EAST_1";
const SERVICE: &str = "5f7cac1adf5d6c6306f4b283";
const FOREIGN: &str = "5f7cac1adf5d6c6306f4b284";
const VPC: &str = "vpce-0a";
const OTHERS: &str = "vpce-0b";

fn at(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn endpoint(id: &str, points: &[(u64, ChangeCause, Option<EndpointPhase>)]) -> EndpointCourse {
    let point = |(seconds, cause, status): &(u64, ChangeCause, Option<EndpointPhase>)| {
        let state = status
            .clone()
            .map(|status| AtlasEndpoint { status, ..AtlasEndpoint::requested(id, EndpointLink::Aws) });
        CoursePoint { at: at(*seconds), cause: *cause, state }
    };
    let course = Course { points: points.iter().map(point).collect(), deviations: Vec::new() };
    EndpointCourse { id: id.to_owned(), endpoint: course, by_rhythm: false }
}

fn service(id: &str, points: &[(u64, ChangeCause, bool)], endpoints: Vec<EndpointCourse>) -> ServiceCourse {
    let point = |(seconds, cause, is_there): &(u64, ChangeCause, bool)| {
        let state = is_there.then(|| AtlasService { id: id.to_owned(), ..AtlasService::available(REGION) });
        CoursePoint { at: at(*seconds), cause: *cause, state }
    };
    let course = Course { points: points.iter().map(point).collect(), deviations: Vec::new() };
    ServiceCourse { project: DEFAULT_PROJECT.to_owned(), id: id.to_owned(), service: course, endpoints }
}

/// Returns a proxy's record of a request, with a response after a hundredth of a second.
fn sent(
    proxy: &str,
    method: &str,
    path: &str,
    body: &Value,
    seconds: u64,
    response: (u16, &Value),
) -> Exchange {
    Exchange {
        number: 0,
        at_proxy: 0,
        planned: false,
        effect: None,
        proxy: proxy.to_owned(),
        at: at(seconds),
        method: method.to_owned(),
        path: path.to_owned(),
        headers: hyper::HeaderMap::default(),
        body: body.to_string().into(),
        forwarded: true,
        responded_at: Some(at(seconds) + Duration::from_millis(10)),
        status: Some(response.0),
        response: response.1.to_string().into(),
    }
}

fn claim(nonce: &str, uid: &str, target: &str, seconds: u64) -> Exchange {
    let text = format!("v1/aaaaaaaaaaaaaaaa/{nonce}/{uid}/cluster/{target}");
    let body = json!({"metadata": {"annotations": {CLAIM: text}}});
    sent(CLUSTER, "PATCH", "/apis/objects/orders", &body, seconds, (200, &json!({})))
}

fn settled(nonce: &str, seconds: u64) -> Exchange {
    let object = json!({"status": {"settledClaim": nonce}});
    sent(CLUSTER, "PATCH", "/apis/objects/orders/status", &json!([]), seconds, (200, &object))
}

fn to_atlas(method: &str, rest: &str, body: &Value, seconds: u64, status: u16) -> Exchange {
    let path = format!("/api/atlas/v2/groups/{DEFAULT_PROJECT}/privateEndpoint{rest}");
    sent(ATLAS, method, &path, body, seconds, (status, &json!({"id": SERVICE})))
}

fn post_service(seconds: u64) -> Exchange {
    let body = json!({"providerName": "AWS", "region": REGION});
    to_atlas("POST", "/endpointService", &body, seconds, 201)
}

fn post_endpoint(id: &str, seconds: u64) -> Exchange {
    let path = format!("/AWS/endpointService/{SERVICE}/endpoint");
    to_atlas("POST", &path, &json!({ "id": id }), seconds, 201)
}

fn delete_endpoint(service: &str, id: &str, seconds: u64) -> Exchange {
    to_atlas("DELETE", &format!("/AWS/endpointService/{service}/endpoint/{id}"), &Value::Null, seconds, 202)
}

fn delete_service(service: &str, seconds: u64) -> Exchange {
    to_atlas("DELETE", &format!("/AWS/endpointService/{service}"), &Value::Null, seconds, 202)
}

/// Returns a version of an object.
fn version(uid: &str, seconds: u64, is_deleting: bool, status: &Value) -> SeenVersion {
    let (kind, spec) = match uid {
        "pes" => ("PrivateEndpointService", json!({"projectId": DEFAULT_PROJECT, "region": "us-east-1"})),
        _ => ("PrivateEndpoint", json!({"aws": {"id": VPC}})),
    };
    let deleted = if is_deleting { json!("2026-01-01T00:00:00Z") } else { Value::Null };
    let metadata = json!({
        "name": uid, "uid": uid, "generation": 1, "finalizers": ["ours"], "deletionTimestamp": deleted,
    });
    let object = json!({"kind": kind, "metadata": metadata, "spec": spec, "status": status});
    SeenVersion { at: at(seconds), object, is_end: false }
}

fn recorded(uid: &str, provenance: &str) -> Value {
    let ready = json!([{"type": "Ready", "status": "True"}]);
    json!({
        "serviceId": SERVICE, "endpointId": if uid == "pe" { json!(VPC) } else { Value::Null },
        "provenance": provenance, "recordedBy": uid, "observedGeneration": 1, "conditions": ready,
    })
}

fn ended(uid: &str, seconds: u64) -> SeenVersion {
    SeenVersion { is_end: true, ..version(uid, seconds, true, &json!({})) }
}

/// Returns the requests of a correct record, by one process.
fn requests() -> Vec<Exchange> {
    let endpoint = format!("{SERVICE}:{VPC}");
    vec![
        claim("n1", "pes", "+", 0),
        post_service(1),
        settled("n1", 2),
        claim("n2", "pe", &format!("+{endpoint}"), 10),
        post_endpoint(VPC, 11),
        settled("n2", 13),
        claim("n3", "pe", &format!("-{endpoint}"), 100),
        delete_endpoint(SERVICE, VPC, 101),
        settled("n3", 102),
        claim("n4", "pes", &format!("-{SERVICE}"), 110),
        delete_service(SERVICE, 111),
        settled("n4", 112),
    ]
}

/// Returns the endpoint of a correct record.
fn own_endpoint() -> EndpointCourse {
    use ChangeCause::{Created, Deleted, Progress};
    use EndpointPhase::{Available, Deleting, PendingAcceptance};
    let points = [
        (11, Created, Some(PendingAcceptance)),
        (12, Progress, Some(Available)),
        (101, Deleted, Some(Deleting)),
        (102, Progress, None),
    ];
    endpoint(VPC, &points)
}

fn others_endpoint() -> EndpointCourse {
    endpoint(OTHERS, &[(5, ChangeCause::OutOfBand, Some(EndpointPhase::Available))])
}

/// Returns a correct record: a service and an endpoint, created and deleted, beside those of others.
fn well() -> Record {
    let own = [
        (1, ChangeCause::Created, true),
        (111, ChangeCause::Deleted, true),
        (112, ChangeCause::Progress, false),
    ];
    let others = vec![endpoint(VPC, &[(0, ChangeCause::OutOfBand, Some(EndpointPhase::Available))])];
    Record {
        processes: vec![requests()],
        versions: vec![
            version("pes", 0, false, &json!({})),
            version("pes", 2, false, &recorded("pes", "Created")),
            version("pe", 10, false, &json!({})),
            version("pe", 13, false, &recorded("pe", "Created")),
            version("pe", 99, true, &recorded("pe", "Created")),
            ended("pe", 103),
            version("pes", 109, true, &recorded("pes", "Created")),
            ended("pes", 113),
        ],
        courses: vec![
            service(SERVICE, &own, vec![others_endpoint(), own_endpoint()]),
            service(FOREIGN, &[(0, ChangeCause::OutOfBand, true)], others),
        ],
        deleted_at: Some(at(99)),
        is_informed: true,
        ..Record::default()
    }
}

/// Returns the record with its requests changed.
fn with(change: impl FnOnce(&mut Vec<Exchange>)) -> Record {
    let mut record = well();
    change(&mut record.processes[0]);
    record
}

#[track_caller]
fn condemned(record: &Record, promise: &str) {
    let wrong = faults_of(record);
    assert!(
        wrong.iter().any(|fault| fault.starts_with(promise)),
        "{promise} is broken, and not seen: {wrong:?}"
    );
}

#[test]
fn a_record_in_which_all_is_well_is_passed() {
    assert_eq!(faults_of(&well()), Vec::<String>::new());
}

#[test]
fn detects_a_delete_of_a_service_that_the_object_did_not_create() {
    condemned(&with(|requests| requests[1].status = Some(409)), "W1");
    let mut withheld = with(|requests| requests[1].planned = true);
    withheld.is_withheld = true;
    condemned(&withheld, "W1");
    let allowed = |record: &mut Record| {
        for seen in &mut record.versions {
            seen.object["spec"]["deletionPolicy"] = json!("Delete");
        }
    };
    allowed(&mut withheld);
    assert!(!faults_of(&withheld).iter().any(|fault| fault.starts_with("W1")));
    let mut retained = well();
    retained.versions[0].object["spec"]["deletionPolicy"] = json!("Retain");
    condemned(&retained, "W1");
}

#[test]
fn detects_a_request_about_what_the_object_never_named() {
    let target = format!("-{SERVICE}:{OTHERS}");
    let strange = with(|requests| {
        requests[6] = claim("n3", "pe", &target, 100);
        requests[7] = delete_endpoint(SERVICE, OTHERS, 101);
    });
    condemned(&strange, "W2");
    condemned(&with(|requests| requests.insert(12, delete_service(FOREIGN, 112))), "W2");
    let undeclared = format!("+{SERVICE}:vpce-0c");
    let undeclared = with(|requests| {
        requests[3] = claim("n2", "pe", &undeclared, 10);
        requests[4] = post_endpoint("vpce-0c", 11);
    });
    condemned(&undeclared, "W2");
    let elsewhere = json!({"providerName": "AWS", "region": "EU_WEST_1"});
    condemned(&with(|requests| requests[1] = to_atlas("POST", "/endpointService", &elsewhere, 1, 201)), "W2");
}

#[test]
fn detects_a_change_of_what_others_have() {
    let mut record = well();
    record.courses[0].endpoints[0] = endpoint(
        OTHERS,
        &[
            (5, ChangeCause::OutOfBand, Some(EndpointPhase::Available)),
            (50, ChangeCause::Deleted, Some(EndpointPhase::Deleting)),
        ],
    );
    condemned(&record, "W2");
    let mut record = well();
    record.courses[1] =
        service(FOREIGN, &[(0, ChangeCause::OutOfBand, true), (50, ChangeCause::Updated, true)], Vec::new());
    condemned(&record, "W2");
}

#[test]
fn detects_a_delete_that_hits_a_later_life_and_one_that_is_repeated() {
    let mut late = well();
    late.courses[0].endpoints.push(endpoint(
        VPC,
        &[
            (101, ChangeCause::Created, Some(EndpointPhase::PendingAcceptance)),
            (101, ChangeCause::Deleted, None),
        ],
    ));
    condemned(&late, "W3");
    let again = with(|requests| {
        requests.insert(9, claim("n5", "pe", &format!("-{SERVICE}:{VPC}"), 102));
        requests.insert(10, delete_endpoint(SERVICE, VPC, 103));
    });
    condemned(&again, "W3");
}

#[test]
fn detects_a_write_without_its_own_claim() {
    for request in [0, 3, 6, 9] {
        condemned(&with(|requests| drop(requests.remove(request))), "W4");
        // Of another process.
        let mut other = well();
        let claimed = other.processes[0].remove(request);
        other.processes.push(vec![claimed]);
        condemned(&other, "W4");
        // Refused, and too old.
        condemned(&with(|requests| requests[request].status = Some(409)), "W4");
        condemned(&with(|requests| requests[request + 1].at += at(4)), "W4");
    }
    let terminating = json!({"metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z"}});
    condemned(&with(|requests| requests[3].response = terminating.to_string().into()), "W4");
    condemned(&with(|requests| requests.insert(2, post_service(2))), "W4");
    // The response to a challenge is the same request.
    let challenged = with(|requests| {
        let challenged = Exchange { status: Some(401), ..requests[1].clone() };
        requests.insert(1, challenged);
    });
    assert_eq!(faults_of(&challenged), Vec::<String>::new());
}

#[test]
fn detects_a_write_that_takes_effect_after_the_release() {
    for (request, uid, seconds) in [(7, "pe", 101), (10, "pes", 111)] {
        let mut record = well();
        record.versions.retain(|seen| seen.object["metadata"]["uid"] != uid || seen.at < at(20));
        record.versions.push(ended(uid, seconds - 1));
        assert_eq!(record.processes[0][request].at, at(seconds));
        condemned(&record, "W4");
    }
}

#[test]
fn detects_a_claim_while_a_request_may_still_take_effect() {
    let again = |requests: &mut Vec<Exchange>, status, seconds| {
        requests[4].status = status;
        requests.remove(5);
        requests.insert(5, claim("n5", "pe", &format!("+{SERVICE}:{VPC}"), seconds));
    };
    for status in [None, Some(201), Some(500), Some(503)] {
        condemned(&with(|requests| again(requests, status, 12)), "W4");
        let waited = faults_of(&with(|requests| again(requests, status, 19)));
        assert!(!waited.iter().any(|fault| fault.contains("claimed again")), "{waited:?}");
    }
    let refused = faults_of(&with(|requests| again(requests, Some(409), 12)));
    assert!(!refused.iter().any(|fault| fault.contains("claimed again")), "{refused:?}");
}

#[test]
fn detects_two_objects_that_write_to_one_key() {
    let mut record = with(|requests| {
        requests[6] = claim("n3", "other", &format!("-{SERVICE}:{VPC}"), 100);
    });
    record.versions.push(version("other", 90, true, &recorded("pe", "Created")));
    record.versions.push(ended("other", 120));
    condemned(&record, "W5");
}

#[test]
fn detects_a_wrong_provenance() {
    let record = |uid: &'static str, word: &str| {
        let mut record = well();
        for seen in record.versions.iter_mut().filter(|seen| seen.object["status"]["recordedBy"] == uid) {
            seen.object["status"]["provenance"] = json!(word);
        }
        record
    };
    for uid in ["pes", "pe"] {
        condemned(&record(uid, "Adopted"), "W6");
        condemned(&record(uid, "Unproven"), "W6");
    }
    // Atlas refused the POST, or its response was lost.
    condemned(&with(|requests| requests[1].status = Some(409)), "W6");
    let mut lost = with(|requests| requests[4].planned = true);
    lost.is_withheld = true;
    condemned(&lost, "W6");
}

#[test]
fn detects_a_delete_of_what_a_living_object_names() {
    for kept in [4, 6] {
        let mut record = well();
        let uid = record.versions[kept].object["metadata"]["uid"].clone();
        record.versions.retain(|seen| seen.object["metadata"]["uid"] != uid || seen.at < at(20));
        condemned(&record, "W7");
    }
    // Another object.
    let mut record = well();
    record.versions.push(version("heir", 90, false, &json!({})));
    condemned(&record, "W7");
}

#[test]
fn detects_what_is_broken_before_its_replacement_is_made() {
    let mut record = well();
    record.versions.retain(|seen| seen.object["metadata"]["uid"] != "pe" || seen.at < at(20));
    let mut edited = version("pe", 90, false, &recorded("pe", "Created"));
    edited.object["spec"]["aws"]["id"] = json!("vpce-0c");
    edited.object["metadata"]["generation"] = json!(2);
    record.versions.push(edited);
    condemned(&record, "W7");
}

#[test]
fn detects_what_is_left_and_what_is_made_twice() {
    let mut left = well();
    left.courses[0].service.points.truncate(1);
    condemned(&left, "L");
    left.courses[0].endpoints[1].endpoint.points.truncate(2);
    condemned(&left, "L: endpoint");
    let mut twice = well();
    twice.courses[0].endpoints.push(own_endpoint());
    condemned(&twice, "L");
    let mut twice = well();
    twice.courses.push(service("5f7cac1adf5d6c6306f4b285", &[(1, ChangeCause::Created, true)], Vec::new()));
    condemned(&twice, "L");
}

#[test]
fn detects_ready_before_it_is_true_and_a_record_without_the_finalizer() {
    for n in [1, 3] {
        let mut early = well();
        early.versions[n].at = Duration::ZERO;
        condemned(&early, "L");
        let mut loose = well();
        loose.versions[n].object["metadata"]["finalizers"] = json!([]);
        condemned(&loose, "W4");
    }
}
