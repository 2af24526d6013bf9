//! A request's body that asks, when it is about to be written, whether the request may still be sent.
//!
//! Asking any earlier leaves time between the question and the write: a connection to be made, a thread to be woken, a
//! process that is paused. The connection gathers a request's head and body before it writes either, so a body that
//! refuses keeps the whole request from the wire; and no server executes a request whose body never came. This file
//! decides nothing and must never answer on its own.

use std::error::Error;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http_body::{Body, Frame, SizeHint};
use hyper::body::Bytes;

/// Whether a request may be sent at this very moment.
pub(super) type MaySend = Arc<dyn Fn() -> bool + Send + Sync>;

/// The content of a request, with the question before it.
pub(super) struct LastMoment {
    /// `None` once it was handed over.
    content: Option<Bytes>,
    may_send: MaySend,
}

impl LastMoment {
    pub(super) fn new(content: Vec<u8>, may_send: MaySend) -> Self {
        Self { content: Some(content.into()), may_send }
    }
}

/// The answer was no: nothing of the request was executed, and nothing will be.
#[derive(Debug)]
pub(super) struct TooLate;

impl fmt::Display for TooLate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the time to send it was over")
    }
}

impl Error for TooLate {}

impl TooLate {
    /// Whether this is why `error` came about.
    pub(super) fn is_cause_of(error: &(dyn Error + 'static)) -> bool {
        std::iter::successors(Some(error), |error: &&(dyn Error + 'static)| (*error).source())
            .any(<dyn Error>::is::<Self>)
    }
}

impl Body for LastMoment {
    type Data = Bytes;
    type Error = TooLate;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, TooLate>>> {
        let frame = self
            .content
            .take()
            .map(|content| if (self.may_send)() { Ok(Frame::data(content)) } else { Err(TooLate) });
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.content.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.content.as_ref().map_or(0, Bytes::len) as u64)
    }
}
