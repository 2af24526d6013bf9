//! A request's body that asks, when it is about to be written, whether the request may still be sent.
//!
//! Asking any earlier leaves time between the question and the write: a connection to be made, a thread to be woken, a
//! process that is paused. The connection gathers a request's head and body before it writes either, so a body that
//! refuses keeps the whole request from the wire; and no server executes a request whose body never came. This file
//! decides nothing and must never answer on its own.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use hyper::body::{Body, Bytes, Frame, SizeHint};

/// Whether a request may be sent at this very moment.
pub(super) type MaySend = Arc<dyn Fn() -> bool + Send + Sync>;

/// The content of a request, with the question before it.
struct GuardedBody {
    /// `None` once it was handed over.
    content: Option<Bytes>,
    may_send: MaySend,
}

/// The answer was no: nothing of the request was executed, and nothing will be.
#[derive(Debug, thiserror::Error)]
#[error("the time to send it was over")]
pub(super) struct DeadlinePassed;

/// A body that fails with [`DeadlinePassed`] instead of being written, once `may_send` says no.
pub(super) fn body(content: Vec<u8>, may_send: MaySend) -> reqwest::Body {
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
