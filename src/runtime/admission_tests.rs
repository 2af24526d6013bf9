//! Tests which objects are admitted, which wait in the queue, and which reconciles are requested again.

use futures::StreamExt;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::runtime::example::Example;

fn object(name: &str) -> ObjectRef<Cached<Example>> {
    ObjectRef::new(name).within("shop")
}

fn gate(concurrency: usize) -> Arc<Admission<Example>> {
    Arc::new(Admission::new(concurrency, Metrics::default(), Work::new(CancellationToken::new())))
}

/// Requests a permit in the lane of one instance.
fn enter(gate: &Arc<Admission<Example>>, name: &str) -> Option<ReconcilePermit<Example>> {
    gate.enter(object(name), ["shop".into(), "project".into(), "instance".into()])
}

/// Returns the reconciles requested since the last call.
fn requested(requests: &mut UnboundedReceiver<ObjectRef<Cached<Example>>>) -> Vec<String> {
    std::iter::from_fn(|| requests.try_recv().ok()).map(|object| object.name).collect()
}

#[test]
fn an_object_waits_for_a_permit_and_is_then_requested() {
    let gate = gate(16);
    let mut requests = gate.requests_for(None);
    let names: Vec<_> = (0..PER_LANE + 2).map(|number| format!("orders-{number}")).collect();
    let mut permits: Vec<_> = names.iter().filter_map(|name| enter(&gate, name)).collect();
    assert_eq!(permits.len(), PER_LANE);
    assert_eq!(requested(&mut requests), [""; 0], "objects that are being reconciled need no request");
    drop(permits.remove(0));
    assert_eq!(requested(&mut requests), ["orders-8"]);
    assert!(enter(&gate, "orders-9").is_none(), "it comes later");
    let permit = enter(&gate, "orders-8").unwrap();
    drop(permit);
    assert_eq!(requested(&mut requests), ["orders-9"]);
}

#[test]
fn a_deleted_object_takes_no_permit() {
    let gate = gate(16);
    let mut requests = gate.requests_for(None);
    let mut permits: Vec<_> =
        (0..PER_LANE).map(|number| enter(&gate, &format!("orders-{number}")).unwrap()).collect();
    assert!(enter(&gate, "deleted").is_none() && enter(&gate, "next").is_none());
    drop(permits.pop());
    assert_eq!(requested(&mut requests), ["deleted"]);
    gate.withdraw(&object("deleted"));
    assert_eq!(requested(&mut requests), ["next"]);
    gate.withdraw(&object("orders-0"));
    assert!(enter(&gate, "another").is_none(), "the permit of a running reconcile is kept");
}

#[tokio::test(start_paused = true)]
async fn a_waiting_object_needs_data_newer_than_its_last_trigger() {
    let gate = gate(16);
    let mut permits: Vec<_> =
        (0..PER_LANE).map(|number| enter(&gate, &format!("orders-{number}")).unwrap()).collect();
    let before = Boottime::now();
    assert!(enter(&gate, "waits").is_none() && enter(&gate, "changes").is_none());
    let between = Boottime::now();
    gate.record_trigger(&object("changes"));
    permits.truncate(PER_LANE - 2);
    let [waits, changes] = ["waits", "changes"].map(|name| enter(&gate, name).unwrap().requested_at);
    assert!(before <= waits && waits <= between, "a listing sent after it began to wait is fresh enough");
    assert!(changes >= between);
}

#[tokio::test]
async fn nothing_is_admitted_without_the_lead_and_requests_are_repeated() {
    let gate = gate(16);
    let mut requests = gate.requests_for(None);
    let running = {
        let gate = Arc::clone(&gate);
        tokio::spawn(async move { gate.run().await })
    };
    let mut permits: Vec<_> =
        (0..PER_LANE).map(|number| enter(&gate, &format!("orders-{number}")).unwrap()).collect();
    assert!(enter(&gate, "admitted").is_none() && enter(&gate, "waits").is_none());
    drop(permits.pop());
    assert_eq!(requests.next().await.unwrap().name, "admitted");
    gate.work.set_leader(false);
    assert!(enter(&gate, "admitted").is_none());
    drop(permits.pop());
    assert_eq!(requested(&mut requests), [""; 0]);
    tokio::task::yield_now().await;
    gate.work.set_leader(true);
    let again = [requests.next().await.unwrap().name, requests.next().await.unwrap().name];
    assert_eq!(again, ["admitted", "waits"]);
    assert!(enter(&gate, "admitted").is_some() && enter(&gate, "waits").is_some());
    gate.work.end();
    running.await.unwrap();
}
