//! References to other objects, and a VPC endpoint that is declared by a reference.

use serde_json::json;

use crate::fixture::{AdmissionFixture, assert_refused};

#[tokio::test]
async fn names_of_other_objects_are_checked() {
    let fixture = AdmissionFixture::new().await;
    let config_map = |name: &str| json!({"apiVersion": "v1", "kind": "ConfigMap", "name": name, "key": "id"});
    for name in
        ["", "Atlas", "atlas/api", "-atlas", "atlas-", "../atlas", "atlas_api", "a..b", "a.", "a.-b", "a\n"]
    {
        for (field, value, what) in [
            ("credentialsRef", json!({ "name": name }), "a Secret"),
            ("outputConfigMap", json!({ "name": name }), "a ConfigMap"),
            ("cloudProviderEndpointRef", config_map(name), "an object"),
        ] {
            let mut fields = json!({});
            fields[field] = value;
            let words = format!("`name` must be the name of {what}: lower-case letters, digits, '-' and '.'");
            assert_refused(fixture.try_create(fields).await, &format!("spec.{field}.name"), &words);
        }
    }
}

#[tokio::test]
async fn at_most_one_vpc_endpoint_is_declared() {
    let fixture = AdmissionFixture::new().await;
    let both = json!({
        "cloudProviderEndpointId": "vpce-1a2b3c4d",
        "cloudProviderEndpointRef": {"apiVersion": "ec2.services.k8s.aws/v1alpha1", "kind": "VPCEndpoint", "name": "a"},
    });
    let words = "at most one of `cloudProviderEndpointId` and `cloudProviderEndpointRef` may be set";
    assert_refused(fixture.try_create(both).await, "spec", words);
}

#[tokio::test]
async fn a_reference_outside_the_closed_list_is_rejected() {
    let fixture = AdmissionFixture::new().await;
    let closed = "must be a VPCEndpoint of `ec2.services.k8s.aws/v1alpha1` (ACK) or \
                  `ec2.aws.m.upbound.io/v1beta1` (Upbound), or a ConfigMap of `v1`";
    let cluster_scoped = "the cluster-scoped VPCEndpoint of `ec2.aws.upbound.io` may not be referenced, because it \
                          belongs to no namespace; use the namespaced one, `ec2.aws.m.upbound.io/v1beta1`";
    let key = "`key` may only be set for a ConfigMap";
    for (api_version, kind, extra, place, words) in [
        ("v1", "Secret", None, "", closed),
        ("v1", "VPCEndpoint", None, "", closed),
        ("ec2.services.k8s.aws/v1", "VPCEndpoint", None, "", closed),
        ("ec2.services.k8s.aws/v1alpha1", "VPC", None, "", closed),
        ("ec2.aws.m.upbound.io/v1beta2", "VPCEndpoint", None, "", closed),
        ("ec2.aws.upbound.io/v1beta1", "VPCEndpoint", None, ".apiVersion", cluster_scoped),
        ("ec2.aws.upbound.io/v1beta2", "VPCEndpoint", None, ".apiVersion", cluster_scoped),
        ("v1", "ConfigMap", None, ".key", "`key` must be set for a ConfigMap"),
        ("v1", "ConfigMap", Some("a/b"), ".key", "`key` must be a key of a ConfigMap"),
        ("ec2.services.k8s.aws/v1alpha1", "VPCEndpoint", Some("id"), ".key", key),
        ("ec2.aws.m.upbound.io/v1beta1", "VPCEndpoint", Some("id"), ".key", key),
    ] {
        let mut reference = json!({"apiVersion": api_version, "kind": kind, "name": "orders"});
        if let Some(key) = extra {
            reference["key"] = key.into();
        }
        let refused = fixture.try_create(json!({ "cloudProviderEndpointRef": reference })).await;
        assert_refused(refused, &format!("spec.cloudProviderEndpointRef{place}"), words);
    }
}
