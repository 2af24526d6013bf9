//! A decision, the observed state that it is based on, and the report to publish. Data only.

use domain::serverless::decision::Decision;
use domain::serverless::observed::Observed;
use domain::serverless::status::Report;

/// A decision, the observed state that it is based on, and the status to report.
pub(super) struct Plan {
    pub(super) observed: Observed,
    pub(super) decision: Decision,
    pub(super) report: Report,
}
