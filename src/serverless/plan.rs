//! A decision, with what it is based on and what is to be reported of it.

use domain::conditions::Report;
use domain::decision::Decision;
use domain::observed::Observed;

/// A decision, the observed state that it is based on, and the status to report.
pub(super) struct Plan {
    pub(super) observed: Observed,
    pub(super) decision: Decision,
    pub(super) report: Report,
}
