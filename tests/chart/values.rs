//! Values: each flag of the program has one, none is forgotten in the schema, and a wrong one is refused by name.

use std::collections::BTreeSet;
use std::process::Command;

use serde_json::Value;

use crate::helm::{KUBERNETES, chart, helm, operator_arguments, render, try_render};

/// One value for each flag.
const EVERYTHING: [&str; 30] = [
    "atlas.baseUrl=https://atlas.example",
    "atlas.api=v2",
    "atlas.timeout=10s",
    "atlas.allowHttp=true",
    "atlas.caBundle.configMap=private-ca",
    "atlas.proxy.url=http://proxy.example:3128",
    "clusterId=prod-1",
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
async fn the_program_takes_what_the_chart_gives_it() {
    for values in [&EVERYTHING[..], &[]] {
        let rendered = operator_arguments(&render("atlas", values).await);
        // Left out is what is the pod's own: a mounted file, a fixed port. What ends it then is that there is no cluster.
        let of_the_pod = ["--atlas-ca-file", "--admin-address"];
        let arguments = rendered.iter().filter(|flag| !of_the_pod.iter().any(|own| flag.starts_with(own)));
        let mut command = Command::new(env!("CARGO_BIN_EXE_spe-operator"));
        command.args(arguments).args(["--admin-address", "127.0.0.1:0"]);
        command.env_remove("KUBECONFIG").env("HOME", "/nonexistent");
        let output = command.output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(said.contains("found no cluster"), "{said}");
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
    for key in properties.keys().filter(|key| *key != "global") {
        assert!(values.contains_key(key), "{path}.{key} is not in values.yaml");
    }
}

#[tokio::test]
async fn a_wrong_value_is_refused_by_name() {
    for (value, words) in [
        ("replicas=2", &["replicas"][..]),
        ("image.pullpolicy=Always", &["image", "pullpolicy"]),
        ("image.digest=latest", &["image/digest", "sha256"]),
        ("rbac.scope=global", &["rbac/scope", "namespaced"]),
        ("rbac.scope=namespaced", &["clusterId"]),
        ("clusterId=a/b", &["clusterId"]),
        ("atlas.api=v3", &["atlas/api", "v2"]),
        ("atlas.timeout=soon", &["atlas/timeout"]),
        ("atlas.baseUrl=cloud.mongodb.com", &["atlas/baseUrl"]),
        ("defaultCredentials.existingSecret=atlas-api", &["defaultCredentials/allowedNamespaces"]),
        ("defaultCredentials.allowedNamespaces=[\"a\"]", &["defaultCredentials/allowedNamespaces"]),
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
    let both = ["atlas.proxy.url=http://proxy:1", "atlas.proxy.existingSecret=proxy"];
    assert!(try_render("atlas", &both).await.unwrap_err().contains("atlas/proxy"));
    let crowd = ["replicaCount=2", "leaderElection.enabled=false"];
    assert!(try_render("atlas", &crowd).await.unwrap_err().contains("replicaCount"));
    let boundless = ["podDisruptionBudget.enabled=true", "podDisruptionBudget.maxUnavailable="];
    assert!(try_render("atlas", &boundless).await.unwrap_err().contains("podDisruptionBudget/minAvailable"));
    for bound in ["podDisruptionBudget.minAvailable=0", "podDisruptionBudget.maxUnavailable=0"] {
        render("atlas", &[&boundless[..], &[bound]].concat()).await;
    }
    let blind = ["serviceMonitor.enabled=true", "metrics.enabled=false"];
    assert!(try_render("atlas", &blind).await.unwrap_err().contains("metrics/enabled"));
}

#[tokio::test]
async fn helm_finds_nothing_to_complain_about() {
    let chart = chart().display().to_string();
    let output = helm(&["lint", "--strict", KUBERNETES, &chart]).await;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success() && !said.contains("[WARNING]"), "{said}");
}
