//! The objects of a run, as data: their kinds, names and specs. Nothing here is created.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use anyhow::{Context, Result};
use kube::api::{ApiResource, DynamicObject};
use serde_json::{Value, json};
use testbed::kinds::kind;

use crate::scenarios::Population;

/// A VPC endpoint id.
pub(crate) const VPC_ENDPOINT: &str = "vpce-0a1b2c3d4e5f60718";

/// The Secret of all objects without a reference of their own.
pub(crate) const SECRET: &str = "atlas-api";

/// The maximum number of instances of one project.
const PER_PROJECT: usize = 25;

const API_VERSION: &str = "atlas.spe-operator.io/v1alpha1";

/// The regions of services, in this order.
const REGIONS: [&str; 10] = [
    "US_EAST_1",
    "US_EAST_2",
    "US_WEST_1",
    "US_WEST_2",
    "CA_CENTRAL_1",
    "EU_WEST_1",
    "EU_WEST_2",
    "EU_CENTRAL_1",
    "AP_SOUTHEAST_1",
    "AP_NORTHEAST_1",
];

/// One of the operator's kinds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct BenchKind {
    name: &'static str,
    plural: &'static str,
}

const SERVERLESS: BenchKind =
    BenchKind { name: "ServerlessPrivateEndpoint", plural: "serverlessprivateendpoints" };
const SERVICE: BenchKind = BenchKind { name: "PrivateEndpointService", plural: "privateendpointservices" };
const ENDPOINT: BenchKind = BenchKind { name: "PrivateEndpoint", plural: "privateendpoints" };

impl BenchKind {
    /// Returns it as the API server names it.
    pub(crate) fn resource(self) -> ApiResource {
        kind(API_VERSION, self.name, self.plural)
    }
}

/// One object to be created.
#[derive(Debug, Clone)]
pub(crate) struct PlannedObject {
    pub(crate) kind: BenchKind,
    pub(crate) name: String,
    /// The required fields.
    spec: Value,
    /// The Secret with the credentials that it uses.
    pub(crate) secret: &'static str,
}

impl PlannedObject {
    /// An endpoint of a serverless instance.
    pub(crate) fn serverless(name: String, project: &str, instance: &str, secret: &'static str) -> Self {
        let spec = json!({
            "projectId": project, "instanceName": instance, "credentialsRef": {"name": secret},
        });
        Self { kind: SERVERLESS, name, spec, secret }
    }

    /// Returns what it needs in Atlas: its project, and its instance if it has one.
    pub(crate) fn place(&self) -> Option<(&str, Option<&str>)> {
        Some((self.spec["projectId"].as_str()?, self.spec["instanceName"].as_str()))
    }
}

/// Returns the objects of a run. `is_waiting`: the VPC endpoints are not known yet.
pub(crate) fn plan(objects: Population, is_waiting: bool) -> Vec<PlannedObject> {
    match objects {
        Population::Serverless { objects, instances } => serverless(objects, instances),
        Population::Dedicated { projects, regions, endpoints } => {
            let regions = REGIONS.iter().take(regions).enumerate();
            let places = (0..projects).flat_map(|project| regions.clone().map(move |place| (project, place)));
            places
                .flat_map(|(number, (region, name))| {
                    let of_service = format!("{number:03}-{region:02}");
                    let service = service(&format!("svc-{of_service}"), &project(number), name);
                    let endpoint = |endpoint| {
                        endpoint_of(&service.name, &format!("pe-{of_service}-{endpoint:02}"), is_waiting)
                    };
                    let all: Vec<_> = (0..endpoints).map(endpoint).collect();
                    std::iter::once(service).chain(all)
                })
                .collect()
        }
    }
}

/// Distributes objects evenly over instances, and instances over projects.
pub(crate) fn serverless(objects: usize, instances: usize) -> Vec<PlannedObject> {
    let of = |number: usize| {
        let instance = number % instances;
        let project = project(instance / PER_PROJECT);
        PlannedObject::serverless(
            format!("spe-{number:05}"),
            &project,
            &format!("instance-{instance:04}"),
            SECRET,
        )
    };
    (0..objects).map(of).collect()
}

fn service(name: &str, project: &str, region: &str) -> PlannedObject {
    let spec = json!({
        "projectId": project, "provider": "AWS", "region": region, "credentialsRef": {"name": SECRET},
    });
    PlannedObject { kind: SERVICE, name: name.to_owned(), spec, secret: SECRET }
}

fn endpoint_of(service: &str, name: &str, is_waiting: bool) -> PlannedObject {
    let aws = if is_waiting {
        json!({"ref": {"apiVersion": "v1", "kind": "ConfigMap", "name": name, "key": "id"}})
    } else {
        json!({"id": vpc_endpoint(name)})
    };
    let spec = json!({"serviceRef": {"name": service}, "aws": aws});
    PlannedObject { kind: ENDPOINT, name: name.to_owned(), spec, secret: SECRET }
}

/// Returns the id of a project.
pub(crate) fn project(number: usize) -> String {
    format!("{:024x}", 0x00be_9c00_0000_0000_u64 + number as u64)
}

/// Returns the manifest of an object, with these fields besides the required ones.
pub(crate) fn manifest(object: &PlannedObject, fields: &Value) -> Result<DynamicObject> {
    let mut spec = object.spec.clone();
    for (field, value) in fields.as_object().context("fields are an object")? {
        spec[field] = value.clone();
    }
    Ok(serde_json::from_value(json!({
        "apiVersion": API_VERSION,
        "kind": object.kind.name,
        "metadata": {"name": object.name},
        "spec": spec,
    }))?)
}

/// Returns the fields with a VPC endpoint of the object's own, if they set any: the operator reports one that two
/// objects share.
pub(crate) fn own(object: &PlannedObject, fields: &Value) -> Value {
    let mut fields = fields.clone();
    if let Some(id) = fields.get_mut("cloudProviderEndpointId") {
        *id = json!(vpc_endpoint(&object.name));
    }
    fields
}

/// Returns the id of the VPC endpoint of an object.
fn vpc_endpoint(object: &str) -> String {
    let mut hasher = DefaultHasher::new();
    object.hash(&mut hasher);
    format!("vpce-{:017x}", hasher.finish())
}
