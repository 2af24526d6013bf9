//! Classifies a response by HTTP status, then by `errorCode`, never by text.
//!
//! Two tables. The first serves every call; the second decides for a create alone whether it can have been executed.

use domain::fault::FaultKind;

/// Returns the class of a response without success. `code` is the `errorCode` of an Atlas error body, if there was one.
pub(super) fn kind(status: u16, code: Option<&str>) -> FaultKind {
    match (status, code) {
        (401, _) => FaultKind::Unauthorized,
        // Without a code, a 403 or 404 is of a proxy, or of another server: it says nothing of the credentials or the project.
        (403, Some(_)) => FaultKind::Forbidden,
        (429, _) => FaultKind::RateLimited,
        // The status of these codes is not documented beyond doubt, the codes are.
        (400 | 404 | 409 | 410, Some("TENANT_PRIVATE_ENDPOINT_NOT_FOUND")) => FaultKind::EndpointNotFound,
        (400 | 404 | 409 | 410, Some("CLUSTER_NOT_FOUND" | "SERVERLESS_INSTANCE_NOT_FOUND")) => {
            FaultKind::InstanceNotFound
        }
        (
            400 | 404 | 409 | 410,
            Some("NOT_SERVERLESS_TENANT_CLUSTER" | "CANNOT_USE_CLUSTER_IN_SERVERLESS_INSTANCE_API"),
        ) => FaultKind::NotServerless,
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

/// Returns whether a response proves that a POST was not executed: Atlas itself rejected it. A proxy's error proves
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
