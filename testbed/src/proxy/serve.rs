//! Serves one exchange from its arrival to its end: records it, takes its action from the tape, performs the action.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use futures::stream::{self, StreamExt};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Bytes, Frame, Incoming};
use hyper::header::{CONTENT_LENGTH, HeaderName};
use hyper::{HeaderMap, Request, Response};
use kube::client::Body as UpstreamBody;
use tokio::sync::watch::Sender;

use super::action::Action;
use super::exchange::Exchange;
use super::tape::Tape;
use super::watches::{Orders, stream_through};

pub(super) type AnswerBody = UnsyncBoxBody<Bytes, io::Error>;

/// Headers that belong to one connection and not to the request or response.
const OF_THE_CONNECTION: [&str; 9] = [
    "connection",
    "host",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// State that every exchange of a proxy needs.
#[derive(Clone)]
pub(super) struct Server {
    pub(super) name: String,
    pub(super) tape: Arc<Tape>,
    pub(super) upstream: kube::Client,
    pub(super) orders: Sender<Orders>,
}

/// The upstream's response: complete, or a running watch.
enum Answered {
    Whole(Response<Bytes>),
    Watch(Response<AnswerBody>),
}

/// Ends the halt even when the call panics.
struct Resume<'a>(&'a Tape);

impl Drop for Resume<'_> {
    fn drop(&mut self) {
        self.0.resume();
    }
}

impl Server {
    /// Handles a request. An error closes the connection without a response.
    pub(super) async fn serve(self, request: Request<Incoming>) -> Result<Response<AnswerBody>> {
        let (head, body) = request.into_parts();
        let exchange = Exchange {
            number: 0,
            at_proxy: 0,
            planned: false,
            effect: None,
            proxy: self.name.clone(),
            at: Duration::ZERO,
            method: head.method.to_string(),
            path: head.uri.path_and_query().map_or_else(|| "/".to_owned(), ToString::to_string),
            headers: head.headers,
            body: body.collect().await.context("the request breaks off")?.to_bytes(),
            forwarded: false,
            answered: None,
            status: None,
            answer: Bytes::new(),
        };
        let Some((exchange, action)) = self.tape.admit(exchange).await else {
            bail!("another exchange ended this client");
        };
        let Some(action) = action else {
            return Ok(self.forward(exchange).await?.pass());
        };
        self.act(exchange, action).await
    }

    async fn act(&self, exchange: Exchange, action: Action) -> Result<Response<AnswerBody>> {
        match action {
            Action::DropRequest => bail!("dropped before the upstream"),
            Action::DropAnswer => {
                self.forward(exchange).await?;
                bail!("dropped after the upstream");
            }
            Action::HangRequest => std::future::pending().await,
            Action::HangAnswer => {
                self.forward(exchange).await?;
                std::future::pending().await
            }
            Action::DelayRequest(delay) => {
                // In a task of its own too: a request whose client has given up stays in flight.
                let server = self.clone();
                let travelling = async move {
                    tokio::time::sleep(delay).await;
                    server.forward_once(&exchange).await
                };
                Ok(tokio::spawn(travelling).await??.pass())
            }
            Action::DelayAnswer(delay) => {
                let answer = self.forward(exchange).await?;
                tokio::time::sleep(delay).await;
                Ok(answer.pass())
            }
            Action::Answer(answer) => {
                let mut response = Response::builder().status(answer.status);
                for (name, value) in &answer.headers {
                    response = response.header(name, value);
                }
                let response = response.body(answer.body).context("the planned answer is not HTTP")?;
                self.note(&exchange, &response);
                Ok(Answered::Whole(response).pass())
            }
            Action::Truncate(length) => self.forward(exchange).await?.break_off(length),
            Action::Stale => {
                let now = self.ask(&exchange).await?.into_body().collect().await?.to_bytes();
                let earlier = self.tape.earlier(&exchange, &now).context("the answer was never another")?;
                let response = Response::builder().status(earlier.status.unwrap_or_default());
                let response = response.header("content-type", "application/json").body(earlier.answer)?;
                self.note(&exchange, &response);
                Ok(Answered::Whole(response).pass())
            }
            Action::CloseWatches => {
                let answer = self.forward(exchange).await?;
                self.orders.send_modify(|orders| orders.closed += 1);
                Ok(answer.pass())
            }
            Action::ExpireWatches => {
                let answer = self.forward(exchange).await?;
                self.orders.send_modify(|orders| orders.expired += 1);
                Ok(answer.pass())
            }
            Action::CallBefore(call) => {
                let _resume = Resume(&self.tape);
                call();
                bail!("ended before the upstream");
            }
            Action::CallAfter(call) => {
                let server = self.clone();
                let ending = async move {
                    let _resume = Resume(&server.tape);
                    server.forward_once(&exchange).await?;
                    call();
                    anyhow::Ok(())
                };
                tokio::spawn(ending).await??;
                bail!("ended after the upstream");
            }
        }
    }

    /// In a task of its own: a client that disconnects cancels the response, never the effect, and the tape records it
    /// in any case.
    async fn forward(&self, exchange: Exchange) -> Result<Answered> {
        let server = self.clone();
        tokio::spawn(async move { server.forward_once(&exchange).await }).await?
    }

    /// Forwards it. The tape does not have the response yet.
    async fn ask(&self, exchange: &Exchange) -> Result<Response<UpstreamBody>> {
        let mut request = Request::builder().method(exchange.method.as_str()).uri(&exchange.path);
        if let Some(headers) = request.headers_mut() {
            *headers = end_to_end(&exchange.headers);
        }
        let request = request.body(UpstreamBody::from(exchange.body.clone()))?;
        self.tape.note(exchange.number, |noted| noted.forwarded = true);
        self.upstream.send(request).await.context("the upstream does not answer")
    }

    async fn forward_once(&self, exchange: &Exchange) -> Result<Answered> {
        let response = self.ask(exchange).await?;
        if exchange.is_watch() && response.status().is_success() {
            let (head, body) = response.into_parts();
            self.tape.note(exchange.number, |noted| noted.status = Some(head.status.as_u16()));
            let body = stream_through(body, self.orders.subscribe());
            return Ok(Answered::Watch(Response::from_parts(head, body)));
        }
        let (head, body) = response.into_parts();
        let body = body.collect().await.context("the upstream's answer breaks off")?.to_bytes();
        let response = Response::from_parts(head, body);
        self.note(exchange, &response);
        Ok(Answered::Whole(response))
    }

    fn note(&self, exchange: &Exchange, response: &Response<Bytes>) {
        self.tape.note(exchange.number, |noted| {
            noted.status = Some(response.status().as_u16());
            noted.answer = response.body().clone();
        });
    }
}

impl Answered {
    /// Returns the response as the upstream sent it.
    fn pass(self) -> Response<AnswerBody> {
        let (mut head, body) = match self {
            Self::Watch(response) => response.into_parts(),
            Self::Whole(response) => {
                let (head, body) = response.into_parts();
                (head, Full::new(body).map_err(|never| match never {}).boxed_unsync())
            }
        };
        head.headers = end_to_end(&head.headers);
        Response::from_parts(head, body)
    }

    /// Returns the response up to this length, under headers that promise all of it.
    fn break_off(self, length: usize) -> Result<Response<AnswerBody>> {
        let Self::Whole(response) = self else { bail!("a watch has no length; close it instead") };
        let (mut head, mut body) = response.into_parts();
        head.headers = end_to_end(&head.headers);
        head.headers.insert(CONTENT_LENGTH, body.len().into());
        body.truncate(length);
        let cut = io::Error::new(io::ErrorKind::UnexpectedEof, "the answer breaks off here");
        let end = async {
            // An error discards what the server has not sent yet: yield, so that it can send.
            tokio::task::yield_now().await;
            Err(cut)
        };
        let frames = stream::once(async { Ok(Frame::data(body)) }).chain(stream::once(end));
        Ok(Response::from_parts(head, StreamBody::new(frames).boxed_unsync()))
    }
}

fn end_to_end(headers: &HeaderMap) -> HeaderMap {
    let of_the_connection = |name: &HeaderName| OF_THE_CONNECTION.contains(&name.as_str());
    headers
        .iter()
        .filter(|(name, _)| !of_the_connection(name))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}
