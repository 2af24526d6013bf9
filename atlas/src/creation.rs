//! The three outcomes of a create: yes, no, and nobody knows.
//!
//! A POST is not idempotent, so "no" is said only where it is proven: nothing was sent, or Atlas itself refused.

use domain::endpoint::Endpoint;

use super::error::{AtlasError, Context, Outcome};
use super::exchange::Failure;
use super::http::Answer;
use super::{classify, reply, wire};

/// What became of a create.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Creation {
    /// A *definite yes*: there is a new endpoint, and this is it.
    Created(Endpoint),
    /// A *definite no*: the request was not sent, or Atlas refused it. No endpoint was made, none will be.
    Refused(AtlasError),
    /// Nobody knows, and the endpoint may still come to be.
    Uncertain(AtlasError),
}

/// Sorts the end of a POST, and names its outcome on the wire.
pub(super) fn conclude(context: Context<'_>, result: Result<Answer, Failure>) -> (Outcome, Creation) {
    let reply = match result {
        Ok(answer) => reply::open(answer),
        Err(Failure { error, was_sent: true, .. }) => return (error.outcome(), Creation::Uncertain(error)),
        Err(Failure { error, was_sent: false, .. }) => return (error.outcome(), Creation::Refused(error)),
    };
    match reply.success(context, |reply| wire::endpoint(reply.json()?, &reply.hidden)) {
        Ok(endpoint) => (Outcome::Status(reply.status), Creation::Created(endpoint)),
        Err(error) if classify::is_definite_no(reply.status, reply.error.is_some()) => {
            (error.outcome(), Creation::Refused(error))
        }
        Err(error) => (error.outcome(), Creation::Uncertain(error)),
    }
}
