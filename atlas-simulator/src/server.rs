//! HTTP over an accept loop of our own: no library can close a connection before any response, leave it silent, or end
//! it in the middle of a body.
//!
//! An accepted request is handled in its own task, as in a real server: a client that disconnects meanwhile does not
//! stop it.

use std::future::{Future, pending};
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Limited};
use hyper::body::{Body, Frame, Incoming};
use hyper::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, COOKIE, HeaderName};
use hyper::{Request, Response, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio::time::{Sleep, sleep};
use tokio_rustls::TlsAcceptor;

use crate::{
    control,
    response::{HttpResponse, Reply},
    shared::Shared,
    state::IncomingRequest,
};

/// The maximum size of a request body.
const BODY_LIMIT: usize = 1 << 20;

/// Serves connections for ever. Dropping the future ends them all.
pub(crate) async fn serve(listener: TcpListener, tls: Option<TlsAcceptor>, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    loop {
        while connections.try_join_next().is_some() {}
        match listener.accept().await {
            Ok((stream, _)) => {
                // Without it, small responses wait for acknowledgements; an error only costs time.
                let _ = stream.set_nodelay(true);
                let (tls, shared) = (tls.clone(), shared.clone());
                connections.spawn(async move {
                    match tls {
                        None => connection(stream, shared).await,
                        // The client reports a failed handshake.
                        Some(tls) => {
                            if let Ok(stream) = tls.accept(stream).await {
                                connection(stream, shared).await;
                            }
                        }
                    }
                });
            }
            // Out of file descriptors, most likely: wait for some to be freed.
            Err(_) => sleep(Duration::from_millis(10)).await,
        }
    }
}

/// Opens the listening socket.
pub(crate) async fn listen(address: SocketAddr) -> std::io::Result<TcpListener> {
    TcpListener::bind(address).await
}

async fn connection<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(stream: S, shared: Arc<Shared>) {
    let service = service_fn(move |request| {
        let shared = shared.clone();
        async move { handle(shared, request).await }
    });
    // It ends with an error whenever it is closed early, as requested.
    let _ = hyper::server::conn::http1::Builder::new()
        .title_case_headers(true)
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

/// Ends a connection without a response.
#[derive(Debug, thiserror::Error)]
#[error("cut on request")]
struct Cut;

async fn handle(shared: Arc<Shared>, request: Request<Incoming>) -> Result<Response<Payload>, Cut> {
    let (parts, body) = request.into_parts();
    let Ok(body) = Limited::new(body, BODY_LIMIT).collect().await else { return Err(Cut) };
    let text = |name: HeaderName| {
        parts.headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
    };
    let received = IncomingRequest {
        method: parts.method.to_string(),
        path: parts.uri.path().to_owned(),
        query: parts.uri.query().unwrap_or_default().to_owned(),
        authorization: text(AUTHORIZATION),
        cookies: text(COOKIE).unwrap_or_default(),
        accept: text(ACCEPT).unwrap_or_default(),
        content_type: text(CONTENT_TYPE).unwrap_or_default(),
        body: body.to_bytes().to_vec(),
    };
    if received.path == "/control" || received.path.starts_with("/control/") {
        return Ok(render(control::handle(&shared, &received)));
    }
    match tokio::spawn(exchange(shared, received)).await {
        Ok(Reply::Response(response)) => Ok(render(response)),
        Ok(Reply::Hang) => pending().await,
        Ok(Reply::Cut) | Err(_) => Err(Cut),
    }
}

async fn exchange(shared: Arc<Shared>, request: IncomingRequest) -> Reply {
    let admitted = {
        let (mut state, now) = shared.lock();
        state.admit(now, &request)
    };
    if !admitted.delay.is_zero() {
        sleep(admitted.delay).await;
    }
    let reply = {
        let (mut state, now) = shared.lock();
        state.respond(now, &admitted, &request)
    };
    if let Some(after) = admitted.late() {
        tokio::spawn(async move {
            sleep(after).await;
            let (mut state, now) = shared.lock();
            state.execute_late(now, &admitted, &request);
        });
    }
    reply
}

fn render(response: HttpResponse) -> Response<Payload> {
    let mut builder = Response::builder().status(response.status);
    for (name, value) in &response.headers {
        builder = builder.header(*name, value);
    }
    let body = Bytes::from(response.body);
    let payload = if response.cut_in_body {
        builder = builder.header("Content-Length", body.len());
        Payload {
            rest: Some(body.slice(..body.len() / 2)),
            cut: Some(Box::pin(sleep(Duration::from_millis(20)))),
        }
    } else {
        Payload { rest: Some(body), cut: None }
    };
    // Only a control request can have put something into a header that HTTP does not allow.
    builder.body(payload).unwrap_or_else(|_| {
        let mut response = Response::new(Payload { rest: None, cut: None });
        *response.status_mut() = hyper::StatusCode::INTERNAL_SERVER_ERROR;
        response
    })
}

/// A body that can break off: after its bytes it waits until they are sent, then fails.
#[derive(Debug)]
struct Payload {
    rest: Option<Bytes>,
    cut: Option<Pin<Box<Sleep>>>,
}

impl Body for Payload {
    type Data = Bytes;
    type Error = Cut;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        if let Some(bytes) = self.rest.take().filter(|bytes| !bytes.is_empty()) {
            return Poll::Ready(Some(Ok(Frame::data(bytes))));
        }
        match &mut self.cut {
            Some(wait) => {
                ready!(pin!(wait).poll(context));
                Poll::Ready(Some(Err(Cut)))
            }
            None => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.cut.is_none() && self.rest.as_ref().is_none_or(Bytes::is_empty)
    }

    fn size_hint(&self) -> hyper::body::SizeHint {
        let length = self.rest.as_ref().map_or(0, Bytes::len) as u64;
        if self.cut.is_some() {
            hyper::body::SizeHint::new()
        } else {
            hyper::body::SizeHint::with_exact(length)
        }
    }
}
