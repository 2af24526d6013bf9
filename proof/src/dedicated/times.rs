//! The protocol's times, in ticks. An event older than [`OLD`] ticks happened long ago.

use domain::times::Times;

pub(crate) use crate::time::{TICK, ago, moment, now, older, ticks};

/// The maximum number of ticks that a request to Atlas stays in flight (T and S).
pub(crate) const TRAVEL: u8 = 1;

/// What was created, or removed, fewer ticks ago may be missing from, or still in, a listing. That is longer than G, so that two listings
/// can lag.
pub(crate) const LAG: u8 = 2;

/// Q: D and the travel time, which are over after two ticks, of which the second may be the one in which the request lands; and from then
/// on as long as a listing lags. This is the least that the protocol allows.
const UNCERTAINTY: u8 = 1 + LAG;

/// The maximum age that is counted: the longest time that any rule compares, Q and V. Older events happened long ago.
pub(crate) const OLD: u8 = UNCERTAINTY + LAG;

/// For how many ticks one response may wait for another that confirms it.
const WITHIN: u8 = 2;

/// The protocol's times in their real relations, each as short as these allow.
pub(crate) fn times() -> Times {
    Times {
        create_deadline: TICK,
        uncertainty: TICK * u32::from(UNCERTAINTY),
        confirm_gap: TICK,
        confirm_within: TICK * u32::from(WITHIN),
        visibility: TICK * u32::from(LAG),
    }
}
