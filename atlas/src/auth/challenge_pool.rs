//! A pool of Digest challenges per key.
//!
//! A server may require that `nc` strictly rises, and parallel requests overtake each other. So a request takes a
//! challenge out of the pool and puts it back afterwards; a call that is dropped puts nothing back. A transport connects
//! to one host, so the host is not part of the key.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::credentials::Fingerprint;
use super::digest::Challenge;

/// How long an unused challenge is kept: its nonce is hardly valid any longer.
const MAX_IDLE: Duration = Duration::from_hours(1);

/// The most challenges of one key: no more are in use at once.
const MAX_PER_KEY: usize = 128;

/// The most keys; beyond it, the pool drops the key that was idle longest.
const MAX_KEYS: usize = 1024;

/// The challenges that no running request uses.
#[derive(Default)]
pub(crate) struct ChallengePool {
    idle: Mutex<HashMap<Fingerprint, Vec<IdleChallenge>>>,
}

struct IdleChallenge {
    since: Instant,
    challenge: Challenge,
}

impl ChallengePool {
    /// Takes the challenge that was used last, which is the likeliest to be still valid.
    pub(crate) fn take(&self, key: Fingerprint) -> Option<Challenge> {
        self.lock().get_mut(&key)?.pop().map(|idle| idle.challenge)
    }

    /// Puts a challenge back, unless it is exhausted.
    pub(crate) fn put(&self, key: Fingerprint, challenge: Challenge) {
        if !challenge.is_exhausted() {
            self.keep(key, challenge, Instant::now());
        }
    }

    fn keep(&self, key: Fingerprint, challenge: Challenge, now: Instant) {
        let mut idle = self.lock();
        // Keys come and go with their Secrets; their challenges are dropped by the first call after an hour.
        idle.retain(|_, challenges| {
            challenges.last().is_some_and(|last| now.duration_since(last.since) < MAX_IDLE)
        });
        if idle.len() >= MAX_KEYS && !idle.contains_key(&key) {
            let since = |challenges: &Vec<IdleChallenge>| challenges.last().map(|last| last.since);
            if let Some(oldest) = idle.iter().min_by_key(|(_, all)| since(all)).map(|(key, _)| *key) {
                idle.remove(&oldest);
            }
        }
        let challenges = idle.entry(key).or_default();
        challenges.retain(|one| now.duration_since(one.since) < MAX_IDLE);
        if challenges.len() < MAX_PER_KEY {
            challenges.push(IdleChallenge { since: now, challenge });
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Fingerprint, Vec<IdleChallenge>>> {
        // No code panics while it holds the lock, and a half-done change would cost one 401 at most.
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::super::credentials::Credentials;
    use super::super::www_authenticate::choose;
    use super::*;

    fn challenge(nonce: &str) -> Challenge {
        choose([format!("Digest realm=\"r\", nonce=\"{nonce}\", qop=\"auth\"").as_str()]).unwrap()
    }

    #[test]
    fn a_borrowed_challenge_is_lent_to_nobody_else() {
        let store = ChallengePool::default();
        let key = Credentials::key("a", "b").unwrap().fingerprint();
        store.put(key, challenge("one"));
        let borrowed = store.take(key).unwrap();
        assert!(store.take(key).is_none());
        store.put(key, borrowed);
        assert!(store.take(key).is_some());
    }

    #[test]
    fn a_key_never_gets_the_challenge_of_another() {
        let store = ChallengePool::default();
        let [one, other] = ["b", "c"].map(|private| Credentials::key("a", private).unwrap().fingerprint());
        store.put(one, challenge("one"));
        assert!(store.take(other).is_none());
    }

    #[test]
    fn the_challenge_used_last_is_lent_first() {
        let store = ChallengePool::default();
        let key = Credentials::key("a", "b").unwrap().fingerprint();
        store.put(key, challenge("old"));
        store.put(key, challenge("new"));
        assert_eq!(store.take(key), Some(challenge("new")));
    }

    #[test]
    fn what_an_emptied_key_leaves_behind_is_removed() {
        let store = ChallengePool::default();
        let [gone, used] = ["b", "c"].map(|private| Credentials::key("a", private).unwrap().fingerprint());
        store.put(gone, challenge("one"));
        store.take(gone);
        store.put(used, challenge("two"));
        assert_eq!(store.lock().len(), 1);
    }

    #[test]
    fn what_nobody_used_for_an_hour_is_thrown_away() {
        let [old, used] = ["b", "c"].map(|private| Credentials::key("a", private).unwrap().fingerprint());
        let start = Instant::now();
        for (idle, left) in [(Duration::from_secs(3599), 2), (Duration::from_hours(1), 1)] {
            let store = ChallengePool::default();
            store.keep(old, challenge("one"), start);
            store.keep(used, challenge("two"), start + idle);
            assert_eq!(store.lock().len(), left, "{idle:?}");
        }
    }

    #[test]
    fn neither_keys_nor_the_challenges_of_one_are_kept_without_bound() {
        let store = ChallengePool::default();
        let key = |n: usize| Credentials::key("a", &format!("-{n}-")).unwrap().fingerprint();
        for _ in 0..=MAX_PER_KEY {
            store.put(key(0), challenge("one"));
        }
        assert_eq!(store.lock()[&key(0)].len(), MAX_PER_KEY);
        for n in 1..=MAX_KEYS {
            store.put(key(n), challenge("one"));
        }
        assert_eq!(store.lock().len(), MAX_KEYS);
        assert!(store.take(key(0)).is_none() && store.take(key(MAX_KEYS)).is_some());
    }
}
