//! The journal: every request that arrived, what was answered and whether it was executed.
//!
//! It holds no Authorization header and no secret.

use std::collections::VecDeque;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{
    digest::Unauthenticated,
    faults::{Fault, Operation},
    seconds,
};

/// Beyond this many the oldest are dropped, so that a simulator that runs for weeks stays small.
const LIMIT: usize = 1_000_000;

/// One request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// Rises by one with each request that arrives, from 1.
    pub seq: u64,
    /// When it arrived: time since the simulator's start.
    #[serde(with = "seconds")]
    pub at: Duration,
    /// The HTTP method.
    pub method: String,
    /// Path and query.
    pub path: String,
    /// What it asks for; `None` for a path or method that does not exist.
    pub operation: Option<Operation>,
    /// The project it names.
    pub project: Option<String>,
    /// The instance it names.
    pub instance: Option<String>,
    /// The endpoint it names, or created.
    pub endpoint: Option<String>,
    /// The key or service account that it proved to have.
    pub key: Option<String>,
    /// Why it was answered 401 with a challenge; `None` if it was not.
    pub challenged: Option<Unauthenticated>,
    /// The request's body as text.
    pub body: String,
    /// The faults it met.
    pub faults: Vec<Fault>,
    /// What the client got; `None` while it is still being worked on.
    pub answer: Option<Answered>,
    /// When Atlas did what was asked; `None` if it did not (yet). Reads count too.
    #[serde(with = "seconds::option")]
    pub executed_at: Option<Duration>,
}

impl Entry {
    /// Whether Atlas did what was asked.
    #[must_use]
    pub fn executed(&self) -> bool {
        self.executed_at.is_some()
    }

    /// Whether it asks for this.
    #[must_use]
    pub fn is(&self, operation: Operation) -> bool {
        self.operation == Some(operation)
    }

    /// The HTTP status of the answer, if there was one.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        match self.answer {
            Some(Answered::Status(status)) => Some(status),
            _ => None,
        }
    }
}

/// What the client got.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answered {
    /// An answer with this HTTP status.
    Status(u16),
    /// A closed connection, without an answer or in the middle of one.
    Cut,
    /// Silence.
    Hung,
}

/// All entries, oldest first.
#[derive(Debug, Default)]
pub(crate) struct Journal {
    entries: VecDeque<Entry>,
    last: u64,
}

impl Journal {
    /// Adds an entry and gives it its number.
    pub(crate) fn add(&mut self, mut entry: Entry) -> u64 {
        self.last += 1;
        entry.seq = self.last;
        self.entries.push_back(entry);
        if self.entries.len() > LIMIT {
            self.entries.pop_front();
        }
        self.last
    }

    /// The entry with this number, unless it was dropped.
    pub(crate) fn get_mut(&mut self, seq: u64) -> Option<&mut Entry> {
        let first = self.entries.front()?.seq;
        self.entries.get_mut(usize::try_from(seq.checked_sub(first)?).ok()?)
    }

    pub(crate) fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter()
    }

    /// The number of the last entry.
    pub(crate) fn last(&self) -> u64 {
        self.last
    }

    /// Forgets all entries; the numbers go on.
    pub(crate) fn clear(&mut self) {
        self.entries.clear();
    }
}
