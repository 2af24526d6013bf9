//! Guards that count running and queued reconciles while they exist.

use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;

use crate::clock::Boottime;

/// One running reconcile.
#[derive(Debug)]
pub struct ActiveReconcile(Gauge);

impl ActiveReconcile {
    pub(super) fn begin(workers: &Gauge) -> Self {
        workers.inc();
        Self(workers.clone())
    }
}

impl Drop for ActiveReconcile {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// One object in the work queue.
#[derive(Debug)]
pub struct Queued {
    depth: Gauge,
    time: Histogram,
    since: Boottime,
}

impl Queued {
    pub(super) fn begin(depth: &Gauge, time: &Histogram) -> Self {
        depth.inc();
        Self { depth: depth.clone(), time: time.clone(), since: Boottime::now() }
    }
}

impl Drop for Queued {
    fn drop(&mut self) {
        self.depth.dec();
        self.time.observe(self.since.elapsed().as_secs_f64());
    }
}
