//! How many calls run at once: a bound for each project, and one in all.
//!
//! Nothing waits for one while holding another, so that a project that hangs holds up nobody else.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use domain::endpoint::ProjectId;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The calls that run at once for one project.
const PER_PROJECT: usize = 8;

/// The right to call Atlas, until it is dropped.
pub(super) struct Permit {
    _project: OwnedSemaphorePermit,
    _all: OwnedSemaphorePermit,
}

/// The bounds.
pub(super) struct Limits {
    all: Arc<Semaphore>,
    projects: Mutex<HashMap<ProjectId, Arc<Semaphore>>>,
}

impl Limits {
    /// At most `all` calls at once.
    pub(super) fn new(all: usize) -> Self {
        Self { all: Arc::new(Semaphore::new(all)), projects: Mutex::default() }
    }

    /// Waits for the right to call Atlas for `project`. `None` only if the bounds were taken down.
    pub(super) async fn enter(&self, project: &ProjectId) -> Option<Permit> {
        let own = {
            let mut projects = self.projects.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(
                projects.entry(project.clone()).or_insert_with(|| Arc::new(Semaphore::new(PER_PROJECT))),
            )
        };
        loop {
            let project = Arc::clone(&own).acquire_owned().await.ok()?;
            if let Ok(all) = Arc::clone(&self.all).try_acquire_owned() {
                return Some(Permit { _project: project, _all: all });
            }
            drop(project);
            let all = Arc::clone(&self.all).acquire_owned().await.ok()?;
            if let Ok(project) = Arc::clone(&own).try_acquire_owned() {
                return Some(Permit { _project: project, _all: all });
            }
        }
    }
}
