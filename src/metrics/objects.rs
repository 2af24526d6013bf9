//! Metrics of the objects, in a number of series independent of their number: objects by status and condition, the
//! longest wait by cause, and the overdue objects. Optionally also series per object.
//!
//! Counted at each scrape, in one pass over the objects; nothing is kept between two scrapes. It decides nothing.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;
use prometheus_client::metrics::MetricType;

use super::labels::{ObjectSnapshot, WaitingFor};

/// The metrics of all objects.
#[derive(Clone, Default)]
pub(super) struct ObjectGauges(Arc<Mutex<Vec<Box<Pass>>>>);

/// One pass over all objects of a kind: it adds each of them to the counts.
type Pass = dyn Fn(&mut ObjectCounts) + Send;

/// The sums over all objects, in the course of a pass.
#[derive(Debug, Default)]
pub struct ObjectCounts {
    states: BTreeMap<(&'static str, bool), i64>,
    conditions: BTreeMap<(&'static str, bool, &'static str), i64>,
    /// The number of waiting objects, and since when the first of them waits, by cause.
    waiting: BTreeMap<WaitingFor, (i64, i64)>,
    overdue: i64,
    open_claims: i64,
    objects: Vec<PerObject>,
}

/// The state of one object, for per-object metrics.
#[derive(Debug, Clone)]
pub struct PerObject {
    /// Its kind.
    pub kind: Cow<'static, str>,
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// It is ready.
    pub ready: bool,
    /// It needs a correction by a user.
    pub stalled: bool,
    /// When the last sync with Atlas succeeded, in seconds of the Unix epoch.
    pub synced: Option<i64>,
}

impl ObjectCounts {
    /// Adds an object that was reconciled.
    pub fn add(&mut self, object: &ObjectSnapshot) {
        *self.states.entry((object.state.state, object.state.ready)).or_default() += 1;
        for (kind, status, reason) in object.conditions.iter().flatten() {
            *self.conditions.entry((kind.as_str(), *status, reason.as_str())).or_default() += 1;
        }
        if let Some((cause, since)) = object.waits_for {
            let (number, first) = self.waiting.entry(cause).or_insert((0, since));
            (*number, *first) = (*number + 1, since.min(*first));
        }
    }

    /// Adds an object without a successful reconcile for too long.
    pub fn add_overdue(&mut self) {
        self.overdue += 1;
    }

    /// Adds an object with a create request of unknown outcome.
    pub fn add_open_claim(&mut self) {
        self.open_claims += 1;
    }

    /// Adds the series of one object.
    pub fn add_series(&mut self, object: PerObject) {
        self.objects.push(object);
    }
}

impl ObjectGauges {
    pub(super) fn add_pass(&self, pass: impl Fn(&mut ObjectCounts) + Send + 'static) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(Box::new(pass));
    }
}

impl fmt::Debug for ObjectGauges {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ObjectGauges").finish_non_exhaustive()
    }
}

impl Collector for ObjectGauges {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let mut counts = ObjectCounts::default();
        self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().for_each(|pass| pass(&mut counts));
        let mut gauges = GaugeWriter(&mut encoder);
        let state = |((state, ready), number): (&(&'static str, bool), &i64)| {
            ([("state", *state), ("ready", if *ready { "true" } else { "false" })], *number)
        };
        let help = "Current number of objects by Atlas' status and readiness";
        gauges.family("objects", help, counts.states.iter().map(state))?;
        let condition = |((kind, status, reason), number): (&(&'static str, bool, &'static str), &i64)| {
            let status = if *status { "True" } else { "False" };
            ([("type", *kind), ("status", status), ("reason", *reason)], *number)
        };
        let help = "Current number of objects by condition, status and reason";
        gauges.family("conditions", help, counts.conditions.iter().map(condition))?;
        let waiting = WaitingFor::ALL.map(|cause| {
            let number = counts.waiting.get(&cause).map_or(0, |(number, _)| *number);
            ([("waits_for", cause.as_str())], number)
        });
        let help = "Current number of waiting objects by what they wait for";
        gauges.family("waiting_objects", help, waiting.into_iter())?;
        let since =
            counts.waiting.iter().map(|(cause, (_, first))| ([("waits_for", cause.as_str())], *first));
        let help = "Unix time at which the longest waiting object began to wait";
        gauges.family("waiting_since_timestamp_seconds", help, since)?;
        let help = "Current number of objects without a successful reconcile for three of their intervals";
        gauges.single("overdue_objects", help, counts.overdue)?;
        let help = "Current number of objects with a create request of unknown outcome";
        gauges.single("open_claims", help, counts.open_claims)?;
        if counts.objects.is_empty() {
            return Ok(());
        }
        let labeled = |object: &PerObject, value| {
            let PerObject { kind, namespace, name, .. } = object;
            ([("kind", kind.to_string()), ("namespace", namespace.clone()), ("name", name.clone())], value)
        };
        let ready = counts.objects.iter().map(|object| labeled(object, object.ready.into()));
        gauges.family("ready", "Whether this object is ready", ready)?;
        let stalled = counts.objects.iter().map(|object| labeled(object, object.stalled.into()));
        gauges.family("stalled", "Whether this object is stalled", stalled)?;
        let synced = counts.objects.iter().filter_map(|object| Some(labeled(object, object.synced?)));
        let help = "Unix time of the last successful reconcile of this object with Atlas";
        gauges.family("last_sync_timestamp_seconds", help, synced)
    }
}

/// Writes gauges.
struct GaugeWriter<'e, 'a>(&'e mut DescriptorEncoder<'a>);

impl GaugeWriter<'_, '_> {
    fn family<V: AsRef<str>, const N: usize>(
        &mut self,
        name: &str,
        help: &str,
        series: impl Iterator<Item = ([(&'static str, V); N], i64)>,
    ) -> fmt::Result {
        let mut gauge = self.0.encode_descriptor(name, help, None, MetricType::Gauge)?;
        for (labels, value) in series {
            let labels = labels.each_ref().map(|(name, value)| (*name, value.as_ref()));
            gauge.encode_family(&labels)?.encode_gauge(&value)?;
        }
        Ok(())
    }

    fn single(&mut self, name: &str, help: &str, value: i64) -> fmt::Result {
        self.0.encode_descriptor(name, help, None, MetricType::Gauge)?.encode_gauge(&value)
    }
}
