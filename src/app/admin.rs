//! The admin server: liveness, readiness and metrics of this process.
//!
//! Responds from memory at once and makes no request itself, so a probe costs nothing and no outage of Atlas or of
//! the API server can get the program killed. It shows no object, no project and no setting. Anybody may connect, so
//! the resources of connections are bounded: the newest replaces the oldest, so that a probe gets through whatever
//! other clients do.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use rustix::net::sockopt::set_ipv6_v6only;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio_util::sync::CancellationToken;
use tracing::debug;

use super::readiness::Readiness;
use crate::metrics::Metrics;

const METRICS: &str = "/metrics";

const PLAIN: &str = "text/plain; charset=utf-8";
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The time limit of a connection, for request and response together.
const EXCHANGE_TIMEOUT: Duration = Duration::from_secs(10);

/// The maximum number of open connections. Each takes a task, two buffers and a file descriptor.
const MAX_CONNECTIONS: usize = 32;

/// The maximum number of concurrent scrapes, whose responses take some megabytes with per-object metrics.
const MAX_SCRAPES: usize = 4;

/// The maximum size of a request head, the least that the library accepts.
const MAX_HEAD: usize = 8 * 1024;

/// The minimum time that a connection has for its request, however many connect after it: the delay after every half of the
/// maximum number of connections.
const ACCEPT_INTERVAL: Duration = Duration::from_millis(2);

/// The number of connections that the kernel queues until they are accepted.
const BACKLOG: u32 = 1024;

/// The delay before accepting again when the process has no file descriptor left.
const ACCEPT_BACKOFF: Duration = Duration::from_millis(100);

/// Listens on the address; `[::]` is all of IPv6 and of IPv4, or all of IPv4 on a machine without IPv6.
///
/// # Errors
/// If the address is not this machine's, or is in use.
pub fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    match listen(address) {
        Err(error)
            if error.kind() != io::ErrorKind::AddrInUse
                && address.is_ipv6()
                && address.ip().is_unspecified() =>
        {
            listen((Ipv4Addr::UNSPECIFIED, address.port()).into())
        }
        bound => bound,
    }
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv6() { TcpSocket::new_v6()? } else { TcpSocket::new_v4()? };
    if address.is_ipv6() {
        // Otherwise `[::]` would mean IPv6 alone where the machine's administrator set bindv6only.
        set_ipv6_v6only(&socket, false)?;
    }
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// The newest connections: one beyond the bound closes the oldest.
struct Newest {
    max: usize,
    close: Mutex<VecDeque<CancellationToken>>,
}

impl Newest {
    fn new(max: usize) -> Self {
        Self { max, close: Mutex::default() }
    }

    fn admit(&self, newest: CancellationToken) {
        let mut all = self.close.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= self.max
            && let Some(oldest) = all.pop_front()
        {
            oldest.cancel();
        }
        all.push_back(newest);
    }
}

/// Serves until the task ends.
pub async fn serve(listener: TcpListener, metrics: Metrics, readiness: Readiness) {
    let (connections, scrapes) = (Newest::new(MAX_CONNECTIONS), Arc::new(Newest::new(MAX_SCRAPES)));
    for number in 1_usize.. {
        if number.is_multiple_of(MAX_CONNECTIONS / 2) {
            tokio::time::sleep(ACCEPT_INTERVAL).await;
        }
        match listener.accept().await {
            Ok((stream, _)) => {
                let close = CancellationToken::new();
                connections.admit(close.clone());
                let served =
                    connection(stream, close, Arc::clone(&scrapes), metrics.clone(), readiness.clone());
                tokio::spawn(served);
            }
            Err(error) => {
                debug!(%error, "failed to accept a connection");
                tokio::time::sleep(ACCEPT_BACKOFF).await;
            }
        }
    }
}

async fn connection(
    stream: TcpStream,
    close: CancellationToken,
    scrapes: Arc<Newest>,
    metrics: Metrics,
    readiness: Readiness,
) {
    let service = service_fn(|request: Request<Incoming>| {
        if request.uri().path() == METRICS {
            scrapes.admit(close.clone());
        }
        let response = respond(&request, &metrics, &readiness);
        async move { Ok::<_, Infallible>(response) }
    });
    // One response per connection: an idle client then holds nothing, and `EXCHANGE_TIMEOUT` bounds the whole connection.
    let mut http = http1::Builder::new();
    let served =
        http.keep_alive(false).max_buf_size(MAX_HEAD).serve_connection(TokioIo::new(stream), service);
    tokio::select! {
        // A complete request gets its response, even if the connection is to be closed.
        biased;
        served = tokio::time::timeout(EXCHANGE_TIMEOUT, served) => match served {
            Ok(Ok(())) => {}
            Ok(Err(error)) => debug!(%error, "an exchange with a client of the admin server failed"),
            Err(_) => debug!("an exchange with a client of the admin server timed out"),
        },
        () = close.cancelled() => debug!("closed a connection to the admin server in favor of newer ones"),
    }
}

fn respond<B>(request: &Request<B>, metrics: &Metrics, readiness: &Readiness) -> Response<Full<Bytes>> {
    let (status, content_type, body) = match (request.method(), request.uri().path()) {
        (&Method::GET | &Method::HEAD, "/livez") => (StatusCode::OK, PLAIN, "ok\n".to_owned()),
        (&Method::GET | &Method::HEAD, "/readyz") => {
            let pending = readiness.pending();
            if pending.is_empty() {
                (StatusCode::OK, PLAIN, "ok\n".to_owned())
            } else {
                (StatusCode::SERVICE_UNAVAILABLE, PLAIN, pending.join("\n") + "\n")
            }
        }
        (&Method::GET | &Method::HEAD, METRICS) => match metrics.encode() {
            Ok(text) => (StatusCode::OK, OPEN_METRICS, text),
            Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, PLAIN, format!("{error}\n")),
        },
        (_, "/livez" | "/readyz" | METRICS) => {
            (StatusCode::METHOD_NOT_ALLOWED, PLAIN, "only GET and HEAD are supported\n".to_owned())
        }
        _ => (StatusCode::NOT_FOUND, PLAIN, "there are /livez, /readyz and /metrics\n".to_owned()),
    };
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    /// Sends a request over a real connection. Returns the response's head and body.
    async fn get(address: SocketAddr, line: &str) -> (String, String) {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let request = format!("{line} HTTP/1.1\r\nHost: operator\r\nAccept: text/plain\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).await.unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        (head.to_owned(), body.to_owned())
    }

    fn started() -> (SocketAddr, Metrics, Readiness) {
        let (metrics, readiness) = (Metrics::default(), Readiness::default());
        let listener = bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(serve(listener, metrics.clone(), readiness.clone()));
        (address, metrics, readiness)
    }

    #[tokio::test]
    async fn readyz_names_the_pending_conditions_while_livez_is_ok() {
        let (address, _, readiness) = started();
        readiness.wait_for("watch", "objects are being listed");
        readiness.wait_for("crd", "it is not installed");
        let (head, body) = get(address, "GET /readyz").await;
        assert!(head.starts_with("HTTP/1.1 503 "), "{head}");
        assert_eq!(body, "crd: it is not installed\nwatch: objects are being listed\n");
        assert!(get(address, "GET /livez").await.0.starts_with("HTTP/1.1 200 "));
        readiness.met("crd");
        readiness.met("watch");
        assert!(get(address, "GET /readyz").await.0.starts_with("HTTP/1.1 200 "));
    }

    #[tokio::test]
    async fn metrics_are_openmetrics_for_any_accept_header() {
        let (address, metrics, _) = started();
        metrics.adopted();
        let (head, body) = get(address, "GET /metrics").await;
        assert!(head.to_lowercase().contains(&format!("content-type: {OPEN_METRICS}")), "{head}");
        assert!(body.contains("# TYPE atlas_spe_adoptions counter\n") && body.ends_with("# EOF\n"), "{body}");
        assert!(body.contains("\natlas_spe_adoptions_total 1\n"), "{body}");
    }

    #[tokio::test]
    async fn other_paths_and_methods_are_rejected() {
        let (address, ..) = started();
        assert!(get(address, "GET /").await.0.starts_with("HTTP/1.1 404 "));
        assert!(get(address, "POST /livez").await.0.starts_with("HTTP/1.1 405 "));
        assert_eq!(get(address, "HEAD /livez").await.1, "");
    }

    /// Opens connections one after the other.
    async fn idle(address: SocketAddr, number: usize) -> Vec<TcpStream> {
        let mut open = Vec::new();
        for _ in 0..number {
            open.push(TcpStream::connect(address).await.unwrap());
        }
        open
    }

    /// Fails unless the server closes the connection, well before its time limit.
    async fn assert_closed(stream: &mut TcpStream) {
        let mut byte = [0];
        let read = tokio::time::timeout(EXCHANGE_TIMEOUT / 2, stream.read(&mut byte)).await;
        // Closed, possibly with unread data.
        assert!(matches!(read, Ok(Ok(0) | Err(_))), "{read:?}");
    }

    #[tokio::test]
    async fn a_probe_is_served_beside_500_idle_connections() {
        let (address, ..) = started();
        let mut open = idle(address, 500).await;
        assert!(get(address, "GET /readyz").await.0.starts_with("HTTP/1.1 200 "));
        for stream in &mut open[..500 - MAX_CONNECTIONS] {
            assert_closed(stream).await;
        }
    }

    #[test]
    fn a_connection_beyond_the_bound_closes_the_oldest() {
        let (newest, all) = (Newest::new(2), [(); 3].map(|()| CancellationToken::new()));
        for one in &all {
            newest.admit(one.clone());
        }
        assert_eq!(all.each_ref().map(CancellationToken::is_cancelled), [true, false, false]);
    }

    #[tokio::test]
    async fn the_unspecified_address_accepts_ipv4_and_ipv6() {
        let listener = bind("[::]:0".parse().unwrap()).unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(serve(listener, Metrics::default(), Readiness::default()));
        assert!(get((Ipv4Addr::LOCALHOST, port).into(), "GET /livez").await.0.starts_with("HTTP/1.1 200 "));
    }

    #[tokio::test]
    async fn an_address_in_use_is_an_error() {
        let (address, ..) = started();
        assert_eq!(bind(address).unwrap_err().kind(), io::ErrorKind::AddrInUse);
    }

    #[tokio::test(start_paused = true)]
    async fn a_silent_client_is_disconnected() {
        let (address, ..) = started();
        let mut silent = TcpStream::connect(address).await.unwrap();
        let mut byte = [0];
        assert_eq!(silent.read(&mut byte).await.unwrap(), 0);
    }
}
