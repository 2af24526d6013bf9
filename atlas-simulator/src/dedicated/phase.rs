//! The words for the status of services and endpoints. Which status follows which is in `project`.

use serde::{Deserialize, Serialize};

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

/// The status of an endpoint: `connectionStatus` on AWS, `status` elsewhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum EndpointPhase {
    /// AWS: registered.
    PendingAcceptance,
    /// AWS: accepted, not connected yet.
    Pending,
    /// Azure and Google Cloud: registered.
    Initiating,
    /// Google Cloud: found, not connected yet.
    Verified,
    /// Connected.
    Available,
    /// AWS: Atlas found no VPC endpoint that it can accept.
    Rejected,
    /// Azure and Google Cloud: Atlas found nothing that it can connect.
    Failed,
    /// Being deleted.
    Deleting,
    /// Any other word, set out of band. Nothing happens by itself in it.
    #[serde(untagged)]
    Other(String),
}
