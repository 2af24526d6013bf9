//! A server that responds by script, on plain threads: the test controls every byte and every disconnect.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use atlas::{CallRecord, Client, ClientSettings, Credentials, Observer, Transport};
use domain::serverless::endpoint::Instance;
use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// A request as it came over the wire.
#[derive(Debug, Clone)]
pub(crate) struct ReceivedRequest {
    pub(crate) method: String,
    pub(crate) target: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
    /// How many requests came before it.
    pub(crate) number: usize,
}

impl ReceivedRequest {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// Returns a parameter of its Digest response, without quotes.
    pub(crate) fn digest(&self, name: &str) -> Option<String> {
        let parameters = self.header("authorization")?.strip_prefix("Digest ")?;
        parameters
            .split(", ")
            .find_map(|part| part.strip_prefix(&format!("{name}=")))
            .map(|value| value.trim_matches('"').to_owned())
    }
}

/// The server's reaction to a request.
#[derive(Debug, Clone)]
pub(crate) enum Reaction {
    /// These bytes, then the next request.
    Send(Vec<u8>),
    /// These bytes, then a disconnect.
    SendAndClose(Vec<u8>),
    /// These bytes, then one more every 20 ms, without end.
    SendAndDrip(Vec<u8>),
    /// These bytes over and over.
    SendWithoutEnd(Vec<u8>, Vec<u8>),
    /// A reset, without a response.
    Reset,
    /// Nothing, for as long as the client waits.
    Hang,
}

/// The running server. It ends with the test's process.
pub(crate) struct Script {
    scheme: &'static str,
    address: SocketAddr,
    seen: Arc<Mutex<Vec<ReceivedRequest>>>,
}

impl Script {
    pub(crate) fn start(react: impl Fn(&ReceivedRequest) -> Reaction + Send + Sync + 'static) -> Self {
        Self::listen("http", |connection| connection, react)
    }

    /// The same behind TLS.
    pub(crate) fn start_tls(
        config: Arc<ServerConfig>,
        react: impl Fn(&ReceivedRequest) -> Reaction + Send + Sync + 'static,
    ) -> Self {
        let wrap =
            move |connection| StreamOwned::new(ServerConnection::new(config.clone()).unwrap(), connection);
        Self::listen("https", wrap, react)
    }

    fn listen<S: Read + Write>(
        scheme: &'static str,
        wrap: impl Fn(TcpStream) -> S + Send + Sync + 'static,
        react: impl Fn(&ReceivedRequest) -> Reaction + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (wrap, react, log) = (Arc::new(wrap), Arc::new(react), seen.clone());
        std::thread::spawn(move || {
            for connection in listener.incoming() {
                let (wrap, react, log) = (wrap.clone(), react.clone(), log.clone());
                std::thread::spawn(move || {
                    let connection = connection.unwrap();
                    serve(wrap(connection.try_clone().unwrap()), connection, &*react, &log);
                });
            }
        });
        Self { scheme, address, seen }
    }

    pub(crate) fn url(&self) -> String {
        format!("{}://{}", self.scheme, self.address)
    }

    pub(crate) fn seen(&self) -> Vec<ReceivedRequest> {
        self.seen.lock().unwrap().clone()
    }

    /// Returns "GET", "GET+" (with an Authorization header), …, in order.
    pub(crate) fn methods(&self) -> Vec<String> {
        let mark = |request: &ReceivedRequest| {
            if request.header("authorization").is_some() { "+" } else { "" }
        };
        self.seen().iter().map(|request| format!("{}{}", request.method, mark(request))).collect()
    }

    pub(crate) fn client(&self) -> (Client, Records) {
        self.client_with(|_| {})
    }

    pub(crate) fn client_with(&self, adjust: impl FnOnce(&mut ClientSettings)) -> (Client, Records) {
        client_of(&self.url(), adjust)
    }
}

/// Returns the default key of the tests.
pub(crate) fn key() -> Credentials {
    Credentials::key("abcdefgh", "1b2c3d4e-private-key").unwrap()
}

pub(crate) fn client_of(url: &str, adjust: impl FnOnce(&mut ClientSettings)) -> (Client, Records) {
    let mut settings = ClientSettings {
        base_url: url.to_owned(),
        timeout: Duration::from_secs(20),
        ..ClientSettings::default()
    };
    adjust(&mut settings);
    let records = Records::default();
    (Client::new(Transport::new(settings, records.observer()).unwrap(), key()), records)
}

/// The calls that the observer got.
#[derive(Clone, Default)]
pub(crate) struct Records(Arc<Mutex<Vec<CallRecord>>>);

impl Records {
    pub(crate) fn observer(&self) -> Observer {
        let records = self.0.clone();
        Arc::new(move |record| records.lock().unwrap().push(record.clone()))
    }

    /// Returns "list 200 2": operation, outcome, requests.
    pub(crate) fn lines(&self) -> Vec<String> {
        let line = |record: &CallRecord| {
            format!("{} {} {}", record.operation.as_str(), record.outcome, record.requests)
        };
        self.0.lock().unwrap().iter().map(line).collect()
    }
}

pub(crate) fn instance() -> Instance {
    Instance { project: "5f7cac1adf5d6c6306f4b200".parse().unwrap(), name: "orders".parse().unwrap() }
}

pub(crate) const PATH: &str =
    "/api/atlas/v1.0/groups/5f7cac1adf5d6c6306f4b200/privateEndpoint/serverless/instance/orders/endpoint";
pub(crate) const ID: &str = "5f7cac1adf5d6c6306f4b283";
pub(crate) const CHALLENGE: &str = r#"WWW-Authenticate: Digest realm="MMS Public API", domain="", nonce="n/+1", algorithm=MD5, qop="auth", stale=false"#;

pub(crate) fn endpoint() -> String {
    format!(
        r#"{{"_id":"{ID}","cloudProviderEndpointId":null,"comment":"c","endpointServiceName":null,"errorMessage":null,"status":"RESERVATION_REQUESTED"}}"#
    )
}

/// Returns an error body as Atlas sends it.
pub(crate) fn atlas_error(status: u16, code: &str, detail: &str) -> String {
    format!(r#"{{"detail":"{detail}","error":{status},"errorCode":"{code}","parameters":null,"reason":"R"}}"#)
}

/// Returns a complete response. `headers` are lines without their ends.
pub(crate) fn bytes(status: u16, headers: &[&str], body: &str) -> Vec<u8> {
    let lines: Vec<&str> = headers.iter().flat_map(|line| [*line, "\r\n"]).collect();
    let lines = lines.concat();
    format!("HTTP/1.1 {status} X\r\nContent-Length: {}\r\n{lines}\r\n{body}", body.len()).into_bytes()
}

pub(crate) fn json(status: u16, body: &str) -> Reaction {
    Reaction::Send(bytes(status, &["Content-Type: application/json"], body))
}

/// Returns a 401 with a challenge and Atlas' body.
pub(crate) fn challenged() -> Reaction {
    Reaction::Send(bytes(
        401,
        &[CHALLENGE],
        &atlas_error(401, "UNEXPECTED_ERROR", "You are not authorized for this resource."),
    ))
}

/// Challenges requests without credentials, and reacts to the others.
pub(crate) fn authenticated(react: impl Fn(&ReceivedRequest) -> Reaction + Send + Sync + 'static) -> Script {
    Script::start(
        move |request| {
            if request.header("authorization").is_none() { challenged() } else { react(request) }
        },
    )
}

/// Serves one connection; `wire` is the bare one below `stream`.
fn serve(
    stream: impl Read + Write,
    wire: TcpStream,
    react: &(impl Fn(&ReceivedRequest) -> Reaction + Send + Sync),
    log: &Mutex<Vec<ReceivedRequest>>,
) {
    let mut reader = BufReader::new(stream);
    while let Some(request) = read(&mut reader, log) {
        let reaction = react(&request);
        let writer = reader.get_mut();
        // A client that has gone is no failure of the server's.
        let _ = match reaction {
            Reaction::Send(bytes) => writer.write_all(&bytes),
            Reaction::SendAndClose(bytes) => {
                let _ = writer.write_all(&bytes);
                let _ = wire.shutdown(Shutdown::Both);
                return;
            }
            Reaction::SendAndDrip(bytes) => {
                let _ = writer.write_all(&bytes);
                while writer.write_all(b" ").is_ok() {
                    std::thread::sleep(Duration::from_millis(20));
                }
                return;
            }
            Reaction::SendWithoutEnd(first, then) => {
                let _ = writer.write_all(&first);
                while writer.write_all(&then).is_ok() {}
                return;
            }
            Reaction::Reset => return reset(wire),
            Reaction::Hang => {
                // Until the client closes its side.
                let _ = reader.read(&mut [0]);
                return;
            }
        };
    }
}

fn read(reader: &mut impl BufRead, log: &Mutex<Vec<ReceivedRequest>>) -> Option<ReceivedRequest> {
    let mut line = String::new();
    reader.read_line(&mut line).ok().filter(|read| *read > 0)?;
    let mut words = line.split(' ');
    let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|read| *read > 0)?;
        match line.trim_end().split_once(": ") {
            Some((name, value)) => headers.push((name.to_ascii_lowercase(), value.to_owned())),
            None => break,
        }
    }
    let length = headers
        .iter()
        .find(|(name, _)| name == "content-length")
        .map_or(0, |(_, value)| value.parse().unwrap());
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let mut log = log.lock().unwrap();
    let body = String::from_utf8(body).unwrap();
    let request = ReceivedRequest { method, target, headers, body, number: log.len() };
    log.push(request.clone());
    Some(request)
}

/// Closes a connection so that the other side gets a reset: with a linger time of zero, which only tokio's sockets offer.
fn reset(connection: TcpStream) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().unwrap();
    let _context = runtime.enter();
    connection.set_nonblocking(true).unwrap();
    tokio::net::TcpStream::from_std(connection).unwrap().set_zero_linger().unwrap();
}
