//! The states that are known to converge. `stateright`'s own `eventually` is unsound on cycles, and every protocol is one; so a model
//! follows each state until it converges, and remembers the states on the way: a state costs a few steps and not a whole run.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// How many rounds pass before each known state has converged for good and nothing more is written.
#[derive(Debug, Default)]
pub(crate) struct Converged(Mutex<HashMap<u64, u8>>);

impl Converged {
    /// The maximum number of rounds that any state took.
    pub(crate) fn worst(&self) -> u8 {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).values().copied().max().unwrap_or_default()
    }

    /// Returns the rounds of a state, if they are known.
    pub(crate) fn rounds(&self, key: u64) -> Option<u8> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&key).copied()
    }

    /// Adds a state.
    pub(crate) fn insert(&self, key: u64, rounds: u8) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(key, rounds);
    }

    /// Adds the states of a path, each with whether its round found it converged and changed nothing. `rounds` are
    /// those of the state at its end; the result is that of the state at its beginning.
    pub(crate) fn add(&self, path: &[(u64, bool)], mut rounds: u8) -> u8 {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for (key, quiet) in path.iter().rev() {
            rounds += u8::from(rounds > 0 || !quiet);
            known.insert(*key, rounds);
        }
        rounds
    }
}
