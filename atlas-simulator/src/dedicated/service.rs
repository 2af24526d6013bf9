//! An endpoint service as Atlas reports it. Data only: which state follows which is in `project`.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::region::{self, CloudProvider};
use crate::random;

/// The endpoint service of a project, provider and region.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AtlasService {
    /// 24 hexadecimal digits, made by Atlas; the first 8 are the second of its creation.
    pub id: String,
    /// Its provider.
    pub cloud_provider: CloudProvider,
    /// Its region in the spelling of Atlas.
    pub region_name: String,
    /// Its status.
    pub status: ServicePhase,
    /// Why it is `FAILED`.
    pub error_message: Option<String>,
    /// The name that a VPC endpoint is made for; `None` until Atlas has made the service.
    #[serde(rename = "endpointServiceName")]
    pub service_name: Option<String>,
    /// The other AWS regions whose VPC endpoints may connect, in the spelling of Atlas.
    #[serde(rename = "supportedRemoteRegions")]
    pub remote_regions: Option<Vec<String>>,
}

impl AtlasService {
    /// Returns a new service: a fresh id, `INITIATING`. The region is in the spelling of Atlas.
    #[must_use]
    pub fn requested(region_name: &str) -> Self {
        Self {
            id: random::object_id(),
            cloud_provider: CloudProvider::Aws,
            region_name: region_name.to_owned(),
            status: ServicePhase::Initiating,
            error_message: None,
            service_name: None,
            remote_regions: None,
        }
    }

    /// Returns a new service that is `AVAILABLE` already, to be inserted out of band.
    #[must_use]
    pub fn available(region_name: &str) -> Self {
        let mut service = Self::requested(region_name);
        service.provide(ServicePhase::Available);
        service
    }

    pub(crate) fn provide(&mut self, status: ServicePhase) {
        self.status = status;
        self.error_message = None;
        let region = region::in_aws_form(&self.region_name);
        self.service_name
            .get_or_insert_with(|| format!("com.amazonaws.vpce.{region}.vpce-svc-{}", random::hex(17)));
    }

    pub(crate) fn fail(&mut self, message: String) {
        self.status = ServicePhase::Failed;
        self.error_message = Some(message);
    }

    /// Returns whether it accepts endpoints.
    pub(crate) fn is_ready(&self) -> bool {
        matches!(self.status, ServicePhase::Available | ServicePhase::WaitingForUser)
    }

    /// Returns the body that Atlas sends, with the ids of the endpoints that are registered at it.
    pub(crate) fn body(&self, endpoints: &[&str]) -> Value {
        json!({
            "cloudProvider": self.cloud_provider,
            "endpointServiceName": self.service_name,
            "errorMessage": self.error_message,
            "id": self.id,
            "interfaceEndpoints": endpoints,
            "regionName": self.region_name,
            "status": self.status,
            "supportedRemoteRegions": self.remote_regions,
        })
    }
}

/// The status of an endpoint service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ServicePhase {
    /// Atlas prepares it, or changes its remote regions.
    Initiating,
    /// Ready, without an endpoint: a word of earlier years.
    WaitingForUser,
    /// Ready.
    Available,
    /// Atlas failed.
    Failed,
    /// Being deleted.
    Deleting,
    /// Any other word, set out of band. Nothing happens by itself in it.
    #[serde(untagged)]
    Other(String),
}
