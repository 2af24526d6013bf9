//! A real API server accepts everything that the chart renders, field by field, and a namespace that enforces the
//! `restricted` pod security standard accepts its pods.

use k8s_openapi::api::core::v1::{Namespace, Pod};
use kube::api::{Api, DynamicObject, ObjectMeta, Patch, PatchParams, PostParams, ValidationDirective};
use kube::{Client, ResourceExt};
use serde_json::{Value, json};
use testbed::{ControlPlane, kinds};
use tokio::sync::OnceCell;

use crate::helm::{ChartManifest, name, of_kind, render};

/// The modes that render different objects. The test fills in the names of namespaces.
const MODES: [&[&str]; 4] = [
    &[],
    &["rbac.scope=namespaced", "clusterId=prod-1"],
    &[
        "replicaCount=2",
        "strategy.type=Recreate",
        "serviceMonitor.enabled=true",
        "serviceMonitor.labels.release=prometheus",
        "serviceMonitor.interval=30s",
        "serviceMonitor.scrapeTimeout=10s",
        "serviceMonitor.metricRelabelings=[{\"action\":\"labeldrop\",\"regex\":\"pod\"}]",
        "serviceMonitor.relabelings=[{\"action\":\"labeldrop\",\"regex\":\"pod\"}]",
        "prometheusRule.enabled=true",
        "prometheusRule.labels.release=prometheus",
        "docsBaseUrl=https://git.example/spe-operator/",
        "metrics.perObject=true",
        "grafanaDashboard.enabled=true",
        "grafanaDashboard.annotations.folder=Atlas",
        "networkPolicy.enabled=true",
        "networkPolicy.from=[{\"namespaceSelector\":{}}]",
        "networkPolicy.extraEgress=[{\"ports\":[{\"port\":3128}]}]",
        "podDisruptionBudget.enabled=true",
        "podDisruptionBudget.minAvailable=50%",
        "admissionPolicy.enabled=true",
        "integrations.ack.enabled=true",
        "integrations.azureServiceOperator.enabled=true",
        "integrations.configConnector.enabled=true",
        "integrations.crossplane.enabled=true",
        "integrations.outputConfigMap.enabled=true",
    ],
    &[
        "imagePullSecrets=[{\"name\":\"pull\"}]",
        "commonLabels.team=a",
        "serviceAccount.annotations.note=a",
        "podAnnotations.note=a",
        "podLabels.note=a",
        "atlas.caBundle.configMap=private-ca",
        "atlas.proxy.existingSecret=proxy",
        "defaultCredentials.existingSecret=shared",
        "defaultCredentials.allowedNamespaces=[\"default\"]",
        "leaderElection.enabled=false",
        "podDisruptionBudget.enabled=true",
        "tolerations=[{\"operator\":\"Exists\"}]",
        "affinity={\"nodeAffinity\":{}}",
        "topologySpreadConstraints=[{\"maxSkew\":1,\"topologyKey\":\"zone\",\"whenUnsatisfiable\":\"DoNotSchedule\",\"labelSelector\":{}}]",
        "priorityClassName=system-cluster-critical",
        "extraEnv=[{\"name\":\"RUST_BACKTRACE\",\"value\":\"1\"}]",
        "extraArgs=[\"--log-level=debug\"]",
        "extraVolumes=[{\"name\":\"extra\",\"emptyDir\":{}}]",
        "extraVolumeMounts=[{\"name\":\"extra\",\"mountPath\":\"/extra\"}]",
        "extraObjects=[{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{\"name\":\"extra\"}}]",
    ],
];

/// One of the Prometheus operator's kinds, with the fields that the chart may use and no others.
fn monitoring(kind: &str, plural: &str, spec: &Value) -> Value {
    let schema = json!({"type": "object", "required": ["spec"], "properties": {"spec": spec}});
    kinds::definition(&kinds::kind("monitoring.coreos.com/v1", kind, plural), &schema)
}

fn object(required: &[&str], properties: &Value) -> Value {
    json!({"type": "object", "required": required, "properties": properties})
}

fn list(items: &Value) -> Value {
    json!({"type": "array", "items": items})
}

async fn control_plane() -> &'static ControlPlane {
    static READY: OnceCell<()> = OnceCell::const_new();
    let control_plane = testbed::control_plane().await.unwrap();
    let install = || async {
        let (text, texts) = (
            json!({"type": "string"}),
            json!({"type": "object", "additionalProperties": {"type": "string"}}),
        );
        let relabeling = list(&object(&[], &json!({"action": text, "regex": text})));
        let endpoint = object(
            &["port"],
            &json!({
                "port": text, "path": text, "honorLabels": json!({"type": "boolean"}), "interval": text, "scrapeTimeout": text,
                "relabelings": relabeling, "metricRelabelings": relabeling,
            }),
        );
        let selector = object(&["matchLabels"], &json!({"matchLabels": texts}));
        let monitor =
            object(&["endpoints", "selector"], &json!({"endpoints": list(&endpoint), "selector": selector}));
        let rule = object(
            &["expr"],
            &json!({
                "alert": text, "record": text, "expr": text, "for": text, "keep_firing_for": text,
                "labels": texts, "annotations": texts,
            }),
        );
        let group =
            object(&["name", "rules"], &json!({"name": text, "interval": text, "rules": list(&rule)}));
        let rules = object(&["groups"], &json!({"groups": list(&group)}));
        let crds = [
            monitoring("ServiceMonitor", "servicemonitors", &monitor),
            monitoring("PrometheusRule", "prometheusrules", &rules),
        ];
        for crd in crds {
            control_plane.install_crd(&crd).await.unwrap();
        }
    };
    READY.get_or_init(install).await;
    control_plane
}

/// Applies the manifest as `kubectl apply --server-side --validate=strict` does.
async fn apply(client: &Client, manifest: &ChartManifest) -> kube::Result<DynamicObject> {
    // A user's own object is created in the release's namespace, as helm does it.
    let api = kinds::api_of(client, manifest, Some("default")).await.unwrap();
    let params = PatchParams {
        // In force, it would keep the operators of the other tests from their work.
        dry_run: manifest["kind"] == "ValidatingAdmissionPolicyBinding",
        field_validation: Some(ValidationDirective::Strict),
        ..PatchParams::apply("helm").force()
    };
    api.patch(manifest["metadata"]["name"].as_str().unwrap(), &params, &Patch::Apply(manifest)).await
}

#[tokio::test]
async fn every_object_of_every_mode_is_accepted() {
    let control_plane = control_plane().await;
    let client = control_plane.client().await.unwrap();
    for mode in MODES {
        let namespace = control_plane.create_namespace("chart").await.unwrap();
        for manifest in render(&namespace, mode).await {
            let applied = apply(&client, &manifest).await;
            let applied = applied.unwrap_or_else(|error| panic!("{mode:?}: {}: {error}", name(&manifest)));
            assert_eq!(applied.name_any(), manifest["metadata"]["name"].as_str().unwrap());
        }
    }
}

#[tokio::test]
async fn an_unknown_field_would_be_noticed() {
    let control_plane = control_plane().await;
    let client = control_plane.client().await.unwrap();
    let namespace = control_plane.create_namespace("chart").await.unwrap();
    let rendered = render(&namespace, MODES[2]).await;
    for (kind, path) in [
        ("Deployment", "/spec/template/spec/containers/0"),
        ("ServiceMonitor", "/spec/endpoints/0"),
        ("PrometheusRule", "/spec/groups/0/rules/0"),
    ] {
        let mut manifest = of_kind(&rendered, kind)[0].clone();
        manifest.pointer_mut(path).unwrap()["misspelled"] = json!("a");
        let refusal = apply(&client, &manifest).await.unwrap_err().to_string();
        assert!(refusal.contains("misspelled"), "{kind}: {refusal}");
    }
}

/// A namespace that enforces the standard.
async fn restricted(client: &Client) -> Api<Pod> {
    let labels = [("pod-security.kubernetes.io/enforce".to_owned(), "restricted".to_owned())];
    let metadata = ObjectMeta {
        generate_name: Some("restricted-".to_owned()),
        labels: Some(labels.into()),
        ..ObjectMeta::default()
    };
    let namespace = Namespace { metadata, ..Namespace::default() };
    let namespaces: Api<Namespace> = Api::all(client.clone());
    let made = namespaces.create(&PostParams::default(), &namespace).await.unwrap();
    Api::namespaced(client.clone(), &made.name_any())
}

#[tokio::test]
async fn the_pods_are_accepted_where_the_restricted_standard_is_enforced() {
    let client = control_plane().await.client().await.unwrap();
    let pods = restricted(&client).await;
    for mode in MODES {
        let rendered = render("default", mode).await;
        let mut deployed = of_kind(&rendered, "Deployment")[0]["spec"]["template"].clone();
        deployed["metadata"]["name"] = json!("operator");
        let mut test = of_kind(&rendered, "Pod")[0].clone();
        test["metadata"]["namespace"] = Value::Null;
        for pod in [deployed, test] {
            let pod: Pod = serde_json::from_value(pod).unwrap();
            let dry = PostParams { dry_run: true, ..PostParams::default() };
            pods.create(&dry, &pod).await.unwrap_or_else(|error| panic!("{mode:?}: {error}"));
            // Each field that the standard requires is there for a reason.
            let mut lax = pod.clone();
            lax.spec.as_mut().unwrap().containers[0].security_context = None;
            let refusal = pods.create(&dry, &lax).await.unwrap_err().to_string();
            assert!(refusal.contains("restricted"), "{refusal}");
            let mut root = pod;
            root.spec.as_mut().unwrap().security_context = None;
            assert!(pods.create(&dry, &root).await.is_err());
        }
    }
}
