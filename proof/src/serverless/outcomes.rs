//! How steps and requests end. Plain data.

/// The outcome of a step's remote effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum StepOutcome {
    /// Success.
    #[default]
    Well,
    /// A listing by a replica that lags.
    Lagging,
    /// A listing gets a 404 as if the project were unknown.
    NoAccess,
    /// A listing gets a 404 as if the instance were no more.
    Gone,
    /// A listing shows nothing, although something is there.
    Empty,
    /// The API server executes the request, and the response is lost; or Atlas does not respond to a listing.
    ResponseLost,
    /// The API server is unreachable.
    Unreached,
    /// The sender gives up, and the API server gets the write later.
    Parked,
}

/// How a request to Atlas ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RequestOutcome {
    /// Executed, with a response.
    Responded,
    /// Executed, and the response is lost.
    ResponseLost,
    /// Not executed: Atlas rejects it.
    Rejected,
    /// The request is lost.
    Lost,
    /// The sender gives up while it is still in flight.
    GivenUp,
    /// A DELETE of a new endpoint reaches a replica that does not know it yet.
    Overlooked,
}
