//! An endpoint as Atlas reports it, and how its course may deviate from the usual one. Data only: the steps that Atlas
//! takes by itself are in `timeline`.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{random, seconds};

/// An endpoint as Atlas reports it. The fields are in the order in which Atlas sends them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Endpoint {
    /// 24 hexadecimal digits, made by Atlas.
    #[serde(rename = "_id")]
    pub id: String,
    /// The AWS VPC endpoint.
    #[serde(rename = "cloudProviderEndpointId")]
    pub vpc_endpoint_id: Option<String>,
    /// The comment, `null` if none was given.
    pub comment: Option<String>,
    /// The AWS `PrivateLink` service, `null` until `RESERVED`.
    #[serde(rename = "endpointServiceName")]
    pub service_name: Option<String>,
    /// Why the endpoint is `FAILED`.
    #[serde(rename = "errorMessage")]
    pub error_message: Option<String>,
    /// The operating status.
    pub status: Status,
}

impl Endpoint {
    /// Returns a new endpoint: a fresh id, `RESERVATION_REQUESTED`.
    #[must_use]
    pub fn requested(comment: Option<String>) -> Self {
        Self {
            id: random::hex(24),
            vpc_endpoint_id: None,
            comment,
            service_name: None,
            error_message: None,
            status: Status::ReservationRequested,
        }
    }

    /// Returns a new endpoint that is `RESERVED` already, to be inserted out of band.
    #[must_use]
    pub fn reserved(comment: Option<String>) -> Self {
        let mut endpoint = Self::requested(comment);
        endpoint.reserve();
        endpoint
    }

    pub(crate) fn reserve(&mut self) {
        self.status = Status::Reserved;
        self.service_name
            .get_or_insert_with(|| format!("com.amazonaws.vpce.us-east-1.vpce-svc-{}", random::hex(17)));
    }

    pub(crate) fn fail(&mut self, message: String) {
        self.status = Status::Failed;
        self.error_message = Some(message);
    }
}

/// The operating status of an endpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Status {
    /// Atlas prepares the endpoint service.
    ReservationRequested,
    /// Waits for a VPC endpoint.
    Reserved,
    /// Atlas connects the VPC endpoint.
    Initiating,
    /// Connected.
    Available,
    /// Atlas failed.
    Failed,
    /// Being deleted.
    Deleting,
    /// Any other word, set out of band. Nothing happens by itself in it.
    #[serde(untagged)]
    Other(String),
}

/// A deviation of an endpoint from the usual course. Each happens once.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Deviation {
    /// `RESERVATION_REQUESTED` ends in `FAILED`, without an endpoint service.
    ReservationFails {
        /// The `errorMessage`.
        message: String,
    },
    /// `INITIATING` ends in `FAILED`.
    ConnectionFails {
        /// The `errorMessage`.
        message: String,
    },
    /// `AVAILABLE` turns `FAILED`.
    Breaks {
        /// How long it stays `AVAILABLE`.
        #[serde(with = "seconds")]
        after: Duration,
        /// The `errorMessage`.
        message: String,
    },
    /// `FAILED` turns `AVAILABLE`, or `RESERVED` without a VPC endpoint.
    Recovers {
        /// How long it stays `FAILED`.
        #[serde(with = "seconds")]
        after: Duration,
    },
    /// An unused reservation expires: `RESERVED` for so long, then deleted.
    Expires {
        /// How long it stays `RESERVED`.
        #[serde(with = "seconds")]
        after: Duration,
    },
    /// Deleted, whatever its status.
    Vanishes {
        /// How long after its creation.
        #[serde(with = "seconds")]
        after: Duration,
    },
    /// Stays in its status for ever: nothing happens by itself any more.
    Stalls,
    /// Stays `DELETING` for ever.
    DeletionSticks,
    /// `DELETING` ends in `FAILED`.
    DeletionFails {
        /// The `errorMessage`.
        message: String,
    },
    /// `DELETING` ends in `RESERVED`.
    ComesBack,
}
