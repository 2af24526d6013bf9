//! How a call ended on the wire, as metrics and logs name it.

use std::fmt;

/// How a call ended on the wire. Its `Display` is a metric's label: the status code, or a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Outcome {
    /// There was a response with this status code (the enveloped one, if there was an envelope).
    Status(u16),
    /// The caller's deadline passed before the request could be sent; nothing was sent.
    DeadlinePassed,
    /// No connection: name resolution, TCP or TLS. Nothing was sent.
    Unreachable,
    /// The response did not arrive in time.
    TimedOut,
    /// The connection broke before the response was complete.
    Interrupted,
    /// The response was larger than 1 MiB.
    Oversized,
    /// The response has a success status but cannot be parsed.
    Malformed,
    /// A 401 that offers no usable authentication. The request was not executed.
    NoChallenge,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Status(status) => return write!(f, "{status}"),
            Self::DeadlinePassed => "too_late",
            Self::Unreachable => "unreachable",
            Self::TimedOut => "timed_out",
            Self::Interrupted => "interrupted",
            Self::Oversized => "oversized",
            Self::Malformed => "malformed",
            Self::NoChallenge => "no_challenge",
        })
    }
}
