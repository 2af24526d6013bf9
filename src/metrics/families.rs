//! Types and constructors of metrics: label names and buckets are fixed.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Metric, Registry};

/// Seconds, from a reconcile that does nothing to a call that runs into its timeout.
const CALL_BUCKETS: [f64; 12] = [0.001, 0.005, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];

/// Seconds that Atlas may take for a phase, to the progress deadline and beyond.
const TRANSITION_BUCKETS: [f64; 10] = [1.0, 5.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 900.0, 3600.0];

pub(super) type Labels<const N: usize> = [(&'static str, String); N];
pub(super) type Counters<const N: usize> = Family<Labels<N>, Counter>;
pub(super) type Gauges<const N: usize> = Family<Labels<N>, Gauge>;
pub(super) type Histograms<const N: usize> = Family<Labels<N>, Histogram, fn() -> Histogram>;

pub(super) fn add<M: Metric + Clone>(registry: &mut Registry, name: &str, help: &str, metric: M) -> M {
    registry.register(name, help, metric.clone());
    metric
}

pub(super) fn labels<const N: usize>(pairs: [(&'static str, &str); N]) -> Labels<N> {
    pairs.map(|(name, value)| (name, value.to_owned()))
}

pub(super) fn histograms<const N: usize>(new: fn() -> Histogram) -> Histograms<N> {
    Histograms::new_with_constructor(new)
}

pub(super) fn call_time() -> Histogram {
    Histogram::new(CALL_BUCKETS)
}

pub(super) fn transition_time() -> Histogram {
    Histogram::new(TRANSITION_BUCKETS)
}
