//! A fixture: a tiny upstream that counts, a proxy in front of it, and a client that sends one raw request at a time.

use std::io::{Error, ErrorKind};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use testbed::{Proxy, Recording};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

/// For what must happen.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);
/// For what must not happen.
pub(crate) const BRIEFLY: Duration = Duration::from_millis(150);

/// Responds to each request with the number of writes so far, and records the request.
#[derive(Default)]
pub(crate) struct Upstream {
    writes: AtomicUsize,
    seen: Mutex<Vec<String>>,
}

impl Upstream {
    /// Returns all requests, as `POST /path?query body`.
    pub(crate) fn seen(&self) -> Vec<String> {
        self.seen.lock().unwrap().clone()
    }

    async fn respond(
        self: Arc<Self>,
        request: Request<Incoming>,
    ) -> Result<Response<Full<Bytes>>, hyper::Error> {
        let (head, body) = request.into_parts();
        let body = String::from_utf8(body.collect().await?.to_bytes().into()).unwrap();
        let writes = match head.method.as_str() {
            "GET" => self.writes.load(Ordering::SeqCst),
            _ => self.writes.fetch_add(1, Ordering::SeqCst) + 1,
        };
        self.seen.lock().unwrap().push(format!("{} {} {body}", head.method, head.uri).trim().to_owned());
        let mut response = Response::new(Full::from(format!("writes: {writes}")));
        response.headers_mut().insert("x-upstream", "yes".parse().unwrap());
        Ok(response)
    }
}

/// The fixture of a test.
pub(crate) struct ProxyFixture {
    pub(crate) upstream: Arc<Upstream>,
    pub(crate) recording: Arc<Recording>,
    pub(crate) proxy: Proxy,
    address: SocketAddr,
}

impl ProxyFixture {
    pub(crate) async fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let upstream = Arc::new(Upstream::default());
        tokio::spawn(serve(listener, Arc::clone(&upstream)));
        let recording = Arc::new(Recording::default());
        let proxy = Proxy::start("tiny", config(address), &recording).unwrap();
        Self { upstream, recording, proxy, address }
    }

    /// Returns the configuration of the upstream itself, for another proxy.
    pub(crate) fn upstream_config(&self) -> kube::Config {
        config(self.address)
    }

    /// Returns the complete response to one request on a new connection; an error if the connection ends before the
    /// response does.
    pub(crate) async fn send(&self, method: &str, path: &str) -> Result<WireResponse, Error> {
        send(&self.proxy, method, path, "").await
    }
}

fn config(address: SocketAddr) -> kube::Config {
    kube::Config::new(format!("http://{address}").parse().unwrap())
}

async fn serve(listener: TcpListener, upstream: Arc<Upstream>) {
    while let Ok((stream, _)) = listener.accept().await {
        let upstream = Arc::clone(&upstream);
        let service = service_fn(move |request| Arc::clone(&upstream).respond(request));
        tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
    }
}

/// A response as it came over the wire.
#[derive(Debug)]
pub(crate) struct WireResponse {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

pub(crate) async fn send(proxy: &Proxy, method: &str, path: &str, body: &str) -> Result<WireResponse, Error> {
    timeout(PATIENCE, exchange(proxy, method, path, body)).await.expect("neither a response nor an end")
}

/// Raw bytes, so that no client library repeats, pools or repairs anything.
async fn exchange(proxy: &Proxy, method: &str, path: &str, body: &str) -> Result<WireResponse, Error> {
    let address = proxy.url().strip_prefix("http://").unwrap().to_owned();
    let mut stream = TcpStream::connect(&address).await?;
    let length = body.len();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nhost: {address}\r\nuser-agent: fixture\r\nx-mine: yes\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
    );
    stream.write_all(request.as_bytes()).await?;
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).await?;
    let text = String::from_utf8(bytes).unwrap();
    let cut = || Error::new(ErrorKind::UnexpectedEof, text.clone());
    let (head, body) = text.split_once("\r\n\r\n").ok_or_else(cut)?;
    let header = |name: &str| head.lines().find_map(|line| line.strip_prefix(name));
    if let Some(length) = header("content-length: ")
        && length.parse() != Ok(body.len())
    {
        return Err(cut());
    }
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Ok(WireResponse { status, head: head.to_owned(), body: body.to_owned() })
}
