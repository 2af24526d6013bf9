//! Rate limit of listings that users trigger: by an edit, or by a reconcile request
//! (`reconcile.fluxcd.io/requestedAt`).
//!
//! One limit per namespace, because a tenant may name any number of projects, and one per project and its
//! credentials, because many namespaces may share them and Atlas accepts a hundred requests a minute. Namespaces whose
//! edits wait for one project take turns: however often one edits, it gets no more than its share. Listings that
//! the operator starts by itself are not counted, nor, for the namespace, edits of instances that Atlas shows: a
//! tenant has few of these, and their project has its own limit.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use atlas::Fingerprint;
use domain::bounded_map::BoundedMap;
use domain::endpoint::ProjectId;

use crate::clock::Boottime;

use super::token_bucket::{Bucket, Rate};

/// The burst of reconcile requests.
const BURST: u32 = 30;

/// The burst of edits of one project: as many instances as a project may have can be created or changed at once.
const EDITS: u32 = 40;

/// The burst of edits of a namespace, and how many edits refill in the time of one reconcile request: a namespace may
/// have many projects.
const EDITS_OF_NAMESPACE: u32 = 1_000;
const EDITS_A_WORD: u32 = 10;

/// The longest time until an act that found no token tries again, beyond the time until there is one.
const SPREAD: Duration = Duration::from_secs(30);

/// How long the turn of a namespace is kept after its time has come.
const KEPT: Duration = Duration::from_secs(5);

/// How often full buckets are removed.
const SWEEP: Duration = Duration::from_mins(1);

/// What triggers the listing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Act {
    Word,
    Edit,
}

/// The rate limits of all namespaces and projects.
pub(crate) struct ListingRate {
    interval: Duration,
    namespaces: HashMap<(Box<str>, Act), Limit>,
    projects: BoundedMap<(ProjectId, Fingerprint), Shared>,
    swept: Boottime,
}

/// One limit: its tokens, and when the last act that found none is to try again.
#[derive(Debug, Clone, Copy)]
struct Limit {
    tokens: Bucket,
    retry_at: Boottime,
}

impl Limit {
    fn new(now: Boottime) -> Self {
        Self { tokens: Bucket::full(now), retry_at: now }
    }

    /// Returns how long an act that finds no token waits. Those that wait try again one after another, within
    /// [`SPREAD`]: a thousand of them do not all try for each token, and however many there are, none waits long.
    fn retry_after(&mut self, rate: Rate, now: Boottime) -> Duration {
        let wait = self.tokens.wait(rate, now);
        if wait.is_zero() {
            return wait;
        }
        let (earliest, next) = (now + wait, self.retry_at + rate.interval);
        self.retry_at = if next > earliest + SPREAD { earliest } else { earliest.max(next) };
        self.retry_at.since(now)
    }
}

/// The limit of a project and its credentials.
#[derive(Debug, Clone)]
struct Shared {
    limit: Limit,
    /// The namespaces with a waiting edit, in the order of their turns, and when each turn comes. Each has one turn.
    turns: VecDeque<(Box<str>, Boottime)>,
}

impl Shared {
    fn new(now: Boottime) -> Self {
        Self { limit: Limit::new(now), turns: VecDeque::new() }
    }

    /// Returns how long an edit of `namespace` waits; zero if there is a token for it beside those of the turns before
    /// its own. The first edit that waits takes the last turn for its namespace.
    fn edit_after(&mut self, rate: Rate, namespace: &str, now: Boottime) -> Duration {
        self.turns.retain(|(_, at)| now.since(*at) <= KEPT);
        let turn = self.turns.iter().position(|(other, _)| **other == *namespace);
        let mut tokens = self.limit.tokens;
        for _ in 0..turn.unwrap_or(self.turns.len()) {
            tokens.take(rate, now);
        }
        let wait = tokens.wait(rate, now);
        if wait.is_zero() {
            self.turns.retain(|(other, _)| **other != *namespace);
        } else if turn.is_none() {
            self.turns.push_back((namespace.into(), now + wait));
        } else {
            return self.limit.retry_after(rate, now).max(rate.interval);
        }
        wait
    }
}

impl ListingRate {
    /// Creates limits that allow a burst, then one request each `interval`.
    pub(crate) fn new(interval: Duration, now: Boottime) -> Self {
        Self { interval, namespaces: HashMap::new(), projects: BoundedMap::default(), swept: now }
    }

    /// Returns how long an act of `namespace` has to wait; zero means that it may list now, and counts it.
    pub(crate) fn take(
        &mut self,
        act: Act,
        namespace: &str,
        project: (ProjectId, Fingerprint),
        now: Boottime,
    ) -> Duration {
        self.sweep(now);
        let (rate, of_project) = (self.of_namespace(act), self.of_project(act));
        let own = self.namespaces.entry((namespace.into(), act)).or_insert_with(|| Limit::new(now));
        let own_wait = own.retry_after(rate, now);
        if !own_wait.is_zero() {
            return own_wait;
        }
        let known = self.projects.get_mut(&project);
        let mut shared =
            known.map_or_else(|| Shared::new(now), |known| std::mem::replace(known, Shared::new(now)));
        let wait = match act {
            Act::Word => shared.limit.retry_after(of_project, now),
            Act::Edit => shared.edit_after(of_project, namespace, now),
        };
        if wait.is_zero() {
            own.tokens.take(rate, now);
            shared.limit.tokens.take(of_project, now);
        }
        self.projects.insert(namespace, project, shared);
        wait
    }

    /// Records that Atlas shows the instance for which an act of `namespace` was counted.
    pub(crate) fn found(&mut self, act: Act, namespace: &str) {
        let rate = self.of_namespace(act);
        if act == Act::Edit
            && let Some(own) = self.namespaces.get_mut(&(namespace.into(), act))
        {
            own.tokens.give_back(rate);
        }
    }

    fn of_namespace(&self, act: Act) -> Rate {
        match act {
            Act::Word => Rate { burst: BURST, interval: self.interval },
            Act::Edit => Rate { burst: EDITS_OF_NAMESPACE, interval: self.interval / EDITS_A_WORD },
        }
    }

    fn of_project(&self, act: Act) -> Rate {
        match act {
            Act::Word => Rate { burst: BURST, interval: self.interval },
            Act::Edit => Rate { burst: EDITS, interval: self.interval },
        }
    }

    fn sweep(&mut self, now: Boottime) {
        if now.since(self.swept) >= SWEEP {
            self.swept = now;
            self.namespaces.retain(|_, limit| !limit.tokens.is_full(now));
            self.namespaces.shrink_to_fit();
            self.projects.retain(|shared| !shared.limit.tokens.is_full(now));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cmp::Reverse;
    use std::collections::BinaryHeap;

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
    fn edits_of_instances_that_exist_are_not_counted_for_the_namespace() {
        let mut limits = ListingRate::new(Duration::from_secs(1), at(0));
        for round in 0..4 {
            let now = at(round * 60_000);
            for number in 0..1_000 {
                assert!(
                    limits.take(Act::Edit, "a", project(number / 25, "a"), now).is_zero(),
                    "{round} {number}"
                );
                limits.found(Act::Edit, "a");
            }
        }
    }

    #[test]
    fn whoever_waits_does_not_try_again_for_each_token() {
        let mut limits = ListingRate::new(Duration::from_secs(1), at(0));
        let (edits, mut tries) = (1_000, 0);
        let mut waiting: BinaryHeap<_> = (0..edits).map(|_| Reverse(0)).collect();
        while let Some(Reverse(now)) = waiting.pop() {
            tries += 1;
            let wait = limits.take(Act::Edit, "a", project(0, "a"), at(now));
            if !wait.is_zero() {
                waiting.push(Reverse(now + u64::try_from(wait.as_millis()).unwrap()));
            }
        }
        assert!(tries <= 40 * edits, "{tries} tries");
    }

    #[test]
    fn however_often_one_namespace_edits_another_soon_tries_again() {
        let mut limits = ListingRate::new(Duration::from_secs(1), at(0));
        for _ in 0..100_000 {
            limits.take(Act::Edit, "a", project(0, "shared"), at(0));
        }
        let wait = limits.take(Act::Edit, "b", project(0, "shared"), at(0));
        assert!(wait <= SPREAD + Duration::from_secs(1), "{wait:?}");
    }

    /// Returns when the edits of namespace `b` list, in milliseconds, while `a` edits 300 times a second. Each tries again
    /// a little later than it may, as a timer and a queue make it.
    fn listed_beside_a_neighbor(edits: usize) -> Vec<u64> {
        const LATE: u64 = 10;
        let mut limits = ListingRate::new(Duration::from_secs(1), at(0));
        let mut listed = Vec::new();
        let mut waiting = BinaryHeap::from(vec![Reverse(60_500); edits]);
        for number in 0..300 * 600 {
            let now = number * 1_000 / 300;
            while let Some(Reverse(due)) = waiting.peek().copied().filter(|Reverse(due)| *due <= now) {
                waiting.pop();
                let wait = limits.take(Act::Edit, "b", project(0, "shared"), at(due));
                if wait.is_zero() {
                    listed.push(due - 60_500);
                } else {
                    waiting.push(Reverse(due + u64::try_from(wait.as_millis()).unwrap() + LATE));
                }
            }
            limits.take(Act::Edit, "a", project(0, "shared"), at(now));
        }
        listed
    }

    #[test]
    fn a_namespace_gets_its_share_beside_one_that_always_edits() {
        let first = listed_beside_a_neighbor(1);
        assert!(first.first().is_some_and(|millis| *millis <= 35_000), "{first:?}");
        let many = listed_beside_a_neighbor(20);
        assert!(many.len() == 20 && many.iter().all(|millis| *millis <= 120_000), "{many:?}");
    }

    #[test]
    fn a_turn_that_nobody_takes_holds_nobody_up() {
        let mut limits = ListingRate::new(Duration::from_secs(1), at(0));
        for number in 0..60 {
            limits.take(Act::Edit, &format!("team-{number}"), project(0, "shared"), at(0));
        }
        let mut taken =
            |second: u64| limits.take(Act::Edit, "a", project(0, "shared"), at(second * 1_000)).is_zero();
        assert!((1..=60).filter(|second| taken(*second)).count() >= 30);
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
