//! A client with the credentials of one API key or service account, and how it runs one call.
//!
//! A call takes one request if a challenge or token is at hand, and a handful at most. It never waits and never backs off.
//! It repeats only a request that a 401 proves not to have been executed, and a GET whose connection had been closed while
//! idle. The caller decides when to retry. The operations are in the file of their resource.

use std::sync::Arc;

use domain::ids::ProjectId;
use reqwest::{Method, Url};
use tokio::time::Instant;

use super::auth::cookies::Cookies;
use super::auth::credentials::Credentials;
use super::auth::exchange::{AuthenticatedCall, Failure};
use super::call_record::CallRecord;
use super::error::{AtlasError, RequestContext};
use super::http::RawResponse;
use super::http::send_guard::MaySend;
use super::operation::{Operation, OperationSubject};
use super::outcome::Outcome;
use super::response::{self, Response};
use super::transport::Transport;

/// A client with the credentials of one API key or service account. Cheap to clone.
#[derive(Clone)]
pub struct Client {
    pub(super) transport: Transport,
    credentials: Arc<Credentials>,
}

/// A request as an operation describes it.
pub(super) struct OperationRequest<'a> {
    pub(super) operation: Operation,
    /// As in [`RequestContext`].
    pub(super) attempt: String,
    /// As in [`RequestContext`].
    pub(super) subject: String,
    pub(super) project: &'a ProjectId,
    pub(super) method: Method,
    pub(super) url: Url,
    /// Where a GET gets a challenge for a write; `None`: at `url`.
    pub(super) challenge_url: Option<Url>,
    pub(super) body: Option<Vec<u8>>,
    /// `None`: the request may always be sent.
    pub(super) may_send: Option<MaySend>,
}

impl<'a> OperationRequest<'a> {
    /// Returns a request without a body that may always be sent. `part` is the part of `subject` that it is about.
    pub(super) fn of<S: OperationSubject>(
        operation: Operation,
        method: Method,
        project: &'a ProjectId,
        url: Url,
        subject: &S,
        part: Option<&S::Part>,
    ) -> Self {
        let (attempt, subject) = (operation.attempt(subject, part), subject.to_string());
        let (challenge_url, body, may_send) = (None, None, None);
        Self { operation, attempt, subject, project, method, url, challenge_url, body, may_send }
    }
}

impl Client {
    /// Returns a client that uses `transport` and `credentials`.
    #[must_use]
    pub fn new(transport: Transport, credentials: Credentials) -> Self {
        Self { transport, credentials: Arc::new(credentials) }
    }

    /// Returns the credentials of this client.
    #[must_use]
    pub fn credentials(&self) -> &Credentials {
        &self.credentials
    }

    /// Runs a call whose success `parse` understands.
    pub(super) async fn read<T>(
        &self,
        request: OperationRequest<'_>,
        parse: impl FnOnce(&Response) -> Result<T, String>,
    ) -> Result<T, AtlasError> {
        self.call(request, |context, result| match result {
            Err(failure) => (failure.error.outcome(), Err(failure.error)),
            Ok(raw) => {
                let response = response::open(raw);
                let result = context.success(&response, parse);
                let outcome =
                    result.as_ref().map_or_else(AtlasError::outcome, |_| Outcome::Status(response.status));
                (outcome, result)
            }
        })
        .await
    }

    /// Runs a call to its end and records it under the outcome that `classify` returns.
    pub(super) async fn call<T>(
        &self,
        request: OperationRequest<'_>,
        classify: impl FnOnce(RequestContext<'_>, Result<RawResponse, Failure>) -> (Outcome, T),
    ) -> T {
        let started_at = Instant::now();
        let OperationRequest {
            operation,
            attempt,
            subject,
            project,
            method,
            url,
            challenge_url,
            body,
            may_send,
        } = request;
        let (attempt, subject, credentials) = (attempt.as_str(), subject.as_str(), self.credentials());
        let context = RequestContext { operation, attempt, subject, project, credentials };
        let deadline = started_at + self.transport.timeout();
        let mut exchange = AuthenticatedCall {
            transport: &self.transport,
            context,
            method,
            url,
            challenge_url,
            body,
            deadline,
            may_send,
            requests: 0,
            cookies: Cookies::default(),
        };
        let result = exchange.run().await;
        let requests = exchange.requests;
        let remaining = result.as_ref().ok().and_then(|raw| raw.remaining);
        let (outcome, value) = classify(context, result);
        let record = CallRecord {
            operation,
            outcome,
            duration: started_at.elapsed(),
            requests,
            credential: credentials.short_name(),
            remaining,
        };
        record.report(subject, self.transport.observer());
        value
    }
}
