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
//! | another nonce | the same twice, and the key was accepted for this operation in this project, or called right by `stale=true` | such a gateway, a nonce of hardly any life, or the key was revoked a moment ago | answer the fresh challenge; after [`MOST_ANSWERS`] `Unavailable`; if it was never called right, the key is blamed after a few such calls in a row |
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
use super::http::{Answer, Outgoing, Unanswered};
use super::last_moment::{self, MaySend};
use super::token::Token;
use super::transport::Transport;
use super::www_authenticate::{Unusable, choose, schemes};
use super::{classify, reply, text};

/// Answers that one call gives to challenges that were issued to it, at most.
const MOST_ANSWERS: u32 = 3;

/// A call under way.
pub(super) struct Exchange<'a> {
    pub(super) transport: &'a Transport,
    pub(super) context: Context<'a>,
    pub(super) method: Method,
    pub(super) url: Url,
    pub(super) body: Option<Vec<u8>>,
    pub(super) deadline: Instant,
    /// Asked at the moment the body is written, each time; whoever may always send is not asked.
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
enum Asked {
    /// The server wants this challenge answered.
    Challenge(Challenge),
    /// The server wants no authentication, and the request was not sent yet.
    Open,
    /// The request was this very GET, and here is its answer.
    Answered(Answer),
}

impl Exchange<'_> {
    /// The answer to the request, whatever its status.
    pub(super) async fn run(&mut self) -> Result<Answer, Failure> {
        match self.context.credentials.scheme() {
            Scheme::Digest => self.with_digest().await,
            Scheme::Bearer => self.with_token().await,
        }
    }

    async fn with_digest(&mut self) -> Result<Answer, Failure> {
        let key = self.context.credentials.fingerprint();
        let (mut challenge, mut is_own) = match self.transport.challenges().borrow(key) {
            Some(challenge) => (challenge, false),
            None => match self.ask().await? {
                Asked::Challenge(challenge) => (challenge, true),
                Asked::Open => return self.request(None).await,
                Asked::Answered(answer) => return Ok(answer),
            },
        };
        let (mut answered, mut is_second, mut is_called_right) = (0, false, false);
        loop {
            answered += u32::from(is_own);
            let result = self.answering(&mut challenge).await;
            let is_doubtful = |answer: &Answer| {
                answer.status == 401 && (!answer.challenges.is_empty() || reply::error_code(answer).is_none())
            };
            if !result.as_ref().is_ok_and(is_doubtful) {
                challenge.cookies = std::mem::take(&mut self.cookies);
                self.transport.challenges().give_back(key, challenge);
                if let Ok(answer) = &result {
                    self.note(answer);
                }
                return result;
            }
            let mut answer = result?;
            let next = match choose(answer.challenges.iter().map(String::as_str)) {
                Ok(next) => next,
                Err(_) if is_refused_by_name(&answer) => return Ok(answer),
                Err(unusable) => {
                    // Whoever wants other credentials has hardly seen the nonce.
                    challenge.cookies = std::mem::take(&mut self.cookies);
                    self.transport.challenges().give_back(key, challenge);
                    return Err(self.unusable(&unusable, &answer));
                }
            };
            // Who refused a nonce before may well have forgotten it since: that it is called stale says nothing then.
            is_called_right |= is_own && !is_second && next.is_stale();
            let is_plain = is_own && !next.is_stale();
            if is_plain && (next.nonce() == challenge.nonce() || is_refused_by_name(&answer)) {
                return Ok(answer);
            }
            if is_second && !is_called_right && !self.is_believed() {
                answer.is_unknown_nonce_likely = true;
                return Ok(answer);
            }
            if answered >= MOST_ANSWERS {
                return Err(self.not_accepted(is_called_right));
            }
            let cookies = std::mem::take(&mut self.cookies);
            if is_own && !is_second {
                is_second = true;
            } else {
                (challenge, is_own, is_second) = (next, true, false);
            }
            challenge.cookies = cookies;
        }
    }

    /// A success in this project, told to its end, is what later refusals are weighed against.
    fn note(&self, answer: &Answer) {
        if (200..300).contains(&answer.status) && answer.body.is_ok() {
            let key = self.context.credentials.fingerprint();
            self.transport.acceptances().accepted(key, &self.context.at.project, self.context.operation);
        }
    }

    fn is_believed(&self) -> bool {
        let key = self.context.credentials.fingerprint();
        self.transport.acceptances().is_believed(key, &self.context.at.project, self.context.operation)
    }

    /// No nonce of the server was good for a request, and it is not the key that is to blame: the server called it right,
    /// or has accepted it before.
    fn not_accepted(&self, is_called_right: bool) -> Failure {
        let Context { operation, at, credentials, .. } = self.context;
        let problem = if is_called_right {
            "HTTP 401: the gateway called nonces too old that it had just issued".to_owned()
        } else {
            self.transport.acceptances().doubted(credentials.fingerprint(), &at.project, operation);
            format!(
                "HTTP 401: the gateway does not know the nonces that it issued, or no longer accepts {credentials}"
            )
        };
        Failure::before_sending(self.context.failed(Outcome::Status(401), &problem, ""))
    }

    /// The request with the answer to `challenge`.
    async fn answering(&mut self, challenge: &mut Challenge) -> Result<Answer, Failure> {
        self.cookies = std::mem::take(&mut challenge.cookies);
        let header = self.proof(challenge)?;
        let result = self.request(Some(header)).await;
        if matches!(&result, Err(failure) if failure.may_repeat) {
            let header = self.proof(challenge)?;
            return self.request(Some(header)).await;
        }
        result
    }

    /// The `Authorization` header that answers `challenge` once more.
    fn proof(&self, challenge: &mut Challenge) -> Result<HeaderValue, Failure> {
        let target = match self.url.query() {
            Some(query) => format!("{}?{query}", self.url.path()),
            None => self.url.path().to_owned(),
        };
        challenge
            .answer(self.context.credentials, self.method.as_str(), &target)
            .ok_or_else(|| self.unauthenticable("the Digest challenge cannot be answered"))
    }

    /// Asks for a challenge by a GET of the same address: it changes nothing even where it is let through.
    async fn ask(&mut self) -> Result<Asked, Failure> {
        let mut answer = self.send(Method::GET, None, None).await;
        if matches!(&answer, Err(unanswered) if unanswered.may_repeat) {
            answer = self.send(Method::GET, None, None).await;
        }
        let answer = answer.map_err(|unanswered| self.failure(&unanswered, false))?;
        if answer.status == 401 {
            return match choose(answer.challenges.iter().map(String::as_str)) {
                Ok(mut challenge) => {
                    challenge.cookies = std::mem::take(&mut self.cookies);
                    Ok(Asked::Challenge(challenge))
                }
                Err(unusable) => Err(self.unusable(&unusable, &answer)),
            };
        }
        if self.method == Method::GET {
            Ok(Asked::Answered(answer))
        } else if (200..300).contains(&answer.status) {
            Ok(Asked::Open)
        } else {
            Err(Failure::before_sending(self.context.answered(&reply::open(answer))))
        }
    }

    async fn with_token(&mut self) -> Result<Answer, Failure> {
        let (transport, context, deadline) = (self.transport, self.context, self.deadline);
        let tokens = transport.tokens();
        let token = tokens.get(transport, context, deadline).await.map_err(Failure::before_sending)?;
        let answer = self.bearing(&token).await?;
        if answer.status != 401 {
            return Ok(answer);
        }
        self.check_schemes(&answer)?;
        let replaced = tokens.replace(transport, context, deadline, &token).await;
        match replaced.map_err(Failure::before_sending)? {
            Some(token) => {
                let answer = self.bearing(&token).await?;
                self.check_schemes(&answer)?;
                Ok(answer)
            }
            None => Ok(answer),
        }
    }

    /// A 401 that neither Atlas worded nor offers what Atlas takes is of something before it, and says nothing of the token.
    fn check_schemes(&self, answer: &Answer) -> Result<(), Failure> {
        if answer.status != 401 || reply::error_code(answer).is_some() {
            return Ok(());
        }
        let schemes = schemes(answer.challenges.iter().map(String::as_str));
        let is_atlas = |scheme: &String| ["bearer", "digest"].contains(&scheme.to_ascii_lowercase().as_str());
        if schemes.is_empty() || schemes.iter().any(is_atlas) {
            return Ok(());
        }
        Err(self.unusable(&Unusable::Schemes("Bearer", schemes), answer))
    }

    /// The request with this token.
    async fn bearing(&mut self, token: &Token) -> Result<Answer, Failure> {
        let mut result = self.request(Some(token.header())).await;
        if matches!(&result, Err(failure) if failure.may_repeat) {
            result = self.request(Some(token.header())).await;
        }
        let mut answer = result?;
        if !matches!(answer.status, 401 | 500..) {
            token.note_accepted();
        }
        self.note(&answer);
        answer.hidden.push(token.hidden());
        Ok(answer)
    }

    /// The request itself, once.
    async fn request(&mut self, authorization: Option<HeaderValue>) -> Result<Answer, Failure> {
        let (method, body) = (self.method.clone(), self.body.clone());
        self.send(method, authorization, body)
            .await
            .map_err(|unanswered| self.failure(&unanswered, unanswered.was_sent))
    }

    async fn send(
        &mut self,
        method: Method,
        authorization: Option<HeaderValue>,
        body: Option<Vec<u8>>,
    ) -> Result<Answer, Unanswered> {
        let body = body.map(|content| {
            let body = match &self.may_send {
                Some(may_send) => last_moment::body(content, may_send.clone()),
                None => content.into(),
            };
            (self.transport.media_type(), body)
        });
        let request = Outgoing {
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
        if !matches!(&result, Err(unanswered) if unanswered.outcome == Outcome::TooLate) {
            self.requests += 1;
        }
        let mut answer = result?;
        let lines = answer.cookies.iter().map(Vec::as_slice);
        self.cookies.receive(lines, self.url.path(), SystemTime::now());
        answer.hidden = self.context.credentials.hidden();
        Ok(answer)
    }

    fn failure(&self, unanswered: &Unanswered, was_sent: bool) -> Failure {
        let error = self.context.unanswered(unanswered);
        Failure { error, was_sent, may_repeat: unanswered.may_repeat }
    }

    /// A 401 that cannot be answered: it is not the key's fault, which it was not asked for.
    fn unusable(&self, unusable: &Unusable, answer: &Answer) -> Failure {
        self.unauthenticable(&text::clean(&format!("HTTP 401: {unusable}"), &answer.hidden))
    }

    fn unauthenticable(&self, detail: &str) -> Failure {
        Failure::before_sending(self.context.failed(Outcome::NoChallenge, "", detail))
    }
}

/// Atlas says with a code of its own what it misses in somebody whom it knows.
fn is_refused_by_name(answer: &Answer) -> bool {
    reply::error_code(answer).is_some_and(|code| classify::knows_the_user(&code))
}
