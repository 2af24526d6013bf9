//! What the cluster asks the program itself: is it alive, is it ready, what has it counted.
//!
//! Answers from memory at once and never asks anybody else, so a probe costs nothing and no outage of Atlas or of the
//! API server can get the program killed. It shows no object, no project and no setting.

use std::convert::Infallible;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE, HeaderValue, VARY};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tracing::debug;

use super::metrics::Metrics;
use super::readiness::Readiness;

const PLAIN: &str = "text/plain; charset=utf-8";
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
const CLASSIC_METRICS: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Whoever takes longer to ask, or to take the answer, is not waited for.
const EXCHANGE: Duration = Duration::from_secs(10);

/// Between two attempts to accept, when the process has no file descriptor left.
const BREATH: Duration = Duration::from_millis(100);

/// Takes the address. On a machine without IPv6, all of IPv4 stands in for all of both.
///
/// # Errors
/// If the address is not this machine's, or is in use.
pub async fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    match TcpListener::bind(address).await {
        Err(error)
            if error.kind() != io::ErrorKind::AddrInUse
                && address.is_ipv6()
                && address.ip().is_unspecified() =>
        {
            TcpListener::bind((Ipv4Addr::UNSPECIFIED, address.port())).await
        }
        bound => bound,
    }
}

/// Serves for ever.
pub async fn serve(listener: TcpListener, metrics: Metrics, readiness: Readiness) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                tokio::spawn(connection(stream, metrics.clone(), readiness.clone()));
            }
            Err(error) => {
                debug!(%error, "failed to accept a connection");
                tokio::time::sleep(BREATH).await;
            }
        }
    }
}

async fn connection(stream: TcpStream, metrics: Metrics, readiness: Readiness) {
    let answer = service_fn(|request: Request<Incoming>| {
        let answer = answer(&request, &metrics, &readiness);
        async move { Ok::<_, Infallible>(answer) }
    });
    // One answer a connection: then an idle client holds nothing, and the time below bounds all of it.
    let served = http1::Builder::new().keep_alive(false).serve_connection(TokioIo::new(stream), answer);
    match tokio::time::timeout(EXCHANGE, served).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => debug!(%error, "an exchange with a client of the admin server broke off"),
        Err(_) => debug!("a client of the admin server took too long"),
    }
}

fn answer<B>(request: &Request<B>, metrics: &Metrics, readiness: &Readiness) -> Response<Full<Bytes>> {
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
        (&Method::GET | &Method::HEAD, "/metrics") => {
            let (content_type, encoded) = if takes_open_metrics(request) {
                (OPEN_METRICS, metrics.encode())
            } else {
                (CLASSIC_METRICS, metrics.encode_classic())
            };
            match encoded {
                Ok(text) => (StatusCode::OK, content_type, text),
                Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, PLAIN, format!("{error}\n")),
            }
        }
        (_, "/livez" | "/readyz" | "/metrics") => {
            (StatusCode::METHOD_NOT_ALLOWED, PLAIN, "only GET and HEAD are answered\n".to_owned())
        }
        _ => (StatusCode::NOT_FOUND, PLAIN, "there are /livez, /readyz and /metrics\n".to_owned()),
    };
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response.headers_mut().insert(VARY, HeaderValue::from_static("Accept"));
    response
}

/// Prometheus says so; curl and older collectors do not.
fn takes_open_metrics<B>(request: &Request<B>) -> bool {
    let mut accepted = request.headers().get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
    accepted.any(|value| value.contains("application/openmetrics-text"))
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    /// Asks over a real connection; the answer's head and body.
    async fn ask(address: SocketAddr, line: &str) -> (String, String) {
        ask_for(address, line, "*/*").await
    }

    async fn ask_for(address: SocketAddr, line: &str, accept: &str) -> (String, String) {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let request = format!("{line} HTTP/1.1\r\nHost: operator\r\nAccept: {accept}\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).await.unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        (head.to_owned(), body.to_owned())
    }

    async fn started() -> (SocketAddr, Metrics, Readiness) {
        let (metrics, readiness) = (Metrics::default(), Readiness::default());
        let listener = bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(serve(listener, metrics.clone(), readiness.clone()));
        (address, metrics, readiness)
    }

    #[tokio::test]
    async fn it_says_what_readiness_waits_for_and_stays_alive_meanwhile() {
        let (address, _, readiness) = started().await;
        readiness.wait_for("watch", "objects are being listed");
        readiness.wait_for("crd", "it is not installed");
        let (head, body) = ask(address, "GET /readyz").await;
        assert!(head.starts_with("HTTP/1.1 503 "), "{head}");
        assert_eq!(body, "crd: it is not installed\nwatch: objects are being listed\n");
        assert!(ask(address, "GET /livez").await.0.starts_with("HTTP/1.1 200 "));
        readiness.met("crd");
        readiness.met("watch");
        assert!(ask(address, "GET /readyz").await.0.starts_with("HTTP/1.1 200 "));
    }

    #[tokio::test]
    async fn metrics_are_served_as_openmetrics_to_those_who_ask_for_it_and_else_as_ever() {
        let (address, metrics, _) = started().await;
        metrics.adopted();
        let prometheus = "application/openmetrics-text;version=1.0.0;q=0.6,text/plain;version=0.0.4;q=0.3";
        let (head, body) = ask_for(address, "GET /metrics", prometheus).await;
        assert!(head.to_lowercase().contains(&format!("content-type: {OPEN_METRICS}")), "{head}");
        assert!(body.contains("# TYPE atlas_spe_adoptions counter\n") && body.ends_with("# EOF\n"), "{body}");
        assert!(body.contains("\natlas_spe_adoptions_total 1\n"), "{body}");
        let (head, body) = ask(address, "GET /metrics").await;
        assert!(head.to_lowercase().contains(&format!("content-type: {CLASSIC_METRICS}")), "{head}");
        assert!(
            body.contains("# TYPE atlas_spe_adoptions_total counter\n") && !body.contains("# EOF"),
            "{body}"
        );
        assert!(body.contains("\natlas_spe_adoptions_total 1\n"), "{body}");
    }

    #[tokio::test]
    async fn anything_else_is_refused() {
        let (address, ..) = started().await;
        assert!(ask(address, "GET /").await.0.starts_with("HTTP/1.1 404 "));
        assert!(ask(address, "POST /livez").await.0.starts_with("HTTP/1.1 405 "));
        assert_eq!(ask(address, "HEAD /livez").await.1, "");
    }

    #[tokio::test]
    async fn an_address_in_use_is_an_error() {
        let (address, ..) = started().await;
        assert_eq!(bind(address).await.unwrap_err().kind(), io::ErrorKind::AddrInUse);
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_says_nothing_is_hung_up_on() {
        let (address, ..) = started().await;
        let mut silent = TcpStream::connect(address).await.unwrap();
        let mut byte = [0];
        assert_eq!(silent.read(&mut byte).await.unwrap(), 0);
    }
}
