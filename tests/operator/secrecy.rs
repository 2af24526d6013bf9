//! A secret occurs in no log, event, status or error.

use atlas_simulator::{Ending, Fault, Key, Operation, Rule};
use data_encoding::{BASE64, BASE64_NOPAD};
use k8s_openapi::api::events::v1::Event;
use kube::Api;
use kube::api::ListParams;
use serde_json::json;

use crate::bench::{Bench, VPC_ENDPOINT};

const PUBLIC: &str = "canaryky";
const PRIVATE: &str = "5a1f0c9e-canary-4d0e-9b7a-private000001";
const WRONG: &str = "5a1f0c9e-canary-4d0e-9b7a-private000002";

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

    let events: Api<Event> = Api::namespaced(bench.control_plane.client().await.unwrap(), &bench.namespace);
    let events = events.list(&ListParams::default()).await.unwrap();
    assert!(events.items.iter().any(|event| event.reason.as_deref() == Some("AtlasUnauthorized")));
    let outputs = [
        ("log", operator.output().join("\n")),
        ("events", serde_json::to_string(&events.items).unwrap()),
        ("object", serde_json::to_string(&available).unwrap()),
    ];
    assert!(
        outputs[0].1.contains("TRACE") && outputs[0].1.contains("hyper"),
        "the log is at trace level, with dependencies"
    );
    for secret in [PRIVATE, WRONG] {
        let basic = BASE64.encode(format!("{PUBLIC}:{secret}").as_bytes());
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
