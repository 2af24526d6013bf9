//! What names a referenced object and its reader. It reads no object.

use domain::reference::EndpointSource;
use kube::core::ApiResource;

/// Returns the API resource of the kind.
pub(crate) fn resource(source: EndpointSource) -> ApiResource {
    let (api_version, kind) = source.api_version_and_kind();
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

/// A referenced object.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct ReferenceTarget {
    pub(crate) source: EndpointSource,
    pub(crate) namespace: String,
    pub(crate) name: String,
}

/// The objects that one reader reads: one kind, in one namespace or in all namespaces.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Scope {
    pub(crate) source: EndpointSource,
    pub(crate) namespace: Option<String>,
}
