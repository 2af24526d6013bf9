//! Which credentials may be used, over all combinations; and how long a read of a Secret counts. Times are seconds.

use std::time::Duration;

use domain::access::{
    Choice, Finding, OwnSecret, Purpose, Remembered, SecretRead, Unread, choose, may_remember, rejects,
};
use domain::fault::FaultKind;
use invariants::fixtures::FAULTS;

const OWN: [OwnSecret; 4] =
    [OwnSecret::Unnamed, OwnSecret::Usable, OwnSecret::Missing, OwnSecret::Unavailable];
const REMEMBERED: [Remembered; 3] = [Remembered::Nothing, Remembered::Usable, Remembered::Rejected];

/// For an object that is not being deleted and for one that is: without default credentials, and with.
const TABLE: [(OwnSecret, Remembered, [[Choice; 2]; 2]); 12] = {
    use Choice::{Default, DefaultOrRemembered as Both, Nothing, Own, Remembered as Last};
    use OwnSecret::{Missing, Unavailable, Unnamed, Usable};
    use Remembered as R;
    [
        (Unnamed, R::Nothing, [[Nothing, Default], [Nothing, Default]]),
        (Unnamed, R::Usable, [[Nothing, Default], [Nothing, Default]]),
        (Unnamed, R::Rejected, [[Nothing, Default], [Nothing, Default]]),
        (Usable, R::Nothing, [[Own, Own], [Own, Own]]),
        (Usable, R::Usable, [[Own, Own], [Own, Own]]),
        (Usable, R::Rejected, [[Own, Own], [Own, Own]]),
        (Missing, R::Nothing, [[Own, Own], [Own, Default]]),
        (Missing, R::Usable, [[Own, Own], [Last, Last]]),
        (Missing, R::Rejected, [[Own, Own], [Last, Both]]),
        (Unavailable, R::Nothing, [[Own, Own], [Own, Own]]),
        (Unavailable, R::Usable, [[Own, Own], [Own, Own]]),
        (Unavailable, R::Rejected, [[Own, Own], [Own, Own]]),
    ]
};

#[test]
fn the_table_of_choices_is_complete_and_holds() {
    for own in OWN {
        for remembered in REMEMBERED {
            let row = TABLE.iter().find(|row| (row.0, row.1) == (own, remembered)).unwrap();
            for (deleting, choices) in [false, true].into_iter().zip(row.2) {
                for (has_default, choice) in [false, true].into_iter().zip(choices) {
                    let state = (own, remembered, has_default, deleting);
                    assert_eq!(choose(own, remembered, has_default, deleting), choice, "{state:?}");
                }
            }
        }
    }
}

#[test]
fn what_the_object_names_is_replaced_only_for_a_deletion_without_it() {
    for own in OWN {
        for remembered in REMEMBERED {
            for (has_default, deleting) in [(false, false), (true, false), (false, true), (true, true)] {
                let choice = choose(own, remembered, has_default, deleting);
                let replaced = own != OwnSecret::Unnamed && choice != Choice::Own;
                assert!(!replaced || deleting && own == OwnSecret::Missing);
                let uses_default = matches!(choice, Choice::Default | Choice::DefaultOrRemembered);
                assert!(has_default || !uses_default, "there is no default");
                let uses_remembered = matches!(choice, Choice::Remembered | Choice::DefaultOrRemembered);
                assert!(remembered != Remembered::Nothing || !uses_remembered, "nothing is remembered");
            }
        }
    }
}

#[test]
fn an_update_of_a_deleted_object_reads_its_secret_now() {
    for (deleting, is_update) in [(false, false), (false, true), (true, false), (true, true)] {
        let now = Purpose::of_write(deleting, is_update) == Purpose::WriteNow;
        assert_eq!(now, deleting && is_update);
    }
}

#[test]
fn credentials_older_than_an_object_without_an_endpoint_are_not_remembered() {
    assert!(may_remember(true, at(1), at(2)) && may_remember(false, at(2), at(2)));
    assert!(!may_remember(false, at(1), at(2)));
}

fn at(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// A read that found no Secret at that second, after `before`.
fn absent(before: Option<SecretRead>, purpose: Purpose, second: u64) -> SecretRead {
    SecretRead::new(before, Finding::Missing, purpose, at(second))
}

fn left(read: &SecretRead, second: u64) -> u64 {
    read.left(at(second)).as_secs()
}

fn serves(read: &SecretRead, purpose: Purpose, since: u64, second: u64) -> bool {
    { *read }.serves(purpose, at(since), at(second))
}

#[test]
fn a_missing_secret_is_read_with_back_off() {
    let mut read = absent(None, Purpose::Read, 0);
    let (mut second, mut pauses) = (0, Vec::new());
    for _ in 0..7 {
        let next = left(&read, second);
        assert!(serves(&read, Purpose::Read, 0, second + next - 2), "after {pauses:?}");
        pauses.push(next);
        second += next;
        assert!(!serves(&read, Purpose::Read, 0, second), "after {pauses:?}");
        read = absent(Some(read), Purpose::Read, second);
    }
    assert_eq!(pauses, [15, 30, 60, 120, 240, 300, 300]);
}

#[test]
fn all_objects_of_a_missing_secret_share_one_read() {
    let read = absent(None, Purpose::Read, 0);
    assert_eq!((left(&read, 0), left(&read, 10)), (15, 5));
}

#[test]
fn a_request_before_the_next_read_does_not_lengthen_the_back_off() {
    let first = absent(None, Purpose::Read, 0);
    let on_request = Purpose::OnRequest { edited: false };
    assert!(!serves(&first, on_request, 0, 2));
    let second = absent(Some(first), on_request, 2);
    assert_eq!(left(&second, 2), 15);
    assert!(serves(&second, on_request, 0, 2), "a thousand requests together cost one read");
}

#[test]
fn a_request_right_after_a_read_is_retried_after_a_second() {
    let on_request = Purpose::OnRequest { edited: false };
    let mut read = absent(None, Purpose::Read, 0);
    assert!(read.serves(on_request, at(0), at(0)));
    assert_eq!(left(&read, 0), 1);
    assert!(serves(&read, on_request, 0, 0) && !serves(&read, Purpose::Read, 0, 1));
    assert_eq!(left(&absent(Some(read), Purpose::Read, 1), 1), 15);
}

#[test]
fn a_changed_spec_resets_the_back_off() {
    let mut read = absent(None, Purpose::Read, 0);
    for second in [15, 45, 105] {
        read = absent(Some(read), Purpose::Read, second);
    }
    assert_eq!(left(&read, 105), 120);
    let read = absent(Some(read), Purpose::OnRequest { edited: true }, 110);
    assert_eq!(left(&read, 110), 15);
}

#[test]
fn what_was_read_before_the_object_was_there_writes_nothing() {
    let read = absent(None, Purpose::Read, 10);
    assert!(serves(&read, Purpose::Write, 10, 11));
    assert!(!serves(&read, Purpose::Write, 11, 11), "it is older than the object");
    assert!(!serves(&read, Purpose::Write, 10, 12), "it is two seconds old");
    assert!(!serves(&read, Purpose::WriteNow, 10, 10));
}

#[test]
fn credentials_are_read_again_sooner_while_atlas_rejects_them() {
    let mut read = SecretRead::new(None, Finding::Usable, Purpose::Read, at(0));
    for (rejected, last) in [(false, 58), (true, 13), (false, 58)] {
        read.record_response(rejected);
        assert!(serves(&read, Purpose::Read, 0, last) && !serves(&read, Purpose::Read, 0, last + 1));
    }
    let failed = SecretRead::new(None, Finding::Unavailable, Purpose::Read, at(0));
    assert!(serves(&failed, Purpose::Read, 0, 3) && !serves(&failed, Purpose::Read, 0, 4));
}

#[test]
fn a_secret_that_cannot_be_read_is_missing_unless_only_the_api_server_is_unavailable() {
    let unavailable = Unread::Unavailable("timed out".to_owned());
    for (why, kind, next) in [
        (Unread::NotFound, FaultKind::CredentialsNotFound, "create it with the entries"),
        (Unread::Forbidden, FaultKind::CredentialsNotFound, "grant its service account `get`"),
        (Unread::Undecodable, FaultKind::CredentialsNotFound, "delete it and create it again"),
        (unavailable, FaultKind::Unavailable, "timed out; retrying"),
    ] {
        let fault = why.fault("shop", "atlas-key");
        assert_eq!(fault.kind, kind);
        let text = fault.to_string();
        assert!(text.contains("Secret atlas-key") && text.contains(next), "{text}");
    }
}

#[test]
fn only_a_refused_identity_rejects_credentials_and_only_a_success_accepts_them() {
    assert_eq!(rejects(None), Some(false));
    for kind in FAULTS {
        let rejected = [FaultKind::Unauthorized, FaultKind::Forbidden, FaultKind::NoAccess].contains(&kind);
        assert_eq!(rejects(Some(kind)), rejected.then_some(true), "{kind:?}");
    }
}
