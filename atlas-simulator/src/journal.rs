//! The journal: every request that arrived, its response, and whether it was executed.
//!
//! It holds no Authorization header and no secret.

use std::collections::VecDeque;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{
    digest::Unauthenticated,
    faults::{InjectedFault, Operation},
    seconds,
};

/// The maximum number of entries; the oldest are dropped, so that a simulator that runs for weeks stays small.
const LIMIT: usize = 1_000_000;

/// One request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct JournalEntry {
    /// The sequence number in the order of arrival, from 1.
    pub seq: u64,
    /// When it arrived: time since the simulator's start.
    #[serde(with = "seconds")]
    pub at: Duration,
    /// The HTTP method.
    pub method: String,
    /// Path and query.
    pub path: String,
    /// The operation; `None` for a path or method that does not exist.
    pub operation: Option<Operation>,
    /// The project it names.
    pub project: Option<String>,
    /// The instance it names.
    pub instance: Option<String>,
    /// The endpoint service of dedicated clusters that it names, or created.
    pub service: Option<String>,
    /// The endpoint it names, or created.
    pub endpoint: Option<String>,
    /// The key or service account that the request authenticated as.
    pub key: Option<String>,
    /// Why it got a 401 with a challenge; `None` if it did not.
    pub challenged: Option<Unauthenticated>,
    /// The request's body as text.
    pub body: String,
    /// The faults it met.
    pub faults: Vec<InjectedFault>,
    /// What the client got; `None` while the request is in flight.
    pub delivery: Option<Delivery>,
    /// When the operation was executed; `None` if it was not (yet). Reads count too.
    #[serde(with = "seconds::option")]
    pub executed_at: Option<Duration>,
}

impl JournalEntry {
    /// Returns whether the operation was executed.
    #[must_use]
    pub fn executed(&self) -> bool {
        self.executed_at.is_some()
    }

    /// Returns whether this is its operation.
    #[must_use]
    pub fn is(&self, operation: Operation) -> bool {
        self.operation == Some(operation)
    }

    /// Returns the status code of the response, if there was one.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        match self.delivery {
            Some(Delivery::Status(status)) => Some(status),
            _ => None,
        }
    }
}

/// What the client got.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Delivery {
    /// A response with this status code.
    Status(u16),
    /// A closed connection, without a response or in the middle of one.
    Cut,
    /// No response.
    Hung,
}

/// All entries, oldest first.
#[derive(Debug, Default)]
pub(crate) struct Journal {
    entries: VecDeque<JournalEntry>,
    last: u64,
}

impl Journal {
    /// Adds an entry and numbers it.
    pub(crate) fn add(&mut self, mut entry: JournalEntry) -> u64 {
        self.last += 1;
        entry.seq = self.last;
        self.entries.push_back(entry);
        if self.entries.len() > LIMIT {
            self.entries.pop_front();
        }
        self.last
    }

    /// Returns the entry with this number, unless it was dropped.
    pub(crate) fn get_mut(&mut self, seq: u64) -> Option<&mut JournalEntry> {
        let first = self.entries.front()?.seq;
        self.entries.get_mut(usize::try_from(seq.checked_sub(first)?).ok()?)
    }

    pub(crate) fn entries(&self) -> impl Iterator<Item = &JournalEntry> {
        self.entries.iter()
    }

    /// Returns the number of the last entry.
    pub(crate) fn last(&self) -> u64 {
        self.last
    }

    /// Drops all entries; the numbers continue.
    pub(crate) fn clear(&mut self) {
        self.entries.clear();
    }
}
