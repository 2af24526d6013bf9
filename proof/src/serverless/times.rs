//! The protocol's times, in ticks. An event older than [`OLD`] ticks happened long ago.

use domain::serverless::observed::Times;

pub(crate) use crate::time::{LONG_AGO, TICK, ago, moment, now, older, stamp, ticks};

/// The maximum age that is counted: the longest time that any rule compares. Older events happened [`LONG_AGO`].
pub(crate) const OLD: u8 = 3;

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
