//! An endpoint as Atlas reports it: the registration of a VPC endpoint at an endpoint service. Data only.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::region::CloudProvider;

/// A VPC endpoint that is registered at an endpoint service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AtlasEndpoint {
    /// The id of the VPC endpoint, as the user gave it.
    #[serde(rename = "interfaceEndpointId")]
    pub id: String,
    /// Its status.
    #[serde(rename = "connectionStatus")]
    pub status: EndpointPhase,
    /// Why it is `REJECTED`.
    pub error_message: Option<String>,
}

impl AtlasEndpoint {
    /// Returns an endpoint that has just been registered.
    #[must_use]
    pub fn requested(id: &str) -> Self {
        Self { id: id.to_owned(), status: EndpointPhase::PendingAcceptance, error_message: None }
    }

    pub(crate) fn connect(&mut self) {
        self.status = EndpointPhase::Available;
        self.error_message = None;
    }

    pub(crate) fn reject(&mut self, message: String) {
        self.status = EndpointPhase::Rejected;
        self.error_message = Some(message);
    }

    /// Returns the body that Atlas sends.
    pub(crate) fn body(&self) -> Value {
        json!({
            "cloudProvider": CloudProvider::Aws,
            "connectionStatus": self.status,
            "deleteRequested": self.status == EndpointPhase::Deleting,
            "errorMessage": self.error_message,
            "interfaceEndpointId": self.id,
        })
    }
}

/// The `connectionStatus` of an endpoint on AWS.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum EndpointPhase {
    /// Registered.
    PendingAcceptance,
    /// Accepted, not connected yet.
    Pending,
    /// Connected.
    Available,
    /// Atlas found no VPC endpoint that it can accept.
    Rejected,
    /// Being deleted.
    Deleting,
    /// Any other word, set out of band. Nothing happens by itself in it.
    #[serde(untagged)]
    Other(String),
}
