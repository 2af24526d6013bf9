//! What a process keeps of one object between two reconciles.
//!
//! Losing it is safe: it only makes the rules wait longer, and publish once more.

use crate::instant::SinceBoot;
use crate::schedule::Schedule;
use crate::status::Warned;

use super::event::Announced;
use super::memory::Memory;
use super::output::TakingOut;
use super::service::ProviderServices;
use super::status::Report;

/// What is kept of one object.
#[derive(Debug, Default)]
pub struct KeptState {
    /// The memory of the rules.
    pub memory: Memory,
    /// When the object is due.
    pub schedule: Schedule,
    /// The services among which it has last found its own, for when the object that declares them is gone.
    pub services: Option<ProviderServices>,
    /// When the private connection strings of all clusters were read last.
    pub(super) strings_read: Option<SinceBoot>,
    /// The listings that take something out of the output ConfigMap.
    pub(super) taking_out: TakingOut,
    /// The state for which this process has published events.
    announced: Option<Announced>,
    /// The last warning that was logged.
    pub(super) warned: Warned,
}

impl KeptState {
    /// Records that `report` is announced. Returns what this process announced before; `None` if nothing.
    pub(super) fn announce(&mut self, report: &Report) -> Option<Announced> {
        self.announced.replace(Announced::by(report))
    }
}
