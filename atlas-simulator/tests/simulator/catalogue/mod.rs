//! Every entry of the catalogue behaves as it says: what a client gets, and what is executed nevertheless.

mod requests;
mod settings;

use std::time::Duration;

use atlas_simulator::{
    CatalogueEntry, DEFAULT_INSTANCE, DEFAULT_PROJECT, Endpoint, EndpointPath, FAMILIES, How, Operation,
    Pace, Settings, Simulator, Status, catalogue,
};
use reqwest::Method;

use crate::support::{Got, TestClient, endpoints};

const VPC: &str = r#"{"providerName": "AWS", "cloudProviderEndpointId": "vpce-0123456789abcdef0"}"#;

/// An Atlas in which nothing changes by itself, with one endpoint that is RESERVED.
async fn with_an_endpoint(change: fn(&mut Settings)) -> (Simulator, TestClient, String) {
    let mut settings = Settings::at_pace(Pace::of(Duration::from_hours(1)));
    change(&mut settings);
    let atlas = Simulator::start(settings).await.unwrap();
    let id = atlas.insert_endpoint(
        DEFAULT_PROJECT,
        DEFAULT_INSTANCE,
        Endpoint::reserved(Some("orders [k8s:aaaaaaaaaaaaaaaa]".to_owned())),
    );
    let client = TestClient::new(&atlas);
    (atlas, client, id)
}

/// Sends a request of this kind, with a timeout of half a second.
async fn send(client: &TestClient, operation: Operation, id: &str) -> Option<Got> {
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
async fn what_the_details_of_some_refusals_are_is_as_it_was_recorded() {
    let (atlas, client, id) = with_an_endpoint(|_| {}).await;
    let commit = |name: &str, on| {
        atlas.clear_rules();
        for rule in CatalogueEntry::named(name).unwrap().rules(&[on]) {
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
    let caught_up =
        async { while send(&client, Operation::List, &id).await.unwrap().json[0]["_id"] != id.as_str() {} };
    tokio::time::timeout(Duration::from_secs(5), caught_up).await.unwrap();
}

#[tokio::test]
async fn tokens_are_refused_limited_revoked_and_short_lived() {
    for (name, status, member, word) in [
        ("invalid_client", 401, "error", "invalid_client"),
        ("429 for tokens", 429, "errorCode", "RATE_LIMITED"),
    ] {
        let (atlas, ..) = with_an_endpoint(|_| {}).await;
        atlas.inject(CatalogueEntry::named(name).unwrap().rules(&[Operation::Token]).remove(0));
        let secret = atlas_simulator::DEFAULT_CLIENT_SECRET;
        let got = crate::support::token(&atlas, secret, "grant_type=client_credentials").await;
        assert_eq!((got.status, &got.json[member]), (status, &serde_json::json!(word)), "{name}");
    }
    let How::Settings(set) = CatalogueEntry::named("tokens that live shortly").unwrap().how else { panic!() };
    let (atlas, ..) = with_an_endpoint(set).await;
    let got = crate::support::token(
        &atlas,
        atlas_simulator::DEFAULT_CLIENT_SECRET,
        "grant_type=client_credentials",
    )
    .await;
    assert_eq!(got.json["expires_in"], 2);
    let bearer = format!("Bearer {}", got.json["access_token"].as_str().unwrap());
    let client = TestClient::new(&atlas);
    let status = async || client.raw(Method::GET, &endpoints(), Some(&bearer), None).await.unwrap().status();
    assert_eq!(status().await, 200);
    happen(&atlas, "a token revoked in the middle", "");
    assert_eq!(status().await, 401);
}

/// Causes an event out of band.
fn happen(atlas: &Simulator, name: &str, endpoint: &str) {
    let How::OutOfBand(act) = CatalogueEntry::named(name).unwrap().how else {
        panic!("{name} is not out of band")
    };
    act(atlas, &EndpointPath { project: DEFAULT_PROJECT, instance: DEFAULT_INSTANCE, endpoint });
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
            "deleted out of band" => comments.is_empty(),
            "its comment edited out of band" => comments == ["somebody's"],
            "marked by another owner" => comments == ["[k8s:aaaaaaaaaaaaaaaa]"],
            "its deletion begun out of band" | "its deletion begun out of band, and stuck" => {
                one["status"] == "DELETING"
            }
            "its VPC endpoint edited out of band" => {
                one["cloudProviderEndpointId"] == "vpce-0fedcba9876543210"
            }
            "an unmarked endpoint with the same text" => comments == [ours, "orders"],
            "two more with our mark" => {
                comments == [ours, ours, ours] && listed.json[2]["status"] == "AVAILABLE"
            }
            "a token revoked in the middle" => true, // see the test of tokens
            other => panic!("{other} has no row"),
        };
        assert!(met, "{}: {listed:?}", known.name);
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
