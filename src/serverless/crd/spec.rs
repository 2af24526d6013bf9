//! The spec that users write, with the rules that the API server enforces.
//!
//! `kubectl explain` shows each doc comment: what the field is, its default, whether it may be changed, and Atlas' name
//! for it. Maximum lengths bound the cost of the rules. They are generous where a rule has a better message than "too
//! long".

#![expect(unreachable_pub, reason = "KubeSchema copies each struct, with its `pub`, into a function")]

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::status::ServerlessPrivateEndpointStatus;
use crate::schema::{
    AWS_KINDS, CloudProviderEndpointRef, CredentialsRef, ManagementPolicy, OutputConfigMap, default_interval,
    default_progress_deadline, immutable, interval_rule, progress_deadline_rule, project_id_rule,
};

/// Desired state: which serverless instance, how its endpoint is connected, and how it is managed.
#[derive(CustomResource, KubeSchema, Serialize, Deserialize, Debug, Clone, PartialEq)]
#[kube(
    group = "atlas.spe-operator.io",
    version = "v1alpha1",
    kind = "ServerlessPrivateEndpoint",
    plural = "serverlessprivateendpoints",
    shortname = "spe",
    category = "atlas",
    namespaced,
    doc = "A private endpoint of one MongoDB Atlas serverless instance. It is created in Atlas when this object is created, and deleted there when it is deleted.",
    status = "ServerlessPrivateEndpointStatus",
    derive = "PartialEq",
    selectable = ".spec.projectId",
    selectable = ".spec.instanceName",
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
        description = "Operating status, as Atlas reports it."
    ),
    printcolumn(
        name = "Reason",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].reason",
        description = "Why it is ready or not."
    ),
    printcolumn(
        name = "Instance",
        type_ = "string",
        json_path = ".spec.instanceName",
        description = "Serverless instance."
    ),
    printcolumn(
        name = "Age",
        type_ = "date",
        json_path = ".metadata.creationTimestamp",
        description = "Time since the object was created."
    ),
    printcolumn(
        name = "ID",
        type_ = "string",
        json_path = ".status._id",
        description = "Id of the endpoint in Atlas.",
        priority = 1
    ),
    printcolumn(
        name = "VPC-Endpoint",
        type_ = "string",
        json_path = ".status.cloudProviderEndpointId",
        description = "VPC endpoint id that Atlas knows.",
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
        name = "Message",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].message",
        description = "What the reason means, and the next step.",
        priority = 1
    ),
    // A transition rule, so that it applies to edits of the spec only: a rule on the state itself could reject the
    // status with the id of an endpoint that was being created while the user set `endpointId`.
    validation = Rule::new("!has(self.spec.endpointId) || (has(oldSelf.spec.endpointId) && self.spec.endpointId == oldSelf.spec.endpointId) || !has(self.status) || !has(self.status._id) || self.spec.endpointId == self.status._id")
        .message("`endpointId` must equal `status._id` once the object has an endpoint; it may always be removed")
        .field_path(".spec.endpointId")
)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("!has(self.cloudProviderEndpointId) || !has(self.cloudProviderEndpointRef)")
        .message("at most one of `cloudProviderEndpointId` and `cloudProviderEndpointRef` may be set"),
    validation = Rule::new("has(self.cloudProviderEndpointId) || has(self.cloudProviderEndpointRef) || !(has(oldSelf.cloudProviderEndpointId) || has(oldSelf.cloudProviderEndpointRef))")
        .message("`cloudProviderEndpointId` or `cloudProviderEndpointRef` must stay set once one was set, because Atlas offers no way to detach a VPC endpoint; change it, or delete the object"),
    validation = AWS_KINDS.rule("cloudProviderEndpointRef"),
    validation = AWS_KINDS.namespaced_rule("cloudProviderEndpointRef"),
    validation = Rule::new("self.managementPolicy != 'Observe' || has(self.endpointId)")
        .message("`endpointId` must be set when `managementPolicy` is 'Observe'")
        .field_path(".endpointId")
        .reason(Reason::FieldValueRequired)
)]
pub struct ServerlessPrivateEndpointSpec {
    /// Atlas project (group) of the serverless instance: 24 hexadecimal digits. Required. Immutable. In Atlas:
    /// GROUP-ID.
    #[schemars(length(max = 128))]
    #[x_kube(
        validation = immutable("`projectId` is immutable; create another ServerlessPrivateEndpoint for another project"),
        validation = project_id_rule()
    )]
    pub project_id: String,

    /// Serverless instance that the endpoint belongs to. Required. Immutable. In Atlas: INSTANCE-NAME.
    #[schemars(length(max = 128))]
    #[x_kube(
        validation = immutable("`instanceName` is immutable; create another ServerlessPrivateEndpoint for another instance"),
        validation = Rule::new("self.matches('^[a-zA-Z0-9][a-zA-Z0-9-]*$')")
            .message("`instanceName` must be the name of an Atlas instance: letters, digits and '-', not starting with '-'")
    )]
    pub instance_name: String,

    /// Comment of the endpoint in Atlas, up to 79 characters; it may not contain `[k8s:`. Default: none. May be
    /// changed. In Atlas the operator adds its mark, ` [k8s:…]`, and cuts a comment that leaves no room for it. In
    /// Atlas: comment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    #[x_kube(
        validation = Rule::new("self.size() <= 79")
            .message("`comment` may have at most 79 characters, because Atlas allows no more"),
        validation = Rule::new("!self.contains('[k8s:')")
            .message("`comment` may not contain '[k8s:', which begins the mark that the operator adds in Atlas")
    )]
    pub comment: Option<String>,

    /// Secret with the Atlas API key. Default: the operator's own credentials, where it has some for this namespace. With a
    /// reference that is set they serve the deletion alone, once the Secret is gone. May be changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credentials_ref: Option<CredentialsRef>,

    /// Existing endpoint to adopt instead of creating one: 24 hexadecimal digits. Default: none. May be changed until
    /// the object has an endpoint, then only into `status._id`; may always be removed. In Atlas: _id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128))]
    #[x_kube(validation = Rule::new("self.matches('^[a-f0-9]{24}$')")
        .message("`endpointId` must be the id of an endpoint in Atlas: 24 lower-case hexadecimal digits"))]
    pub endpoint_id: Option<String>,

    /// VPC endpoint to connect, by its id: `vpce-` and hexadecimal digits. Default: none. May be changed, also into
    /// `cloudProviderEndpointRef`, but not removed. In Atlas: cloudProviderEndpointId.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128))]
    #[x_kube(validation = Rule::new("self.matches('^vpce-[0-9a-f]+$')")
        .message("`cloudProviderEndpointId` must be the id of a VPC endpoint: 'vpce-' and lower-case hexadecimal digits"))]
    pub cloud_provider_endpoint_id: Option<String>,

    /// VPC endpoint to connect, by the object that knows its id: a VPCEndpoint of `ec2.services.k8s.aws/v1alpha1` (ACK) or
    /// `ec2.aws.m.upbound.io/v1beta1` (Upbound), or a ConfigMap, in the same namespace. Default: none. May be changed, also
    /// into `cloudProviderEndpointId`, but not removed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cloud_provider_endpoint_ref: Option<CloudProviderEndpointRef>,

    /// How far the endpoint must have come to be Ready: Reserved (the endpoint service is known) or Available (traffic
    /// can flow). Default: Available if a VPC endpoint is declared, else Reserved. May be changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    // Without it the description of the enum replaces this one.
    #[schemars(with = "ReadyWhen")]
    pub ready_when: Option<ReadyWhen>,

    /// What happens to the endpoint in Atlas when this object is deleted: Delete or Retain. Default: Delete. May be
    /// changed, also while the object is being deleted.
    #[serde(default)]
    pub deletion_policy: DeletionPolicy,

    /// Whether the endpoint is managed (Manage) or only observed (Observe, which needs `endpointId` and writes
    /// nothing to Atlas). Default: Manage. May be changed.
    #[serde(default)]
    pub management_policy: ManagementPolicy,

    /// Stops creating, changing and polling the endpoint while true; deleting this object still works. Default: false.
    /// May be changed.
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

    /// ConfigMap that receives the endpoint's id, endpoint service name, VPC endpoint id and private SRV address once
    /// they are known, for tools that read them there. Default: none. May be changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_config_map: Option<OutputConfigMap>,
}

/// How far the endpoint must have come to be Ready.
#[derive(JsonSchema, Serialize, Deserialize, Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ReadyWhen {
    /// The endpoint service is known, so that a VPC endpoint can be made for it.
    Reserved,
    /// Traffic can flow.
    Available,
}

/// What happens to the endpoint in Atlas when the object is deleted.
#[derive(JsonSchema, Serialize, Deserialize, Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum DeletionPolicy {
    /// It is deleted, and the object stays until Atlas says that it is gone.
    #[default]
    Delete,
    /// It stays, with its mark, so that an object of the same name finds it again.
    Retain,
}
