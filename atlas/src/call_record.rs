//! The record of one call, for logs and metrics.

use std::sync::Arc;
use std::time::Duration;

use super::operation::Operation;
use super::outcome::Outcome;

/// The record of one call. Holds nothing that could not be a metric's label.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallRecord {
    /// The operation.
    pub operation: Operation,
    /// How the call ended.
    pub outcome: Outcome,
    /// From its start to its last byte.
    pub duration: Duration,
    /// HTTP requests that the call took: one if a challenge was cached. A token request counts as a call of its own.
    pub requests: u32,
    /// Identifies the credentials without revealing them.
    pub credential: String,
    /// The calls left of the credentials' rate limit, if Atlas reported it.
    pub remaining: Option<u64>,
}

/// Is called once for every call. Must not block.
pub type Observer = Arc<dyn Fn(&CallRecord) + Send + Sync>;

impl CallRecord {
    /// Reports the call to the log, which names its subject, and to the observer.
    pub(super) fn report(&self, subject: &str, observer: &Observer) {
        tracing::debug!(
            operation = self.operation.as_str(),
            subject,
            status = %self.outcome,
            millis = u64::try_from(self.duration.as_millis()).unwrap_or(u64::MAX),
            requests = self.requests,
            "Atlas call"
        );
        observer(self);
    }
}
