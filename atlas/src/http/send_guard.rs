//! A request body that checks, when it is about to be written, whether the request may still be sent.
//!
//! An earlier check leaves time between check and write: a connection to be made, a thread to be scheduled, a process that
//! is paused. hyper gathers a request's head and body before it writes either, so a body that fails keeps the whole request
//! off the wire; and no server executes a request whose body never came. `atlas/tests/client/creation.rs` breaks if hyper
//! changes this. This file has no policy of its own.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use hyper::body::{Body, Bytes, Frame, SizeHint};

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
