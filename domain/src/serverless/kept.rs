//! What a process keeps of one object between two reconciles.
//!
//! Losing it is safe: it only makes the rules wait longer, and publish once more.

use crate::instant::Stamp;
use crate::schedule::Schedule;
use crate::serverless::event::Announced;
use crate::serverless::memory::Memory;
use crate::serverless::ownership::Nonce;
use crate::serverless::status::Report;
use crate::status::{Message, Warned};

/// What is kept of one object.
#[derive(Debug, Default)]
pub struct KeptState {
    /// The memory of the rules.
    pub memory: Memory,
    /// When the object is due.
    pub schedule: Schedule,
    /// The attempt that this process claimed last and has not sent, and when it started to claim.
    claimed: Option<(Nonce, Stamp)>,
    /// A VPC endpoint, and the private SRV address behind it as Atlas returned it to this process.
    private_address: Option<(String, String)>,
    /// The state for which this process has published events.
    announced: Option<Announced>,
    warned: Warned,
}

impl KeptState {
    /// Returns the state of an object that a process has claimed and not sent, as the model keeps it.
    #[must_use]
    pub fn claimed(memory: Memory, claimed: Option<(Nonce, Stamp)>) -> Self {
        Self { memory, claimed, ..Self::default() }
    }

    /// Begins a fresh attempt, which this process is about to claim.
    pub(crate) fn begin_claim(&mut self, nonce: &Nonce, now: Stamp) {
        self.memory.begin_claim(nonce.clone(), now.boot);
        self.claimed = Some((nonce.clone(), now));
    }

    /// Begins to send the POST of the attempt. Returns when it was claimed; `None` if this process has not claimed it, or has sent
    /// it.
    pub(crate) fn begin_send(&mut self, nonce: &Nonce) -> Option<Stamp> {
        let (_, at) = self.claimed.take().filter(|(claimed, _)| claimed == nonce)?;
        self.memory.begin_send(nonce).then_some(at)
    }

    /// Returns the private SRV address behind this VPC endpoint, if it is known.
    pub(crate) fn private_address(&self, vpc_endpoint: &str) -> Option<String> {
        let (_, address) = self.private_address.as_ref().filter(|(id, _)| id == vpc_endpoint)?;
        Some(address.clone())
    }

    /// Stores the private SRV address behind this VPC endpoint.
    pub(crate) fn set_private_address(&mut self, vpc_endpoint: &str, address: &str) {
        self.private_address = Some((vpc_endpoint.to_owned(), address.to_owned()));
    }

    /// Records that `report` is announced. Returns what this process announced before; `None` if nothing.
    pub(crate) fn announce(&mut self, report: &Report) -> Option<Announced> {
        self.announced.replace(Announced::by(report))
    }

    /// Returns `true` if the failure has to be logged ([`Warned::is_new`]).
    pub(crate) fn warns(&mut self, failure: Option<&Message>) -> bool {
        self.warned.is_new(failure)
    }
}
