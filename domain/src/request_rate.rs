//! Rate limit of listings that users trigger: by an edit, or by a reconcile request (`reconcile.fluxcd.io/requestedAt`).
//! Instants are arguments.
//!
//! One limit per namespace, because a tenant may name any number of projects, and one per project and its
//! credentials, because many namespaces may share them and Atlas accepts a hundred requests a minute. Namespaces whose
//! edits wait for one project are served round robin: however often one edits, it gets no more than its share. Listings that
//! the operator starts by itself are not counted, nor, for the namespace, edits of instances that Atlas shows: a
//! tenant has few of these, and their project has its own limit.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;
use std::time::Duration;

use crate::bounded_map::BoundedMap;
use crate::ids::ProjectId;
use crate::instant::SinceBoot;
use crate::token_bucket::{Bucket, Rate};

/// The burst of reconcile requests.
const REQUEST_BURST: u32 = 30;

/// The burst of edits of one project: as many instances as a project may have can be created or changed at once.
const EDIT_BURST: u32 = 40;

/// The burst of edits of a namespace, and how many edits refill in the time of one reconcile request: a namespace may
/// have many projects.
const NAMESPACE_EDIT_BURST: u32 = 1_000;
const EDITS_PER_REQUEST: u32 = 10;

/// The longest time until a trigger that found no token tries again, beyond the time until there is one.
const RETRY_SPREAD: Duration = Duration::from_secs(30);

/// How long a namespace stays in the queue after its time has come.
const WAITING_EXPIRY: Duration = Duration::from_secs(5);

/// How often full buckets are removed.
const SWEEP: Duration = Duration::from_mins(1);

/// The action of a user that triggers a listing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum UserTrigger {
    /// A reconcile request.
    Request,
    /// A change of the spec.
    Edit,
}

/// The rate limits of all namespaces, and of all projects with their credentials `C`.
pub struct ListingRate<C> {
    interval: Duration,
    namespaces: HashMap<(Box<str>, UserTrigger), Limit>,
    projects: BoundedMap<(ProjectId, C), ProjectLimit>,
    swept: SinceBoot,
}

/// One limit: its tokens, and when the last trigger that found none is to try again.
#[derive(Debug, Clone, Copy)]
struct Limit {
    tokens: Bucket,
    retry_at: SinceBoot,
}

impl Limit {
    fn new(now: SinceBoot) -> Self {
        Self { tokens: Bucket::full(now), retry_at: now }
    }

    /// Returns how long a trigger that finds no token waits. Waiting triggers try again one after another, within
    /// [`RETRY_SPREAD`]: a thousand of them do not all try for each token, and however many there are, none waits long.
    fn retry_after(&mut self, rate: Rate, now: SinceBoot) -> Duration {
        let wait = self.tokens.wait(rate, now);
        if wait.is_zero() {
            return wait;
        }
        let (earliest, next) = (now + wait, self.retry_at + rate.interval);
        self.retry_at = if next > earliest + RETRY_SPREAD { earliest } else { earliest.max(next) };
        self.retry_at.saturating_sub(now)
    }
}

/// The limit of a project and its credentials.
#[derive(Debug, Clone)]
struct ProjectLimit {
    limit: Limit,
    /// The namespaces with a waiting edit, first in, first out, and when each may list. Each is in it once.
    waiting: VecDeque<(Box<str>, SinceBoot)>,
}

impl ProjectLimit {
    fn new(now: SinceBoot) -> Self {
        Self { limit: Limit::new(now), waiting: VecDeque::new() }
    }

    /// Returns how long an edit of `namespace` waits; zero if there is a token for it beside those for the namespaces before
    /// it in the queue. The first edit that waits adds its namespace to the queue.
    fn edit_after(&mut self, rate: Rate, namespace: &str, now: SinceBoot) -> Duration {
        self.waiting.retain(|(_, at)| now.saturating_sub(*at) <= WAITING_EXPIRY);
        let position = self.waiting.iter().position(|(other, _)| **other == *namespace);
        let mut tokens = self.limit.tokens;
        for _ in 0..position.unwrap_or(self.waiting.len()) {
            tokens.take(rate, now);
        }
        let wait = tokens.wait(rate, now);
        if wait.is_zero() {
            self.waiting.retain(|(other, _)| **other != *namespace);
        } else if position.is_none() {
            self.waiting.push_back((namespace.into(), now + wait));
        } else {
            return self.limit.retry_after(rate, now).max(rate.interval);
        }
        wait
    }
}

impl<C: Clone + Eq + Hash> ListingRate<C> {
    /// Creates limits that allow a burst, then one request each `interval`.
    #[must_use]
    pub fn new(interval: Duration, now: SinceBoot) -> Self {
        Self { interval, namespaces: HashMap::new(), projects: BoundedMap::default(), swept: now }
    }

    /// Returns how long a trigger of `namespace` has to wait; zero means that it may list now, and counts it.
    pub fn take(
        &mut self,
        trigger: UserTrigger,
        namespace: &str,
        project: (ProjectId, C),
        now: SinceBoot,
    ) -> Duration {
        self.sweep(now);
        let (rate, of_project) = (self.of_namespace(trigger), self.of_project(trigger));
        let of_namespace =
            self.namespaces.entry((namespace.into(), trigger)).or_insert_with(|| Limit::new(now));
        let namespace_wait = of_namespace.retry_after(rate, now);
        if !namespace_wait.is_zero() {
            return namespace_wait;
        }
        let known = self.projects.get_mut(&project);
        let mut project_limit = known
            .map_or_else(|| ProjectLimit::new(now), |known| std::mem::replace(known, ProjectLimit::new(now)));
        let wait = match trigger {
            UserTrigger::Request => project_limit.limit.retry_after(of_project, now),
            UserTrigger::Edit => project_limit.edit_after(of_project, namespace, now),
        };
        if wait.is_zero() {
            of_namespace.tokens.take(rate, now);
            project_limit.limit.tokens.take(of_project, now);
        }
        self.projects.insert(namespace, project, project_limit);
        wait
    }

    /// Records that Atlas shows the instance for which a trigger of `namespace` was counted.
    pub fn refund(&mut self, trigger: UserTrigger, namespace: &str) {
        let rate = self.of_namespace(trigger);
        if trigger == UserTrigger::Edit
            && let Some(of_namespace) = self.namespaces.get_mut(&(namespace.into(), trigger))
        {
            of_namespace.tokens.refund(rate);
        }
    }

    fn of_namespace(&self, trigger: UserTrigger) -> Rate {
        match trigger {
            UserTrigger::Request => Rate { burst: REQUEST_BURST, interval: self.interval },
            UserTrigger::Edit => {
                Rate { burst: NAMESPACE_EDIT_BURST, interval: self.interval / EDITS_PER_REQUEST }
            }
        }
    }

    fn of_project(&self, trigger: UserTrigger) -> Rate {
        match trigger {
            UserTrigger::Request => Rate { burst: REQUEST_BURST, interval: self.interval },
            UserTrigger::Edit => Rate { burst: EDIT_BURST, interval: self.interval },
        }
    }

    fn sweep(&mut self, now: SinceBoot) {
        if now.saturating_sub(self.swept) >= SWEEP {
            self.swept = now;
            self.namespaces.retain(|_, limit| !limit.tokens.is_full(now));
            self.namespaces.shrink_to_fit();
            self.projects.retain(|project_limit| !project_limit.limit.tokens.is_full(now));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cmp::Reverse;
    use std::collections::BinaryHeap;

    use super::*;

    fn at(millis: u64) -> SinceBoot {
        SinceBoot::from_millis(1_000_000 + millis)
    }

    fn project(number: usize, key: &'static str) -> (ProjectId, &'static str) {
        (format!("{number:024x}").parse().unwrap(), key)
    }

    /// The number of reconcile requests accepted in a minute, of 50 a second.
    fn in_a_minute(
        limits: &mut ListingRate<&'static str>,
        of: impl Fn(usize) -> (String, (ProjectId, &'static str)),
    ) -> usize {
        let is_accepted = |number: usize| {
            let (namespace, project) = of(number);
            limits.take(UserTrigger::Request, &namespace, project, at(number as u64 * 20)).is_zero()
        };
        (0..3_000).map(is_accepted).filter(|accepted| *accepted).count()
    }

    #[test]
    fn requests_of_a_namespace_keep_to_one_rate_for_all_projects() {
        let mut limits = ListingRate::new(Duration::from_secs(1), at(0));
        let accepted = in_a_minute(&mut limits, |number| ("a".to_owned(), project(number, "a")));
        assert!(accepted <= 90, "{accepted}");
        assert!(
            limits.take(UserTrigger::Request, "b", project(0, "b"), at(60_000)).is_zero(),
            "no other namespace waits"
        );
    }

    #[test]
    fn namespaces_that_share_a_project_and_key_share_its_limit() {
        let mut limits = ListingRate::new(Duration::from_secs(1), at(0));
        let accepted =
            in_a_minute(&mut limits, |number| (format!("team-{}", number % 40), project(0, "shared")));
        assert!((60..=90).contains(&accepted), "{accepted}");
        assert!(
            limits.take(UserTrigger::Request, "b", project(0, "another"), at(60_000)).is_zero(),
            "a namespace with its own key does not wait"
        );
    }

    #[test]
    fn edits_of_nonexistent_instances_stay_below_the_limit_of_atlas() {
        let mut limits = ListingRate::new(Duration::from_secs(1), at(0));
        // Three objects, each edited every second for ten minutes, with one reconcile request per edit.
        let mut listed = vec![0; 10];
        for second in 0..600_usize {
            for trigger in
                [UserTrigger::Edit, UserTrigger::Request].into_iter().flat_map(|trigger| [trigger; 3])
            {
                let now = at(second as u64 * 1_000);
                listed[second / 60] += usize::from(limits.take(trigger, "a", project(0, "a"), now).is_zero());
            }
        }
        assert!(listed[0] <= 100 && listed[1..].iter().all(|listed| *listed <= 61), "{listed:?}");
    }

    #[test]
    fn many_projects_are_edited_at_once() {
        let mut limits = ListingRate::new(Duration::from_secs(1), at(0));
        for number in 0..1_000 {
            assert!(
                limits.take(UserTrigger::Edit, "a", project(number / 25, "a"), at(0)).is_zero(),
                "{number}"
            );
        }
        assert!(
            !limits.take(UserTrigger::Edit, "a", project(1_000, "a"), at(0)).is_zero(),
            "the burst of the namespace is used up"
        );
        assert!(
            limits.take(UserTrigger::Request, "a", project(1_000, "a"), at(0)).is_zero(),
            "requests have a limit of their own"
        );
    }

    #[test]
    fn edits_of_instances_that_exist_are_not_counted_for_the_namespace() {
        let mut limits = ListingRate::new(Duration::from_secs(1), at(0));
        for round in 0..4 {
            let now = at(round * 60_000);
            for number in 0..1_000 {
                assert!(
                    limits.take(UserTrigger::Edit, "a", project(number / 25, "a"), now).is_zero(),
                    "{round} {number}"
                );
                limits.refund(UserTrigger::Edit, "a");
            }
        }
    }

    #[test]
    fn a_waiting_edit_does_not_retry_for_each_token() {
        let mut limits = ListingRate::new(Duration::from_secs(1), at(0));
        let (edits, mut tries) = (1_000, 0);
        let mut waiting: BinaryHeap<_> = (0..edits).map(|_| Reverse(0)).collect();
        while let Some(Reverse(now)) = waiting.pop() {
            tries += 1;
            let wait = limits.take(UserTrigger::Edit, "a", project(0, "a"), at(now));
            if !wait.is_zero() {
                waiting.push(Reverse(now + u64::try_from(wait.as_millis()).unwrap()));
            }
        }
        assert!(tries <= 40 * edits, "{tries} tries");
    }

    #[test]
    fn frequent_edits_do_not_delay_the_retry_of_another_namespace() {
        let mut limits = ListingRate::new(Duration::from_secs(1), at(0));
        for _ in 0..100_000 {
            limits.take(UserTrigger::Edit, "a", project(0, "shared"), at(0));
        }
        let wait = limits.take(UserTrigger::Edit, "b", project(0, "shared"), at(0));
        assert!(wait <= RETRY_SPREAD + Duration::from_secs(1), "{wait:?}");
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
                let wait = limits.take(UserTrigger::Edit, "b", project(0, "shared"), at(due));
                if wait.is_zero() {
                    listed.push(due - 60_500);
                } else {
                    waiting.push(Reverse(due + u64::try_from(wait.as_millis()).unwrap() + LATE));
                }
            }
            limits.take(UserTrigger::Edit, "a", project(0, "shared"), at(now));
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
    fn an_unused_place_in_the_queue_delays_no_namespace() {
        let mut limits = ListingRate::new(Duration::from_secs(1), at(0));
        for number in 0..60 {
            limits.take(UserTrigger::Edit, &format!("team-{number}"), project(0, "shared"), at(0));
        }
        let mut taken = |second: u64| {
            limits.take(UserTrigger::Edit, "a", project(0, "shared"), at(second * 1_000)).is_zero()
        };
        assert!((1..=60).filter(|second| taken(*second)).count() >= 30);
    }

    #[test]
    fn limits_without_recent_triggers_are_removed() {
        let mut limits = ListingRate::new(Duration::from_secs(1), at(0));
        for number in 0..100 {
            limits.take(UserTrigger::Edit, &format!("team-{number}"), project(number, "a"), at(0));
        }
        limits.sweep(at(120_000));
        assert!(limits.namespaces.is_empty() && limits.projects.is_empty());
    }
}
