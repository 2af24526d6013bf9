//! Creating manifests: what is defaulted, accepted and rejected.

use domain::dedicated::service::Provider;
use domain::reference::EndpointSource;
use serde_json::{Value, json};
use spe_operator::serverless::crd::parse_duration;

use crate::fixture::{AdmissionFixture, ENDPOINT, assert_refused};

#[tokio::test]
async fn the_smallest_manifest_gets_the_defaults_and_is_unobserved() {
    let fixture = AdmissionFixture::new().await;
    let made = fixture.create(json!({})).await.unwrap();
    assert_eq!(
        made.spec,
        json!({
            "projectId": "32b6e34b3d91647abb20e7b8",
            "instanceName": "orders",
            "deletionPolicy": "Delete",
            "managementPolicy": "Manage",
            "interval": "10m",
            "progressDeadline": "15m",
        })
    );
    assert_eq!(made.status, json!({"observedGeneration": -1}));
}

#[tokio::test]
async fn each_documented_value_is_accepted() {
    let fixture = AdmissionFixture::new().await;
    let reference = |api_version: &str, kind: &str, key: Option<&str>| {
        let mut reference = json!({"apiVersion": api_version, "kind": kind, "name": "orders.eu-1"});
        if let Some(key) = key {
            reference["key"] = key.into();
        }
        json!({ "cloudProviderEndpointRef": reference })
    };
    let mut manifests = vec![
        json!({"instanceName": "0rders-EU-1"}),
        json!({"comment": ""}),
        json!({"comment": "ö".repeat(79)}),
        json!({"comment": "[spe] k8s: orders"}),
        json!({"credentialsRef": {"name": "atlas.api-1"}}),
        json!({"credentialsRef": {"name": "a".repeat(253)}}),
        json!({"endpointId": ENDPOINT}),
        json!({"managementPolicy": "Observe", "endpointId": ENDPOINT}),
        json!({"deletionPolicy": "Retain"}),
        json!({"readyWhen": "Reserved"}),
        json!({"readyWhen": "Available"}),
        json!({"suspend": true}),
        json!({"interval": "30s", "progressDeadline": "1s"}),
        json!({"outputConfigMap": {"name": "orders-privatelink"}}),
        // The API page's own example has 19 digits; AWS uses 8 or 17.
        json!({"cloudProviderEndpointId": "vpce-fcac938279cd98dc894"}),
        json!({"cloudProviderEndpointId": "vpce-1a2b3c4d"}),
    ];
    for source in EndpointSource::ALL.into_iter().filter(|source| source.is_of(Provider::Aws)) {
        let (api_version, kind) = source.api_version_and_kind();
        let key = (source == EndpointSource::ConfigMap).then_some("vpc_endpoint.id-1");
        manifests.push(reference(api_version, kind, key));
    }
    for fields in manifests {
        fixture.try_create(fields.clone()).await.unwrap_or_else(|refusal| panic!("{fields}: {refusal:?}"));
    }
}

#[tokio::test]
async fn each_forbidden_value_is_rejected_with_a_message() {
    let fixture = AdmissionFixture::new().await;
    let project = "`projectId` must be the id of an Atlas project: 24 lower-case hexadecimal digits";
    let instance = "`instanceName` must be the name of an Atlas instance: letters, digits and '-'";
    let endpoint = "`endpointId` must be the id of an endpoint in Atlas: 24 lower-case hexadecimal digits";
    let vpc_endpoint = "`cloudProviderEndpointId` must be the id of a VPC endpoint: 'vpce-' and lower-case";
    for (field, bad, words) in [
        ("projectId", json!("production"), project),
        ("projectId", json!("32B6E34B3D91647ABB20E7B8"), project),
        ("projectId", json!("32b6e34b3d91647abb20e7b8\n"), project),
        ("projectId", json!(""), project),
        ("instanceName", json!("-orders"), instance),
        ("instanceName", json!("orders/../other"), instance),
        ("instanceName", json!("orders\n"), instance),
        ("instanceName", json!(""), instance),
        ("comment", json!("x".repeat(80)), "`comment` may have at most 79 characters"),
        (
            "comment",
            json!("mine [k8s:abcdefghijklmnop]"),
            "`comment` may not contain '[k8s:', which begins the mark",
        ),
        ("endpointId", json!("5f7cac1a"), endpoint),
        ("cloudProviderEndpointId", json!("vpce-"), vpc_endpoint),
        ("cloudProviderEndpointId", json!(""), vpc_endpoint),
        ("cloudProviderEndpointId", json!("vpce-0A1B2C3D"), vpc_endpoint),
        ("cloudProviderEndpointId", json!("https://vpce-0a1b2c3d"), vpc_endpoint),
        ("readyWhen", json!("Connected"), r#"supported values: "Reserved", "Available""#),
        ("deletionPolicy", json!("Orphan"), r#"supported values: "Delete", "Retain""#),
        ("managementPolicy", json!("ObserveOnly"), r#"supported values: "Manage", "Observe""#),
        (
            "managementPolicy",
            json!("Observe"),
            "`endpointId` must be set when `managementPolicy` is 'Observe'",
        ),
        (
            "interval",
            json!("29s"),
            "`interval` must be a duration of at least 30s, such as '90s', '10m' or '1h30m'",
        ),
        (
            "progressDeadline",
            json!("0"),
            "`progressDeadline` must be a duration of more than 0s, such as '90s'",
        ),
        ("progressDeadline", json!("-5m"), "`progressDeadline` must be a duration of more than 0s"),
    ] {
        let place = if bad == "Observe" { "spec.endpointId".to_owned() } else { format!("spec.{field}") };
        let mut fields = json!({});
        fields[field] = bad;
        assert_refused(fixture.try_create(fields).await, &place, words);
    }
}

#[tokio::test]
async fn a_missing_project_or_instance_is_named() {
    let fixture = AdmissionFixture::new().await;
    for field in ["projectId", "instanceName"] {
        let mut fields = json!({});
        fields[field] = Value::Null;
        let Err(refusal) = fixture.try_create(fields).await else { panic!("accepted without {field}") };
        assert!(refusal.0.starts_with(&format!("spec.{field}: FieldValueRequired: ")), "{refusal:?}");
    }
}

#[tokio::test]
async fn null_is_the_same_as_absent() {
    let fixture = AdmissionFixture::new().await;
    let nulls = json!({
        "comment": null, "credentialsRef": null, "endpointId": null, "cloudProviderEndpointId": null,
        "cloudProviderEndpointRef": null, "readyWhen": null, "deletionPolicy": null, "managementPolicy": null,
        "suspend": null, "interval": null, "progressDeadline": null, "outputConfigMap": null,
    });
    let with_nulls = fixture.create(nulls).await.unwrap();
    let without = fixture.create(json!({})).await.unwrap();
    assert_eq!(with_nulls.spec, without.spec);
}

#[tokio::test]
async fn a_duration_is_kept_as_typed_and_read_as_the_api_server_reads_it() {
    let fixture = AdmissionFixture::new().await;
    for text in [
        "30s",
        "90s",
        "10m",
        "1h30m",
        "30m1h",
        "+40s",
        "0.5h",
        ".5h",
        "30.s",
        "30000ms",
        "30000000\u{b5}s",
        "30000000\u{3bc}s",
        "30000000000ns",
        "29.9s",
        "30.000000000s",
        "2562047h",
        "2562048h",
        "10000000000h",
        "0",
        "-0",
        "-40s",
        "",
        "30",
        "30 s",
        "1d",
        "1w",
        "1H",
        "PT30S",
        "1h-30m",
        "1e2s",
        "1.2.3m",
        ".s",
        "s",
        "--40s",
    ] {
        let ours = parse_duration(text).is_ok_and(|duration| duration.as_secs() >= 30);
        let theirs = fixture.try_create(json!({ "interval": text })).await;
        assert_eq!(ours, theirs.is_ok(), "{text:?}: {theirs:?}");
        match theirs {
            Ok(made) => assert_eq!(made.spec["interval"], text),
            refused => {
                assert_refused(refused, "spec.interval", "`interval` must be a duration of at least 30s");
            }
        }
    }
}

#[tokio::test]
async fn an_invalid_duration_is_rejected_with_our_message() {
    let fixture = AdmissionFixture::new().await;
    for (field, least) in [("interval", "at least 30s"), ("progressDeadline", "more than 0s")] {
        for text in ["1d", "10", "10 m", "10min", "", "ten minutes"] {
            let mut fields = json!({});
            fields[field] = text.into();
            let words =
                format!("Invalid value: {text:?}: `{field}` must be a duration of {least}, such as '90s'");
            assert_refused(fixture.try_create(fields).await, &format!("spec.{field}"), &words);
        }
    }
}
