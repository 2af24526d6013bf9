//! The record of one run, seen from outside: the only input of the judges.

use std::time::Duration;

use atlas_simulator::{Endpoint, JournalEntry, ServiceCourse, Timeline};
use testbed::Exchange;

use crate::history::SeenVersion;

/// The record of one run. All times are on the clock of Atlas.
#[derive(Default)]
pub(crate) struct Record {
    /// The requests that reached Atlas.
    pub(crate) journal: Vec<JournalEntry>,
    /// The requests of each process of each operator.
    pub(crate) processes: Vec<Vec<Exchange>>,
    /// The planned request never got its response, whatever the proxy recorded.
    pub(crate) is_withheld: bool,
    /// Processes were killed: what they received is forgotten.
    pub(crate) is_killed: bool,
    /// There was one operator, and no listing that showed it the past.
    pub(crate) is_informed: bool,
    /// Every version of the objects.
    pub(crate) versions: Vec<SeenVersion>,
    /// When the user deleted the objects, if at all.
    pub(crate) deleted_at: Option<Duration>,
    /// Of a serverless instance: the timelines of the operators' endpoints.
    pub(crate) lives: Vec<Timeline>,
    /// The endpoints that existed before, of no or of another owner: as they were then, and their timelines.
    pub(crate) strangers: Vec<(Endpoint, Timeline)>,
    /// Of dedicated clusters: the lives of all services and their endpoints.
    pub(crate) courses: Vec<ServiceCourse>,
}
