//! The clock of the protocol's times: it only moves forward and includes the time that the machine was suspended. And
//! a stamp by two clocks, for the one duration that must not be measured too short.
//!
//! A process that resumes after a suspend must not find that its deadline for a POST has hardly moved while another
//! replica has already waited out the whole uncertainty. `std::time::Instant` stands still during a suspend on Linux,
//! so it never measures such a duration. This clock says nothing about the time of day and must never be compared
//! across machines or boots.
//!
//! It stands still, like all clocks of a machine, while the machine itself is stopped from outside: by a live
//! migration, by a snapshot, by a hypervisor that pauses it. Many platforms set the time of day right afterwards,
//! which a [`Stamp`] detects.

use std::ops::{Add, Sub};
use std::time::{Duration, SystemTime};

use domain::instant::Stamp;
use rustix::time::{ClockId, clock_gettime};

#[cfg(target_os = "linux")]
const CLOCK: ClockId = ClockId::Boottime;
#[cfg(not(target_os = "linux"))]
const CLOCK: ClockId = ClockId::Monotonic;

/// A point in time, as the time since this machine was started, suspended time included.
///
/// Outside Linux (a developer's machine), suspended time is counted only as far as the monotonic clock of that system
/// counts it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Boottime(Duration);

impl Boottime {
    /// Returns the current time.
    #[must_use]
    pub fn now() -> Self {
        // The kernel's time since boot is never negative, so the conversion never takes its other branch.
        Self(Duration::try_from(clock_gettime(CLOCK)).unwrap_or_default())
    }

    /// Creates the time `since_boot` after the machine's start: for tests, and for data structures that know no
    /// clock.
    #[must_use]
    pub const fn from_boot(since_boot: Duration) -> Self {
        Self(since_boot)
    }

    /// Returns the time since the machine's start, for data structures that know no clock.
    #[must_use]
    pub const fn since_boot(self) -> Duration {
        self.0
    }

    /// Returns the time from `earlier` to this time; zero if `earlier` is in fact later.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }

    /// Returns the time passed since this time; zero if it is in the future.
    #[must_use]
    pub fn elapsed(self) -> Duration {
        Self::now().since(self)
    }
}

/// Returns the current time by both clocks.
#[must_use]
pub fn stamp() -> Stamp {
    // A time of day before 1970 is as good as any other: only its changes count.
    let day = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Stamp { boot: Boottime::now().since_boot(), day }
}

impl Add<Duration> for Boottime {
    type Output = Self;

    /// Returns a later time, saturating at the end of the representable range.
    fn add(self, later: Duration) -> Self {
        Self(self.0.saturating_add(later))
    }
}

impl Sub<Duration> for Boottime {
    type Output = Self;

    /// Returns an earlier time, saturating at the machine's start.
    fn sub(self, earlier: Duration) -> Self {
        Self(self.0.saturating_sub(earlier))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_moves_forward() {
        let start = Boottime::now();
        while start.elapsed().is_zero() {}
        assert!(Boottime::now() > start);
    }

    #[test]
    fn time_never_runs_backwards_in_arithmetic() {
        let (one, two) = (Duration::from_secs(1), Duration::from_secs(2));
        let at = Boottime::from_boot;
        assert_eq!(at(two).since(at(one)), one);
        assert_eq!(at(one).since(at(two)), Duration::ZERO);
        assert_eq!(at(one) + one, at(two));
        assert_eq!(at(one) - two, at(Duration::ZERO));
        assert_eq!(at(Duration::MAX) + one, at(Duration::MAX));
    }
}
