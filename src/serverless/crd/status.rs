//! The status that the operator writes: the endpoint as Atlas reports it, and the conditions.
//!
//! The schema never limits a value: no length, pattern, enum or rule, because if the API server rejected a status, an
//! endpoint id would never be recorded. Two formats remain, `date-time` for a condition's time and `int64` for a
//! generation. They allow everything that the Rust types can hold, so the operator cannot violate them, and they stop
//! other writers from storing a malformed time, which would make the decoding of the whole list fail.

#![expect(unreachable_pub, reason = "KubeSchema copies each struct, with its `pub`, into a function")]

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use crate::schema::{NEVER_OBSERVED, never_observed};

/// State of the endpoint as last seen in Atlas, and the conditions that say what it means. Written by the operator
/// only.
#[derive(KubeSchema, Serialize, Deserialize, Debug, Clone, PartialEq)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("default" = {"observedGeneration": NEVER_OBSERVED}))]
pub struct ServerlessPrivateEndpointStatus {
    /// Id of the endpoint in Atlas. Absent until the endpoint is created or adopted. In Atlas: _id.
    #[serde(rename = "_id", default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,

    /// VPC endpoint id that Atlas knows for this endpoint. Absent until one was sent. In Atlas:
    /// cloudProviderEndpointId.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cloud_provider_endpoint_id: Option<String>,

    /// Comment as it stands in Atlas, with the operator's mark at its end. In Atlas: comment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,

    /// Name of the AWS PrivateLink endpoint service that the VPC endpoint is made for. Absent until Atlas has
    /// reserved it. In Atlas: endpointServiceName.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint_service_name: Option<String>,

    /// What went wrong, as Atlas reports it. In Atlas: errorMessage.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_message: Option<String>,

    /// Operating status as Atlas reports it: RESERVATION_REQUESTED, RESERVED, INITIATING, AVAILABLE, FAILED or
    /// DELETING; a word that Atlas adds later is shown as it is. In Atlas: status.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,

    /// Generation of the manifest that this status reflects. It is -1 until the operator has reconciled the object
    /// for the first time.
    #[serde(default = "never_observed")]
    pub observed_generation: i64,

    /// Value of the annotation `reconcile.fluxcd.io/requestedAt` that was acted on last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_handled_reconcile_at: Option<String>,

    /// What the state means, one entry a type: Ready, Synced, EndpointServiceAvailable and EndpointConnected always;
    /// Reconciling, Stalled, Suspended and ApiSunset only while True.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<Condition>,
}

impl Default for ServerlessPrivateEndpointStatus {
    fn default() -> Self {
        Self {
            id: None,
            cloud_provider_endpoint_id: None,
            comment: None,
            endpoint_service_name: None,
            error_message: None,
            status: None,
            observed_generation: NEVER_OBSERVED,
            last_handled_reconcile_at: None,
            conditions: Vec::new(),
        }
    }
}
