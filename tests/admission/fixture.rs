//! The fixture: one namespace with the definition installed, and the API server's error messages.

use kube::api::{ApiResource, DynamicObject, Patch, PatchParams, PostParams};
use kube::{Api, Client, ResourceExt};
use serde_json::{Value, json};
use spe_operator::serverless::crd::{self, ServerlessPrivateEndpoint};
use tokio::sync::OnceCell;

/// An endpoint id, as status and spec hold it.
pub(crate) const ENDPOINT: &str = "5f7cac1adf5d6c6306f4b283";
/// Another one.
pub(crate) const OTHER_ENDPOINT: &str = "5f7cac1adf5d6c6306f4b284";

/// The namespace of one test.
pub(crate) struct AdmissionFixture {
    pub(crate) client: Client,
    pub(crate) namespace: String,
    /// Untyped, so that a test can send what the Rust types cannot hold.
    pub(crate) objects: Api<DynamicObject>,
}

impl AdmissionFixture {
    pub(crate) async fn new() -> Self {
        static INSTALLED: OnceCell<()> = OnceCell::const_new();
        let control_plane = testbed::control_plane().await.unwrap();
        let install = || async { control_plane.install_crd(&crd::crd()).await.unwrap() };
        INSTALLED.get_or_init(install).await;
        let namespace = control_plane.create_namespace("admission").await.unwrap();
        let client = control_plane.client().await.unwrap();
        let kind = ApiResource::erase::<ServerlessPrivateEndpoint>(&());
        let objects = Api::namespaced_with(client.clone(), &namespace, &kind);
        Self { client, namespace, objects }
    }

    /// Creates an object with these fields beside the required ones.
    pub(crate) async fn create(&self, fields: Value) -> Result<Made, Refusal> {
        self.create_with(&PostParams::default(), fields).await
    }

    /// Dry run of [`Self::create`].
    pub(crate) async fn try_create(&self, fields: Value) -> Result<Made, Refusal> {
        self.create_with(&PostParams { dry_run: true, ..PostParams::default() }, fields).await
    }

    async fn create_with(&self, params: &PostParams, fields: Value) -> Result<Made, Refusal> {
        let object = serde_json::from_value(manifest(&fields)).unwrap();
        result_of(self.objects.create(params, &object).await)
    }

    /// Merges these fields into the spec; `null` removes one.
    pub(crate) async fn edit(&self, made: &Made, fields: Value) -> Result<Made, Refusal> {
        let patch = Patch::Merge(json!({ "spec": fields }));
        result_of(self.objects.patch(&made.name, &PatchParams::default(), &patch).await)
    }

    /// Merges these fields into the status.
    pub(crate) async fn report(&self, made: &Made, fields: Value) -> Result<Made, Refusal> {
        self.report_whole(made, json!({ "status": fields })).await
    }

    /// A merge patch of the status subresource.
    pub(crate) async fn report_whole(&self, made: &Made, patch: Value) -> Result<Made, Refusal> {
        let patch = Patch::Merge(patch);
        result_of(self.objects.patch_status(&made.name, &PatchParams::default(), &patch).await)
    }
}

/// The smallest manifest, with these fields of the spec added or, where they are `null`, left out.
fn manifest(fields: &Value) -> Value {
    let mut spec = json!({
        "projectId": "32b6e34b3d91647abb20e7b8",
        "instanceName": "orders",
    });
    for (name, value) in fields.as_object().unwrap() {
        spec[name] = value.clone();
    }
    json!({
        "apiVersion": "atlas.spe-operator.io/v1alpha1",
        "kind": "ServerlessPrivateEndpoint",
        "metadata": {"generateName": "spe-"},
        "spec": spec,
    })
}

/// The API server's addition when it evaluates no rules, because a value has the wrong type.
const UNCHECKED: &str = "some validation rules were not checked";

/// An object as the API server returned it.
#[derive(Debug)]
pub(crate) struct Made {
    pub(crate) name: String,
    pub(crate) spec: Value,
    pub(crate) status: Value,
}

/// Why the API server rejected the object: `field: reason: message`, one line a cause.
#[derive(Debug, PartialEq)]
pub(crate) struct Refusal(pub(crate) String);

fn result_of(result: kube::Result<DynamicObject>) -> Result<Made, Refusal> {
    match result {
        Ok(object) => Ok(Made {
            name: object.name_any(),
            spec: object.data["spec"].clone(),
            status: object.data["status"].clone(),
        }),
        Err(kube::Error::Api(status)) if status.is_invalid() => {
            let causes = status.details.map(|details| details.causes).unwrap_or_default();
            let lines: Vec<String> = causes
                .iter()
                .map(|c| format!("{}: {}: {}", c.field, c.reason, c.message))
                .filter(|line| !line.contains(UNCHECKED))
                .collect();
            Err(Refusal(lines.join("\n")))
        }
        Err(error) => panic!("neither accepted nor refused as invalid: {error}"),
    }
}

/// Fails unless there is exactly one cause, at this field, that contains these words.
#[track_caller]
pub(crate) fn assert_refused(result: Result<Made, Refusal>, field: &str, words: &str) {
    let Err(Refusal(causes)) = result else { panic!("accepted, though {field} {words}") };
    let place = format!("{field}: ");
    let only_here = causes.lines().count() == 1 && causes.starts_with(&place);
    assert!(only_here && causes.contains(words), "expected {field}: {words:?}, found:\n{causes}");
}
