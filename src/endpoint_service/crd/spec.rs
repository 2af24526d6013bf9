//! The spec of a `PrivateEndpointService`, with the rules that the API server enforces.
//!
//! `kubectl explain` shows each doc comment: what the field is, its default, whether it may be changed, and Atlas' name
//! for it. Maximum lengths bound the cost of the rules. They are generous where a rule has a better message than "too
//! long". It never says what the operator does with a value; that is in the `domain` crate.

#![expect(unreachable_pub, reason = "KubeSchema copies each struct, with its `pub`, into a function")]

use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};

use super::status::PrivateEndpointServiceStatus;
use crate::schema::{
    AdoptionPolicy, CredentialsRef, DeletionOverride, GcpServiceKey, ManagementPolicy, OutputConfigMap,
    ProviderName, default_interval, default_progress_deadline, gcp_forbidden_rule, gcp_required_rule,
    immutable, interval_rule, progress_deadline_rule, project_id_rule, region_rule,
};

/// Desired state: which endpoint service, who may refer to it, and how it is managed.
#[derive(CustomResource, KubeSchema, Serialize, Deserialize, Debug, Clone, PartialEq)]
#[kube(
    group = "atlas.spe-operator.io",
    version = "v1alpha1",
    kind = "PrivateEndpointService",
    plural = "privateendpointservices",
    shortname = "pesvc",
    category = "atlas",
    namespaced,
    doc = "The private endpoint service of one MongoDB Atlas project, cloud provider and region, for dedicated clusters. It is created in Atlas unless it exists there, and deleted there with this object if this object created it.",
    status = "PrivateEndpointServiceStatus",
    derive = "PartialEq",
    selectable = ".spec.projectId",
    selectable = ".spec.region",
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].status",
        description = "Whether what the manifest declares is done."
    ),
    printcolumn(
        name = "Status",
        type_ = "string",
        json_path = ".status.status",
        description = "Status of the service, as Atlas reports it."
    ),
    printcolumn(
        name = "Reason",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].reason",
        description = "Why it is ready or not."
    ),
    printcolumn(
        name = "Provider",
        type_ = "string",
        json_path = ".spec.provider",
        description = "Cloud provider."
    ),
    printcolumn(name = "Region", type_ = "string", json_path = ".spec.region", description = "Region."),
    printcolumn(
        name = "Age",
        type_ = "date",
        json_path = ".metadata.creationTimestamp",
        description = "Time since the object was created."
    ),
    printcolumn(
        name = "ID",
        type_ = "string",
        json_path = ".status.serviceId",
        description = "Id of the service in Atlas.",
        priority = 1
    ),
    printcolumn(
        name = "Service-Name",
        type_ = "string",
        json_path = ".status.endpointServiceName",
        description = "AWS PrivateLink endpoint service.",
        priority = 1
    ),
    printcolumn(
        name = "Provenance",
        type_ = "string",
        json_path = ".status.provenance",
        description = "Whether this object created the service.",
        priority = 1
    ),
    printcolumn(
        name = "Message",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].message",
        description = "What the reason means, and the next step.",
        priority = 1
    )
)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = region_rule(),
    validation = gcp_required_rule(),
    validation = gcp_forbidden_rule(),
    validation = Rule::new("self.provider == 'AWS' || !has(self.aws)")
        .message("`aws` may only be set when `provider` is 'AWS'; remove it")
        .field_path(".aws")
        .reason(Reason::FieldValueForbidden)
)]
pub struct PrivateEndpointServiceSpec {
    /// Atlas project (group) of the service: 24 hexadecimal digits. Required. Immutable. In Atlas: groupId.
    #[schemars(length(max = 128))]
    #[x_kube(
        validation = immutable("`projectId` is immutable; create another PrivateEndpointService for another project"),
        validation = project_id_rule()
    )]
    pub project_id: String,

    /// Cloud provider of the service: AWS, AZURE or GCP. Required. Immutable. In Atlas: providerName.
    #[x_kube(validation = immutable("`provider` is immutable; create another PrivateEndpointService for another provider"))]
    pub provider: ProviderName,

    /// Region of the service as Atlas spells it, such as EU_WEST_1; for AWS also as AWS spells it, such as eu-west-1. Required.
    /// Immutable. In Atlas: region.
    #[schemars(length(max = 128))]
    #[x_kube(validation = immutable("`region` is immutable; create another PrivateEndpointService for another region"))]
    pub region: String,

    /// What only Google Cloud needs to tell one service from another. Required for GCP, else it may not be set. Immutable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gcp: Option<GcpServiceKey>,

    /// What can only be set for AWS. Default: none. May be changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub aws: Option<AwsServiceSettings>,

    /// Other namespaces whose PrivateEndpoints may refer to this object: their names, or '*' for all. Default: none. May be
    /// changed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 256), inner(length(max = 253)))]
    #[x_kube(
        validation = Rule::new("self.all(name, name == '*' || name.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$'))")
            .message("`allowedNamespaces` must be names of namespaces, or '*' for all: lower-case letters, digits and '-'"),
        merge_strategy = ListMerge::Set
    )]
    pub allowed_namespaces: Vec<String>,

    /// What happens if the service already exists in Atlas: IfExists (it is adopted; else one is created), Never (that is
    /// reported, and it is not adopted) or Only (it is adopted; none is ever created). Default: IfExists. May be changed.
    #[serde(default)]
    pub adopt: AdoptionPolicy,

    /// Secret with the Atlas API key. Default: the operator's own credentials, where it has some for this namespace. May be
    /// changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credentials_ref: Option<CredentialsRef>,

    /// What happens to the service in Atlas when this object is deleted: Delete (also if it was adopted) or Retain. Default: none,
    /// which deletes it only if this object created it. A service with endpoints is never deleted. May be changed, also while the
    /// object is being deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    // Without it the description of the enum replaces this one.
    #[schemars(with = "DeletionOverride")]
    pub deletion_policy: Option<DeletionOverride>,

    /// Whether the service is managed (Manage) or only observed (Observe, which writes nothing to Atlas). Default: Manage. May be
    /// changed.
    #[serde(default)]
    pub management_policy: ManagementPolicy,

    /// Stops creating, changing and polling the service while true; deleting this object still works. Default: false. May be
    /// changed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub suspend: bool,

    /// How often a settled service is polled, as a Go duration of at least 30s. Default: 10m. May be changed.
    #[serde(default = "default_interval")]
    #[schemars(length(max = 64))]
    #[x_kube(validation = interval_rule())]
    pub interval: String,

    /// How long Atlas may take before the object is reported as Stalled, as a Go duration; time spent waiting for the
    /// user never counts. Default: 15m. May be changed.
    #[serde(default = "default_progress_deadline")]
    #[schemars(length(max = 64))]
    #[x_kube(validation = progress_deadline_rule())]
    pub progress_deadline: String,

    /// ConfigMap that receives the id of the service, its region and the name that an endpoint is made for, while the service can be
    /// used, for tools that read them there. Default: none. May be changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_config_map: Option<OutputConfigMap>,
}

/// The settings of an endpoint service of AWS.
#[derive(KubeSchema, Serialize, Deserialize, Debug, Clone, PartialEq, Eq, Hash)]
#[serde(rename_all = "camelCase")]
pub struct AwsServiceSettings {
    /// Other AWS regions whose VPC endpoints can reach the service, as Atlas spells them, up to 35; an empty list allows none.
    /// Default: none, which leaves them as they are in Atlas. May be changed. In Atlas: supportedRemoteRegions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 35), inner(length(max = 128)))]
    #[x_kube(
        validation = Rule::new("self.all(region, region.matches('^[A-Z][A-Z0-9_]*$'))")
            .message("`supportedRemoteRegions` must be regions as Atlas spells them, such as 'EU_WEST_1': upper-case letters, digits and '_'"),
        merge_strategy = ListMerge::Set
    )]
    pub supported_remote_regions: Option<Vec<String>>,
}
