//! How often something may happen: a few times at once, later once an interval.
//!
//! Is told what time it is. Never waits.

use std::time::Duration;

use crate::clock::Boottime;

/// How often.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rate {
    /// So many times at once.
    pub(crate) burst: u32,
    /// And once more after each of these.
    pub(crate) interval: Duration,
}

/// What is left of a rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Bucket {
    /// When it is full again.
    full: Boottime,
}

impl Bucket {
    /// A full one.
    pub(crate) fn full(now: Boottime) -> Self {
        Self { full: now }
    }

    /// How long it takes until something is in it; zero if something is.
    pub(crate) fn wait(&self, rate: Rate, now: Boottime) -> Duration {
        let missing = self.full.since(now) + rate.interval;
        missing.saturating_sub(rate.interval.saturating_mul(rate.burst))
    }

    /// Takes one out, also one that is not in it yet.
    pub(crate) fn take(&mut self, rate: Rate, now: Boottime) {
        self.full = self.full.max(now) + rate.interval;
    }

    /// Nothing is missing of it.
    pub(crate) fn is_full(&self, now: Boottime) -> bool {
        self.full <= now
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: Rate = Rate { burst: 3, interval: Duration::from_secs(1) };

    #[test]
    fn a_burst_goes_at_once_and_then_one_an_interval() {
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
    fn what_is_not_taken_comes_back_and_no_more_than_a_burst_of_it() {
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
