//! The kinds that a reference may name, and the content that it can lead to. It reads no object.

use domain::ids::VpcEndpointId;
use kube::core::ApiResource;

/// The kinds of object that can be referenced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum VpcEndpointSource {
    /// ACK's `VPCEndpoint`; the id is in `.status.vpcEndpointID`.
    Ack,
    /// Upbound's namespaced `VPCEndpoint`; the id is in `.status.atProvider.id`.
    Upbound,
    /// An entry of a ConfigMap.
    ConfigMap,
}

impl VpcEndpointSource {
    /// All kinds.
    pub const ALL: [Self; 3] = [Self::Ack, Self::Upbound, Self::ConfigMap];

    /// Returns the `apiVersion` and `kind` of this source.
    #[must_use]
    pub fn api_version_and_kind(self) -> (&'static str, &'static str) {
        match self {
            Self::Ack => ("ec2.services.k8s.aws/v1alpha1", "VPCEndpoint"),
            Self::Upbound => ("ec2.aws.m.upbound.io/v1beta1", "VPCEndpoint"),
            Self::ConfigMap => ("v1", "ConfigMap"),
        }
    }

    /// Returns the API resource of the kind.
    pub(crate) fn resource(self) -> ApiResource {
        let (api_version, kind) = self.api_version_and_kind();
        let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
        let plural = kind.to_ascii_lowercase() + "s";
        ApiResource {
            group: group.to_owned(),
            version: version.to_owned(),
            api_version: api_version.to_owned(),
            kind: kind.to_owned(),
            plural,
        }
    }
}

/// A referenced object.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct ReferenceTarget {
    pub(crate) source: VpcEndpointSource,
    pub(crate) namespace: String,
    pub(crate) name: String,
}

/// The content that a reference leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Found {
    /// A VPC endpoint id.
    Id(VpcEndpointId),
    /// A text of this many characters that is not an id. Never the text itself: a reader of the message may not be
    /// allowed to read the object that contains it.
    Other(usize),
    /// The object exists but has no id, or no such entry.
    Nothing,
    /// The object does not exist.
    NoObject,
    /// The kind is not installed.
    NoKind,
    /// The operator may not read it.
    Forbidden,
    /// The API server returns no usable response.
    Unreadable,
}

impl Found {
    pub(crate) fn parse(text: &str) -> Self {
        let text = text.trim();
        text.parse().map_or_else(|_| Self::Other(text.chars().count()), Self::Id)
    }
}

/// The objects that one reader reads: one kind, in one namespace or in all namespaces.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Scope {
    pub(crate) source: VpcEndpointSource,
    pub(crate) namespace: Option<String>,
}
