//! Tests which callers get a permit, and which wait.

use futures::FutureExt;

use super::*;

fn project(number: usize) -> ProjectId {
    format!("{number:024x}").parse().unwrap()
}

/// Takes as many permits as are free now, without waiting.
fn take(limits: &Concurrency, namespace: &str, projects: impl Iterator<Item = usize>) -> Vec<Permit<2>> {
    projects.filter_map(|number| limits.enter(namespace, &project(number)).now_or_never()?).collect()
}

#[tokio::test]
async fn a_project_has_its_bound_and_a_namespace_its_share() {
    let limits = Concurrency::new(64);
    let of_one_project = take(&limits, "a", std::iter::repeat_n(0, 20));
    assert_eq!(of_one_project.len(), PER_PROJECT);
    let invented = take(&limits, "a", 1..100);
    assert_eq!(of_one_project.len() + invented.len(), 32, "whatever projects it names");
    assert_eq!(take(&limits, "b", 0..1).len(), 1);
}

#[tokio::test]
async fn the_calls_of_one_namespace_to_a_project_take_none_from_another() {
    let limits = Concurrency::new(64);
    let _hanging = take(&limits, "a", std::iter::repeat_n(0, 20));
    assert_eq!(take(&limits, "b", std::iter::repeat_n(0, 20)).len(), PER_PROJECT);
}

#[tokio::test]
async fn a_returned_permit_goes_to_the_next_caller_still_waiting() {
    let (limits, project) = (Concurrency::new(1), project(0));
    let held = limits.enter("a", &project).await;
    let mut cancelled = Box::pin(limits.enter("b", &project));
    assert!(cancelled.as_mut().now_or_never().is_none());
    let mut waiting = Box::pin(limits.enter("c", &project));
    assert!(waiting.as_mut().now_or_never().is_none());
    drop(cancelled);
    drop(held);
    let held = waiting.await;
    // A permit that was handed out and never taken is passed to the next caller.
    let mut granted = Box::pin(limits.enter("d", &project));
    assert!(granted.as_mut().now_or_never().is_none());
    drop(held);
    drop(granted);
    assert!(limits.enter("e", &project).now_or_never().is_some());
}
