//! The log: one line an occurrence, to standard error. Secrets have no `Debug`, so none can get here.

use tracing_subscriber::EnvFilter;

use super::settings::LogFormat;

/// Starts logging.
///
/// # Errors
/// If `level` is not a level or a list of directives.
pub fn start(format: LogFormat, level: &str) -> Result<(), String> {
    // The client's own errors are reported where they matter; at `info` they would be told twice.
    let directives =
        if level.contains(['=', ',']) { level.to_owned() } else { format!("{level},kube_client=warn") };
    let filter = EnvFilter::try_new(&directives).map_err(|error| {
        format!("--log-level {level:?} is neither a level (error, warn, info, debug, trace) nor a list of directives: {error}")
    })?;
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    match format {
        LogFormat::Text => log.init(),
        LogFormat::Json => log.json().flatten_event(true).init(),
    }
    Ok(())
}
