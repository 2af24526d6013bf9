//! What a reference to a VPC endpoint means: the id it resolves to, or the missing object and its remedy.
//!
//! Only the kinds of [`VpcEndpointSource`] can be referenced, in the object's own namespace. Nothing here reads an object. A message
//! names exactly what is missing and never repeats text of a referenced object: a reader of the message may lack the right to read
//! that object. An id counts as soon as it appears, whether or not the referenced object is ready.

use crate::ids::VpcEndpointId;

/// The VPC endpoint that the spec declares.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub enum VpcEndpoint {
    /// None.
    #[default]
    Undeclared,
    /// This one.
    Declared(VpcEndpointId),
    /// The referenced object exists and has no id yet, for this reason.
    Awaited(String),
    /// The reference does not resolve, for this reason.
    NotFound(String),
}

impl VpcEndpoint {
    /// The VPC endpoint whose id stands in `field` of the spec.
    #[must_use]
    pub fn of_id(field: &str, id: &str) -> Self {
        match id.trim().parse() {
            Ok(id) => Self::Declared(id),
            Err(error) => Self::NotFound(format!("`{field}`: {error}; correct it")),
        }
    }

    /// The VPC endpoint of an object of a kind that cannot be referenced. `field` of the spec names it.
    #[must_use]
    pub fn of_other_kind(field: &str, api_version: &str, kind: &str) -> Self {
        Self::NotFound(format!(
            "{kind} of {api_version} is not a kind that can be referenced; correct {field}"
        ))
    }
}

/// The kinds of object that can be referenced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum VpcEndpointSource {
    /// ACK's `VPCEndpoint`.
    Ack,
    /// Upbound's namespaced `VPCEndpoint`.
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

    /// Returns the field that holds the id, below the object; empty for a ConfigMap, where the reference names the entry.
    #[must_use]
    pub fn id_path(self) -> &'static [&'static str] {
        match self {
            Self::Ack => &["status", "vpcEndpointID"],
            Self::Upbound => &["status", "atProvider", "id"],
            Self::ConfigMap => &[],
        }
    }

    /// Returns the verbs that reading the kind takes, and the chart value that grants them.
    fn permission(self) -> (&'static str, &'static str) {
        match self {
            Self::Ack => ("`list` and `watch`", "integrations.ack.enabled"),
            Self::Upbound => ("`list` and `watch`", "integrations.crossplane.enabled"),
            Self::ConfigMap => ("`get`", "integrations.configMap.enabled"),
        }
    }
}

/// What a reference resolves to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// A VPC endpoint id.
    Id(VpcEndpointId),
    /// A text of this many characters that is not an id; never the text itself.
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
    /// The content of a field or entry that holds `text`.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let text = text.trim();
        text.parse().map_or_else(|_| Self::Other(text.chars().count()), Self::Id)
    }
}

/// A reference to an object that knows the id.
#[derive(Debug, Clone, Copy)]
pub struct Reference<'a> {
    /// The field of the spec, for the user who has to correct it.
    pub field: &'a str,
    /// The kind of the object.
    pub source: VpcEndpointSource,
    /// Its namespace: that of the object that refers to it.
    pub namespace: &'a str,
    /// Its name.
    pub name: &'a str,
    /// The entry of a ConfigMap; otherwise empty.
    pub key: &'a str,
}

impl Reference<'_> {
    /// Returns the VPC endpoint of a reference that resolves to `found`.
    #[must_use]
    pub fn resolve(&self, found: Found) -> VpcEndpoint {
        let Self { field, source, namespace, name, key } = self;
        let (api_version, kind) = source.api_version_and_kind();
        let object = format!("{kind} {name} ({api_version})");
        let place = match source {
            VpcEndpointSource::ConfigMap => format!("entry {key} of {object}"),
            VpcEndpointSource::Ack | VpcEndpointSource::Upbound => {
                format!(".{} of {object}", source.id_path().join("."))
            }
        };
        match found {
            Found::Id(id) => VpcEndpoint::Declared(id),
            Found::Other(length) => VpcEndpoint::NotFound(format!(
                "{place}: expected a VPC endpoint id (vpce- and hexadecimal digits), found another text of {length} characters; \
                 correct it"
            )),
            Found::Nothing if *source == VpcEndpointSource::ConfigMap => {
                VpcEndpoint::NotFound(format!("{object} has no entry {key}; add it, or correct {field}"))
            }
            Found::Nothing => VpcEndpoint::Awaited(format!("{object} has no id yet ({place})")),
            Found::NoObject => VpcEndpoint::NotFound(format!(
                "{object} does not exist in namespace {namespace}; create it, or correct {field}"
            )),
            Found::NoKind => VpcEndpoint::NotFound(format!(
                "the kind {kind} of {api_version} is not installed in this cluster, so {kind} {name} cannot exist; install it, or \
                 correct {field}"
            )),
            Found::Forbidden => {
                let (verbs, value) = source.permission();
                VpcEndpoint::NotFound(format!(
                    "the operator may not read {object} in namespace {namespace}; grant its service account {verbs} on {kind}s \
                     of {api_version} (chart value {value})"
                ))
            }
            Found::Unreadable => VpcEndpoint::Awaited(format!(
                "{object} cannot be read at the moment, because the API server returns no usable response"
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIELD: &str = "spec.vpcEndpointRef";

    fn reference(source: VpcEndpointSource) -> Reference<'static> {
        let key = if source == VpcEndpointSource::ConfigMap { "vpce" } else { "" };
        Reference { field: FIELD, source, namespace: "shop", name: "network", key }
    }

    #[test]
    fn only_an_id_declares_a_vpc_endpoint_and_only_what_comes_by_itself_is_awaited() {
        for source in VpcEndpointSource::ALL {
            let is_entry = source == VpcEndpointSource::ConfigMap;
            // What is found, whether it may change without the user, and what the user has to do.
            let table = [
                (Found::parse("postgres://app:hunter2@db"), false, "25 characters; correct it"),
                (
                    Found::Nothing,
                    !is_entry,
                    if is_entry { "has no entry vpce; add it" } else { "has no id yet (.status." },
                ),
                (Found::NoObject, false, "does not exist in namespace shop; create it"),
                (Found::NoKind, false, "is not installed in this cluster"),
                (Found::Forbidden, false, "grant its service account"),
                (Found::Unreadable, true, "cannot be read at the moment"),
            ];
            for (found, awaited, says) in table {
                let resolved = reference(source).resolve(found);
                let (VpcEndpoint::Awaited(text) | VpcEndpoint::NotFound(text)) = &resolved else {
                    panic!("{resolved:?}")
                };
                assert_eq!(matches!(resolved, VpcEndpoint::Awaited(_)), awaited, "{text}");
                let (api_version, kind) = source.api_version_and_kind();
                for part in [says, api_version, kind, "network"] {
                    assert!(text.contains(part), "{part} is not in {text:?}");
                }
                assert!(!text.contains("postgres") && !text.contains("hunter2"), "{text}");
            }
            let id: VpcEndpointId = "vpce-00000001".parse().unwrap();
            let found = Found::parse(" vpce-00000001\n");
            assert_eq!(reference(source).resolve(found), VpcEndpoint::Declared(id));
        }
    }

    #[test]
    fn what_the_user_has_to_correct_is_named() {
        let texts = [
            VpcEndpoint::of_id(FIELD, "vpce-xyz"),
            VpcEndpoint::of_other_kind(FIELD, "apps/v1", "Deployment"),
            reference(VpcEndpointSource::ConfigMap).resolve(Found::Nothing),
            reference(VpcEndpointSource::Ack).resolve(Found::NoObject),
            reference(VpcEndpointSource::Upbound).resolve(Found::NoKind),
        ];
        for resolved in texts {
            assert!(matches!(&resolved, VpcEndpoint::NotFound(text) if text.contains(FIELD)), "{resolved:?}");
        }
    }

    #[test]
    fn the_requested_permissions_are_the_used_ones() {
        for (source, verbs, value) in [
            (VpcEndpointSource::ConfigMap, "`get`", "configMap"),
            (VpcEndpointSource::Ack, "`list` and `watch`", "ack"),
            (VpcEndpointSource::Upbound, "`list` and `watch`", "crossplane"),
        ] {
            let VpcEndpoint::NotFound(text) = reference(source).resolve(Found::Forbidden) else { panic!() };
            let value = format!("integrations.{value}.enabled");
            assert!(text.contains(verbs) && text.contains(&value), "{text}");
        }
    }
}
