//! The reference to an object that knows the VPC endpoint id, with the closed list of kinds it may name.
//!
//! Always in the object's own namespace: a namespace bounds the objects that its users may read. It never reads an object.

#![expect(unreachable_pub, reason = "KubeSchema copies each struct, with its `pub`, into a function")]

use domain::reference::VpcEndpointSource;
use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use super::rules::IS_OBJECT_NAME;

/// An object in the same namespace that knows the id of the VPC endpoint.
#[derive(KubeSchema, Serialize, Deserialize, Debug, Clone, PartialEq, Eq, Hash)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("!self.apiVersion.startsWith('ec2.aws.upbound.io/')")
        .message("the cluster-scoped VPCEndpoint of `ec2.aws.upbound.io` may not be referenced, because it belongs to no namespace; use the namespaced one, `ec2.aws.m.upbound.io/v1beta1`")
        .field_path(".apiVersion"),
    validation = Rule::new("self.apiVersion.startsWith('ec2.aws.upbound.io/') || self.apiVersion + ' ' + self.kind in ['ec2.services.k8s.aws/v1alpha1 VPCEndpoint', 'ec2.aws.m.upbound.io/v1beta1 VPCEndpoint', 'v1 ConfigMap']")
        .message("must be a VPCEndpoint of `ec2.services.k8s.aws/v1alpha1` (ACK) or `ec2.aws.m.upbound.io/v1beta1` (Upbound), or a ConfigMap of `v1`"),
    validation = Rule::new("self.kind != 'ConfigMap' || has(self.key)")
        .message("`key` must be set for a ConfigMap: it names the entry that holds the VPC endpoint id")
        .field_path(".key")
        .reason(Reason::FieldValueRequired),
    validation = Rule::new("self.kind == 'ConfigMap' || !has(self.key)")
        .message("`key` may only be set for a ConfigMap")
        .field_path(".key")
        .reason(Reason::FieldValueForbidden)
)]
pub struct CloudProviderEndpointRef {
    /// API version of the referenced object: `ec2.services.k8s.aws/v1alpha1` (ACK), `ec2.aws.m.upbound.io/v1beta1`
    /// (Upbound, namespaced) or `v1` (ConfigMap). Required. May be changed.
    #[schemars(length(max = 64))]
    pub api_version: String,

    /// Kind of the referenced object: `VPCEndpoint` or `ConfigMap`. Required. May be changed.
    #[schemars(length(max = 64))]
    pub kind: String,

    /// Name of the referenced object, in the same namespace. Required. May be changed.
    #[schemars(length(max = 253))]
    #[x_kube(validation = Rule::new(IS_OBJECT_NAME)
        .message("`name` must be the name of an object: lower-case letters, digits, '-' and '.'"))]
    pub name: String,

    /// Entry of the ConfigMap that holds the VPC endpoint id. Required for a ConfigMap, else it may not be set. May
    /// be changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    #[x_kube(validation = Rule::new("self.matches('^[-._a-zA-Z0-9]+$')")
        .message("`key` must be a key of a ConfigMap: letters, digits, '-', '_' and '.'"))]
    pub key: Option<String>,
}

impl CloudProviderEndpointRef {
    /// Returns the kind of the referenced object; `None` if it is not in the closed list, which the API server rejects.
    #[must_use]
    pub fn source(&self) -> Option<VpcEndpointSource> {
        VpcEndpointSource::ALL
            .into_iter()
            .find(|source| source.api_version_and_kind() == (self.api_version.as_str(), self.kind.as_str()))
    }
}
