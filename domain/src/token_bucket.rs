//! A token bucket: a burst at once, then one event per interval.
//!
//! Callers pass the time. It never waits.

use std::time::Duration;

use crate::instant::SinceBoot;

/// A rate limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// The number of events allowed at once.
    pub burst: u32,
    /// The time after which one more event is allowed.
    pub interval: Duration,
}

/// The fill level of a bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bucket {
    /// When it will be full again.
    full: SinceBoot,
}

impl Bucket {
    /// Creates a full bucket.
    #[must_use]
    pub fn full(now: SinceBoot) -> Self {
        Self { full: now }
    }

    /// Returns the time until a token is available; zero if one is.
    #[must_use]
    pub fn wait(&self, rate: Rate, now: SinceBoot) -> Duration {
        let missing = self.full.saturating_sub(now).saturating_add(rate.interval);
        missing.saturating_sub(rate.interval.saturating_mul(rate.burst))
    }

    /// Takes a token, even if none is available yet.
    pub fn take(&mut self, rate: Rate, now: SinceBoot) {
        self.full = self.full.max(now).saturating_add(rate.interval);
    }

    /// Returns a token to the bucket.
    pub fn refund(&mut self, rate: Rate) {
        self.full = self.full.saturating_sub(rate.interval);
    }

    /// Returns `true` if no token is missing.
    #[must_use]
    pub fn is_full(&self, now: SinceBoot) -> bool {
        self.full <= now
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: Rate = Rate { burst: 3, interval: Duration::from_secs(1) };

    #[test]
    fn a_burst_is_allowed_and_then_one_event_per_interval() {
        let start = SinceBoot::from_secs(100);
        let mut bucket = Bucket::full(start);
        let (mut now, mut taken) = (start, Vec::new());
        for _ in 0..6 {
            now = now + bucket.wait(RATE, now);
            bucket.take(RATE, now);
            taken.push(now.saturating_sub(start).as_secs());
        }
        assert_eq!(taken, [0, 0, 0, 1, 2, 3]);
    }

    #[test]
    fn unused_tokens_accumulate_up_to_a_burst() {
        let start = SinceBoot::from_secs(100);
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
