//! The remaining requests of each credential's rate limit, as Atlas last reported them.
//!
//! Only a served call makes a series, because any author of a Secret chooses its public key. Never keeps more than a bound.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;
use prometheus_client::metrics::MetricType;

use crate::clock::Boottime;

/// Samples expire after an hour, so that unused credentials leave no series.
const SAMPLE_TTL: Duration = Duration::from_hours(1);

/// The most credentials that are kept; the one with the oldest sample is dropped first.
const MAX_SAMPLES: usize = 512;

/// The last sample of each credential. Clones share it.
#[derive(Debug, Clone, Default)]
pub(super) struct Budgets(Arc<Mutex<BTreeMap<String, (u64, Boottime)>>>);

impl Budgets {
    pub(super) fn said(&self, credential: &str, remaining: u64, now: Boottime) {
        let mut known = self.known(now);
        known.insert(credential.to_owned(), (remaining, now));
        if known.len() > MAX_SAMPLES {
            let oldest =
                known.iter().min_by_key(|(_, (_, at))| *at).map(|(credential, _)| credential.clone());
            oldest.and_then(|oldest| known.remove(&oldest));
        }
    }

    fn known(&self, now: Boottime) -> MutexGuard<'_, BTreeMap<String, (u64, Boottime)>> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|_, (_, at)| now.since(*at) < SAMPLE_TTL);
        known
    }
}

impl Collector for Budgets {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let help = "Requests left of the rate limit of a key, by the last response of Atlas (API v2 only)";
        let name = "atlas_rate_limit_remaining";
        let mut family = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
        for (credential, (remaining, _)) in self.known(Boottime::now()).iter() {
            family.encode_family(&[("credential", credential.as_str())])?.encode_gauge(remaining)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_said_long_ago_is_forgotten() {
        let at = |minutes: u64| Boottime::from_boot(Duration::from_mins(minutes));
        let budgets = Budgets::default();
        budgets.said("old", 7, at(0));
        budgets.said("new", 8, at(59));
        assert_eq!(budgets.known(at(59)).len(), 2);
        let known: Vec<String> = budgets.known(at(60)).keys().cloned().collect();
        assert_eq!(known, ["new"]);
    }

    #[test]
    fn no_more_are_kept_than_the_bound_and_the_oldest_goes() {
        let budgets = Budgets::default();
        for second in 0..=2 * MAX_SAMPLES as u64 {
            let now = Boottime::from_boot(Duration::from_secs(second));
            budgets.said(&format!("{:08x}", second * 7919), 7, now);
            budgets.said("in use", second, now);
            assert!(budgets.known(now).len() <= MAX_SAMPLES);
            assert!(budgets.known(now).contains_key("in use"));
        }
    }
}
