//! The fixture of a measurement: one API server for all, and for each an Atlas, a namespace and an operator.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use atlas_simulator::{DedicatedSettings, Key, Settings, Simulator};
use futures::{StreamExt, TryStreamExt, stream};
use k8s_openapi::api::core::v1::Secret;
use kube::api::{DeleteParams, DynamicObject, Patch, PatchParams, PostParams};
use kube::{Api, Client};
use serde_json::{Value, json};
use testbed::ControlPlane;

use crate::audit::Audit;
use crate::observations::{Observations, WatchedObject};
use crate::operator::{Operator, OperatorEnvironment};
use crate::plan::{BenchKind, PlannedObject, manifest, own};
use crate::scenarios::Speed;

/// The number of parallel requests of the benchmark itself.
const MAX_REQUESTS: usize = 32;

/// The API server, and the program under measurement.
pub(crate) struct Environment {
    pub(crate) control_plane: ControlPlane,
    pub(crate) program: PathBuf,
}

/// A namespace with an Atlas and an operator of its own.
pub(crate) struct BenchFixture<'a> {
    environment: &'a Environment,
    name: String,
    flags: Vec<&'static str>,
    pub(crate) namespace: String,
    pub(crate) atlas: Simulator,
    /// The instant at which the simulator's clock began.
    pub(crate) epoch: Instant,
    pub(crate) audit: Audit,
    pub(crate) seen: Observations,
    pub(crate) operator: Operator,
    objects: BTreeMap<BenchKind, Api<DynamicObject>>,
    secrets: Api<Secret>,
}

impl Environment {
    /// Starts the API server and installs the definition that `program` prints.
    pub(crate) async fn start(program: &Path) -> Result<Self> {
        let control_plane = ControlPlane::start_audited().await?;
        let crd = Command::new(program).arg("crd").output().with_context(|| program.display().to_string())?;
        ensure!(crd.status.success(), "{} crd: {}", program.display(), String::from_utf8_lossy(&crd.stderr));
        control_plane.install_crd_yaml(&String::from_utf8(crd.stdout)?).await?;
        Ok(Self { control_plane, program: program.to_owned() })
    }
}

impl<'a> BenchFixture<'a> {
    /// Starts everything; the operator is ready, and no object exists yet.
    pub(crate) async fn build(
        environment: &'a Environment,
        name: &str,
        speed: Speed,
        planned: &[PlannedObject],
        flags: &[&'static str],
    ) -> Result<Self> {
        let mut settings = Settings { latency: speed.latency(), ..Settings::at_pace(speed.pace()) };
        settings.dedicated = DedicatedSettings {
            pace: speed.dedicated_pace(),
            vpc_endpoints_exist: true,
            ..DedicatedSettings::default()
        };
        settings.projects.clear();
        for (project, instance) in planned.iter().filter_map(PlannedObject::place) {
            match instance {
                Some(instance) => settings.add_instance(project, instance),
                None => drop(settings.projects.entry(project.to_owned()).or_default()),
            }
        }
        let secrets_named: BTreeSet<&str> = planned.iter().map(|object| object.secret).collect();
        settings.keys =
            secrets_named.iter().copied().map(|secret| (public_key(secret, 0), key(secret, 0))).collect();
        let namespace = environment.control_plane.create_namespace("bench").await?;
        let client = environment.control_plane.client().await?;
        let atlas = Simulator::start(settings).await?;
        for (project, _) in planned.iter().filter_map(PlannedObject::place) {
            atlas.set_regional_mode(project, true);
        }
        let operator = start(environment, name, &atlas, &namespace, flags).await?;
        let kinds: BTreeSet<BenchKind> = planned.iter().map(|object| object.kind).collect();
        let watched = |kind: &BenchKind| -> Api<WatchedObject> {
            Api::namespaced_with(client.clone(), &namespace, &kind.resource())
        };
        let seen = Observations::start(kinds.iter().map(watched));
        let objects =
            |kind: BenchKind| (kind, Api::namespaced_with(client.clone(), &namespace, &kind.resource()));
        let objects = kinds.into_iter().map(objects).collect();
        let fixture = Self {
            environment,
            name: name.to_owned(),
            flags: flags.to_vec(),
            epoch: Instant::now()
                .checked_sub(atlas.now())
                .context("the clock is younger than this process")?,
            audit: Audit::new(environment.control_plane.audit_log(), &namespace),
            seen,
            operator,
            objects,
            secrets: secrets(client.clone(), &namespace),
            namespace,
            atlas,
        };
        for secret in secrets_named {
            fixture.put_secret(secret, 0).await?;
        }
        fixture.operator.until_ready().await?;
        Ok(fixture)
    }

    /// Ends the operator and starts it again, at once.
    pub(crate) async fn restart(mut self) -> Result<(Self, Instant)> {
        self.operator.stop().await?;
        let begun = Instant::now();
        let name = format!("{}-again", self.name);
        self.operator = start(self.environment, &name, &self.atlas, &self.namespace, &self.flags).await?;
        Ok((self, begun))
    }

    /// Writes version `version` of the credentials' Secret. Atlas accepts it only after [`Self::accept`].
    pub(crate) async fn put_secret(&self, name: &str, version: u32) -> Result<()> {
        let apply = PatchParams::apply("bench").force();
        let secret = json!({
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": name},
            "stringData": {"publicApiKey": public_key(name, version), "privateApiKey": key(name, version).secret},
        });
        self.secrets.patch(name, &apply, &Patch::Apply(secret)).await?;
        Ok(())
    }

    /// Makes Atlas accept this version of the credentials from now on.
    pub(crate) fn accept(&self, secret: &str, version: u32) {
        self.atlas.add_key(&public_key(secret, version), key(secret, version));
    }

    /// Makes Atlas reject it from now on.
    pub(crate) fn refuse(&self, secret: &str, version: u32) {
        self.atlas.remove_key(&public_key(secret, version));
    }

    /// Creates the objects, with these fields besides the required ones; returns when each was requested.
    pub(crate) async fn create(
        &self,
        planned: &[PlannedObject],
        fields: &Value,
    ) -> Result<BTreeMap<String, Instant>> {
        let creations = planned.iter().map(|object| async move {
            let requested = Instant::now();
            let manifest = manifest(object, &own(object, fields))?;
            self.objects(object)?.create(&PostParams::default(), &manifest).await?;
            anyhow::Ok((object.name.clone(), requested))
        });
        stream::iter(creations).buffer_unordered(MAX_REQUESTS).try_collect().await
    }

    /// Merges these fields into the spec of each; returns when each was requested.
    pub(crate) async fn edit(
        &self,
        planned: &[PlannedObject],
        fields: &Value,
    ) -> Result<BTreeMap<String, Instant>> {
        let edits = planned.iter().map(|object| async move {
            let requested = Instant::now();
            let patch = Patch::Merge(json!({ "spec": own(object, fields) }));
            self.objects(object)?.patch(&object.name, &PatchParams::default(), &patch).await?;
            anyhow::Ok((object.name.clone(), requested))
        });
        stream::iter(edits).buffer_unordered(MAX_REQUESTS).try_collect().await
    }

    /// Deletes the objects; returns when each was requested.
    pub(crate) async fn delete(&self, planned: &[PlannedObject]) -> Result<BTreeMap<String, Instant>> {
        let deletions = planned.iter().map(|object| async move {
            let requested = Instant::now();
            self.objects(object)?.delete(&object.name, &DeleteParams::default()).await?;
            anyhow::Ok((object.name.clone(), requested))
        });
        stream::iter(deletions).buffer_unordered(MAX_REQUESTS).try_collect().await
    }

    fn objects(&self, object: &PlannedObject) -> Result<&Api<DynamicObject>> {
        self.objects.get(&object.kind).context("the kind of the object is not among the planned ones")
    }
}

async fn start(
    environment: &Environment,
    name: &str,
    atlas: &Simulator,
    namespace: &str,
    flags: &[&str],
) -> Result<Operator> {
    let kubeconfig = environment.control_plane.kubeconfig_file();
    let operator = OperatorEnvironment {
        program: &environment.program,
        kubeconfig: &kubeconfig,
        atlas: &atlas.url(),
        namespace,
    };
    Operator::start(name, &operator, flags).await
}

fn secrets(client: Client, namespace: &str) -> Api<Secret> {
    Api::namespaced(client, namespace)
}

fn public_key(secret: &str, version: u32) -> String {
    format!("{secret}-{version}")
}

fn key(secret: &str, version: u32) -> Key {
    Key::owner(&format!("private-half-of-{secret}-{version}"))
}

/// Returns the timeout of one workload with so many objects.
pub(crate) fn patience(objects: usize) -> Duration {
    Duration::from_mins(6) + Duration::from_millis(30) * u32::try_from(objects).unwrap_or(u32::MAX)
}
