//! The status of a `PrivateEndpoint`: the endpoint as Atlas reports it, what is recorded of it, its connection strings, and the
//! conditions.
//!
//! The schema never limits a value: no length, pattern, enum, rule or required field, because if the API server rejected a status,
//! an endpoint would never be recorded. The formats `date-time` and `int64` remain, as in the other kinds.

#![expect(unreachable_pub, reason = "KubeSchema copies each struct, with its `pub`, into a function")]

use std::ops::Deref;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

use crate::schema::{NEVER_OBSERVED, never_observed};

/// State of the endpoint as last seen in Atlas, and the conditions that say what it means. Written by the operator only.
#[derive(KubeSchema, Serialize, Deserialize, Debug, Clone, PartialEq)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("default" = {"observedGeneration": NEVER_OBSERVED}))]
pub struct PrivateEndpointStatus {
    /// Atlas project of the service that the endpoint is registered at. In Atlas: groupId.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project_id: Option<String>,

    /// Id of the service in Atlas that the endpoint is registered at. Absent until the endpoint is registered or adopted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_id: Option<String>,

    /// Id of the endpoint, as its cloud provider gave it: a VPC endpoint of AWS, the resource id of a private endpoint of Azure, the
    /// name of an endpoint group of Google Cloud. Absent until the endpoint is registered or adopted. In Atlas:
    /// interfaceEndpointId, privateEndpointResourceId or endpointGroupName.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint_id: Option<String>,

    /// Status of the endpoint as Atlas reports it: PENDING_ACCEPTANCE, PENDING, INITIATING, VERIFIED, AVAILABLE, REJECTED, FAILED or
    /// DELETING; a word that Atlas adds later is shown as it is. In Atlas: connectionStatus or status.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,

    /// What went wrong, as Atlas reports it. In Atlas: errorMessage.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_message: Option<String>,

    /// How the endpoint came to this object: Created (registered by this object), Unproven (it may be this object's, but no response
    /// of Atlas says so) or Adopted (it existed before).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provenance: Option<String>,

    /// The uid of the object that recorded the endpoint. For another object, such as a restored copy, the endpoint counts as Adopted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recorded_by: Option<String>,

    /// Endpoints that this object declared before, until they are deleted in Atlas or left there.
    #[serde(default, skip_serializing_if = "SupersededEndpoints::is_empty")]
    #[schemars(with = "Vec<SupersededEndpoint>")]
    pub superseded: SupersededEndpoints,

    /// Private connection strings that lead through this endpoint, one entry for each of `clusters` that has them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub connection_strings: Vec<ClusterConnectionStrings>,

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

    /// What the state means, one entry a type: Ready, Synced, ServiceReady and EndpointConnected always; ConnectionStringsReady only
    /// with `clusters`; Reconciling, Stalled and Suspended only while True.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<Condition>,
}

impl Default for PrivateEndpointStatus {
    fn default() -> Self {
        Self {
            project_id: None,
            service_id: None,
            endpoint_id: None,
            status: None,
            error_message: None,
            provenance: None,
            recorded_by: None,
            superseded: SupersededEndpoints::default(),
            connection_strings: Vec::new(),
            settled_claim: None,
            observed_generation: NEVER_OBSERVED,
            last_handled_reconcile_at: None,
            conditions: Vec::new(),
        }
    }
}

/// Endpoints that an object declared before. Several JSON texts mean the same list: an empty one may be absent, an empty id too.
#[derive(Debug, Clone, Default)]
pub struct SupersededEndpoints {
    endpoints: Vec<SupersededEndpoint>,
    /// What they were read from.
    stored: Option<Value>,
}

impl SupersededEndpoints {
    /// Returns `true` if there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.endpoints.is_empty()
    }

    /// Returns the JSON that they were read from, if it was there.
    #[must_use]
    pub fn stored(&self) -> Option<&Value> {
        self.stored.as_ref()
    }
}

impl Deref for SupersededEndpoints {
    type Target = [SupersededEndpoint];

    fn deref(&self) -> &Self::Target {
        &self.endpoints
    }
}

impl FromIterator<SupersededEndpoint> for SupersededEndpoints {
    fn from_iter<I: IntoIterator<Item = SupersededEndpoint>>(endpoints: I) -> Self {
        Self { endpoints: endpoints.into_iter().collect(), stored: None }
    }
}

impl PartialEq for SupersededEndpoints {
    fn eq(&self, other: &Self) -> bool {
        self.endpoints == other.endpoints
    }
}

impl Serialize for SupersededEndpoints {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.endpoints.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for SupersededEndpoints {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let stored = Value::deserialize(deserializer)?;
        let endpoints = Vec::deserialize(&stored).map_err(D::Error::custom)?;
        Ok(Self { endpoints, stored: Some(stored) })
    }
}

/// An endpoint that an object declared before.
#[derive(JsonSchema, Serialize, Deserialize, Debug, Clone, PartialEq, Eq, Hash, Default)]
#[serde(rename_all = "camelCase")]
pub struct SupersededEndpoint {
    /// Atlas project of the service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project_id: Option<String>,

    /// Id of the service in Atlas that it is registered at.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub service_id: String,

    /// Id of the endpoint, as its cloud provider gave it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub endpoint_id: String,

    /// How it came to this object: Created, Unproven or Adopted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provenance: Option<String>,

    /// The uid of the object that recorded it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recorded_by: Option<String>,
}

/// The private connection strings of one cluster.
#[derive(JsonSchema, Serialize, Deserialize, Debug, Clone, PartialEq, Eq, Hash, Default)]
#[serde(rename_all = "camelCase")]
pub struct ClusterConnectionStrings {
    /// Name of the cluster.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub cluster: String,

    /// Kind of process that the strings lead to: MONGOD or MONGOS. In Atlas: type.
    #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,

    /// Connection string with `mongodb+srv://`. In Atlas: srvConnectionString.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub srv: Option<String>,

    /// Connection string with `mongodb+srv://` for a sharded cluster behind a load balancer. In Atlas:
    /// srvShardOptimizedConnectionString.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub srv_shard_optimized: Option<String>,

    /// Connection string with `mongodb://`, which names each host. In Atlas: connectionString.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub standard: Option<String>,
}
