//! The log: where it goes and in which form. One place starts it, once, before anything else runs.
//!
//! Everything goes to standard error, one line an occurrence, so that `spe-operator crd` keeps standard output for
//! itself. Secrets have no `Debug` and so never get here, whatever the level.

use std::io::{self, IsTerminal};

use tracing_subscriber::EnvFilter;

use super::settings::{LogFormat, Settings};

/// Starts the log.
pub fn start(settings: &Settings) {
    // The directives were read once already, when the settings were: nothing is lost.
    let filter = EnvFilter::builder().parse_lossy(&settings.log_level);
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr);
    match settings.log_format {
        LogFormat::Text => log.with_ansi(io::stderr().is_terminal()).init(),
        // The span that an occurrence is in says which object it is about; those around it say no more.
        LogFormat::Json => log.json().flatten_event(true).with_span_list(false).init(),
    }
}
