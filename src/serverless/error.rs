//! The errors that end a reconcile early. A fault of Atlas is a state, not an error.

use std::time::Duration;

use domain::fault::Fault;
use thiserror::Error;

use crate::runtime::api_server::ApiError;
use crate::runtime::work::Stopped;

/// Why a reconcile ended early. None of these describes the endpoint; those are states.
#[derive(Debug, Error)]
pub(super) enum ReconcileError {
    /// This reconcile removed our finalizer.
    #[error("the object is released")]
    Released,
    /// The API server returns no such object, or another object of its name. Only the watch decides that it is deleted:
    /// an API server may not know an object or its kind for a moment.
    #[error("the API server returns no such object")]
    NotFound,
    /// The reconcile is to be retried at once.
    #[error("{0}")]
    Retry(&'static str),
    /// Users request more than Atlas' rate limit allows: requeued after this long.
    #[error("the requested reconcile begins in {} ms", .0.as_millis())]
    RateLimited(Duration),
    /// The referenced object has not been read yet. Once it is, the object is reconciled again.
    #[error("the reference has not been read yet")]
    ReferenceNotRead,
    /// The credentials were removed between two steps.
    #[error("failed to get the credentials: {0}")]
    NoAccess(Fault),
    /// A request to the API server failed.
    #[error(transparent)]
    ApiServer(ApiError),
    /// Nothing may start now; the remaining steps follow as soon as they may.
    #[error(transparent)]
    Stopped(#[from] Stopped),
    /// A defect: the reconcile panicked.
    #[error("the reconcile panicked")]
    Panicked,
}

impl From<ApiError> for ReconcileError {
    fn from(error: ApiError) -> Self {
        match error {
            ApiError::NotFound | ApiError::KindNotInstalled => Self::NotFound,
            error => Self::ApiServer(error),
        }
    }
}
