//! The errors of Atlas, as documented or recorded. Where the code is not known, the comment says so.

use serde::Serialize;
use serde_json::{Value, json};

/// One error: the content of an error body and of the `X-Error-Code` header.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ErrorResponse {
    pub(crate) status: u16,
    pub(crate) code: &'static str,
    pub(crate) detail: String,
    /// `None`: the body has no such member at all (as a 401 challenge has none).
    pub(crate) parameters: Option<Value>,
    /// The field and its description in `badRequestDetail`.
    pub(crate) field: Option<(&'static str, &'static str)>,
}

/// The error body of Atlas, its members in alphabetical order.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Body<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    bad_request_detail: Option<Value>,
    detail: &'a str,
    error: u16,
    error_code: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    parameters: Option<&'a Value>,
    reason: &'a str,
}

impl ErrorResponse {
    pub(crate) fn new(status: u16, code: &'static str, detail: impl Into<String>, parameters: Value) -> Self {
        Self { status, code, detail: detail.into(), parameters: Some(parameters), field: None }
    }

    /// Returns the body as JSON.
    pub(crate) fn body(&self) -> Value {
        let reason = hyper::StatusCode::from_u16(self.status).ok().and_then(|s| s.canonical_reason());
        let body = Body {
            bad_request_detail: self.field.map(
                |(field, description)| json!({"fields": [{"description": description, "field": field}]}),
            ),
            detail: &self.detail,
            error: self.status,
            error_code: self.code,
            parameters: self.parameters.as_ref(),
            reason: reason.unwrap_or_default(),
        };
        serde_json::to_value(body).unwrap_or_default()
    }
}

/// No credentials, or wrong ones. The response has a challenge.
pub(crate) fn unauthenticated() -> ErrorResponse {
    ErrorResponse {
        parameters: None,
        ..ErrorResponse::new(
            401,
            "UNEXPECTED_ERROR",
            "You are not authorized for this resource.",
            Value::Null,
        )
    }
}

pub(crate) fn user_unauthorized() -> ErrorResponse {
    ErrorResponse::new(
        401,
        "USER_UNAUTHORIZED",
        "Current user is not authorized to perform this action.",
        json!([]),
    )
}

pub(crate) fn not_in_group() -> ErrorResponse {
    let detail = "The current user is not in the group, or the group does not exist.";
    ErrorResponse::new(401, "NOT_IN_GROUP", detail, json!([]))
}

pub(crate) fn payment_required() -> ErrorResponse {
    let detail = "No payment information was found for this group.";
    ErrorResponse::new(402, "NO_PAYMENT_INFORMATION_FOUND", detail, json!([]))
}

pub(crate) fn access_forbidden() -> ErrorResponse {
    ErrorResponse::new(
        403,
        "ACCESS_FORBIDDEN",
        "Access to this resource is forbidden for current user.",
        json!([]),
    )
}

pub(crate) fn ip_not_on_access_list() -> ErrorResponse {
    let ip = "203.0.113.7";
    let detail = format!("IP address {ip} is not allowed to access this resource.");
    ErrorResponse::new(403, "IP_ADDRESS_NOT_ON_ACCESS_LIST", detail, json!([ip]))
}

pub(crate) fn org_requires_access_list() -> ErrorResponse {
    let detail = "This organization requires access through an access list of ip ranges.";
    ErrorResponse::new(403, "ORG_REQUIRES_ACCESS_LIST", detail, json!(["203.0.113.7"]))
}

pub(crate) fn group_not_found(project: &str) -> ErrorResponse {
    ErrorResponse::new(
        404,
        "GROUP_NOT_FOUND",
        format!("No group with ID {project} exists."),
        json!([project]),
    )
}

pub(crate) fn invalid_group_id(project: &str) -> ErrorResponse {
    let detail = format!("An invalid group ID {project} was specified.");
    ErrorResponse::new(404, "INVALID_GROUP_ID", detail, json!([project]))
}

pub(crate) fn path_parameter(path: &str) -> ErrorResponse {
    let detail = format!("One or more path parameter in the request URI {path} is malformed.");
    ErrorResponse::new(400, "PATH_PARAM_PARSE_ERROR", detail, json!([path]))
}

pub(crate) fn cluster_not_found(project: &str, instance: &str) -> ErrorResponse {
    let detail = format!("No cluster named {instance} exists in group {project}.");
    ErrorResponse::new(404, "CLUSTER_NOT_FOUND", detail, json!([instance, project]))
}

pub(crate) fn serverless_instance_not_found(project: &str, instance: &str) -> ErrorResponse {
    let detail = format!("No serverless instance named {instance} exists in group {project}.");
    ErrorResponse::new(404, "SERVERLESS_INSTANCE_NOT_FOUND", detail, json!([instance, project]))
}

/// The code is known, its status and text are not.
pub(crate) fn endpoint_not_found(status: u16, endpoint: &str) -> ErrorResponse {
    let detail = format!("No tenant private endpoint with ID {endpoint} exists.");
    ErrorResponse::new(status, "TENANT_PRIVATE_ENDPOINT_NOT_FOUND", detail, json!([endpoint]))
}

/// The code is known, its status (likely 400) and text are not.
pub(crate) fn not_serverless(instance: &str) -> ErrorResponse {
    let detail = format!("Cluster {instance} is not a serverless tenant cluster.");
    ErrorResponse::new(400, "NOT_SERVERLESS_TENANT_CLUSTER", detail, json!([instance]))
}

pub(crate) fn dedicated_cluster(instance: &str) -> ErrorResponse {
    let detail = format!("Cluster {instance} cannot be used in the Serverless Instance API.");
    ErrorResponse::new(400, "CANNOT_USE_CLUSTER_IN_SERVERLESS_INSTANCE_API", detail, json!([instance]))
}

pub(crate) fn malformed_json() -> ErrorResponse {
    ErrorResponse::new(400, "MALFORMED_JSON", "Received JSON is malformed.", json!([]))
}

pub(crate) fn invalid_attribute(name: &str) -> ErrorResponse {
    let detail = format!("Invalid attribute {name} specified.");
    ErrorResponse::new(400, "INVALID_ATTRIBUTE", detail, json!([name]))
}

pub(crate) fn missing_attribute(name: &str) -> ErrorResponse {
    let detail = format!("The required attribute {name} was not specified.");
    ErrorResponse::new(400, "MISSING_ATTRIBUTE", detail, json!([name]))
}

pub(crate) fn invalid_enum_value(name: &str) -> ErrorResponse {
    let detail = format!("An invalid enumeration value was specified for attribute {name}.");
    ErrorResponse::new(400, "INVALID_ENUM_VALUE", detail, json!([name]))
}

pub(crate) fn comment_too_long() -> ErrorResponse {
    let mut error =
        ErrorResponse::new(400, "VALIDATION_ERROR", "Invalid attribute comment specified.", json!([]));
    error.field = Some(("comment", "must be less than 80 characters"));
    error
}

/// Documented for dedicated clusters; the error of a serverless one is not known.
pub(crate) fn cannot_accept() -> ErrorResponse {
    let detail = "The private endpoint service cannot accept endpoints in its current status.";
    ErrorResponse::new(409, "PRIVATELINK_CANNOT_ACCEPT_ENDPOINTS", detail, json!([]))
}

/// The status is documented, the code is not known.
pub(crate) fn not_acceptable(accept: &str) -> ErrorResponse {
    let detail = format!("The requested version {accept:?} of this resource does not exist.");
    ErrorResponse::new(406, "INVALID_VERSION_DATE", detail, json!([accept]))
}

/// For paths outside the API; the code is not known.
pub(crate) fn no_such_resource(path: &str) -> ErrorResponse {
    ErrorResponse::new(404, "RESOURCE_NOT_FOUND", format!("Cannot find resource {path}."), json!([path]))
}

/// For methods that a resource lacks; the code is not known.
pub(crate) fn no_such_method(method: &str) -> ErrorResponse {
    let detail = format!("The method {method} is not allowed for this resource.");
    ErrorResponse::new(405, "METHOD_NOT_ALLOWED", detail, json!([method]))
}

pub(crate) fn maintenance() -> ErrorResponse {
    let detail = "Create, update, and delete API endpoints are disabled while the system is being upgraded.";
    ErrorResponse::new(405, "WRITES_NOT_ALLOWED_DURING_APP_UPGRADES", detail, json!([]))
}

pub(crate) fn version_gone() -> ErrorResponse {
    ErrorResponse::new(410, "VERSION_GONE", "This version of the resource is no longer available.", json!([]))
}

/// v1.0: a fixed window. The number of requests is invented.
pub(crate) fn rate_limited(path: &str) -> ErrorResponse {
    let detail = format!("Resource {path} is limited to 100 requests every 1 minutes.");
    ErrorResponse::new(429, "RATE_LIMITED", detail, json!([path, 100, 1]))
}

/// The token resource's window, as recorded.
pub(crate) fn token_rate_limited() -> ErrorResponse {
    let detail = "Resource /api/oauth/token is limited to 10 requests every 1 minutes.";
    ErrorResponse::new(429, "RATE_LIMITED", detail, json!(["/api/oauth/token", 10, 1]))
}

/// v2: a token bucket.
pub(crate) fn rate_limited_bucket(path: &str) -> ErrorResponse {
    let detail = format!(
        "Rate limit exceeded for {path}. Please retry after 55 seconds. Request capacity: 10. Refill rate: 5 per 60 seconds."
    );
    ErrorResponse::new(429, "RATE_LIMITED_TOKEN_BUCKET", detail, json!([path, 55, 10, 5, 60]))
}

pub(crate) fn unexpected() -> ErrorResponse {
    ErrorResponse::new(500, "UNEXPECTED_ERROR", "Unexpected error.", json!([]))
}

pub(crate) fn unavailable(status: u16) -> ErrorResponse {
    let detail = "The service is temporarily unavailable. Please try again later.";
    ErrorResponse::new(status, "SERVICE_UNAVAILABLE", detail, json!([]))
}
