//! The settings: flags, each also `SPE_…` in the environment, parsed once into one typed struct.
//!
//! Every default is here and nowhere else. An invalid value ends the program before it does anything. Nothing is
//! guessed: an empty or misspelled value is rejected, since a forgotten value must not widen the watched scope. No
//! variable is called `SPE_…_PORT` or `SPE_…_SERVICE_HOST`, which Kubernetes sets for Services.

#[cfg(test)]
mod tests;
mod usage_error;
mod values;

use std::ffi::OsString;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use atlas::{ApiVersion, Authorities, ClientSettings, SettingsError};
use clap::parser::ValueSource;
use clap::{ArgAction, ArgMatches, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};
use domain::serverless::observed::Times;
use domain::token::ClusterId;

use crate::schema::parse_duration;

use super::authorities::warn_of;
use super::leader_election::LeaderElectionConfig;
pub use usage_error::UsageError;
use values::{
    api_version, concurrency, dns_label, dns_subdomain, is_proxy_url, log_filter, not_empty,
    positive_duration, web_url, whole_seconds,
};

/// Creates private endpoints of MongoDB Atlas (dedicated clusters, serverless instances) as Kubernetes objects declare them, and keeps
/// them in that state.
#[derive(Parser)]
#[command(name = "spe-operator", version, disable_help_subcommand = true)]
struct Program {
    #[command(subcommand)]
    command: Command,
}

/// What the command line selects.
#[derive(Subcommand)]
pub enum Command {
    /// Run the operator
    #[command(
        after_help = "Durations are written as in Kubernetes: 500ms, 10s, 5m, 1h30m. A flag wins over its variable."
    )]
    Run(Box<Settings>),
    /// Print the CustomResourceDefinitions as YAML
    Crd,
    /// Check that a running operator is ready
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
    /// Scheme, host and port of Atlas: https, or http to this machine
    #[arg(long, env = "SPE_ATLAS_BASE_URL", hide_env_values = true, value_name = "URL")]
    #[arg(default_value = "https://cloud.mongodb.com", value_parser = not_empty)]
    pub atlas_base_url: String,

    /// Allow unencrypted http to other machines, for tests
    #[arg(long, env = "SPE_ATLAS_ALLOW_HTTP", value_name = "BOOL", default_value_t = false)]
    #[arg(action = ArgAction::Set, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub atlas_allow_http: bool,

    /// Version of the Atlas Administration API; dedicated clusters use v2 unless it is given
    #[arg(long, env = "SPE_ATLAS_API", value_name = "VERSION", default_value = "v1.0")]
    #[arg(value_parser = api_version())]
    pub atlas_api: ApiVersion,

    // The default of --atlas-api is that of serverless endpoints, so that it must not reach dedicated clusters.
    #[arg(skip = ApiVersion::V2)]
    dedicated_api: ApiVersion,

    /// PEM file of additional certificate authorities, read again when it changes
    #[arg(long, env = "SPE_ATLAS_CA_FILE", value_name = "PATH")]
    pub atlas_ca_file: Option<PathBuf>,

    /// Proxy for requests to Atlas, http://host:port or https://host:port, instead of `HTTPS_PROXY`
    #[arg(long, env = "SPE_ATLAS_PROXY", hide_env_values = true, value_name = "URL")]
    pub atlas_proxy: Option<String>,

    /// Name of this cluster in the marks of its endpoints, unique among live clusters; unset: the uid of the namespace
    /// kube-system
    #[arg(long, env = "SPE_CLUSTER_ID", value_name = "ID")]
    pub cluster_id: Option<ClusterId>,

    /// Kinds to watch, separated by commas; `PrivateEndpointService` needs `PrivateEndpoint`
    #[arg(long, env = "SPE_KINDS", value_name = "KINDS", value_delimiter = ',', hide_possible_values = true)]
    #[arg(default_value = "ServerlessPrivateEndpoint,PrivateEndpointService,PrivateEndpoint")]
    pub kinds: Vec<KindName>,

    /// Namespaces to watch, separated by commas; unset: all
    #[arg(long, env = "SPE_WATCH_NAMESPACES", value_name = "NAMES", value_delimiter = ',', value_parser = dns_label)]
    pub watch_namespaces: Vec<String>,

    /// Label selector of the objects to watch, such as team=a,tier!=test; unset: all
    #[arg(long, env = "SPE_WATCH_SELECTOR", value_name = "SELECTOR", value_parser = not_empty)]
    pub watch_selector: Option<String>,

    /// Longest silence of an open watch while the operator is ready, for tests
    // A little longer than the time after which kube ends the watch; an API server sends a bookmark about every
    // minute.
    #[arg(long, env = "SPE_WATCH_SILENCE", value_name = "DURATION", default_value = "6m", hide = true)]
    #[arg(value_parser = positive_duration)]
    pub watch_silence: Duration,

    /// Time after the start until unwatched objects are searched, for tests
    // By then the objects that are watched have been reconciled, which comes first.
    #[arg(long, env = "SPE_SURVEY_AFTER", value_name = "DURATION", default_value = "1m", hide = true)]
    #[arg(value_parser = positive_duration)]
    pub survey_after: Duration,

    /// Maximum number of concurrent requests to Atlas, up to 1024
    #[arg(long, env = "SPE_CONCURRENCY", value_name = "NUMBER", default_value = "64", value_parser = concurrency)]
    pub concurrency: NonZeroUsize,

    /// Shortest interval between polls of a changing endpoint
    #[arg(long, env = "SPE_POLL_MIN", value_name = "DURATION", default_value = "5s", value_parser = positive_duration)]
    pub poll_min: Duration,

    /// Longest interval between polls of a changing endpoint
    #[arg(long, env = "SPE_POLL_MAX", value_name = "DURATION", default_value = "60s", value_parser = positive_duration)]
    pub poll_max: Duration,

    /// Timeout from the start of a claim to the sending of its create request
    #[arg(long, env = "SPE_CREATE_DEADLINE", value_name = "DURATION", default_value = "10s")]
    #[arg(value_parser = positive_duration)]
    pub create_deadline: Duration,

    /// Timeout of a request to Atlas
    #[arg(long, env = "SPE_ATLAS_TIMEOUT", value_name = "DURATION", default_value = "30s")]
    #[arg(value_parser = positive_duration)]
    pub atlas_timeout: Duration,

    /// Longest time in which Atlas may still execute a request that timed out
    #[arg(long, env = "SPE_TRAVEL_ALLOWANCE", value_name = "DURATION", default_value = "60s")]
    #[arg(value_parser = parse_duration)]
    pub travel_allowance: Duration,

    /// Wait after a create request of unknown outcome, at least twice the sum of --create-deadline, --atlas-timeout and
    /// --travel-allowance
    #[arg(long, env = "SPE_CREATE_UNCERTAINTY", value_name = "DURATION", default_value = "200s")]
    #[arg(value_parser = positive_duration)]
    pub create_uncertainty: Duration,

    /// Shortest interval between two listings that confirm an absence
    #[arg(long, env = "SPE_CONFIRM_GAP", value_name = "DURATION", default_value = "10s")]
    #[arg(value_parser = positive_duration)]
    pub confirm_gap: Duration,

    /// Longest time in which Atlas may not show an endpoint that it has created
    #[arg(long, env = "SPE_VISIBILITY_WINDOW", value_name = "DURATION", default_value = "2m")]
    #[arg(value_parser = positive_duration)]
    pub visibility_window: Duration,

    /// Secret in the operator's namespace for objects without `spec.credentialsRef`
    #[arg(long, env = "SPE_DEFAULT_CREDENTIALS_SECRET", value_name = "NAME", value_parser = dns_subdomain)]
    pub default_credentials_secret: Option<String>,

    /// Namespaces whose objects may use --default-credentials-secret, separated by commas
    #[arg(long, env = "SPE_DEFAULT_CREDENTIALS_NAMESPACES", value_name = "NAMES", value_delimiter = ',')]
    #[arg(value_parser = dns_label)]
    pub default_credentials_namespaces: Vec<String>,

    /// Reconcile only while holding a Lease
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

    /// Lease duration in whole seconds, longer than --lease-renew-deadline
    #[arg(long, env = "SPE_LEASE_DURATION", value_name = "DURATION", default_value = "15s")]
    #[arg(value_parser = whole_seconds)]
    pub lease_duration: Duration,

    /// Renew deadline of the Lease, longer than 1.2 times --lease-retry-period
    #[arg(long, env = "SPE_LEASE_RENEW_DEADLINE", value_name = "DURATION", default_value = "10s")]
    #[arg(value_parser = positive_duration)]
    pub lease_renew_deadline: Duration,

    /// Retry period of the Lease
    #[arg(long, env = "SPE_LEASE_RETRY_PERIOD", value_name = "DURATION", default_value = "2s")]
    #[arg(value_parser = positive_duration)]
    pub lease_retry_period: Duration,

    /// Address of /livez, /readyz and /metrics
    #[arg(long, env = "SPE_ADMIN_ADDRESS", value_name = "ADDRESS", default_value = "[::]:8080")]
    pub admin_address: SocketAddr,

    /// Export three more series for each object
    #[arg(long, env = "SPE_METRICS_PER_OBJECT", value_name = "BOOL", default_value_t = false)]
    #[arg(action = ArgAction::Set, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub metrics_per_object: bool,

    /// URL of the folder with `docs/` of this version, for links in messages; unset: they show the path only
    #[arg(long, env = "SPE_DOCS_BASE_URL", value_name = "URL", value_parser = web_url)]
    pub docs_base_url: Option<String>,

    /// Format of the log
    #[arg(long, env = "SPE_LOG_FORMAT", value_name = "FORMAT", default_value = "text")]
    pub log_format: LogFormat,

    /// Log level, or directives of the crate tracing-subscriber
    #[arg(
        long,
        env = "SPE_LOG_LEVEL",
        value_name = "DIRECTIVES",
        default_value = "info,kube_client=warn,kube_runtime=error"
    )]
    #[arg(value_parser = log_filter)]
    pub log_level: String,
}

/// A kind of this operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum KindName {
    /// Private endpoints of serverless instances.
    #[value(name = "ServerlessPrivateEndpoint")]
    Serverless,
    /// Endpoint services of dedicated clusters.
    #[value(name = "PrivateEndpointService")]
    Service,
    /// Private endpoints of dedicated clusters.
    #[value(name = "PrivateEndpoint")]
    Endpoint,
}

/// The form of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// A line a person reads, in colour on a terminal.
    Text,
    /// One JSON object a line.
    Json,
}

/// Parses the command line (the program's name first) and the environment.
///
/// # Errors
/// An invalid value, or the requested help or version.
pub fn parse<T: Into<OsString> + Clone>(args: impl IntoIterator<Item = T>) -> Result<Command, UsageError> {
    let matches = Program::command().try_get_matches_from(args)?;
    let given = matches.subcommand().is_some_and(|(_, run)| is_given(run, "atlas_api"));
    let mut command = Program::from_arg_matches(&matches)?.command;
    if let Command::Run(settings) = &mut command {
        if given {
            settings.dedicated_api = settings.atlas_api;
        }
        settings.check()?;
    }
    Ok(command)
}

/// Returns whether a flag, or its variable, was given.
fn is_given(run: &ArgMatches, id: &str) -> bool {
    let source = run.try_contains_id(id).is_ok().then(|| run.value_source(id)).flatten();
    source.is_some_and(|source| source != ValueSource::DefaultValue)
}

/// Returns all flags as data, from which the reference of the manual is generated.
#[must_use]
pub fn command_line() -> clap::Command {
    Program::command()
}

impl Settings {
    /// Checks the rules that involve several values.
    fn check(&self) -> Result<(), UsageError> {
        // Checked here, because clap would repeat the value in its error, and it may contain a password.
        if self.atlas_proxy.as_deref().is_some_and(|proxy| !is_proxy_url(proxy)) {
            return Err(UsageError::value("atlas-proxy", "expected http://host:port or https://host:port"));
        }
        if self.poll_min > self.poll_max {
            let problem = format!("at most --poll-max ({:?}), found {:?}", self.poll_max, self.poll_min);
            return Err(UsageError::value("poll-min", &format!("expected {problem}")));
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
            return Err(UsageError::value("create-uncertainty", &problem));
        }
        if self.watches(KindName::Service) && !self.watches(KindName::Endpoint) {
            let problem = "expected PrivateEndpoint beside PrivateEndpointService: a service that endpoints refer to is not deleted";
            return Err(UsageError::value("kinds", problem));
        }
        self.check_lease()?;
        match (&self.default_credentials_secret, self.default_credentials_namespaces.as_slice()) {
            (Some(_), []) => Err(UsageError::value(
                "default-credentials-namespaces",
                "expected the namespaces that --default-credentials-secret serves, found nothing",
            )),
            (None, [_, ..]) => Err(UsageError::value(
                "default-credentials-secret",
                "expected the Secret that serves --default-credentials-namespaces, found nothing",
            )),
            _ => Ok(()),
        }
    }

    /// Checks client-go's rules: a leader stops before others may take over, and tries more than once before that.
    fn check_lease(&self) -> Result<(), UsageError> {
        let LeaderElectionConfig { lease_duration, renew_deadline, retry_period } = self.lease();
        if lease_duration <= renew_deadline {
            let problem = format!(
                "expected more than --lease-renew-deadline ({renew_deadline:?}), found {lease_duration:?}; two would lead"
            );
            return Err(UsageError::value("lease-duration", &problem));
        }
        if renew_deadline <= retry_period.saturating_mul(6) / 5 {
            let problem = format!(
                "expected more than 1.2 times --lease-retry-period ({retry_period:?}), found {renew_deadline:?}; one slow \
                 response would lose the Lease"
            );
            return Err(UsageError::value("lease-renew-deadline", &problem));
        }
        Ok(())
    }

    /// Returns `true` if the objects of this kind are watched.
    #[must_use]
    pub fn watches(&self, kind: KindName) -> bool {
        self.kinds.contains(&kind)
    }

    /// Returns the times of the leader election.
    #[must_use]
    pub fn lease(&self) -> LeaderElectionConfig {
        LeaderElectionConfig {
            lease_duration: self.lease_duration,
            renew_deadline: self.lease_renew_deadline,
            retry_period: self.lease_retry_period,
        }
    }

    /// Returns the times of the creation protocol.
    #[must_use]
    pub fn times(&self) -> Times {
        Times {
            create_deadline: self.create_deadline,
            uncertainty: self.create_uncertainty,
            confirm_gap: self.confirm_gap,
            // Long enough for a late retry, and far shorter than an outage or the interval of an object.
            confirm_within: self.confirm_gap.saturating_mul(30),
            visibility: self.visibility_window,
        }
    }

    /// Returns the set variables (by `is_set`) that name a proxy and have no effect because `--atlas-proxy` is not
    /// given.
    #[must_use]
    pub fn unused_proxies(&self, is_set: impl Fn(&str) -> bool) -> Vec<&'static str> {
        const VARIABLES: [&str; 6] =
            ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy", "HTTP_PROXY", "http_proxy"];
        if self.atlas_proxy.is_some() {
            return Vec::new();
        }
        VARIABLES.into_iter().filter(|name| is_set(name)).collect()
    }

    /// Returns the settings of the Atlas client.
    ///
    /// Reads the file of `--atlas-ca-file`, and logs a warning for each certificate that it leaves out.
    ///
    /// # Errors
    /// If that file cannot be read, or holds no usable certificate.
    pub fn atlas(&self) -> Result<ClientSettings, UsageError> {
        let extra_roots = self.atlas_ca_file.as_ref().map(|path| {
            let file = path.display();
            let pem = std::fs::read(path).map_err(|error| {
                let problem = format!("expected a file that can be read, found {file}: {error}");
                UsageError::value("atlas-ca-file", &problem)
            })?;
            let authorities = Authorities::from_pem(&pem)
                .map_err(|error| UsageError::value("atlas-ca-file", &format!("{file}: {error}")))?;
            warn_of(&file.to_string(), authorities.skipped());
            Ok::<_, UsageError>(pem)
        });
        Ok(ClientSettings {
            base_url: self.atlas_base_url.clone(),
            api_version: self.atlas_api,
            dedicated_api_version: self.dedicated_api,
            timeout: self.atlas_timeout,
            extra_roots: extra_roots.transpose()?,
            proxy: self.atlas_proxy.clone(),
            allow_http: self.atlas_allow_http,
            ..ClientSettings::default()
        })
    }
}

impl From<SettingsError> for UsageError {
    /// Converts an error that only the client detects.
    fn from(error: SettingsError) -> Self {
        let flag = match &error {
            SettingsError::BaseUrl(_) => "atlas-base-url",
            SettingsError::Timeout => "atlas-timeout",
            SettingsError::ExtraRoots(_) => "atlas-ca-file",
            SettingsError::Proxy => "atlas-proxy",
            SettingsError::Setup(_) => return Self::Value(error.to_string()),
        };
        Self::value(flag, &error.to_string())
    }
}
