//! One request and its response, as recorded on a recording.

use std::io;
use std::time::Duration;

use http_body_util::combinators::UnsyncBoxBody;
use hyper::HeaderMap;
use hyper::body::Bytes;

/// The body of a response in flight through the proxy.
pub(super) type ResponseBody = UnsyncBoxBody<Bytes, io::Error>;

/// One request and its outcome.
#[derive(Clone, Debug)]
pub struct Exchange {
    /// From 1, in the order of arrival at any proxy of the recording.
    pub number: usize,
    /// From 1, in the order of arrival at its proxy.
    pub at_proxy: usize,
    /// Whether an action was planned for it.
    pub planned: bool,
    /// From 1, counting effects only; see [`crate::Recording::counting`].
    pub effect: Option<usize>,
    /// The name of the proxy that received it.
    pub proxy: String,
    /// Since the beginning of the recording's clock.
    pub at: Duration,
    /// As in `POST`.
    pub method: String,
    /// Path and query.
    pub path: String,
    /// All headers of the request.
    pub headers: HeaderMap,
    /// The whole body of the request.
    pub body: Bytes,
    /// Whether it was forwarded, so that its effect may have happened.
    pub forwarded: bool,
    /// When its status was known, since the beginning of the recording's clock.
    pub responded_at: Option<Duration>,
    /// The status of the response, the upstream's or a made-up one, delivered or not; absent while there is none.
    pub status: Option<u16>,
    /// The body of the response; empty for a watch.
    pub response: Bytes,
}

impl Exchange {
    /// Returns the client's `User-Agent`.
    #[must_use]
    pub fn user_agent(&self) -> &str {
        self.headers.get("user-agent").and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// Returns whether its method writes.
    #[must_use]
    pub fn is_write(&self) -> bool {
        matches!(self.method.as_str(), "POST" | "PUT" | "PATCH" | "DELETE")
    }

    /// Returns whether it is a Kubernetes watch, whose response does not end.
    #[must_use]
    pub fn is_watch(&self) -> bool {
        let query = self.path.split_once('?').map_or("", |(_, query)| query);
        query.split('&').any(|parameter| matches!(parameter, "watch=1" | "watch=true"))
    }
}
