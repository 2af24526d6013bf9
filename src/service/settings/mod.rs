//! What the user may set: flags, each also `SPE_…` in the environment, read once into one typed struct.
//!
//! Every default lives here and nowhere else. A value that cannot be used ends the program before it does anything.
//! This file never guesses: what is empty or misspelled is refused, since a forgotten value must not widen what is
//! watched. No variable is called `SPE_…_PORT` or `SPE_…_SERVICE_HOST`, which Kubernetes sets for Services.

mod refusal;
#[cfg(test)]
mod tests;
mod values;

use std::ffi::OsString;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use atlas::{ApiVersion, Authorities, ClientSettings, SettingsError};
use clap::{ArgAction, CommandFactory, Parser, Subcommand, ValueEnum};
use domain::observed::Times;
use domain::ownership::ClusterId;

use crate::api::parse_duration;

use super::authorities::warn_of;
use super::lease::Terms;
pub use refusal::Refusal;
use values::{
    api_version, concurrency, dns_label, dns_subdomain, log_filter, not_empty, positive_duration, proxy_url,
    whole_seconds,
};

/// Keeps MongoDB Atlas serverless private endpoints as `ServerlessPrivateEndpoint` objects declare them.
#[derive(Parser)]
#[command(name = "spe-operator", version, disable_help_subcommand = true)]
struct Program {
    #[command(subcommand)]
    command: Command,
}

/// What the program is asked to do.
#[derive(Subcommand)]
pub enum Command {
    /// Run the operator
    #[command(
        after_help = "Durations are written as in Kubernetes: 500ms, 10s, 5m, 1h30m. A flag wins over its variable."
    )]
    Run(Box<Settings>),
    /// Print the CustomResourceDefinition as YAML
    Crd,
    /// Ask a running operator whether it is ready: exit code 0 if it is, else 1 and what it waits for
    Check {
        /// Name or address of the host
        host: String,
        /// Port of --admin-address
        port: u16,
    },
}

/// Everything that can be set. It has no `Debug`: a proxy's URL may hold a password.
#[derive(clap::Args, Clone)]
#[command(next_line_help = true)]
pub struct Settings {
    /// Scheme, host and port of Atlas; https, or http to this machine
    #[arg(long, env = "SPE_ATLAS_BASE_URL", hide_env_values = true, value_name = "URL")]
    #[arg(default_value = "https://cloud.mongodb.com", value_parser = not_empty)]
    pub atlas_base_url: String,

    /// Allow http to a host that is not this machine, for tests: everybody on the way can read along
    #[arg(long, env = "SPE_ATLAS_ALLOW_HTTP", value_name = "BOOL", default_value_t = false)]
    #[arg(action = ArgAction::Set, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub atlas_allow_http: bool,

    /// Version of the Atlas Administration API
    #[arg(long, env = "SPE_ATLAS_API", value_name = "VERSION", default_value = "v1.0")]
    #[arg(value_parser = api_version())]
    pub atlas_api: ApiVersion,

    /// PEM file of certificate authorities to trust besides the compiled-in ones; it is read again when it changes, and
    /// a certificate in it that cannot be used is left out with a warning
    #[arg(long, env = "SPE_ATLAS_CA_FILE", value_name = "PATH")]
    pub atlas_ca_file: Option<PathBuf>,

    /// Proxy for calls to Atlas, http://host:port or https://host:port; `HTTPS_PROXY` is not looked at
    #[arg(long, env = "SPE_ATLAS_PROXY", hide_env_values = true, value_name = "URL", value_parser = proxy_url)]
    pub atlas_proxy: Option<String>,

    /// Names this cluster, unlike every other live one, in the marks of its endpoints; unset: the uid of the
    /// namespace kube-system
    #[arg(long, env = "SPE_CLUSTER_ID", value_name = "ID")]
    pub cluster_id: Option<ClusterId>,

    /// Namespaces to watch, separated by commas; unset: all
    #[arg(long, env = "SPE_WATCH_NAMESPACES", value_name = "NAMES", value_delimiter = ',', value_parser = dns_label)]
    pub watch_namespaces: Vec<String>,

    /// Label selector of the objects to watch, such as team=a,tier!=test; unset: all
    #[arg(long, env = "SPE_WATCH_SELECTOR", value_name = "SELECTOR", value_parser = not_empty)]
    pub watch_selector: Option<String>,

    /// Longest silence of an open watch until the operator is not ready; for tests. The default is a little longer than until
    /// kube ends the watch, on which an API server sends a bookmark each minute or so
    #[arg(long, env = "SPE_WATCH_SILENCE", value_name = "DURATION", default_value = "6m", hide = true)]
    #[arg(value_parser = positive_duration)]
    pub watch_silence: Duration,

    /// Most calls to Atlas at once, all projects together; at most 1024
    #[arg(long, env = "SPE_CONCURRENCY", value_name = "NUMBER", default_value = "64", value_parser = concurrency)]
    pub concurrency: NonZeroUsize,

    /// First pause between two polls of an endpoint that is changing
    #[arg(long, env = "SPE_POLL_MIN", value_name = "DURATION", default_value = "5s", value_parser = positive_duration)]
    pub poll_min: Duration,

    /// Longest pause between two polls of an endpoint that is changing
    #[arg(long, env = "SPE_POLL_MAX", value_name = "DURATION", default_value = "60s", value_parser = positive_duration)]
    pub poll_max: Duration,

    /// D: longest time from before a claim is written until the create request is sent
    #[arg(long, env = "SPE_CREATE_DEADLINE", value_name = "DURATION", default_value = "10s")]
    #[arg(value_parser = positive_duration)]
    pub create_deadline: Duration,

    /// T: longest time of one call to Atlas
    #[arg(long, env = "SPE_ATLAS_TIMEOUT", value_name = "DURATION", default_value = "30s")]
    #[arg(value_parser = positive_duration)]
    pub atlas_timeout: Duration,

    /// S: longest time that a request, given up here, may still travel before Atlas carries it out
    #[arg(long, env = "SPE_TRAVEL_ALLOWANCE", value_name = "DURATION", default_value = "60s")]
    #[arg(value_parser = parse_duration)]
    pub travel_allowance: Duration,

    /// Q: how long a create request of unknown outcome is waited for before another is sent; at least 2·(D+T+S)
    #[arg(long, env = "SPE_CREATE_UNCERTAINTY", value_name = "DURATION", default_value = "200s")]
    #[arg(value_parser = positive_duration)]
    pub create_uncertainty: Duration,

    /// G: least time between two listings that confirm that an endpoint is absent
    #[arg(long, env = "SPE_CONFIRM_GAP", value_name = "DURATION", default_value = "10s")]
    #[arg(value_parser = positive_duration)]
    pub confirm_gap: Duration,

    /// V: how long Atlas may still deny an endpoint that it has just created
    #[arg(long, env = "SPE_VISIBILITY_WINDOW", value_name = "DURATION", default_value = "2m")]
    #[arg(value_parser = positive_duration)]
    pub visibility_window: Duration,

    /// Secret in the operator's namespace that serves objects without `spec.credentialsRef`
    #[arg(long, env = "SPE_DEFAULT_CREDENTIALS_SECRET", value_name = "NAME", value_parser = dns_subdomain)]
    pub default_credentials_secret: Option<String>,

    /// Namespaces whose objects it serves, separated by commas
    #[arg(long, env = "SPE_DEFAULT_CREDENTIALS_NAMESPACES", value_name = "NAMES", value_delimiter = ',')]
    #[arg(value_parser = dns_label)]
    pub default_credentials_namespaces: Vec<String>,

    /// Work only while holding a Lease, so that replicas do not do the same work twice
    #[arg(long, env = "SPE_LEADER_ELECT", value_name = "BOOL", default_value_t = false)]
    #[arg(action = ArgAction::Set, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub leader_elect: bool,

    /// Name of the Lease
    #[arg(long, env = "SPE_LEASE_NAME", value_name = "NAME", default_value = "spe-operator")]
    #[arg(value_parser = dns_subdomain)]
    pub lease_name: String,

    /// Namespace of the Lease; unset: the operator's own
    #[arg(long, env = "SPE_LEASE_NAMESPACE", value_name = "NAME", value_parser = dns_label)]
    pub lease_namespace: Option<String>,

    /// How long a standby waits for a holder of the Lease that does not renew it; whole seconds, longer than
    /// --lease-renew-deadline
    #[arg(long, env = "SPE_LEASE_DURATION", value_name = "DURATION", default_value = "15s")]
    #[arg(value_parser = whole_seconds)]
    pub lease_duration: Duration,

    /// How long a holder that cannot renew the Lease goes on beginning work; longer than 1.2 times
    /// --lease-retry-period
    #[arg(long, env = "SPE_LEASE_RENEW_DEADLINE", value_name = "DURATION", default_value = "10s")]
    #[arg(value_parser = positive_duration)]
    pub lease_renew_deadline: Duration,

    /// Pause between two attempts to take or renew the Lease
    #[arg(long, env = "SPE_LEASE_RETRY_PERIOD", value_name = "DURATION", default_value = "2s")]
    #[arg(value_parser = positive_duration)]
    pub lease_retry_period: Duration,

    /// Where /livez, /readyz and /metrics are served
    #[arg(long, env = "SPE_ADMIN_ADDRESS", value_name = "ADDRESS", default_value = "[::]:8080")]
    pub admin_address: SocketAddr,

    /// Tell objects apart in /metrics, at the price of three series for each
    #[arg(long, env = "SPE_METRICS_PER_OBJECT", value_name = "BOOL", default_value_t = false)]
    #[arg(action = ArgAction::Set, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub metrics_per_object: bool,

    /// Form of the log
    #[arg(long, env = "SPE_LOG_FORMAT", value_name = "FORMAT", default_value = "text")]
    pub log_format: LogFormat,

    /// A level, or directives of the crate tracing-subscriber; whatever is set, no secret is logged
    #[arg(
        long,
        env = "SPE_LOG_LEVEL",
        value_name = "DIRECTIVES",
        default_value = "info,kube_client=warn,kube_runtime=error"
    )]
    #[arg(value_parser = log_filter)]
    pub log_level: String,
}

/// The form of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// A line a person reads, in colour on a terminal.
    Text,
    /// One JSON object a line.
    Json,
}

/// Reads the command line (the program's name first) and the environment.
///
/// # Errors
/// The text to end with, and where it belongs: a refusal, or the help that was asked for.
pub fn parse<T: Into<OsString> + Clone>(args: impl IntoIterator<Item = T>) -> Result<Command, Refusal> {
    let command = Program::try_parse_from(args).map_err(|error| Refusal::from_clap(&error))?.command;
    if let Command::Run(settings) = &command {
        settings.check()?;
    }
    Ok(command)
}

/// All flags as data, which the reference of the manual is made from.
#[must_use]
pub fn command_line() -> clap::Command {
    Program::command()
}

impl Settings {
    /// What no single value shows.
    fn check(&self) -> Result<(), Refusal> {
        if self.poll_min > self.poll_max {
            let problem = format!("at most --poll-max ({:?}), found {:?}", self.poll_max, self.poll_min);
            return Err(Refusal::value("poll-min", &format!("expected {problem}")));
        }
        let bound =
            self.create_deadline.saturating_add(self.atlas_timeout).saturating_add(self.travel_allowance);
        let least = bound.saturating_mul(2);
        if self.create_uncertainty < least {
            let problem = format!(
                "expected at least {least:?}, which is twice the sum of --create-deadline, --atlas-timeout and \
                 --travel-allowance, found {:?}; a shorter wait could create an endpoint twice",
                self.create_uncertainty
            );
            return Err(Refusal::value("create-uncertainty", &problem));
        }
        self.check_lease()?;
        match (&self.default_credentials_secret, self.default_credentials_namespaces.as_slice()) {
            (Some(_), []) => Err(Refusal::value(
                "default-credentials-namespaces",
                "expected the namespaces that --default-credentials-secret serves, found nothing",
            )),
            (None, [_, ..]) => Err(Refusal::value(
                "default-credentials-secret",
                "expected the Secret that serves --default-credentials-namespaces, found nothing",
            )),
            _ => Ok(()),
        }
    }

    /// As client-go demands: who leads stops before others may take over, and tries more than once before that.
    fn check_lease(&self) -> Result<(), Refusal> {
        let Terms { duration, renew_deadline, retry } = self.lease();
        if duration <= renew_deadline {
            let problem = format!(
                "expected more than --lease-renew-deadline ({renew_deadline:?}), found {duration:?}; two would lead"
            );
            return Err(Refusal::value("lease-duration", &problem));
        }
        if renew_deadline <= retry.saturating_mul(6) / 5 {
            let problem = format!(
                "expected more than 1.2 times --lease-retry-period ({retry:?}), found {renew_deadline:?}; one slow \
                 response would lose the Lease"
            );
            return Err(Refusal::value("lease-renew-deadline", &problem));
        }
        Ok(())
    }

    /// The times of the Lease.
    #[must_use]
    pub fn lease(&self) -> Terms {
        Terms {
            duration: self.lease_duration,
            renew_deadline: self.lease_renew_deadline,
            retry: self.lease_retry_period,
        }
    }

    /// The times of the creation protocol.
    #[must_use]
    pub fn times(&self) -> Times {
        Times {
            create_deadline: self.create_deadline,
            uncertainty: self.create_uncertainty,
            confirm_gap: self.confirm_gap,
            // Long enough for a retry that is late, and far shorter than an outage or the interval of an object.
            confirm_within: self.confirm_gap.saturating_mul(30),
            visibility: self.visibility_window,
        }
    }

    /// The variables that name a proxy, as `is_set` finds them, where none is used because `--atlas-proxy` is not given.
    #[must_use]
    pub fn unused_proxies(&self, is_set: impl Fn(&str) -> bool) -> Vec<&'static str> {
        const VARIABLES: [&str; 6] =
            ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy", "HTTP_PROXY", "http_proxy"];
        if self.atlas_proxy.is_some() {
            return Vec::new();
        }
        VARIABLES.into_iter().filter(|name| is_set(name)).collect()
    }

    /// How Atlas is reached. Reads the file of `--atlas-ca-file`, and warns of the certificates in it that are left out.
    ///
    /// # Errors
    /// If that file cannot be read, or holds nothing that can be trusted.
    pub fn atlas(&self) -> Result<ClientSettings, Refusal> {
        let extra_roots = self.atlas_ca_file.as_ref().map(|path| {
            let file = path.display();
            let pem = std::fs::read(path).map_err(|error| {
                let problem = format!("expected a file that can be read, found {file}: {error}");
                Refusal::value("atlas-ca-file", &problem)
            })?;
            let authorities = Authorities::from_pem(&pem)
                .map_err(|error| Refusal::value("atlas-ca-file", &format!("{file}: {error}")))?;
            warn_of(&file.to_string(), authorities.skipped());
            Ok::<_, Refusal>(pem)
        });
        Ok(ClientSettings {
            base_url: self.atlas_base_url.clone(),
            api_version: self.atlas_api,
            timeout: self.atlas_timeout,
            extra_roots: extra_roots.transpose()?,
            proxy: self.atlas_proxy.clone(),
            allow_http: self.atlas_allow_http,
            ..ClientSettings::default()
        })
    }
}

impl From<SettingsError> for Refusal {
    /// What only the client could tell about a value.
    fn from(error: SettingsError) -> Self {
        let flag = match &error {
            SettingsError::BaseUrl(_) => "atlas-base-url",
            SettingsError::Timeout => "atlas-timeout",
            SettingsError::ExtraRoots(_) => "atlas-ca-file",
            SettingsError::Proxy => "atlas-proxy",
            SettingsError::Setup(_) => return Self::Refused(error.to_string()),
        };
        Self::value(flag, &error.to_string())
    }
}
