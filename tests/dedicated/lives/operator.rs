//! One operator behind proxies of its own, started again whenever it was killed.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use test_support::dedicated::DedicatedFixture;
use test_support::{PATIENCE, Proxies, settled};
use testbed::{Exchange, Process, Signal};
use tokio::task::JoinHandle;

/// Longer than any life.
const LONG: Duration = Duration::from_hours(1);

/// A log of each step costs more time than the steps.
const LOG: [&str; 1] = ["--log-level=info"];

pub(crate) struct RestartedOperator {
    pub(crate) proxies: Arc<Proxies>,
    current: Arc<Mutex<Option<Arc<Process>>>>,
    kept_alive: JoinHandle<()>,
}

impl RestartedOperator {
    /// Starts it, and waits until it watches both kinds.
    pub(crate) async fn start(fixture: &Arc<DedicatedFixture>) -> Self {
        let proxies = Arc::new(fixture.base.proxies().await);
        let current = Arc::new(Mutex::new(Some(Arc::new(fixture.base.operator_behind_with(&proxies, &LOG)))));
        for kind in ["/privateendpointservices", "/privateendpoints"] {
            let is_lasting_watch = |exchange: &Exchange| {
                let path = exchange.path.split('?').next().unwrap_or_default();
                exchange.is_watch() && path.ends_with(kind) && !exchange.path.contains("timeoutSeconds=1&")
            };
            proxies.recording.wait_for(1, is_lasting_watch, PATIENCE).await.unwrap();
        }
        let kept_alive =
            tokio::spawn(keep_alive(Arc::clone(fixture), Arc::clone(&proxies), Arc::clone(&current)));
        Self { proxies, current, kept_alive }
    }

    /// Returns a function that kills the process that runs then.
    pub(crate) fn killer(&self) -> impl FnOnce() + Send + use<> {
        let current = Arc::clone(&self.current);
        move || {
            if let Some(process) = current.lock().unwrap_or_else(PoisonError::into_inner).as_ref() {
                process.kill().unwrap();
            }
        }
    }

    /// Sends a signal to the process that runs now.
    pub(crate) fn signal(&self, signal: Signal) {
        let current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        current.as_ref().unwrap().signal(signal).unwrap();
    }

    /// Returns how many writes it has sent to Atlas.
    pub(crate) fn atlas_writes(&self) -> usize {
        self.proxies.recording.count(|exchange| exchange.proxy == "atlas" && exchange.is_write())
    }

    /// Waits until it has written nothing for a while.
    pub(crate) async fn until_quiet(&self, quiet: Duration) {
        settled(quiet, || self.proxies.recording.effects().len()).await;
    }

    /// Removes the log: only those of failed lives are read.
    pub(crate) fn forget_log(&self) {
        if let Some(process) = self.current.lock().unwrap_or_else(PoisonError::into_inner).as_ref() {
            let _ = std::fs::remove_file(process.log());
        }
    }
}

impl Drop for RestartedOperator {
    fn drop(&mut self) {
        self.kept_alive.abort();
        // The task that is aborted ends only later.
        self.current.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}

async fn keep_alive(
    fixture: Arc<DedicatedFixture>,
    proxies: Arc<Proxies>,
    current: Arc<Mutex<Option<Arc<Process>>>>,
) {
    loop {
        let Some(process) = current.lock().unwrap_or_else(PoisonError::into_inner).clone() else { return };
        let Ok(exit) = process.wait(LONG).await else { return };
        // Killed processes have no code.
        assert!(exit.code().is_none(), "the operator ended by itself: {:?}", process.output().last());
        let _ = std::fs::remove_file(process.log());
        let mut current = current.lock().unwrap_or_else(PoisonError::into_inner);
        if current.is_some() {
            *current = Some(Arc::new(fixture.base.operator_behind_with(&proxies, &LOG)));
        }
    }
}
