//! The kind `PrivateEndpoint`: what is defaulted, accepted and rejected, what may change, and the status.

use domain::dedicated::service::Provider;
use domain::reference::EndpointSource;
use serde_json::{Value, json};

use crate::fixture::{AdmissionFixture, Made, Refusal, assert_refused};
use crate::status::condition;

const ID: &str =
    "/subscriptions/1f/resourceGroups/Größe(1)/providers/Microsoft.Network/privateEndpoints/orders";
const ONE_SERVICE: &str = "exactly one of `serviceRef` and `service` must be set: `serviceRef` names a PrivateEndpointService, \
                           `service` looks one up in Atlas";
const ONE_PROVIDER: &str =
    "exactly one of `aws`, `azure` and `gcp` must be set: that of the endpoint's cloud provider";
const SAME_PROVIDER: &str = "the cloud provider is immutable: that one of `aws`, `azure` and `gcp` that is set must stay set; create \
                             another PrivateEndpoint for another provider";

/// A look-up in place of the reference.
fn look_up(provider: &str, gcp: &Value) -> Value {
    let region = if provider == "AWS" { "eu-west-1" } else { "US_EAST_2" };
    let project = "32b6e34b3d91647abb20e7b8";
    json!({"projectId": project, "provider": provider, "region": region, "gcp": gcp})
}

fn azure() -> Value {
    json!({"id": ID, "ipAddress": "10.0.0.4"})
}

/// A group of Google Cloud with so many forwarding rules.
fn group(rules: usize) -> Value {
    let endpoints: Vec<Value> = (0..rules)
        .map(|n| json!({"name": format!("rule-{n}"), "ipAddress": format!("10.0.0.{n}")}))
        .collect();
    json!({"groupName": "orders", "projectId": "example.com:orders-1", "endpoints": endpoints})
}

/// Tries to create an object with these fields of the spec.
async fn attempt(fixture: &AdmissionFixture, fields: &Value) -> Result<Made, Refusal> {
    fixture.try_create(fields.clone()).await
}

#[tokio::test]
async fn the_smallest_endpoint_gets_the_defaults_and_is_unobserved() {
    let fixture = AdmissionFixture::of_endpoints().await;
    let made = fixture.create(json!({})).await.unwrap();
    // No deletion policy: unset has a meaning of its own.
    assert_eq!(
        made.spec,
        json!({
            "serviceRef": {"name": "orders"},
            "aws": {"id": "vpce-0a1b2c3d4e5f60718"},
            "replace": "MakeBeforeBreak",
            "adopt": "IfExists",
            "managementPolicy": "Manage",
            "interval": "10m",
            "progressDeadline": "15m",
        })
    );
    assert_eq!(made.status, json!({"observedGeneration": -1}));
}

#[tokio::test]
async fn each_documented_value_of_an_endpoint_is_accepted() {
    let fixture = AdmissionFixture::of_endpoints().await;
    let clusters: Vec<String> = (0..50).map(|number| format!("{}{number}", "a".repeat(60))).collect();
    let mut manifests = vec![
        json!({"serviceRef": {"name": "orders.eu-1", "namespace": "team-a"}}),
        json!({"serviceRef": null, "service": look_up("AWS", &Value::Null)}),
        json!({"serviceRef": null, "service": look_up("AZURE", &Value::Null), "aws": null, "azure": azure()}),
        json!({"aws": {"id": "vpce-1a2b3c4d"}}),
        json!({"aws": null, "azure": azure()}),
        json!({"aws": null, "azure": {"id": ID, "ipAddress": "fd00::4"}}),
        json!({"aws": null, "gcp": group(1)}),
        json!({"aws": null, "gcp": group(150)}),
        json!({"clusters": clusters}),
        json!({"replace": "MakeBeforeBreak"}),
        json!({"replace": "BreakBeforeMake"}),
        json!({"adopt": "Never"}),
        json!({"adopt": "Only", "managementPolicy": "Observe"}),
        json!({"serviceRef": null, "service": look_up("AWS", &Value::Null), "credentialsRef": {"name": "atlas-api"}}),
        json!({"deletionPolicy": "Delete"}),
        json!({"deletionPolicy": "Retain"}),
        json!({"suspend": true}),
        json!({"interval": "30s", "progressDeadline": "1s"}),
        json!({"outputConfigMap": {"name": "orders-strings"}}),
    ];
    for (port_mapping, rules) in [(true, 1), (false, 1), (false, 50)] {
        let service = look_up("GCP", &json!({ "portMapping": port_mapping }));
        manifests.push(json!({"serviceRef": null, "service": service, "aws": null, "gcp": group(rules)}));
    }
    for source in EndpointSource::ALL.into_iter().filter(|source| source.is_of(Provider::Aws)) {
        let (api_version, kind) = source.api_version_and_kind();
        let mut reference = json!({"apiVersion": api_version, "kind": kind, "name": "orders"});
        if source == EndpointSource::ConfigMap {
            reference["key"] = "vpc_endpoint.id-1".into();
        }
        manifests.push(json!({"aws": {"ref": reference}}));
    }
    for fields in manifests {
        attempt(&fixture, &fields).await.unwrap_or_else(|refusal| panic!("{fields}: {refusal:?}"));
    }
}

#[tokio::test]
async fn exactly_one_service_is_named() {
    let fixture = AdmissionFixture::of_endpoints().await;
    let service = look_up("AWS", &Value::Null);
    assert_refused(attempt(&fixture, &json!({ "service": service })).await, "spec", ONE_SERVICE);
    assert_refused(attempt(&fixture, &json!({"serviceRef": null})).await, "spec", ONE_SERVICE);
}

#[tokio::test]
async fn exactly_one_provider_is_declared() {
    let fixture = AdmissionFixture::of_endpoints().await;
    for fields in [
        json!({"aws": null}),
        json!({"azure": azure()}),
        json!({"gcp": group(1)}),
        json!({"aws": null, "azure": azure(), "gcp": group(1)}),
        json!({"azure": azure(), "gcp": group(1)}),
    ] {
        assert_refused(attempt(&fixture, &fields).await, "spec", ONE_PROVIDER);
    }
}

#[tokio::test]
async fn a_look_up_is_for_the_provider_of_the_endpoint() {
    let fixture = AdmissionFixture::of_endpoints().await;
    let words = "`service.provider` must be the provider of the endpoint: 'AWS' with `aws`, 'AZURE' with `azure`, 'GCP' with `gcp`";
    let gcp = json!({"portMapping": true});
    for (service, block) in [
        (look_up("AZURE", &Value::Null), json!({"id": "vpce-0a"})),
        (look_up("GCP", &gcp), json!({"id": "vpce-0a"})),
    ] {
        let refused = attempt(&fixture, &json!({"serviceRef": null, "service": service, "aws": block})).await;
        assert_refused(refused, "spec.service.provider", words);
    }
    for service in [look_up("AWS", &Value::Null), look_up("GCP", &gcp)] {
        let fields = json!({"serviceRef": null, "service": service, "aws": null, "azure": azure()});
        assert_refused(attempt(&fixture, &fields).await, "spec.service.provider", words);
    }
    for service in [look_up("AWS", &Value::Null), look_up("AZURE", &Value::Null)] {
        let fields = json!({"serviceRef": null, "service": service, "aws": null, "gcp": group(1)});
        assert_refused(attempt(&fixture, &fields).await, "spec.service.provider", words);
    }
}

#[tokio::test]
async fn a_look_up_has_the_rules_of_a_service() {
    let fixture = AdmissionFixture::of_endpoints().await;
    let changed = |field: &str, value: Value| {
        let mut service = look_up("AWS", &Value::Null);
        service[field] = value;
        json!({"serviceRef": null, "service": service})
    };
    for (field, value, words) in [
        ("projectId", json!("orders"), "`projectId` must be the id of an Atlas project: 24 lower-case"),
        ("provider", json!("aws"), r#"supported values: "AWS", "AZURE", "GCP""#),
        ("region", json!("eu_west_1"), "`region` must be a region as Atlas spells it, such as 'EU_WEST_1'"),
        ("gcp", json!({"portMapping": true}), "`gcp` may only be set when `provider` is 'GCP'; remove it"),
        ("projectId", Value::Null, "Required value"),
        ("provider", Value::Null, "Required value"),
        ("region", Value::Null, "Required value"),
    ] {
        let refused = attempt(&fixture, &changed(field, value)).await;
        assert_refused(refused, &format!("spec.service.{field}"), words);
    }
    let gcp =
        json!({"serviceRef": null, "service": look_up("GCP", &Value::Null), "aws": null, "gcp": group(1)});
    let words = "`gcp` must be set when `provider` is 'GCP'; set `gcp.portMapping` to true, or to false";
    assert_refused(attempt(&fixture, &gcp).await, "spec.service.gcp", words);
}

#[tokio::test]
async fn a_port_mapped_service_has_one_forwarding_rule_an_endpoint() {
    let fixture = AdmissionFixture::of_endpoints().await;
    let service = look_up("GCP", &json!({"portMapping": true}));
    let fields = json!({"serviceRef": null, "service": service, "aws": null, "gcp": group(2)});
    let words = "`gcp.endpoints` must have exactly one entry when `service.gcp.portMapping` is true: one forwarding rule serves the \
                 whole service";
    assert_refused(attempt(&fixture, &fields).await, "spec.gcp.endpoints", words);
}

#[tokio::test]
async fn each_forbidden_value_of_an_endpoint_is_rejected_with_a_message() {
    let fixture = AdmissionFixture::of_endpoints().await;
    let one_of_aws =
        "exactly one of `id` and `ref` must be set: the id of the VPC endpoint, or the object that knows it";
    let vpc_endpoint = "`id` must be the id of a VPC endpoint: 'vpce-' and lower-case hexadecimal digits";
    let clusters =
        "`clusters` must be names of Atlas clusters: letters, digits and '-', not starting with '-'";
    let map = json!({"apiVersion": "v1", "kind": "ConfigMap", "name": "network", "key": "id"});
    let secret = json!({"apiVersion": "v1", "kind": "Secret", "name": "network"});
    let strings = |count: usize| (0..count).map(|number| format!("a{number}")).collect::<Vec<_>>();
    for (fields, place, words) in [
        (json!({"aws": {}}), "aws", one_of_aws),
        (json!({"aws": {"id": "vpce-0a", "ref": map}}), "aws", one_of_aws),
        (json!({"aws": {"id": "vpce-"}}), "aws.id", vpc_endpoint),
        (json!({"aws": {"id": "vpce-0A"}}), "aws.id", vpc_endpoint),
        (json!({"aws": {"id": "vpce-0a\n"}}), "aws.id", vpc_endpoint),
        (json!({"aws": {"ref": secret}}), "aws.ref", "must be a VPCEndpoint of"),
        (
            json!({"serviceRef": {"name": "Orders"}}),
            "serviceRef.name",
            "`name` must be the name of a PrivateEndpointService: lower-case letters, digits, '-' and '.'",
        ),
        (json!({"serviceRef": {}}), "serviceRef.name", "Required value"),
        (
            json!({"serviceRef": {"name": "orders", "namespace": "team.a"}}),
            "serviceRef.namespace",
            "`namespace` must be the name of a namespace: lower-case letters, digits and '-'",
        ),
        (json!({"clusters": ["orders", "-a"]}), "clusters", clusters),
        (json!({"clusters": ["a/b"]}), "clusters", clusters),
        (json!({"clusters": [""]}), "clusters", clusters),
        (json!({"clusters": ["a", "a"]}), "clusters[1]", "Duplicate value"),
        (json!({"clusters": strings(51)}), "clusters", "must have at most 50 items"),
        (json!({"replace": "Never"}), "replace", r#"supported values: "MakeBeforeBreak", "BreakBeforeMake""#),
        (json!({"adopt": "Always"}), "adopt", r#"supported values: "IfExists", "Never", "Only""#),
        (json!({"deletionPolicy": "Orphan"}), "deletionPolicy", r#"supported values: "Delete", "Retain""#),
        (json!({"interval": "29s"}), "interval", "`interval` must be a duration of at least 30s"),
        (
            json!({"progressDeadline": "-1s"}),
            "progressDeadline",
            "`progressDeadline` must be a duration of more than 0s",
        ),
        (
            json!({"credentialsRef": {"name": "atlas-api"}}),
            "credentialsRef",
            "`credentialsRef` may not be set with `serviceRef`, because the credentials of the PrivateEndpointService are used; \
             remove it",
        ),
        (
            json!({"outputConfigMap": {"name": "A"}}),
            "outputConfigMap.name",
            "`name` must be the name of a ConfigMap",
        ),
    ] {
        assert_refused(attempt(&fixture, &fields).await, &format!("spec.{place}"), words);
    }
}

#[tokio::test]
async fn each_forbidden_value_of_azure_and_google_cloud_is_rejected() {
    let fixture = AdmissionFixture::of_endpoints().await;
    let resource = "`id` must be the resource id of a private endpoint: a path such as '/subscriptions/…/privateEndpoints/orders'";
    let address = "`ipAddress` must be an IP address, such as '10.0.0.4'";
    let name = "`groupName` must be the name of an endpoint group: letters, digits, '-', '_' and '.'";
    let project =
        "`projectId` must be the id of a Google Cloud project: lower-case letters, digits, '-', '.' and ':'";
    let rule = "`name` must be the name of a forwarding rule: letters, digits, '-', '_' and '.'";
    for (pointer, value, words) in [
        ("/azure/id", json!("subscriptions/1f"), resource),
        ("/azure/id", json!("/a b"), resource),
        ("/azure/id", json!("/a\u{200b}"), resource),
        ("/azure/id", json!("/"), resource),
        ("/azure/ipAddress", json!("10.0.0"), address),
        ("/azure/ipAddress", json!("10.0.0.4/24"), address),
        ("/azure/ipAddress", json!(""), address),
        ("/gcp/groupName", json!(""), name),
        ("/gcp/groupName", json!(".."), name),
        ("/gcp/groupName", json!("a/b"), name),
        ("/gcp/projectId", json!("Orders"), project),
        ("/gcp/projectId", json!(""), project),
        ("/gcp/endpoints", json!([]), "should have at least 1 items"),
        ("/gcp/endpoints/1/name", json!("a b"), rule),
        ("/gcp/endpoints/1/ipAddress", json!("localhost"), address),
        ("/gcp/endpoints/1/ipAddress", Value::Null, "Required value"),
        ("/azure/ipAddress", Value::Null, "`ipAddress` must be set, unless"),
        ("/gcp/projectId", Value::Null, "`projectId` must be set with `groupName`"),
        ("/gcp/endpoints", Value::Null, "`endpoints` must be set, unless"),
    ] {
        let mut fields = json!({"aws": null});
        if pointer.starts_with("/azure") {
            fields["azure"] = azure();
        } else {
            fields["gcp"] = group(2);
        }
        *fields.pointer_mut(pointer).unwrap() = value;
        let place = pointer.replace("/1/", "[1].").replace('/', ".");
        assert_refused(attempt(&fixture, &fields).await, &format!("spec{place}"), words);
    }
}

#[tokio::test]
async fn null_in_an_endpoint_is_the_same_as_absent() {
    let fixture = AdmissionFixture::of_endpoints().await;
    let nulls = json!({
        "service": null, "azure": null, "gcp": null, "clusters": null, "replace": null, "adopt": null, "credentialsRef": null,
        "deletionPolicy": null, "managementPolicy": null, "suspend": null, "interval": null, "progressDeadline": null,
        "outputConfigMap": null, "serviceRef": {"name": "orders", "namespace": null},
        "aws": {"id": "vpce-0a1b2c3d4e5f60718", "ref": null},
    });
    let with_nulls = fixture.create(nulls).await.unwrap();
    let without = fixture.create(json!({})).await.unwrap();
    assert_eq!(with_nulls.spec, without.spec);
}

#[tokio::test]
async fn the_service_of_an_endpoint_never_changes() {
    let fixture = AdmissionFixture::of_endpoints().await;
    let made = fixture.create(json!({})).await.unwrap();
    let words = "`name` is immutable; create another PrivateEndpoint for another service";
    let renamed = fixture.edit(&made, json!({"serviceRef": {"name": "invoices"}})).await;
    assert_refused(renamed, "spec.serviceRef.name", words);
    let other = "`namespace` is immutable; create another PrivateEndpoint for a service of another namespace";
    let moved = fixture.edit(&made, json!({"serviceRef": {"namespace": "team-b"}})).await;
    assert_refused(moved, "spec.serviceRef.namespace", other);
    let elsewhere = json!({"serviceRef": {"name": "orders", "namespace": "team-a"}});
    let elsewhere = fixture.create(elsewhere).await.unwrap();
    for namespace in [json!("team-b"), Value::Null] {
        let moved = fixture.edit(&elsewhere, json!({"serviceRef": {"namespace": namespace}})).await;
        assert_refused(moved, "spec.serviceRef.namespace", other);
    }
    let words =
        "`serviceRef` and `service` are immutable; create another PrivateEndpoint for another service";
    let service = look_up("AWS", &Value::Null);
    let looked_up = json!({"serviceRef": null, "service": service});
    assert_refused(fixture.edit(&made, looked_up.clone()).await, "spec", words);
    let made = fixture.create(looked_up).await.unwrap();
    let referred = fixture.edit(&made, json!({"service": null, "serviceRef": {"name": "orders"}})).await;
    assert_refused(referred, "spec", words);
    for (field, value, what) in
        [("projectId", "32b6e34b3d91647abb20e7b9", "project"), ("region", "EU_WEST_1", "region")]
    {
        let mut service = json!({});
        service[field] = value.into();
        let words = format!("`{field}` is immutable; create another PrivateEndpoint for another {what}");
        let edited = fixture.edit(&made, json!({ "service": service })).await;
        assert_refused(edited, &format!("spec.service.{field}"), &words);
    }
    let Err(Refusal(causes)) = fixture.edit(&made, json!({"service": {"provider": "AZURE"}})).await else {
        panic!("accepted")
    };
    let words = "`provider` is immutable; create another PrivateEndpoint for another provider";
    assert!(causes.contains(words), "{causes}");
    let gcp = json!({
        "serviceRef": null, "service": look_up("GCP", &json!({"portMapping": false})), "aws": null, "gcp": group(1),
    });
    let made = fixture.create(gcp).await.unwrap();
    let mapped = fixture.edit(&made, json!({"service": {"gcp": {"portMapping": true}}})).await;
    assert_refused(
        mapped,
        "spec.service.gcp.portMapping",
        "`portMapping` is immutable, because the two forms",
    );
}

#[tokio::test]
async fn the_provider_of_an_endpoint_never_changes() {
    let fixture = AdmissionFixture::of_endpoints().await;
    let blocks = [("aws", json!({"id": "vpce-0a"})), ("azure", azure()), ("gcp", group(1))];
    for (from, block) in &blocks {
        let mut fields = json!({"aws": null});
        fields[*from] = block.clone();
        let made = fixture.create(fields).await.unwrap();
        for (to, block) in blocks.iter().filter(|(to, _)| to != from) {
            let mut fields = json!({});
            fields[*from] = Value::Null;
            fields[*to] = block.clone();
            assert_refused(fixture.edit(&made, fields).await, "spec", SAME_PROVIDER);
        }
    }
}

#[tokio::test]
async fn the_vpc_endpoint_may_change_in_every_way() {
    let fixture = AdmissionFixture::of_endpoints().await;
    let made = fixture.create(json!({})).await.unwrap();
    let reference = json!({"apiVersion": "v1", "kind": "ConfigMap", "name": "network", "key": "id"});
    for aws in [
        json!({"id": "vpce-0b"}),
        json!({"id": null, "ref": reference}),
        json!({"ref": {"name": "other-network"}}),
        json!({"id": "vpce-0c", "ref": null}),
    ] {
        fixture
            .edit(&made, json!({ "aws": aws }))
            .await
            .unwrap_or_else(|refusal| panic!("{aws}: {refusal:?}"));
    }
}

#[tokio::test]
async fn an_address_of_azure_changes_only_with_its_id() {
    let fixture = AdmissionFixture::of_endpoints().await;
    let made = fixture.create(json!({"aws": null, "azure": azure()})).await.unwrap();
    let words = "`ipAddress` may only be changed together with `id`, because Atlas cannot change the address of a registered endpoint";
    let moved = fixture.edit(&made, json!({"azure": {"ipAddress": "10.0.0.5"}})).await;
    assert_refused(moved, "spec.azure.ipAddress", words);
    // Another spelling is the same id.
    let spelled = json!({"azure": {"id": ID.to_ascii_uppercase(), "ipAddress": "10.0.0.5"}});
    assert_refused(fixture.edit(&made, spelled).await, "spec.azure.ipAddress", words);
    for azure in [json!({"id": format!("{ID}-2"), "ipAddress": "10.0.0.5"}), json!({"id": format!("{ID}-3")})]
    {
        fixture.edit(&made, json!({ "azure": azure })).await.unwrap();
    }
}

#[tokio::test]
async fn a_group_of_google_cloud_changes_only_with_its_name() {
    let fixture = AdmissionFixture::of_endpoints().await;
    let made = fixture.create(json!({"aws": null, "gcp": group(1)})).await.unwrap();
    let words = "`projectId` and `endpoints` may only be changed together with `groupName`, because Atlas cannot change a registered \
                 group; choose another name for the changed group";
    let mut moved = group(1);
    moved["endpoints"][0]["ipAddress"] = "10.0.0.9".into();
    for gcp in [json!({"projectId": "invoices"}), json!({"endpoints": group(2)["endpoints"]}), moved] {
        assert_refused(fixture.edit(&made, json!({ "gcp": gcp })).await, "spec.gcp", words);
    }
    for gcp in [
        json!({"groupName": "orders-2"}),
        json!({"groupName": "orders-3", "projectId": "invoices", "endpoints": group(2)["endpoints"]}),
    ] {
        fixture.edit(&made, json!({ "gcp": gcp })).await.unwrap();
    }
}

#[tokio::test]
async fn everything_else_of_an_endpoint_may_change() {
    let fixture = AdmissionFixture::of_endpoints().await;
    let service = look_up("AWS", &Value::Null);
    let made = fixture.create(json!({"serviceRef": null, "service": service})).await.unwrap();
    for fields in [
        json!({"clusters": ["orders"]}),
        json!({"clusters": ["orders", "invoices"]}),
        json!({"clusters": null}),
        json!({"replace": "BreakBeforeMake"}),
        json!({"replace": null}),
        json!({"adopt": "Only"}),
        json!({"adopt": "Never"}),
        json!({"credentialsRef": {"name": "one"}}),
        json!({"credentialsRef": null}),
        json!({"deletionPolicy": "Retain"}),
        json!({"deletionPolicy": "Delete"}),
        json!({"deletionPolicy": null}),
        json!({"managementPolicy": "Observe"}),
        json!({"managementPolicy": "Manage"}),
        json!({"suspend": true}),
        json!({"suspend": null}),
        json!({"interval": "1h", "progressDeadline": "1h"}),
        json!({"outputConfigMap": {"name": "one"}}),
        json!({"outputConfigMap": null}),
    ] {
        fixture.edit(&made, fields.clone()).await.unwrap_or_else(|refusal| panic!("{fields}: {refusal:?}"));
    }
}

#[tokio::test]
async fn every_text_of_atlas_is_stored_in_the_status_of_an_endpoint() {
    let fixture = AdmissionFixture::of_endpoints().await;
    let made = fixture.create(json!({})).await.unwrap();
    let superseded = json!({
        "serviceId": "", "endpointId": "x".repeat(2000), "provenance": "AnotherWord", "recordedBy": "any text",
    });
    let string = format!("mongodb+srv://{}", "long".repeat(1000));
    let strings = json!({
        "cluster": "orders", "type": "ANOTHER", "srv": string, "srvShardOptimized": string, "standard": string,
    });
    let status = json!({
        "serviceId": "an id of another shape, because Atlas makes the ids",
        "endpointId": "/subscriptions/x y",
        "status": "A_WORD_OF_TOMORROW",
        "errorMessage": "zeile\nzwei \u{1f50c}".repeat(1000),
        "provenance": "AnotherWord",
        "recordedBy": "",
        "superseded": [superseded, superseded, {}],
        "connectionStrings": [strings, strings, {}],
        "settledClaim": "any text",
        "observedGeneration": i64::MAX,
        "lastHandledReconcileAt": "any text",
        "conditions": [condition("Ready", &"m".repeat(40_000)), condition("no CamelCase", "")],
    });
    let reported = fixture.report(&made, status.clone()).await.unwrap().status;
    assert_eq!(reported, status);
    // Whatever is stored can be read: an entry without a field is no reason to fail.
    let typed: spe_operator::endpoint::crd::PrivateEndpointStatus = serde_json::from_value(reported).unwrap();
    assert_eq!((typed.superseded.len(), typed.connection_strings.len()), (3, 3));
    let wiped = fixture.report_whole(&made, json!({"status": null})).await.unwrap();
    assert_eq!(wiped.status, json!({"observedGeneration": -1}));
}

#[tokio::test]
async fn kubectl_get_shows_the_columns_of_an_endpoint() {
    let fixture = AdmissionFixture::of_endpoints().await;
    let made = fixture.create(json!({})).await.unwrap();
    let status = json!({
        "serviceId": "6a793f68c0eb9e7a17715835",
        "endpointId": "vpce-0a1b2c3d4e5f60718",
        "status": "PENDING",
        "provenance": "Created",
        "conditions": [condition("Synced", "not this one"), condition("Ready", "the message")],
    });
    fixture.report(&made, status).await.unwrap();
    let expected = [
        ("NAME", made.name.as_str()),
        ("READY", "False"),
        ("STATUS", "PENDING"),
        ("REASON", "AwaitingVpcEndpoint"),
        ("SERVICE", "orders"),
        ("ENDPOINT", "vpce-0a1b2c3d4e5f60718"),
        ("SERVICE-ID", "6a793f68c0eb9e7a17715835"),
        ("PROVENANCE", "Created"),
        ("MESSAGE", "the message"),
    ];
    let shown = fixture.columns().await;
    assert_eq!(shown, expected.map(|(header, cell)| (header.to_owned(), cell.to_owned())));
}
