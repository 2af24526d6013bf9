//! A secret occurs in no log, event, status, error or metric.

use atlas_simulator::{DEFAULT_CLIENT_ID, DEFAULT_CLIENT_SECRET, Ending, Fault, Key, Operation, Rule};
use data_encoding::{BASE64, BASE64_NOPAD};
use k8s_openapi::api::events::v1::Event;
use kube::Api;
use kube::api::ListParams;
use serde_json::json;
use testbed::Process;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::bench::{Bench, PATIENCE, VPC_ENDPOINT};

const PUBLIC: &str = "canaryky";
const PRIVATE: &str = "5a1f0c9e-canary-4d0e-9b7a-private000001";
const WRONG: &str = "5a1f0c9e-canary-4d0e-9b7a-private000002";
const WRONG_OF_ACCOUNT: &str = "mdb_sa_sk_canary-of-an-account-that-is-refused";

/// What the operator serves to whoever asks.
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
async fn at_trace_level_dependencies_included_no_output_holds_a_secret_in_any_form() {
    let bench = Bench::new().await;
    bench.atlas.add_key(PUBLIC, Key::owner(PRIVATE));
    let operator = bench.operator_with(&["--log-level=trace"]);
    // Refused, then accepted, through failures of every kind, to the end of the object's life.
    bench.put_secret(&[("publicApiKey", PUBLIC), ("privateApiKey", WRONG)]).await;
    bench.create("orders", json!({})).await;
    bench.until_reason("orders", "Unauthorized").await;
    bench.put_secret(&[("publicApiKey", PUBLIC), ("privateApiKey", PRIVATE)]).await;
    for ending in
        [Ending::Cut, Ending::CutInBody, Ending::HtmlUnavailable, Ending::StaleNonce, Ending::ServerError]
    {
        bench.atlas.inject(Rule::next_of(Operation::List, Fault::NotExecuted(ending)));
    }
    bench.until_reason("orders", "Reserved").await;
    bench.edit("orders", json!({"cloudProviderEndpointId": VPC_ENDPOINT})).await;
    let available = bench.until_reason("orders", "Available").await;
    bench.delete("orders").await;
    bench.until_gone("orders").await;
    // A service account, refused and accepted; a key that still worked would be used once more.
    bench.atlas.remove_key(PUBLIC);
    bench.put_secret(&[("clientId", DEFAULT_CLIENT_ID), ("clientSecret", WRONG_OF_ACCOUNT)]).await;
    bench.create("accounts", json!({})).await;
    let refused = bench.atlas.until(|atlas| atlas.count(|entry| entry.is(Operation::Token)) > 0);
    tokio::time::timeout(PATIENCE, refused).await.unwrap();
    bench.until_reason("accounts", "Unauthorized").await;
    bench.put_secret(&[("clientId", DEFAULT_CLIENT_ID), ("clientSecret", DEFAULT_CLIENT_SECRET)]).await;
    let reserved = bench.until_reason("accounts", "Reserved").await;

    let events: Api<Event> = Api::namespaced(bench.control_plane.client().await.unwrap(), &bench.namespace);
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
    for (public, secret) in [
        (PUBLIC, PRIVATE),
        (PUBLIC, WRONG),
        (DEFAULT_CLIENT_ID, WRONG_OF_ACCOUNT),
        (DEFAULT_CLIENT_ID, DEFAULT_CLIENT_SECRET),
    ] {
        let basic = BASE64.encode(format!("{public}:{secret}").as_bytes());
        for form in [
            secret.to_owned(),
            BASE64.encode(secret.as_bytes()),
            BASE64_NOPAD.encode(secret.as_bytes()),
            basic,
        ] {
            for (name, text) in &outputs {
                assert!(!text.contains(&form), "{name} holds {form}");
            }
        }
    }
}
