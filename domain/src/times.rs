//! The times of the protocols, from the program's settings. Nothing here reads a clock.

use std::time::Duration;

/// The times of the protocols.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Times {
    /// D: from before the claim request is sent until the claimed request is sent to Atlas.
    pub create_deadline: Duration,
    /// Q: how long an attempt of unknown outcome may still land.
    pub uncertainty: Duration,
    /// G: between two listings that confirm each other.
    pub confirm_gap: Duration,
    /// How long one response may wait for another that confirms it, if it is to count.
    pub confirm_within: Duration,
    /// V: how long a 404 on a newly recorded id proves nothing.
    pub visibility: Duration,
}

impl Default for Times {
    fn default() -> Self {
        Self {
            create_deadline: Duration::from_secs(10),
            uncertainty: Duration::from_secs(200),
            confirm_gap: Duration::from_secs(10),
            confirm_within: Duration::from_mins(5),
            visibility: Duration::from_mins(2),
        }
    }
}
