//! The vocabulary of Atlas: instances, endpoints and their status.
//!
//! This file never decides anything and never refuses a word that Atlas may add later: an unknown status is kept as it came.

use std::fmt;

use crate::ids::{ProjectId, checked_string, is_object_id};

checked_string!(
    /// The `_id` of an endpoint: 24 lower-case hexadecimal digits, assigned by Atlas.
    EndpointId,
    "an endpoint id (24 hexadecimal digits)",
    is_object_id
);
checked_string!(
    /// The name of a serverless instance: `^[a-zA-Z0-9][a-zA-Z0-9-]*$`.
    InstanceName,
    "an instance name (letters, digits and hyphens, not starting with a hyphen)",
    |text| {
        text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
            && text.bytes().next().is_some_and(|b| b != b'-')
    }
);

/// One serverless instance of one project: what a listing is a listing of.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instance {
    /// The project that the instance belongs to.
    pub project: ProjectId,
    /// The instance's name within the project.
    pub name: InstanceName,
}

impl fmt::Display for Instance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.project, self.name)
    }
}

/// What the rules depend on, status by status. There are no defaults: a new status has to state each fact.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "the columns of a table")]
pub(crate) struct StatusFacts {
    /// Which of several endpoints to keep: the one with the highest rank.
    pub(crate) rank: u8,
    /// It is a step on the way to AVAILABLE. The ranks order the steps.
    pub(crate) is_on_course: bool,
    /// The reservation is in progress: nothing is changed, and a listing may not show the endpoint yet.
    pub(crate) is_reserving: bool,
    /// Nothing can use the endpoint yet, so an excess one may be deleted.
    pub(crate) is_unused: bool,
    /// Whether there is an endpoint service that a VPC endpoint can be connected to.
    pub(crate) service: UsableService,
    /// Traffic can flow.
    pub(crate) is_connected: bool,
    /// Atlas is removing the endpoint.
    pub(crate) is_deleting: bool,
}

/// Whether an endpoint has a service that a VPC endpoint can be connected to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum UsableService {
    /// Not yet, or no longer.
    No,
    /// If Atlas names it.
    IfNamed,
    /// By Atlas' own report, even if Atlas has not named it yet.
    Yes,
}

/// Makes [`EndpointStatus`] from one row a status: its meaning, Atlas' name, and its [`StatusFacts`].
macro_rules! statuses {
    ($($(#[doc = $meaning:literal])* $variant:ident = $name:literal { $($facts:tt)+ })+) => {
        /// The operating status of an endpoint, as Atlas names it.
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum EndpointStatus {
            $($(#[doc = $meaning])* $variant,)+
            /// A status this version does not know, or an empty one where Atlas sent none.
            Other(String),
        }

        impl EndpointStatus {
            /// All that this version knows.
            pub const KNOWN: &'static [Self] = &[$(Self::$variant,)+];

            /// Returns Atlas' name of the status, if this version knows it.
            #[must_use]
            pub fn known(&self) -> Option<&'static str> {
                match self {
                    $(Self::$variant => Some($name),)+
                    Self::Other(_) => None,
                }
            }

            /// Returns Atlas' name of the status.
            #[must_use]
            pub fn as_str(&self) -> &str {
                match self {
                    $(Self::$variant => $name,)+
                    Self::Other(name) => name,
                }
            }

            /// Returns what the rules depend on.
            #[must_use]
            pub(crate) fn facts(&self) -> StatusFacts {
                match self {
                    $(Self::$variant => StatusFacts { $($facts)+ },)+
                    Self::Other(_) => UNKNOWN,
                }
            }
        }

        impl From<&str> for EndpointStatus {
            fn from(name: &str) -> Self {
                match name {
                    $($name => Self::$variant,)+
                    other => Self::Other(other.to_owned()),
                }
            }
        }
    };
}

statuses! {
    /// Atlas prepares the endpoint service.
    ReservationRequested = "RESERVATION_REQUESTED" {
        rank: 2,
        is_on_course: true,
        is_reserving: true,
        is_unused: true,
        service: UsableService::No,
        is_connected: false,
        is_deleting: false,
    }
    /// The endpoint service is known; a VPC endpoint may be made for it.
    Reserved = "RESERVED" {
        rank: 4,
        is_on_course: true,
        is_reserving: false,
        is_unused: true,
        service: UsableService::Yes,
        is_connected: false,
        is_deleting: false,
    }
    /// Atlas connects the VPC endpoint.
    Initiating = "INITIATING" {
        rank: 5,
        is_on_course: true,
        is_reserving: false,
        is_unused: false,
        service: UsableService::Yes,
        is_connected: false,
        is_deleting: false,
    }
    /// Traffic can flow.
    Available = "AVAILABLE" {
        rank: 6,
        is_on_course: true,
        is_reserving: false,
        is_unused: false,
        service: UsableService::Yes,
        is_connected: true,
        is_deleting: false,
    }
    /// Atlas failed; `errorMessage` holds the reason.
    Failed = "FAILED" {
        rank: 1,
        is_on_course: false,
        is_reserving: false,
        is_unused: false,
        service: UsableService::IfNamed,
        is_connected: false,
        is_deleting: false,
    }
    /// Atlas removes the endpoint.
    Deleting = "DELETING" {
        rank: 0,
        is_on_course: false,
        is_reserving: false,
        is_unused: false,
        service: UsableService::No,
        is_connected: false,
        is_deleting: true,
    }
}

/// An unknown status is worth more than one that is sure to be early, and less than one that is sure to be of use.
const UNKNOWN: StatusFacts = StatusFacts {
    rank: 3,
    is_on_course: false,
    is_reserving: false,
    is_unused: false,
    service: UsableService::No,
    is_connected: false,
    is_deleting: false,
};

impl fmt::Display for EndpointStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// An endpoint as Atlas describes it in a response.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Endpoint {
    /// `_id`.
    pub id: EndpointId,
    /// `status`.
    pub status: EndpointStatus,
    /// `comment`, [fit to be kept](crate::text::kept), with whatever mark it carries; empty where Atlas sent none.
    pub comment: String,
    /// `endpointServiceName`: the AWS `PrivateLink` service that a VPC endpoint is made for. Unknown at first.
    pub service_name: Option<String>,
    /// `cloudProviderEndpointId`, fit to be kept: Atlas may show text here that no user ever sent.
    pub vpc_endpoint_id: Option<String>,
    /// `errorMessage`.
    pub error_message: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_24_lower_case_hexadecimal_digits() {
        assert!("5f7cac1adf5d6c6306f4b283".parse::<EndpointId>().is_ok());
        for bad in [
            "",
            "5f7cac1adf5d6c6306f4b28",
            "5F7CAC1ADF5D6C6306F4B283",
            "5f7cac1adf5d6c6306f4b28g",
            "../../../groups/xxxxxxxxx",
        ] {
            assert!(bad.parse::<EndpointId>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn an_instance_name_cannot_leave_its_path_segment() {
        assert!("orders-1".parse::<InstanceName>().is_ok());
        for bad in ["", "-orders", "a/b", "a b", "..", "ä"] {
            assert!(bad.parse::<InstanceName>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn every_status_word_survives_the_round_trip() {
        let known = EndpointStatus::KNOWN.iter().filter_map(EndpointStatus::known);
        for word in known.chain(["PENDING_ACCEPTANCE", ""]) {
            assert_eq!(EndpointStatus::from(word).as_str(), word);
        }
        for status in EndpointStatus::KNOWN {
            assert_eq!(EndpointStatus::from(status.as_str()), *status);
        }
    }
}
