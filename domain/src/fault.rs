//! Failures of requests to Atlas, in the classes that the rules distinguish.
//!
//! A fault is data. It is created where the response is read (the client, the credentials), never here, and no rule depends on its
//! text.

use std::fmt;
use std::time::Duration;

use crate::status::Message;

/// Why Atlas could not be read, or why it refused a write.
///
/// Two faults are the same while all but `detail` and the varying parts of `next` is equal, and, for an outage, whatever they are.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Fault {
    /// The class, on which the next decision depends.
    pub kind: FaultKind,
    /// The request that failed, with the names of its instance and endpoint; empty if it was for no object in particular.
    pub attempt: Box<str>,
    /// What is wrong: the HTTP status and Atlas' `errorCode`, or a sentence.
    pub problem: Box<str>,
    /// The text of the server or the system about it, already cleaned and cut; may be empty.
    pub detail: Box<str>,
    /// What to do about it; empty if `problem` contains it.
    pub next: Message,
    /// The `Retry-After` of the response, if any.
    pub retry_after: Option<Duration>,
}

impl Fault {
    /// Returns a fault that one sentence describes.
    #[must_use]
    pub fn new(kind: FaultKind, problem: impl Into<Box<str>>) -> Self {
        Self {
            kind,
            attempt: Box::default(),
            problem: problem.into(),
            detail: Box::default(),
            next: Message::default(),
            retry_after: None,
        }
    }

    /// Returns the same fault for another attempt that it holds up. The server's detail is dropped: it may name another object's
    /// endpoint.
    #[must_use]
    pub fn met_by(&self, attempt: impl Into<Box<str>>) -> Self {
        let attempt = if self.attempt.is_empty() { Box::default() } else { attempt.into() };
        Self { attempt, detail: Box::default(), ..self.clone() }
    }

    /// One sentence for the user. An outage is one episode however it shows (502, 503, a refused connection): the whole
    /// sentence varies.
    #[must_use]
    pub fn message(&self) -> Message {
        let message = self.sentence();
        match self.kind {
            FaultKind::Unavailable => Message::default().varying(&message),
            _ => message,
        }
    }

    fn sentence(&self) -> Message {
        let fixed = [&*self.attempt, &*self.problem];
        let fixed: Vec<_> = fixed.into_iter().filter(|part| !part.is_empty()).collect();
        let colon = if fixed.is_empty() || self.detail.is_empty() { "" } else { ": " };
        let message = Message::from(fixed.join(": ")).varying(&format!("{colon}{}", self.detail));
        if self.next.is_empty() { message } else { message.then("; ").join(&self.next) }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message())
    }
}

impl FaultKind {
    /// Returns `true` if Atlas reports that the instance, or this API, is gone. One such response may be wrong for a moment, so
    /// nothing final follows from one alone ([`crate::serverless::memory::Memory::responded`]).
    #[must_use]
    pub fn reports_gone(self) -> bool {
        matches!(self, Self::InstanceNotFound | Self::NotServerless | Self::Retired)
    }

    /// Returns `true` if Atlas reports that an endpoint, or the service that it would be in, is not there.
    #[must_use]
    pub fn is_missing(self) -> bool {
        matches!(self, Self::EndpointNotFound | Self::ServiceNotFound)
    }
}

/// Which calls a failure concerns besides the failed one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Concerns {
    /// Calls in the same project.
    Project,
    /// Calls with the same credentials, in any project: no token could be obtained for the service account. It says nothing of
    /// the project, nor of other credentials in it.
    Credentials,
}

/// The classes of faults, by HTTP status first and `errorCode` second.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum FaultKind {
    /// There are no usable credentials: the Secret, or a key in it, is missing. No request was sent.
    CredentialsNotFound,
    /// 401: Atlas does not accept the key, or the key's role is too low.
    Unauthorized,
    /// 403: the caller's address is not on the access list, or access is forbidden.
    Forbidden,
    /// 404 without an instance-level code: an unknown project, a key of another organisation.
    NoAccess,
    /// 404 `CLUSTER_NOT_FOUND` or `SERVERLESS_INSTANCE_NOT_FOUND`: the instance is not there.
    InstanceNotFound,
    /// `TENANT_PRIVATE_ENDPOINT_NOT_FOUND`, or the code that the API of dedicated clusters has for it: this endpoint is not there.
    EndpointNotFound,
    /// 404 `PRIVATE_ENDPOINT_SERVICE_NOT_FOUND` or `PRIVATELINK_NOT_FOUND`: this endpoint service is not there, and neither is any
    /// endpoint of it.
    ServiceNotFound,
    /// 409 to a request about an endpoint service or its endpoints: something that is in Atlas already prevents it, such as the very
    /// thing that was to be created, or the endpoints of a service that was to be deleted. A listing shows which.
    Conflict,
    /// 409 `MULTIPLE_PRIVATE_ENDPOINTS_RESTRICTED_TO_SINGLE_REGION`: without regional mode, a project has one endpoint in each of several
    /// regions, or several endpoints in one region.
    MultipleRegions,
    /// `NOT_SERVERLESS_TENANT_CLUSTER`: the instance was migrated to a Flex or dedicated cluster.
    NotServerless,
    /// 410 `VERSION_GONE`: Atlas has switched this API off.
    Retired,
    /// 429.
    RateLimited,
    /// Any other refusal with an Atlas error body: a validation error, a missing payment method, a conflict of a serverless endpoint.
    Refused,
    /// 5xx, maintenance (405), no connection, a timeout, a response that cannot be parsed, or a refusal that Atlas did not write.
    Unavailable,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(detail: &str) -> Fault {
        Fault {
            attempt: "failed to delete endpoint 1 of payroll".into(),
            detail: detail.into(),
            next: "fix what Atlas reports".into(),
            ..Fault::new(FaultKind::Forbidden, "HTTP 403 FORBIDDEN")
        }
    }

    #[test]
    fn a_fault_is_one_sentence_that_its_detail_does_not_change() {
        let fault = refused("endpoint 1 at noon");
        let expected = "failed to delete endpoint 1 of payroll: HTTP 403 FORBIDDEN: endpoint 1 at noon; fix what Atlas reports";
        assert_eq!(fault.to_string(), expected);
        for detail in ["", "endpoint 1 at one"] {
            assert!(refused(detail).message().is_shown_by(expected));
        }
        let other = Fault { problem: "HTTP 403 OTHER".into(), ..fault };
        assert!(!other.message().is_shown_by(expected));
        assert_eq!(Fault::new(FaultKind::Unavailable, "no Secret").to_string(), "no Secret");
    }

    #[test]
    fn an_outage_has_the_same_message_whatever_its_status_code() {
        let outage = |problem: &str| Fault::new(FaultKind::Unavailable, problem).message();
        let expected = outage("HTTP 502");
        for other in ["HTTP 503 UNAVAILABLE", "no connection to cloud.mongodb.com: refused", "HTTP 502"] {
            assert!(outage(other).is_shown_by(&expected), "{other}");
        }
        let link = |message: Message| message.then(" (docs/troubleshooting.md#atlasunavailable)");
        assert!(!link(outage("HTTP 503")).is_shown_by("HTTP 401 (docs/troubleshooting.md#unauthorized)"));
    }

    #[test]
    fn a_fault_that_holds_up_another_request_does_not_name_the_one_that_failed() {
        let own = refused("no").met_by("failed to list orders");
        assert_eq!(own.to_string(), "failed to list orders: HTTP 403 FORBIDDEN; fix what Atlas reports");
        let token = Fault::new(FaultKind::Unauthorized, "no token for key ab");
        assert_eq!(token.met_by("failed to list orders"), token);
    }
}
