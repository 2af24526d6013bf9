use super::*;

const ID: &str = "vpce-0a1b2c3d";

fn at(milliseconds: u64) -> Boottime {
    Boottime::from_boot(Duration::from_millis(milliseconds))
}

/// Stores a read sent at that time: every entry has this content.
fn read(maps: &mut Maps, name: &str, keys: &[&str], found: &Found, sent: Boottime) {
    maps.read(name, keys.iter().copied(), |_| found.clone(), sent);
}

/// A ConfigMap read at that time, with an id under the key `vpce`.
fn known(sent: Boottime) -> Maps {
    let mut maps = Maps::default();
    assert_eq!(maps.find("network", "vpce", false, sent), None);
    assert_eq!(maps.next(sent), Next::Read("network".to_owned()));
    read(&mut maps, "network", &["vpce"], &Found::of(ID), sent);
    maps
}

#[test]
fn one_read_a_period_serves_all_who_ask() {
    let mut maps = known(at(0));
    for milliseconds in (0..15_000).step_by(500) {
        assert_eq!(maps.find("network", "vpce", false, at(milliseconds)), Some(Found::of(ID)));
        assert_eq!(maps.next(at(milliseconds)), Next::Wait(Duration::from_millis(15_000 - milliseconds)));
    }
    assert_eq!(maps.next(at(15_000)), Next::Read("network".to_owned()));
}

#[test]
fn another_entry_is_read_at_once_and_then_together() {
    let mut maps = known(at(0));
    assert_eq!(maps.find("network", "other", false, at(5000)), None);
    assert_eq!(maps.next(at(5000)), Next::Read("network".to_owned()));
    read(&mut maps, "network", &["vpce", "other"], &Found::Nothing, at(5000));
    assert_eq!(maps.find("network", "other", false, at(6000)), Some(Found::Nothing));
    assert_eq!(maps.next(at(6000)), Next::Wait(Duration::from_secs(14)));
}

#[test]
fn who_asks_is_told_what_was_read_after_and_once_a_second_at_most() {
    let mut maps = known(at(0));
    assert_eq!(maps.find("network", "vpce", true, at(500)), None);
    assert_eq!(maps.next(at(500)), Next::Wait(Duration::from_millis(500)));
    // A read in flight at the time of the request does not count.
    read(&mut maps, "network", &["vpce"], &Found::of(ID), at(400));
    assert_eq!(maps.find("network", "vpce", false, at(600)), None);
    assert_eq!(maps.next(at(1400)), Next::Read("network".to_owned()));
    read(&mut maps, "network", &["vpce"], &Found::NoObject, at(1400));
    assert_eq!(maps.find("network", "vpce", false, at(1400)), Some(Found::NoObject));
}

#[test]
fn what_could_not_be_read_is_as_it_was() {
    let mut maps = known(at(0));
    read(&mut maps, "network", &["vpce", "other"], &Found::Unreadable, at(15_000));
    assert_eq!(maps.find("network", "vpce", false, at(15_000)), Some(Found::of(ID)));
    assert_eq!(maps.find("network", "other", false, at(15_000)), Some(Found::Unreadable));
}

#[test]
fn what_nobody_refers_to_is_not_read() {
    let mut maps = known(at(0));
    maps.forget("network");
    assert_eq!(maps.next(at(60_000)), Next::Wait(PERIOD));
    // A read in flight restores nothing.
    read(&mut maps, "network", &[], &Found::of(ID), at(0));
    assert_eq!(maps.next(at(60_000)), Next::Wait(PERIOD));
}
