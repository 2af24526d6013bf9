//! Invalid input that the API server cannot detect: each has a condition that names the problem, and no request is sent
//! to Atlas for it.

use std::time::Duration;

use atlas_simulator::Operation::{self, Create, Delete, GetInstance, List, Update};
use atlas_simulator::{DEFAULT_INSTANCE, DEFAULT_PRIVATE_KEY, DEFAULT_PUBLIC_KEY, Endpoint, JournalEntry};
use domain::status::ConditionType;
use domain::status::ConditionType::{Ready, Synced};
use domain::status::Reason;
use domain::status::Reason::*;
use futures::StreamExt;
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::Api;
use kube::api::{ObjectMeta, PostParams};
use serde_json::{Value, json};
use test_support::{Fixture, condition};

use crate::faults::versions::Versions;
use crate::reasons;

/// The error of an object, or of an object that it refers to.
struct BadInput {
    name: &'static str,
    /// The entries of its Secret; `None`: there is none.
    secret: Option<&'static [(&'static str, &'static [u8])]>,
    annotations: &'static str,
    /// The spec besides project and instance.
    spec: &'static str,
    /// The entries of the `ConfigMap` that bears the object's name; `None`: there is none.
    map: Option<&'static [(&'static str, &'static str)]>,
    says: (ConditionType, Reason, &'static [&'static str]),
    /// The operations that Atlas never receives.
    never: &'static [Operation],
}

const ANYTHING: &[Operation] = &[List, Create, Update, Delete, GetInstance];
const WRITES: &[Operation] = &[Create, Update, Delete];

/// A valid Secret.
const GOOD: &[(&str, &[u8])] =
    &[("publicApiKey", DEFAULT_PUBLIC_KEY.as_bytes()), ("privateApiKey", DEFAULT_PRIVATE_KEY.as_bytes())];

/// Valid input.
const INPUT: BadInput = BadInput {
    name: "",
    secret: Some(GOOD),
    annotations: "{}",
    spec: r#"{"credentialsRef": {"name": "NAME"}}"#,
    map: None,
    says: (Ready, Reserved, &[]),
    never: &[],
};

/// Unusable credentials.
const fn secret(
    name: &'static str,
    entries: Option<&'static [(&'static str, &'static [u8])]>,
    words: &'static [&'static str],
) -> BadInput {
    BadInput { name, secret: entries, says: (Ready, CredentialsNotFound, words), never: ANYTHING, ..INPUT }
}

/// A `ConfigMap` without a VPC endpoint id.
const fn reference(
    name: &'static str,
    map: Option<&'static [(&'static str, &'static str)]>,
    words: &'static [&'static str],
) -> BadInput {
    BadInput {
        name,
        map,
        spec: r#"{"credentialsRef": {"name": "NAME"}, "cloudProviderEndpointRef": {"apiVersion": "v1", "kind": "ConfigMap", "name": "NAME", "key": "vpce"}}"#,
        says: (Ready, ReferenceNotFound, words),
        never: &[Update],
        ..INPUT
    }
}

/// The id of an endpoint with another owner's mark.
const FOREIGN: &str = "5f0000000000000000000001";

#[rustfmt::skip]
const INPUTS: &[BadInput] = &[
    secret("no-secret", None, &["Secret no-secret does not exist", "create it"]),
    secret("empty-secret", Some(&[]), &["publicApiKey and privateApiKey, or clientId and clientSecret, are missing"]),
    secret("no-private-key", Some(&[("publicApiKey", b"abcdefgh")]), &["privateApiKey is missing", "add it"]),
    secret("no-client-id", Some(&[("clientSecret", b"mdb_sa_sk_1")]), &["clientId is missing", "add it"]),
    secret("mixed-pair", Some(&[("publicApiKey", b"abcdefgh"), ("clientSecret", b"mdb_sa_sk_1")]), &["is missing"]),
    secret("blank-key", Some(&[("publicApiKey", b"abcdefgh"), ("privateApiKey", b" \n")]), &["cannot be used", "correct them"]),
    secret("key-of-two-lines", Some(&[("publicApiKey", b"abcd\nefgh"), ("privateApiKey", b"secret")]), &["cannot be used"]),
    secret("key-not-text", Some(&[("publicApiKey", b"\xff\xfe"), ("privateApiKey", b"secret")]), &["is not text"]),
    BadInput { name: "no-reference", spec: "{}", says: (Ready, CredentialsNotFound, &["spec.credentialsRef is not set"]), never: ANYTHING, ..INPUT },
    reference("no-map", None, &["ConfigMap no-map", "does not exist", "create it"]),
    reference("no-entry", Some(&[("other", "vpce-0a1b2c3d4e5f60718")]), &["has no entry vpce", "add it"]),
    reference("empty-entry", Some(&[("vpce", "")]), &["entry vpce of ConfigMap empty-entry", "correct it"]),
    reference("service-name", Some(&[("vpce", "com.amazonaws.vpce.us-east-1.vpce-svc-0a1b2c3d4e5f60718")]), &["another text of 55 characters", "correct it"]),
    reference("upper-case", Some(&[("vpce", "VPCE-0A1B2C3D4E5F60718")]), &["another text of 22 characters", "correct it"]),
    BadInput {
        name: "unreadable-claim",
        annotations: r#"{"atlas.spe-operator.io/claim": "v9/what/is/this"}"#,
        says: (Ready, Creating, &["the outcome of an earlier create request is unknown"]),
        never: WRITES,
        ..INPUT
    },
    BadInput {
        name: "empty-claim",
        annotations: r#"{"atlas.spe-operator.io/claim": ""}"#,
        says: (Ready, Creating, &["the outcome of an earlier create request is unknown"]),
        never: WRITES,
        ..INPUT
    },
    BadInput {
        name: "foreign-claim",
        annotations: r#"{"atlas.spe-operator.io/claim": "v1/aaaaaaaaaaaaaaaa/aaaaaaaaaaaaaaaaaaaaaaaaaa/6d9a3c9e-0000-0000-0000-000000000000/elsewhere/-"}"#,
        says: (Ready, AdoptionRequired, &["elsewhere"]),
        never: WRITES,
        ..INPUT
    },
    BadInput {
        name: "unreadable-take-over",
        annotations: r#"{"atlas.spe-operator.io/take-over": "yes, please"}"#,
        spec: r#"{"credentialsRef": {"name": "NAME"}, "endpointId": "5f0000000000000000000001"}"#,
        says: (Ready, OwnershipConflict, &["bbbbbbbbbbbbbbbb"]),
        never: WRITES,
        ..INPUT
    },
    BadInput {
        name: "endpoint-of-nobody",
        spec: r#"{"credentialsRef": {"name": "NAME"}, "endpointId": "5f0000000000000000000002"}"#,
        says: (Ready, EndpointNotFound, &["5f0000000000000000000002", "Fix spec.endpointId, or remove it"]),
        never: WRITES,
        ..INPUT
    },
    BadInput {
        name: "watching-nobody",
        spec: r#"{"credentialsRef": {"name": "NAME"}, "endpointId": "5f0000000000000000000002", "managementPolicy": "Observe"}"#,
        says: (Ready, EndpointNotFound, &["5f0000000000000000000002"]),
        never: WRITES,
        ..INPUT
    },
    BadInput {
        name: "output-of-another",
        map: Some(&[("id", "mine")]),
        spec: r#"{"credentialsRef": {"name": "NAME"}, "outputConfigMap": {"name": "NAME"}}"#,
        says: (Synced, OutputNotWritten, &["ConfigMap output-of-another", "delete it or name another"]),
        never: &[GetInstance, Update],
        ..INPUT
    },
];

/// Creates the object with all that belongs to it, waits for its condition, requests reconciles, and counts.
async fn meet(fixture: &Fixture, versions: &Versions, input: &BadInput, project: &str) -> Result<(), String> {
    let BadInput { name, secret, map, .. } = input;
    fixture.atlas.add_instance(project, DEFAULT_INSTANCE);
    let foreign = Endpoint {
        id: FOREIGN.to_owned(),
        ..Endpoint::reserved(Some("theirs [k8s:bbbbbbbbbbbbbbbb]".to_owned()))
    };
    if *name == "unreadable-take-over" {
        fixture.atlas.insert_endpoint(project, DEFAULT_INSTANCE, foreign);
    }
    let metadata = ObjectMeta { name: Some((*name).to_owned()), ..ObjectMeta::default() };
    if let Some(entries) = secret {
        let data =
            entries.iter().map(|(key, value)| ((*key).to_owned(), ByteString(value.to_vec()))).collect();
        let secret = Secret { metadata: metadata.clone(), data: Some(data), ..Secret::default() };
        fixture.secrets.create(&PostParams::default(), &secret).await.unwrap();
    }
    if let Some(entries) = map {
        let maps: Api<ConfigMap> =
            Api::namespaced(fixture.control_plane.client().await.unwrap(), &fixture.namespace);
        let data = entries.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        let map = ConfigMap { metadata, data: Some(data), ..ConfigMap::default() };
        maps.create(&PostParams::default(), &map).await.unwrap();
    }
    let mut spec: Value = serde_json::from_str(&input.spec.replace("NAME", name)).unwrap();
    spec["projectId"] = json!(project);
    spec["instanceName"] = json!(DEFAULT_INSTANCE);
    let annotations: Value = serde_json::from_str(input.annotations).unwrap();
    let object = json!({
        "apiVersion": "atlas.spe-operator.io/v1alpha1",
        "kind": "ServerlessPrivateEndpoint",
        "metadata": {"name": name, "annotations": annotations},
        "spec": spec,
    });
    fixture.objects.create(&PostParams::default(), &serde_json::from_value(object).unwrap()).await.unwrap();
    let (kind, reason, words) = input.says;
    let message = |object: &spe_operator::serverless::crd::ServerlessPrivateEndpoint| {
        condition(object, kind.as_str())
            .filter(|shown| shown.status == "False" && shown.reason == reason.as_str())
            .filter(|shown| words.iter().all(|word| shown.message.contains(word)))
            .map(|shown| shown.message.clone())
    };
    let what = format!("{kind}=False {reason} {words:?}");
    versions.until(name, &what, |versions| versions.iter().any(|object| message(object).is_some())).await?;
    for round in ["1", "2", "3"] {
        fixture.request_reconcile(name, round).await;
        fixture.until_reconciled(name, round).await;
    }
    let places = [("{object}", *name), ("{project}", project), ("{instance}", DEFAULT_INSTANCE)];
    for message in versions.of(name).iter().filter_map(|object| message(object)) {
        // Where no Secret is named, none can be.
        if *name != "no-reference" {
            reasons::check(kind, reason, &message, &places)?;
        }
    }
    let forbidden = |entry: &JournalEntry| {
        entry.project.as_deref() == Some(project)
            && entry.operation.is_some_and(|operation| input.never.contains(&operation))
    };
    let requests: Vec<_> = fixture
        .atlas
        .journal()
        .into_iter()
        .filter(forbidden)
        .map(|entry| (entry.method, entry.path))
        .collect();
    if requests.is_empty() { Ok(()) } else { Err(format!("requests to Atlas: {requests:?}")) }
}

#[tokio::test]
async fn input_errors_beyond_admission_are_conditions_and_no_requests() {
    let fixture = Fixture::new().await;
    let _operator = fixture.operator_with(&[
        // Long enough that nothing is sent for an unreadable claim during this test.
        "--create-uncertainty=120s",
    ]);
    let versions = Versions::record(&fixture.objects);
    let begun = std::time::Instant::now();
    let meetings = INPUTS.iter().enumerate().map(|(number, input)| {
        let (fixture, versions) = (&fixture, &versions);
        async move {
            let project = format!("{:024x}", number + 1);
            meet(fixture, versions, input, &project).await.map_err(|why| format!("{}: {why}", input.name))
        }
    });
    let results: Vec<_> = futures::stream::iter(meetings).buffer_unordered(12).collect().await;
    let failed: Vec<_> = results.into_iter().filter_map(Result::err).collect();
    assert!(failed.is_empty(), "{}", failed.join("\n\n"));
    assert!(begun.elapsed() < Duration::from_mins(2), "the claims that cannot be read became harmless");
}
