//! The entries that are settings of Atlas.

use std::time::Duration;

use atlas_simulator::{DEFAULT_PROJECT, How, Operation, Settings, Status, catalogue};
use reqwest::Method;

use super::{send, with_an_endpoint};
use crate::support::{TestClient, endpoints, until};

/// Returns the status, and an endpoint's status, after a PATCH or DELETE on an endpoint in this state.
async fn on(change: fn(&mut Settings), status: Status, operation: Operation) -> (u16, String) {
    let (atlas, client, id) = with_an_endpoint(change).await;
    assert!(atlas.edit_endpoint(&id, |endpoint| endpoint.status = status));
    let status = send(&client, operation, &id).await.unwrap().status;
    let now = send(&client, Operation::List, &id).await.unwrap().json[0]["status"].clone();
    (status, now.as_str().unwrap_or("gone").to_owned())
}

#[tokio::test]
async fn each_setting_of_the_catalogue_shows() {
    use Operation::{Delete, Update};
    use Status::{Deleting, Failed, ReservationRequested};
    for known in catalogue() {
        let How::Settings(set) = known.how else { continue };
        let responds = |status: u16, now: &str| (status, now.to_owned());
        let (got, expected) = match known.name {
            "PATCH before RESERVED returns 400" => {
                (on(set, ReservationRequested, Update).await, responds(400, "RESERVATION_REQUESTED"))
            }
            "PATCH before RESERVED returns 409" => {
                (on(set, ReservationRequested, Update).await, responds(409, "RESERVATION_REQUESTED"))
            }
            "PATCH before RESERVED is accepted" => {
                (on(set, ReservationRequested, Update).await, responds(200, "INITIATING"))
            }
            "PATCH on FAILED returns 400" => (on(set, Failed, Update).await, responds(400, "FAILED")),
            "PATCH on FAILED returns 409" => (on(set, Failed, Update).await, responds(409, "FAILED")),
            "PATCH on FAILED is accepted" => (on(set, Failed, Update).await, responds(200, "INITIATING")),
            "PATCH on DELETING returns 400" => (on(set, Deleting, Update).await, responds(400, "DELETING")),
            "PATCH on DELETING returns 409" => (on(set, Deleting, Update).await, responds(409, "DELETING")),
            "PATCH on DELETING is accepted" => (on(set, Deleting, Update).await, responds(200, "DELETING")),
            "DELETE again returns 204" => (on(set, Deleting, Delete).await, responds(204, "DELETING")),
            "DELETE again returns 404" => (on(set, Deleting, Delete).await, responds(404, "DELETING")),
            "DELETE again returns 409" => (on(set, Deleting, Delete).await, responds(409, "DELETING")),
            "DELETING for a while" => (on(set, Status::Reserved, Delete).await, responds(204, "DELETING")),
            other => {
                shows(other, set).await;
                continue;
            }
        };
        assert_eq!(got, expected, "{}", known.name);
    }
}

/// The settings that show only after more than one request.
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
        "nonces of two gateways in turn" => {
            for (is_stale, parameter) in [(true, "stale=true"), (false, "stale=false")] {
                atlas.configure(|settings| settings.digest.unknown_is_stale = is_stale);
                let (_, nonce) = client.challenge(&endpoints()).await;
                let header = client.digest("GET", &endpoints(), &nonce, 1);
                let used = async || client.raw(Method::GET, &endpoints(), Some(&header), None).await.unwrap();
                let refused = used().await;
                assert_eq!(refused.status(), 401);
                assert!(refused.headers()["www-authenticate"].to_str().unwrap().contains(parameter));
                assert_eq!(used().await.status(), 200);
                assert_eq!(used().await.status(), 401);
            }
        }
        "nonces bound to a cookie" => {
            let got = client.raw(Method::GET, &endpoints(), None, None).await.unwrap();
            let [nonce, cookie] = ["www-authenticate", "set-cookie"]
                .map(|name| got.headers()[name].to_str().unwrap().to_owned());
            let header = client.digest("GET", &endpoints(), &crate::support::nonce(&nonce), 1);
            let used = async |client: &TestClient| {
                client.raw(Method::GET, &endpoints(), Some(&header), None).await.unwrap().status()
            };
            assert_eq!(used(&client).await, 401);
            let cookie = cookie.split(';').next().unwrap().to_owned();
            assert_eq!(used(&client.clone().with_header("Cookie", cookie)).await, 200);
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
            let client = TestClient::with_key(&atlas, who, "secret");
            assert_eq!(send(&client, Operation::Create, &id).await.unwrap().code(), code);
        }
        "an unknown endpoint returns 400" => {
            let got = send(&client, Operation::Get, &"0".repeat(24)).await.unwrap();
            assert_eq!((got.status, got.code()), (400, "TENANT_PRIVATE_ENDPOINT_NOT_FOUND"));
        }
        "the latency that was recorded" => {
            let begun = std::time::Instant::now();
            assert_eq!(send(&client, Operation::Get, &id).await.unwrap().status, 200);
            assert!(begun.elapsed() >= Duration::from_millis(112), "a challenge and a response");
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
