//! What a candidate decides from a Lease and its own clock. No server, no waiting.

use super::*;

fn candidate(identity: &str) -> Candidate {
    Candidate { identity: identity.to_owned(), terms: LeaderElectionConfig::default(), seen: None }
}

fn at(seconds: u64) -> Boottime {
    Boottime::from_boot(Duration::from_secs(seconds))
}

fn held_by(holder: &str, time: i64) -> LeaseSpec {
    candidate(holder).held(&LeaseSpec::default(), Timestamp::from_second(time).unwrap())
}

#[test]
fn a_lease_that_nobody_holds_is_taken_at_once() {
    let nobodys = candidate("a").released(&held_by("a", 1), Timestamp::UNIX_EPOCH);
    for spec in [LeaseSpec::default(), nobodys] {
        assert_eq!(candidate("b").step(&spec, at(1)), Step::Take);
    }
}

#[test]
fn a_silent_holder_is_replaced_only_when_we_ourselves_have_watched_its_silence() {
    let mut standby = candidate("b");
    // Written long ago by the holder's clock, which proves nothing.
    let spec = held_by("a", 0);
    assert_eq!(standby.step(&spec, at(1000)), Step::Wait);
    assert_eq!(standby.step(&spec, at(1014)), Step::Wait);
    assert_eq!(standby.step(&spec, at(1015)), Step::Take);
}

#[test]
fn whenever_a_leader_is_killed_another_takes_over_within_twenty_seconds() {
    // The duration of a request and its response.
    let request = Duration::from_millis(150);
    let between_looks = LeaderElectionConfig::default().retry + request;
    // The standby reads at 0 and periodically after. The leader renews once more, and is killed at that moment.
    for renewed in (0..2500).step_by(10).map(Duration::from_millis) {
        let mut standby = candidate("b");
        let mut look = Duration::ZERO;
        loop {
            let found = held_by("a", i64::from(look >= renewed));
            if standby.step(&found, Boottime::from_boot(look)) == Step::Take {
                break;
            }
            look += between_looks;
        }
        let waited = (look + request).saturating_sub(renewed);
        assert!((15..20).contains(&waited.as_secs()), "{waited:?} for a renewal at {renewed:?}");
    }
}

#[test]
fn every_change_before_our_eyes_is_a_sign_of_life_even_one_with_an_older_time() {
    let mut standby = candidate("b");
    assert_eq!(standby.step(&held_by("a", 50), at(0)), Step::Wait);
    assert_eq!(standby.step(&held_by("a", 40), at(14)), Step::Wait);
    assert_eq!(standby.step(&held_by("a", 40), at(28)), Step::Wait);
    assert_eq!(standby.step(&held_by("a", 40), at(29)), Step::Take);
}

#[test]
fn a_holder_is_given_the_time_that_it_promised_itself() {
    let mut standby = candidate("b");
    let spec = LeaseSpec { lease_duration_seconds: Some(60), ..held_by("a", 0) };
    assert_eq!(standby.step(&spec, at(0)), Step::Wait);
    assert_eq!(standby.step(&spec, at(59)), Step::Wait);
    assert_eq!(standby.step(&spec, at(60)), Step::Take);
    let spec = LeaseSpec { lease_duration_seconds: Some(-1), ..spec };
    assert_eq!(standby.step(&spec, at(60)), Step::Wait);
    assert_eq!(standby.step(&spec, at(75)), Step::Take);
}

#[test]
fn renewing_keeps_the_beginning_and_taking_over_counts() {
    let first = held_by("a", 10);
    assert_eq!((first.lease_transitions, first.lease_duration_seconds), (Some(0), Some(15)));
    assert_eq!(candidate("a").step(&first, at(0)), Step::Renew);
    let renewed = candidate("a").held(&first, Timestamp::from_second(20).unwrap());
    assert_eq!((&renewed.acquire_time, renewed.lease_transitions), (&first.acquire_time, Some(0)));
    assert_ne!(renewed.renew_time, first.renew_time);
    let taken = candidate("b").held(&renewed, Timestamp::from_second(30).unwrap());
    assert_eq!(taken.acquire_time, Some(MicroTime(Timestamp::from_second(30).unwrap())));
    assert_eq!((taken.holder_identity.as_deref(), taken.lease_transitions), (Some("b"), Some(1)));
}

#[test]
fn whoever_loses_a_held_lease_sees_another_holder() {
    let mut leader = candidate("a");
    assert_eq!(leader.step(&held_by("a", 0), at(0)), Step::Renew);
    assert_eq!(leader.step(&held_by("b", 20), at(20)), Step::Wait);
}
