//! The errors that only dedicated clusters have. Where the code or its status is not known, the comment says so.

use serde_json::json;

use super::{provider::CloudProvider, settings::CodeFamily};
use crate::errors::ErrorResponse;

/// Recorded on AWS and Azure.
pub(crate) fn service_exists(provider: CloudProvider, region: &str) -> ErrorResponse {
    let provider = provider.dialect().in_text;
    let detail = format!("A private endpoint service already exists for {provider} region {region}.");
    let code = "PRIVATE_ENDPOINT_SERVICE_ALREADY_EXISTS_FOR_REGION";
    ErrorResponse::new(409, code, detail, json!([provider, region]))
}

/// Both codes are known: the one of clients and the one of the documentation.
pub(crate) fn service_not_found(codes: CodeFamily, id: &str) -> ErrorResponse {
    let code = match codes {
        CodeFamily::Recorded | CodeFamily::PrivateEndpoint => "PRIVATE_ENDPOINT_SERVICE_NOT_FOUND",
        CodeFamily::Privatelink => "PRIVATELINK_NOT_FOUND",
    };
    ErrorResponse::new(404, code, format!("No private endpoint service with ID {id} exists."), json!([id]))
}

/// The code of the documentation is known, today's is not.
pub(crate) fn endpoint_not_found(codes: CodeFamily, id: &str) -> ErrorResponse {
    let code = match codes {
        CodeFamily::Recorded | CodeFamily::Privatelink => "PRIVATELINK_INTERFACE_ENDPOINT_NOT_FOUND",
        CodeFamily::PrivateEndpoint => "PRIVATE_ENDPOINT_NOT_FOUND",
    };
    ErrorResponse::new(404, code, format!("No interface endpoint with ID {id} exists."), json!([id]))
}

/// The code of the documentation is known, today's is not.
pub(crate) fn endpoint_exists(codes: CodeFamily, id: &str) -> ErrorResponse {
    let code = match codes {
        CodeFamily::Recorded | CodeFamily::Privatelink => "PRIVATELINK_INTERFACE_ENDPOINT_ALREADY_EXISTS",
        CodeFamily::PrivateEndpoint => "PRIVATE_ENDPOINT_ALREADY_EXISTS",
    };
    ErrorResponse::new(409, code, format!("The interface endpoint {id} already exists."), json!([id]))
}

/// The code of the documentation is known, today's is not.
pub(crate) fn not_ready(codes: CodeFamily, id: &str) -> ErrorResponse {
    let code = match codes {
        CodeFamily::Recorded | CodeFamily::Privatelink => "PRIVATELINK_CANNOT_ACCEPT_ENDPOINTS",
        CodeFamily::PrivateEndpoint => "PRIVATE_ENDPOINT_SERVICE_CANNOT_ACCEPT_ENDPOINTS",
    };
    let detail = format!("The private endpoint service {id} cannot accept endpoints in its current status.");
    ErrorResponse::new(409, code, detail, json!([id]))
}

/// The status is recorded, the code is that of the documentation.
pub(crate) fn has_endpoints(codes: CodeFamily, id: &str) -> ErrorResponse {
    let code = match codes {
        CodeFamily::Recorded | CodeFamily::Privatelink => "CANNOT_DELETE_PRIVATELINK_WITH_ENDPOINTS",
        CodeFamily::PrivateEndpoint => "CANNOT_DELETE_PRIVATE_ENDPOINT_SERVICE_WITH_ENDPOINTS",
    };
    let detail = format!("Cannot delete private endpoint service {id} while it has endpoints.");
    ErrorResponse::new(409, code, detail, json!([id]))
}

pub(crate) fn multiple_regions() -> ErrorResponse {
    let detail = "Multiple private endpoints are restricted to a single region.";
    ErrorResponse::new(409, "MULTIPLE_PRIVATE_ENDPOINTS_RESTRICTED_TO_SINGLE_REGION", detail, json!([]))
}

/// Recorded: transient, when several services are created at the same time.
pub(crate) fn no_capacity() -> ErrorResponse {
    ErrorResponse::new(400, "ATLAS_GENERAL_ERROR", "Reason: No Capacity.", json!(["No Capacity"]))
}

/// The code is known, its status is not.
pub(crate) fn remote_is_own_region(region: &str) -> ErrorResponse {
    let detail = format!("The region {region} of the service cannot be one of its remote regions.");
    ErrorResponse::new(400, "CROSS_REGION_PRIVATE_LINK_SELF_REGION", detail, json!([region]))
}

/// The code is known, its status is not.
pub(crate) fn provider_unsupported(provider: CloudProvider) -> ErrorResponse {
    let detail = format!("The provider {} does not support this operation.", provider.name());
    ErrorResponse::new(400, "PROVIDER_UNSUPPORTED", detail, json!([provider.name()]))
}

/// The status is known, the code is not.
pub(crate) fn project_has_services(project: &str) -> ErrorResponse {
    let detail = format!("Group {project} has active private endpoint services.");
    let code = "CANNOT_CLOSE_GROUP_ACTIVE_ATLAS_PRIVATE_ENDPOINT_SERVICES";
    ErrorResponse::new(409, code, detail, json!([project]))
}
