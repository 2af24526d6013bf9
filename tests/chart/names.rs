//! Names and labels in every object of the chart: for any release, namespace and values, they are text, unambiguous,
//! and belong to one release.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::helm::{ChartManifest, name, of_kind, render, set, template, try_render};

/// Every object that the chart can render.
const ALL: [&str; 9] = [
    "serviceMonitor.enabled=true",
    "prometheusRule.enabled=true",
    "grafanaDashboard.enabled=true",
    "networkPolicy.enabled=true",
    "podDisruptionBudget.enabled=true",
    "admissionPolicy.enabled=true",
    "atlas.caBundle.configMap=ca",
    "defaultCredentials.existingSecret=key",
    "defaultCredentials.allowedNamespaces=[\"t1\"]",
];

const NAMESPACED: [&str; 3] = ["rbac.scope=namespaced", "clusterId=c", "watchNamespaces=[\"t1\"]"];

/// Every value that labels or annotates objects.
const LABELS: [&str; 5] =
    ["commonLabels", "podLabels", "serviceAccount.labels", "serviceMonitor.labels", "prometheusRule.labels"];
const ANNOTATIONS: [&str; 7] = [
    "commonAnnotations",
    "podAnnotations",
    "deploymentAnnotations",
    "service.annotations",
    "serviceAccount.annotations",
    "crds.annotations",
    "grafanaDashboard.annotations",
];

#[tokio::test]
async fn two_releases_of_one_name_share_nothing_but_the_definitions() {
    for scope in [&[][..], &NAMESPACED] {
        let values = [&ALL[..], scope, &["leaderElection.namespace=ops"]].concat();
        let [one, other] = ["a", "b"].map(async |namespace| render(namespace, &values).await);
        let names =
            |manifests: Vec<ChartManifest>| -> BTreeSet<String> { manifests.iter().map(name).collect() };
        let (one, other) = (names(one.await), names(other.await));
        let shared: Vec<&String> = one.intersection(&other).collect();
        let is_definition = |name: &&String| name.starts_with("CustomResourceDefinition ");
        assert_eq!(
            (shared.len(), shared.iter().filter(|name| is_definition(name)).count()),
            (3, 3),
            "{shared:?}"
        );
    }
    // Nor does one stand by for the other.
    let lease = async |namespace: &str| {
        let rendered = render(namespace, &["leaderElection.namespace=ops"]).await;
        let roles = of_kind(&rendered, "Role");
        roles[0]["rules"][1]["resourceNames"].clone()
    };
    assert_ne!(lease("a").await, lease("b").await);
}

/// Flux and kustomize reject duplicate keys in a mapping; the reader of these tests does too.
#[tokio::test]
async fn a_label_that_is_given_twice_is_one_label() {
    assert!(serde_saphyr::from_str::<Value>("a: 1\na: 2\n").is_err());
    let keys = [
        "team",
        "app.kubernetes.io/version",
        "app.kubernetes.io/managed-by",
        "helm.sh/chart",
        "grafana_dashboard",
        "rbac.authorization.k8s.io/aggregate-to-view",
        "helm.sh/hook-delete-policy",
        "helm.sh/resource-policy",
    ];
    let mut values: Vec<String> = ALL.map(str::to_owned).into();
    for path in LABELS.iter().chain(&ANNOTATIONS) {
        let (mut own, value) = (json!({}), path.replace('.', "-"));
        for key in keys {
            own[key] = json!(value);
        }
        values.push(format!("{path}={own}"));
    }
    let values: Vec<&str> = values.iter().map(String::as_str).collect();
    let rendered = render("atlas", &values).await;
    let metadata = |kind: &str| &of_kind(&rendered, kind)[0]["metadata"];
    let pod = &of_kind(&rendered, "Deployment")[0]["spec"]["template"]["metadata"];
    // The nearest wins, and the common one over the chart's own.
    for (labels, expected) in [
        (&pod["labels"], "podLabels"),
        (&metadata("ServiceMonitor")["labels"], "serviceMonitor-labels"),
        (&metadata("PrometheusRule")["labels"], "prometheusRule-labels"),
        (&metadata("ServiceAccount")["labels"], "serviceAccount-labels"),
        (&metadata("Service")["labels"], "commonLabels"),
        (&metadata("Service")["annotations"], "service-annotations"),
        (&metadata("Deployment")["annotations"], "deploymentAnnotations"),
        (&pod["annotations"], "podAnnotations"),
        (&metadata("NetworkPolicy")["annotations"], "commonAnnotations"),
    ] {
        assert_eq!((&labels["team"], &labels["helm.sh/chart"]), (&json!(expected), &json!(expected)));
    }
    // What an object needs to do its work is its own.
    assert_eq!(metadata("ConfigMap")["labels"]["grafana_dashboard"], "1");
    assert_eq!(metadata("CustomResourceDefinition")["annotations"]["helm.sh/resource-policy"], "keep");
    assert_eq!(
        metadata("Pod")["annotations"]["helm.sh/hook-delete-policy"],
        "before-hook-creation,hook-succeeded"
    );
    let aggregated = |role: &&ChartManifest| {
        role["metadata"]["labels"]["rbac.authorization.k8s.io/aggregate-to-view"] == "true"
    };
    assert_eq!(of_kind(&rendered, "ClusterRole").into_iter().filter(aggregated).count(), 1);
}

/// The Deployment would be rejected, since its pods would not be its own.
#[tokio::test]
async fn the_labels_that_select_pods_cannot_be_set() {
    for path in LABELS {
        for key in ["name", "instance"] {
            let value = format!("{path}.app\\.kubernetes\\.io/{key}=x");
            let refusal = try_render("atlas", &[&value]).await.expect_err(&value);
            assert!(
                refusal.contains(&format!("{path} cannot set app.kubernetes.io/{key}")),
                "{value}: {refusal}"
            );
        }
    }
}

/// The kind of each leaf, by its path.
fn kinds(at: &str, value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                kinds(&format!("{at}/{index}"), item, found);
            }
        }
        Value::Object(entries) => {
            for (key, value) in entries {
                kinds(&format!("{at}/{key}"), value, found);
            }
        }
        leaf => {
            let kind = ["text", "no text"][usize::from(!leaf.is_string())];
            found.insert(format!("{at} is {kind}"));
        }
    }
}

#[tokio::test]
async fn names_that_look_like_numbers_stay_text() {
    let named = [
        "nameOverride",
        "watchSelector",
        "clusterId",
        "image.tag",
        "imagePullSecrets[0].name",
        "commonLabels.a",
        "commonAnnotations.a",
        "podLabels.b",
        "podAnnotations.b",
        "serviceAccount.name",
        "leaderElection.name",
        "leaderElection.namespace",
        "watchNamespaces[0]",
        "defaultCredentials.existingSecret",
        "defaultCredentials.allowedNamespaces[0]",
        "atlas.caBundle.configMap",
        "atlas.caBundle.key",
        "atlas.proxy.existingSecret",
        "atlas.proxy.key",
        "serviceMonitor.labels.a",
        "prometheusRule.labels.a",
        "grafanaDashboard.sidecarLabelValue",
        "admissionPolicy.exemptGroups[0]",
        "priorityClassName",
        "runtimeClassName",
        "schedulerName",
    ];
    let shapes = async |name: &str, scope: &[&str]| {
        let mut values: Vec<String> = ALL[..6].iter().map(|value| (*value).to_owned()).collect();
        values.extend(scope.iter().map(|value| (*value).to_owned()));
        // A name that must begin with a letter.
        let of = |path: &str| {
            if path == "nameOverride" && name.starts_with(|c: char| c.is_numeric()) { "on" } else { name }
                .to_owned()
        };
        values.extend(named.iter().filter(|path| path.ends_with(']')).map(|path| format!("{path}={name}")));
        let strings: Vec<String> = named
            .iter()
            .filter(|path| !path.ends_with(']'))
            .map(|path| format!("{path}={}", of(path)))
            .collect();
        let mut arguments: Vec<&str> = Vec::new();
        for value in &values {
            arguments.extend([if value.contains('[') { "--set-string" } else { "--set" }, value]);
        }
        for value in &strings {
            arguments.extend(["--set-string", value]);
        }
        let rendered =
            template(name, name, &arguments).await.unwrap_or_else(|error| panic!("{name}: {error}"));
        let mut found = BTreeSet::new();
        for manifest in &rendered {
            kinds(manifest["kind"].as_str().unwrap(), manifest, &mut found);
        }
        found
    };
    for scope in [&[][..], &["rbac.scope=namespaced"]] {
        let expected = shapes("plain", scope).await;
        for name in ["2024", "7e3", "1e5", "0123", "true", "on", "null"] {
            let found = shapes(name, scope).await;
            let differ: Vec<_> = found.symmetric_difference(&expected).collect();
            assert!(differ.is_empty(), "{name}: {differ:?}");
        }
    }
}

/// The name of a Service may not contain dots, nor begin with a digit before Kubernetes 1.34.
#[tokio::test]
async fn every_name_of_a_release_makes_a_name_for_a_service() {
    for (release, expected) in [
        ("spe-operator", "spe-operator"),
        ("rel", "rel-spe-operator"),
        ("a.b", "a-b-spe-operator"),
        ("7rel", "spe-operator-7rel"),
        ("7.spe-operator", "spe-operator-7-spe-operator"),
    ] {
        let rendered = template(release, "atlas", &[]).await.unwrap();
        assert_eq!(of_kind(&rendered, "Service")[0]["metadata"]["name"], expected, "{release}");
        let test = of_kind(&rendered, "Pod")[0]["spec"]["containers"][0]["args"][1].as_str().unwrap();
        assert_eq!(test, format!("$({}_SERVICE_HOST)", expected.to_uppercase().replace('-', "_")));
    }
    let long = "a".repeat(53);
    assert_eq!(of_kind(&template(&long, "atlas", &set(&[])).await.unwrap(), "Service").len(), 1);
}

/// The built-in role `edit` is that of an application team.
#[tokio::test]
async fn an_application_team_may_write_endpoints_and_a_platform_team_services_too() {
    let rendered = render("atlas", &[]).await;
    for (built_in, verb, resources) in [
        ("view", "watch", &["serverlessprivateendpoints", "privateendpointservices", "privateendpoints"][..]),
        ("edit", "patch", &["serverlessprivateendpoints", "privateendpoints"]),
        ("admin", "patch", &["serverlessprivateendpoints", "privateendpoints", "privateendpointservices"]),
    ] {
        let label = format!("rbac.authorization.k8s.io/aggregate-to-{built_in}");
        let roles = of_kind(&rendered, "ClusterRole")
            .into_iter()
            .filter(|role| role["metadata"]["labels"][&label] == "true");
        let granting: Vec<_> =
            roles.flat_map(|role| role["rules"].as_array().cloned().unwrap_or_default()).collect();
        let granted: Vec<&str> = granting
            .iter()
            .filter(|rule| rule["verbs"].as_array().unwrap().iter().any(|granted| granted == verb))
            .flat_map(|rule| rule["resources"].as_array().unwrap())
            .filter_map(Value::as_str)
            .collect();
        assert_eq!(granted, resources, "{built_in}");
    }
}
