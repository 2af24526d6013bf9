//! The three outcomes of a create: yes, no, and nobody knows.
//!
//! A POST is not idempotent, so "no" is said only where it is proven: nothing was sent, or Atlas itself refused.

use domain::endpoint::Endpoint;

use super::error::{AtlasError, Context, Outcome};
use super::exchange::Failure;
use super::http::RawResponse;
use super::{classify, json, response};

/// What became of a create.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CreateOutcome {
    /// A *definite yes*: there is a new endpoint, and this is it.
    Created(Endpoint),
    /// A *definite no*: the request was not sent, or Atlas refused it. No endpoint was made, none will be.
    Refused(AtlasError),
    /// Nobody knows, and the endpoint may still come to be.
    Uncertain(AtlasError),
}

/// Sorts the end of a POST, and names its outcome on the wire.
pub(super) fn classify_create(
    context: Context<'_>,
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
    match response.success(context, |response| json::endpoint(response.json()?, &response.secrets)) {
        Ok(endpoint) => (Outcome::Status(response.status), CreateOutcome::Created(endpoint)),
        Err(error) if classify::is_definite_no(response.status, response.error.is_some()) => {
            (error.outcome(), CreateOutcome::Refused(error))
        }
        Err(error) => (error.outcome(), CreateOutcome::Uncertain(error)),
    }
}
