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
pub(super) struct RateLimitSamples(Arc<Mutex<BTreeMap<String, (u64, Boottime)>>>);

impl RateLimitSamples {
    pub(super) fn record(&self, credential: &str, remaining: u64, now: Boottime) {
        let mut samples = self.samples(now);
        samples.insert(credential.to_owned(), (remaining, now));
        if samples.len() > MAX_SAMPLES {
            let oldest =
                samples.iter().min_by_key(|(_, (_, at))| *at).map(|(credential, _)| credential.clone());
            oldest.and_then(|oldest| samples.remove(&oldest));
        }
    }

    fn samples(&self, now: Boottime) -> MutexGuard<'_, BTreeMap<String, (u64, Boottime)>> {
        let mut samples = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        samples.retain(|_, (_, at)| now.since(*at) < SAMPLE_TTL);
        samples
    }
}

impl Collector for RateLimitSamples {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let help = "Requests left of the rate limit of a key, by the last response of Atlas (API v2 only)";
        let name = "atlas_rate_limit_remaining";
        let mut family = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
        for (credential, (remaining, _)) in self.samples(Boottime::now()).iter() {
            family.encode_family(&[("credential", credential.as_str())])?.encode_gauge(remaining)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_expires_after_an_hour() {
        let at = |minutes: u64| Boottime::from_boot(Duration::from_mins(minutes));
        let rate_limits = RateLimitSamples::default();
        rate_limits.record("old", 7, at(0));
        rate_limits.record("new", 8, at(59));
        assert_eq!(rate_limits.samples(at(59)).len(), 2);
        let samples: Vec<String> = rate_limits.samples(at(60)).keys().cloned().collect();
        assert_eq!(samples, ["new"]);
    }

    #[test]
    fn the_oldest_sample_is_dropped_beyond_the_bound() {
        let rate_limits = RateLimitSamples::default();
        for second in 0..=2 * MAX_SAMPLES as u64 {
            let now = Boottime::from_boot(Duration::from_secs(second));
            rate_limits.record(&format!("{:08x}", second * 7919), 7, now);
            rate_limits.record("in use", second, now);
            assert!(rate_limits.samples(now).len() <= MAX_SAMPLES);
            assert!(rate_limits.samples(now).contains_key("in use"));
        }
    }
}
