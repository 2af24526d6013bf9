//! The clocks of the protocol's times, which nothing here reads: instants are arguments.

use std::time::Duration;

/// An instant, as the time since boot on a clock that counts suspend.
pub type SinceBoot = Duration;

/// An instant by two clocks, for the one duration that must not be measured too short.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Stamp {
    /// By the clock since boot. It stands still, like all clocks of a machine, while the machine itself is stopped from outside.
    pub boot: SinceBoot,
    /// By the time of day, as the time since the Unix epoch: many platforms set it right after such a stop.
    pub day: Duration,
}

impl Stamp {
    /// Returns the time from this instant to `later`, by the clock that measured more.
    ///
    /// A time of day that was set back counts by the amount of the change: which of its two readings was right is unknown.
    #[must_use]
    pub fn until(self, later: Self) -> Duration {
        later.boot.saturating_sub(self.boot).max(later.day.abs_diff(self.day))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_ages_by_the_clock_that_measured_more() {
        let stamp = |boot, day| Stamp { boot: Duration::from_secs(boot), day: Duration::from_secs(day) };
        let claimed = stamp(100, 1000);
        for (now, seconds) in [
            (stamp(103, 1003), 3),
            (stamp(101, 1301), 301), // The machine was stopped for five minutes, and its time of day corrected.
            (stamp(400, 1001), 300), // It was suspended, and its time of day is not corrected yet.
            (stamp(103, 1001), 3),   // Its time of day was corrected by two seconds,
            (stamp(103, 400), 600),  // and by ten minutes.
            (claimed, 0),
        ] {
            assert_eq!(claimed.until(now), Duration::from_secs(seconds), "{now:?}");
        }
    }
}
