//! What can be wrong when Atlas is asked: the classes that the rules tell apart.
//!
//! A fault is data. It is made where the answer is read (the client, the credentials), never here,
//! and no rule ever looks into its text.

use std::fmt;
use std::time::Duration;

/// Why Atlas could not be read, or why it refused a write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The class that decides what happens next.
    pub kind: FaultKind,
    /// One sentence for the user, already cleaned and cut: what was tried, Atlas' `errorCode` and `detail`.
    pub message: String,
    /// How long the server asked to be left alone (`Retry-After`), as far as it said.
    pub retry_after: Option<Duration>,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

/// The classes of faults, by HTTP status first and `errorCode` second.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum FaultKind {
    /// There is no usable key: the Secret, or a key in it, is missing. Atlas was not asked.
    CredentialsNotFound,
    /// 401: Atlas does not accept the key, or the key's role is too low.
    Unauthorized,
    /// 403: the caller's address is not on the access list, or access is forbidden.
    Forbidden,
    /// 404 without an instance-level code: an unknown project, a key of another organisation, a wrong base URL.
    NoAccess,
    /// 404 `CLUSTER_NOT_FOUND` or `SERVERLESS_INSTANCE_NOT_FOUND`: the instance is not there.
    InstanceNotFound,
    /// `TENANT_PRIVATE_ENDPOINT_NOT_FOUND`: this endpoint is not there.
    EndpointNotFound,
    /// `NOT_SERVERLESS_TENANT_CLUSTER`: the instance was migrated to a Flex or dedicated cluster.
    NotServerless,
    /// 410 `VERSION_GONE`: Atlas has switched this API off.
    Retired,
    /// 429.
    RateLimited,
    /// Any other refusal with an Atlas error body: a validation error, a conflict, a missing payment method.
    Refused,
    /// 5xx, maintenance (405), no connection, a time-out, or an answer that cannot be understood.
    Unavailable,
}
