//! Sets up the log, once, before anything else runs.
//!
//! Everything is written to standard error, one line an event, so that standard output is free for `spe-operator
//! crd`. Secrets have no `Debug`, and the target that would log whole responses of the API server is filtered out: no
//! secret is logged, whatever the level.

use std::io::{self, IsTerminal};

use tracing::Metadata;
use tracing_subscriber::filter::{EnvFilter, filter_fn};
use tracing_subscriber::prelude::*;

use super::settings::{LogFormat, Settings};

/// The target to which kube-client logs each body that it cannot decode, at `warn`. It may contain a Secret.
const LOGS_BODIES: &str = "kube_client::client";

/// The target of kube-runtime's span around each reconcile. The span in it is ours and names the same object.
const RECONCILE_SPAN: &str = "kube_runtime::controller";

/// Starts the log.
pub fn start(settings: &Settings) {
    // The settings have already validated the directives, so nothing is lost.
    let filter = EnvFilter::builder().parse_lossy(&settings.log_level);
    let is_wanted = |metadata: &Metadata<'_>| {
        let target = metadata.target();
        target != LOGS_BODIES && !(metadata.is_span() && target == RECONCILE_SPAN)
    };
    let log = tracing_subscriber::registry().with(filter).with(filter_fn(is_wanted));
    let lines = tracing_subscriber::fmt::layer().with_writer(io::stderr);
    match settings.log_format {
        LogFormat::Text => log.with(lines.with_ansi(io::stderr().is_terminal())).init(),
        // The innermost span names the object of an event; the outer spans add nothing.
        LogFormat::Json => log.with(lines.json().flatten_event(true).with_span_list(false)).init(),
    }
}
