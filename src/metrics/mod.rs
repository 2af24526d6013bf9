//! The metrics and their names. `controller_runtime_…`, `workqueue_…`, `rest_client_…` and `leader_election_…` are
//! the names of controller-runtime and client-go, so that dashboards made for them work.
//!
//! Every label has a bounded set of values: never a project, an endpoint, or the text of an error, and the name of an
//! object only on request. Nothing here is ever read to decide anything.

mod controller;
mod families;
mod labels;
mod objects;
mod rate_limit;
#[cfg(test)]
mod tests;
mod timers;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use atlas::{CallRecord, Outcome};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::text;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;

use crate::clock::Boottime;
use controller::ReconcileMetrics;
use families::{Counters, Gauges, Histograms, add, call_time, histograms, labels, transition_time};
use objects::ObjectGauges;
use rate_limit::RateLimitSamples;

pub use labels::{Milestone, ObjectSnapshot, ObjectState, PostOutcome, ReconcileResult, WaitingFor};
pub use objects::{ObjectCounts, PerObject};
pub use timers::{ActiveReconcile, Queued};

/// The commit that this program was built from, if the build set it.
const REVISION: &str = match option_env!("SPE_REVISION") {
    Some(revision) => revision,
    None => "unknown",
};

/// All metrics of this process. Clones count together.
#[derive(Debug, Clone)]
pub struct Metrics {
    registry: Arc<Registry>,
    runtime: ReconcileMetrics,
    cluster_requests: Counters<3>,
    leader: Gauges<1>,
    atlas_requests: Counters<2>,
    atlas_time: Histograms<1>,
    rate_limits: RateLimitSamples,
    posts: Counters<1>,
    objects: ObjectGauges,
    per_object: bool,
    transitions: Histograms<1>,
    creates_suppressed: Counter,
    adoptions: Counter,
    lost: Counter,
    duplicates: Counter,
    unwatched: Counter,
    unreadable: Counter,
    unwatched_at_start: Gauge,
    ca_file_unusable: Gauge,
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new(None, false)
    }
}

impl Metrics {
    /// Creates metrics at zero.
    ///
    /// `readiness` is exported beside them; `per_object` adds three series for each object.
    #[must_use]
    pub fn new(readiness: Option<Box<dyn Collector>>, per_object: bool) -> Self {
        let mut all = Registry::default();
        let build = Info::new([("version", env!("CARGO_PKG_VERSION")), ("revision", REVISION)]);
        all.register("atlas_spe_build", "Version and commit of this program", build);

        let own = all.sub_registry_with_prefix("atlas_spe");
        if let Some(readiness) = readiness {
            own.register_collector(readiness);
        }
        let atlas_requests = add(
            own,
            "atlas_requests",
            "Number of requests to Atlas by operation and status code",
            Counters::default(),
        );
        let atlas_time = histograms(call_time);
        let atlas_time =
            add(own, "atlas_request_duration_seconds", "Seconds that a request to Atlas takes", atlas_time);
        let rate_limits = RateLimitSamples::default();
        own.register_collector(Box::new(rate_limits.clone()));
        let posts =
            add(own, "posts", "Number of create requests sent to Atlas by outcome", Counters::default());
        let objects = ObjectGauges::default();
        own.register_collector(Box::new(objects.clone()));
        let transitions = histograms(transition_time);
        let transitions = add(own, "transition_seconds", "Seconds that Atlas takes for a phase", transitions);
        let suppressed = "Number of create requests withheld because of one of unknown outcome";
        let creates_suppressed = add(own, "creates_suppressed", suppressed, Counter::default());
        let adoptions =
            add(own, "adoptions", "Number of endpoints found in Atlas and adopted", Counter::default());
        let lost = add(
            own,
            "endpoint_lost",
            "Number of recorded endpoints that Atlas no longer has",
            Counter::default(),
        );
        let duplicates =
            add(own, "duplicates", "Number of excess endpoints found in Atlas", Counter::default());
        let unwatched = "Number of objects with the finalizer that no operator seems to watch";
        let unwatched = add(own, "unwatched", unwatched, Counter::default());
        let unreadable = "Number of objects that were found to be unreadable";
        let unreadable = add(own, "unreadable", unreadable, Counter::default());
        let at_start =
            "Number of objects with the finalizer that were not watched by this process at its start";
        let unwatched_at_start = add(own, "unwatched_objects", at_start, Gauge::default());
        let unusable = "Whether the file of --atlas-ca-file is unusable and its earlier content in use";
        let ca_file_unusable = add(own, "ca_file_unusable", unusable, Gauge::default());

        let leader = "Whether this process holds the Lease";
        let leader = add(&mut all, "leader_election_master_status", leader, Gauges::default());
        let requests = "Number of requests to the API server by status code, method and host";
        let cluster_requests = add(&mut all, "rest_client_requests", requests, Counters::default());

        let runtime = ReconcileMetrics::register(&mut all);

        let metrics = Self {
            registry: Arc::new(all),
            runtime,
            cluster_requests,
            leader,
            atlas_requests,
            atlas_time,
            rate_limits,
            posts,
            objects,
            per_object,
            transitions,
            creates_suppressed,
            adoptions,
            lost,
            duplicates,
            unwatched,
            unreadable,
            unwatched_at_start,
            ca_file_unusable,
        };
        metrics.start_at_zero();
        metrics
    }

    /// Creates series at zero: a counter that appears with its first event hides that event from `rate()`.
    fn start_at_zero(&self) {
        for outcome in PostOutcome::ALL {
            drop(self.posts.get_or_create(&labels([("outcome", outcome.as_str())])));
        }
        for milestone in Milestone::ALL {
            drop(self.transitions.get_or_create(&labels([("to", milestone.as_str())])));
        }
    }

    /// Counts a reconcile as running until the returned guard is dropped.
    #[must_use]
    pub fn reconcile_started(&self) -> ActiveReconcile {
        self.runtime.started()
    }

    /// Counts a finished reconcile.
    pub fn reconcile_finished(&self, result: ReconcileResult, duration: Duration) {
        self.runtime.finished(result, duration);
    }

    /// Counts an object that cannot be decoded; it is retried when it changes.
    pub fn not_decoded(&self) {
        self.unreadable.inc();
    }

    /// Counts a reconcile that panicked, which is a defect. It also counts as failed.
    pub fn reconcile_panicked(&self) {
        self.runtime.panicked();
    }

    /// Sets the maximum number of concurrent reconciles.
    pub fn max_reconciles(&self, max: usize) {
        self.runtime.max_reconciles(max);
    }

    /// Counts an object as queued until the returned guard is dropped.
    #[must_use]
    pub fn queued(&self) -> Queued {
        self.runtime.queued()
    }

    /// Counts a finished request to the API server, by status code, or `<error>`, client-go's label for no response.
    pub fn cluster_request(&self, method: &str, host: &str, status: Option<u16>) {
        let code = status.map_or_else(|| "<error>".to_owned(), |status| status.to_string());
        self.cluster_requests
            .get_or_create(&labels([("code", &code), ("method", method), ("host", host)]))
            .inc();
    }

    /// Sets whether this process is the leader.
    pub fn set_leader(&self, lease: &str, is_leader: bool) {
        self.leader.get_or_create(&labels([("name", lease)])).set(is_leader.into());
    }

    /// Counts a finished call to Atlas; called by [`atlas::Observer`].
    pub fn atlas_call(&self, call: &CallRecord) {
        let (operation, code) = (call.operation.as_str(), labels::code(call.outcome));
        self.atlas_requests.get_or_create(&labels([("operation", operation), ("code", &code)])).inc();
        self.atlas_time
            .get_or_create(&labels([("operation", operation)]))
            .observe(call.duration.as_secs_f64());
        if let (Some(remaining), Outcome::Status(200..=299)) = (call.remaining, call.outcome) {
            self.rate_limits.record(&call.credential, remaining, Boottime::now());
        }
    }

    /// Sets whether the file of `--atlas-ca-file` was unusable when last read.
    pub fn ca_file_unusable(&self, is_unusable: bool) {
        self.ca_file_unusable.set(is_unusable.into());
    }

    /// Counts a create request by its outcome.
    pub fn post(&self, outcome: PostOutcome) {
        self.posts.get_or_create(&labels([("outcome", outcome.as_str())])).inc();
    }

    /// Adds a pass over all objects of a kind, which counts them at each scrape.
    pub fn count_objects(&self, pass: impl Fn(&mut ObjectCounts) + Send + 'static) {
        self.objects.add_pass(pass);
    }

    /// Returns `true` if per-object metrics are enabled.
    #[must_use]
    pub fn has_series_per_object(&self) -> bool {
        self.per_object
    }

    /// Observes the time that an object took to reach a milestone.
    pub fn transition(&self, to: Milestone, after: Duration) {
        self.transitions.get_or_create(&labels([("to", to.as_str())])).observe(after.as_secs_f64());
    }

    /// Counts a create that was withheld because an earlier request may still land.
    pub fn create_suppressed(&self) {
        self.creates_suppressed.inc();
    }

    /// Counts an endpoint that was found in Atlas and adopted.
    pub fn adopted(&self) {
        self.adoptions.inc();
    }

    /// Counts a recorded endpoint that is lost.
    pub fn endpoint_lost(&self) {
        self.lost.inc();
    }

    /// Counts an excess endpoint.
    pub fn duplicate_found(&self) {
        self.duplicates.inc();
    }

    /// Counts an object with our finalizer that stopped matching the selector or is outside of the watched
    /// namespaces.
    pub fn unwatched(&self) {
        self.unwatched.inc();
    }

    /// Adds the number of objects of a kind with our finalizer that were not watched when this process started.
    pub fn unwatched_at_start(&self, objects: usize) {
        self.unwatched_at_start.inc_by(i64::try_from(objects).unwrap_or(i64::MAX));
    }

    /// Returns all metrics as OpenMetrics text.
    ///
    /// # Errors
    /// If a metric cannot be written, which is a defect.
    pub fn encode(&self) -> Result<String, fmt::Error> {
        let mut text = String::new();
        text::encode(&mut text, &self.registry)?;
        Ok(text)
    }
}
