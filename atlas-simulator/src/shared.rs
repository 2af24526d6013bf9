//! The state behind its lock, with the clock that starts with it.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::state::SimulatorState;

/// State that all connections share.
#[derive(Debug)]
pub(crate) struct Shared {
    state: Mutex<SimulatorState>,
    started: Instant,
}

impl Shared {
    pub(crate) fn new(state: SimulatorState) -> Self {
        Self { state: Mutex::new(state), started: Instant::now() }
    }

    /// Returns when it was created.
    pub(crate) fn started(&self) -> Instant {
        self.started
    }

    /// Returns the time since the start.
    pub(crate) fn now(&self) -> Duration {
        self.started.elapsed()
    }

    /// Returns the state, and the time at which it was locked: under the lock time never runs backwards.
    pub(crate) fn lock(&self) -> (MutexGuard<'_, SimulatorState>, Duration) {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        (state, self.now())
    }
}
