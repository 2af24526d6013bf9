//! Shutdown by signals.
//!
//! On the first SIGTERM or SIGINT nothing new starts, not in a running reconcile either, and the Lease is released. A
//! claim is followed by its create request, which completes and is recorded; any other request to Atlas is dropped. A
//! second signal ends the process at once, with 128 plus the signal's number as in a shell (130, 143): a create in
//! flight is then found again by its claim.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

/// Listens for the signals from now on. The first one cancels the returned token.
///
/// # Errors
/// If the signal handlers cannot be installed.
pub fn on_signal() -> io::Result<CancellationToken> {
    let mut signals =
        Signals { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? };
    let requested = CancellationToken::new();
    let token = requested.clone();
    tokio::spawn(async move {
        let first = signals.next().await;
        info!(signal = first.name, "ending: creates in flight finish first; a second signal ends at once");
        requested.cancel();
        let second = signals.next().await;
        warn!(signal = second.name, "ending at once");
        std::process::exit(128 + second.number);
    });
    Ok(token)
}

struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

struct Received {
    name: &'static str,
    number: i32,
}

impl Signals {
    async fn next(&mut self) -> Received {
        tokio::select! {
            _ = self.terminate.recv() => Received { name: "SIGTERM", number: SignalKind::terminate().as_raw_value() },
            _ = self.interrupt.recv() => Received { name: "SIGINT", number: SignalKind::interrupt().as_raw_value() },
        }
    }
}
