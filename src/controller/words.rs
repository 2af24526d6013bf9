//! How often somebody's word (`reconcile.fluxcd.io/requestedAt`) makes the operator ask Atlas.
//!
//! A bound for each namespace, because a tenant may name as many projects as it likes, and one for each project and its
//! credentials, because many namespaces may share them and Atlas takes a hundred requests a minute.

use std::collections::HashMap;
use std::time::Duration;

use atlas::Fingerprint;
use domain::endpoint::ProjectId;

use crate::clock::Boottime;

use super::bounded::Bounded;
use super::bucket::{Bucket, Rate};

/// As many words are acted on one upon the other.
const BURST: u32 = 30;

/// How often it is looked through what nobody uses any more.
const SWEEP: Duration = Duration::from_mins(1);

/// What is left to each.
pub(super) struct Words {
    rate: Rate,
    namespaces: HashMap<Box<str>, Bucket>,
    projects: Bounded<(ProjectId, Fingerprint), Bucket>,
    swept: Boottime,
}

impl Words {
    /// After the first ones, a word each `interval`.
    pub(super) fn new(interval: Duration, now: Boottime) -> Self {
        let rate = Rate { burst: BURST, interval };
        Self { rate, namespaces: HashMap::new(), projects: Bounded::default(), swept: now }
    }

    /// How long a word of `namespace` has to wait until Atlas is asked for it; zero: it is asked now, and that counts.
    pub(super) fn take(
        &mut self,
        namespace: &str,
        project: (ProjectId, Fingerprint),
        now: Boottime,
    ) -> Duration {
        self.sweep(now);
        let rate = self.rate;
        let own = self.namespaces.entry(namespace.into()).or_insert_with(|| Bucket::full(now));
        let shared = self.projects.get(&project).copied().unwrap_or_else(|| Bucket::full(now));
        let wait = own.wait(rate, now).max(shared.wait(rate, now));
        if wait.is_zero() {
            own.take(rate, now);
            let mut shared = shared;
            shared.take(rate, now);
            self.projects.insert(namespace, project, shared);
        }
        wait
    }

    fn sweep(&mut self, now: Boottime) {
        if now.since(self.swept) >= SWEEP {
            self.swept = now;
            self.namespaces.retain(|_, bucket| !bucket.is_full(now));
            self.namespaces.shrink_to_fit();
            self.projects.retain(|bucket| !bucket.is_full(now));
        }
    }
}

#[cfg(test)]
mod tests {
    use atlas::Credentials;

    use super::*;

    fn at(millis: u64) -> Boottime {
        Boottime::from_boot(Duration::from_millis(1_000_000 + millis))
    }

    fn project(number: usize, key: &str) -> (ProjectId, Fingerprint) {
        let credentials = Credentials::key(key, "private").unwrap();
        (format!("{number:024x}").parse().unwrap(), credentials.fingerprint())
    }

    /// How many words are acted on in a minute, of so many a second.
    fn in_a_minute(words: &mut Words, of: impl Fn(usize) -> (String, (ProjectId, Fingerprint))) -> usize {
        let said = |number: usize| {
            let (namespace, project) = of(number);
            words.take(&namespace, project, at(number as u64 * 20)).is_zero()
        };
        (0..3_000).map(said).filter(|acted| *acted).count()
    }

    #[test]
    fn whatever_projects_a_namespace_invents_its_words_keep_to_one_rate() {
        let mut words = Words::new(Duration::from_secs(1), at(0));
        let acted = in_a_minute(&mut words, |number| ("a".to_owned(), project(number, "a")));
        assert!(acted <= 90, "{acted}");
        assert!(words.take("b", project(0, "b"), at(60_000)).is_zero(), "nobody else waits");
    }

    #[test]
    fn namespaces_that_share_project_and_key_stay_below_what_atlas_takes() {
        let mut words = Words::new(Duration::from_secs(1), at(0));
        let acted = in_a_minute(&mut words, |number| (format!("team-{}", number % 40), project(0, "shared")));
        assert!((60..=90).contains(&acted), "{acted}");
        assert!(
            words.take("b", project(0, "another"), at(60_000)).is_zero(),
            "who has its own key does not wait"
        );
    }

    #[test]
    fn nothing_is_kept_of_who_says_no_more() {
        let mut words = Words::new(Duration::from_secs(1), at(0));
        for number in 0..100 {
            words.take(&format!("team-{number}"), project(number, "a"), at(0));
        }
        words.sweep(at(120_000));
        assert!(words.namespaces.is_empty() && words.projects.is_empty());
    }
}
