//! A real API server accepts what kro and Crossplane would create from the manual's definitions: the templates, with a
//! value in place of each that the tool would fill in.

use std::collections::BTreeSet;
use std::path::Path;

use kube::api::{Patch, PatchParams, ValidationDirective};
use serde_json::{Value, json};
use testbed::kinds;

use crate::book::page;
use crate::fixture::{PageFixture, Requirements};

/// Returns the value that is filled in for this field.
fn value_of(field: &str) -> Value {
    match field {
        "projectId" => json!("32b6e34b3d91647abb20e7b8"),
        "subnetIDs" | "subnetIds" | "securityGroupIDs" | "securityGroupIds" => json!(["id-0a1b2c3d"]),
        "clusters" => json!(["orders"]),
        "region" => json!("EU_WEST_1"),
        _ => json!("orders"),
    }
}

/// Puts values in place of kro's expressions.
fn fill(field: &str, value: &mut Value) {
    match value {
        Value::Object(entries) => entries.iter_mut().for_each(|(field, value)| fill(field, value)),
        Value::String(text) if text.starts_with("${") => *value = value_of(field),
        _ => {}
    }
}

/// Sets a value at the target of a Crossplane patch.
fn patch(base: &mut Value, path: &str) {
    let mut place = base;
    for field in path.split('.') {
        place = &mut place[field];
    }
    *place = value_of(path.rsplit('.').next().unwrap());
}

fn documents(path: &str) -> Vec<Value> {
    let page = page(Path::new(path));
    let yaml = page.blocks.iter().filter(|block| block.language() == "yaml");
    yaml.flat_map(|block| serde_saphyr::from_multiple::<Value>(&block.text).unwrap()).collect()
}

/// The pages about dedicated clusters, and those about serverless instances.
const FOLDERS: [&str; 2] = ["docs/tasks", "docs/tasks/serverless"];

async fn assert_accepted(name: &str, manifests: Vec<Value>) {
    assert!(manifests.len() > 1, "both ends: {manifests:?}");
    let fixture = PageFixture::build(name, &Requirements::default()).await;
    let client = testbed::control_plane().await.unwrap().client().await.unwrap();
    let params = PatchParams {
        dry_run: true,
        field_validation: Some(ValidationDirective::Strict),
        ..PatchParams::apply("templates")
    };
    for manifest in manifests {
        let objects = kinds::api_of(&client, &manifest, Some(&fixture.namespace)).await.unwrap();
        let applied = objects.patch("orders", &params, &Patch::Apply(&manifest)).await;
        applied.unwrap_or_else(|error| panic!("{manifest}: {error}"));
    }
}

#[tokio::test]
async fn objects_of_the_kro_templates_are_accepted() {
    for folder in FOLDERS {
        let graph = &documents(&format!("{folder}/kro.md"))[0];
        let resources = graph["spec"]["resources"].as_array().unwrap();
        let manifests = resources.iter().map(|resource| {
            let mut template = resource["template"].clone();
            fill("", &mut template);
            template
        });
        assert_accepted("templates-kro", manifests.collect()).await;
    }
}

#[tokio::test]
async fn objects_of_the_crossplane_templates_are_accepted() {
    for folder in FOLDERS {
        let documents = documents(&format!("{folder}/crossplane.md"));
        let composition = documents.iter().find(|document| document["kind"] == "Composition").unwrap();
        let resources = composition["spec"]["pipeline"][0]["input"]["resources"].as_array().unwrap();
        let manifests = resources.iter().map(|resource| {
            let mut base = resource["base"].clone();
            for one in resource["patches"].as_array().unwrap() {
                if one["type"].is_null() {
                    patch(&mut base, one["toFieldPath"].as_str().unwrap());
                }
            }
            base
        });
        assert_accepted("templates-crossplane", manifests.collect()).await;
    }
}

/// The fields of each kind that a page defines are those of its own example, and those of the definition that plays it
/// here.
#[test]
fn the_example_of_a_kind_that_a_page_defines_gives_its_fields() {
    let fields = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<BTreeSet<_>>();
    for folder in FOLDERS {
        let kro = documents(&format!("{folder}/kro.md"));
        let crossplane = documents(&format!("{folder}/crossplane.md"));
        let definition = crossplane.iter().find(|one| one["kind"] == "CompositeResourceDefinition").unwrap();
        let schema = &definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"];
        let cases = [
            (&kro, "kro", &kro[0]["spec"]["schema"]["kind"], fields(&kro[0]["spec"]["schema"]["spec"])),
            (&crossplane, "crossplane", &definition["spec"]["names"]["kind"], fields(&schema["properties"])),
        ];
        for (documents, tool, kind, defined) in cases {
            let example = documents.iter().find(|one| one["kind"] == *kind).unwrap();
            assert_eq!(fields(&example["spec"]), defined, "{tool}: the example");
            let file = crate::book::root().join("tests/docs/definitions").join(tool).with_extension("yaml");
            let played: Vec<Value> =
                serde_saphyr::from_multiple(&std::fs::read_to_string(file).unwrap()).unwrap();
            let played = played.iter().find(|one| one["spec"]["names"]["kind"] == *kind).unwrap();
            let schema = &played["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"];
            assert_eq!(fields(&schema["properties"]), defined, "{tool}: the definition that plays it");
        }
    }
}

/// An expression that names a missing field of the status would wait without end.
#[test]
fn each_forwarded_field_is_in_the_status() {
    use spe_operator::{endpoint_service, serverless};
    let statuses = [endpoint_service::crd::crd(), serverless::crd::crd()].map(|definition| {
        let crd = serde_json::to_value(definition).unwrap();
        crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["status"]["properties"].clone()
    });
    for (folder, status) in FOLDERS.into_iter().zip(&statuses) {
        for tool in ["kro", "crossplane", "terraform"] {
            let page = page(Path::new(&format!("{folder}/{tool}.md")));
            let code = page.blocks.iter().filter(|block| matches!(block.language(), "yaml" | "hcl"));
            let code: String = code.map(|block| block.text.as_str()).collect();
            let fields: Vec<&str> = code
                .split("status.")
                .skip(1)
                .map(|rest| rest.split(|c: char| !c.is_alphanumeric()).next().unwrap())
                .collect();
            assert!(!fields.is_empty(), "{folder}/{tool}.md");
            for field in fields {
                assert!(status.get(field).is_some(), "{folder}/{tool}.md: there is no status.{field}");
            }
        }
    }
}
