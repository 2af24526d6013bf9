//! The script of the demo, step by step.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use atlas_simulator::{
    DEFAULT_INSTANCE, DEFAULT_PRIVATE_KEY, DEFAULT_PROJECT, DEFAULT_PUBLIC_KEY, Settings, Simulator,
};
use kube::api::{ApiResource, DeleteParams, DynamicObject, Patch, PatchParams};
use kube::{Api, Client};
use serde_json::{Value, json};
use testbed::{ControlPlane, Process};

use crate::table::{self, Row};

/// The object of the demo: the sample that the README shows.
const NAME: &str = "basic";

/// The response of AWS to `create-vpc-endpoint`.
const VPC_ENDPOINT: &str = "vpce-0a1b2c3d4e5f60718";

/// The annotation that requests a reconcile.
const RECONCILE_REQUEST: &str = "reconcile.fluxcd.io/requestedAt";

/// The timeout of any one step.
const PATIENCE: Duration = Duration::from_mins(2);

struct DemoFixture {
    // Kept alive until the end.
    _operator: Process,
    control_plane: ControlPlane,
    atlas: Simulator,
    client: Client,
    namespace: String,
    objects: Api<DynamicObject>,
}

/// Runs the script; `leave` ends it with the object's deletion instead of waiting for Ctrl-C.
pub(crate) async fn run(leave: bool) -> Result<()> {
    let fixture = DemoFixture::build().await?;
    let started = Instant::now();
    fixture.apply().await?;
    fixture.until("RESERVED").await?;
    fixture.act_as_user().await?;
    fixture.until("AVAILABLE").await?;
    println!("\nThe endpoint is AVAILABLE, {} s after kubectl apply.", started.elapsed().as_secs());
    if leave {
        return fixture.clean_up().await;
    }
    fixture.invite().await?;
    tokio::signal::ctrl_c().await?;
    Ok(())
}

impl DemoFixture {
    async fn build() -> Result<Self> {
        println!("Starting etcd and kube-apiserver (built on the first run; that takes some minutes) …");
        let control_plane = ControlPlane::start().await?;
        let operator = operator_binary()?;
        let crd = Command::new(&operator).arg("crd").output().context("spe-operator crd")?;
        ensure!(crd.status.success(), "spe-operator crd: {}", String::from_utf8_lossy(&crd.stderr));
        control_plane.install_crd_yaml(&String::from_utf8(crd.stdout)?).await?;
        let namespace = control_plane.create_namespace("demo").await?;
        println!("Starting the simulated Atlas and the operator …");
        let atlas = Simulator::start(Settings::default()).await?;
        let mut command = Command::new(&operator);
        command.args(["run", "--atlas-base-url", &atlas.url(), "--admin-address", "127.0.0.1:0"]);
        command.env("KUBECONFIG", control_plane.kubeconfig_file());
        let client = control_plane.client().await?;
        let kind = kind();
        Ok(Self {
            _operator: Process::spawn("spe-operator", &command)?,
            objects: Api::namespaced_with(client.clone(), &namespace, &kind),
            control_plane,
            atlas,
            client,
            namespace,
        })
    }

    async fn apply(&self) -> Result<()> {
        let secret = json!({
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": "atlas-api"},
            "stringData": {"publicApiKey": DEFAULT_PUBLIC_KEY, "privateApiKey": DEFAULT_PRIVATE_KEY},
        });
        let sample = root().join("deploy/samples/basic.yaml");
        let manifest = std::fs::read_to_string(&sample).with_context(|| sample.display().to_string())?;
        println!(
            "\n$ kubectl create secret generic atlas-api --from-literal=publicApiKey=… --from-literal=privateApiKey=…"
        );
        println!("$ kubectl apply -f deploy/samples/basic.yaml\n");
        let shown = manifest.lines().filter(|line| !line.starts_with('#'));
        shown.for_each(|line| println!("    {line}"));
        let object: Value = serde_saphyr::from_str(&manifest)?;
        let secrets = ApiResource::erase::<k8s_openapi::api::core::v1::Secret>(&());
        let secrets: Api<DynamicObject> =
            Api::namespaced_with(self.client.clone(), &self.namespace, &secrets);
        let apply = PatchParams::apply("demo").force();
        secrets.patch("atlas-api", &apply, &Patch::Apply(secret)).await?;
        self.objects.patch(NAME, &apply, &Patch::Apply(object)).await?;
        println!("\n$ kubectl get spe --watch\n");
        Ok(())
    }

    /// Prints the object's row as it changes, until Atlas' status is the expected one and the operator reports that it
    /// is done with it.
    async fn until(&self, status: &str) -> Result<()> {
        let path = format!(
            "/apis/atlas.spe-operator.io/v1alpha1/namespaces/{}/serverlessprivateendpoints/{NAME}",
            self.namespace
        );
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
            if row.cell("STATUS") == status && row.cell("READY") == "True" {
                return Ok(());
            }
            if waiting.elapsed() > PATIENCE {
                bail!(
                    "the endpoint did not become {status} within {} s; the object: {}",
                    PATIENCE.as_secs(),
                    self.object().await?
                );
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    async fn act_as_user(&self) -> Result<()> {
        let object = self.object().await?;
        let service = object["status"]["endpointServiceName"].as_str().context("no endpoint service name")?;
        println!("\nThe endpoint service is reserved. You would now create a VPC endpoint for it:\n");
        println!("    aws ec2 create-vpc-endpoint --vpc-endpoint-type Interface --service-name {service} \\");
        println!("        --vpc-id <vpc> --subnet-ids <subnets> --security-group-ids <groups>\n");
        println!("and declare its id. The demo plays that part:\n");
        let change = json!({"spec": {"cloudProviderEndpointId": VPC_ENDPOINT}});
        println!("$ kubectl patch spe {NAME} --type merge -p '{change}'\n");
        self.objects.patch(NAME, &PatchParams::default(), &Patch::Merge(change)).await?;
        Ok(())
    }

    async fn clean_up(&self) -> Result<()> {
        println!("\n$ kubectl delete spe {NAME}");
        self.objects.delete(NAME, &DeleteParams::default()).await?;
        let waiting = Instant::now();
        while self.objects.get_opt(NAME).await?.is_some() {
            ensure!(waiting.elapsed() < PATIENCE, "the object was not released: {}", self.object().await?);
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        let left = self.atlas.endpoints(DEFAULT_PROJECT, DEFAULT_INSTANCE);
        ensure!(left.is_empty(), "the object is gone, but Atlas still holds {left:?}");
        println!(
            "\nThe object is gone after {} s, and Atlas holds no endpoint any more.",
            waiting.elapsed().as_secs()
        );
        Ok(())
    }

    async fn invite(&self) -> Result<()> {
        let namespace = &self.namespace;
        let id = self.object().await?["status"]["_id"].as_str().unwrap_or_default().to_owned();
        println!("\nEverything stays up until Ctrl-C. Look around, in another terminal:\n");
        println!("    export KUBECONFIG={}", self.control_plane.kubeconfig_file().display());
        if !is_installed("kubectl") {
            let programs = testbed::control_plane_binaries().await?;
            println!("    export PATH=\"{}:$PATH\"    # kubectl", programs.display());
        }
        println!("    kubectl -n {namespace} describe spe {NAME}\n");
        println!(
            "Break something, request a reconcile, and read again. Here the endpoint is deleted in Atlas; the"
        );
        println!("operator believes it once the endpoint is two minutes old, and creates another:\n");
        println!("    curl -s -X DELETE {}/control/endpoints/{id}", self.atlas.url());
        println!(
            "    kubectl -n {namespace} annotate --overwrite spe {NAME} {RECONCILE_REQUEST}=\"$(date)\"\n"
        );
        println!("What Atlas holds:\n");
        println!(
            "    curl --user '{DEFAULT_PUBLIC_KEY}:{DEFAULT_PRIVATE_KEY}' --digest --header 'Accept: application/json' \\\n        \
             '{}/api/atlas/v1.0/groups/{DEFAULT_PROJECT}/privateEndpoint/serverless/instance/{DEFAULT_INSTANCE}/endpoint?pretty=true'\n",
            self.atlas.url()
        );
        Ok(())
    }

    async fn object(&self) -> Result<Value> {
        Ok(serde_json::to_value(self.objects.get(NAME).await?)?)
    }
}

/// Returns whether a shell would find the program.
fn is_installed(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

fn kind() -> ApiResource {
    ApiResource {
        group: "atlas.spe-operator.io".to_owned(),
        version: "v1alpha1".to_owned(),
        api_version: "atlas.spe-operator.io/v1alpha1".to_owned(),
        kind: "ServerlessPrivateEndpoint".to_owned(),
        plural: "serverlessprivateendpoints".to_owned(),
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
