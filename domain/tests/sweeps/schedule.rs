//! The pace of an object: polls slow down while nothing changes, and failures back off. What holds for any sequence of events
//! is in `invariants/src/properties/schedule.rs`.

use std::collections::BTreeSet;
use std::time::Duration;

use domain::backoff::MAX_RETRY;
use domain::requeue::Requeue;
use domain::schedule::{Basis, ObjectVersion, PollIntervals, ReconcileOutcome, Schedule};
use domain::status::Reason;
use domain::token::Token;

use invariants::fixtures::{MINUTE, cluster, reported, secs, token};

const OBJECT: ObjectVersion =
    ObjectVersion { content: 1, request: None, number: None, deleting: false, recorded: true, current: true };

const PACE: PollIntervals =
    PollIntervals { poll_min: Duration::from_secs(5), poll_max: MINUTE, interval: Duration::from_mins(10) };

/// Ends a reconcile now, and returns the delay before the next one.
fn finish(schedule: &mut Schedule, state: (&str, Reason), end: (Requeue, Basis), now: Duration) -> Duration {
    finish_of(&token(), schedule, state, end, now)
}

fn finish_of(
    token: &Token,
    schedule: &mut Schedule,
    (status, reason): (&str, Reason),
    (requeue, basis): (Requeue, Basis),
    now: Duration,
) -> Duration {
    let progress = reported(status, reason).progress();
    let outcome =
        ReconcileOutcome { object: OBJECT, token: Some(token), requeue, progress, basis, latest: None };
    schedule.finished(&outcome, PACE, 0.5, now).unwrap()
}

const RESERVED: (&str, Reason) = ("RESERVED", Reason::Progressing);

/// Polls, each time with a listing of its own.
fn poll(schedule: &mut Schedule, state: (&str, Reason), now: u64) -> Duration {
    finish(schedule, state, (Requeue::Poll, Basis::Listing(secs(now))), secs(now))
}

#[test]
fn polls_slow_down_until_something_changes() {
    let mut schedule = Schedule::default();
    let delays: Vec<_> = (0..20).map(|now| poll(&mut schedule, RESERVED, now)).collect();
    assert!(delays.is_sorted() && delays[0] == PACE.poll_min && delays[19] == PACE.poll_max, "{delays:?}");
    for changed in [("INITIATING", Reason::Progressing), ("INITIATING", Reason::ProgressingWithRetry)] {
        assert_eq!(poll(&mut schedule, changed, 30), PACE.poll_min, "{changed:?}");
        assert!(poll(&mut schedule, changed, 40) > PACE.poll_min);
    }
}

#[test]
fn the_same_listing_again_is_no_further_poll_and_no_further_failure() {
    for requeue in [Requeue::Poll, Requeue::Retry(Duration::ZERO)] {
        let again = |listings: [u64; 3]| {
            let mut schedule = Schedule::default();
            let ends = listings.map(|sent| {
                finish(&mut schedule, RESERVED, (requeue, Basis::Listing(secs(sent))), secs(sent))
            });
            ends[2]
        };
        assert!(again([1, 2, 3]) > again([1, 2, 2]), "{requeue:?}");
        assert_eq!(again([1, 2, 2]), again([1, 2, 2]));
        assert!(again([1, 2, 2]) > again([1, 1, 1]), "{requeue:?}");
    }
}

#[test]
fn a_write_is_polled_closely_and_its_repetition_is_not() {
    let mut schedule = Schedule::default();
    for now in 0..10 {
        poll(&mut schedule, RESERVED, now);
    }
    let mut written = |now| finish(&mut schedule, RESERVED, (Requeue::Poll, Basis::Write), secs(now));
    assert_eq!(written(10), PACE.poll_min);
    assert!(written(11) > PACE.poll_min);
}

#[test]
fn a_listing_is_polled_again_by_its_own_time_and_a_write_by_its_end() {
    for (basis, delay) in [(Basis::Listing(secs(97)), 2), (Basis::Write, 5), (Basis::Nothing, 5)] {
        let mut schedule = Schedule::default();
        let end = finish(&mut schedule, RESERVED, (Requeue::Poll, basis), secs(100));
        assert_eq!(end, secs(delay), "{basis:?}");
    }
}

#[test]
fn failures_back_off_until_one_reconcile_succeeds() {
    let mut schedule = Schedule::default();
    let failed: Vec<_> = (0..20).map(|_| schedule.failed(0.5)).collect();
    assert!(failed.is_sorted() && failed[19] <= MAX_RETRY && failed[19] > MINUTE, "{failed:?}");
    assert_eq!(schedule.failures(), 20);
    poll(&mut schedule, RESERVED, 1);
    assert_eq!(schedule.failed(0.5), failed[0]);
    // Faults of Atlas back off likewise, and never below what Atlas requests.
    let mut schedule = Schedule::default();
    let mut faulty = |now, least| {
        finish(&mut schedule, RESERVED, (Requeue::Retry(least), Basis::Listing(secs(now))), secs(now))
    };
    let delays: Vec<_> = (0..20).map(|now| faulty(now, Duration::ZERO)).collect();
    assert!(delays.is_sorted() && delays[0] < secs(2) && delays[19] > MINUTE, "{delays:?}");
    assert_eq!(faulty(21, 60 * MINUTE), 60 * MINUTE);
}

#[test]
fn objects_of_one_interval_do_not_return_together() {
    let interval = |name: String| {
        let end = (Requeue::Interval, Basis::Nothing);
        let token = Token::of(&cluster(), "team-a", &name);
        finish_of(&token, &mut Schedule::default(), RESERVED, end, secs(1))
    };
    let delays: BTreeSet<_> = (0..50).map(|number| interval(format!("orders-{number}"))).collect();
    assert!(delays.len() > 20, "{delays:?}");
    let (least, most) = (PACE.interval.mul_f64(0.8), PACE.interval.mul_f64(1.2));
    assert!(delays.iter().all(|delay| (least..=most).contains(delay)), "{delays:?}");
}
