//! Whether this process may start anything: only while it is the leader, and until it shuts down.
//!
//! It holds that state and lets others wait for it; it never stops anything itself. No safety rests on it: two
//! leaders create no duplicates.

use std::pin::Pin;
use std::sync::Arc;

use thiserror::Error;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// The right to start something. Clones share it.
#[derive(Debug, Clone)]
pub struct Work {
    ending: CancellationToken,
    leads: Arc<watch::Sender<bool>>,
}

/// The error if nothing may start now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the operator begins nothing: it is ending, or does not lead")]
pub(crate) struct Stopped;

impl Work {
    /// Creates the right to start work from now on, until `ending` is cancelled.
    #[must_use]
    pub fn until(ending: CancellationToken) -> Self {
        Self { ending, leads: Arc::new(watch::Sender::new(true)) }
    }

    /// Sets whether this process leads.
    ///
    /// A create in flight continues; until the process leads again, nothing starts and no claimed create is sent.
    pub fn lead(&self, leads: bool) {
        self.leads.send_replace(leads);
    }

    /// Ends the right for good.
    pub fn end(&self) {
        self.ending.cancel();
    }

    /// Returns `true` once nothing will ever start again.
    pub(crate) fn is_ending(&self) -> bool {
        self.ending.is_cancelled()
    }

    /// Returns `true` if something may start now.
    pub(crate) fn may_begin(&self) -> bool {
        !self.is_ending() && self.may_send()
    }

    /// Returns `true` if a claimed create may be sent now: also during shutdown, because its claim would delay the
    /// next process for longer.
    pub(crate) fn may_send(&self) -> bool {
        *self.leads.borrow()
    }

    /// Checks that something may start now.
    ///
    /// # Errors
    /// If nothing may.
    pub(crate) fn begin(&self) -> Result<(), Stopped> {
        if self.may_begin() { Ok(()) } else { Err(Stopped) }
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
    pub(crate) async fn begins(&self) {
        self.until_leads(true).await;
    }

    /// Waits until nothing may start.
    pub(crate) async fn stopped(&self) {
        tokio::select! {
            () = self.ending.cancelled() => {}
            () = self.until_leads(false) => {}
        }
    }

    async fn until_leads(&self, wanted: bool) {
        // `self` holds the sender, so this cannot fail.
        let _ = self.leads.subscribe().wait_for(|leads| *leads == wanted).await;
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};
    use std::pin::pin;

    use super::*;

    #[tokio::test]
    async fn what_may_be_dropped_is_dropped_when_the_lead_or_the_end_says_so() {
        let work = Work::until(CancellationToken::new());
        assert_eq!(work.unless_stopped(pin!(ready(1))).await, Ok(1));
        let mut never = pin!(pending::<()>());
        let (stopped, ()) = tokio::join!(work.unless_stopped(never.as_mut()), async { work.lead(false) });
        assert_eq!(stopped, Err(Stopped));
        assert_eq!(work.unless_stopped(pin!(ready(1))).await, Err(Stopped), "it does not even begin");
        work.lead(true);
        let (stopped, ()) = tokio::join!(work.unless_stopped(never), async { work.end() });
        assert_eq!(stopped, Err(Stopped));
    }

    #[test]
    fn a_claimed_create_is_sent_by_who_is_ending_but_not_by_who_leads_no_longer() {
        let work = Work::until(CancellationToken::new());
        work.lead(false);
        assert!(!work.may_begin() && !work.may_send());
        work.lead(true);
        work.end();
        assert!(!work.may_begin() && work.may_send());
    }
}
