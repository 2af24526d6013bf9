//! A secret occurs in no log, event, status, error or metric.

use atlas_simulator::{
    DEFAULT_CLIENT_ID, DEFAULT_CLIENT_SECRET, InjectedFault, Key, Operation, Rule, Termination,
};
use data_encoding::{BASE64, BASE64_NOPAD};
use k8s_openapi::api::events::v1::Event;
use kube::Api;
use kube::api::ListParams;
use serde_json::json;
use test_support::{Fixture, PATIENCE, SECRET, VPC_ENDPOINT, condition};
use testbed::{Action, Exchange, FakeResponse, Process};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::unreadable::{POISONS, Raw};

const PUBLIC: &str = "canaryky";
const PRIVATE: &str = "5a1f0c9e-canary-4d0e-9b7a-private000001";
const WRONG: &str = "5a1f0c9e-canary-4d0e-9b7a-private000002";
const WRONG_OF_ACCOUNT: &str = "mdb_sa_sk_canary-of-an-account-that-is-refused";

/// Returns what the operator serves without authentication.
pub(crate) async fn metrics(operator: &Process) -> String {
    let line = operator.wait_for_line("serving /livez", PATIENCE).await.unwrap();
    let address = line.split("address=\"").nth(1).unwrap_or_else(|| panic!("no address in {line}"));
    let mut stream = TcpStream::connect(address.split('"').next().unwrap()).await.unwrap();
    stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: operator\r\nConnection: close\r\n\r\n").await.unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).await.unwrap();
    text
}

#[tokio::test]
async fn no_output_at_trace_level_contains_a_secret_in_any_form() {
    let fixture = Fixture::new().await;
    fixture.atlas.add_key(PUBLIC, Key::owner(PRIVATE));
    let operator = fixture.operator_with(&["--log-level=trace"]);
    // Refused, then accepted, through failures of every kind, to the end of the object's life.
    fixture.put_secret(&[("publicApiKey", PUBLIC), ("privateApiKey", WRONG)]).await;
    fixture.create("orders", json!({})).await;
    fixture.until_reason("orders", "Unauthorized").await;
    fixture.put_secret(&[("publicApiKey", PUBLIC), ("privateApiKey", PRIVATE)]).await;
    for ending in [
        Termination::Cut,
        Termination::CutInBody,
        Termination::HtmlUnavailable,
        Termination::StaleNonce,
        Termination::ServerError,
    ] {
        fixture.atlas.inject(Rule::next_of(Operation::List, InjectedFault::NotExecuted(ending)));
    }
    fixture.until_reason("orders", "Reserved").await;
    fixture.edit("orders", json!({"cloudProviderEndpointId": VPC_ENDPOINT})).await;
    let available = fixture.until_reason("orders", "Available").await;
    fixture.delete("orders").await;
    fixture.until_gone("orders").await;
    // A service account, refused and accepted; a key that still worked would be used once more.
    fixture.atlas.remove_key(PUBLIC);
    fixture.put_secret(&[("clientId", DEFAULT_CLIENT_ID), ("clientSecret", WRONG_OF_ACCOUNT)]).await;
    fixture.create("accounts", json!({})).await;
    let refused = fixture.atlas.until(|atlas| atlas.count(|entry| entry.is(Operation::Token)) > 0);
    tokio::time::timeout(PATIENCE, refused).await.unwrap();
    fixture.until_reason("accounts", "Unauthorized").await;
    fixture.put_secret(&[("clientId", DEFAULT_CLIENT_ID), ("clientSecret", DEFAULT_CLIENT_SECRET)]).await;
    let reserved = fixture.until_reason("accounts", "Reserved").await;

    let events: Api<Event> =
        Api::namespaced(fixture.control_plane.client().await.unwrap(), &fixture.namespace);
    let events = events.list(&ListParams::default()).await.unwrap();
    assert!(events.items.iter().any(|event| event.reason.as_deref() == Some("AtlasUnauthorized")));
    let outputs = [
        ("log", operator.output().join("\n")),
        ("events", serde_json::to_string(&events.items).unwrap()),
        ("object", serde_json::to_string(&[available, reserved]).unwrap()),
        ("metrics", metrics(&operator).await),
    ];
    assert!(outputs[3].1.contains("operation=\"token\",code=\"200\"}"), "{}", outputs[3].1);
    assert!(
        outputs[0].1.contains("TRACE") && outputs[0].1.contains("hyper"),
        "the log is at trace level, with dependencies"
    );
    assert_hold_no_secret(
        &outputs,
        &[
            (PUBLIC, PRIVATE),
            (PUBLIC, WRONG),
            (DEFAULT_CLIENT_ID, WRONG_OF_ACCOUNT),
            (DEFAULT_CLIENT_ID, DEFAULT_CLIENT_SECRET),
        ],
    );
}

/// Fails if one of the outputs holds one of the secrets, in any form.
fn assert_hold_no_secret(outputs: &[(&str, String)], secrets: &[(&str, &str)]) {
    for (public, secret) in secrets {
        let basic = BASE64.encode(format!("{public}:{secret}").as_bytes());
        for form in [
            (*secret).to_owned(),
            BASE64.encode(secret.as_bytes()),
            BASE64_NOPAD.encode(secret.as_bytes()),
            basic,
        ] {
            for (name, text) in outputs {
                assert!(!text.contains(&form), "{name} holds {form}");
            }
        }
    }
}

#[tokio::test]
async fn a_secret_that_cannot_be_decoded_is_in_no_output_either() {
    let fixture = Fixture::new().await;
    fixture.atlas.add_key(PUBLIC, Key::owner(PRIVATE));
    fixture.put_secret(&[("publicApiKey", PUBLIC), ("privateApiKey", PRIVATE)]).await;
    let proxies = fixture.proxies().await;
    // Whatever directives a user finds.
    let operator = fixture.operator_behind_with(&proxies, &["--log-level=trace,kube_client::client=trace"]);
    let key = BASE64.encode(PRIVATE.as_bytes());
    let is_secret = |exchange: &Exchange| exchange.path.contains("/secrets/");
    for (number, body) in [
        format!(
            r#"{{"metadata":{{"resourceVersion":"7"}},"data":{{"privateApiKey":"{key}","publicApiKey":7}}}}"#
        ),
        format!(r#"{{"metadata":{{"resourceVersion":"7"}},"data":{{"privateApiKey":"{PRIVATE}"}}}}"#),
        format!(r#"{{"metadata":{{"resourceVersion":"7"}},"data":{{"privateApiKey":"{key}","#),
    ]
    .into_iter()
    .enumerate()
    {
        let response = FakeResponse { status: 200, headers: Vec::new(), body: body.into() };
        proxies.recording.always(is_secret, move || Action::Respond(response.clone()));
        let name = format!("broken-{number}");
        // Another Secret each, because what was read is kept for some seconds.
        fixture.create(&name, json!({"credentialsRef": {"name": name}})).await;
        let object = fixture.until_reason(&name, "CredentialsNotFound").await;
        let message = &condition(&object, "Ready").unwrap().message;
        assert!(
            message.contains(&format!("Secret {name} ")) && message.contains("cannot be decoded"),
            "{message}"
        );
        proxies.recording.forget_plan();
    }
    // What the API server itself serves and no general decoder reads is read all the same.
    for (number, poison) in POISONS.iter().enumerate() {
        Raw::at(&fixture, "api/v1", "secrets", SECRET).await.poison(&poison()).await;
        let name = format!("poisoned-{number}");
        fixture.create(&name, json!({})).await;
        fixture.until_reason(&name, "Reserved").await;
    }
    let events: Api<Event> =
        Api::namespaced(fixture.control_plane.client().await.unwrap(), &fixture.namespace);
    let events = events.list(&ListParams::default()).await.unwrap();
    let objects = fixture.objects.list(&ListParams::default()).await.unwrap();
    let outputs = [
        ("log", operator.output().join("\n")),
        ("events", serde_json::to_string(&events.items).unwrap()),
        ("object", serde_json::to_string(&objects.items).unwrap()),
        ("metrics", metrics(&operator).await),
    ];
    assert_hold_no_secret(&outputs, &[(PUBLIC, PRIVATE)]);
}
