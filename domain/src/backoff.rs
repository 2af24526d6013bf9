//! Delays before the next attempt or poll. Randomness is an argument.

use std::time::Duration;

/// The maximum pause between two attempts after failures.
pub const MAX_RETRY: Duration = Duration::from_mins(5);

/// Returns the pause before poll number `polls` (0 is the first) of something that is changing: `min`, then half as
/// long again each time, up to `max`.
#[must_use]
pub fn poll(polls: u32, min: Duration, max: Duration) -> Duration {
    let growth = 1.5_f64.powi(i32::try_from(polls.min(64)).unwrap_or(64));
    min.mul_f64(growth).min(max)
}

/// Returns the pause after `failures` (0 is the first) failures in a row: doubling from one second up to
/// [`MAX_RETRY`], and of that a random half, so that objects that failed together do not return together.
/// `jitter` is in 0..1.
#[must_use]
pub fn retry(failures: u32, jitter: f64) -> Duration {
    let max = Duration::from_secs(1).saturating_mul(2_u32.saturating_pow(failures.min(16))).min(MAX_RETRY);
    max.mul_f64(0.5 + jitter.clamp(0.0, 1.0) / 2.0)
}

/// Returns `interval` give or take a fifth. `jitter` is in 0..1.
#[must_use]
pub fn spread(interval: Duration, jitter: f64) -> Duration {
    interval.mul_f64(0.8 + 0.4 * jitter.clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn polls_slow_down_from_the_shortest_to_the_longest_pause() {
        let (shortest, longest) = (Duration::from_secs(5), Duration::from_mins(1));
        let pauses: Vec<_> = (0..8).map(|n| poll(n, shortest, longest)).collect();
        assert_eq!(pauses[0], shortest);
        assert!(pauses.is_sorted());
        assert_eq!(poll(u32::MAX, shortest, longest), longest);
    }

    #[test]
    fn retries_double_up_to_five_minutes_and_are_never_immediate() {
        for failures in 0..40 {
            for jitter in [0.0, 0.5, 0.999] {
                let pause = retry(failures, jitter);
                assert!(pause >= Duration::from_millis(500) && pause <= MAX_RETRY);
            }
        }
        assert!(retry(20, 1.0) == MAX_RETRY);
    }

    #[test]
    fn an_interval_is_spread_by_a_fifth_either_way() {
        let interval = Duration::from_mins(10);
        assert_eq!(spread(interval, 0.0), Duration::from_mins(8));
        assert_eq!(spread(interval, 1.0), Duration::from_mins(12));
    }
}
