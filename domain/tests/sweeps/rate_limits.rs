//! Overlapping responses in every order, and the callers that each pauses. Times are seconds since an arbitrary start. What
//! holds for any sequence of responses is in `tests/properties/rate_limits.rs`.

use std::time::Duration;

use domain::bounded_map::MAX_ENTRIES;
use domain::fault::{Concerns, Fault, FaultKind};
use domain::rate_limits::Call;

type TestRateLimits = domain::rate_limits::RateLimits<(String, String), char>;
type TestCaller = domain::rate_limits::Caller<(String, String), char>;

fn at(seconds: u64) -> Duration {
    Duration::from_secs(10_000 + seconds)
}

/// The credentials are known by their first letter.
fn caller(namespace: &str, project: char, version: &str, key: &str) -> TestCaller {
    TestCaller {
        namespace: namespace.to_owned(),
        project: project.to_string().repeat(24).parse().unwrap(),
        secret: (namespace.to_owned(), version.to_owned()),
        credentials: key.chars().next().unwrap(),
    }
}

fn us() -> TestCaller {
    caller("team-a", 'a', "1", "ours")
}

fn fault(kind: FaultKind, seconds: Option<u64>) -> Fault {
    Fault { retry_after: seconds.map(Duration::from_secs), ..Fault::new(kind, "") }
}

/// A 429 that may name a time.
fn limited(seconds: Option<u64>) -> Fault {
    fault(FaultKind::RateLimited, seconds)
}

fn refused(pauses: &mut TestRateLimits, caller: &TestCaller, fault: &Fault, now: u64) {
    pauses.refused(caller, Call::Read, (fault, Concerns::Project), at(now));
}

fn served(pauses: &mut TestRateLimits, sent: u64, now: u64) {
    pauses.served(&us(), Call::Read, at(sent), at(now));
}

/// The seconds left of our pause.
fn left(pauses: &TestRateLimits, now: u64) -> Option<u64> {
    pauses.holding(&us(), Call::Read, false, at(now)).map(|fault| fault.retry_after.unwrap().as_secs())
}

#[test]
fn a_burst_of_refusals_is_one_and_the_next_after_its_pause_is_the_second() {
    let mut pauses = TestRateLimits::default();
    for _ in 0..8 {
        refused(&mut pauses, &us(), &limited(None), 0);
    }
    assert_eq!(left(&pauses, 0), Some(10), "eight calls that were in flight together are one refusal");
    // The same burst, only later: the pause restarts, as the first one and not as the second.
    refused(&mut pauses, &us(), &limited(None), 9);
    assert_eq!(left(&pauses, 9), Some(10));
    assert_eq!(left(&pauses, 19), None, "a pause ends with its time");
    for (begins, lasts) in [(19, 20), (39, 40), (79, 80), (159, 160), (319, 300), (619, 300)] {
        refused(&mut pauses, &us(), &limited(None), begins);
        assert_eq!(left(&pauses, begins), Some(lasts));
    }
}

#[test]
fn no_refusal_shortens_the_pause_that_another_began() {
    for shorter in [limited(Some(2)), limited(None), limited(Some(0)), fault(FaultKind::Unavailable, Some(3))]
    {
        let mut pauses = TestRateLimits::default();
        refused(&mut pauses, &us(), &limited(Some(60)), 0);
        refused(&mut pauses, &us(), &shorter, 1);
        assert_eq!(left(&pauses, 1), Some(59), "{shorter:?}");
        assert_eq!(left(&pauses, 59), Some(1), "{shorter:?}");
        assert_eq!(left(&pauses, 60), None, "{shorter:?}");
        // In the other order too.
        let mut pauses = TestRateLimits::default();
        refused(&mut pauses, &us(), &shorter, 0);
        refused(&mut pauses, &us(), &limited(Some(60)), 0);
        assert_eq!(left(&pauses, 0), Some(60), "{shorter:?}");
    }
}

#[test]
fn a_success_ends_no_pause_that_began_while_it_was_on_its_way() {
    let mut pauses = TestRateLimits::default();
    served(&mut pauses, 0, 0);
    refused(&mut pauses, &us(), &limited(None), 0);
    served(&mut pauses, 0, 1);
    assert_eq!(left(&pauses, 1), Some(9));
    // Nor does it make the next refusal the first one.
    refused(&mut pauses, &us(), &limited(None), 10);
    assert_eq!(left(&pauses, 10), Some(20));
}

#[test]
fn a_success_after_a_pause_makes_the_next_refusal_the_first_one() {
    let mut pauses = TestRateLimits::default();
    served(&mut pauses, 0, 0);
    refused(&mut pauses, &us(), &limited(None), 0);
    refused(&mut pauses, &us(), &limited(None), 10);
    served(&mut pauses, 30, 30);
    refused(&mut pauses, &us(), &limited(None), 31);
    assert_eq!(left(&pauses, 31), Some(10));
}

#[test]
fn refusals_are_forgotten_five_minutes_after_their_pause_and_not_before() {
    for (later, lasts) in [(309, 20), (310, 10)] {
        let mut pauses = TestRateLimits::default();
        refused(&mut pauses, &us(), &limited(None), 0);
        assert_eq!(left(&pauses, later), None);
        refused(&mut pauses, &us(), &limited(None), later);
        assert_eq!(left(&pauses, later), Some(lasts), "refused again after {later} s");
    }
}

/// The callers that a refusal of ours pauses: ourselves; another namespace with the same credentials, and with its
/// own, in that project; ourselves in another project, and with another version of the Secret.
fn held(served: bool, call: Call, response: (&Fault, Concerns)) -> [[bool; 2]; 5] {
    let mut pauses = TestRateLimits::default();
    if served {
        pauses.served(&us(), Call::Read, at(0), at(0));
    }
    pauses.refused(&us(), call, response, at(1));
    [
        us(),
        caller("team-b", 'a', "9", "ours"),
        caller("team-b", 'a', "9", "theirs"),
        caller("team-a", 'b', "1", "ours"),
        caller("team-a", 'a', "2", "ours"),
    ]
    .map(|other| [Call::Read, Call::Write].map(|call| pauses.holding(&other, call, false, at(2)).is_some()))
}

const NOT: [bool; 2] = [false, false];
const ALL: [bool; 2] = [true, true];
const WRITES: [bool; 2] = [false, true];

#[test]
fn too_many_requests_pause_a_project_only_by_whom_atlas_serves_there() {
    for response in [limited(None), limited(Some(60)), fault(FaultKind::Unavailable, Some(5))] {
        for call in [Call::Read, Call::Write] {
            let response = (&response, Concerns::Project);
            assert_eq!(held(true, call, response), [ALL, ALL, ALL, NOT, ALL], "{response:?}");
            assert_eq!(held(false, call, response), [ALL, ALL, NOT, NOT, ALL], "{response:?}");
        }
    }
}

#[test]
fn an_account_that_requests_too_many_tokens_is_paused_alone() {
    for served in [true, false] {
        let response = (&limited(None), Concerns::Credentials);
        assert_eq!(held(served, Call::Read, response), [ALL, ALL, NOT, ALL, ALL]);
    }
}

#[test]
fn a_refused_key_is_left_alone_in_its_project_and_one_without_a_token_everywhere() {
    for kind in [FaultKind::Unauthorized, FaultKind::Forbidden, FaultKind::NoAccess] {
        let response = fault(kind, None);
        for served in [true, false] {
            assert_eq!(held(served, Call::Read, (&response, Concerns::Project)), [ALL, NOT, NOT, NOT, NOT]);
            assert_eq!(
                held(served, Call::Read, (&response, Concerns::Credentials)),
                [ALL, NOT, NOT, ALL, NOT]
            );
        }
    }
}

#[test]
fn a_key_that_may_read_and_not_write_goes_on_reading() {
    for kind in [FaultKind::Unauthorized, FaultKind::Forbidden, FaultKind::NoAccess] {
        let response = fault(kind, None);
        assert_eq!(held(true, Call::Write, (&response, Concerns::Project)), [WRITES, NOT, NOT, NOT, NOT]);
    }
}

#[test]
fn what_concerns_one_call_alone_pauses_nobody() {
    for response in [fault(FaultKind::Unavailable, None), fault(FaultKind::Refused, Some(5))] {
        assert_eq!(held(true, Call::Write, (&response, Concerns::Project)), [NOT; 5]);
    }
}

#[test]
fn a_response_about_a_thing_shows_for_an_hour_whom_atlas_serves() {
    let others = caller("team-b", 'a', "9", "theirs");
    for (later, is_held) in [(3_599, true), (3_600, false)] {
        for kind in [
            FaultKind::InstanceNotFound,
            FaultKind::EndpointNotFound,
            FaultKind::ServiceNotFound,
            FaultKind::Conflict,
            FaultKind::MultipleRegions,
            FaultKind::NotServerless,
        ] {
            let mut pauses = TestRateLimits::default();
            refused(&mut pauses, &us(), &fault(kind, None), 0);
            assert_eq!(left(&pauses, 0), None);
            refused(&mut pauses, &us(), &limited(None), later);
            assert_eq!(pauses.holding(&others, Call::Read, false, at(later)).is_some(), is_held, "{kind:?}");
        }
    }
}

#[test]
fn a_word_breaks_a_refusal_each_second_and_a_limit_once_a_minute() {
    let allowed = |pauses: &TestRateLimits, now| pauses.holding(&us(), Call::Read, true, at(now)).is_none();
    for (response, between) in [(fault(FaultKind::Unauthorized, None), 1), (limited(Some(3_600)), 60)] {
        let mut pauses = TestRateLimits::default();
        refused(&mut pauses, &us(), &response, 0);
        assert!(
            allowed(&pauses, 0) && left(&pauses, 0).is_some(),
            "the first at once, and only for the request"
        );
        pauses.called(&us(), Call::Read, at(0));
        refused(&mut pauses, &us(), &response, 0);
        assert!(!allowed(&pauses, between - 1) && allowed(&pauses, between), "{response:?}");
        // A call that Atlas then serves ends the pause for all.
        pauses.called(&us(), Call::Read, at(between));
        served(&mut pauses, between, between);
        assert_eq!(left(&pauses, between), None, "{response:?}");
    }
}

#[test]
fn a_caller_whose_reconcile_request_lets_it_read_may_still_not_write() {
    let mut pauses = TestRateLimits::default();
    served(&mut pauses, 0, 0);
    pauses.refused(&us(), Call::Write, (&fault(FaultKind::Forbidden, None), Concerns::Project), at(0));
    pauses.called(&us(), Call::Read, at(1));
    served(&mut pauses, 1, 1);
    assert!(pauses.holding(&us(), Call::Write, false, at(2)).is_some());
    pauses.called(&us(), Call::Write, at(2));
    pauses.served(&us(), Call::Write, at(2), at(2));
    assert!(pauses.holding(&us(), Call::Write, false, at(2)).is_none());
}

#[test]
fn projects_that_a_tenant_invents_end_no_limit_and_no_acceptance_that_others_rely_on() {
    let mut pauses = TestRateLimits::default();
    let account = (&limited(Some(3_600)), Concerns::Credentials);
    // Another namespace with the same credentials is the first to be served and to be limited.
    let them = caller("team-b", 'a', "1", "ours");
    pauses.served(&them, Call::Read, at(0), at(0));
    served(&mut pauses, 0, 0);
    pauses.refused(&them, Call::Read, (&limited(Some(3_600)), Concerns::Project), at(0));
    pauses.refused(&caller("team-b", 'c', "1", "shared"), Call::Read, account, at(0));
    for number in 0..2 * MAX_ENTRIES {
        let project = format!("{number:024x}").parse().unwrap();
        let invented = TestCaller { project, ..caller("team-b", 'b', "1", "ours") };
        refused(&mut pauses, &invented, &fault(FaultKind::NoAccess, None), 1);
        pauses.served(&invented, Call::Read, at(2), at(2));
    }
    assert_eq!(left(&pauses, 10), Some(3_590), "the project is limited");
    let shared = caller("team-c", 'c', "1", "shared");
    assert!(pauses.holding(&shared, Call::Read, false, at(10)).is_some(), "the account is limited");
    // Our credentials are still known to be served, so a refused write does not count as a refused read.
    let write = (&fault(FaultKind::Forbidden, None), Concerns::Project);
    pauses.refused(&us(), Call::Write, write, at(3_590));
    assert_eq!(left(&pauses, 3_600), None);
}
