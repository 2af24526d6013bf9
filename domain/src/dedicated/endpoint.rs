//! An endpoint that is registered at an endpoint service: its id, what is sent for it, and what Atlas says about it.
//!
//! This file never decides anything and never refuses a word that Atlas may add later.

use crate::ids::{VpcEndpointId, checked_string};
use crate::text::is_unfit;

use super::service::Provider;
use super::words::words;

/// The maximum number of bytes of the id of an endpoint; real ones of Azure have about 200.
const MAX_ID_BYTES: usize = 512;

checked_string!(
    /// The id of an endpoint as the user's cloud gave it: of a VPC endpoint of AWS, the path of a private endpoint of Azure, the name of a
    /// group of Google Cloud. Together with the id of the service it is the endpoint's URL, in this life and in the next.
    CloudEndpointId,
    "the id of an endpoint at its cloud provider",
    |text| {
        // Two dots would be another path.
        let is_name = !matches!(text, "" | "." | "..") && text.len() <= MAX_ID_BYTES;
        is_name && !text.chars().any(|c| c.is_whitespace() || is_unfit(c))
    }
);

impl From<&VpcEndpointId> for CloudEndpointId {
    fn from(id: &VpcEndpointId) -> Self {
        Self(id.as_str().to_owned())
    }
}

words! {
    /// The status of a registered endpoint: `connectionStatus` on AWS, `status` elsewhere (dedicated-domain §3.2).
    ConnectionStatus {
        /// AWS: Atlas has not accepted the connection yet.
        PendingAcceptance = "PENDING_ACCEPTANCE",
        /// AWS: Atlas accepts the connection.
        Pending = "PENDING",
        /// Azure and Google Cloud: Atlas connects the endpoint.
        Initiating = "INITIATING",
        /// Google Cloud: Atlas has found the endpoint.
        Verified = "VERIFIED",
        /// Traffic can flow.
        Available = "AVAILABLE",
        /// AWS: the connection was rejected, or there is no such VPC endpoint; `errorMessage` holds the reason. It may heal.
        Rejected = "REJECTED",
        /// Azure and Google Cloud: Atlas failed; `errorMessage` holds the reason.
        Failed = "FAILED",
        /// Atlas removes the endpoint.
        Deleting = "DELETING",
    }
}

/// An endpoint to register, as the manifest declares it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum NewEndpoint {
    /// AWS.
    Aws {
        /// The id of the VPC endpoint.
        id: VpcEndpointId,
    },
    /// Azure.
    Azure {
        /// The resource id of the private endpoint, a path.
        id: CloudEndpointId,
        /// Its address in the user's network.
        ip_address: String,
    },
    /// Google Cloud.
    Gcp {
        /// The name of the group: the endpoint's id in Atlas.
        group_name: CloudEndpointId,
        /// The user's project at Google Cloud.
        project_id: String,
        /// One for each service attachment, or exactly one if the service is port-mapped.
        endpoints: Vec<ForwardingRule>,
    },
}

/// A forwarding rule of Google Cloud.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ForwardingRule {
    /// `endpointName`.
    pub name: String,
    /// `ipAddress`.
    pub ip_address: String,
}

impl NewEndpoint {
    /// Returns the id that the endpoint has in Atlas.
    #[must_use]
    pub fn id(&self) -> CloudEndpointId {
        match self {
            Self::Aws { id } => id.into(),
            Self::Azure { id, .. } | Self::Gcp { group_name: id, .. } => id.clone(),
        }
    }

    /// Returns the provider.
    #[must_use]
    pub fn provider(&self) -> Provider {
        match self {
            Self::Aws { .. } => Provider::Aws,
            Self::Azure { .. } => Provider::Azure,
            Self::Gcp { .. } => Provider::Gcp,
        }
    }
}

/// A registered endpoint as Atlas describes it in a response.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RegisteredEndpoint {
    /// `interfaceEndpointId`, `privateEndpointResourceId` or `endpointGroupName`.
    pub id: CloudEndpointId,
    /// `connectionStatus` or `status`; empty where Atlas sent none, as Azure's response to a POST.
    pub status: ConnectionStatus,
    /// `deleteRequested`: `true` while Atlas removes the endpoint.
    pub is_delete_requested: bool,
    /// `errorMessage`.
    pub error_message: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_may_be_a_path_but_never_leaves_its_place_in_one() {
        for good in ["vpce-0a", "/subscriptions/1/resourceGroups/ä(b)/providers/c", "group.1", "..."] {
            assert!(good.parse::<CloudEndpointId>().is_ok(), "{good}");
        }
        let long = "a".repeat(513);
        for bad in ["", ".", "..", "a b", "a\n", "a\u{200b}", long.as_str()] {
            assert!(bad.parse::<CloudEndpointId>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn every_word_for_an_endpoint_survives_the_round_trip() {
        for status in ConnectionStatus::KNOWN {
            assert_eq!(ConnectionStatus::from(status.as_str()), *status);
        }
        assert_eq!(ConnectionStatus::from("NONE").as_str(), "NONE");
    }
}
