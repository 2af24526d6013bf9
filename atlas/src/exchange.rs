//! One authenticated request, and the few more that authentication may take.
//!
//! Only a GET is ever sent without a proof of the key, so a write is executed at most once, whatever the server thinks
//! of authentication. A request answered 401 was not executed, and its repetition is the same request; whether it may
//! still be sent is asked each time. What a 401 to an answered challenge means:
//!
//! | the 401 brings | we had answered | it means | so |
//! |---|---|---|---|
//! | an error of Atlas, and no challenge | any | the key is refused | the end |
//! | no challenge that can be answered | any | it comes from something before Atlas, or lost its header there | `Unavailable` |
//! | another nonce, stale or not | one kept from an earlier call | the nonce is too old, or the key is refused | answer the fresh challenge |
//! | the same nonce, not stale | one issued to this call | the nonce is known: the key is refused | the end |
//! | a code that Atlas has for known users alone | one issued to this call | the key is refused | the end |
//! | another nonce, stale or not | one issued to this call | a wrong key, unless it is called stale; or a gateway that does not know the nonce: there are two behind a balancer, and the other one issued it a moment ago | answer the same challenge once more: the balancer's next turn is the other one's |
//! | another nonce | the same twice, and the key was accepted for this operation in this project, or called right by `stale=true` | such a gateway, a nonce of hardly any life, or the key was revoked a moment ago | answer the fresh challenge; after [`MAX_RESPONSES`] `Unavailable`; if it was never called right, the key is blamed after a few such calls in a row |
//! | another nonce, stale or not | the same twice, and the key was never accepted for it | nobody can tell | the end; the message names both |
//!
//! Two gateways that are asked in strict turn are thus got along with in an odd number of requests, so that the next call
//! does not begin where this one did. A first 401 without a challenge that can be answered says nothing of the key, which
//! was not shown.
//!
//! Cookies of an answer go with the next request of the call, and stay with its challenge: balancers send a request that
//! carries them to the gateway that issued the nonce.
//!
//! A bearer token that is refused is fetched anew once, where `token` allows it.

use std::time::SystemTime;

use reqwest::header::HeaderValue;
use reqwest::{Method, Url};
use tokio::time::Instant;

use super::cookies::Cookies;
use super::credentials::Scheme;
use super::digest::Challenge;
use super::error::{AtlasError, Context, Outcome};
use super::http::{HttpRequest, RawResponse, TransportError};
use super::send_guard::{self, MaySend};
use super::token::Token;
use super::transport::Transport;
use super::www_authenticate::{ChallengeError, choose, schemes};
use super::{classify, redact, response};

/// Answers that one call gives to challenges that were issued to it, at most.
const MAX_RESPONSES: u32 = 3;

/// A call under way.
pub(super) struct Exchange<'a> {
    pub(super) transport: &'a Transport,
    pub(super) context: Context<'a>,
    pub(super) method: Method,
    pub(super) url: Url,
    pub(super) body: Option<Vec<u8>>,
    pub(super) deadline: Instant,
    /// Evaluated at the moment the body is written, each time; whoever may always send is not asked.
    pub(super) may_send: Option<MaySend>,
    /// HTTP requests so far.
    pub(super) requests: u32,
    /// What goes with each request of this call.
    pub(super) cookies: Cookies,
}

/// There is no answer to the request.
pub(super) struct Failure {
    pub(super) error: AtlasError,
    /// Whether the request can have reached the server: not if it was last answered 401, nor if nothing but an
    /// unauthenticated GET was sent.
    pub(super) was_sent: bool,
    /// Whether the same request may be sent once more, because it was a GET on a connection that had been idle.
    pub(super) may_repeat: bool,
}

impl Failure {
    fn before_sending(error: AtlasError) -> Self {
        Self { error, was_sent: false, may_repeat: false }
    }
}

/// What an unauthenticated GET leads to.
enum Probe {
    /// The server wants this challenge answered.
    Challenge(Challenge),
    /// The server wants no authentication, and the request was not sent yet.
    Open,
    /// The request was this very GET, and here is its answer.
    Answered(RawResponse),
}

impl Exchange<'_> {
    /// The answer to the request, whatever its status.
    pub(super) async fn run(&mut self) -> Result<RawResponse, Failure> {
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
                Probe::Answered(response) => return Ok(response),
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
                self.transport.challenges().put_back(key, challenge);
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
                    // Whoever wants other credentials has hardly seen the nonce.
                    challenge.cookies = std::mem::take(&mut self.cookies);
                    self.transport.challenges().put_back(key, challenge);
                    return Err(self.unusable(&unusable, &response));
                }
            };
            // Who refused a nonce before may well have forgotten it since: that it is called stale says nothing then.
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

    /// A success in this project, told to its end, is what later refusals are weighed against.
    fn record_acceptance(&self, response: &RawResponse) {
        if (200..300).contains(&response.status) && response.body.is_ok() {
            let key = self.context.credentials.fingerprint();
            self.transport.acceptances().accepted(
                key,
                &self.context.instance.project,
                self.context.operation,
            );
        }
    }

    fn is_believed(&self) -> bool {
        let key = self.context.credentials.fingerprint();
        self.transport.acceptances().is_believed(key, &self.context.instance.project, self.context.operation)
    }

    /// No nonce of the server was good for a request, and it is not the key that is to blame: the server called it right,
    /// or has accepted it before.
    fn not_accepted(&self, is_key_confirmed: bool) -> Failure {
        let Context { operation, instance, credentials, .. } = self.context;
        let problem = if is_key_confirmed {
            "HTTP 401: the gateway called nonces too old that it had just issued".to_owned()
        } else {
            self.transport.acceptances().doubted(credentials.fingerprint(), &instance.project, operation);
            format!(
                "HTTP 401: the gateway does not know the nonces that it issued, or no longer accepts {credentials}"
            )
        };
        Failure::before_sending(self.context.failed(Outcome::Status(401), &problem, ""))
    }

    /// The request with the answer to `challenge`.
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

    /// The `Authorization` header that answers `challenge` once more.
    fn authorization(&self, challenge: &mut Challenge) -> Result<HeaderValue, Failure> {
        let target = match self.url.query() {
            Some(query) => format!("{}?{query}", self.url.path()),
            None => self.url.path().to_owned(),
        };
        challenge
            .respond(self.context.credentials, self.method.as_str(), &target)
            .ok_or_else(|| self.unauthenticable("the Digest challenge cannot be answered"))
    }

    /// Asks for a challenge by a GET of the same address: it changes nothing even where it is let through.
    async fn probe(&mut self) -> Result<Probe, Failure> {
        let mut response = self.send(Method::GET, None, None).await;
        if matches!(&response, Err(failed) if failed.may_repeat) {
            response = self.send(Method::GET, None, None).await;
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
            Ok(Probe::Answered(response))
        } else if (200..300).contains(&response.status) {
            Ok(Probe::Open)
        } else {
            Err(Failure::before_sending(self.context.rejected(&response::open(response))))
        }
    }

    async fn with_token(&mut self) -> Result<RawResponse, Failure> {
        let (transport, context, deadline) = (self.transport, self.context, self.deadline);
        let tokens = transport.tokens();
        let token = tokens.get(transport, context, deadline).await.map_err(Failure::before_sending)?;
        let response = self.send_with_token(&token).await?;
        if response.status != 401 {
            return Ok(response);
        }
        self.check_schemes(&response)?;
        let replaced = tokens.replace(transport, context, deadline, &token).await;
        match replaced.map_err(Failure::before_sending)? {
            Some(token) => {
                let response = self.send_with_token(&token).await?;
                self.check_schemes(&response)?;
                Ok(response)
            }
            None => Ok(response),
        }
    }

    /// A 401 that neither Atlas worded nor offers what Atlas takes is of something before it, and says nothing of the token.
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

    /// The request with this token.
    async fn send_with_token(&mut self, token: &Token) -> Result<RawResponse, Failure> {
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

    /// The request itself, once.
    async fn request(&mut self, authorization: Option<HeaderValue>) -> Result<RawResponse, Failure> {
        let (method, body) = (self.method.clone(), self.body.clone());
        self.send(method, authorization, body).await.map_err(|failed| self.failure(&failed, failed.was_sent))
    }

    async fn send(
        &mut self,
        method: Method,
        authorization: Option<HeaderValue>,
        body: Option<Vec<u8>>,
    ) -> Result<RawResponse, TransportError> {
        let body = body.map(|content| {
            let body = match &self.may_send {
                Some(may_send) => send_guard::body(content, may_send.clone()),
                None => content.into(),
            };
            (self.transport.media_type(), body)
        });
        let request = HttpRequest {
            method,
            accept: self.transport.media_type(),
            url: &self.url,
            authorization,
            cookies: self.cookies.header(self.url.path()),
            body,
            deadline: self.deadline,
        };
        let result = self.transport.http().send(request).await;
        // What was too late to be sent was no request.
        if !matches!(&result, Err(failed) if failed.outcome == Outcome::DeadlinePassed) {
            self.requests += 1;
        }
        let mut response = result?;
        let lines = response.cookies.iter().map(Vec::as_slice);
        self.cookies.receive(lines, self.url.path(), SystemTime::now());
        response.secrets = self.context.credentials.secrets();
        Ok(response)
    }

    fn failure(&self, failed: &TransportError, was_sent: bool) -> Failure {
        let error = self.context.not_delivered(failed);
        Failure { error, was_sent, may_repeat: failed.may_repeat }
    }

    /// A 401 that cannot be answered: it is not the key's fault, which it was not asked for.
    fn unusable(&self, unusable: &ChallengeError, response: &RawResponse) -> Failure {
        self.unauthenticable(&redact::clean(&format!("HTTP 401: {unusable}"), &response.secrets))
    }

    fn unauthenticable(&self, detail: &str) -> Failure {
        Failure::before_sending(self.context.failed(Outcome::NoChallenge, "", detail))
    }
}

/// Atlas says with a code of its own what it misses in somebody whom it knows.
fn is_refused_by_name(response: &RawResponse) -> bool {
    response::error_code(response).is_some_and(|code| classify::knows_the_user(&code))
}
