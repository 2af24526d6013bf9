//! Tests which fields of an object are decoded, and that no other field can make decoding fail.

use kube::Resource;
use serde_json::{Value, json};

use super::*;
use crate::runtime::example::Example;

fn manifest() -> Value {
    json!({
        "apiVersion": "atlas.spe-operator.io/v1alpha1",
        "kind": "Example",
        "metadata": {
            "name": "orders", "namespace": "shop", "uid": "u-1", "resourceVersion": "7", "generation": 3,
            "creationTimestamp": "2026-01-01T00:00:00Z", "deletionTimestamp": "2026-01-02T00:00:00Z",
            "finalizers": ["atlas.spe-operator.io/endpoint"],
            "annotations": {"reconcile.fluxcd.io/requestedAt": "now", "kubectl.kubernetes.io/last-applied-configuration": "{}"},
            "labels": {"app": "orders"},
            "ownerReferences": [{"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": "u-2"}],
            "managedFields": [{"manager": "kubectl"}]
        },
        "spec": {"projectId": "32b6e34b3d91647abb20e7b8"},
        "status": {"_id": "5f0", "status": "AVAILABLE", "observedGeneration": 3, "conditions": [{
            "type": "Ready", "status": "True", "reason": "Available", "message": "ü", "observedGeneration": 3,
            "lastTransitionTime": "2026-01-01T00:00:00Z"
        }]}
    })
}

/// Returns the manifest with this JSON in this field of its metadata.
fn with(field: &str, json: &str) -> String {
    let mut manifest = manifest();
    manifest["metadata"][field] = json!("PLACE");
    manifest.to_string().replace("\"PLACE\"", json)
}

fn nested(depth: usize) -> String {
    format!("{}1{}", "{\"f:a\":".repeat(depth), "}".repeat(depth))
}

fn why(json: &str) -> String {
    object::<Example>(json).unwrap_err().why
}

#[test]
fn an_object_keeps_all_fields_that_are_read() {
    let mut kept = manifest();
    for dropped in ["labels", "ownerReferences", "managedFields"] {
        kept["metadata"].as_object_mut().unwrap().remove(dropped).unwrap();
    }
    let annotations = kept["metadata"]["annotations"].as_object_mut().unwrap();
    annotations.remove("kubectl.kubernetes.io/last-applied-configuration").unwrap();
    let kept: Example = serde_json::from_value(kept).unwrap();
    let read = object::<Example>(&manifest().to_string()).unwrap();
    assert_eq!(serde_json::to_value(&read).unwrap(), serde_json::to_value(&kept).unwrap());
    assert_eq!(read.trigger(), kept.trigger());
}

#[test]
fn a_stripped_object_is_restored_as_it_was_decoded() {
    let long = format!("\"v1/{}\"", "x\\\"\\n".repeat(MAX_ANNOTATION));
    let claim = format!("{{\"{}\": {long}, \"other\": 7}}", Example::CLAIM);
    let without_status = manifest().to_string().replace("\"status\":{\"_id\"", "\"never\":{\"_id\"");
    for json in [
        manifest().to_string(),
        without_status,
        with("annotations", &claim),
        with("annotations", "null"),
        with("finalizers", "[]"),
        with("finalizers", "null"),
        with("deletionTimestamp", "\"9999-12-31T23:59:59Z\""),
        with("deletionTimestamp", "\"\""),
        with("generation", "null"),
    ] {
        let (object, names, stripped) = stripped::<Example>(&json).unwrap();
        let restored = restored::<Example>(names, &stripped).unwrap();
        assert_eq!(
            serde_json::to_value(&restored).unwrap(),
            serde_json::to_value(&object).unwrap(),
            "{json}"
        );
        assert_eq!(restored.trigger(), object.trigger());
        for never_read in
            ["labels", "managedFields", "ownerReferences", "last-applied", "\"other\"", "orders"]
        {
            assert!(!stripped.contains(never_read), "{never_read} is in {stripped}");
        }
    }
}

#[test]
fn an_unread_field_never_makes_decoding_fail() {
    let time = r#"{"manager": "x", "time": "9999-12-31T23:59:59Z", "fieldsV1": {}}"#;
    let deep = format!(r#"{{"manager": "x", "fieldsV1": {}}}"#, nested(100_000));
    for (field, json) in [
        ("managedFields", format!("[{time}]")),
        ("managedFields", format!("[{deep}]")),
        ("managedFields", "7".to_owned()),
        ("labels", nested(300)),
        ("labels", r#"{"a": 1, "a": 2}"#.to_owned()),
        ("ownerReferences", format!("[{}]", nested(300))),
        ("creationTimestamp", "\"+262143-01-01T00:00:00Z\"".to_owned()),
        ("deletionTimestamp", "\"9999-12-31T23:59:59Z\"".to_owned()),
        ("deletionGracePeriodSeconds", "1e400".to_owned()),
        ("annotations", format!(r#"{{"other": {}}}"#, nested(300))),
        ("selfLink", "123456789012345678901234567890".to_owned()),
    ] {
        let read = object::<Example>(&with(field, &json)).unwrap();
        assert_eq!(read.metadata.name.as_deref(), Some("orders"), "{field}");
        assert!(read.metadata.deletion_timestamp.is_some(), "{field}");
    }
}

#[test]
fn an_unreadable_object_has_its_name_and_a_reason() {
    let long = |length: usize| "x".repeat(length);
    let annotation = |length| format!(r#"{{"atlas.spe-operator.io/take-over": "{}"}}"#, long(length));
    assert!(object::<Example>(&with("annotations", &annotation(2048))).is_ok());
    for (json, expected) in [
        (with("generation", "\"three\""), "metadata: invalid type: string \"three\""),
        (with("finalizers", "{}"), "metadata: invalid type: map"),
        (
            with("annotations", &annotation(2049)),
            "metadata: the annotation atlas.spe-operator.io/take-over has more than 2048 bytes",
        ),
        (
            with("finalizers", &format!("[\"{}\"]", long(4097))),
            "metadata: the finalizers have more than 4096 bytes",
        ),
        (
            manifest().to_string().replace("\"32b6e34b3d91647abb20e7b8\"", "7"),
            "spec: invalid type: integer `7`",
        ),
        (manifest().to_string().replace("\"AVAILABLE\"", &nested(200)), "status: "),
        (manifest().to_string().replace("\"AVAILABLE\"", "7"), "status: invalid type: integer `7`"),
        (manifest().to_string().replace("\"spec\":", "\"spoc\":"), "it has no spec"),
    ] {
        let unreadable = object::<Example>(&json).unwrap_err();
        assert!(unreadable.why.starts_with(expected), "{} does not start with {expected}", unreadable.why);
        let ObjectMeta { name, namespace, uid, resource_version, .. } = unreadable.metadata;
        let names = [name, namespace, uid, resource_version].map(Option::unwrap);
        assert_eq!(names, ["orders", "shop", "u-1", "7"], "{expected}");
    }
    let all = with("generation", &format!("\"{}\"", "ü".repeat(10_000)));
    assert!(why(&all).len() <= MAX_REASON);
}

#[test]
fn the_reason_does_not_depend_on_the_length_of_a_field() {
    let annotation = |key: &str, bytes: usize| {
        let mut manifest = manifest();
        manifest["metadata"]["annotations"] = json!({"a": "b".repeat(bytes), key: "x".repeat(bytes)});
        why(&manifest.to_string())
    };
    let key = "reconcile.fluxcd.io/requestedAt";
    assert_eq!(annotation(key, MAX_ANNOTATION + 1), annotation(key, MAX_ANNOTATION + 2));
    let spec = |comment: &str| {
        let mut manifest = manifest();
        manifest["spec"] = json!({"comment": comment, "projectId": 7});
        why(&manifest.to_string())
    };
    assert_eq!(spec("short"), spec("a longer one"));
}

#[test]
fn the_longest_claim_is_kept_in_full() {
    use domain::dedicated::claim::{ClaimReading, ClaimTarget};
    use domain::dedicated::life::Life;
    use domain::token::{ClusterId, Token};

    let cluster: ClusterId = "c".repeat(63).parse().unwrap();
    let token = Token::of(&cluster, "shop", "orders");
    let endpoint = format!("/{}", "ä".repeat(255)).parse().unwrap();
    let life = Life { service: "5f7cac1adf5d6c6306f4b283".parse().unwrap(), endpoint: Some(endpoint) };
    let target = ClaimTarget::Delete(life);
    let claim = format!("v1/{token}/{}/{}/{cluster}/{target}", "n".repeat(64), "u".repeat(64));
    let read =
        object::<Example>(&with("annotations", &json!({ Example::CLAIM: claim }).to_string())).unwrap();
    let kept = read.meta().annotations.as_ref().and_then(|all| all.get(Example::CLAIM)).unwrap();
    assert_eq!(ClaimReading::of(Some(kept), &token, &cluster).target(), Some(&target));
}

#[test]
fn a_long_claim_is_condensed_to_a_unique_short_text() {
    let kept = |claim: &str| {
        let json = serde_json::json!({ Example::CLAIM: claim }).to_string();
        object::<Example>(&with("annotations", &json)).unwrap().metadata.annotations.unwrap()[Example::CLAIM]
            .clone()
    };
    let [one, other] = ["x", "y"].map(|letter| letter.repeat(240_000));
    assert!(kept(&one).len() <= 64);
    assert_eq!(kept(&one), kept(&one));
    assert_ne!(kept(&one), kept(&other));
    assert_eq!(kept("v1/short"), "v1/short");
}

#[test]
fn a_text_that_is_no_object_has_no_name() {
    for json in ["", "7", "[]", "{}", "{\"metadata\": 7}", "{\"metadata\": {\"name\": 7}}", "<html>"] {
        let unreadable = object::<Example>(json).unwrap_err();
        assert_eq!(unreadable.metadata, ObjectMeta::default(), "{json}");
        assert!(!unreadable.why.is_empty());
    }
}

#[test]
fn only_our_annotations_are_kept() {
    let annotations =
        |json: &str| object::<Example>(&with("annotations", json)).unwrap().metadata.annotations;
    assert_eq!(annotations("null"), None);
    assert_eq!(annotations("{}"), Some(BTreeMap::new()));
    assert_eq!(annotations(r#"{"other": "x"}"#), Some(BTreeMap::new()));
    let claim = r#"{"other": "x", "atlas.spe-operator.io/claim": "v1\/ü"}"#;
    assert_eq!(annotations(claim).unwrap().into_values().collect::<Vec<_>>(), ["v1/ü"]);
}

#[test]
fn a_secret_is_decoded_to_its_four_entries() {
    let json = format!(
        r#"{{"kind": "Secret", "metadata": {{"name": "key", "uid": "u", "resourceVersion": "7",
            "managedFields": [{{"time": "9999-12-31T23:59:59Z", "fieldsV1": {}}}]}},
            "data": {{"publicApiKey": "cHVibGlj", "privateApiKey": null, "other": {}}}}}"#,
        nested(300),
        nested(300),
    );
    let read = secret(&json).unwrap();
    assert_eq!(read.resource_version, "7");
    assert_eq!(read.entry("publicApiKey"), Some(b"public".as_slice()));
    assert_eq!(
        (read.entry("privateApiKey"), read.entry("clientId"), read.entry("other")),
        (None, None, None)
    );
    for data in ["7", "{\"publicApiKey\": 7}", "{\"publicApiKey\": \"not base64\"}"] {
        let json = format!(r#"{{"metadata": {{"resourceVersion": "7"}}, "data": {data}}}"#);
        assert!(secret(&json).is_none(), "{data}");
    }
    assert!(secret("<html>").is_none());
}

#[test]
fn a_config_map_is_decoded_to_its_entries_and_its_owner() {
    let json = |owners: &str| {
        format!(
            r#"{{"metadata": {{"name": "out", "uid": "u", "resourceVersion": "7", "ownerReferences": {owners},
                "managedFields": [{{"time": "9999-12-31T23:59:59Z"}}]}},
                "data": {{"id": "5f0"}}, "binaryData": {}}}"#,
            nested(300)
        )
    };
    let owned = r#"[{"uid": "a"}, {"uid": "b", "controller": true, "kind": 7}]"#;
    let read = config_map(&json(owned)).unwrap();
    assert_eq!((read.uid.as_str(), read.controller.as_deref()), ("u", Some("b")));
    assert_eq!(read.data.get("id").map(String::as_str), Some("5f0"));
    assert_eq!(config_map(&json("null")).unwrap().controller, None);
    assert!(config_map("<html>").is_none());
}
