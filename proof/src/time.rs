//! Time in the checked world, in ticks. Whatever is older than [`OLD`] ticks happened long ago.

use std::time::Duration;

use domain::observed::Times;

/// The shortest time that is told apart. With a twenty-minute tick the hour between two removals of excess endpoints is
/// three ticks, and all other times are settings.
pub(crate) const TICK: Duration = Duration::from_mins(20);

/// Ages are counted to here: the longest time that any rule asks for. What is older happened [`LONG_AGO`].
pub(crate) const OLD: u8 = 3;

/// The age of everything that is older than [`OLD`].
pub(crate) const LONG_AGO: u8 = 100;

/// How many ticks a request to Atlas may travel (T and S). A listing is at most [`LAG`] ticks behind.
pub(crate) const TRAVEL: u8 = 1;

/// An endpoint that was made, or went, fewer ticks ago may be missing from, or still in, a listing. Lag is bounded by G;
/// as everything within a tick counts as the same moment, that is the first listing and not the second.
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

/// The present moment, always: time passes by making everything else older.
pub(crate) fn now() -> Duration {
    TICK * 1000
}

/// The moment that lies `ticks` back.
pub(crate) fn ago(ticks: u8) -> Duration {
    now().saturating_sub(TICK * u32::from(ticks))
}
