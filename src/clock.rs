//! The clock that the protocol's times are counted on: it only moves forward, and it counts the time that the
//! machine was suspended.
//!
//! A suspended process must not find, on waking, that its deadline for a POST has hardly moved while another
//! replica has already waited out the whole uncertainty. `std::time::Instant` stands still
//! during a suspend on Linux, so it never measures such a time. This clock says nothing about the time of day
//! and must never be compared across machines or boots.

use std::ops::{Add, Sub};
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

#[cfg(target_os = "linux")]
const CLOCK: ClockId = ClockId::Boottime;
#[cfg(not(target_os = "linux"))]
const CLOCK: ClockId = ClockId::Monotonic;

/// A moment, as the time since this machine was started, suspended time included.
///
/// Outside Linux (a developer's machine), suspended time is counted only as far as the monotonic clock of that
/// system counts it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Boottime(Duration);

impl Boottime {
    /// The present moment.
    #[must_use]
    pub fn now() -> Self {
        // The kernel's time since boot is never negative, so the conversion never takes its other branch.
        Self(Duration::try_from(clock_gettime(CLOCK)).unwrap_or_default())
    }

    /// The moment that lies `since_boot` after the machine's start: for tests, and for tables of moments.
    #[must_use]
    pub const fn from_boot(since_boot: Duration) -> Self {
        Self(since_boot)
    }

    /// The time since the machine's start, for tables of moments that know no clock.
    #[must_use]
    pub const fn since_boot(self) -> Duration {
        self.0
    }

    /// The time from `earlier` to this moment; zero if `earlier` is in fact later.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }

    /// The time that has passed since this moment; zero if it is yet to come.
    #[must_use]
    pub fn elapsed(self) -> Duration {
        Self::now().since(self)
    }
}

impl Add<Duration> for Boottime {
    type Output = Self;

    /// A later moment; at the end of the representable time it stays there.
    fn add(self, later: Duration) -> Self {
        Self(self.0.saturating_add(later))
    }
}

impl Sub<Duration> for Boottime {
    type Output = Self;

    /// An earlier moment; before the machine's start there is none, so it stays at the start.
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
