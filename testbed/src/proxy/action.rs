//! The faults that a proxy can inject into an exchange.

use std::fmt;
use std::time::Duration;

use hyper::body::Bytes;
use serde_json::json;

/// What happens to one exchange. Where the response is withheld, the upstream's response is awaited first: the effect
/// has happened.
pub enum Action {
    /// Not forwarded, and the connection is closed without a response.
    DropRequest,
    /// Forwarded, and the connection is closed without a response.
    DropResponse,
    /// Not forwarded and never responded to; the connection stays open for as long as the client keeps it.
    HangRequest,
    /// Forwarded and never responded to; the connection stays open for as long as the client keeps it.
    HangResponse,
    /// Forwarded after a while, whether or not its client still waits.
    DelayRequest(Duration),
    /// Forwarded at once, responded to after a while.
    DelayResponse(Duration),
    /// Not forwarded; this is the response.
    Respond(FakeResponse),
    /// Forwarded; the response's body breaks off after so many bytes.
    Truncate(usize),
    /// The response is the upstream's newest success for the same request that differs from its present one, so that
    /// writes since then do not show. For that the request is forwarded, so this is for reads. Without such a response
    /// the connection is closed.
    Stale,
    /// Forwarded; before the response is passed on, all running watches of the proxy end as
    /// [`crate::Proxy::close_watches`] ends them, the watch that this exchange may have begun included.
    CloseWatches,
    /// The same, with the end of [`crate::Proxy::expire_watches`].
    ExpireWatches,
    /// Runs this instead of forwarding, and closes the connection without a response. See [`crate::Recording`] on other
    /// requests meanwhile.
    CallBefore(Hook),
    /// Forwards, runs this when the upstream has responded, and closes the connection without a response. See
    /// [`crate::Recording`] on other requests meanwhile.
    CallAfter(Hook),
}

/// A test's action in the middle of an exchange, such as killing a process. It must end without waiting for another
/// request.
pub type Hook = Box<dyn FnOnce() + Send>;

impl Action {
    /// Returns a made-up response without headers or body.
    #[must_use]
    pub fn status(status: u16) -> Self {
        Self::Respond(FakeResponse { status, headers: Vec::new(), body: Bytes::new() })
    }

    /// Returns the error response of an API server, as in `kubernetes(409, "Conflict")`. 410 takes the reason
    /// `Expired`.
    #[must_use]
    pub fn kubernetes(status: u16, reason: &str) -> Self {
        let headers = vec![("content-type".to_owned(), "application/json".to_owned())];
        Self::Respond(FakeResponse { status, headers, body: kubernetes_status(status, reason) })
    }

    /// Returns whether the other exchanges must wait until this one is over.
    pub(super) fn is_call(&self) -> bool {
        matches!(self, Self::CallBefore(_) | Self::CallAfter(_))
    }
}

impl fmt::Debug for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::DropRequest => f.write_str("DropRequest"),
            Self::DropResponse => f.write_str("DropResponse"),
            Self::HangRequest => f.write_str("HangRequest"),
            Self::HangResponse => f.write_str("HangResponse"),
            Self::DelayRequest(delay) => f.debug_tuple("DelayRequest").field(delay).finish(),
            Self::DelayResponse(delay) => f.debug_tuple("DelayResponse").field(delay).finish(),
            Self::Respond(response) => f.debug_tuple("Respond").field(response).finish(),
            Self::Truncate(length) => f.debug_tuple("Truncate").field(length).finish(),
            Self::Stale => f.write_str("Stale"),
            Self::CloseWatches => f.write_str("CloseWatches"),
            Self::ExpireWatches => f.write_str("ExpireWatches"),
            Self::CallBefore(_) => f.write_str("CallBefore"),
            Self::CallAfter(_) => f.write_str("CallAfter"),
        }
    }
}

/// A response that a proxy makes up.
#[derive(Clone, Debug)]
pub struct FakeResponse {
    /// The HTTP status.
    pub status: u16,
    /// Names and values, as `("retry-after", "2")`.
    pub headers: Vec<(String, String)>,
    /// The whole body.
    pub body: Bytes,
}

/// Returns the `Status` object that an API server sends instead of the requested one.
pub(super) fn kubernetes_status(status: u16, reason: &str) -> Bytes {
    let message = format!("the testbed's proxy responds {status} {reason}");
    let status = json!({
        "apiVersion": "v1",
        "kind": "Status",
        "metadata": {},
        "status": "Failure",
        "code": status,
        "reason": reason,
        "message": message,
    });
    status.to_string().into()
}
