//! What is counted, under which names. `controller_runtime_…`, `rest_client_…` and `leader_election_…` are the names
//! of controller-runtime and client-go, so that dashboards made for them work (research user-experience §6).
//!
//! Every label has a bounded set of values: never a project, an endpoint, the name of an object or the text of an
//! error. Nothing here is ever read to decide anything.

mod labels;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use prometheus_client::encoding::text;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Metric, Registry};

use crate::atlas::CallRecord;

pub use labels::{Milestone, ObjectState, PostOutcome, ReconcileResult};

/// The value of the label `controller`, as controller-runtime derives it from the kind.
const CONTROLLER: &str = "serverlessprivateendpoint";

/// Seconds from a reconcile that does nothing to a call that runs into its timeout.
const CALL_BUCKETS: [f64; 12] = [0.001, 0.005, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];

/// Seconds that Atlas may take for a phase, to the progress deadline and beyond.
const TRANSITION_BUCKETS: [f64; 10] = [1.0, 5.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 900.0, 3600.0];

type Labels<const N: usize> = [(&'static str, String); N];
type Counters<const N: usize> = Family<Labels<N>, Counter>;
type Gauges<const N: usize> = Family<Labels<N>, Gauge>;
type Histograms<const N: usize> = Family<Labels<N>, Histogram, fn() -> Histogram>;

/// Everything that this process counts. Clones count together.
#[derive(Debug, Clone)]
pub struct Metrics {
    registry: Arc<Registry>,
    reconciles: Counters<1>,
    reconcile_errors: Counter,
    reconcile_panics: Counter,
    reconcile_time: Histogram,
    active_workers: Gauge,
    cluster_requests: Counters<3>,
    leader: Gauges<1>,
    atlas_requests: Counters<2>,
    atlas_time: Histograms<1>,
    posts: Counters<1>,
    objects: Gauges<2>,
    transitions: Histograms<1>,
    open_claims: Gauge,
    creates_suppressed: Counter,
    adoptions: Counter,
    lost: Counter,
    duplicates: Counter,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut all = Registry::default();
        let build = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
        all.register("atlas_spe_build", "The version of this program", build);

        let own = all.sub_registry_with_prefix("atlas_spe");
        let atlas_requests = add(own, "atlas_requests", "Calls to Atlas", Counters::default());
        let atlas_time = histograms(call_time);
        let atlas_time = add(own, "atlas_request_duration_seconds", "Time of a call to Atlas", atlas_time);
        let posts = add(own, "posts", "Create requests sent to Atlas", Counters::default());
        let objects =
            add(own, "objects", "Custom resources by Atlas' status and readiness", Gauges::default());
        let transitions = histograms(transition_time);
        let transitions = add(own, "transition_seconds", "Time that Atlas took for a phase", transitions);
        let open_claims =
            add(own, "open_claims", "Objects whose create request may still land", Gauge::default());
        let suppressed = "Creates not sent because a create request may still land";
        let creates_suppressed = add(own, "creates_suppressed", suppressed, Counter::default());
        let adoptions = add(own, "adoptions", "Endpoints found in Atlas and adopted", Counter::default());
        let lost =
            add(own, "endpoint_lost", "Recorded endpoints that Atlas no longer has", Counter::default());
        let duplicates = add(own, "duplicates", "Excess endpoints found in Atlas", Counter::default());

        let leader = "Whether this process holds the Lease";
        let leader = add(&mut all, "leader_election_master_status", leader, Gauges::default());
        let requests = "Requests to the API server";
        let cluster_requests = add(&mut all, "rest_client_requests", requests, Counters::default());

        let runtime = all.sub_registry_with_label(("controller".into(), CONTROLLER.into()));
        let runtime = runtime.sub_registry_with_prefix("controller_runtime");
        let reconciles = add(runtime, "reconcile", "Reconciles by result", Counters::default());
        let reconcile_errors = add(runtime, "reconcile_errors", "Reconciles that failed", Counter::default());
        let reconcile_panics =
            add(runtime, "reconcile_panics", "Reconciles that panicked", Counter::default());
        let reconcile_time = add(runtime, "reconcile_time_seconds", "Time of a reconcile", call_time());
        let active_workers = add(runtime, "active_workers", "Reconciles under way", Gauge::default());

        let metrics = Self {
            registry: Arc::new(all),
            reconciles,
            reconcile_errors,
            reconcile_panics,
            reconcile_time,
            active_workers,
            cluster_requests,
            leader,
            atlas_requests,
            atlas_time,
            posts,
            objects,
            transitions,
            open_claims,
            creates_suppressed,
            adoptions,
            lost,
            duplicates,
        };
        metrics.start_at_zero();
        metrics
    }
}

impl Metrics {
    /// A counter that appears with its first event hides that event from `rate()`.
    fn start_at_zero(&self) {
        for result in ReconcileResult::ALL {
            drop(self.reconciles.get_or_create(&labels([("result", result.as_str())])));
        }
        for outcome in PostOutcome::ALL {
            drop(self.posts.get_or_create(&labels([("outcome", outcome.as_str())])));
        }
        for milestone in Milestone::ALL {
            drop(self.transitions.get_or_create(&labels([("to", milestone.as_str())])));
        }
    }

    /// A reconcile begins; it is under way until the returned guard is dropped.
    #[must_use]
    pub fn reconcile_started(&self) -> Underway {
        self.active_workers.inc();
        Underway(self.active_workers.clone())
    }

    /// A reconcile ended.
    pub fn reconcile_finished(&self, result: ReconcileResult, duration: Duration) {
        self.reconciles.get_or_create(&labels([("result", result.as_str())])).inc();
        if result == ReconcileResult::Error {
            self.reconcile_errors.inc();
        }
        self.reconcile_time.observe(duration.as_secs_f64());
    }

    /// A reconcile panicked, which is a defect. It counts as failed besides.
    pub fn reconcile_panicked(&self) {
        self.reconcile_panics.inc();
    }

    /// A request to the API server ended: with a status number, or `<error>`, client-go's word for no answer.
    pub fn cluster_request(&self, method: &str, host: &str, status: Option<u16>) {
        let code = status.map_or_else(|| "<error>".to_owned(), |status| status.to_string());
        self.cluster_requests
            .get_or_create(&labels([("code", &code), ("method", method), ("host", host)]))
            .inc();
    }

    /// This process leads, or leads no longer.
    pub fn leads(&self, lease: &str, leads: bool) {
        self.leader.get_or_create(&labels([("name", lease)])).set(leads.into());
    }

    /// A call to Atlas ended; made for [`crate::atlas::Observer`].
    pub fn atlas_call(&self, call: &CallRecord) {
        let (operation, code) = (call.operation.as_str(), call.outcome.to_string());
        self.atlas_requests.get_or_create(&labels([("operation", operation), ("code", &code)])).inc();
        self.atlas_time
            .get_or_create(&labels([("operation", operation)]))
            .observe(call.duration.as_secs_f64());
    }

    /// A create request was sent, and ended so.
    pub fn post(&self, outcome: PostOutcome) {
        self.posts.get_or_create(&labels([("outcome", outcome.as_str())])).inc();
    }

    /// An object appeared (`before` is none), changed, or is gone (`after` is none).
    pub fn object_changed(&self, before: Option<ObjectState>, after: Option<ObjectState>) {
        let gauge = |object: ObjectState| {
            let ready = if object.ready { "true" } else { "false" };
            self.objects.get_or_create_owned(&labels([("state", object.state), ("ready", ready)]))
        };
        if let Some(before) = before {
            gauge(before).dec();
        }
        if let Some(after) = after {
            gauge(after).inc();
        }
    }

    /// An object got what it waited for, after this time.
    pub fn transition(&self, to: Milestone, after: Duration) {
        self.transitions.get_or_create(&labels([("to", to.as_str())])).observe(after.as_secs_f64());
    }

    /// One more object waits for a create request that may still land.
    pub fn claim_opened(&self) {
        self.open_claims.inc();
    }

    /// One of those waits for it no longer.
    pub fn claim_settled(&self) {
        self.open_claims.dec();
    }

    /// No endpoint was created, because an earlier request may still land.
    pub fn create_suppressed(&self) {
        self.creates_suppressed.inc();
    }

    /// An endpoint was found in Atlas and adopted.
    pub fn adopted(&self) {
        self.adoptions.inc();
    }

    /// A recorded endpoint is lost.
    pub fn endpoint_lost(&self) {
        self.lost.inc();
    }

    /// An excess endpoint was found.
    pub fn duplicate_found(&self) {
        self.duplicates.inc();
    }

    /// All of it as OpenMetrics text.
    ///
    /// # Errors
    /// If a metric cannot be written, which is a defect.
    pub fn encode(&self) -> Result<String, fmt::Error> {
        let mut text = String::new();
        text::encode(&mut text, &self.registry)?;
        Ok(text)
    }
}

/// One reconcile under way.
#[derive(Debug)]
pub struct Underway(Gauge);

impl Drop for Underway {
    fn drop(&mut self) {
        self.0.dec();
    }
}

fn add<M: Metric + Clone>(registry: &mut Registry, name: &str, help: &str, metric: M) -> M {
    registry.register(name, help, metric.clone());
    metric
}

fn labels<const N: usize>(pairs: [(&'static str, &str); N]) -> Labels<N> {
    pairs.map(|(name, value)| (name, value.to_owned()))
}

fn histograms<const N: usize>(new: fn() -> Histogram) -> Histograms<N> {
    Histograms::new_with_constructor(new)
}

fn call_time() -> Histogram {
    Histogram::new(CALL_BUCKETS)
}

fn transition_time() -> Histogram {
    Histogram::new(TRANSITION_BUCKETS)
}
