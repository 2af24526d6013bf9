//! Tests when a ConfigMap is read, and which content its referrers get.

use super::*;

const ID: &str = "vpce-0a1b2c3d";

fn id() -> Found {
    Found::parse(ID, None)
}

fn at(milliseconds: u64) -> Boottime {
    Boottime::from_boot(Duration::from_millis(milliseconds))
}

/// Stores a read sent at that time: every entry has this content.
fn read(maps: &mut PolledMaps, name: &str, keys: &[&str], found: &Found, sent: Boottime) {
    maps.read(name, keys.iter().copied(), |_| found.clone(), sent);
}

/// A ConfigMap read at that time, with an id under the key `vpce`.
fn known(sent: Boottime) -> PolledMaps {
    let mut maps = PolledMaps::default();
    assert_eq!(maps.find("network", "vpce", false, sent), None);
    assert_eq!(maps.next(sent), NextRead::Read("network".to_owned()));
    read(&mut maps, "network", &["vpce"], &id(), sent);
    maps
}

#[test]
fn one_read_per_period_serves_all_referrers() {
    let mut maps = known(at(0));
    for milliseconds in (0..15_000).step_by(500) {
        assert_eq!(maps.find("network", "vpce", false, at(milliseconds)), Some(id()));
        assert_eq!(maps.next(at(milliseconds)), NextRead::Wait(Duration::from_millis(15_000 - milliseconds)));
    }
    assert_eq!(maps.next(at(15_000)), NextRead::Read("network".to_owned()));
}

#[test]
fn another_entry_is_read_at_once_and_then_with_the_rest() {
    let mut maps = known(at(0));
    assert_eq!(maps.find("network", "other", false, at(5000)), None);
    assert_eq!(maps.next(at(5000)), NextRead::Read("network".to_owned()));
    read(&mut maps, "network", &["vpce", "other"], &Found::Nothing, at(5000));
    assert_eq!(maps.find("network", "other", false, at(6000)), Some(Found::Nothing));
    assert_eq!(maps.next(at(6000)), NextRead::Wait(Duration::from_secs(14)));
}

#[test]
fn a_request_rereads_at_most_once_a_second() {
    let mut maps = known(at(0));
    assert_eq!(maps.find("network", "vpce", true, at(500)), None);
    assert_eq!(maps.next(at(500)), NextRead::Wait(Duration::from_millis(500)));
    // A read in flight at the time of the request does not count.
    read(&mut maps, "network", &["vpce"], &id(), at(400));
    assert_eq!(maps.find("network", "vpce", false, at(600)), None);
    assert_eq!(maps.next(at(1400)), NextRead::Read("network".to_owned()));
    read(&mut maps, "network", &["vpce"], &Found::NoObject, at(1400));
    assert_eq!(maps.find("network", "vpce", false, at(1400)), Some(Found::NoObject));
}

#[test]
fn an_unreadable_entry_keeps_its_previous_content() {
    let mut maps = known(at(0));
    read(&mut maps, "network", &["vpce", "other"], &Found::Unreadable, at(15_000));
    assert_eq!(maps.find("network", "vpce", false, at(15_000)), Some(id()));
    assert_eq!(maps.find("network", "other", false, at(15_000)), Some(Found::Unreadable));
}

#[test]
fn a_map_without_referrers_is_not_read() {
    let mut maps = known(at(0));
    maps.remove("network");
    assert_eq!(maps.next(at(60_000)), NextRead::Wait(PERIOD));
    // A read in flight restores nothing.
    read(&mut maps, "network", &[], &id(), at(0));
    assert_eq!(maps.next(at(60_000)), NextRead::Wait(PERIOD));
}
