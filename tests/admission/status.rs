//! The status: every report of the operator is accepted, and people see it in `kubectl get`.

use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};

use crate::fixture::{AdmissionFixture, ENDPOINT, Refusal};

pub(crate) fn condition(kind: &str, message: &str) -> Value {
    json!({
        "type": kind, "status": "False", "reason": "AwaitingVpcEndpoint", "message": message,
        "observedGeneration": 1, "lastTransitionTime": "2026-01-22T00:00:00Z",
    })
}

#[tokio::test]
async fn every_text_of_atlas_is_stored_in_the_status() {
    let fixture = AdmissionFixture::new().await;
    let made = fixture.create(json!({})).await.unwrap();
    let status = json!({
        "_id": "an id of another shape, because Atlas makes the ids",
        "cloudProviderEndpointId": "",
        "comment": format!("{} [k8s:abcdefghijklmnop]", "long ".repeat(1000)),
        "endpointServiceName": "com.amazonaws.vpce.us-east-1.vpce-svc-0afd34ee97e30d43f",
        "errorMessage": "zeile\nzwei \u{1f50c}".repeat(1000),
        "status": "A_WORD_OF_TOMORROW",
        "observedGeneration": i64::MAX,
        "lastHandledReconcileAt": "any text",
        "conditions": [condition("Ready", &"m".repeat(40_000)), condition("no CamelCase", "")],
    });
    assert_eq!(fixture.report(&made, status.clone()).await.unwrap().status, status);
}

#[tokio::test]
async fn a_wiped_status_counts_as_unobserved() {
    let fixture = AdmissionFixture::new().await;
    let made = fixture.create(json!({})).await.unwrap();
    fixture.report(&made, json!({"_id": ENDPOINT, "observedGeneration": 1})).await.unwrap();
    let wiped = fixture.report_whole(&made, json!({"status": null})).await.unwrap();
    assert_eq!(wiped.status, json!({"observedGeneration": -1}));
    fixture.report(&made, json!({"_id": ENDPOINT, "observedGeneration": 1})).await.unwrap();
    let removed = fixture.report(&made, json!({"observedGeneration": null})).await.unwrap();
    assert_eq!(removed.status, json!({"_id": ENDPOINT, "observedGeneration": -1}));
}

/// The record of a new endpoint: into a status that holds only the default.
#[tokio::test]
async fn an_id_is_recorded_with_the_test_that_none_is_recorded() {
    let fixture = AdmissionFixture::new().await;
    let made = fixture.create(json!({})).await.unwrap();
    let record = |id: &str| {
        let operations = json!([
            {"op": "test", "path": "/status/_id", "value": null},
            {"op": "add", "path": "/status/_id", "value": id},
        ]);
        Patch::<()>::Json(serde_json::from_value(operations).unwrap())
    };
    let params = PatchParams::default();
    let recorded = fixture.objects.patch_status(&made.name, &params, &record(ENDPOINT)).await.unwrap();
    assert_eq!(recorded.data["status"]["_id"], ENDPOINT);
    let again = fixture.objects.patch_status(&made.name, &params, &record("another")).await.unwrap_err();
    assert!(matches!(again, kube::Error::Api(status) if status.is_invalid()));
}

#[tokio::test]
async fn null_in_the_status_is_the_same_as_absent() {
    let fixture = AdmissionFixture::new().await;
    let made = fixture.create(json!({})).await.unwrap();
    let operations = json!([{"op": "add", "path": "/status/errorMessage", "value": null}]);
    let patch = Patch::<()>::Json(serde_json::from_value(operations).unwrap());
    let reported = fixture.objects.patch_status(&made.name, &PatchParams::default(), &patch).await.unwrap();
    assert_eq!(reported.data["status"], json!({"observedGeneration": -1}));
}

#[tokio::test]
async fn values_that_would_break_our_decoding_are_rejected() {
    let fixture = AdmissionFixture::new().await;
    let made = fixture.create(json!({})).await.unwrap();
    let mut garbled = condition("Ready", "");
    garbled["lastTransitionTime"] = json!("yesterday");
    let mut incomplete = condition("Ready", "");
    incomplete.as_object_mut().unwrap().remove("lastTransitionTime");
    for (conditions, words) in [
        (json!([garbled]), "must be of type date-time"),
        (json!([incomplete]), "status.conditions[0].lastTransitionTime: FieldValueRequired"),
        (
            json!([condition("Ready", "one"), condition("Ready", "two")]),
            "status.conditions[1]: FieldValueDuplicate",
        ),
    ] {
        let Err(Refusal(causes)) = fixture.report(&made, json!({ "conditions": conditions })).await else {
            panic!("accepted: {conditions}")
        };
        assert!(causes.contains(words), "expected {words:?}, found:\n{causes}");
    }
}

#[tokio::test]
async fn kubectl_get_shows_the_columns_of_the_manual() {
    let fixture = AdmissionFixture::new().await;
    let made = fixture.create(json!({})).await.unwrap();
    let status = json!({
        "_id": ENDPOINT,
        "status": "RESERVED",
        "cloudProviderEndpointId": "vpce-1a2b3c4d",
        "endpointServiceName": "com.amazonaws.vpce.x",
        "conditions": [condition("Synced", "not this one"), condition("Ready", "make a VPC endpoint")],
    });
    fixture.report(&made, status).await.unwrap();
    let shown = fixture.columns().await;
    let expected = [
        ("NAME", made.name.as_str()),
        ("READY", "False"),
        ("STATUS", "RESERVED"),
        ("REASON", "AwaitingVpcEndpoint"),
        ("INSTANCE", "orders"),
        ("ID", ENDPOINT),
        ("VPC-ENDPOINT", "vpce-1a2b3c4d"),
        ("SERVICE-NAME", "com.amazonaws.vpce.x"),
        ("MESSAGE", "make a VPC endpoint"),
    ];
    assert_eq!(shown, expected.map(|(header, cell)| (header.to_owned(), cell.to_owned())));
}
