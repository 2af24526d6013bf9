//! The attacks: the writes of a tenant, and not their effects.
//!
//! All bodies are raw JSON: a typed client could neither write most of them nor read them back.

use std::net::SocketAddr;

use http::{Method, Request};
use kube::Client;
use serde_json::{Value, json};
use testbed::{ControlPlane, kinds};
use tokio::net::{TcpListener, TcpStream};

use atlas_simulator::{DEFAULT_INSTANCE, DEFAULT_PROJECT};

/// The name of the attack by a kind whose objects are never converted.
pub(crate) const WEBHOOK_HANGS: &str = "webhook-hangs";

const GROUP: &str = "atlas.spe-operator.io/v1alpha1";
const CLAIM: &str = "atlas.spe-operator.io/claim";

/// A key of the tenant that works, but not in the project of others.
pub(crate) const STRANGER: [&str; 2] = ["stranger", "5c0e9d1b-0f3a-4f0e-9a53-5b8f0c1e7a42"];

/// The kinds of dedicated clusters, with their plurals.
const SERVICE: (&str, &str) = ("PrivateEndpointService", "privateendpointservices");
const ENDPOINT: (&str, &str) = ("PrivateEndpoint", "privateendpoints");

/// What belongs to others and anybody can know.
pub(crate) struct ForeignNames<'a> {
    pub(crate) namespace: &'a str,
    /// The name of their service object.
    pub(crate) service: &'a str,
    pub(crate) project: &'a str,
    pub(crate) region: &'a str,
    pub(crate) vpc_endpoint: &'a str,
}

/// One namespace and the right to write to it.
pub(crate) struct Tenant {
    control_plane: &'static ControlPlane,
    client: Client,
    namespace: String,
}

impl Tenant {
    /// A namespace that sorts before its neighbours in each list, with a Secret `atlas-api`.
    pub(crate) async fn new(control_plane: &'static ControlPlane, [public, private]: [&str; 2]) -> Self {
        let client = control_plane.client().await.unwrap();
        let namespace = control_plane.create_namespace("a-tenant").await.unwrap();
        let tenant = Self { control_plane, client, namespace };
        tenant.secret("atlas-api", public, private).await;
        tenant
    }

    /// Two objects whose metadata is beyond what common libraries decode: a time after the year 9999, and deep nesting.
    pub(crate) async fn poison(&self) {
        self.object("evil-time", &spec(&json!({}))).await;
        self.poison_time("evil-time").await;
        self.object("evil-depth", &spec(&json!({}))).await;
        let nested = (0..300).fold(json!({}), |inner, _| json!({"f:x": inner}));
        self.manage(
            "evil-depth",
            "2026-01-01T00:00:00Z",
            &json!({"f:metadata": {"f:labels": {"f:x": nested}}}),
        )
        .await;
    }

    /// So many events of an object that cannot be decoded.
    pub(crate) async fn edit_poison(&self, times: usize) {
        for time in 0..times {
            self.merge("evil-time", &json!({"metadata": {"labels": {"x": time.to_string()}}})).await;
            self.poison_time("evil-time").await;
        }
    }

    async fn poison_time(&self, name: &str) {
        self.manage(name, "9999-12-31T23:59:59Z", &json!({"f:metadata": {"f:labels": {"f:x": {}}}})).await;
    }

    async fn manage(&self, name: &str, time: &str, fields: &Value) {
        let manager = json!({
            "manager": "evil", "operation": "Apply", "apiVersion": GROUP, "time": time,
            "fieldsType": "FieldsV1", "fieldsV1": fields,
        });
        let patch = json!([{"op": "add", "path": "/metadata/managedFields/0", "value": manager}]);
        self.write(Method::PATCH, &self.path(name), "application/json-patch+json", &patch).await;
    }

    /// So many claims on one object, each as large as an annotation may be.
    pub(crate) async fn pump_claims(&self, times: usize) {
        self.object("pump", &spec(&json!({"credentialsRef": {"name": "missing"}}))).await;
        for time in 0..times {
            let claim = format!("{time}{}", "x".repeat(240_000));
            self.merge("pump", &json!({"metadata": {"annotations": {CLAIM: claim}}})).await;
        }
    }

    /// So many objects of new names with an unreadable claim, each deleted at once.
    pub(crate) async fn churn(&self, objects: usize) {
        for object in 0..objects {
            let name = format!("churn-{object}");
            let body = json!({
                "apiVersion": GROUP, "kind": "ServerlessPrivateEndpoint",
                "metadata": {"name": name, "annotations": {CLAIM: "c".repeat(900)}},
                "spec": spec(&json!({"credentialsRef": {"name": "missing"}})),
            });
            self.write(Method::POST, &self.path(""), "application/json", &body).await;
            self.write(Method::DELETE, &self.path(&name), "application/json", &json!({})).await;
        }
    }

    /// So many Secrets with as large a key as a Secret takes, each named by an object.
    pub(crate) async fn fat_keys(&self, keys: usize) {
        let half = "k".repeat(700_000);
        for key in 0..keys {
            let name = format!("fat-{key}");
            self.secret(&name, &half, "short").await;
            self.object(&name, &spec(&json!({"credentialsRef": {"name": name}}))).await;
        }
    }

    /// One object that names so many Secrets, one after another.
    pub(crate) async fn rename_keys(&self, times: usize) {
        self.object("renamed", &spec(&json!({}))).await;
        for time in 0..times {
            self.merge("renamed", &json!({"spec": {"credentialsRef": {"name": format!("key-{time}")}}}))
                .await;
        }
    }

    /// So many objects in as many projects for which Atlas never responds.
    pub(crate) async fn invent_projects(&self, projects: usize) {
        for project in 0..projects {
            let named = spec(&json!({"projectId": format!("{project:024x}")}));
            self.object(&format!("project-{project}"), &named).await;
        }
    }

    /// So many objects that refer to objects of a kind whose conversion webhook accepts connections and never responds.
    /// It ends when the returned value is dropped.
    pub(crate) async fn refer_to_a_kind_that_hangs(&self, objects: usize) -> TcpListener {
        let webhook = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let kind = kinds::kind("ec2.services.k8s.aws/v1alpha1", "VPCEndpoint", "vpcendpoints");
        let mut definition = kinds::open_definition(&kind);
        let mut stored = definition["spec"]["versions"][0].clone();
        stored["name"] = json!("v1");
        definition["spec"]["versions"][0]["storage"] = json!(false);
        definition["spec"]["versions"].as_array_mut().unwrap().push(stored);
        let url = format!("https://{}/convert", webhook.local_addr().unwrap());
        definition["spec"]["conversion"] = json!({
            "strategy": "Webhook",
            "webhook": {"conversionReviewVersions": ["v1"], "clientConfig": {"url": url}},
        });
        self.control_plane.install_crd(&definition).await.unwrap();
        let path = format!("/apis/ec2.services.k8s.aws/v1/namespaces/{}/vpcendpoints", self.namespace);
        let network = json!({
            "apiVersion": "ec2.services.k8s.aws/v1", "kind": "VPCEndpoint", "metadata": {"name": "network"},
        });
        self.write(Method::POST, &path, "application/json", &network).await;
        for object in 0..objects {
            let reference = json!({"apiVersion": kind.api_version, "kind": kind.kind, "name": "network"});
            // A project of its own each, so that no bound of a project keeps them from waiting together.
            let named = spec(&json!({
                "projectId": format!("{object:023x}f"), "cloudProviderEndpointRef": reference,
            }));
            self.object(&format!("refers-{object}"), &named).await;
        }
        webhook
    }

    /// So many connections that send nothing.
    pub(crate) async fn connect(&self, address: SocketAddr, connections: usize) -> Vec<TcpStream> {
        let mut open = Vec::new();
        for _ in 0..connections {
            // The operator may refuse, and so may this process's own limit of open files.
            if let Ok(stream) = TcpStream::connect(address).await {
                open.push(stream);
            }
        }
        open
    }

    /// So many objects of more than a megabyte each.
    pub(crate) async fn fat_objects(&self, objects: usize) {
        // Few and long: what the API server checks of each label would take longer than all the rest.
        let prefix = vec!["x".repeat(63); 3].join(".");
        let labels: serde_json::Map<String, Value> =
            (0..3000).map(|label| (format!("{prefix}.fat/{label:063}"), json!("y".repeat(63)))).collect();
        for object in 0..objects {
            let body = json!({
                "apiVersion": GROUP, "kind": "ServerlessPrivateEndpoint",
                "metadata": {"name": format!("fat-object-{object}"), "labels": labels},
                "spec": spec(&json!({})),
            });
            self.write(Method::POST, &self.path(""), "application/json", &body).await;
        }
    }

    /// So many objects of both kinds of dedicated clusters, in turn, that name what belongs to others, or nothing: their project and region
    /// with keys that hang or are refused, their service object and VPC endpoint, regions, namespaces and projects that do not exist,
    /// and missing Secrets and ConfigMaps.
    pub(crate) async fn name_what_is_not_theirs(&self, objects: usize, others: &ForeignNames<'_>) {
        self.secret("stranger", STRANGER[0], STRANGER[1]).await;
        for number in 0..objects {
            let (kind, spec) = Self::foreign(number, others);
            let body = json!({
                "apiVersion": GROUP, "kind": kind.0, "metadata": {"name": foreign_name(number)}, "spec": spec,
            });
            self.write(Method::POST, &self.path_of(kind.1, ""), "application/json", &body).await;
        }
    }

    /// Deletes the objects of [`Tenant::name_what_is_not_theirs`].
    pub(crate) async fn delete_what_is_not_theirs(&self, objects: usize, others: &ForeignNames<'_>) {
        for number in 0..objects {
            let ((_, plural), _) = Self::foreign(number, others);
            let path = self.path_of(plural, &foreign_name(number));
            self.write(Method::DELETE, &path, "application/json", &json!({})).await;
        }
    }

    fn foreign(number: usize, others: &ForeignNames<'_>) -> ((&'static str, &'static str), Value) {
        let ForeignNames { namespace, service, project, region, vpc_endpoint } = others;
        let of = |project: &str, region: &str, secret: &str| {
            json!({
                "projectId": project, "provider": "AWS", "region": region, "credentialsRef": {"name": secret},
                "deletionPolicy": "Delete",
            })
        };
        let at = |service: Value| json!({"serviceRef": service, "aws": {"id": vpc_endpoint}});
        let looked_up = |secret: &str| {
            json!({
                "service": {"projectId": project, "provider": "AWS", "region": region},
                "credentialsRef": {"name": secret}, "aws": {"id": vpc_endpoint}, "deletionPolicy": "Delete",
            })
        };
        let missing = json!({"apiVersion": "v1", "kind": "ConfigMap", "name": "missing", "key": "id"});
        match number % 10 {
            0 => (SERVICE, of(project, region, "atlas-api")),
            1 => (ENDPOINT, at(json!({"name": service, "namespace": namespace}))),
            2 => (SERVICE, of(project, region, "stranger")),
            3 => (ENDPOINT, looked_up("stranger")),
            4 => (SERVICE, of(&own_project(), &format!("MARS_NORTH_{number}"), "stranger")),
            5 => (ENDPOINT, at(json!({"name": "nobody", "namespace": format!("nowhere-{number}")}))),
            6 => (SERVICE, of(&format!("{number:024x}"), region, "stranger")),
            7 => (ENDPOINT, json!({"serviceRef": {"name": foreign_name(2)}, "aws": {"ref": missing}})),
            8 => (SERVICE, of(project, region, "missing")),
            _ => (ENDPOINT, looked_up("missing")),
        }
    }

    async fn object(&self, name: &str, spec: &Value) {
        let body = json!({
            "apiVersion": GROUP, "kind": "ServerlessPrivateEndpoint", "metadata": {"name": name}, "spec": spec,
        });
        self.write(Method::POST, &self.path(""), "application/json", &body).await;
    }

    async fn merge(&self, name: &str, patch: &Value) {
        self.write(Method::PATCH, &self.path(name), "application/merge-patch+json", patch).await;
    }

    async fn secret(&self, name: &str, public: &str, private: &str) {
        let path = format!("/api/v1/namespaces/{}/secrets", self.namespace);
        let data = json!({"publicApiKey": public, "privateApiKey": private});
        let body =
            json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": data});
        self.write(Method::POST, &path, "application/json", &body).await;
    }

    fn path(&self, name: &str) -> String {
        self.path_of("serverlessprivateendpoints", name)
    }

    fn path_of(&self, plural: &str, name: &str) -> String {
        let objects = format!("/apis/{GROUP}/namespaces/{}/{plural}", self.namespace);
        if name.is_empty() { objects } else { format!("{objects}/{name}") }
    }

    async fn write(&self, method: Method, path: &str, content: &str, body: &Value) {
        let request = Request::builder().method(method).uri(path).header("content-type", content);
        let request = request.body(serde_json::to_vec(body).unwrap()).unwrap();
        let written = self.client.request_text(request).await;
        assert!(written.is_ok(), "the API server refuses {path}: {:.300}", written.unwrap_err().to_string());
    }
}

fn foreign_name(number: usize) -> String {
    format!("foreign-{number}")
}

/// The project in which the tenant's key [`STRANGER`] works.
pub(crate) fn own_project() -> String {
    format!("{:024x}", 0xa7e_0a47)
}

/// The required fields, and these.
fn spec(fields: &Value) -> Value {
    let mut spec = json!({
        "projectId": DEFAULT_PROJECT, "instanceName": DEFAULT_INSTANCE, "credentialsRef": {"name": "atlas-api"},
    });
    for (field, value) in fields.as_object().unwrap() {
        spec[field] = value.clone();
    }
    spec
}
