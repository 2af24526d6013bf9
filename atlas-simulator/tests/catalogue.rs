//! Every entry of the catalogue is committed as it says: what a client gets, and what is done nevertheless.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::enum_glob_use,
    reason = "test helpers fail the test that calls them, and tables read best in bare words"
)]

mod support;

use std::time::Duration;

use atlas_simulator::{
    DEFAULT_INSTANCE, DEFAULT_PROJECT, Endpoint, FAMILIES, How, Known, Operation, Pace, Place, Settings,
    Simulator, Status, catalogue,
};
use reqwest::Method;
use support::{Client, Got, endpoints, until};

const VPC: &str = r#"{"providerName": "AWS", "cloudProviderEndpointId": "vpce-0123456789abcdef0"}"#;

/// What a client gets.
#[derive(Debug, Clone, Copy)]
enum Wire {
    /// This status and this `errorCode`, and nothing is done.
    Refused(u16, &'static str),
    /// This status without an error of Atlas, and nothing is done.
    Foreign(u16),
    /// No answer, and nothing is done.
    Silence,
    /// No answer or a useless one, and it is done.
    Lost,
    /// An answer of success, in which something is odd.
    Odd(fn(&Got) -> bool),
    /// The true answer; the endpoint has another fate.
    Fated,
    /// Not by rules: see the test that is named.
    Elsewhere,
}

/// What the entry of this name looks like on the wire.
fn wire(name: &str) -> Option<Wire> {
    use Wire::*;
    Some(match name {
        "executed, then cut" | "executed, then silence" | "executed, then 502" | "executed, then 503" => Lost,
        "a listing shows the past" => Odd(|got| got.text == "[]"),
        "a nonce turns stale" | "a key that is not accepted" => Refused(401, "UNEXPECTED_ERROR"),
        "USER_UNAUTHORIZED" => Refused(401, "USER_UNAUTHORIZED"),
        "NOT_IN_GROUP" => Refused(401, "NOT_IN_GROUP"),
        "IP_ADDRESS_NOT_ON_ACCESS_LIST" => Refused(403, "IP_ADDRESS_NOT_ON_ACCESS_LIST"),
        "ORG_REQUIRES_ACCESS_LIST" => Refused(403, "ORG_REQUIRES_ACCESS_LIST"),
        "429 without Retry-After"
        | "429 with Retry-After"
        | "429 of a token bucket"
        | "Retry-After: 0"
        | "an absurd Retry-After"
        | "Retry-After as a date" => Refused(429, "RATE_LIMITED"),
        "GROUP_NOT_FOUND" => Refused(404, "GROUP_NOT_FOUND"),
        "INVALID_GROUP_ID" => Refused(404, "INVALID_GROUP_ID"),
        "CLUSTER_NOT_FOUND" | "no instance, but its endpoints" => Refused(404, "CLUSTER_NOT_FOUND"),
        "SERVERLESS_INSTANCE_NOT_FOUND" => Refused(404, "SERVERLESS_INSTANCE_NOT_FOUND"),
        "404 for an endpoint that is gone" => Refused(404, "TENANT_PRIVATE_ENDPOINT_NOT_FOUND"),
        "400 for an endpoint that is gone" => Refused(400, "TENANT_PRIVATE_ENDPOINT_NOT_FOUND"),
        "400 for another reason" | "INVALID_ATTRIBUTE" => Refused(400, "INVALID_ATTRIBUTE"),
        "NOT_SERVERLESS_TENANT_CLUSTER" => Refused(400, "NOT_SERVERLESS_TENANT_CLUSTER"),
        "VERSION_GONE" => Refused(410, "VERSION_GONE"),
        "Deprecation and Sunset" => Odd(|got| !got.header("sunset").is_empty()),
        "no writes during an upgrade" => Refused(405, "WRITES_NOT_ALLOWED_DURING_APP_UPGRADES"),
        "500" => Refused(500, "UNEXPECTED_ERROR"),
        "503 as a page of HTML" => Foreign(503),
        "503 with Retry-After" => Refused(503, "SERVICE_UNAVAILABLE"),
        "504" | "executed long after its answer" => Foreign(504),
        "a redirect" => Foreign(307),
        "truncated JSON" | "a created endpoint shown as truncated JSON" => {
            Odd(|got| !got.text.is_empty() && got.json.is_null())
        }
        "success without a body" | "a created endpoint not shown" => Odd(|got| got.text.is_empty()),
        "parameters: null" => Refused(402, "NO_PAYMENT_INFORMATION_FOUND"),
        "a wrong content type" => Odd(|got| got.header("content-type") == "text/plain"),
        "MISSING_ATTRIBUTE" => Refused(400, "MISSING_ATTRIBUTE"),
        "a comment too long" => Refused(400, "VALIDATION_ERROR"),
        "silence" => Silence,
        "a reservation expires"
        | "a reservation fails"
        | "a reservation takes for ever"
        | "no dns entries"
        | "InvalidParameter"
        | "FAILED recovers by itself"
        | "stuck in DELETING"
        | "a deletion fails"
        | "deleted, and back again" => Fated,
        "an unknown status" => Odd(|got| got.json[0]["status"] == "PENDING_ACCEPTANCE"),
        "shown as RESERVED too early" => Odd(|got| got.json[0]["status"] == "RESERVED"),
        "shown as AVAILABLE whatever it is" => Odd(|got| got.json[0]["status"] == "AVAILABLE"),
        "no status" => Odd(|got| got.json[0].get("status").is_none()),
        "fields that nobody knows" => Odd(|got| got.text.contains("createdBy") || got.status == 204),
        "a VPC endpoint id that nobody sent" => Odd(|got| got.json[0]["cloudProviderEndpointId"].is_string()),
        "a listing in pages" => Odd(|got| got.json["results"].is_array()),
        "invalid_client" | "429 for tokens" => Elsewhere,
        _ => return None,
    })
}

/// An Atlas in which nothing moves, with one endpoint that is RESERVED.
async fn with_an_endpoint(change: fn(&mut Settings)) -> (Simulator, Client, String) {
    let mut settings = Settings::at_pace(Pace::of(Duration::from_hours(1)));
    change(&mut settings);
    let atlas = Simulator::start(settings).await.unwrap();
    let id = atlas.insert_endpoint(
        DEFAULT_PROJECT,
        DEFAULT_INSTANCE,
        Endpoint::reserved(Some("orders [k8s:aaaaaaaaaaaaaaaa]".to_owned())),
    );
    let client = Client::new(&atlas);
    (atlas, client, id)
}

/// Sends a request of this kind, for at most half a second.
async fn send(client: &Client, operation: Operation, id: &str) -> Option<Got> {
    let one = format!("{}/{id}", endpoints());
    let instance = format!("/api/atlas/v1.0/groups/{DEFAULT_PROJECT}/serverless/{DEFAULT_INSTANCE}");
    let (method, path, body) = match operation {
        Operation::List => (Method::GET, endpoints(), None),
        Operation::Get => (Method::GET, one, None),
        Operation::Create => (Method::POST, endpoints(), Some("{}")),
        Operation::Update => (Method::PATCH, one, Some(VPC)),
        Operation::Delete => (Method::DELETE, one, None),
        Operation::GetInstance => (Method::GET, instance, None),
        other => panic!("{other:?} has tests of its own"),
    };
    let attempt = client.attempt(method, &path, body);
    tokio::time::timeout(Duration::from_millis(500), attempt).await.ok()?.ok()
}

#[tokio::test]
async fn each_fault_of_the_catalogue_is_committed_on_each_operation_that_it_is_feared_on() {
    for known in catalogue() {
        let How::Requests { on, times, .. } = &known.how else { continue };
        let wire = wire(known.name).unwrap_or_else(|| panic!("{} has no row", known.name));
        if matches!(wire, Wire::Elsewhere) {
            continue;
        }
        for &operation in *on {
            let (atlas, client, id) = with_an_endpoint(|_| {}).await;
            for rule in known.rules(&[operation]) {
                atlas.inject(rule);
            }
            let got = send(&client, operation, &id).await;
            let executed = atlas.executed(operation) == 1;
            let met = match (wire, &got) {
                (Wire::Refused(status, code), Some(got)) => {
                    !executed && (got.status, got.code()) == (status, code)
                }
                (Wire::Foreign(status), Some(got)) => {
                    !executed && got.status == status && got.code().is_empty()
                }
                (Wire::Silence, None) => !executed,
                (Wire::Lost, got) => executed && got.as_ref().is_none_or(|got| got.status >= 500),
                (Wire::Odd(is_odd), Some(got)) => executed && got.status < 300 && is_odd(got),
                (Wire::Fated, Some(got)) => {
                    executed && got.status < 300 && atlas.lives().iter().any(|life| !life.fates.is_empty())
                }
                _ => false,
            };
            assert!(met, "{} on {operation:?}: {got:?}, executed: {executed}", known.name);
            assert_eq!(atlas.rules().is_empty(), times.is_some(), "{}", known.name);
        }
    }
}

#[tokio::test]
async fn what_the_details_of_some_refusals_are_is_as_it_was_recorded() {
    let (atlas, client, id) = with_an_endpoint(|_| {}).await;
    let commit = |name: &str, on| {
        atlas.behave();
        for rule in Known::named(name).unwrap().rules(&[on]) {
            atlas.inject(rule);
        }
    };
    commit("parameters: null", Operation::List);
    let got = send(&client, Operation::List, &id).await.unwrap();
    assert!(got.json.get("parameters").is_some_and(serde_json::Value::is_null), "{got:?}");
    commit("a comment too long", Operation::Update);
    let got = send(&client, Operation::Update, &id).await.unwrap();
    assert_eq!(got.json["badRequestDetail"]["fields"][0]["field"], "comment");
    commit("IP_ADDRESS_NOT_ON_ACCESS_LIST", Operation::List);
    let got = send(&client, Operation::List, &id).await.unwrap();
    assert_eq!(got.json["parameters"], serde_json::json!(["203.0.113.7"]));
    for (name, after) in [
        ("429 without Retry-After", ""),
        ("429 with Retry-After", "2"),
        ("429 of a token bucket", "55"),
        ("Retry-After: 0", "0"),
        ("an absurd Retry-After", "99999999999999999999"),
    ] {
        commit(name, Operation::List);
        let got = send(&client, Operation::List, &id).await.unwrap();
        assert_eq!(got.header("retry-after"), after, "{name}");
    }
    commit("429 of a token bucket", Operation::List);
    let got = client.clone().v2().get(&endpoints().replace("v1.0", "v2")).await;
    assert_eq!((got.code(), got.header("retry-after")), ("RATE_LIMITED_TOKEN_BUCKET", "55"));
    commit("Retry-After as a date", Operation::List);
    let got = send(&client, Operation::List, &id).await.unwrap();
    assert!(httpdate::parse_http_date(got.header("retry-after")).is_ok(), "{got:?}");
    commit("a listing shows the past", Operation::List);
    tokio::time::sleep(Duration::from_millis(1300)).await;
    let got = send(&client, Operation::List, &id).await.unwrap();
    assert_eq!(got.json[0]["_id"], id.as_str(), "the past has caught up");
}

#[tokio::test]
async fn tokens_are_refused_limited_revoked_and_short_lived() {
    for (name, status, member, word) in [
        ("invalid_client", 401, "error", "invalid_client"),
        ("429 for tokens", 429, "errorCode", "RATE_LIMITED"),
    ] {
        let (atlas, ..) = with_an_endpoint(|_| {}).await;
        atlas.inject(Known::named(name).unwrap().rules(&[Operation::Token]).remove(0));
        let secret = atlas_simulator::DEFAULT_CLIENT_SECRET;
        let got = support::token(&atlas, secret, "grant_type=client_credentials").await;
        assert_eq!((got.status, &got.json[member]), (status, &serde_json::json!(word)), "{name}");
    }
    let How::Settings(set) = Known::named("tokens that live shortly").unwrap().how else { panic!() };
    let (atlas, ..) = with_an_endpoint(set).await;
    let got =
        support::token(&atlas, atlas_simulator::DEFAULT_CLIENT_SECRET, "grant_type=client_credentials").await;
    assert_eq!(got.json["expires_in"], 2);
    let bearer = format!("Bearer {}", got.json["access_token"].as_str().unwrap());
    let client = Client::new(&atlas);
    let status = async || client.raw(Method::GET, &endpoints(), Some(&bearer), None).await.unwrap().status();
    assert_eq!(status().await, 200);
    happen(&atlas, "a token revoked in the middle", "");
    assert_eq!(status().await, 401);
}

/// Makes what is out of band happen.
fn happen(atlas: &Simulator, name: &str, endpoint: &str) {
    let How::OutOfBand(act) = Known::named(name).unwrap().how else { panic!("{name} is not out of band") };
    act(atlas, &Place { project: DEFAULT_PROJECT, instance: DEFAULT_INSTANCE, endpoint });
}

#[tokio::test]
async fn what_happens_out_of_band_happens() {
    let ours = "orders [k8s:aaaaaaaaaaaaaaaa]";
    for known in catalogue() {
        if !matches!(known.how, How::OutOfBand(_)) {
            continue;
        }
        let (atlas, client, id) = with_an_endpoint(|_| {}).await;
        assert!(atlas.edit_endpoint(&id, |endpoint| endpoint.status = Status::Available));
        happen(&atlas, known.name, &id);
        let listed = send(&client, Operation::List, &id).await.unwrap();
        let comments: Vec<_> =
            listed.json.as_array().into_iter().flatten().map(|e| e["comment"].clone()).collect();
        let one = &listed.json[0];
        let met = match known.name {
            "migrated to Flex" => listed.code() == "NOT_SERVERLESS_TENANT_CLUSTER",
            "migrated to dedicated" => listed.code() == "CANNOT_USE_CLUSTER_IN_SERVERLESS_INSTANCE_API",
            "AVAILABLE turns FAILED" => one["status"] == "FAILED" && one["errorMessage"].is_string(),
            "deleted by somebody" => comments.is_empty(),
            "its comment edited by somebody" => comments == ["somebody's"],
            "marked by another owner" => comments == ["[k8s:aaaaaaaaaaaaaaaa]"],
            "its deletion begun by somebody" | "its deletion begun by somebody, and stuck" => {
                one["status"] == "DELETING"
            }
            "its VPC endpoint edited by somebody" => {
                one["cloudProviderEndpointId"] == "vpce-0fedcba9876543210"
            }
            "a stranger with the same text" => comments == [ours, "orders"],
            "two twins" => comments == [ours, ours, ours] && listed.json[2]["status"] == "AVAILABLE",
            "a token revoked in the middle" => true, // see the test of tokens
            other => panic!("{other} has no row"),
        };
        assert!(met, "{}: {listed:?}", known.name);
    }
}

/// The status, and an endpoint's status, after a PATCH or DELETE on an endpoint in this state.
async fn on(change: fn(&mut Settings), status: Status, operation: Operation) -> (u16, String) {
    let (atlas, client, id) = with_an_endpoint(change).await;
    assert!(atlas.edit_endpoint(&id, |endpoint| endpoint.status = status));
    let answered = send(&client, operation, &id).await.unwrap().status;
    let now = send(&client, Operation::List, &id).await.unwrap().json[0]["status"].clone();
    (answered, now.as_str().unwrap_or("gone").to_owned())
}

#[tokio::test]
async fn each_setting_of_the_catalogue_shows() {
    use Operation::{Delete, Update};
    use Status::{Deleting, Failed, ReservationRequested};
    for known in catalogue() {
        let How::Settings(set) = known.how else { continue };
        let answers = |status: u16, now: &str| (status, now.to_owned());
        let (got, expected) = match known.name {
            "PATCH before RESERVED is answered 400" => {
                (on(set, ReservationRequested, Update).await, answers(400, "RESERVATION_REQUESTED"))
            }
            "PATCH before RESERVED is answered 409" => {
                (on(set, ReservationRequested, Update).await, answers(409, "RESERVATION_REQUESTED"))
            }
            "PATCH before RESERVED is accepted" => {
                (on(set, ReservationRequested, Update).await, answers(200, "INITIATING"))
            }
            "PATCH on FAILED is answered 400" => (on(set, Failed, Update).await, answers(400, "FAILED")),
            "PATCH on FAILED is answered 409" => (on(set, Failed, Update).await, answers(409, "FAILED")),
            "PATCH on FAILED is accepted" => (on(set, Failed, Update).await, answers(200, "INITIATING")),
            "PATCH on DELETING is answered 400" => {
                (on(set, Deleting, Update).await, answers(400, "DELETING"))
            }
            "PATCH on DELETING is answered 409" => {
                (on(set, Deleting, Update).await, answers(409, "DELETING"))
            }
            "PATCH on DELETING is accepted" => (on(set, Deleting, Update).await, answers(200, "DELETING")),
            "DELETE again is answered 204" => (on(set, Deleting, Delete).await, answers(204, "DELETING")),
            "DELETE again is answered 404" => (on(set, Deleting, Delete).await, answers(404, "DELETING")),
            "DELETE again is answered 409" => (on(set, Deleting, Delete).await, answers(409, "DELETING")),
            "DELETING for a while" => (on(set, Status::Reserved, Delete).await, answers(204, "DELETING")),
            other => {
                shows(other, set).await;
                continue;
            }
        };
        assert_eq!(got, expected, "{}", known.name);
    }
}

/// The settings that take more than one request to be seen.
async fn shows(name: &str, set: fn(&mut Settings)) {
    let (atlas, client, id) = with_an_endpoint(set).await;
    match name {
        "as documented" => assert_eq!(send(&client, Operation::List, &id).await.unwrap().status, 200),
        "a nonce that ages" | "every nonce serves once" => {
            let (_, nonce) = client.challenge(&endpoints()).await;
            let used = async |nc| {
                let header = client.digest("GET", &endpoints(), &nonce, nc);
                client.raw(Method::GET, &endpoints(), Some(&header), None).await.unwrap().status().as_u16()
            };
            assert_eq!(used(1).await, 200, "{name}");
            let issued = atlas.now();
            if name == "a nonce that ages" {
                until(&atlas, "its age", |atlas| atlas.now() > issued + Duration::from_millis(300)).await;
            }
            assert_eq!(used(2).await, 401, "{name}");
        }
        "op instead of qop" | "no qop" => {
            let (header, _) = client.challenge(&endpoints()).await;
            assert!(!header.contains("qop"), "{header}");
            assert_eq!(header.contains(r#"op="auth""#), name == "op instead of qop", "{header}");
        }
        "a key of another project is NOT_IN_GROUP" | "a role that is too low is 403" => {
            use atlas_simulator::{Key, Role};
            let elsewhere = Key::of_project("secret", &"c".repeat(24), Role::Owner);
            atlas.add_key("elsewhere", elsewhere);
            atlas.add_key("reader", Key::of_project("secret", DEFAULT_PROJECT, Role::ReadOnly));
            let (who, code) = if name == "a role that is too low is 403" {
                ("reader", "ACCESS_FORBIDDEN")
            } else {
                ("elsewhere", "NOT_IN_GROUP")
            };
            let client = Client::with_key(&atlas, who, "secret");
            assert_eq!(send(&client, Operation::Create, &id).await.unwrap().code(), code);
        }
        "what is unknown is answered 400" => {
            let got = send(&client, Operation::Get, &"0".repeat(24)).await.unwrap();
            assert_eq!((got.status, got.code()), (400, "TENANT_PRIVATE_ENDPOINT_NOT_FOUND"));
        }
        "the latency that was recorded" => {
            let begun = std::time::Instant::now();
            assert_eq!(send(&client, Operation::Get, &id).await.unwrap().status, 200);
            assert!(begun.elapsed() >= Duration::from_millis(112), "a challenge and an answer");
        }
        "the instance is UPDATING" => {
            assert_eq!(send(&client, Operation::Update, &id).await.unwrap().status, 200);
            let instance = send(&client, Operation::GetInstance, &id).await.unwrap();
            assert_eq!(instance.json["stateName"], "UPDATING");
        }
        "the private address comes late" => {
            assert!(atlas.edit_endpoint(&id, |endpoint| endpoint.status = Status::Available));
            let addresses = async || {
                let instance = send(&client, Operation::GetInstance, &id).await.unwrap();
                instance.json["connectionStrings"]["privateEndpoint"].as_array().unwrap().len()
            };
            assert_eq!(addresses().await, 0);
            let since = atlas.now();
            until(&atlas, "its time", |atlas| atlas.now() > since + Duration::from_millis(1500)).await;
            assert_eq!(addresses().await, 1);
        }
        "tokens that live shortly" => {} // see the test of tokens
        other => panic!("{other} has no row"),
    }
}

#[test]
fn every_family_is_there_and_no_name_twice() {
    let all = catalogue();
    for family in 0..=FAMILIES {
        assert!(all.iter().any(|known| known.family == family), "family {family} is empty");
    }
    let mut names: Vec<_> = all.iter().map(|known| known.name).collect();
    names.sort_unstable();
    let count = names.len();
    names.dedup();
    assert_eq!(names.len(), count);
}
