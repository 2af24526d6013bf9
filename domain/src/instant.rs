//! The clock of the protocol's times, which nothing here reads: instants are arguments.

use std::time::Duration;

/// An instant, as the time since boot on a clock that counts suspend.
pub type SinceBoot = Duration;
