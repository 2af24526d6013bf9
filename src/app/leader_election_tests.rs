//! Tests the decisions of a candidate on a Lease and its own clock, without a server and without waiting.

use super::*;

fn candidate(identity: &str) -> Candidate {
    Candidate { identity: identity.to_owned(), config: LeaderElectionConfig::default(), observed: None }
}

fn at(seconds: u64) -> Boottime {
    Boottime::from_boot(Duration::from_secs(seconds))
}

fn held_by(holder: &str, time: i64) -> LeaseSpec {
    candidate(holder).renewed_spec(&LeaseSpec::default(), Timestamp::from_second(time).unwrap())
}

#[test]
fn a_lease_without_holder_is_acquired_at_once() {
    let released = candidate("a").released_spec(&held_by("a", 1), Timestamp::UNIX_EPOCH);
    for spec in [LeaseSpec::default(), released] {
        assert_eq!(candidate("b").next_action(&spec, at(1)), LeaseAction::Acquire);
    }
}

#[test]
fn a_lease_expires_by_the_clock_of_the_candidate() {
    let mut standby = candidate("b");
    // Written long ago by the holder's clock, which proves nothing.
    let spec = held_by("a", 0);
    assert_eq!(standby.next_action(&spec, at(1000)), LeaseAction::Wait);
    assert_eq!(standby.next_action(&spec, at(1014)), LeaseAction::Wait);
    assert_eq!(standby.next_action(&spec, at(1015)), LeaseAction::Acquire);
}

#[test]
fn a_killed_leader_is_replaced_within_twenty_seconds() {
    // The duration of a request and its response.
    let request = Duration::from_millis(150);
    let interval = LeaderElectionConfig::default().retry_period + request;
    // The standby reads at 0 and periodically after. The leader renews once more, and is killed at that moment.
    for renewed in (0..2500).step_by(10).map(Duration::from_millis) {
        let mut standby = candidate("b");
        let mut read_at = Duration::ZERO;
        loop {
            let found = held_by("a", i64::from(read_at >= renewed));
            if standby.next_action(&found, Boottime::from_boot(read_at)) == LeaseAction::Acquire {
                break;
            }
            read_at += interval;
        }
        let waited = (read_at + request).saturating_sub(renewed);
        assert!((15..20).contains(&waited.as_secs()), "{waited:?} for a renewal at {renewed:?}");
    }
}

#[test]
fn every_observed_change_counts_even_one_with_an_older_time() {
    let mut standby = candidate("b");
    assert_eq!(standby.next_action(&held_by("a", 50), at(0)), LeaseAction::Wait);
    assert_eq!(standby.next_action(&held_by("a", 40), at(14)), LeaseAction::Wait);
    assert_eq!(standby.next_action(&held_by("a", 40), at(28)), LeaseAction::Wait);
    assert_eq!(standby.next_action(&held_by("a", 40), at(29)), LeaseAction::Acquire);
}

#[test]
fn a_holder_keeps_the_lease_for_its_own_duration() {
    let mut standby = candidate("b");
    let spec = LeaseSpec { lease_duration_seconds: Some(60), ..held_by("a", 0) };
    assert_eq!(standby.next_action(&spec, at(0)), LeaseAction::Wait);
    assert_eq!(standby.next_action(&spec, at(59)), LeaseAction::Wait);
    assert_eq!(standby.next_action(&spec, at(60)), LeaseAction::Acquire);
    let spec = LeaseSpec { lease_duration_seconds: Some(-1), ..spec };
    assert_eq!(standby.next_action(&spec, at(60)), LeaseAction::Wait);
    assert_eq!(standby.next_action(&spec, at(75)), LeaseAction::Acquire);
}

#[test]
fn a_renewal_keeps_the_acquire_time_and_a_takeover_counts() {
    let first = held_by("a", 10);
    assert_eq!((first.lease_transitions, first.lease_duration_seconds), (Some(0), Some(15)));
    assert_eq!(candidate("a").next_action(&first, at(0)), LeaseAction::Renew);
    let renewed = candidate("a").renewed_spec(&first, Timestamp::from_second(20).unwrap());
    assert_eq!((&renewed.acquire_time, renewed.lease_transitions), (&first.acquire_time, Some(0)));
    assert_ne!(renewed.renew_time, first.renew_time);
    let taken = candidate("b").renewed_spec(&renewed, Timestamp::from_second(30).unwrap());
    assert_eq!(taken.acquire_time, Some(MicroTime(Timestamp::from_second(30).unwrap())));
    assert_eq!((taken.holder_identity.as_deref(), taken.lease_transitions), (Some("b"), Some(1)));
}

#[test]
fn a_lost_lease_has_another_holder() {
    let mut leader = candidate("a");
    assert_eq!(leader.next_action(&held_by("a", 0), at(0)), LeaseAction::Renew);
    assert_eq!(leader.next_action(&held_by("b", 20), at(20)), LeaseAction::Wait);
}
