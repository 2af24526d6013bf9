//! Metrics of the objects, in a number of series independent of their number: objects by status and condition, the
//! longest wait by cause, and the overdue objects. Optionally also series per object.
//!
//! Incremental gauges: each change subtracts the object's previous contribution and adds the new one. Decides
//! nothing.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Registry;

use super::families::{Gauges, add, labels};
use super::labels::{ObjectSnapshot, WaitingFor};
use crate::clock::Boottime;

/// The metrics of all objects.
#[derive(Debug, Clone)]
pub(super) struct Objects {
    states: Gauges<2>,
    conditions: Gauges<3>,
    times: Arc<Mutex<Times>>,
    each: Option<Each>,
}

/// The number of objects by time.
#[derive(Debug, Default)]
struct Times {
    /// When objects started to wait, in seconds of the Unix epoch.
    waiting: BTreeMap<(WaitingFor, i64), u32>,
    /// When objects become overdue, in seconds since boot.
    overdue: BTreeMap<u64, u32>,
}

/// The series of each object.
#[derive(Debug, Clone)]
struct Each {
    ready: Gauges<2>,
    stalled: Gauges<2>,
    synced: Gauges<2>,
}

/// The state of one object, for per-object metrics.
#[derive(Debug, Clone, Copy)]
pub struct PerObject<'a> {
    /// Its namespace.
    pub namespace: &'a str,
    /// Its name.
    pub name: &'a str,
    /// It is ready.
    pub ready: bool,
    /// It needs a correction by a user.
    pub stalled: bool,
    /// When the last sync with Atlas succeeded, in seconds of the Unix epoch.
    pub synced: Option<i64>,
}

impl Objects {
    pub(super) fn register(own: &mut Registry, per_object: bool) -> Self {
        let states = "Current number of objects by Atlas' status and readiness";
        let states = add(own, "objects", states, Gauges::default());
        let conditions = "Current number of objects by condition, status and reason";
        let conditions = add(own, "conditions", conditions, Gauges::default());
        let times = Arc::new(Mutex::default());
        own.register_collector(Box::new(WaitingTimes(Arc::clone(&times))));
        let each = per_object.then(|| Each {
            ready: add(own, "ready", "Whether this object is ready", Gauges::default()),
            stalled: add(own, "stalled", "Whether this object is stalled", Gauges::default()),
            synced: add(
                own,
                "last_sync_timestamp_seconds",
                "Unix time of the last successful reconcile of this object with Atlas",
                Gauges::default(),
            ),
        });
        Self { states, conditions, times, each }
    }

    pub(super) fn changed(&self, before: Option<&ObjectSnapshot>, after: Option<&ObjectSnapshot>) {
        let count = |standing: &ObjectSnapshot, by: i64| {
            let ready = if standing.state.ready { "true" } else { "false" };
            let state = labels([("state", standing.state.state), ("ready", ready)]);
            self.states.get_or_create_owned(&state).inc_by(by);
            for (kind, status, reason) in standing.conditions.iter().flatten() {
                let status = if *status { "True" } else { "False" };
                let condition = [("type", kind.as_str()), ("status", status), ("reason", reason.as_str())];
                self.conditions.get_or_create_owned(&labels(condition)).inc_by(by);
            }
        };
        let mut times = lock(&self.times);
        if let Some(before) = before {
            count(before, -1);
            before.awaits.inspect(|moment| take(&mut times.waiting, *moment));
        }
        if let Some(after) = after {
            count(after, 1);
            after.awaits.inspect(|moment| put(&mut times.waiting, *moment));
        }
    }

    pub(super) fn due_changed(&self, before: Option<u64>, after: Option<u64>) {
        let mut times = lock(&self.times);
        before.inspect(|moment| take(&mut times.overdue, *moment));
        after.inspect(|moment| put(&mut times.overdue, *moment));
    }

    pub(super) fn are_told_apart(&self) -> bool {
        self.each.is_some()
    }

    pub(super) fn shows(&self, object: &PerObject<'_>) {
        let Some(each) = &self.each else { return };
        let who = labels([("namespace", object.namespace), ("name", object.name)]);
        each.ready.get_or_create(&who).set(object.ready.into());
        each.stalled.get_or_create(&who).set(object.stalled.into());
        if let Some(at) = object.synced {
            each.synced.get_or_create(&who).set(at);
        }
    }

    pub(super) fn forgets(&self, namespace: &str, name: &str) {
        let Some(each) = &self.each else { return };
        let who = labels([("namespace", namespace), ("name", name)]);
        for family in [&each.ready, &each.stalled, &each.synced] {
            family.remove(&who);
        }
    }
}

/// Computes at each scrape the values that change with time alone.
#[derive(Debug)]
struct WaitingTimes(Arc<Mutex<Times>>);

impl Collector for WaitingTimes {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let times = lock(&self.0);
        let of = |awaited| times.waiting.range((awaited, i64::MIN)..=(awaited, i64::MAX));
        let number = |count: u32| i64::from(count);
        let help = "Current number of waiting objects by what they wait for";
        let mut waiting = encoder.encode_descriptor("waiting_objects", help, None, MetricType::Gauge)?;
        for awaited in WaitingFor::ALL {
            let label = [("waits_for", awaited.as_str())];
            waiting
                .encode_family(&label)?
                .encode_gauge(&number(of(awaited).map(|(_, count)| count).sum()))?;
        }
        let help = "Unix time at which the longest waiting object began to wait";
        let name = "waiting_since_timestamp_seconds";
        let mut since = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
        for awaited in WaitingFor::ALL {
            if let Some(((_, moment), _)) = of(awaited).next() {
                since.encode_family(&[("waits_for", awaited.as_str())])?.encode_gauge(moment)?;
            }
        }
        let help = "Current number of objects without a successful reconcile for three of their intervals";
        let mut overdue = encoder.encode_descriptor("overdue_objects", help, None, MetricType::Gauge)?;
        let now = Boottime::now().since_boot().as_secs();
        overdue.encode_gauge(&number(times.overdue.range(..now).map(|(_, count)| count).sum()))
    }
}

fn put<K: Ord>(moments: &mut BTreeMap<K, u32>, moment: K) {
    *moments.entry(moment).or_default() += 1;
}

fn take<K: Ord>(moments: &mut BTreeMap<K, u32>, moment: K) {
    if let Entry::Occupied(mut entry) = moments.entry(moment) {
        *entry.get_mut() -= 1;
        if *entry.get() == 0 {
            entry.remove();
        }
    }
}

fn lock(times: &Mutex<Times>) -> MutexGuard<'_, Times> {
    // Nothing panics while the lock is held; if something did, at worst the numbers would be off.
    times.lock().unwrap_or_else(PoisonError::into_inner)
}
