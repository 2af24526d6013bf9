//! Every manifest under `deploy/samples` can be applied as it is.

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::Resource;
use kube::api::{Api, ApiResource, DynamicObject, Patch, PatchParams, ValidationDirective};
use kube::core::object::HasStatus;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use spe_operator::app::definitions::definitions;
use spe_operator::endpoint::crd::PrivateEndpoint;
use spe_operator::endpoint_service::crd::PrivateEndpointService;
use spe_operator::schema::NEVER_OBSERVED;
use spe_operator::serverless::crd::ServerlessPrivateEndpoint;

use crate::fixture::AdmissionFixture;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/samples");

/// The documents of all samples, each with its file's name.
fn samples() -> Vec<(String, Value)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(FOLDER).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let text = std::fs::read_to_string(&path).unwrap();
        let documents: Vec<Value> = serde_saphyr::from_multiple(&text).unwrap();
        found.extend(documents.into_iter().map(|document| (name.clone(), document)));
    }
    found
}

#[tokio::test]
async fn every_sample_is_accepted() {
    let fixture = AdmissionFixture::new().await;
    // Strict: a field that the definition does not know is an error.
    let params =
        PatchParams { field_validation: Some(ValidationDirective::Strict), ..PatchParams::apply("samples") };
    for (file, manifest) in samples() {
        let kind = match manifest["kind"].as_str().unwrap() {
            "ServerlessPrivateEndpoint" => ApiResource::erase::<ServerlessPrivateEndpoint>(&()),
            "PrivateEndpointService" => ApiResource::erase::<PrivateEndpointService>(&()),
            "PrivateEndpoint" => ApiResource::erase::<PrivateEndpoint>(&()),
            "ConfigMap" => ApiResource::erase::<ConfigMap>(&()),
            "Secret" => ApiResource::erase::<Secret>(&()),
            other => panic!("{file}: {other}"),
        };
        let objects: Api<DynamicObject> =
            Api::namespaced_with(fixture.client.clone(), &fixture.namespace, &kind);
        let name = manifest["metadata"]["name"].as_str().unwrap();
        let applied = objects.patch(name, &params, &Patch::Apply(&manifest)).await;
        let applied = applied.unwrap_or_else(|error| panic!("{file}: {error}"));
        let unobserved = match kind.kind.as_str() {
            "ServerlessPrivateEndpoint" => observed_generation::<ServerlessPrivateEndpoint>(applied, &file),
            "PrivateEndpointService" => observed_generation::<PrivateEndpointService>(applied, &file),
            "PrivateEndpoint" => observed_generation::<PrivateEndpoint>(applied, &file),
            _ => NEVER_OBSERVED,
        };
        assert_eq!(unobserved, NEVER_OBSERVED, "{file}");
    }
}

/// Returns the `observedGeneration` of an object that the API server returned, decoded as its type.
fn observed_generation<K>(applied: DynamicObject, file: &str) -> i64
where
    K: Resource + DeserializeOwned + HasStatus,
    K::Status: Serialize,
{
    let typed: Result<K, _> = applied.try_parse();
    let typed = typed.unwrap_or_else(|error| panic!("{file} cannot be decoded: {error}"));
    serde_json::to_value(typed.status().unwrap()).unwrap()["observedGeneration"].as_i64().unwrap()
}

#[test]
fn every_field_of_a_spec_has_a_sample() {
    let samples = samples();
    for crd in definitions() {
        let crd = serde_json::to_value(crd).unwrap();
        let spec =
            &crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"];
        let kind = &crd["spec"]["names"]["kind"];
        let fields: BTreeSet<&String> = spec.as_object().unwrap().keys().collect();
        let objects = samples.iter().filter(|(_, manifest)| manifest["kind"] == *kind);
        let shown: BTreeSet<&String> =
            objects.flat_map(|(_, manifest)| manifest["spec"].as_object().unwrap().keys()).collect();
        assert_eq!(shown, fields, "{kind}");
    }
}

#[test]
fn every_sample_finds_its_secret() {
    let samples = samples();
    let (_, secret) = samples.iter().find(|(file, _)| file == "secret.yaml").unwrap();
    for (file, manifest) in &samples {
        let is_ours = manifest["apiVersion"] == "atlas.spe-operator.io/v1alpha1";
        if is_ours && manifest["spec"]["serviceRef"].is_null() {
            assert_eq!(manifest["spec"]["credentialsRef"]["name"], secret["metadata"]["name"], "{file}");
        }
    }
}
