//! The script of the minutes that Prometheus records: healthy ones and faulty ones.

use std::net::{SocketAddr, TcpListener};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use atlas_simulator::{
    DEFAULT_PRIVATE_KEY, DEFAULT_PROJECT, DEFAULT_PUBLIC_KEY, InjectedFault, Operation, Pace, Rule, Settings,
    Simulator, Termination,
};
use kube::Api;
use kube::api::{ApiResource, DeleteParams, DynamicObject, Patch, PatchParams};
use serde_json::{Value, json};
use testbed::{ControlPlane, Process, kinds};

/// Atlas' time for a phase.
const PHASE: Duration = Duration::from_secs(15);

/// The instances, with four endpoints each.
const INSTANCES: [&str; 3] = ["orders", "stock", "billing"];

/// The endpoints with a VPC endpoint.
const CONNECTED: u32 = 8;

/// When the last step ends.
const END: u64 = 300;

/// The caption of the picture: how it was made.
pub(crate) fn caption() -> Vec<String> {
    vec![
        format!(
            "Drawn by `make dashboard`, no screenshot of Grafana: {} minutes of the operator on a real API server with the simulated Atlas ({} s a phase),",
            END / 60,
            PHASE.as_secs()
        ),
        format!(
            "scraped each second by Prometheus, which evaluated the expressions of dashboard.json ($__rate_interval: {}).",
            crate::prometheus::RATE_INTERVAL
        ),
        "Twelve endpoints are created and eight connected; then two objects with a refused key, 40 s of maintenance in Atlas, a rate limit, an endpoint".to_owned(),
        "that vanishes and is created again, and three deletions.".to_owned(),
    ]
}

pub(crate) struct DashboardFixture {
    _operator: Process,
    _control_plane: ControlPlane,
    atlas: Simulator,
    objects: Api<DynamicObject>,
    secrets: Api<DynamicObject>,
    /// Returns the address of the operator's metrics.
    pub(crate) metrics: SocketAddr,
}

/// An address of this machine that nothing listens on.
pub(crate) fn free_address() -> Result<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}

impl DashboardFixture {
    pub(crate) async fn build() -> Result<Self> {
        let operator = std::env::current_exe()?.with_file_name("spe-operator");
        ensure!(
            operator.exists(),
            "{} is missing; build it with: cargo build --workspace",
            operator.display()
        );
        let control_plane = ControlPlane::start().await?;
        let crd = Command::new(&operator).arg("crd").output().context("spe-operator crd")?;
        control_plane.install_crd_yaml(&String::from_utf8(crd.stdout)?).await?;
        let namespace = control_plane.create_namespace("dashboard").await?;
        let mut settings = Settings::at_pace(Pace::of(PHASE));
        for instance in INSTANCES {
            settings.add_instance(DEFAULT_PROJECT, instance);
        }
        let atlas = Simulator::start(settings).await?;
        let metrics = free_address()?;
        let mut command = Command::new(&operator);
        // Only this version of the API reports how much of the rate limit is left.
        command.args(["run", "--atlas-api", "v2", "--leader-elect", "--lease-namespace", &namespace]);
        command.args(["--atlas-base-url", &atlas.url(), "--admin-address", &metrics.to_string()]);
        command.env("KUBECONFIG", control_plane.kubeconfig_file());
        let client = control_plane.client().await?;
        let secret = ApiResource::erase::<k8s_openapi::api::core::v1::Secret>(&());
        let kind = kinds::kind(
            "atlas.spe-operator.io/v1alpha1",
            "ServerlessPrivateEndpoint",
            "serverlessprivateendpoints",
        );
        Ok(Self {
            _operator: Process::spawn("spe-operator", &command)?,
            objects: Api::namespaced_with(client.clone(), &namespace, &kind),
            secrets: Api::namespaced_with(client, &namespace, &secret),
            _control_plane: control_plane,
            atlas,
            metrics,
        })
    }

    /// Runs each step at its second.
    pub(crate) async fn run(&self) -> Result<()> {
        let started = Instant::now();
        let at = async |second: u64| {
            let due = Duration::from_secs(second).saturating_sub(started.elapsed());
            tokio::time::sleep(due).await;
        };
        self.key("atlas-api", DEFAULT_PRIVATE_KEY).await?;
        self.key("refused", "mistyped").await?;
        at(5).await;
        for number in 0..12 {
            self.endpoint(number, "atlas-api").await?;
            at(7 + 2 * u64::from(number)).await;
        }
        at(60).await;
        for number in 0..CONNECTED {
            let id = json!({"spec": {"cloudProviderEndpointId": format!("vpce-0a1b2c3d4e5f6071{number}")}});
            self.objects.patch(&name(number), &PatchParams::default(), &Patch::Merge(id)).await?;
        }
        at(100).await;
        for number in 12..14 {
            self.endpoint(number, "refused").await?;
        }
        at(120).await;
        self.atlas.inject(Rule::always(InjectedFault::NotExecuted(Termination::Maintenance)));
        for number in 0..CONNECTED {
            self.request_reconcile(number).await?;
        }
        at(160).await;
        self.atlas.clear_rules();
        at(185).await;
        let limited = Termination::RateLimited { retry_after: Some("10".to_owned()) };
        self.atlas.inject(Rule::next_of(Operation::List, InjectedFault::NotExecuted(limited)).times(3));
        for number in 0..CONNECTED {
            self.request_reconcile(number).await?;
        }
        at(210).await;
        let vanishing = self.objects.get(&name(0)).await?;
        let id = vanishing.data["status"]["_id"].as_str().context("the first endpoint has no id")?;
        ensure!(self.atlas.remove_endpoint(id), "{id} is not in Atlas");
        self.request_reconcile(0).await?;
        at(250).await;
        for number in 9..12 {
            self.objects.delete(&name(number), &DeleteParams::default()).await?;
        }
        at(END).await;
        Ok(())
    }

    async fn key(&self, name: &str, private: &str) -> Result<()> {
        let secret = json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": {"name": name},
            "stringData": {"publicApiKey": DEFAULT_PUBLIC_KEY, "privateApiKey": private},
        });
        apply(&self.secrets, name, secret).await
    }

    async fn endpoint(&self, number: u32, secret: &str) -> Result<()> {
        let object = json!({
            "apiVersion": "atlas.spe-operator.io/v1alpha1", "kind": "ServerlessPrivateEndpoint",
            "metadata": {"name": name(number)},
            "spec": {
                "projectId": DEFAULT_PROJECT,
                "instanceName": INSTANCES[number as usize % INSTANCES.len()],
                "credentialsRef": {"name": secret},
            },
        });
        apply(&self.objects, &name(number), object).await
    }

    /// Requests a reconcile now.
    async fn request_reconcile(&self, number: u32) -> Result<()> {
        let patch = format!("{:?}", std::time::SystemTime::now());
        let patch = json!({"metadata": {"annotations": {"reconcile.fluxcd.io/requestedAt": patch}}});
        self.objects.patch(&name(number), &PatchParams::default(), &Patch::Merge(patch)).await?;
        Ok(())
    }
}

async fn apply(objects: &Api<DynamicObject>, name: &str, object: Value) -> Result<()> {
    objects.patch(name, &PatchParams::apply("dashboard").force(), &Patch::Apply(object)).await?;
    Ok(())
}

fn name(number: u32) -> String {
    format!("endpoint-{number}")
}
