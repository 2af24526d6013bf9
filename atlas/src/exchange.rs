//! One authenticated request, and the few more that authentication may take.
//!
//! Only a GET is ever sent without a proof of the key, so a write is executed at most once, whatever the server thinks
//! of authentication. A 401 is answered once, with the fresh challenge or a fresh token, and never looped: a request
//! answered 401 was not executed, and its repetition is the same request.

use reqwest::header::HeaderValue;
use reqwest::{Method, Url};
use tokio::time::Instant;

use super::credentials::Scheme;
use super::digest::Challenge;
use super::error::{AtlasError, Context, Outcome};
use super::http::{Answer, Outgoing, Unanswered};
use super::last_moment::{self, MaySend};
use super::transport::Transport;
use super::www_authenticate::{Unusable, choose};
use super::{reply, text};

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
}

/// There is no answer to the request.
pub(super) struct Failure {
    pub(super) error: AtlasError,
    /// Whether the request can have reached the server: not if it was last answered 401, nor if nothing but an
    /// unauthenticated GET was sent.
    pub(super) was_sent: bool,
}

impl Failure {
    fn before_sending(error: AtlasError) -> Self {
        Self { error, was_sent: false }
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
        let (challenge, is_fresh) = match self.transport.challenges().borrow(key) {
            Some(challenge) => (challenge, false),
            None => match self.ask().await? {
                Asked::Challenge(challenge) => (challenge, true),
                Asked::Open => return self.request(None).await,
                Asked::Answered(answer) => return Ok(answer),
            },
        };
        let answer = self.answering(challenge).await?;
        if answer.status != 401 {
            return Ok(answer);
        }
        match choose(answer.challenges.iter().map(String::as_str)) {
            // A fresh challenge that is refused for another reason than its age means that the key is refused.
            Ok(next) if !is_fresh || next.is_stale() => self.answering(next).await,
            _ => Ok(answer),
        }
    }

    /// The request with the answer to `challenge`, which is kept unless the server sent another one.
    async fn answering(&mut self, mut challenge: Challenge) -> Result<Answer, Failure> {
        let credentials = self.context.credentials;
        let target = match self.url.query() {
            Some(query) => format!("{}?{query}", self.url.path()),
            None => self.url.path().to_owned(),
        };
        let Some(header) = challenge.answer(credentials, self.method.as_str(), &target) else {
            return Err(self.unauthenticable("the Digest challenge cannot be answered"));
        };
        let result = self.request(Some(header)).await;
        let is_replaced =
            matches!(&result, Ok(answer) if answer.status == 401 && !answer.challenges.is_empty());
        if !is_replaced {
            self.transport.challenges().give_back(credentials.fingerprint(), challenge);
        }
        result
    }

    /// Asks for a challenge by a GET of the same address: it changes nothing even where it is let through.
    async fn ask(&mut self) -> Result<Asked, Failure> {
        let answer = self
            .send(Method::GET, None, None)
            .await
            .map_err(|unanswered| self.failure(&unanswered, false))?;
        if answer.status == 401 {
            match choose(answer.challenges.iter().map(String::as_str)) {
                Ok(challenge) => return Ok(Asked::Challenge(challenge)),
                Err(Unusable::None) => {}
                Err(unusable) => {
                    return Err(self.unauthenticable(&text::clean(&unusable.to_string(), &answer.hidden)));
                }
            }
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
        let token = tokens.get(transport, context, deadline, None).await.map_err(Failure::before_sending)?;
        let mut answer = self.request(Some(token.header())).await?;
        answer.hidden.push(token.hidden());
        if answer.status != 401 {
            return Ok(answer);
        }
        let token =
            tokens.get(transport, context, deadline, Some(&token)).await.map_err(Failure::before_sending)?;
        let mut answer = self.request(Some(token.header())).await?;
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
            body,
            deadline: self.deadline,
        };
        let result = self.transport.http().send(request).await;
        // What was too late to be sent was no request.
        if !matches!(&result, Err(unanswered) if unanswered.outcome == Outcome::TooLate) {
            self.requests += 1;
        }
        let mut answer = result?;
        answer.hidden = self.context.credentials.hidden();
        Ok(answer)
    }

    fn failure(&self, unanswered: &Unanswered, was_sent: bool) -> Failure {
        let Unanswered { outcome, problem, detail, .. } = unanswered;
        Failure { error: self.context.failed(*outcome, problem, detail), was_sent }
    }

    fn unauthenticable(&self, detail: &str) -> Failure {
        Failure::before_sending(self.context.failed(Outcome::NoChallenge, "", detail))
    }
}
