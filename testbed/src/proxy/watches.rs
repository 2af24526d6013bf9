//! The watches that pass a proxy: streamed through, and closed, expired or held back when a test says so.

use std::io;

use futures::stream;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::{Bytes, Frame};
use kube::client::Body as UpstreamBody;
use serde_json::json;
use tokio::sync::watch;

use super::action::kubernetes_status;
use super::exchange::ResponseBody;

/// State that all watches of a proxy share. The numbers only ever rise: a watch ends when one is higher than at its
/// start.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct WatchControl {
    pub(super) closed: u64,
    pub(super) expired: u64,
    pub(super) held: bool,
}

struct Watch {
    upstream: UpstreamBody,
    control: watch::Receiver<WatchControl>,
    start: WatchControl,
    over: bool,
}

/// The body of one watch. An upstream that breaks off ends it without an error, as API servers end watches.
pub(super) fn stream_through(
    upstream: UpstreamBody,
    mut control: watch::Receiver<WatchControl>,
) -> ResponseBody {
    let start = *control.borrow_and_update();
    let watch = Watch { upstream, control, start, over: false };
    StreamBody::new(stream::unfold(watch, next)).boxed_unsync()
}

async fn next(mut watch: Watch) -> Option<(io::Result<Frame<Bytes>>, Watch)> {
    while !watch.over {
        let control = *watch.control.borrow_and_update();
        if control.closed > watch.start.closed {
            return None;
        }
        if control.expired > watch.start.expired {
            watch.over = true;
            return Some((Ok(Frame::data(expired())), watch));
        }
        tokio::select! {
            changed = watch.control.changed() => changed.ok()?,
            frame = watch.upstream.frame(), if !control.held => {
                return Some((Ok(frame?.ok()?), watch));
            }
        }
    }
    None
}

/// Returns what an API server sends when it no longer has the version that a watch would continue from.
fn expired() -> Bytes {
    let status: serde_json::Value =
        serde_json::from_slice(&kubernetes_status(410, "Expired")).unwrap_or_default();
    format!("{}\n", json!({"type": "ERROR", "object": status})).into()
}
