//! Serves one exchange from its arrival to its end: records it, takes its action from the recording, performs the action.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use futures::stream::{self, StreamExt};
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Bytes, Frame, Incoming};
use hyper::header::{CONTENT_LENGTH, HeaderName};
use hyper::{HeaderMap, Request, Response};
use kube::client::Body as UpstreamBody;
use tokio::sync::watch::Sender;

use super::action::Action;
use super::exchange::{Exchange, ResponseBody};
use super::recording::Recording;
use super::watches::{WatchControl, stream_through};

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
    pub(super) recording: Arc<Recording>,
    pub(super) upstream: kube::Client,
    pub(super) control: Sender<WatchControl>,
}

/// The upstream's response: complete, or a running watch.
enum UpstreamResponse {
    Whole(Response<Bytes>),
    Watch(Response<ResponseBody>),
}

/// Ends the halt even when the call panics.
struct Resume<'a>(&'a Recording);

impl Drop for Resume<'_> {
    fn drop(&mut self) {
        self.0.resume();
    }
}

impl Server {
    /// Handles a request. An error closes the connection without a response.
    pub(super) async fn serve(self, request: Request<Incoming>) -> Result<Response<ResponseBody>> {
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
            responded_at: None,
            status: None,
            response: Bytes::new(),
        };
        let Some((exchange, action)) = self.recording.admit(exchange).await else {
            bail!("another exchange ended this client");
        };
        let Some(action) = action else {
            return Ok(self.forward(exchange).await?.pass());
        };
        self.perform(exchange, action).await
    }

    async fn perform(&self, exchange: Exchange, action: Action) -> Result<Response<ResponseBody>> {
        match action {
            Action::DropRequest => bail!("dropped before the upstream"),
            Action::DropResponse => {
                self.forward(exchange).await?;
                bail!("dropped after the upstream");
            }
            Action::HangRequest => std::future::pending().await,
            Action::HangResponse => {
                self.forward(exchange).await?;
                std::future::pending().await
            }
            Action::DelayRequest(delay) => {
                // In a task of its own too: a request whose client has given up stays in flight.
                let server = self.clone();
                let delayed = async move {
                    tokio::time::sleep(delay).await;
                    server.forward_once(&exchange).await
                };
                Ok(tokio::spawn(delayed).await??.pass())
            }
            Action::DelayResponse(delay) => {
                let response = self.forward(exchange).await?;
                tokio::time::sleep(delay).await;
                Ok(response.pass())
            }
            Action::Respond(fake) => {
                let mut response = Response::builder().status(fake.status);
                for (name, value) in &fake.headers {
                    response = response.header(name, value);
                }
                let response = response.body(fake.body).context("the planned response is not HTTP")?;
                self.note(&exchange, &response);
                Ok(UpstreamResponse::Whole(response).pass())
            }
            Action::Truncate(length) => self.forward(exchange).await?.break_off(length),
            Action::Stale => {
                let now = self.send(&exchange).await?.into_body().collect().await?.to_bytes();
                let earlier =
                    self.recording.earlier(&exchange, &now).context("there is no earlier response")?;
                let response = Response::builder().status(earlier.status.unwrap_or_default());
                let response = response.header("content-type", "application/json").body(earlier.response)?;
                self.note(&exchange, &response);
                Ok(UpstreamResponse::Whole(response).pass())
            }
            Action::CloseWatches => {
                let response = self.forward(exchange).await?;
                self.control.send_modify(|control| control.closed += 1);
                Ok(response.pass())
            }
            Action::ExpireWatches => {
                let response = self.forward(exchange).await?;
                self.control.send_modify(|control| control.expired += 1);
                Ok(response.pass())
            }
            Action::CallBefore(call) => {
                let _resume = Resume(&self.recording);
                call();
                bail!("ended before the upstream");
            }
            Action::CallAfter(call) => {
                let server = self.clone();
                let called = async move {
                    let _resume = Resume(&server.recording);
                    server.forward_once(&exchange).await?;
                    call();
                    anyhow::Ok(())
                };
                tokio::spawn(called).await??;
                bail!("ended after the upstream");
            }
        }
    }

    /// In a task of its own: a client that disconnects cancels the response, never the effect, and the recording records it
    /// in any case.
    async fn forward(&self, exchange: Exchange) -> Result<UpstreamResponse> {
        let server = self.clone();
        tokio::spawn(async move { server.forward_once(&exchange).await }).await?
    }

    /// Forwards it. The recording does not have the response yet.
    async fn send(&self, exchange: &Exchange) -> Result<Response<UpstreamBody>> {
        let mut request = Request::builder().method(exchange.method.as_str()).uri(&exchange.path);
        if let Some(headers) = request.headers_mut() {
            *headers = end_to_end(&exchange.headers);
        }
        let request = request.body(UpstreamBody::from(exchange.body.clone()))?;
        self.recording.note(exchange.number, |noted| noted.forwarded = true);
        self.upstream.send(request).await.context("the upstream does not respond")
    }

    async fn forward_once(&self, exchange: &Exchange) -> Result<UpstreamResponse> {
        let response = self.send(exchange).await?;
        if exchange.is_watch() && response.status().is_success() {
            let (head, body) = response.into_parts();
            self.recording.note(exchange.number, |noted| noted.status = Some(head.status.as_u16()));
            let body = stream_through(body, self.control.subscribe());
            return Ok(UpstreamResponse::Watch(Response::from_parts(head, body)));
        }
        let (head, body) = response.into_parts();
        let body = body.collect().await.context("the upstream's response breaks off")?.to_bytes();
        let response = Response::from_parts(head, body);
        self.note(exchange, &response);
        Ok(UpstreamResponse::Whole(response))
    }

    fn note(&self, exchange: &Exchange, response: &Response<Bytes>) {
        self.recording.note(exchange.number, |noted| {
            noted.status = Some(response.status().as_u16());
            noted.response = response.body().clone();
        });
    }
}

impl UpstreamResponse {
    /// Returns the response as the upstream sent it.
    fn pass(self) -> Response<ResponseBody> {
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
    fn break_off(self, length: usize) -> Result<Response<ResponseBody>> {
        let Self::Whole(response) = self else { bail!("a watch has no length; close it instead") };
        let (mut head, mut body) = response.into_parts();
        head.headers = end_to_end(&head.headers);
        head.headers.insert(CONTENT_LENGTH, body.len().into());
        body.truncate(length);
        let cut = io::Error::new(io::ErrorKind::UnexpectedEof, "the response breaks off here");
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
