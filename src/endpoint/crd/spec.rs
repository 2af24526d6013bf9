//! The spec of a `PrivateEndpoint`, with the rules that the API server enforces.
//!
//! `kubectl explain` shows each doc comment: what the field is, its default, whether it may be changed, and Atlas' name
//! for it. Maximum lengths bound the cost of the rules. They are generous where a rule has a better message than "too
//! long". It never says what the operator does with a value; that is in the `domain` crate.

#![expect(unreachable_pub, reason = "KubeSchema copies each struct, with its `pub`, into a function")]

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::status::PrivateEndpointStatus;
use crate::schema::{
    AWS_KINDS, AZURE_KINDS, AdoptionPolicy, CloudProviderEndpointRef, CredentialsRef, DeletionOverride,
    GCP_KINDS, GcpServiceKey, IS_OBJECT_NAME, ManagementPolicy, OutputConfigMap, ProviderName,
    default_interval, default_progress_deadline, gcp_forbidden_rule, gcp_required_rule, immutable,
    interval_rule, progress_deadline_rule, project_id_rule, region_rule,
};

/// Desired state: which endpoint of the cloud provider, at which endpoint service, and how it is managed.
#[derive(CustomResource, KubeSchema, Serialize, Deserialize, Debug, Clone, PartialEq)]
#[kube(
    group = "atlas.spe-operator.io",
    version = "v1alpha1",
    kind = "PrivateEndpoint",
    plural = "privateendpoints",
    shortname = "pe",
    category = "atlas",
    namespaced,
    doc = "A VPC endpoint of AWS, private endpoint of Azure or endpoint group of Google Cloud that is registered at an endpoint service of MongoDB Atlas, for dedicated clusters. It is registered when this object is created, and removed from Atlas when it is deleted.",
    status = "PrivateEndpointStatus",
    derive = "PartialEq",
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
        description = "Status of the endpoint, as Atlas reports it."
    ),
    printcolumn(
        name = "Reason",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].reason",
        description = "Why it is ready or not."
    ),
    printcolumn(
        name = "Service",
        type_ = "string",
        json_path = ".spec.serviceRef.name",
        description = "PrivateEndpointService."
    ),
    printcolumn(
        name = "Age",
        type_ = "date",
        json_path = ".metadata.creationTimestamp",
        description = "Time since the object was created."
    ),
    printcolumn(
        name = "Endpoint",
        type_ = "string",
        json_path = ".status.endpointId",
        description = "Id of the endpoint, as its cloud provider gave it.",
        priority = 1
    ),
    printcolumn(
        name = "Service-ID",
        type_ = "string",
        json_path = ".status.serviceId",
        description = "Id of the service in Atlas.",
        priority = 1
    ),
    printcolumn(
        name = "Provenance",
        type_ = "string",
        json_path = ".status.provenance",
        description = "Whether this object registered the endpoint.",
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
    validation = Rule::new("has(self.serviceRef) != has(self.service)")
        .message("exactly one of `serviceRef` and `service` must be set: `serviceRef` names a PrivateEndpointService, `service` looks one up in Atlas"),
    validation = Rule::new("has(self.serviceRef) == has(oldSelf.serviceRef)")
        .message("`serviceRef` and `service` are immutable; create another PrivateEndpoint for another service"),
    validation = Rule::new("[has(self.aws), has(self.azure), has(self.gcp)].filter(is_set, is_set).size() == 1")
        .message("exactly one of `aws`, `azure` and `gcp` must be set: that of the endpoint's cloud provider"),
    validation = Rule::new("has(self.aws) == has(oldSelf.aws) && has(self.azure) == has(oldSelf.azure) && has(self.gcp) == has(oldSelf.gcp)")
        .message("the cloud provider is immutable: that one of `aws`, `azure` and `gcp` that is set must stay set; create another PrivateEndpoint for another provider"),
    validation = Rule::new("!has(self.service) || (self.service.provider == 'AWS' ? has(self.aws) : self.service.provider == 'AZURE' ? has(self.azure) : has(self.gcp))")
        .message("`service.provider` must be the provider of the endpoint: 'AWS' with `aws`, 'AZURE' with `azure`, 'GCP' with `gcp`")
        .field_path(".service.provider"),
    validation = Rule::new("!has(self.service) || !has(self.service.gcp) || !self.service.gcp.portMapping || !has(self.gcp) || !has(self.gcp.endpoints) || self.gcp.endpoints.size() == 1")
        .message("`gcp.endpoints` must have exactly one entry when `service.gcp.portMapping` is true: one forwarding rule serves the whole service")
        .field_path(".gcp.endpoints"),
    validation = Rule::new("!has(self.serviceRef) || !has(self.credentialsRef)")
        .message("`credentialsRef` may not be set with `serviceRef`, because the credentials of the PrivateEndpointService are used; remove it")
        .field_path(".credentialsRef")
        .reason(Reason::FieldValueForbidden)
)]
pub struct PrivateEndpointSpec {
    /// PrivateEndpointService that the endpoint is registered at; its project and its credentials are used. Default: none; exactly
    /// one of `serviceRef` and `service` must be set. Immutable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_ref: Option<ServiceRef>,

    /// Endpoint service that the endpoint is registered at, looked up in Atlas; it is never created or deleted. Default: none;
    /// exactly one of `serviceRef` and `service` must be set. Immutable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<ServiceLookup>,

    /// VPC endpoint of AWS to register. Default: none; exactly one of `aws`, `azure` and `gcp` must be set. May be changed, but not
    /// removed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub aws: Option<AwsVpcEndpoint>,

    /// Private endpoint of Azure to register. Default: none; exactly one of `aws`, `azure` and `gcp` must be set. May be changed, but
    /// not removed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub azure: Option<AzurePrivateEndpoint>,

    /// Endpoint group of Google Cloud to register. Default: none; exactly one of `aws`, `azure` and `gcp` must be set. May be changed,
    /// but not removed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gcp: Option<GcpEndpointGroup>,

    /// Clusters of the project whose private connection strings through this endpoint are written to the status, up to 50. Default:
    /// none. May be changed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 50), inner(length(max = 128)))]
    #[x_kube(
        validation = Rule::new("self.all(name, name.matches('^[a-zA-Z0-9][a-zA-Z0-9-]*$'))")
            .message("`clusters` must be names of Atlas clusters: letters, digits and '-', not starting with '-'"),
        merge_strategy = ListMerge::Set
    )]
    pub clusters: Vec<String>,

    /// What happens first when the endpoint's id changes: MakeBeforeBreak (the new endpoint is registered; the old one is removed
    /// once the new one is AVAILABLE) or BreakBeforeMake (the old one is removed first, for projects that may hold one endpoint a
    /// region). Default: MakeBeforeBreak. May be changed.
    #[serde(default)]
    pub replace: ReplacementOrder,

    /// What happens if the endpoint is already registered in Atlas: IfExists (it is adopted; else it is registered), Never (that is
    /// reported, and it is not adopted) or Only (it is adopted; none is ever registered). Default: IfExists. May be changed.
    #[serde(default)]
    pub adopt: AdoptionPolicy,

    /// Secret with the Atlas API key, only with `service`. Default: the credentials of the PrivateEndpointService; with `service` the
    /// operator's own, where it has some for this namespace. May be changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credentials_ref: Option<CredentialsRef>,

    /// What happens to the endpoint in Atlas when this object is deleted: Delete (also if it was adopted) or Retain. Default: none,
    /// which removes it unless it was adopted. May be changed, also while the object is being deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    // Without it the description of the enum replaces this one.
    #[schemars(with = "DeletionOverride")]
    pub deletion_policy: Option<DeletionOverride>,

    /// Whether the endpoint is managed (Manage) or only observed (Observe, which writes nothing to Atlas). Default: Manage. May be
    /// changed.
    #[serde(default)]
    pub management_policy: ManagementPolicy,

    /// Stops registering, replacing and polling the endpoint while true; deleting this object still works. Default: false. May be
    /// changed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub suspend: bool,

    /// How often a settled endpoint is polled, as a Go duration of at least 30s. Default: 10m. May be changed.
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

    /// ConfigMap that receives the ids of the service and of the endpoint, and the private connection strings of `clusters`, while the
    /// endpoint is connected, for applications and tools that read them there. Default: none. May be changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_config_map: Option<OutputConfigMap>,
}

/// A `PrivateEndpointService`.
#[derive(KubeSchema, Serialize, Deserialize, Debug, Clone, PartialEq, Eq, Hash)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("has(self.__namespace__) == has(oldSelf.__namespace__)")
        .message("`namespace` is immutable; create another PrivateEndpoint for a service of another namespace")
        .field_path(".namespace")
)]
pub struct ServiceRef {
    /// Name of the PrivateEndpointService. Required. Immutable.
    #[schemars(length(max = 253))]
    #[x_kube(
        validation = immutable("`name` is immutable; create another PrivateEndpoint for another service"),
        validation = Rule::new(IS_OBJECT_NAME)
            .message("`name` must be the name of a PrivateEndpointService: lower-case letters, digits, '-' and '.'")
    )]
    pub name: String,

    /// Namespace of the PrivateEndpointService. If it is not the object's own, it must allow the object's namespace by
    /// `allowedNamespaces`. Default: the object's own. Immutable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    #[x_kube(
        validation = immutable("`namespace` is immutable; create another PrivateEndpoint for a service of another namespace"),
        validation = Rule::new("self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')")
            .message("`namespace` must be the name of a namespace: lower-case letters, digits and '-'")
    )]
    pub namespace: Option<String>,
}

/// An endpoint service in Atlas, by its key.
#[derive(KubeSchema, Serialize, Deserialize, Debug, Clone, PartialEq, Eq, Hash)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = region_rule(),
    validation = gcp_required_rule(),
    validation = gcp_forbidden_rule()
)]
pub struct ServiceLookup {
    /// Atlas project (group) of the service: 24 hexadecimal digits. Required. Immutable. In Atlas: groupId.
    #[schemars(length(max = 128))]
    #[x_kube(
        validation = immutable("`projectId` is immutable; create another PrivateEndpoint for another project"),
        validation = project_id_rule()
    )]
    pub project_id: String,

    /// Cloud provider of the service: AWS, AZURE or GCP. Required. Immutable. In Atlas: cloudProvider.
    #[x_kube(validation = immutable("`provider` is immutable; create another PrivateEndpoint for another provider"))]
    pub provider: ProviderName,

    /// Region of the service as Atlas spells it, such as EU_WEST_1; for AWS also as AWS spells it, such as eu-west-1. Required.
    /// Immutable. In Atlas: regionName.
    #[schemars(length(max = 128))]
    #[x_kube(validation = immutable("`region` is immutable; create another PrivateEndpoint for another region"))]
    pub region: String,

    /// What only Google Cloud needs to tell one service from another. Required for GCP, else it may not be set. Immutable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gcp: Option<GcpServiceKey>,
}

/// A VPC endpoint of AWS: its id, or the object that knows it.
#[derive(KubeSchema, Serialize, Deserialize, Debug, Clone, PartialEq, Eq, Hash)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("has(self.id) != has(self.ref)")
        .message("exactly one of `id` and `ref` must be set: the id of the VPC endpoint, or the object that knows it"),
    validation = AWS_KINDS.rule("ref"),
    validation = AWS_KINDS.namespaced_rule("ref")
)]
pub struct AwsVpcEndpoint {
    /// Id of the VPC endpoint: `vpce-` and hexadecimal digits. Default: none; exactly one of `id` and `ref` must be set. May be
    /// changed. In Atlas: id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128))]
    #[x_kube(validation = Rule::new("self.matches('^vpce-[0-9a-f]+$')")
        .message("`id` must be the id of a VPC endpoint: 'vpce-' and lower-case hexadecimal digits"))]
    pub id: Option<String>,

    /// Object that knows the id of the VPC endpoint: a VPCEndpoint of `ec2.services.k8s.aws/v1alpha1` (ACK) or
    /// `ec2.aws.m.upbound.io/v1beta1` (Upbound), or a ConfigMap, in the same namespace. Default: none; exactly one of `id` and `ref`
    /// must be set. May be changed.
    #[serde(rename = "ref", default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<CloudProviderEndpointRef>,
}

/// A private endpoint of Azure: its id, or the object that knows it.
#[derive(KubeSchema, Serialize, Deserialize, Debug, Clone, PartialEq, Eq, Hash)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("has(self.id) != has(self.ref)")
        .message("exactly one of `id` and `ref` must be set: the resource id of the private endpoint, or the object that knows it"),
    validation = AZURE_KINDS.rule("ref"),
    validation = AZURE_KINDS.namespaced_rule("ref"),
    validation = Rule::new("has(self.ipAddress) || (has(self.ref) && self.ref.kind != 'ConfigMap')")
        .message("`ipAddress` must be set, unless `ref` names a PrivateEndpoint, which may know it")
        .field_path(".ipAddress")
        .reason(Reason::FieldValueRequired),
    validation = Rule::new("!has(self.id) || !has(oldSelf.id) || self.id.lowerAscii() != oldSelf.id.lowerAscii() || !has(self.ipAddress) || !has(oldSelf.ipAddress) || self.ipAddress == oldSelf.ipAddress")
        .message("`ipAddress` may only be changed together with `id`, because Atlas cannot change the address of a registered endpoint; make another private endpoint and name it")
        .field_path(".ipAddress")
)]
pub struct AzurePrivateEndpoint {
    /// Resource id of the private endpoint: '/subscriptions/…/privateEndpoints/' and its name; the case of letters does not matter. Default: none; exactly one of `id` and
    /// `ref` must be set. May be changed. In Atlas: id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 512))]
    #[x_kube(validation = Rule::new(r"self.matches('^/[^\\s\\pZ\\pC]+$')")
        .message("`id` must be the resource id of a private endpoint: a path such as '/subscriptions/…/privateEndpoints/orders', without spaces"))]
    pub id: Option<String>,

    /// Object that knows the resource id: a PrivateEndpoint of `network.azure.com/v1api20220701` or `network.azure.com/v20250301` (Azure
    /// Service Operator) or `network.azure.m.upbound.io/v1beta1` (Upbound), or a ConfigMap, in the same namespace. Default: none;
    /// exactly one of `id` and `ref` must be set. May be changed.
    #[serde(rename = "ref", default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<CloudProviderEndpointRef>,

    /// Private IP address of the private endpoint. Default: that of the PrivateEndpoint that `ref` names, once it is there (Azure Service
    /// Operator knows only an address that the manifest of its object chose); required otherwise. May be changed only together with `id`;
    /// with `ref` a change has no effect on an endpoint that is registered. In Atlas: privateEndpointIPAddress.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    #[x_kube(validation = Rule::new("isIP(self)")
        .message("`ipAddress` must be an IP address, such as '10.0.0.4'"))]
    pub ip_address: Option<String>,
}

/// An endpoint group of Google Cloud: its name, or the object that knows its forwarding rule.
#[derive(KubeSchema, Serialize, Deserialize, Debug, Clone, PartialEq, Eq, Hash)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("has(self.groupName) != has(self.ref)")
        .message("exactly one of `groupName` and `ref` must be set: the name of the group, or the object that knows its forwarding rule"),
    validation = GCP_KINDS.rule("ref"),
    validation = GCP_KINDS.namespaced_rule("ref"),
    validation = Rule::new("has(self.projectId) || has(self.ref)")
        .message("`projectId` must be set with `groupName`")
        .field_path(".projectId")
        .reason(Reason::FieldValueRequired),
    validation = Rule::new("has(self.endpoints) || (has(self.ref) && self.ref.kind != 'ConfigMap')")
        .message("`endpoints` must be set, unless `ref` names a forwarding rule, which may know its address")
        .field_path(".endpoints")
        .reason(Reason::FieldValueRequired),
    validation = Rule::new("!has(self.groupName) || !has(oldSelf.groupName) || self.groupName != oldSelf.groupName || ((!has(self.projectId) || !has(oldSelf.projectId) || self.projectId == oldSelf.projectId) && (!has(self.endpoints) || !has(oldSelf.endpoints) || self.endpoints == oldSelf.endpoints))")
        .message("`projectId` and `endpoints` may only be changed together with `groupName`, because Atlas cannot change a registered group; choose another name for the changed group")
)]
pub struct GcpEndpointGroup {
    /// Name of the group, which is its id in Atlas; for a port-mapped service that of the forwarding rule. Default: none; exactly one of
    /// `groupName` and `ref` must be set. May be changed. In Atlas: endpointGroupName.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128))]
    #[x_kube(validation = Rule::new("self.matches('^[a-zA-Z0-9][-._a-zA-Z0-9]*$')")
        .message("`groupName` must be the name of an endpoint group: letters, digits, '-', '_' and '.', starting with a letter or digit"))]
    pub group_name: Option<String>,

    /// Object that knows the forwarding rule, whose name becomes that of the group: a ComputeForwardingRule of
    /// `compute.cnrm.cloud.google.com/v1beta1` (Config Connector), a ForwardingRule of `compute.gcp.m.upbound.io/v1beta1` (Upbound), or a
    /// ConfigMap, in the same namespace. Default: none; exactly one of `groupName` and `ref` must be set. May be changed.
    #[serde(rename = "ref", default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<CloudProviderEndpointRef>,

    /// Your Google Cloud project, which holds the forwarding rules. Default: that of the forwarding rule that `ref` names; required with
    /// `groupName`. May be changed only together with `groupName`; with `ref` a change has no effect on a group that is registered. In
    /// Atlas: gcpProjectId.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128))]
    #[x_kube(validation = Rule::new("self.matches('^[a-z0-9][-.:a-z0-9]*$')")
        .message("`projectId` must be the id of a Google Cloud project: lower-case letters, digits, '-', '.' and ':'"))]
    pub project_id: Option<String>,

    /// Forwarding rules of the group: exactly one for a port-mapped service, else one for each service attachment. Default: the one that
    /// `ref` names, once its address is there (Config Connector knows only an address that the manifest of its object holds as text);
    /// required otherwise. May be changed only together with `groupName`; with `ref` a change has no effect on a group that is
    /// registered. In Atlas: endpoints.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(min = 1, max = 150))]
    pub endpoints: Vec<GcpForwardingRule>,
}

/// A forwarding rule of Google Cloud.
#[derive(KubeSchema, Serialize, Deserialize, Debug, Clone, PartialEq, Eq, Hash)]
#[serde(rename_all = "camelCase")]
pub struct GcpForwardingRule {
    /// Name of the forwarding rule. Required. May be changed only together with `groupName`. In Atlas: endpointName.
    #[schemars(length(max = 128))]
    #[x_kube(validation = Rule::new("self.matches('^[a-zA-Z0-9][-._a-zA-Z0-9]*$')")
        .message("`name` must be the name of a forwarding rule: letters, digits, '-', '_' and '.', starting with a letter or digit"))]
    pub name: String,

    /// IP address of the forwarding rule. Required. May be changed only together with `groupName`. In Atlas: ipAddress.
    #[schemars(length(max = 64))]
    #[x_kube(validation = Rule::new("isIP(self)")
        .message("`ipAddress` must be an IP address, such as '10.0.0.4'"))]
    pub ip_address: String,
}

/// What happens first when an endpoint is replaced.
#[derive(JsonSchema, Serialize, Deserialize, Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum ReplacementOrder {
    /// The new endpoint is registered; the old one is removed once the new one is AVAILABLE.
    #[default]
    MakeBeforeBreak,
    /// The old endpoint is removed; then the new one is registered.
    BreakBeforeMake,
}
