//! The status of a `PrivateEndpointService`: the service as Atlas reports it, what is recorded of it, and the conditions.
//!
//! The schema never limits a value: no length, pattern, enum or rule, because if the API server rejected a status, the id of a
//! service would never be recorded. The formats `date-time` and `int64` remain, as in the other kinds.

#![expect(unreachable_pub, reason = "KubeSchema copies each struct, with its `pub`, into a function")]

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use crate::schema::{NEVER_OBSERVED, never_observed};

/// State of the service as last seen in Atlas, and the conditions that say what it means. Written by the operator only.
#[derive(KubeSchema, Serialize, Deserialize, Debug, Clone, PartialEq)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("default" = {"observedGeneration": NEVER_OBSERVED}))]
pub struct PrivateEndpointServiceStatus {
    /// Id of the service in Atlas. Absent until the service is created or adopted. In Atlas: id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_id: Option<String>,

    /// Region as Atlas spells it. In Atlas: regionName.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region_name: Option<String>,

    /// Status of the service as Atlas reports it: INITIATING, WAITING_FOR_USER, AVAILABLE, FAILED or DELETING; a word that Atlas
    /// adds later is shown as it is. In Atlas: status.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,

    /// What went wrong, as Atlas reports it. In Atlas: errorMessage.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_message: Option<String>,

    /// AWS: name of the PrivateLink endpoint service that a VPC endpoint is made for. Absent until Atlas has made it. In Atlas:
    /// endpointServiceName.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint_service_name: Option<String>,

    /// Azure: name of the Private Link service. Absent until Atlas has made it. In Atlas: privateLinkServiceName.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub private_link_service_name: Option<String>,

    /// Azure: resource id of the Private Link service that a private endpoint is made for. Absent until Atlas has made it. In
    /// Atlas: privateLinkServiceResourceId.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub private_link_service_resource_id: Option<String>,

    /// Google Cloud: service attachments that forwarding rules are made for. Absent until Atlas has made them. In Atlas:
    /// serviceAttachmentNames.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub service_attachment_names: Vec<String>,

    /// AWS: other regions whose VPC endpoints can reach the service. In Atlas: supportedRemoteRegions.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub supported_remote_regions: Vec<String>,

    /// Ids of all endpoints that are registered at the service, also of those that no object of this cluster declares. In Atlas:
    /// interfaceEndpoints, privateEndpoints or endpointGroupNames.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub endpoint_ids: Vec<String>,

    /// How the service came to this object: Created (by this object), Unproven (it may be this object's, but no response of Atlas
    /// says so) or Adopted (it existed before).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provenance: Option<String>,

    /// The uid of the object that recorded the service. For another object, such as a restored copy, the service counts as Adopted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recorded_by: Option<String>,

    /// The nonce of the last claim whose request has a known outcome.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settled_claim: Option<String>,

    /// Generation of the manifest that this status reflects. It is -1 until the operator has reconciled the object
    /// for the first time.
    #[serde(default = "never_observed")]
    pub observed_generation: i64,

    /// Value of the annotation `reconcile.fluxcd.io/requestedAt` that was acted on last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_handled_reconcile_at: Option<String>,

    /// What the state means, one entry a type: Ready, Synced and ServiceAvailable always; Reconciling, Stalled and Suspended only
    /// while True.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<Condition>,
}

impl Default for PrivateEndpointServiceStatus {
    fn default() -> Self {
        Self {
            service_id: None,
            region_name: None,
            status: None,
            error_message: None,
            endpoint_service_name: None,
            private_link_service_name: None,
            private_link_service_resource_id: None,
            service_attachment_names: Vec::new(),
            supported_remote_regions: Vec::new(),
            endpoint_ids: Vec::new(),
            provenance: None,
            recorded_by: None,
            settled_claim: None,
            observed_generation: NEVER_OBSERVED,
            last_handled_reconcile_at: None,
            conditions: Vec::new(),
        }
    }
}
