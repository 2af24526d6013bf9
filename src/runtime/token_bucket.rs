//! A token bucket: a burst at once, then one event per interval.
//!
//! Callers pass the time. It never waits.

use std::time::Duration;

use crate::clock::Boottime;

/// A rate limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rate {
    /// The number of events allowed at once.
    pub(crate) burst: u32,
    /// The time after which one more event is allowed.
    pub(crate) interval: Duration,
}

/// The fill level of a bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Bucket {
    /// When it will be full again.
    full: Boottime,
}

impl Bucket {
    /// Creates a full bucket.
    pub(crate) fn full(now: Boottime) -> Self {
        Self { full: now }
    }

    /// Returns the time until a token is available; zero if one is.
    pub(crate) fn wait(&self, rate: Rate, now: Boottime) -> Duration {
        let missing = self.full.since(now) + rate.interval;
        missing.saturating_sub(rate.interval.saturating_mul(rate.burst))
    }

    /// Takes a token, even if none is available yet.
    pub(crate) fn take(&mut self, rate: Rate, now: Boottime) {
        self.full = self.full.max(now) + rate.interval;
    }

    /// Returns a token to the bucket.
    pub(crate) fn refund(&mut self, rate: Rate) {
        self.full = Boottime::from_boot(self.full.since_boot().saturating_sub(rate.interval));
    }

    /// Returns `true` if no token is missing.
    pub(crate) fn is_full(&self, now: Boottime) -> bool {
        self.full <= now
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: Rate = Rate { burst: 3, interval: Duration::from_secs(1) };

    #[test]
    fn a_burst_is_allowed_and_then_one_event_per_interval() {
        let start = Boottime::from_boot(Duration::from_secs(100));
        let mut bucket = Bucket::full(start);
        let (mut now, mut taken) = (start, Vec::new());
        for _ in 0..6 {
            now = now + bucket.wait(RATE, now);
            bucket.take(RATE, now);
            taken.push(now.since(start).as_secs());
        }
        assert_eq!(taken, [0, 0, 0, 1, 2, 3]);
    }

    #[test]
    fn unused_tokens_accumulate_up_to_a_burst() {
        let start = Boottime::from_boot(Duration::from_secs(100));
        let mut bucket = Bucket::full(start);
        for _ in 0..3 {
            bucket.take(RATE, start);
        }
        assert_eq!(bucket.wait(RATE, start), RATE.interval);
        let later = start + Duration::from_hours(1);
        let burst = (0..9).take_while(|_| {
            let free = bucket.wait(RATE, later).is_zero();
            bucket.take(RATE, later);
            free
        });
        assert_eq!(burst.count(), 3);
    }
}
