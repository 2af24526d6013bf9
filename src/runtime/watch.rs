//! A watch whose every request has a time limit, and that backs off for as long as it fails.
//!
//! kube-runtime limits the silence of an open watch, but neither a listing nor the opening of a watch; its own
//! back-off restarts with each attempt to list. This file does not know which kind is watched.

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

/// The number of objects in a page of a listing. An object may have more than a mebibyte, and a page is held several
/// times over while it is decoded.
const PAGE_SIZE: u32 = 10;

/// The time limit until a response starts.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);

/// The time limit for the body of a response that is no watch.
const BODY_TIMEOUT: Duration = Duration::from_secs(30);

/// The shortest time between two openings of a watch that ends immediately.
const MIN_OPEN_INTERVAL: Duration = Duration::from_secs(1);

/// The group of listings that share one page in memory at a time.
#[derive(Clone, Copy)]
pub(crate) enum Pages {
    /// Listings of our own kind.
    Own,
    /// Listings of the kinds that our objects refer to: their pages may arrive slowly, and our own must not wait for
    /// them.
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

/// Returns the events of the objects of `api`, whose client is a [`bounded`] one.
///
/// Backs off after each error, longer and longer, until the watch itself, and not only its listing, has progressed.
pub(crate) fn events<K>(
    api: Api<K>,
    config: watcher::Config,
) -> impl Stream<Item = watcher::Result<Event<K>>> + Send
where
    K: Resource + Clone + DeserializeOwned + Debug + Send + 'static,
{
    backing_off(watcher(api, config.page_size(PAGE_SIZE)))
}

fn backing_off<K: Send>(
    events: impl Stream<Item = watcher::Result<Event<K>>> + Send,
) -> impl Stream<Item = watcher::Result<Event<K>>> + Send {
    let start = (Box::pin(events), DefaultBackoff::default(), Duration::ZERO);
    stream::unfold(start, |(mut events, mut backoff, delay)| async move {
        sleep(delay).await;
        let event = events.next().await?;
        let delay = match &event {
            Err(_) => backoff.next().unwrap_or(HEAD_TIMEOUT),
            Ok(Event::Apply(_) | Event::Delete(_)) => {
                backoff.reset();
                Duration::ZERO
            }
            // These precede each attempt to list, and a successful listing proves nothing about the watch. The
            // back-off also restarts after two minutes without an error.
            Ok(Event::Init | Event::InitApply(_) | Event::InitDone) => Duration::ZERO,
        };
        Some((event, (events, backoff, delay)))
    })
}

/// Wraps `client` for one watch of `pages`, which reports to `reporter`.
///
/// Limits the wait for the start of every response and, except for a watch, for its end.
pub(crate) fn bounded(client: &Client, reporter: WatchReporter, pages: Pages) -> Client {
    let namespace = client.default_namespace().to_owned();
    Client::new(Bounded { client: client.clone(), reporter, pages, opened: Arc::default() }, namespace)
}

struct Bounded {
    client: Client,
    reporter: WatchReporter,
    pages: Pages,
    /// When the last watch was opened.
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
        let Self { client, reporter, pages, opened } = self;
        let (client, reporter, pages, opened) =
            (client.clone(), reporter.clone(), *pages, Arc::clone(opened));
        Box::pin(async move {
            let is_watch = is_watch(&request);
            if is_watch {
                let earlier = last(&opened);
                if let Some(earlier) = earlier {
                    sleep_until(earlier + MIN_OPEN_INTERVAL).await;
                }
                *opened.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
            }
            let response = timeout(HEAD_TIMEOUT, client.send(request)).await;
            let response =
                response.map_err(|_| timed_out("the API server started no response", HEAD_TIMEOUT))??;
            let status = response.status();
            reporter.responded(is_watch, status.as_u16());
            Ok(response.map(|body| {
                let reading = Reading { body, reporter };
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

fn timed_out(what: &str, after: Duration) -> BoxError {
    io::Error::new(io::ErrorKind::TimedOut, format!("{what} within {after:?}")).into()
}

/// A body that is being read.
struct Reading {
    body: Body,
    reporter: WatchReporter,
}

impl Reading {
    async fn next(&mut self) -> Option<Result<Frame<Bytes>, BoxError>> {
        let frame = Pin::new(&mut self.body).frame().await?;
        if frame.as_ref().is_ok_and(|frame| frame.data_ref().is_some_and(|data| !data.is_empty())) {
            self.reporter.data_received();
        }
        Some(frame.map_err(BoxError::from))
    }
}

/// Streams the body of a watch, and reports it closed when dropped.
fn watch(reading: Reading) -> impl Stream<Item = Result<Frame<Bytes>, BoxError>> + Send {
    struct Open(Reading);
    impl Drop for Open {
        fn drop(&mut self) {
            self.0.reporter.closed();
        }
    }
    stream::unfold(Open(reading), |mut open| async move { Some((open.0.next().await?, open)) })
}

/// Streams any other body.
fn page(reading: Reading, pages: Pages) -> impl Stream<Item = Result<Frame<Bytes>, BoxError>> + Send {
    type PagePermit = Option<(SemaphorePermit<'static>, Instant)>;
    stream::unfold((reading, PagePermit::None), move |(mut reading, page_permit)| async move {
        let (permit, until) = match page_permit {
            Some(page_permit) => page_permit,
            None => (pages.permits().acquire().await.ok()?, Instant::now() + BODY_TIMEOUT),
        };
        let frame = timeout_at(until, reading.next()).await;
        let frame = frame.unwrap_or_else(|_| {
            Some(Err(timed_out("the API server did not complete its response", BODY_TIMEOUT)))
        });
        Some((frame?, (reading, Some((permit, until)))))
    })
}

#[cfg(test)]
#[path = "watch_tests.rs"]
mod tests;
