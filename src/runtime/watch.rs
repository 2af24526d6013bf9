//! A watch whose every request is bounded in time, and that backs off for as long as it fails.
//!
//! kube-runtime bounds the silence of an open watch, and neither a listing nor the wait until a watch is open; its own back-off
//! begins anew with each attempt to list. Nothing here knows what is watched.

use std::fmt::Debug;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use futures::future::BoxFuture;
use futures::{Stream, StreamExt, stream};
use http::{Request, Response};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::{Bytes, Frame};
use kube::client::Body;
use kube::runtime::utils::Backoff;
use kube::runtime::watcher::{self, DefaultBackoff, Event, watcher};
use kube::{Api, Client, Resource};
use serde::de::DeserializeOwned;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::{Instant, sleep, sleep_until, timeout, timeout_at};
use tower::{BoxError, Service};

use super::watch_health::WatchReporter;

/// Objects of a page of a listing. One may have more than a mebibyte, and a page is held some times over while it is decoded.
const PAGE: u32 = 10;

/// The bound on the wait until an answer begins.
const HEAD: Duration = Duration::from_secs(30);

/// The bound on the time that the body of an answer takes which is no watch.
const BODY: Duration = Duration::from_secs(30);

/// A watch that ends as soon as it is open is not opened more often than that.
const BETWEEN: Duration = Duration::from_secs(1);

/// Of which listings one page at a time is held.
#[derive(Clone, Copy)]
pub(crate) enum Pages {
    /// Of our own kind.
    Own,
    /// Of the kinds that our objects refer to: their pages may come slowly, and our own do not wait for them.
    Referenced,
}

static OWN: Semaphore = Semaphore::const_new(1);
static REFERENCED: Semaphore = Semaphore::const_new(1);

impl Pages {
    fn permits(self) -> &'static Semaphore {
        match self {
            Self::Own => &OWN,
            Self::Referenced => &REFERENCED,
        }
    }
}

/// What happens to the objects of `api`, whose client is a [`bounded`] one. After an error it pauses: longer and longer,
/// until the watch itself, not only its listing, has gone on.
pub(crate) fn events<K>(
    api: Api<K>,
    config: watcher::Config,
) -> impl Stream<Item = watcher::Result<Event<K>>> + Send
where
    K: Resource + Clone + DeserializeOwned + Debug + Send + 'static,
{
    backing_off(watcher(api, config.page_size(PAGE)))
}

fn backing_off<K: Send>(
    events: impl Stream<Item = watcher::Result<Event<K>>> + Send,
) -> impl Stream<Item = watcher::Result<Event<K>>> + Send {
    let start = (Box::pin(events), DefaultBackoff::default(), Duration::ZERO);
    stream::unfold(start, |(mut events, mut backoff, pause)| async move {
        sleep(pause).await;
        let event = events.next().await?;
        let pause = match &event {
            Err(_) => backoff.next().unwrap_or(HEAD),
            Ok(Event::Apply(_) | Event::Delete(_)) => {
                backoff.reset();
                Duration::ZERO
            }
            // These come before each attempt to list, and a listing that works says nothing about the watch. What lasted
            // for two minutes without an error begins anew too.
            Ok(Event::Init | Event::InitApply(_) | Event::InitDone) => Duration::ZERO,
        };
        Some((event, (events, backoff, pause)))
    })
}

/// `client` for one watch of `pages`, of which `line` is told. No answer is waited for without end: neither for its beginning nor, if it
/// is no watch, for its end.
pub(crate) fn bounded(client: &Client, line: WatchReporter, pages: Pages) -> Client {
    let namespace = client.default_namespace().to_owned();
    Client::new(Bounded { client: client.clone(), line, pages, opened: Arc::default() }, namespace)
}

struct Bounded {
    client: Client,
    line: WatchReporter,
    pages: Pages,
    /// When a watch was opened last.
    opened: Arc<Mutex<Option<Instant>>>,
}

impl Service<Request<Body>> for Bounded {
    type Response = Response<UnsyncBoxBody<Bytes, BoxError>>;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<Self::Response, BoxError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let Self { client, line, pages, opened } = self;
        let (client, line, pages, opened) = (client.clone(), line.clone(), *pages, Arc::clone(opened));
        Box::pin(async move {
            let is_watch = is_watch(&request);
            if is_watch {
                let earlier = last(&opened);
                if let Some(earlier) = earlier {
                    sleep_until(earlier + BETWEEN).await;
                }
                *opened.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
            }
            let answer = timeout(HEAD, client.send(request)).await;
            let answer = answer.map_err(|_| late("no answer of the API server began", HEAD))??;
            let status = answer.status();
            line.answered(is_watch, status.as_u16());
            Ok(answer.map(|body| {
                let reading = Reading { body, line };
                if is_watch && status.is_success() {
                    StreamBody::new(watch(reading)).boxed_unsync()
                } else {
                    StreamBody::new(page(reading, pages)).boxed_unsync()
                }
            }))
        })
    }
}

fn last(opened: &Mutex<Option<Instant>>) -> Option<Instant> {
    *opened.lock().unwrap_or_else(PoisonError::into_inner)
}

fn is_watch(request: &Request<Body>) -> bool {
    request.uri().query().is_some_and(|query| query.split('&').any(|parameter| parameter == "watch=true"))
}

fn late(what: &str, after: Duration) -> BoxError {
    io::Error::new(io::ErrorKind::TimedOut, format!("{what} within {after:?}")).into()
}

/// A body on its way.
struct Reading {
    body: Body,
    line: WatchReporter,
}

impl Reading {
    async fn next(&mut self) -> Option<Result<Frame<Bytes>, BoxError>> {
        let frame = Pin::new(&mut self.body).frame().await?;
        self.line.heard();
        Some(frame.map_err(BoxError::from))
    }
}

/// The body of a watch. That it is open no longer is known when it is dropped.
fn watch(reading: Reading) -> impl Stream<Item = Result<Frame<Bytes>, BoxError>> + Send {
    struct Open(Reading);
    impl Drop for Open {
        fn drop(&mut self) {
            self.0.line.closed();
        }
    }
    stream::unfold(Open(reading), |mut open| async move { Some((open.0.next().await?, open)) })
}

/// Any other body.
fn page(reading: Reading, pages: Pages) -> impl Stream<Item = Result<Frame<Bytes>, BoxError>> + Send {
    type Turn = Option<(SemaphorePermit<'static>, Instant)>;
    stream::unfold((reading, Turn::None), move |(mut reading, turn)| async move {
        let (permit, until) = match turn {
            Some(turn) => turn,
            None => (pages.permits().acquire().await.ok()?, Instant::now() + BODY),
        };
        let frame = timeout_at(until, reading.next()).await;
        let frame =
            frame.unwrap_or_else(|_| Some(Err(late("the answer of the API server was not complete", BODY))));
        Some((frame?, (reading, Some((permit, until)))))
    })
}

#[cfg(test)]
#[path = "watch_tests.rs"]
mod tests;
