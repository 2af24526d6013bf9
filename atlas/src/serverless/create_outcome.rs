//! The three outcomes of a create: created, refused, and uncertain.
//!
//! A POST is not idempotent, so a create is refused only where that is proven: nothing was sent, or Atlas itself rejected
//! the request.

use domain::serverless::endpoint::Endpoint;

use crate::auth::exchange::Failure;
use crate::error::{AtlasError, RequestContext};
use crate::http::RawResponse;
use crate::outcome::Outcome;
use crate::response::Response;
use crate::write_result::{WriteResult, classify_write};

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
    let parse = |response: &Response| json::endpoint(response.json()?, &response.secrets);
    let (outcome, result) = classify_write(context, result, parse);
    let created = match result {
        WriteResult::Executed(endpoint) => CreateOutcome::Created(endpoint),
        WriteResult::Refused(error) => CreateOutcome::Refused(error),
        WriteResult::Uncertain(error) => CreateOutcome::Uncertain(error),
    };
    (outcome, created)
}
