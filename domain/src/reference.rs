//! What a reference to an endpoint of a cloud provider means: the endpoint it resolves to, or the missing object and its remedy.
//!
//! Only the kinds of [`EndpointSource`] can be referenced, in the object's own namespace, each for one cloud provider. Nothing here reads
//! an object. A message names exactly what is missing and never repeats text of a referenced object: a reader of the message may lack the
//! right to read that object. An id counts as soon as it appears, whether or not the referenced object is ready.

use core::net::IpAddr;
use std::str::FromStr;

use crate::dedicated::endpoint::{CloudEndpointId, ForwardingRule, NewEndpoint};
use crate::dedicated::service::Provider;
use crate::ids::{ParseError, VpcEndpointId};

/// The endpoint that the spec declares: what identifies it is a `T`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub enum DeclaredEndpoint<T> {
    /// None.
    #[default]
    Undeclared,
    /// This one.
    Declared(T),
    /// The referenced object exists and does not have it yet, for this reason.
    Awaited(String),
    /// The reference does not resolve, for this reason.
    NotFound(String),
}

/// The VPC endpoint that the spec declares.
pub type VpcEndpoint = DeclaredEndpoint<VpcEndpointId>;

impl<T> DeclaredEndpoint<T> {
    /// Returns the declaration of what `declared` makes of the declared endpoint.
    #[must_use]
    pub fn map<U>(self, declared: impl FnOnce(T) -> U) -> DeclaredEndpoint<U> {
        match self {
            Self::Undeclared => DeclaredEndpoint::Undeclared,
            Self::Declared(endpoint) => DeclaredEndpoint::Declared(declared(endpoint)),
            Self::Awaited(why) => DeclaredEndpoint::Awaited(why),
            Self::NotFound(why) => DeclaredEndpoint::NotFound(why),
        }
    }

    /// The endpoint of an object of a kind that cannot be referenced. `field` of the spec names it.
    #[must_use]
    pub fn of_other_kind(field: &str, api_version: &str, kind: &str) -> Self {
        Self::NotFound(format!(
            "{kind} of {api_version} is not a kind that can be referenced; correct {field}"
        ))
    }
}

impl<T: FromStr<Err = ParseError>> DeclaredEndpoint<T> {
    /// The endpoint whose id stands in `field` of the spec.
    #[must_use]
    pub fn of_id(field: &str, id: &str) -> Self {
        match id.trim().parse() {
            Ok(id) => Self::Declared(id),
            Err(error) => Self::NotFound(format!("`{field}`: {error}; correct it")),
        }
    }
}

impl DeclaredEndpoint<NewEndpoint> {
    /// Returns the VPC endpoint; none is declared if the endpoint is of another provider than AWS.
    #[must_use]
    pub fn vpc_endpoint(self) -> VpcEndpoint {
        match self {
            Self::Declared(NewEndpoint::Aws { id }) => DeclaredEndpoint::Declared(id),
            Self::Undeclared | Self::Declared(_) => DeclaredEndpoint::Undeclared,
            Self::Awaited(why) => DeclaredEndpoint::Awaited(why),
            Self::NotFound(why) => DeclaredEndpoint::NotFound(why),
        }
    }
}

/// The kinds of object that can be referenced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EndpointSource {
    /// ACK's `VPCEndpoint`.
    Ack,
    /// Upbound's namespaced `VPCEndpoint`.
    UpboundAws,
    /// The `PrivateEndpoint` of Azure Service Operator, in the version that its first releases serve, too.
    AzureServiceOperator,
    /// The same in the version of its later releases.
    AzureServiceOperator2025,
    /// Upbound's namespaced `PrivateEndpoint`.
    UpboundAzure,
    /// Config Connector's `ComputeForwardingRule`.
    ConfigConnector,
    /// Upbound's namespaced `ForwardingRule`.
    UpboundGcp,
    /// An entry of a ConfigMap.
    ConfigMap,
}

/// What there is to know of a kind that can be referenced.
struct SourceRow {
    api_version: &'static str,
    kind: &'static str,
    /// Whose endpoints its objects are; `None`: of any provider.
    provider: Option<Provider>,
    /// The field that names the endpoint, below the object; empty for a ConfigMap, where the reference names the entry.
    id: &'static [&'static str],
    /// The field that holds the endpoint's address; empty if there is none.
    address: &'static [&'static str],
    /// The chart value that grants the right to read the kind.
    value: &'static str,
}

impl EndpointSource {
    /// All kinds.
    pub const ALL: [Self; 8] = [
        Self::Ack,
        Self::UpboundAws,
        Self::AzureServiceOperator,
        Self::AzureServiceOperator2025,
        Self::UpboundAzure,
        Self::ConfigConnector,
        Self::UpboundGcp,
        Self::ConfigMap,
    ];

    #[rustfmt::skip]
    fn row(self) -> SourceRow {
        let row = |api_version, kind, provider, id, address, value| SourceRow { api_version, kind, provider, id, address, value };
        let (aws, azure, gcp) = (Some(Provider::Aws), Some(Provider::Azure), Some(Provider::Gcp));
        let aso = |api_version| row(
            api_version, "PrivateEndpoint", azure,
            &["status", "id"], &["status", "ipConfigurations", "0", "privateIPAddress"], "azureServiceOperator",
        );
        match self {
            Self::Ack => row(
                "ec2.services.k8s.aws/v1alpha1", "VPCEndpoint", aws,
                &["status", "vpcEndpointID"], &[], "ack",
            ),
            Self::UpboundAws => row(
                "ec2.aws.m.upbound.io/v1beta1", "VPCEndpoint", aws,
                &["status", "atProvider", "id"], &[], "crossplane",
            ),
            Self::AzureServiceOperator => aso("network.azure.com/v1api20220701"),
            Self::AzureServiceOperator2025 => aso("network.azure.com/v20250301"),
            Self::UpboundAzure => row(
                "network.azure.m.upbound.io/v1beta1", "PrivateEndpoint", azure,
                &["status", "atProvider", "id"], &["status", "atProvider", "privateServiceConnection", "privateIpAddress"], "crossplane",
            ),
            Self::ConfigConnector => row(
                "compute.cnrm.cloud.google.com/v1beta1", "ComputeForwardingRule", gcp,
                &["status", "selfLink"], &["spec", "ipAddress", "ip"], "configConnector",
            ),
            Self::UpboundGcp => row(
                "compute.gcp.m.upbound.io/v1beta1", "ForwardingRule", gcp,
                &["status", "atProvider", "id"], &["status", "atProvider", "ipAddress"], "crossplane",
            ),
            Self::ConfigMap => row("v1", "ConfigMap", None, &[], &[], "configMap"),
        }
    }

    /// Returns the kind with this `apiVersion` and `kind`; `None` if it cannot be referenced.
    #[must_use]
    pub fn of(api_version: &str, kind: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|source| source.api_version_and_kind() == (api_version, kind))
    }

    /// Returns the `apiVersion` and `kind` of this source.
    #[must_use]
    pub fn api_version_and_kind(self) -> (&'static str, &'static str) {
        let SourceRow { api_version, kind, .. } = self.row();
        (api_version, kind)
    }

    /// Returns `true` if its objects can name an endpoint of this provider.
    #[must_use]
    pub fn is_of(self, provider: Provider) -> bool {
        self.row().provider.is_none_or(|of| of == provider)
    }

    /// Returns the field that names the endpoint, below the object; empty for a ConfigMap, where the reference names the entry. A number
    /// is an index of a list.
    #[must_use]
    pub fn id_path(self) -> &'static [&'static str] {
        self.row().id
    }

    /// Returns the field that holds the endpoint's address, likewise; empty if there is none.
    #[must_use]
    pub fn address_path(self) -> &'static [&'static str] {
        self.row().address
    }

    /// Returns the verbs that reading the kind takes.
    fn verbs(self) -> &'static str {
        match self {
            Self::ConfigMap => "`get`",
            _ => "`list` and `watch`",
        }
    }
}

/// What a referenced object says about an endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundEndpoint {
    /// What names it.
    pub name: EndpointName,
    /// Its address in the user's network, if the object has one.
    pub ip_address: Option<IpAddr>,
}

/// What names an endpoint at its cloud provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EndpointName {
    /// The id of a VPC endpoint of AWS.
    VpcEndpoint(VpcEndpointId),
    /// The resource id of a private endpoint of Azure.
    PrivateEndpoint(CloudEndpointId),
    /// A forwarding rule of Google Cloud.
    ForwardingRule {
        /// The user's project.
        project_id: String,
        /// Its name.
        name: CloudEndpointId,
    },
}

impl EndpointName {
    /// Returns what the text names. Each provider has a form of its own: `vpce-…` on AWS, `/subscriptions/…/privateEndpoints/<name>` on
    /// Azure, and on Google Cloud `projects/<project>/…/forwardingRules/<name>`, which may be the end of a URL.
    fn parse(text: &str) -> Option<Self> {
        if text.starts_with('/') {
            return text.parse().ok().filter(|_| is_private_endpoint(text)).map(Self::PrivateEndpoint);
        }
        let is_rule = text.starts_with("projects/") || text.starts_with("https://");
        if !is_rule {
            return text.parse().ok().map(Self::VpcEndpoint);
        }
        let mut segments = text.split('/').skip_while(|segment| *segment != "projects").skip(1);
        let project = segments.next().filter(|project| is_project(project))?;
        let place: Vec<&str> = segments.collect();
        let (["regions", _, "forwardingRules", name] | ["global", "forwardingRules", name]) = place[..]
        else {
            return None;
        };
        let name = name.parse().ok().filter(|_| is_rule_name(name))?;
        Some(Self::ForwardingRule { project_id: project.to_owned(), name })
    }

    /// Returns whose endpoint it names.
    #[must_use]
    pub fn provider(&self) -> Provider {
        match self {
            Self::VpcEndpoint(_) => Provider::Aws,
            Self::PrivateEndpoint(_) => Provider::Azure,
            Self::ForwardingRule { .. } => Provider::Gcp,
        }
    }
}

/// Returns `true` for the resource id of a private endpoint. Azure compares them without regard to case.
fn is_private_endpoint(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    text.starts_with("/subscriptions/") && text.contains("/privateendpoints/")
}

/// Returns `true` for the id of a Google Cloud project, as the definition accepts it.
fn is_project(text: &str) -> bool {
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-.:".contains(c);
    text.len() <= 128 && text.chars().all(fits) && text.starts_with(|c: char| c.is_ascii_alphanumeric())
}

/// Returns `true` for the name of a forwarding rule, as the definition accepts it.
fn is_rule_name(text: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
    text.len() <= 128 && text.chars().all(fits) && text.starts_with(|c: char| c.is_ascii_alphanumeric())
}

/// What a reference resolves to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// An endpoint.
    Endpoint(FoundEndpoint),
    /// A text of this many characters that names no endpoint; never the text itself.
    Other(usize),
    /// The object exists but names no endpoint, or has no such entry.
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
    /// The content of a field or entry that holds `text`, with the text of the field that holds the address.
    #[must_use]
    pub fn parse(text: &str, address: Option<&str>) -> Self {
        let text = text.trim();
        let Some(name) = EndpointName::parse(text) else { return Self::Other(text.chars().count()) };
        let ip_address = address.and_then(|address| address.trim().parse().ok());
        Self::Endpoint(FoundEndpoint { name, ip_address })
    }
}

/// What the spec itself says about the endpoint of a reference. It takes precedence over what the referenced object says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Stated {
    /// It is of AWS. Its id is all that there is to say.
    #[default]
    Aws,
    /// It is of Azure.
    Azure {
        /// `azure.ipAddress`.
        ip_address: Option<String>,
    },
    /// It is of Google Cloud.
    Gcp {
        /// `gcp.projectId`.
        project_id: Option<String>,
        /// `gcp.endpoints`; empty if they are not set.
        endpoints: Vec<ForwardingRule>,
    },
}

impl Stated {
    /// Returns whose endpoint the spec declares.
    #[must_use]
    pub fn provider(&self) -> Provider {
        match self {
            Self::Aws => Provider::Aws,
            Self::Azure { .. } => Provider::Azure,
            Self::Gcp { .. } => Provider::Gcp,
        }
    }

    /// Returns what names such an endpoint.
    fn expected(&self) -> &'static str {
        match self {
            Self::Aws => "a VPC endpoint id (vpce- and hexadecimal digits)",
            Self::Azure { .. } => {
                "the resource id of a private endpoint (/subscriptions/…/privateEndpoints/<name>)"
            }
            Self::Gcp { .. } => {
                "a forwarding rule (projects/<project>/regions/<region>/forwardingRules/<name>)"
            }
        }
    }

    /// Returns the field of the spec that states the address.
    fn address_field(&self) -> &'static str {
        match self {
            Self::Aws => "",
            Self::Azure { .. } => "spec.azure.ipAddress",
            Self::Gcp { .. } => "spec.gcp.endpoints",
        }
    }

    /// Returns the endpoint that the found one becomes with what the spec says; `Ok(None)` while it has no address.
    ///
    /// # Errors
    /// Whose endpoint was found, if it is of another provider.
    fn complete(&self, found: FoundEndpoint) -> Result<Option<NewEndpoint>, Provider> {
        let found_address = found.ip_address.map(|address| address.to_string());
        match (self, found.name) {
            (Self::Aws, EndpointName::VpcEndpoint(id)) => Ok(Some(NewEndpoint::Aws { id })),
            (Self::Azure { ip_address }, EndpointName::PrivateEndpoint(id)) => {
                let ip_address = ip_address.clone().or(found_address);
                Ok(ip_address.map(|ip_address| NewEndpoint::Azure { id, ip_address }))
            }
            (
                Self::Gcp { project_id: stated, endpoints },
                EndpointName::ForwardingRule { project_id, name },
            ) => {
                let project_id = stated.clone().unwrap_or(project_id);
                let mut endpoints = endpoints.clone();
                if endpoints.is_empty() {
                    let Some(ip_address) = found_address else { return Ok(None) };
                    endpoints.push(ForwardingRule { name: name.as_str().to_owned(), ip_address });
                }
                Ok(Some(NewEndpoint::Gcp { group_name: name, project_id, endpoints }))
            }
            (_, other) => Err(other.provider()),
        }
    }
}

/// A reference to an object that knows the endpoint.
#[derive(Debug, Clone, Copy)]
pub struct Reference<'a> {
    /// The field of the spec, for the user who has to correct it.
    pub field: &'a str,
    /// The kind of the object.
    pub source: EndpointSource,
    /// Its namespace: that of the object that refers to it.
    pub namespace: &'a str,
    /// Its name.
    pub name: &'a str,
    /// The entry of a ConfigMap; otherwise empty.
    pub key: &'a str,
}

impl Reference<'_> {
    /// Returns the endpoint of a reference that resolves to `found`, with what the spec says about it.
    #[must_use]
    pub fn resolve(&self, found: Found, stated: &Stated) -> DeclaredEndpoint<NewEndpoint> {
        use DeclaredEndpoint::{Awaited, Declared, NotFound};
        let Self { field, source, namespace, name, key } = self;
        let (api_version, kind) = source.api_version_and_kind();
        let object = format!("{kind} {name} ({api_version})");
        let place = match source {
            EndpointSource::ConfigMap => format!("entry {key} of {object}"),
            _ => format!("{} of {object}", shown(source.id_path())),
        };
        match found {
            Found::Endpoint(found) => match stated.complete(found) {
                Ok(Some(endpoint)) => Declared(endpoint),
                Ok(None) => self.without_address(&object, stated),
                Err(other) => NotFound(format!(
                    "{place}: expected {}, found what names an endpoint of {other}; correct {field}",
                    stated.expected()
                )),
            },
            Found::Other(length) => NotFound(format!(
                "{place}: expected {}, found another text of {length} characters; correct it",
                stated.expected()
            )),
            Found::Nothing if *source == EndpointSource::ConfigMap => {
                NotFound(format!("{object} has no entry {key}; add it, or correct {field}"))
            }
            Found::Nothing => Awaited(format!("{object} has no id yet ({place})")),
            Found::NoObject => NotFound(format!(
                "{object} does not exist in namespace {namespace}; create it, or correct {field}"
            )),
            Found::NoKind => NotFound(format!(
                "the kind {kind} of {api_version} is not installed in this cluster, so {kind} {name} cannot exist; install it, or \
                 correct {field}"
            )),
            Found::Forbidden => NotFound(format!(
                "the operator may not read {object} in namespace {namespace}; grant its service account {} on {kind}s of {api_version} \
                 (chart value integrations.{}.enabled)",
                source.verbs(),
                source.row().value
            )),
            Found::Unreadable => Awaited(format!(
                "{object} cannot be read at the moment, because the API server returns no usable response"
            )),
        }
    }

    /// An endpoint whose address neither the object nor the spec states.
    fn without_address(&self, object: &str, stated: &Stated) -> DeclaredEndpoint<NewEndpoint> {
        let field = stated.address_field();
        match self.source.address_path() {
            [] => DeclaredEndpoint::NotFound(format!("{object} holds no IP address; set {field}")),
            path => DeclaredEndpoint::Awaited(format!(
                "{object} has no IP address yet ({}); if it gets none there, set {field}",
                shown(path)
            )),
        }
    }
}

/// Returns a path as users write it: `.status.ipConfigurations[0].privateIPAddress`.
fn shown(path: &[&str]) -> String {
    path.iter().fold(String::new(), |shown, part| match part.parse::<usize>() {
        Ok(index) => format!("{shown}[{index}]"),
        Err(_) => format!("{shown}.{part}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const VPC_ENDPOINT: &str = "vpce-00000001";
    const PRIVATE_ENDPOINT: &str =
        "/subscriptions/1f/resourceGroups/Größe(1)/providers/Microsoft.Network/privateEndpoints/orders";
    const RULE: &str = "projects/example.com:orders-1/regions/europe-west1/forwardingRules/orders";

    fn reference(source: EndpointSource) -> Reference<'static> {
        let key = if source == EndpointSource::ConfigMap { "id" } else { "" };
        Reference { field: "spec.provider.ref", source, namespace: "shop", name: "network", key }
    }

    /// What a spec says that leaves all to the reference, and a text that names its endpoint.
    fn stated(provider: Provider) -> (Stated, &'static str) {
        match provider {
            Provider::Aws => (Stated::Aws, VPC_ENDPOINT),
            Provider::Azure => (Stated::Azure { ip_address: None }, PRIVATE_ENDPOINT),
            Provider::Gcp => (Stated::Gcp { project_id: None, endpoints: Vec::new() }, RULE),
        }
    }

    const PROVIDERS: [Provider; 3] = [Provider::Aws, Provider::Azure, Provider::Gcp];

    /// Each kind with each provider whose endpoints it can name.
    fn references() -> impl Iterator<Item = (Reference<'static>, Stated, &'static str)> {
        let pairs =
            EndpointSource::ALL.into_iter().flat_map(|source| PROVIDERS.map(|provider| (source, provider)));
        pairs.filter(|(source, provider)| source.is_of(*provider)).map(|(source, provider)| {
            let (stated, text) = stated(provider);
            (reference(source), stated, text)
        })
    }

    /// Returns whether the endpoint may come by itself, and the message.
    fn lacking(resolved: DeclaredEndpoint<NewEndpoint>) -> (bool, String) {
        match resolved {
            DeclaredEndpoint::Awaited(text) => (true, text),
            DeclaredEndpoint::NotFound(text) => (false, text),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn only_the_name_of_an_endpoint_declares_one_and_only_what_comes_by_itself_is_awaited() {
        for (reference, stated, text) in references() {
            let is_entry = reference.source == EndpointSource::ConfigMap;
            // What is found, whether it may change without the user, and what the user has to do.
            let table = [
                (Found::parse("postgres://app:hunter2@db", None), false, "25 characters; correct it"),
                (
                    Found::Nothing,
                    !is_entry,
                    if is_entry { "has no entry id; add it" } else { "has no id yet (.status." },
                ),
                (Found::NoObject, false, "does not exist in namespace shop; create it"),
                (Found::NoKind, false, "is not installed in this cluster"),
                (Found::Forbidden, false, "grant its service account"),
                (Found::Unreadable, true, "cannot be read at the moment"),
            ];
            let (api_version, kind) = reference.source.api_version_and_kind();
            for (found, may_come, says) in table {
                let (awaited, message) = lacking(reference.resolve(found, &stated));
                assert_eq!(awaited, may_come, "{message}");
                for part in [says, api_version, kind, "network"] {
                    assert!(message.contains(part), "{part} is not in {message:?}");
                }
                assert!(!message.contains("postgres") && !message.contains("hunter2"), "{message}");
            }
            let found = Found::parse(&format!(" {text}\n"), Some(" 10.0.0.4\n"));
            let DeclaredEndpoint::Declared(endpoint) = reference.resolve(found, &stated) else {
                panic!("{reference:?}")
            };
            let last = text.rsplit_once('/').map_or(text, |(_, name)| name);
            let id = if stated.provider() == Provider::Gcp { last } else { text };
            assert_eq!((endpoint.provider(), endpoint.id().as_str()), (stated.provider(), id));
        }
    }

    #[test]
    fn an_endpoint_of_another_provider_is_not_taken_and_its_name_is_not_repeated() {
        for (reference, stated, _) in references() {
            for other in PROVIDERS.into_iter().filter(|other| *other != stated.provider()) {
                let (_, text) = self::stated(other);
                let (awaited, message) = lacking(reference.resolve(Found::parse(text, None), &stated));
                assert!(
                    !awaited && message.contains(&format!("an endpoint of {other}; correct spec.")),
                    "{message}"
                );
                assert!(message.contains(stated.expected()) && !message.contains(text), "{message}");
            }
        }
    }

    #[test]
    fn a_forwarding_rule_is_found_in_an_id_and_in_a_url() {
        let parsed = |text: &str| match Found::parse(text, None) {
            Found::Endpoint(FoundEndpoint {
                name: EndpointName::ForwardingRule { project_id, name },
                ..
            }) => Some((project_id, name.as_str().to_owned())),
            _ => None,
        };
        for text in [
            RULE,
            "https://www.googleapis.com/compute/v1/projects/example.com:orders-1/regions/europe-west1/forwardingRules/orders",
            "projects/example.com:orders-1/global/forwardingRules/orders",
        ] {
            assert_eq!(
                parsed(text),
                Some(("example.com:orders-1".to_owned(), "orders".to_owned())),
                "{text}"
            );
        }
        for text in [
            "projects/example/regions/europe-west1/addresses/orders",
            "projects/example/regions/europe-west1/forwardingRules/orders/more",
            "projects/example/regions/europe-west1/forwardingRules/",
            "projects/example/regions/europe-west1/forwardingRules/..",
            "projects//regions/europe-west1/forwardingRules/orders",
            "projects/Example/regions/europe-west1/forwardingRules/orders",
            "https://example.org/forwardingRules/orders",
            "orders",
        ] {
            assert_eq!(Found::parse(text, None), Found::Other(text.len()), "{text}");
        }
    }

    #[test]
    fn the_id_of_another_resource_of_azure_names_no_private_endpoint() {
        for text in [
            "/",
            "/subscriptions/1f/resourceGroups/g/providers/Microsoft.Network/privateLinkServices/pls",
            "//compute.googleapis.com/projects/p/privateEndpoints/orders",
        ] {
            assert_eq!(Found::parse(text, None), Found::Other(text.len()), "{text}");
        }
        let lower = PRIVATE_ENDPOINT.to_ascii_lowercase();
        assert!(matches!(Found::parse(&lower, None), Found::Endpoint(_)), "Azure may change the case");
    }

    #[test]
    fn what_the_spec_states_wins_over_what_the_object_says() {
        let declared = |text, stated: Stated| {
            let found = Found::parse(text, Some("10.0.0.4"));
            match reference(EndpointSource::ConfigMap).resolve(found, &stated) {
                DeclaredEndpoint::Declared(endpoint) => endpoint,
                other => panic!("{other:?}"),
            }
        };
        let id: CloudEndpointId = PRIVATE_ENDPOINT.parse().unwrap();
        for (stated, ip_address) in [(None, "10.0.0.4"), (Some("10.0.0.9".to_owned()), "10.0.0.9")] {
            let endpoint = declared(PRIVATE_ENDPOINT, Stated::Azure { ip_address: stated });
            assert_eq!(endpoint, NewEndpoint::Azure { id: id.clone(), ip_address: ip_address.to_owned() });
        }
        let rule = |name: &str, ip_address: &str| ForwardingRule {
            name: name.to_owned(),
            ip_address: ip_address.to_owned(),
        };
        let stated = vec![rule("another", "10.0.0.9")];
        for (project_id, endpoints, project, rules) in [
            (None, Vec::new(), "example.com:orders-1", vec![rule("orders", "10.0.0.4")]),
            (Some("mine".to_owned()), stated.clone(), "mine", stated),
        ] {
            let endpoint = declared(RULE, Stated::Gcp { project_id, endpoints });
            let group_name = "orders".parse().unwrap();
            assert_eq!(
                endpoint,
                NewEndpoint::Gcp { group_name, project_id: project.to_owned(), endpoints: rules }
            );
        }
    }

    #[test]
    fn an_address_is_awaited_where_it_may_come_and_asked_for_where_it_never_does() {
        for (reference, stated, text) in references().filter(|(_, stated, _)| *stated != Stated::Aws) {
            for address in [None, Some(""), Some("projects/p/addresses/hunter2")] {
                let (awaited, message) = lacking(reference.resolve(Found::parse(text, address), &stated));
                assert_eq!(awaited, reference.source != EndpointSource::ConfigMap, "{message}");
                assert!(message.contains(&format!("set {}", stated.address_field())), "{message}");
                assert!(message.contains(if awaited {
                    "has no IP address yet (."
                } else {
                    "holds no IP address"
                }));
                assert!(!message.contains("hunter2"), "{message}");
            }
        }
        let (stated, text) = stated(Provider::Azure);
        let resolved =
            reference(EndpointSource::AzureServiceOperator).resolve(Found::parse(text, None), &stated);
        let (_, message) = lacking(resolved);
        assert!(message.contains("(.status.ipConfigurations[0].privateIPAddress)"), "{message}");
    }

    #[test]
    fn what_the_user_has_to_correct_is_named() {
        let found = |source, found| lacking(reference(source).resolve(found, &Stated::Aws)).1;
        let texts = [
            lacking(DeclaredEndpoint::of_other_kind("spec.provider.ref", "apps/v1", "Deployment")).1,
            found(EndpointSource::ConfigMap, Found::Nothing),
            found(EndpointSource::Ack, Found::NoObject),
            found(EndpointSource::UpboundAws, Found::NoKind),
        ];
        for text in texts {
            assert!(text.contains("spec.provider.ref"), "{text}");
        }
        let VpcEndpoint::NotFound(text) = VpcEndpoint::of_id("spec.id", "vpce-xyz") else { panic!() };
        assert!(text.contains("spec.id"), "{text}");
    }

    #[test]
    fn the_requested_permissions_are_the_used_ones() {
        use EndpointSource as S;
        for (source, verbs, value) in [
            (S::ConfigMap, "`get`", "configMap"),
            (S::Ack, "`list` and `watch`", "ack"),
            (S::UpboundAws, "`list` and `watch`", "crossplane"),
            (S::AzureServiceOperator, "`list` and `watch`", "azureServiceOperator"),
            (S::AzureServiceOperator2025, "`list` and `watch`", "azureServiceOperator"),
            (S::UpboundAzure, "`list` and `watch`", "crossplane"),
            (S::ConfigConnector, "`list` and `watch`", "configConnector"),
            (S::UpboundGcp, "`list` and `watch`", "crossplane"),
        ] {
            let (_, text) = lacking(reference(source).resolve(Found::Forbidden, &Stated::Aws));
            let value = format!("integrations.{value}.enabled");
            assert!(text.contains(verbs) && text.contains(&value), "{text}");
        }
    }

    #[test]
    fn a_kind_is_found_by_its_names_alone() {
        for source in EndpointSource::ALL {
            let (api_version, kind) = source.api_version_and_kind();
            assert_eq!(EndpointSource::of(api_version, kind), Some(source));
            assert_eq!(EndpointSource::of(kind, api_version), None);
        }
    }
}
