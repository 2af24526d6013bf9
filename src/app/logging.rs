//! The log: where it goes and in which form. One place starts it, once, before anything else runs.
//!
//! Everything goes to standard error, one line an occurrence, so that `spe-operator crd` keeps standard output for
//! itself. Secrets have no `Debug`, and what would log the API server's answers as a whole is shut out: no secret gets here,
//! whatever the level.

use std::io::{self, IsTerminal};

use tracing::Metadata;
use tracing_subscriber::filter::{EnvFilter, filter_fn};
use tracing_subscriber::prelude::*;

use super::settings::{LogFormat, Settings};

/// Where kube-client logs each body that it cannot decode, at `warn`. A Secret may be in one.
const LOGS_BODIES: &str = "kube_client::client";

/// Where kube-runtime opens a span around each reconcile. The span in it is ours and names the same object.
const RECONCILE_SPAN: &str = "kube_runtime::controller";

/// Starts the log.
pub fn start(settings: &Settings) {
    // The directives were read once already, when the settings were: nothing is lost.
    let filter = EnvFilter::builder().parse_lossy(&settings.log_level);
    let is_wanted = |metadata: &Metadata<'_>| {
        let target = metadata.target();
        target != LOGS_BODIES && !(metadata.is_span() && target == RECONCILE_SPAN)
    };
    let log = tracing_subscriber::registry().with(filter).with(filter_fn(is_wanted));
    let lines = tracing_subscriber::fmt::layer().with_writer(io::stderr);
    match settings.log_format {
        LogFormat::Text => log.with(lines.with_ansi(io::stderr().is_terminal())).init(),
        // The span that an occurrence is in says which object it is about; those around it say no more.
        LogFormat::Json => log.with(lines.json().flatten_event(true).with_span_list(false)).init(),
    }
}
