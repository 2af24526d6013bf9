//! Faults of requests, and the expected behaviour of the operator meanwhile and in the end. Data only: `faults::row_run`
//! runs a row. The families, and the order, are the catalogue's.

use atlas_simulator::Operation::{self, Create, Delete, List, Update};
use domain::status::ConditionType::{ApiSunset, Ready, Stalled, Synced};
use domain::status::EventReason;
use domain::status::Reason::*;

use crate::faults::row::{FaultEnd, FaultRow, FaultStart, ROW, Recovery, Says, SecretContents};

const ALL: &[Operation] = &[List, Create, Update, Delete];

/// With a VPC endpoint.
pub(crate) const CONNECTED: &str = r#"{"cloudProviderEndpointId": "vpce-0a1b2c3d4e5f60718"}"#;

/// A row whose fault affects the first listing.
const LISTING: FaultRow = FaultRow { on: &[List], ..ROW };

/// A row whose fault affects the POST, which is not executed.
const CREATING: FaultRow = FaultRow { on: &[Create], ..ROW };

/// A row whose fault affects the PATCH that connects the VPC endpoint.
const CONNECTING: FaultRow = FaultRow { on: &[Update], spec: CONNECTED, ..ROW };

/// A row whose fault affects the DELETE.
const DELETING: FaultRow =
    FaultRow { on: &[Delete], when: FaultStart::Deleted, end: FaultEnd::Gone(0), ..ROW };

macro_rules! not_ready {
    ($reason:ident $(, $word:literal)*) => { &[Says(Ready, false, $reason, &[$($word),*])] };
}

/// An unknown outcome: the condition names the lost response, then the operator waits for Q.
const UNKNOWN: &[Says] = &[Says(Ready, false, AtlasUnavailable, &["failed to create an endpoint"])];

const OUTAGE_OF_UPDATE: &[Says] = not_ready!(AtlasUnavailable, "failed to update endpoint", "retrying");
const OUTAGE_OF_DELETE: &[Says] = not_ready!(AtlasUnavailable, "failed to delete endpoint", "Retain");

/// Responses that are lost, or arrive after the client gave up (families 1 and 2).
#[rustfmt::skip]
pub(crate) const LOST: &[FaultRow] = &[
    FaultRow { fault: "executed, then cut", says: UNKNOWN, recovery: Recovery::ByItself, events: &[EventReason::EndpointAdopted], ..CREATING },
    FaultRow {
        fault: "executed, then silence",
        says: &[UNKNOWN[0], Says(Ready, false, Adopting, &["a second listing has to confirm"])],
        recovery: Recovery::ByItself,
        ..CREATING
    },
    FaultRow { fault: "executed, then 502", says: UNKNOWN, recovery: Recovery::ByItself, ..CREATING },
    FaultRow { fault: "executed, then 503", says: UNKNOWN, recovery: Recovery::ByItself, ..CREATING },
    FaultRow {
        fault: "executed long after its response",
        says: &[UNKNOWN[0], Says(Ready, false, Creating, &["outcome of an earlier create request is unknown"])],
        recovery: Recovery::ByItself,
        ..CREATING
    },
    FaultRow { fault: "executed, then cut", says: OUTAGE_OF_UPDATE, recovery: Recovery::ByItself, ..CONNECTING },
    FaultRow { fault: "executed, then silence", says: OUTAGE_OF_UPDATE, recovery: Recovery::ByItself, ..CONNECTING },
    FaultRow { fault: "executed, then 502", says: OUTAGE_OF_UPDATE, recovery: Recovery::ByItself, ..CONNECTING },
    FaultRow { fault: "executed, then 503", says: OUTAGE_OF_UPDATE, recovery: Recovery::ByItself, ..CONNECTING },
    FaultRow { fault: "executed, then cut", says: OUTAGE_OF_DELETE, recovery: Recovery::ByItself, ..DELETING },
    FaultRow { fault: "executed, then silence", says: OUTAGE_OF_DELETE, recovery: Recovery::ByItself, ..DELETING },
    FaultRow { fault: "executed, then 502", says: OUTAGE_OF_DELETE, recovery: Recovery::ByItself, ..DELETING },
    FaultRow { fault: "executed, then 503", says: OUTAGE_OF_DELETE, recovery: Recovery::ByItself, ..DELETING },
    FaultRow { fault: "a listing shows the past", recovery: Recovery::ByItself, ..LISTING },
    FaultRow { fault: "a listing shows the past", on: &[List], recovery: Recovery::ByItself, ..DELETING },
    FaultRow {
        fault: "executed, then cut",
        also: &["a listing shows the past"],
        says: UNKNOWN,
        recovery: Recovery::ByItself,
        ..CREATING
    },
];

/// Authentication and authorization (families 3, 4 and 5).
#[rustfmt::skip]
pub(crate) const ACCESS: &[FaultRow] = &[
    FaultRow { fault: "a nonce turns stale", on: ALL, spec: CONNECTED, recovery: Recovery::ByItself, ..ROW },
    FaultRow { fault: "a nonce turns stale twice in a row", on: ALL, spec: CONNECTED, recovery: Recovery::ByItself, ..ROW },
    FaultRow {
        fault: "a key that is not accepted",
        says: &[
            Says(Ready, false, Unauthorized, &["HTTP 401 UNEXPECTED_ERROR", "API key row-", "Project Owner"]),
            Says(Synced, false, Unauthorized, &[]),
        ],
        events: &[EventReason::AtlasUnauthorized],
        ..LISTING
    },
    FaultRow { fault: "a key that is not accepted", says: not_ready!(Unauthorized, "failed to create"), ..CREATING },
    FaultRow { fault: "a key that is not accepted", says: not_ready!(Unauthorized, "failed to update"), ..CONNECTING },
    FaultRow { fault: "a key that is not accepted", says: not_ready!(Unauthorized, "failed to delete", "Retain"), ..DELETING },
    FaultRow { fault: "USER_UNAUTHORIZED", says: not_ready!(Unauthorized, "USER_UNAUTHORIZED", "Project Owner"), ..LISTING },
    FaultRow { fault: "USER_UNAUTHORIZED", says: not_ready!(Unauthorized, "USER_UNAUTHORIZED", "Project Owner"), ..CREATING },
    FaultRow { fault: "USER_UNAUTHORIZED", says: not_ready!(Unauthorized, "USER_UNAUTHORIZED"), ..CONNECTING },
    FaultRow { fault: "USER_UNAUTHORIZED", says: not_ready!(Unauthorized, "USER_UNAUTHORIZED", "Retain"), ..DELETING },
    FaultRow { key: SecretContents::Reader, says: not_ready!(Unauthorized, "USER_UNAUTHORIZED", "Project Owner"), ..ROW },
    FaultRow { fault: "NOT_IN_GROUP", says: not_ready!(Unauthorized, "NOT_IN_GROUP"), ..LISTING },
    FaultRow {
        fault: "IP_ADDRESS_NOT_ON_ACCESS_LIST",
        says: not_ready!(Forbidden, "IP_ADDRESS_NOT_ON_ACCESS_LIST", "add 203.0.113.7 to the API access list"),
        events: &[EventReason::AtlasForbidden],
        ..LISTING
    },
    FaultRow { fault: "IP_ADDRESS_NOT_ON_ACCESS_LIST", says: not_ready!(Forbidden, "203.0.113.7"), ..CREATING },
    FaultRow { fault: "IP_ADDRESS_NOT_ON_ACCESS_LIST", says: not_ready!(Forbidden, "203.0.113.7"), ..CONNECTING },
    FaultRow { fault: "IP_ADDRESS_NOT_ON_ACCESS_LIST", says: not_ready!(Forbidden, "203.0.113.7", "Retain"), ..DELETING },
    FaultRow { fault: "ORG_REQUIRES_ACCESS_LIST", says: not_ready!(Forbidden, "ORG_REQUIRES_ACCESS_LIST"), ..LISTING },
    FaultRow { key: SecretContents::Elsewhere, says: not_ready!(Forbidden, "ORG_REQUIRES_ACCESS_LIST"), ..ROW },
];

/// Objects that are not found (families 6, 7 and 8).
#[rustfmt::skip]
pub(crate) const ABSENT: &[FaultRow] = &[
    FaultRow {
        fault: "GROUP_NOT_FOUND",
        says: not_ready!(ProjectNotFound, "GROUP_NOT_FOUND", "check the project id"),
        events: &[EventReason::ProjectNotFound],
        ..LISTING
    },
    FaultRow { fault: "GROUP_NOT_FOUND", says: not_ready!(ProjectNotFound, "GROUP_NOT_FOUND"), ..CREATING },
    FaultRow { fault: "GROUP_NOT_FOUND", says: not_ready!(ProjectNotFound, "GROUP_NOT_FOUND"), ..CONNECTING },
    FaultRow { fault: "GROUP_NOT_FOUND", says: not_ready!(ProjectNotFound, "GROUP_NOT_FOUND", "Retain"), ..DELETING },
    FaultRow { key: SecretContents::Stranger, says: not_ready!(ProjectNotFound, "GROUP_NOT_FOUND"), ..ROW },
    FaultRow { fault: "INVALID_GROUP_ID", says: not_ready!(ProjectNotFound, "INVALID_GROUP_ID"), ..LISTING },
    FaultRow {
        fault: "CLUSTER_NOT_FOUND",
        says: &[
            Says(Ready, false, InstanceNotFound, &["CLUSTER_NOT_FOUND", "create one with the right name"]),
            Says(Stalled, true, InstanceNotFound, &[]),
        ],
        events: &[EventReason::InstanceNotFound],
        ..LISTING
    },
    FaultRow { fault: "CLUSTER_NOT_FOUND", says: not_ready!(AtlasRefused, "CLUSTER_NOT_FOUND"), ..CREATING },
    FaultRow { fault: "CLUSTER_NOT_FOUND", says: not_ready!(AtlasRefused, "CLUSTER_NOT_FOUND"), ..CONNECTING },
    // A listing shows the opposite: the endpoint is there, and nothing is given up.
    FaultRow { fault: "CLUSTER_NOT_FOUND", says: not_ready!(AtlasRefused, "CLUSTER_NOT_FOUND", "Retain"), requests: &[(Delete, 2)], ..DELETING },
    FaultRow { fault: "SERVERLESS_INSTANCE_NOT_FOUND", says: not_ready!(InstanceNotFound, "SERVERLESS_INSTANCE_NOT_FOUND"), ..LISTING },
    FaultRow { fault: "404 for an endpoint that is gone", says: not_ready!(AtlasRefused, "TENANT_PRIVATE_ENDPOINT_NOT_FOUND"), recovery: Recovery::ByItself, ..CONNECTING },
    FaultRow { fault: "400 for an endpoint that is gone", says: not_ready!(AtlasRefused, "TENANT_PRIVATE_ENDPOINT_NOT_FOUND"), recovery: Recovery::ByItself, ..CONNECTING },
    FaultRow { fault: "404 for an endpoint that is gone", recovery: Recovery::ByItself, ..DELETING },
    FaultRow { fault: "400 for an endpoint that is gone", recovery: Recovery::ByItself, ..DELETING },
    FaultRow { fault: "400 for another reason", says: not_ready!(AtlasRefused, "HTTP 400 INVALID_ATTRIBUTE", "Retain"), ..DELETING },
    FaultRow {
        fault: "NOT_SERVERLESS_TENANT_CLUSTER",
        when: FaultStart::Ready,
        says: &[
            Says(Ready, false, InstanceMigrated, &["NOT_SERVERLESS_TENANT_CLUSTER"]),
            Says(Stalled, true, InstanceMigrated, &[]),
        ],
        events: &[EventReason::InstanceMigrated],
        ..LISTING
    },
    FaultRow { fault: "NOT_SERVERLESS_TENANT_CLUSTER", says: not_ready!(AtlasRefused, "NOT_SERVERLESS_TENANT_CLUSTER"), ..CREATING },
    FaultRow { fault: "NOT_SERVERLESS_TENANT_CLUSTER", says: not_ready!(AtlasRefused, "NOT_SERVERLESS_TENANT_CLUSTER"), ..CONNECTING },
    FaultRow { fault: "NOT_SERVERLESS_TENANT_CLUSTER", says: not_ready!(AtlasRefused, "NOT_SERVERLESS_TENANT_CLUSTER", "Retain"), requests: &[(Delete, 2)], ..DELETING },
    FaultRow { fault: "migrated to Flex", when: FaultStart::Ready, says: not_ready!(InstanceMigrated, "NOT_SERVERLESS_TENANT_CLUSTER"), recovery: Recovery::ByItself, end: FaultEnd::Stays(InstanceMigrated), left: 1, ..ROW },
    FaultRow { fault: "migrated to dedicated", when: FaultStart::Ready, says: not_ready!(InstanceMigrated, "CANNOT_USE_CLUSTER_IN_SERVERLESS_INSTANCE_API"), recovery: Recovery::ByItself, end: FaultEnd::Stays(InstanceMigrated), left: 1, ..ROW },
    FaultRow {
        fault: "VERSION_GONE",
        when: FaultStart::Ready,
        says: &[Says(Ready, false, ApiRetired, &["HTTP 410 VERSION_GONE"]), Says(Stalled, true, ApiRetired, &[])],
        events: &[EventReason::AtlasApiRetired],
        ..LISTING
    },
    FaultRow { fault: "VERSION_GONE", says: not_ready!(AtlasRefused, "HTTP 410 VERSION_GONE"), ..CREATING },
    FaultRow { fault: "VERSION_GONE", says: not_ready!(AtlasRefused, "HTTP 410 VERSION_GONE"), ..CONNECTING },
    FaultRow { fault: "VERSION_GONE", says: not_ready!(AtlasRefused, "VERSION_GONE", "Retain"), requests: &[(Delete, 2)], ..DELETING },
    FaultRow {
        fault: "Deprecation and Sunset",
        on: ALL,
        spec: CONNECTED,
        says: &[Says(ApiSunset, true, SunsetAnnounced, &["would switch this API off on"])],
        recovery: Recovery::ByItself,
        events: &[EventReason::AtlasApiSunset],
        ..ROW
    },
];

/// Temporary rejections (families 9 and 10).
#[rustfmt::skip]
pub(crate) const LATER: &[FaultRow] = &[
    FaultRow {
        fault: "429 without Retry-After",
        says: not_ready!(RateLimited, "HTTP 429 RATE_LIMITED", "retrying"),
        events: &[EventReason::AtlasRateLimited],
        ..LISTING
    },
    FaultRow { fault: "429 without Retry-After", says: not_ready!(RateLimited, "RATE_LIMITED"), ..CREATING },
    FaultRow { fault: "429 without Retry-After", says: not_ready!(RateLimited, "RATE_LIMITED"), ..CONNECTING },
    FaultRow { fault: "429 without Retry-After", says: not_ready!(RateLimited, "RATE_LIMITED"), ..DELETING },
    FaultRow { fault: "429 with Retry-After", says: not_ready!(RateLimited, "RATE_LIMITED", "in 2 s"), ..LISTING },
    FaultRow { fault: "429 with Retry-After", says: not_ready!(RateLimited, "in 2 s"), ..CREATING },
    FaultRow { fault: "429 with Retry-After", says: not_ready!(RateLimited, "in 2 s"), ..CONNECTING },
    FaultRow { fault: "429 with Retry-After", says: not_ready!(RateLimited, "in 2 s"), ..DELETING },
    FaultRow { fault: "429 with Retry-After", when: FaultStart::Ready, says: &[Says(Synced, false, RateLimited, &[])], stays_ready: true, ..LISTING },
    FaultRow { fault: "Retry-After: 0", says: not_ready!(RateLimited, "RATE_LIMITED"), ..LISTING },
    FaultRow { fault: "an absurd Retry-After", says: not_ready!(RateLimited, "in 3600 s"), spec: r#"{"deletionPolicy": "Retain"}"#, recovery: Recovery::ByItself, end: FaultEnd::Stays(RateLimited), posts: 0, endpoints: 0, ..LISTING },
    FaultRow { fault: "Retry-After as a date", says: not_ready!(RateLimited, "RATE_LIMITED"), ..LISTING },
    FaultRow { fault: "no writes during an upgrade", says: not_ready!(AtlasUnavailable, "WRITES_NOT_ALLOWED_DURING_APP_UPGRADES"), ..CREATING },
    FaultRow { fault: "no writes during an upgrade", says: not_ready!(AtlasUnavailable, "WRITES_NOT_ALLOWED_DURING_APP_UPGRADES"), ..CONNECTING },
    FaultRow { fault: "no writes during an upgrade", says: not_ready!(AtlasUnavailable, "WRITES_NOT_ALLOWED_DURING_APP_UPGRADES"), ..DELETING },
];

/// Unusable responses (families 11 and 20).
#[rustfmt::skip]
pub(crate) const FAILING: &[FaultRow] = &[
    FaultRow { fault: "500", says: not_ready!(AtlasUnavailable, "HTTP 500 UNEXPECTED_ERROR", "retrying"), events: &[EventReason::AtlasUnavailable], ..LISTING },
    FaultRow { fault: "500", says: UNKNOWN, ..CREATING },
    FaultRow { fault: "500", says: OUTAGE_OF_UPDATE, ..CONNECTING },
    FaultRow { fault: "500", says: OUTAGE_OF_DELETE, ..DELETING },
    FaultRow { fault: "500", when: FaultStart::Ready, says: &[Says(Synced, false, AtlasUnavailable, &["HTTP 500 UNEXPECTED_ERROR"])], stays_ready: true, ..LISTING },
    FaultRow { fault: "503 as a page of HTML", says: not_ready!(AtlasUnavailable, "HTTP 503 without an error message of Atlas"), ..LISTING },
    FaultRow { fault: "503 as a page of HTML", says: UNKNOWN, ..CREATING },
    FaultRow { fault: "503 with Retry-After", says: not_ready!(AtlasUnavailable, "HTTP 503 SERVICE_UNAVAILABLE"), ..LISTING },
    FaultRow { fault: "503 with Retry-After", says: UNKNOWN, ..CREATING },
    FaultRow { fault: "504", says: not_ready!(AtlasUnavailable, "HTTP 504"), ..LISTING },
    FaultRow { fault: "504", says: UNKNOWN, ..CREATING },
    FaultRow { fault: "truncated JSON", says: not_ready!(AtlasUnavailable, "not JSON", "check that the base URL"), ..LISTING },
    FaultRow { fault: "a created endpoint shown as truncated JSON", says: UNKNOWN, recovery: Recovery::ByItself, ..CREATING },
    FaultRow { fault: "success without a body", says: not_ready!(AtlasUnavailable, "not JSON"), ..LISTING },
    FaultRow { fault: "a created endpoint not shown", says: UNKNOWN, recovery: Recovery::ByItself, ..CREATING },
    FaultRow { fault: "parameters: null", says: not_ready!(AtlasRefused, "NO_PAYMENT_INFORMATION_FOUND", "billing"), ..LISTING },
    FaultRow {
        fault: "parameters: null",
        says: not_ready!(AtlasRefused, "NO_PAYMENT_INFORMATION_FOUND", "billing"),
        events: &[EventReason::AtlasRefused],
        ..CREATING
    },
    FaultRow { fault: "a wrong content type", on: &[List, Create], recovery: Recovery::ByItself, ..ROW },
    FaultRow { fault: "a redirect", says: not_ready!(AtlasUnavailable, "HTTP 307", "redirects are not followed"), ..LISTING },
    FaultRow { fault: "a redirect", says: UNKNOWN, ..CREATING },
    FaultRow { fault: "silence", says: not_ready!(AtlasUnavailable, "did not respond within 2s"), recovery: Recovery::ByItself, ..LISTING },
    FaultRow { fault: "silence", says: UNKNOWN, recovery: Recovery::ByItself, ..CREATING },
    FaultRow { fault: "silence", says: OUTAGE_OF_UPDATE, recovery: Recovery::ByItself, ..CONNECTING },
    FaultRow { fault: "silence", says: OUTAGE_OF_DELETE, recovery: Recovery::ByItself, ..DELETING },
    FaultRow {
        fault: "500",
        spec: r#"{"progressDeadline": "1s"}"#,
        says: not_ready!(ProgressDeadlineExceeded, "spec.progressDeadline", "HTTP 500 UNEXPECTED_ERROR"),
        events: &[EventReason::ProgressDeadlineExceeded],
        ..LISTING
    },
];
