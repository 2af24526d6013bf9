//! The reference to an object that knows an endpoint of a cloud provider, with the closed list of kinds that each provider's may name.
//!
//! Always in the object's own namespace: a namespace bounds the objects that its users may read. It never reads an object.

#![expect(unreachable_pub, reason = "KubeSchema copies each struct, with its `pub`, into a function")]

use domain::dedicated::service::Provider;
use domain::reference::EndpointSource;
use kube::KubeSchema;
use kube::core::Rule;
use serde::{Deserialize, Serialize};

use super::rules::IS_OBJECT_NAME;

/// The kinds that may be referenced for an endpoint of one provider: those of [`EndpointSource`].
pub(crate) struct ReferencedKinds {
    provider: Provider,
    /// What a reference must be.
    must: &'static str,
    /// The group of Upbound's cluster-scoped kind, and the kind.
    cluster_scoped: (&'static str, &'static str),
}

/// For AWS.
pub(crate) const AWS_KINDS: ReferencedKinds = ReferencedKinds {
    provider: Provider::Aws,
    must: "must be a VPCEndpoint of `ec2.services.k8s.aws/v1alpha1` (ACK) or `ec2.aws.m.upbound.io/v1beta1` (Upbound), or a ConfigMap of `v1`",
    cluster_scoped: ("ec2.aws", "VPCEndpoint"),
};

/// For Azure.
pub(crate) const AZURE_KINDS: ReferencedKinds = ReferencedKinds {
    provider: Provider::Azure,
    must: "must be a PrivateEndpoint of `network.azure.com/v1api20220701` or `network.azure.com/v20250301` (Azure Service Operator) or `network.azure.m.upbound.io/v1beta1` (Upbound), or a ConfigMap of `v1`",
    cluster_scoped: ("network.azure", "PrivateEndpoint"),
};

/// For Google Cloud.
pub(crate) const GCP_KINDS: ReferencedKinds = ReferencedKinds {
    provider: Provider::Gcp,
    must: "must be a ComputeForwardingRule of `compute.cnrm.cloud.google.com/v1beta1` (Config Connector), a ForwardingRule of `compute.gcp.m.upbound.io/v1beta1` (Upbound), or a ConfigMap of `v1`",
    cluster_scoped: ("compute.gcp", "ForwardingRule"),
};

impl ReferencedKinds {
    /// Returns the rule that the reference in `field` of the same object names one of the kinds.
    pub(crate) fn rule(&self, field: &str) -> Rule {
        let cluster_scoped = self.is_cluster_scoped(field);
        let names = EndpointSource::ALL.into_iter().filter(|source| source.is_of(self.provider));
        let names = names.map(|source| {
            let (api_version, kind) = source.api_version_and_kind();
            format!("'{api_version} {kind}'")
        });
        let names = names.collect::<Vec<_>>().join(", ");
        // The other rule has a better message for those.
        Rule::new(format!(
            "!has(self.{field}) || {cluster_scoped} || self.{field}.apiVersion + ' ' + self.{field}.kind in [{names}]"
        ))
        .message(self.must)
        .field_path(format!(".{field}"))
    }

    /// Returns the rule that the reference in `field` of the same object names no kind that belongs to no namespace.
    pub(crate) fn namespaced_rule(&self, field: &str) -> Rule {
        let (group, kind) = self.cluster_scoped;
        let message = format!(
            "the cluster-scoped {kind} of `{group}.upbound.io` may not be referenced, because it belongs to no namespace; use the \
             namespaced one, `{group}.m.upbound.io/v1beta1`"
        );
        Rule::new(format!("!has(self.{field}) || !{}", self.is_cluster_scoped(field)))
            .message(message.as_str())
            .field_path(format!(".{field}.apiVersion"))
    }

    fn is_cluster_scoped(&self, field: &str) -> String {
        format!("self.{field}.apiVersion.startsWith('{}.upbound.io/')", self.cluster_scoped.0)
    }
}

/// An object in the same namespace that knows an endpoint.
#[derive(KubeSchema, Serialize, Deserialize, Debug, Clone, PartialEq, Eq, Hash)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("self.kind != 'ConfigMap' || has(self.key)")
        .message("`key` must be set for a ConfigMap: it names the entry that holds the id of the endpoint")
        .field_path(".key")
        .reason(Reason::FieldValueRequired),
    validation = Rule::new("self.kind == 'ConfigMap' || !has(self.key)")
        .message("`key` may only be set for a ConfigMap")
        .field_path(".key")
        .reason(Reason::FieldValueForbidden)
)]
pub struct CloudProviderEndpointRef {
    /// API version of the referenced object, as in its own manifest; `v1` for a ConfigMap. Required. May be changed.
    #[schemars(length(max = 64))]
    pub api_version: String,

    /// Kind of the referenced object. Required. May be changed.
    #[schemars(length(max = 64))]
    pub kind: String,

    /// Name of the referenced object, in the same namespace. Required. May be changed.
    #[schemars(length(max = 253))]
    #[x_kube(validation = Rule::new(IS_OBJECT_NAME)
        .message("`name` must be the name of an object: lower-case letters, digits, '-' and '.'"))]
    pub name: String,

    /// Entry of the ConfigMap that holds the id of the endpoint. Required for a ConfigMap, else it may not be set. May be changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    #[x_kube(validation = Rule::new("self.matches('^[-._a-zA-Z0-9]+$')")
        .message("`key` must be a key of a ConfigMap: letters, digits, '-', '_' and '.'"))]
    pub key: Option<String>,
}
