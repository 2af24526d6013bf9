//! Rate limit of listings that users trigger: by an edit, or by a reconcile request
//! (`reconcile.fluxcd.io/requestedAt`).
//!
//! One limit per namespace, because a tenant may name any number of projects, and one per project and its
//! credentials, because many namespaces may share them and Atlas accepts a hundred requests a minute. Listings that
//! the operator starts by itself are not counted.

use std::collections::HashMap;
use std::time::Duration;

use atlas::Fingerprint;
use domain::endpoint::ProjectId;

use crate::clock::Boottime;

use crate::runtime::bounded_map::BoundedMap;
use crate::runtime::token_bucket::{Bucket, Rate};

/// The burst of reconcile requests.
const BURST: u32 = 30;

/// The burst of edits of one project: as many instances as a project may have can be created or changed at once.
const EDITS: u32 = 40;

/// The burst of edits of a namespace, and how many edits refill in the time of one reconcile request: a namespace may
/// have many projects.
const EDITS_OF_NAMESPACE: u32 = 1_000;
const EDITS_A_WORD: u32 = 10;

/// How often full buckets are removed.
const SWEEP: Duration = Duration::from_mins(1);

/// What triggers the listing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Act {
    Word,
    Edit,
}

/// The rate limits of all namespaces and projects.
pub(super) struct ListingRate {
    interval: Duration,
    namespaces: HashMap<(Box<str>, bool), Bucket>,
    projects: BoundedMap<(ProjectId, Fingerprint), Bucket>,
    swept: Boottime,
}

impl ListingRate {
    /// Creates limits that allow a burst, then one request each `interval`.
    pub(super) fn new(interval: Duration, now: Boottime) -> Self {
        Self { interval, namespaces: HashMap::new(), projects: BoundedMap::default(), swept: now }
    }

    /// Returns how long an act of `namespace` has to wait; zero means that it may list now, and counts it.
    pub(super) fn take(
        &mut self,
        act: Act,
        namespace: &str,
        project: (ProjectId, Fingerprint),
        now: Boottime,
    ) -> Duration {
        self.sweep(now);
        let interval = self.interval;
        let (rate, of_project) = match act {
            Act::Word => (Rate { burst: BURST, interval }, Rate { burst: BURST, interval }),
            Act::Edit => (
                Rate { burst: EDITS_OF_NAMESPACE, interval: interval / EDITS_A_WORD },
                Rate { burst: EDITS, interval },
            ),
        };
        let kind = (namespace.into(), act == Act::Edit);
        let own = self.namespaces.entry(kind).or_insert_with(|| Bucket::full(now));
        let mut shared = self.projects.get(&project).copied().unwrap_or_else(|| Bucket::full(now));
        let wait = own.wait(rate, now).max(shared.wait(of_project, now));
        if wait.is_zero() {
            own.take(rate, now);
            shared.take(of_project, now);
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

    /// The number of reconcile requests accepted in a minute, of 50 a second.
    fn in_a_minute(
        limits: &mut ListingRate,
        of: impl Fn(usize) -> (String, (ProjectId, Fingerprint)),
    ) -> usize {
        let said = |number: usize| {
            let (namespace, project) = of(number);
            limits.take(Act::Word, &namespace, project, at(number as u64 * 20)).is_zero()
        };
        (0..3_000).map(said).filter(|acted| *acted).count()
    }

    #[test]
    fn whatever_projects_a_namespace_invents_its_words_keep_to_one_rate() {
        let mut limits = ListingRate::new(Duration::from_secs(1), at(0));
        let acted = in_a_minute(&mut limits, |number| ("a".to_owned(), project(number, "a")));
        assert!(acted <= 90, "{acted}");
        assert!(limits.take(Act::Word, "b", project(0, "b"), at(60_000)).is_zero(), "nobody else waits");
    }

    #[test]
    fn namespaces_that_share_project_and_key_stay_below_what_atlas_takes() {
        let mut limits = ListingRate::new(Duration::from_secs(1), at(0));
        let acted =
            in_a_minute(&mut limits, |number| (format!("team-{}", number % 40), project(0, "shared")));
        assert!((60..=90).contains(&acted), "{acted}");
        assert!(
            limits.take(Act::Word, "b", project(0, "another"), at(60_000)).is_zero(),
            "who has its own key does not wait"
        );
    }

    #[test]
    fn edits_of_invented_instances_stay_below_what_atlas_takes() {
        let mut limits = ListingRate::new(Duration::from_secs(1), at(0));
        // Three objects, each edited every second for ten minutes, with one reconcile request per edit.
        let mut listed = vec![0; 10];
        for second in 0..600_usize {
            for act in [Act::Edit, Act::Edit, Act::Edit, Act::Word, Act::Word, Act::Word] {
                let now = at(second as u64 * 1_000);
                listed[second / 60] += usize::from(limits.take(act, "a", project(0, "a"), now).is_zero());
            }
        }
        assert!(listed[0] <= 100 && listed[1..].iter().all(|listed| *listed <= 61), "{listed:?}");
    }

    #[test]
    fn many_projects_are_edited_at_once() {
        let mut limits = ListingRate::new(Duration::from_secs(1), at(0));
        for number in 0..1_000 {
            assert!(limits.take(Act::Edit, "a", project(number / 25, "a"), at(0)).is_zero(), "{number}");
        }
        assert!(!limits.take(Act::Edit, "a", project(1_000, "a"), at(0)).is_zero(), "invented projects end");
        assert!(limits.take(Act::Word, "a", project(1_000, "a"), at(0)).is_zero(), "a word has its own part");
    }

    #[test]
    fn nothing_is_kept_of_who_says_no_more() {
        let mut limits = ListingRate::new(Duration::from_secs(1), at(0));
        for number in 0..100 {
            limits.take(Act::Edit, &format!("team-{number}"), project(number, "a"), at(0));
        }
        limits.sweep(at(120_000));
        assert!(limits.namespaces.is_empty() && limits.projects.is_empty());
    }
}
