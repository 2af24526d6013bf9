use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use futures::StreamExt;
use futures::future::BoxFuture;
use http::{Request, Response};
use kube::client::Body;
use serde_json::json;
use tower::{BoxError, Service};

use tokio_util::sync::CancellationToken;

use crate::metrics::Metrics;

use super::*;
use crate::runtime::example::Example;
use crate::runtime::work::Work;

/// An API server that responds 403 to every request and counts them; `silent`, it does not respond.
#[derive(Clone, Default)]
struct Refusing {
    requests: Arc<AtomicUsize>,
    silent: bool,
}

impl Service<Request<Body>> for Refusing {
    type Response = Response<Body>;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<Response<Body>, BoxError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<Body>) -> Self::Future {
        self.requests.fetch_add(1, Ordering::SeqCst);
        if self.silent {
            return Box::pin(std::future::pending());
        }
        let status = json!({"kind": "Status", "status": "Failure", "code": 403, "reason": "Forbidden"});
        let response = Response::builder().status(403).body(Body::from(status.to_string().into_bytes()));
        Box::pin(async { Ok(response?) })
    }
}

fn targets(server: &Refusing) -> Arc<ReferencedObjects<Example>> {
    let client = Client::new(server.clone(), "shop");
    let work = Work::until(CancellationToken::new());
    let admission = Arc::new(Admission::new(1, Metrics::default(), work));
    Arc::new(ReferencedObjects::new(client.clone(), ApiServer::new(client), admission, |_, _| {}))
}

fn identity(name: &str) -> Identity {
    let object: Example = serde_json::from_value(json!({
        "apiVersion": "atlas.spe-operator.io/v1alpha1",
        "kind": "Example",
        "metadata": {"name": name, "namespace": "shop", "uid": name},
        "spec": {"projectId": "32b6e34b3d91647abb20e7b8"},
    }))
    .unwrap();
    Identity::of(&object, &"cluster".parse().unwrap())
}

fn network() -> Target {
    Target { source: VpcEndpointSource::Ack, namespace: "shop".to_owned(), name: "network".to_owned() }
}

const PAUSE: Duration = Duration::from_mins(2);

#[tokio::test(start_paused = true)]
async fn a_kind_without_rights_is_asked_for_ever_more_rarely_and_ends_with_its_last_referrer() {
    let server = Refusing::default();
    let targets = targets(&server);
    let mut wakes = targets.index().admission.requests_for(None);
    let referrers = [identity("orders"), identity("payments")];
    for referrer in &referrers {
        assert_eq!(targets.find(referrer, &network(), "", None), None, "nothing waits for it");
    }
    let mut woken = [wakes.next().await.unwrap().name, wakes.next().await.unwrap().name];
    woken.sort();
    assert_eq!(woken, ["orders", "payments"]);
    for referrer in &referrers {
        assert_eq!(targets.find(referrer, &network(), "", None), Some(Found::Forbidden));
    }
    tokio::time::sleep(PAUSE).await;
    let requests = || server.requests.load(Ordering::SeqCst);
    assert!((4..=12).contains(&requests()), "{} requests in two minutes", requests());
    // Unchanged content triggers no reconcile.
    assert!(futures::poll!(wakes.next()).is_pending());
    targets.forget(&referrers[0].token);
    let before = requests();
    tokio::time::sleep(PAUSE).await;
    assert!(requests() > before, "the other still refers to it");
    targets.forget(&referrers[1].token);
    let before = requests();
    tokio::time::sleep(PAUSE).await;
    assert_eq!(requests(), before);
    targets.find(&referrers[0], &network(), "", None);
    tokio::time::sleep(PAUSE).await;
    assert!(requests() > before, "a new referrer begins it again");
}

#[tokio::test(start_paused = true)]
async fn who_refers_elsewhere_leaves_nothing_behind() {
    let targets = targets(&Refusing { silent: true, ..Refusing::default() });
    let orders = identity("orders");
    for number in 0..1000 {
        for source in VpcEndpointSource::ALL {
            let target = Target { source, name: format!("network-{number}"), ..network() };
            assert_eq!(targets.find(&orders, &target, "vpce", Some("now")), None);
        }
    }
    let index = targets.index();
    assert_eq!((index.targets.len(), index.referrers.len(), index.readers.len()), (1, 1, 1));
    drop(index);
    targets.forget(&orders.token);
    let index = targets.index();
    assert_eq!((index.targets.len(), index.referrers.len(), index.readers.len()), (0, 0, 0));
}

#[test]
fn who_refers_and_does_not_in_turn_begins_a_watch_every_few_seconds() {
    let at = |seconds: u64| Boottime::from_boot(Duration::from_secs(seconds));
    assert_eq!(pause(at(10), at(12)), Duration::from_secs(3));
    assert_eq!(pause(at(10), at(60)), Duration::ZERO);
}
