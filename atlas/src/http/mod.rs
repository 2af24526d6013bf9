//! Sends one HTTP request and reads its response, within limits.
//!
//! A request is sent once. No redirects, no retries, no decompression, no proxy from the environment. Strict in what is
//! sent and read as a response, tolerant of malformed headers that intermediaries add. HTTP/1.1 only, so that a request
//! that hangs or is cancelled affects no other. This file knows nothing of Atlas.

pub(crate) mod authorities;
mod failure;
pub(crate) mod retry_after;
mod reuse;
pub(crate) mod send_guard;
mod sunset;

use std::time::{Duration, SystemTime};

use domain::sunset::Sunset;
use reqwest::header::{
    ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, COOKIE, HeaderValue, RETRY_AFTER,
    SET_COOKIE, WWW_AUTHENTICATE,
};
use reqwest::{Certificate, Method, Proxy, Url, redirect, retry};
use tokio::time::Instant;

use crate::outcome::Outcome;
use crate::redact::SecretText;
use crate::settings::{ClientSettings, SettingsError};

use authorities::Authorities;
use failure::{ConnectFailure, Destination};
use send_guard::{DeadlinePassed, MaySend};

/// The maximum size of a response body.
const MAX_BODY: usize = 1024 * 1024;

/// The connect timeout: no server on a working network takes longer to accept.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Shorter than what servers and balancers commonly allow (60 s and more), so that a request is rarely sent on a
/// connection that the other side is closing.
const POOL_IDLE_TIMEOUT: Duration = Duration::from_secs(20);

/// The maximum number of response headers; chains of proxies exceed hyper's default, 100.
const MAX_HEADERS: usize = 256;

/// Connections to one server, and the limits on each request.
pub(crate) struct Http {
    client: reqwest::Client,
    destination: Destination,
    timeout: Duration,
}

/// One request, ready to be sent.
pub(crate) struct HttpRequest<'a> {
    pub(crate) method: Method,
    pub(crate) url: &'a Url,
    pub(crate) accept: &'static str,
    pub(crate) authorization: Option<HeaderValue>,
    pub(crate) cookies: Option<HeaderValue>,
    /// Media type and content.
    pub(crate) body: Option<(&'static str, reqwest::Body)>,
    /// The guard of a request without a body.
    pub(crate) may_send: Option<MaySend>,
    pub(crate) deadline: Instant,
}

/// One response, as it came.
pub(crate) struct RawResponse {
    pub(crate) status: u16,
    pub(crate) challenges: Vec<String>,
    /// `Set-Cookie` lines.
    pub(crate) cookies: Vec<Vec<u8>>,
    pub(crate) retry_after: Option<Duration>,
    pub(crate) sunset: Option<Sunset>,
    /// `RateLimit-Remaining`: what is left of the credentials' rate limit.
    pub(crate) remaining: Option<u64>,
    /// The whole body, or why there is none.
    pub(crate) body: Result<Vec<u8>, Outcome>,
    /// `Content-Encoding`, where the body was compressed although no request allows it: nothing here decompresses it.
    pub(crate) coding: Option<String>,
    /// A 401 that as likely means that the server does not know its own nonce as that the key is wrong.
    pub(crate) is_unknown_nonce_likely: bool,
    /// The secrets that the body may hold.
    pub(crate) secrets: Vec<SecretText>,
}

#[cfg(any(test, fuzzing))]
impl RawResponse {
    /// Returns a response with this status and body, and no headers.
    pub(crate) fn of(status: u16, body: &[u8]) -> Self {
        Self {
            status,
            challenges: Vec::new(),
            cookies: Vec::new(),
            retry_after: None,
            sunset: None,
            remaining: None,
            body: Ok(body.to_vec()),
            coding: None,
            is_unknown_nonce_likely: false,
            secrets: Vec::new(),
        }
    }
}

/// There was no response.
pub(crate) struct TransportError {
    pub(crate) outcome: Outcome,
    pub(crate) problem: String,
    /// The message of the system or library.
    pub(crate) detail: String,
    /// What a person can do about it, if anything but wait.
    pub(crate) remedy: Option<String>,
    /// Whether a part of the request may have been written.
    pub(crate) was_sent: bool,
    /// A GET that was sent on a connection which had served before, and broke before any response: the server had
    /// closed it while it was idle, so the same request may be sent once more.
    pub(crate) may_repeat: bool,
}

impl TransportError {
    /// Returns the error of a request that its guard stopped.
    fn too_late(cause: &DeadlinePassed) -> Self {
        Self { was_sent: false, ..Self::new(Outcome::DeadlinePassed, cause.to_string()) }
    }

    /// Returns the error of a request that may have arrived.
    fn new(outcome: Outcome, problem: String) -> Self {
        Self { outcome, problem, detail: String::new(), remedy: None, was_sent: true, may_repeat: false }
    }
}

impl Http {
    /// Builds the client; sends nothing.
    ///
    /// # Errors
    /// The invalid setting.
    pub(crate) fn new(
        settings: &ClientSettings,
        base_url: &Url,
        extra: Option<&Authorities>,
    ) -> Result<Self, SettingsError> {
        let mut builder = reqwest::Client::builder()
            .tls_certs_only(roots(extra)?)
            .https_only(base_url.scheme() == "https")
            .http1_only()
            // Headers added by intermediaries may be malformed; curl skips them, too. The head stays bounded: hyper
            // reads 400 KiB of it and no more.
            .http1_allow_spaces_after_header_name_in_responses(true)
            .http1_allow_obsolete_multiline_headers_in_responses(true)
            .http1_ignore_invalid_headers_in_responses(true)
            .http1_max_headers(MAX_HEADERS)
            .connector_layer(reuse::Layer)
            .connector_layer(send_guard::GuardLayer)
            .redirect(redirect::Policy::none())
            // hyper repeats no HTTP/1.1 request by default; this keeps it so.
            .retry(retry::never())
            .referer(false)
            .no_proxy()
            .connect_timeout(CONNECT_TIMEOUT)
            .pool_idle_timeout(POOL_IDLE_TIMEOUT)
            .user_agent(concat!("spe-operator/", env!("CARGO_PKG_VERSION")));
        if let Some(proxy) = &settings.proxy {
            builder = builder.proxy(Proxy::all(proxy).map_err(|_| SettingsError::Proxy)?);
        }
        let client = builder.build().map_err(|error| setup(&error))?;
        let proxy = settings.proxy.as_deref().map(|proxy| proxy_authority(proxy).ok_or(SettingsError::Proxy));
        let destination = Destination { host: base_url.authority().to_owned(), proxy: proxy.transpose()? };
        Ok(Self { client, destination, timeout: settings.timeout })
    }

    /// Sends a request once and reads its response.
    ///
    /// # Errors
    /// There was no response; records whether a part of the request may have been written.
    pub(crate) async fn send(&self, request: HttpRequest<'_>) -> Result<RawResponse, TransportError> {
        let left = request.deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(TransportError { was_sent: false, ..self.timed_out() });
        }
        if request.may_send.as_ref().is_some_and(|may_send| !may_send()) {
            return Err(TransportError::too_late(&DeadlinePassed));
        }
        let is_get = request.method == Method::GET;
        let mut builder = self
            .client
            .request(request.method, request.url.clone())
            .timeout(left)
            .header(ACCEPT, request.accept)
            // Without it any coding would be allowed (RFC 9110 §12.5.3).
            .header(ACCEPT_ENCODING, "identity");
        for (name, value) in [(AUTHORIZATION, request.authorization), (COOKIE, request.cookies)] {
            if let Some(value) = value {
                builder = builder.header(name, value);
            }
        }
        if let Some((media_type, body)) = request.body {
            builder = builder.header(CONTENT_TYPE, media_type).body(body);
        }
        let (is_reused, result) = reuse::watch(send_guard::watch(request.may_send, builder.send())).await;
        let response = result.map_err(|error| {
            let error = self.transport_error(&error);
            let may_repeat = is_get && is_reused && error.outcome == Outcome::Interrupted;
            TransportError { may_repeat, ..error }
        })?;
        let headers = response.headers();
        // Invalid UTF-8 becomes U+FFFD: such a challenge is reported instead of responded to.
        let text = |line: &HeaderValue| String::from_utf8_lossy(line.as_bytes()).into_owned();
        let challenges = headers.get_all(WWW_AUTHENTICATE).iter().map(text).collect();
        let cookies = headers.get_all(SET_COOKIE).iter().map(|line| line.as_bytes().to_vec()).collect();
        let coding = headers
            .get_all(CONTENT_ENCODING)
            .iter()
            .map(text)
            .find(|coding| !coding.trim().is_empty() && !coding.trim().eq_ignore_ascii_case("identity"));
        let retry_after = headers
            .get(RETRY_AFTER)
            .and_then(|value| retry_after::parse(value.to_str().ok()?, SystemTime::now()));
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let sunset = sunset::parse(text("sunset"), text("deprecation"));
        let remaining = text("ratelimit-remaining").and_then(|value| value.trim().parse().ok());
        Ok(RawResponse {
            status: response.status().as_u16(),
            challenges,
            cookies,
            retry_after,
            sunset,
            remaining,
            body: if coding.is_some() { Err(Outcome::Malformed) } else { read(response).await },
            coding,
            is_unknown_nonce_likely: false,
            secrets: Vec::new(),
        })
    }

    fn transport_error(&self, error: &reqwest::Error) -> TransportError {
        let cause = failure::root_cause(error);
        if let Some(cause) = cause.downcast_ref::<DeadlinePassed>() {
            return TransportError::too_late(cause);
        }
        // Order matters: a connection that was not made in time is both, and nothing was sent.
        if error.is_connect() {
            let ConnectFailure { problem, detail, remedy } = self.destination.connect_failure(error);
            let error = TransportError::new(Outcome::Unreachable, problem);
            TransportError { detail, remedy, was_sent: false, ..error }
        } else if error.is_timeout() {
            self.timed_out()
        } else {
            let (problem, detail) = self.destination.interrupted(error);
            TransportError { detail, ..TransportError::new(Outcome::Interrupted, problem) }
        }
    }

    fn timed_out(&self) -> TransportError {
        let problem = format!("{} did not respond within {:?}", self.destination.host, self.timeout);
        TransportError::new(Outcome::TimedOut, problem)
    }
}

/// Returns host and port of a proxy, without the user and password that its URL may hold.
fn proxy_authority(url: &str) -> Option<String> {
    let url = Url::parse(url).ok()?;
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    Some(format!("{}{port}", url.host_str()?))
}

/// Returns the compiled-in roots (a scratch image has no others), and the additional ones.
fn roots(extra: Option<&Authorities>) -> Result<Vec<Certificate>, SettingsError> {
    let extra = extra.into_iter().flat_map(Authorities::certificates);
    webpki_root_certs::TLS_SERVER_ROOT_CERTS
        .iter()
        .map(|der| &der[..])
        .chain(extra)
        .map(|der| Certificate::from_der(der).map_err(|error| setup(&error)))
        .collect()
}

fn setup(error: &reqwest::Error) -> SettingsError {
    SettingsError::Setup(failure::root_cause(error).to_string())
}

/// Reads a body to its end or to the limit, whatever `Content-Length` declares.
async fn read(mut response: reqwest::Response) -> Result<Vec<u8>, Outcome> {
    let mut body = Vec::new();
    while let Some(chunk) = response
        .chunk()
        .await
        .map_err(|error| if error.is_timeout() { Outcome::TimedOut } else { Outcome::Interrupted })?
    {
        if body.len() + chunk.len() > MAX_BODY {
            return Err(Outcome::Oversized);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_request_whose_time_is_over_is_not_sent_and_says_so() {
        let server = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = Url::parse(&format!("http://{}/", server.local_addr().unwrap())).unwrap();
        let http = Http::new(&ClientSettings::default(), &url, None).unwrap();
        let deadline = Instant::now();
        let request = |deadline| HttpRequest {
            method: Method::GET,
            url: &url,
            accept: "application/json",
            authorization: None,
            cookies: None,
            body: None,
            may_send: None,
            deadline,
        };
        let error = http.send(request(deadline)).await.err().unwrap();
        assert_eq!((error.outcome, error.was_sent), (Outcome::TimedOut, false));
        let error = http.send(request(Instant::now() + Duration::from_millis(100))).await.err().unwrap();
        assert_eq!((error.outcome, error.was_sent), (Outcome::TimedOut, true));
    }
}
