//! Whether this process may start anything: only while it is the leader, and until it shuts down.
//!
//! It holds that state and lets others wait for it; it never stops anything itself. Safety does not depend on it: two
//! leaders create no duplicates.

use std::pin::Pin;
use std::sync::Arc;

use thiserror::Error;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// The right to start something. Clones share it.
#[derive(Debug, Clone)]
pub(crate) struct Work {
    ending: CancellationToken,
    is_leader: Arc<watch::Sender<bool>>,
}

/// The error if nothing may start now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("nothing may start: the operator is shutting down, or is not the leader")]
pub(crate) struct Stopped;

impl Work {
    /// Creates the right to start work from now on, until `ending` is cancelled.
    #[must_use]
    pub(crate) fn new(ending: CancellationToken) -> Self {
        Self { ending, is_leader: Arc::new(watch::Sender::new(true)) }
    }

    /// Sets whether this process leads.
    ///
    /// A create in flight continues; until the process leads again, nothing starts and no claimed create is sent.
    pub(crate) fn set_leader(&self, is_leader: bool) {
        self.is_leader.send_replace(is_leader);
    }

    /// Ends the right for good.
    pub(crate) fn end(&self) {
        self.ending.cancel();
    }

    /// Returns `true` once nothing will ever start again.
    pub(crate) fn is_ending(&self) -> bool {
        self.ending.is_cancelled()
    }

    /// Returns `true` if something may start now.
    pub(crate) fn may_start(&self) -> bool {
        !self.is_ending() && self.may_send()
    }

    /// Returns `true` if a claimed create may be sent now: also during shutdown, because its claim would delay the
    /// next process for longer.
    pub(crate) fn may_send(&self) -> bool {
        *self.is_leader.borrow()
    }

    /// Runs a future that may be dropped at any await, for as long as something may start.
    ///
    /// # Errors
    /// If nothing may start, or no longer; then `run` was dropped.
    pub(crate) async fn unless_stopped<T>(
        &self,
        run: Pin<&mut impl Future<Output = T>>,
    ) -> Result<T, Stopped> {
        tokio::select! {
            biased;
            () = self.stopped() => Err(Stopped),
            done = run => Ok(done),
        }
    }

    /// Waits until nothing will ever start again.
    pub(crate) async fn ended(&self) {
        self.ending.cancelled().await;
    }

    /// Waits until this process leads.
    pub(crate) async fn until_leader(&self) {
        self.wait_for_role(true).await;
    }

    /// Waits until nothing may start.
    pub(crate) async fn stopped(&self) {
        tokio::select! {
            () = self.ending.cancelled() => {}
            () = self.wait_for_role(false) => {}
        }
    }

    async fn wait_for_role(&self, leader: bool) {
        // `self` holds the sender, so this cannot fail.
        let _ = self.is_leader.subscribe().wait_for(|is_leader| *is_leader == leader).await;
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};
    use std::pin::pin;

    use super::*;

    #[tokio::test]
    async fn a_future_is_dropped_when_the_process_loses_the_lead_or_ends() {
        let work = Work::new(CancellationToken::new());
        assert_eq!(work.unless_stopped(pin!(ready(1))).await, Ok(1));
        let mut never = pin!(pending::<()>());
        let (stopped, ()) =
            tokio::join!(work.unless_stopped(never.as_mut()), async { work.set_leader(false) });
        assert_eq!(stopped, Err(Stopped));
        assert_eq!(work.unless_stopped(pin!(ready(1))).await, Err(Stopped), "it is not even polled");
        work.set_leader(true);
        let (stopped, ()) = tokio::join!(work.unless_stopped(never), async { work.end() });
        assert_eq!(stopped, Err(Stopped));
    }

    #[test]
    fn a_claimed_create_is_sent_at_shutdown_but_not_without_the_lead() {
        let work = Work::new(CancellationToken::new());
        work.set_leader(false);
        assert!(!work.may_start() && !work.may_send());
        work.set_leader(true);
        work.end();
        assert!(!work.may_start() && work.may_send());
    }
}
