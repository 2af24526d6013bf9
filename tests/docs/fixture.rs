//! The fixture of a page: an API server with the kinds on the page, a simulated Atlas, and the operator. The page's
//! hidden blocks play AWS, ACK, Flux and the others, never this file.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use atlas_simulator::{
    DEFAULT_INSTANCE, DEFAULT_PRIVATE_KEY, DEFAULT_PROJECT, DEFAULT_PUBLIC_KEY, DedicatedPace, Pace,
    Settings, Simulator,
};
use k8s_openapi::api::core::v1::Namespace;
use kube::Api;
use kube::api::{ObjectMeta, PostParams};
use serde_json::{Value, json};
use spe_operator::app::definitions::definitions;
use testbed::{ControlPlane, Process, SHORT_TIMES};
use tokio::sync::OnceCell;

use crate::book::root;

/// The timeout of a script.
const PATIENCE: Duration = Duration::from_mins(4);

/// The requirements of a page, in a comment that begins with `fixture`, one `name: values` a line.
#[derive(Default)]
pub(crate) struct Requirements {
    /// Names of fresh clusters, each a context of the kubeconfig; none: the cluster that all pages share.
    pub(crate) clusters: Vec<String>,
    /// Namespaces of fixed names, which the operator watches too.
    pub(crate) namespaces: Vec<String>,
    /// The definition of our kind is not installed: the page installs it. The operator waits for it.
    pub(crate) bare: bool,
}

pub(crate) struct PageFixture {
    pub(crate) atlas: Simulator,
    pub(crate) namespace: String,
    pub(crate) kubeconfig: PathBuf,
    // Dropped first: an API server that shuts down waits for its watches.
    _operators: Vec<Process>,
    _clusters: Vec<ControlPlane>,
}

impl PageFixture {
    pub(crate) async fn build(name: &str, requirements: &Requirements) -> Self {
        static SHARED: OnceCell<()> = OnceCell::const_new();
        let phase = Duration::from_millis(300);
        let mut settings = Settings::at_pace(Pace::of(phase));
        settings.dedicated.pace = DedicatedPace::of(phase);
        // The dedicated cluster of the manual has the name of its serverless instance.
        settings.dedicated.add_cluster(DEFAULT_PROJECT, DEFAULT_INSTANCE, &[]);
        let atlas = Simulator::start(settings).await.unwrap();
        let mut fresh = Vec::new();
        for _ in &requirements.clusters {
            let cluster = ControlPlane::start().await.unwrap();
            install(&cluster, requirements.bare).await;
            fresh.push(cluster);
        }
        let shared;
        let clusters: Vec<(&str, &ControlPlane)> = if fresh.is_empty() {
            shared = testbed::control_plane().await.unwrap();
            SHARED.get_or_init(|| install(shared, false)).await;
            vec![("test", shared)]
        } else {
            requirements.clusters.iter().map(String::as_str).zip(&fresh).collect()
        };
        // Without a namespace of its own a page works where a reader would: in `default` of a fresh cluster.
        let namespace = if fresh.is_empty() {
            clusters[0].1.create_namespace(name).await.unwrap()
        } else {
            "default".to_owned()
        };
        let mut operators = Vec::new();
        for (context, cluster) in &clusters {
            let namespaces: Api<Namespace> = Api::all(cluster.client().await.unwrap());
            for name in &requirements.namespaces {
                let metadata = ObjectMeta { name: Some(name.clone()), ..ObjectMeta::default() };
                let namespace = Namespace { metadata, ..Namespace::default() };
                namespaces.create(&PostParams::default(), &namespace).await.unwrap();
            }
            let mut watched = requirements.namespaces.clone();
            watched.push(namespace.clone());
            let watched = watched.join(",");
            let file = cluster.kubeconfig_file().display().to_string();
            operators.push(operator(&format!("{name}-{context}"), &file, &atlas.url(), &watched));
        }
        let kubeconfig = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}.kubeconfig"));
        fs::write(&kubeconfig, merged(&clusters, &namespace).to_string()).unwrap();
        Self { atlas, namespace, kubeconfig, _clusters: fresh, _operators: operators }
    }

    /// Runs a shell script in this folder, after the common prologue.
    pub(crate) async fn play(&self, name: &str, folder: &Path, script: &str) -> Result<(), String> {
        let file = folder.join(".script");
        fs::write(&file, [include_str!("prelude.sh"), script].concat()).unwrap();
        let mut command = Command::new("bash");
        command.arg(&file).current_dir(folder).envs(self.environment().await);
        let process = Process::spawn(name, &command).unwrap();
        let ended = process.wait(PATIENCE).await;
        match ended {
            Ok(status) if status.success() => Ok(()),
            other => {
                let lines = process.output();
                Err(format!("{other:?}\n{}", lines[lines.len().saturating_sub(25)..].join("\n")))
            }
        }
    }

    /// Returns the environment of a page's commands.
    async fn environment(&self) -> BTreeMap<&'static str, String> {
        let programs = testbed::control_plane_binaries().await.unwrap();
        let helm = testbed::go_tool("helm", "helm.sh/helm/v4/cmd/helm", "helm").await.unwrap();
        // What others have made in Atlas, they have made with this.
        let sdk = testbed::go_tool("atlas-sdk", ".", "atlas-sdk").await.unwrap();
        let stand_ins = root().join("tests/docs/programs");
        let path = std::env::var("PATH").unwrap();
        BTreeMap::from([
            ("KUBECONFIG", self.kubeconfig.display().to_string()),
            ("NAMESPACE", self.namespace.clone()),
            ("ATLAS", self.atlas.address().to_string()),
            ("ATLAS_BASE_URL", self.atlas.url()),
            ("ATLAS_PROJECT", DEFAULT_PROJECT.to_owned()),
            ("ATLAS_PUBLIC_KEY", DEFAULT_PUBLIC_KEY.to_owned()),
            ("ATLAS_PRIVATE_KEY", DEFAULT_PRIVATE_KEY.to_owned()),
            // Nothing of the user's own helm.
            ("HELM_CONFIG_HOME", env!("CARGO_TARGET_TMPDIR").to_owned()),
            ("HELM_CACHE_HOME", env!("CARGO_TARGET_TMPDIR").to_owned()),
            ("HELM_DATA_HOME", env!("CARGO_TARGET_TMPDIR").to_owned()),
            (
                "PATH",
                [stand_ins, programs, helm.parent().unwrap().to_owned(), sdk.parent().unwrap().to_owned()]
                    .map(|folder| folder.display().to_string() + ":")
                    .concat()
                    + &path,
            ),
        ])
    }
}

/// Our kinds, and small definitions of the others that the manual's manifests use: closed, so that a misspelled field is an
/// error.
async fn install(cluster: &ControlPlane, bare: bool) {
    if !bare {
        for crd in definitions() {
            cluster.install_crd(&crd).await.unwrap();
        }
    }
    for entry in fs::read_dir(root().join("tests/docs/definitions")).unwrap() {
        let path = entry.unwrap().path();
        for definition in serde_saphyr::from_multiple::<Value>(&fs::read_to_string(&path).unwrap()).unwrap() {
            cluster
                .install_crd(&definition)
                .await
                .unwrap_or_else(|error| panic!("{}: {error:#}", path.display()));
        }
    }
}

fn operator(name: &str, kubeconfig: &str, atlas: &str, watched: &str) -> Process {
    let mut command = Command::new(env!("CARGO_BIN_EXE_spe-operator"));
    command.arg("run").env("KUBECONFIG", kubeconfig).args(SHORT_TIMES);
    command.args(["--atlas-base-url", atlas, "--watch-namespaces", watched]);
    Process::spawn(&format!("spe-operator-{name}"), &command).unwrap()
}

/// One kubeconfig with a context for each cluster; the first is the current one.
fn merged(clusters: &[(&str, &ControlPlane)], namespace: &str) -> Value {
    let mut merged = json!({
        "apiVersion": "v1", "kind": "Config", "clusters": [], "users": [], "contexts": [],
        "current-context": clusters[0].0,
    });
    for (name, cluster) in clusters {
        let one: Value = serde_saphyr::from_str(cluster.kubeconfig()).unwrap();
        for (list, part) in [("clusters", "cluster"), ("users", "user")] {
            let entry = json!({"name": name, part: one[list][0][part]});
            merged[list].as_array_mut().unwrap().push(entry);
        }
        let context =
            json!({"name": name, "context": {"cluster": name, "user": name, "namespace": namespace}});
        merged["contexts"].as_array_mut().unwrap().push(context);
    }
    merged
}
