//! `spe-operator check`: requests `/readyz` from an operator's admin server. An image from scratch has no curl.
//!
//! One request and one response; it never waits for readiness and never connects to a cluster.

use std::time::Duration;

use http_body_util::{BodyExt, Empty};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::header::HOST;
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use thiserror::Error;
use tokio::net::TcpStream;

/// The time limit of the request; the admin server responds from memory.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Why a check failed.
#[derive(Debug, Error)]
pub enum CheckError {
    /// The operator reports not ready; each line names a pending condition.
    #[error("not ready: {0}")]
    NotReady(String),
    /// There was no response, or it is not from an operator.
    #[error("no response from {0}: {1}")]
    NoResponse(String, String),
}

/// Requests `/readyz` from `host` (a name, or an address of either family) and `port`.
///
/// # Errors
/// If it is not ready, or does not respond.
pub async fn ready(host: &str, port: u16) -> Result<(), CheckError> {
    let no_response = |why: String| CheckError::NoResponse(format!("{host} port {port}"), why);
    let result = tokio::time::timeout(TIMEOUT, request_readyz(host, port)).await;
    let (status, body) = result
        .map_err(|_| no_response(format!("none within {TIMEOUT:?}")))?
        .map_err(|error| no_response(error.to_string()))?;
    match status {
        StatusCode::OK => Ok(()),
        StatusCode::SERVICE_UNAVAILABLE => Err(CheckError::NotReady(body.trim_end().replace('\n', "; "))),
        other => Err(no_response(format!("the status code is {other}, which no operator sends"))),
    }
}

async fn request_readyz(
    host: &str,
    port: u16,
) -> Result<(StatusCode, String), Box<dyn std::error::Error + Send + Sync>> {
    let stream = TcpStream::connect((host, port)).await?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let request = Request::get("/readyz").header(HOST, "operator").body(Empty::<Bytes>::new())?;
    let exchange = async {
        let response = sender.send_request(request).await?;
        let status = response.status();
        let body = response.into_body().collect().await?.to_bytes();
        Ok::<_, hyper::Error>((status, String::from_utf8_lossy(&body).into_owned()))
    };
    // The connection is polled alongside the exchange, and ends with it or with the error that broke it.
    let (response, _) = tokio::join!(exchange, connection);
    Ok(response?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::admin;
    use crate::app::readiness::Readiness;
    use crate::metrics::Metrics;

    #[tokio::test]
    async fn the_pending_conditions_of_an_operator_are_reported() {
        let readiness = Readiness::default();
        let listener = admin::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(admin::serve(listener, Metrics::default(), readiness.clone()));
        readiness.wait_for("crd", "it is not installed");
        readiness.wait_for("watch", "the objects are being listed");
        let error = ready("127.0.0.1", port).await.unwrap_err().to_string();
        assert_eq!(error, "not ready: crd: it is not installed; watch: the objects are being listed");
        readiness.met("crd");
        readiness.met("watch");
        ready("localhost", port).await.unwrap();
    }

    #[tokio::test]
    async fn a_missing_operator_is_reported_with_its_address() {
        let error = ready("127.0.0.1", 1).await.unwrap_err().to_string();
        assert!(error.starts_with("no response from 127.0.0.1 port 1: "), "{error}");
    }
}
