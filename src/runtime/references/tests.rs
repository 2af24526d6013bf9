//! Tests that readers run only while they have referrers, and back off from a kind that they may not read.

use std::sync::atomic::{AtomicUsize, Ordering};

use futures::StreamExt;
use http::{Request, Response};
use kube::client::Body;
use serde_json::json;
use tower::{BoxError, service_fn};

use tokio_util::sync::CancellationToken;

use crate::metrics::Metrics;

use super::*;
use crate::runtime::example::Example;
use crate::runtime::work::Work;

/// An API server that responds 403 to every request and counts them; `silent`, it does not respond.
#[derive(Clone, Default)]
struct Forbidding {
    requests: Arc<AtomicUsize>,
    silent: bool,
}

impl Forbidding {
    fn client(&self) -> Client {
        let server = self.clone();
        Client::new(service_fn(move |_: Request<Body>| server.clone().respond()), "shop")
    }

    async fn respond(self) -> Result<Response<Body>, BoxError> {
        self.requests.fetch_add(1, Ordering::SeqCst);
        if self.silent {
            std::future::pending::<()>().await;
        }
        let status = json!({"kind": "Status", "status": "Failure", "code": 403, "reason": "Forbidden"});
        Ok(Response::builder().status(403).body(Body::from(status.to_string().into_bytes()))?)
    }
}

fn references(server: &Forbidding) -> Arc<ReferencedObjects<Example>> {
    let client = server.client();
    let work = Work::new(CancellationToken::new());
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
    Identity::new(&object, &"cluster".parse().unwrap())
}

fn network() -> ReferenceTarget {
    ReferenceTarget { source: EndpointSource::Ack, namespace: "shop".to_owned(), name: "network".to_owned() }
}

const INTERVAL: Duration = Duration::from_mins(2);

#[tokio::test(start_paused = true)]
async fn a_forbidden_kind_is_backed_off_and_ends_with_its_last_referrer() {
    let server = Forbidding::default();
    let references = references(&server);
    let mut requested = references.index().admission.requests_for(None);
    let referrers = [identity("orders"), identity("payments")];
    for referrer in &referrers {
        assert_eq!(references.find(referrer, &network(), "", None), None, "find does not wait");
    }
    let mut names = [requested.next().await.unwrap().name, requested.next().await.unwrap().name];
    names.sort();
    assert_eq!(names, ["orders", "payments"]);
    for referrer in &referrers {
        assert_eq!(references.find(referrer, &network(), "", None), Some(Found::Forbidden));
    }
    tokio::time::sleep(INTERVAL).await;
    let requests = || server.requests.load(Ordering::SeqCst);
    assert!((4..=12).contains(&requests()), "{} requests in two minutes", requests());
    // Unchanged content triggers no reconcile.
    assert!(futures::poll!(requested.next()).is_pending());
    references.remove(&referrers[0].token);
    let before = requests();
    tokio::time::sleep(INTERVAL).await;
    assert!(requests() > before, "the other object still refers to it");
    references.remove(&referrers[1].token);
    let before = requests();
    tokio::time::sleep(INTERVAL).await;
    assert_eq!(requests(), before);
    references.find(&referrers[0], &network(), "", None);
    tokio::time::sleep(INTERVAL).await;
    assert!(requests() > before, "a new referrer starts it again");
}

#[tokio::test(start_paused = true)]
async fn a_changed_reference_leaves_no_state_behind() {
    let references = references(&Forbidding { silent: true, ..Forbidding::default() });
    let orders = identity("orders");
    for number in 0..1000 {
        for source in EndpointSource::ALL {
            let target = ReferenceTarget { source, name: format!("network-{number}"), ..network() };
            assert_eq!(references.find(&orders, &target, "vpce", Some("now")), None);
        }
    }
    let index = references.index();
    assert_eq!((index.targets.len(), index.referrers.len(), index.readers.len()), (1, 1, 1));
    drop(index);
    references.remove(&orders.token);
    let index = references.index();
    assert_eq!((index.targets.len(), index.referrers.len(), index.readers.len()), (0, 0, 0));
}

#[test]
fn an_alternating_reference_starts_a_watch_every_few_seconds() {
    let at = |seconds: u64| Boottime::from_boot(Duration::from_secs(seconds));
    assert_eq!(start_delay(at(10), at(12)), Duration::from_secs(3));
    assert_eq!(start_delay(at(10), at(60)), Duration::ZERO);
}
