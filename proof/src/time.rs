//! Time in the model, in ticks. An event older than [`OLD`] ticks happened long ago.

use std::time::Duration;

use domain::instant::{SinceBoot, Stamp};
use domain::reconcile::Moment;
use domain::serverless::observed::Times;

/// The resolution of time. With a twenty-minute tick the hour between two removals of excess endpoints is three ticks,
/// and all other times are settings.
pub(crate) const TICK: Duration = Duration::from_mins(20);

/// The maximum age that is counted: the longest time that any rule compares. Older events happened [`LONG_AGO`].
pub(crate) const OLD: u8 = 3;

/// The age of every event older than [`OLD`].
pub(crate) const LONG_AGO: u8 = 100;

/// The maximum number of ticks that a request to Atlas stays in flight (T and S). A listing is at most [`LAG`] ticks
/// behind.
pub(crate) const TRAVEL: u8 = 1;

/// An endpoint that was created, or deleted, fewer ticks ago may be missing from, or still in, a listing. Lag is
/// bounded by G; as all events within a tick count as simultaneous, that is the first listing and not the second.
pub(crate) const LAG: u8 = 2;

/// For how many ticks one response may wait for another that confirms it.
pub(crate) const WITHIN: u8 = 2;

/// The protocol's times in their real relations, each as short as these allow: Q is just D and the travel time.
pub(crate) fn times() -> Times {
    Times {
        create_deadline: TICK,
        uncertainty: TICK * (1 + u32::from(TRAVEL)),
        confirm_gap: TICK,
        confirm_within: TICK * u32::from(WITHIN),
        visibility: TICK * u32::from(LAG),
    }
}

/// The present, always: time passes by making every event older.
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

/// Returns one instant a tick later, for a process whose ages are measured at `measured_at`: ages above the longest that any rule
/// compares are all the same. While that instant does not move, neither do those long before it.
pub(crate) fn older(instant: SinceBoot, measured_at: SinceBoot) -> SinceBoot {
    if measured_at == ago(OLD) && instant <= ago(OLD) {
        instant
    } else if instant <= measured_at.saturating_sub(TICK * u32::from(OLD)) {
        ago(LONG_AGO)
    } else {
        instant.saturating_sub(TICK)
    }
}
