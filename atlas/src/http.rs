//! One HTTP request, one answer, and limits on what is read.
//!
//! A request goes out once. No redirects, no retries, no decompression, no proxy of the environment. HTTP/1.1 only, so
//! that a request that hangs or is given up takes no other one with it. This file knows nothing of Atlas.

use std::error::Error;
use std::time::{Duration, SystemTime};

use domain::observed::Sunset;
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use reqwest::{Certificate, Method, Proxy, Url, redirect, retry};
use tokio::time::Instant;

use super::credentials::Secret;
use super::error::Outcome;
use super::last_moment::TooLate;
use super::settings::{ClientSettings, SettingsError};
use super::{retry_after, sunset};

/// The most bytes of an answer that are read.
const LARGEST_BODY: usize = 1024 * 1024;

/// No server on a working network takes longer to accept a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Shorter than what servers and balancers commonly allow (60 s and more), so that a request is rarely sent on a
/// connection that the other side is closing.
const LONGEST_IDLE_CONNECTION: Duration = Duration::from_secs(20);

/// Connections to one server, and the bounds on each request.
pub(super) struct Http {
    client: reqwest::Client,
    /// Host and port, as messages name the server.
    host: String,
    timeout: Duration,
}

/// One request, ready to be sent.
pub(super) struct Outgoing<'a> {
    pub(super) method: Method,
    pub(super) url: &'a Url,
    pub(super) accept: &'static str,
    pub(super) authorization: Option<HeaderValue>,
    /// Media type and content.
    pub(super) body: Option<(&'static str, reqwest::Body)>,
    pub(super) deadline: Instant,
}

/// One answer, as it came.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) challenges: Vec<String>,
    pub(super) retry_after: Option<Duration>,
    pub(super) sunset: Option<Sunset>,
    /// `RateLimit-Remaining`: what is left of the key's limit.
    pub(super) remaining: Option<u64>,
    /// The whole body, or why there is none.
    pub(super) body: Result<Vec<u8>, Outcome>,
    /// What may not be shown of the body.
    pub(super) hidden: Vec<Secret>,
}

#[cfg(any(test, fuzzing))]
impl Answer {
    /// An answer with this status and body, and nothing else to say.
    pub(super) fn of(status: u16, body: &[u8]) -> Self {
        Self {
            status,
            challenges: Vec::new(),
            retry_after: None,
            sunset: None,
            remaining: None,
            body: Ok(body.to_vec()),
            hidden: Vec::new(),
        }
    }
}

/// There was no answer.
pub(super) struct Unanswered {
    pub(super) outcome: Outcome,
    pub(super) problem: String,
    /// What the system or a library says about it.
    pub(super) detail: String,
    /// Whether a part of the request can have been written.
    pub(super) was_sent: bool,
}

impl Http {
    /// Sends nothing yet.
    ///
    /// # Errors
    /// The setting that cannot be used.
    pub(super) fn new(settings: &ClientSettings, base_url: &Url) -> Result<Self, SettingsError> {
        let mut builder = reqwest::Client::builder()
            .tls_certs_only(roots(settings.extra_roots.as_deref())?)
            .https_only(base_url.scheme() == "https")
            .http1_only()
            .redirect(redirect::Policy::none())
            // Nothing that HTTP/1.1 can do is repeated by default; this keeps it so.
            .retry(retry::never())
            .referer(false)
            .no_proxy()
            .connect_timeout(CONNECT_TIMEOUT)
            .pool_idle_timeout(LONGEST_IDLE_CONNECTION)
            .user_agent(concat!("spe-operator/", env!("CARGO_PKG_VERSION")));
        if let Some(proxy) = &settings.proxy {
            builder = builder.proxy(Proxy::all(proxy).map_err(|_| SettingsError::Proxy)?);
        }
        let client = builder.build().map_err(|error| SettingsError::Setup(root_cause(&error).to_string()))?;
        Ok(Self { client, host: base_url.authority().to_owned(), timeout: settings.timeout })
    }

    /// Sends a request once and reads its answer.
    ///
    /// # Errors
    /// There was no answer, and whether a part of the request can have been written.
    pub(super) async fn send(&self, request: Outgoing<'_>) -> Result<Answer, Unanswered> {
        let left = request.deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(Unanswered { was_sent: false, ..self.timed_out() });
        }
        let mut builder = self
            .client
            .request(request.method, request.url.clone())
            .timeout(left)
            .header(ACCEPT, request.accept);
        if let Some(authorization) = request.authorization {
            builder = builder.header(AUTHORIZATION, authorization);
        }
        if let Some((media_type, body)) = request.body {
            builder = builder.header(CONTENT_TYPE, media_type).body(body);
        }
        let response = builder.send().await.map_err(|error| self.unanswered(&error))?;
        let headers = response.headers();
        let challenges = headers
            .get_all(WWW_AUTHENTICATE)
            .iter()
            .filter_map(|line| std::str::from_utf8(line.as_bytes()).ok())
            .map(str::to_owned)
            .collect();
        let retry_after = headers
            .get(RETRY_AFTER)
            .and_then(|value| retry_after::parse(value.to_str().ok()?, SystemTime::now()));
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let sunset = sunset::parse(text("sunset"), text("deprecation"));
        let remaining = text("ratelimit-remaining").and_then(|value| value.trim().parse().ok());
        Ok(Answer {
            status: response.status().as_u16(),
            challenges,
            retry_after,
            sunset,
            remaining,
            body: read(response).await,
            hidden: Vec::new(),
        })
    }

    fn unanswered(&self, error: &reqwest::Error) -> Unanswered {
        let cause = root_cause(error);
        if cause.is::<TooLate>() {
            let problem = cause.to_string();
            return Unanswered { outcome: Outcome::TooLate, problem, detail: String::new(), was_sent: false };
        }
        // Order matters: a connection that was not made in time is both, and nothing was sent.
        if error.is_connect() {
            let problem = format!("no connection to {}", self.host);
            Unanswered { outcome: Outcome::Unreachable, problem, detail: cause.to_string(), was_sent: false }
        } else if error.is_timeout() {
            self.timed_out()
        } else {
            let problem = format!("the connection to {} broke before there was an answer", self.host);
            Unanswered { outcome: Outcome::Interrupted, problem, detail: cause.to_string(), was_sent: true }
        }
    }

    fn timed_out(&self) -> Unanswered {
        let problem = format!("{} did not answer within {:?}", self.host, self.timeout);
        Unanswered { outcome: Outcome::TimedOut, problem, detail: String::new(), was_sent: true }
    }
}

/// The compiled-in roots (a scratch image has no others), and the additional ones.
fn roots(extra: Option<&[u8]>) -> Result<Vec<Certificate>, SettingsError> {
    let setup = |error: reqwest::Error| SettingsError::Setup(root_cause(&error).to_string());
    let mut roots = webpki_root_certs::TLS_SERVER_ROOT_CERTS
        .iter()
        .map(|der| Certificate::from_der(der).map_err(setup))
        .collect::<Result<Vec<_>, _>>()?;
    if let Some(pem) = extra {
        let extra = Certificate::from_pem_bundle(pem)
            .map_err(|error| SettingsError::ExtraRoots(format!("cannot be read: {}", root_cause(&error))))?;
        if extra.is_empty() {
            return Err(SettingsError::ExtraRoots("contain no certificate".to_owned()));
        }
        roots.extend(extra);
    }
    Ok(roots)
}

/// Reads a body to its end or to the limit, whatever `Content-Length` says.
async fn read(mut response: reqwest::Response) -> Result<Vec<u8>, Outcome> {
    let mut body = Vec::new();
    while let Some(chunk) = response
        .chunk()
        .await
        .map_err(|error| if error.is_timeout() { Outcome::TimedOut } else { Outcome::Interrupted })?
    {
        if body.len() + chunk.len() > LARGEST_BODY {
            return Err(Outcome::Oversized);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// The innermost error: "Connection refused", "invalid peer certificate: `UnknownIssuer`". The outer ones repeat the URL.
fn root_cause<'a>(error: &'a (dyn Error + 'static)) -> &'a (dyn Error + 'static) {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_request_whose_time_is_over_is_not_sent_and_says_so() {
        let server = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = Url::parse(&format!("http://{}/", server.local_addr().unwrap())).unwrap();
        let http = Http::new(&ClientSettings::default(), &url).unwrap();
        let deadline = Instant::now();
        let request = |deadline| Outgoing {
            method: Method::GET,
            url: &url,
            accept: "application/json",
            authorization: None,
            body: None,
            deadline,
        };
        let error = http.send(request(deadline)).await.err().unwrap();
        assert_eq!((error.outcome, error.was_sent), (Outcome::TimedOut, false));
        let error = http.send(request(Instant::now() + Duration::from_millis(100))).await.err().unwrap();
        assert_eq!((error.outcome, error.was_sent), (Outcome::TimedOut, true));
    }
}
