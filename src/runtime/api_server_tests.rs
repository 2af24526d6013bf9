//! How many calls run concurrently, and that the wait for a permit is not part of a call's timeout.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use futures::FutureExt;
use futures::future::{BoxFuture, join_all};
use http::{Request, Response};
use kube::Client;
use kube::client::Body;
use serde_json::json;
use tower::{BoxError, Service};

use super::*;
use crate::runtime::example::Example;

/// An API server that responds after half of a call's timeout, and records the maximum of concurrent calls.
struct Slow {
    running: Arc<AtomicUsize>,
    most: Arc<AtomicUsize>,
}

impl Service<Request<Body>> for Slow {
    type Response = Response<Body>;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<Response<Body>, BoxError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<Body>) -> Self::Future {
        let running = Arc::clone(&self.running);
        self.most.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
        Box::pin(async move {
            tokio::time::sleep(TIMEOUT / 2).await;
            running.fetch_sub(1, Ordering::SeqCst);
            Ok(Response::new(Body::from(object().to_string().into_bytes())))
        })
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
fn a_refusal_of_any_length_is_cut() {
    for code in [403, 422, 500] {
        let details = json!({"name": "orders", "causes": [{"field": "spec"}]});
        let message = "x".repeat(1_000_000);
        let status = json!({"kind": "Status", "code": code, "status": "Failure", "message": message, "details": details,
            "reason": match code { 403 => "Forbidden", 422 => "Invalid", _ => "InternalError" }});
        for text in [status.to_string(), message] {
            let message = classify(&refusal(code, &text)).to_string();
            assert!(message.len() < 1_100, "{} bytes", message.len());
        }
    }
}

fn identity() -> Identity {
    let read: Example = serde_json::from_value(object()).unwrap();
    Identity::of(&read, &"cluster".parse().unwrap())
}

fn cluster() -> (ApiServer, Arc<AtomicUsize>) {
    let most = Arc::new(AtomicUsize::new(0));
    let server = Slow { running: Arc::default(), most: Arc::clone(&most) };
    (ApiServer::new(Client::new(server, "shop")), most)
}

#[tokio::test(start_paused = true)]
async fn few_calls_run_at_once_and_the_timeout_excludes_the_wait_for_a_permit() {
    let ((cluster, most), identity) = (cluster(), identity());
    // Four rounds of half a timeout each: the last round waits longer than the timeout of a call.
    let get = async |caller: usize| {
        cluster.get::<Example>(&cluster.turn(&format!("team-{caller}")).await, &identity).await
    };
    for answer in join_all((0..MAX_API_CALLS * 4).map(get)).await {
        assert!(answer.unwrap().metadata.managed_fields.is_none(), "nobody reads it");
    }
    assert_eq!(most.load(Ordering::SeqCst), MAX_API_CALLS);
}

#[tokio::test(start_paused = true)]
async fn a_namespace_whose_calls_hang_leaves_permits_to_every_other() {
    let (cluster, _) = cluster();
    let permits = join_all((0..MAX_API_CALLS * 4).map(|_| cluster.turn("hostile")));
    tokio::select! {
        biased;
        _ = permits => panic!("there are not as many permits"),
        _ = join_all(["team-a", "team-b", "team-c"].map(|namespace| cluster.turn(namespace))) => {}
    }
}

#[tokio::test(start_paused = true)]
async fn nineteen_namespaces_whose_calls_hang_leave_a_permit_to_the_twentieth() {
    let (cluster, _) = cluster();
    let mut held = Vec::new();
    for namespace in 0..19 {
        let namespace = format!("hostile-{namespace}");
        let permit = || cluster.turn(&namespace).now_or_never();
        held.extend(std::iter::from_fn(permit));
    }
    assert!(held.len() > 19, "{} permits", held.len());
    assert!(cluster.turn("ours").now_or_never().is_some());
}

/// An API server that responds to every request with this status code and body.
fn saying(status: u16, text: &str) -> ApiServer {
    let text = text.to_owned();
    let server = tower::service_fn(move |_: Request<Body>| {
        let response = Response::builder().status(status).body(Body::from(text.clone().into_bytes()));
        async move { Ok::<_, BoxError>(response?) }
    });
    ApiServer::new(Client::new(server, "shop"))
}

#[tokio::test]
async fn what_cannot_be_read_is_an_error_without_its_content() {
    let odd = object().to_string().replace("\"u\"", "\"u\",\"finalizers\":7");
    let read = saying(200, &odd).get::<Example>(&cluster().0.turn("shop").await, &identity()).await;
    assert!(matches!(&read, Err(ApiError::Unreadable(why)) if why.starts_with("metadata: ")), "{read:?}");
    let secret = r#"{"metadata":{"resourceVersion":"7"},"data":{"privateApiKey":"canary"}}"#;
    let Err(error) = saying(200, secret).secret("shop", "key").await else { panic!("it is no base64") };
    assert!(matches!(error, ApiError::Unreadable(_)) && !error.to_string().contains("canary"), "{error}");
    let long = saying(200, &"x".repeat(MAX_RESPONSE + 1)).config_map("shop", "out").await;
    assert!(matches!(&long, Err(ApiError::Unreadable(why)) if why.contains("more than")), "{long:?}");
    let html = saying(502, "<html>bad gateway</html>").secret("shop", "key").await.err().unwrap();
    assert!(matches!(&html, ApiError::Other(text) if text.contains("bad gateway")), "{html}");
}
