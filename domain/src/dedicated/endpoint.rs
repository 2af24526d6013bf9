//! An endpoint that is registered at an endpoint service: its id, what is sent for it, and what Atlas says about it.
//!
//! This file never decides anything and never refuses a word that Atlas may add later.

use std::cmp::Ordering;
use std::hash::{Hash, Hasher};

use serde::{Deserialize, Serialize};

use crate::ids::{VpcEndpointId, checked_string};
use crate::text::is_unfit;

use super::service::{EndpointService, Provider};
use super::words::words;

/// The maximum number of bytes of the id of an endpoint; real ones of Azure have about 200.
const MAX_ID_BYTES: usize = 512;

/// The id of an endpoint as the user's cloud gave it: of a VPC endpoint of AWS, the path of a private endpoint of Azure, the name of a
/// group of Google Cloud. Together with the id of the service it is the endpoint's URL, in this life and in the next.
///
/// Azure does not distinguish the case of letters in its resource ids, and its tools spell them differently: paths that differ in the case
/// of ASCII letters only are equal. Each keeps its own spelling, because nobody knows whether Atlas distinguishes it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct CloudEndpointId(String);

checked_string!(
    @conversions CloudEndpointId,
    "the id of an endpoint at its cloud provider",
    |text| {
        // Two dots would be another path.
        let is_name = !matches!(text, "" | "." | "..") && text.len() <= MAX_ID_BYTES;
        is_name && !text.chars().any(|c| c.is_whitespace() || is_unfit(c))
    }
);

impl CloudEndpointId {
    /// Returns the spelling in which the endpoint is listed; `None` if it is not.
    #[must_use]
    pub fn listed_in<'a>(&self, service: &'a EndpointService) -> Option<&'a str> {
        service.endpoint_ids.iter().map(String::as_str).find(|listed| self.is(listed))
    }

    /// Returns `true` if `listed`, as Atlas spells it, is this id.
    #[must_use]
    pub fn is(&self, listed: &str) -> bool {
        compared(&self.0, listed).is_eq()
    }
}

/// Compares two ids. Only paths have letters whose case does not count.
fn compared(one: &str, other: &str) -> Ordering {
    fn letters(id: &str) -> impl Iterator<Item = u8> {
        let is_path = id.starts_with('/');
        id.bytes().map(move |byte| if is_path { byte.to_ascii_lowercase() } else { byte })
    }
    letters(one).cmp(letters(other))
}

impl PartialEq for CloudEndpointId {
    fn eq(&self, other: &Self) -> bool {
        self.is(&other.0)
    }
}

impl Eq for CloudEndpointId {}

impl Ord for CloudEndpointId {
    fn cmp(&self, other: &Self) -> Ordering {
        compared(&self.0, &other.0)
    }
}

impl PartialOrd for CloudEndpointId {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Hash for CloudEndpointId {
    fn hash<H: Hasher>(&self, state: &mut H) {
        if self.0.starts_with('/') {
            self.0.to_ascii_lowercase().hash(state);
        } else {
            self.0.hash(state);
        }
    }
}

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
    fn two_spellings_of_a_path_are_one_endpoint_and_each_is_kept() {
        use std::collections::{BTreeSet, HashSet};

        let parse = |text: &str| text.parse::<CloudEndpointId>().unwrap();
        let path =
            "/subscriptions/A1/resourceGroups/Shop/providers/Microsoft.Network/privateEndpoints/Orders";
        let other = path.to_lowercase();
        assert_eq!(parse(path), parse(&other));
        assert!(parse(path).is(&other) && parse(&other).is(path));
        assert_eq!(parse(path).as_str(), path, "the spelling stays");
        let both = [parse(path), parse(&other)];
        assert_eq!(both.iter().collect::<HashSet<_>>().len(), 1);
        assert_eq!(both.iter().collect::<BTreeSet<_>>().len(), 1);
        // Only ASCII letters, and only in paths.
        for (one, other) in
            [("/ä", "/Ä"), ("vpce-0A", "vpce-0a"), ("Group", "group"), ("/a", "/b"), ("/a", "a")]
        {
            assert_ne!(parse(one), parse(other), "{one} {other}");
            assert!(!parse(one).is(other), "{one} {other}");
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
