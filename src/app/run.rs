//! `spe-operator run`: from settings to a running controller, and to an orderly shutdown.

use std::sync::Arc;

use atlas::Transport;
use domain::reconcile::ReconcileSettings;
use domain::status::set_docs_base_url;
use futures::future::OptionFuture;
use kube::Client;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use crate::dedicated;
use crate::endpoint::crd::PrivateEndpoint;
use crate::endpoint_service::crd::PrivateEndpointService;
use crate::runtime::atlas_access::DefaultCredentials;
use crate::runtime::shared::{Options, RunError, SharedParts};
use crate::runtime::work::Work;
use crate::serverless;
use crate::serverless::crd::ServerlessPrivateEndpoint;

use super::authorities::AuthorityFile;
use super::error::ProgramError;
use super::kube_client::ServedResource;
use super::leader_election::LeaderElector;
use super::readiness::Readiness;
use super::settings::{KindName, Settings, UsageError};
use super::{admin, kube_client, shutdown};
use crate::metrics::Metrics;

/// Runs until a signal ends it.
///
/// # Errors
/// If a setting is invalid, or the cluster is unusable.
pub async fn run(settings: Settings) -> Result<(), ProgramError> {
    allow_open_files();
    if let Some(url) = &settings.docs_base_url {
        set_docs_base_url(url);
    }
    let readiness = Readiness::default();
    let metrics = Metrics::new(Some(Box::new(readiness.clone())), settings.metrics_per_object);
    let recorder = metrics.clone();
    let atlas = settings.atlas()?;
    let authorities = settings.atlas_ca_file.clone().zip(atlas.extra_roots.as_deref());
    let authorities = authorities.map(|(path, pem)| AuthorityFile::new(path, pem));
    let transport = Transport::new(atlas, Arc::new(move |call| recorder.atlas_call(call)));
    let transport = transport.map_err(UsageError::from)?;
    if let Some(file) = authorities {
        tokio::spawn(file.reload_periodically(transport.clone(), metrics.clone()));
    }
    let proxies =
        settings.unused_proxies(|name| std::env::var_os(name).is_some_and(|value| !value.is_empty()));
    if !proxies.is_empty() {
        let variables = proxies.join(", ");
        warn!(
            variables,
            "a proxy of the environment is not used; give --atlas-proxy if Atlas is reached through one"
        );
    }
    let shutdown = shutdown::on_signal().map_err(|error| failed("listen for signals", &error))?;
    readiness.wait_for("watch", "the objects are being listed");
    let address = settings.admin_address;
    let listener = admin::bind(address).map_err(|error| {
        UsageError::value(
            "admin-address",
            &format!("expected an address that is free here, found {address}: {error}"),
        )
    })?;
    let address = listener.local_addr().map_or_else(|_| address.to_string(), |address| address.to_string());
    info!(address, "serving /livez, /readyz and /metrics");
    tokio::spawn(admin::serve(listener, metrics.clone(), readiness.clone()));
    let client = kube_client::client(&metrics).await?;
    let (namespaces, selector) = (&settings.watch_namespaces, settings.watch_selector.as_deref());
    let [serverless, services, endpoints] =
        [KindName::Serverless, KindName::Service, KindName::Endpoint].map(|kind| settings.watches(kind));
    let resources = [
        (serverless, ServedResource::of::<ServerlessPrivateEndpoint>()),
        (services, ServedResource::of::<PrivateEndpointService>()),
        (endpoints, ServedResource::of::<PrivateEndpoint>()),
    ];
    let resources: Vec<_> =
        resources.into_iter().filter_map(|(is_watched, resource)| is_watched.then_some(resource)).collect();
    tokio::select! {
        served = kube_client::wait_for_resources(&client, &resources, namespaces, selector, &readiness) => served?,
        () = shutdown.cancelled() => return Ok(()),
    }
    info!(version = env!("CARGO_PKG_VERSION"), atlas = settings.atlas_base_url, "running");
    tokio::spawn(not_ready_after(shutdown.clone(), readiness.clone()));
    let options = options(&settings, client.default_namespace().to_owned(), metrics.clone());
    let reconcile_settings = ReconcileSettings {
        times: settings.times(),
        poll_min: settings.poll_min,
        poll_max: settings.poll_max,
    };
    let control = |work| {
        let health = readiness.watch_health();
        for resource in resources {
            health.expect(&resource.plural(), &options.namespaces, settings.watch_silence);
        }
        readiness.met("watch");
        let shared = SharedParts::new(client.clone(), transport, options, health.clone(), work);
        async move {
            if let Some(shared) = shared.await? {
                let of_serverless =
                    serverless.then(|| serverless::run(Arc::clone(&shared), reconcile_settings));
                let of_dedicated = endpoints.then(|| {
                    dedicated::run::<PrivateEndpointService, PrivateEndpoint>(
                        shared,
                        reconcile_settings,
                        services,
                    )
                });
                tokio::join!(OptionFuture::from(of_serverless), OptionFuture::from(of_dedicated));
            }
            Ok(())
        }
    };
    if settings.leader_elect {
        lead(&settings, &client, metrics, &readiness, shutdown, control).await?;
    } else {
        control(Work::new(shutdown)).await?;
    }
    info!("stopped");
    Ok(())
}

/// Runs the controller only while this process holds the Lease.
///
/// A process that lost it to another ends: its state would be outdated by the time it leads again.
async fn lead<F>(
    settings: &Settings,
    client: &Client,
    metrics: Metrics,
    readiness: &Readiness,
    shutdown: CancellationToken,
    control: impl FnOnce(Work) -> F,
) -> Result<(), ProgramError>
where
    F: Future<Output = Result<(), RunError>>,
{
    let own = client.default_namespace();
    let namespace = settings.lease_namespace.as_deref().unwrap_or(own);
    let identity = identity()?;
    let mut election = LeaderElector::new(
        client.clone(),
        namespace,
        &settings.lease_name,
        identity,
        settings.lease(),
        metrics,
    );
    // A standby replica is ready: it only has to wait until it leads.
    readiness.met("watch");
    tokio::select! {
        acquired = election.acquire() => acquired.map_err(|error| ProgramError::Run(error.to_string()))?,
        () = shutdown.cancelled() => {
            election.release().await;
            return Ok(());
        }
    }
    let work = Work::new(shutdown.child_token());
    let mut controlling = std::pin::pin!(control(work.clone()));
    let on_leader_change = |is_leader| {
        work.set_leader(is_leader);
        if is_leader {
            readiness.met("lease");
        } else {
            readiness.wait_for("lease", "the Lease could not be renewed in time");
        }
    };
    let result = tokio::select! {
        result = &mut controlling => Some(result),
        superseded = election.renew(on_leader_change) => {
            work.end();
            controlling.await?;
            return Err(ProgramError::Run(superseded.to_string()));
        }
        () = shutdown.cancelled() => None,
    };
    let Some(result) = result else {
        // Released concurrently: a create may take as long as Atlas lets it, and its claim keeps the next leader from
        // duplicating it.
        let (result, ()) = tokio::join!(controlling, election.release());
        return Ok(result?);
    };
    election.release().await;
    Ok(result?)
}

/// Raises the limit of open files to the maximum: each watched namespace takes a connection, and many systems allow a
/// thousand unless a program requests more. Continues if that fails.
fn allow_open_files() {
    let limit = getrlimit(Resource::Nofile);
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }) {
        debug!(%error, "could not raise the limit of open files");
    }
}

/// Returns an identity that is unique to this process, also between two runs in one pod.
fn identity() -> Result<String, ProgramError> {
    let host = std::env::var("HOSTNAME").unwrap_or_else(|_| "spe-operator".to_owned());
    let random = getrandom::u64().map_err(|error| failed("draw a random number", &error))?;
    Ok(format!("{host}_{random:016x}"))
}

/// Reports not ready once shutdown begins.
async fn not_ready_after(shutdown: CancellationToken, readiness: Readiness) {
    shutdown.cancelled().await;
    readiness.wait_for("shutdown", "the program is ending");
}

fn failed(what: &str, error: &dyn std::fmt::Display) -> ProgramError {
    ProgramError::Run(format!("failed to {what}: {error}"))
}

fn options(settings: &Settings, own_namespace: String, metrics: Metrics) -> Options {
    Options {
        concurrency: settings.concurrency.get(),
        cluster_id: settings.cluster_id.clone(),
        namespaces: settings.watch_namespaces.iter().cloned().collect(),
        selector: settings.watch_selector.clone(),
        survey_after: settings.survey_after,
        default_credentials: settings.default_credentials_secret.clone().map(|name| DefaultCredentials {
            namespace: own_namespace,
            name,
            allowed: settings.default_credentials_namespaces.clone(),
        }),
        metrics,
    }
}
