//! `spe-operator run`: from settings to a running controller, and to an orderly end.

use std::sync::Arc;
use std::time::Duration;

use kube::api::ListParams;
use kube::{Api, Client, Config};
use thiserror::Error;
use tracing::{info, warn};

use crate::api::ServerlessPrivateEndpoint;
use crate::atlas::Transport;
use crate::controller::{self, DefaultCredentials, Options};

use super::settings::{Refusal, Settings};
use super::{admin, metrics::Metrics, readiness::Readiness, shutdown};

/// Why the program ends.
#[derive(Debug, Error)]
pub enum ProgramError {
    /// A setting cannot be used. Exit code 2.
    #[error("{0}")]
    Settings(Refusal),
    /// It cannot run here. Exit code 1.
    #[error("{0}")]
    Run(String),
}

impl From<Refusal> for ProgramError {
    fn from(refusal: Refusal) -> Self {
        Self::Settings(refusal)
    }
}

/// How often it is looked whether the custom resource definition is there by now.
const CRD_PAUSE: Duration = Duration::from_secs(1);

/// Runs until a signal ends it.
///
/// # Errors
/// A setting that cannot be used, or a cluster that cannot be.
pub async fn run(settings: Settings) -> Result<(), ProgramError> {
    let (metrics, readiness) = (Metrics::default(), Readiness::default());
    let told = metrics.clone();
    let transport = Transport::new(settings.atlas()?, Arc::new(move |call| told.atlas_call(call)))
        .map_err(Refusal::from)?;
    let failed =
        |what: &str, error: &dyn std::fmt::Display| ProgramError::Run(format!("failed to {what}: {error}"));
    let shutdown = shutdown::on_signal().map_err(|error| failed("listen for signals", &error))?;
    readiness.wait_for("watch", "the objects are being listed");
    let address = settings.admin_address;
    let listener =
        admin::bind(address).await.map_err(|error| failed(&format!("listen on {address}"), &error))?;
    tokio::spawn(admin::serve(listener, metrics.clone(), readiness.clone()));
    let config = cluster().await?;
    let own_namespace = config.default_namespace.clone();
    let client = Client::try_from(config).map_err(|error| failed("set up access to the cluster", &error))?;
    tokio::select! {
        served = wait_for_crd(&client, &settings.watch_namespaces, &readiness) => served?,
        () = shutdown.cancelled() => return Ok(()),
    }
    info!(version = env!("CARGO_PKG_VERSION"), atlas = settings.atlas_base_url, "running");
    let ready = readiness.clone();
    let off = (readiness.clone(), shutdown.clone());
    tokio::spawn(async move {
        off.1.cancelled().await;
        off.0.wait_for("shutdown", "the program is ending");
    });
    let options = options(&settings, own_namespace, metrics);
    controller::run(client, transport, options, move || ready.met("watch"), shutdown)
        .await
        .map_err(|error| ProgramError::Run(error.to_string()))?;
    info!("stopped");
    Ok(())
}

fn options(settings: &Settings, own_namespace: String, metrics: Metrics) -> Options {
    Options {
        times: settings.times(),
        poll_min: settings.poll_min,
        poll_max: settings.poll_max,
        concurrency: settings.concurrency.get(),
        cluster_id: settings.cluster_id.clone(),
        namespaces: settings.watch_namespaces.clone(),
        selector: settings.watch_selector.clone(),
        default_credentials: settings.default_credentials_secret.clone().map(|name| DefaultCredentials {
            namespace: own_namespace,
            name,
            allowed: settings.default_credentials_namespaces.clone(),
        }),
        metrics,
    }
}

/// Kubeconfig as kubectl finds it, or in-cluster.
async fn cluster() -> Result<Config, ProgramError> {
    let mut config = Config::infer()
        .await
        .map_err(|error| ProgramError::Run(format!("failed to find a cluster: {error}")))?;
    // A proxy of the environment would be used even where NO_PROXY names the API server.
    let from_kubeconfig = kube::config::Kubeconfig::read().is_ok_and(|kubeconfig| {
        kubeconfig
            .clusters
            .iter()
            .filter_map(|cluster| cluster.cluster.as_ref())
            .any(|cluster| cluster.proxy_url.is_some())
    });
    if !from_kubeconfig {
        config.proxy_url = None;
    }
    // Each call has a bound of its own, and none is worth repeating behind our back.
    config.default_retry = false;
    config.connect_timeout = Some(Duration::from_secs(5));
    Ok(config)
}

/// Waits until the custom resource is served. Where it may not be listed, waiting would not help.
async fn wait_for_crd(
    client: &Client,
    namespaces: &[String],
    readiness: &Readiness,
) -> Result<(), ProgramError> {
    let api: Api<ServerlessPrivateEndpoint> = match namespaces.first() {
        None => Api::all(client.clone()),
        Some(namespace) => Api::namespaced(client.clone(), namespace),
    };
    let mut told = None;
    loop {
        let waiting_for = match api.list_metadata(&ListParams::default().limit(1)).await {
            Ok(_) => {
                readiness.met("crd");
                return Ok(());
            }
            Err(kube::Error::Api(status)) if status.is_forbidden() || status.code == 401 => {
                let message =
                    format!("the API server refuses to list serverlessprivateendpoints: {}", status.message);
                return Err(ProgramError::Run(format!(
                    "{message}; grant the service account the rights of the chart's role"
                )));
            }
            Err(kube::Error::Api(status)) if status.is_not_found() => {
                "the custom resource definition is not installed (kubectl apply -f crds/)".to_owned()
            }
            Err(error) => error.to_string(),
        };
        if told.as_ref() != Some(&waiting_for) {
            warn!(waiting_for, "waiting");
            readiness.wait_for("crd", waiting_for.clone());
            told = Some(waiting_for);
        }
        tokio::time::sleep(CRD_PAUSE).await;
    }
}
