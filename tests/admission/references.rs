//! References to other objects, and an endpoint that is declared by a reference.

use domain::dedicated::service::Provider;
use domain::reference::EndpointSource;
use serde_json::{Value, json};

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

/// A reference to an object of this kind.
fn reference(source: EndpointSource) -> Value {
    let (api_version, kind) = source.api_version_and_kind();
    let mut reference = json!({"apiVersion": api_version, "kind": kind, "name": "orders"});
    if source == EndpointSource::ConfigMap {
        reference["key"] = "id".into();
    }
    reference
}

/// The block of this provider with a reference, and whatever a kind that does not know it needs.
fn block(provider: Provider, reference: &Value) -> (&'static str, Value) {
    match provider {
        Provider::Aws => ("aws", json!({ "ref": reference })),
        Provider::Azure => ("azure", json!({"ref": reference, "ipAddress": "10.0.0.4"})),
        Provider::Gcp => {
            ("gcp", json!({"ref": reference, "endpoints": [{"name": "orders", "ipAddress": "10.0.0.4"}]}))
        }
    }
}

#[tokio::test]
async fn each_block_accepts_the_kinds_of_its_provider_alone() {
    let fixture = AdmissionFixture::of_endpoints().await;
    for (provider, words) in [
        (Provider::Aws, "must be a VPCEndpoint of `ec2.services.k8s.aws/v1alpha1` (ACK) or"),
        (Provider::Azure, "must be a PrivateEndpoint of `network.azure.com/v1api20220701` or"),
        (Provider::Gcp, "must be a ComputeForwardingRule of `compute.cnrm.cloud.google.com/v1beta1` (Config"),
    ] {
        for source in EndpointSource::ALL {
            let (name, block) = block(provider, &reference(source));
            let mut fields = json!({"aws": null});
            fields[name] = block;
            let result = fixture.try_create(fields.clone()).await;
            if source.is_of(provider) {
                result.unwrap_or_else(|refusal| panic!("{fields}: {refusal:?}"));
            } else {
                assert_refused(result, &format!("spec.{name}.ref"), words);
            }
        }
    }
}

#[tokio::test]
async fn a_kind_that_belongs_to_no_namespace_is_refused_in_each_block() {
    let fixture = AdmissionFixture::of_endpoints().await;
    for (provider, group, kind) in [
        (Provider::Aws, "ec2.aws", "VPCEndpoint"),
        (Provider::Azure, "network.azure", "PrivateEndpoint"),
        (Provider::Gcp, "compute.gcp", "ForwardingRule"),
    ] {
        let api_version = format!("{group}.upbound.io/v1beta1");
        let reference = json!({"apiVersion": api_version, "kind": kind, "name": "orders"});
        let (name, block) = block(provider, &reference);
        let mut fields = json!({"aws": null});
        fields[name] = block;
        let words = format!(
            "the cluster-scoped {kind} of `{group}.upbound.io` may not be referenced, because it belongs to no namespace; use the \
             namespaced one, `{group}.m.upbound.io/v1beta1`"
        );
        let place = format!("spec.{name}.ref.apiVersion");
        assert_refused(fixture.try_create(fields).await, &place, &words);
    }
}

#[tokio::test]
async fn an_address_may_be_left_to_the_object_that_may_know_it() {
    let fixture = AdmissionFixture::of_endpoints().await;
    let azure = "`ipAddress` must be set, unless `ref` names a PrivateEndpoint, which may know it";
    let gcp = "`endpoints` must be set, unless `ref` names a forwarding rule, which may know its address";
    for source in EndpointSource::ALL {
        for (provider, name, place, words) in [
            (Provider::Azure, "azure", "spec.azure.ipAddress", azure),
            (Provider::Gcp, "gcp", "spec.gcp.endpoints", gcp),
        ] {
            if !source.is_of(provider) {
                continue;
            }
            let mut fields = json!({"aws": null});
            fields[name] = json!({ "ref": reference(source) });
            let result = fixture.try_create(fields.clone()).await;
            if source == EndpointSource::ConfigMap {
                assert_refused(result, place, words);
            } else {
                result.unwrap_or_else(|refusal| panic!("{fields}: {refusal:?}"));
            }
        }
    }
}

#[tokio::test]
async fn a_literal_and_a_reference_exclude_each_other() {
    let fixture = AdmissionFixture::of_endpoints().await;
    let azure = "exactly one of `id` and `ref` must be set: the resource id of the private endpoint, or the object that knows it";
    let gcp = "exactly one of `groupName` and `ref` must be set: the name of the group, or the object that knows its forwarding rule";
    let (_, azure_by_reference) = block(Provider::Azure, &reference(EndpointSource::UpboundAzure));
    let (_, gcp_by_reference) = block(Provider::Gcp, &reference(EndpointSource::UpboundGcp));
    for (name, block, literal, words) in [
        ("azure", azure_by_reference, ("id", "/subscriptions/1/privateEndpoints/orders"), azure),
        ("gcp", gcp_by_reference, ("groupName", "orders"), gcp),
    ] {
        let mut both = json!({"aws": null});
        both[name] = block;
        both[name][literal.0] = literal.1.into();
        assert_refused(fixture.try_create(both.clone()).await, &format!("spec.{name}"), words);
        both[name]["ref"] = Value::Null;
        both[name][literal.0] = Value::Null;
        let neither = fixture.try_create(both).await;
        let Err(refusal) = neither else { panic!("accepted") };
        assert!(refusal.0.contains(words), "{refusal:?}");
    }
}

#[tokio::test]
async fn a_reference_may_become_a_literal_and_the_address_may_change_with_it() {
    let fixture = AdmissionFixture::of_endpoints().await;
    let (_, block) = block(Provider::Azure, &reference(EndpointSource::AzureServiceOperator));
    let made = fixture.create(json!({"aws": null, "azure": block})).await.unwrap();
    let id = "/subscriptions/1/resourceGroups/g/providers/Microsoft.Network/privateEndpoints/orders";
    for fields in [
        json!({"azure": {"ipAddress": "10.0.0.5"}}),
        json!({"azure": {"ipAddress": null}}),
        json!({"azure": {"ref": null, "id": id, "ipAddress": "10.0.0.6"}}),
    ] {
        fixture.edit(&made, fields.clone()).await.unwrap_or_else(|refusal| panic!("{fields}: {refusal:?}"));
    }
    let words = "`ipAddress` may only be changed together with `id`";
    let changed = fixture.edit(&made, json!({"azure": {"ipAddress": "10.0.0.7"}})).await;
    assert_refused(changed, "spec.azure.ipAddress", words);
    let back = json!({"azure": {"ref": reference(EndpointSource::UpboundAzure), "id": null, "ipAddress": "10.0.0.7"}});
    fixture.edit(&made, back).await.unwrap();
}
