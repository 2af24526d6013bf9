//! The scope of an operator: the objects of its namespaces and its selector.

use std::time::Duration;

use domain::status::EventReason;
use k8s_openapi::api::events::v1::Event;
use kube::Api;
use kube::api::{ListParams, Patch, PatchParams};
use serde_json::{Value, json};
use test_support::{Fixture, PATIENCE};
use testbed::{Process, Signal};

use crate::secrets::metrics;

#[tokio::test]
async fn each_watched_namespace_is_served_and_no_other_is_touched() {
    let (one, other, foreign) = (Fixture::new().await, Fixture::new().await, Fixture::new().await);
    foreign.create("orders", json!({})).await;
    let _operator = one.operator_with(&[&format!("--watch-namespaces={}", other.namespace)]);
    for fixture in [&one, &other] {
        fixture.create("orders", json!({})).await;
    }
    for fixture in [&one, &other] {
        fixture.until_reason("orders", "Reserved").await;
    }
    // Changes in either are seen, too.
    for fixture in [&other, &one] {
        fixture.edit("orders", json!({"comment": "changed"})).await;
        let is_changed =
            |comment: Option<&str>| comment.is_some_and(|comment| comment.starts_with("changed"));
        let changed = fixture.until("orders", "changed", |object| {
            is_changed(object.status.as_ref().and_then(|status| status.comment.as_deref()))
        });
        changed.await;
    }
    let untouched = foreign.get("orders").await;
    assert_eq!(untouched.metadata.finalizers, None);
    assert!(untouched.status.is_none_or(|status| status.conditions.is_empty()));
    assert_eq!(one.endpoints().len(), 2);
    for fixture in [&one, &other] {
        fixture.delete("orders").await;
        fixture.until_gone("orders").await;
    }
    assert!(one.endpoints().is_empty());
}

async fn label(fixture: &Fixture, name: &str, team: Value) {
    let patch = Patch::Merge(json!({"metadata": {"labels": {"team": team}}}));
    fixture.objects.patch(name, &PatchParams::default(), &patch).await.unwrap();
}

/// Returns the notes of the events about the object not being watched.
async fn notes(fixture: &Fixture, name: &str) -> Vec<String> {
    let events: Api<Event> =
        Api::namespaced(fixture.control_plane.client().await.unwrap(), &fixture.namespace);
    let events = events.list(&ListParams::default()).await.unwrap();
    let about = |event: &Event| {
        event.reason.as_deref() == Some(EventReason::NotWatched.as_str())
            && event.regarding.as_ref().and_then(|object| object.name.as_deref()) == Some(name)
    };
    events.items.into_iter().filter(about).filter_map(|event| event.note).collect()
}

/// Waits until an event reports, in these words, that the object is not watched. Returns how many do.
async fn until_reported(fixture: &Fixture, name: &str, words: &[&str]) -> usize {
    let says = |note: &String| words.iter().all(|word| note.contains(word));
    let is_reported = async {
        loop {
            match notes(fixture, name).await.iter().filter(|note| says(note)).count() {
                0 => tokio::time::sleep(Duration::from_millis(100)).await,
                count => return count,
            }
        }
    };
    tokio::time::timeout(PATIENCE, is_reported).await.unwrap()
}

/// The next operator reports in these words that no operator handles a deletion. A settled object is counted, and not
/// written to: it may be another operator's. (The operators of other tests see both objects, too.)
async fn left_behind(fixture: &Fixture, next: impl FnOnce() -> Process, words: &[&str]) {
    let before = fixture.operator();
    for name in ["orders", "settled"] {
        fixture.create(name, json!({})).await;
        fixture.until_reason(name, "Reserved").await;
    }
    before.signal(Signal::TERM).unwrap();
    assert!(before.wait(PATIENCE).await.unwrap().success());
    fixture.delete("orders").await;
    let next = next();
    until_reported(fixture, "orders", words).await;
    let value = async |name: &str| -> u64 {
        let metrics = metrics(&next).await;
        let line = metrics.lines().find_map(|line| line.strip_prefix(name));
        line.unwrap_or_else(|| panic!("no {name} in {metrics}")).trim().parse().unwrap()
    };
    let is_counted = async {
        while value("atlas_spe_unwatched_total ").await == 0 {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(PATIENCE, is_counted).await.unwrap();
    assert!(value("atlas_spe_unwatched_objects ").await >= 2);
    assert!(notes(fixture, "settled").await.is_empty());
}

#[tokio::test]
async fn a_deletion_in_an_unwatched_namespace_is_reported_at_start() {
    let (fixture, watched) = (Fixture::new().await, Fixture::new().await);
    let words = ["is not among --watch-namespaces"];
    left_behind(&fixture, || watched.operator_with(&["--survey-after=100ms"]), &words).await;
}

#[tokio::test]
async fn objects_with_large_metadata_hide_no_deletion() {
    let (fixture, watched, large) = (Fixture::new().await, Fixture::new().await, Fixture::new().await);
    let names = (0..20).map(|number| format!("large-{number}")).collect::<Vec<_>>();
    for name in &names {
        large.create(name, json!({"suspend": true})).await;
        large.annotate(name, json!({"example.com/large": "x".repeat(250 * 1024)})).await;
    }
    let words = ["is not among --watch-namespaces"];
    left_behind(&fixture, || watched.operator_with(&["--survey-after=100ms"]), &words).await;
    for name in &names {
        large.delete(name).await;
    }
}

#[tokio::test]
async fn a_deletion_outside_the_selector_is_reported_at_start() {
    let fixture = Fixture::new().await;
    let words = ["do not match --watch-selector \"team=b\"", "labels that match"];
    left_behind(
        &fixture,
        || fixture.operator_with(&["--watch-selector=team=b", "--survey-after=100ms"]),
        &words,
    )
    .await;
}

#[tokio::test]
async fn an_object_that_leaves_the_selector_is_reported_and_resumes() {
    let fixture = Fixture::new().await;
    let operator = fixture.operator_with(&["--watch-selector=team=a"]);
    fixture.create("orders", json!({})).await;
    // It has nothing that an operator would have to end.
    fixture.create("unclaimed", json!({"suspend": true})).await;
    for name in ["orders", "unclaimed"] {
        label(&fixture, name, json!("a")).await;
    }
    fixture.until_reason("orders", "Reserved").await;
    fixture.until_reason("unclaimed", "Suspended").await;
    for name in ["unclaimed", "orders"] {
        label(&fixture, name, Value::Null).await;
    }
    assert_eq!(
        until_reported(&fixture, "orders", &["--watch-selector \"team=a\"", "labels that match"]).await,
        1
    );
    assert!(notes(&fixture, "unclaimed").await.is_empty());
    assert!(metrics(&operator).await.contains("\natlas_spe_unwatched_total 1\n"));
    fixture.delete("orders").await;
    label(&fixture, "orders", json!("a")).await;
    fixture.until_gone("orders").await;
    assert!(fixture.endpoints().is_empty());
}
