//! The fields that the operator reads of other operators' objects are in their definitions: a field that is misspelled is never found, and
//! the reference would wait for ever.

use std::fs;

use domain::reference::EndpointSource;
use serde_json::Value;

use crate::book::root;

/// Returns the schema of a kind, from the definitions that the manual is checked against.
fn schema(source: EndpointSource) -> Value {
    let (api_version, kind) = source.api_version_and_kind();
    let (group, version) = api_version.split_once('/').unwrap();
    for entry in fs::read_dir(root().join("tests/docs/definitions")).unwrap() {
        let text = fs::read_to_string(entry.unwrap().path()).unwrap();
        for definition in serde_saphyr::from_multiple::<Value>(&text).unwrap() {
            let spec = &definition["spec"];
            if spec["group"] == group && spec["names"]["kind"] == kind {
                let versions = spec["versions"].as_array().unwrap().iter();
                let found = versions.filter(|one| one["name"] == version && one["served"] == true);
                return found.map(|one| one["schema"]["openAPIV3Schema"].clone()).next().unwrap_or_default();
            }
        }
    }
    Value::Null
}

#[test]
fn each_field_that_is_read_of_a_referenced_object_is_a_text_of_its_definition() {
    for source in EndpointSource::ALL.into_iter().filter(|source| *source != EndpointSource::ConfigMap) {
        let schema = schema(source);
        assert!(schema.is_object(), "{source:?} has no definition");
        for path in [source.id_path(), source.address_path()].into_iter().filter(|path| !path.is_empty()) {
            let field = path.iter().fold(&schema, |place, part| match part.parse::<usize>() {
                Ok(_) => &place["items"],
                Err(_) => &place["properties"][*part],
            });
            assert_eq!(field["type"], "string", "{source:?}: {path:?}");
        }
    }
}
