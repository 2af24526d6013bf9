//! Checks, when a request is about to be written, whether it may still be sent.
//!
//! An earlier check leaves time between check and write: a connection to be made, a thread to be scheduled, a process that
//! is paused. hyper gathers a request's head and body before it writes either, so a body that fails keeps the whole request
//! off the wire; and no server executes a request whose body never came. `atlas/tests/client/creation.rs` breaks if hyper
//! changes this.
//!
//! A DELETE has no body. It is checked when it is handed over, and once more when the connection is there that it has to wait
//! for; then hyper writes it without waiting for anything else. This file has no policy of its own.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use hyper::body::{Body, Bytes, Frame, SizeHint};
use tower_service::Service;

/// Returns whether a request may be sent at this moment.
pub(crate) type MaySend = Arc<dyn Fn() -> bool + Send + Sync>;

/// The content of a request, behind its guard.
struct GuardedBody {
    /// `None` once hyper has it.
    content: Option<Bytes>,
    may_send: MaySend,
}

/// The guard stopped the request: nothing was sent, and nothing will be.
#[derive(Debug, thiserror::Error)]
#[error("the time to send it was over")]
pub(crate) struct DeadlinePassed;

/// Returns a body that fails with [`DeadlinePassed`] instead of being written once `may_send` returns false.
pub(crate) fn body(content: Vec<u8>, may_send: MaySend) -> reqwest::Body {
    reqwest::Body::wrap(GuardedBody { content: Some(content.into()), may_send })
}

impl Body for GuardedBody {
    type Data = Bytes;
    type Error = DeadlinePassed;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, DeadlinePassed>>> {
        let frame = self
            .content
            .take()
            .map(|content| if (self.may_send)() { Ok(Frame::data(content)) } else { Err(DeadlinePassed) });
        Poll::Ready(frame)
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.content.as_ref().map_or(0, Bytes::len) as u64)
    }
}

tokio::task_local! {
    static MAY_SEND: MaySend;
}

/// Runs `sending`, a request without a body, so that a connection that is made for it is used only while `may_send` returns true.
pub(crate) async fn watch<F: Future>(may_send: Option<MaySend>, sending: F) -> F::Output {
    match may_send {
        Some(may_send) => MAY_SEND.scope(may_send, sending).await,
        None => sending.await,
    }
}

/// A layer that checks each new connection. hyper calls the connector in the task of the request that waits for it.
#[derive(Clone, Copy)]
pub(crate) struct GuardLayer;

impl<S> tower_layer::Layer<S> for GuardLayer {
    type Service = GuardedConnector<S>;

    fn layer(&self, inner: S) -> GuardedConnector<S> {
        GuardedConnector(inner)
    }
}

/// A connector that fails with [`DeadlinePassed`] once its request may not be sent any more.
#[derive(Clone)]
pub(crate) struct GuardedConnector<S>(S);

type BoxError = Box<dyn std::error::Error + Send + Sync>;

impl<S, R> Service<R> for GuardedConnector<S>
where
    S: Service<R, Error = BoxError>,
    S::Future: Send + 'static,
{
    type Response = S::Response;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, request: R) -> Self::Future {
        let may_send = MAY_SEND.try_with(Clone::clone).ok();
        let connecting = self.0.call(request);
        Box::pin(async move {
            let connection = connecting.await?;
            if may_send.is_some_and(|may_send| !may_send()) {
                Err(DeadlinePassed.into())
            } else {
                Ok(connection)
            }
        })
    }
}
