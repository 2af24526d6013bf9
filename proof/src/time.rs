//! Time in a model, in ticks. The present is always the same: time passes by making every event older.
//!
//! How many ticks each time of a protocol takes is the model's own.

use std::time::Duration;

use domain::instant::{SinceBoot, Stamp};
use domain::reconcile::Moment;

/// The resolution of time. With a twenty-minute tick the hour between two removals of excess endpoints is three ticks, and all other
/// times are settings.
pub(crate) const TICK: Duration = Duration::from_mins(20);

/// The age of every event that happened longer ago than any rule distinguishes.
pub(crate) const LONG_AGO: u8 = 100;

/// The present.
pub(crate) fn now() -> SinceBoot {
    TICK * 1000
}

/// Returns the time `ticks` ago.
pub(crate) fn ago(ticks: u8) -> SinceBoot {
    now().saturating_sub(TICK * u32::from(ticks))
}

/// Returns an instant by both clocks, which agree.
pub(crate) fn stamp(instant: SinceBoot) -> Stamp {
    Stamp { boot: instant, day: instant }
}

/// Returns the moment of every input.
pub(crate) fn moment() -> Moment {
    Moment { now: stamp(now()), jitter: 0.0 }
}

/// Returns the number of ticks in a delay, rounded up.
pub(crate) fn ticks(delay: Duration) -> u8 {
    u8::try_from(delay.as_secs().div_ceil(TICK.as_secs())).unwrap_or(u8::MAX)
}

/// Returns one instant a tick later, for a process whose ages are measured at `measured_at`: ages above `old` ticks, the longest that
/// any rule compares, are all the same. While that instant does not move, neither do those long before it.
pub(crate) fn older(instant: SinceBoot, measured_at: SinceBoot, old: u8) -> SinceBoot {
    if measured_at == ago(old) && instant <= ago(old) {
        instant
    } else if instant <= measured_at.saturating_sub(TICK * u32::from(old)) {
        ago(LONG_AGO)
    } else {
        instant.saturating_sub(TICK)
    }
}
