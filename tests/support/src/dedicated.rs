//! The fixture of a test of dedicated clusters: objects of the kinds `PrivateEndpointService` and `PrivateEndpoint` as JSON, the
//! user's cloud, and what others do in the same Atlas. [`KindApi`] serves the serverless kind, too. Never decides what has to hold: that stands in the tests.

use std::time::Duration;

use atlas_simulator::{
    AtlasEndpoint, AtlasService, DEFAULT_PROJECT, DedicatedPace, JournalEntry, Operation, OthersAction,
};
use futures::StreamExt;
use k8s_openapi::api::events::v1::Event;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Api;
use kube::api::{
    DeleteParams, DynamicObject, ListParams, Patch, PatchParams, PostParams, WatchEvent, WatchParams,
};
use serde_json::{Value, json};
use testbed::{Process, kinds};

use crate::{Fixture, PATIENCE, SECRET};

/// The cluster whose private connection strings tests want.
pub const CLUSTER: &str = "orders";

/// The region of services, unless a test names another one.
pub const REGION: &str = "US_EAST_1";

/// The VPC endpoint of others.
pub const FOREIGN_VPC_ENDPOINT: &str = "vpce-0fedcba9876543210";

const API_VERSION: &str = "atlas.spe-operator.io/v1alpha1";
const SERVERLESS: (&str, &str) = ("ServerlessPrivateEndpoint", "serverlessprivateendpoints");
const SERVICE: (&str, &str) = ("PrivateEndpointService", "privateendpointservices");
const ENDPOINT: (&str, &str) = ("PrivateEndpoint", "privateendpoints");

/// A namespace with a Secret in it, an Atlas with one dedicated cluster, and the two kinds.
pub struct DedicatedFixture {
    /// What all kinds share: the control plane, the Secret, the operator, the simulated Atlas.
    pub base: Fixture,
    /// The endpoint services of the namespace.
    pub services: KindApi,
    /// The endpoints of the namespace.
    pub endpoints: KindApi,
}

/// The objects of one kind in one namespace.
#[derive(Clone)]
pub struct KindApi {
    kind: &'static str,
    plural: &'static str,
    namespace: String,
    objects: Api<DynamicObject>,
    events: Api<Event>,
}

impl DedicatedFixture {
    /// Returns a fixture whose Atlas ends each phase after 0.3 s.
    pub async fn new() -> Self {
        Self::at_pace(DedicatedPace::of(Duration::from_millis(300))).await
    }

    /// Returns a fixture whose Atlas has this pace.
    pub async fn at_pace(pace: DedicatedPace) -> Self {
        let base = Fixture::new().await;
        base.atlas.configure(|settings| {
            settings.dedicated.pace = pace;
            settings.dedicated.add_cluster(DEFAULT_PROJECT, CLUSTER, &[]);
        });
        let services = KindApi::of(&base, &base.namespace, SERVICE).await;
        let endpoints = KindApi::of(&base, &base.namespace, ENDPOINT).await;
        Self { base, services, endpoints }
    }

    /// Returns the two kinds in another namespace, which has the Secret too.
    pub async fn another_namespace(&self) -> (KindApi, KindApi) {
        let namespace = self.base.control_plane.create_namespace("other").await.unwrap();
        let client = self.base.control_plane.client().await.unwrap();
        let mut secret = self.base.secrets.get(SECRET).await.unwrap();
        secret.metadata = ObjectMeta { name: Some(SECRET.to_owned()), ..ObjectMeta::default() };
        let secrets = Api::namespaced(client, &namespace);
        secrets.create(&PostParams::default(), &secret).await.unwrap();
        (
            KindApi::of(&self.base, &namespace, SERVICE).await,
            KindApi::of(&self.base, &namespace, ENDPOINT).await,
        )
    }

    /// Starts the operator for the fixture's namespace.
    pub fn operator(&self) -> Process {
        self.base.operator()
    }

    /// Starts the operator for the fixture's namespace and this one.
    pub fn operator_of(&self, other: &KindApi) -> Process {
        self.base.operator_with(&["--watch-namespaces", &other.namespace])
    }

    /// Applies an endpoint service of [`REGION`] with these fields beside the required ones.
    pub async fn apply_service(&self, name: &str, fields: Value) -> Value {
        self.services.apply_service(name, fields).await
    }

    /// Applies an endpoint that refers to a service object of its namespace, with these fields besides.
    pub async fn apply_endpoint(&self, name: &str, service: &str, vpc: &str, fields: Value) -> Value {
        self.endpoints.apply_endpoint(name, json!({ "name": service }), vpc, fields).await
    }

    /// Applies a service and an endpoint whose VPC endpoint the user made, and waits until both are Ready.
    pub async fn apply_both(&self, service: &str, endpoint: &str, vpc: &str) -> (Value, Value) {
        self.apply_service(service, json!({})).await;
        self.make_vpc_endpoint(service, vpc).await;
        self.apply_endpoint(endpoint, service, vpc, json!({"clusters": [CLUSTER]})).await;
        let ready = self.endpoints.until_ready(endpoint, "True", "Available").await;
        (self.services.until_ready(service, "True", "Available").await, ready)
    }

    /// Waits until the service object is Ready, and makes a VPC endpoint for its name in the user's cloud.
    pub async fn make_vpc_endpoint(&self, service: &str, vpc: &str) -> String {
        let ready = self.services.until_ready(service, "True", "Available").await;
        let name = ready["status"]["endpointServiceName"].as_str().unwrap().to_owned();
        self.base.atlas.make_vpc_endpoint(vpc, &name);
        name
    }

    /// Does what somebody else does at the service of [`REGION`].
    #[track_caller]
    pub fn others(&self, action: OthersAction) -> String {
        let done = self.base.atlas.others(DEFAULT_PROJECT, REGION, &action);
        done.unwrap_or_else(|| panic!("Atlas refused others: {action:?}"))
    }

    /// Returns the services that Atlas has.
    pub fn atlas_services(&self) -> Vec<AtlasService> {
        self.base.atlas.services(DEFAULT_PROJECT)
    }

    /// Returns the one service that Atlas has.
    #[track_caller]
    pub fn atlas_service(&self) -> AtlasService {
        let [service] = <[AtlasService; 1]>::try_from(self.atlas_services())
            .unwrap_or_else(|all| panic!("not one service: {all:?}"));
        service
    }

    /// Returns the endpoints that are registered at the one service that Atlas has.
    #[track_caller]
    pub fn atlas_endpoints(&self) -> Vec<AtlasEndpoint> {
        self.base.atlas.registered_endpoints(&self.atlas_service().id)
    }

    /// Returns the requests for this operation that authenticated, executed or not.
    pub fn requests(&self, operation: Operation) -> Vec<JournalEntry> {
        let of_interest = |entry: &JournalEntry| entry.is(operation) && entry.key.is_some();
        self.base.atlas.journal().into_iter().filter(of_interest).collect()
    }

    /// Returns how many requests for this operation Atlas executed.
    pub fn executed(&self, operation: Operation) -> usize {
        self.base.atlas.executed(operation)
    }

    /// Returns how many writes of services and endpoints Atlas executed.
    pub fn atlas_writes(&self) -> usize {
        Operation::DEDICATED_WRITES.into_iter().map(|operation| self.executed(operation)).sum()
    }

    /// Waits for what the simulated Atlas has to satisfy.
    pub async fn until_atlas(&self, what: &str, holds: impl Fn(&Self) -> bool) {
        let waited = tokio::time::timeout(PATIENCE, self.base.atlas.until(|_| holds(self))).await;
        assert!(waited.is_ok(), "{what} did not happen; the journal: {:#?}", self.base.atlas.journal());
    }
}

impl KindApi {
    /// Returns the endpoints of serverless instances in the fixture's namespace.
    pub async fn serverless(base: &Fixture) -> Self {
        Self::of(base, &base.namespace, SERVERLESS).await
    }

    async fn of(base: &Fixture, namespace: &str, (kind, plural): (&'static str, &'static str)) -> Self {
        let client = base.control_plane.client().await.unwrap();
        let resource = kinds::kind(API_VERSION, kind, plural);
        let objects = Api::namespaced_with(client.clone(), namespace, &resource);
        let (namespace, events) = (namespace.to_owned(), Api::namespaced(client, namespace));
        Self { kind, plural, namespace, objects, events }
    }

    /// Returns the name of the kind.
    pub fn kind(&self) -> &'static str {
        self.kind
    }

    /// Returns the client for its objects.
    pub fn api(&self) -> &Api<DynamicObject> {
        &self.objects
    }

    /// Returns whether a request with this path and query is about all its objects.
    pub fn is_collection(&self, path: &str) -> bool {
        path.split('?').next().is_some_and(|path| path.rsplit('/').next() == Some(self.plural))
    }

    /// Returns the namespace.
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// Applies an endpoint service of [`REGION`] with these fields beside the required ones.
    pub async fn apply_service(&self, name: &str, fields: Value) -> Value {
        let spec = json!({
            "projectId": DEFAULT_PROJECT, "provider": "AWS", "region": REGION, "credentialsRef": {"name": SECRET},
        });
        self.apply(name, merged(spec, &fields)).await
    }

    /// Applies an endpoint that refers to a service object, with these fields besides.
    pub async fn apply_endpoint(&self, name: &str, service: Value, vpc: &str, fields: Value) -> Value {
        self.apply(name, merged(json!({"serviceRef": service, "aws": {"id": vpc}}), &fields)).await
    }

    /// Applies an object with this spec, as `kubectl apply --server-side` does.
    pub async fn apply(&self, name: &str, spec: Value) -> Value {
        let object = json!({
            "apiVersion": API_VERSION, "kind": self.kind, "metadata": {"name": name}, "spec": spec,
        });
        let parameters = PatchParams::apply("user").force();
        as_json(&self.objects.patch(name, &parameters, &Patch::Apply(&object)).await.unwrap())
    }

    /// Merges these fields into the spec.
    pub async fn edit(&self, name: &str, fields: Value) -> Value {
        let patch = Patch::Merge(json!({ "spec": fields }));
        as_json(&self.objects.patch(name, &PatchParams::default(), &patch).await.unwrap())
    }

    /// Sets annotations; `null` removes one.
    pub async fn annotate(&self, name: &str, annotations: Value) {
        let patch = Patch::Merge(json!({"metadata": {"annotations": annotations}}));
        self.objects.patch(name, &PatchParams::default(), &patch).await.unwrap();
    }

    /// Sets labels; `null` removes one.
    pub async fn label(&self, name: &str, labels: Value) {
        let patch = Patch::Merge(json!({"metadata": {"labels": labels}}));
        self.objects.patch(name, &PatchParams::default(), &patch).await.unwrap();
    }

    /// Requests a reconcile of the object, and waits until it is done.
    pub async fn reconcile(&self, name: &str, word: &str) -> Value {
        self.annotate(name, json!({"reconcile.fluxcd.io/requestedAt": word})).await;
        self.until(name, "reconciled", |object| object["status"]["lastHandledReconcileAt"] == word).await
    }

    /// Requests reconciles until Ready has this status and reason.
    pub async fn reconcile_until_ready(&self, name: &str, status: &str, reason: &str) -> Value {
        let found = tokio::time::timeout(PATIENCE, async {
            for round in 0.. {
                let object = self.reconcile(name, &format!("{reason} {round}")).await;
                if is_condition(&object, "Ready", status, reason) {
                    return object;
                }
            }
            Value::Null
        });
        found.await.unwrap_or_else(|_| panic!("{} {name} never was {reason}", self.kind))
    }

    /// Removes the whole status, as a restore from a backup does.
    pub async fn wipe_status(&self, name: &str) {
        self.edit_status(name, Value::Null).await;
    }

    /// Merges these fields into the status.
    pub async fn edit_status(&self, name: &str, fields: Value) {
        let patch = Patch::Merge(json!({ "status": fields }));
        self.objects.patch_status(name, &PatchParams::default(), &patch).await.unwrap();
    }

    /// Requests the deletion of the object.
    pub async fn delete(&self, name: &str) {
        self.objects.delete(name, &DeleteParams::default()).await.unwrap();
    }

    /// Requests the deletion of the object, and waits until it no longer exists.
    pub async fn delete_and_wait(&self, name: &str) {
        self.delete(name).await;
        self.until_gone(name).await;
    }

    /// Removes all finalizers by force.
    pub async fn force_finalizers_off(&self, name: &str) {
        let patch = Patch::Merge(json!({"metadata": {"finalizers": null}}));
        self.objects.patch(name, &PatchParams::default(), &patch).await.unwrap();
    }

    /// Returns the object.
    pub async fn get(&self, name: &str) -> Value {
        as_json(&self.objects.get(name).await.unwrap())
    }

    /// Returns the object, if it exists.
    pub async fn find(&self, name: &str) -> Option<Value> {
        self.objects.get_opt(name).await.unwrap().as_ref().map(as_json)
    }

    /// Returns the object's resourceVersion: it stays as long as nobody writes the object.
    pub async fn version(&self, name: &str) -> String {
        self.get(name).await["metadata"]["resourceVersion"].as_str().unwrap().to_owned()
    }

    /// Waits until the object satisfies `holds`.
    pub async fn until(&self, name: &str, what: &str, holds: impl Fn(&Value) -> bool) -> Value {
        let mut last = Value::Null;
        let found = tokio::time::timeout(PATIENCE, async {
            loop {
                if let Some(current) = self.objects.get_opt(name).await.unwrap() {
                    last = as_json(&current);
                }
                if holds(&last) {
                    return last.clone();
                }
                let parameters = WatchParams::default().fields(&format!("metadata.name={name}"));
                let version = last["metadata"]["resourceVersion"].as_str().unwrap_or("0");
                let mut events = self.objects.watch(&parameters, version).await.unwrap().boxed();
                while let Some(Ok(WatchEvent::Added(object) | WatchEvent::Modified(object))) =
                    events.next().await
                {
                    last = as_json(&object);
                    if holds(&last) {
                        return last.clone();
                    }
                }
            }
        });
        let object = found.await.ok();
        object.unwrap_or_else(|| panic!("{} {name} never was {what}; it is {last:#}", self.kind))
    }

    /// Waits until the condition of this type has this status and reason, for the present generation.
    pub async fn until_condition(&self, name: &str, kind: &str, status: &str, reason: &str) -> Value {
        let holds = |object: &Value| {
            is_condition(object, kind, status, reason)
                && object["status"]["observedGeneration"] == object["metadata"]["generation"]
        };
        self.until(name, &format!("{kind} {status} {reason}"), holds).await
    }

    /// Waits until Ready has this status and reason, for the present generation.
    pub async fn until_ready(&self, name: &str, status: &str, reason: &str) -> Value {
        self.until_condition(name, "Ready", status, reason).await
    }

    /// Waits until the object no longer exists.
    pub async fn until_gone(&self, name: &str) {
        let gone = async {
            while self.objects.get_opt(name).await.unwrap().is_some() {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        let Err(_) = tokio::time::timeout(PATIENCE, gone).await else { return };
        panic!("{} {name} was never released: {:#}", self.kind, self.get(name).await);
    }

    /// Returns the reasons and notes of the events about the object, present or past, in no order.
    pub async fn events(&self, name: &str) -> Vec<(String, String)> {
        let all = self.events.list(&ListParams::default()).await.unwrap();
        let about = all.items.into_iter().filter(|event| {
            event.regarding.as_ref().is_some_and(|regarding| {
                regarding.name.as_deref() == Some(name) && regarding.kind.as_deref() == Some(self.kind)
            })
        });
        about.filter_map(|event| Some((event.reason?, event.note.unwrap_or_default()))).collect()
    }

    /// Returns the uids of the objects that the events of this reason are about, among those about the object.
    pub async fn event_uids(&self, name: &str, reason: &str) -> Vec<Option<String>> {
        let all = self.events.list(&ListParams::default()).await.unwrap();
        let of_reason = all.items.into_iter().filter(|event| event.reason.as_deref() == Some(reason));
        let about = of_reason.filter_map(|event| event.regarding);
        let of_name = about
            .filter(|about| about.name.as_deref() == Some(name) && about.kind.as_deref() == Some(self.kind));
        of_name.map(|about| about.uid).collect()
    }

    /// Waits for an event of this reason about the object, and returns its note.
    pub async fn until_event(&self, name: &str, reason: &str) -> String {
        let published = tokio::time::timeout(PATIENCE, async {
            loop {
                if let Some((_, note)) =
                    self.events(name).await.into_iter().find(|(found, _)| found == reason)
                {
                    return note;
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        });
        published.await.unwrap_or_else(|_| panic!("no event {reason} about {} {name}", self.kind))
    }
}

/// Returns the condition of this type, or `null`.
pub fn condition_of<'a>(object: &'a Value, kind: &str) -> &'a Value {
    let conditions = object["status"]["conditions"].as_array();
    conditions.into_iter().flatten().find(|one| one["type"] == kind).unwrap_or(&Value::Null)
}

/// Returns the message of the condition of this type.
pub fn message_of<'a>(object: &'a Value, kind: &str) -> &'a str {
    condition_of(object, kind)["message"].as_str().unwrap_or_default()
}

/// Returns whether the condition of this type has this status and reason.
pub fn is_condition(object: &Value, kind: &str, status: &str, reason: &str) -> bool {
    let found = condition_of(object, kind);
    found["status"] == status && found["reason"] == reason
}

/// Fails unless the condition has this status and reason.
#[track_caller]
pub fn assert_condition_of(object: &Value, kind: &str, status: &str, reason: &str) {
    assert!(is_condition(object, kind, status, reason), "{kind}: {:#}", object["status"]);
}

fn merged(mut spec: Value, fields: &Value) -> Value {
    for (field, value) in fields.as_object().unwrap() {
        spec[field] = value.clone();
    }
    spec
}

fn as_json(object: &DynamicObject) -> Value {
    serde_json::to_value(object).unwrap()
}
