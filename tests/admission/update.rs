//! Edits of an object: what may change, and when.

use kube::api::{DeleteParams, ListParams, Patch, PatchParams};
use serde_json::json;

use crate::fixture::{AdmissionFixture, ENDPOINT, Made, OTHER_ENDPOINT, assert_refused};

const BOUND: &str =
    "`endpointId` must equal `status._id` once the object has an endpoint; it may always be removed";

#[tokio::test]
async fn project_and_instance_never_change() {
    let fixture = AdmissionFixture::new().await;
    let made = fixture.create(json!({})).await.unwrap();
    let project = fixture.edit(&made, json!({"projectId": "32b6e34b3d91647abb20e7b9"})).await;
    let words = "`projectId` is immutable; create another ServerlessPrivateEndpoint for another project";
    assert_refused(project, "spec.projectId", words);
    let instance = fixture.edit(&made, json!({"instanceName": "invoices"})).await;
    let words = "`instanceName` is immutable; create another ServerlessPrivateEndpoint for another instance";
    assert_refused(instance, "spec.instanceName", words);
}

#[tokio::test]
async fn everything_else_may_change() {
    let fixture = AdmissionFixture::new().await;
    let made = fixture.create(json!({})).await.unwrap();
    for fields in [
        json!({"comment": "one"}),
        json!({"comment": "two"}),
        json!({"comment": null}),
        json!({"credentialsRef": {"name": "one"}}),
        json!({"credentialsRef": {"name": "two"}}),
        json!({"credentialsRef": null}),
        json!({"readyWhen": "Reserved"}),
        json!({"readyWhen": "Available"}),
        json!({"readyWhen": null}),
        json!({"deletionPolicy": "Retain"}),
        json!({"deletionPolicy": "Delete"}),
        json!({"managementPolicy": "Observe", "endpointId": ENDPOINT}),
        json!({"managementPolicy": "Manage", "endpointId": null}),
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
async fn a_vpc_endpoint_once_declared_stays_declared() {
    let fixture = AdmissionFixture::new().await;
    let reference = json!({"apiVersion": "v1", "kind": "ConfigMap", "name": "network", "key": "id"});
    let made = fixture.create(json!({})).await.unwrap();
    for fields in [
        json!({"comment": "a spec without one may be edited"}),
        json!({"cloudProviderEndpointId": "vpce-1a2b3c4d"}),
        json!({"cloudProviderEndpointId": "vpce-1a2b3c4e"}),
        json!({"cloudProviderEndpointId": null, "cloudProviderEndpointRef": reference}),
        json!({"cloudProviderEndpointRef": {"name": "other-network"}}),
        json!({"cloudProviderEndpointId": "vpce-1a2b3c4d", "cloudProviderEndpointRef": null}),
    ] {
        fixture.edit(&made, fields.clone()).await.unwrap_or_else(|refusal| panic!("{fields}: {refusal:?}"));
    }
    let words = "`cloudProviderEndpointId` or `cloudProviderEndpointRef` must stay set once one was set, because \
                 Atlas offers no way to detach a VPC endpoint; change it, or delete the object";
    assert_refused(fixture.edit(&made, json!({"cloudProviderEndpointId": null})).await, "spec", words);
}

#[tokio::test]
async fn endpoint_id_is_free_until_the_object_has_an_endpoint() {
    let fixture = AdmissionFixture::new().await;
    let made = fixture.create(json!({})).await.unwrap();
    for fields in [
        json!({"endpointId": ENDPOINT}),
        json!({"endpointId": OTHER_ENDPOINT}),
        json!({"endpointId": null}),
        json!({"endpointId": ENDPOINT}),
    ] {
        fixture.edit(&made, fields.clone()).await.unwrap_or_else(|refusal| panic!("{fields}: {refusal:?}"));
    }
}

#[tokio::test]
async fn endpoint_id_names_the_endpoint_that_the_object_has() {
    let fixture = AdmissionFixture::new().await;
    let made = fixture.create(json!({})).await.unwrap();
    fixture.report(&made, json!({"_id": ENDPOINT})).await.unwrap();
    let other = json!({"endpointId": OTHER_ENDPOINT});
    assert_refused(fixture.edit(&made, other.clone()).await, "spec.endpointId", BOUND);
    fixture.edit(&made, json!({"endpointId": ENDPOINT})).await.unwrap();
    assert_refused(fixture.edit(&made, other.clone()).await, "spec.endpointId", BOUND);
    fixture.edit(&made, json!({"endpointId": null})).await.unwrap();
    assert_refused(fixture.edit(&made, other).await, "spec.endpointId", BOUND);
}

/// While a POST is in flight the user may set `endpointId`. Its response must be recorded all the same, and the object
/// that then holds two ids must stay editable.
#[tokio::test]
async fn endpoint_id_never_rejects_the_record_of_another_endpoint() {
    let fixture = AdmissionFixture::new().await;
    let made = fixture.create(json!({"endpointId": OTHER_ENDPOINT})).await.unwrap();
    let recorded = fixture.report(&made, json!({"_id": ENDPOINT, "status": "RESERVED"})).await.unwrap();
    assert_eq!(recorded.status["_id"], ENDPOINT);
    fixture.edit(&made, json!({"comment": "still editable"})).await.unwrap();
    fixture.edit(&made, json!({"endpointId": null})).await.unwrap();
}

#[tokio::test]
async fn observing_keeps_its_endpoint_id() {
    let fixture = AdmissionFixture::new().await;
    let words = "`endpointId` must be set when `managementPolicy` is 'Observe'";
    let managed = fixture.create(json!({})).await.unwrap();
    let observe = fixture.edit(&managed, json!({"managementPolicy": "Observe"})).await;
    assert_refused(observe, "spec.endpointId", words);
    let observed =
        fixture.create(json!({"managementPolicy": "Observe", "endpointId": ENDPOINT})).await.unwrap();
    assert_refused(fixture.edit(&observed, json!({"endpointId": null})).await, "spec.endpointId", words);
}

async fn set_finalizers(fixture: &AdmissionFixture, made: &Made, finalizers: &[&str]) {
    let patch = Patch::Merge(json!({"metadata": {"finalizers": finalizers}}));
    fixture.objects.patch(&made.name, &PatchParams::default(), &patch).await.unwrap();
}

#[tokio::test]
async fn deletion_policy_can_be_changed_during_the_deletion() {
    let fixture = AdmissionFixture::new().await;
    let made = fixture.create(json!({})).await.unwrap();
    set_finalizers(&fixture, &made, &[spe_operator::serverless::crd::FINALIZER]).await;
    fixture.objects.delete(&made.name, &DeleteParams::default()).await.unwrap();
    let edited = fixture.edit(&made, json!({"deletionPolicy": "Retain"})).await.unwrap();
    assert_eq!(edited.spec["deletionPolicy"], "Retain");
    set_finalizers(&fixture, &made, &[]).await;
    assert!(fixture.objects.get_opt(&made.name).await.unwrap().is_none());
}

#[tokio::test]
async fn objects_are_selected_by_project_and_instance() {
    let fixture = AdmissionFixture::new().await;
    let made = fixture.create(json!({})).await.unwrap();
    fixture.create(json!({"instanceName": "invoices"})).await.unwrap();
    let fields = "spec.projectId=32b6e34b3d91647abb20e7b8,spec.instanceName=orders";
    let found = fixture.objects.list(&ListParams::default().fields(fields)).await.unwrap();
    let names: Vec<_> = found.items.iter().filter_map(|object| object.metadata.name.as_deref()).collect();
    assert_eq!(names, [made.name]);
}
