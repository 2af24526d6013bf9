//! Values: each flag of the program has one, the schema contains all of them, and an invalid one is rejected by name.

use std::collections::BTreeSet;
use std::process::Command;

use serde_json::Value;

use crate::helm::{KUBERNETES, chart, helm, operator_arguments, render, try_render};

/// One value for each flag.
const EVERYTHING: [&str; 32] = [
    "atlas.baseUrl=https://atlas.example",
    "atlas.api=v2",
    "atlas.timeout=10s",
    "atlas.allowHttp=true",
    "atlas.caBundle.configMap=private-ca",
    "atlas.proxy.url=http://proxy.example:3128",
    "clusterId=prod-1",
    "kinds.serverlessPrivateEndpoint.enabled=false",
    "docsBaseUrl=https://git.example/spe-operator/blob/v1/",
    "watchNamespaces=[\"team-a\",\"team-b\"]",
    "watchSelector=tier=prod",
    "concurrency=8",
    "polling.min=1s",
    "polling.max=2m",
    "creation.deadline=5s",
    "creation.travelAllowance=20s",
    "creation.uncertainty=90s",
    "creation.confirmGap=5s",
    "creation.visibilityWindow=1m",
    "defaultCredentials.existingSecret=atlas-api",
    "defaultCredentials.allowedNamespaces=[\"team-a\"]",
    "leaderElection.enabled=true",
    "leaderElection.name=lead",
    "leaderElection.namespace=ops",
    "leaderElection.leaseDuration=60s",
    "leaderElection.renewDeadline=40s",
    "leaderElection.retryPeriod=5s",
    "metrics.port=9000",
    "metrics.perObject=true",
    "logging.format=text",
    "logging.level=debug",
    "extraArgs=[]",
];

fn program(arguments: &[&str]) -> std::process::Output {
    Command::new(env!("CARGO_BIN_EXE_spe-operator")).args(arguments).output().unwrap()
}

#[tokio::test]
async fn every_flag_of_the_program_is_set_by_a_value() {
    let help = String::from_utf8(program(&["run", "--help"]).stdout).unwrap();
    let known: BTreeSet<String> = help
        .split_whitespace()
        .filter(|word| word.starts_with("--") && *word != "--help")
        .map(|word| word.split(['=', '[', ',', ';', ')']).next().unwrap().to_owned())
        .collect();
    let rendered = operator_arguments(&render("atlas", &EVERYTHING).await);
    assert_eq!(rendered[0], "run");
    let set: BTreeSet<String> =
        rendered[1..].iter().map(|argument| argument.split('=').next().unwrap().to_owned()).collect();
    assert_eq!(set, known);
}

#[tokio::test]
async fn the_program_accepts_the_arguments_of_the_chart() {
    for values in [&EVERYTHING[..], &[]] {
        let rendered = operator_arguments(&render("atlas", values).await);
        // Left out is what is the pod's own: a mounted file, a fixed port. What ends it then is that there is no cluster.
        let of_the_pod = ["--atlas-ca-file", "--admin-address"];
        let arguments = rendered.iter().filter(|flag| !of_the_pod.iter().any(|own| flag.starts_with(own)));
        let mut command = Command::new(env!("CARGO_BIN_EXE_spe-operator"));
        command.args(arguments).args(["--admin-address", "127.0.0.1:0"]);
        command.env_remove("KUBECONFIG").env("HOME", "/nonexistent");
        let output = command.output().unwrap();
        let text = String::from_utf8(output.stderr).unwrap();
        assert!(text.contains("found no cluster"), "{text}");
    }
}

#[tokio::test]
async fn every_value_is_in_the_schema_and_every_object_is_closed() {
    let read = |file: &str| std::fs::read_to_string(chart().join(file)).unwrap();
    let values: Value = serde_saphyr::from_str(&read("values.yaml")).unwrap();
    let schema: Value = serde_json::from_str(&read("values.schema.json")).unwrap();
    compare("", &values, &schema);
    assert_eq!(schema["additionalProperties"], false);
}

fn compare(path: &str, values: &Value, schema: &Value) {
    let Some(properties) = schema["properties"].as_object() else { return };
    assert_eq!(schema["additionalProperties"], false, "{path} is open");
    let values = values.as_object().unwrap();
    for (key, value) in values {
        let property = properties.get(key).unwrap_or_else(|| panic!("{path}.{key} is not in the schema"));
        compare(&format!("{path}.{key}"), value, property);
    }
    for key in
        properties.keys().filter(|key| !["global", "enabled"].contains(&key.as_str()) || !path.is_empty())
    {
        assert!(values.contains_key(key), "{path}.{key} is not in values.yaml");
    }
}

#[tokio::test]
async fn a_wrong_value_is_refused_by_name() {
    for (value, words) in [
        ("replicas=2", &["replicas"][..]),
        ("image.pullpolicy=Always", &["image", "pullpolicy"]),
        ("image.digest=latest", &["image/digest", "sha256"]),
        ("kinds.privateEndpoints.enabled=false", &["kinds", "privateEndpoints"]),
        ("kinds.privateEndpoint.enabled=no", &["kinds/privateEndpoint/enabled"]),
        ("rbac.scope=global", &["rbac/scope", "namespaced"]),
        ("image.repository=x/y:1.2", &["image/repository"]),
        ("image.repository=https://x/y", &["image/repository"]),
        ("image.repository=x/y@sha256:1", &["image/repository"]),
        ("image.tag=a/b", &["image/tag"]),
        ("dnsPolicy=default", &["dnsPolicy", "Default"]),
        ("clusterId=a/b", &["clusterId"]),
        ("atlas.api=v3", &["atlas/api", "v2"]),
        ("atlas.timeout=soon", &["atlas/timeout"]),
        ("atlas.baseUrl=cloud.mongodb.com", &["atlas/baseUrl"]),
        ("watchNamespaces=[\"Team_A\"]", &["watchNamespaces/0"]),
        ("concurrency=0", &["concurrency"]),
        ("metrics.port=70000", &["metrics/port"]),
        ("integrations.outputConfigMap.enabled=yes", &["integrations/outputConfigMap/enabled"]),
        ("leaderElection.leaseDuration=60", &["leaderElection/leaseDuration"]),
        ("logging.format=xml", &["logging/format"]),
        ("serviceAccount.create=maybe", &["serviceAccount/create"]),
        ("resources=much", &["resources"]),
    ] {
        let refusal = try_render("atlas", &[value]).await.expect_err(value);
        for word in words {
            assert!(refusal.contains(word), "{value}: {word:?} is not in {refusal}");
        }
    }
    for repository in
        ["localhost/spe-operator", "spe", "registry.example:5000/a/b__c-d.e/f", "\"[2001:db8::1]:5000/a\""]
    {
        render("atlas", &[&format!("image.repository={repository}")]).await;
    }
}

#[tokio::test]
async fn conflicting_values_are_rejected_with_a_message() {
    let boundless = "podDisruptionBudget.maxUnavailable=";
    for (values, words) in [
        (
            &["rbac.scope=namespaced"][..],
            "rbac.scope=namespaced needs clusterId: a name no other live cluster uses",
        ),
        (
            &["replicaCount=2", "leaderElection.enabled=false"],
            "replicaCount above 1 needs leaderElection.enabled=true",
        ),
        (&["atlas.proxy.url=http://proxy:1", "atlas.proxy.existingSecret=proxy"], "exclude each other"),
        (&["defaultCredentials.existingSecret=a"], "needs defaultCredentials.allowedNamespaces"),
        (&["defaultCredentials.allowedNamespaces=[\"a\"]"], "needs defaultCredentials.existingSecret"),
        (&["serviceMonitor.enabled=true", "metrics.enabled=false"], "needs metrics.enabled=true"),
        (&["podDisruptionBudget.enabled=true", boundless], "needs podDisruptionBudget.minAvailable or"),
        (
            &[
                "atlas.proxy.existingSecret=proxy",
                "extraEnv=[{\"name\":\"SPE_ATLAS_PROXY\",\"value\":\"x\"}]",
            ],
            "extraEnv cannot set SPE_ATLAS_PROXY, which atlas.proxy.existingSecret sets",
        ),
        (
            &["atlas.caBundle.configMap=private-ca", "extraVolumes=[{\"name\":\"ca\",\"emptyDir\":{}}]"],
            "extraVolumes cannot set ca, which atlas.caBundle.configMap sets",
        ),
        (
            &[
                "atlas.caBundle.configMap=private-ca",
                "extraVolumeMounts=[{\"name\":\"own\",\"mountPath\":\"/etc/spe-operator/ca/\"}]",
            ],
            "extraVolumeMounts cannot mount /etc/spe-operator/ca",
        ),
        (
            &["kinds.serverlessPrivateEndpoint.enabled=false", "kinds.privateEndpoint.enabled=false"],
            "kinds needs serverlessPrivateEndpoint.enabled=true or privateEndpoint.enabled=true",
        ),
        (
            &["kinds.privateEndpoint.enabled=false"],
            "kinds.privateEndpointService needs kinds.privateEndpoint.enabled=true",
        ),
        (&["extraArgs=[\"--log-format=text\"]"], "extraArgs cannot set --log-format"),
    ] {
        let refusal = try_render("atlas", values).await.expect_err(words);
        assert!(refusal.contains(words), "{values:?}: {refusal}");
    }
    // Without the chart's own, these names are free.
    let own_proxy = "extraEnv=[{\"name\":\"SPE_ATLAS_PROXY\",\"value\":\"http://proxy:1\"}]";
    let own_volume = "extraVolumes=[{\"name\":\"ca\",\"emptyDir\":{}}]";
    let own_mount = "extraVolumeMounts=[{\"name\":\"ca\",\"mountPath\":\"/etc/spe-operator/ca\"}]";
    render("atlas", &[own_proxy, own_volume, own_mount]).await;
    for bound in ["podDisruptionBudget.minAvailable=0", "podDisruptionBudget.maxUnavailable=0"] {
        render("atlas", &["podDisruptionBudget.enabled=true", boundless, bound]).await;
    }
}

#[tokio::test]
async fn the_chart_can_be_part_of_another() {
    render("atlas", &["enabled=true", "global.imageRegistry=registry.example"]).await;
}

/// Sorts the values into those that may be null, which is as good as empty, and those that may not.
fn nullable(path: &str, value: &Value, found: &mut Vec<String>, needed: &mut Vec<String>) {
    let free = [
        "resources",
        "nodeSelector",
        "podSecurityContext",
        "securityContext",
        "podDisruptionBudget.maxUnavailable",
    ];
    let entries = value.as_object().filter(|entries| !entries.is_empty() && !free.contains(&path));
    let Some(entries) = entries else {
        let empty = value == "" || *value == serde_json::json!([]) || *value == serde_json::json!({});
        (if empty || free.contains(&path) { found } else { needed }).push(path.to_owned());
        return;
    };
    for (key, value) in entries {
        let inner = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
        nullable(&inner, value, found, needed);
    }
    if !path.is_empty() {
        needed.push(path.to_owned());
    }
}

#[tokio::test]
async fn null_empties_a_value_or_is_refused_by_name() {
    let text = std::fs::read_to_string(chart().join("values.yaml")).unwrap();
    let values: Value = serde_saphyr::from_str(&text).unwrap();
    let (mut empty, mut needed) = (Vec::new(), Vec::new());
    nullable("", &values, &mut empty, &mut needed);
    assert!(empty.len() > 50 && needed.len() > 50, "{} and {}", empty.len(), needed.len());
    // All optional parts are enabled, without further values.
    let on = ["serviceMonitor", "prometheusRule", "grafanaDashboard", "networkPolicy", "admissionPolicy"];
    let mut set: Vec<String> = on.iter().map(|part| format!("{part}.enabled=true")).collect();
    set.extend([
        "podDisruptionBudget.enabled=true".to_owned(),
        "podDisruptionBudget.minAvailable=1".to_owned(),
    ]);
    set.extend(
        empty
            .iter()
            .filter(|path| *path != "podDisruptionBudget.minAvailable")
            .map(|path| format!("{path}=null")),
    );
    let set: Vec<&str> = set.iter().map(String::as_str).collect();
    let rendered = render("atlas", &set).await;
    let text = serde_json::to_string(&rendered).unwrap();
    assert!(!text.contains("nil>"), "{text}");
    for part in rendered {
        assert_eq!(part["metadata"]["name"].as_str().map(str::is_empty), Some(false), "{part}");
    }
    // All leaves of a section are named at once.
    let sections: Vec<&String> = needed.iter().filter(|path| values.get(path).is_some()).collect();
    let leaves: Vec<&String> = needed.iter().filter(|path| values.get(path).is_none()).collect();
    for paths in [sections, leaves] {
        let set: Vec<String> = paths.iter().map(|path| format!("{path}=null")).collect();
        let set: Vec<&str> = set.iter().map(String::as_str).collect();
        let refusal = try_render("atlas", &set).await.unwrap_err();
        let is_inner = |path: &str| paths.iter().any(|outer| path.starts_with(&format!("{outer}.")));
        for path in paths.iter().filter(|path| !is_inner(path)) {
            let name = path.rsplit('.').next().unwrap();
            assert!(refusal.contains(&format!("'{name}'")), "{path}: {refusal}");
        }
    }
}

#[tokio::test]
async fn helm_finds_nothing_to_complain_about() {
    let chart = chart().display().to_string();
    let output = helm(&["lint", "--strict", KUBERNETES, &chart]).await;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success() && !text.contains("[WARNING]"), "{text}");
}
