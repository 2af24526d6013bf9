//! Every field of a living object, changed in every way that its schema suggests and changed back: a rejection names
//! the field and never reaches Atlas, and from an accepted change the object returns with the endpoint it had.
//!
//! Fields and values are read from `crds/`: a new field is tested from the day it exists. Only the immutable ones are
//! listed.

use std::collections::BTreeSet;
use std::time::Duration;

use atlas_simulator::Operation;
use futures::future::join_all;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{Api, ApiResource, DynamicObject, Patch, PatchParams, PostParams};
use kube::core::Status;
use serde_json::{Value, json};
use spe_operator::serverless::crd::ServerlessPrivateEndpoint;
use test_support::{Fixture, PATIENCE, SECRET, VPC_ENDPOINT, condition, settled};
use tokio::time::{Instant, sleep};

use crate::fixture::QUIET;
use crate::schema::{FieldMutation, Must, Property, properties};
use crate::summary::ProofTable;

const DEFINITION: &str = include_str!("../../crds/serverlessprivateendpoints.yaml");

/// The ConfigMap of references, and its entry.
const NETWORK: (&str, &str) = ("network", "id");

/// The fields that cannot change, or not alone: an id is the recorded one, and a reference is a pair.
const ALONE: [&str; 5] = [
    "cloudProviderEndpointRef.apiVersion",
    "cloudProviderEndpointRef.kind",
    "endpointId",
    "instanceName",
    "projectId",
];

/// The timeout for the operator to observe a new generation.
const OBSERVED_WITHIN: Duration = Duration::from_secs(20);

/// One living object, and its field that is changed.
struct MutatedField {
    name: String,
    property: Property,
    /// The spec to which it always returns.
    spec: Value,
    id: String,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_object_keeps_its_endpoint_over_any_change_of_a_field() {
    let fixture = Fixture::new().await;
    network(&fixture).await;
    let _operator = fixture.operator();
    let kind = ApiResource::erase::<ServerlessPrivateEndpoint>(&());
    let client = fixture.control_plane.client().await.unwrap();
    let objects: Api<DynamicObject> = Api::namespaced_with(client, &fixture.namespace, &kind);
    let properties = properties(DEFINITION);
    assert!(properties.len() > 15, "{}", properties.len());
    let subjects = join_all(
        properties.into_iter().enumerate().map(|(n, property)| subject(&fixture, &objects, n, property)),
    )
    .await;
    let mut table = ProofTable::default();

    // First only what is refused, so that a request to Atlas would be seen.
    let before = settled(QUIET, || fixture.atlas.journal().len()).await;
    let mut accepted = Vec::new();
    for subject in &subjects {
        let mut fine = Vec::new();
        for mutation in subject.property.mutations(current(subject)) {
            match try_out(&objects, subject, &mutation, true).await {
                Ok(()) => {
                    let FieldMutation { what, must, .. } = &mutation;
                    assert_ne!(*must, Must::Fail, "{}: {what} is accepted", subject.property);
                    fine.push(mutation);
                }
                Err(refusal) => {
                    let FieldMutation { what, must, .. } = &mutation;
                    assert_ne!(*must, Must::Pass, "{}: {what} is refused", subject.property);
                    names_the_field(subject, &mutation, &refusal);
                    // Not only in theory.
                    try_out(&objects, subject, &mutation, false).await.unwrap_err();
                    table.count("mutation, refused", &subject.property.to_string(), true);
                }
            }
        }
        accepted.push(fine);
    }
    let after = settled(QUIET, || fixture.atlas.journal().len()).await;
    assert_eq!(after, before, "a rejected value caused a request to Atlas");

    let immovable: BTreeSet<_> = subjects
        .iter()
        .zip(&accepted)
        .filter(|(_, fine)| !fine.iter().any(|mutation| mutation.is_other))
        .map(|(subject, _)| subject.property.to_string())
        .collect();
    assert_eq!(immovable, ALONE.map(str::to_owned).into());

    let (fixture, objects) = (&fixture, &objects);
    let back = subjects.iter().zip(accepted).map(|(subject, fine)| async move {
        for mutation in &fine {
            there_and_back(fixture, objects, subject, mutation).await;
        }
        (subject.property.to_string(), fine.len())
    });
    let counts = join_all(back).await;
    for (property, count) in counts {
        for _ in 0..count {
            table.count("mutation, and back", &property, true);
        }
    }
    assert_eq!(
        fixture.atlas.executed(Operation::Create),
        subjects.len(),
        "an endpoint an object, and no more"
    );
    assert_eq!(fixture.atlas.executed(Operation::Delete), 0);
    table.report("mutation");
}

/// Creates the objects that references name.
async fn network(fixture: &Fixture) {
    let maps: Api<ConfigMap> =
        Api::namespaced(fixture.control_plane.client().await.unwrap(), &fixture.namespace);
    let map = json!({"metadata": {"name": NETWORK.0}, "data": {NETWORK.1: VPC_ENDPOINT}});
    maps.create(&PostParams::default(), &serde_json::from_value(map).unwrap()).await.unwrap();
}

/// Creates an object with every field set, as far as they are compatible, and AVAILABLE.
async fn subject(
    fixture: &Fixture,
    objects: &Api<DynamicObject>,
    number: usize,
    property: Property,
) -> MutatedField {
    let name = format!("orders-{number}");
    let mut fields = json!({
        "comment": "kept",
        "credentialsRef": {"name": SECRET},
        "deletionPolicy": "Delete",
        "interval": "10m",
        "managementPolicy": "Manage",
        "outputConfigMap": {"name": format!("output-{number}")},
        "progressDeadline": "15m",
        "readyWhen": "Available",
    });
    if property.path[0] == "cloudProviderEndpointRef" {
        fields["cloudProviderEndpointRef"] =
            json!({"apiVersion": "v1", "kind": "ConfigMap", "name": NETWORK.0, "key": NETWORK.1});
    } else {
        fields["cloudProviderEndpointId"] = json!(VPC_ENDPOINT);
    }
    fixture.create(&name, fields).await;
    let made = fixture.until_reason(&name, "Available").await;
    let id = made.status.unwrap().id.unwrap();
    // Not by our types, which leave out default values.
    fixture.edit(&name, json!({"endpointId": id, "suspend": false})).await;
    fixture.until_reason(&name, "Available").await;
    let spec = objects.get(&name).await.unwrap().data["spec"].clone();
    MutatedField { name, property, spec, id }
}

fn current(subject: &MutatedField) -> &Value {
    let pointer = subject.property.pointer();
    subject.spec.pointer(&pointer).unwrap_or_else(|| panic!("no object has {pointer}: give one a value"))
}

async fn try_out(
    objects: &Api<DynamicObject>,
    subject: &MutatedField,
    mutation: &FieldMutation,
    dry_run: bool,
) -> Result<(), Box<Status>> {
    let pointer = format!("/spec{}", subject.property.pointer());
    let operation = match &mutation.value {
        Some(value) => json!([{"op": "replace", "path": pointer, "value": value}]),
        None => json!([{"op": "remove", "path": pointer}]),
    };
    let patch = Patch::<DynamicObject>::Json(serde_json::from_value(operation).unwrap());
    let parameters = PatchParams { dry_run, ..PatchParams::default() };
    match objects.patch(&subject.name, &parameters, &patch).await {
        Ok(_) => Ok(()),
        Err(kube::Error::Api(status)) => Err(status),
        Err(error) => panic!("{}: {}: {error}", subject.property, mutation.what),
    }
}

fn names_the_field(subject: &MutatedField, mutation: &FieldMutation, refusal: &Status) {
    let Property { path, .. } = &subject.property;
    let message = &refusal.message;
    // A rule about two fields may be reported for either; both are named by the object that holds them.
    let named = path.iter().any(|part| message.contains(part.as_str()));
    let clear = (400..500).contains(&refusal.code) && named;
    assert!(clear, "{}: {} is refused with {}: {message}", subject.property, mutation.what, refusal.code);
}

/// Changes the field, waits for the operator, changes it back, and waits until all is as it was.
async fn there_and_back(
    fixture: &Fixture,
    objects: &Api<DynamicObject>,
    subject: &MutatedField,
    mutation: &FieldMutation,
) {
    let what = format!("{}: {}", subject.property, mutation.what);
    try_out(objects, subject, mutation, false).await.unwrap_or_else(|status| panic!("{what}: {status:?}"));
    let started = Instant::now();
    loop {
        let object = fixture.get(&subject.name).await;
        let observed = object.status.as_ref().map(|status| status.observed_generation);
        if observed == object.metadata.generation {
            break;
        }
        assert!(started.elapsed() < OBSERVED_WITHIN, "{what}: not observed: {:?}", object.status);
        sleep(Duration::from_millis(50)).await;
    }
    let back = json!([{"op": "replace", "path": "/spec", "value": subject.spec}]);
    let patch = Patch::<DynamicObject>::Json(serde_json::from_value(back).unwrap());
    let put_back = objects.patch(&subject.name, &PatchParams::default(), &patch).await;
    put_back.unwrap_or_else(|error| panic!("{what}, back: {error}"));
    let started = Instant::now();
    loop {
        let object = fixture.get(&subject.name).await;
        let status = object.status.clone().unwrap();
        let ready = condition(&object, "Ready").is_some_and(|ready| ready.status == "True");
        let connected = status.cloud_provider_endpoint_id.as_deref() == Some(VPC_ENDPOINT);
        assert_eq!(status.id.as_ref(), Some(&subject.id), "{what}");
        if ready && connected && Some(status.observed_generation) == object.metadata.generation {
            return;
        }
        assert!(started.elapsed() < PATIENCE, "{what}: it does not come back: {status:?}");
        sleep(Duration::from_millis(50)).await;
    }
}
