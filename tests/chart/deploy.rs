//! `deploy/` beside the chart: the kustomize bases and the admission policy are generated from the chart (`UPDATE=1`
//! rewrites them, as `make chart` does), and the values of the examples are values that the chart accepts.

use std::path::PathBuf;
use std::process::Command;

use k8s_openapi::api::core::v1::Namespace;
use kube::api::{Api, Patch, PatchParams, PostParams, ValidationDirective};
use serde_json::{Value, json};
use spe_operator::app::definitions::definitions;
use testbed::kinds;

use crate::helm::{ChartManifest, name, of_kind, render, try_render_with};

const NAMESPACE: &str = "spe-operator";

fn deploy() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/deploy"))
}

/// Returns what the chart renders, without what only helm knows about.
async fn rendered(values: &[&str]) -> Vec<ChartManifest> {
    let mut manifests = render(NAMESPACE, values).await;
    manifests.retain(|manifest| manifest["metadata"]["annotations"]["helm.sh/hook"].is_null());
    for manifest in &mut manifests {
        for labels in ["/metadata/labels", "/spec/template/metadata/labels"] {
            if let Some(labels) = manifest.pointer_mut(labels).and_then(Value::as_object_mut) {
                labels.retain(|key, _| {
                    !["helm.sh/chart", "app.kubernetes.io/managed-by"].contains(&key.as_str())
                });
            }
        }
    }
    manifests
}

/// Compares the file with the manifests, or writes it.
fn assert_current(file: &str, head: &str, manifests: &[ChartManifest]) {
    let mut text = format!("# {head}\n# Made from the chart by `make chart`.\n");
    for manifest in manifests {
        text.push_str("---\n");
        text.push_str(&serde_saphyr::to_string(manifest).unwrap());
    }
    let back: Vec<Value> = serde_saphyr::from_multiple(&text).unwrap();
    assert_eq!(back, manifests, "what is written is not what is read");
    let path = deploy().join(file);
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(path, text).unwrap();
    } else {
        assert_eq!(std::fs::read_to_string(path).unwrap(), text, "run `make chart`");
    }
}

#[tokio::test]
async fn the_base_for_a_whole_cluster_is_what_the_chart_installs() {
    let manifests = rendered(&["crds.enabled=false"]).await;
    assert_current(
        "cluster/operator.yaml",
        "The operator for all namespaces, without its definition.",
        &manifests,
    );
}

#[tokio::test]
async fn the_base_for_one_namespace_is_what_the_chart_installs_there() {
    let own = r#"extraEnv=[{"name":"SPE_WATCH_NAMESPACES","valueFrom":{"fieldRef":{"fieldPath":"metadata.namespace"}}}]"#;
    let mut manifests =
        rendered(&["crds.enabled=false", "rbac.scope=namespaced", "clusterId=yours", own]).await;
    // The namespace is the overlay's decision, and two clusters must not share an id by accident: it has to be given.
    for manifest in manifests.iter_mut().filter(|manifest| manifest["kind"] == "Deployment") {
        let arguments = manifest.pointer_mut("/spec/template/spec/containers/0/args").unwrap();
        arguments.as_array_mut().unwrap().retain(|argument| {
            let argument = argument.as_str().unwrap();
            !argument.starts_with("--watch-namespaces=") && !argument.starts_with("--cluster-id=")
        });
    }
    assert_current(
        "namespaced/operator.yaml",
        "The operator for its own namespace, without its definition. It needs a --cluster-id: see kustomization.yaml.",
        &manifests,
    );
}

#[tokio::test]
async fn the_admission_policy_is_that_of_the_chart() {
    let mut manifests = rendered(&["crds.enabled=false", "admissionPolicy.enabled=true"]).await;
    manifests.retain(|manifest| manifest["kind"].as_str().unwrap().starts_with("ValidatingAdmissionPolicy"));
    assert_eq!(manifests.len(), 2);
    let head = "Lets only the operator set or change a claim and take its finalizer off. Name its service account and your groups.";
    assert_current("admission-policy.yaml", head, &manifests);
}

/// Returns what `kubectl kustomize` renders from a folder.
async fn kustomized(folder: &str) -> Vec<ChartManifest> {
    let programs = testbed::control_plane_binaries().await.unwrap();
    let output =
        Command::new(programs.join("kubectl")).arg("kustomize").arg(deploy().join(folder)).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_saphyr::from_multiple(&String::from_utf8(output.stdout).unwrap()).unwrap()
}

#[tokio::test]
async fn the_bases_are_accepted_by_a_real_api_server() {
    let control_plane = testbed::control_plane().await.unwrap();
    let client = control_plane.client().await.unwrap();
    let params = PatchParams {
        field_validation: Some(ValidationDirective::Strict),
        ..PatchParams::apply("kustomize").force()
    };
    for folder in ["cluster", "namespaced", "examples/one-team"] {
        let manifests = kustomized(folder).await;
        let account = of_kind(&manifests, "ServiceAccount")[0]["metadata"]["namespace"].clone();
        if of_kind(&manifests, "Namespace").is_empty() && account.is_string() {
            // The namespace is the user's own.
            let namespace = serde_json::from_value(json!({"metadata": {"name": account}})).unwrap();
            Api::<Namespace>::all(client.clone()).create(&PostParams::default(), &namespace).await.ok();
        }
        for manifest in &manifests {
            let api = kinds::api_of(&client, manifest, None).await.unwrap();
            let object = manifest["metadata"]["name"].as_str().unwrap();
            let applied = api.patch(object, &params, &Patch::Apply(manifest)).await;
            applied.unwrap_or_else(|error| panic!("{folder}: {}: {error}", name(manifest)));
        }
        for kind in ["RoleBinding", "ClusterRoleBinding"] {
            for binding in of_kind(&manifests, kind) {
                assert_eq!(binding["subjects"][0]["namespace"], account, "{folder}: {}", name(binding));
            }
        }
    }
}

#[tokio::test]
async fn the_example_of_one_team_gives_what_the_base_lacks() {
    let manifests = kustomized("examples/one-team").await;
    assert!(manifests.iter().all(|manifest| !manifest["kind"].as_str().unwrap().starts_with("Cluster")));
    let container = &of_kind(&manifests, "Deployment")[0]["spec"]["template"]["spec"]["containers"][0];
    let arguments = container["args"].as_array().unwrap();
    assert!(arguments.iter().any(|argument| argument.as_str().unwrap().starts_with("--cluster-id=")));
    assert_ne!(container["image"], json!(concat!("localhost/spe-operator:", env!("CARGO_PKG_VERSION"))));
}

/// A prefix and a hash, as overlays and generators add them, on the names that an endpoint refers to.
#[tokio::test]
async fn references_follow_what_kustomize_renames() {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("name-reference");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::copy(deploy().join("kustomize/name-reference.yaml"), folder.join("name-reference.yaml"))
        .unwrap();
    let write = |file: &str, content: &Value| std::fs::write(folder.join(file), content.to_string()).unwrap();
    let endpoint = |name: &str, reference: Value| {
        json!({
            "apiVersion": "atlas.spe-operator.io/v1alpha1", "kind": "ServerlessPrivateEndpoint", "metadata": {"name": name},
            "spec": {"credentialsRef": {"name": "atlas-api"}, "cloudProviderEndpointRef": reference},
        })
    };
    let vpc_endpoint = json!({"apiVersion": "ec2.services.k8s.aws/v1alpha1", "kind": "VPCEndpoint", "metadata": {"name": "vpc"}});
    write("vpc.yaml", &vpc_endpoint);
    let of_vpc = json!({"apiVersion": "ec2.services.k8s.aws/v1alpha1", "kind": "VPCEndpoint", "name": "vpc"});
    write("one.yaml", &endpoint("one", of_vpc));
    let of_map = json!({"apiVersion": "v1", "kind": "ConfigMap", "name": "ids", "key": "id"});
    write("other.yaml", &endpoint("other", of_map.clone()));
    let dedicated = |kind: &str, spec: Value| {
        let api_version = "atlas.spe-operator.io/v1alpha1";
        json!({"apiVersion": api_version, "kind": kind, "metadata": {"name": "orders"}, "spec": spec})
    };
    let credentials = json!({"name": "atlas-api"});
    write("service.yaml", &dedicated("PrivateEndpointService", json!({ "credentialsRef": credentials })));
    let spec =
        json!({"serviceRef": {"name": "orders"}, "credentialsRef": credentials, "aws": {"ref": of_map}});
    write("endpoint.yaml", &dedicated("PrivateEndpoint", spec));
    let mut overlay = json!({
        "namePrefix": "prod-",
        "resources": ["vpc.yaml", "one.yaml", "other.yaml", "service.yaml", "endpoint.yaml"],
        "secretGenerator": [{"name": "atlas-api", "literals": ["publicApiKey=a", "privateApiKey=b"]}],
        "configMapGenerator": [{"name": "ids", "literals": ["id=vpce-1"]}],
        "configurations": ["name-reference.yaml"],
    });
    write("kustomization.yaml", &overlay);
    let names = async || {
        let manifests = kustomized(folder.to_str().unwrap()).await;
        let named = |kind: &str| of_kind(&manifests, kind)[0]["metadata"]["name"].clone();
        let endpoints = of_kind(&manifests, "ServerlessPrivateEndpoint");
        let service = of_kind(&manifests, "PrivateEndpointService")[0];
        let endpoint = of_kind(&manifests, "PrivateEndpoint")[0];
        let referred = |object: &Value, path: &str| object["spec"].pointer(path).unwrap()["name"].clone();
        let referred = [
            referred(endpoints[0], "/credentialsRef"),
            referred(endpoints[0], "/cloudProviderEndpointRef"),
            referred(endpoints[1], "/cloudProviderEndpointRef"),
            referred(service, "/credentialsRef"),
            referred(endpoint, "/credentialsRef"),
            referred(endpoint, "/aws/ref"),
            referred(endpoint, "/serviceRef"),
        ];
        let (secret, map) = (named("Secret"), named("ConfigMap"));
        let service = named("PrivateEndpointService");
        ([secret.clone(), named("VPCEndpoint"), map.clone(), secret.clone(), secret, map, service], referred)
    };
    let (renamed, referred) = names().await;
    assert_eq!(renamed, referred);
    assert!(renamed[0].as_str().unwrap().starts_with("prod-atlas-api-"), "{renamed:?}");
    // Kustomize knows nothing of this by itself.
    overlay["configurations"] = json!([]);
    write("kustomization.yaml", &overlay);
    let (renamed, referred) = names().await;
    assert!(renamed.iter().zip(&referred).all(|(renamed, referred)| renamed != referred), "{referred:?}");
}

/// The documents of an example.
fn example(file: &str) -> Vec<Value> {
    serde_saphyr::from_multiple(&std::fs::read_to_string(deploy().join(file)).unwrap()).unwrap()
}

#[tokio::test]
async fn the_values_of_the_gitops_examples_are_values_of_the_chart() {
    let application = &example("argocd/operator.yaml")[0];
    let flux = example("flux/operator.yaml");
    let release = of_kind(&flux, "HelmRelease")[0];
    for values in [&application["spec"]["source"]["helm"]["valuesObject"], &release["spec"]["values"]] {
        assert!(values.is_object(), "the example has no values");
        try_render_with(NAMESPACE, values).await.unwrap_or_else(|error| panic!("{values}: {error}"));
    }
    let nonsense = json!({"replicas": 2});
    assert!(try_render_with(NAMESPACE, &nonsense).await.is_err());
}

/// Older versions of Argo CD read it from the object alone.
#[test]
fn each_object_asks_argo_cd_to_confirm_its_deletion() {
    let annotation = "argocd.argoproj.io/sync-options: Delete=confirm,Prune=confirm\n";
    for page in
        [include_str!("../../docs/tasks/argo-cd.md"), include_str!("../../docs/tasks/serverless/argo-cd.md")]
    {
        let objects = page.matches("\napiVersion: atlas.spe-operator.io/v1alpha1\n").count();
        assert_eq!((objects, page.matches(annotation).count()), (2, 2));
    }
    let header = std::fs::read_to_string(deploy().join("argocd/endpoints.yaml")).unwrap();
    assert!(header.contains(annotation), "the header does not name it");
    for application in ["argocd/endpoints.yaml", "argocd/operator.yaml"].map(example).iter().flatten() {
        let options = application["spec"]["syncPolicy"]["syncOptions"].to_string();
        assert!(!options.contains("confirm"), "{options}: not in the Application");
    }
}

#[test]
fn the_catalogue_of_the_chart_shows_the_crds_and_the_samples() {
    let chart = include_str!("../../charts/spe-operator/Chart.yaml");
    let chart: Value = serde_saphyr::from_str(chart).unwrap();
    let listed = |key: &str| -> Vec<Value> {
        serde_saphyr::from_str(chart["annotations"][key].as_str().unwrap()).unwrap()
    };
    let all = listed("artifacthub.io/crds");
    assert_eq!(all.len(), definitions().len());
    for (shown, definition) in all.iter().zip(definitions()) {
        let definition = serde_json::to_value(definition).unwrap();
        assert_eq!(shown["name"], definition["metadata"]["name"]);
        assert_eq!(shown["kind"], definition["spec"]["names"]["kind"]);
        assert_eq!(shown["version"], definition["spec"]["versions"][0]["name"]);
    }
    let examples = listed("artifacthub.io/crdsExamples");
    assert!(!examples.is_empty());
    for shown in examples {
        let file = match shown["kind"].as_str().unwrap() {
            "PrivateEndpointService" => "private-endpoint-service",
            "PrivateEndpoint" => "private-endpoint",
            _ => shown["metadata"]["name"].as_str().unwrap(),
        };
        let file = format!("samples/{file}.yaml");
        assert_eq!(vec![shown], example(&file), "{file}");
    }
}

#[test]
fn the_patch_of_argocd_cm_holds_the_scripts_beside_it() {
    let script = |path: &str| std::fs::read_to_string(deploy().join("argocd").join(path)).unwrap();
    let config: Value = serde_saphyr::from_str(&script("argocd-cm.yaml")).unwrap();
    let data = config["data"].as_object().unwrap();
    assert_eq!(data.len(), 2 * definitions().len());
    for definition in definitions() {
        let kind = format!("atlas.spe-operator.io_{}", definition.spec.names.kind);
        let health = &data[&format!("resource.customizations.health.{kind}")];
        assert_eq!(health.as_str().unwrap().trim(), script("health.lua").trim());
        let actions = data[&format!("resource.customizations.actions.{kind}")].as_str().unwrap();
        let actions: Value = serde_saphyr::from_str(actions).unwrap();
        assert_eq!(actions["discovery.lua"].as_str().unwrap().trim(), script("actions/discovery.lua").trim());
        let actions = actions["definitions"].as_array().unwrap();
        assert_eq!(actions.len(), 3);
        for action in actions {
            let file = format!("actions/{}.lua", action["name"].as_str().unwrap());
            assert_eq!(action["action.lua"].as_str().unwrap().trim(), script(&file).trim(), "{file}");
        }
    }
}
