//! The fixture: one namespace with the definitions installed, and the API server's error messages.

use kube::api::{ApiResource, DynamicObject, ListParams, Patch, PatchParams, PostParams};
use kube::core::Request;
use kube::{Api, Client, ResourceExt};
use serde_json::{Value, json};
use spe_operator::app::definitions::definitions;
use spe_operator::endpoint::crd::PrivateEndpoint;
use spe_operator::endpoint_service::crd::PrivateEndpointService;
use spe_operator::serverless::crd::ServerlessPrivateEndpoint;
use tokio::sync::OnceCell;

/// A project.
const PROJECT: &str = "32b6e34b3d91647abb20e7b8";
/// An endpoint id, as status and spec hold it.
pub(crate) const ENDPOINT: &str = "5f7cac1adf5d6c6306f4b283";
/// Another one.
pub(crate) const OTHER_ENDPOINT: &str = "5f7cac1adf5d6c6306f4b284";

/// The namespace of one test, with one kind of object.
pub(crate) struct AdmissionFixture {
    pub(crate) client: Client,
    pub(crate) namespace: String,
    /// Untyped, so that a test can send what the Rust types cannot hold.
    pub(crate) objects: Api<DynamicObject>,
    kind: ApiResource,
    /// The spec of the smallest manifest.
    smallest: Value,
}

impl AdmissionFixture {
    /// With the kind `ServerlessPrivateEndpoint`.
    pub(crate) async fn new() -> Self {
        let smallest = json!({"projectId": PROJECT, "instanceName": "orders"});
        Self::of(ApiResource::erase::<ServerlessPrivateEndpoint>(&()), smallest).await
    }

    /// With the kind `PrivateEndpointService`.
    pub(crate) async fn of_services() -> Self {
        let smallest = json!({"projectId": PROJECT, "provider": "AWS", "region": "EU_WEST_1"});
        Self::of(ApiResource::erase::<PrivateEndpointService>(&()), smallest).await
    }

    /// With the kind `PrivateEndpoint`.
    pub(crate) async fn of_endpoints() -> Self {
        let smallest = json!({"serviceRef": {"name": "orders"}, "aws": {"id": "vpce-0a1b2c3d4e5f60718"}});
        Self::of(ApiResource::erase::<PrivateEndpoint>(&()), smallest).await
    }

    async fn of(kind: ApiResource, smallest: Value) -> Self {
        static INSTALLED: OnceCell<()> = OnceCell::const_new();
        let control_plane = testbed::control_plane().await.unwrap();
        let install = || async {
            for crd in definitions() {
                control_plane.install_crd(&crd).await.unwrap();
            }
        };
        INSTALLED.get_or_init(install).await;
        let namespace = control_plane.create_namespace("admission").await.unwrap();
        let client = control_plane.client().await.unwrap();
        let objects = Api::namespaced_with(client.clone(), &namespace, &kind);
        Self { client, namespace, objects, kind, smallest }
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
        let object = serde_json::from_value(self.manifest(&fields)).unwrap();
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

    /// The smallest manifest, with these fields of the spec added or, where they are `null`, left out.
    fn manifest(&self, fields: &Value) -> Value {
        let mut spec = self.smallest.clone();
        for (name, value) in fields.as_object().unwrap() {
            spec[name] = value.clone();
        }
        json!({
            "apiVersion": self.kind.api_version,
            "kind": self.kind.kind,
            "metadata": {"generateName": "object-"},
            "spec": spec,
        })
    }

    /// What `kubectl get -o wide` shows for the only object: each column with its cell, without the age.
    pub(crate) async fn columns(&self) -> Vec<(String, String)> {
        let url =
            format!("/apis/{}/namespaces/{}/{}", self.kind.api_version, self.namespace, self.kind.plural);
        let mut request = Request::new(url).list(&ListParams::default()).unwrap();
        request
            .headers_mut()
            .insert("accept", "application/json;as=Table;v=v1;g=meta.k8s.io".parse().unwrap());
        let table: Value = self.client.request(request).await.unwrap();
        assert_eq!(table["rows"].as_array().unwrap().len(), 1);
        let columns = table["columnDefinitions"].as_array().unwrap().iter();
        let headers = columns.map(|column| column["name"].as_str().unwrap().to_uppercase());
        let cells = table["rows"][0]["cells"].as_array().unwrap().iter();
        let text = |cell: &Value| cell.as_str().map_or_else(|| cell.to_string(), str::to_owned);
        headers.zip(cells.map(text)).filter(|(header, _)| header != "AGE").collect()
    }
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
