//! The kind `PrivateEndpointService`: what is defaulted, accepted and rejected, what may change, and the status.

use kube::api::ListParams;
use serde_json::{Value, json};

use crate::fixture::{AdmissionFixture, assert_refused};
use crate::status::condition;

const REGION: &str = "`region` must be a region as Atlas spells it, such as 'EU_WEST_1': upper-case letters, digits and '_'; for AWS \
                      also as AWS spells it, such as 'eu-west-1'";

#[tokio::test]
async fn the_smallest_service_gets_the_defaults_and_is_unobserved() {
    let fixture = AdmissionFixture::of_services().await;
    let made = fixture.create(json!({})).await.unwrap();
    // No deletion policy: unset has a meaning of its own.
    assert_eq!(
        made.spec,
        json!({
            "projectId": "32b6e34b3d91647abb20e7b8",
            "provider": "AWS",
            "region": "EU_WEST_1",
            "adopt": "IfExists",
            "managementPolicy": "Manage",
            "interval": "10m",
            "progressDeadline": "15m",
        })
    );
    assert_eq!(made.status, json!({"observedGeneration": -1}));
}

#[tokio::test]
async fn each_documented_value_of_a_service_is_accepted() {
    let fixture = AdmissionFixture::of_services().await;
    let remote = |regions: &[String]| json!({"aws": {"supportedRemoteRegions": regions}});
    let many: Vec<String> = (0..35).map(|number| format!("US_EAST_{number}")).collect();
    let namespaces: Vec<String> = (0..256).map(|number| format!("{}{number:03}", "a".repeat(60))).collect();
    for fields in [
        json!({"region": "eu-west-1"}),
        json!({"region": "us-gov-west-1"}),
        json!({"provider": "AZURE", "region": "US_EAST_2"}),
        json!({"provider": "GCP", "region": "CENTRAL_US", "gcp": {"portMapping": true}}),
        json!({"provider": "GCP", "region": "WESTERN_EUROPE", "gcp": {"portMapping": false}}),
        json!({"aws": {}}),
        remote(&[]),
        remote(&many),
        json!({ "allowedNamespaces": namespaces }),
        json!({"allowedNamespaces": ["*"]}),
        json!({"allowedNamespaces": ["team-a", "0"]}),
        json!({"adopt": "IfExists"}),
        json!({"adopt": "Never"}),
        json!({"adopt": "Only", "managementPolicy": "Observe"}),
        json!({"credentialsRef": {"name": "atlas.api-1"}}),
        json!({"deletionPolicy": "Delete"}),
        json!({"deletionPolicy": "Retain"}),
        json!({"suspend": true}),
        json!({"interval": "30s", "progressDeadline": "1s"}),
        json!({"outputConfigMap": {"name": "orders-service"}}),
    ] {
        fixture.try_create(fields.clone()).await.unwrap_or_else(|refusal| panic!("{fields}: {refusal:?}"));
    }
    let made = fixture.create(remote(&[])).await.unwrap();
    assert_eq!(made.spec["aws"], json!({"supportedRemoteRegions": []}), "an empty list is not an absent one");
}

#[tokio::test]
async fn each_forbidden_value_of_a_service_is_rejected_with_a_message() {
    let fixture = AdmissionFixture::of_services().await;
    let project = "`projectId` must be the id of an Atlas project: 24 lower-case hexadecimal digits";
    let namespaces = "`allowedNamespaces` must be names of namespaces, or '*' for all";
    let remote = "`supportedRemoteRegions` must be regions as Atlas spells them, such as 'EU_WEST_1'";
    let gcp_required =
        "`gcp` must be set when `provider` is 'GCP'; set `gcp.portMapping` to true, or to false";
    for (fields, place, words) in [
        (json!({"projectId": "32B6E34B3D91647ABB20E7B8"}), "projectId", project),
        (json!({"provider": "aws"}), "provider", r#"supported values: "AWS", "AZURE", "GCP""#),
        (json!({"region": ""}), "region", REGION),
        (json!({"region": "EU-WEST-1"}), "region", REGION),
        (json!({"region": "eu_west_1"}), "region", REGION),
        (json!({"region": "1EU"}), "region", REGION),
        (json!({"region": "EU_WEST_1\n"}), "region", REGION),
        (json!({"provider": "AZURE", "region": "eastus2"}), "region", REGION),
        (json!({"provider": "GCP", "region": "us-central1", "gcp": {"portMapping": true}}), "region", REGION),
        (json!({"provider": "GCP", "region": "CENTRAL_US"}), "gcp", gcp_required),
        (
            json!({"gcp": {"portMapping": true}}),
            "gcp",
            "`gcp` may only be set when `provider` is 'GCP'; remove it",
        ),
        (json!({"provider": "GCP", "region": "CENTRAL_US", "gcp": {}}), "gcp.portMapping", "Required value"),
        (
            json!({"provider": "AZURE", "aws": {}}),
            "aws",
            "`aws` may only be set when `provider` is 'AWS'; remove it",
        ),
        (json!({"aws": {"supportedRemoteRegions": ["eu-west-1"]}}), "aws.supportedRemoteRegions", remote),
        (
            json!({"aws": {"supportedRemoteRegions": ["EU_WEST_1", "EU_WEST_1"]}}),
            "aws.supportedRemoteRegions[1]",
            "Duplicate value",
        ),
        (json!({"allowedNamespaces": ["team_a"]}), "allowedNamespaces", namespaces),
        (json!({"allowedNamespaces": ["team-*"]}), "allowedNamespaces", namespaces),
        (json!({"allowedNamespaces": ["a.b"]}), "allowedNamespaces", namespaces),
        (json!({"allowedNamespaces": [""]}), "allowedNamespaces", namespaces),
        (json!({"adopt": "Always"}), "adopt", r#"supported values: "IfExists", "Never", "Only""#),
        (json!({"deletionPolicy": "Orphan"}), "deletionPolicy", r#"supported values: "Delete", "Retain""#),
        (json!({"managementPolicy": "Read"}), "managementPolicy", r#"supported values: "Manage", "Observe""#),
        (json!({"interval": "29s"}), "interval", "`interval` must be a duration of at least 30s"),
        (json!({"interval": "1d"}), "interval", "`interval` must be a duration of at least 30s"),
        (
            json!({"progressDeadline": "0"}),
            "progressDeadline",
            "`progressDeadline` must be a duration of more than 0s",
        ),
        (
            json!({"credentialsRef": {"name": "A"}}),
            "credentialsRef.name",
            "`name` must be the name of a Secret",
        ),
        (
            json!({"outputConfigMap": {"name": "A"}}),
            "outputConfigMap.name",
            "`name` must be the name of a ConfigMap",
        ),
    ] {
        assert_refused(fixture.try_create(fields).await, &format!("spec.{place}"), words);
    }
    let many: Vec<String> = (0..36).map(|number| format!("US_EAST_{number}")).collect();
    let refused = fixture.try_create(json!({"aws": {"supportedRemoteRegions": many}})).await;
    assert_refused(refused, "spec.aws.supportedRemoteRegions", "must have at most 35 items");
}

#[tokio::test]
async fn a_missing_part_of_the_key_is_named() {
    let fixture = AdmissionFixture::of_services().await;
    for field in ["projectId", "provider", "region"] {
        let mut fields = json!({});
        fields[field] = Value::Null;
        assert_refused(fixture.try_create(fields).await, &format!("spec.{field}"), "Required value");
    }
}

#[tokio::test]
async fn null_in_a_service_is_the_same_as_absent() {
    let fixture = AdmissionFixture::of_services().await;
    let nulls = json!({
        "gcp": null, "aws": null, "allowedNamespaces": null, "adopt": null, "credentialsRef": null, "deletionPolicy": null,
        "managementPolicy": null, "suspend": null, "interval": null, "progressDeadline": null, "outputConfigMap": null,
    });
    let with_nulls = fixture.create(nulls).await.unwrap();
    let without = fixture.create(json!({})).await.unwrap();
    assert_eq!(with_nulls.spec, without.spec);
    let inner = fixture.create(json!({"aws": {"supportedRemoteRegions": null}})).await.unwrap();
    assert_eq!(inner.spec["aws"], json!({}));
}

#[tokio::test]
async fn the_key_of_a_service_never_changes() {
    let fixture = AdmissionFixture::of_services().await;
    let made = fixture.create(json!({})).await.unwrap();
    for (field, value, what) in [
        ("projectId", "32b6e34b3d91647abb20e7b9", "project"),
        ("provider", "AZURE", "provider"),
        ("region", "EU_WEST_2", "region"),
        // The same region, and another key in the manifest.
        ("region", "eu-west-1", "region"),
    ] {
        let mut fields = json!({});
        fields[field] = value.into();
        let words =
            format!("`{field}` is immutable; create another PrivateEndpointService for another {what}");
        assert_refused(fixture.edit(&made, fields).await, &format!("spec.{field}"), &words);
    }
    let gcp = json!({"provider": "GCP", "region": "CENTRAL_US", "gcp": {"portMapping": true}});
    let made = fixture.create(gcp).await.unwrap();
    let words =
        "`portMapping` is immutable, because the two forms are two services in Atlas; create another object";
    let legacy = fixture.edit(&made, json!({"gcp": {"portMapping": false}})).await;
    assert_refused(legacy, "spec.gcp.portMapping", words);
    let without = fixture.edit(&made, json!({"gcp": null})).await;
    assert_refused(without, "spec.gcp", "`gcp` must be set when `provider` is 'GCP'");
}

#[tokio::test]
async fn everything_else_of_a_service_may_change() {
    let fixture = AdmissionFixture::of_services().await;
    let made = fixture.create(json!({})).await.unwrap();
    for fields in [
        json!({"aws": {}}),
        json!({"aws": {"supportedRemoteRegions": []}}),
        json!({"aws": {"supportedRemoteRegions": ["US_EAST_1"]}}),
        json!({"aws": {"supportedRemoteRegions": null}}),
        json!({"aws": null}),
        json!({"allowedNamespaces": ["team-a"]}),
        json!({"allowedNamespaces": ["*"]}),
        json!({"allowedNamespaces": null}),
        json!({"adopt": "Never"}),
        json!({"adopt": "Only"}),
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
async fn every_text_of_atlas_is_stored_in_the_status_of_a_service() {
    let fixture = AdmissionFixture::of_services().await;
    let made = fixture.create(json!({})).await.unwrap();
    let many: Vec<String> = (0..500).map(|number| format!("{number}{}", "long ".repeat(10))).collect();
    let status = json!({
        "serviceId": "an id of another shape, because Atlas makes the ids",
        "regionName": "",
        "status": "A_WORD_OF_TOMORROW",
        "errorMessage": "zeile\nzwei \u{1f50c}".repeat(1000),
        "endpointServiceName": "com.amazonaws.vpce.eu-west-1.vpce-svc-0afd34ee97e30d43f",
        "privateLinkServiceName": "pls_x",
        "privateLinkServiceResourceId": "/subscriptions/x",
        "serviceAttachmentNames": many,
        "supportedRemoteRegions": ["the same", "the same"],
        "endpointIds": ["vpce-0a", "vpce-0a", "/subscriptions/x"],
        "provenance": "AnotherWord",
        "recordedBy": "",
        "settledClaim": "any text",
        "observedGeneration": i64::MAX,
        "lastHandledReconcileAt": "any text",
        "conditions": [condition("Ready", &"m".repeat(40_000)), condition("no CamelCase", "")],
    });
    assert_eq!(fixture.report(&made, status.clone()).await.unwrap().status, status);
    let wiped = fixture.report_whole(&made, json!({"status": null})).await.unwrap();
    assert_eq!(wiped.status, json!({"observedGeneration": -1}));
}

#[tokio::test]
async fn services_are_selected_by_project_and_region() {
    let fixture = AdmissionFixture::of_services().await;
    let made = fixture.create(json!({})).await.unwrap();
    fixture.create(json!({"region": "EU_WEST_2"})).await.unwrap();
    let fields = "spec.projectId=32b6e34b3d91647abb20e7b8,spec.region=EU_WEST_1";
    let found = fixture.objects.list(&ListParams::default().fields(fields)).await.unwrap();
    let names: Vec<_> = found.items.iter().filter_map(|object| object.metadata.name.as_deref()).collect();
    assert_eq!(names, [made.name]);
}

#[tokio::test]
async fn kubectl_get_shows_the_columns_of_a_service() {
    let fixture = AdmissionFixture::of_services().await;
    let made = fixture.create(json!({})).await.unwrap();
    let status = json!({
        "serviceId": "6a793f68c0eb9e7a17715835",
        "status": "AVAILABLE",
        "endpointServiceName": "com.amazonaws.vpce.x",
        "provenance": "Created",
        "conditions": [condition("Synced", "not this one"), condition("Ready", "the message")],
    });
    fixture.report(&made, status).await.unwrap();
    let expected = [
        ("NAME", made.name.as_str()),
        ("READY", "False"),
        ("STATUS", "AVAILABLE"),
        ("REASON", "AwaitingVpcEndpoint"),
        ("PROVIDER", "AWS"),
        ("REGION", "EU_WEST_1"),
        ("ID", "6a793f68c0eb9e7a17715835"),
        ("SERVICE-NAME", "com.amazonaws.vpce.x"),
        ("PROVENANCE", "Created"),
        ("MESSAGE", "the message"),
    ];
    let shown = fixture.columns().await;
    assert_eq!(shown, expected.map(|(header, cell)| (header.to_owned(), cell.to_owned())));
}
