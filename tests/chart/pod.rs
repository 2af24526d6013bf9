//! The contents of single objects of the chart: the pod, the definition of the resource, names and optional objects.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use spe_operator::app::definitions::definitions;

use crate::helm::{chart, name, of_kind, operator_arguments, render, try_render};
use crate::release::strings;

/// The names of the definitions, as manifests of the chart.
const DEFINITIONS: [&str; 3] = [
    "CustomResourceDefinition privateendpoints.atlas.spe-operator.io",
    "CustomResourceDefinition privateendpointservices.atlas.spe-operator.io",
    "CustomResourceDefinition serverlessprivateendpoints.atlas.spe-operator.io",
];

#[tokio::test]
async fn the_crds_are_those_of_the_program_and_outlive_the_release() {
    let rendered = render("atlas", &["crds.annotations.team=a"]).await;
    let rendered = of_kind(&rendered, "CustomResourceDefinition");
    assert_eq!(rendered.len(), definitions().len());
    for expected in definitions() {
        let expected = serde_json::to_value(expected).unwrap();
        let is_same = |crd: &&&Value| crd["metadata"]["name"] == expected["metadata"]["name"];
        let definition = rendered.iter().find(is_same).unwrap();
        assert_eq!(definition["spec"], expected["spec"]);
        assert_eq!(
            definition["metadata"]["annotations"],
            json!({"helm.sh/resource-policy": "keep", "team": "a"})
        );
    }
    let released = render("atlas", &["crds.keep=false"]).await;
    for definition in of_kind(&released, "CustomResourceDefinition") {
        assert_eq!(definition["metadata"]["annotations"], Value::Null);
    }
    let without = render("atlas", &["crds.enabled=false"]).await;
    assert!(of_kind(&without, "CustomResourceDefinition").is_empty());
}

#[test]
fn the_charts_copies_of_the_definitions_are_current() {
    for crd in definitions() {
        let file = format!("{}.yaml", crd.spec.names.plural);
        let copy = std::fs::read_to_string(chart().join("files").join(&file)).unwrap();
        let original = chart().join("../../crds").join(&file);
        assert_eq!(copy, std::fs::read_to_string(original).unwrap(), "run `make chart`");
    }
}

#[tokio::test]
async fn the_default_release_has_only_the_required_objects() {
    let rendered = render("atlas", &[]).await;
    let mut names: Vec<String> = rendered.iter().map(name).collect();
    names.sort();
    assert_eq!(
        names,
        [
            "ClusterRole spe-operator-edit-endpoints.atlas",
            "ClusterRole spe-operator-edit-services.atlas",
            "ClusterRole spe-operator-view.atlas",
            "ClusterRole spe-operator.atlas",
            "ClusterRoleBinding spe-operator.atlas",
            DEFINITIONS[0],
            DEFINITIONS[1],
            DEFINITIONS[2],
            "Deployment atlas/spe-operator",
            "Pod atlas/spe-operator-ready",
            "Role atlas/spe-operator-lease",
            "RoleBinding atlas/spe-operator-lease",
            "Service atlas/spe-operator",
            "ServiceAccount atlas/spe-operator",
        ]
    );
    assert_eq!(
        operator_arguments(&rendered),
        [
            "run",
            "--admin-address=[::]:8080",
            "--leader-elect",
            "--log-format=json",
            "--lease-name=spe-operator"
        ]
    );
}

#[tokio::test]
async fn namespaced_scope_makes_nothing_cluster_wide_but_the_definitions() {
    let values = ["rbac.scope=namespaced", "clusterId=prod-1", "watchNamespaces=[\"team-a\",\"team-b\"]"];
    let rendered = render("atlas", &values).await;
    let wide: BTreeSet<String> =
        rendered.iter().filter(|manifest| manifest["metadata"]["namespace"].is_null()).map(name).collect();
    assert_eq!(wide, DEFINITIONS.map(str::to_owned).into());
    for namespace in ["team-a", "team-b"] {
        for kind in ["Role", "RoleBinding"] {
            let wanted = format!("{kind} {namespace}/spe-operator.atlas");
            assert!(rendered.iter().any(|manifest| name(manifest) == wanted), "{wanted}");
        }
    }
    assert!(
        operator_arguments(&rendered).contains(&"--watch-namespaces=team-a,team-b".to_owned()),
        "{rendered:?}"
    );
    let own = render("atlas", &[&values[..2], &["rbac.createInWatchedNamespaces=false"]].concat()).await;
    assert!(own.iter().any(|manifest| name(manifest) == "Role atlas/spe-operator"));
    let elsewhere = render("atlas", &[&values[..], &["rbac.createInWatchedNamespaces=false"]].concat()).await;
    let roles: Vec<String> = of_kind(&elsewhere, "Role").into_iter().map(name).collect();
    assert_eq!(roles, ["Role atlas/spe-operator-lease"], "no right where nothing is watched");
}

#[tokio::test]
async fn secrets_may_be_read_by_name_and_nothing_else() {
    for values in [
        &[][..],
        &["rbac.scope=namespaced", "clusterId=a"],
        &[
            "rbac.scope=namespaced",
            "clusterId=a",
            "watchNamespaces=[\"team-a\"]",
            "defaultCredentials.existingSecret=shared",
            "defaultCredentials.allowedNamespaces=[\"team-a\"]",
        ],
    ] {
        let rendered = render("atlas", values).await;
        let roles = of_kind(&rendered, "Role").into_iter().chain(of_kind(&rendered, "ClusterRole"));
        for (role, rule) in roles
            .flat_map(|role| role["rules"].as_array().unwrap().iter().map(move |rule| (name(role), rule)))
        {
            let text = rule.to_string();
            assert!(!text.contains('*'), "{role}: {text}");
            if text.contains("\"secrets\"") {
                assert_eq!(rule["verbs"], json!(["get"]), "{role}");
            }
            if role == "Role atlas/spe-operator-default-credentials" {
                assert_eq!(rule["resourceNames"], json!(["shared"]));
            }
        }
    }
}

#[tokio::test]
async fn the_image_is_named_by_tag_or_digest() {
    let image = async |values: &[&str]| {
        let rendered = render("atlas", values).await;
        let images: Vec<String> =
            [&of_kind(&rendered, "Deployment")[0]["spec"]["template"], of_kind(&rendered, "Pod")[0]]
                .iter()
                .map(|pod| pod["spec"]["containers"][0]["image"].as_str().unwrap().to_owned())
                .collect();
        assert_eq!(images[0], images[1]);
        images[0].clone()
    };
    assert_eq!(image(&[]).await, concat!("localhost/spe-operator:", env!("CARGO_PKG_VERSION")));
    assert_eq!(
        image(&["image.repository=registry.example/spe", "image.tag=v1"]).await,
        "registry.example/spe:v1"
    );
    let digest = format!("sha256:{}", "a".repeat(64));
    assert_eq!(
        image(&["image.tag=v1", &format!("image.digest={digest}")]).await,
        format!("localhost/spe-operator@{digest}")
    );
}

#[tokio::test]
async fn the_service_leads_to_the_operator_and_not_to_the_pod_of_helm_test() {
    let rendered = render("atlas", &["podLabels.app\\.kubernetes\\.io/part-of=x"]).await;
    let selector = of_kind(&rendered, "Service")[0]["spec"]["selector"].as_object().unwrap().clone();
    let carries = |labels: &Value| selector.iter().all(|(key, value)| labels[key] == *value);
    assert!(carries(&of_kind(&rendered, "Deployment")[0]["spec"]["template"]["metadata"]["labels"]));
    assert!(!carries(&of_kind(&rendered, "Pod")[0]["metadata"]["labels"]));
}

#[tokio::test]
async fn the_network_policy_admits_named_sources_and_helm_test() {
    let named = json!({"namespaceSelector": {"matchLabels": {"team": "monitoring"}}});
    let from = format!("networkPolicy.from=[{named}]");
    let rendered = render("atlas", &["networkPolicy.enabled=true", &from]).await;
    let ingress = &of_kind(&rendered, "NetworkPolicy")[0]["spec"]["ingress"][0]["from"];
    assert_eq!((ingress.as_array().unwrap().len(), &ingress[0]), (2, &named));
    let wanted = ingress[1]["podSelector"]["matchLabels"].as_object().unwrap();
    let labels = |kind: &str, path: &str| of_kind(&rendered, kind)[0].pointer(path).unwrap().clone();
    let carries = |labels: &Value| wanted.iter().all(|(key, value)| labels[key] == *value);
    assert!(carries(&labels("Pod", "/metadata/labels")));
    assert!(!carries(&labels("Deployment", "/spec/template/metadata/labels")));
    // That pod may in turn reach the operator, and nothing else.
    let of_the_test = &of_kind(&rendered, "NetworkPolicy")[1]["spec"];
    assert_eq!(&of_the_test["podSelector"]["matchLabels"], &ingress[1]["podSelector"]["matchLabels"]);
    let selector = labels("Service", "/spec/selector");
    assert_eq!(of_the_test["egress"][0]["to"], json!([{"podSelector": {"matchLabels": selector}}]));
    let open = render("atlas", &["networkPolicy.enabled=true"]).await;
    assert_eq!(of_kind(&open, "NetworkPolicy")[0]["spec"]["ingress"][0]["from"], Value::Null);
}

/// The DNS server of `OpenShift` listens on 5353, and a policy sees the port behind the Service.
#[tokio::test]
async fn the_network_policy_lets_dns_out_on_both_its_ports() {
    let rendered = render("atlas", &["networkPolicy.enabled=true"]).await;
    let dns = &of_kind(&rendered, "NetworkPolicy")[0]["spec"]["egress"][0];
    let ports = [(53, "UDP"), (53, "TCP"), (5353, "UDP"), (5353, "TCP")];
    assert_eq!(
        *dns,
        json!({"ports": ports.map(|(port, protocol)| json!({"port": port, "protocol": protocol}))})
    );
}

/// Where a `ResourceQuota` counts them, a pod without is rejected.
#[tokio::test]
async fn the_pod_of_helm_test_has_the_requirements_of_the_operator() {
    let rendered = render("atlas", &["resources.limits.cpu=1"]).await;
    let deployed = &of_kind(&rendered, "Deployment")[0]["spec"]["template"]["spec"];
    let resources = &of_kind(&rendered, "Pod")[0]["spec"]["containers"][0]["resources"];
    assert_eq!(*resources, deployed["containers"][0]["resources"]);
    assert_eq!(
        *resources,
        json!({"requests": {"cpu": "50m", "memory": "64Mi"}, "limits": {"cpu": 1, "memory": "256Mi"}})
    );
}

#[tokio::test]
async fn the_pod_settings_that_clusters_require_can_be_set() {
    let fields = [
        ("hostAliases", json!([{"ip": "192.0.2.1", "hostnames": ["cloud.mongodb.com"]}])),
        ("dnsPolicy", json!("None")),
        ("dnsConfig", json!({"nameservers": ["192.0.2.2"]})),
        ("runtimeClassName", json!("gvisor")),
        ("schedulerName", json!("own")),
        ("priorityClassName", json!("high")),
    ];
    let mut values: Vec<String> = fields.iter().map(|(field, value)| format!("{field}={value}")).collect();
    let from = json!([{"configMapRef": {"name": "more"}}]);
    values.extend([format!("extraEnvFrom={from}"), "podSecurityContext.runAsUser=65532".to_owned()]);
    values.extend(
        ["securityContext.runAsGroup=65532", "deploymentAnnotations.a=b", "service.annotations.a=b"]
            .map(str::to_owned),
    );
    let values: Vec<&str> = values.iter().map(String::as_str).collect();
    let rendered = render("atlas", &values).await;
    let deployment = of_kind(&rendered, "Deployment")[0];
    let (deployed, test) = (&deployment["spec"]["template"]["spec"], &of_kind(&rendered, "Pod")[0]["spec"]);
    for (field, value) in &fields {
        assert_eq!(deployed[field], *value, "{field}");
    }
    assert_eq!(deployed["containers"][0]["envFrom"], from);
    // The fields that the standard requires stay.
    let whole =
        json!({"runAsNonRoot": true, "runAsUser": 65532, "seccompProfile": {"type": "RuntimeDefault"}});
    for pod in [deployed, test] {
        assert_eq!(pod["securityContext"], whole);
        assert_eq!(pod["containers"][0]["securityContext"]["runAsGroup"], 65532);
        assert_eq!(pod["containers"][0]["securityContext"]["readOnlyRootFilesystem"], true);
    }
    for annotated in [deployment, of_kind(&rendered, "Service")[0]] {
        assert_eq!(annotated["metadata"]["annotations"], json!({"a": "b"}));
    }
}

#[tokio::test]
async fn the_user_is_that_of_the_image_or_of_the_namespace() {
    let rendered = render("atlas", &[]).await;
    let deployed = &of_kind(&rendered, "Deployment")[0]["spec"]["template"]["spec"]["securityContext"];
    for context in [deployed, &of_kind(&rendered, "Pod")[0]["spec"]["securityContext"]] {
        assert_eq!(*context, json!({"runAsNonRoot": true, "seccompProfile": {"type": "RuntimeDefault"}}));
    }
}

#[tokio::test]
async fn a_long_release_name_still_makes_names() {
    let long = format!("fullnameOverride={}", "a".repeat(63));
    let rendered = render("atlas", &[&long, "podDisruptionBudget.enabled=true"]).await;
    assert_eq!(of_kind(&rendered, "Service")[0]["metadata"]["name"].as_str().unwrap().len(), 63);
    assert!(of_kind(&rendered, "Pod")[0]["metadata"]["name"].as_str().unwrap().len() <= 63);
    assert!(try_render("atlas", &["fullnameOverride=Upper"]).await.is_err());
}

#[tokio::test]
async fn extra_objects_are_templates() {
    let object = r#"extraObjects=[{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"{{ .Release.Name }}-extra"}}]"#;
    let rendered = render("atlas", &[object]).await;
    assert!(rendered.iter().any(|manifest| manifest["metadata"]["name"] == "spe-operator-extra"));
}

/// One extra object of the operator's own kind: with this hook, policy and wrapping, as JSON.
fn own_extra_object(hook: &str, policy: &str, wrap: impl Fn(Value) -> Value) -> String {
    let object = json!({
        "apiVersion": "{{ `atlas.spe-operator.io` }}/v1alpha1",
        "kind": "ServerlessPrivateEndpoint",
        "metadata": {"name": "a", "annotations": {"helm.sh/hook": hook}},
        "spec": {"deletionPolicy": policy},
    });
    format!("extraObjects={}", json!([wrap(object)]))
}

/// At the first install its kind does not exist yet, and at an uninstall the operator is removed before it.
#[tokio::test]
async fn an_extra_object_of_our_kind_must_be_a_hook_with_retain() {
    let alone = |object| object;
    for hook in ["post-install,post-upgrade", "post-install, post-upgrade", "post-install"] {
        let rendered = render("atlas", &[&own_extra_object(hook, "Retain", alone)]).await;
        assert!(rendered.iter().any(|manifest| manifest["kind"] == "ServerlessPrivateEndpoint"), "{hook}");
    }
    for hook in ["", "pre-install", "post-install,pre-upgrade"] {
        let refusal = try_render("atlas", &[&own_extra_object(hook, "Retain", alone)]).await.unwrap_err();
        assert!(refusal.contains("with a release of its own"), "{hook}: {refusal}");
    }
    let refusal =
        try_render("atlas", &[&own_extra_object("post-install", "Delete", alone)]).await.unwrap_err();
    assert!(refusal.contains("needs spec.deletionPolicy: Retain"), "{refusal}");
}

#[tokio::test]
async fn a_list_of_extra_objects_hides_none_of_the_operators_own() {
    let list = |item| json!({"apiVersion": "v1", "kind": "List", "items": [item]});
    let nested = |item| list(list(item));
    for object in [
        own_extra_object("", "Delete", list),
        own_extra_object("post-install", "Retain", list),
        own_extra_object("", "Retain", nested),
    ] {
        let refusal = try_render("atlas", &[&object]).await.unwrap_err();
        assert!(refusal.contains("in a List"), "{object}: {refusal}");
    }
    let other = r#"extraObjects=[{"apiVersion":"v1","kind":"List","items":[{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a"}}]}]"#;
    assert!(try_render("atlas", &[other]).await.is_ok());
}

/// Group, resource and verb of all that the operator's own role grants.
async fn granted(values: &[&str]) -> BTreeSet<String> {
    let rendered = render("atlas", values).await;
    let role = of_kind(&rendered, "ClusterRole")
        .into_iter()
        .find(|role| role["metadata"]["name"] == "spe-operator.atlas");
    let mut granted = BTreeSet::new();
    for rule in role.unwrap()["rules"].as_array().unwrap() {
        for verb in strings(&rule["verbs"]) {
            granted.insert(format!(
                "{} {} {verb}",
                strings(&rule["apiGroups"])[0],
                strings(&rule["resources"])[0]
            ));
        }
    }
    granted
}

#[tokio::test]
async fn an_integration_adds_its_own_rights_and_no_others() {
    let without = granted(&["integrations.configMap.enabled=false"]).await;
    for (values, added) in [
        (&["integrations.configMap.enabled=true"][..], &[" configmaps get"][..]),
        (
            &["integrations.configMap.enabled=false", "integrations.outputConfigMap.enabled=true"],
            &[" configmaps create", " configmaps delete", " configmaps get", " configmaps patch"],
        ),
        (
            &["integrations.configMap.enabled=false", "integrations.ack.enabled=true"],
            &["ec2.services.k8s.aws vpcendpoints list", "ec2.services.k8s.aws vpcendpoints watch"],
        ),
        (
            &["integrations.configMap.enabled=false", "integrations.crossplane.enabled=true"],
            &[
                "compute.gcp.m.upbound.io forwardingrules list",
                "compute.gcp.m.upbound.io forwardingrules watch",
                "ec2.aws.m.upbound.io vpcendpoints list",
                "ec2.aws.m.upbound.io vpcendpoints watch",
                "network.azure.m.upbound.io privateendpoints list",
                "network.azure.m.upbound.io privateendpoints watch",
            ],
        ),
        (
            &["integrations.configMap.enabled=false", "integrations.azureServiceOperator.enabled=true"],
            &["network.azure.com privateendpoints list", "network.azure.com privateendpoints watch"],
        ),
        (
            &["integrations.configMap.enabled=false", "integrations.configConnector.enabled=true"],
            &[
                "compute.cnrm.cloud.google.com computeforwardingrules list",
                "compute.cnrm.cloud.google.com computeforwardingrules watch",
            ],
        ),
    ] {
        let with = granted(values).await;
        assert!(without.is_subset(&with), "{values:?}");
        let more: Vec<&str> = with.difference(&without).map(String::as_str).collect();
        assert_eq!(more, added, "{values:?}");
    }
    let named = granted(&["integrations.configMap.enabled=false", "clusterId=prod-1"]).await;
    let more: Vec<&str> = without.difference(&named).map(String::as_str).collect();
    assert_eq!(more, [" namespaces get"], "a cluster that has a name need not be asked for one");
}
