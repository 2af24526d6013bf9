//! What is kept of an object, and that nothing else is.

use kube::Resource;
use serde_json::{Value, json};

use crate::api::ServerlessPrivateEndpoint;
use crate::controller::object;

use super::Cached;

fn manifest() -> Value {
    json!({
        "apiVersion": "atlas.spe-operator.io/v1alpha1",
        "kind": "ServerlessPrivateEndpoint",
        "metadata": {
            "name": "orders", "namespace": "shop", "uid": "u-1", "resourceVersion": "7", "generation": 3,
            "creationTimestamp": "2026-01-01T00:00:00Z", "deletionTimestamp": "2026-01-02T00:00:00Z",
            "finalizers": ["atlas.spe-operator.io/endpoint"],
            "annotations": {"reconcile.fluxcd.io/requestedAt": "now", "kubectl.kubernetes.io/last-applied-configuration": "{}"},
            "labels": {"app": "orders"},
            "ownerReferences": [{"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": "u-2"}],
            "managedFields": [{"manager": "kubectl"}]
        },
        "spec": {"projectId": "32b6e34b3d91647abb20e7b8", "instanceName": "orders", "outputConfigMap": {"name": "out"}},
        "status": {"_id": "5f0", "status": "AVAILABLE", "observedGeneration": 3, "conditions": [{
            "type": "Ready", "status": "True", "reason": "Available", "message": "ü", "observedGeneration": 3,
            "lastTransitionTime": "2026-01-01T00:00:00Z"
        }]}
    })
}

#[test]
fn an_object_is_unpacked_as_it_was_but_for_what_is_never_read() {
    let cached: Cached = serde_json::from_value(manifest()).unwrap();
    let mut kept = manifest();
    for dropped in ["labels", "ownerReferences", "managedFields"] {
        kept["metadata"].as_object_mut().unwrap().remove(dropped).unwrap();
    }
    let annotations = kept["metadata"]["annotations"].as_object_mut().unwrap();
    annotations.remove("kubectl.kubernetes.io/last-applied-configuration").unwrap();
    let unpacked = cached.unpack().unwrap();
    let kept: ServerlessPrivateEndpoint = serde_json::from_value(kept).unwrap();
    assert_eq!(serde_json::to_value(&unpacked).unwrap(), serde_json::to_value(&kept).unwrap());
    assert_eq!(cached.trigger(), object::trigger(&unpacked));
}

#[test]
fn a_packed_object_shows_its_name_and_version_without_being_unpacked() {
    let cached: Cached = serde_json::from_value(manifest()).unwrap();
    let meta = cached.meta();
    assert_eq!((meta.name.as_deref(), meta.namespace.as_deref()), (Some("orders"), Some("shop")));
    assert_eq!((meta.uid.as_deref(), meta.resource_version.as_deref()), (Some("u-1"), Some("7")));
}

#[test]
fn an_endpoint_that_is_connected_takes_less_than_half_of_its_json() {
    // As the API server gives it, but for the managed fields.
    let json = include_str!("connected.json");
    let cached: Cached = serde_json::from_str(json).unwrap();
    assert!(cached.packed.len() * 2 < json.len(), "{} of {} bytes", cached.packed.len(), json.len());
}
