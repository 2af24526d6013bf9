//! Readiness: the conditions that the program waits for before it works. It never affects liveness.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;
use prometheus_client::metrics::MetricType;
use tokio::sync::watch;

use crate::runtime::watch_health::WatchHealth;

/// The condition that all watches work.
const WATCH: &str = "watch";

/// Named conditions that are pending, and the watches, which may fail at any time; ready means that there is no
/// problem. Clones share them.
#[derive(Debug, Clone)]
pub struct Readiness {
    pending: Arc<watch::Sender<Pending>>,
    watches: WatchHealth,
}

/// Condition → why it is pending, and the next step if a person has to act.
type Pending = BTreeMap<&'static str, String>;

impl Default for Readiness {
    fn default() -> Self {
        Self { pending: Arc::new(watch::Sender::new(Pending::new())), watches: WatchHealth::default() }
    }
}

impl Readiness {
    /// Reports not ready until `condition` is met. A repeated call replaces the text.
    pub fn wait_for(&self, condition: &'static str, what: impl Into<String>) {
        self.pending.send_modify(|pending| {
            pending.insert(condition, what.into());
        });
    }

    /// Marks `condition` as met.
    pub fn met(&self, condition: &'static str) {
        self.pending.send_modify(|pending| {
            pending.remove(condition);
        });
    }

    /// Returns one line for each pending condition; none when ready.
    #[must_use]
    pub fn pending(&self) -> Vec<String> {
        let waits = self.pending.borrow();
        let waits = waits.iter().map(|(condition, what)| format!("{condition}: {what}"));
        waits.chain(self.watches.problems().iter().map(|what| format!("{WATCH}: {what}"))).collect()
    }

    /// Returns the health of the watches.
    #[must_use]
    pub fn watch_health(&self) -> &WatchHealth {
        &self.watches
    }
}

/// Exports the pending conditions as a metric too: a pod that is not ready is still scraped.
impl Collector for Readiness {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let help = "Conditions that this process waits for, as in /readyz; no series when ready";
        let mut family = encoder.encode_descriptor("not_ready", help, None, MetricType::Gauge)?;
        let mut waits: BTreeSet<_> = self.pending.borrow().keys().copied().collect();
        if !self.watches.problems().is_empty() {
            waits.insert(WATCH);
        }
        for condition in waits {
            family.encode_family(&[("waits_for", condition)])?.encode_gauge(&1_i64)?;
        }
        let help = "Seconds since the last data from the API server on the most silent watch";
        let mut silence =
            encoder.encode_descriptor("watch_silence_seconds", help, None, MetricType::Gauge)?;
        match self.watches.silence() {
            Some(seconds) => silence.encode_gauge(&seconds.as_secs_f64()),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use crate::metrics::Metrics;

    use super::*;

    #[test]
    fn ready_means_that_no_condition_is_pending() {
        let readiness = Readiness::default();
        assert!(readiness.pending().is_empty());
        let elsewhere = readiness.clone();
        elsewhere.wait_for("watch", "objects are being listed");
        elsewhere.wait_for("crd", "it is not installed");
        elsewhere.wait_for("crd", "it is not established");
        assert_eq!(readiness.pending(), ["crd: it is not established", "watch: objects are being listed"]);
        readiness.met("crd");
        readiness.met("crd");
        assert_eq!(elsewhere.pending(), ["watch: objects are being listed"]);
        readiness.met("watch");
        assert!(elsewhere.pending().is_empty());
        elsewhere.watch_health().expect("examples", &[], Duration::from_mins(6));
        assert_eq!(readiness.pending(), ["watch: the objects are being listed"]);
    }

    #[test]
    fn each_pending_condition_is_a_metric() {
        let readiness = Readiness::default();
        let metrics = Metrics::new(Some(Box::new(readiness.clone())), false);
        readiness.wait_for("crd", "it is not installed");
        assert!(metrics.encode().unwrap().contains(r#"atlas_spe_not_ready{waits_for="crd"} 1"#));
        readiness.met("crd");
        assert!(!metrics.encode().unwrap().contains("atlas_spe_not_ready{"));
    }
}
