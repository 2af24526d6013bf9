//! When a decision wants to be made again.
//!
//! `schedule` makes a time of it.

use std::fmt;
use std::time::Duration;

/// When to requeue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Requeue {
    /// Only when something changes.
    OnChange,
    /// Often at first, then ever more rarely: something is changing in Atlas.
    Poll,
    /// At the slowest polling pace: the user has to act.
    Await,
    /// After the object's interval.
    Interval,
    /// After this long.
    After(Duration),
    /// With growing delays, and no earlier than this: something failed.
    Retry(Duration),
}

impl fmt::Display for Requeue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::OnChange => "on change",
            Self::Poll => "poll",
            Self::Await => "slow poll",
            Self::Interval => "interval",
            Self::After(delay) => return write!(f, "after {} s", delay.as_secs()),
            Self::Retry(least) => return write!(f, "retry after {} s or more", least.as_secs()),
        })
    }
}
