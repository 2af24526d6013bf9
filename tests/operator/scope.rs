//! Which objects are an operator's: those of its namespaces.

use serde_json::json;

use crate::bench::Bench;

#[tokio::test]
async fn each_watched_namespace_is_served_and_no_other_is_touched() {
    let (one, other, foreign) = (Bench::new().await, Bench::new().await, Bench::new().await);
    foreign.create("orders", json!({})).await;
    let _operator = one.operator_with(&[&format!("--watch-namespaces={}", other.namespace)]);
    for bench in [&one, &other] {
        bench.create("orders", json!({})).await;
    }
    for bench in [&one, &other] {
        bench.until_reason("orders", "Reserved").await;
    }
    // Changes in either are seen, too.
    for bench in [&other, &one] {
        bench.edit("orders", json!({"comment": "changed"})).await;
        let is_changed =
            |comment: Option<&str>| comment.is_some_and(|comment| comment.starts_with("changed"));
        let changed = bench.until("orders", "changed", |object| {
            is_changed(object.status.as_ref().and_then(|status| status.comment.as_deref()))
        });
        changed.await;
    }
    let untouched = foreign.get("orders").await;
    assert_eq!(untouched.metadata.finalizers, None);
    assert!(untouched.status.is_none_or(|status| status.conditions.is_empty()));
    assert_eq!(one.endpoints().len(), 2);
    for bench in [&one, &other] {
        bench.delete("orders").await;
        bench.until_gone("orders").await;
    }
    assert!(one.endpoints().is_empty());
}
