//! The output of the demo in the README is what the demo prints today.

use std::fs;

use spe_operator::{endpoint, endpoint_service};

use crate::book::root;

/// Returns the lines of the block that begins with the manifest of the demo.
fn shown() -> Vec<String> {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let (_, block) = readme
        .split_once("```text\n$ kubectl apply -f deploy/samples/private-endpoint-service.yaml\n")
        .unwrap();
    block.split("```").next().unwrap().lines().map(str::to_owned).collect()
}

#[test]
fn the_readme_shows_the_columns_of_kubectl_get() {
    for definition in [endpoint_service::crd::crd(), endpoint::crd::crd()] {
        let crd = serde_json::to_value(definition).unwrap();
        let columns = crd["spec"]["versions"][0]["additionalPrinterColumns"].as_array().unwrap().iter();
        let columns = columns.filter(|column| column["priority"].is_null());
        let columns: Vec<_> = columns.map(|column| column["name"].as_str().unwrap().to_uppercase()).collect();
        let heading = |line: &String| line.split_whitespace().skip(1).eq(&columns);
        assert!(shown().iter().any(heading), "{columns:?}: copy the output of `make demo EXIT=1`");
    }
}

/// The demo's own output appears in its source, except for the values that it fills in.
#[test]
fn the_readme_shows_the_sentences_of_the_demo() {
    let script = fs::read_to_string(root().join("testbed/src/bin/demo/script.rs")).unwrap();
    let shown = shown();
    let sentences: Vec<_> = shown
        .iter()
        .filter(|line| line.starts_with(char::is_uppercase) && line.ends_with(['.', ':']))
        .collect();
    assert!(sentences.len() >= 3, "{sentences:?}");
    for sentence in sentences {
        let known = sentence.split(|c: char| c.is_ascii_digit() || c == '"').next().unwrap().trim();
        assert!(script.contains(known), "{sentence:?}: copy the output of `make demo EXIT=1`");
    }
}
