//! The three outcomes of a create: created, refused, and uncertain.
//!
//! A POST is not idempotent, so a create is refused only where that is proven: nothing was sent, or Atlas itself rejected
//! the request.

use domain::serverless::endpoint::Endpoint;

use crate::auth::exchange::Failure;
use crate::error::{AtlasError, RequestContext};
use crate::http::RawResponse;
use crate::outcome::Outcome;
use crate::{classify, response};

use super::json;

/// The outcome of a create.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CreateOutcome {
    /// The endpoint exists, and this is it.
    Created(Endpoint),
    /// The request was not sent, or Atlas rejected it. No endpoint was created, and none will be.
    Refused(AtlasError),
    /// Unknown: the endpoint may exist, or may still be created.
    Uncertain(AtlasError),
}

/// Classifies the result of a POST, and returns its outcome for metrics.
pub(crate) fn classify_create(
    context: RequestContext<'_>,
    result: Result<RawResponse, Failure>,
) -> (Outcome, CreateOutcome) {
    let response = match result {
        Ok(raw) => response::open(raw),
        Err(Failure { error, was_sent: true, .. }) => {
            return (error.outcome(), CreateOutcome::Uncertain(error));
        }
        Err(Failure { error, was_sent: false, .. }) => {
            return (error.outcome(), CreateOutcome::Refused(error));
        }
    };
    match context.success(&response, |response| json::endpoint(response.json()?, &response.secrets)) {
        Ok(endpoint) => (Outcome::Status(response.status), CreateOutcome::Created(endpoint)),
        Err(error) if classify::is_definite_no(response.status, response.error.is_some()) => {
            (error.outcome(), CreateOutcome::Refused(error))
        }
        Err(error) => (error.outcome(), CreateOutcome::Uncertain(error)),
    }
}
