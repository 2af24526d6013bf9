//! Runs the pinned helm on the chart: version 4, or 3 if the variable `HELM` is `helm3`. It never reads the user's helm
//! configuration.

use std::path::PathBuf;
use std::process::{Command, Output};

use serde_json::Value;
use tokio::sync::OnceCell;

/// The release that all tests render.
pub(crate) const RELEASE: &str = "spe-operator";

/// A helm without a version stamp assumes that the cluster is old.
pub(crate) const KUBERNETES: &str = "--kube-version=v1.37.2";

/// A manifest of the release.
pub(crate) type ChartManifest = Value;

pub(crate) fn chart() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/charts/spe-operator"))
}

/// Runs helm with these arguments.
pub(crate) async fn helm(arguments: &[&str]) -> Output {
    static HELM: OnceCell<PathBuf> = OnceCell::const_new();
    let program = HELM
        .get_or_init(|| async {
            let three = std::env::var_os("HELM").is_some_and(|wanted| wanted == "helm3");
            let (module, package) = if three {
                ("helm3", "helm.sh/helm/v3/cmd/helm")
            } else {
                ("helm", "helm.sh/helm/v4/cmd/helm")
            };
            testbed::go_tool(module, package, "helm").await.unwrap()
        })
        .await;
    Command::new(program)
        .args(arguments)
        .env_remove("KUBECONFIG")
        .env("HOME", "/nonexistent")
        .output()
        .unwrap()
}

/// Returns what the chart renders with these values (`a.b=c`, as after `--set`) in the namespace.
///
/// # Errors
/// The error message of helm.
pub(crate) async fn try_render(namespace: &str, values: &[&str]) -> Result<Vec<ChartManifest>, String> {
    template(RELEASE, namespace, &set(values)).await
}

/// Values as arguments of helm.
pub(crate) fn set<'a>(values: &[&'a str]) -> Vec<&'a str> {
    let mut arguments = Vec::new();
    for value in values {
        let json = value.split_once('=').is_some_and(|(_, value)| value.starts_with(['[', '{', '"']));
        arguments.extend([if json { "--set-json" } else { "--set" }, value]);
    }
    arguments
}

/// The same with values as in a file.
pub(crate) async fn try_render_with(namespace: &str, values: &Value) -> Result<Vec<ChartManifest>, String> {
    let set: Vec<String> =
        values.as_object().unwrap().iter().map(|(key, value)| format!("{key}={value}")).collect();
    let arguments: Vec<&str> = set.iter().flat_map(|value| ["--set-json", value]).collect();
    template(RELEASE, namespace, &arguments).await
}

/// Returns what the chart renders for a release with these arguments of helm. A duplicate key fails the test.
///
/// # Errors
/// The error message of helm.
pub(crate) async fn template(
    release: &str,
    namespace: &str,
    arguments: &[&str],
) -> Result<Vec<ChartManifest>, String> {
    let chart = chart().display().to_string();
    let output =
        helm(&[&["template", release, &chart, "--namespace", namespace, KUBERNETES], arguments].concat())
            .await;
    if !output.status.success() {
        return Err(String::from_utf8(output.stderr).unwrap());
    }
    let text = String::from_utf8(output.stdout).unwrap();
    let documents: Vec<Value> = serde_saphyr::from_multiple(&text).expect(&text);
    Ok(documents.into_iter().filter(|document| !document.is_null()).collect())
}

pub(crate) async fn render(namespace: &str, values: &[&str]) -> Vec<ChartManifest> {
    try_render(namespace, values).await.unwrap_or_else(|error| panic!("{values:?}: {error}"))
}

/// The manifests of this kind.
pub(crate) fn of_kind<'a>(manifests: &'a [ChartManifest], kind: &str) -> Vec<&'a ChartManifest> {
    manifests.iter().filter(|manifest| manifest["kind"] == kind).collect()
}

/// The arguments of the operator's container.
pub(crate) fn operator_arguments(manifests: &[ChartManifest]) -> Vec<String> {
    let deployment = of_kind(manifests, "Deployment")[0];
    let arguments = &deployment["spec"]["template"]["spec"]["containers"][0]["args"];
    serde_json::from_value(arguments.clone()).unwrap()
}

/// Namespace/name of a manifest, for messages and for finding it.
pub(crate) fn name(manifest: &ChartManifest) -> String {
    let metadata = &manifest["metadata"];
    let kind = manifest["kind"].as_str().unwrap();
    let name = metadata["name"].as_str().unwrap();
    metadata["namespace"]
        .as_str()
        .map_or_else(|| format!("{kind} {name}"), |namespace| format!("{kind} {namespace}/{name}"))
}
