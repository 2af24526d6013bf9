//! The admission policy on a real API server: the claim and the finalizer are the operator's, everything else is the user's.

use kube::api::{ApiResource, DynamicObject, ObjectMeta, Patch, PatchParams, PostParams};
use kube::{Api, Client, ResourceExt};
use serde_json::{Value, json};
use spe_operator::app::definitions::definitions;
use spe_operator::endpoint::crd::PrivateEndpoint;
use spe_operator::endpoint_service::crd::PrivateEndpointService;
use spe_operator::schema::FINALIZER;
use spe_operator::serverless::crd::ServerlessPrivateEndpoint;
use testbed::ControlPlane;
use tokio::sync::OnceCell;

use crate::helm::{RELEASE, of_kind, render};

const HOME: &str = "operators";
const CLAIM: &str = "atlas.spe-operator.io/claim";

/// An API server of its own, so that the policy meets no other test's objects.
async fn control_plane() -> &'static ControlPlane {
    static SHARED: OnceCell<ControlPlane> = OnceCell::const_new();
    SHARED.get_or_init(|| async { install(ControlPlane::start().await.unwrap()).await }).await
}

async fn install(control_plane: ControlPlane) -> ControlPlane {
    for crd in definitions() {
        control_plane.install_crd(&crd).await.unwrap();
    }
    let client = control_plane.client().await.unwrap();
    let rendered = render(HOME, &["admissionPolicy.enabled=true"]).await;
    create(&client, of_kind(&rendered, "ValidatingAdmissionPolicy")[0]).await;
    create(&client, of_kind(&rendered, "ValidatingAdmissionPolicyBinding")[0]).await;
    // Everybody here may do everything as far as roles are concerned.
    create(
        &client,
        &json!({
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "ClusterRoleBinding",
            "metadata": {"name": "everybody"},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"},
            "subjects": [{"kind": "Group", "apiGroup": "rbac.authorization.k8s.io", "name": "system:authenticated"}],
        }),
    )
    .await;
    until_in_force(&control_plane).await;
    control_plane
}

async fn create(client: &Client, manifest: &Value) {
    let api = testbed::kinds::api_of(client, manifest, None).await.unwrap();
    api.create(&PostParams::default(), &serde_json::from_value(manifest.clone()).unwrap()).await.unwrap();
}

/// A policy and a role take effect a moment after their creation.
async fn until_in_force(control_plane: &ControlPlane) {
    let world = World::new(control_plane, &kinds()[0]).await;
    let object = world.object(json!({})).await;
    let refused = async {
        loop {
            match world.annotate("alice", &object, json!("probe")).await {
                Err(why) if why.contains("only the operator") => return,
                _ => tokio::time::sleep(std::time::Duration::from_millis(100)).await,
            }
        }
    };
    tokio::time::timeout(std::time::Duration::from_mins(1), refused)
        .await
        .expect("the policy is not in force");
}

/// One of the operator's kinds.
#[derive(Clone)]
struct PolicedKind {
    resource: ApiResource,
    spec: Value,
    /// Statuses that record something that is in Atlas.
    records: Vec<Value>,
    /// A status that records nothing, although it says something.
    record_free: Value,
}

fn kinds() -> [PolicedKind; 3] {
    let id = "5f7cac1adf5d6c6306f4b283";
    let project = "32b6e34b3d91647abb20e7b8";
    let credentials = json!({"name": "atlas-api"});
    [
        PolicedKind {
            resource: ApiResource::erase::<ServerlessPrivateEndpoint>(&()),
            spec: json!({"projectId": project, "instanceName": "orders", "credentialsRef": credentials}),
            records: vec![json!({ "_id": id })],
            record_free: json!({"status": "RESERVED"}),
        },
        PolicedKind {
            resource: ApiResource::erase::<PrivateEndpointService>(&()),
            spec: json!({"projectId": project, "provider": "AWS", "region": "EU_WEST_1"}),
            records: vec![json!({ "serviceId": id })],
            record_free: json!({"endpointIds": ["vpce-0a"]}),
        },
        PolicedKind {
            resource: ApiResource::erase::<PrivateEndpoint>(&()),
            spec: json!({"serviceRef": {"name": "orders"}, "aws": {"id": "vpce-0a"}}),
            records: vec![
                json!({"serviceId": id, "endpointId": "vpce-0a"}),
                json!({"superseded": [{"serviceId": id, "endpointId": "vpce-0b"}]}),
            ],
            record_free: json!({ "serviceId": id }),
        },
    ]
}

struct World {
    config: kube::Config,
    kind: PolicedKind,
    objects: Api<DynamicObject>,
    namespace: String,
}

impl World {
    async fn new(control_plane: &ControlPlane, kind: &PolicedKind) -> Self {
        let namespace = control_plane.create_namespace("policy").await.unwrap();
        let client = control_plane.client().await.unwrap();
        let objects = Api::namespaced_with(client, &namespace, &kind.resource);
        Self { config: control_plane.config().await.unwrap(), kind: kind.clone(), objects, namespace }
    }

    /// One for each kind.
    async fn all() -> Vec<Self> {
        let mut worlds = Vec::new();
        for kind in kinds() {
            worlds.push(Self::new(control_plane().await, &kind).await);
        }
        worlds
    }

    /// Created by the administrator, with this annotation's value and our finalizer.
    async fn object(&self, annotations: Value) -> DynamicObject {
        let manifest = json!({
            "apiVersion": self.kind.resource.api_version,
            "kind": self.kind.resource.kind,
            "metadata": {"generateName": "a-", "annotations": annotations, "finalizers": [FINALIZER]},
            "spec": self.kind.spec,
        });
        self.objects.create(&PostParams::default(), &serde_json::from_value(manifest).unwrap()).await.unwrap()
    }

    async fn report(&self, object: &DynamicObject, status: &Value) {
        let status = Patch::Merge(json!({ "status": status }));
        let params = PatchParams::default();
        self.objects.patch_status(&object.name_any(), &params, &status).await.unwrap();
    }

    /// Returns the objects as another user accesses them; in group `system:masters` if that is the name.
    fn as_user(&self, user: &str) -> Api<DynamicObject> {
        let mut config = self.config.clone();
        let group = if user == "system:masters" { "system:masters" } else { "system:authenticated" };
        config.auth_info.impersonate = Some(user.to_owned());
        config.auth_info.impersonate_groups = Some(vec![group.to_owned()]);
        Api::namespaced_with(Client::try_from(config).unwrap(), &self.namespace, &self.kind.resource)
    }

    async fn change(&self, user: &str, object: &DynamicObject, change: Value) -> Result<(), String> {
        let changed = self
            .as_user(user)
            .patch(&object.name_any(), &PatchParams::default(), &Patch::Merge(change))
            .await;
        changed.map(drop).map_err(|error| error.to_string())
    }

    async fn annotate(&self, user: &str, object: &DynamicObject, claim: Value) -> Result<(), String> {
        self.change(user, object, json!({"metadata": {"annotations": {CLAIM: claim}}})).await
    }
}

fn operator() -> String {
    format!("system:serviceaccount:{HOME}:{RELEASE}")
}

#[track_caller]
fn assert_denied(result: Result<(), String>, word: &str) {
    let why = result.expect_err("it was allowed");
    assert!(why.contains("only the operator") && why.contains(word), "{why}");
}

#[tokio::test]
async fn only_the_operator_sets_or_changes_a_claim() {
    for world in World::all().await {
        let bare = world.object(json!({})).await;
        assert_denied(world.annotate("alice", &bare, json!("v1/mine")).await, CLAIM);
        world.annotate(&operator(), &bare, json!("v1/first")).await.unwrap();
        assert_denied(world.annotate("alice", &bare, json!("v1/second")).await, CLAIM);
        let other_operator = "system:serviceaccount:elsewhere:spe-operator";
        assert_denied(world.annotate(other_operator, &bare, json!("v1/second")).await, CLAIM);
        world.annotate(&operator(), &bare, json!("v1/second")).await.unwrap();
        world.annotate("system:masters", &bare, json!("v1/third")).await.unwrap();
    }
}

#[tokio::test]
async fn a_claim_may_be_removed_while_nothing_is_recorded() {
    for world in World::all().await {
        let open = world.object(json!({CLAIM: "v1/open"})).await;
        world.report(&open, &world.kind.record_free).await;
        world.annotate("alice", &open, Value::Null).await.unwrap();
        for record in &world.kind.records {
            let recorded = world.object(json!({CLAIM: "v1/closed"})).await;
            world.report(&recorded, record).await;
            assert_denied(world.annotate("alice", &recorded, Value::Null).await, CLAIM);
        }
    }
}

#[tokio::test]
async fn only_the_operator_takes_its_finalizer_off() {
    for world in World::all().await {
        let object = world.object(json!({})).await;
        let without = json!({"metadata": {"finalizers": ["example.com/other"]}});
        assert_denied(world.change("alice", &object, without.clone()).await, FINALIZER);
        world.change(&operator(), &object, without).await.unwrap();
        // Other finalizers are none of its business.
        world.change("alice", &object, json!({"metadata": {"finalizers": null}})).await.unwrap();
    }
}

#[tokio::test]
async fn users_work_as_ever() {
    for world in World::all().await {
        let object = world.object(json!({CLAIM: "v1/a"})).await;
        let edit = json!({"metadata": {"annotations": {"note": "a"}, "labels": {"team": "a"}}, "spec": {"suspend": true}});
        world.change("alice", &object, edit).await.unwrap();
        // Restored from a backup, with what it held.
        let mut restored = object.clone();
        restored.metadata = ObjectMeta {
            name: Some("restored".to_owned()),
            annotations: object.metadata.annotations.clone(),
            finalizers: object.metadata.finalizers.clone(),
            ..ObjectMeta::default()
        };
        world.as_user("alice").create(&PostParams::default(), &restored).await.unwrap();
        let deleted = world.as_user("alice").delete("restored", &kube::api::DeleteParams::default()).await;
        assert!(deleted.unwrap().is_left(), "the finalizer does not hold");
    }
}
