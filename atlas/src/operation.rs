//! The calls of the API: how metrics, logs and messages name them, and which dated version of the API they are in.

use std::fmt::Display;

use domain::fault::Concerns;
use domain::serverless::endpoint::{EndpointId, Instance};

/// A call of the API, as metrics and logs name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Operation {
    /// Lists all endpoints of an instance.
    List,
    /// Creates an endpoint of an instance.
    Create,
    /// Changes a comment or VPC endpoint id.
    Update,
    /// Deletes an endpoint of an instance.
    Delete,
    /// Reads the instance itself.
    Instance,
    /// Requests a bearer token for a service account.
    Token,
    /// Lists all endpoint services of a project and provider.
    ListServices,
    /// Creates an endpoint service.
    CreateService,
    /// Reads an endpoint service.
    GetService,
    /// Changes the remote regions of an endpoint service.
    UpdateService,
    /// Deletes an endpoint service.
    DeleteService,
    /// Registers an endpoint at an endpoint service.
    CreateEndpoint,
    /// Reads an endpoint of an endpoint service.
    GetEndpoint,
    /// Removes an endpoint from an endpoint service.
    DeleteEndpoint,
    /// Reads a dedicated cluster.
    GetCluster,
}

/// The thing that operations act on, as messages and the log name it.
pub trait OperationSubject: Display {
    /// The id of a part of it; [`NoPart`] if no operation names one.
    type Part: Display;
}

/// Stands for the id of a part where there is none.
pub type NoPart = std::convert::Infallible;

impl OperationSubject for Instance {
    type Part = EndpointId;
}

impl Operation {
    /// Returns the lower-case name: `list`, `create`, …
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::List => "list",
            Self::Create => "create",
            Self::Update => "update",
            Self::Delete => "delete",
            Self::Instance => "instance",
            Self::Token => "token",
            Self::ListServices => "list_services",
            Self::CreateService => "create_service",
            Self::GetService => "get_service",
            Self::UpdateService => "update_service",
            Self::DeleteService => "delete_service",
            Self::CreateEndpoint => "create_endpoint",
            Self::GetEndpoint => "get_endpoint",
            Self::DeleteEndpoint => "delete_endpoint",
            Self::GetCluster => "get_cluster",
        }
    }

    /// Returns how a message about a failed call begins. `part` is the part of `subject` that the call is about.
    #[must_use]
    pub fn attempt<S: OperationSubject>(self, subject: &S, part: Option<&S::Part>) -> String {
        let endpoint = part.map(|id| format!("endpoint {id} of ")).unwrap_or_default();
        match self {
            Self::List => format!("failed to list the endpoints of {subject}"),
            Self::Create => format!("failed to create an endpoint of {subject}"),
            Self::Update => format!("failed to update {endpoint}{subject}"),
            Self::Delete => format!("failed to delete {endpoint}{subject}"),
            Self::Instance => format!("failed to read instance {subject}"),
            Self::Token => format!("failed to get a token for {subject}"),
            Self::ListServices => format!("failed to list the endpoint services of {subject}"),
            Self::CreateService => format!("failed to create endpoint service {subject}"),
            Self::GetService => format!("failed to read endpoint service {subject}"),
            Self::UpdateService => format!("failed to update endpoint service {subject}"),
            Self::DeleteService => format!("failed to delete endpoint service {subject}"),
            Self::CreateEndpoint => format!("failed to create {endpoint}endpoint service {subject}"),
            Self::GetEndpoint => format!("failed to read {endpoint}endpoint service {subject}"),
            Self::DeleteEndpoint => format!("failed to delete {endpoint}endpoint service {subject}"),
            Self::GetCluster => format!("failed to read cluster {subject}"),
        }
    }

    /// Returns whether the call is about dedicated clusters.
    pub(super) fn is_dedicated(self) -> bool {
        match self {
            Self::List | Self::Create | Self::Update | Self::Delete | Self::Instance | Self::Token => false,
            Self::ListServices
            | Self::CreateService
            | Self::GetService
            | Self::UpdateService
            | Self::DeleteService
            | Self::CreateEndpoint
            | Self::GetEndpoint
            | Self::DeleteEndpoint
            | Self::GetCluster => true,
        }
    }

    /// Returns which calls a failure of this one concerns.
    pub(super) fn concerns(self) -> Concerns {
        if self == Self::Token { Concerns::Credentials } else { Concerns::Project }
    }

    /// Returns the media type of the call in v2 of the API: of the newest dated version that has it.
    ///
    /// The private endpoints have only the first one (dedicated-domain §1). A cluster is read in a later one: the first leaves out
    /// clusters over several clouds, and fails for those whose shards differ.
    pub(super) fn dated_media_type(self) -> &'static str {
        match self {
            Self::GetCluster => "application/vnd.atlas.2024-08-05+json",
            _ => "application/vnd.atlas.2023-01-01+json",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_begins_with_what_was_attempted() {
        let at = Instance {
            project: "5f7cac1adf5d6c6306f4b200".parse().unwrap(),
            name: "orders".parse().unwrap(),
        };
        let id = "5f7cac1adf5d6c6306f4b283".parse().unwrap();
        for (operation, expected) in [
            (Operation::List, "failed to list the endpoints of 5f7cac1adf5d6c6306f4b200/orders"),
            (Operation::Create, "failed to create an endpoint of 5f7cac1adf5d6c6306f4b200/orders"),
            (
                Operation::Update,
                "failed to update endpoint 5f7cac1adf5d6c6306f4b283 of 5f7cac1adf5d6c6306f4b200/orders",
            ),
            (
                Operation::Delete,
                "failed to delete endpoint 5f7cac1adf5d6c6306f4b283 of 5f7cac1adf5d6c6306f4b200/orders",
            ),
            (Operation::Instance, "failed to read instance 5f7cac1adf5d6c6306f4b200/orders"),
        ] {
            assert_eq!(operation.attempt(&at, Some(&id)), expected);
        }
    }
}
