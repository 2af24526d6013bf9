//! A decision, the observed state that it is based on, and the report to publish. Data only.

use domain::conditions::Report;
use domain::decision::Decision;
use domain::observed::Observed;

/// A decision, the observed state that it is based on, and the status to report.
pub(super) struct Plan {
    pub(super) observed: Observed,
    pub(super) decision: Decision,
    pub(super) report: Report,
}
