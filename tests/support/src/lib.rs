//! The fixture of one test: a namespace, an Atlas of its own, and the operator as a child process. Only tests use this
//! crate, and it decides nothing: what has to hold stands in the tests.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::missing_panics_doc,
    clippy::must_use_candidate,
    clippy::needless_pass_by_value,
    reason = "a fixture fails the test that uses it, and takes its arguments as tests write them"
)]

pub mod atlas_sdk;
pub mod dedicated;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use atlas_simulator::{
    DEFAULT_INSTANCE, DEFAULT_PRIVATE_KEY, DEFAULT_PROJECT, DEFAULT_PUBLIC_KEY, Pace, Settings, Simulator,
};
use futures::StreamExt;
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::Api;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams, WatchEvent, WatchParams};
use serde_json::{Value, json};
use spe_operator::app::definitions::definitions;
use spe_operator::serverless::crd::ServerlessPrivateEndpoint;
use testbed::{ControlPlane, Process, Proxy, Recording, SHORT_TIMES};
use tokio::sync::OnceCell;

/// The timeout of every condition. Only a failing test waits that long.
pub const PATIENCE: Duration = Duration::from_mins(1);

/// The Secret's name.
pub const SECRET: &str = "atlas-api";

/// A VPC endpoint id.
pub const VPC_ENDPOINT: &str = "vpce-0a1b2c3d4e5f60718";

/// The default flags of the operator.
const LOG: [&str; 2] = ["--log-level=debug", "--log-format=text"];

/// A namespace with a Secret in it, and an Atlas.
pub struct Fixture {
    /// The API server that all tests of this process share.
    pub control_plane: &'static ControlPlane,
    /// The name of the namespace.
    pub namespace: String,
    /// The simulated Atlas.
    pub atlas: Simulator,
    /// The namespace's objects of our kind.
    pub objects: Api<ServerlessPrivateEndpoint>,
    /// The namespace's Secrets.
    pub secrets: Api<Secret>,
}

impl Fixture {
    /// Returns a fixture whose Atlas ends each phase after 0.3 s.
    pub async fn new() -> Self {
        Self::at_pace(Pace::of(Duration::from_millis(300))).await
    }

    /// Returns a fixture whose Atlas has this pace.
    pub async fn at_pace(pace: Pace) -> Self {
        static INSTALLED: OnceCell<()> = OnceCell::const_new();
        let control_plane = testbed::control_plane().await.unwrap();
        INSTALLED
            .get_or_init(|| {
                Box::pin(async {
                    for definition in definitions() {
                        control_plane.install_crd(&definition).await.unwrap();
                    }
                })
            })
            .await;
        let namespace = control_plane.create_namespace("operator").await.unwrap();
        let client = control_plane.client().await.unwrap();
        let fixture = Self {
            control_plane,
            objects: Api::namespaced(client.clone(), &namespace),
            secrets: Api::namespaced(client.clone(), &namespace),
            namespace,
            atlas: Simulator::start(Settings::at_pace(pace)).await.unwrap(),
        };
        fixture
            .put_secret(&[("publicApiKey", DEFAULT_PUBLIC_KEY), ("privateApiKey", DEFAULT_PRIVATE_KEY)])
            .await;
        fixture
    }

    /// Creates or replaces the Secret.
    pub async fn put_secret(&self, entries: &[(&str, &str)]) {
        let data: BTreeMap<_, _> = entries.iter().copied().collect();
        let _ = self.secrets.delete(SECRET, &DeleteParams::default()).await;
        let secret =
            serde_json::from_value(json!({"metadata": {"name": SECRET}, "stringData": data})).unwrap();
        self.secrets.create(&PostParams::default(), &secret).await.unwrap();
    }

    /// Starts the operator, connected to API server and Atlas directly.
    pub fn operator(&self) -> Process {
        self.operator_with(&[])
    }

    /// The same with these flags, which replace default ones.
    pub fn operator_with(&self, arguments: &[&str]) -> Process {
        self.spawn(&self.control_plane.kubeconfig_file().display().to_string(), &self.atlas.url(), arguments)
    }

    /// Starts the operator of another cluster, which this namespace stands for: it watches nothing else.
    pub fn operator_of_cluster(&self, cluster_id: &str, namespace: &str) -> Process {
        let kubeconfig = self.control_plane.kubeconfig_file().display().to_string();
        let arguments = [format!("--cluster-id={cluster_id}")];
        Self::start(
            &kubeconfig,
            &self.atlas.url(),
            ["--watch-namespaces", namespace],
            &arguments.each_ref().map(String::as_str),
        )
    }

    /// Starts the operator for all objects with this label, in any namespace.
    pub fn operator_of_label(&self, label: &str, arguments: &[&str]) -> Process {
        let kubeconfig = self.control_plane.kubeconfig_file().display().to_string();
        Self::start(&kubeconfig, &self.atlas.url(), ["--watch-selector", label], arguments)
    }

    /// Starts the operator, behind the proxies.
    pub fn operator_behind(&self, proxies: &Proxies) -> Process {
        self.operator_behind_with(proxies, &[])
    }

    /// The same with these flags.
    pub fn operator_behind_with(&self, proxies: &Proxies, arguments: &[&str]) -> Process {
        let kubeconfig = proxies.cluster.kubeconfig_file().unwrap();
        self.spawn(&kubeconfig.display().to_string(), &proxies.atlas.url(), arguments)
    }

    fn spawn(&self, kubeconfig: &str, atlas: &str, arguments: &[&str]) -> Process {
        Self::start(kubeconfig, atlas, ["--watch-namespaces", &self.namespace], arguments)
    }

    fn start(kubeconfig: &str, atlas: &str, watched: [&str; 2], arguments: &[&str]) -> Process {
        let defaults = SHORT_TIMES.iter().chain(&LOG);
        let mut command = Command::new(program());
        command
            .arg("run")
            .env("KUBECONFIG", kubeconfig)
            .args(["--atlas-base-url", atlas])
            .args(watched)
            .args(defaults.filter(|default| !arguments.iter().any(|given| same_flag(given, default))))
            .args(arguments);
        Process::spawn("spe-operator", &command).unwrap()
    }

    /// Starts proxies in front of API server and Atlas, with one numbering for the effects on both.
    pub async fn proxies(&self) -> Proxies {
        let recording = Arc::new(Recording::default());
        let config = self.control_plane.config().await.unwrap();
        let cluster = Proxy::start("cluster", config, &recording).unwrap();
        let upstream = kube::Config::new(self.atlas.url().parse().unwrap());
        let atlas = Proxy::start("atlas", upstream, &recording).unwrap();
        Proxies { recording, cluster, atlas }
    }

    /// Creates an object with these fields beside the required ones.
    pub async fn create(&self, name: &str, fields: Value) -> ServerlessPrivateEndpoint {
        let mut spec = json!({
            "projectId": DEFAULT_PROJECT,
            "instanceName": DEFAULT_INSTANCE,
            "credentialsRef": {"name": SECRET},
        });
        for (field, value) in fields.as_object().unwrap() {
            spec[field] = value.clone();
        }
        let object = json!({
            "apiVersion": "atlas.spe-operator.io/v1alpha1",
            "kind": "ServerlessPrivateEndpoint",
            "metadata": {"name": name},
            "spec": spec,
        });
        self.objects.create(&PostParams::default(), &serde_json::from_value(object).unwrap()).await.unwrap()
    }

    /// Merges these fields into the spec.
    pub async fn edit(&self, name: &str, fields: Value) -> ServerlessPrivateEndpoint {
        let patch = Patch::Merge(json!({ "spec": fields }));
        self.objects.patch(name, &PatchParams::default(), &patch).await.unwrap()
    }

    /// Sets annotations; `null` removes one.
    pub async fn annotate(&self, name: &str, annotations: Value) {
        let patch = Patch::Merge(json!({"metadata": {"annotations": annotations}}));
        self.objects.patch(name, &PatchParams::default(), &patch).await.unwrap();
    }

    /// Requests a reconcile of the object now.
    pub async fn request_reconcile(&self, name: &str, word: &str) {
        self.annotate(name, json!({"reconcile.fluxcd.io/requestedAt": word})).await;
    }

    /// Waits until the reconcile that `word` requested is done.
    pub async fn until_reconciled(&self, name: &str, word: &str) -> ServerlessPrivateEndpoint {
        let holds = |object: &ServerlessPrivateEndpoint| {
            object.status.as_ref().and_then(|status| status.last_handled_reconcile_at.as_deref())
                == Some(word)
        };
        self.until(name, "reconciled", holds).await
    }

    /// Requests reconciles until the object satisfies `holds`.
    pub async fn reconcile_until(
        &self,
        name: &str,
        what: &str,
        holds: impl Fn(&ServerlessPrivateEndpoint) -> bool,
    ) -> ServerlessPrivateEndpoint {
        let found = tokio::time::timeout(PATIENCE, async {
            let mut round = 0;
            loop {
                let word = format!("until {what}, {round}");
                self.request_reconcile(name, &word).await;
                let object = self.until_reconciled(name, &word).await;
                if holds(&object) {
                    return object;
                }
                round += 1;
            }
        });
        found.await.unwrap_or_else(|_| panic!("{name} never was {what}"))
    }

    /// Requests the deletion of the object.
    pub async fn delete(&self, name: &str) {
        self.objects.delete(name, &DeleteParams::default()).await.unwrap();
    }

    /// Returns the object.
    pub async fn get(&self, name: &str) -> ServerlessPrivateEndpoint {
        self.objects.get(name).await.unwrap()
    }

    /// Waits until the object satisfies `holds`.
    pub async fn until(
        &self,
        name: &str,
        what: &str,
        holds: impl Fn(&ServerlessPrivateEndpoint) -> bool,
    ) -> ServerlessPrivateEndpoint {
        let mut last = None;
        let found = tokio::time::timeout(PATIENCE, async {
            loop {
                let parameters = WatchParams::default().fields(&format!("metadata.name={name}"));
                let current = self.objects.get_opt(name).await.unwrap();
                if let Some(object) = current.clone().filter(&holds) {
                    return object;
                }
                let version = current.and_then(|object| object.metadata.resource_version);
                let mut events =
                    self.objects.watch(&parameters, &version.unwrap_or("0".into())).await.unwrap().boxed();
                while let Some(Ok(WatchEvent::Added(object) | WatchEvent::Modified(object))) =
                    events.next().await
                {
                    if holds(&object) {
                        return object;
                    }
                    last = Some(object);
                }
            }
        });
        match found.await.ok() {
            Some(object) => object,
            None => {
                panic!("{name} never was {what}; it is {}", serde_json::to_string_pretty(&last).unwrap())
            }
        }
    }

    /// Waits until Ready has this reason.
    pub async fn until_reason(&self, name: &str, reason: &str) -> ServerlessPrivateEndpoint {
        let holds = |object: &ServerlessPrivateEndpoint| {
            condition(object, "Ready").is_some_and(|ready| ready.reason == reason)
                && object.status.as_ref().map(|status| status.observed_generation)
                    == object.metadata.generation
        };
        self.until(name, reason, holds).await
    }

    /// Waits until Synced has this reason.
    pub async fn until_synced(&self, name: &str, reason: &str) -> ServerlessPrivateEndpoint {
        let holds = |object: &ServerlessPrivateEndpoint| {
            condition(object, "Synced").is_some_and(|synced| synced.reason == reason)
        };
        self.until(name, reason, holds).await
    }

    /// Waits until the object no longer exists.
    pub async fn until_gone(&self, name: &str) {
        let gone = async {
            while self.objects.get_opt(name).await.unwrap().is_some() {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        if tokio::time::timeout(PATIENCE, gone).await.is_err() {
            let object = self.get(name).await;
            panic!("{name} was never released: {}", serde_json::to_string_pretty(&object).unwrap());
        }
    }

    /// Returns Atlas' endpoints of the instance.
    pub fn endpoints(&self) -> Vec<atlas_simulator::Endpoint> {
        self.atlas.endpoints(DEFAULT_PROJECT, DEFAULT_INSTANCE)
    }
}

/// Returns the path of the operator's program, which cargo builds beside the folder of the tests' programs.
fn program() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    test.ancestors().nth(2).unwrap().join("spe-operator")
}

fn same_flag(one: &str, other: &str) -> bool {
    one.split('=').next() == other.split('=').next()
}

/// Proxies in front of all servers of the operator.
pub struct Proxies {
    /// The requests of both.
    pub recording: Arc<Recording>,
    /// The proxy in front of the API server.
    pub cluster: Proxy,
    /// The proxy in front of Atlas.
    pub atlas: Proxy,
}

impl Proxies {
    /// Returns the number of effects so far, once no more follow.
    pub async fn settled_effects(&self) -> usize {
        settled(Duration::from_millis(700), || self.recording.effects().len()).await
    }
}

/// Returns the count once it has not changed for this long.
pub async fn settled(quiet: Duration, count: impl Fn() -> usize) -> usize {
    loop {
        let before = count();
        tokio::time::sleep(quiet).await;
        if count() == before {
            return before;
        }
    }
}

/// Returns the condition of this type.
pub fn condition<'a>(object: &'a ServerlessPrivateEndpoint, kind: &str) -> Option<&'a Condition> {
    object.status.as_ref()?.conditions.iter().find(|condition| condition.type_ == kind)
}

/// Fails unless the condition has this status and reason.
#[track_caller]
pub fn assert_condition(object: &ServerlessPrivateEndpoint, kind: &str, status: &str, reason: &str) {
    let found =
        condition(object, kind).unwrap_or_else(|| panic!("no condition {kind} in {:?}", object.status));
    assert_eq!((found.status.as_str(), found.reason.as_str()), (status, reason), "{kind}: {}", found.message);
}

/// Fails if there is such a condition.
#[track_caller]
pub fn assert_no_condition(object: &ServerlessPrivateEndpoint, kind: &str) {
    assert!(condition(object, kind).is_none(), "{:?}", condition(object, kind));
}
