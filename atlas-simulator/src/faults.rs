//! The faults of requests. Data only: `rules` picks the requests, `response` and `termination` change the response, `timeline`
//! changes the endpoint.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{endpoint::Deviation, seconds};

/// The operation that a request names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Operation {
    /// GET of all endpoints of an instance.
    List,
    /// GET of one endpoint.
    Get,
    /// POST.
    Create,
    /// PATCH.
    Update,
    /// DELETE.
    Delete,
    /// GET of the instance, with its connection strings.
    GetInstance,
    /// GET of all serverless instances of a project.
    ListInstances,
    /// GET of the project.
    GetProject,
    /// POST of a service account for an access token.
    Token,
    /// POST that revokes an access token.
    Revoke,
    /// DELETE of the project.
    DeleteProject,
    /// Dedicated clusters: GET of all endpoint services of a project and provider.
    ListServices,
    /// Dedicated clusters: POST of an endpoint service.
    CreateService,
    /// Dedicated clusters: GET of one endpoint service.
    GetService,
    /// Dedicated clusters: PATCH of an endpoint service.
    UpdateService,
    /// Dedicated clusters: DELETE of an endpoint service.
    DeleteService,
    /// Dedicated clusters: POST of an endpoint.
    CreateEndpoint,
    /// Dedicated clusters: GET of one endpoint.
    GetEndpoint,
    /// Dedicated clusters: DELETE of an endpoint.
    DeleteEndpoint,
    /// Dedicated clusters: GET of the project's regional mode.
    GetRegionalMode,
    /// Dedicated clusters: PATCH of the project's regional mode.
    UpdateRegionalMode,
    /// Dedicated clusters: GET of a cluster, with its connection strings.
    GetCluster,
}

impl Operation {
    /// All operations that change an endpoint of a serverless instance.
    pub const WRITES: [Self; 3] = [Self::Create, Self::Update, Self::Delete];

    /// All operations that change an endpoint service or endpoint of dedicated clusters.
    pub const DEDICATED_WRITES: [Self; 5] = [
        Self::CreateService,
        Self::UpdateService,
        Self::DeleteService,
        Self::CreateEndpoint,
        Self::DeleteEndpoint,
    ];

    /// Returns whether it changes anything.
    #[must_use]
    pub fn is_write(self) -> bool {
        Self::WRITES.contains(&self)
            || Self::DEDICATED_WRITES.contains(&self)
            || matches!(self, Self::UpdateRegionalMode | Self::DeleteProject)
    }

    /// Returns whether it belongs to dedicated clusters.
    #[must_use]
    pub fn is_dedicated(self) -> bool {
        Self::DEDICATED_WRITES.contains(&self)
            || matches!(
                self,
                Self::ListServices
                    | Self::GetService
                    | Self::GetEndpoint
                    | Self::GetRegionalMode
                    | Self::UpdateRegionalMode
                    | Self::GetCluster
                    | Self::DeleteProject
            )
    }
}

/// A fault of a request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InjectedFault {
    /// Not executed; this instead of the response.
    NotExecuted(Termination),
    /// Executed; this instead of the response.
    Executed(Termination),
    /// This at once instead of the response, and executed afterwards.
    ExecutedLate {
        /// How long afterwards.
        #[serde(with = "seconds")]
        after: Duration,
        /// What the client gets.
        ending: Termination,
    },
    /// Executed; the true response, but malformed.
    Shown(Malformed),
    /// Executed; the endpoint or service that it created, updated or deleted takes another course.
    Deviation(Deviation),
    /// Executed and responded to this much later, besides the usual latency.
    Delayed {
        /// The shortest delay.
        #[serde(with = "seconds")]
        min: Duration,
        /// The longest delay.
        #[serde(with = "seconds")]
        max: Duration,
    },
    /// A read (a list, or of one endpoint or service) shows the state of so long ago.
    StaleRead {
        /// How old the shown state is.
        #[serde(with = "seconds")]
        by: Duration,
    },
}

impl InjectedFault {
    /// Delayed by exactly this much.
    #[must_use]
    pub const fn delayed(by: Duration) -> Self {
        Self::Delayed { min: by, max: by }
    }

    /// Returns whether it settles what the client gets: no later rule sees the request.
    pub(crate) fn settles(&self) -> bool {
        matches!(self, Self::NotExecuted(_) | Self::Executed(_) | Self::ExecutedLate { .. })
    }
}

/// What the client gets instead of the response.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Termination {
    /// The connection is closed without a response.
    Cut,
    /// Nothing, for as long as the client waits.
    Hang,
    /// Headers and a part of a body, then the connection is closed.
    CutInBody,
    /// 400 `NOT_SERVERLESS_TENANT_CLUSTER`: the instance was migrated.
    NotServerless,
    /// 400 `ATLAS_GENERAL_ERROR`, "No Capacity": several services were created at the same time.
    NoCapacity,
    /// 400 `INVALID_ATTRIBUTE` for `cloudProviderEndpointId`.
    InvalidAttribute,
    /// 400 `MISSING_ATTRIBUTE` for `providerName`.
    MissingAttribute,
    /// 400 `VALIDATION_ERROR` for `comment`, with `badRequestDetail`.
    CommentTooLong,
    /// 401 with a fresh challenge, as for a wrong key.
    Unauthenticated,
    /// 401 with a fresh challenge and `stale=true`; the nonce used is forgotten.
    StaleNonce,
    /// 401 `USER_UNAUTHORIZED`.
    UserUnauthorized,
    /// 401 `NOT_IN_GROUP`.
    NotInGroup,
    /// 401 of the token resource, in its own shape: `invalid_client`.
    InvalidClient,
    /// 402 `NO_PAYMENT_INFORMATION_FOUND`.
    PaymentRequired,
    /// 403 `ACCESS_FORBIDDEN`.
    AccessForbidden,
    /// 403 `IP_ADDRESS_NOT_ON_ACCESS_LIST`.
    IpNotOnAccessList,
    /// 403 `ORG_REQUIRES_ACCESS_LIST`.
    OrgRequiresAccessList,
    /// 404 `GROUP_NOT_FOUND`.
    GroupNotFound,
    /// 404 `INVALID_GROUP_ID`.
    InvalidGroupId,
    /// 404 `CLUSTER_NOT_FOUND`.
    ClusterNotFound,
    /// 404 `SERVERLESS_INSTANCE_NOT_FOUND`.
    ServerlessInstanceNotFound,
    /// `TENANT_PRIVATE_ENDPOINT_NOT_FOUND`, as 404 or 400.
    EndpointNotFound(u16),
    /// 404 `PRIVATE_ENDPOINT_SERVICE_NOT_FOUND`.
    ServiceNotFound,
    /// 404 `PRIVATELINK_INTERFACE_ENDPOINT_NOT_FOUND`.
    InterfaceEndpointNotFound,
    /// 404 with a page of HTML, as from a proxy or a wrong base URL.
    HtmlNotFound,
    /// 404 `UNEXPECTED_ERROR`: a generic code.
    UnexpectedNotFound,
    /// 405 `WRITES_NOT_ALLOWED_DURING_APP_UPGRADES`.
    Maintenance,
    /// 409 `PRIVATELINK_CANNOT_ACCEPT_ENDPOINTS`.
    Conflict,
    /// 409 `PRIVATELINK_INTERFACE_ENDPOINT_ALREADY_EXISTS`.
    InterfaceEndpointExists,
    /// 409 `CANNOT_DELETE_PRIVATELINK_WITH_ENDPOINTS`.
    ServiceHasEndpoints,
    /// 409 `MULTIPLE_PRIVATE_ENDPOINTS_RESTRICTED_TO_SINGLE_REGION`.
    MultipleRegions,
    /// 410 `VERSION_GONE`.
    VersionGone,
    /// 429, with the error body of the version in use.
    RateLimited {
        /// The `Retry-After` header, verbatim: seconds, a date, or nonsense; `None`: no such header.
        retry_after: Option<String>,
    },
    /// 429 whose `Retry-After` is the HTTP date so many seconds ahead.
    RateLimitedUntil {
        /// Seconds from now.
        seconds: u64,
    },
    /// 500 `UNEXPECTED_ERROR`.
    ServerError,
    /// 502 with a page of HTML.
    BadGateway,
    /// 503 with the page of HTML that Atlas is known to send.
    HtmlUnavailable,
    /// 503 `SERVICE_UNAVAILABLE`.
    Unavailable {
        /// The `Retry-After` header, verbatim.
        retry_after: Option<String>,
    },
    /// 504 with a page of HTML.
    GatewayTimeout,
    /// A redirect.
    Redirect {
        /// 301, 302, 303, 307 or 308.
        status: u16,
        /// The target.
        location: String,
    },
    /// Any other response in the shape of an Atlas error.
    Error {
        /// The HTTP status.
        status: u16,
        /// The `errorCode`.
        code: String,
        /// The `detail`.
        detail: String,
    },
}

/// How a true response is malformed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Malformed {
    /// The first half of the JSON, correctly delivered.
    Truncated,
    /// No body.
    Empty,
    /// More than 1 MiB: the same JSON with white space before it.
    Oversized,
    /// Bytes that are no UTF-8.
    Binary,
    /// The same JSON, declared as `text/plain`.
    PlainText,
    /// A page of HTML with the true status, as a captive portal sends.
    Html,
    /// Every endpoint or service has this status.
    Status(String),
    /// No endpoint has a status.
    NoStatus,
    /// No endpoint has an id.
    NoId,
    /// Every endpoint has unknown members.
    ExtraFields,
    /// Members that would be `null` are left out.
    NoNulls,
    /// A `cloudProviderEndpointId` that no request sent, where there is none yet (as the tutorial of Atlas shows).
    JunkVpcEndpoint,
    /// A list is `{"links", "results", "totalCount"}`.
    PagedList,
    /// An error has `"parameters": null`.
    NullParameters,
    /// 202 instead of 200 or 204, with `{}` for a DELETE (as for dedicated endpoints).
    Accepted,
    /// `Deprecation` and `Sunset` headers.
    Deprecated,
}
