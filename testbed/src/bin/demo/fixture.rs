//! What the demo runs on, and what its user does: an API server, a simulated Atlas, the operator, and kubectl by its API requests.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use atlas_simulator::{
    DEFAULT_INSTANCE, DEFAULT_PRIVATE_KEY, DEFAULT_PROJECT, DEFAULT_PUBLIC_KEY, Settings, Simulator,
};
use kube::api::{DeleteParams, DynamicObject, Patch, PatchParams};
use kube::{Api, Client};
use serde_json::{Value, json};
use testbed::{ControlPlane, Process, kinds};

use crate::table::{self, Row};

const API_VERSION: &str = "atlas.spe-operator.io/v1alpha1";

/// The timeout of any one step.
const PATIENCE: Duration = Duration::from_mins(2);

/// A custom resource of the demo.
pub(crate) struct Resource {
    /// The kind.
    pub(crate) kind: &'static str,
    /// The plural of the kind.
    pub(crate) plural: &'static str,
    /// The short name of the kind, for kubectl.
    pub(crate) short: &'static str,
    /// The name of the object.
    pub(crate) name: &'static str,
}

pub(crate) struct DemoFixture {
    // Kept alive until the end.
    _operator: Process,
    pub(crate) control_plane: ControlPlane,
    pub(crate) atlas: Simulator,
    pub(crate) namespace: String,
    client: Client,
}

impl DemoFixture {
    pub(crate) async fn build() -> Result<Self> {
        println!("Starting etcd and kube-apiserver (built on the first run; that takes some minutes) …");
        let control_plane = ControlPlane::start().await?;
        let operator = operator_binary()?;
        let crd = Command::new(&operator).arg("crd").output().context("spe-operator crd")?;
        ensure!(crd.status.success(), "spe-operator crd: {}", String::from_utf8_lossy(&crd.stderr));
        control_plane.install_crd_yaml(&String::from_utf8(crd.stdout)?).await?;
        let namespace = control_plane.create_namespace("demo").await?;
        println!("Starting the simulated Atlas and the operator …");
        let mut settings = Settings::default();
        settings.dedicated.add_cluster(DEFAULT_PROJECT, DEFAULT_INSTANCE, &[]);
        let atlas = Simulator::start(settings).await?;
        let mut command = Command::new(&operator);
        command.args(["run", "--atlas-base-url", &atlas.url(), "--admin-address", "127.0.0.1:0"]);
        command.env("KUBECONFIG", control_plane.kubeconfig_file());
        let client = control_plane.client().await?;
        let operator = Process::spawn("spe-operator", &command)?;
        Ok(Self { _operator: operator, control_plane, atlas, namespace, client })
    }

    pub(crate) async fn create_secret(&self) -> Result<()> {
        println!(
            "\n$ kubectl create secret generic atlas-api --from-literal=publicApiKey=… --from-literal=privateApiKey=…"
        );
        self.server_side_apply(json!({
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": "atlas-api"},
            "stringData": {"publicApiKey": DEFAULT_PUBLIC_KEY, "privateApiKey": DEFAULT_PRIVATE_KEY},
        }))
        .await
    }

    /// Shows and applies a sample.
    pub(crate) async fn apply(&self, sample: &str) -> Result<()> {
        let file = root().join("deploy/samples").join(sample);
        let manifest = std::fs::read_to_string(&file).with_context(|| file.display().to_string())?;
        println!("\n$ kubectl apply -f deploy/samples/{sample}\n");
        let shown = manifest.lines().filter(|line| !line.starts_with('#'));
        shown.for_each(|line| println!("    {line}"));
        self.server_side_apply(serde_saphyr::from_str(&manifest)?).await
    }

    async fn server_side_apply(&self, object: Value) -> Result<()> {
        let objects = kinds::api_of(&self.client, &object, Some(&self.namespace)).await?;
        let name = object["metadata"]["name"].as_str().context("an object without a name")?.to_owned();
        objects.patch(&name, &PatchParams::apply("demo").force(), &Patch::Apply(object)).await?;
        Ok(())
    }

    /// Prints the row of an object as it changes, until it is as expected.
    pub(crate) async fn watch(&self, of: &Resource, is_expected: impl Fn(&Row) -> bool) -> Result<()> {
        println!("\n$ kubectl get {} --watch\n", of.short);
        let path = format!("/apis/{API_VERSION}/namespaces/{}/{}/{}", self.namespace, of.plural, of.name);
        let waiting = Instant::now();
        let mut last: Vec<String> = Vec::new();
        loop {
            let row = Row::of(&self.client, &path).await?;
            if row.state() != last {
                if last.is_empty() {
                    println!("    {}", table::line(&row.columns));
                }
                println!("    {}", table::line(&row.cells));
                last = row.state().into_iter().map(str::to_owned).collect();
            }
            if is_expected(&row) {
                return Ok(());
            }
            if waiting.elapsed() > PATIENCE {
                anyhow::bail!("{} did not get there: {}", of.name, self.object(of).await?);
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Waits until Atlas' status is this one and the operator reports that it is done with the object.
    pub(crate) async fn until(&self, of: &Resource, status: &str) -> Result<()> {
        self.watch(of, |row| row.cell("STATUS") == status && row.cell("READY") == "True").await
    }

    /// Merges this into an object, as a user does.
    pub(crate) async fn patch(&self, of: &Resource, change: Value) -> Result<()> {
        println!("$ kubectl patch {} {} --type merge -p '{change}'", of.short, of.name);
        self.api(of).patch(of.name, &PatchParams::default(), &Patch::Merge(change)).await?;
        Ok(())
    }

    /// Waits until a ConfigMap has the entry, and returns its value.
    pub(crate) async fn config_map_entry(&self, name: &str, entry: &str) -> Result<String> {
        let kind = kinds::kind("v1", "ConfigMap", "configmaps");
        let objects: Api<DynamicObject> = Api::namespaced_with(self.client.clone(), &self.namespace, &kind);
        let waiting = Instant::now();
        loop {
            let found = objects.get_opt(name).await?;
            if let Some(value) = found.as_ref().and_then(|found| found.data["data"][entry].as_str()) {
                return Ok(value.to_owned());
            }
            ensure!(waiting.elapsed() < PATIENCE, "ConfigMap {name} has no entry {entry}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    pub(crate) async fn delete(&self, of: &Resource, flag: &str) -> Result<()> {
        println!("\n$ kubectl delete {} {}{flag}", of.short, of.name);
        self.api(of).delete(of.name, &DeleteParams::default()).await?;
        Ok(())
    }

    /// Waits until the operator has released the object, and returns how long that took.
    pub(crate) async fn until_gone(&self, of: &Resource) -> Result<Duration> {
        let waiting = Instant::now();
        let objects = self.api(of);
        while let Some(object) = objects.get_opt(of.name).await? {
            ensure!(waiting.elapsed() < PATIENCE, "was not released: {}", serde_json::to_value(object)?);
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        Ok(waiting.elapsed())
    }

    pub(crate) async fn object(&self, of: &Resource) -> Result<Value> {
        Ok(serde_json::to_value(self.api(of).get(of.name).await?)?)
    }

    fn api(&self, of: &Resource) -> Api<DynamicObject> {
        let kind = kinds::kind(API_VERSION, of.kind, of.plural);
        Api::namespaced_with(self.client.clone(), &self.namespace, &kind)
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Returns the operator that was built beside this program.
fn operator_binary() -> Result<PathBuf> {
    let beside = std::env::current_exe()?.with_file_name("spe-operator");
    ensure!(beside.exists(), "{} is missing; build it with: cargo build --workspace", beside.display());
    Ok(beside)
}
