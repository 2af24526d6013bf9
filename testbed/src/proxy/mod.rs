//! An HTTP proxy on loopback that records every exchange and injects faults.
//!
//! It stands in front of the API server (TLS and the client certificate are the proxy's; its clients use plain HTTP) or
//! of the simulator. It must never repeat, reorder or make up a request: the upstream sees what the client sent.

mod action;
mod exchange;
mod recording;
mod serve;
mod watches;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, Result};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::json;
use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

pub use self::action::{Action, FakeResponse, Hook};
pub use self::exchange::Exchange;
pub use self::recording::Recording;
use self::serve::Server;
use self::watches::WatchControl;
use crate::reaper::Reaper;

/// The maximum number of clients that wait to be accepted.
const BACKLOG: u32 = 1024;

/// A running proxy. It belongs to the runtime that it was started in, and ends when it is dropped.
pub struct Proxy {
    name: String,
    address: SocketAddr,
    control: watch::Sender<WatchControl>,
    server: Server,
    /// Bound and never listening: a closed proxy keeps its port, so that no other program takes it.
    _reserved: TcpSocket,
    /// Accepts connections; absent while closed.
    accepting: Option<JoinHandle<()>>,
}

impl Proxy {
    /// Starts a proxy in front of `upstream`, recording on `recording` under `name`.
    ///
    /// The upstream is a [`kube::Config`] because that speaks both: `control_plane.config()` for the API server,
    /// `kube::Config::new(uri)` for a plain HTTP server.
    ///
    /// # Errors
    /// When no port is free, or the configuration is not usable.
    pub fn start(name: &str, mut upstream: kube::Config, recording: &Arc<Recording>) -> Result<Self> {
        // The client would retry some rejected requests by itself, and use another proxy if the environment has one.
        upstream.default_retry = false;
        upstream.proxy_url = None;
        let control = watch::Sender::new(WatchControl::default());
        let server = Server {
            name: name.to_owned(),
            recording: Arc::clone(recording),
            upstream: kube::Client::try_from(upstream)?,
            control: control.clone(),
        };
        let reserved = bound((Ipv4Addr::LOCALHOST, 0).into()).context("no port for a proxy")?;
        let address = reserved.local_addr()?;
        let mut proxy =
            Self { name: name.to_owned(), address, control, server, _reserved: reserved, accepting: None };
        proxy.open()?;
        Ok(proxy)
    }

    /// Returns its URL, as in `http://127.0.0.1:34567`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Writes a new kubeconfig file that leads through this proxy to an API server.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn kubeconfig_file(&self) -> Result<PathBuf> {
        let kubeconfig = json!({
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "proxy", "cluster": {"server": self.url()}}],
            "users": [{"name": "proxy", "user": {}}],
            "contexts": [{"name": "proxy", "context": {"cluster": "proxy", "user": "proxy"}}],
            "current-context": "proxy",
        });
        let file = format!("{}-{}.kubeconfig", self.name, self.address.port());
        let file = Reaper::get()?.directory().join(file);
        std::fs::write(&file, kubeconfig.to_string())?;
        Ok(file)
    }

    /// Rejects connections and breaks open ones, as a server that is down does, until [`Self::open`].
    pub async fn close(&mut self) {
        if let Some(accepting) = self.accepting.take() {
            accepting.abort();
            // The listener and all connections end with the task.
            let _ = accepting.await;
        }
    }

    /// Accepts connections again after [`Self::close`], at the same address.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn open(&mut self) -> Result<()> {
        if self.accepting.is_none() {
            let listener = bound(self.address)?.listen(BACKLOG)?;
            self.accepting = Some(tokio::spawn(accept(listener, self.server.clone())));
        }
        Ok(())
    }

    /// Ends all running watches as an API server does that shuts down: without an error.
    pub fn close_watches(&self) {
        self.control.send_modify(|control| control.closed += 1);
    }

    /// Ends all running watches with 410 `Expired`, after which a client must list again.
    pub fn expire_watches(&self) {
        self.control.send_modify(|control| control.expired += 1);
    }

    /// Holds back the events of running and new watches, so that caches grow stale, or resumes them. No event is lost.
    pub fn hold_watches(&self, held: bool) {
        self.control.send_modify(|control| control.held = held);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        if let Some(accepting) = &self.accepting {
            accepting.abort();
        }
    }
}

/// Sockets that all set this may be bound to one address. The system gives no program a port that is bound already.
fn bound(address: SocketAddr) -> std::io::Result<TcpSocket> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.set_reuseport(true)?;
    socket.bind(address)?;
    Ok(socket)
}

/// The connections belong to this task: aborting it closes them.
async fn accept(listener: TcpListener, server: Server) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let Ok((stream, _)) = accepted else { continue };
                let server = server.clone();
                let service = service_fn(move |request| server.clone().serve(request));
                connections.spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
            }
            Some(_) = connections.join_next() => {}
        }
    }
}
