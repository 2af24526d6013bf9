//! The harness of a plan: a namespace with the objects of one subject, an Atlas in which others have something too, and the user's actions.

use std::time::Duration;

use atlas_simulator::{
    AtlasService, ChallengeForm, ChangeCause, DEFAULT_INSTANCE, DEFAULT_PROJECT, DedicatedPace, Endpoint,
    Operation, Pace,
};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::Api;
use kube::api::DeleteParams;
use serde_json::{Value, json};
use test_support::dedicated::{CLUSTER, DedicatedFixture, FOREIGN_VPC_ENDPOINT, KindApi, REGION};
use test_support::{Fixture, PATIENCE, SECRET, VPC_ENDPOINT};
use testbed::Exchange;
use tokio::time::timeout;

use crate::history::History;
use crate::operator::ProxiedOperator;
use crate::path::{Path, PlanSubject};
use crate::record::Record;
use crate::requests::{ATLAS, is_lasting_watch};
use crate::{dedicated, serverless};

/// The name of the endpoint object, of either subject.
pub(crate) const NAME: &str = "orders";

/// The name of the service object.
pub(crate) const SERVICE: &str = "main";

/// The VPC endpoint that replaces another.
pub(crate) const NEXT_VPC: &str = "vpce-0b1b2c3d4e5f60729";

/// The ConfigMap with the private connection strings.
const OUTPUT: &str = "orders-strings";

/// The region of somebody else's service in the same project.
pub(crate) const FOREIGN_REGION: &str = "EU_WEST_1";

/// The project of somebody else.
pub(crate) const FOREIGN_PROJECT: &str = "5f0c2a8e4d3b2a1908f7e6d5";

/// How long no write must be sent until a run counts as ended. Longer than the operator's longest poll.
pub(crate) const QUIET: Duration = Duration::from_millis(1200);

/// Phases of Atlas that are over at the next poll, so that the number of polls is constant.
const PACE: Pace = Pace { deleting: Duration::ZERO, ..Pace::of(Duration::from_millis(50)) };
const DEDICATED_PACE: DedicatedPace = DedicatedPace {
    deleting_service: Duration::ZERO,
    deleting_endpoint: Duration::ZERO,
    ..DedicatedPace::of(Duration::from_millis(50))
};

/// The mark of another object, or of another cluster's object of this name.
const ANOTHERS_MARK: &str = "[k8s:bbbbbbbbbbbbbbbb]";

/// One of the user's objects: its kind and its name.
pub(crate) type UserObject = (KindApi, &'static str);

/// One namespace, one Atlas.
pub(crate) struct PlanFixture {
    pub(crate) base: Fixture,
    subject: PlanSubject,
    /// The endpoint object; of dedicated clusters the service object comes first.
    pub(crate) objects: Vec<UserObject>,
    history: History,
    /// Endpoints of the same instance, as ready for use as the operator's: one created by hand, one with a mark.
    strangers: Vec<Endpoint>,
}

impl PlanFixture {
    pub(crate) async fn new(path: Path) -> Self {
        match path.subject() {
            PlanSubject::Serverless => Self::serverless().await,
            PlanSubject::Dedicated => Self::dedicated(path).await,
        }
    }

    async fn serverless() -> Self {
        let base = Fixture::at_pace(PACE).await;
        without_counters(&base);
        let strangers = [None, Some(ANOTHERS_MARK.to_owned())].map(Endpoint::reserved).to_vec();
        for stranger in &strangers {
            base.atlas.insert_endpoint(DEFAULT_PROJECT, DEFAULT_INSTANCE, stranger.clone());
        }
        let objects = vec![(KindApi::serverless(&base).await, NAME)];
        Self::with_history(base, PlanSubject::Serverless, objects, strangers).await
    }

    /// Others have a service in another region of the project, and in another project one of the same region, with an endpoint of the same
    /// id as the operator's.
    async fn dedicated(path: Path) -> Self {
        let fixture = DedicatedFixture::at_pace(DEDICATED_PACE).await;
        let DedicatedFixture { base, services, endpoints } = fixture;
        without_counters(&base);
        base.atlas.configure(|settings| {
            settings.projects.entry(FOREIGN_PROJECT.to_owned()).or_default();
            settings.dedicated.vpc_endpoints_exist = true;
        });
        let others = base.atlas.insert_service(DEFAULT_PROJECT, AtlasService::available(FOREIGN_REGION));
        // Atlas restricts several endpoints to one region, so that in the other paths they are at the operator's service.
        if path == Path::Adopt {
            assert!(base.atlas.register_endpoint(&others, FOREIGN_VPC_ENDPOINT));
        }
        let elsewhere = base.atlas.insert_service(FOREIGN_PROJECT, AtlasService::available(REGION));
        assert!(base.atlas.register_endpoint(&elsewhere, VPC_ENDPOINT));
        let objects = vec![(services, SERVICE), (endpoints, NAME)];
        Self::with_history(base, PlanSubject::Dedicated, objects, Vec::new()).await
    }

    async fn with_history(
        base: Fixture,
        subject: PlanSubject,
        objects: Vec<UserObject>,
        strangers: Vec<Endpoint>,
    ) -> Self {
        let kinds: Vec<_> = objects.iter().map(|(kind, _)| kind.api()).collect();
        let history = History::start(&kinds, &base.atlas).await;
        Self { base, subject, objects, history, strangers }
    }

    /// Returns the kind of the endpoint object, of either subject.
    pub(crate) fn endpoints(&self) -> &KindApi {
        &self.objects.last().unwrap().0
    }

    /// Returns the kind of the service object.
    pub(crate) fn services(&self) -> &KindApi {
        &self.objects.first().unwrap().0
    }

    /// Returns the objects that exist.
    pub(crate) async fn present(&self) -> Vec<Value> {
        let mut found = Vec::new();
        for (kind, name) in &self.objects {
            found.extend(kind.find(name).await);
        }
        found
    }

    pub(crate) async fn picture(&self) -> Value {
        let objects = self.present().await;
        match self.subject {
            PlanSubject::Serverless => {
                let mut endpoints = self.base.endpoints();
                endpoints.retain(|endpoint| self.strangers.iter().all(|stranger| stranger.id != endpoint.id));
                serverless::judge::picture(objects.first(), &endpoints)
            }
            PlanSubject::Dedicated => {
                let output = self.outputs().await.get_opt(OUTPUT).await.unwrap().and_then(|found| found.data);
                let courses = self.base.atlas.service_courses();
                dedicated::picture::picture(&objects, &courses, &output.unwrap_or_default())
            }
        }
    }

    async fn outputs(&self) -> Api<ConfigMap> {
        let client = self.base.control_plane.client().await.unwrap();
        Api::namespaced(client, &self.base.namespace)
    }

    /// Waits until the operator watches the kinds of the objects.
    pub(crate) async fn until_watched(&self, operator: &ProxiedOperator, patience: Duration) -> bool {
        for (kind, _) in &self.objects {
            let watches =
                |exchange: &Exchange| is_lasting_watch(exchange) && kind.is_collection(&exchange.path);
            if operator.recording.wait_for(1, watches, patience).await.is_err() {
                return false;
            }
        }
        true
    }

    /// Runs an operator before the one of the path, with its requests on the same recording. It finds the first object new, so that an old
    /// listing shows it without claim and status.
    pub(crate) async fn former_life(&self, path: Path, operator: &mut ProxiedOperator) {
        if path.is_restart() {
            self.apply_first().await;
            operator.launch();
            self.ready_for(path, operator).await;
            operator.stop().await;
        }
    }

    /// Prepares the beginning of the path.
    pub(crate) async fn ready(&self, path: Path, operator: &mut ProxiedOperator) {
        if path.is_restart() {
            return;
        }
        operator.launch();
        // A plan may keep it from ever watching; then the object comes all the same.
        let patience = if path.has_start() { Duration::from_secs(3) } else { PATIENCE };
        let watches = self.until_watched(operator, patience).await;
        assert!(watches || path.has_start(), "it does not watch");
        match path {
            Path::Create => {}
            Path::CreateService | Path::Adopt => operator.until_quiet(QUIET).await,
            _ => {
                self.apply_first().await;
                self.ready_for(path, operator).await;
            }
        }
    }

    /// Applies the object that a life begins with.
    async fn apply_first(&self) {
        match self.subject {
            PlanSubject::Serverless => self.apply_serverless().await,
            PlanSubject::Dedicated => self.apply_service(REGION).await,
        }
    }

    /// Waits until the first object is ready, and goes on to what the path begins with.
    async fn ready_for(&self, path: Path, operator: &ProxiedOperator) {
        match self.subject {
            PlanSubject::Serverless => drop(self.endpoints().until_ready(NAME, "True", "Reserved").await),
            PlanSubject::Dedicated => {
                self.services().until_ready(SERVICE, "True", "Available").await;
                if path != Path::DeleteService {
                    self.others_join().await;
                }
                if matches!(path, Path::Replace | Path::Recreate | Path::RestartBoth) {
                    apply_endpoint(self.endpoints(), VPC_ENDPOINT).await;
                    self.endpoints().until_ready(NAME, "True", "Available").await;
                }
            }
        }
        operator.until_quiet(QUIET).await;
    }

    /// Others register an endpoint at the operator's service, which its object then shows.
    pub(crate) async fn others_join(&self) {
        let service = self.services().get(SERVICE).await["status"]["serviceId"].as_str().unwrap().to_owned();
        assert!(self.base.atlas.register_endpoint(&service, FOREIGN_VPC_ENDPOINT));
        self.services().reconcile(SERVICE, "others").await;
    }

    /// Others remove the endpoint that they have at a service that they did not create.
    fn others_leave(&self) {
        for course in self.base.atlas.service_courses() {
            let is_own =
                course.service.points.first().is_some_and(|point| point.cause == ChangeCause::Created);
            if is_own && course.present().any(|endpoint| endpoint.id == FOREIGN_VPC_ENDPOINT) {
                assert!(self.base.atlas.remove_registered_endpoint(&course.id, FOREIGN_VPC_ENDPOINT));
            }
        }
    }

    async fn apply_serverless(&self) {
        let spec = json!({
            "projectId": DEFAULT_PROJECT,
            "instanceName": DEFAULT_INSTANCE,
            "credentialsRef": {"name": SECRET},
        });
        self.endpoints().apply(NAME, spec).await;
    }

    async fn apply_service(&self, region: &str) {
        self.services().apply_service(SERVICE, json!({ "region": region })).await;
    }

    /// Begins the path: the user's action, or the start of the operator.
    pub(crate) async fn act(&self, path: Path, operator: &mut ProxiedOperator) {
        match path {
            Path::Create => self.apply_serverless().await,
            Path::Attach => {
                let fields = json!({"cloudProviderEndpointId": VPC_ENDPOINT});
                self.endpoints().edit(NAME, fields).await;
            }
            Path::Delete => self.endpoints().delete(NAME).await,
            Path::Restart | Path::RestartBoth => operator.launch(),
            Path::CreateService => self.apply_service("us-east-1").await,
            Path::Adopt => {
                self.apply_service(FOREIGN_REGION).await;
                apply_endpoint(self.endpoints(), FOREIGN_VPC_ENDPOINT).await;
            }
            Path::Register => apply_endpoint(self.endpoints(), VPC_ENDPOINT).await,
            Path::Replace => drop(self.endpoints().edit(NAME, json!({"aws": {"id": NEXT_VPC}})).await),
            Path::Recreate => {
                self.endpoints().delete(NAME).await;
                let (endpoints, outputs) = (self.endpoints().clone(), self.outputs().await);
                tokio::spawn(async move {
                    endpoints.until_gone(NAME).await;
                    // What a controller of the control plane does, which does not run here.
                    let _ = outputs.delete(OUTPUT, &DeleteParams::default()).await;
                    apply_endpoint(&endpoints, VPC_ENDPOINT).await;
                });
            }
            Path::DeleteService => self.services().delete(SERVICE).await,
        }
    }

    /// Waits until a path without any fault has ended.
    pub(crate) async fn arrived(&self, path: Path, operator: &ProxiedOperator, before: usize) {
        let endpoints = self.endpoints();
        match path {
            Path::Create => drop(endpoints.until_ready(NAME, "True", "Reserved").await),
            Path::Attach | Path::Register => drop(endpoints.until_ready(NAME, "True", "Available").await),
            Path::Delete => endpoints.until_gone(NAME).await,
            Path::Restart | Path::RestartBoth => reconciled(operator, before).await.unwrap(),
            Path::CreateService => drop(self.services().until_ready(SERVICE, "True", "Available").await),
            Path::Adopt => {
                self.services().until_ready(SERVICE, "True", "Available").await;
                endpoints.until_ready(NAME, "True", "Available").await;
            }
            Path::Replace => {
                let is_replaced = |object: &Value| {
                    object["status"]["endpointId"] == NEXT_VPC
                        && object["status"]["superseded"].as_array().is_none_or(Vec::is_empty)
                };
                endpoints.until(NAME, "replaced", is_replaced).await;
                endpoints.until_ready(NAME, "True", "Available").await;
            }
            Path::Recreate => {
                let is_new = |object: &Value| object["metadata"]["deletionTimestamp"].is_null();
                endpoints.until(NAME, "applied again", is_new).await;
                endpoints.until_ready(NAME, "True", "Available").await;
            }
            Path::DeleteService => self.services().until_gone(SERVICE).await,
        }
        operator.until_quiet(QUIET).await;
    }

    /// Deletes the objects, unless the path has deleted them, and waits until no more writes are sent; returns when they were deleted.
    pub(crate) async fn end(
        &self,
        path: Path,
        acted_at: Duration,
        operators: &[&ProxiedOperator],
    ) -> Duration {
        let mut deleted_at = acted_at;
        if !path.deletes() {
            deleted_at = self.base.atlas.now();
            self.others_leave();
            for (kind, name) in &self.objects {
                if kind.find(name).await.is_some() {
                    kind.delete(name).await;
                }
            }
        }
        for (kind, name) in &self.objects {
            kind.until_gone(name).await;
        }
        // What was sent before may still arrive.
        for operator in operators {
            timeout(PATIENCE, operator.until_quiet(QUIET)).await.expect("it goes on without an object");
        }
        deleted_at
    }

    /// Returns the record so far.
    pub(crate) async fn record(
        &self,
        deleted_at: Option<Duration>,
        operators: &[&ProxiedOperator],
    ) -> Record {
        let mut kinds: Vec<&KindApi> = Vec::new();
        for (kind, _) in &self.objects {
            if !kinds.iter().any(|other| other.kind() == kind.kind()) {
                kinds.push(kind);
            }
        }
        for kind in kinds {
            // A marker, so that the watch has seen everything before it.
            let last = kind.apply("marker", marker(kind.kind())).await;
            let seen = self.history.until(&last["metadata"]["resourceVersion"]);
            timeout(PATIENCE, seen).await.expect("the watch of the objects stands still");
        }
        let mut versions = self.history.versions();
        versions.retain(|version| version.object["metadata"]["name"] != "marker");
        let is_strange = |id: &str| self.strangers.iter().find(|stranger| stranger.id == id);
        let (strangers, lives): (Vec<_>, Vec<_>) =
            self.base.atlas.timelines().into_iter().partition(|life| is_strange(&life.id).is_some());
        Record {
            lives,
            strangers: self.strangers.iter().cloned().zip(strangers).collect(),
            courses: self.base.atlas.service_courses(),
            journal: self.base.atlas.journal(),
            processes: operators.iter().flat_map(|operator| operator.processes()).collect(),
            is_informed: operators.len() == 1,
            versions,
            deleted_at,
            ..Record::default()
        }
    }

    /// Returns what no longer changes once it is stable: the versions of the objects, and the number of writes to Atlas.
    pub(crate) async fn stable(&self) -> (Vec<Value>, usize) {
        let objects = self.present().await;
        let versions = objects.into_iter().map(|object| object["metadata"]["resourceVersion"].clone());
        let writes = self.base.atlas.count(|entry| entry.operation.is_some_and(Operation::is_write));
        (versions.collect(), writes)
    }

    /// Returns the violations of a run.
    pub(crate) fn judged(&self, record: &Record) -> Vec<String> {
        match self.subject {
            PlanSubject::Serverless => serverless::judge::faults_of(record),
            PlanSubject::Dedicated => dedicated::judge::faults_of(record),
        }
    }
}

/// Without counters (as the page of the API shows it): Atlas' memory of a later request must not keep a late request from being executed.
fn without_counters(base: &Fixture) {
    base.atlas.configure(|settings| settings.digest.form = ChallengeForm::Seed);
}

/// Applies the endpoint object of dedicated clusters.
pub(crate) async fn apply_endpoint(endpoints: &KindApi, vpc: &str) {
    let fields = json!({"clusters": [CLUSTER], "outputConfigMap": {"name": OUTPUT}});
    endpoints.apply_endpoint(NAME, json!({ "name": SERVICE }), vpc, fields).await;
}

/// Returns the spec of an object of this kind of which nobody makes anything.
fn marker(kind: &str) -> Value {
    match kind {
        "PrivateEndpointService" => json!({
            "projectId": DEFAULT_PROJECT, "provider": "AWS", "region": "AP_SOUTH_1", "suspend": true,
        }),
        "PrivateEndpoint" => {
            json!({"serviceRef": {"name": "none"}, "aws": {"id": "vpce-0"}, "suspend": true})
        }
        _ => json!({"projectId": DEFAULT_PROJECT, "instanceName": DEFAULT_INSTANCE, "suspend": true}),
    }
}

/// Waits until it has observed what Atlas has, by a listing that it requested after so many requests.
pub(crate) async fn reconciled(operator: &ProxiedOperator, requests: usize) -> anyhow::Result<()> {
    let listing = |exchange: &Exchange| {
        let is_listing = (exchange.proxy.as_str(), exchange.method.as_str()) == (ATLAS, "GET");
        exchange.number > requests && is_listing && exchange.status == Some(200)
    };
    operator.recording.wait_for(1, listing, PATIENCE).await
}
