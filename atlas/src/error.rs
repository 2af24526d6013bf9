//! Errors of a call: kind and outcome for programs, a message for people.
//!
//! A message names what was attempted, Atlas' response, and one next step. Text of the server is shortened and
//! redacted before it gets here; no rule ever reads a message.

use std::fmt;
use std::time::Duration;

use domain::fault::{Concerns, Fault, FaultKind};
use domain::ids::ProjectId;
use domain::status::Message;

use super::auth::credentials::Credentials;
use super::classify;
use super::http::TransportError;
use super::operation::Operation;
use super::outcome::Outcome;
use super::redact::{self, SecretText};
use super::response::{ErrorBody, Response};

/// A call that did not succeed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AtlasError {
    operation: Operation,
    outcome: Outcome,
    error_code: Option<String>,
    fault: Box<Fault>,
}

impl AtlasError {
    /// Returns the class, on which the next decision depends.
    #[must_use]
    pub fn kind(&self) -> FaultKind {
        self.fault.kind
    }

    /// Returns the operation.
    #[must_use]
    pub fn operation(&self) -> Operation {
        self.operation
    }

    /// Returns which calls the failure concerns: the rate limit that follows from it applies to them alone.
    #[must_use]
    pub fn concerns(&self) -> Concerns {
        self.operation.concerns()
    }

    /// Returns how the call ended on the wire.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        self.outcome
    }

    /// Returns Atlas' `errorCode`, if it sent one (cleaned, at most 64 characters).
    #[must_use]
    pub fn error_code(&self) -> Option<&str> {
        self.error_code.as_deref()
    }

    /// Returns the wait that the server requested: at most an hour.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        self.fault.retry_after
    }

    /// Returns the same error with this much of the wait left.
    pub(super) fn with_retry_after(self, left: Duration) -> Self {
        let fault = Fault { retry_after: Some(left), ..*self.fault };
        Self { fault: Box::new(fault), ..self }
    }

    /// Converts the error to the fault that the rules read.
    #[must_use]
    pub fn fault(&self) -> Fault {
        Fault::clone(&self.fault)
    }
}

impl fmt::Display for AtlasError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.fault.fmt(f)
    }
}

impl std::error::Error for AtlasError {}

/// What messages, the log and later 401s need to know of a request.
#[derive(Clone, Copy)]
pub(super) struct RequestContext<'a> {
    pub(super) operation: Operation,
    /// How a message about its failure begins: "failed to list the endpoints of …".
    pub(super) attempt: &'a str,
    /// What the log names.
    pub(super) subject: &'a str,
    pub(super) project: &'a ProjectId,
    pub(super) credentials: &'a Credentials,
}

impl RequestContext<'_> {
    /// Returns the success of `response` as `parse` reads it; else an error with the reason.
    pub(super) fn success<T>(
        &self,
        response: &Response,
        parse: impl FnOnce(&Response) -> Result<T, String>,
    ) -> Result<T, AtlasError> {
        if !response.is_success() {
            return Err(self.rejected(response));
        }
        match response.broken {
            Some(outcome) => {
                let why = response.packed.as_deref().unwrap_or("the response could not be read to its end");
                Err(self.failed(outcome, why, ""))
            }
            None => parse(response).map_err(|reason| self.failed(Outcome::Malformed, "", &reason)),
        }
    }

    /// Returns the error of a response without success.
    pub(super) fn rejected(&self, response: &Response) -> AtlasError {
        let code = response.error.as_ref().map(|error| error.code.as_str());
        let kind = classify::kind(self.operation, response.status, code);
        let error_code = code.map(|code| shown_code(code, &response.secrets));
        let detail = response.error.as_ref().map(|error| redact::clean(&error.detail, &response.secrets));
        let detail = detail.unwrap_or_default();
        let (problem, detail) = match &error_code {
            None => match &response.packed {
                Some(packed) => (format!("HTTP {}: {packed}", response.status), detail),
                None => (format!("HTTP {} without an error message of Atlas", response.status), detail),
            },
            Some(code) if is_code(code) => (format!("HTTP {} {code}", response.status), detail),
            // A text, not a code: it may differ next time.
            Some(text) => (format!("HTTP {}", response.status), format!("{text} {detail}")),
        };
        let error = self.error(
            Outcome::Status(response.status),
            kind,
            problem,
            &detail,
            self.next_step(kind, response),
        );
        let fault = Fault { retry_after: response.retry_after, ..*error.fault };
        AtlasError { error_code, fault: Box::new(fault), ..error }
    }

    /// Returns the error of a call without a usable response. `problem` is our text, `detail` that of a library or server.
    pub(super) fn failed(&self, outcome: Outcome, problem: &str, detail: &str) -> AtlasError {
        let next = match outcome {
            Outcome::DeadlinePassed => "nothing was sent; the operator decides again",
            Outcome::Unreachable => "check the base URL, the proxy and the network policy; retrying",
            Outcome::NoChallenge => {
                "check that the base URL leads to Atlas and that nothing in between asks for credentials; retrying"
            }
            Outcome::Malformed | Outcome::Oversized => {
                "check that the base URL and the API version lead to Atlas; retrying"
            }
            Outcome::TimedOut | Outcome::Interrupted | Outcome::Status(_) => "retrying",
        };
        self.error(outcome, FaultKind::Unavailable, problem.to_owned(), detail, next.into())
    }

    /// There was no response.
    pub(super) fn not_delivered(&self, error: &TransportError) -> AtlasError {
        let TransportError { outcome, problem, detail, remedy, .. } = error;
        match remedy {
            Some(remedy) => {
                let next = remedy.as_str().into();
                self.error(*outcome, FaultKind::Unavailable, problem.clone(), detail, next)
            }
            None => self.failed(*outcome, problem, detail),
        }
    }

    fn error(
        &self,
        outcome: Outcome,
        kind: FaultKind,
        problem: String,
        detail: &str,
        next: Message,
    ) -> AtlasError {
        let Self { operation, attempt, credentials, .. } = *self;
        // An outage shows varying statuses or codes, or none: it stays one problem throughout.
        let (problem, detail, next) = match kind {
            FaultKind::Unavailable => {
                let parts = [problem.as_str(), detail].into_iter().filter(|part| !part.is_empty());
                let what = parts.collect::<Vec<_>>().join(": ");
                (NO_RESPONSE.to_owned(), what, Message::default().varying(&next))
            }
            _ => (problem, detail.to_owned(), next),
        };
        // Calls of several objects share a token, so its failure reads the same for each of them.
        let (attempt, problem) = match operation {
            Operation::Token => ("", format!("failed to get a token for {credentials}: {problem}")),
            _ => (attempt, problem),
        };
        let detail = detail.trim_end_matches(['.', ' ']).into();
        let fault = Fault { attempt: attempt.into(), detail, next, ..Fault::new(kind, problem) };
        AtlasError { operation, outcome, error_code: None, fault: Box::new(fault) }
    }

    fn next_step(&self, kind: FaultKind, response: &Response) -> Message {
        let who = self.credentials;
        let next = match kind {
            FaultKind::Unauthorized if self.operation == Operation::Token => {
                format!("check the Secret entry of {who}: its secret may be wrong, expired or revoked")
            }
            FaultKind::Unauthorized | FaultKind::CredentialsNotFound => {
                let other = if response.is_unknown_nonce_likely {
                    ". If it works elsewhere, the gateway did not know the nonce that it had issued: requests are spread \
                     over gateways that share none"
                } else {
                    ""
                };
                format!(
                    "check the Secret entry of {who}, and that it has the Project Owner role in this project{other}"
                )
            }
            FaultKind::Forbidden => match response.error.as_ref().and_then(ErrorBody::access_list_address) {
                Some(address) => {
                    let list =
                        format!(" to the API access list of {who} (not to the project's IP access list)");
                    return Message::from("add ").varying(&address.to_string()).then(&list);
                }
                None => format!(
                    "{who} needs the Project Owner role in this project, and this operator's address on its API access list"
                ),
            },
            FaultKind::NoAccess => {
                format!("check the project id, and that {who} belongs to the organisation of this project")
            }
            FaultKind::InstanceNotFound if self.operation == Operation::GetCluster => {
                "no such cluster in this project".to_owned()
            }
            FaultKind::InstanceNotFound => "no such instance in this project".to_owned(),
            FaultKind::EndpointNotFound | FaultKind::ServiceNotFound => {
                "it may have been deleted; the next listing shows whether it was".to_owned()
            }
            FaultKind::NotServerless => {
                "the instance is no longer serverless: it is a Flex cluster, which has no private endpoints, or a dedicated one".to_owned()
            }
            FaultKind::Retired => {
                "Atlas has switched this API off, and nothing can be managed through it any more".to_owned()
            }
            FaultKind::RateLimited => match response.retry_after {
                Some(wait) => {
                    let seconds = wait.as_secs().to_string();
                    return Message::from("retrying ").varying(&format!("in {seconds} s"));
                }
                None => {
                    return Message::from("retrying ").varying("later, and less often");
                }
            },
            FaultKind::Refused if response.status == 402 => {
                "pay or fix the billing of the organisation".to_owned()
            }
            FaultKind::Refused if response.status == 406 => "check the API version (--atlas-api)".to_owned(),
            // Such as "No Capacity": nothing that a user could fix.
            FaultKind::Refused if response.has_code("ATLAS_GENERAL_ERROR") => "retrying".to_owned(),
            FaultKind::Refused => "fix what Atlas reports".to_owned(),
            FaultKind::MultipleRegions => {
                "enable regionalized private endpoints in this project, or keep all its private endpoints in one region"
                    .to_owned()
            }
            FaultKind::Conflict if self.operation == Operation::DeleteService => {
                "Atlas deletes an endpoint service after its last endpoint; the next listing shows which it has"
                    .to_owned()
            }
            FaultKind::Conflict => "the next listing shows what prevents it".to_owned(),
            FaultKind::Unavailable if (300..400).contains(&response.status) => {
                "redirects are not followed: check the base URL".to_owned()
            }
            FaultKind::Unavailable if response.status == 403 => {
                "a proxy or firewall between the operator and Atlas may have refused the call".to_owned()
            }
            FaultKind::Unavailable if response.status == 404 => {
                "check that the base URL leads to Atlas".to_owned()
            }
            FaultKind::Unavailable => "retrying".to_owned(),
        };
        next.into()
    }
}

/// Returns the part of an outage's message that stays the same.
const NO_RESPONSE: &str = "no usable response";

/// Returns whether this is a code in Atlas' form; other values are text.
fn is_code(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

fn shown_code(code: &str, secrets: &[SecretText]) -> String {
    redact::clean(code, secrets).chars().take(64).collect()
}

#[cfg(test)]
#[path = "error_tests.rs"]
mod tests;
