//! Metrics of the controller, under the names that controller-runtime and its work queue use: reconciles by result
//! and duration, running reconciles, queue depth.
//!
//! The names are not ours to change, and no property of an object is ever a label here.

use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use super::families::{Counters, add, call_time, labels};
use super::labels::ReconcileResult;
use super::timers::{ActiveReconcile, Queued};

/// The value of the labels `controller` and `name`, as controller-runtime derives it from the kind.
const CONTROLLER: &str = "serverlessprivateendpoint";

/// The metrics of all reconciles.
#[derive(Debug, Clone)]
pub(super) struct ReconcileMetrics {
    reconciles: Counters<1>,
    errors: Counter,
    panics: Counter,
    time: Histogram,
    active_workers: Gauge,
    max_workers: Gauge,
    queue: Gauge,
    queue_time: Histogram,
}

impl ReconcileMetrics {
    pub(super) fn register(all: &mut Registry) -> Self {
        let queues = all.sub_registry_with_label(("name".into(), CONTROLLER.into()));
        let queues = queues.sub_registry_with_prefix("workqueue");
        let queue = add(queues, "depth", "Current number of objects in the work queue", Gauge::default());
        let queue_time = "Seconds that an object waits in the work queue";
        let queue_time = add(queues, "queue_duration_seconds", queue_time, call_time());

        let own = all.sub_registry_with_label(("controller".into(), CONTROLLER.into()));
        let own = own.sub_registry_with_prefix("controller_runtime");
        let reconciles = add(own, "reconcile", "Number of reconciles by result", Counters::default());
        let errors = add(own, "reconcile_errors", "Number of failed reconciles", Counter::default());
        let panics = add(own, "reconcile_panics", "Number of reconciles that panicked", Counter::default());
        let time = add(own, "reconcile_time_seconds", "Seconds that a reconcile takes", call_time());
        let active_workers =
            add(own, "active_workers", "Current number of running reconciles", Gauge::default());
        let max = "Maximum number of concurrent reconciles";
        let max_workers = add(own, "max_concurrent_reconciles", max, Gauge::default());

        // A counter that appears with its first event hides that event from `rate()`.
        for result in ReconcileResult::ALL {
            drop(reconciles.get_or_create(&labels([("result", result.as_str())])));
        }
        Self { reconciles, errors, panics, time, active_workers, max_workers, queue, queue_time }
    }

    pub(super) fn started(&self) -> ActiveReconcile {
        ActiveReconcile::begin(&self.active_workers)
    }

    pub(super) fn finished(&self, result: ReconcileResult, duration: Duration) {
        self.reconciles.get_or_create(&labels([("result", result.as_str())])).inc();
        if result == ReconcileResult::Error {
            self.errors.inc();
        }
        self.time.observe(duration.as_secs_f64());
    }

    pub(super) fn panicked(&self) {
        self.panics.inc();
    }

    pub(super) fn max_reconciles(&self, max: usize) {
        self.max_workers.set(i64::try_from(max).unwrap_or(i64::MAX));
    }

    pub(super) fn queued(&self) -> Queued {
        Queued::begin(&self.queue, &self.queue_time)
    }
}
