//! Answers that overlap, each order by itself. Moments are seconds since some start.

use super::*;

fn at(seconds: u64) -> Boottime {
    Boottime::from_boot(Duration::from_secs(1_000 + seconds))
}

fn asker(project: char, version: &str) -> Asker {
    let secret = SecretName { namespace: "team-a".to_owned(), name: "atlas-api".to_owned() };
    Asker { project: project.to_string().repeat(24).parse().unwrap(), key: (secret, version.to_owned()) }
}

fn us() -> Asker {
    asker('a', "1")
}

fn fault(kind: FaultKind, seconds: Option<u64>) -> Fault {
    Fault { retry_after: seconds.map(Duration::from_secs), ..Fault::new(kind, "") }
}

/// A 429 that may name a time.
fn limited(seconds: Option<u64>) -> Fault {
    fault(FaultKind::RateLimited, seconds)
}

/// The seconds that are left.
fn left(pauses: &mut Pauses, now: u64) -> Option<u64> {
    pauses.holding(&us(), at(now)).map(|fault| fault.retry_after.unwrap().as_secs())
}

#[test]
fn a_burst_of_refusals_is_one_and_the_next_after_its_pause_is_the_second() {
    let mut pauses = Pauses::default();
    for _ in 0..8 {
        pauses.refused(&us(), &limited(None), at(0));
    }
    assert_eq!(left(&mut pauses, 0), Some(10), "eight calls that were under way together are one refusal");
    // Of the same burst, only later: the pause begins anew, as the first one and not as the second.
    pauses.refused(&us(), &limited(None), at(9));
    assert_eq!(left(&mut pauses, 9), Some(10));
    assert_eq!(left(&mut pauses, 19), None, "a pause ends with its time");
    for (begins, lasts) in [(19, 20), (39, 40), (79, 80), (159, 160), (319, 300), (619, 300)] {
        pauses.refused(&us(), &limited(None), at(begins));
        assert_eq!(left(&mut pauses, begins), Some(lasts));
    }
}

#[test]
fn no_refusal_shortens_the_pause_that_another_began() {
    for shorter in [limited(Some(2)), limited(None), limited(Some(0)), fault(FaultKind::Unavailable, Some(3))]
    {
        let mut pauses = Pauses::default();
        pauses.refused(&us(), &limited(Some(60)), at(0));
        pauses.refused(&us(), &shorter, at(1));
        assert_eq!(left(&mut pauses, 1), Some(59), "{shorter:?}");
        assert_eq!(left(&mut pauses, 59), Some(1), "{shorter:?}");
        assert_eq!(left(&mut pauses, 60), None, "{shorter:?}");
        // In the other order too.
        let mut pauses = Pauses::default();
        pauses.refused(&us(), &shorter, at(0));
        pauses.refused(&us(), &limited(Some(60)), at(0));
        assert_eq!(left(&mut pauses, 0), Some(60), "{shorter:?}");
    }
}

#[test]
fn a_success_ends_no_pause_that_began_while_it_was_on_its_way() {
    let mut pauses = Pauses::default();
    pauses.refused(&us(), &limited(None), at(0));
    pauses.answered(&us(), at(1));
    assert_eq!(left(&mut pauses, 1), Some(9));
    // Nor does it make the next refusal the first one.
    pauses.refused(&us(), &limited(None), at(10));
    assert_eq!(left(&mut pauses, 10), Some(20));
}

#[test]
fn a_success_after_a_pause_makes_the_next_refusal_the_first_one() {
    let mut pauses = Pauses::default();
    pauses.refused(&us(), &limited(None), at(0));
    pauses.refused(&us(), &limited(None), at(10));
    pauses.answered(&us(), at(30));
    pauses.refused(&us(), &limited(None), at(31));
    assert_eq!(left(&mut pauses, 31), Some(10));
}

#[test]
fn refusals_are_forgotten_five_minutes_after_their_pause_and_not_before() {
    for (later, lasts) in [(309, 20), (310, 10)] {
        let mut pauses = Pauses::default();
        pauses.refused(&us(), &limited(None), at(0));
        assert_eq!(left(&mut pauses, later), None);
        pauses.refused(&us(), &limited(None), at(later));
        assert_eq!(left(&mut pauses, later), Some(lasts), "refused again after {later} s");
    }
}

#[test]
fn a_pause_holds_up_exactly_whom_it_concerns() {
    let project = [limited(None), fault(FaultKind::Unavailable, Some(5))];
    let key =
        [FaultKind::Unauthorized, FaultKind::Forbidden, FaultKind::NoAccess].map(|kind| fault(kind, None));
    let nobody = [fault(FaultKind::Unavailable, None), fault(FaultKind::Refused, Some(5))];
    let held = |fault: &Fault| {
        let mut pauses = Pauses::default();
        pauses.refused(&us(), fault, at(0));
        [us(), asker('a', "2"), asker('b', "1")].map(|asker| pauses.holding(&asker, at(1)).is_some())
    };
    for fault in &project {
        assert_eq!(held(fault), [true, true, false], "{fault:?}");
    }
    for fault in &key {
        assert_eq!(held(fault), [true, false, false], "{fault:?}");
    }
    for fault in &nobody {
        assert_eq!(held(fault), [false; 3], "{fault:?}");
    }
}
