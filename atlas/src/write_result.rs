//! The three results of a write: executed, refused, and uncertain.
//!
//! A write is refused only where that is proven: nothing was sent, or Atlas itself rejected the request.

use super::auth::exchange::Failure;
use super::classify;
use super::error::{AtlasError, RequestContext};
use super::http::RawResponse;
use super::outcome::Outcome;
use super::response::{self, Response};

/// The result of a POST or DELETE.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WriteResult<T> {
    /// Atlas executed the request, and this is its response.
    Executed(T),
    /// The request was not sent, or Atlas rejected it. It changed nothing, and it will not.
    Refused(AtlasError),
    /// Unknown: the request may have been executed, or may still be.
    Uncertain(AtlasError),
}

/// What became of a DELETE that Atlas executed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeleteOutcome {
    /// Atlas deletes the thing, or has deleted it.
    Accepted,
    /// Atlas does not know the thing, by the code that it has for that. Any other 404 is an error.
    NotFound,
}

/// Classifies the result of a write whose success `parse` understands, and returns its outcome for metrics.
pub(super) fn classify_write<T>(
    context: RequestContext<'_>,
    result: Result<RawResponse, Failure>,
    parse: impl FnOnce(&Response) -> Result<T, String>,
) -> (Outcome, WriteResult<T>) {
    let response = match result {
        Ok(raw) => response::open(raw),
        Err(Failure { error, was_sent: true, .. }) => {
            return (error.outcome(), WriteResult::Uncertain(error));
        }
        Err(Failure { error, was_sent: false, .. }) => {
            return (error.outcome(), WriteResult::Refused(error));
        }
    };
    match context.success(&response, parse) {
        Ok(value) => (Outcome::Status(response.status), WriteResult::Executed(value)),
        Err(error) if classify::is_definite_no(response.status, response.error.is_some()) => {
            (error.outcome(), WriteResult::Refused(error))
        }
        Err(error) => (error.outcome(), WriteResult::Uncertain(error)),
    }
}

/// Classifies the result of a DELETE: every success counts, whatever its body. Only a response to the DELETE itself says that
/// the thing is not there, not one to the request of a challenge.
pub(super) fn classify_delete(
    context: RequestContext<'_>,
    result: Result<RawResponse, Failure>,
) -> (Outcome, WriteResult<DeleteOutcome>) {
    let has_response = result.is_ok();
    let (outcome, result) = classify_write(context, result, |_| Ok(DeleteOutcome::Accepted));
    let result = match result {
        WriteResult::Refused(error) if has_response && error.kind().is_missing() => {
            WriteResult::Executed(DeleteOutcome::NotFound)
        }
        result => result,
    };
    (outcome, result)
}
