//! The tables of responses, row by row.

use super::*;

const SERVICE_CALLS: [Operation; 8] = [
    Operation::ListServices,
    Operation::CreateService,
    Operation::GetService,
    Operation::UpdateService,
    Operation::DeleteService,
    Operation::CreateEndpoint,
    Operation::GetEndpoint,
    Operation::DeleteEndpoint,
];

/// Returns the class for a call about a serverless endpoint.
fn kind(status: u16, code: Option<&str>) -> FaultKind {
    super::kind(Operation::List, status, code)
}

#[test]
fn every_row_of_the_error_table_has_its_class() {
    for (status, code, expected) in [
        (404, "TENANT_PRIVATE_ENDPOINT_NOT_FOUND", FaultKind::EndpointNotFound),
        (400, "TENANT_PRIVATE_ENDPOINT_NOT_FOUND", FaultKind::EndpointNotFound),
        (404, "SERVERLESS_INSTANCE_NOT_FOUND", FaultKind::InstanceNotFound),
        (404, "CLUSTER_NOT_FOUND", FaultKind::InstanceNotFound),
        (400, "NOT_SERVERLESS_TENANT_CLUSTER", FaultKind::NotServerless),
        (404, "NOT_SERVERLESS_TENANT_CLUSTER", FaultKind::NotServerless),
        (409, "NOT_SERVERLESS_TENANT_CLUSTER", FaultKind::NotServerless),
        (400, "CANNOT_USE_CLUSTER_IN_SERVERLESS_INSTANCE_API", FaultKind::NotServerless),
        (400, "CANNOT_USE_FLEX_CLUSTER_IN_CLUSTER_API", FaultKind::Refused),
        (404, "GROUP_NOT_FOUND", FaultKind::NoAccess),
        (401, "NOT_IN_GROUP", FaultKind::Unauthorized),
        (404, "INVALID_GROUP_ID", FaultKind::NoAccess),
        (400, "PATH_PARAM_PARSE_ERROR", FaultKind::Refused),
        (401, "UNEXPECTED_ERROR", FaultKind::Unauthorized),
        (401, "USER_UNAUTHORIZED", FaultKind::Unauthorized),
        (403, "USER_UNAUTHORIZED", FaultKind::Forbidden),
        (403, "ACCESS_FORBIDDEN", FaultKind::Forbidden),
        (403, "IP_ADDRESS_NOT_ON_ACCESS_LIST", FaultKind::Forbidden),
        (403, "ORG_REQUIRES_ACCESS_LIST", FaultKind::Forbidden),
        (403, "RESOURCE_REQUIRES_WHITELIST", FaultKind::Forbidden),
        (400, "MALFORMED_JSON", FaultKind::Refused),
        (400, "INVALID_JSON", FaultKind::Refused),
        (400, "INVALID_ATTRIBUTE", FaultKind::Refused),
        (400, "MISSING_ATTRIBUTE", FaultKind::Refused),
        (400, "INVALID_ENUM_VALUE", FaultKind::Refused),
        (400, "VALIDATION_ERROR", FaultKind::Refused),
        (400, "INVALID_VERSION_DATE", FaultKind::Refused),
        (406, "INVALID_VERSION_DATE", FaultKind::Refused),
        (402, "NO_PAYMENT_INFORMATION_FOUND", FaultKind::Refused),
        (402, "ACCOUNT_SUSPENDED", FaultKind::Refused),
        (405, "WRITES_NOT_ALLOWED_DURING_APP_UPGRADES", FaultKind::Unavailable),
        (429, "RATE_LIMITED", FaultKind::RateLimited),
        (429, "RATE_LIMITED_TOKEN_BUCKET", FaultKind::RateLimited),
        (500, "UNEXPECTED_ERROR", FaultKind::Unavailable),
        (503, "SERVICE_UNAVAILABLE", FaultKind::Unavailable),
        (410, "VERSION_GONE", FaultKind::Retired),
        (409, "PRIVATELINK_CANNOT_ACCEPT_ENDPOINTS", FaultKind::Refused),
        (409, "PRIVATELINK_INTERFACE_ENDPOINT_ALREADY_EXISTS", FaultKind::Refused),
        (404, "UNEXPECTED_ERROR", FaultKind::NoAccess),
    ] {
        assert_eq!(kind(status, Some(code)), expected, "{status} {code}");
    }
}

#[test]
fn without_an_atlas_body_only_the_status_speaks() {
    for (status, expected) in [
        (301, FaultKind::Unavailable),
        (307, FaultKind::Unavailable),
        (400, FaultKind::Unavailable),
        (401, FaultKind::Unauthorized),
        (402, FaultKind::Unavailable),
        (403, FaultKind::Unavailable),
        (404, FaultKind::Unavailable),
        (405, FaultKind::Unavailable),
        (406, FaultKind::Unavailable),
        (407, FaultKind::Unavailable),
        (408, FaultKind::Unavailable),
        (410, FaultKind::Unavailable),
        (429, FaultKind::RateLimited),
        (500, FaultKind::Unavailable),
        (502, FaultKind::Unavailable),
        (503, FaultKind::Unavailable),
        (504, FaultKind::Unavailable),
        (999, FaultKind::Unavailable),
    ] {
        assert_eq!(kind(status, None), expected, "{status}");
    }
}

#[test]
fn a_server_fault_is_never_read_as_absence_whatever_code_it_carries() {
    for code in [
        "TENANT_PRIVATE_ENDPOINT_NOT_FOUND",
        "CLUSTER_NOT_FOUND",
        "VERSION_GONE",
        "NOT_SERVERLESS_TENANT_CLUSTER",
    ] {
        for status in [500, 502, 503, 504] {
            assert_eq!(kind(status, Some(code)), FaultKind::Unavailable, "{status} {code}");
        }
        assert_eq!(kind(401, Some(code)), FaultKind::Unauthorized);
        assert_eq!(kind(403, Some(code)), FaultKind::Forbidden);
        assert_eq!(kind(429, Some(code)), FaultKind::RateLimited);
    }
}

#[test]
fn a_post_is_a_definite_no_only_for_the_listed_statuses_with_an_atlas_body_and_for_401() {
    for status in 0..=999 {
        let listed = [400, 401, 402, 403, 404, 405, 406, 409, 410, 429].contains(&status);
        assert_eq!(is_definite_no(status, true), listed, "{status} with an Atlas body");
        assert_eq!(is_definite_no(status, false), status == 401, "{status} without one");
    }
}

#[test]
fn a_call_about_a_service_has_rows_of_its_own_in_both_families_of_codes() {
    for (status, code, expected) in [
        (404, "PRIVATE_ENDPOINT_SERVICE_NOT_FOUND", FaultKind::ServiceNotFound),
        (404, "PRIVATELINK_NOT_FOUND", FaultKind::ServiceNotFound),
        (404, "PRIVATELINK_INTERFACE_ENDPOINT_NOT_FOUND", FaultKind::EndpointNotFound),
        (404, "PRIVATE_ENDPOINT_NOT_FOUND", FaultKind::EndpointNotFound),
        (404, "INTERFACE_ENDPOINT_NOT_FOUND", FaultKind::EndpointNotFound),
        (404, "PRIVATELINK_INTERFACE_ENDPOINT_ID_MALFORMED", FaultKind::Refused),
        (409, "PRIVATE_ENDPOINT_SERVICE_ALREADY_EXISTS_FOR_REGION", FaultKind::Conflict),
        (409, "PRIVATELINK_INTERFACE_ENDPOINT_ALREADY_EXISTS", FaultKind::Conflict),
        (409, "PRIVATELINK_CANNOT_ACCEPT_ENDPOINTS", FaultKind::Conflict),
        (409, "CANNOT_DELETE_PRIVATELINK_WITH_ENDPOINTS", FaultKind::Conflict),
        (409, "MULTIPLE_PRIVATE_ENDPOINTS_RESTRICTED_TO_SINGLE_REGION", FaultKind::MultipleRegions),
        (409, "PRIVATE_ENDPOINT_SERVICE_NOT_FOUND", FaultKind::Conflict),
        (409, "A_CODE_OF_TOMORROW", FaultKind::Conflict),
        (404, "GROUP_NOT_FOUND", FaultKind::NoAccess),
        (404, "RESOURCE_NOT_FOUND", FaultKind::NoAccess),
        (404, "CLUSTER_NOT_FOUND", FaultKind::NoAccess),
        (404, "TENANT_PRIVATE_ENDPOINT_NOT_FOUND", FaultKind::NoAccess),
        (400, "PRIVATE_ENDPOINT_SERVICE_NOT_FOUND", FaultKind::Refused),
        (400, "ATLAS_GENERAL_ERROR", FaultKind::Refused),
        (400, "INVALID_ATTRIBUTE", FaultKind::Refused),
        (400, "CROSS_REGION_PRIVATE_LINK_SELF_REGION", FaultKind::Refused),
        (402, "NO_PAYMENT_INFORMATION_FOUND", FaultKind::Refused),
        (401, "PRIVATELINK_NOT_FOUND", FaultKind::Unauthorized),
        (403, "PRIVATELINK_NOT_FOUND", FaultKind::Forbidden),
        (429, "RATE_LIMITED", FaultKind::RateLimited),
        (410, "VERSION_GONE", FaultKind::Retired),
        (500, "UNEXPECTED_ERROR", FaultKind::Unavailable),
        (500, "PRIVATELINK_NOT_FOUND", FaultKind::Unavailable),
    ] {
        for operation in SERVICE_CALLS {
            assert_eq!(super::kind(operation, status, Some(code)), expected, "{operation:?} {status} {code}");
        }
    }
    for status in [404, 409, 410] {
        assert_eq!(super::kind(Operation::DeleteService, status, None), FaultKind::Unavailable, "{status}");
    }
}

#[test]
fn only_a_call_about_a_service_knows_its_codes() {
    assert_eq!(kind(404, Some("PRIVATE_ENDPOINT_SERVICE_NOT_FOUND")), FaultKind::NoAccess);
    assert_eq!(super::kind(Operation::Token, 404, Some("PRIVATELINK_NOT_FOUND")), FaultKind::NoAccess);
    let cluster = |code| super::kind(Operation::GetCluster, 404, Some(code));
    assert_eq!(cluster("CLUSTER_NOT_FOUND"), FaultKind::InstanceNotFound);
    assert_eq!(cluster("GROUP_NOT_FOUND"), FaultKind::NoAccess);
}
