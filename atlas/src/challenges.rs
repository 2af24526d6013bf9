//! The challenges that are at hand, per credentials.
//!
//! A server may insist that `nc` strictly rises, and parallel requests overtake each other. So a request borrows a
//! challenge that no other running request uses, and returns it afterwards; a request that was dropped returns
//! nothing, and its challenge is forgotten. A transport speaks to one host, so the host is not part of the key.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::credentials::Fingerprint;
use super::digest::Challenge;

/// A challenge that nobody used for so long is thrown away: its nonce is hardly valid any more.
const LONGEST_IDLE: Duration = Duration::from_hours(1);

/// The most challenges that one key keeps: more are not in use at once.
const MOST_A_KEY: usize = 128;

/// The most keys; beyond them the one goes that was idle for longest.
const MOST_KEYS: usize = 1024;

/// Challenges that no running request uses.
#[derive(Default)]
pub(super) struct Challenges {
    idle: Mutex<HashMap<Fingerprint, Vec<Idle>>>,
}

struct Idle {
    since: Instant,
    challenge: Challenge,
}

impl Challenges {
    /// Takes the challenge that was used last: it is the likeliest to be still valid.
    pub(super) fn borrow(&self, key: Fingerprint) -> Option<Challenge> {
        self.lock().get_mut(&key)?.pop().map(|idle| idle.challenge)
    }

    /// Makes a challenge available again.
    pub(super) fn give_back(&self, key: Fingerprint, challenge: Challenge) {
        if !challenge.is_worn() {
            self.keep(key, challenge, Instant::now());
        }
    }

    fn keep(&self, key: Fingerprint, challenge: Challenge, now: Instant) {
        let mut idle = self.lock();
        // Keys come and go with their Secrets; what they leave behind goes with the first call after an hour.
        idle.retain(|_, challenges| {
            challenges.last().is_some_and(|last| now.duration_since(last.since) < LONGEST_IDLE)
        });
        if idle.len() >= MOST_KEYS && !idle.contains_key(&key) {
            let since = |challenges: &Vec<Idle>| challenges.last().map(|last| last.since);
            if let Some(oldest) = idle.iter().min_by_key(|(_, all)| since(all)).map(|(key, _)| *key) {
                idle.remove(&oldest);
            }
        }
        let challenges = idle.entry(key).or_default();
        challenges.retain(|one| now.duration_since(one.since) < LONGEST_IDLE);
        if challenges.len() < MOST_A_KEY {
            challenges.push(Idle { since: now, challenge });
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Fingerprint, Vec<Idle>>> {
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
        let store = Challenges::default();
        let key = Credentials::key("a", "b").unwrap().fingerprint();
        store.give_back(key, challenge("one"));
        let borrowed = store.borrow(key).unwrap();
        assert!(store.borrow(key).is_none());
        store.give_back(key, borrowed);
        assert!(store.borrow(key).is_some());
    }

    #[test]
    fn a_key_never_gets_the_challenge_of_another() {
        let store = Challenges::default();
        let [one, other] = ["b", "c"].map(|private| Credentials::key("a", private).unwrap().fingerprint());
        store.give_back(one, challenge("one"));
        assert!(store.borrow(other).is_none());
    }

    #[test]
    fn the_challenge_used_last_is_lent_first() {
        let store = Challenges::default();
        let key = Credentials::key("a", "b").unwrap().fingerprint();
        store.give_back(key, challenge("old"));
        store.give_back(key, challenge("new"));
        assert_eq!(store.borrow(key), Some(challenge("new")));
    }

    #[test]
    fn what_an_emptied_key_leaves_behind_is_removed() {
        let store = Challenges::default();
        let [gone, used] = ["b", "c"].map(|private| Credentials::key("a", private).unwrap().fingerprint());
        store.give_back(gone, challenge("one"));
        store.borrow(gone);
        store.give_back(used, challenge("two"));
        assert_eq!(store.lock().len(), 1);
    }

    #[test]
    fn what_nobody_used_for_an_hour_is_thrown_away() {
        let [old, used] = ["b", "c"].map(|private| Credentials::key("a", private).unwrap().fingerprint());
        let start = Instant::now();
        for (idle, left) in [(Duration::from_secs(3599), 2), (Duration::from_hours(1), 1)] {
            let store = Challenges::default();
            store.keep(old, challenge("one"), start);
            store.keep(used, challenge("two"), start + idle);
            assert_eq!(store.lock().len(), left, "{idle:?}");
        }
    }

    #[test]
    fn neither_keys_nor_the_challenges_of_one_are_kept_without_bound() {
        let store = Challenges::default();
        let key = |n: usize| Credentials::key("a", &format!("-{n}-")).unwrap().fingerprint();
        for _ in 0..=MOST_A_KEY {
            store.give_back(key(0), challenge("one"));
        }
        assert_eq!(store.lock()[&key(0)].len(), MOST_A_KEY);
        for n in 1..=MOST_KEYS {
            store.give_back(key(n), challenge("one"));
        }
        assert_eq!(store.lock().len(), MOST_KEYS);
        assert!(store.borrow(key(0)).is_none() && store.borrow(key(MOST_KEYS)).is_some());
    }
}
