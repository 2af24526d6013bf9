//! A real API server strictly accepts every manifest that people can take from here; they are found by a search, so
//! that none is forgotten. Their effects are tested by `samples.rs`, `pages.rs` and `tests/chart`.

use std::path::{Path, PathBuf};
use std::process::Command;

use kube::Client;
use kube::api::{Patch, PatchParams, ValidationDirective};
use serde_json::Value;
use testbed::kinds;

use crate::book::{ManualPage, pages, root};
use crate::fixture::{PageFixture, Requirements};

/// All files below a folder whose names end with `.yaml`.
fn yaml_files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            yaml_files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "yaml") {
            found.push(path);
        }
    }
}

/// Returns the documents of a file or, where it describes how to combine several, the result.
async fn documents(file: &Path) -> Vec<Value> {
    let text = if file.ends_with("kustomization.yaml") {
        let kubectl = testbed::control_plane_binaries().await.unwrap().join("kubectl");
        let output = Command::new(kubectl).arg("kustomize").arg(file.parent().unwrap()).output().unwrap();
        assert!(output.status.success(), "{}: {}", file.display(), String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    } else {
        std::fs::read_to_string(file).unwrap()
    };
    serde_saphyr::from_multiple(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

/// Checks with a dry run that the API server accepts the manifest, in an existing namespace.
async fn try_to_apply(client: &Client, namespace: &str, mut manifest: Value) -> Result<(), String> {
    if !manifest["metadata"]["namespace"].is_null() {
        manifest["metadata"]["namespace"] = namespace.into();
    }
    let params = PatchParams {
        dry_run: true,
        field_validation: Some(ValidationDirective::Strict),
        ..PatchParams::apply("manifests").force()
    };
    let objects = kinds::api_of(client, &manifest, Some(namespace)).await;
    let objects = objects.map_err(|error| format!("{error:#}"))?;
    let name = manifest["metadata"]["name"].as_str().unwrap_or_default();
    let applied = objects.patch(name, &params, &Patch::Apply(&manifest)).await;
    applied.map(|_| ()).map_err(|error| format!("{} {name}: {error}", manifest["kind"]))
}

#[tokio::test]
async fn every_manifest_in_a_file_is_accepted() {
    let fixture = PageFixture::build("manifests", &Requirements::default()).await;
    let client = testbed::control_plane().await.unwrap().client().await.unwrap();
    let mut files = Vec::new();
    for folder in ["deploy", "crds"] {
        yaml_files(&root().join(folder), &mut files);
    }
    // A file for kustomize is no manifest; `tests/chart` tests its result.
    files.retain(|file| !file.ends_with("deploy/kustomize/name-reference.yaml"));
    assert!(files.len() > 20, "only {files:?}");
    for file in files {
        for manifest in documents(&file).await {
            let applied = try_to_apply(&client, &fixture.namespace, manifest).await;
            assert_eq!(applied, Ok(()), "{}", file.display());
        }
    }
    let nonsense = serde_json::json!({
        "apiVersion": "atlas.spe-operator.io/v1alpha1", "kind": "ServerlessPrivateEndpoint", "metadata": {"name": "a"},
        "spec": {"projectId": "32b6e34b3d91647abb20e7b8", "instanceName": "orders", "coment": "misspelled"},
    });
    let refused = try_to_apply(&client, &fixture.namespace, nonsense).await;
    assert!(refused.is_err_and(|error| error.contains("coment")), "a misspelled field was accepted");
}

/// A manifest on a page is applied as it is, or written to a file that a command of the same page uses.
#[test]
fn every_file_that_a_page_shows_is_used_there() {
    let mut shown = 0;
    for page in pages() {
        for (place, block) in page.blocks.iter().enumerate() {
            let Some(file) = block.file() else { continue };
            shown += 1;
            assert!(
                is_used(&page, place, file),
                "{}:{}: nothing uses {file}",
                page.path.display(),
                block.line
            );
        }
    }
    assert!(shown > 5, "only {shown}");
}

fn is_used(page: &ManualPage, place: usize, file: &str) -> bool {
    let folder = file.split_once('/').map_or(file, |(folder, _)| folder);
    page.blocks[place..].iter().any(|block| {
        let runs = matches!(block.language(), "sh" | "hidden") && !block.is("by-hand");
        runs && block.text.split([' ', '\n', '=', ')']).any(|word| word == file || word == folder)
    })
}
