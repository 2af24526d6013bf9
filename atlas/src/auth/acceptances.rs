//! Records which credentials Atlas accepted in which project, as evidence against a later 401.
//!
//! A gateway that does not know a nonce responds as it does to a wrong key. If the key was accepted before, the nonce is
//! the likelier cause, and the key is trusted for a few more calls; each success renews this credit. This file never
//! decides what a 401 means, and it drops old and excess entries: at worst, a key is blamed as it would be without it.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use domain::ids::ProjectId;
use tokio::time::Instant;

use crate::operation::Operation;

use super::credentials::Fingerprint;

/// How many inconclusive 401s in a row it takes until the key is blamed.
const MAX_DOUBTS: u8 = 2;

/// How long an acceptance counts.
const ACCEPTANCE_TTL: Duration = Duration::from_hours(24);

/// The maximum number of keys that are kept, each in each project; the oldest is dropped first.
const MAX_KEYS: usize = 4096;

type KeyInProject = (Fingerprint, ProjectId);

/// The acceptances of this process, one per operation: a key that may list may not be allowed to create.
#[derive(Default)]
pub(crate) struct Acceptances(Mutex<HashMap<KeyInProject, Vec<Acceptance>>>);

struct Acceptance {
    operation: Operation,
    at: Instant,
    doubts: u8,
}

impl Acceptances {
    /// Records that Atlas executed a call with `key` in `project`.
    pub(crate) fn accepted(&self, key: Fingerprint, project: &ProjectId, operation: Operation) {
        let key_in_project = (key, project.clone());
        let mut all = self.lock();
        if all.len() >= MAX_KEYS && !all.contains_key(&key_in_project) {
            let oldest = all.iter().min_by_key(|(_, some)| last_of(some)).map(|(key, _)| key.clone());
            if let Some(oldest) = oldest {
                all.remove(&oldest);
            }
        }
        let some = all.entry(key_in_project).or_default();
        some.retain(|acceptance| acceptance.operation != operation);
        some.push(Acceptance { operation, at: Instant::now(), doubts: 0 });
    }

    /// Returns when Atlas last did, whatever the operation.
    pub(crate) fn last(&self, key: Fingerprint, project: &ProjectId) -> Option<Instant> {
        let at = last_of(self.lock().get(&(key, project.clone()))?)?;
        (at.elapsed() < ACCEPTANCE_TTL).then_some(at)
    }

    /// Returns whether an inconclusive 401 to this operation is still blamed on the gateway.
    pub(crate) fn is_believed(&self, key: Fingerprint, project: &ProjectId, operation: Operation) -> bool {
        let all = self.lock();
        all.get(&(key, project.clone())).into_iter().flatten().any(|acceptance| {
            acceptance.operation == operation
                && acceptance.at.elapsed() < ACCEPTANCE_TTL
                && acceptance.doubts < MAX_DOUBTS
        })
    }

    /// Records that a call ended with such a 401.
    pub(crate) fn doubted(&self, key: Fingerprint, project: &ProjectId, operation: Operation) {
        let mut all = self.lock();
        for acceptance in all.get_mut(&(key, project.clone())).into_iter().flatten() {
            if acceptance.operation == operation {
                acceptance.doubts = acceptance.doubts.saturating_add(1);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<KeyInProject, Vec<Acceptance>>> {
        // No code panics while it holds the lock.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn last_of(some: &[Acceptance]) -> Option<Instant> {
    some.iter().map(|acceptance| acceptance.at).max()
}

#[cfg(test)]
mod tests {
    use super::super::credentials::Credentials;
    use super::*;

    fn key(private: &str) -> Fingerprint {
        Credentials::key("abcdefgh", private).unwrap().fingerprint()
    }

    fn project(n: usize) -> ProjectId {
        format!("{n:024x}").parse().unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn a_key_is_believed_where_it_was_accepted_for_a_few_refusals_and_a_day() {
        let (all, key, other) = (Acceptances::default(), key("one"), key("other"));
        all.accepted(key, &project(1), Operation::List);
        assert!(all.is_believed(key, &project(1), Operation::List));
        assert!(
            !all.is_believed(other, &project(1), Operation::List)
                && !all.is_believed(key, &project(2), Operation::List)
        );
        assert!(!all.is_believed(key, &project(1), Operation::Create), "who may list may not create");
        for _ in 0..MAX_DOUBTS {
            assert!(all.is_believed(key, &project(1), Operation::List));
            all.doubted(key, &project(1), Operation::List);
        }
        assert!(!all.is_believed(key, &project(1), Operation::List));
        all.accepted(key, &project(1), Operation::List);
        assert!(all.is_believed(key, &project(1), Operation::List), "a success renews the credit");
        tokio::time::advance(ACCEPTANCE_TTL).await;
        assert!(!all.is_believed(key, &project(1), Operation::List) && all.last(key, &project(1)).is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn no_more_are_kept_than_the_bound_and_the_oldest_goes() {
        let (all, key) = (Acceptances::default(), key("one"));
        for n in 0..=MAX_KEYS {
            all.accepted(key, &project(n), Operation::List);
            tokio::time::advance(Duration::from_millis(1)).await;
        }
        assert_eq!(all.lock().len(), MAX_KEYS);
        assert!(all.last(key, &project(0)).is_none() && all.last(key, &project(1)).is_some());
    }
}
