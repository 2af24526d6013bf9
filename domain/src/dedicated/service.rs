//! The endpoint service of a project, provider and region: its keys, and what Atlas says about it.
//!
//! This file never decides anything and never refuses a word that Atlas may add later.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use crate::ids::{ParseError, ProjectId, checked_string, is_object_id};

use super::region::Region;
use super::words::words;

/// A cloud provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Provider {
    /// AWS: an endpoint is a VPC endpoint.
    Aws,
    /// Azure: an endpoint is a private endpoint, whose id is a path.
    Azure,
    /// Google Cloud: an endpoint is a group of forwarding rules.
    Gcp,
}

impl Provider {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Aws, Self::Azure, Self::Gcp];

    /// Returns Atlas' word, which is also the segment of a path: `AWS`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Aws => "AWS",
            Self::Azure => "AZURE",
            Self::Gcp => "GCP",
        }
    }
}

impl Provider {
    /// Returns what a user makes at this provider to connect to a service, in its own words.
    #[must_use]
    pub fn endpoint_noun(self) -> &'static str {
        match self {
            Self::Aws => "VPC endpoint",
            Self::Azure => "private endpoint",
            Self::Gcp => "forwarding rule",
        }
    }
}

impl FromStr for Provider {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        Self::ALL.into_iter().find(|provider| provider.as_str() == text).ok_or_else(|| ParseError {
            expected: "a cloud provider (AWS, AZURE or GCP)",
            found: text.chars().take(64).collect(),
        })
    }
}

impl fmt::Display for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

checked_string!(
    /// The `id` of an endpoint service: 24 lower-case hexadecimal digits, assigned by Atlas and new for each life. The first eight are
    /// the second of its creation, in Unix time (dedicated-domain §1.1).
    ServiceId,
    "the id of an endpoint service (24 hexadecimal digits)",
    is_object_id
);

/// All endpoint services of one project and provider: what a listing is a listing of.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProviderServices {
    /// The project.
    pub project: ProjectId,
    /// The provider.
    pub provider: Provider,
}

impl fmt::Display for ProviderServices {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.project, self.provider)
    }
}

/// The natural key of an endpoint service: Atlas has at most one for each (dedicated-domain §2).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServiceKey {
    /// The project and the provider.
    pub services: ProviderServices,
    /// The region.
    pub region: Region,
    /// Whether Google Cloud's services are port-mapped: both architectures may exist in one region. `false` for the other providers.
    pub is_port_mapped: bool,
}

impl fmt::Display for ServiceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mapping = if self.is_port_mapped { " (port-mapped)" } else { "" };
        write!(f, "{}/{}{mapping}", self.services, self.region)
    }
}

/// One life of an endpoint service: where endpoints are registered.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServiceAddress {
    /// The project and the provider.
    pub services: ProviderServices,
    /// The id of the service.
    pub id: ServiceId,
}

impl fmt::Display for ServiceAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.services, self.id)
    }
}

words! {
    /// The status of an endpoint service, as Atlas names it (dedicated-domain §3.1).
    ServiceStatus {
        /// Atlas prepares the service.
        Initiating = "INITIATING",
        /// Endpoints can be registered at the service, whether it has any or not.
        Available = "AVAILABLE",
        /// As AVAILABLE, without an endpoint: seen until 2021, documented still.
        WaitingForUser = "WAITING_FOR_USER",
        /// Atlas failed; `errorMessage` holds the reason.
        Failed = "FAILED",
        /// Atlas removes the service.
        Deleting = "DELETING",
    }
}

/// An endpoint service as Atlas describes it in a response.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct EndpointService {
    /// `id`.
    pub id: ServiceId,
    /// `regionName`; `None` where Atlas sent none.
    pub region: Option<Region>,
    /// `status`.
    pub status: ServiceStatus,
    /// `errorMessage`: may stand beside any status.
    pub error_message: Option<String>,
    /// `interfaceEndpoints`, `privateEndpoints` or `endpointGroupNames`: all endpoints that are registered at the service, by
    /// this operator or by others. [Fit to be kept](crate::text::kept): Atlas may show text here that no user ever sent.
    pub endpoint_ids: Vec<String>,
    /// What depends on the provider.
    pub target: ServiceTarget,
}

/// What users connect to, and what else depends on the provider. A name is `None`, or the list is empty, until Atlas has it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum ServiceTarget {
    /// AWS.
    Aws {
        /// `endpointServiceName`: the name that a VPC endpoint is made for. Another life of the service has another one.
        endpoint_service_name: Option<String>,
        /// `supportedRemoteRegions`: other regions that VPC endpoints may be in. Empty where Atlas sent none.
        supported_remote_regions: BTreeSet<Region>,
    },
    /// Azure.
    Azure {
        /// `privateLinkServiceName`.
        private_link_service_name: Option<String>,
        /// `privateLinkServiceResourceId`.
        private_link_service_resource_id: Option<String>,
    },
    /// Google Cloud.
    Gcp {
        /// `serviceAttachmentNames`.
        service_attachment_names: Vec<String>,
        /// `portMappingEnabled`.
        is_port_mapped: bool,
    },
}

impl ServiceTarget {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_for_a_service_survives_the_round_trip() {
        for status in ServiceStatus::KNOWN {
            assert_eq!(ServiceStatus::from(status.as_str()), *status);
        }
        for word in ["", "available", "PENDING"] {
            assert_eq!(ServiceStatus::from(word), ServiceStatus::Other(word.to_owned()));
        }
        for provider in Provider::ALL {
            assert_eq!(provider.as_str().parse(), Ok(provider));
        }
        assert!("aws".parse::<Provider>().is_err());
    }

    #[test]
    fn a_key_reads_as_a_path() {
        let services = ProviderServices { project: "a".repeat(24).parse().unwrap(), provider: Provider::Gcp };
        let mut key = ServiceKey { services, region: "us-east4".parse().unwrap(), is_port_mapped: false };
        assert_eq!(key.to_string(), "aaaaaaaaaaaaaaaaaaaaaaaa/GCP/US_EAST4");
        key.is_port_mapped = true;
        assert_eq!(key.to_string(), "aaaaaaaaaaaaaaaaaaaaaaaa/GCP/US_EAST4 (port-mapped)");
    }
}
