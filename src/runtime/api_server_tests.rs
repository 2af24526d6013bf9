//! Tests how many calls run concurrently, and that the wait for a permit is not part of a call's timeout.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures::FutureExt;
use futures::future::join_all;
use http::{Request, Response};
use kube::Client;
use kube::client::Body;
use serde_json::json;
use tower::{BoxError, service_fn};

use super::*;
use crate::runtime::example::Example;

/// An API server that responds after half of a call's timeout, and records the maximum of concurrent calls.
#[derive(Clone)]
struct Slow {
    running: Arc<AtomicUsize>,
    max_running: Arc<AtomicUsize>,
}

impl Slow {
    async fn respond(self) -> Result<Response<Body>, BoxError> {
        self.max_running.fetch_max(self.running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
        tokio::time::sleep(TIMEOUT / 2).await;
        self.running.fetch_sub(1, Ordering::SeqCst);
        Ok(Response::new(Body::from(object().to_string().into_bytes())))
    }
}

fn object() -> Value {
    json!({
        "apiVersion": "atlas.spe-operator.io/v1alpha1",
        "kind": "Example",
        "metadata": {"name": "orders", "namespace": "shop", "uid": "u", "managedFields": [{"manager": "kubectl"}]},
        "spec": {"projectId": "32b6e34b3d91647abb20e7b8"},
    })
}

#[test]
fn the_message_of_an_error_status_is_cut() {
    for code in [403, 422, 500] {
        let details = json!({"name": "orders", "causes": [{"field": "spec"}]});
        let message = "x".repeat(1_000_000);
        let status = json!({"kind": "Status", "code": code, "status": "Failure", "message": message, "details": details,
            "reason": match code { 403 => "Forbidden", 422 => "Invalid", _ => "InternalError" }});
        for text in [status.to_string(), message] {
            let message = classify(&error_status(code, &text)).to_string();
            assert!(message.len() < 1_100, "{} bytes", message.len());
        }
    }
}

fn identity() -> Identity {
    let read: Example = serde_json::from_value(object()).unwrap();
    Identity::new(&read, &"cluster".parse().unwrap())
}

fn api_server() -> (ApiServer, Arc<AtomicUsize>) {
    let max_running = Arc::new(AtomicUsize::new(0));
    let server = Slow { running: Arc::default(), max_running: Arc::clone(&max_running) };
    let service = service_fn(move |_: Request<Body>| server.clone().respond());
    (ApiServer::new(Client::new(service, "shop")), max_running)
}

#[tokio::test(start_paused = true)]
async fn concurrent_calls_are_bounded_and_timeouts_exclude_the_wait() {
    let ((api_server, max_running), identity) = (api_server(), identity());
    // Four rounds of half a timeout each: the last round waits longer than the timeout of a call.
    let get = async |caller: usize| {
        api_server.get::<Example>(&api_server.permit(&format!("team-{caller}")).await, &identity).await
    };
    for response in join_all((0..MAX_API_CALLS * 4).map(get)).await {
        assert!(response.unwrap().metadata.managed_fields.is_none(), "managed fields are dropped");
    }
    assert_eq!(max_running.load(Ordering::SeqCst), MAX_API_CALLS);
}

#[tokio::test(start_paused = true)]
async fn a_namespace_whose_calls_hang_leaves_permits_to_every_other() {
    let (api_server, _) = api_server();
    let permits = join_all((0..MAX_API_CALLS * 4).map(|_| api_server.permit("hostile")));
    tokio::select! {
        biased;
        _ = permits => panic!("there are not as many permits"),
        _ = join_all(["team-a", "team-b", "team-c"].map(|namespace| api_server.permit(namespace))) => {}
    }
}

#[tokio::test(start_paused = true)]
async fn nineteen_namespaces_whose_calls_hang_leave_a_permit_to_the_twentieth() {
    let (api_server, _) = api_server();
    let mut held = Vec::new();
    for namespace in 0..19 {
        let namespace = format!("hostile-{namespace}");
        let permit = || api_server.permit(&namespace).now_or_never();
        held.extend(std::iter::from_fn(permit));
    }
    assert!(held.len() > 19, "{} permits", held.len());
    assert!(api_server.permit("ours").now_or_never().is_some());
}

/// An API server that responds to every request with this status code and body.
fn responding(status: u16, text: &str) -> ApiServer {
    let text = text.to_owned();
    let server = service_fn(move |_: Request<Body>| {
        let response = Response::builder().status(status).body(Body::from(text.clone().into_bytes()));
        async move { Ok::<_, BoxError>(response?) }
    });
    ApiServer::new(Client::new(server, "shop"))
}

#[tokio::test]
async fn an_unreadable_response_is_an_error_without_its_content() {
    let odd = object().to_string().replace("\"u\"", "\"u\",\"finalizers\":7");
    let read = responding(200, &odd).get::<Example>(&api_server().0.permit("shop").await, &identity()).await;
    assert!(matches!(&read, Err(ApiError::Unreadable(why)) if why.starts_with("metadata: ")), "{read:?}");
    let secret = r#"{"metadata":{"resourceVersion":"7"},"data":{"privateApiKey":"canary"}}"#;
    let Err(error) = responding(200, secret).secret("shop", "key").await else {
        panic!("the value is not base64")
    };
    assert!(matches!(error, ApiError::Unreadable(_)) && !error.to_string().contains("canary"), "{error}");
    let long = responding(200, &"x".repeat(MAX_RESPONSE + 1)).config_map("shop", "out").await;
    assert!(matches!(&long, Err(ApiError::Unreadable(why)) if why.contains("more than")), "{long:?}");
    let html = responding(502, "<html>bad gateway</html>").secret("shop", "key").await.err().unwrap();
    assert!(matches!(&html, ApiError::Other(text) if text.contains("bad gateway")), "{html}");
}
