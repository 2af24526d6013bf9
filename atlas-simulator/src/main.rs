//! Runs the simulator as a program: serves until it is interrupted, and prints a curl line that works.

use std::net::SocketAddr;
use std::time::Duration;

use atlas_simulator::{
    DEFAULT_CLIENT_ID, DEFAULT_CLIENT_SECRET, DEFAULT_CLUSTER, DEFAULT_INSTANCE, DEFAULT_PRIVATE_KEY,
    DEFAULT_PROJECT, DEFAULT_PUBLIC_KEY, DedicatedPace, Key, Latency, Pace, Settings, Simulator,
};
use clap::Parser;

/// Simulates the MongoDB Atlas API for private endpoints of serverless instances and of dedicated clusters on AWS, Azure and Google Cloud.
///
/// It has no protection whatever and is for tests and trying things out. See the README for its control API, which makes
/// it misbehave.
#[derive(Debug, Parser)]
#[command(version)]
struct Flags {
    /// Where to listen; port 0 takes a free one.
    #[arg(long, default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
    /// The public key that is accepted.
    #[arg(long, default_value = DEFAULT_PUBLIC_KEY)]
    public_key: String,
    /// Its private key.
    #[arg(long, default_value = DEFAULT_PRIVATE_KEY)]
    private_key: String,
    /// A service account that is accepted.
    #[arg(long, default_value = DEFAULT_CLIENT_ID)]
    client_id: String,
    /// Its secret.
    #[arg(long, default_value = DEFAULT_CLIENT_SECRET)]
    client_secret: String,
    /// A project that exists; may be given several times.
    #[arg(long = "project", default_value = DEFAULT_PROJECT, value_parser = project_id)]
    projects: Vec<String>,
    /// A serverless instance that exists in every project; may be given several times.
    #[arg(long = "instance", default_value = DEFAULT_INSTANCE)]
    instances: Vec<String>,
    /// A dedicated cluster that exists in every project, region and cloud; may be given several times.
    #[arg(long = "cluster", default_value = DEFAULT_CLUSTER)]
    clusters: Vec<String>,
    /// Every VPC endpoint, private endpoint of Azure and forwarding rule of Google Cloud exists, without being made by a control request.
    #[arg(long)]
    any_vpc_endpoint: bool,
    /// Every project, instance and cluster exists as soon as a request names it.
    #[arg(long)]
    open: bool,
    /// Seconds that each phase takes: reserving, creating, connecting, deleting.
    #[arg(long, default_value = "5", value_parser = seconds)]
    phase: Duration,
    /// Seconds by which a listing lags behind.
    #[arg(long, default_value = "0", value_parser = seconds)]
    list_lag: Duration,
    /// Seconds for which a Digest nonce is accepted.
    #[arg(long, default_value = "300", value_parser = seconds)]
    nonce_life: Duration,
    /// Respond as slowly as the real Atlas did.
    #[arg(long)]
    recorded_latency: bool,
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 =
        text.parse().map_err(|_| "expected a number of seconds, such as 2 or 0.5".to_owned())?;
    Duration::try_from_secs_f64(seconds).map_err(|error| error.to_string())
}

fn project_id(text: &str) -> Result<String, String> {
    let fits = text.len() == 24 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    fits.then(|| text.to_owned()).ok_or_else(|| "expected 24 hexadecimal digits, lower case".to_owned())
}

impl Flags {
    fn settings(&self) -> Settings {
        let mut settings = Settings {
            open: self.open,
            pace: Pace { list_lag: self.list_lag, ..Pace::of(self.phase) },
            latency: if self.recorded_latency { Latency::recorded() } else { Latency::default() },
            ..Settings::default()
        };
        settings.keys = [(self.public_key.clone(), Key::owner(&self.private_key))].into();
        settings.service_accounts = [(self.client_id.clone(), Key::owner(&self.client_secret))].into();
        settings.digest.nonce_life = self.nonce_life;
        settings.projects.clear();
        settings.dedicated.pace = DedicatedPace { list_lag: self.list_lag, ..DedicatedPace::of(self.phase) };
        settings.dedicated.vpc_endpoints_exist = self.any_vpc_endpoint;
        settings.dedicated.clusters.clear();
        for project in &self.projects {
            for cluster in &self.clusters {
                settings.dedicated.add_cluster(project, cluster, &[]);
            }
            for instance in &self.instances {
                settings.add_instance(project, instance);
            }
        }
        settings
    }

    /// Returns the seed page's request, for this host and these credentials.
    fn curl(&self, url: &str) -> String {
        let (project, instance) = (first(&self.projects), first(&self.instances));
        format!(
            r#"curl --user "{}:{}" --digest \
  --header "Accept: application/json" \
  --header "Content-Type: application/json" \
  --request POST "{url}/api/atlas/v1.0/groups/{project}/privateEndpoint/serverless/instance/{instance}/endpoint?pretty=true" \
  --data '{{ "comment" : "example comment" }}'"#,
            self.public_key, self.private_key
        )
    }
}

fn first(names: &[String]) -> &str {
    names.first().map_or("", String::as_str)
}

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let flags = Flags::parse();
    let simulator = Simulator::start_on(flags.listen, flags.settings()).await.map_err(|error| {
        std::io::Error::other(format!(
            "cannot listen on {}: {error}; choose another with --listen",
            flags.listen
        ))
    })?;
    let url = simulator.url();
    println!("Atlas is simulated at {url} until Ctrl-C; {url}/control lists its control requests.\n");
    println!("{}", flags.curl(&url));
    tokio::signal::ctrl_c().await?;
    simulator.shutdown().await;
    Ok(())
}
