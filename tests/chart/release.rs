//! A release without a cluster's controllers: roles, bindings and service account of the chart are created as rendered,
//! and the operator runs as a child process with that account's token and the chart's arguments, behind a recording
//! proxy.

use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use atlas_simulator::{DedicatedPace, Pace, Settings, Simulator};
use k8s_openapi::api::authentication::v1::TokenRequest;
use k8s_openapi::api::authorization::v1::SubjectAccessReview;
use k8s_openapi::api::core::v1::ServiceAccount;
use k8s_openapi::api::rbac::v1::{ClusterRole, ClusterRoleBinding, Role, RoleBinding};
use kube::api::PostParams;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Api, Client};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use testbed::{ControlPlane, Exchange, Process, Proxy, Recording};

use crate::helm::{ChartManifest, of_kind, operator_arguments, render};

/// The timeout of every condition. Only a failing test waits that long.
pub(crate) const PATIENCE: Duration = Duration::from_mins(2);

/// Of the simulated Atlas.
pub(crate) fn pace() -> Pace {
    Pace::of(Duration::from_millis(200))
}

/// The two ways to install.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    Cluster,
    Namespaced,
}

/// One verb of one rule: the right that is removed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Right {
    pub(crate) role: String,
    pub(crate) rule: usize,
    pub(crate) verb: String,
    pub(crate) resource: String,
}

/// One release with its namespaces and its Atlas.
pub(crate) struct Release {
    pub(crate) client: Client,
    /// Names the release and labels its objects.
    pub(crate) name: String,
    /// The operator's namespace.
    pub(crate) home: String,
    /// The objects' namespace.
    pub(crate) work: String,
    pub(crate) atlas: Simulator,
    pub(crate) recording: Arc<Recording>,
    mode: Mode,
    control_plane: &'static ControlPlane,
    manifests: Vec<ChartManifest>,
    /// Kept as long as the fixture.
    proxy: Option<Proxy>,
}

impl Release {
    pub(crate) async fn new(mode: Mode) -> Result<Self> {
        Self::with(mode, &[]).await
    }

    /// With more values.
    pub(crate) async fn with(mode: Mode, further: &[&str]) -> Result<Self> {
        let control_plane = testbed::control_plane().await?;
        let home = control_plane.create_namespace("home").await?;
        let work = control_plane.create_namespace("work").await?;
        let mut settings = Settings::at_pace(pace());
        settings.dedicated.pace = DedicatedPace::of(Duration::from_millis(200));
        let atlas = Simulator::start(settings).await?;
        let name = home.replace("home", "release");
        let mut values = vec![
            format!("fullnameOverride={name}"),
            format!("watchSelector=release={name}"),
            format!("atlas.baseUrl={}", atlas.url()),
            "integrations.ack.enabled=true".to_owned(),
            "integrations.azureServiceOperator.enabled=true".to_owned(),
            "integrations.configConnector.enabled=true".to_owned(),
            "integrations.crossplane.enabled=true".to_owned(),
            "integrations.outputConfigMap.enabled=true".to_owned(),
            "atlas.timeout=2s".to_owned(),
            "creation.deadline=1s".to_owned(),
            "creation.travelAllowance=1s".to_owned(),
            "creation.uncertainty=8s".to_owned(),
            "creation.confirmGap=300ms".to_owned(),
            "creation.visibilityWindow=1s".to_owned(),
            "polling.min=100ms".to_owned(),
            "polling.max=500ms".to_owned(),
            "logging.format=text".to_owned(),
            "defaultCredentials.existingSecret=shared".to_owned(),
            format!("defaultCredentials.allowedNamespaces=[\"{work}\"]"),
        ];
        if mode == Mode::Namespaced {
            values.extend([
                "rbac.scope=namespaced".to_owned(),
                format!("clusterId={name}"),
                format!("watchNamespaces=[\"{work}\"]"),
            ]);
        }
        let values: Vec<&str> = values.iter().map(String::as_str).chain(further.iter().copied()).collect();
        let manifests = render(&home, &values).await;
        let client = control_plane.client().await?;
        let recording = Arc::new(Recording::default());
        Ok(Self { client, name, home, work, atlas, recording, mode, control_plane, manifests, proxy: None })
    }

    /// Every verb on every resource that the chart grants the operator.
    pub(crate) fn rights(&self) -> Vec<Right> {
        let mut rights = Vec::new();
        for role in self.roles() {
            for (rule, content) in role["rules"].as_array().into_iter().flatten().enumerate() {
                for verb in strings(&content["verbs"]) {
                    for resource in strings(&content["resources"]) {
                        let role = role["metadata"]["name"].as_str().unwrap_or_default().to_owned();
                        // Names differ from release to release.
                        let role = role.replace(&self.name, "release").replace(&self.home, "home");
                        rights.push(Right { role, rule, verb: verb.clone(), resource });
                    }
                }
            }
        }
        rights
    }

    fn roles(&self) -> Vec<&ChartManifest> {
        let wide = of_kind(&self.manifests, "ClusterRole");
        let wide = wide.into_iter().filter(|role| role["metadata"]["name"] == self.wide_name());
        of_kind(&self.manifests, "Role").into_iter().chain(wide).collect()
    }

    /// The name of a role in this release.
    fn name_of(&self, role: &str) -> String {
        role.replace("release", &self.name).replace(".home", &format!(".{}", self.home))
    }

    /// The chart's name for its cluster-wide role.
    fn wide_name(&self) -> String {
        format!("{}.{}", self.name, self.home)
    }

    /// Grants everything but `without`, as rendered, and waits until it takes effect.
    pub(crate) async fn grant(&self, without: Option<&Right>) -> Result<()> {
        let mut manifests = self.manifests.clone();
        let mut taken = false;
        for role in &mut manifests {
            let (kind, name) = (role["kind"].as_str(), role["metadata"]["name"].as_str());
            let Some(right) = without.filter(|right| {
                matches!(kind, Some("Role" | "ClusterRole")) && name == Some(&self.name_of(&right.role))
            }) else {
                continue;
            };
            let rule = &mut role["rules"][right.rule];
            ensure!(strings(&rule["resources"]) == [right.resource.as_str()], "one resource a rule: {rule}");
            let Some(verbs) = rule["verbs"].as_array_mut() else { bail!("a rule without verbs: {rule}") };
            verbs.retain(|verb| *verb != right.verb.as_str());
            taken = true;
            if verbs.is_empty() {
                role["rules"].as_array_mut().context("rules")?.remove(right.rule);
            }
        }
        ensure!(taken == without.is_some(), "{without:?} is not in the chart");
        self.create::<ServiceAccount>(&manifests, "ServiceAccount").await?;
        self.create::<Role>(&manifests, "Role").await?;
        self.create::<RoleBinding>(&manifests, "RoleBinding").await?;
        let client = &self.client;
        for manifest in of_kind(&manifests, "ClusterRole") {
            let role: ClusterRole = serde_json::from_value(manifest.clone())?;
            Api::all(client.clone()).create(&PostParams::default(), &role).await?;
        }
        for manifest in of_kind(&manifests, "ClusterRoleBinding") {
            let binding: ClusterRoleBinding = serde_json::from_value(manifest.clone())?;
            Api::all(client.clone()).create(&PostParams::default(), &binding).await?;
        }
        self.until_granted(&manifests).await
    }

    async fn create<K>(&self, manifests: &[ChartManifest], kind: &str) -> Result<()>
    where
        K: kube::Resource<Scope = k8s_openapi::NamespaceResourceScope, DynamicType = ()>
            + Clone
            + DeserializeOwned
            + serde::Serialize
            + std::fmt::Debug,
    {
        for manifest in of_kind(manifests, kind) {
            let namespace = manifest["metadata"]["namespace"].as_str().context("no namespace")?;
            let object: K = serde_json::from_value(manifest.clone())?;
            Api::<K>::namespaced(self.client.clone(), namespace)
                .create(&PostParams::default(), &object)
                .await?;
        }
        Ok(())
    }

    /// The authorizer sees roles and bindings a moment after their creation.
    async fn until_granted(&self, manifests: &[ChartManifest]) -> Result<()> {
        let reviews: Api<SubjectAccessReview> = Api::all(self.client.clone());
        for role in manifests {
            let wide = role["kind"] == "ClusterRole";
            if !wide && role["kind"] != "Role"
                || role["metadata"]["name"].as_str().is_none_or(|name| wide && name != self.wide_name())
            {
                continue;
            }
            for rule in role["rules"].as_array().into_iter().flatten() {
                for verb in strings(&rule["verbs"]) {
                    let resource = rule["resources"][0].as_str().unwrap_or_default();
                    let (resource, subresource) = resource.split_once('/').unwrap_or((resource, ""));
                    let review: SubjectAccessReview = serde_json::from_value(json!({"spec": {
                        "user": format!("system:serviceaccount:{}:{}", self.home, self.name),
                        "resourceAttributes": {
                            "group": rule["apiGroups"][0], "resource": resource, "subresource": subresource,
                            "verb": verb, "name": rule["resourceNames"][0],
                            "namespace": if wide { Value::from("") } else { role["metadata"]["namespace"].clone() },
                        },
                    }}))?;
                    let holds = async {
                        loop {
                            let response = reviews.create(&PostParams::default(), &review).await?;
                            if response.status.is_some_and(|status| status.allowed) {
                                return Ok::<_, kube::Error>(());
                            }
                            tokio::time::sleep(Duration::from_millis(20)).await;
                        }
                    };
                    let held = tokio::time::timeout(PATIENCE, holds).await;
                    held.with_context(|| format!("{verb} on {resource} is never granted"))??;
                }
            }
        }
        Ok(())
    }

    /// The operator with the service account's token.
    pub(crate) async fn operator(&mut self) -> Result<Process> {
        let kubeconfig = self.kubeconfig().await?;
        let arguments = operator_arguments(&self.manifests);
        let arguments = arguments.iter().map(|argument| {
            if argument.starts_with("--admin-address=") { "--admin-address=127.0.0.1:0" } else { argument }
        });
        let mut command = Command::new(env!("CARGO_BIN_EXE_spe-operator"));
        command.env("KUBECONFIG", kubeconfig).args(arguments).arg("--log-level=debug");
        Process::spawn(&format!("{}-{:?}", self.name, self.mode), &command)
    }

    /// Leads through the proxy, which holds nothing but the token.
    async fn kubeconfig(&mut self) -> Result<PathBuf> {
        let accounts: Api<ServiceAccount> = Api::namespaced(self.client.clone(), &self.home);
        let request: TokenRequest =
            serde_json::from_value(json!({"spec": {"audiences": [], "expirationSeconds": 3600}}))?;
        let response = accounts.create_token_request(&self.name, &PostParams::default(), &request).await?;
        let token = response.status.context("no token")?.token;
        let mut config: Value = serde_saphyr::from_str(self.control_plane.kubeconfig())?;
        for user in config["users"].as_array_mut().context("no users")? {
            user["user"] = json!({ "token": token });
        }
        let config = Kubeconfig::from_yaml(&config.to_string())?;
        let config = kube::Config::from_custom_kubeconfig(config, &KubeConfigOptions::default()).await?;
        let proxy = Proxy::start(&self.name, config, &self.recording)?;
        let file = proxy.kubeconfig_file()?;
        // A pod's namespace comes with its token; here the context names it.
        let mut text: Value = serde_saphyr::from_str(&std::fs::read_to_string(&file)?)?;
        text["contexts"][0]["context"]["namespace"] = json!(self.home);
        std::fs::write(&file, text.to_string())?;
        self.proxy = Some(proxy);
        Ok(file)
    }

    /// Returns the requests that the API server forbade.
    pub(crate) fn refused(&self) -> Vec<String> {
        let refused = self.recording.exchanges().into_iter().filter(is_refused);
        refused.map(|exchange| format!("{} {}", exchange.method, exchange.path)).collect()
    }

    /// Ends as soon as a request is forbidden.
    pub(crate) async fn until_refused(&self) {
        // Its own time limit is that of the run it is part of.
        let _ = self.recording.wait_for(1, is_refused, Duration::MAX).await;
    }
}

/// Returns whether a right is missing. The survey for unwatched objects uses the right to list everywhere, and works
/// without it.
fn is_refused(exchange: &Exchange) -> bool {
    let is_survey = exchange.path.starts_with("/apis/atlas.spe-operator.io/")
        && !exchange.path.contains("/namespaces/")
        && exchange.path.ends_with("limit=50");
    exchange.status == Some(403) && !is_survey
}

pub(crate) fn strings(value: &Value) -> Vec<String> {
    value.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}
