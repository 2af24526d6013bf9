//! Whether this process may begin anything: only while it leads, and until it is asked to end.
//!
//! It says so and lets others wait for it; it never ends anything itself. No safety rests on it: two leaders double nothing.

use std::pin::Pin;
use std::sync::Arc;

use thiserror::Error;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// The right to begin something. Clones share it.
#[derive(Debug, Clone)]
pub struct Work {
    ending: CancellationToken,
    leads: Arc<watch::Sender<bool>>,
}

/// Nothing may be begun now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the operator begins nothing: it is ending, or does not lead")]
pub(crate) struct Stopped;

impl Work {
    /// Work that may be begun from now on, until `ending`.
    #[must_use]
    pub fn until(ending: CancellationToken) -> Self {
        Self { ending, leads: Arc::new(watch::Sender::new(true)) }
    }

    /// This process leads from now on, or leads no longer. A create in flight goes on; until it leads again, nothing begins and
    /// no claimed create is sent.
    pub fn lead(&self, leads: bool) {
        self.leads.send_replace(leads);
    }

    /// Nothing begins any more, ever.
    pub fn end(&self) {
        self.ending.cancel();
    }

    /// Nothing will begin any more.
    pub(crate) fn is_ending(&self) -> bool {
        self.ending.is_cancelled()
    }

    /// Something may begin now.
    pub(crate) fn may_begin(&self) -> bool {
        !self.is_ending() && self.may_send()
    }

    /// A create that is claimed may be sent now: also by a process that is ending, because its claim would hold up the next
    /// one for longer.
    pub(crate) fn may_send(&self) -> bool {
        *self.leads.borrow()
    }

    /// Nothing, unless something may begin now.
    ///
    /// # Errors
    /// If nothing may.
    pub(crate) fn begin(&self) -> Result<(), Stopped> {
        if self.may_begin() { Ok(()) } else { Err(Stopped) }
    }

    /// Runs what may be dropped at any moment, as long as something may begin.
    ///
    /// # Errors
    /// If nothing may, or may no longer; then `run` was dropped.
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

    /// Ends once nothing will begin any more.
    pub(crate) async fn ended(&self) {
        self.ending.cancelled().await;
    }

    /// Ends once something may begin, or nothing ever will.
    pub(crate) async fn begins(&self) {
        self.until_leads(true).await;
    }

    /// Ends once nothing may begin.
    pub(crate) async fn stopped(&self) {
        tokio::select! {
            () = self.ending.cancelled() => {}
            () = self.until_leads(false) => {}
        }
    }

    async fn until_leads(&self, wanted: bool) {
        // It holds the sender, so this cannot fail.
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
