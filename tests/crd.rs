//! The custom resource definitions, read as data. `admission` tests it on an API server.

#![allow(clippy::unwrap_used, reason = "so that a test fails where it goes wrong")]

use std::collections::BTreeSet;

use atlas_simulator::Status;
use domain::dedicated::endpoint::ConnectionStatus;
use domain::dedicated::service::ServiceStatus;
use domain::serverless::endpoint::EndpointStatus;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use serde_json::Value;
use spe_operator::app::definitions::{definitions, definitions_yaml};
use spe_operator::schema::yaml;
use spe_operator::{endpoint, endpoint_service, serverless};

/// With this in the environment the files are written instead of compared.
const UPDATE: &str = "UPDATE";

/// A field of the schema: its path, as `.spec.comment`, and its schema.
type Field = (String, Value);

/// The definition of each kind.
fn all() -> [Value; 3] {
    definitions().map(|crd| serde_json::to_value(crd).unwrap())
}

/// The schema of an object.
fn object_schema(crd: &Value) -> &Value {
    &crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
}

/// The fields below `root` (`.spec`, `.status`), nested ones included.
fn fields(crd: &Value, root: &str) -> Vec<Field> {
    let mut found = Vec::new();
    collect(root, &object_schema(crd)["properties"][&root[1..]], &mut found);
    found
}

/// The fields below `root` of all kinds.
fn fields_of_all(root: &str) -> Vec<Field> {
    all().iter().flat_map(|crd| fields(crd, root)).collect()
}

fn collect(path: &str, schema: &Value, found: &mut Vec<Field>) {
    found.push((path.to_owned(), schema.clone()));
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        collect(&format!("{path}.{name}"), property, found);
    }
    if let Some(items) = schema.get("items") {
        collect(&format!("{path}[]"), items, found);
    }
}

fn text<'a>(schema: &'a Value, key: &str) -> &'a str {
    schema[key].as_str().unwrap_or_default()
}

#[test]
fn the_committed_definitions_are_those_that_the_program_prints() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("crds");
    let list = std::fs::read_to_string(folder.join("kustomization.yaml")).unwrap();
    for crd in definitions() {
        let file = format!("{}.yaml", crd.spec.names.plural);
        let (path, printed) = (folder.join(&file), yaml(&crd).unwrap());
        if std::env::var_os(UPDATE).is_some() {
            std::fs::write(path, printed).unwrap();
            continue;
        }
        let committed = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(committed == printed, "{} is stale: run `make crd` and commit the result", path.display());
        assert!(list.contains(&file), "{file} is not in crds/kustomization.yaml");
    }
}

#[test]
fn the_printed_definitions_equal_the_definitions() {
    let printed: Vec<CustomResourceDefinition> =
        serde_saphyr::from_multiple(&definitions_yaml().unwrap()).unwrap();
    assert_eq!(printed, definitions());
}

#[test]
fn the_resources_have_the_names_that_the_manual_promises() {
    for (crd, kind, short, selectable) in [
        (
            serverless::crd::crd(),
            "ServerlessPrivateEndpoint",
            "spe",
            &[".spec.projectId", ".spec.instanceName"][..],
        ),
        (
            endpoint_service::crd::crd(),
            "PrivateEndpointService",
            "pesvc",
            &[".spec.projectId", ".spec.region"],
        ),
        (endpoint::crd::crd(), "PrivateEndpoint", "pe", &[]),
    ] {
        let crd = serde_json::to_value(crd).unwrap();
        assert_eq!(crd["spec"]["group"], "atlas.spe-operator.io");
        assert_eq!(crd["spec"]["scope"], "Namespaced");
        let singular = kind.to_lowercase();
        assert_eq!(
            crd["spec"]["names"],
            serde_json::json!({
                "kind": kind,
                "plural": format!("{singular}s"),
                "singular": singular,
                "shortNames": [short],
                "categories": ["atlas"],
            })
        );
        let versions = crd["spec"]["versions"].as_array().unwrap();
        assert_eq!(versions.len(), 1);
        assert_eq!(versions[0]["name"], "v1alpha1");
        let paths = versions[0]["selectableFields"].as_array().into_iter().flatten();
        assert_eq!(paths.map(|field| text(field, "jsonPath")).collect::<Vec<_>>(), selectable);
    }
}

/// The columns of a kind: name, path and priority.
fn columns(crd: CustomResourceDefinition) -> Vec<(String, String, i64)> {
    let crd = serde_json::to_value(crd).unwrap();
    crd["spec"]["versions"][0]["additionalPrinterColumns"]
        .as_array()
        .unwrap()
        .iter()
        .map(|column| {
            let priority = column["priority"].as_i64().unwrap_or(0);
            (text(column, "name").to_uppercase(), text(column, "jsonPath").to_owned(), priority)
        })
        .collect()
}

#[test]
fn the_columns_are_those_of_the_manual() {
    let own = |narrow: &[(&str, &str)], wide: &[(&str, &str)]| {
        let ready = |field: &str| format!(".status.conditions[?(@.type==\"Ready\")].{field}");
        let mut columns = vec![
            ("READY".to_owned(), ready("status"), 0),
            ("STATUS".to_owned(), ".status.status".to_owned(), 0),
            ("REASON".to_owned(), ready("reason"), 0),
        ];
        for (own, priority) in [(narrow, 0), (&[("AGE", ".metadata.creationTimestamp")], 0), (wide, 1)] {
            columns.extend(own.iter().map(|(name, path)| ((*name).to_owned(), (*path).to_owned(), priority)));
        }
        columns.push(("MESSAGE".to_owned(), ready("message"), 1));
        columns
    };
    let expected = own(
        &[("INSTANCE", ".spec.instanceName")],
        &[
            ("ID", ".status._id"),
            ("VPC-ENDPOINT", ".status.cloudProviderEndpointId"),
            ("SERVICE-NAME", ".status.endpointServiceName"),
        ],
    );
    assert_eq!(columns(serverless::crd::crd()), expected);
    let expected = own(
        &[("PROVIDER", ".spec.provider"), ("REGION", ".spec.region")],
        &[
            ("ID", ".status.serviceId"),
            ("SERVICE-NAME", ".status.endpointServiceName"),
            ("PROVENANCE", ".status.provenance"),
        ],
    );
    assert_eq!(columns(endpoint_service::crd::crd()), expected);
    let expected = own(
        &[("SERVICE", ".spec.serviceRef.name")],
        &[
            ("ENDPOINT", ".status.endpointId"),
            ("SERVICE-ID", ".status.serviceId"),
            ("PROVENANCE", ".status.provenance"),
        ],
    );
    assert_eq!(columns(endpoint::crd::crd()), expected);
}

#[test]
fn every_field_is_described() {
    for (path, schema) in fields_of_all(".spec").into_iter().chain(fields_of_all(".status")) {
        if path.ends_with("[]") && schema["type"] == "string" {
            // It is described with its list.
            continue;
        }
        let description = text(&schema, "description");
        assert!(description.ends_with('.'), "{path}: {description:?}");
        assert!(!description.contains('\n'), "{path}: {description:?}");
    }
}

/// The words in capitals in the description of the field `status.status`.
fn described_words(crd: CustomResourceDefinition) -> BTreeSet<String> {
    let fields = fields(&serde_json::to_value(crd).unwrap(), ".status");
    let (_, status) = fields.iter().find(|(path, _)| path == ".status.status").unwrap();
    let words = text(status, "description").split(|c: char| !c.is_ascii_uppercase() && c != '_');
    words.map(str::to_owned).collect()
}

#[test]
fn every_status_word_of_dedicated_clusters_is_described() {
    let described = described_words(endpoint_service::crd::crd());
    for word in ServiceStatus::KNOWN.iter().map(ServiceStatus::as_str) {
        assert!(described.contains(word), "the status of a service does not name {word}");
    }
    let described = described_words(endpoint::crd::crd());
    for word in ConnectionStatus::KNOWN.iter().map(ConnectionStatus::as_str) {
        assert!(described.contains(word), "the status of an endpoint does not name {word}");
    }
}

/// The places of a status word that the compiler does not name.
#[test]
fn every_status_word_is_described_explained_and_simulated() {
    let described = described_words(serverless::crd::crd());
    let page = include_str!("../docs/concepts/life.md");
    for word in EndpointStatus::KNOWN.iter().filter_map(EndpointStatus::known) {
        assert!(described.contains(word), "the description of the field status does not name {word}");
        assert!(page.contains(&format!("\n| `{word}` | ")), "docs/concepts/life.md does not explain {word}");
        let simulated: Status = serde_json::from_value(word.into()).unwrap();
        assert!(!matches!(simulated, Status::Other(_)), "the simulator has no status {word}");
    }
}

#[test]
fn every_spec_field_documents_its_default_and_mutability() {
    for crd in all() {
        spec_fields_document_their_default_and_mutability(&fields(&crd, ".spec"));
    }
}

fn spec_fields_document_their_default_and_mutability(fields: &[Field]) {
    assert!(fields.len() > 15, "only {} fields were found", fields.len());
    // An item of a list is described with its list.
    for (path, schema) in fields.iter().filter(|(path, _)| path != ".spec" && !path.ends_with("[]")) {
        let description = text(schema, "description");
        let parent = path.rsplit_once('.').map(|(parent, _)| parent).unwrap();
        let parent = fields.iter().find(|(path, _)| path == parent).map(|(_, schema)| schema).unwrap();
        let name = path.rsplit('.').next().unwrap();
        let required = parent["required"].as_array().is_some_and(|names| names.iter().any(|n| n == name));
        let expected = match schema["default"].as_str() {
            Some(default) => format!("Default: {default}."),
            None if required => "Required.".to_owned(),
            None if description.contains("Required for ") => "else it may not be set".to_owned(),
            None => "Default: ".to_owned(),
        };
        assert!(description.contains(&expected), "{path} does not say {expected:?}: {description:?}");
        let changeable = ["Immutable.", "May be changed", "may always be removed"];
        assert!(changeable.iter().any(|words| description.contains(words)), "{path}: {description:?}");
        let immutable = schema.to_string().contains("self == oldSelf");
        assert_eq!(immutable, description.contains("Immutable."), "{path}: {description:?}");
    }
}

#[test]
fn every_rule_has_a_message() {
    for crd in all() {
        let mut rules = 0;
        for (path, schema) in
            fields(&crd, ".spec").into_iter().chain([(String::new(), object_schema(&crd).clone())])
        {
            for rule in schema["x-kubernetes-validations"].as_array().into_iter().flatten() {
                assert!(!text(rule, "message").is_empty(), "{path}: {rule}");
                rules += 1;
            }
        }
        assert!(rules > 14, "only {rules} rules were found");
    }
}

/// A limit can reject the record of an endpoint id, and then the endpoint is lost. So this test lists what the schema
/// of the status may contain, not what it may not.
#[test]
fn the_schema_of_the_status_limits_nothing() {
    for (path, schema) in fields_of_all(".status") {
        for (keyword, value) in schema.as_object().unwrap() {
            let allowed = match keyword.as_str() {
                "type" | "description" | "properties" | "items" => true,
                "default" => path == ".status" || path == ".status.observedGeneration",
                // As narrow as the Rust type, so that a value of ours always passes.
                "format" => value == "date-time" || value == "int64",
                // A list-map needs its key; the rest is what every condition has.
                "required" => path == ".status.conditions[]",
                "x-kubernetes-list-type" | "x-kubernetes-list-map-keys" => path == ".status.conditions",
                _ => false,
            };
            assert!(allowed, "{path} has {keyword}: {value}");
        }
    }
}

#[test]
fn nothing_may_be_null() {
    for (path, schema) in fields_of_all(".spec").into_iter().chain(fields_of_all(".status")) {
        assert!(schema.get("nullable").is_none(), "{path}");
    }
}

/// Returns what a Kubernetes that can evaluate the rules of `version` reports about each rule of the manifests.
async fn compiled(version: &str, manifests: &[Value]) -> Vec<Value> {
    let program = testbed::go_tool("control-plane", ".", "rules").await.unwrap();
    let input = std::env::temp_dir().join(format!("rules-{}-{version}.json", std::process::id()));
    std::fs::write(&input, manifests.iter().map(Value::to_string).collect::<String>()).unwrap();
    let output = std::process::Command::new(program)
        .arg(version)
        .stdin(std::fs::File::open(&input).unwrap())
        .output()
        .unwrap();
    std::fs::remove_file(input).unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let lines = String::from_utf8(output.stdout).unwrap();
    lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// A server stores a new rule only if the version before its own can evaluate it, to allow a rollback.
#[tokio::test]
async fn the_oldest_supported_kubernetes_takes_every_rule() {
    let chart: Value = serde_saphyr::from_str(include_str!("../charts/spe-operator/Chart.yaml")).unwrap();
    let oldest = chart["kubeVersion"].as_str().unwrap().strip_prefix(">=1.").unwrap();
    let (minor, _) = oldest.split_once('.').unwrap();
    let before = format!("1.{}", minor.parse::<u32>().unwrap() - 1);
    let mut manifests: Vec<Value> =
        serde_saphyr::from_multiple(include_str!("../deploy/admission-policy.yaml")).unwrap();
    manifests.retain(|manifest| manifest["kind"] == "ValidatingAdmissionPolicy");
    manifests.extend(all());
    let rules = compiled(&before, &manifests).await;
    assert!(rules.len() > 70, "only {} rules were found", rules.len());
    for rule in rules {
        assert_eq!(rule["error"], "", "{before} cannot evaluate {}", rule["rule"]);
    }
    // A library of 1.31 is noticed, in the definition and in the policy.
    let young = "!format.dns1123Subdomain().validate('a').hasValue()";
    manifests[0]["spec"]["validations"][0]["expression"] = young.into();
    let root = "/spec/versions/0/schema/openAPIV3Schema/x-kubernetes-validations/0/rule";
    *manifests[1].pointer_mut(root).unwrap() = young.into();
    let refused = compiled(&before, &manifests).await;
    assert_eq!(refused.iter().filter(|rule| rule["error"] != "").count(), 2);
    assert!(compiled("1.31", &manifests).await.iter().all(|rule| rule["error"] == ""));
}
