//! `deploy/kube-state-metrics.yaml`: each field of a metric is a field of the definition, so that no metric is silently
//! empty, and no label is unbounded or reveals a secret.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use spe_operator::app::definitions::definitions;

/// The configuration of kube-state-metrics for each kind, with its definition.
fn resources() -> Vec<(Value, Value)> {
    let documents: Vec<Value> =
        serde_saphyr::from_multiple(include_str!("../../deploy/kube-state-metrics.yaml")).unwrap();
    let config = documents[0]["data"]["config.yaml"].as_str().unwrap();
    let config: Value = serde_saphyr::from_str(config).unwrap();
    assert_eq!(config["kind"], "CustomResourceStateMetrics");
    let resources = config["spec"]["resources"].as_array().unwrap();
    let definition = |resource: &Value| {
        let is_its = |crd: &Value| crd["spec"]["names"]["kind"] == resource["groupVersionKind"]["kind"];
        let mut all = definitions().into_iter().map(|crd| serde_json::to_value(crd).unwrap());
        all.find(is_its).unwrap_or_else(|| panic!("no definition of {resource}"))
    };
    assert_eq!(resources.len(), definitions().len());
    resources.iter().map(|resource| (resource.clone(), definition(resource))).collect()
}

/// The definition's schema of an object, with the fields that every object has.
fn schema(crd: &Value) -> Value {
    let mut schema = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"].clone();
    let text = json!({"type": "string"});
    schema["properties"]["metadata"]["properties"] =
        json!({"namespace": text, "name": text, "creationTimestamp": text, "deletionTimestamp": text});
    schema
}

/// Follows a path from a schema, through the items of a list.
fn follow<'a>(schema: &'a Value, path: &Value) -> Result<&'a Value, String> {
    let mut at = schema;
    for part in path.as_array().ok_or_else(|| format!("{path} is no path"))? {
        let part = part.as_str().unwrap();
        at = at["properties"].get(part).ok_or_else(|| format!("{path}: there is no {part}"))?;
    }
    Ok(if at["type"] == "array" { &at["items"] } else { at })
}

/// Returns the errors of the metrics.
fn complaints(resource: &Value, crd: &Value) -> Vec<String> {
    let schema = schema(crd);
    let mut found = Vec::new();
    let mut names = BTreeSet::new();
    let mut is_text = |from: &Value, label: &str, path: &Value| match follow(from, path) {
        Ok(field) if field["type"] == "string" => {}
        Ok(field) => found.push(format!("{label}: {path} is {}", field["type"])),
        Err(error) => found.push(format!("{label}: {error}")),
    };
    for (label, path) in resource["labelsFromPath"].as_object().unwrap() {
        is_text(&schema, label, path);
    }
    for metric in resource["metrics"].as_array().unwrap() {
        let each = &metric["each"];
        let kind = each["type"].as_str().unwrap();
        let each = &each[kind.to_lowercase()];
        let from = if each["path"].is_null() { Ok(&schema) } else { follow(&schema, &each["path"]) };
        let Ok(from) = from else {
            is_text(&schema, kind, &each["path"]);
            continue;
        };
        assert!(kind == "Info" || !each["valueFrom"].is_null(), "{metric}");
        for (label, path) in each["labelsFromPath"].as_object().into_iter().flatten() {
            is_text(from, label, path);
        }
        if !each["valueFrom"].is_null() {
            is_text(from, "valueFrom", &each["valueFrom"]);
        }
        assert!(names.insert(metric["name"].as_str().unwrap()), "{metric}");
        assert!(metric["help"].as_str().is_some_and(|help| !help.is_empty()), "{metric}");
    }
    found
}

#[test]
fn each_metric_is_made_of_fields_that_there_are() {
    for (resource, crd) in resources() {
        assert_eq!(complaints(&resource, &crd), [""; 0]);
        for (pointer, misspelled) in [
            ("/labelsFromPath/name", json!(["metadata", "nam"])),
            ("/metrics/0/each/info/labelsFromPath/status", json!(["status", "state"])),
            ("/metrics/1/each/gauge/path", json!(["status", "condition"])),
            ("/metrics/1/each/gauge/valueFrom", json!(["state"])),
        ] {
            let mut wrong = resource.clone();
            *wrong.pointer_mut(pointer).unwrap() = misspelled;
            assert_eq!(complaints(&wrong, &crd).len(), 1, "{pointer}");
        }
    }
}

#[test]
fn it_watches_the_installed_kinds_and_has_bounded_labels() {
    for (resource, crd) in resources() {
        let spec = &crd["spec"];
        let kind = json!({"group": spec["group"], "version": spec["versions"][0]["name"], "kind": spec["names"]["kind"]});
        assert_eq!(resource["groupVersionKind"], kind);
        let text = resource.to_string();
        let unwanted = [
            "projectId",
            "_id",
            "serviceId",
            "endpointId",
            "message",
            "errorMessage",
            "comment",
            "connectionStrings",
        ];
        for unwanted in unwanted {
            assert!(!text.contains(&format!("\"{unwanted}\"")), "{unwanted}");
        }
    }
}
