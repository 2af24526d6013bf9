//! Settings for behaviour of Atlas that is not documented.

use serde::{Deserialize, Serialize};

use crate::errors::{self, ErrorResponse};

/// One setting for each undocumented behaviour of Atlas. The default is the likeliest one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Variants {
    /// A write with a read-only key.
    pub role_too_low: RoleTooLow,
    /// A key without any role in the project.
    pub no_access: NoAccess,
    /// An instance that does not exist.
    pub unknown_instance: UnknownInstance,
    /// The HTTP status of `TENANT_PRIVATE_ENDPOINT_NOT_FOUND`: 404 or 400.
    pub unknown_endpoint_status: u16,
    /// PATCH with a VPC endpoint id before `RESERVED`.
    pub patch_early: RequestPolicy,
    /// PATCH with another VPC endpoint id once one is set. Accepted: `INITIATING` again.
    pub patch_other: RequestPolicy,
    /// PATCH with a VPC endpoint id on `FAILED`. Accepted: `INITIATING`, a repair.
    pub patch_failed: RequestPolicy,
    /// Any PATCH on `DELETING`. Accepted: the comment changes, the deletion goes on.
    pub patch_deleting: RequestPolicy,
    /// DELETE of `RESERVATION_REQUESTED`.
    pub delete_early: RequestPolicy,
    /// DELETE of `DELETING`.
    pub delete_again: RequestPolicy,
    /// Whether a comment must be under 80 bytes instead of under 80 characters.
    pub comment_in_bytes: bool,
}

impl Default for Variants {
    fn default() -> Self {
        Self {
            role_too_low: RoleTooLow::Unauthorized,
            no_access: NoAccess::GroupNotFound,
            unknown_instance: UnknownInstance::ClusterNotFound,
            unknown_endpoint_status: 404,
            patch_early: RequestPolicy::BadRequest,
            patch_other: RequestPolicy::Accept,
            patch_failed: RequestPolicy::Accept,
            patch_deleting: RequestPolicy::Conflict,
            delete_early: RequestPolicy::Accept,
            delete_again: RequestPolicy::Accept,
            comment_in_bytes: false,
        }
    }
}

/// How a write with too low a role is rejected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RoleTooLow {
    /// 401 `USER_UNAUTHORIZED`.
    Unauthorized,
    /// 403 `ACCESS_FORBIDDEN`.
    Forbidden,
}

/// How a key without a role in the project is rejected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NoAccess {
    /// 404 `GROUP_NOT_FOUND`, as if the project did not exist.
    GroupNotFound,
    /// 401 `NOT_IN_GROUP`.
    NotInGroup,
}

/// The error code of an unknown instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UnknownInstance {
    /// 404 `CLUSTER_NOT_FOUND`.
    ClusterNotFound,
    /// 404 `SERVERLESS_INSTANCE_NOT_FOUND`.
    ServerlessInstanceNotFound,
}

/// The result of a request that may be out of order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RequestPolicy {
    /// Executed.
    Accept,
    /// 400.
    BadRequest,
    /// 404, as if the endpoint did not exist.
    NotFound,
    /// 409.
    Conflict,
}

impl RequestPolicy {
    /// Returns the error of the request, if it gets one; a 400 names the attribute.
    pub(crate) fn apply(
        self,
        attribute: &str,
        not_found: ErrorResponse,
        conflict: ErrorResponse,
    ) -> Result<(), ErrorResponse> {
        match self {
            Self::Accept => Ok(()),
            Self::BadRequest => Err(errors::invalid_attribute(attribute)),
            Self::NotFound => Err(not_found),
            Self::Conflict => Err(conflict),
        }
    }
}
