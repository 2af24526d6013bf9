//! Classifies a response by HTTP status, then by `errorCode`, never by text.
//!
//! Three tables say what an error means: one for each family of the API, and one for what all calls share. Another decides for
//! a write alone whether it can have been executed.

use domain::fault::FaultKind;

use super::operation::Operation;

/// Returns the class of a response without success. `code` is the `errorCode` of an Atlas error body, if there was one.
pub(super) fn kind(operation: Operation, status: u16, code: Option<&str>) -> FaultKind {
    let own = match operation {
        Operation::List
        | Operation::Create
        | Operation::Update
        | Operation::Delete
        | Operation::Instance
        | Operation::GetCluster => code.and_then(|code| of_instance(status, code)),
        Operation::ListServices
        | Operation::CreateService
        | Operation::GetService
        | Operation::UpdateService
        | Operation::DeleteService
        | Operation::CreateEndpoint
        | Operation::GetEndpoint
        | Operation::DeleteEndpoint => code.and_then(|code| of_service(status, code)),
        Operation::Token => None,
    };
    own.unwrap_or_else(|| of_any(status, code))
}

/// The rows of serverless instances, their endpoints, and clusters.
fn of_instance(status: u16, code: &str) -> Option<FaultKind> {
    Some(match (status, code) {
        // The status of these codes is not documented beyond doubt, the codes are.
        (400 | 404 | 409 | 410, "TENANT_PRIVATE_ENDPOINT_NOT_FOUND") => FaultKind::EndpointNotFound,
        (400 | 404 | 409 | 410, "CLUSTER_NOT_FOUND" | "SERVERLESS_INSTANCE_NOT_FOUND") => {
            FaultKind::InstanceNotFound
        }
        (
            400 | 404 | 409 | 410,
            "NOT_SERVERLESS_TENANT_CLUSTER" | "CANNOT_USE_CLUSTER_IN_SERVERLESS_INSTANCE_API",
        ) => FaultKind::NotServerless,
        _ => return None,
    })
}

/// The rows of endpoint services and their endpoints (dedicated-domain §5). The API says `PRIVATE_ENDPOINT_…`, its list of codes
/// `PRIVATELINK_…`, and today's code for a missing endpoint is not known: any code of these families that ends like one counts.
fn of_service(status: u16, code: &str) -> Option<FaultKind> {
    let is_of_family = ["PRIVATE_ENDPOINT", "PRIVATELINK", "PRIVATE_LINK", "INTERFACE_ENDPOINT"]
        .into_iter()
        .any(|family| code.starts_with(family));
    Some(match (status, code) {
        (404, "PRIVATE_ENDPOINT_SERVICE_NOT_FOUND" | "PRIVATELINK_NOT_FOUND") => FaultKind::ServiceNotFound,
        (404, code) if is_of_family && code.ends_with("_NOT_FOUND") => FaultKind::EndpointNotFound,
        // Atlas knows the project, and no such thing can be in it.
        (404, code) if is_of_family && code.ends_with("_ID_MALFORMED") => FaultKind::Refused,
        (409, "MULTIPLE_PRIVATE_ENDPOINTS_RESTRICTED_TO_SINGLE_REGION") => FaultKind::MultipleRegions,
        // Whatever its code: those of a second POST or DELETE are not all known, and a listing shows what it was.
        (409, _) => FaultKind::Conflict,
        _ => return None,
    })
}

/// The rows that all calls share.
fn of_any(status: u16, code: Option<&str>) -> FaultKind {
    match (status, code) {
        (401, _) => FaultKind::Unauthorized,
        // Without a code, a 403 or 404 is of a proxy, or of another server: it says nothing of the credentials or the project.
        (403, Some(_)) => FaultKind::Forbidden,
        (429, _) => FaultKind::RateLimited,
        (400 | 404 | 410, Some("VERSION_GONE")) => FaultKind::Retired,
        // 404: an unknown project, or a key of another organisation. Never proof of absence.
        (404, Some(_)) => FaultKind::NoAccess,
        // 405 is maintenance, 408 a timeout, from Atlas or from a proxy.
        (405 | 408, _) => FaultKind::Unavailable,
        (400..=499, Some(_)) => FaultKind::Refused,
        _ => FaultKind::Unavailable,
    }
}

/// Returns whether a 401 with this code comes from behind the authentication: it names the right that a known user lacks. A
/// 401 with a challenge has no code, or the general one.
pub(super) fn implies_known_user(code: &str) -> bool {
    matches!(
        code,
        "NOT_IN_GROUP" | "USER_UNAUTHORIZED" | "ACCESS_FORBIDDEN" | "IP_ADDRESS_NOT_ON_ACCESS_LIST"
    )
}

/// Returns whether a response proves that a POST or DELETE was not executed: Atlas itself rejected it. A proxy's error proves
/// nothing, except a 401: a server that requests credentials did not act without them.
pub(super) fn is_definite_no(status: u16, has_atlas_body: bool) -> bool {
    match status {
        401 => true,
        400 | 402 | 403 | 404 | 405 | 406 | 409 | 410 | 429 => has_atlas_body,
        _ => false,
    }
}

#[cfg(test)]
#[path = "classify_tests.rs"]
mod tests;
