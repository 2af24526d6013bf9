use std::time::Duration;

use super::{Purpose, Read, missing};
use crate::clock::Boottime;

fn at(seconds: u64) -> Boottime {
    Boottime::from_boot(Duration::from_secs(seconds))
}

/// Returns a read that found no Secret at that second, after `before`.
fn absent(before: Option<Read>, purpose: Purpose, second: u64) -> Read {
    Read::after(before, Err(missing("it is not there".to_owned())), purpose, at(second))
}

fn pause(read: &Read, second: u64) -> u64 {
    read.result(at(second)).err().unwrap().retry_after.unwrap().as_secs()
}

#[test]
fn a_missing_secret_is_read_with_back_off() {
    let mut read = absent(None, Purpose::Read, 0);
    let (mut second, mut pauses) = (0, Vec::new());
    for _ in 0..7 {
        let next = pause(&read, second);
        assert!(read.serves(Purpose::Read, at(0), at(second + next - 2)), "after {pauses:?}");
        pauses.push(next);
        second += next;
        assert!(!read.serves(Purpose::Read, at(0), at(second)), "after {pauses:?}");
        read = absent(Some(read), Purpose::Read, second);
    }
    assert_eq!(pauses, [15, 30, 60, 120, 240, 300, 300]);
}

#[test]
fn all_objects_of_a_missing_secret_share_one_read() {
    let read = absent(None, Purpose::Read, 0);
    assert_eq!((pause(&read, 0), pause(&read, 10)), (15, 5));
}

#[test]
fn a_request_before_the_next_read_does_not_lengthen_the_back_off() {
    let first = absent(None, Purpose::Read, 0);
    let on_request = Purpose::Asked { spec: false };
    assert!(!first.serves(on_request, at(0), at(2)));
    let second = absent(Some(first), on_request, 2);
    assert_eq!(pause(&second, 2), 15);
    assert!(second.serves(on_request, at(0), at(2)), "a thousand requests together cost one read");
}

#[test]
fn a_request_right_after_a_read_is_retried_after_a_second() {
    let on_request = Purpose::Asked { spec: false };
    let mut read = absent(None, Purpose::Read, 0);
    read.requested = true;
    assert_eq!(pause(&read, 0), 1);
    assert!(read.serves(on_request, at(0), at(0)) && !read.serves(Purpose::Read, at(0), at(1)));
    assert_eq!(pause(&absent(Some(read), Purpose::Read, 1), 1), 15);
}

#[test]
fn a_changed_spec_resets_the_back_off() {
    let mut read = absent(None, Purpose::Read, 0);
    for second in [15, 45, 105] {
        read = absent(Some(read), Purpose::Read, second);
    }
    assert_eq!(pause(&read, 105), 120);
    let read = absent(Some(read), Purpose::Asked { spec: true }, 110);
    assert_eq!(pause(&read, 110), 15);
}

#[test]
fn what_was_read_before_the_object_was_there_writes_nothing() {
    let read = absent(None, Purpose::Read, 10);
    assert!(read.serves(Purpose::Write, at(10), at(11)));
    assert!(!read.serves(Purpose::Write, at(11), at(11)), "it is older than the object");
    assert!(!read.serves(Purpose::Write, at(10), at(12)), "it is two seconds old");
    assert!(!read.serves(Purpose::WriteNow, at(10), at(10)));
}
