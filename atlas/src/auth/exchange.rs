//! Sends one authenticated request, and the few more that authentication may take.
//!
//! Only a GET is ever sent without proof of the key, so a write is executed at most once, however the server
//! authenticates. A request with a 401 response was not executed, and its repetition is the same request; the send guard
//! is evaluated for each. What a 401 to a Digest response means:
//!
//! | the 401 has | the challenge was | it means | the client |
//! |---|---|---|---|
//! | an Atlas error and no challenge | any | the key is rejected | returns it |
//! | no usable challenge | any | it comes from something before Atlas, or lost its header there | fails as `Unavailable` |
//! | another nonce, stale or not | kept from an earlier call | the nonce expired, or the key is rejected | responds to the fresh challenge |
//! | the same nonce, not stale | issued to this call | the nonce is known: the key is rejected | returns it |
//! | an error code that Atlas has only for known users | issued to this call | the key is rejected | returns it |
//! | another nonce, stale or not | issued to this call | a wrong key, unless the nonce is stale; or two gateways behind a balancer, of which the other one issued the nonce a moment ago | responds to the same challenge once more: the next request reaches the other gateway |
//! | another nonce | used twice, and the key was accepted for this operation in this project, or confirmed by `stale=true` | such gateways, a nonce that expires at once, or a key revoked a moment ago | responds to the fresh challenge; after [`MAX_RESPONSES`] it fails as `Unavailable`; a key that was never confirmed is blamed after a few such calls in a row |
//! | another nonce, stale or not | used twice, and the key was never accepted | not decidable | returns it; the message names both causes |
//!
//! Two gateways that take strict turns thus cost an odd number of requests, so the next call does not start where this
//! one did. A first 401 without a usable challenge proves nothing about the key, which was not sent.
//!
//! Cookies of a response go into the next request of the call, and stay with its challenge: balancers route a request with
//! these cookies to the gateway that issued the nonce.
//!
//! A rejected bearer token is replaced once, where `token` allows it. The token endpoint alone knows whether a service
//! account is valid, so what a 401 to the last token means is weighed as for Digest:
//!
//! | the 401 has | it means | the client |
//! |---|---|---|
//! | an error code that Atlas has only for known users | the account is rejected | returns it |
//! | no Atlas error | it comes from something before Atlas | fails as `Unavailable` |
//! | another Atlas error, and the account was accepted for this operation in this project | a gateway that does not know the token yet, or an account removed a moment ago | fails as `Unavailable`; after a few such calls in a row, returns it |
//! | another Atlas error, and the account was never accepted | the account is rejected | returns it |

use std::time::SystemTime;

use reqwest::header::HeaderValue;
use reqwest::{Method, Url};
use tokio::time::Instant;

use crate::error::{AtlasError, RequestContext};
use crate::http::send_guard::{self, MaySend};
use crate::http::{HttpRequest, RawResponse, TransportError};
use crate::outcome::Outcome;
use crate::transport::Transport;
use crate::{classify, redact, response};

use super::cookies::Cookies;
use super::credentials::Scheme;
use super::digest::Challenge;
use super::token::AccessToken;
use super::www_authenticate::{ChallengeError, choose, schemes};

/// The maximum number of responses of one call to challenges that were issued to it.
const MAX_RESPONSES: u32 = 3;

/// A call in progress.
pub(crate) struct AuthenticatedCall<'a> {
    pub(crate) transport: &'a Transport,
    pub(crate) context: RequestContext<'a>,
    pub(crate) method: Method,
    pub(crate) url: Url,
    /// Where a GET gets a challenge; `None`: at `url`.
    pub(crate) challenge_url: Option<Url>,
    pub(crate) body: Option<Vec<u8>>,
    pub(crate) deadline: Instant,
    /// Evaluated each time the body is written, or the request is handed over if it has none; `None`: it may always be sent.
    pub(crate) may_send: Option<MaySend>,
    /// HTTP requests so far.
    pub(crate) requests: u32,
    /// The cookies that are sent with each request of this call.
    pub(crate) cookies: Cookies,
}

/// A call without a response.
pub(crate) struct Failure {
    pub(crate) error: AtlasError,
    /// Whether the request can have reached the server: false after a 401, and if only an unauthenticated GET was sent.
    pub(crate) was_sent: bool,
    /// Whether the same request may be sent again: it was a GET on a connection that had been idle.
    pub(crate) may_repeat: bool,
}

impl Failure {
    fn before_sending(error: AtlasError) -> Self {
        Self { error, was_sent: false, may_repeat: false }
    }
}

/// The result of an unauthenticated GET.
enum Probe {
    /// The server sent this challenge.
    Challenge(Challenge),
    /// The server needs no authentication. The request itself was not sent yet.
    Open,
    /// The request was this GET, and this is its response.
    Response(RawResponse),
}

impl AuthenticatedCall<'_> {
    /// Returns the response to the request, whatever its status.
    pub(crate) async fn run(&mut self) -> Result<RawResponse, Failure> {
        match self.context.credentials.scheme() {
            Scheme::Digest => self.with_digest().await,
            Scheme::Bearer => self.with_token().await,
        }
    }

    async fn with_digest(&mut self) -> Result<RawResponse, Failure> {
        let key = self.context.credentials.fingerprint();
        let (mut challenge, mut is_own) = match self.transport.challenges().take(key) {
            Some(challenge) => (challenge, false),
            None => match self.probe().await? {
                Probe::Challenge(challenge) => (challenge, true),
                Probe::Open => return self.request(None).await,
                Probe::Response(response) => return Ok(response),
            },
        };
        let (mut responses, mut is_repeat, mut is_key_confirmed) = (0, false, false);
        loop {
            responses += u32::from(is_own);
            let result = self.respond(&mut challenge).await;
            let is_doubtful = |response: &RawResponse| {
                response.status == 401
                    && (!response.challenges.is_empty() || response::error_code(response).is_none())
            };
            if !result.as_ref().is_ok_and(is_doubtful) {
                challenge.cookies = std::mem::take(&mut self.cookies);
                self.transport.challenges().put(key, challenge);
                if let Ok(response) = &result {
                    self.record_acceptance(response);
                }
                return result;
            }
            let mut response = result?;
            let next = match choose(response.challenges.iter().map(String::as_str)) {
                Ok(next) => next,
                Err(_) if is_refused_by_name(&response) => return Ok(response),
                Err(unusable) => {
                    // Something before Atlas sent the 401, so the nonce is still good.
                    challenge.cookies = std::mem::take(&mut self.cookies);
                    self.transport.challenges().put(key, challenge);
                    return Err(self.unusable(&unusable, &response));
                }
            };
            // A gateway may forget a nonce once it has rejected it, so `stale` proves nothing the second time.
            is_key_confirmed |= is_own && !is_repeat && next.is_stale();
            let is_plain = is_own && !next.is_stale();
            if is_plain && (next.nonce() == challenge.nonce() || is_refused_by_name(&response)) {
                return Ok(response);
            }
            if is_repeat && !is_key_confirmed && !self.is_believed() {
                response.is_unknown_nonce_likely = true;
                return Ok(response);
            }
            if responses >= MAX_RESPONSES {
                return Err(self.not_accepted(is_key_confirmed));
            }
            let cookies = std::mem::take(&mut self.cookies);
            if is_own && !is_repeat {
                is_repeat = true;
            } else {
                (challenge, is_own, is_repeat) = (next, true, false);
            }
            challenge.cookies = cookies;
        }
    }

    /// Records a complete success in this project: later 401s are weighed against it.
    fn record_acceptance(&self, response: &RawResponse) {
        if (200..300).contains(&response.status) && response.body.is_ok() {
            let key = self.context.credentials.fingerprint();
            self.transport.acceptances().accepted(key, self.context.project, self.context.operation);
        }
    }

    fn is_believed(&self) -> bool {
        let key = self.context.credentials.fingerprint();
        self.transport.acceptances().is_believed(key, self.context.project, self.context.operation)
    }

    /// Returns the failure of a call for which no nonce was good, although the server confirmed the key or accepted it before.
    fn not_accepted(&self, is_key_confirmed: bool) -> Failure {
        let RequestContext { operation, project, credentials, .. } = self.context;
        let problem = if is_key_confirmed {
            "HTTP 401: the gateway called nonces too old that it had just issued".to_owned()
        } else {
            self.transport.acceptances().doubted(credentials.fingerprint(), project, operation);
            format!(
                "HTTP 401: the gateway does not know the nonces that it issued, or no longer accepts {credentials}"
            )
        };
        Failure::before_sending(self.context.failed(Outcome::Status(401), &problem, ""))
    }

    /// Sends the request with a response to `challenge`.
    async fn respond(&mut self, challenge: &mut Challenge) -> Result<RawResponse, Failure> {
        self.cookies = std::mem::take(&mut challenge.cookies);
        let header = self.authorization(challenge)?;
        let result = self.request(Some(header)).await;
        if matches!(&result, Err(failure) if failure.may_repeat) {
            let header = self.authorization(challenge)?;
            return self.request(Some(header)).await;
        }
        result
    }

    /// Returns the `Authorization` header of the next response to `challenge`.
    fn authorization(&self, challenge: &mut Challenge) -> Result<HeaderValue, Failure> {
        let target = match self.url.query() {
            Some(query) => format!("{}?{query}", self.url.path()),
            None => self.url.path().to_owned(),
        };
        challenge
            .respond(self.context.credentials, self.method.as_str(), &target)
            .ok_or_else(|| self.unauthenticable("no response to the Digest challenge can be computed"))
    }

    /// Requests a challenge by a GET, which changes nothing even if the server executes it: of the same URL, or of one near it
    /// that has a GET.
    async fn probe(&mut self) -> Result<Probe, Failure> {
        let url = self.challenge_url.clone().unwrap_or_else(|| self.url.clone());
        let mut response = self.send(Method::GET, &url, None, None).await;
        if matches!(&response, Err(failed) if failed.may_repeat) {
            response = self.send(Method::GET, &url, None, None).await;
        }
        let response = response.map_err(|failed| self.failure(&failed, false))?;
        if response.status == 401 {
            return match choose(response.challenges.iter().map(String::as_str)) {
                Ok(mut challenge) => {
                    challenge.cookies = std::mem::take(&mut self.cookies);
                    Ok(Probe::Challenge(challenge))
                }
                Err(unusable) => Err(self.unusable(&unusable, &response)),
            };
        }
        if self.method == Method::GET {
            Ok(Probe::Response(response))
        } else if (200..300).contains(&response.status) {
            Ok(Probe::Open)
        } else {
            Err(Failure::before_sending(self.context.rejected(&response::open(response))))
        }
    }

    async fn with_token(&mut self) -> Result<RawResponse, Failure> {
        let (transport, context, deadline) = (self.transport, self.context, self.deadline);
        let tokens = transport.tokens();
        let endpoint = transport.token_endpoint();
        let token = tokens.get(&endpoint, context, deadline).await.map_err(Failure::before_sending)?;
        let response = self.send_with_token(&token).await?;
        if response.status != 401 {
            return Ok(response);
        }
        self.check_schemes(&response)?;
        let acceptances = transport.acceptances();
        let replaced = tokens.replace(&endpoint, context, deadline, &token, acceptances).await;
        let response = match replaced.map_err(Failure::before_sending)? {
            Some(token) => self.send_with_token(&token).await?,
            None => response,
        };
        self.check_rejection(&response)?;
        Ok(response)
    }

    /// Fails for a 401 to the last token that is no evidence against the account.
    fn check_rejection(&self, response: &RawResponse) -> Result<(), Failure> {
        if response.status != 401 || is_refused_by_name(response) {
            return Ok(());
        }
        let RequestContext { operation, project, credentials, .. } = self.context;
        let problem = if response::error_code(response).is_none() {
            self.check_schemes(response)?;
            if schemes(response.challenges.iter().map(String::as_str)).is_empty() {
                return Err(self.unusable(&ChallengeError::None, response));
            }
            "HTTP 401 without an error message of Atlas, although Atlas issued the token".to_owned()
        } else if self.is_believed() {
            self.transport.acceptances().doubted(credentials.fingerprint(), project, operation);
            format!("HTTP 401: the gateway does not know the token, or no longer accepts {credentials}")
        } else {
            return Ok(());
        };
        Err(Failure::before_sending(self.context.failed(Outcome::Status(401), &problem, "")))
    }

    /// Fails for a 401 that has no Atlas error and offers neither scheme of Atlas: it proves nothing about the token.
    fn check_schemes(&self, response: &RawResponse) -> Result<(), Failure> {
        if response.status != 401 || response::error_code(response).is_some() {
            return Ok(());
        }
        let schemes = schemes(response.challenges.iter().map(String::as_str));
        let is_atlas = |scheme: &String| ["bearer", "digest"].contains(&scheme.to_ascii_lowercase().as_str());
        if schemes.is_empty() || schemes.iter().any(is_atlas) {
            return Ok(());
        }
        Err(self.unusable(&ChallengeError::Schemes("Bearer", schemes), response))
    }

    /// Sends the request with this token.
    async fn send_with_token(&mut self, token: &AccessToken) -> Result<RawResponse, Failure> {
        let mut result = self.request(Some(token.header())).await;
        if matches!(&result, Err(failure) if failure.may_repeat) {
            result = self.request(Some(token.header())).await;
        }
        let mut response = result?;
        if !matches!(response.status, 401 | 500..) {
            token.note_accepted();
        }
        self.record_acceptance(&response);
        response.secrets.push(token.secret());
        Ok(response)
    }

    /// Sends the request itself, once.
    async fn request(&mut self, authorization: Option<HeaderValue>) -> Result<RawResponse, Failure> {
        let (method, url, body) = (self.method.clone(), self.url.clone(), self.body.clone());
        self.send(method, &url, authorization, body)
            .await
            .map_err(|failed| self.failure(&failed, failed.was_sent))
    }

    async fn send(
        &mut self,
        method: Method,
        url: &Url,
        authorization: Option<HeaderValue>,
        body: Option<Vec<u8>>,
    ) -> Result<RawResponse, TransportError> {
        let media_type = self.transport.media_type(self.context.operation);
        // A GET changes nothing, and a body is its own guard.
        let guard = self.may_send.clone().filter(|_| method != Method::GET && body.is_none());
        let body = body.map(|content| {
            let body = match &self.may_send {
                Some(may_send) => send_guard::body(content, may_send.clone()),
                None => content.into(),
            };
            (media_type, body)
        });
        let request = HttpRequest {
            method,
            accept: media_type,
            url,
            authorization,
            cookies: self.cookies.header(url.path()),
            body,
            may_send: guard,
            deadline: self.deadline,
        };
        let result = self.transport.http().send(request).await;
        // A request that the guard stopped was not sent.
        if !matches!(&result, Err(failed) if failed.outcome == Outcome::DeadlinePassed) {
            self.requests += 1;
        }
        let mut response = result?;
        let lines = response.cookies.iter().map(Vec::as_slice);
        self.cookies.receive(lines, url.path(), SystemTime::now());
        response.secrets = self.context.credentials.secrets();
        Ok(response)
    }

    fn failure(&self, failed: &TransportError, was_sent: bool) -> Failure {
        let error = self.context.not_delivered(failed);
        Failure { error, was_sent, may_repeat: failed.may_repeat }
    }

    /// Returns the failure for a 401 without a usable challenge, which is not the key's fault.
    fn unusable(&self, unusable: &ChallengeError, response: &RawResponse) -> Failure {
        self.unauthenticable(&redact::clean(&format!("HTTP 401: {unusable}"), &response.secrets))
    }

    fn unauthenticable(&self, detail: &str) -> Failure {
        Failure::before_sending(self.context.failed(Outcome::NoChallenge, "", detail))
    }
}

/// Returns whether Atlas' error code is one that it has only for known users.
fn is_refused_by_name(response: &RawResponse) -> bool {
    response::error_code(response).is_some_and(|code| classify::implies_known_user(&code))
}
